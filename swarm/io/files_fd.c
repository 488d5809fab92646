/* files_fd.c - the bounded table of open files: pins, eviction, what is dirty, what still matches its stamp. */
#include "swarm/io/files_inner.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHED 16 /* descriptors given back at a time when the process has none left */

struct storage *shoal_files_storage(struct shoal_files *files, uint32_t storage)
{
	struct storage *st = NULL;
	pthread_mutex_lock(&files->lock);
	if (storage < files->storage_room)
		st = files->storage[storage];
	pthread_mutex_unlock(&files->lock);
	return st;
}

/* ---- the table; all with the lock held ---------------------------------------------- */

static struct entry **bucket_of(struct shoal_files *files, const struct storage *st, uint32_t file)
{
	uint64_t h = shoal_files_mix((uintptr_t)st, file);
	return &files->bucket[h & files->bucket_mask];
}

struct entry *shoal_files_find(struct shoal_files *files, const struct storage *st, uint32_t file)
{
	struct entry *e = *bucket_of(files, st, file);
	while (e && (e->storage != st || e->file != file))
		e = e->chain;
	return e;
}

static void table_remove(struct shoal_files *files, struct entry *e)
{
	struct entry **link = bucket_of(files, e->storage, e->file);
	while (*link != e)
		link = &(*link)->chain;
	*link = e->chain;
}

static void lru_remove(struct shoal_files *files, struct entry *e)
{
	*(e->newer ? &e->newer->older : &files->newest) = e->older;
	*(e->older ? &e->older->newer : &files->oldest) = e->newer;
	e->newer = e->older = NULL;
}

static void lru_add(struct shoal_files *files, struct entry *e)
{
	e->older = files->newest;
	e->newer = NULL;
	*(e->older ? &e->older->newer : &files->oldest) = e;
	files->newest = e;
}

/* An entry without pins and out of the table ends. */
static int entry_end(struct shoal_files *files, struct entry *e)
{
	int fd = e->fd;
	assert(e->pins == 0 && e->spans == 0 && e->writers == 0 && !e->in_dirty);
	e->fd = -1;
	e->storage = NULL;
	e->chain = files->free_first;
	files->free_first = e;
	files->open_count--;
	return fd;
}

void shoal_files_pin(struct shoal_files *files, struct entry *e)
{
	if (e->pins++ == 0)
		lru_remove(files, e);
}

int shoal_files_unpin(struct shoal_files *files, struct entry *e)
{
	assert(e->pins > 0);
	if (--e->pins > 0)
		return -1;
	if (e->stale)
		return entry_end(files, e);
	lru_add(files, e);
	return -1;
}

int shoal_files_stale(struct shoal_files *files, struct entry *e)
{
	if (e->stale)
		return -1;
	table_remove(files, e);
	e->stale = true;
	if (e->pins > 0)
		return -1;
	lru_remove(files, e);
	return entry_end(files, e);
}

/* From now on one syncfs stands for all of the storage's dirty files, so their pins can go. None of them is stale
 * and unpinned by this, as each is in the table or held by another: what could close here is closed by the caller. */
static void sync_all(struct shoal_files *files, struct storage *st, int close_fd[SHOAL_FILES_DIRTY_MAX])
{
	for (uint32_t i = 0; i < SHOAL_FILES_DIRTY_MAX; i++)
		close_fd[i] = -1;
	st->sync_all = true;
	for (uint32_t i = 0; i < st->dirty_count; i++) {
		st->dirty[i]->in_dirty = false;
		close_fd[i] = shoal_files_unpin(files, st->dirty[i]);
	}
	st->dirty_count = 0;
}

static void close_all(struct shoal_files *files, const int fd[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fd[i] >= 0)
			files->os->close(fd[i]);
}

/* Makes room for one entry: a free one, the one longest unused, or one that is held merely because it is dirty.
 * Up to SHOAL_FILES_DIRTY_MAX + 1 descriptors are left in close_fd[] to close. NULL: all are in use. */
