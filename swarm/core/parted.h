/*
 * swarm/core/parted.h - whom we sent away lately though nothing was wrong with it (BEP 11, "filling underpopulated lists").
 *
 * Internal to swarm/core. A seed keeps no other seed, and one with all places taken keeps few
 * of those who come: such a peer is connected to hardly anybody, and would have
 * nothing to tell by PEX. So it remembers the last SHOAL_PARTED_MAX of each
 * family that it parted from for want of mutual interest or of room, or because the
 * other family had them already. Only who had shaken hands, and where it
 * listens, is kept; who was sent away for a fault, or left by itself, is not.
 *
 * Each peer hears of each of them once at most, as long as fewer than SHOAL_PARTED_MAX of that
 * family are connected, and in the message after that hears that it is gone (gossip.c).
 */
#ifndef SHOAL_PARTED_H
#define SHOAL_PARTED_H

#include <shoal/types.h>

#define SHOAL_PARTED_MAX 25u

struct shoal_peer;
struct shoal_swarm;

/* A peer as others are told of it. */
struct shoal_card {
	uint32_t serial; /* of that connection */
	uint8_t flags;	 /* enum shoal_pex_flag */
	struct shoal_addr addr;
};
/* Two rings, [v4]; `count` is of all there ever were, from 0: card k lies at k % SHOAL_PARTED_MAX. Made when first needed. */
struct shoal_parted {
	struct shoal_card card[2][SHOAL_PARTED_MAX];
	uint32_t count[2];
};

/* `p`, which has shaken hands, is about to be sent away. Without memory, or where PEX is not spoken, nothing is kept. */
void shoal_parted_note(const struct shoal_peer *p);
void shoal_parted_free(struct shoal_swarm *s);

#endif
