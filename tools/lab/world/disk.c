/* disk.c - jobs of disk.h over a medium in memory. */
#include "tools/lab/world/disk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/fetch.h"
#include "proto/merkle.h"
#include "swarm/core/claims.h"
#include "tools/lab/world/digest.h"

#define STORAGES 8
#define OPS (SHOAL_DISK_FIND + 1)
#define HOLD_LOOK SHOAL_MS(10)

struct storage {
	const struct shoal_metainfo *mi; /* NULL: free */
	char *folder;
	struct sim_file **file; /* NULL for pads and symlinks */
	struct shoal_stamp *stamp;
	bool *wrote; /* since it was opened */
	uint8_t *
		ends; /* by file: 1 its first, 2 its last piece's bytes lie in the part file, which is file number file_count */
	bool read_only;
};
struct flight {
	struct sim_alarm end;
	struct flight *next;
	struct sim_disk *disk;
	struct shoal_disk_job *job;
	shoal_us at;
};
struct sim_disk {
	struct sim_disk_options o;
	struct shoal_rng rng;
	struct sim_medium medium;
	struct storage storage[STORAGES];
	struct { /* the files of the torrent that was looked at last */
		const struct shoal_metainfo *mi;
		const char *folder;
		struct sim_file **file;
	} known;
	struct flight *flights;
	unsigned count;
	struct shoal_disk_job *done, **done_tail;
	shoal_us busy_until;
	struct {
		int err;
		unsigned skip, count;
	} fail[OPS];
	unsigned failed;
	uint64_t room;
	uint32_t poison;
	bool dead, held, skip_sync;
	void (*watch)(void *to, const struct shoal_disk_job *job);
	void *watch_to;
};

static void *must(void *at)
{
	if (at == NULL)
		abort();
	return at;
}

void sim_disk_foresee(const struct sim_disk *d)
{
	shoal_fetch(&d->flights, offsetof(struct sim_disk, watch_to) - offsetof(struct sim_disk, flights));
}

static int64_t now_ns(const struct sim_disk *d)
{
	return (int64_t)d->o.clock->now * 1000;
}

/* ---- pieces and files --------------------------------------------------------------------- */

static bool stored(const struct shoal_metainfo *mi, uint32_t file)
{
	return !(shoal_metainfo_file_flags(mi, file) & (SHOAL_FILE_PAD | SHOAL_FILE_SYMLINK));
}

static struct sim_file *file_named(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi,
				   uint32_t file)
{
	char path[SHOAL_PATH_BYTES_MAX + 300];
	int n = snprintf(path, 256, "%s/", folder);
	int rc = shoal_metainfo_path(mi, file, (struct shoal_space){ (uint8_t *)path + n, SHOAL_PATH_BYTES_MAX + 1 });
	assert(n < 256 && rc >= 0);
	(void)rc;
	return sim_medium_file(&d->medium, path, d->o.content->seed, shoal_metainfo_file_offset(mi, file),
			       shoal_metainfo_file_size(mi, file));
}

/* The same, without a look at its name each time. */
static struct sim_file *file_of(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t file)
{
	if (d->known.mi != mi || d->known.folder != folder) {
		free(d->known.file);
		d->known.file = must(calloc(shoal_metainfo_file_count(mi) + 1u, sizeof(struct sim_file *)));
		d->known.mi = mi;
		d->known.folder = folder;
	}
	if (d->known.file[file] == NULL)
		d->known.file[file] = file_named(d, folder, mi, file);
	return d->known.file[file];
}

/* The part file holds every byte at its place in the stream: what it is sparse of costs nothing here. */
static struct sim_file *part_of(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi)
{
	char path[300];
	int n = snprintf(path, sizeof path, "/parts%s", folder);
	assert(n > 0 && n < (int)sizeof path);
	(void)n;
	return sim_medium_file(&d->medium, path, d->o.content->seed, 0, shoal_metainfo_stream_size(mi));
}

