/* disk_threads.c - the queue and its workers: who takes which jobs, and how each is done. */
#include "swarm/io/disk_threads.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include "swarm/io/disk_hash.h"
#include "swarm/io/files.h"
#include "swarm/io/zeros.h"

#define READS_MAX 8 /* READs a worker takes at once; of WRITE and CHECK, up to SHOAL_LANES_MAX */
#define GROUP_MAX SHOAL_LANES_MAX
#define LOOK_AHEAD 32  /* waiting jobs looked at for company */
#define WRITE_SLOTS 64 /* in one write: 1 MiB */

struct worker {
	struct shoal_disk_threads *dt;
	pthread_t thread;
	/* Under dt->lock: what it works on. No other worker takes a job of these pieces. */
	struct shoal_disk_job *job[GROUP_MAX];
	unsigned count;
	/* Its own. */
	uint8_t *buffer;	/* CHECK: SHOAL_DISK_STAGE blocks; made when first needed */
	uint8_t (*scratch)[32]; /* SHOAL_DISK_LEAVES_MAX */
	struct shoal_zeros zeros;
};

struct shoal_disk_threads {
	const struct shoal_os_ops *os;
	struct shoal_files *files;
	int fd;
	unsigned workers;
	unsigned lanes; /* WRITE and CHECK a worker takes at once */

	pthread_mutex_t lock;
	pthread_cond_t todo;
	struct shoal_disk_job *wait_first, **wait_end; /* in the order submitted */
	struct shoal_disk_job *done_first, **done_end;
	uint32_t jobs; /* submitted and not reaped */
	unsigned idle;
	bool signalled; /* fd is readable */
	bool stop;
	struct worker worker[SHOAL_DISK_WORKERS_MAX];
};

/* ---- taking jobs; with the lock held ------------------------------------------------------- */

static bool of_piece(const struct shoal_disk_job *job)
{
	return job->op == SHOAL_DISK_WRITE || job->op == SHOAL_DISK_READ || job->op == SHOAL_DISK_CHECK;
}

static bool same_piece(const struct shoal_disk_job *a, const struct shoal_disk_job *b)
{
	return a->piece == b->piece && a->storage == b->storage;
}

static bool any_same(struct shoal_disk_job *const job[], unsigned n, const struct shoal_disk_job *as)
{
	for (unsigned i = 0; i < n; i++)
		if (of_piece(job[i]) && same_piece(job[i], as))
			return true;
	return false;
}

static bool in_work(const struct shoal_disk_threads *dt, const struct shoal_disk_job *job)
{
	for (unsigned w = 0; w < dt->workers; w++)
		if (any_same(dt->worker[w].job, dt->worker[w].count, job))
			return true;
	return false;
}

static bool wants_lane(const struct shoal_disk_job *job)
{
	return (job->op == SHOAL_DISK_WRITE || job->op == SHOAL_DISK_CHECK) && job->hash && job->hash->has_v1;
}

static struct shoal_disk_job *unlink_job(struct shoal_disk_threads *dt, struct shoal_disk_job **link)
{
	struct shoal_disk_job *job = *link;
	*link = job->next;
	if (*link == NULL)
		dt->wait_end = link;
	job->next = NULL;
	return job;
}

/*
 * The first job that may be done now, and company for it: other pieces for its SHA-1 lanes, or more READs.
 * What is passed over keeps later jobs of its piece waiting too, so each piece's order stands.
 */
static unsigned take(struct shoal_disk_threads *dt, struct worker *w)
{
	struct shoal_disk_job **link = &dt->wait_first, *passed[LOOK_AHEAD];
	unsigned passes = 0;
	while (*link && of_piece(*link) && in_work(dt, *link))
		link = &(*link)->next; /* all of pieces in work, where they stay: no need to note them */
	if (*link == NULL)
		return 0;
	struct shoal_disk_job *first = w->job[0] = unlink_job(dt, link);
	w->count = 1;
	bool lanes = wants_lane(first);
	unsigned most = lanes ? dt->lanes : first->op == SHOAL_DISK_READ ? READS_MAX : 1;
	while (w->count < most && *link && passes < LOOK_AHEAD) {
		struct shoal_disk_job *job = *link;
		bool fits = lanes ? wants_lane(job) && !in_work(dt, job) : job->op == SHOAL_DISK_READ;
		/* READs are done one after the other, so several of one piece may go together. */
		if (fits && !lanes && in_work(dt, job))
			fits = any_same(w->job, w->count, job);
		if (fits && !any_same(passed, passes, job)) {
			w->job[w->count] = unlink_job(dt, link);
			w->count++;
		} else {
			passed[passes++] = job;
			link = &job->next;
		}
	}
	return w->count;
}

