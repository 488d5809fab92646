/*
 * swarm/core/reread.h - pieces whose bytes could not be read when they were looked at: they are looked at again.
 *
 * Internal to swarm/core. A read that fails once may not fail twice, and
 * nobody else may have the piece. Meanwhile it may be fetched like any that
 * is missing. After 10 s, then twice as long each time, up to 10 min.
 */
#ifndef SHOAL_REREAD_H
#define SHOAL_REREAD_H

#include "proto/base/bits.h"

#define SHOAL_REREAD_FIRST SHOAL_S(10)
#define SHOAL_REREAD_MOST SHOAL_S(600)

struct shoal_swarm;

struct shoal_reread {
	struct shoal_bits piece; /* empty until the first */
	shoal_us at, wait;	 /* the next look; how long that was waited for */
};

/* Its check ended in an I/O error. Without memory for the note it stays missing. */
void shoal_reread_later(struct shoal_swarm *s, uint32_t piece, shoal_us now);
/* Sets those whose time has come to be checked. */
void shoal_reread_tick(struct shoal_swarm *s, shoal_us now);
shoal_us shoal_reread_deadline(const struct shoal_swarm *s);
void shoal_reread_fini(struct shoal_swarm *s);

#endif