/* A span of a piece within one file. */
struct part {
	uint32_t file;
	uint64_t offset;  /* in the file */
	uint32_t at, len; /* in the piece */
};
/* The next part of [at, end) of a piece that is stored; false when there is none. */
static bool next_part(const struct shoal_metainfo *mi, uint32_t piece, uint32_t *at, uint32_t end, struct part *out)
{
	uint64_t base = (uint64_t)piece * shoal_metainfo_piece_size(mi);
	while (*at < end) {
		uint64_t pos = base + *at;
		uint32_t f = shoal_metainfo_file_at(mi, pos);
		uint64_t begin = shoal_metainfo_file_offset(mi, f);
		uint64_t stop = begin + shoal_metainfo_file_size(mi, f);
		if (pos >= stop)
			return false; /* padding to the end of the piece */
		uint32_t len = stop - pos < end - *at ? (uint32_t)(stop - pos) : end - *at;
		*out = (struct part){ .file = f, .offset = pos - begin, .at = *at, .len = len };
		*at += len;
		if (stored(mi, f))
			return true;
	}
	return false;
}

/* Where a part really lies: in its file, or in the part file. */
static bool place_part(const struct storage *st, uint32_t piece, uint32_t *at, uint32_t end, struct part *out)
{
	uint32_t first, skew;
	if (!next_part(st->mi, piece, at, end, out))
		return false;
	uint8_t ends = st->ends[out->file];
	uint32_t count = ends != 0 ? shoal_claim_pieces(st->mi, out->file, &first, &skew) : 0;
	if (count > 0 && ((piece == first && ends & 1) || (piece == first + count - 1 && ends & 2))) {
		out->file = shoal_metainfo_file_count(st->mi);
		out->offset = (uint64_t)piece * shoal_metainfo_piece_size(st->mi) + out->at;
	}
	return true;
}

/* ---- hashing -------------------------------------------------------------------------------- */

static void sha1_feed(struct shoal_sha1 *sha, const uint8_t *at, size_t len)
{
	struct shoal_sha1 *ctx[1] = { sha };
	const uint8_t *in[1] = { at };
	shoal_sha1_advance(ctx, in, 1, len);
}

/* By heads alone there is nothing to digest: sha1.len counts the bytes, and tail_len the blocks that are not right. */
static void hash_head(const struct sim_disk *d, struct shoal_disk_job *job, uint32_t block, const uint8_t *at,
		      size_t len)
{
	const struct sim_content *c = d->o.content;
	struct shoal_piece_hash *h = job->hash;
	uint64_t pos = (uint64_t)job->piece * shoal_metainfo_piece_size(c->mi) + (uint64_t)block * SHOAL_BLOCK;
	bool good = sim_content_is(c->seed, pos, at, len < SIM_HEAD ? len : SIM_HEAD);
	h->sha1.len += len;
	h->sha1.tail_len += !good;
	/* Of a piece that is written as it comes nothing but the leaves tells later what it was. */
	bool as_it_comes = job->op == SHOAL_DISK_WRITE && h->has_v2 && !(job->flags & SHOAL_DISK_IF_GOOD);
	if (as_it_comes || (job->flags & SHOAL_DISK_LEAVES)) {
		if (good)
			sim_content_digest(c, job->piece, block, h->leaf[block]);
		else
			shoal_sha256((struct shoal_bytes){ at, len < SIM_HEAD ? len : SIM_HEAD }, h->leaf[block]);
	}
}

static bool leaves_right(const struct sim_content *c, uint32_t piece, const struct shoal_piece_hash *h)
{
	uint8_t want[32];
	for (uint32_t b = 0; b < (h->bytes + SHOAL_BLOCK - 1) / SHOAL_BLOCK; b++) {
		sim_content_digest(c, piece, b, want);
		if (memcmp(h->leaf[b], want, 32) != 0)
			return false;
	}
	return true;
}

static void head_end(const struct sim_disk *d, struct shoal_disk_job *job)
{
	const struct shoal_metainfo *mi = d->o.content->mi;
	struct shoal_piece_hash *h = job->hash;
	uint32_t width;
	bool right = h->sha1.tail_len == 0 && h->sha1.len == h->bytes;
	if (h->sha1.len < h->bytes && !h->has_v1) /* false blocks have been replaced; the leaves tell of the others */
		right = leaves_right(d->o.content, job->piece, h);
	h->good = right && (!h->has_v1 || memcmp(h->want_sha1, shoal_metainfo_piece_sha1(mi, job->piece), 20) == 0) &&
		  (!h->has_v2 || memcmp(h->want_root, shoal_metainfo_piece_root(mi, job->piece, &width), 32) == 0);
}

