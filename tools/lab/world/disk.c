/* disk.c - the disk that a node is given: its queue, its storages, its faults. */
#include "tools/lab/world/disk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/fetch.h"
#include "tools/lab/world/digest.h"
#include "tools/lab/world/disk_room.h"

#define HOLD_LOOK SHOAL_MS(10)

struct flight {
	struct sim_alarm end;
	struct flight *next;
	struct sim_disk *disk;
	struct shoal_disk_job *job;
	shoal_us at;
};

void sim_disk_foresee(const struct sim_disk *d)
{
	shoal_fetch(&d->flights, offsetof(struct sim_disk, watch_to) - offsetof(struct sim_disk, flights));
}

/* ---- the queue --------------------------------------------------------------------------------- */

static void give_back(struct sim_disk *d, struct flight *flight)
{
	struct flight **at = &d->flights;
	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
	d->count--;
	flight->job->next = NULL;
	*d->done_tail = flight->job;
	d->done_tail = &flight->job->next;
	free(flight);
	d->o.wake(d->o.to);
}

static void on_end(struct sim_alarm *alarm)
{
	struct flight *flight = SIM_OF(alarm, struct flight, end);
	struct sim_disk *d = flight->disk;
	if (d->held) {
		sim_alarm_set(d->o.clock, alarm, d->o.clock->now + HOLD_LOOK);
		return;
	}
	flight->job->os = 0;
	flight->job->err = sim_disk_perform(d, flight->job);
	if (d->watch != NULL)
		d->watch(d->watch_to, flight->job);
	give_back(d, flight);
}

static int disk_submit(void *to_d, struct shoal_disk_job *job)
{
	struct sim_disk *d = to_d;
	shoal_us now = d->o.clock->now;
	if (d->count >= SIM_DISK_JOBS)
		return SHOAL_ERR_BUSY;
	struct flight *flight = sim_must(calloc(1, sizeof *flight));
	flight->disk = d;
	flight->job = job;
	flight->end.ring = on_end;
	flight->at = now + d->o.latency[0] +
		     shoal_rng_below(&d->rng, (uint32_t)(d->o.latency[1] - d->o.latency[0]) + 1);
	if (d->o.rate > 0 && job->len > 0) { /* one head, for all */
		d->busy_until = (d->busy_until > now ? d->busy_until : now) + (uint64_t)job->len * 1000000 / d->o.rate;
		flight->at += d->busy_until - now;
	}
	bool of_piece = job->op == SHOAL_DISK_WRITE || job->op == SHOAL_DISK_READ || job->op == SHOAL_DISK_CHECK;
	for (const struct flight *f = d->flights; of_piece && f != NULL; f = f->next)
		if (f->job->storage == job->storage && f->job->piece == job->piece && f->at > flight->at)
			flight->at = f->at; /* in order: set later, it rings later */
	flight->next = d->flights;
	d->flights = flight;
	d->count++;
	if (d->dead) {
		job->err = SHOAL_ERR_IO;
		give_back(d, flight);
		return 0;
	}
	if (job->op == SHOAL_DISK_SYNC && !d->skip_sync)
		sim_disk_sync_begin(sim_disk_storage(d, job), job);
	sim_alarm_set(d->o.clock, &flight->end, flight->at);
	return 0;
}

static size_t disk_reap(void *to_d, struct shoal_disk_job *out[], size_t max)
{
	struct sim_disk *d = to_d;
	size_t n = 0;
	while (n < max && d->done != NULL) {
		out[n++] = d->done;
		d->done = d->done->next;
	}
	if (d->done == NULL)
		d->done_tail = &d->done;
	return n;
}

static int disk_open(void *to_d, const struct shoal_metainfo *mi, const char *folder, bool read_only, uint32_t *storage)
{
	struct sim_disk *d = to_d;
	uint32_t files = shoal_metainfo_file_count(mi);
	for (uint32_t i = 0; i < SIM_DISK_STORAGES; i++) {
		struct storage *st = &d->storage[i];
		if (st->mi != NULL)
			continue;
		*st = (struct storage){ .mi = mi, .folder = sim_must(strdup(folder)), .read_only = read_only };
		st->file = sim_must(calloc(files + 1u, sizeof(struct sim_file *)));
		st->stamp = sim_must(calloc(files + 1u, sizeof *st->stamp));
		st->wrote = sim_must(calloc(files + 1u, sizeof *st->wrote));
		st->ends = sim_must(calloc(files + 1u, sizeof *st->ends));
		for (uint32_t f = 0; f < files; f++)
			st->file[f] = sim_disk_stored(mi, f) ? sim_disk_file_named(d, folder, mi, f) : NULL;
		st->file[files] = sim_disk_part_of(d, folder, mi);
		*storage = i;
		return 0;
	}
	return SHOAL_ERR_BUSY;
}

