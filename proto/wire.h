/*
 * proto/wire.h - one peer message <-> bytes (BEP 3, 5 port, 6 fast, 10, 52 hashes).
 *
 * One table gives every message's shape; decoder, encoder, names and tests
 * walk it. Knows nothing of sockets, disks or policy. Integers on the wire
 * are big-endian. Spans in a decoded message borrow the input.
 */
#ifndef SHOAL_WIRE_H
#define SHOAL_WIRE_H

#include <shoal/types.h>
#include "proto/base/bytes.h"

#define SHOAL_WIRE_PIECE_HEAD 13u /* length, id, index, begin: what precedes a block */
#define SHOAL_WIRE_BLOCK_MAX (16u * 1024)
#define SHOAL_WIRE_EXT_MAX (1u << 20)	      /* an extension message */
#define SHOAL_WIRE_BITFIELD_MAX (256u * 1024) /* SHOAL_PIECES_MAX bits */
#define SHOAL_WIRE_HASHES_MAX (48 + 8192 * 32 + 64 * 32)

enum shoal_wire_id {
	SHOAL_WIRE_CHOKE = 0,
	SHOAL_WIRE_UNCHOKE = 1,
	SHOAL_WIRE_INTERESTED = 2,
	SHOAL_WIRE_NOT_INTERESTED = 3,
	SHOAL_WIRE_HAVE = 4,
	SHOAL_WIRE_BITFIELD = 5,
	SHOAL_WIRE_REQUEST = 6,
	SHOAL_WIRE_PIECE = 7,
	SHOAL_WIRE_CANCEL = 8,
	SHOAL_WIRE_PORT = 9,
	SHOAL_WIRE_SUGGEST = 13,
	SHOAL_WIRE_HAVE_ALL = 14,
	SHOAL_WIRE_HAVE_NONE = 15,
	SHOAL_WIRE_REJECT = 16,
	SHOAL_WIRE_ALLOWED_FAST = 17,
	SHOAL_WIRE_EXTENDED = 20,
	SHOAL_WIRE_HASH_REQUEST = 21,
	SHOAL_WIRE_HASHES = 22,
	SHOAL_WIRE_HASH_REJECT = 23,
	SHOAL_WIRE_KEEPALIVE = 256, /* no id on the wire: length 0 */
};

/* BEP 52: hashes [index, index+length) of layer `base` under `root`, and `proof` uncles above. */
struct shoal_wire_hash_range {
	uint8_t root[32];
	uint32_t base, index, length, proof;
};

struct shoal_wire_msg {
	uint16_t id;			    /* enum shoal_wire_id, or one we do not know (<= 255) */
	uint32_t index;			    /* HAVE, REQUEST, PIECE, CANCEL, SUGGEST, REJECT, ALLOWED_FAST: the piece */
	uint32_t begin;			    /* REQUEST, PIECE, CANCEL, REJECT: bytes into it */
	uint32_t len;			    /* REQUEST, CANCEL, REJECT: bytes */
	uint16_t port;			    /* PORT */
	uint8_t ext;			    /* EXTENDED: the message's extended id, 0 the handshake */
	struct shoal_wire_hash_range range; /* HASH_REQUEST, HASHES, HASH_REJECT */
	struct shoal_bytes body;	    /* BITFIELD, PIECE, EXTENDED, HASHES (32 bytes each), unknown ids */
};

#define SHOAL_WIRE_PROTOCOL "\023BitTorrent protocol" /* what every handshake begins with */
#define SHOAL_WIRE_HANDSHAKE_LEN 68
#define SHOAL_WIRE_HANDSHAKE_HEAD 48 /* up to and with the info hash */
enum shoal_wire_can { SHOAL_CAN_EXTENDED = 1, SHOAL_CAN_FAST = 2, SHOAL_CAN_DHT = 4, SHOAL_CAN_V2 = 8 };
struct shoal_wire_handshake {
	struct shoal_id20 info_hash, peer_id;
	unsigned can; /* enum shoal_wire_can, from the reserved bits (BEP 4) */
};

/*
 * shoal_wire_decode() reads one message from the front of `in`.
 * Returns the bytes consumed (>= 4), or
 *   0                    `in` ends before the message does: feed more;
 *   SHOAL_ERR_TOO_LONG   the length prefix is above what its id (or `len_max`) allows;
 *   SHOAL_ERR_MALFORMED  the length does not fit the message id.
 * An id we do not know is no error: it decodes with its whole body, so that the
 * caller can skip it. `*out` is written on success alone.
 */
SHOAL_MUST ptrdiff_t shoal_wire_decode(struct shoal_bytes in, size_t len_max, struct shoal_wire_msg *out);
/* Writes `msg`, body included; returns its length, or TOO_LONG when `out` is too small, USAGE for a shape that cannot be. */
SHOAL_MUST ptrdiff_t shoal_wire_encode(const struct shoal_wire_msg *msg, struct shoal_space out);
/* The 13 bytes before a block of `len`. */
void shoal_wire_piece_head(uint8_t out[SHOAL_WIRE_PIECE_HEAD], uint32_t piece, uint32_t begin, uint32_t len);
const char *shoal_wire_name(uint16_t id); /* "have"; "unknown" */

/* MALFORMED when the first 20 bytes are not BitTorrent's. `in` has >= SHOAL_WIRE_HANDSHAKE_HEAD bytes; the
 * peer id is zero unless all 68 are there. */
SHOAL_MUST int shoal_wire_handshake_decode(struct shoal_bytes in, struct shoal_wire_handshake *out);
void shoal_wire_handshake_encode(const struct shoal_wire_handshake *hs, uint8_t out[SHOAL_WIRE_HANDSHAKE_LEN]);

#endif
