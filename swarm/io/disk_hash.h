/*
 * swarm/io/disk_hash.h - the hashes of several pieces, moved forward side by side. Reads and writes nothing.
 *
 * SHA-1 is one chain a piece, so as many pieces as there are make as many
 * lanes. The leaves of v2 are independent of each other: they are gathered
 * from all lanes, and one piece fills a kernel by itself.
 */
#ifndef SHOAL_DISK_HASH_H
#define SHOAL_DISK_HASH_H

#include "proto/base/digest.h"
#include "proto/base/slots.h"
#include "swarm/pieces/disk.h"

/* Blocks hashed in one stage, all lanes together: 512 KiB, which stays in a core's L2 until it is written. */
#define SHOAL_DISK_STAGE 32
/* Of them, those of one lane: enough for one piece's leaves to fill the widest kernel. */
#define SHOAL_DISK_STAGE_MAX 16
#define SHOAL_DISK_STAGE_MIN 2
_Static_assert(SHOAL_DISK_STAGE_MIN *SHOAL_LANES_MAX <= SHOAL_DISK_STAGE, "a full group fits one stage");

/* Blocks a lane takes in a stage when `n` run side by side. */
static inline uint32_t shoal_disk_stage(size_t n)
{
	uint32_t each = SHOAL_DISK_STAGE / (uint32_t)(n ? n : 1);
	return each > SHOAL_DISK_STAGE_MAX   ? SHOAL_DISK_STAGE_MAX
	       : each < SHOAL_DISK_STAGE_MIN ? SHOAL_DISK_STAGE_MIN
					     : each;
}

struct shoal_disk_lane {
	struct shoal_piece_hash *hash;
	bool leaves;	   /* SHA-256 of each block is wanted besides what the hash itself needs */
	uint32_t block;	   /* at[0]'s index in the piece */
	uint32_t count;	   /* blocks in this stage */
	uint32_t last_len; /* bytes of the last one; the others are whole */
	const uint8_t *at[SHOAL_DISK_STAGE_MAX];
};

/* Whether the hash's own numbers can be right: room for leaves, width, bytes. */
SHOAL_MUST bool shoal_disk_hash_sound(const struct shoal_piece_hash *hash, bool leaves);
/* Takes one stage of each lane. n <= SHOAL_LANES_MAX. */
void shoal_disk_hash_stage(struct shoal_disk_lane *const lane[], size_t n);
/* The pieces are complete: sets hash->good. `scratch` has room for SHOAL_DISK_LEAVES_MAX hashes. */
#define SHOAL_DISK_LEAVES_MAX (SHOAL_PIECE_SIZE_MAX / SHOAL_BLOCK)
void shoal_disk_hash_verdict(struct shoal_disk_lane *const lane[], size_t n, uint8_t (*scratch)[32]);

#endif
