/*
 * files_part.c - the part file of a storage: bytes of unwanted files that pieces of wanted ones need (swarm/core/select.h).
 *
 * It lies in PARTS/<32 hex digits>, named like the torrent's lock, and is file
 * number file_count to the rest of the file layer. Only pieces that several
 * files share have a place in it, one after the other, whichever files are
 * wanted: so it needs no index, stays as small as it can, and where a share
 * lies never changes. What is not written of it is a hole.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "swarm/pieces/claims.h"
#include "swarm/io/files_inner.h"
#include "swarm/io/owner.h"

#define COPY (128u * 1024)

int shoal_files_parts(struct shoal_files *files, const char *dir)
{
	files->parts = strdup(dir);
	return files->parts != NULL ? 0 : SHOAL_ERR_NOMEM;
}

static bool fills(const struct shoal_metainfo *mi, uint32_t file, uint32_t piece)
{
	uint64_t base = (uint64_t)piece * shoal_metainfo_piece_size(mi);
	uint64_t from = shoal_metainfo_file_offset(mi, file), to = from + shoal_metainfo_file_size(mi, file);
	return from <= base && to >= base + shoal_metainfo_piece_bytes(mi, piece);
}

/* The pieces that several files share, in order. */
static int learn_shared(struct storage *st)
{
	uint32_t count = 0, room = 0, *shared = NULL;
	for (uint32_t f = 0; f < shoal_metainfo_file_count(st->mi); f++) {
		uint32_t first, skew, pieces = shoal_claim_pieces(st->mi, f, &first, &skew);
		for (unsigned end = 0; end < 2 && end < pieces; end++) {
			uint32_t piece = end ? first + pieces - 1 : first;
			if (fills(st->mi, f, piece) || (count > 0 && shared[count - 1] == piece))
				continue;
			if (count == room) {
				room = room ? 2 * room : 64; /* at most twice as many as files */
				uint32_t *more = realloc(shared, room * sizeof *more);
				if (more == NULL) {
					free(shared);
					return SHOAL_ERR_NOMEM;
				}
				shared = more;
			}
			shared[count++] = piece;
		}
	}
	st->shared = shared;
	st->shared_count = count;
	return 0;
}

static int order_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static int part_setup(struct shoal_files *files, struct storage *st)
{
	struct shoal_id32 id = { { 0 } };
	if (files->parts == NULL)
		return SHOAL_ERR_UNSUPPORTED;
	if (st->ends != NULL)
		return 0;
	if (shoal_metainfo_hash_v2(st->mi) != NULL)
		id = *shoal_metainfo_hash_v2(st->mi);
	else if (shoal_metainfo_hash_v1(st->mi) != NULL)
		memcpy(id.b, shoal_metainfo_hash_v1(st->mi)->b, 20);
	int rc = shoal_owner_name(&id, st->folder, st->part_name);
	if (rc == 0)
		rc = learn_shared(st);
	if (rc < 0)
		return rc;
	st->ends = calloc(shoal_metainfo_file_count(st->mi) + 1u, sizeof *st->ends);
	if (st->ends == NULL) {
		free(st->shared);
		st->shared = NULL;
		return SHOAL_ERR_NOMEM;
	}
	return 0;
}

void shoal_files_part_fini(struct shoal_files *files, struct storage *st)
{
	if (st->part_dir >= 0)
		files->os->close(st->part_dir);
	free(st->ends);
	free(st->shared);
}

int shoal_files_part(struct shoal_files *files, uint32_t storage, uint32_t file, unsigned end, bool in)
{
	struct storage *st = shoal_files_storage(files, storage);
	if (st == NULL || end > 1 || file >= shoal_metainfo_file_count(st->mi))
		return SHOAL_ERR_RANGE;
	pthread_mutex_lock(&st->setup_lock);
	int rc = part_setup(files, st);
	pthread_mutex_unlock(&st->setup_lock);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&files->lock);
	uint8_t bit = (uint8_t)(1u << end);
	unsigned shares = atomic_load(&st->shares);
	if (in && !(st->ends[file] & bit))
		atomic_store(&st->shares, shares + 1);
	else if (!in && (st->ends[file] & bit))
		atomic_store(&st->shares, shares - 1);
	st->ends[file] = (uint8_t)(in ? st->ends[file] | bit : st->ends[file] & ~bit);
	pthread_mutex_unlock(&files->lock);
	return 0;
}

/* Where byte `at` of a shared piece lies in the part file. */
static uint64_t part_offset(const struct storage *st, uint32_t piece, uint32_t at)
{
	const uint32_t *found = bsearch(&piece, st->shared, st->shared_count, sizeof piece, order_u32);
	uint64_t rank = found != NULL ? (uint64_t)(found - st->shared) : st->shared_count;
	return rank * shoal_metainfo_piece_size(st->mi) + at;
}

