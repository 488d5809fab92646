/* files.c - storages: the table of them and of what they hold open, and the folder of each. */
#include "swarm/io/files_inner.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "proto/base/bytes.h"

int shoal_files_fail(struct shoal_files_fault *fault, int os, uint32_t file)
{
	*fault = (struct shoal_files_fault){ os, file };
	switch (os) {
	case ELOOP: /* a symlink on the way */
	case EXDEV: /* the way leaves the folder */
	case ENXIO: /* a FIFO, a socket */
	case EISDIR: return SHOAL_ERR_DENIED;
	case ESTALE: return SHOAL_ERR_GONE; /* replaced under us */
	default: return shoal_os_err(os);
	}
}

/* ---- the table ------------------------------------------------------------------------- */

static uint32_t open_limit(uint32_t wanted)
{
	struct rlimit rl;
	uint64_t limit = SHOAL_FILES_OPEN_MAX;
	if (wanted)
		limit = wanted;
	else if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY)
		limit = rl.rlim_cur / 2; /* the other half is for sockets */
	limit = shoal_min_u64(limit, SHOAL_FILES_OPEN_MAX);
	return (uint32_t)shoal_max_u64(limit, SHOAL_FILES_OPEN_MIN);
}

int shoal_files_new(struct shoal_files **out, const struct shoal_os_ops *os, uint32_t open_max)
{
	struct shoal_files *files = calloc(1, sizeof *files);
	if (files == NULL)
		return SHOAL_ERR_NOMEM;
	long page = sysconf(_SC_PAGESIZE);
	files->os = os;
	files->page = page > 0 ? (size_t)page : 4096;
	files->limit = open_limit(open_max);
	uint32_t buckets = 64;
	while (buckets < files->limit)
		buckets *= 2;
	files->bucket_mask = buckets - 1;
	files->entry = calloc(files->limit, sizeof *files->entry);
	files->bucket = calloc(buckets, sizeof *files->bucket);
	if (files->entry == NULL || files->bucket == NULL || pthread_mutex_init(&files->lock, NULL) != 0) {
		free(files->entry);
		free(files->bucket);
		free(files);
		return SHOAL_ERR_NOMEM;
	}
	for (uint32_t i = files->limit; i-- > 0;) {
		files->entry[i].fd = -1;
		files->entry[i].chain = files->free_first;
		files->free_first = &files->entry[i];
	}
	files->by_hand = shoal_beneath_by_hand(os);
	*out = files;
	return 0;
}

void shoal_files_free(struct shoal_files *files)
{
	if (files == NULL)
		return;
	for (uint32_t i = 0; i < files->storage_room; i++)
		if (files->storage[i])
			shoal_files_close(files, i);
	for (uint32_t i = 0; i < files->limit; i++) /* spans that nobody gave back */
		if (files->entry[i].fd >= 0)
			files->os->close(files->entry[i].fd);
	pthread_mutex_destroy(&files->lock);
	free(files->parts);
	free(files->window);
	free(files->scratch);
	free(files->storage);
	free(files->bucket);
	free(files->entry);
	free(files);
}

uint32_t shoal_files_open_count(struct shoal_files *files)
{
	pthread_mutex_lock(&files->lock);
	uint32_t n = files->open_count;
	pthread_mutex_unlock(&files->lock);
	return n;
}

/* ---- storages --------------------------------------------------------------------------- */

static void storage_free(struct shoal_files *files, struct storage *st)
{
	if (st == NULL)
		return;
	for (uint32_t i = 0; i < st->volume_count; i++)
		files->os->close(st->volume[i].fd);
	if (st->root >= 0)
		files->os->close(st->root);
	for (uint32_t i = 0; i < st->dir_count; i++)
		free(st->dir[i]);
	pthread_mutex_destroy(&st->setup_lock);
	pthread_mutex_destroy(&st->sync_lock);
	shoal_files_part_fini(files, st);
	free(st->taken);
	free(st->flag);
	free(st->stamp);
	free(st->inode);
	free(st->folder);
	free(st);
}

