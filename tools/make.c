/* tools/make.c - makes a torrent; the thinking is in proto/author.h and make_plan.c, the sweat in swarm/io/hasher.h. */
#include "proto/base/bytes.h"
#include "tools/hashing.h"
#include "tools/human.h"
#include "tools/make_inner.h"
#include "tools/say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define DROPS_SHOWN 5 /* of each kind by name; the rest is counted */

/* ---- the walk ----------------------------------------------------------------------- */
static const char *const drop_words[SHOAL_TREE_DROPS][3] = {
	[SHOAL_TREE_SYMLINK] = { "symlink", "symlink", "symlinks" },
	[SHOAL_TREE_SPECIAL] = { "device, socket or pipe", "device, socket or pipe", "devices, sockets and pipes" },
	[SHOAL_TREE_EMPTY] = { "empty folder", "empty folder", "empty folders" },
};

static void told_drop(void *to, enum shoal_tree_drop why, const char *path)
{
	struct shoal_maker *k = to;
	char shown[SHOAL_SAY_TEXT_MAX];
	if (k->m->tree.dropped[why] <= DROPS_SHOWN)
		shoal_say_warn(k->tool, NULL, "left out: %s (%s)", shoal_say_cstr(path, shown), drop_words[why][0]);
}

static int walk(struct shoal_maker *k)
{
	struct shoal_tree *t = &k->m->tree;
	char shown[SHOAL_SAY_TEXT_MAX], n[SHOAL_HUMAN_MAX * 2];
	int rc = shoal_tree_walk_but(t, &shoal_os_real, k->path, shoal_make_skip, told_drop, k);
	shoal_say_cstr(t->where, shown);
	if (rc == SHOAL_ERR_GONE && t->name == 0 && t->file_count == 0)
		return shoal_say_fail_as(k->tool, SHOAL_EXIT_INPUT, rc, "%s: %s", shown, strerror(t->os));
	if (rc == SHOAL_ERR_UNSUPPORTED)
		return shoal_say_fail_as(k->tool, SHOAL_EXIT_INPUT, rc, "%s: neither a file nor a folder", shown);
	if (rc == SHOAL_ERR_TOO_LONG)
		return shoal_say_fail_as(
			k->tool, SHOAL_EXIT_INPUT, rc,
			"%s: more than a torrent can hold (%u files, %u folders deep, paths of %u bytes)", shown,
			SHOAL_FILES_MAX, SHOAL_PATH_DEPTH_MAX, SHOAL_PATH_BYTES_MAX);
	if (rc < 0)
		return shoal_say_fail_as(k->tool, SHOAL_EXIT_STORAGE, rc, "%s: cannot be read: %s", shown,
					 rc == SHOAL_ERR_NOMEM ? "no memory" : strerror(t->os));
	for (int why = 0; why < SHOAL_TREE_DROPS; why++) {
		if (t->dropped[why] > DROPS_SHOWN)
			shoal_say_warn(k->tool, NULL, "left out: %s in all",
				       shoal_human_count(t->dropped[why], drop_words[why][1], drop_words[why][2], n));
	}
	if (t->executable)
		shoal_say_log(k->tool, SHOAL_LOG_INFO, "%s executable: a torrent does not carry that",
			      shoal_human_count(t->executable, "file is", "files are", n));
	if (t->skipped)
		shoal_say_log(k->tool, SHOAL_LOG_INFO, "%s left out as --exclude asks",
			      shoal_human_count(t->skipped, "file or folder is", "files and folders are", n));
	k->m->file_count = t->file_count;
	k->m->skipped = t->skipped;
	memcpy(k->m->dropped, t->dropped, sizeof t->dropped);
	if (t->file_count == 0)
		return shoal_say_fail_as(k->tool, SHOAL_EXIT_INPUT, SHOAL_ERR_GONE, "%s: holds not one file to share",
					 shoal_say_cstr(k->path, shown));
	return 0;
}

