/*
 * swarm/peers/limiter.h - a rate limit as a bucket of bytes that fills with time.
 *
 * Unburst: the bucket holds a sixteenth of a second (never less than one
 * block and its header): longer than a busy loop's longest turn, so that a
 * limit is met over any few seconds, and short enough that the wire sees no
 * lumps. It starts empty. Exact in integers at any rate; a clock that stands
 * still, jumps ahead or steps back gives a full bucket at the most.
 */
#ifndef SHOAL_LIMITER_H
#define SHOAL_LIMITER_H

#include <shoal/types.h>

#define SHOAL_LIMITER_PART 16		     /* of a second, in the bucket */
#define SHOAL_LIMITER_LEAST (16 * 1024 + 13) /* bytes: one block and its header */

struct shoal_limiter {
	uint64_t rate;	 /* bytes a second; 0: no limit */
	int64_t bucket;	 /* bytes that may go now; below zero after an overdraft */
	uint64_t crumbs; /* fractions of a byte, in millionths, not yet in the bucket */
	shoal_us filled; /* up to when the bucket has been filled */
};
void shoal_limiter_init(struct shoal_limiter *l, uint64_t rate, shoal_us now);
/* Another rate from `now` on; what the bucket holds, or owes, stays. */
void shoal_limiter_rate(struct shoal_limiter *l, uint64_t rate, shoal_us now);
/* How many of `want` bytes may go now (0 when none, all when unlimited). Takes nothing. */
uint64_t shoal_limiter_allows(struct shoal_limiter *l, uint64_t want, shoal_us now);
/* Takes what went; may overdraw by one block, which later bytes pay back. */
void shoal_limiter_took(struct shoal_limiter *l, uint64_t bytes);
/* What was taken and did not go: back into the bucket, as far as it holds. */
void shoal_limiter_back(struct shoal_limiter *l, uint64_t bytes);
/* Bytes the bucket holds when full. */
uint64_t shoal_limiter_depth(const struct shoal_limiter *l);
/* When allows() will next give at least `bytes` (or a full bucket); `now` when it does already. */
shoal_us shoal_limiter_ready(const struct shoal_limiter *l, uint64_t bytes, shoal_us now);

#endif
