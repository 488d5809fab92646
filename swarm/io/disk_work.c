/* disk_work.c - reads and writes of pieces, hashed while they are warm; all else is files.h's. */
#include "swarm/io/disk_work.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "swarm/io/disk_hash.h"

#define WRITE_SLOTS 64 /* in one write: 1 MiB */

static void answer(struct shoal_disk_job *job, int err, const struct shoal_files_fault *fault)
{
	if (job->err < 0)
		return; /* the first is the one that is told */
	job->err = err < 0 ? err : 0;
	if (err < 0) {
		job->os = fault ? fault->os : 0;
		job->bad_file = fault ? fault->file : SHOAL_FILES_NO_FILE;
		if (job->hash)
			job->hash->good = job->hash->torn = 0;
	}
}

static uint32_t blocks_of(uint32_t bytes)
{
	return bytes / SHOAL_BLOCK + (bytes % SHOAL_BLOCK != 0);
}

/* v[] becomes `n` slots from number `first` on: how many bytes they are. */
static size_t gather(const struct shoal_disk_job *job, uint32_t first, uint32_t n, struct iovec *v)
{
	size_t len = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t left = job->len - (first + i) * SHOAL_BLOCK;
		v[i] = (struct iovec){ job->slot[first + i]->at, left < SHOAL_BLOCK ? left : SHOAL_BLOCK };
		len += v[i].iov_len;
	}
	return len;
}

/* Writes or reads `count` slots from number `first` on. */
static void move_slots(const struct shoal_disk_work *w, struct shoal_disk_job *job, uint32_t first, uint32_t count)
{
	struct shoal_files_fault fault;
	while (count && job->err == 0) {
		struct iovec v[WRITE_SLOTS];
		uint32_t n = count < WRITE_SLOTS ? count : WRITE_SLOTS;
		size_t len = gather(job, first, n, v);
		uint32_t begin = job->begin + first * SHOAL_BLOCK;
		int rc;
		if (job->op == SHOAL_DISK_WRITE)
			rc = shoal_files_write(w->files, job->storage, job->piece, begin, v, (int)n, len, &fault);
		else
			rc = shoal_files_read(w->files, job->storage, job->piece, begin, v, (int)n, len,
					      SHOAL_FILES_STAMPED, &fault);
		answer(job, rc, &fault);
		first += n;
		count -= n;
	}
}

/* All slots of a WRITE but those whose bytes lie there. */
static void write_slots(const struct shoal_disk_work *w, struct shoal_disk_job *job)
{
	for (uint32_t first = 0, end; first < job->slot_count; first = end) {
		bool there = shoal_disk_there(job, first);
		for (end = first + 1; end < job->slot_count && shoal_disk_there(job, end) == there;)
			end++;
		if (!there)
			move_slots(w, job, first, end - first);
	}
}

static void zero_pads(const struct shoal_metainfo *mi, struct shoal_disk_job *job)
{
	for (uint32_t first = 0; first < job->slot_count; first += WRITE_SLOTS) {
		struct iovec v[WRITE_SLOTS];
		uint32_t n = job->slot_count - first < WRITE_SLOTS ? job->slot_count - first : WRITE_SLOTS;
		size_t len = gather(job, first, n, v);
		shoal_files_zero_pads(mi, job->piece, job->begin + first * SHOAL_BLOCK, v, (int)n, len);
	}
}

