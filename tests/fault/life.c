/* life.c - see life.h. */
#include "tests/fault/life_room.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "tests/fault/model_room.h"
#include "tools/lab/world/content.h"

#define STEP_MAX SHOAL_MS(12)
#define QUIET_STEPS 4000 /* without a piece or a check that moves: stuck */
#define WAIT_MS 5000	 /* for a worker */

/* ---- torrents ---------------------------------------------------------------------------- */

void life_torrent_make(struct life_torrent *t, uint64_t seed, bool many)
{
	static const enum shoal_format formats[] = { SHOAL_FORMAT_V1, SHOAL_FORMAT_V2, SHOAL_FORMAT_HYBRID };
	struct shoal_rng rng = shoal_rng_split(seed, 31);
	struct sim_file_spec file[40];
	t->folder = MODEL_SAVE;
	char path[40][16];
	size_t count = many ? 20 + shoal_rng_below(&rng, 12) : 1 + shoal_rng_below(&rng, 7);
	for (size_t i = 0; i < count; i++) {
		bool deep = shoal_rng_below(&rng, 3) == 0;
		snprintf(path[i], sizeof path[i], deep ? "%02zu/in/x" : "%02zu", i);
		uint32_t most = many ? 40000 : 400000;
		file[i] = (struct sim_file_spec){ path[i], shoal_rng_below(&rng, 8) ? 1 + shoal_rng_below(&rng, most)
										    : shoal_rng_below(&rng, 3) };
	}
	file[0].size += 20000;
	struct sim_content_spec spec = { .seed = seed * 2 + 1,
					 .format = formats[shoal_rng_below(&rng, 3)],
					 .piece_size = 16384u << shoal_rng_below(&rng, many ? 2 : 3),
					 .file = file,
					 .file_count = count,
					 .single = count == 1 && shoal_rng_below(&rng, 2) };
	sim_content_init(&t->content, &spec);
	const struct shoal_metainfo *mi = t->content.mi;
	t->stream = model_must(calloc(shoal_metainfo_stream_size(mi) + 1, 1));
	for (uint32_t f = 0; f < shoal_metainfo_file_count(mi); f++) {
		uint64_t at = shoal_metainfo_file_offset(mi, f);
		if (!(shoal_metainfo_file_flags(mi, f) & SHOAL_FILE_PAD))
			sim_content_bytes(spec.seed, at, t->stream + at, shoal_metainfo_file_size(mi, f));
	}
}

void life_torrent_free(struct life_torrent *t)
{
	sim_content_fini(&t->content);
	free(t->stream);
}

const char *life_fault_name(unsigned fault)
{
	static const char *const name[] = { "false claim",     "claim lost",	"data lost",
					    "node lied",       "fetched again", "not whole under its name",
					    "named too early", "database",	"stuck" };
	for (unsigned i = 0; i < sizeof name / sizeof *name; i++)
		if (fault >> i & 1)
			return name[i];
	return "-";
}

/* ---- told ---------------------------------------------------------------------------------- */

struct life_told life_told_new(const struct life_torrent *t)
{
	uint32_t pieces = shoal_metainfo_piece_count(t->content.mi);
	return (struct life_told){ model_must(calloc(pieces, 1)), model_must(calloc(pieces, 1)), false };
}

void life_told_free(struct life_told *told)
{
	free(told->piece);
	free(told->record);
	*told = (struct life_told){ 0 };
}

void life_told_at(const struct life *l, size_t at, struct life_told *told)
{
	assert(at >= l->born);
	for (uint32_t p = 0; p < shoal_metainfo_piece_count(l->mi); p++) {
		told->piece[p] = l->said[p] <= at && l->unsaid[p] > at;
		told->record[p] = told->piece[p] && !(l->o.killed && l->said[p] == l->born);
	}
	told->complete = l->complete_at <= at;
}

/* ---- the world, and the disk that is given jobs one at a time ------------------------------------ */