static struct entry *entry_make_room(struct shoal_files *files, int close_fd[SHOAL_FILES_DIRTY_MAX + 1])
{
	for (size_t i = 0; i <= SHOAL_FILES_DIRTY_MAX; i++)
		close_fd[i] = -1;
	if (files->free_first == NULL && files->oldest == NULL) {
		for (uint32_t i = 0; i < files->limit; i++) {
			struct entry *e = &files->entry[i];
			if (e->in_dirty && e->pins == 1) {
				sync_all(files, e->storage, close_fd);
				break;
			}
		}
	}
	if (files->free_first == NULL && files->oldest)
		close_fd[SHOAL_FILES_DIRTY_MAX] = shoal_files_stale(files, files->oldest);
	struct entry *e = files->free_first;
	if (e)
		files->free_first = e->chain;
	return e;
}

/* ---- dirt ---------------------------------------------------------------------------- */

static void dirty_add(struct shoal_files *files, struct entry *e, int close_fd[SHOAL_FILES_DIRTY_MAX])
{
	struct storage *st = e->storage;
	if (e->in_dirty || st->sync_all)
		return;
	if (st->dirty_count == SHOAL_FILES_DIRTY_MAX) {
		sync_all(files, st, close_fd);
		return;
	}
	shoal_files_pin(files, e);
	e->in_dirty = true;
	st->dirty[st->dirty_count++] = e;
}

void shoal_files_dirty_all(struct shoal_files *files, struct storage *st)
{
	int close_fd[SHOAL_FILES_DIRTY_MAX];
	pthread_mutex_lock(&files->lock);
	sync_all(files, st, close_fd);
	pthread_mutex_unlock(&files->lock);
	close_all(files, close_fd, SHOAL_FILES_DIRTY_MAX);
}

void shoal_files_dir_mark(struct shoal_files *files, struct storage *st, const char *dir, size_t len)
{
	int close_fd[SHOAL_FILES_DIRTY_MAX];
	bool full = false;
	pthread_mutex_lock(&files->lock);
	if (!st->sync_all) {
		uint32_t i = 0;
		while (i < st->dir_count && (strncmp(st->dir[i], dir, len) != 0 || st->dir[i][len] != '\0'))
			i++;
		if (i == st->dir_count) {
			char *copy = i < SHOAL_FILES_DIRTY_MAX ? strndup(dir, len) : NULL;
			if (copy)
				st->dir[st->dir_count++] = copy;
			else
				full = true;
		}
		if (full)
			sync_all(files, st, close_fd);
	}
	pthread_mutex_unlock(&files->lock);
	if (full)
		close_all(files, close_fd, SHOAL_FILES_DIRTY_MAX);
}

/* ---- opening ---------------------------------------------------------------------------- */

int shoal_files_volume_learn(struct shoal_files *files, struct storage *st, const struct shoal_beneath *b, dev_t dev,
			     const char *path)
{
	bool known = false, full = false;
	pthread_mutex_lock(&files->lock);
	known = dev == st->dev;
	for (uint32_t i = 0; i < st->volume_count; i++)
		known |= st->volume[i].dev == dev;
	full = st->volume_count == SHOAL_FILES_VOLUMES_MAX;
	pthread_mutex_unlock(&files->lock);
	if (known)
		return 0;
	if (full) {
		errno = EXDEV;
		return -1;
	}
	char *dir = strndup(path, shoal_beneath_dir_len(path));
	if (dir == NULL)
		return -1;
	int fd = shoal_beneath_open(b, dir, O_RDONLY | O_DIRECTORY, 0);
	free(dir);
	if (fd < 0)
		return -1;
	pthread_mutex_lock(&files->lock);
	if (st->volume_count < SHOAL_FILES_VOLUMES_MAX) { /* twice the same does no harm */
		st->volume[st->volume_count].dev = dev;
		st->volume[st->volume_count++].fd = fd;
		fd = -1;
	}
	pthread_mutex_unlock(&files->lock);
	if (fd >= 0) {
		files->os->close(fd);
		errno = EXDEV;
		return -1;
	}
	return 0;
}