/* Whether a job's numbers are sound; it is answered when they are not. */
static bool sound(const struct shoal_disk_work *w, struct shoal_disk_job *job)
{
	const struct shoal_metainfo *mi = shoal_files_metainfo(w->files, job->storage);
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

static int worker_room(struct shoal_disk_work *w, bool buffer)
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
static void stage_fill(struct shoal_disk_work *w, struct shoal_disk_job *job, unsigned number, uint32_t blocks,
		       struct shoal_disk_lane *lane, uint32_t done)
{
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
	answer(job, shoal_files_read(w->files, job->storage, job->piece, done, &v, 1, len, 0, &fault), &fault);
	for (uint32_t i = 0; i < lane->count; i++)
		lane->at[i] = at + (size_t)i * SHOAL_BLOCK;
	if (job->err < 0)
		lane->count = 0;
	else if (job->hash->blank)
		job->hash->blank = shoal_files_blank(at, len);
}

/* A CHECK of a piece that lies in a hole has its verdict without a read. Where the medium itself is asked, it is read. */
static bool hole_checked(struct shoal_disk_work *w, struct shoal_disk_job *job)
{
	struct shoal_piece_hash *hash = job->hash;
	uint32_t bytes = hash->bytes;
	if ((job->flags & (SHOAL_DISK_DROP | SHOAL_DISK_LEAVES)) || bytes < SHOAL_BLOCK || (bytes & (bytes - 1)) ||
	    hash->pad || (hash->has_v2 && hash->width != bytes / SHOAL_BLOCK) ||
	    !shoal_files_hole(w->files, job->storage, job->piece) || shoal_zeros_know(&w->zeros, bytes) < 0)
		return false;
	hash->good = (!hash->has_v1 || memcmp(hash->want_sha1, w->zeros.sha1, 20) == 0) &&
		     (!hash->has_v2 || memcmp(hash->want_root, w->zeros.root, 32) == 0);
	return true;
}

static bool begin_hashed(struct shoal_disk_work *w, struct shoal_disk_job *job)
{
	struct shoal_files_fault fault;
	if (!sound(w, job))
		return false;
	if (worker_room(w, job->op == SHOAL_DISK_CHECK) < 0) {
		answer(job, SHOAL_ERR_NOMEM, NULL);
		return false;
	}
	if (job->op == SHOAL_DISK_WRITE) {
		zero_pads(shoal_files_metainfo(w->files, job->storage), job);
		return true;
	}
	job->begin = 0;
	job->hash->blank = true;
	shoal_sha1_init(&job->hash->sha1);
	if (hole_checked(w, job))
		return false;
	if (job->flags & SHOAL_DISK_DROP)
		answer(job, shoal_files_drop(w->files, job->storage, job->piece, &fault), &fault);
	return job->err == 0;
}

void shoal_disk_work_hashed(struct shoal_disk_work *w, struct shoal_disk_job *const job[], unsigned n)
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
				move_slots(w, job[i], done[i] / SHOAL_BLOCK, lane[i].count);
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
			write_slots(w, job[i]);
}

void shoal_disk_work_one(const struct shoal_disk_work *w, struct shoal_disk_job *job)
{
	struct shoal_files_fault fault = { 0, SHOAL_FILES_NO_FILE };
	int rc = SHOAL_ERR_USAGE;
	switch (job->op) {
	case SHOAL_DISK_READ:
		if (sound(w, job))
			move_slots(w, job, 0, job->slot_count);
		return;
	case SHOAL_DISK_SCAN:
		rc = shoal_files_scan(w->files, job->storage, job->file, job->count, job->seen, &fault);
		break;
	case SHOAL_DISK_SYNC:
		rc = shoal_files_sync(w->files, job->storage, job->list, job->count, job->file, job->seen, &fault);
		break;
	case SHOAL_DISK_FINISH:
		rc = shoal_files_finish(w->files, job->storage, job->list, job->count, &w->crew, job->seen, &fault);
		break;
	case SHOAL_DISK_REVEAL: rc = shoal_files_reveal(w->files, job->storage, job->list, job->count, &fault); break;
	case SHOAL_DISK_UNPART: rc = shoal_files_unpart(w->files, job->storage, &fault); break;
	case SHOAL_DISK_ADOPT: rc = shoal_files_adopt(w->files, job->storage, job->file, job->adopt, &fault); break;
	case SHOAL_DISK_FIND: rc = shoal_files_search(w->os, job->find); break;
	case SHOAL_DISK_WRITE:
	case SHOAL_DISK_CHECK: break; /* shoal_disk_work_hashed() */
	}
	answer(job, rc, &fault);
}

void shoal_disk_work_fini(struct shoal_disk_work *w)
{
	free(w->buffer);
	free(w->scratch);
}