/* ---- doing them ------------------------------------------------------------------------------ */

static void answer(struct shoal_disk_job *job, int err, const struct shoal_files_fault *fault)
{
	if (job->err < 0)
		return; /* the first is the one that is told */
	job->err = err < 0 ? err : 0;
	if (err < 0) {
		job->os = fault ? fault->os : 0;
		job->bad_file = fault ? fault->file : SHOAL_FILES_NO_FILE;
		if (job->hash)
			job->hash->good = 0;
	}
}

static uint32_t blocks_of(uint32_t bytes)
{
	return bytes / SHOAL_BLOCK + (bytes % SHOAL_BLOCK != 0);
}

/* Writes or reads `count` slots from number `first` on. */
static void move_slots(struct shoal_disk_threads *dt, struct shoal_disk_job *job, uint32_t first, uint32_t count)
{
	struct shoal_files_fault fault;
	while (count && job->err == 0) {
		struct iovec v[WRITE_SLOTS];
		uint32_t n = count < WRITE_SLOTS ? count : WRITE_SLOTS;
		size_t len = 0;
		for (uint32_t i = 0; i < n; i++) {
			uint32_t left = job->len - (first + i) * SHOAL_BLOCK;
			v[i] = (struct iovec){ job->slot[first + i]->at, left < SHOAL_BLOCK ? left : SHOAL_BLOCK };
			len += v[i].iov_len;
		}
		uint32_t begin = job->begin + first * SHOAL_BLOCK;
		int rc;
		if (job->op == SHOAL_DISK_WRITE)
			rc = shoal_files_write(dt->files, job->storage, job->piece, begin, v, (int)n, len, &fault);
		else
			rc = shoal_files_read(dt->files, job->storage, job->piece, begin, v, (int)n, len,
					      SHOAL_FILES_STAMPED, &fault);
		answer(job, rc, &fault);
		first += n;
		count -= n;
	}
}

static void zero_pads(const struct shoal_metainfo *mi, struct shoal_disk_job *job)
{
	for (uint32_t first = 0; first < job->slot_count; first += WRITE_SLOTS) {
		struct iovec v[WRITE_SLOTS];
		uint32_t n = job->slot_count - first < WRITE_SLOTS ? job->slot_count - first : WRITE_SLOTS;
		size_t len = 0;
		for (uint32_t i = 0; i < n; i++) {
			uint32_t left = job->len - (first + i) * SHOAL_BLOCK;
			v[i] = (struct iovec){ job->slot[first + i]->at, left < SHOAL_BLOCK ? left : SHOAL_BLOCK };
			len += v[i].iov_len;
		}
		shoal_files_zero_pads(mi, job->piece, job->begin + first * SHOAL_BLOCK, v, (int)n, len);
	}
}

/* Whether a job's numbers are sound; it is answered when they are not. */
static bool sound(struct shoal_disk_threads *dt, struct shoal_disk_job *job)
{
	const struct shoal_metainfo *mi = shoal_files_metainfo(dt->files, job->storage);
	int err = 0;
	if (mi == NULL || job->piece >= shoal_metainfo_piece_count(mi)) {
		err = SHOAL_ERR_RANGE;
	} else if (job->op != SHOAL_DISK_CHECK) {
		uint32_t bytes = shoal_metainfo_piece_bytes(mi, job->piece);
		if (job->begin > bytes || job->len > bytes - job->begin)
			err = SHOAL_ERR_RANGE;
		else if (job->begin % SHOAL_BLOCK || job->slot_count != blocks_of(job->len))
			err = SHOAL_ERR_USAGE;
	}
	if (err == 0 && job->op != SHOAL_DISK_READ) {
		const struct shoal_piece_hash *hash = job->hash;
		bool whole = job->op == SHOAL_DISK_CHECK;
		if (hash == NULL || !shoal_disk_hash_sound(hash, job->flags & SHOAL_DISK_LEAVES) ||
		    hash->bytes != shoal_metainfo_piece_bytes(mi, job->piece))
			err = SHOAL_ERR_USAGE;
		else if (!whole && (job->flags & SHOAL_DISK_IF_GOOD) && (job->begin || job->len != hash->bytes))
			err = SHOAL_ERR_USAGE;
		else if (!whole && (job->flags & SHOAL_DISK_LAST) && hash->has_v1 &&
			 job->begin + job->len != hash->bytes)
			err = SHOAL_ERR_USAGE;
	}
	if (err < 0)
		answer(job, err, NULL);
	return err == 0;
}

