/* place.c - see place.h. */
#include "tools/lab/compare/place.h"

#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "swarm/io/beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define COPY_BYTES (1u << 20)
#define LOOK_MAX 65536u /* files tried to see whether there is content */

/* ---- the scratch folder ---------------------------------------------------------------------------- */

int lab_cmp_place_init(struct lab_cmp_place *p, const char *parent)
{
	const char *tmp = parent != NULL ? parent : getenv("TMPDIR");
	*p = (struct lab_cmp_place){ .fd = -1 };
	if (asprintf(&p->path, "%s/shoal-compare-XXXXXX", tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp") < 0) {
		p->path = NULL;
		return SHOAL_ERR_NOMEM;
	}
	if (mkdtemp(p->path) == NULL) {
		int os = errno;
		free(p->path);
		p->path = NULL;
		errno = os;
		return SHOAL_ERR_IO;
	}
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return p->fd < 0 ? SHOAL_ERR_IO : 0;
}

/* Empties the folder that `fd` is; takes it over. What cannot be removed stays. */
static void empty(int fd, unsigned deep)
{
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *d; (d = readdir(dir)) != NULL;) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), d->d_name, 0) == 0 || deep == LAB_CMP_DEPTH_MAX)
			continue;
		empty(openat(dirfd(dir), d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), deep + 1);
		(void)unlinkat(dirfd(dir), d->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

void lab_cmp_place_fini(struct lab_cmp_place *p)
{
	if (p->path == NULL)
		return;
	empty(p->fd, 0);
	(void)rmdir(p->path);
	free(p->path);
	*p = (struct lab_cmp_place){ .fd = -1 };
}

int lab_cmp_place_fresh(struct lab_cmp_place *p, const char *name, char out[4096])
{
	if (snprintf(out, 4096, "%s/%s", p->path, name) >= 4096)
		return SHOAL_ERR_IO;
	empty(openat(p->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), 0);
	if (unlinkat(p->fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return SHOAL_ERR_IO;
	return mkdirat(p->fd, name, 0700) < 0 ? SHOAL_ERR_IO : 0;
}

/* ---- content ----------------------------------------------------------------------------------------- */

static int beneath(struct shoal_beneath *b, const char *folder)
{
	*b = (struct shoal_beneath){ .os = &shoal_os_real, .by_hand = shoal_beneath_by_hand(&shoal_os_real) };
	b->root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return b->root < 0 ? SHOAL_ERR_IO : 0;
}

/* -1: it is too long, or has a NUL in it: there is no such file. */
static int c_path(const struct lab_cmp_look *l, uint32_t i, char out[4096])
{
	struct shoal_bytes path = lab_cmp_path(l, i);
	if (path.len == 0 || path.len >= 4096 || memchr(path.at, 0, path.len) != NULL)
		return -1;
	memcpy(out, path.at, path.len);
	out[path.len] = '\0';
	return 0;
}

static int open_there(const struct shoal_beneath *b, const struct lab_cmp_look *l, uint32_t i)
{
	char path[4096];
	struct stat st;
	return c_path(l, i, path) < 0 ? -1 : shoal_beneath_file(b, path, O_RDONLY, 0, &st);
}

bool lab_cmp_place_any(const char *folder, const struct lab_cmp_look *l)
{
	struct shoal_beneath b;
	bool any = false, bytes = false;
	if (beneath(&b, folder) < 0)
		return false;
	for (uint32_t i = 0, tried = 0; !any && i < l->file_count && tried < LOOK_MAX; i++) {
		if (l->file[i].size == 0)
			continue;
		int fd = open_there(&b, l, i);
		bytes = true;
		any = fd >= 0;
		if (fd >= 0)
			close(fd);
		tried++;
	}
	close(b.root);
	return any || !bytes;
}

static int copy(int from, int to)
{
	if (shoal_os_real.ficlone(to, from) == 0) /* a file system that shares: nothing is moved */
		return 0;
	for (;;) {
		ssize_t n = copy_file_range(from, NULL, to, NULL, COPY_BYTES << 6, 0);
		if (n == 0)
			return 0;
		if (n < 0)
			break;
	}
	if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
		return errno == ENOSPC ? SHOAL_ERR_NO_SPACE : SHOAL_ERR_IO;
	uint8_t *buf = malloc(COPY_BYTES);
	ssize_t n = buf == NULL ? -1 : 1;
	while (n > 0 && (n = read(from, buf, COPY_BYTES)) > 0)
		for (ssize_t done = 0, put = 0; n > 0 && done < n; done += put)
			if ((put = write(to, buf + done, (size_t)(n - done))) < 0)
				n = -1;
	int os = errno;
	free(buf);
	errno = os;
	return n == 0 ? 0 : errno == ENOSPC ? SHOAL_ERR_NO_SPACE : SHOAL_ERR_IO;
}

static void not_told(void *to, const char *dir, size_t len)
{
	(void)to, (void)dir, (void)len;
}

static int lay_file(const struct shoal_beneath *from, const struct lab_cmp_look *as, const struct shoal_beneath *to,
		    const struct lab_cmp_look *be, uint32_t i)
{
	char path[4096];
	int in = open_there(from, as, i), rc = 0;
	struct stat st;
	if (in < 0)
		return 0;
	/* A name that cannot be made, or that two files have: then it lacks there, and the check says so. */
	int out = c_path(be, i, path) < 0 || shoal_beneath_make(to, path, not_told, NULL) < 0
			  ? -1
			  : shoal_beneath_file(to, path, O_WRONLY | O_CREAT | O_EXCL, 0600, &st);
	if (out >= 0) {
		rc = copy(in, out);
		close(out);
	}
	close(in);
	return rc;
}

int lab_cmp_place_lay(const char *from, const struct lab_cmp_look *as, const char *to, const struct lab_cmp_look *be)
{
	struct shoal_beneath a, b;
	int rc = beneath(&a, from);
	if (rc < 0)
		return rc;
	rc = beneath(&b, to);
	for (uint32_t i = 0; rc == 0 && i < as->file_count && i < be->file_count; i++)
		rc = lay_file(&a, as, &b, be, i);
	if (b.root >= 0)
		close(b.root);
	close(a.root);
	return rc;
}

/* ---- what lies there ------------------------------------------------------------------------------------ */

static int hash_file(int dir, const char *name, uint8_t digest[32])
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	uint8_t *buf = fd < 0 ? NULL : malloc(COPY_BYTES);
	struct shoal_sha256 sha, *const lane[] = { &sha };
	const uint8_t *const at[] = { buf };
	ssize_t n = buf == NULL ? -1 : 1;
	shoal_sha256_init(&sha);
	while (n > 0 && (n = read(fd, buf, COPY_BYTES)) > 0)
		shoal_sha256_advance(lane, at, 1, (size_t)n);
	shoal_sha256_final(&sha, digest);
	free(buf);
	if (fd >= 0)
		close(fd);
	return n < 0 ? SHOAL_ERR_IO : 0;
}

/* A path that grows and shrinks on the way. */
struct walk {
	struct lab_cmp_disk *disk;
	char *path; /* heap, of LAB_CMP_DEPTH_MAX components */
};

static int add(struct walk *w, int dir, const char *name, size_t len, const struct stat *st)
{
	struct lab_cmp_disk *d = w->disk;
	if (d->count == LAB_CMP_FILES_MAX)
		return SHOAL_ERR_TOO_LONG;
	if (d->count == d->room) {
		size_t room = d->room ? d->room * 2 : 64;
		struct lab_cmp_thing *more = realloc(d->thing, room * sizeof *more);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		d->thing = more;
		d->room = room;
	}
	struct lab_cmp_thing *t = &d->thing[d->count];
	*t = (struct lab_cmp_thing){ .path_len = len,
				     .size = (uint64_t)st->st_size,
				     .kind = S_ISREG(st->st_mode)   ? 'f'
					     : S_ISLNK(st->st_mode) ? 'l'
								    : '?' };
	int rc = lab_cmp_keep(&d->names, shoal_bytes(w->path, len), &t->path_at);
	if (rc == 0 && t->kind == 'f')
		rc = hash_file(dir, name, t->digest);
	if (rc == 0)
		d->count++;
	return rc;
}

/* Takes `fd` over. `len` bytes of the path are this folder's. */
static int walk(struct walk *w, int fd, size_t len, unsigned deep)
{
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int rc = 0;
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return SHOAL_ERR_IO;
	}
	for (struct dirent *d; rc == 0 && (d = readdir(dir)) != NULL;) {
		struct stat st;
		size_t name = strlen(d->d_name);
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			rc = SHOAL_ERR_IO;
			break;
		}
		memcpy(w->path + len, d->d_name, name);
		if (!S_ISDIR(st.st_mode)) {
			rc = add(w, dirfd(dir), d->d_name, len + name, &st);
			continue;
		}
		w->path[len + name] = '/';
		rc = deep == LAB_CMP_DEPTH_MAX - 1
			     ? SHOAL_ERR_TOO_LONG
			     : walk(w, openat(dirfd(dir), d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
				    len + name + 1, deep + 1);
	}
	closedir(dir);
	return rc;
}

static int in_order(const void *a, const void *b, void *disk)
{
	return shoal_bytes_order(lab_cmp_thing_path(disk, a), lab_cmp_thing_path(disk, b));
}

int lab_cmp_place_list(const char *folder, struct lab_cmp_disk *out)
{
	struct walk w = { out, malloc(LAB_CMP_DEPTH_MAX * 256) };
	*out = (struct lab_cmp_disk){ 0 };
	int rc = w.path == NULL ? SHOAL_ERR_NOMEM : walk(&w, open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0, 0);
	free(w.path);
	if (out->count > 0)
		qsort_r(out->thing, out->count, sizeof *out->thing, in_order, out);
	return rc;
}