/* A free place in the table of storages; the loop thread alone fills them. */
static int storage_place(struct shoal_files *files, uint32_t *index)
{
	for (uint32_t i = 0; i < files->storage_room; i++) {
		if (files->storage[i] == NULL) {
			*index = i;
			return 0;
		}
	}
	if (files->storage_room >= SHOAL_FILES_STORAGES_MAX)
		return SHOAL_ERR_BUSY;
	uint32_t room = files->storage_room ? 2 * files->storage_room : 8;
	pthread_mutex_lock(&files->lock);
	struct storage **more = realloc(files->storage, room * sizeof(*more));
	if (more) {
		for (uint32_t i = files->storage_room; i < room; i++)
			more[i] = NULL;
		*index = files->storage_room;
		files->storage = more;
		files->storage_room = room;
	}
	pthread_mutex_unlock(&files->lock);
	return more ? 0 : SHOAL_ERR_NOMEM;
}

int shoal_files_open(struct shoal_files *files, const struct shoal_metainfo *mi, const char *folder, bool read_only,
		     uint32_t *storage)
{
	struct shoal_files_fault fault;
	struct shoal_beneath beneath;
	uint32_t index;
	int rc = SHOAL_ERR_NOMEM;
	struct storage *st = calloc(1, sizeof *st);
	if (st == NULL)
		return rc;
	st->mi = mi;
	st->read_only = read_only;
	st->root = st->part_dir = -1;
	pthread_mutex_init(&st->setup_lock, NULL); /* these cannot fail on Linux */
	pthread_mutex_init(&st->sync_lock, NULL);
	st->folder = strdup(folder[0] ? folder : ".");
	st->flag = calloc(shoal_metainfo_file_count(mi) + 1u, sizeof *st->flag);
	if (st->folder == NULL || st->flag == NULL)
		goto out;
	/* Held from now on: what is mounted there later must not be taken for it. */
	rc = shoal_files_folder(files, st, false, &beneath, &fault);
	if (rc < 0 && rc != SHOAL_ERR_GONE)
		goto out;
	if ((rc = storage_place(files, &index)) < 0)
		goto out;
	pthread_mutex_lock(&files->lock);
	files->storage[index] = st;
	pthread_mutex_unlock(&files->lock);
	*storage = index;
	st = NULL;
out:
	storage_free(files, st);
	return rc;
}

void shoal_files_close(struct shoal_files *files, uint32_t storage)
{
	struct storage *st = shoal_files_storage(files, storage);
	if (st == NULL)
		return;
	for (uint32_t i = 0; i < files->limit; i++) {
		struct entry *e = &files->entry[i];
		int fd[2] = { -1, -1 };
		pthread_mutex_lock(&files->lock);
		if (e->storage == st) {
			bool dirty = e->in_dirty;
			e->in_dirty = false;
			assert(e->pins == e->spans + dirty); /* all its jobs are back */
			fd[0] = shoal_files_stale(files, e);
			if (dirty)
				fd[1] = shoal_files_unpin(files, e);
			e->storage = NULL; /* a pinned span lives on without */
		}
		pthread_mutex_unlock(&files->lock);
		for (int j = 0; j < 2; j++)
			if (fd[j] >= 0)
				files->os->close(fd[j]);
	}
	pthread_mutex_lock(&files->lock);
	files->storage[storage] = NULL;
	pthread_mutex_unlock(&files->lock);
	storage_free(files, st);
}

const struct shoal_metainfo *shoal_files_metainfo(struct shoal_files *files, uint32_t storage)
{
	const struct storage *st = shoal_files_storage(files, storage);
	return st ? st->mi : NULL;
}

/* ---- the folder --------------------------------------------------------------------------- */

/* The folder that holds path[0, len), synced: it has a new entry. */
static int parent_sync(const struct shoal_os_ops *os, const char *path, size_t len)
{
	while (len && path[len - 1] == '/')
		len--;
	while (len && path[len - 1] != '/')
		len--;
	char *dir = len ? strndup(path, len) : strdup(".");
	if (dir == NULL)
		return -1;
	int fd = os->openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	free(dir);
	if (fd < 0)
		return errno == EACCES ? 0 : -1; /* ours to pass through and not to read: nothing can be done */
	int rc = os->fsync(fd), os_was = errno;
	os->close(fd);
	errno = os_was;
	return rc < 0 && os_was == EINVAL ? 0 : rc; /* a file system without fsync, read-only ones for the most part */
}