static void w_secret(void *w, struct shoal_space out)
{
	struct life *l = w;
	for (size_t i = 0; i < out.len; i++)
		out.at[i] = (uint8_t)shoal_rng_next(&l->rng);
}
static int w_dial(void *w, const struct shoal_addr *to, uint64_t cookie)
{
	(void)w, (void)to, (void)cookie;
	return SHOAL_ERR_NET;
}
static void w_wake(void *w, shoal_us at)
{
	(void)w, (void)at; /* it is called often enough */
}
static int64_t w_unix(void *w)
{
	(void)w;
	return 1700000000;
}
static const struct shoal_world_ops world_ops = {
	.secret = w_secret, .dial = w_dial, .wake_at = w_wake, .unix_s = w_unix
};

static int q_open(void *d, const struct shoal_metainfo *mi, const char *folder, bool read_only, uint32_t *storage)
{
	struct life *l = d;
	return l->disk.ops->open(l->disk.d, mi, folder, read_only, storage);
}
static void q_close(void *d, uint32_t storage)
{
	struct life *l = d;
	l->disk.ops->close(l->disk.d, storage);
}
static int q_submit(void *d, struct shoal_disk_job *job)
{
	struct life *l = d;
	if (l->queued + l->backs == LIFE_JOBS_MAX)
		return SHOAL_ERR_BUSY;
	job->err = 0;
	l->queue[l->queued++] = job;
	return 0;
}
static size_t q_reap(void *d, struct shoal_disk_job *out[], size_t max)
{
	struct life *l = d;
	size_t n = l->backs < max ? l->backs : max;
	memcpy(out, l->back, n * sizeof *out);
	l->backs -= (unsigned)n;
	memmove(l->back, l->back + n, l->backs * sizeof *l->back);
	return n;
}
static int q_span(void *d, uint32_t storage, uint32_t piece, uint32_t begin, uint32_t len, struct shoal_disk_span *span)
{
	struct life *l = d;
	return l->disk.ops->span(l->disk.d, storage, piece, begin, len, span);
}
static void q_unspan(void *d, uint32_t file)
{
	struct life *l = d;
	l->disk.ops->unspan(l->disk.d, file);
}
static void q_stamp(void *d, uint32_t storage, uint32_t file, const struct shoal_stamp *stamp)
{
	struct life *l = d;
	l->disk.ops->stamp(l->disk.d, storage, file, stamp);
}
static uint64_t q_room(void *d, uint32_t storage)
{
	struct life *l = d;
	return l->disk.ops->room(l->disk.d, storage);
}
static void q_guard(void *d, uint32_t storage, uint32_t file)
{
	struct life *l = d;
	l->disk.ops->guard(l->disk.d, storage, file);
}
static const struct shoal_disk_ops queue_ops = {
	.open = q_open,
	.close = q_close,
	.submit = q_submit,
	.reap = q_reap,
	.span = q_span,
	.unspan = q_unspan,
	.stamp = q_stamp,
	.guard = q_guard,
	.room = q_room,
};

/* The store in front of the real one: commits are waited for, and told when the dice say so. */
static int c_get(void *s, unsigned kind, struct shoal_bytes key, void (*row)(void *, struct shoal_bytes), void *to)
{
	struct life *l = s;
	return l->store.ops->get(l->store.s, kind, key, row, to);
}
static int c_scan(void *s, unsigned kind, struct shoal_bytes prefix,
		  int (*row)(void *, struct shoal_bytes, struct shoal_bytes), void *to)
{
	struct life *l = s;
	return l->store.ops->scan(l->store.s, kind, prefix, row, to);
}
static int c_put(void *s, unsigned kind, struct shoal_bytes key, struct shoal_bytes value)
{
	struct life *l = s;
	return l->store.ops->put(l->store.s, kind, key, value);
}
static int c_drop(void *s, unsigned kind, struct shoal_bytes key)
{
	struct life *l = s;
	return l->store.ops->drop(l->store.s, kind, key);
}
static int c_commit(void *s, uint64_t cookie)
{
	struct life *l = s;
	int rc = l->store.ops->commit(l->store.s, cookie);
	l->commits += rc == 0;
	return rc;
}
static size_t c_reap(void *s, struct shoal_store_done out[], size_t max)
{
	struct life *l = s;
	size_t n = l->dones < max ? l->dones : max;
	memcpy(out, l->done, n * sizeof *out);
	l->dones -= (unsigned)n;
	memmove(l->done, l->done + n, l->dones * sizeof *l->done);
	return n;
}
static void c_hold(void *s, bool hold)
{
	struct life *l = s;
	l->store.ops->hold(l->store.s, hold);
}
static const struct shoal_store_ops commit_ops = {
	.get = c_get, .hold = c_hold, .scan = c_scan, .put = c_put, .drop = c_drop, .commit = c_commit, .reap = c_reap
};

