/* files_span.c - pieces that may leave by sendfile: one file, unchanged, in memory. The loop thread's alone. */
#include "swarm/io/files_inner.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include "proto/base/bytes.h"

#define WINDOW (1u << 20)  /* bytes asked about in one cachestat */
#define PEEK (128u * 1024) /* bytes read in one look where there is no cachestat */
#define FRESH SHOAL_MS(20) /* how long pages seen in memory count as there; wrong costs one slow read */

enum residency { /* entry->probe: how to ask */
		 BY_CACHESTAT,
		 BY_NOWAIT,
		 BY_KIND, /* neither works: only what lives in memory anyway */
		 KIND_MEMORY,
		 KIND_OTHER,
};

static struct window *window_of(const struct shoal_files *files, uint32_t handle, uint64_t at)
{
	return &files->window[shoal_files_mix(handle, at) & (SHOAL_FILES_WINDOWS - 1)];
}

/* 1 all in memory, 0 not, -1: cannot be asked like this. */
static int ask_cachestat(struct shoal_files *files, const struct entry *e, uint64_t from, uint64_t len)
{
	uint64_t pages = 0, first = from / files->page, last = (from + len - 1) / files->page;
	if (files->os->cachestat(e->fd, from, len, &pages) < 0)
		return -1;
	return pages >= last - first + 1;
}

static int ask_nowait(struct shoal_files *files, const struct entry *e, uint64_t from, uint64_t len)
{
	if (len > PEEK)
		return 0; /* it was meant for cachestat; the next look is smaller */
	if (files->scratch == NULL && (files->scratch = malloc(PEEK)) == NULL)
		return 0;
	struct iovec v = { files->scratch, (size_t)len };
	ssize_t n = files->os->preadv_nowait(e->fd, &v, 1, (off_t)from);
	if (n < 0)
		return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ? -1 : 0;
	return (uint64_t)n == len;
}

static uint8_t ask_kind(struct shoal_files *files, const struct entry *e)
{
	uint32_t magic;
	if (files->os->fs_magic(e->fd, &magic) == 0 && (magic == TMPFS_MAGIC || magic == RAMFS_MAGIC))
		return KIND_MEMORY;
	return KIND_OTHER;
}

/* Whether all of [from, from+len) of an open file is in memory; what worked is remembered. */
static bool ask(struct shoal_files *files, struct entry *e, uint64_t from, uint64_t len)
{
	int yes = -1;
	if (e->probe == BY_CACHESTAT && (yes = ask_cachestat(files, e, from, len)) < 0)
		e->probe = BY_NOWAIT; /* an old kernel, or a file we may not write (EPERM) */
	if (e->probe == BY_NOWAIT && (yes = ask_nowait(files, e, from, len)) < 0)
		e->probe = BY_KIND;
	if (e->probe == BY_KIND)
		e->probe = ask_kind(files, e);
	return yes < 0 ? e->probe == KIND_MEMORY : yes > 0;
}

/* `size`: the file's end, which closes its last window. */
static bool in_memory(struct shoal_files *files, struct entry *e, uint64_t size, uint64_t from, uint32_t len,
		      shoal_us now)
{
	if (files->window == NULL && (files->window = calloc(SHOAL_FILES_WINDOWS, sizeof *files->window)) == NULL)
		return false;
	uint32_t handle = (uint32_t)(e - files->entry);
	for (uint64_t pos = from, end = from + len; pos < end;) {
		uint64_t step = e->probe == BY_CACHESTAT ? WINDOW : PEEK;
		uint64_t start = pos / step * step;
		struct window *w = window_of(files, handle, start | (step == PEEK));
		bool known = w->handle == handle && w->generation == e->generation &&
			     w->at == (start | (step == PEEK)) && now < w->until;
		if (!known && ask(files, e, start, shoal_min_u64(step, size - start))) {
			*w = (struct window){ handle, e->generation, start | (step == PEEK), now + FRESH };
			known = true;
		}
		if (!known) /* not all of the window: then what is wanted */
			return ask(files, e, pos, end - pos);
		pos = start + step;
	}
	return true;
}

