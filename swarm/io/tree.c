/* swarm/io/tree.c - a depth-first walk with its own stack, sorted folder by folder. */
#include "swarm/io/tree.h"

#include "proto/base/bytes.h"
#include "proto/metainfo.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Something in a folder that is being walked. */
struct entry {
	char *name;
	uint64_t size;
	int64_t mtime_ns;
	bool is_folder;
};
/* A folder on the way down. */
struct level {
	struct entry *entry;
	size_t count, next;
	uint32_t folder;
	uint32_t files_before;	 /* to see whether anything was left in it */
	uint64_t skipped_before; /* what the user wanted out does not make a folder an empty one */
	size_t path_len;	 /* of tree->where, with this folder on it */
};
struct walk {
	struct shoal_tree *tree;
	struct level level[SHOAL_PATH_DEPTH_MAX + 1];
	size_t depth;
	bool (*skip)(void *to, const char *path, bool is_folder);
	void (*drop)(void *to, enum shoal_tree_drop why, const char *path);
	void *to;
};

static int64_t mtime_of(const struct stat *st)
{
	return st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

static int os_error(struct shoal_tree *t)
{
	t->os = errno;
	return shoal_os_err(errno);
}

/* Room for one more of an array that doubles. */
static int grow(void **at, uint32_t count, uint32_t *room, size_t each, uint32_t max)
{
	size_t bytes;
	if (count < *room)
		return 0;
	if (count >= max)
		return SHOAL_ERR_TOO_LONG;
	uint32_t wider = *room ? (*room > max / 2 ? max : *room * 2) : 64;
	if (!shoal_mul_size(wider, each, &bytes))
		return SHOAL_ERR_TOO_LONG;
	void *more = realloc(*at, bytes);
	if (more == NULL)
		return SHOAL_ERR_NOMEM;
	*at = more;
	*room = wider;
	return 0;
}

static int name_keep(struct shoal_tree *t, const char *name, uint32_t *at)
{
	size_t len = strlen(name) + 1;
	if (len > UINT32_MAX / 2 - t->names_len)
		return SHOAL_ERR_TOO_LONG;
	if (len > t->names_room - t->names_len) {
		uint32_t wider = (t->names_room + (uint32_t)len) * 2 + 4096;
		char *more = realloc(t->names, wider);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		t->names = more;
		t->names_room = wider;
	}
	memcpy(t->names + t->names_len, name, len);
	*at = t->names_len;
	t->names_len += (uint32_t)len;
	return 0;
}

static int file_keep(struct shoal_tree *t, const char *name, uint32_t folder, uint64_t size, int64_t mtime_ns)
{
	void *files = t->file;
	uint32_t at;
	int rc = grow(&files, t->file_count, &t->file_room, sizeof *t->file, SHOAL_FILES_MAX);
	t->file = files;
	if (rc < 0 || (rc = name_keep(t, name, &at)) < 0)
		return rc;
	if (!shoal_add_u64(t->size, size, &t->size) || t->size > SHOAL_TOTAL_SIZE_MAX)
		return SHOAL_ERR_TOO_LONG;
	t->file[t->file_count++] = (struct shoal_tree_file){ size, mtime_ns, folder, at };
	return 0;
}

static int folder_keep(struct shoal_tree *t, const char *name, uint32_t parent)
{
	void *folders = t->folder;
	uint32_t at;
	int rc = grow(&folders, t->folder_count, &t->folder_room, sizeof *t->folder, SHOAL_FILES_MAX);
	t->folder = folders;
	if (rc < 0 || (rc = name_keep(t, name, &at)) < 0)
		return rc;
	t->folder[t->folder_count++] = (struct shoal_tree_folder){ parent, at };
	return 0;
}

/* tree->where = its first `len` bytes, '/', name; returns the new length, or TOO_LONG. */
static int where_add(struct shoal_tree *t, size_t len, const char *name)
{
	size_t n = strlen(name), slash = len ? 1 : 0;
	if (len + slash + n >= sizeof t->where)
		return SHOAL_ERR_TOO_LONG;
	if (slash)
		t->where[len] = '/';
	memcpy(t->where + len + slash, name, n + 1);
	return (int)(len + slash + n);
}

static int by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	return strcmp(x->name, y->name); /* bytewise: strcmp compares unsigned bytes */
}

static void level_fini(struct level *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->entry[i].name);
	free(l->entry);
	*l = (struct level){ 0 };
}

static void drop(struct walk *w, enum shoal_tree_drop why)
{
	w->tree->dropped[why]++;
	if (w->drop)
		w->drop(w->to, why, w->tree->where);
}