static bool of_piece(const struct shoal_disk_job *job)
{
	return job->op == SHOAL_DISK_WRITE || job->op == SHOAL_DISK_READ || job->op == SHOAL_DISK_CHECK;
}

/* One of the waiting jobs, but never one that overtakes another of its piece. */
static struct shoal_disk_job *queue_pick(struct life *l)
{
	unsigned at = shoal_rng_below(&l->rng, l->queued);
	for (unsigned i = 0; i < at; i++)
		if (of_piece(l->queue[i]) && of_piece(l->queue[at]) && l->queue[i]->piece == l->queue[at]->piece)
			at = i;
	struct shoal_disk_job *job = l->queue[at];
	memmove(l->queue + at, l->queue + at + 1, (--l->queued - at) * sizeof *l->queue);
	return job;
}

static bool wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return poll(&p, 1, WAIT_MS) == 1;
}

static void queue_run(struct life *l, bool all)
{
	while (l->queued > 0 && (all || shoal_rng_below(&l->rng, 8))) {
		struct shoal_disk_job *job = queue_pick(l), *done;
		if (l->disk.ops->submit(l->disk.d, job) < 0)
			abort();
		while (l->disk.ops->reap(l->disk.d, &done, 1) == 0)
			if (!wait_for(shoal_disk_threads_fd(l->dt)))
				abort();
		l->back[l->backs++] = done;
	}
}

/* ---- living ------------------------------------------------------------------------------------- */

static void say(struct life *l, const char *what, struct shoal_bytes text)
{
	snprintf(l->words, sizeof l->words, "%s: %.*s", what, (int)(text.len < 200 ? text.len : 200),
		 text.len ? (const char *)text.at : "");
}

static void note_pieces(struct life *l, struct shoal_bytes bits, size_t at)
{
	l->claimed = 0;
	for (uint32_t p = 0; p < shoal_metainfo_piece_count(l->mi) && bits.len > p / 8; p++) {
		bool set = bits.at[p / 8] >> (7 - p % 8) & 1;
		l->claimed += set;
		if (set && l->said[p] != SIZE_MAX && l->unsaid[p] != SIZE_MAX) /* withdrawn, and here again */
			l->said[p] = l->unsaid[p] = SIZE_MAX;
		if (set && l->said[p] == SIZE_MAX)
			l->said[p] = at;
		if (!set && l->said[p] != SIZE_MAX && l->unsaid[p] == SIZE_MAX && l->checked)
			l->unsaid[p] = at;
	}
}

static void hear(struct life *l)
{
	struct shoal_event ev;
	struct shoal_op ask = { .kind = SHOAL_OP_PIECES, .torrent = l->torrent };
	size_t at = model_log_length(l->m);
	bool asked = false;
	for (;;) {
		if (shoal_node_poll(l->node, &ev) == 0) {
			if (asked || l->torrent == 0 || !l->checked) /* before, every piece may be one */
				return;
			asked = true;
			if (shoal_node_do(l->node, &ask, l->now) < 0)
				return;
			continue;
		}
		switch (ev.kind) {
		case SHOAL_EV_ADDED:
			l->torrent = ev.torrent;
			if (ev.err < 0) {
				say(l, "not added", ev.text);
				l->ended = true;
			}
			break;
		case SHOAL_EV_CHECKED: l->checked = true; break;
		case SHOAL_EV_PIECE:
			if (l->said[ev.index] == SIZE_MAX)
				l->said[ev.index] = at;
			break;
		case SHOAL_EV_PIECES: note_pieces(l, ev.data, at); break;
		case SHOAL_EV_COMPLETE:
			l->complete = true;
			if (l->complete_at == SIZE_MAX)
				l->complete_at = at;
			break;
		case SHOAL_EV_PAUSED:
			say(l, "paused", ev.text);
			l->pauses++;
			break;
		case SHOAL_EV_WARNING: say(l, "warning", ev.text); break;
		case SHOAL_EV_ERROR:
			say(l, "error", ev.text);
			l->ended = true;
			break;
		case SHOAL_EV_STOPPED: l->stopped = true; break;
		default: break;
		}
	}
}