struct found {
	int fd;
	struct stat st;
	enum place place;
	bool made; /* by us, now: nobody else has written to it */
};

void shoal_files_dir_told(void *to, const char *dir, size_t len)
{
	struct shoal_files_mark *m = to;
	shoal_files_dir_mark(m->files, m->st, dir, len);
}

/* A new file under its unfinished name; or the one that another thread has just made. */
static int file_create(struct shoal_files *files, struct storage *st, const struct shoal_beneath *b, const char *part,
		       struct found *f)
{
	int flags = O_RDWR | O_CREAT | O_EXCL;
	f->place = PLACE_PART;
	f->fd = shoal_beneath_file(b, part, flags, 0666, &f->st);
	if (f->fd < 0 && errno == ENOENT) {
		struct shoal_files_mark to = { files, st };
		if (shoal_beneath_make(b, part, shoal_files_dir_told, &to) < 0)
			return -1;
		f->fd = shoal_beneath_file(b, part, flags, 0666, &f->st);
	}
	if (f->fd >= 0) {
		f->made = true;
		shoal_files_dir_mark(files, st, part, shoal_beneath_dir_len(part));
		return 0;
	}
	if (errno == EEXIST)
		f->fd = shoal_beneath_file(b, part, O_RDWR, 0, &f->st);
	return f->fd < 0 ? -1 : 0;
}

/*
 * Which of a file's two names is used when both exist: the final one when its size is right. Otherwise
 * the unfinished one is ours, and the other is somebody's that finish() will not replace.
 */
static int file_probe(const struct shoal_beneath *b, const char *path, const char *part, uint64_t size, int flags,
		      struct found *f)
{
	f->place = PLACE_WHOLE;
	f->fd = shoal_beneath_file(b, path, flags, 0, &f->st);
	if (f->fd >= 0 && (uint64_t)f->st.st_size == size)
		return 0;
	if (f->fd < 0 && errno != ENOENT)
		return -1;
	struct found other = { .place = PLACE_PART };
	other.fd = shoal_beneath_file(b, part, flags, 0, &other.st);
	if (other.fd < 0)
		return f->fd >= 0 ? 0 : -1;
	if (f->fd >= 0)
		b->os->close(f->fd);
	*f = other;
	return 0;
}

static int file_open(struct shoal_files *files, struct storage *st, uint32_t file, int mode, struct found *f,
		     struct shoal_files_fault *fault)
{
	char path[SHOAL_FILES_PATH_MAX], part[SHOAL_FILES_PATH_MAX];
	struct shoal_beneath b;
	if (mode == FD_WRITE && st->read_only)
		return shoal_files_fail(fault, EROFS, file);
	if (file == shoal_metainfo_file_count(st->mi)) {
		*f = (struct found){ .fd = -1, .place = PLACE_PART };
		if (shoal_files_part_open(files, st, mode == FD_WRITE, &f->fd, &f->st, &f->made) < 0)
			return shoal_files_fail(fault, errno, file);
		return 0;
	}
	int rc = shoal_files_folder(files, st, mode == FD_WRITE, &b, fault);
	if (rc < 0) {
		fault->file = file;
		return rc;
	}
	rc = shoal_metainfo_path(st->mi, file, (struct shoal_space){ (uint8_t *)path, SHOAL_PATH_BYTES_MAX + 1 });
	if (rc < 0)
		return shoal_files_fail(fault, ENAMETOOLONG, file);
	memcpy(part, path, (size_t)rc + 1);
	if ((rc = shoal_files_part_name(st, part)) < 0) {
		*fault = (struct shoal_files_fault){ .file = file };
		return rc;
	}