/* mkdir -p, each new entry durable. The folder is the user's own word, so links in it are followed. */
static int folder_make(const struct shoal_os_ops *os, const char *folder)
{
	int why = ENOENT;
	char *path = strdup(folder);
	if (path == NULL)
		return -1;
	size_t len = strlen(path), there = 0;
	for (size_t end = 1; end <= len; end++) {
		if (path[end] != '/' && path[end] != '\0')
			continue;
		char was = path[end];
		path[end] = '\0';
		if (os->mkdirat(AT_FDCWD, path, 0777) == 0) {
			/* The last one that was there already may be as new, and its maker dead. */
			if ((there && parent_sync(os, path, there) < 0) || parent_sync(os, path, end) < 0) {
				why = errno;
				free(path);
				errno = why;
				return -1;
			}
			there = 0;
		} else if (errno == EEXIST) {
			there = end;
		} else {
			why = errno; /* perhaps no matter: the opening that follows decides */
		}
		path[end] = was;
	}
	free(path);
	errno = why;
	return 0;
}

int shoal_files_way_sync(struct shoal_files *files, const struct storage *st)
{
	return parent_sync(files->os, st->folder, strlen(st->folder));
}

int shoal_files_folder(struct shoal_files *files, struct storage *st, bool make, struct shoal_beneath *beneath,
		       struct shoal_files_fault *fault)
{
	const struct shoal_os_ops *os = files->os;
	int rc = 0, flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	bool made = false;
	*beneath = (struct shoal_beneath){ .os = os, .by_hand = files->by_hand };
	pthread_mutex_lock(&st->setup_lock);
	pthread_mutex_lock(&files->lock);
	int root = st->root;
	pthread_mutex_unlock(&files->lock);
	if (root < 0) {
		struct stat stat;
		root = os->openat(AT_FDCWD, st->folder, flags, 0);
		if (root < 0 && errno == ENOENT && make && folder_make(os, st->folder) == 0) {
			int why = errno;
			root = os->openat(AT_FDCWD, st->folder, flags, 0);
			if (root < 0 && errno == ENOENT)
				errno = why;
			made = true;
		}
		if (root < 0) {
			rc = shoal_files_fail(fault, errno, SHOAL_FILES_NO_FILE);
		} else if (os->fstat(root, &stat) < 0) {
			rc = shoal_files_fail(fault, errno, SHOAL_FILES_NO_FILE);
			os->close(root);
		} else {
			pthread_mutex_lock(&files->lock);
			st->root = root;
			st->dev = stat.st_dev;
			st->way_synced = made;
			pthread_mutex_unlock(&files->lock);
		}
	}
	pthread_mutex_unlock(&st->setup_lock);
	beneath->root = rc == 0 ? root : -1;
	return rc;
}

uint64_t shoal_files_room(struct shoal_files *files, uint32_t storage)
{
	const struct shoal_os_ops *os = files->os;
	struct storage *st = shoal_files_storage(files, storage);
	struct statvfs vfs;
	uint64_t room = UINT64_MAX;
	if (st == NULL)
		return room;
	pthread_mutex_lock(&files->lock);
	int fd = st->root, own = -1;
	pthread_mutex_unlock(&files->lock);
	char *path = fd < 0 ? strdup(st->folder) : NULL;
	size_t len = path ? strlen(path) : 0;
	while (fd < 0 && len) { /* not there yet: the nearest folder above it that is */
		fd = own = os->openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		while (len && path[len - 1] == '/')
			len--;
		while (len && path[len - 1] != '/')
			len--;
		path[len] = '\0';
	}
	if (fd < 0 && path && st->folder[0] != '/')
		fd = own = os->openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	free(path);
	if (fd >= 0 && os->fstatvfs(fd, &vfs) == 0 && vfs.f_frsize > 0 &&
	    __builtin_mul_overflow((uint64_t)vfs.f_bavail, (uint64_t)vfs.f_frsize, &room))
		room = UINT64_MAX;
	if (own >= 0)
		os->close(own);
	return room;
}