/* ---- hashing -------------------------------------------------------------------------- */
static int open_file(void *self, uint32_t id, int *os)
{
	const struct shoal_maker *k = self;
	return shoal_tree_open(&k->m->tree, id, os);
}

static int close_file(void *self, uint32_t id, int fd)
{
	const struct shoal_maker *k = self;
	return shoal_tree_close(&k->m->tree, id, fd);
}

static int take_piece(void *self, const struct shoal_hasher_piece *p)
{
	struct shoal_maker *k = self;
	if (p->err < 0) {
		__atomic_store_n(&k->bad_os, p->os, __ATOMIC_RELAXED);
		return p->err;
	}
	if (p->sha1)
		memcpy(k->sha1[p->index], p->sha1, 20);
	if (p->root)
		memcpy(k->root[p->index], p->root, 32);
	return 0;
}

static int place_files(struct shoal_maker *k)
{
	const struct shoal_tree *t = &k->m->tree;
	/* one more than needed: a torrent of empty files has no pieces */
	k->hash = calloc((size_t)t->file_count + 1, sizeof *k->hash);
	k->sha1 = k->a.format == SHOAL_FORMAT_V2 ? NULL : calloc((size_t)k->pieces + 1, sizeof *k->sha1);
	k->root = k->a.format == SHOAL_FORMAT_V1 ? NULL : calloc((size_t)k->pieces + 1, sizeof *k->root);
	if (k->hash == NULL || (k->sha1 == NULL && k->root == NULL))
		return shoal_make_no_memory(k);
	uint64_t stream = 0;
	for (uint32_t i = 0; i < t->file_count; i++) {
		uint64_t at = shoal_author_place(k->a.format, k->a.piece_size, &stream, t->file[i].size);
		if (t->file[i].size)
			k->hash[k->hash_count++] = (struct shoal_hasher_file){ at, t->file[i].size, i };
	}
	k->stream = shoal_author_stream(k->a.format, k->a.piece_size, k->a.single, stream);
	return 0;
}

static int hash_failed(struct shoal_maker *k, int rc, uint32_t id)
{
	char shown[SHOAL_SAY_TEXT_MAX], path[SHOAL_PATH_BYTES_MAX + 1];
	if (rc == SHOAL_ERR_NOMEM)
		return shoal_make_no_memory(k);
	if (rc == SHOAL_ERR_CLOSED)
		return shoal_say_fail_as(k->tool, SHOAL_EXIT_INTERRUPTED, rc,
					 "stopped while hashing; no torrent is made");
	int len = shoal_tree_path(&k->m->tree, id, (struct shoal_space){ (uint8_t *)path, sizeof path });
	shoal_say_text(shoal_bytes(path, len > 0 ? (size_t)len : 0), shown);
	if (rc == SHOAL_ERR_GONE)
		return shoal_say_fail(k->tool, rc, "%s: changed while it was read; try again when nobody writes to it",
				      shown);
	return shoal_say_fail(k->tool, rc, "%s: cannot be read: %s%s", shown,
			      k->bad_os ? strerror(k->bad_os) : shoal_err_name(rc),
			      k->bad_os == EACCES && k->m->tree.file_count > 1 ? "; --exclude leaves it out" : "");
}

static int hash(struct shoal_maker *k)
{
	struct shoal_hasher_plan plan = {
		.os = &shoal_os_real,
		.file = k->hash,
		.file_count = k->hash_count,
		.stream_size = k->stream,
		.piece_size = k->a.piece_size,
		.threads = k->o->threads,
		.v1 = k->sha1 != NULL,
		.v2 = k->root != NULL,
		.self = k,
		.open = open_file,
		.close = close_file,
		.piece = take_piece,
	};
	struct shoal_hashing h = { .verb = "hashing", .name = k->a.name, .total = k->m->tree.size };
	int rc = shoal_hashing_run(k->tool, &plan, &h);
	k->m->hash_us = h.took;
	free(k->hash);
	k->hash = NULL;
	return rc < 0 ? hash_failed(k, rc, h.bad_id) : 0;
}