	pthread_mutex_lock(&files->lock);
	enum place place = st->flag[file] & PLACE_MASK;
	pthread_mutex_unlock(&files->lock);
	int flags = mode == FD_WRITE ? O_RDWR : O_RDONLY;
	*f = (struct found){ .fd = -1, .place = place };
	errno = ENOENT;
	if (place == PLACE_PART || place == PLACE_WHOLE)
		f->fd = shoal_beneath_file(&b, place == PLACE_PART ? part : path, flags, 0, &f->st);
	if (f->fd < 0 && errno == ENOENT && !(place == PLACE_NONE && mode == FD_WRITE))
		file_probe(&b, path, part, shoal_metainfo_file_size(st->mi, file), flags, f);
	if (f->fd < 0 && errno == ENOENT && mode == FD_WRITE)
		file_create(files, st, &b, part, f);
	if (f->fd < 0) /* ENOTDIR: a file lies where a folder has to be */
		return shoal_files_fail(fault, mode == FD_WRITE && errno == ENOTDIR ? EEXIST : errno, file);
	const char *here = f->place == PLACE_PART ? part : path;
	if (mode == FD_WRITE && f->st.st_nlink > 1 && shoal_files_unshare(files, st, &b, here, &f->fd, &f->st) < 0) {
		rc = shoal_files_fail(fault, errno, file);
		files->os->close(f->fd);
		return rc;
	}
	if (mode == FD_WRITE && shoal_files_volume_learn(files, st, &b, f->st.st_dev, path) < 0) {
		rc = shoal_files_fail(fault, errno, file);
		files->os->close(f->fd);
		return rc;
	}
	return 0;
}

/* The process is out of descriptors: give some back. true when it helped. */
static bool shed(struct shoal_files *files)
{
	int fd[SHED];
	size_t n = 0;
	pthread_mutex_lock(&files->lock);
	while (n < SHED && files->oldest)
		fd[n++] = shoal_files_stale(files, files->oldest);
	pthread_mutex_unlock(&files->lock);
	close_all(files, fd, n);
	return n > 0;
}

/* Counts a writer; with the lock held. GONE when it is another file than the one we wrote to before. */
static int writer_begin(struct storage *st, struct entry *e, struct shoal_files_fault *fault)
{
	if (st->inode == NULL) {
		st->inode = calloc(shoal_metainfo_file_count(st->mi) + 1u, sizeof *st->inode);
		if (st->inode == NULL)
			return shoal_files_fail(fault, ENOMEM, e->file);
	}
	if (st->inode[e->file] && st->inode[e->file] != e->inode)
		return shoal_files_fail(fault, ESTALE, e->file);
	st->inode[e->file] = e->inode;
	e->writers++;
	st->flag[e->file] |= FLAG_WROTE | FLAG_DIRTY; /* before the write: see release() */
	if (st->stamp)
		st->stamp[e->file] = 0;
	return 0;
}

