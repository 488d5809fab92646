/*
 * tools/lab/world/disk.h - disk.h in memory, under virtual time: real bytes, real hashes, faults by wish.
 *
 * Outlives the node that uses it. A job takes effect when it ends; a SYNC
 * covers what had been written when it was submitted: to files this process
 * wrote to, and to those in its list (a process that was killed may have left
 * pages that nobody has synced). See medium.h for what a crash leaves.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "tools/lab/world/clock.h"
#include "tools/lab/world/content.h"
#include "tools/lab/world/medium.h"

#define SIM_DISK_JOBS 64 /* BUSY above it */

struct sim_disk;

struct sim_disk_options {
	struct sim_clock *clock;
	struct shoal_rng rng;
	const struct sim_content *content; /* that files should hold */
	bool heads;			   /* only the head of each block is kept, and stands for it in hashes */
	bool spans;			   /* what is read may be sent straight from a file (disk.h, span) */
	shoal_us latency[2];		   /* of a job: from, to */
	uint64_t rate;			   /* bytes a second, 0: no limit */
	void (*wake)(void *to);		   /* something is to be reaped */
	void *to;
};

/* Its memory is needed soon (proto/base/fetch.h). */
void sim_disk_foresee(const struct sim_disk *d);
struct sim_disk *sim_disk_new(const struct sim_disk_options *options);
void sim_disk_free(struct sim_disk *d);
/* What a node is given. */
struct shoal_disk sim_disk_view(struct sim_disk *d);
/* All of the content is there: whole, durable. */
void sim_disk_fill(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi);
void sim_disk_fill_piece(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t piece);

/* The process, or the machine, dies now: jobs under way have had some effect or none, and come back with IO, as does
 * all that is submitted before revive(). */
void sim_disk_crash(struct sim_disk *d, enum sim_crash kind);
void sim_disk_revive(struct sim_disk *d);

/* Bytes of a file that a span names, to be sent. 0, or GONE: it ends before. */
SHOAL_MUST int sim_disk_span_read(struct sim_disk *d, uint32_t file, uint64_t offset, struct shoal_space to);

/* Calls job() with every job that has ended, before it goes back. */
void sim_disk_watch(struct sim_disk *d, void (*job)(void *to, const struct shoal_disk_job *job), void *to);

/* ---- faults ---- */
/* After `skip` more good ones, the next `count` jobs of that kind fail with `err`. */
void sim_disk_fail(struct sim_disk *d, enum shoal_disk_op op, int err, unsigned skip, unsigned count);
bool sim_disk_busy(const struct sim_disk *d);		/* it has jobs */
unsigned sim_disk_failed(const struct sim_disk *d);	/* how many did */
void sim_disk_room(struct sim_disk *d, uint64_t bytes); /* of the volume in all; UINT64_MAX: endless */
void sim_disk_hold(struct sim_disk *d, bool held);	/* no job comes back meanwhile */
void sim_disk_poison(struct sim_disk *d, uint32_t ppm); /* READs turn a bit in that share of blocks */
void sim_disk_rate(struct sim_disk *d, uint64_t rate);	/* bytes a second from now on; 0: no limit */
void sim_disk_skip_sync(struct sim_disk *d, bool skip); /* a planted fault, for tests of the tests */
void sim_disk_remove(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t file);
void sim_disk_truncate(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t file,
		       uint64_t size);
/* One bit of a file's byte `offset`, silently. */
void sim_disk_rot_file(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t file,
		       uint64_t offset);
/* One bit of the first byte of a piece, silently. */
void sim_disk_rot(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t piece);

/* ---- what lies there ---- */
/* All of the piece's bytes are right; `durable`: and would be after a power cut. */
bool sim_disk_piece_right(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi, uint32_t piece,
			  bool durable);
/* Every file is there under its final name with all its bytes right, durably. */
bool sim_disk_complete(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi);
/* What is under a file's name (or its unfinished one), and whether all its bytes are right, durably. */
enum shoal_seen_state sim_disk_file(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi,
				    uint32_t file, bool *right);
/* There is a part file. */
bool sim_disk_part(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi);
/* Of names, states and right pages. */
uint64_t sim_disk_digest(const struct sim_disk *d);

#endif