static void hash_block(const struct sim_disk *d, struct shoal_disk_job *job, uint32_t block, const uint8_t *at,
		       size_t len)
{
	struct shoal_piece_hash *h = job->hash;
	bool leaves = job->flags & SHOAL_DISK_LEAVES;
	if (d->o.heads)
		return hash_head(d, job, block, at, len);
	if (h->has_v1)
		sha1_feed(&h->sha1, at, len);
	if (h->has_v2 || leaves)
		shoal_sha256((struct shoal_bytes){ at, len }, h->leaf[block]);
}

static void hash_end(const struct sim_disk *d, struct shoal_disk_job *job)
{
	struct shoal_piece_hash *h = job->hash;
	static const uint8_t zeros[4096];
	uint32_t blocks = (h->bytes + SHOAL_BLOCK - 1) / SHOAL_BLOCK;
	uint8_t got[32];
	if (d->o.heads)
		return head_end(d, job);
	h->good = 1;
	if (h->has_v1) {
		for (uint32_t pad = h->pad; pad > 0;) {
			uint32_t n = pad < sizeof zeros ? pad : (uint32_t)sizeof zeros;
			sha1_feed(&h->sha1, zeros, n);
			pad -= n;
		}
		shoal_sha1_final(&h->sha1, got);
		h->good = memcmp(got, h->want_sha1, 20) == 0;
	}
	if (h->has_v2) {
		shoal_merkle_root_of((const shoal_hash32 *)h->leaf, blocks, h->width, 0, got);
		h->good = h->good && memcmp(got, h->want_root, 32) == 0;
	}
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static struct storage *storage_of(struct sim_disk *d, const struct shoal_disk_job *job)
{
	assert(job->storage < STORAGES && d->storage[job->storage].mi != NULL);
	return &d->storage[job->storage];
}

static void see(const struct storage *st, uint32_t file, struct shoal_seen *seen)
{
	*seen = (struct shoal_seen){ .state = SHOAL_SEEN_NONE };
	if (st->file[file] == NULL || st->file[file]->live.state == SHOAL_SEEN_NONE)
		return;
	const struct sim_entry *e = &st->file[file]->live;
	seen->state = e->state;
	seen->stamp = (struct shoal_stamp){
		.dev = 1, .ino = e->ino, .size = e->size, .mtime_ns = e->mtime_ns, .ctime_ns = e->ctime_ns
	};
}

/* The file is the one its stamp speaks of, if a stamp was set. */
static bool unchanged(const struct storage *st, uint32_t file)
{
	struct shoal_seen seen;
	if (st->stamp[file].ino == 0 && st->stamp[file].size == 0)
		return true;
	see(st, file, &seen);
	return shoal_stamp_same(&seen.stamp, &st->stamp[file]);
}

static int piece_read(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job, uint32_t piece,
		      uint32_t begin, uint32_t len, uint8_t *to, bool stamped)
{
	struct part part;
	(void)d;
	for (uint32_t at = begin; place_part(st, piece, &at, begin + len, &part);) {
		job->bad_file = part.file;
		if (stamped && !unchanged(st, part.file))
			return SHOAL_ERR_GONE;
		if (!sim_file_read(st->file[part.file], part.offset, to + (part.at - begin), part.len))
			return SHOAL_ERR_GONE;
	}
	return 0;
}

/* Turns a bit, of the head when that stands for all: which one follows the same dice. */
static void spoil(struct sim_disk *d, uint8_t *at, uint32_t len)
{
	uint32_t which = shoal_rng_below(&d->rng, len);
	if (d->o.heads && len > SIM_HEAD)
		at[which % SIM_HEAD] ^= (uint8_t)(1 + which / SIM_HEAD % 255);
	else
		at[which] ^= 1;
}

static int do_read(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job)
{
	for (uint32_t i = 0; i < job->slot_count; i++) {
		uint32_t at = i * SHOAL_BLOCK;
		uint32_t len = at < job->len ? job->len - at : 0;
		len = len < SHOAL_BLOCK ? len : SHOAL_BLOCK;
		int rc = piece_read(d, st, job, job->piece, job->begin + at, len, job->slot[i]->at, true);
		if (rc < 0)
			return rc;
		if (d->poison > 0 && len > 0 && shoal_rng_below(&d->rng, 1000000) < d->poison)
			spoil(d, job->slot[i]->at, len);
	}
	return 0;
}

static int do_check(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job)
{
	uint8_t block[SHOAL_BLOCK];
	struct part part;
	if (job->flags & SHOAL_DISK_DROP)
		for (uint32_t at = 0; place_part(st, job->piece, &at, job->len, &part);)
			sim_file_drop(st->file[part.file], part.offset, part.len);
	for (uint32_t at = 0; at < job->len; at += SHOAL_BLOCK) {
		uint32_t len = job->len - at < SHOAL_BLOCK ? job->len - at : SHOAL_BLOCK;
		int rc = piece_read(d, st, job, job->piece, at, len, block, false);
		if (rc < 0)
			return rc;
		hash_block(d, job, at / SHOAL_BLOCK, block, len);
	}
	hash_end(d, job);
	return 0;
}

/* Puts the first `blocks` slots of the job where they belong. */
static int put(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job, uint32_t blocks)
{
	struct part part;
	uint32_t len = blocks < job->slot_count ? blocks * SHOAL_BLOCK : job->len;
	uint64_t growth = 0;
	for (uint32_t at = job->begin; place_part(st, job->piece, &at, job->begin + len, &part);)
		growth += sim_file_growth(st->file[part.file], part.offset, part.len);
	if (growth > 0 && (d->medium.used > d->room || growth > d->room - d->medium.used))
		return SHOAL_ERR_NO_SPACE;
	for (uint32_t at = job->begin; place_part(st, job->piece, &at, job->begin + len, &part);) {
		st->stamp[part.file] = (struct shoal_stamp){ 0 }; /* it is not what it was */
		st->wrote[part.file] = true;
		for (uint32_t done = 0; done < part.len;) {
			uint32_t in = part.at - job->begin + done;
			uint32_t n = SHOAL_BLOCK - in % SHOAL_BLOCK;
			n = n < part.len - done ? n : part.len - done;
			sim_file_write(&d->medium, st->file[part.file], part.offset + done,
				       job->slot[in / SHOAL_BLOCK]->at + in % SHOAL_BLOCK, n, now_ns(d));
			done += n;
		}
	}
	return 0;
}

static int do_write(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job, uint32_t blocks)
{
	assert(!st->read_only && job->begin % SHOAL_BLOCK == 0);
	assert(job->slot_count == (job->len + SHOAL_BLOCK - 1) / SHOAL_BLOCK);
	for (uint32_t i = 0; i < job->slot_count; i++) {
		uint32_t len = job->len - i * SHOAL_BLOCK < SHOAL_BLOCK ? job->len - i * SHOAL_BLOCK : SHOAL_BLOCK;
		hash_block(d, job, job->begin / SHOAL_BLOCK + i, job->slot[i]->at, len);
	}
	if (job->flags & SHOAL_DISK_LAST)
		hash_end(d, job);
	if ((job->flags & SHOAL_DISK_IF_GOOD) && !job->hash->good)
		return 0;
	return put(d, st, job, blocks);
}

/* Copies the first `count` shares of the list to where they belong. */
static int do_reveal(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job, uint32_t count)
{
	uint32_t files = shoal_metainfo_file_count(st->mi);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t first, skew, f = job->list[i] / 2, n = shoal_claim_pieces(st->mi, f, &first, &skew);
		uint32_t piece = job->list[i] % 2 ? first + n - 1 : first;
		struct part part;
		assert(n > 0 && !st->read_only);
		for (uint32_t at = 0;
		     next_part(st->mi, piece, &at, shoal_metainfo_piece_bytes(st->mi, piece), &part);) {
			uint64_t from = (uint64_t)piece * shoal_metainfo_piece_size(st->mi) + part.at;
			if (part.file != f)
				continue;
			uint8_t *bytes = must(malloc(part.len));
			job->bad_file = files;
			bool good = sim_file_read(st->file[files], from, bytes, part.len);
			uint64_t growth = sim_file_growth(st->file[f], part.offset, part.len);
			bool room = d->medium.used <= d->room && growth <= d->room - d->medium.used;
			if (good && room) {
				st->stamp[f] = (struct shoal_stamp){ 0 };
				st->wrote[f] = true;
				sim_file_write(&d->medium, st->file[f], part.offset, bytes, part.len, now_ns(d));
			}
			free(bytes);
			if (!good || !room)
				return good ? SHOAL_ERR_NO_SPACE : SHOAL_ERR_GONE;
		}
	}
	return 0;
}