/* From the roots of pieces to the roots of files (BEP 52). */
static int root_files(struct shoal_maker *k)
{
	const struct shoal_tree *t = &k->m->tree;
	uint32_t ps = k->a.piece_size, longer = 0, widest = 0, next = 0;
	uint64_t stream = 0;
	if (k->root == NULL)
		return 0;
	for (uint32_t i = 0; i < t->file_count; i++) {
		uint64_t n = t->file[i].size / ps + (t->file[i].size % ps != 0);
		longer += n > 1;
		widest = n > widest ? (uint32_t)n : widest;
	}
	if (longer == 0)
		return 0;
	k->top = calloc(longer, sizeof *k->top);
	shoal_hash32 *scratch = calloc(widest, sizeof *scratch);
	if (k->top == NULL || scratch == NULL) {
		free(scratch);
		return shoal_make_no_memory(k);
	}
	for (uint32_t i = 0; i < t->file_count; i++) {
		uint64_t at = shoal_author_place(k->a.format, ps, &stream, t->file[i].size);
		uint32_t n = (uint32_t)(t->file[i].size / ps + (t->file[i].size % ps != 0));
		if (n <= 1)
			continue;
		memcpy(scratch, &k->root[at / ps], n * sizeof *scratch);
		shoal_merkle_root(scratch, n, shoal_merkle_width(n), shoal_merkle_height(ps / SHOAL_BLOCK),
				  k->top[next++]);
	}
	free(scratch);
	return 0;
}

static int write_torrent(struct shoal_maker *k)
{
	struct shoal_metainfo_fault why = { 0 };
	struct shoal_bytes info;
	char what[160] = "";
	k->a.sha1 = shoal_bytes(k->sha1, k->sha1 ? (size_t)k->pieces * 20 : 0);
	shoal_ben_wr_init_heap(&k->wr, SHOAL_METAINFO_BYTES_MAX);
	ptrdiff_t len = shoal_author_write(&k->a, &k->wr, &info, what);
	if (len == SHOAL_ERR_TOO_LONG)
		return shoal_say_fail_as(k->tool, SHOAL_EXIT_INPUT, (int)len,
					 "the torrent itself would be larger than %u MiB; take a larger --piece-size",
					 SHOAL_METAINFO_BYTES_MAX >> 20);
	if (len < 0)
		return shoal_say_fail_as(k->tool, SHOAL_EXIT_INPUT, (int)len, "%s",
					 what[0] ? what : shoal_err_name((int)len));
	/* It is given away under our name: prove that it can be read before anybody else has to. */
	k->m->torrent = shoal_bytes(k->wr.at, (size_t)len);
	k->wr.heap = false;
	shoal_tree_fini(&k->m->tree);
	free(k->root);
	k->root = NULL;
	int rc = shoal_metainfo_parse_lent(&k->m->mi, k->m->torrent, &why);
	if (rc < 0)
		return shoal_say_fail(k->tool, rc, "the torrent cannot be read back: %s", why.what);
	return 0;
}

int shoal_make(struct shoal_tool *tool, struct shoal_make *m, const struct shoal_make_options *o, const char *path)
{
	*m = (struct shoal_make){ .tree = { .top = { &shoal_os_real, -1, false } } };
	struct shoal_maker *k = calloc(1, sizeof *k);
	if (k == NULL)
		return shoal_say_fail(tool, SHOAL_ERR_NOMEM, "no memory");
	*k = (struct shoal_maker){ .tool = tool, .o = o, .m = m, .path = path };
	int code;
	if (!(code = walk(k)) && !(code = shoal_make_describe(k)) && !(code = shoal_make_choose(k)) &&
	    !(code = shoal_make_lint(k)) && !o->dry_run && !(code = place_files(k)) && !(code = hash(k)) &&
	    !(code = root_files(k)) && !(code = shoal_make_lint_roots(k)))
		code = write_torrent(k);
	shoal_ben_wr_fini(&k->wr);
	free(k->hash);
	free(k->sha1);
	free(k->root);
	free(k->top);
	free(k);
	return code;
}