static void disk_close(void *to_d, uint32_t storage)
{
	struct sim_disk *d = to_d;
	struct storage *st = &d->storage[storage];
	assert(storage < SIM_DISK_STORAGES && st->mi != NULL);
	for (const struct flight *f = d->flights; f != NULL; f = f->next)
		assert(f->job->storage != storage);
	free(st->folder);
	free(st->file);
	free(st->stamp);
	free(st->wrote);
	free(st->ends);
	*st = (struct storage){ 0 };
}

static void disk_stamp(void *to_d, uint32_t storage, uint32_t file, const struct shoal_stamp *stamp)
{
	struct sim_disk *d = to_d;
	assert(storage < SIM_DISK_STORAGES && d->storage[storage].mi != NULL);
	d->storage[storage].stamp[file] = *stamp;
}

static int disk_part(void *to_d, uint32_t storage, uint32_t file, unsigned end, bool in)
{
	struct sim_disk *d = to_d;
	struct storage *st = &d->storage[storage];
	assert(storage < SIM_DISK_STORAGES && st->mi != NULL && file < shoal_metainfo_file_count(st->mi) && end < 2);
	st->ends[file] = (uint8_t)(in ? st->ends[file] | 1u << end : st->ends[file] & ~(1u << end));
	return 0;
}

static uint64_t disk_room(void *to_d, uint32_t storage)
{
	const struct sim_disk *d = to_d;
	(void)storage;
	if (d->room == UINT64_MAX)
		return UINT64_MAX;
	return d->medium.used < d->room ? d->room - d->medium.used : 0;
}

static void disk_digest(void *to_d, uint32_t storage, uint32_t piece, uint32_t block, const struct shoal_slot *slot,
			uint8_t out[32])
{
	const struct sim_disk *d = to_d;
	const struct sim_content *c = d->o.content;
	uint64_t pos = (uint64_t)piece * shoal_metainfo_piece_size(c->mi) + (uint64_t)block * SHOAL_BLOCK;
	uint32_t len = slot->len < SIM_HEAD ? slot->len : SIM_HEAD;
	(void)storage;
	if (!d->o.heads)
		shoal_sha256((struct shoal_bytes){ slot->at, slot->len }, out);
	else if (sim_content_is(c->seed, pos, slot->at, len))
		sim_content_digest(c, piece, block, out);
	else
		shoal_sha256((struct shoal_bytes){ slot->at, len }, out);
}

/* ---- spans ------------------------------------------------------------------------------------ */

#define SPAN_FILES 24 /* bits of a span's file number that say which of its storage's; those above: which storage */

/* What would have to be waited for (a disk with a rate, a fault that strikes READs) is no span. */
static int disk_span(void *to_d, uint32_t storage, uint32_t piece, uint32_t begin, uint32_t len,
		     struct shoal_disk_span *span)
{
	struct sim_disk *d = to_d;
	struct storage *st = &d->storage[storage];
	struct part part;
	uint32_t at = begin;
	if (!d->o.spans || d->held || d->o.rate > 0 || d->poison > 0 || d->dead || d->fail[SHOAL_DISK_READ].count > 0)
		return 0;
	if (!sim_disk_part_place(st, piece, &at, begin + len, &part) || part.len != len || st->file[part.file] == NULL)
		return 0;
	const struct shoal_stamp *stamp = &st->stamp[part.file];
	if (part.file >= UINT32_C(1) << SPAN_FILES || (stamp->ino == 0 && stamp->size == 0))
		return 0;
	if (!sim_disk_unchanged(st, part.file))
		return SHOAL_ERR_GONE;
	*span = (struct shoal_disk_span){ .file = storage << SPAN_FILES | part.file, .offset = part.offset };
	return 1;
}

static void disk_unspan(void *to_d, uint32_t file)
{
	(void)to_d;
	(void)file;
}