static void traffic(struct life *l)
{
	if (!l->checked || l->ended || l->stopped)
		return;
	if (!l->source.open) {
		struct shoal_addr from = { .ip = { 127, 0, 0, 1 }, .port = 7, .is_v4 = 1 };
		shoal_node_accept(l->node, source_connect(&l->source), &from, l->now);
	}
	if (l->source.open && !source_turn(&l->source, shoal_rng_below(&l->rng, l->o.blocks + 1)))
		return;
	if (l->source.open && source_waiting(&l->source) > 0)
		shoal_node_ready(l->node, &l->source.transport, SHOAL_WANT_READ, l->now);
	if (l->source.open && (l->source.wants & SHOAL_WANT_WRITE))
		shoal_node_ready(l->node, &l->source.transport, SHOAL_WANT_WRITE, l->now);
}

/* Lets workers and the store get on, all the way when the order is ours to decide. */
static void work_on(struct life *l, bool all)
{
	struct pollfd p[2] = { { .fd = shoal_disk_threads_fd(l->dt), .events = POLLIN },
			       { .fd = shoal_store_sqlite_fd(l->sqlite), .events = POLLIN } };
	if (l->o.workers > 0) {
		if (!shoal_node_idle(l->node))
			poll(p, 2, all ? WAIT_MS : (int)shoal_rng_below(&l->rng, 2));
		shoal_node_reap(l->node, l->now);
		return;
	}
	queue_run(l, all);
	while (l->commits > 0) {
		size_t n = l->store.ops->reap(l->store.s, l->done + l->dones, SHOAL_STORE_COMMITS_MAX - l->dones);
		if (n == 0 && !wait_for(p[1].fd))
			abort();
		l->commits -= (unsigned)n;
		l->dones += (unsigned)n;
	}
	if (all || shoal_rng_below(&l->rng, 3))
		shoal_node_reap(l->node, l->now);
}

bool life_step(struct life *l)
{
	uint32_t before = l->claimed;
	l->now += 1 + shoal_rng_below(&l->rng, l->pauses > 0 ? SHOAL_MS(300) : STEP_MAX);
	traffic(l);
	shoal_node_tick(l->node, l->now);
	work_on(l, false);
	shoal_node_tick(l->node, l->now);
	hear(l);
	for (uint32_t p = 0; p < shoal_metainfo_piece_count(l->mi); p++)
		if (l->had[p] && l->source.asked[p] > 0 && l->unsaid[p] == SIZE_MAX)
			l->faults |= LIFE_AGAIN;
	l->quiet = before == l->claimed ? l->quiet + 1 : 0;
	if (l->ended || (l->quiet > QUIET_STEPS && !l->complete)) {
		l->faults |= LIFE_STUCK;
		l->ended = true;
	}
	return !l->ended;
}

bool life_complete(const struct life *l)
{
	return l->complete;
}
size_t life_born(const struct life *l)
{
	return l->born;
}
uint32_t life_claimed(const struct life *l)
{
	return l->claimed;
}
unsigned life_faults(const struct life *l)
{
	return l->faults;
}
uint64_t life_asked(const struct life *l)
{
	uint64_t sum = 0;
	for (uint32_t p = 0; p < shoal_metainfo_piece_count(l->mi); p++)
		sum += l->source.asked[p];
	return sum;
}
const char *life_words(const struct life *l)
{
	return l->words;
}
unsigned life_pauses(const struct life *l)
{
	return l->pauses;
}

/* ---- birth and death ------------------------------------------------------------------------------ */

