/*
 * swarm/core/vet.h - who is new is held to the leaf hashes of BEP 52, block by block.
 *
 * A piece says that somebody lied once it is whole, and then a liar has sent all of it. So the leaf hashes of a piece
 * that a stranger is asked for are asked for as well, of the stranger itself: they prove themselves, whoever sends
 * them, and what they cost (a piece read and hashed) it reads anyway. One that does not give them is not asked twice, but
 * another is. From then on its blocks are hashed as they come: a false one never lands, and names its sender.
 *
 * Until a block of it is known to be right little is asked of a stranger, and where newcomers lie least. But nobody is kept waiting
 * for long: blocks that come before the leaf hashes are looked at once those are here; where nobody gives any the hash of
 * the piece decides, as it does for those who are known, in v1, and in a hybrid, whose two hashes may contradict each other.
 */
#ifndef SHOAL_VET_H
#define SHOAL_VET_H

#include <shoal/types.h>
#include "proto/base/slots.h"

#define SHOAL_VET_BLOCKS 16u	  /* right ones of whoever is in good standing: then it is known */
#define SHOAL_VET_UNTRIED 3u	  /* asked of one that has given nothing yet; where newcomers lie, one */
#define SHOAL_VET_WAIT SHOAL_S(1) /* for the leaf hashes of a piece, before another is asked ... */
#define SHOAL_VET_LIED \
	SHOAL_S(7)	  /* where newcomers lie, one whose first block is false is asked for the next after so long */
#define SHOAL_VET_TRIES 3 /* ... so many in all */

struct shoal_open;
struct shoal_peer;
struct shoal_swarm;

/* `p` is asked for a block of `open`. */
void shoal_vet_asked(struct shoal_peer *p, struct shoal_open *open, shoal_us now);
/* How many of `depth` blocks to have asked of `p`: few, and where newcomers lie one, until a block of it is known to be
 * right. The leaf hashes for that are not waited for longer than SHOAL_VET_WAIT at a time. */
uint32_t shoal_vet_depth(const struct shoal_peer *p, uint32_t depth, shoal_us now);
/* A block from `p` is about to land from `slot`. false: it is not the one in the torrent. */
SHOAL_MUST bool shoal_vet_passes(struct shoal_peer *p, const struct shoal_open *open, uint32_t block,
				 const struct shoal_slot *slot);
/* The true leaves of a piece, one for each of its blocks. Who sent what is otherwise is blamed. */
void shoal_vet_leaves(struct shoal_swarm *s, struct shoal_open *open, const uint8_t (*leaf)[32], shoal_us now);
/* It is about to be blamed for a false block. */
void shoal_vet_lied(struct shoal_peer *p, shoal_us now);
/* They cannot be had of whom we asked. */
void shoal_vet_refused(struct shoal_open *open);

#endif
