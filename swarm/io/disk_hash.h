/*
 * swarm/io/disk_hash.h - the hashes of up to four pieces, moved forward side by side. Reads and writes nothing.
 *
 * SHA-1 is one chain a piece, so four pieces make four lanes. The leaves of
 * v2 are independent of each other: one piece fills the lanes by itself.
 */
#ifndef SHOAL_DISK_HASH_H
#define SHOAL_DISK_HASH_H

#include "proto/base/digest.h"
#include "proto/base/slots.h"
#include "swarm/core/disk.h"

/* Blocks of a piece hashed at a time: four lanes of them (512 KiB) stay in a core's L2 until they are written. */
#define SHOAL_DISK_STAGE 8

struct shoal_disk_lane {
	struct shoal_piece_hash *hash;
	bool leaves;	   /* SHA-256 of each block is wanted besides what the hash itself needs */
	uint32_t block;	   /* at[0]'s index in the piece */
	uint32_t count;	   /* blocks in this stage */
	uint32_t last_len; /* bytes of the last one; the others are whole */
	const uint8_t *at[SHOAL_DISK_STAGE];
};

/* Whether the hash's own numbers can be right: room for leaves, width, bytes. */
SHOAL_MUST bool shoal_disk_hash_sound(const struct shoal_piece_hash *hash, bool leaves);
/* Takes one stage of each lane. n <= SHOAL_LANES. */
void shoal_disk_hash_stage(struct shoal_disk_lane *const lane[], size_t n);
/* The pieces are complete: sets hash->good. `scratch` has room for SHOAL_DISK_LEAVES_MAX hashes. */
#define SHOAL_DISK_LEAVES_MAX (SHOAL_PIECE_SIZE_MAX / SHOAL_BLOCK)
void shoal_disk_hash_verdict(struct shoal_disk_lane *const lane[], size_t n, uint8_t (*scratch)[32]);

#endif
