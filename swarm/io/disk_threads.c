/* disk_threads.c - the queue and its workers: who takes which jobs, and who helps whom. */
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
#include "swarm/io/disk_work.h"

#define READS_MAX 8 /* READs a worker takes at once; of WRITE and CHECK, up to SHOAL_LANES_MAX */
#define GROUP_MAX SHOAL_LANES_MAX
#define LOOK_AHEAD 32 /* waiting jobs looked at for company */

struct worker {
	struct shoal_disk_threads *dt;
	pthread_t thread;
	/* Under dt->lock: what it works on. No other worker takes a job of these pieces. */
	struct shoal_disk_job *job[GROUP_MAX];
	unsigned count;
	struct shoal_disk_work work; /* its own */
};

struct crew { /* on the stack of the worker that asks; `members` under dt->lock */
	void (*part)(void *run);
	void *run;
	unsigned members; /* others that are at it */
};

struct shoal_disk_threads {
	const struct shoal_os_ops *os;
	struct shoal_files *files;
	int fd;
	unsigned workers;
	unsigned lanes; /* WRITE and CHECK a worker takes at once */

	pthread_mutex_t lock;
	pthread_cond_t todo;
	struct shoal_disk_job *wait_first, **wait_end; /* in the order submitted, but barriers first */
	struct shoal_disk_job *done_first, **done_end;
	uint32_t jobs; /* submitted and not reaped */
	unsigned idle;
	bool waking; /* one of them has been told, and has not come yet: it tells the next, if there is more than it takes */
	unsigned barriers; /* SYNC and FINISH, waiting or in work, that went before all others */
	struct crew *crew; /* what a worker asks those that are idle to have a part in; NULL: nothing */
	pthread_cond_t crew_back;
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

/* Whether somebody is to be told that there are jobs. */
static bool wakes(struct shoal_disk_threads *dt)
{
	bool yes = dt->wait_first != NULL && dt->idle > 0 && !dt->waking;
	dt->waking = dt->waking || yes;
	return yes;
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

/* With the lock held: all of it has been taken, so nobody comes to it any more. By now another may be asking. */
static void crew_enough(struct shoal_disk_threads *dt, const struct crew *c)
{
	if (dt->crew == c)
		dt->crew = NULL;
}

/* As in files.h: with those workers that have nothing to do now. */
static void with_crew(void *to, void (*part)(void *run), void *run)
{
	struct shoal_disk_threads *dt = to;
	struct crew c = { part, run, 0 };
	pthread_mutex_lock(&dt->lock);
	bool asks = dt->crew == NULL && dt->idle > 0; /* one at a time; the others do theirs alone */
	if (asks) {
		dt->crew = &c;
		pthread_cond_broadcast(&dt->todo);
	}
	pthread_mutex_unlock(&dt->lock);
	part(run);
	if (!asks)
		return;
	pthread_mutex_lock(&dt->lock);
	crew_enough(dt, &c);
	while (c.members > 0)
		pthread_cond_wait(&dt->crew_back, &dt->lock);
	pthread_mutex_unlock(&dt->lock);
}

/* With the lock held, which is let go of meanwhile. false: nobody wants help. */
static bool help(struct shoal_disk_threads *dt)
{
	struct crew *c = dt->crew;
	if (c == NULL)
		return false;
	c->members++;
	pthread_mutex_unlock(&dt->lock);
	c->part(c->run);
	pthread_mutex_lock(&dt->lock);
	crew_enough(dt, c);
	if (--c->members == 0)
		pthread_cond_broadcast(&dt->crew_back);
	return true;
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
			if (help(dt))
				continue;
			dt->idle++;
			pthread_cond_wait(&dt->todo, &dt->lock);
			dt->idle--;
			dt->waking = false;
			continue;
		}
		if (wakes(dt))
			pthread_cond_signal(&dt->todo);
		unsigned n = w->count;
		struct shoal_disk_job *job[GROUP_MAX];
		memcpy(job, w->job, sizeof job);
		pthread_mutex_unlock(&dt->lock);

		if (job[0]->op == SHOAL_DISK_WRITE || job[0]->op == SHOAL_DISK_CHECK)
			shoal_disk_work_hashed(&w->work, job, n);
		else
			for (unsigned i = 0; i < n; i++)
				shoal_disk_work_one(&w->work, job[i]);

		pthread_mutex_lock(&dt->lock);
		w->count = 0;
		for (unsigned i = 0; i < n; i++) {
			dt->barriers -= job[i]->ahead;
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

static bool of_barrier(const struct shoal_disk_job *job)
{
	return job->op == SHOAL_DISK_SYNC || job->op == SHOAL_DISK_FINISH;
}

static void put_last(struct shoal_disk_threads *dt, struct shoal_disk_job *job)
{
	*dt->wait_end = job;
	dt->wait_end = &job->next;
}

/* A barrier stands for what has been written already. Behind all that waits to be written it would be late for no gain, and
 * so would the names of ten thousands of small files be: in the end nothing else would be left to do beside them. */
static void put_first(struct shoal_disk_threads *dt, struct shoal_disk_job *job)
{
	job->next = dt->wait_first;
	dt->wait_first = job;
	if (dt->wait_end == &dt->wait_first)
		dt->wait_end = &job->next;
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
		job->ahead = of_barrier(job) && dt->barriers < (dt->workers + 1) / 2;
		if (job->ahead)
			put_first(dt, job);
		else
			put_last(dt, job);
		dt->barriers += job->ahead;
		wake = wakes(dt);
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
	pthread_cond_init(&dt->crew_back, NULL);
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
		w->work = (struct shoal_disk_work){ .os = os, .files = dt->files, .crew = { with_crew, dt } };
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
		shoal_disk_work_fini(&dt->worker[i].work);
	}
	shoal_files_free(dt->files);
	if (dt->fd >= 0)
		dt->os->close(dt->fd);
	pthread_cond_destroy(&dt->crew_back);
	pthread_cond_destroy(&dt->todo);
	pthread_mutex_destroy(&dt->lock);
	free(dt);
}