static int do_unpart(struct sim_disk *d, struct storage *st)
{
	uint32_t files = shoal_metainfo_file_count(st->mi);
	for (uint32_t f = 0; f < files; f++)
		if (st->ends[f])
			return 0;
	sim_file_remove(&d->medium, st->file[files]);
	return 0;
}

static void sync_begin(struct storage *st, const struct shoal_disk_job *job)
{
	for (uint32_t f = 0; f <= shoal_metainfo_file_count(st->mi); f++)
		if (st->file[f] != NULL && st->wrote[f])
			sim_file_sync_begin(st->file[f]);
	for (uint32_t i = 0; i < job->count; i++)
		if (st->file[job->list[i]] != NULL)
			sim_file_sync_begin(st->file[job->list[i]]);
}

static int do_sync(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job, bool good)
{
	for (uint32_t f = 0; f <= shoal_metainfo_file_count(st->mi); f++)
		if (st->file[f] != NULL && !d->skip_sync)
			sim_file_sync_end(&d->medium, st->file[f], good);
	for (uint32_t i = 0; i < job->count; i++)
		see(st, job->list[i], &job->seen[i]);
	return 0;
}

static int do_finish(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job, bool durable)
{
	int rc = 0;
	assert(!st->read_only);
	for (uint32_t i = 0; i < job->count; i++) {
		uint32_t f = job->list[i];
		if (st->file[f] != NULL && st->file[f]->live.state == SHOAL_SEEN_NONE && st->file[f]->size_max > 0) {
			job->bad_file = f;
			rc = SHOAL_ERR_GONE;
		} else if (st->file[f] != NULL) {
			sim_file_rename(&d->medium, st->file[f], durable, now_ns(d));
		}
		see(st, f, &job->seen[i]);
	}
	return rc;
}

