/* swarm/io/hasher.c - pieces in lanes, many to a thread, through buffers that stay in L2. */
#include "swarm/io/hasher.h"

#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/base/slots.h"
#include "proto/merkle.h"
#include "swarm/io/zeros.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define LANES ((uint32_t)SHOAL_LANES_MAX) /* pieces side by side in a thread */
#define ROOM_LEAVES (2 * LANES)		  /* their buffers together: 512 KiB, which stay in L2 */
#define THREADS_MAX 256
#define DOORS (2 * LANES) /* open files a thread keeps */
#define AHEAD (1u << 20)  /* bytes asked of the disk at once when a read would wait */
#define PIECE_MAX (1u << 30)

/* A file that is open, or that would not open; closing is put off, for the next piece is often in it too. */
struct door {
	uint32_t file; /* index in the plan */
	int fd;	       /* -1: it would not open; err says why */
	int err, os;
	bool no_nowait; /* RWF_NOWAIT does not work on this file: do not try again */
	uint64_t used;	/* when last, for throwing out the oldest; 0: the door is free */
};

/* One piece on its way through. */
struct lane {
	uint32_t piece;
	uint32_t left;	 /* bytes of the piece not read yet, padding included */
	uint64_t pos;	 /* where they begin in the stream */
	uint32_t file;	 /* the file at pos, or the next after it */
	uint32_t have;	 /* bytes in buf */
	uint32_t real;	 /* of them from files; v2 hashes those alone */
	uint32_t leaves; /* in leaf[] */
	int err, os;
	uint32_t bad_id;
	bool hole; /* the whole piece is one, and was not read */
	uint8_t *buf;
	shoal_hash32 *leaf; /* NULL without v2 */
	struct shoal_sha1 sha1;
};

struct worker {
	struct shoal_hasher *h;
	struct lane lane[LANES];
	struct door door[DOORS];
	uint64_t turn;
	uint8_t *room;	/* the lanes' buffers; fewer lanes have more each, so that one piece's leaves fill a row too */
	uint32_t chunk; /* bytes of each: whole leaves */
	struct shoal_zeros zeros;
};

struct shoal_hasher {
	struct shoal_hasher_plan plan;
	uint32_t pieces, threads, started;
	pthread_t thread[THREADS_MAX];
	_Atomic uint32_t next; /* piece nobody has taken yet */
	_Atomic uint64_t bytes;
	_Atomic bool stop;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t left;
	uint32_t gone; /* threads that have finished */
	int err;
	uint32_t bad_id;
};

static void fail(struct shoal_hasher *h, int err, uint32_t id)
{
	pthread_mutex_lock(&h->lock);
	if (h->err == 0) {
		h->err = err;
		h->bad_id = id;
	}
	pthread_mutex_unlock(&h->lock);
	atomic_store(&h->stop, true);
}

/* ---- files ------------------------------------------------------------------------- */
static void door_shut(struct worker *w, struct door *d)
{
	const struct shoal_hasher_plan *plan = &w->h->plan;
	if (d->used && d->fd >= 0) {
		uint32_t id = plan->file[d->file].id;
		int rc = plan->close(plan->self, id, d->fd);
		if (rc < 0)
			fail(w->h, rc, id);
	}
	d->used = 0;
}

static struct door *door_of(struct worker *w, uint32_t file)
{
	const struct shoal_hasher_plan *plan = &w->h->plan;
	struct door *oldest = &w->door[0];
	for (struct door *d = w->door; d < w->door + DOORS; d++) {
		if (d->used && d->file == file) {
			d->used = ++w->turn;
			return d;
		}
		if (d->used < oldest->used)
			oldest = d;
	}
	door_shut(w, oldest);
	*oldest = (struct door){ .file = file, .used = ++w->turn };
	oldest->fd = plan->open(plan->self, plan->file[file].id, &oldest->os);
	if (oldest->fd < 0) {
		oldest->err = oldest->fd;
		oldest->fd = -1;
	}
	return oldest;
}

/*
 * One read. Pieces read in turns look random to the kernel's read-ahead, so where
 * the bytes are not in memory yet we ask for a good stretch of the piece ourselves.
 */
static ssize_t read_some(const struct shoal_os_ops *os, struct door *d, uint8_t *to, size_t n, uint64_t at,
			 uint64_t ahead)
{
	struct iovec iov = { to, n };
	if (!d->no_nowait) {
		ssize_t got = os->preadv_nowait(d->fd, &iov, 1, (off_t)at);
		if (got == (ssize_t)n)
			return got;
		if (got < 0 && errno != EAGAIN)
			d->no_nowait = true;
		else
			(void)os->fadvise(d->fd, (off_t)at, (off_t)shoal_min_u64(ahead, AHEAD), POSIX_FADV_WILLNEED);
		if (got > 0)
			return got;
	}
	return os->preadv(d->fd, &iov, 1, (off_t)at);
}

