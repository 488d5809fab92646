/*
 * tests/fault/claimed.h - what a state database claims of a torrent in a folder, read as the engine would read it at its start.
 *
 * The records' own reader (swarm/pieces/claims.c) and the real store; nothing is hashed here, and what a claim
 * is worth is for the caller to see.
 */
#ifndef FAULT_CLAIMED_H
#define FAULT_CLAIMED_H

#include "proto/base/bits.h"
#include "proto/metainfo.h"
#include "swarm/pieces/disk.h"
#include "swarm/pieces/store.h"

/* By piece: of how many files records name it, of how many they are to be believed, and how many files hold a part of it. */
struct claimed_counts {
	uint8_t *named, *believed, *holders;
};
/* Of what `store` has of a torrent in `folder`, whose files look like seen[]. All of it is read whatever fails; the first
 * error, or NOMEM, is given. fini() in any case. */
SHOAL_MUST int claimed_count(struct claimed_counts *out, const struct shoal_store *store,
			     const struct shoal_metainfo *mi, const char *folder, const struct shoal_seen *seen);
void claimed_counts_fini(struct claimed_counts *c);

struct claimed {
	struct shoal_bits piece; /* every file that holds a part of it is believed to have it */
	uint64_t bytes;		 /* of those pieces */
	struct shoal_seen *seen; /* by file */
	uint32_t named;		 /* pieces that records name, believed or not */
};
/* 0, or < 0 with a sentence in what[]. `folder` is the name records are kept under: an absolute path, no links in it. */
SHOAL_MUST int claimed_read(struct claimed *out, const struct shoal_metainfo *mi, const char *folder, const char *state,
			    char what[160]);
void claimed_fini(struct claimed *c);

#endif