void shoal_files_locate(struct shoal_files *files, struct storage *st, uint64_t pos, struct segment *seg)
{
	uint32_t first, skew, size = shoal_metainfo_piece_size(st->mi);
	if (atomic_load_explicit(&st->shares, memory_order_relaxed) == 0 || seg->zero)
		return;
	pthread_mutex_lock(&files->lock);
	uint8_t ends = st->ends[seg->file];
	pthread_mutex_unlock(&files->lock);
	uint32_t piece = (uint32_t)(pos / size);
	uint32_t count = ends ? shoal_claim_pieces(st->mi, seg->file, &first, &skew) : 0;
	if (count == 0 || !((piece == first && (ends & 1)) || (piece == first + count - 1 && (ends & 2))))
		return;
	seg->file = shoal_metainfo_file_count(st->mi);
	seg->offset = part_offset(st, piece, (uint32_t)(pos % size));
}

/* The folder of part files. With setup_lock held. -1 and errno. */
static int part_folder(struct shoal_files *files, struct storage *st, bool make)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	if (st->part_dir >= 0)
		return st->part_dir;
	st->part_dir = files->os->openat(AT_FDCWD, files->parts, flags, 0);
	if (st->part_dir < 0 && errno == ENOENT && make) {
		if (shoal_owner_state(files->os, files->parts) < 0 ||
		    shoal_owner_state_sync(files->os, files->parts) < 0) {
			errno = EIO;
			return -1;
		}
		st->part_dir = files->os->openat(AT_FDCWD, files->parts, flags, 0);
	}
	return st->part_dir;
}