int sim_disk_span_read(struct sim_disk *d, uint32_t file, uint64_t offset, struct shoal_space to)
{
	const struct storage *st = &d->storage[file >> SPAN_FILES];
	assert(st->mi != NULL);
	return sim_file_read(st->file[file & ((UINT32_C(1) << SPAN_FILES) - 1)], offset, to.at, to.len)
		       ? 0
		       : SHOAL_ERR_GONE;
}

static const struct shoal_disk_ops disk_ops = {
	.span = disk_span,
	.unspan = disk_unspan,
	.digest = disk_digest,
	.open = disk_open,
	.close = disk_close,
	.submit = disk_submit,
	.reap = disk_reap,
	.stamp = disk_stamp,
	.part = disk_part,
	.room = disk_room,
};

struct shoal_disk sim_disk_view(struct sim_disk *d)
{
	return (struct shoal_disk){ &disk_ops, d };
}

/* ---- its own life -------------------------------------------------------------------------------- */

struct sim_disk *sim_disk_new(const struct sim_disk_options *options)
{
	struct sim_disk *d = sim_must(calloc(1, sizeof *d));
	d->o = *options;
	d->rng = options->rng;
	d->room = UINT64_MAX;
	d->done_tail = &d->done;
	assert(!options->heads || sim_content_aligned(options->content));
	sim_medium_init(&d->medium, shoal_rng_split(shoal_rng_u64(&d->rng), 1), options->heads ? SIM_HEAD : 0);
	return d;
}

void sim_disk_free(struct sim_disk *d)
{
	if (d == NULL)
		return;
	assert(d->flights == NULL && d->done == NULL);
	for (uint32_t i = 0; i < SIM_DISK_STORAGES; i++)
		assert(d->storage[i].mi == NULL);
	sim_medium_fini(&d->medium);
	free(d->known.file);
	free(d);
}

void sim_disk_fill(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi)
{
	for (uint32_t f = 0; f < shoal_metainfo_file_count(mi); f++)
		if (sim_disk_stored(mi, f))
			sim_file_fill(&d->medium, sim_disk_file_of(d, folder, mi, f), sim_disk_now_ns(d));
}

void sim_disk_fill_piece(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t piece)
{
	struct part part;
	for (uint32_t at = 0; sim_disk_part_next(mi, piece, &at, shoal_metainfo_piece_bytes(mi, piece), &part);)
		sim_file_fill_range(&d->medium, sim_disk_file_of(d, folder, mi, part.file), part.offset, part.len,
				    sim_disk_now_ns(d));
}

void sim_disk_crash(struct sim_disk *d, enum sim_crash kind)
{
	for (struct flight *f = d->flights; f != NULL; f = f->next) {
		struct shoal_disk_job *job = f->job;
		struct storage *st = sim_disk_storage(d, job);
		sim_alarm_drop(d->o.clock, &f->end);
		if (shoal_rng_below(&d->rng, 2) == 0)
			continue;
		if (job->op == SHOAL_DISK_WRITE)
			(void)sim_disk_do_write(d, st, job, shoal_rng_below(&d->rng, job->slot_count + 1));
		else if (job->op == SHOAL_DISK_FINISH)
			(void)sim_disk_do_finish(d, st, job, false);
		else if (job->op == SHOAL_DISK_REVEAL)
			(void)sim_disk_do_reveal(d, st, job, shoal_rng_below(&d->rng, job->count + 1));
	}
	sim_medium_crash(&d->medium, kind);
	d->dead = true;
	d->held = false;
	while (d->flights != NULL) {
		d->flights->job->err = SHOAL_ERR_IO;
		give_back(d, d->flights);
	}
}

void sim_disk_revive(struct sim_disk *d)
{
	assert(d->dead && d->flights == NULL && d->done == NULL);
	d->dead = false;
	d->busy_until = 0;
}

void sim_disk_watch(struct sim_disk *d, void (*job)(void *to, const struct shoal_disk_job *job), void *to)
{
	d->watch = job;
	d->watch_to = to;
}

/* ---- faults ----------------------------------------------------------------------------------------- */

void sim_disk_fail(struct sim_disk *d, enum shoal_disk_op op, int err, unsigned skip, unsigned count)
{
	d->fail[op].err = err;
	d->fail[op].skip = skip;
	d->fail[op].count = count;
}

