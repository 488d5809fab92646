/*
 * swarm/core/fast.h - pieces given to the choked, and pieces one is advised to take (BEP 6).
 *
 * Ours: a newcomer that has to wait for its turn may ask for the few pieces
 * of its set all the same, each of them twice over and no more, so that it
 * has something to trade when its turn comes. Theirs: what a choking peer
 * allows us is asked for; what it suggests is the next piece begun with it.
 */
#ifndef SHOAL_FAST_H
#define SHOAL_FAST_H

#include <shoal/types.h>
#include "proto/fast_set.h"
#include "proto/wire.h"

#define SHOAL_FAST_BYTES (8u << 20) /* a set is no larger, though it has a piece at least */
#define SHOAL_FAST_ALLOWED_MAX 32   /* pieces a peer may allow us; what is beyond is not taken down */
#define SHOAL_FAST_HINTS_MAX 16	    /* pieces it may suggest before we have begun one */
#define SHOAL_FAST_DEPTH 16	    /* blocks asked of one that chokes us */

struct shoal_peer;

struct shoal_fast {
	bool offered;
	uint32_t given_count, allowed_count, hint_count;
	uint32_t given[SHOAL_FAST_SET_MAX]; /* pieces it may ask for */
	uint64_t left[SHOAL_FAST_SET_MAX];  /* bytes it may ask for of each */
	uint32_t allowed[SHOAL_FAST_ALLOWED_MAX];
	uint32_t hint[SHOAL_FAST_HINTS_MAX]; /* oldest first */
};

/* It is choked and interested: tells it its set, once. */
void shoal_fast_offer(struct shoal_peer *p, shoal_us now);
/* Whether a piece is in the set it was offered; and whether it may ask for `bytes` of it, which are then used up. */
bool shoal_fast_given(const struct shoal_peer *p, uint32_t piece);
bool shoal_fast_take(struct shoal_peer *p, uint32_t piece, uint32_t bytes);

/* It said ALLOWED_FAST or SUGGEST. 0; 1: we cannot remember more; RANGE: there is no such piece. */
SHOAL_MUST int shoal_fast_said(struct shoal_peer *p, const struct shoal_wire_msg *msg);
/* It would not give it after all. */
void shoal_fast_refused(struct shoal_peer *p, uint32_t piece);
/* The next piece of those it allows (`allowed`), or suggests, that may be asked of it: SHOAL_PIECE_NONE for none. */
uint32_t shoal_fast_next_allowed(struct shoal_peer *p, uint32_t *at);
uint32_t shoal_fast_next_hint(struct shoal_peer *p);

#endif