int shoal_files_span(struct shoal_files *files, uint32_t storage, uint32_t piece, uint32_t begin, uint32_t len,
		     struct shoal_disk_span *span)
{
	struct storage *st = storage < files->storage_room ? files->storage[storage] : NULL;
	struct shoal_files_fault fault;
	if (st == NULL || len == 0 || len > PEEK || piece >= shoal_metainfo_piece_count(st->mi))
		return 0;
	uint32_t bytes = shoal_metainfo_piece_bytes(st->mi, piece);
	if (begin > bytes || len > bytes - begin)
		return 0;
	uint64_t pos = (uint64_t)piece * shoal_metainfo_piece_size(st->mi) + begin;
	struct segment seg = shoal_files_segment(st->mi, pos, len);
	shoal_files_locate(files, st, pos, &seg);
	if (seg.zero || seg.len < len || seg.file >= shoal_metainfo_file_count(st->mi))
		return 0;

	pthread_mutex_lock(&files->lock);
	bool stamped = st->stamp && st->stamp[seg.file] && !(st->flag[seg.file] & FLAG_WROTE);
	struct entry *e = stamped ? shoal_files_find(files, st, seg.file) : NULL;
	/* Half the descriptors stay for the workers, however many files are being sent. */
	if (stamped && files->spanned >= files->limit / 2 && (e == NULL || e->spans == 0))
		stamped = false;
	if (stamped && e)
		shoal_files_pin(files, e);
	pthread_mutex_unlock(&files->lock);
	if (!stamped)
		return 0;
	if (e == NULL) {
		int rc = shoal_files_acquire(files, st, seg.file, FD_READ, &e, &fault);
		if (rc < 0)
			return rc == SHOAL_ERR_GONE ? rc : 0;
	}
	shoal_us now = files->os->now();
	int rc = shoal_files_matches(files, e, now, &fault);
	if (rc == 0)
		rc = SHOAL_ERR_GONE;
	else if (rc < 0)
		rc = 0; /* could not look: the worker that reads will say why */
	else
		rc = in_memory(files, e, shoal_metainfo_file_size(st->mi, seg.file), seg.offset, len, now);

	int close_fd = -1;
	pthread_mutex_lock(&files->lock);
	if (rc > 0)
		files->spanned += e->spans++ == 0;
	else
		close_fd = shoal_files_unpin(files, e);
	pthread_mutex_unlock(&files->lock);
	if (close_fd >= 0)
		files->os->close(close_fd);
	if (rc > 0)
		*span = (struct shoal_disk_span){ (uint32_t)(e - files->entry), seg.offset };
	return rc;
}

void shoal_files_unspan(struct shoal_files *files, uint32_t handle)
{
	int close_fd = -1;
	if (handle >= files->limit)
		return;
	pthread_mutex_lock(&files->lock);
	struct entry *e = &files->entry[handle];
	if (e->spans > 0) {
		files->spanned -= --e->spans == 0;
		close_fd = shoal_files_unpin(files, e);
	}
	pthread_mutex_unlock(&files->lock);
	if (close_fd >= 0)
		files->os->close(close_fd);
}

int shoal_files_fd(const struct shoal_files *files, uint32_t handle)
{
	return handle < files->limit && files->entry[handle].spans ? files->entry[handle].fd : -1;
}

void shoal_files_stamp(struct shoal_files *files, uint32_t storage, uint32_t file, const struct shoal_stamp *stamp)
{
	struct storage *st = shoal_files_storage(files, storage);
	if (st == NULL || file >= shoal_metainfo_file_count(st->mi))
		return;
	bool none = stamp->size == 0 && stamp->ino == 0;
	pthread_mutex_lock(&files->lock);
	if (st->stamp == NULL && !none) /* without memory for it there are no spans; that is all */
		st->stamp = calloc(shoal_metainfo_file_count(st->mi) + 1u, sizeof *st->stamp);
	if (st->stamp)
		st->stamp[file] = none || (st->flag[file] & FLAG_WROTE) ? 0 : shoal_files_stamp_print(stamp);
	pthread_mutex_unlock(&files->lock);
}
