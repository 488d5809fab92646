/*
 * swarm/core/limiter.h - a rate limit as a bucket of bytes that fills with time.
 *
 * Unburst: the bucket holds a fiftieth of a second (never less than one
 * block and its header), so that a limit is met over any few seconds and the wire sees no lumps.
 */
#ifndef SHOAL_LIMITER_H
#define SHOAL_LIMITER_H

#include <shoal/types.h>

struct shoal_limiter {
	uint64_t rate;	 /* bytes a second; 0: no limit */
	int64_t bucket;	 /* bytes that may go now; below zero after an overdraft */
	uint64_t crumbs; /* fractions of a byte, in millionths, not yet in the bucket */
	shoal_us filled; /* up to when the bucket has been filled */
};
void shoal_limiter_init(struct shoal_limiter *l, uint64_t rate, shoal_us now);
void shoal_limiter_rate(struct shoal_limiter *l, uint64_t rate, shoal_us now);
/* How many of `want` bytes may go now (0 when none, all when unlimited). Takes nothing. */
uint64_t shoal_limiter_allows(struct shoal_limiter *l, uint64_t want, shoal_us now);
/* Takes what went; may overdraw by one block, which later bytes pay back. */
void shoal_limiter_took(struct shoal_limiter *l, uint64_t bytes);
/* When allows() will next give at least `bytes` (or a full bucket); `now` when it does already. */
shoal_us shoal_limiter_ready(const struct shoal_limiter *l, uint64_t bytes, shoal_us now);

#endif