static int worker_room(struct worker *w, bool buffer)
{
	if (w->scratch == NULL)
		w->scratch = malloc(SHOAL_DISK_LEAVES_MAX * sizeof *w->scratch);
	if (buffer && w->buffer == NULL)
		w->buffer = malloc((size_t)SHOAL_DISK_STAGE * SHOAL_BLOCK);
	return w->scratch == NULL || (buffer && w->buffer == NULL) ? SHOAL_ERR_NOMEM : 0;
}

static uint32_t span_of(const struct shoal_disk_job *job)
{
	return job->op == SHOAL_DISK_CHECK ? job->hash->bytes : job->len;
}

/* Puts the next stage of a job into its lane; a CHECK reads it first. */
static void stage_fill(struct worker *w, struct shoal_disk_job *job, unsigned number, uint32_t blocks,
		       struct shoal_disk_lane *lane, uint32_t done)
{
	struct shoal_disk_threads *dt = w->dt;
	uint32_t left = span_of(job) - done, len = blocks * SHOAL_BLOCK;
	if (len > left)
		len = left;
	lane->block = (job->begin + done) / SHOAL_BLOCK;
	lane->count = blocks_of(len);
	lane->last_len = len - (lane->count - 1) * SHOAL_BLOCK;
	if (job->op == SHOAL_DISK_WRITE) {
		for (uint32_t i = 0; i < lane->count; i++)
			lane->at[i] = job->slot[done / SHOAL_BLOCK + i]->at;
		return;
	}
	struct shoal_files_fault fault;
	uint8_t *at = w->buffer + (size_t)number * blocks * SHOAL_BLOCK;
	struct iovec v = { at, len };
	answer(job, shoal_files_read(dt->files, job->storage, job->piece, done, &v, 1, len, 0, &fault), &fault);
	for (uint32_t i = 0; i < lane->count; i++)
		lane->at[i] = at + (size_t)i * SHOAL_BLOCK;
	if (job->err < 0)
		lane->count = 0;
	else if (job->hash->blank)
		job->hash->blank = shoal_files_blank(at, len);
}

/* A CHECK of a piece that lies in a hole has its verdict without a read. Where the medium itself is asked, it is read. */
static bool hole_checked(struct worker *w, struct shoal_disk_job *job)
{
	struct shoal_piece_hash *hash = job->hash;
	uint32_t bytes = hash->bytes;
	if ((job->flags & (SHOAL_DISK_DROP | SHOAL_DISK_LEAVES)) || bytes < SHOAL_BLOCK || (bytes & (bytes - 1)) ||
	    hash->pad || (hash->has_v2 && hash->width != bytes / SHOAL_BLOCK) ||
	    !shoal_files_hole(w->dt->files, job->storage, job->piece) || shoal_zeros_know(&w->zeros, bytes) < 0)
		return false;
	hash->good = (!hash->has_v1 || memcmp(hash->want_sha1, w->zeros.sha1, 20) == 0) &&
		     (!hash->has_v2 || memcmp(hash->want_root, w->zeros.root, 32) == 0);
	return true;
}

static bool begin_hashed(struct worker *w, struct shoal_disk_job *job)
{
	struct shoal_files_fault fault;
	if (!sound(w->dt, job))
		return false;
	if (worker_room(w, job->op == SHOAL_DISK_CHECK) < 0) {
		answer(job, SHOAL_ERR_NOMEM, NULL);
		return false;
	}
	if (job->op == SHOAL_DISK_WRITE) {
		zero_pads(shoal_files_metainfo(w->dt->files, job->storage), job);
		return true;
	}
	job->begin = 0;
	job->hash->blank = true;
	shoal_sha1_init(&job->hash->sha1);
	if (hole_checked(w, job))
		return false;
	if (job->flags & SHOAL_DISK_DROP)
		answer(job, shoal_files_drop(w->dt->files, job->storage, job->piece, &fault), &fault);
	return job->err == 0;
}

