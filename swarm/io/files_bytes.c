/* files_bytes.c - the bytes of pieces, in and out of the files they lie in. */
#include "swarm/io/files_inner.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include "swarm/io/zeros.h"

#define IOV_BATCH 64 /* spans in one call: 1 MiB of slots */

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
