/* disk_job.c - what each kind of job does, over a medium in memory. */
#include <assert.h>
#include <stdlib.h>
#include "swarm/pieces/claims.h"
#include "tools/lab/world/disk_room.h"

struct storage *sim_disk_storage(struct sim_disk *d, const struct shoal_disk_job *job)
{
	assert(job->storage < SIM_DISK_STORAGES && d->storage[job->storage].mi != NULL);
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

bool sim_disk_unchanged(const struct storage *st, uint32_t file)
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
	for (uint32_t at = begin; sim_disk_part_place(st, piece, &at, begin + len, &part);) {
		job->bad_file = part.file;
		if (stamped && !sim_disk_unchanged(st, part.file))
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
		for (uint32_t at = 0; sim_disk_part_place(st, job->piece, &at, job->len, &part);)
			sim_file_drop(st->file[part.file], part.offset, part.len);
	for (uint32_t at = 0; at < job->len; at += SHOAL_BLOCK) {
		uint32_t len = job->len - at < SHOAL_BLOCK ? job->len - at : SHOAL_BLOCK;
		int rc = piece_read(d, st, job, job->piece, at, len, block, false);
		if (rc < 0)
			return rc;
		sim_disk_hash_block(d, job, at / SHOAL_BLOCK, block, len);
	}
	sim_disk_hash_end(d, job);
	return 0;
}

/* Puts the first `blocks` slots of the job where they belong. */
static int put(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job, uint32_t blocks)
{
	struct part part;
	uint32_t len = blocks < job->slot_count ? blocks * SHOAL_BLOCK : job->len;
	uint64_t growth = 0;
	for (uint32_t at = job->begin; sim_disk_part_place(st, job->piece, &at, job->begin + len, &part);)
		growth += sim_file_growth(st->file[part.file], part.offset, part.len);
	if (growth > 0 && (d->medium.used > d->room || growth > d->room - d->medium.used))
		return SHOAL_ERR_NO_SPACE;
	for (uint32_t at = job->begin; sim_disk_part_place(st, job->piece, &at, job->begin + len, &part);) {
		st->stamp[part.file] = (struct shoal_stamp){ 0 }; /* it is not what it was */
		st->wrote[part.file] = true;
		for (uint32_t done = 0; done < part.len;) {
			uint32_t in = part.at - job->begin + done;
			uint32_t n = SHOAL_BLOCK - in % SHOAL_BLOCK;
			n = n < part.len - done ? n : part.len - done;
			if (!shoal_disk_there(job, in / SHOAL_BLOCK))
				sim_file_write(&d->medium, st->file[part.file], part.offset + done,
					       job->slot[in / SHOAL_BLOCK]->at + in % SHOAL_BLOCK, n,
					       sim_disk_now_ns(d));
			done += n;
		}
	}
	return 0;
}

int sim_disk_do_write(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job, uint32_t blocks)
{
	assert(!st->read_only && job->begin % SHOAL_BLOCK == 0);
	assert(job->slot_count == (job->len + SHOAL_BLOCK - 1) / SHOAL_BLOCK);
	for (uint32_t i = 0; i < job->slot_count; i++) {
		uint32_t len = job->len - i * SHOAL_BLOCK < SHOAL_BLOCK ? job->len - i * SHOAL_BLOCK : SHOAL_BLOCK;
		sim_disk_hash_block(d, job, job->begin / SHOAL_BLOCK + i, job->slot[i]->at, len);
	}
	if (job->flags & SHOAL_DISK_LAST)
		sim_disk_hash_end(d, job);
	if ((job->flags & SHOAL_DISK_IF_GOOD) && !job->hash->good)
		return 0;
	return put(d, st, job, blocks);
}

int sim_disk_do_reveal(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job, uint32_t count)
{
	uint32_t files = shoal_metainfo_file_count(st->mi);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t first, skew, f = job->list[i] / 2, n = shoal_claim_pieces(st->mi, f, &first, &skew);
		uint32_t piece = job->list[i] % 2 ? first + n - 1 : first;
		struct part part;
		assert(n > 0 && !st->read_only);
		for (uint32_t at = 0;
		     sim_disk_part_next(st->mi, piece, &at, shoal_metainfo_piece_bytes(st->mi, piece), &part);) {
			uint64_t from = (uint64_t)piece * shoal_metainfo_piece_size(st->mi) + part.at;
			if (part.file != f)
				continue;
			uint8_t *bytes = sim_must(malloc(part.len));
			job->bad_file = files;
			bool good = sim_file_read(st->file[files], from, bytes, part.len);
			uint64_t growth = sim_file_growth(st->file[f], part.offset, part.len);
			bool room = d->medium.used <= d->room && growth <= d->room - d->medium.used;
			if (good && room) {
				st->stamp[f] = (struct shoal_stamp){ 0 };
				st->wrote[f] = true;
				sim_file_write(&d->medium, st->file[f], part.offset, bytes, part.len,
					       sim_disk_now_ns(d));
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

void sim_disk_sync_begin(struct storage *st, const struct shoal_disk_job *job)
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

int sim_disk_do_finish(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job, bool durable)
{
	int rc = 0;
	assert(!st->read_only);
	for (uint32_t i = 0; i < job->count; i++) {
		uint32_t f = job->list[i];
		if (st->file[f] != NULL && st->file[f]->live.state == SHOAL_SEEN_NONE && st->file[f]->size_max > 0) {
			job->bad_file = f;
			rc = SHOAL_ERR_GONE;
		} else if (st->file[f] != NULL) {
			sim_file_rename(&d->medium, st->file[f], durable, sim_disk_now_ns(d));
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

int sim_disk_perform(struct sim_disk *d, struct shoal_disk_job *job)
{
	struct storage *st = sim_disk_storage(d, job);
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
	case SHOAL_DISK_WRITE: return sim_disk_do_write(d, st, job, UINT32_MAX);
	case SHOAL_DISK_READ: return do_read(d, st, job);
	case SHOAL_DISK_CHECK: return do_check(d, st, job);
	case SHOAL_DISK_SYNC: return do_sync(d, st, job, true);
	case SHOAL_DISK_FINISH: return sim_disk_do_finish(d, st, job, true);
	case SHOAL_DISK_ADOPT: return sim_disk_do_adopt(d, st, job);
	case SHOAL_DISK_FIND: return sim_disk_do_find(d, job->find);
	case SHOAL_DISK_REVEAL: return sim_disk_do_reveal(d, st, job, job->count);
	case SHOAL_DISK_UNPART: return do_unpart(d, st);
	}
	abort();
}