/* WRITE and CHECK: stage by stage, all lanes hashed, then those that are to be written written while they are warm. */
static void do_hashed(struct worker *w, struct shoal_disk_job *const job[], unsigned n)
{
	struct shoal_disk_lane lane[SHOAL_LANES_MAX], *run[SHOAL_LANES_MAX] = { NULL };
	uint32_t done[SHOAL_LANES_MAX] = { 0 };
	bool alive[SHOAL_LANES_MAX];
	uint32_t blocks = shoal_disk_stage(n);
	unsigned running = 0;
	assert(n <= SHOAL_LANES_MAX);
	for (unsigned i = 0; i < n; i++) {
		alive[i] = begin_hashed(w, job[i]);
		lane[i] = (struct shoal_disk_lane){ .hash = job[i]->hash, .leaves = job[i]->flags & SHOAL_DISK_LEAVES };
		running += alive[i];
	}
	while (running) {
		unsigned lanes = 0;
		for (unsigned i = 0; i < n; i++) {
			lane[i].count = 0;
			if (!alive[i] || done[i] == span_of(job[i]))
				continue;
			stage_fill(w, job[i], i, blocks, &lane[i], done[i]);
			if (lane[i].count)
				run[lanes++] = &lane[i];
		}
		shoal_disk_hash_stage(run, lanes);
		running = 0;
		for (unsigned i = 0; i < n; i++) {
			if (!alive[i])
				continue;
			if (lane[i].count && job[i]->op == SHOAL_DISK_WRITE && !(job[i]->flags & SHOAL_DISK_IF_GOOD))
				move_slots(w->dt, job[i], done[i] / SHOAL_BLOCK, lane[i].count);
			if (lane[i].count)
				done[i] += (lane[i].count - 1) * SHOAL_BLOCK + lane[i].last_len;
			alive[i] = job[i]->err == 0;
			running += alive[i] && done[i] < span_of(job[i]);
		}
	}
	unsigned lanes = 0;
	for (unsigned i = 0; i < n; i++)
		if (alive[i] &&
		    (job[i]->op == SHOAL_DISK_CHECK || (job[i]->flags & (SHOAL_DISK_LAST | SHOAL_DISK_IF_GOOD))))
			run[lanes++] = &lane[i];
	shoal_disk_hash_verdict(run, lanes, w->scratch);
	for (unsigned i = 0; i < n; i++)
		if (alive[i] && job[i]->op == SHOAL_DISK_WRITE && (job[i]->flags & SHOAL_DISK_IF_GOOD) &&
		    job[i]->hash->good)
			move_slots(w->dt, job[i], 0, job[i]->slot_count);
}

static void do_one(struct shoal_disk_threads *dt, struct shoal_disk_job *job)
{
	struct shoal_files_fault fault = { 0, SHOAL_FILES_NO_FILE };
	int rc = SHOAL_ERR_USAGE;
	switch (job->op) {
	case SHOAL_DISK_READ:
		if (sound(dt, job))
			move_slots(dt, job, 0, job->slot_count);
		return;
	case SHOAL_DISK_SCAN:
		rc = shoal_files_scan(dt->files, job->storage, job->file, job->count, job->seen, &fault);
		break;
	case SHOAL_DISK_SYNC:
		rc = shoal_files_sync(dt->files, job->storage, job->list, job->count, job->file, job->seen, &fault);
		break;
	case SHOAL_DISK_FINISH:
		rc = shoal_files_finish(dt->files, job->storage, job->list, job->count, job->seen, &fault);
		break;
	case SHOAL_DISK_REVEAL: rc = shoal_files_reveal(dt->files, job->storage, job->list, job->count, &fault); break;
	case SHOAL_DISK_UNPART: rc = shoal_files_unpart(dt->files, job->storage, &fault); break;
	case SHOAL_DISK_ADOPT: rc = shoal_files_adopt(dt->files, job->storage, job->file, job->adopt, &fault); break;
	case SHOAL_DISK_FIND: rc = shoal_files_search(dt->os, job->find); break;
	case SHOAL_DISK_WRITE:
	case SHOAL_DISK_CHECK: break; /* do_hashed() */
	}
	answer(job, rc, &fault);
}

