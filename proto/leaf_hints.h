/*
 * proto/leaf_hints.h - what a piece of v1 is made of, by word of mouth: SHA-256 of each of its blocks; our own extension.
 *
 * BEP 3 hashes whole pieces, so that one false block spoils all of one, and nobody can say which it was. Who has the
 * piece, verified, can. The BEP 10 message "sh_leaves", version 1, between two whose handshakes name it:
 *
 *   ASK   1, 1, piece (4)                      what are its blocks?
 *   TELL  2, 1, piece (4), digest (32) each    one for every block of 16 KiB, the last may be shorter; zeros that a
 *                                              hybrid would put behind it do not count
 *   NONE  3, 1, piece (4)                      I do not say
 *
 * A hint proves nothing: it may say which blocks are worth fetching again, and the piece's own hash says whether that
 * was right. Numbers are big-endian. Pure; spans in a decoded message borrow the input.
 */
#ifndef SHOAL_LEAF_HINTS_H
#define SHOAL_LEAF_HINTS_H

#include <shoal/types.h>

#define SHOAL_HINT_NAME "sh_leaves"
#define SHOAL_HINT_HEAD 6u
#define SHOAL_HINT_BLOCKS 4096u /* of one piece, at most: 128 KiB of digests */

enum shoal_hint_kind { SHOAL_HINT_ASK = 1, SHOAL_HINT_TELL = 2, SHOAL_HINT_NONE = 3 };
struct shoal_hint_msg {
	enum shoal_hint_kind kind;
	uint32_t piece;
	uint32_t blocks; /* TELL: at least 1 */
	const uint8_t (*digest)[32];
};
/* MALFORMED: no message of ours; UNSUPPORTED: of another version or kind, to be ignored. */
SHOAL_MUST int shoal_hint_decode(struct shoal_bytes in, struct shoal_hint_msg *out);
/* Bytes written; RANGE: `to` is too small, or more blocks than there may be. */
SHOAL_MUST ptrdiff_t shoal_hint_encode(const struct shoal_hint_msg *msg, struct shoal_space to);

#endif
