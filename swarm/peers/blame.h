/*
 * swarm/peers/blame.h - who spoiled a piece: digests of the blocks of pieces that failed.
 *
 * BEP 3 says only that a piece is bad. So the digest and the sender of each
 * of its blocks are kept; once the piece has come good, a sender whose
 * block differs from the good one lied, and nobody else did. So did one who
 * sent two different blocks for the same place. In v2 the true leaf hashes
 * can be asked for, and the verdict is immediate. Pure memory.
 */
#ifndef SHOAL_BLAME_H
#define SHOAL_BLAME_H

#include <shoal/types.h>
#include "proto/base/slots.h"

#define SHOAL_BLAME_PIECES 64	/* failed pieces remembered, the oldest forgotten first */
#define SHOAL_BLAME_BLOCKS 4096 /* of one piece */
#define SHOAL_BLAME_NOBODY 0u	/* sent a block: it lay here, and is never anybody's fault */

struct shoal_blame_piece;
struct shoal_blame {
	struct shoal_blame_piece *head;
	struct shoal_budget *budget; /* charged; NULL: nothing is */
	uint32_t count;
};
/* Remembers one failed attempt: `n` blocks, their digests (32 bytes each, any hash as long as it is always the same)
 * and senders. NOMEM, TOO_LONG: forgotten (a later failure tries again). */
SHOAL_MUST int shoal_blame_failed(struct shoal_blame *b, uint32_t piece, const uint8_t (*digest)[32],
				  const uint32_t *source, uint32_t n);
/* For one false block of the last attempt that is remembered its only sender has answered already. */
void shoal_blame_counted(struct shoal_blame *b, uint32_t piece);
/* Calls guilty() for each sender whose block here is not the one it sent in an attempt that is remembered. */
uint32_t shoal_blame_contradicted(const struct shoal_blame *b, uint32_t piece, const uint8_t (*digest)[32],
				  const uint32_t *source, uint32_t n,
				  void (*guilty)(void *to, uint32_t source, uint32_t block), void *to);
/* What `from` sent is `to`'s. */
void shoal_blame_rename(struct shoal_blame *b, uint32_t from, uint32_t to);
bool shoal_blame_has(const struct shoal_blame *b, uint32_t piece);
/* The true digests are known: calls guilty() once for each block that was bad (the same one, in several attempts, is one),
 * and forgets the piece. Returns how many there were. */
uint32_t shoal_blame_settle(struct shoal_blame *b, uint32_t piece, const uint8_t (*truth)[32], uint32_t n,
			    void (*guilty)(void *to, uint32_t source, uint32_t block), void *to);
void shoal_blame_fini(struct shoal_blame *b);

#endif