/* With the lock held. */
static void tell(struct shoal_disk_threads *dt)
{
	uint64_t one = 1;
	for (int tries = 0; !dt->signalled && tries < 3; tries++)
		dt->signalled = dt->os->write(dt->fd, &one, sizeof one) == sizeof one;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct shoal_disk_threads *dt = w->dt;
	pthread_setname_np(pthread_self(), "shoal-disk");
	pthread_mutex_lock(&dt->lock);
	while (!dt->stop) {
		if (take(dt, w) == 0) {
			dt->idle++;
			pthread_cond_wait(&dt->todo, &dt->lock);
			dt->idle--;
			continue;
		}
		if (dt->wait_first && dt->idle)
			pthread_cond_signal(&dt->todo);
		unsigned n = w->count;
		struct shoal_disk_job *job[GROUP_MAX];
		memcpy(job, w->job, sizeof job);
		pthread_mutex_unlock(&dt->lock);

		if (job[0]->op == SHOAL_DISK_WRITE || job[0]->op == SHOAL_DISK_CHECK)
			do_hashed(w, job, n);
		else
			for (unsigned i = 0; i < n; i++)
				do_one(dt, job[i]);

		pthread_mutex_lock(&dt->lock);
		w->count = 0;
		for (unsigned i = 0; i < n; i++) {
			*dt->done_end = job[i];
			dt->done_end = &job[i]->next;
		}
		tell(dt);
	}
	pthread_mutex_unlock(&dt->lock);
	return NULL;
}

/* ---- the loop's side ---------------------------------------------------------------------------- */

static int d_open(void *d, const struct shoal_metainfo *mi, const char *folder, bool read_only, uint32_t *storage)
{
	struct shoal_disk_threads *dt = d;
	return shoal_files_open(dt->files, mi, folder, read_only, storage);
}

static void d_close(void *d, uint32_t storage)
{
	struct shoal_disk_threads *dt = d;
	shoal_files_close(dt->files, storage);
}

static int d_submit(void *d, struct shoal_disk_job *job)
{
	struct shoal_disk_threads *dt = d;
	bool wake = false;
	int rc = SHOAL_ERR_BUSY;
	pthread_mutex_lock(&dt->lock);
	if (dt->jobs < SHOAL_DISK_JOBS_MAX) {
		dt->jobs++;
		job->next = NULL;
		job->err = job->os = 0;
		job->bad_file = SHOAL_FILES_NO_FILE;
		*dt->wait_end = job;
		dt->wait_end = &job->next;
		wake = dt->idle > 0;
		rc = 0;
	}
	pthread_mutex_unlock(&dt->lock);
	if (wake)
		pthread_cond_signal(&dt->todo);
	return rc;
}

static size_t d_reap(void *d, struct shoal_disk_job *out[], size_t max)
{
	struct shoal_disk_threads *dt = d;
	size_t n = 0;
	pthread_mutex_lock(&dt->lock);
	while (n < max && dt->done_first) {
		struct shoal_disk_job *job = dt->done_first;
		dt->done_first = job->next;
		job->next = NULL;
		out[n++] = job;
	}
	dt->jobs -= (uint32_t)n;
	if (dt->done_first == NULL) {
		uint64_t count;
		dt->done_end = &dt->done_first;
		/* Should this fail, the loop looks once too often. */
		if (dt->signalled && dt->os->read(dt->fd, &count, sizeof count) == sizeof count)
			dt->signalled = false;
	} else {
		tell(dt);
	}
	pthread_mutex_unlock(&dt->lock);
	return n;
}

static int d_span(void *d, uint32_t storage, uint32_t piece, uint32_t begin, uint32_t len, struct shoal_disk_span *span)
{
	struct shoal_disk_threads *dt = d;
	return shoal_files_span(dt->files, storage, piece, begin, len, span);
}

static void d_unspan(void *d, uint32_t file)
{
	struct shoal_disk_threads *dt = d;
	shoal_files_unspan(dt->files, file);
}

static void d_stamp(void *d, uint32_t storage, uint32_t file, const struct shoal_stamp *stamp)
{
	struct shoal_disk_threads *dt = d;
	shoal_files_stamp(dt->files, storage, file, stamp);
}

static void d_guard(void *d, uint32_t storage, uint32_t file)
{
	struct shoal_disk_threads *dt = d;
	shoal_files_guard(dt->files, storage, file);
}

