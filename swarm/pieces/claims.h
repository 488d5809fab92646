/*
 * swarm/pieces/claims.h - what a record about one file says, and whether to believe it.
 *
 * A claim is: these pieces of this file were verified and durable. Records
 * are kept by file object: the key is the content (a v2 file root, or an id
 * made from the v1 info hash and the file's number) and the place (folder
 * and path), so that the claims of a file outlive any torrent and one file
 * can feed several. A file of many pieces has several records, one for each
 * SHOAL_CLAIM_CHUNK pieces, so that a commit rewrites only what changed.
 * Pure: bytes <-> structs, and one decision.
 */
#ifndef SHOAL_CLAIMS_H
#define SHOAL_CLAIMS_H

#include <shoal/types.h>
#include "proto/metainfo.h"
#include "swarm/pieces/disk.h"

#define SHOAL_CLAIM_CHUNK 32768u /* pieces a record covers */
#define SHOAL_CLAIM_KEY_LEN (32 + 16 + 4)
#define SHOAL_CLAIM_PLACE_BYTES (32 + 16) /* of a key: content and place, before the number of the chunk */
#define SHOAL_CLAIM_VALUE_MAX (64 + 8 + SHOAL_CLAIM_CHUNK / 8 + 2 * (2 + SHOAL_PATH_BYTES_MAX))

enum shoal_claim_flag {
	SHOAL_CLAIM_OPEN = 1, /* the file was being written: the stamp's times mean nothing, dev and inode do */
	SHOAL_CLAIM_ALL = 2,  /* every piece of the chunk; no bitmap follows */
	SHOAL_CLAIM_FOREIGN =
		4, /* the file was there before us and is not whole: what differs in it is not ours to replace */
};

struct shoal_claim {
	unsigned flags;
	struct shoal_stamp stamp;
	uint32_t piece_size;
	uint32_t skew;		   /* bytes from the start of the first piece to the start of the file (v1) */
	uint32_t first, count;	   /* pieces of the file, from its first, that this record covers */
	struct shoal_bytes bitmap; /* ceil(count / 8), bit 0 of byte 0 the first; empty with ALL */
	/* Where a whole file lies, said by its first chunk, so that other torrents that hold the same content find it
	 * (swarm/core/adopt.h). Both empty in all other records, and in those of the first form. */
	struct shoal_bytes folder, path;
};

/* The key of chunk `chunk` of `file` below `folder` (an absolute path). */
void shoal_claim_key(const struct shoal_metainfo *mi, uint32_t file, struct shoal_bytes folder, uint32_t chunk,
		     uint8_t out[SHOAL_CLAIM_KEY_LEN]);
/* Length written, or TOO_LONG. */
SHOAL_MUST ptrdiff_t shoal_claim_encode(const struct shoal_claim *claim, struct shoal_space out);
/* MALFORMED for anything that is not exactly a record; `bitmap` borrows `in`. */
SHOAL_MUST int shoal_claim_decode(struct shoal_bytes in, struct shoal_claim *out);
/* Whether the file as it is now is the one the record speaks of. */
bool shoal_claim_trusted(const struct shoal_claim *claim, const struct shoal_seen *seen);
bool shoal_stamp_same(const struct shoal_stamp *a, const struct shoal_stamp *b);
/* The pieces that hold bytes of `file`: how many, and the first; 0 for one with no bytes. `skew` as in the record. */
uint32_t shoal_claim_pieces(const struct shoal_metainfo *mi, uint32_t file, uint32_t *first, uint32_t *skew);

#endif