/* Up to `n` bytes of the lane's file at its position. 0, or the lane's error. */
static int read_file(struct worker *w, struct lane *l, uint8_t *to, size_t n)
{
	const struct shoal_hasher_file *f = &w->h->plan.file[l->file];
	struct door *d = door_of(w, l->file);
	l->bad_id = f->id;
	if (d->fd < 0) {
		l->os = d->os;
		return l->err = d->err;
	}
	for (size_t done = 0; done < n;) {
		ssize_t got = read_some(w->h->plan.os, d, to + done, n - done, l->pos - f->offset + done,
					l->left - done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			l->os = got < 0 ? errno : 0;
			return l->err = got < 0 ? SHOAL_ERR_IO : SHOAL_ERR_GONE;
		}
		done += (size_t)got;
	}
	return 0;
}

/* The first file that ends after stream byte `pos`; the number of files when none does. */
static uint32_t file_after(const struct shoal_hasher_plan *plan, uint64_t pos)
{
	uint32_t low = 0, high = plan->file_count;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (plan->file[mid].offset + plan->file[mid].size > pos)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* ---- one piece ---------------------------------------------------------------------- */
static void lane_begin(struct shoal_hasher *h, struct lane *l, uint32_t piece)
{
	uint64_t pos = (uint64_t)piece * h->plan.piece_size;
	l->piece = piece;
	l->pos = pos;
	l->left = (uint32_t)shoal_min_u64(h->plan.piece_size, h->plan.stream_size - pos);
	l->file = file_after(&h->plan, pos);
	l->have = l->real = l->leaves = 0;
	l->err = l->os = 0;
	shoal_sha1_init(&l->sha1);
}

/* A full piece in a hole of one file needs no reading: its hashes are those of as many zeros. */
static void lane_hole(struct worker *w, struct lane *l)
{
	const struct shoal_hasher_plan *plan = &w->h->plan;
	uint32_t size = plan->piece_size;
	const struct shoal_hasher_file *f = l->file < plan->file_count ? &plan->file[l->file] : NULL;
	l->hole = false;
	if (size < SHOAL_BLOCK || (size & (size - 1)) || l->left != size || f == NULL || l->pos < f->offset ||
	    l->pos + size > f->offset + f->size)
		return;
	struct door *d = door_of(w, l->file);
	if (d->fd < 0 || !shoal_zeros_hole(plan->os, d->fd, l->pos - f->offset, size) ||
	    shoal_zeros_know(&w->zeros, size) < 0)
		return;
	l->hole = true;
	l->left = 0;
	atomic_fetch_add_explicit(&w->h->bytes, size, memory_order_relaxed);
}

/* Fills the buffer with the piece's next bytes. In a v2 piece the padding comes last, so real bytes lead. */
static void lane_fill(struct worker *w, struct lane *l)
{
	const struct shoal_hasher_plan *plan = &w->h->plan;
	uint32_t want = l->left < w->chunk ? l->left : w->chunk;
	l->have = l->real = 0;
	if (l->err)
		return;
	while (l->have < want) {
		uint64_t n = want - l->have;
		const struct shoal_hasher_file *f = l->file < plan->file_count ? &plan->file[l->file] : NULL;
		if (f == NULL || l->pos < f->offset) {
			n = f ? shoal_min_u64(n, f->offset - l->pos) : n;
			if (plan->v1)
				memset(l->buf + l->have, 0, n);
		} else {
			n = shoal_min_u64(n, f->offset + f->size - l->pos);
			if (read_file(w, l, l->buf + l->have, n) < 0)
				return;
			l->real += (uint32_t)n;
			if (l->pos + n == f->offset + f->size)
				l->file++;
		}
		l->pos += n;
		l->have += (uint32_t)n;
		l->left -= (uint32_t)n;
	}
}

/* The leaves of all lanes' buffers: whole ones side by side, each lane's short last one by itself. */
static void hash_leaves(struct lane *lane, size_t n)
{
	const uint8_t *at[ROOM_LEAVES];
	shoal_hash32 out[ROOM_LEAVES];
	size_t count = 0;
	for (struct lane *l = lane; l < lane + n; l++) {
		for (uint32_t i = 0; l->err == 0 && i < l->real / SHOAL_BLOCK; i++)
			at[count++] = l->buf + (size_t)i * SHOAL_BLOCK;
	}
	if (count)
		shoal_sha256_many(at, count, SHOAL_BLOCK, out);
	count = 0;
	for (struct lane *l = lane; l < lane + n; l++) {
		if (l->err)
			continue;
		uint32_t whole = l->real / SHOAL_BLOCK, rest = l->real % SHOAL_BLOCK;
		if (whole)
			memcpy(l->leaf[l->leaves], out[count], whole * sizeof *out);
		count += whole;
		l->leaves += whole;
		if (rest)
			shoal_sha256(shoal_bytes(l->buf + whole * SHOAL_BLOCK, rest), l->leaf[l->leaves++]);
	}
}

/* SHA-1 of all lanes' buffers: in step while all have bytes, then what the longer ones have more. */
static void hash_streams(struct lane *lane, size_t n)
{
	for (uint32_t from = 0;;) {
		struct shoal_sha1 *ctx[LANES];
		const uint8_t *at[LANES];
		size_t busy = 0;
		uint32_t step = UINT32_MAX;
		for (struct lane *l = lane; l < lane + n; l++) {
			if (l->err || l->have <= from)
				continue;
			ctx[busy] = &l->sha1;
			at[busy++] = l->buf + from;
			step = l->have - from < step ? l->have - from : step;
		}
		if (busy == 0)
			return;
		shoal_sha1_advance(ctx, at, busy, step);
		from += step;
	}
}

/* The root of the lane's leaves. The tree is as wide as a piece, or as the file when that is shorter (BEP 52). */
static void lane_root(const struct shoal_hasher_plan *plan, struct lane *l, uint8_t root[32])
{
	uint64_t begin = (uint64_t)l->piece * plan->piece_size;
	const struct shoal_hasher_file *f = &plan->file[file_after(plan, begin)];
	uint32_t width = f->size > plan->piece_size ? plan->piece_size / SHOAL_BLOCK : shoal_merkle_width(l->leaves);
	shoal_merkle_root(l->leaf, l->leaves, width, 0, root);
}

static void lane_end(struct worker *w, struct lane *l)
{
	const struct shoal_hasher_plan *plan = &w->h->plan;
	uint8_t sha1[20], root[32];
	struct shoal_hasher_piece p = { .index = l->piece, .err = l->err, .os = l->os, .id = l->bad_id };
	if (l->err == 0 && plan->v1) {
		shoal_sha1_final(&l->sha1, sha1);
		p.sha1 = sha1;
	}
	if (l->err == 0 && plan->v2 && l->leaves) {
		lane_root(plan, l, root);
		p.root = root;
	}
	if (l->hole) {
		p.sha1 = plan->v1 ? w->zeros.sha1 : NULL;
		p.root = plan->v2 ? w->zeros.root : NULL;
	}
	int rc = plan->piece(plan->self, &p);
	if (rc < 0)
		fail(w->h, rc, l->bad_id);
}

/* ---- threads ------------------------------------------------------------------------ */
/* Takes the next pieces: as many as there are lanes, fewer near the end so that all threads end together. */
static uint32_t take(struct shoal_hasher *h, uint32_t *first)
{
	uint32_t from = atomic_load(&h->next), n;
	do {
		uint32_t left = h->pieces - from, share = left / h->threads + (left % h->threads != 0);
		if (left == 0 || atomic_load_explicit(&h->stop, memory_order_relaxed))
			return 0;
		n = share < LANES ? share : LANES;
	} while (!atomic_compare_exchange_weak(&h->next, &from, from + n));
	*first = from;
	return n;
}

static void run(struct worker *w, uint32_t first, uint32_t n)
{
	const struct shoal_hasher_plan *plan = &w->h->plan;
	w->chunk = ROOM_LEAVES / n * SHOAL_BLOCK;
	for (uint32_t i = 0; i < n; i++) {
		w->lane[i].buf = w->room + (size_t)i * w->chunk;
		lane_begin(w->h, &w->lane[i], first + i);
		lane_hole(w, &w->lane[i]);
	}
	for (bool busy = true; busy;) {
		uint64_t real = 0;
		busy = false;
		for (struct lane *l = w->lane; l < w->lane + n; l++) {
			lane_fill(w, l);
			real += l->real;
			busy = busy || (l->left && l->err == 0);
		}
		if (plan->v2)
			hash_leaves(w->lane, n);
		if (plan->v1)
			hash_streams(w->lane, n);
		atomic_fetch_add_explicit(&w->h->bytes, real, memory_order_relaxed);
	}
	for (uint32_t i = 0; i < n; i++)
		lane_end(w, &w->lane[i]);
}

static int worker_init(struct worker *w, struct shoal_hasher *h)
{
	size_t leaves = h->plan.v2 ? h->plan.piece_size / SHOAL_BLOCK : 0;
	size_t room = (size_t)ROOM_LEAVES * SHOAL_BLOCK;
	*w = (struct worker){ .h = h };
	if (posix_memalign((void **)&w->room, 4096, room + LANES * leaves * sizeof(shoal_hash32)) != 0) {
		w->room = NULL;
		return SHOAL_ERR_NOMEM;
	}
	for (size_t i = 0; i < LANES; i++)
		w->lane[i].leaf = (shoal_hash32 *)(w->room + room) + i * leaves;
	return 0;
}

static void *worker_main(void *at)
{
	struct shoal_hasher *h = at;
	struct worker w;
	uint32_t first, n;
	if (worker_init(&w, h) < 0) {
		fail(h, SHOAL_ERR_NOMEM, 0);
	} else {
		while ((n = take(h, &first)) > 0)
			run(&w, first, n);
		for (struct door *d = w.door; d < w.door + DOORS; d++)
			door_shut(&w, d);
		free(w.room);
	}
	pthread_mutex_lock(&h->lock);
	h->gone++;
	pthread_cond_broadcast(&h->left);
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

static bool plan_good(const struct shoal_hasher_plan *plan)
{
	uint64_t end = 0;
	if (plan->piece_size == 0 || plan->piece_size > PIECE_MAX || !(plan->v1 || plan->v2))
		return false;
	if (plan->v2 && plan->piece_size % SHOAL_BLOCK)
		return false;
	for (uint32_t i = 0; i < plan->file_count; i++) {
		const struct shoal_hasher_file *f = &plan->file[i];
		if (f->size == 0 || f->offset < end || !shoal_add_u64(f->offset, f->size, &end))
			return false;
		if (plan->v2 && f->offset % plan->piece_size)
			return false;
	}
	return end <= plan->stream_size && plan->stream_size / plan->piece_size < UINT32_MAX - 1;
}

static uint32_t thread_count(const struct shoal_hasher_plan *plan, uint32_t pieces)
{
	cpu_set_t cores;
	uint32_t n = plan->threads;
	if (n == 0)
		n = sched_getaffinity(0, sizeof cores, &cores) == 0 ? (uint32_t)CPU_COUNT(&cores) : 1;
	if (n > THREADS_MAX)
		n = THREADS_MAX;
	return n < pieces ? n : pieces ? pieces : 1;
}

int shoal_hasher_new(struct shoal_hasher **out, const struct shoal_hasher_plan *plan)
{
	pthread_condattr_t attr;
	if (!plan_good(plan))
		return SHOAL_ERR_RANGE;
	struct shoal_hasher *h = calloc(1, sizeof *h);
	if (h == NULL)
		return SHOAL_ERR_NOMEM;
	h->plan = *plan;
	h->pieces = (uint32_t)(plan->stream_size / plan->piece_size + (plan->stream_size % plan->piece_size != 0));
	h->threads = thread_count(plan, h->pieces);
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->left, &attr);
	pthread_condattr_destroy(&attr);
	/* Fewer threads than wished for still do all the work; none at all is an error. */
	while (h->started < h->threads && plan->os->thread_start(&h->thread[h->started], worker_main, h) == 0)
		h->started++;
	if (h->started == 0) {
		shoal_hasher_free(h);
		return SHOAL_ERR_NOMEM;
	}
	*out = h;
	return 0;
}

int shoal_hasher_wait(struct shoal_hasher *h, int wait_ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	if (wait_ms > 0) {
		until.tv_sec += wait_ms / 1000;
		until.tv_nsec += wait_ms % 1000 * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
	}
	pthread_mutex_lock(&h->lock);
	for (int rc = 0; h->gone < h->started && rc == 0;) {
		if (wait_ms < 0)
			pthread_cond_wait(&h->left, &h->lock);
		else
			rc = pthread_cond_timedwait(&h->left, &h->lock, &until);
	}
	int done = h->gone == h->started;
	pthread_mutex_unlock(&h->lock);
	return done;
}

uint64_t shoal_hasher_bytes(struct shoal_hasher *h)
{
	return atomic_load_explicit(&h->bytes, memory_order_relaxed);
}

void shoal_hasher_stop(struct shoal_hasher *h)
{
	pthread_mutex_lock(&h->lock);
	if (h->err == 0 && atomic_load(&h->next) < h->pieces)
		h->err = SHOAL_ERR_CLOSED;
	pthread_mutex_unlock(&h->lock);
	atomic_store(&h->stop, true);
}

int shoal_hasher_result(const struct shoal_hasher *h, uint32_t *id)
{
	if (id)
		*id = h->bad_id;
	return h->err;
}

void shoal_hasher_free(struct shoal_hasher *h)
{
	if (h == NULL)
		return;
	for (uint32_t i = 0; i < h->started; i++)
		pthread_join(h->thread[i], NULL);
	pthread_cond_destroy(&h->left);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