static int d_part(void *d, uint32_t storage, uint32_t file, unsigned end, bool in)
{
	struct shoal_disk_threads *dt = d;
	return shoal_files_part(dt->files, storage, file, end, in);
}

static uint64_t d_room(void *d, uint32_t storage)
{
	struct shoal_disk_threads *dt = d;
	return shoal_files_room(dt->files, storage);
}

static const struct shoal_disk_ops disk_ops = {
	.open = d_open,
	.close = d_close,
	.submit = d_submit,
	.reap = d_reap,
	.span = d_span,
	.unspan = d_unspan,
	.stamp = d_stamp,
	.guard = d_guard,
	.part = d_part,
	.room = d_room,
};

int shoal_disk_threads_parts(struct shoal_disk_threads *dt, const char *dir)
{
	return shoal_files_parts(dt->files, dir);
}

struct shoal_disk shoal_disk_threads_disk(struct shoal_disk_threads *dt)
{
	return (struct shoal_disk){ &disk_ops, dt };
}

int shoal_disk_threads_fd(const struct shoal_disk_threads *dt)
{
	return dt->fd;
}

int shoal_disk_threads_file_fd(const struct shoal_disk_threads *dt, uint32_t file)
{
	return shoal_files_fd(dt->files, file);
}

unsigned shoal_disk_threads_workers(const struct shoal_disk_threads *dt)
{
	return dt->workers;
}

size_t shoal_disk_threads_bytes(struct shoal_disk_threads *dt)
{
	size_t each = SHOAL_DISK_LEAVES_MAX * 32 + (size_t)SHOAL_DISK_STAGE * SHOAL_BLOCK;
	return sizeof *dt + dt->workers * each + shoal_files_bytes(dt->files);
}

static unsigned cores(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
	return n > 0 ? (unsigned)n : 1;
}

int shoal_disk_threads_new(struct shoal_disk_threads **out, const struct shoal_os_ops *os, unsigned workers)
{
	int rc = SHOAL_ERR_NOMEM;
	size_t lanes = shoal_digest_lanes();
	struct shoal_disk_threads *dt = calloc(1, sizeof *dt);
	if (dt == NULL)
		return rc;
	dt->os = os;
	dt->lanes = (unsigned)(lanes > SHOAL_LANES ? lanes : SHOAL_LANES);
	dt->wait_end = &dt->wait_first;
	dt->done_end = &dt->done_first;
	pthread_mutex_init(&dt->lock, NULL);
	pthread_cond_init(&dt->todo, NULL);
	dt->fd = os->eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (dt->fd < 0) {
		rc = shoal_os_err(errno);
		goto out;
	}
	if ((rc = shoal_files_new(&dt->files, os, 0)) < 0)
		goto out;
	if (workers == 0)
		workers = cores();
	if (workers > SHOAL_DISK_WORKERS_MAX)
		workers = SHOAL_DISK_WORKERS_MAX;
	/* They look at dt->workers under the lock: none of them may see the others half made. */
	pthread_mutex_lock(&dt->lock);
	while (dt->workers < workers) {
		struct worker *w = &dt->worker[dt->workers];
		w->dt = dt;
		if (os->thread_start(&w->thread, work, w) < 0)
			break;
		dt->workers++;
	}
	pthread_mutex_unlock(&dt->lock);
	if (dt->workers == 0) {
		rc = SHOAL_ERR_IO;
		goto out;
	}
	*out = dt;
	dt = NULL;
	rc = 0;
out:
	shoal_disk_threads_free(dt);
	return rc;
}

void shoal_disk_threads_free(struct shoal_disk_threads *dt)
{
	if (dt == NULL)
		return;
	pthread_mutex_lock(&dt->lock);
	dt->stop = true;
	pthread_cond_broadcast(&dt->todo);
	pthread_mutex_unlock(&dt->lock);
	for (unsigned i = 0; i < dt->workers; i++) {
		pthread_join(dt->worker[i].thread, NULL);
		free(dt->worker[i].buffer);
		free(dt->worker[i].scratch);
	}
	shoal_files_free(dt->files);
	if (dt->fd >= 0)
		dt->os->close(dt->fd);
	pthread_cond_destroy(&dt->todo);
	pthread_mutex_destroy(&dt->lock);
	free(dt);
}