bool sim_disk_busy(const struct sim_disk *d)
{
	return d->count > 0;
}

unsigned sim_disk_failed(const struct sim_disk *d)
{
	return d->failed;
}

void sim_disk_room(struct sim_disk *d, uint64_t bytes)
{
	d->room = bytes;
}

void sim_disk_hold(struct sim_disk *d, bool held)
{
	d->held = held;
}

void sim_disk_poison(struct sim_disk *d, uint32_t ppm)
{
	d->poison = ppm;
}

void sim_disk_rate(struct sim_disk *d, uint64_t rate)
{
	d->o.rate = rate;
}

void sim_disk_skip_sync(struct sim_disk *d, bool skip)
{
	d->skip_sync = skip;
}

void sim_disk_remove(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t file)
{
	sim_file_remove(&d->medium, sim_disk_file_of(d, folder, mi, file));
}

void sim_disk_truncate(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t file,
		       uint64_t size)
{
	sim_file_truncate(&d->medium, sim_disk_file_of(d, folder, mi, file), size, sim_disk_now_ns(d));
}

void sim_disk_rot_file(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t file,
		       uint64_t offset)
{
	sim_file_flip(&d->medium, sim_disk_file_of(d, folder, mi, file), offset);
}

void sim_disk_rot(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t piece)
{
	struct part part;
	uint32_t at = 0;
	if (sim_disk_part_next(mi, piece, &at, shoal_metainfo_piece_bytes(mi, piece), &part))
		sim_file_flip(&d->medium, sim_disk_file_of(d, folder, mi, part.file), part.offset);
}

/* ---- what lies there ---------------------------------------------------------------------------------- */

bool sim_disk_piece_right(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t piece,
			  bool durable)
{
	struct part part;
	for (uint32_t at = 0; sim_disk_part_next(mi, piece, &at, shoal_metainfo_piece_bytes(mi, piece), &part);)
		if (!sim_file_right(sim_disk_file_of(d, folder, mi, part.file), part.offset, part.len, durable) &&
		    !sim_file_right(sim_disk_part_of(d, folder, mi),
				    (uint64_t)piece * shoal_metainfo_piece_size(mi) + part.at, part.len, durable))
			return false;
	return true;
}

bool sim_disk_complete(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi)
{
	for (uint32_t f = 0; f < shoal_metainfo_file_count(mi); f++) {
		if (!sim_disk_stored(mi, f))
			continue;
		const struct sim_file *file = sim_disk_file_of(d, folder, mi, f);
		if (file->durable.state != SHOAL_SEEN_WHOLE || file->live.state != SHOAL_SEEN_WHOLE ||
		    file->live.size != file->size_max || !sim_file_right(file, 0, file->size_max, false) ||
		    !sim_file_right(file, 0, file->size_max, true))
			return false;
	}
	return true;
}

enum shoal_seen_state sim_disk_file(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi,
				    uint32_t file, bool *right)
{
	const struct sim_file *f = sim_disk_stored(mi, file) ? sim_disk_file_of(d, folder, mi, file) : NULL;
	if (f == NULL)
		return SHOAL_SEEN_NONE;
	*right = f->live.size == f->size_max && sim_file_right(f, 0, f->size_max, false) &&
		 sim_file_right(f, 0, f->size_max, true) && f->durable.state == f->live.state;
	return f->live.state;
}

bool sim_disk_part(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi)
{
	return sim_disk_part_of(d, folder, mi)->live.state != SHOAL_SEEN_NONE;
}

uint64_t sim_disk_digest(const struct sim_disk *d)
{
	uint64_t sum = SIM_DIGEST_START;
	for (const struct sim_file *f = d->medium.file; f != NULL; f = f->next) {
		sum = sim_digest(sum, f->path, strlen(f->path));
		sum = sim_digest_u64(sum, f->live.state | f->live.size << 8);
		sum = sim_digest_u64(sum, (uint64_t)f->live.mtime_ns);
		for (uint64_t at = 0; at < f->live.size; at += SIM_PAGE) {
			uint64_t len = f->live.size - at < SIM_PAGE ? f->live.size - at : SIM_PAGE;
			sum = sim_digest_u64(sum, sim_file_right(f, at, len, false) | sim_file_right(f, at, len, true)
											      << 1);
		}
	}
	return sum;
}
