/*
 * swarm/peers/rep_record.h - what is known of one peer <-> bytes, as the store keeps it.
 *
 * A key is 'a' and the
 * compact address (BEP 5, 7) the peer listens at, or 'k' and the ed25519 key it
 * has proven. All numbers are big-endian
 * integers, evidence in 1/65536 of a block, so that what was written is
 * read back to the bit, on every machine. A record says which process wrote it:
 * several may share a state folder.
 *
 * What comes out of decode() is within the bounds that reputation.c keeps,
 * whatever wrote it; times may still lie in the future (shoal_rep_record_wake).
 */
#ifndef SHOAL_REP_RECORD_H
#define SHOAL_REP_RECORD_H

#include <shoal/types.h>
#include "proto/key_proof.h"
#include "swarm/peers/reputation.h"

#define SHOAL_REP_KEY_MAX 40u
#define SHOAL_REP_NAME_TEXT 80u
#define SHOAL_REP_RECORD_MAX 224u
#define SHOAL_REP_UNIT 65536.0 /* of a block */

struct shoal_rep_record {
	struct shoal_rep rep;
	uint32_t seen_s; /* since 1970: when it was last heard of */
	uint64_t writer; /* by dice, one a process */
};

/* Who a record is about. */
struct shoal_rep_name {
	struct shoal_addr addr; /* where it listens; of a key, where it was met last, which is not kept */
	bool keyed;		/* it is known by `key` */
	uint8_t key[SHOAL_KEY_BYTES];
};
bool shoal_rep_name_equal(const struct shoal_rep_name *a, const struct shoal_rep_name *b);

/* Returns the bytes of `out` that are the key in the store. */
size_t shoal_rep_key(const struct shoal_rep_name *who, uint8_t out[SHOAL_REP_KEY_MAX]);
/* MALFORMED: nobody's. */
SHOAL_MUST int shoal_rep_key_name(struct shoal_bytes key, struct shoal_rep_name *out);
/* "1.2.3.4:6881", "[2001:db8::1]:6881", "ed25519:" and 64 hex digits; as people write it. MALFORMED. */
SHOAL_MUST int shoal_rep_name_parse(struct shoal_bytes text, struct shoal_rep_name *out);
/* NUL-ended; returns `out`. */
const char *shoal_rep_name_format(const struct shoal_rep_name *who, char out[SHOAL_REP_NAME_TEXT]);

/* Returns the bytes written, at most SHOAL_REP_RECORD_MAX. What is out of bounds is written as the bound. */
size_t shoal_rep_record_encode(const struct shoal_rep_record *in, uint8_t out[SHOAL_REP_RECORD_MAX]);
/* MALFORMED; UNSUPPORTED: a newer one. `*out` is written on success alone. */
SHOAL_MUST int shoal_rep_record_decode(struct shoal_bytes in, struct shoal_rep_record *out);
/* Times that lie after now become now, bans end within the longest there is, and evidence fades up to now. */
void shoal_rep_record_wake(struct shoal_rep_record *r, uint32_t now_s);

/* What would be lost with it: blocks of evidence, and bans for 64 each. */
double shoal_rep_worth(const struct shoal_rep *r);

#endif