static int level_add(struct walk *w, struct level *l, uint32_t *room, int fd, const char *name)
{
	struct shoal_tree *t = w->tree;
	struct stat st;
	int rc = where_add(t, l->path_len, name);
	if (rc < 0)
		return rc;
	if (t->top.os->fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return os_error(t);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		drop(w, S_ISLNK(st.st_mode) ? SHOAL_TREE_SYMLINK : SHOAL_TREE_SPECIAL);
		return 0;
	}
	if (w->skip && w->skip(w->to, t->where, S_ISDIR(st.st_mode))) {
		t->skipped++;
		return 0;
	}
	void *entries = l->entry;
	rc = grow(&entries, (uint32_t)l->count, room, sizeof *l->entry, SHOAL_FILES_MAX);
	l->entry = entries;
	if (rc < 0)
		return rc;
	struct entry e = { strdup(name), (uint64_t)st.st_size, mtime_of(&st), S_ISDIR(st.st_mode) };
	if (e.name == NULL)
		return SHOAL_ERR_NOMEM;
	if (!e.is_folder && (st.st_mode & 0111))
		t->executable++;
	l->entry[l->count++] = e;
	return 0;
}

/* Reads and sorts one folder: the next level down. Takes `fd`. */
static int level_read(struct walk *w, int fd, uint32_t folder, size_t path_len)
{
	struct shoal_tree *t = w->tree;
	struct level *l = &w->level[w->depth];
	uint32_t room = 0;
	DIR *dir = fdopendir(fd);
	if (dir == NULL) {
		int rc = os_error(t);
		t->top.os->close(fd);
		return rc;
	}
	w->depth++;
	*l = (struct level){
		.folder = folder, .files_before = t->file_count, .skipped_before = t->skipped, .path_len = path_len
	};
	for (;;) {
		errno = 0;
		struct dirent *d = readdir(dir);
		if (d == NULL) {
			int rc = errno ? os_error(t) : 0;
			closedir(dir);
			if (rc == 0 && l->count)
				qsort(l->entry, l->count, sizeof *l->entry, by_name);
			return rc;
		}
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		int rc = level_add(w, l, &room, fd, d->d_name);
		if (rc < 0) {
			closedir(dir);
			return rc;
		}
	}
}

