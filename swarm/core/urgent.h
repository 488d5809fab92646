/*
 * swarm/core/urgent.h - pieces with deadlines: who is asked for them, and when a second one is.
 *
 * Internal to swarm/core. Whatever has no deadline is asked peer by peer: each
 * takes what is next. Here it is the piece that matters, and whether a peer will
 * have answered by the time it is due. One that will well before, by what it
 * delivers and what it owes already, may begin it; one that will hardly, only if
 * nobody who has it would be twice as fast. So the fast fetch what is due, and the slow
 * what is due later, the soonest first.
 *
 * A block that by the same reckoning comes too late is asked of a second peer that
 * would bring it clearly sooner; the end game's budget pays (SHOAL_SWARM_HEDGE_UNIT).
 */
#ifndef SHOAL_URGENT_H
#define SHOAL_URGENT_H

#include <shoal/types.h>

struct shoal_open;
struct shoal_peer;

#define SHOAL_URGENT_LOOK SHOAL_MS(100) /* while there are deadlines, so often is looked for what will be late */

/* How long until ask number `i` of a peer is answered, by what it delivers; a stall is a wait of its own. */
shoal_us shoal_peer_time_left(struct shoal_peer *q, uint32_t i, shoal_us now);
/* And until one more asked of it would be. */
shoal_us shoal_peer_own_time(struct shoal_peer *p, shoal_us now);

/* The soonest piece with a deadline of which `p` is to be asked for a block, opened; NULL: none. `help`: it has nothing else
 * to do, and may be late. */
struct shoal_open *shoal_urgent_open(struct shoal_peer *p, bool help, shoal_us now);
/* A block that another is late with, for `p` to be asked for as well; false: none. */
bool shoal_urgent_twice(struct shoal_peer *p, struct shoal_open **open, uint32_t *block, shoal_us now);

#endif
