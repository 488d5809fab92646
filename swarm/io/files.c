/* files.c - storages, and the bytes of pieces in and out of their files. */
#include "swarm/io/files_inner.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "proto/base/bytes.h"
#include "swarm/io/zeros.h"

#define IOV_BATCH 64 /* spans in one call: 1 MiB of slots */

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

size_t shoal_files_bytes(struct shoal_files *files)
{
	pthread_mutex_lock(&files->lock);
	size_t n = sizeof *files + files->limit * sizeof *files->entry +
		   (files->bucket_mask + 1) * sizeof *files->bucket + files->storage_room * sizeof *files->storage;
	for (uint32_t i = 0; i < files->storage_room; i++) {
		const struct storage *st = files->storage[i];
		if (st)
			n += sizeof *st + shoal_metainfo_file_count(st->mi) * (1 + (st->stamp ? sizeof *st->stamp : 0) +
									       (st->inode ? sizeof *st->inode : 0));
	}
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
	beneath->root = root;
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

/* ---- bytes --------------------------------------------------------------------------------- */

struct segment shoal_files_segment(const struct shoal_metainfo *mi, uint64_t pos, size_t len)
{
	uint32_t file = shoal_metainfo_file_at(mi, pos);
	uint64_t start = shoal_metainfo_file_offset(mi, file), size = shoal_metainfo_file_size(mi, file);
	if (pos < start || pos - start >= size) /* after a file's end: nothing is stored up to the next piece */
		return (struct segment){ .file = file, .len = len, .zero = true };
	uint64_t left = size - (pos - start);
	return (struct segment){
		.file = file,
		.offset = pos - start,
		.len = left < len ? (size_t)left : len,
		.zero = (shoal_metainfo_file_flags(mi, file) & (SHOAL_FILE_PAD | SHOAL_FILE_SYMLINK)) != 0,
	};
}

/* Where in an array of spans we are. */
struct place_in {
	const struct iovec *v;
	int n;
	size_t skip;
};

static int batch(const struct place_in *at, size_t len, struct iovec out[IOV_BATCH])
{
	int n = 0;
	size_t skip = at->skip;
	for (int i = 0; i < at->n && n < IOV_BATCH && len; i++, skip = 0) {
		size_t here = at->v[i].iov_len - skip;
		if (here > len)
			here = len;
		if (here == 0)
			continue;
		out[n++] = (struct iovec){ (uint8_t *)at->v[i].iov_base + skip, here };
		len -= here;
	}
	return n;
}

static void advance(struct place_in *at, size_t len)
{
	while (len) {
		assert(at->n > 0);
		size_t here = at->v->iov_len - at->skip;
		if (len < here) {
			at->skip += len;
			return;
		}
		len -= here;
		at->skip = 0;
		at->v++;
		at->n--;
	}
}

static void zero(struct place_in *at, size_t len)
{
	while (len) {
		struct iovec v[IOV_BATCH];
		int n = batch(at, len, v);
		assert(n > 0); /* v[] is as long as was said */
		for (int i = 0; i < n; i++) {
			memset(v[i].iov_base, 0, v[i].iov_len);
			advance(at, v[i].iov_len);
			len -= v[i].iov_len;
		}
	}
}

/* All of one segment, whatever the kernel takes at a time. */
static int segment_move(struct shoal_files *files, const struct entry *e, struct place_in *at, struct segment seg,
			int mode, bool *moved, struct shoal_files_fault *fault)
{
	const struct shoal_os_ops *os = files->os;
	while (seg.len) {
		struct iovec v[IOV_BATCH];
		int n = batch(at, seg.len, v);
		assert(n > 0);
		ssize_t got = mode == FD_WRITE ? shoal_zeros_write(os, e->fd, v, n, seg.offset) : 0;
		if (got == 0)
			got = mode == FD_WRITE ? os->pwritev(e->fd, v, n, (off_t)seg.offset)
					       : os->preadv(e->fd, v, n, (off_t)seg.offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return shoal_files_fail(fault, errno, seg.file);
		if (got == 0) { /* a read: the file is short. A write never gives 0. */
			if (mode == FD_WRITE)
				return shoal_files_fail(fault, EIO, seg.file);
			*fault = (struct shoal_files_fault){ 0, seg.file };
			return SHOAL_ERR_GONE;
		}
		*moved = true;
		seg.offset += (uint64_t)got;
		seg.len -= (size_t)got;
		advance(at, (size_t)got);
	}
	return 0;
}

static bool in_piece(const struct shoal_metainfo *mi, uint32_t piece, uint32_t begin, size_t len)
{
	if (piece >= shoal_metainfo_piece_count(mi))
		return false;
	uint32_t bytes = shoal_metainfo_piece_bytes(mi, piece);
	return begin <= bytes && len <= bytes - begin;
}

static int piece_move(struct shoal_files *files, uint32_t storage, uint32_t piece, uint32_t begin,
		      const struct iovec *v, int n, size_t len, int mode, unsigned how, struct shoal_files_fault *fault)
{
	struct storage *st = shoal_files_storage(files, storage);
	*fault = (struct shoal_files_fault){ 0, SHOAL_FILES_NO_FILE };
	if (st == NULL)
		return SHOAL_ERR_GONE;
	if (!in_piece(st->mi, piece, begin, len))
		return SHOAL_ERR_RANGE;
	struct place_in at = { v, n, 0 };
	uint64_t pos = (uint64_t)piece * shoal_metainfo_piece_size(st->mi) + begin;
	while (len) {
		struct segment seg = shoal_files_segment(st->mi, pos, len);
		shoal_files_locate(files, st, pos, &seg);
		if (seg.zero) {
			if (mode == FD_READ)
				zero(&at, seg.len);
			else
				advance(&at, seg.len);
		} else {
			struct entry *e;
			bool moved = false;
			int rc = shoal_files_acquire(files, st, seg.file, mode, &e, fault);
			if (rc < 0)
				return rc;
			if ((how & SHOAL_FILES_STAMPED) &&
			    (rc = shoal_files_matches(files, e, files->os->now(), fault)) == 0) {
				*fault = (struct shoal_files_fault){ ESTALE, seg.file };
				rc = SHOAL_ERR_GONE;
			}
			if (rc >= 0 && mode == FD_WRITE)
				rc = shoal_files_guarded(files, e, at.v, at.n, at.skip, &seg, fault);
			if (rc >= 0)
				rc = segment_move(files, e, &at, seg, mode, &moved, fault);
			shoal_files_release(files, e, mode, moved);
			if (rc < 0)
				return rc;
		}
		pos += seg.len;
		len -= seg.len;
	}
	return 0;
}

int shoal_files_read(struct shoal_files *files, uint32_t storage, uint32_t piece, uint32_t begin, const struct iovec *v,
		     int n, size_t len, unsigned how, struct shoal_files_fault *fault)
{
	return piece_move(files, storage, piece, begin, v, n, len, FD_READ, how, fault);
}

int shoal_files_write(struct shoal_files *files, uint32_t storage, uint32_t piece, uint32_t begin,
		      const struct iovec *v, int n, size_t len, struct shoal_files_fault *fault)
{
	return piece_move(files, storage, piece, begin, v, n, len, FD_WRITE, 0, fault);
}

bool shoal_files_hole(struct shoal_files *files, uint32_t storage, uint32_t piece)
{
	struct storage *st = shoal_files_storage(files, storage);
	struct shoal_files_fault fault;
	struct entry *e;
	if (st == NULL || piece >= shoal_metainfo_piece_count(st->mi))
		return false;
	uint32_t size = shoal_metainfo_piece_size(st->mi);
	struct segment seg = shoal_files_segment(st->mi, (uint64_t)piece * size, size);
	if (seg.zero || seg.len < size || shoal_files_acquire(files, st, seg.file, FD_READ, &e, &fault) < 0)
		return false;
	bool hole = shoal_zeros_hole(files->os, e->fd, seg.offset, seg.len);
	shoal_files_release(files, e, FD_READ, false);
	return hole;
}

void shoal_files_zero_pads(const struct shoal_metainfo *mi, uint32_t piece, uint32_t begin, const struct iovec *v,
			   int n, size_t len)
{
	struct place_in at = { v, n, 0 };
	uint64_t pos = (uint64_t)piece * shoal_metainfo_piece_size(mi) + begin;
	while (len) {
		struct segment seg = shoal_files_segment(mi, pos, len);
		if (seg.zero)
			zero(&at, seg.len);
		else if (seg.len < len)
			advance(&at, seg.len);
		pos += seg.len;
		len -= seg.len;
	}
}

int shoal_files_drop(struct shoal_files *files, uint32_t storage, uint32_t piece, struct shoal_files_fault *fault)
{
	struct storage *st = shoal_files_storage(files, storage);
	*fault = (struct shoal_files_fault){ 0, SHOAL_FILES_NO_FILE };
	if (st == NULL || piece >= shoal_metainfo_piece_count(st->mi))
		return SHOAL_ERR_RANGE;
	size_t len = shoal_metainfo_piece_bytes(st->mi, piece);
	uint64_t pos = (uint64_t)piece * shoal_metainfo_piece_size(st->mi);
	while (len) {
		struct segment seg = shoal_files_segment(st->mi, pos, len);
		shoal_files_locate(files, st, pos, &seg);
		pos += seg.len;
		len -= seg.len;
		if (seg.zero)
			continue;
		struct entry *e;
		int rc = shoal_files_acquire(files, st, seg.file, FD_READ, &e, fault);
		if (rc < 0)
			return rc;
		/* Only whole pages are dropped: take those at both ends too, whoever else's bytes are in them. */
		uint64_t from = seg.offset & ~(uint64_t)(files->page - 1);
		uint64_t to = (seg.offset + seg.len + files->page - 1) & ~(uint64_t)(files->page - 1);
		if (files->os->fadvise(e->fd, (off_t)from, (off_t)(to - from), POSIX_FADV_DONTNEED) < 0)
			rc = shoal_files_fail(fault, errno, seg.file);
		shoal_files_release(files, e, FD_READ, false);
		if (rc < 0)
			return rc;
	}
	return 0;
}