static int do_scan(struct storage *st, struct shoal_disk_job *job)
{
	for (uint32_t i = 0; i < job->count; i++)
		see(st, job->file + i, &job->seen[i]);
	return 0;
}

static int perform(struct sim_disk *d, struct shoal_disk_job *job)
{
	struct storage *st = storage_of(d, job);
	int err = 0;
	if (d->fail[job->op].skip > 0) {
		d->fail[job->op].skip--;
	} else if (d->fail[job->op].count > 0) {
		d->fail[job->op].count--;
		d->failed++;
		err = d->fail[job->op].err;
	}
	if (err < 0) {
		if (job->op == SHOAL_DISK_SYNC)
			(void)do_sync(d, st, job, false);
		return err;
	}
	switch (job->op) {
	case SHOAL_DISK_SCAN: return do_scan(st, job);
	case SHOAL_DISK_WRITE: return do_write(d, st, job, UINT32_MAX);
	case SHOAL_DISK_READ: return do_read(d, st, job);
	case SHOAL_DISK_CHECK: return do_check(d, st, job);
	case SHOAL_DISK_SYNC: return do_sync(d, st, job, true);
	case SHOAL_DISK_FINISH: return do_finish(d, st, job, true);
	case SHOAL_DISK_ADOPT:
	case SHOAL_DISK_FIND: return SHOAL_ERR_UNSUPPORTED;
	case SHOAL_DISK_REVEAL: return do_reveal(d, st, job, job->count);
	case SHOAL_DISK_UNPART: return do_unpart(d, st);
	}
	abort();
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
	flight->job->err = perform(d, flight->job);
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
	struct flight *flight = must(calloc(1, sizeof *flight));
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
		sync_begin(storage_of(d, job), job);
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
	for (uint32_t i = 0; i < STORAGES; i++) {
		struct storage *st = &d->storage[i];
		if (st->mi != NULL)
			continue;
		*st = (struct storage){ .mi = mi, .folder = must(strdup(folder)), .read_only = read_only };
		st->file = must(calloc(files + 1u, sizeof(struct sim_file *)));
		st->stamp = must(calloc(files + 1u, sizeof *st->stamp));
		st->wrote = must(calloc(files + 1u, sizeof *st->wrote));
		st->ends = must(calloc(files + 1u, sizeof *st->ends));
		for (uint32_t f = 0; f < files; f++)
			st->file[f] = stored(mi, f) ? file_named(d, folder, mi, f) : NULL;
		st->file[files] = part_of(d, folder, mi);
		*storage = i;
		return 0;
	}
	return SHOAL_ERR_BUSY;
}

static void disk_close(void *to_d, uint32_t storage)
{
	struct sim_disk *d = to_d;
	struct storage *st = &d->storage[storage];
	assert(storage < STORAGES && st->mi != NULL);
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
	assert(storage < STORAGES && d->storage[storage].mi != NULL);
	d->storage[storage].stamp[file] = *stamp;
}

