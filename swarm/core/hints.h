/*
 * swarm/core/hints.h - a piece of v1 failed: others of our kind are asked what its blocks are (proto/leaf_hints.h).
 *
 * Internal to swarm/core. Asked is one who has the piece: first who was not asked in vain, then who has a good record,
 * then who sent none of it; one with a bad record, or asked in vain too often, is not. The piece waits for the answer as
 * one of v2 does for its leaves (evidence.h). Blocks that are not as the hint says are fetched
 * again, whoever sent them; nobody is blamed for a hint, and none makes a piece right. When it does not come, or tells
 * nothing, all is as it were without.
 *
 * What lay here already and is false (offered.h) is asked about in the same way: about many pieces at a time.
 *
 * An answer costs us a piece read and hashed: a peer gets so many MiB of them (swarm/peers/patience.h), of the account for leaves of v2, and
 * all together, leaves of v2 included, what a few may: the others are told that we know nothing.
 */
#ifndef SHOAL_HINTS_H
#define SHOAL_HINTS_H

#include <shoal/types.h>

#define SHOAL_HINTS_ASKED 8u   /* answers that one peer may owe us */
#define SHOAL_HINTS_IN_VAIN 4u /* asks that came to nothing, or to nothing good, and it is asked no more */

struct shoal_check;
struct shoal_open;
struct shoal_peer;
struct shoal_swarm;

/* Somebody is asked, but not of whom blocks are remembered by `not_of` (0: anybody). false: there is nobody. */
SHOAL_MUST bool shoal_hints_ask(struct shoal_swarm *s, struct shoal_open *open, uint32_t not_of, shoal_us now);
/* Whether somebody can be asked now, or soon: who may be asked for no more till it is seen what its last hints are worth. */
bool shoal_hints_hoped(const struct shoal_swarm *s, uint32_t piece, shoal_us now);
/* A message of the extension; < 0 ends the peer. */
SHOAL_MUST int shoal_hints_heard(struct shoal_peer *p, struct shoal_bytes body, shoal_us now);
/* The piece that somebody asked about has been read (SHOAL_CHECK_LEAVES). */
void shoal_hints_ready(struct shoal_swarm *s, struct shoal_check *check, shoal_us now);
/* A piece came good that a hint had helped with. */
void shoal_hints_helped(struct shoal_swarm *s, const struct shoal_open *open);

#endif