static bool node_make(struct life *l)
{
	struct shoal_disk queue = { &queue_ops, l };
	struct shoal_store commits = { &commit_ops, l };
	struct shoal_node_options o = { .world = { &world_ops, l },
					.disk = l->o.workers ? l->disk : queue,
					.store = l->o.workers ? l->store : commits,
					.budget = &l->budget,
					.slots = l->slots,
					.rng = shoal_rng_split(l->o.seed, 5) };
	struct shoal_op add = { .kind = SHOAL_OP_ADD,
				.data = { l->t->content.torrent, l->t->content.torrent_len },
				.adopt = l->o.adopt,
				.folder = shoal_bytes(l->t->folder, strlen(l->t->folder)) };
	return shoal_node_new(&l->node, &o, l->now) == 0 && shoal_node_do(l->node, &add, l->now) == 0;
}

struct life *life_begin(struct model *m, const struct life_torrent *t, const struct life_options *options,
			const struct life_told *told, unsigned *faults, uint64_t *rehashed, char words[320])
{
	struct life *l = model_must(calloc(1, sizeof *l));
	uint32_t pieces = shoal_metainfo_piece_count(t->content.mi);
	struct shoal_store_options so = { .os = model_os(), .state = MODEL_STATE, .vfs = MODEL_VFS };
	char what[160] = "";
	l->m = m;
	l->t = t;
	l->mi = t->content.mi;
	l->o = *options;
	l->rng = shoal_rng_split(options->seed, 3);
	l->now = SHOAL_S(100);
	l->budget.limit = options->memory;
	l->said = model_must(malloc(pieces * sizeof *l->said));
	l->unsaid = model_must(malloc(pieces * sizeof *l->unsaid));
	l->had = model_must(calloc(pieces, 1));
	memset(l->said, 0xff, pieces * sizeof *l->said);
	memset(l->unsaid, 0xff, pieces * sizeof *l->unsaid);
	l->complete_at = SIZE_MAX;
	source_init(&l->source, l->mi, t->stream, shoal_rng_split(options->seed, 4), options->bad);
	*faults = 0;
	model_use(m);
	l->born = model_log_length(m);
	if (shoal_slots_new(&l->slots, &l->budget) < 0 ||
	    shoal_disk_threads_new(&l->dt, model_os(), options->workers ? options->workers : 1) < 0)
		abort();
	l->disk = shoal_disk_threads_disk(l->dt);
	int rc = shoal_store_sqlite_open(&l->sqlite, &so, what);
	bool promised = false;
	for (uint32_t p = 0; told != NULL && p < pieces; p++)
		promised |= told->piece[p];
	if (rc < 0 || (what[0] && promised)) { /* a store in which nothing was promised yet may have been lost */
		snprintf(l->words, sizeof l->words, "store: %s (%s)", what, shoal_err_name(rc));
		*faults |= LIFE_STORE;
	}
	memcpy(words, l->words, sizeof l->words);
	if (rc < 0) {
		life_end(l, false);
		return NULL;
	}
	l->store = shoal_store_sqlite_store(l->sqlite);
	*faults |= life_check_disk(l, told, rehashed);
	if (!node_make(l))
		abort();
	while (!l->checked && life_step(l))
		;
	hear(l);
	*faults |= life_check_claims(l, told) | l->faults;
	memcpy(words, l->words, sizeof l->words);
	return l;
}

unsigned life_end(struct life *l, bool clean)
{
	if (l == NULL)
		return 0;
	if (l->node != NULL && clean && !l->ended) {
		struct shoal_op stop = { .kind = SHOAL_OP_STOP };
		(void)!shoal_node_do(l->node, &stop, l->now);
		for (int i = 0; i < 2000 && !l->stopped; i++) {
			l->now += SHOAL_MS(1);
			shoal_node_tick(l->node, l->now);
			work_on(l, true);
			hear(l);
		}
		if (!l->stopped)
			l->faults |= LIFE_STUCK;
	}
	for (int i = 0; l->node != NULL && !shoal_node_idle(l->node) && i < 100000; i++)
		work_on(l, true);
	shoal_node_free(l->node);
	shoal_disk_threads_free(l->dt);
	shoal_store_sqlite_close(l->sqlite);
	shoal_slots_free(l->slots);
	source_fini(&l->source);
	free(l->said);
	free(l->unsaid);
	free(l->had);
	unsigned faults = l->faults;
	free(l);
	return faults;
}