/* Its volume is one of those that a syncfs of the storage covers. */
static int volume_add(struct shoal_files *files, struct storage *st, dev_t dev)
{
	int fd = files->os->openat(AT_FDCWD, files->parts, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	bool known;
	if (fd < 0)
		return -1;
	pthread_mutex_lock(&files->lock);
	known = dev == st->dev;
	for (uint32_t i = 0; i < st->volume_count; i++)
		known = known || st->volume[i].dev == dev;
	bool full = !known && st->volume_count == SHOAL_FILES_VOLUMES_MAX;
	if (!known && !full) {
		st->volume[st->volume_count].dev = dev;
		st->volume[st->volume_count++].fd = fd;
		fd = -1;
	}
	pthread_mutex_unlock(&files->lock);
	if (fd >= 0)
		files->os->close(fd);
	errno = EXDEV;
	return full ? -1 : 0;
}

int shoal_files_part_open(struct shoal_files *files, struct storage *st, bool write, int *fd, struct stat *stat,
			  bool *made)
{
	const struct shoal_os_ops *os = files->os;
	int flags = (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW;
	*made = false;
	pthread_mutex_lock(&st->setup_lock);
	int dir = part_setup(files, st) < 0 ? -1 : part_folder(files, st, write), rc = -1;
	*fd = dir < 0 ? -1 : os->openat(dir, st->part_name, flags, 0);
	if (*fd < 0 && dir >= 0 && errno == ENOENT && write) {
		*fd = os->openat(dir, st->part_name, flags | O_CREAT | O_EXCL, 0600);
		*made = *fd >= 0;
		if (*made && os->fsync(dir) < 0) { /* its name is durable before a byte of it counts */
			int why = errno;
			os->close(*fd);
			*fd = -1;
			errno = why;
		}
	}
	if (*fd >= 0) {
		rc = os->fstat(*fd, stat);
		if (rc == 0 && !S_ISREG(stat->st_mode)) {
			errno = EISDIR;
			rc = -1;
		}
		if (rc == 0 && write)
			rc = volume_add(files, st, stat->st_dev);
		if (rc < 0) {
			int why = errno;
			os->close(*fd);
			*fd = -1;
			errno = why;
		}
	}
	pthread_mutex_unlock(&st->setup_lock);
	return rc;
}

void shoal_files_part_look(struct shoal_files *files, struct storage *st, struct shoal_seen *seen)
{
	struct stat stat;
	*seen = (struct shoal_seen){ .state = SHOAL_SEEN_NONE };
	pthread_mutex_lock(&st->setup_lock);
	int dir = part_setup(files, st) < 0 ? -1 : part_folder(files, st, false);
	bool there = dir >= 0 && files->os->fstatat(dir, st->part_name, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
		     S_ISREG(stat.st_mode);
	if (there && !st->read_only)
		(void)!volume_add(files, st, stat.st_dev);
	pthread_mutex_unlock(&st->setup_lock);
	if (there)
		*seen = (struct shoal_seen){ .state = SHOAL_SEEN_PART, .stamp = shoal_files_stamp_of(&stat) };
}

/* ---- moving out ----------------------------------------------------------------------------- */

static int copy_share(struct shoal_files *files, struct storage *st, uint32_t share, uint8_t *buffer,
		      struct shoal_files_fault *fault)
{
	const struct shoal_os_ops *os = files->os;
	uint32_t file = share / 2, part = shoal_metainfo_file_count(st->mi), first, skew;
	uint32_t count = file < part ? shoal_claim_pieces(st->mi, file, &first, &skew) : 0;
	if (count == 0)
		return SHOAL_ERR_RANGE;
	uint32_t piece = share % 2 ? first + count - 1 : first, size = shoal_metainfo_piece_size(st->mi);
	uint64_t base = (uint64_t)piece * size, begin = shoal_metainfo_file_offset(st->mi, file);
	uint64_t pos = begin > base ? begin : base, end = begin + shoal_metainfo_file_size(st->mi, file);
	struct entry *from, *to;
	bool moved = false;
	end = end < base + size ? end : base + size;
	int rc = shoal_files_acquire(files, st, part, FILES_READ, &from, fault);
	if (rc < 0)
		return rc;
	rc = shoal_files_acquire(files, st, file, FILES_WRITE, &to, fault);
	if (rc < 0) {
		shoal_files_release(files, from, FILES_READ, false);
		return rc;
	}
	while (rc == 0 && pos < end) {
		size_t len = end - pos < COPY ? (size_t)(end - pos) : COPY;
		struct iovec v = { buffer, len };
		ssize_t n = os->preadv(from->fd, &v, 1, (off_t)part_offset(st, piece, (uint32_t)(pos - base)));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			*fault = (struct shoal_files_fault){ n < 0 ? errno : 0, part };
			rc = n < 0 ? shoal_os_err(errno) : SHOAL_ERR_GONE;
			break;
		}
		v.iov_len = (size_t)n;
		struct segment seg = { .file = file, .offset = pos - begin, .len = (size_t)n };
		rc = shoal_files_guarded(files, to, &v, 1, 0, &seg, fault);
		ssize_t put = rc < 0 ? 0 : os->pwritev(to->fd, &v, 1, (off_t)(pos - begin));
		if (put < 0 && errno != EINTR)
			rc = shoal_files_fail(fault, errno, file);
		moved = moved || put > 0;
		pos += put > 0 ? (uint64_t)put : 0;
	}
	shoal_files_release(files, to, FILES_WRITE, moved);
	shoal_files_release(files, from, FILES_READ, false);
	return rc;
}

int shoal_files_reveal(struct shoal_files *files, uint32_t storage, const uint32_t *list, uint32_t count,
		       struct shoal_files_fault *fault)
{
	struct storage *st = shoal_files_storage(files, storage);
	uint8_t *buffer = malloc(COPY);
	int rc = st == NULL ? SHOAL_ERR_RANGE : buffer == NULL ? SHOAL_ERR_NOMEM : 0;
	*fault = (struct shoal_files_fault){ 0, SHOAL_FILES_NO_FILE };
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = copy_share(files, st, list[i], buffer, fault);
	free(buffer);
	return rc;
}

int shoal_files_unpart(struct shoal_files *files, uint32_t storage, struct shoal_files_fault *fault)
{
	struct storage *st = shoal_files_storage(files, storage);
	int rc = 0, close_fd = -1;
	*fault = (struct shoal_files_fault){ 0, SHOAL_FILES_NO_FILE };
	if (st == NULL)
		return SHOAL_ERR_RANGE;
	uint32_t part = shoal_metainfo_file_count(st->mi);
	pthread_mutex_lock(&st->setup_lock); /* nobody makes a new one meanwhile */
	pthread_mutex_lock(&files->lock);
	bool used = atomic_load(&st->shares) > 0;
	struct entry *e = used ? NULL : shoal_files_find(files, st, part);
	if (e != NULL)
		close_fd = shoal_files_stale(files, e);
	if (!used && st->inode != NULL)
		st->inode[part] = 0;
	pthread_mutex_unlock(&files->lock);
	if (close_fd >= 0)
		files->os->close(close_fd);
	if (!used && part_folder(files, st, false) >= 0 && files->os->unlinkat(st->part_dir, st->part_name, 0) < 0 &&
	    errno != ENOENT)
		rc = shoal_files_fail(fault, errno, part);
	pthread_mutex_unlock(&st->setup_lock);
	return rc;
}