static int disk_part(void *to_d, uint32_t storage, uint32_t file, unsigned end, bool in)
{
	struct sim_disk *d = to_d;
	struct storage *st = &d->storage[storage];
	assert(storage < STORAGES && st->mi != NULL && file < shoal_metainfo_file_count(st->mi) && end < 2);
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
	if (!place_part(st, piece, &at, begin + len, &part) || part.len != len || st->file[part.file] == NULL)
		return 0;
	const struct shoal_stamp *stamp = &st->stamp[part.file];
	if (part.file >= UINT32_C(1) << SPAN_FILES || (stamp->ino == 0 && stamp->size == 0))
		return 0;
	if (!unchanged(st, part.file))
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
	struct sim_disk *d = must(calloc(1, sizeof *d));
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
	for (uint32_t i = 0; i < STORAGES; i++)
		assert(d->storage[i].mi == NULL);
	sim_medium_fini(&d->medium);
	free(d->known.file);
	free(d);
}

void sim_disk_fill(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi)
{
	for (uint32_t f = 0; f < shoal_metainfo_file_count(mi); f++)
		if (stored(mi, f))
			sim_file_fill(&d->medium, file_of(d, folder, mi, f), now_ns(d));
}

void sim_disk_fill_piece(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t piece)
{
	struct part part;
	for (uint32_t at = 0; next_part(mi, piece, &at, shoal_metainfo_piece_bytes(mi, piece), &part);)
		sim_file_fill_range(&d->medium, file_of(d, folder, mi, part.file), part.offset, part.len, now_ns(d));
}

void sim_disk_crash(struct sim_disk *d, enum sim_crash kind)
{
	for (struct flight *f = d->flights; f != NULL; f = f->next) {
		struct shoal_disk_job *job = f->job;
		struct storage *st = storage_of(d, job);
		sim_alarm_drop(d->o.clock, &f->end);
		if (shoal_rng_below(&d->rng, 2) == 0)
			continue;
		if (job->op == SHOAL_DISK_WRITE)
			(void)do_write(d, st, job, shoal_rng_below(&d->rng, job->slot_count + 1));
		else if (job->op == SHOAL_DISK_FINISH)
			(void)do_finish(d, st, job, false);
		else if (job->op == SHOAL_DISK_REVEAL)
			(void)do_reveal(d, st, job, shoal_rng_below(&d->rng, job->count + 1));
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
	sim_file_remove(&d->medium, file_of(d, folder, mi, file));
}

void sim_disk_truncate(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t file,
		       uint64_t size)
{
	sim_file_truncate(&d->medium, file_of(d, folder, mi, file), size, now_ns(d));
}

void sim_disk_rot(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t piece)
{
	struct part part;
	uint32_t at = 0;
	if (next_part(mi, piece, &at, shoal_metainfo_piece_bytes(mi, piece), &part))
		sim_file_flip(&d->medium, file_of(d, folder, mi, part.file), part.offset);
}

/* ---- what lies there ---------------------------------------------------------------------------------- */

bool sim_disk_piece_right(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t piece,
			  bool durable)
{
	struct part part;
	for (uint32_t at = 0; next_part(mi, piece, &at, shoal_metainfo_piece_bytes(mi, piece), &part);)
		if (!sim_file_right(file_of(d, folder, mi, part.file), part.offset, part.len, durable) &&
		    !sim_file_right(part_of(d, folder, mi), (uint64_t)piece * shoal_metainfo_piece_size(mi) + part.at,
				    part.len, durable))
			return false;
	return true;
}

bool sim_disk_complete(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi)
{
	for (uint32_t f = 0; f < shoal_metainfo_file_count(mi); f++) {
		if (!stored(mi, f))
			continue;
		const struct sim_file *file = file_of(d, folder, mi, f);
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
	const struct sim_file *f = stored(mi, file) ? file_of(d, folder, mi, file) : NULL;
	if (f == NULL)
		return SHOAL_SEEN_NONE;
	*right = f->live.size == f->size_max && sim_file_right(f, 0, f->size_max, false) &&
		 sim_file_right(f, 0, f->size_max, true) && f->durable.state == f->live.state;
	return f->live.state;
}

bool sim_disk_part(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi)
{
	return part_of(d, folder, mi)->live.state != SHOAL_SEEN_NONE;
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
