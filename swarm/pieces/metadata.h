/*
 * swarm/pieces/metadata.h - collecting an info dictionary from peers (BEP 9). Pure.
 *
 * Each size that is claimed has an assembly of its own, so that a liar about the size cannot stop
 * the honest; memory grows with blocks that arrive, never with a size that was only announced. A peer
 * has one size at a time: its last one goes when it says another, or leaves. With all places taken, the
 * assembly in which nothing has moved for the longest makes way.
 */
#ifndef SHOAL_METADATA_H
#define SHOAL_METADATA_H

#include <shoal/types.h>
#include "proto/base/slots.h"

#define SHOAL_METADATA_SIZES 32		   /* different sizes looked at side by side */
#define SHOAL_METADATA_ASK_TIME SHOAL_S(3) /* a block not answered by then is asked elsewhere, too */
#define SHOAL_METADATA_STILL SHOAL_S(10)   /* an assembly in which nothing moves makes way */
#define SHOAL_METADATA_PER_PEER 4	   /* blocks asked of one peer at a time */

struct shoal_metadata_sized {
	uint64_t size;
	uint32_t blocks, here;
	uint8_t **block;   /* NULL until it has come */
	shoal_us *asked;   /* when each was last asked, 0 not */
	uint32_t *source;  /* who was asked last; once it is here, who sent it */
	uint32_t *before;  /* who was asked before that, and may still answer */
	uint32_t lapses;   /* asks that were not answered in time, since a block came */
	uint32_t failures; /* whole assemblies that had the wrong hash */
	uint32_t only;	   /* after a failure: the one peer it is fetched from; 0 any */
	uint32_t by;	   /* the one peer that says it is so long; 0: several do */
	shoal_us moved;	   /* when it began, a block came, or `only` changed */
};
struct shoal_metadata {
	struct shoal_metadata_sized *sized; /* SHOAL_METADATA_SIZES of them, made with the first */
	unsigned count;
	struct shoal_budget *budget;
};

void shoal_metadata_init(struct shoal_metadata *m, struct shoal_budget *budget);
void shoal_metadata_fini(struct shoal_metadata *m);
/* A block to ask of `peer`, which said the dictionary has `size` bytes; marks it asked. UINT32_MAX: none now; the size is
 * not acceptable, everything is asked, or all places are taken. */
uint32_t shoal_metadata_want(struct shoal_metadata *m, uint64_t size, uint32_t peer, shoal_us now);
/* A block came. 1: all of that size are here (take it with shoal_metadata_whole); 0; GONE: it was not asked of this peer (or
 * no longer), and is dropped; MALFORMED: it was, and has the wrong length; NOMEM. */
SHOAL_MUST int shoal_metadata_block(struct shoal_metadata *m, uint64_t size, uint32_t index, struct shoal_bytes data,
				    uint32_t peer, shoal_us now);
/* The peer it was asked of refuses it: may be asked elsewhere. */
void shoal_metadata_refused(struct shoal_metadata *m, uint64_t size, uint32_t index, uint32_t peer);
/* All of that size is forgotten. */
void shoal_metadata_drop(struct shoal_metadata *m, uint64_t size);
/* A peer is gone, and with it all that it had been asked for. */
void shoal_metadata_gone(struct shoal_metadata *m, uint32_t peer);
/* The whole of a size, in one heap block of the caller's; its blocks are forgotten. NULL: NOMEM. */
uint8_t *shoal_metadata_whole(struct shoal_metadata *m, uint64_t size);
/* What came was not what the hash says. `sources`: filled with up to `max` who sent parts; returns how many. If one peer alone
 * sent it, it lied. From now on it is fetched from one peer at a time. */
uint32_t shoal_metadata_wrong(struct shoal_metadata *m, uint64_t size, uint32_t sources[], uint32_t max);

#endif