static int go_down(struct walk *w, const struct level *l, const char *name)
{
	struct shoal_tree *t = w->tree;
	int len = where_add(t, l->path_len, name);
	if (len < 0)
		return len;
	if (w->depth > SHOAL_PATH_DEPTH_MAX)
		return SHOAL_ERR_TOO_LONG;
	int rc = folder_keep(t, name, l->folder);
	if (rc < 0)
		return rc;
	int fd = shoal_beneath_open(&t->top, t->where, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return os_error(t);
	return level_read(w, fd, t->folder_count - 1, (size_t)len);
}

static void go_up(struct walk *w)
{
	struct level *l = &w->level[w->depth - 1];
	struct shoal_tree *t = w->tree;
	t->where[l->path_len] = '\0';
	if (t->file_count == l->files_before && t->skipped == l->skipped_before && w->depth > 1)
		drop(w, SHOAL_TREE_EMPTY);
	level_fini(l);
	w->depth--;
}

static int walk_folder(struct walk *w, int fd)
{
	struct shoal_tree *t = w->tree;
	t->where[0] = '\0';
	int rc = level_read(w, fd, 0, 0);
	while (rc >= 0 && w->depth > 0) {
		struct level *l = &w->level[w->depth - 1];
		if (l->next == l->count) {
			go_up(w);
			continue;
		}
		const struct entry *e = &l->entry[l->next++];
		if (e->is_folder)
			rc = go_down(w, l, e->name);
		else if ((rc = where_add(t, l->path_len, e->name)) >= 0)
			rc = file_keep(t, e->name, l->folder, e->size, e->mtime_ns);
	}
	while (w->depth > 0)
		level_fini(&w->level[--w->depth]);
	return rc < 0 ? rc : 0;
}

/* The name a torrent gets: of the real path, so that "." and "dir/" and links have one too. */
static int name_of(struct shoal_tree *t, const char *path, char **real)
{
	*real = realpath(path, NULL);
	if (*real == NULL)
		return os_error(t);
	const char *slash = strrchr(*real, '/');
	return name_keep(t, slash && slash[1] ? slash + 1 : "root", &t->name);
}

static int walk_single(struct shoal_tree *t, char *real, const struct stat *st)
{
	char *slash = strrchr(real, '/');
	const char *name = slash + 1;
	int rc = file_keep(t, name, 0, (uint64_t)st->st_size, mtime_of(st));
	if (rc < 0)
		return rc;
	t->single = true;
	t->executable = (st->st_mode & 0111) != 0;
	*slash = '\0';
	t->top.root = t->top.os->openat(AT_FDCWD, slash == real ? "/" : real, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	*slash = '/';
	return t->top.root < 0 ? os_error(t) : 0;
}

int shoal_tree_walk(struct shoal_tree *t, const struct shoal_os_ops *os, const char *path,
		    void (*drop_fn)(void *to, enum shoal_tree_drop why, const char *path), void *to)
{
	return shoal_tree_walk_but(t, os, path, NULL, drop_fn, to);
}

int shoal_tree_walk_but(struct shoal_tree *t, const struct shoal_os_ops *os, const char *path,
			bool (*skip)(void *to, const char *path, bool is_folder),
			void (*drop_fn)(void *to, enum shoal_tree_drop why, const char *path), void *to)
{
	struct stat st;
	char *real = NULL;
	*t = (struct shoal_tree){ .top = { os, -1, shoal_beneath_by_hand(os) } };
	snprintf(t->where, sizeof t->where, "%s", path);
	struct walk *w = calloc(1, sizeof *w);
	if (w == NULL)
		return SHOAL_ERR_NOMEM;
	*w = (struct walk){ .tree = t, .skip = skip, .drop = drop_fn, .to = to };
	int rc = name_of(t, path, &real);
	if (rc < 0 || (rc = folder_keep(t, "", 0)) < 0)
		goto out;
	if (os->fstatat(AT_FDCWD, real, &st, 0) < 0) {
		rc = os_error(t);
	} else if (S_ISREG(st.st_mode)) {
		rc = walk_single(t, real, &st);
	} else if (!S_ISDIR(st.st_mode)) {
		rc = SHOAL_ERR_UNSUPPORTED;
	} else if ((t->top.root = os->openat(AT_FDCWD, real, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)) < 0) {
		rc = os_error(t);
	} else {
		int fd = shoal_beneath_open(&t->top, "", O_RDONLY | O_DIRECTORY, 0);
		rc = fd < 0 ? os_error(t) : walk_folder(w, fd);
	}
out:
	free(real);
	free(w);
	return rc;
}

void shoal_tree_fini(struct shoal_tree *t)
{
	if (t->top.root >= 0)
		t->top.os->close(t->top.root);
	free(t->file);
	free(t->folder);
	free(t->names);
	*t = (struct shoal_tree){ .top = { t->top.os, -1, false } };
}

const char *shoal_tree_name(const struct shoal_tree *t)
{
	return t->names + t->name;
}

int shoal_tree_path(const struct shoal_tree *t, uint32_t file, struct shoal_space out)
{
	uint32_t up[SHOAL_PATH_DEPTH_MAX + 1];
	size_t depth = 0;
	struct shoal_wr wr = shoal_wr(out);
	for (uint32_t f = t->file[file].folder; f != 0; f = t->folder[f].parent)
		up[depth++] = f;
	while (depth > 0) {
		const char *name = t->names + t->folder[up[--depth]].name;
		shoal_wr_put(&wr, shoal_bytes(name, strlen(name)));
		shoal_wr_u8(&wr, '/');
	}
	const char *name = t->names + t->file[file].name;
	shoal_wr_put(&wr, shoal_bytes(name, strlen(name) + 1));
	return wr.bad ? SHOAL_ERR_TOO_LONG : (int)(wr.pos - 1);
}

static bool same(const struct shoal_tree_file *f, const struct stat *st)
{
	return (uint64_t)st->st_size == f->size && mtime_of(st) == f->mtime_ns;
}

int shoal_tree_open(const struct shoal_tree *t, uint32_t file, int *os)
{
	char path[SHOAL_PATH_BYTES_MAX + 1];
	struct stat st;
	*os = 0;
	int rc = shoal_tree_path(t, file, (struct shoal_space){ (uint8_t *)path, sizeof path });
	if (rc < 0)
		return rc;
	int fd = shoal_beneath_file(&t->top, path, O_RDONLY, 0, &st);
	if (fd < 0) {
		*os = errno;
		return shoal_os_err(errno);
	}
	if (!same(&t->file[file], &st)) {
		t->top.os->close(fd);
		return SHOAL_ERR_GONE;
	}
	return fd;
}

int shoal_tree_close(const struct shoal_tree *t, uint32_t file, int fd)
{
	struct stat st;
	int rc = t->top.os->fstat(fd, &st) == 0 && same(&t->file[file], &st) ? 0 : SHOAL_ERR_GONE;
	t->top.os->close(fd);
	return rc;
}