void shoal_make_fini(struct shoal_make *m)
{
	shoal_tree_fini(&m->tree);
	shoal_metainfo_free(m->mi);
	free((void *)(uintptr_t)m->torrent.at);
	m->mi = NULL;
	m->torrent = (struct shoal_bytes){ NULL, 0 };
}

void shoal_make_rows(struct shoal_make_options *o, struct shoal_opt *rows)
{
	/* clang-format off */
	const struct shoal_opt all[SHOAL_MAKE_OPTIONS_MAX] = {
		{ SHOAL_OPT_HEADING, .help = "the torrent that is made:" },
		{ SHOAL_OPT_CHOICE, "format", 0, &o->format, "hybrid|v2|v1", NULL, "default: hybrid, v2 where that would be unwise" },
		{ SHOAL_OPT_SIZE, "piece-size", 0, &o->piece_size, "SIZE", NULL, "a power of two, 16K to 64M; default: by size" },
		{ SHOAL_OPT_LIST, "tracker", 't', &o->tracker, "URL", NULL, "more than once; commas within one tier" },
		{ SHOAL_OPT_LIST, "webseed", 'w', &o->webseed, "URL", NULL, "where the data can be had by HTTP" },
		{ SHOAL_OPT_PEER, "node", 0, &o->node, "HOST:PORT", NULL, "a DHT node to begin with" },
		{ SHOAL_OPT_FLAG, "private", 0, &o->is_private, NULL, NULL, "peers from its trackers alone (BEP 27)" },
		{ SHOAL_OPT_TEXT, "comment", 'c', &o->comment, "TEXT", NULL, "a remark for people" },
		{ SHOAL_OPT_TEXT, "source", 0, &o->source, "TEXT", NULL, "a mark that makes another info hash" },
		{ SHOAL_OPT_LIST, "similar", 0, &o->similar, "TORRENT", NULL, "one that shares files: fetchers take those (BEP 38)" },
		{ SHOAL_OPT_LIST, "collection", 0, &o->collection, "NAME", NULL, "all torrents of it may share files (BEP 38)" },
		{ SHOAL_OPT_FLAG, "no-date", 0, &o->no_date, NULL, NULL, "do not say when it was made" },
		{ SHOAL_OPT_LIST, "exclude", 0, &o->exclude, "GLOB", NULL, "leave out names (with a / in it: paths) like this" },
		{ SHOAL_OPT_FLAG, "exclude-junk", 0, &o->exclude_junk, NULL, NULL, "leave out .DS_Store, Thumbs.db and their like" },
		{ SHOAL_OPT_LIST, "allow", 0, &o->lint.allow, "LINT", NULL, "do not warn of it; all: of none" },
		{ SHOAL_OPT_LIST, "deny", 0, &o->lint.deny, "LINT", NULL, "make no torrent that it applies to (exit 6)" },
		{ SHOAL_OPT_COUNT, "threads", 0, &o->threads, "N", NULL, "that hash; default: one a core" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	memcpy(rows, all, sizeof all);
}

void shoal_make_options_fini(struct shoal_make_options *o)
{
	shoal_opt_list_fini(&o->tracker);
	shoal_opt_list_fini(&o->webseed);
	shoal_opt_list_fini(&o->node);
	shoal_opt_list_fini(&o->peer);
	shoal_opt_list_fini(&o->similar);
	shoal_opt_list_fini(&o->collection);
	shoal_opt_list_fini(&o->exclude);
	shoal_opt_list_fini(&o->lint.allow);
	shoal_opt_list_fini(&o->lint.deny);
}
