/*
 * swarm/peers/patience.h - how much of one thing a peer may do: so many at once, and so many a minute.
 *
 * For what is legal once and harmful without end: duplicate HAVEs, cancels of
 * nothing, blocks nobody asked for, pieces read for their leaf hashes. Zeroed
 * memory is one that was never tried. Pure.
 */
#ifndef SHOAL_PATIENCE_H
#define SHOAL_PATIENCE_H

#include <shoal/types.h>

struct shoal_patience {
	int32_t used; /* below zero: forgiven in advance */
	shoal_us since;
};

/* How much of what a peer says we take before it is too much, and how much more each minute. */
#define SHOAL_PATIENCE_TALK 10000 /* messages that ask for nothing and tell nothing */
#define SHOAL_PATIENCE_TALK_MINUTE 30000
#define SHOAL_PATIENCE_UNASKED 64 /* blocks we did not ask for; each ask we took back forgives one */
#define SHOAL_PATIENCE_UNASKED_MINUTE 60
#define SHOAL_PATIENCE_LEAVES 64 /* pieces hashed because it asked for their leaves: one, and one for each MiB */
#define SHOAL_PATIENCE_LEAVES_MINUTE 240
#define SHOAL_PATIENCE_HINTS 1024 /* MiB of pieces hashed because it asked for a hint; a piece is one at least */
#define SHOAL_PATIENCE_HINTS_MINUTE 4096
#define SHOAL_PATIENCE_READ_ALL 4096 /* MiB read for leaves and hints of all peers together: names cost nothing */
#define SHOAL_PATIENCE_READ_ALL_MINUTE 8192
#define SHOAL_PATIENCE_INTRODUCED 64 /* others told to connect to it, because it asked for that (BEP 55) */
#define SHOAL_PATIENCE_INTRODUCED_MINUTE 128
#define SHOAL_PATIENCE_METADATA 64 /* blocks of the info dictionary given, beside twice its length */

/* One more. false: it is too much. */
SHOAL_MUST bool shoal_patience_charge(struct shoal_patience *p, int32_t at_once, uint32_t a_minute, shoal_us now);
/* `count` more, if one could be. */
SHOAL_MUST bool shoal_patience_charge_many(struct shoal_patience *p, int32_t count, int32_t at_once, uint32_t a_minute,
					   shoal_us now);
/* `count` of them would be our own doing. */
void shoal_patience_forgive(struct shoal_patience *p, uint32_t count);

#endif