int shoal_files_acquire(struct shoal_files *files, struct storage *st, uint32_t file, int mode, struct entry **out,
			struct shoal_files_fault *fault)
{
	int rc = 0, spare[SHOAL_FILES_DIRTY_MAX + 3];
	size_t spares = 0;
	pthread_mutex_lock(&files->lock);
	struct entry *e = shoal_files_find(files, st, file);
	if (e == NULL || (mode == FD_WRITE && !e->writable)) {
		struct found f;
		pthread_mutex_unlock(&files->lock);
		shoal_us looked = files->os->now(); /* opening is a look at its stamp as well */
		rc = file_open(files, st, file, mode, &f, fault);
		if (rc < 0 && (fault->os == EMFILE || fault->os == ENFILE) && shed(files))
			rc = file_open(files, st, file, mode, &f, fault);
		if (rc < 0)
			return rc;
		pthread_mutex_lock(&files->lock);
		e = shoal_files_find(files, st, file);
		if (e && (mode == FD_READ || e->writable)) {
			spare[spares++] = f.fd; /* another thread was faster */
		} else {
			if (e)
				spare[spares++] = shoal_files_stale(files, e);
			e = entry_make_room(files, &spare[spares]);
			spares += SHOAL_FILES_DIRTY_MAX + 1;
			if (e == NULL) {
				spare[spares++] = f.fd;
				rc = shoal_files_fail(fault, EMFILE, file);
				goto out;
			}
			struct shoal_stamp stamp = shoal_files_stamp_of(&f.st);
			*e = (struct entry){ .storage = st,
					     .file = file,
					     .fd = f.fd,
					     .writable = mode == FD_WRITE,
					     .generation = e->generation + 1,
					     .inode = shoal_files_inode_print(stamp.dev, stamp.ino),
					     .print = shoal_files_stamp_print(&stamp),
					     .looked = looked };
			struct entry **bucket = bucket_of(files, st, file);
			e->chain = *bucket;
			*bucket = e;
			lru_add(files, e);
			files->open_count++;
			st->flag[file] = (uint8_t)((st->flag[file] & ~PLACE_MASK) | f.place |
						   (f.made ? FLAG_SYNCED : 0));
		}
	}
	if (mode == FD_WRITE && (rc = writer_begin(st, e, fault)) < 0) {
		if (fault->os == ESTALE)
			spare[spares++] = shoal_files_stale(files, e); /* look again next time */
		goto out;
	}
	shoal_files_pin(files, e);
	*out = e;
out:
	pthread_mutex_unlock(&files->lock);
	close_all(files, spare, spares);
	return rc;
}

void shoal_files_release(struct shoal_files *files, struct entry *e, int mode, bool wrote)
{
	int spare[SHOAL_FILES_DIRTY_MAX + 1];
	for (size_t i = 0; i <= SHOAL_FILES_DIRTY_MAX; i++)
		spare[i] = -1;
	pthread_mutex_lock(&files->lock);
	if (mode == FD_WRITE) {
		/* After the write as well: a sync that ran meanwhile has not covered it, whatever it took. */
		e->writers--;
		e->storage->flag[e->file] |= FLAG_WROTE | FLAG_DIRTY;
		if (wrote)
			dirty_add(files, e, spare);
	}
	spare[SHOAL_FILES_DIRTY_MAX] = shoal_files_unpin(files, e);
	pthread_mutex_unlock(&files->lock);
	close_all(files, spare, SHOAL_FILES_DIRTY_MAX + 1);
}

int shoal_files_matches(struct shoal_files *files, struct entry *e, shoal_us now, struct shoal_files_fault *fault)
{
	struct storage *st = e->storage;
	pthread_mutex_lock(&files->lock);
	uint64_t want = st->stamp && !(st->flag[e->file] & FLAG_WROTE) ? st->stamp[e->file] : 0;
	bool good = want == 0 || (e->looked && now - e->looked < SHOAL_FILES_STAMP_US && e->print == want);
	pthread_mutex_unlock(&files->lock);
	if (good)
		return 1;

	struct stat stat;
	if (files->os->fstat(e->fd, &stat) < 0)
		return shoal_files_fail(fault, errno, e->file);
	struct shoal_stamp stamp = shoal_files_stamp_of(&stat);
	int fd = -1;
	pthread_mutex_lock(&files->lock);
	e->print = shoal_files_stamp_print(&stamp);
	e->looked = now;
	want = !(st->flag[e->file] & FLAG_WROTE) ? st->stamp[e->file] : 0; /* a write may have begun meanwhile */
	good = want == 0 || e->print == want;
	if (!good)
		fd = shoal_files_stale(files, e); /* pinned by us, so this closes nothing */
	pthread_mutex_unlock(&files->lock);
	assert(fd < 0);
	return good;
}
