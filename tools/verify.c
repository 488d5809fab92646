/* tools/verify.c - shoal verify: every piece read and hashed, and exactly what is not good. */
#include "proto/base/bytes.h"
#include "swarm/io/files.h"
#include "tools/commands.h"
#include "tools/hashing.h"
#include "tools/human.h"
#include "tools/options.h"
#include "tools/say.h"
#include "tools/source.h"
#include "tools/verify_report.h"

#include <errno.h>
#include <stdlib.h>

static const struct shoal_opt_page page = {
	"TORRENT [-d DIR]",
	"Reads everything a torrent names below DIR, checks every piece, and lists exactly what is\n"
	"missing, short or damaged, with piece numbers and byte ranges. Changes nothing.\n"
	"Exits 0 when all is good, 1 when data is missing or damaged, 3 for a bad torrent, 4\n"
	"when something could not be read.",
	"  shoal verify holiday.torrent -d Downloads\n"
	"  shoal verify holiday.torrent -d Downloads --json | jq 'select(.event == \"file\")'",
};

/* ---- what lies on the disk ------------------------------------------------------------ */
static int64_t mtime_of(const struct stat *st)
{
	return st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

static int path_of(const struct shoal_verify *v, uint32_t file, bool part, char out[SHOAL_FILES_PATH_MAX])
{
	struct shoal_space room = { (uint8_t *)out, SHOAL_FILES_PATH_MAX };
	return part ? shoal_files_part_path(v->files, v->storage, file, out) : shoal_metainfo_path(v->mi, file, room);
}

static int look(struct shoal_verify *v, struct shoal_beneath_at *at, uint32_t file, bool part, struct stat *st)
{
	char path[SHOAL_FILES_PATH_MAX];
	const char *name;
	if (path_of(v, file, part, path) < 0)
		return ENAMETOOLONG;
	int dir = shoal_beneath_at(&v->beneath, at, path, &name);
	if (dir < 0 || v->beneath.os->fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno;
	return S_ISREG(st->st_mode) ? 0 : EINVAL;
}

static void look_at(struct shoal_verify *v, struct shoal_beneath_at *at, struct shoal_verify_file *f)
{
	struct stat st = { 0 };
	uint64_t want = shoal_metainfo_file_size(v->mi, f->id);
	int os = look(v, at, f->id, false, &st);
	f->state = SHOAL_VERIFY_GOOD;
	if (os == ENOENT || os == ENOTDIR) {
		f->state = SHOAL_VERIFY_MISSING;
		os = look(v, at, f->id, true, &st);
		if (os != 0)
			return;
		f->state = SHOAL_VERIFY_UNFINISHED;
		f->part = true;
	}
	if (os == EINVAL || os == ELOOP || os == EXDEV) {
		f->state = SHOAL_VERIFY_NO_FILE;
	} else if (os) {
		f->state = SHOAL_VERIFY_UNREADABLE;
		f->os = os;
	} else {
		f->disk_size = (uint64_t)st.st_size;
		f->mtime_ns = mtime_of(&st);
		if (!f->part && f->disk_size != want)
			f->state = f->disk_size < want ? SHOAL_VERIFY_SHORT : SHOAL_VERIFY_LONG;
	}
}

static int scan(struct shoal_verify *v)
{
	struct shoal_beneath_at at = SHOAL_BENEATH_AT_INIT;
	uint32_t count = shoal_metainfo_file_count(v->mi), n = 0;
	v->file = calloc(count ? count : 1, sizeof *v->file);
	v->hash = calloc(count ? count : 1, sizeof *v->hash);
	v->verdict = calloc(shoal_metainfo_piece_count(v->mi) + 1, 1);
	if (v->file == NULL || v->hash == NULL || v->verdict == NULL)
		return SHOAL_ERR_NOMEM;
	for (uint32_t i = 0; i < count; i++) {
		if (shoal_metainfo_file_flags(v->mi, i) & (SHOAL_FILE_PAD | SHOAL_FILE_SYMLINK))
			continue;
		struct shoal_verify_file *f = &v->file[v->file_count];
		f->id = i;
		look_at(v, &at, f);
		if (shoal_metainfo_file_size(v->mi, i))
			v->hash[n++] = (struct shoal_hasher_file){ shoal_metainfo_file_offset(v->mi, i),
								   shoal_metainfo_file_size(v->mi, i), v->file_count };
		v->file_count++;
	}
	v->hash_count = n;
	shoal_beneath_at_fini(&v->beneath, &at);
	return 0;
}

/* ---- hashing -------------------------------------------------------------------------- */
static int open_file(void *self, uint32_t id, int *os)
{
	const struct shoal_verify *v = self;
	const struct shoal_verify_file *f = &v->file[id];
	char path[SHOAL_FILES_PATH_MAX];
	struct stat st;
	*os = f->os;
	if (f->state == SHOAL_VERIFY_MISSING || f->state == SHOAL_VERIFY_NO_FILE)
		return SHOAL_ERR_GONE;
	if (f->state == SHOAL_VERIFY_UNREADABLE)
		return SHOAL_ERR_IO;
	int rc = path_of(v, f->id, f->part, path);
	if (rc < 0)
		return rc;
	int fd = shoal_beneath_file(&v->beneath, path, O_RDONLY, 0, &st);
	if (fd < 0) {
		*os = errno;
		return shoal_os_err(errno);
	}
	return fd;
}

static int close_file(void *self, uint32_t id, int fd)
{
	const struct shoal_verify *v = self;
	const struct shoal_verify_file *f = &v->file[id];
	struct stat st;
	bool same = v->beneath.os->fstat(fd, &st) == 0 && (uint64_t)st.st_size == f->disk_size &&
		    mtime_of(&st) == f->mtime_ns;
	v->beneath.os->close(fd);
	return same ? 0 : SHOAL_ERR_GONE;
}

static int take_piece(void *self, const struct shoal_hasher_piece *p)
{
	struct shoal_verify *v = self;
	struct shoal_verify_file *f = &v->file[p->id];
	bool good = true;
	uint32_t leaves;
	if (p->err < 0) {
		v->verdict[p->index] = SHOAL_VERIFY_UNREAD;
		/* A file that could be seen and not read: permissions, a bad sector. Several threads may say so. */
		if (p->err != SHOAL_ERR_GONE)
			__atomic_store_n(&f->os, p->os ? p->os : EIO, __ATOMIC_RELAXED);
		return p->err == SHOAL_ERR_NOMEM ? p->err : 0;
	}
	if (p->sha1)
		good = memcmp(p->sha1, shoal_metainfo_piece_sha1(v->mi, p->index), 20) == 0;
	if (p->root) {
		const uint8_t *want = shoal_metainfo_piece_root(v->mi, p->index, &leaves);
		if (want)
			good = good && memcmp(p->root, want, 32) == 0;
		else
			memcpy(v->root[p->index], p->root,
			       32); /* its layer is unknown: the whole file is judged below */
	}
	v->verdict[p->index] = good ? SHOAL_VERIFY_RIGHT : SHOAL_VERIFY_WRONG;
	return 0;
}

/* Files whose layer the torrent does not have: their pieces' roots together must give the file's root. */
static void judge_by_root(struct shoal_verify *v)
{
	uint32_t ps = shoal_metainfo_piece_size(v->mi);
	for (uint32_t i = 0; i < shoal_metainfo_layer_count(v->mi); i++) {
		uint32_t file = shoal_metainfo_layer_file(v->mi, i), n = shoal_metainfo_layer_length(v->mi, file);
		uint32_t first = (uint32_t)(shoal_metainfo_file_offset(v->mi, file) / ps);
		bool read = true;
		if (shoal_metainfo_layer_known(v->mi, file))
			continue;
		for (uint32_t k = 0; k < n; k++)
			read = read && v->verdict[first + k] != SHOAL_VERIFY_UNREAD;
		if (read && shoal_metainfo_layer_set(v->mi, file, shoal_bytes(v->root[first], (size_t)n * 32)) == 0)
			continue;
		for (uint32_t k = 0; k < n; k++) {
			if (v->verdict[first + k] == SHOAL_VERIFY_RIGHT)
				v->verdict[first + k] = SHOAL_VERIFY_WRONG;
		}
	}
}

static int hash(struct shoal_tool *tool, struct shoal_verify *v, uint32_t threads)
{
	struct shoal_hasher_plan plan = {
		.os = v->beneath.os,
		.file = v->hash,
		.file_count = v->hash_count,
		.stream_size = shoal_metainfo_stream_size(v->mi),
		.piece_size = shoal_metainfo_piece_size(v->mi),
		.threads = threads,
		.v1 = shoal_metainfo_v1(v->mi),
		.v2 = shoal_metainfo_v2(v->mi),
		.self = v,
		.open = open_file,
		.close = close_file,
		.piece = take_piece,
	};
	struct shoal_hashing h = { "checking", shoal_metainfo_name(v->mi), shoal_metainfo_size(v->mi), 0, 0 };
	char path[SHOAL_FILES_PATH_MAX], shown[SHOAL_SAY_TEXT_MAX];
	bool by_root = plan.v2 && !shoal_metainfo_layers_complete(v->mi);
	v->root = by_root ? calloc(shoal_metainfo_piece_count(v->mi), sizeof *v->root) : NULL;
	if (by_root && v->root == NULL)
		return shoal_say_fail(tool, SHOAL_ERR_NOMEM, "no memory");
	int rc = shoal_hashing_run(tool, &plan, &h);
	v->took = h.took;
	if (rc == SHOAL_ERR_GONE) {
		int n = path_of(v, v->file[h.bad_id].id, v->file[h.bad_id].part, path);
		return shoal_say_fail(tool, rc, "%s: changed while it was read; try again when nobody writes to it",
				      shoal_say_text(shoal_bytes(path, n > 0 ? strlen(path) : 0), shown));
	}
	if (rc == SHOAL_ERR_CLOSED)
		return shoal_say_fail_as(tool, SHOAL_EXIT_INTERRUPTED, rc, "stopped before all of it was checked");
	if (rc < 0)
		return shoal_say_fail(tool, rc, "cannot check: %s", shoal_err_name(rc));
	if (by_root)
		judge_by_root(v);
	for (uint32_t i = 0; i < v->file_count; i++) {
		if (v->file[i].os && v->file[i].state != SHOAL_VERIFY_MISSING)
			v->file[i].state = SHOAL_VERIFY_UNREADABLE;
	}
	return 0;
}

static int verify(struct shoal_tool *tool, struct shoal_metainfo *mi, const char *folder, uint32_t threads)
{
	const struct shoal_os_ops *os = &shoal_os_real;
	struct shoal_verify v = { .mi = mi, .folder = folder, .beneath = { os, -1, shoal_beneath_by_hand(os) } };
	char shown[SHOAL_SAY_TEXT_MAX];
	int code;
	v.beneath.root = os->openat(AT_FDCWD, folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (v.beneath.root < 0)
		return shoal_say_fail_as(tool, errno == ENOENT ? SHOAL_EXIT_DATA : SHOAL_EXIT_STORAGE,
					 shoal_os_err(errno), "%s: %s", shoal_say_cstr(folder, shown), strerror(errno));
	int rc = shoal_files_new(&v.files, os, 0);
	if (rc == 0)
		rc = shoal_files_open(v.files, mi, folder, true, &v.storage);
	if (rc == 0)
		rc = scan(&v);
	if (rc < 0)
		code = shoal_say_fail(tool, rc, "%s: cannot be looked at: %s", shoal_say_cstr(folder, shown),
				      shoal_err_name(rc));
	else if ((code = hash(tool, &v, threads)) == 0)
		code = shoal_verify_report(tool, &v);
	shoal_files_free(v.files);
	os->close(v.beneath.root);
	free(v.file);
	free(v.hash);
	free(v.verdict);
	free(v.root);
	return code;
}

int shoal_verify_main(struct shoal_tool *tool, int argc, char **argv)
{
	struct shoal_opt_list args = { 0 };
	struct shoal_source s = { 0 };
	const char *folder = ".";
	uint32_t threads = 0;
	/* clang-format off */
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_TEXT, "dir", 'd', &folder, "DIR", NULL, "the folder that holds it; default: this one" },
		{ SHOAL_OPT_COUNT, "threads", 0, &threads, "N", NULL, "that hash; default: one a core" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	const struct shoal_opt *const tables[] = { own, NULL };
	int rc = shoal_say_parse(tool, &page, tables, argc, argv, &args), code;
	if (rc != 0)
		code = rc > 0 ? SHOAL_EXIT_GOOD : shoal_exit_of(rc);
	else if (args.count != 1)
		code = shoal_say_fail(tool, SHOAL_ERR_USAGE, "one TORRENT is needed; see shoal verify --help");
	else if ((code = shoal_source_open(tool, &s, args.at[0], false)) == 0)
		code = verify(tool, s.mi, folder, threads);
	shoal_source_fini(&s);
	shoal_opt_list_fini(&args);
	return code;
}
