/*
 * proto/peer_wire_room.h - what peer_wire.c (in) and peer_wire_out.c (out) share.
 *
 * Nobody else includes this. The two halves meet in the struct alone: `out`
 * knows nothing of what came in, and the other way round.
 */
#ifndef SHOAL_PEER_WIRE_ROOM_H
#define SHOAL_PEER_WIRE_ROOM_H

#include "proto/peer_wire.h"

#define PW_LETS_PASS UINT64_MAX /* a mark: whatever is said goes before it, until its first byte has gone */

/* A block that waits to be sent. */
struct pw_block_out {
	struct shoal_pw_give give;
	uint64_t mark; /* small bytes that go before it, since the beginning of the connection; or PW_LETS_PASS */
	uint32_t gone; /* bytes of header and block that went out */
	uint8_t head[SHOAL_WIRE_PIECE_HEAD];
};

/*
 * Small messages lie in one run of memory, `small[head, tail)`, moved to its
 * front only when at least as much has been sent as has to be moved (so a
 * byte is moved once on average). Blocks lie in a ring, each with the mark
 * behind which it goes out.
 */
struct pw_out {
	uint8_t *small;
	size_t head, tail, room;
	uint64_t sent;		    /* small bytes that ever went out: the mark of small[head] */
	struct pw_block_out *block; /* block_room entries, a power of two */
	uint32_t block_first, block_count, block_room;
	uint32_t blocks_open; /* those of block_count not wholly sent */
	uint64_t block_bytes; /* of those: bytes still to go, headers included */
	bool greeted;
};

enum pw_state {
	PW_HEAD,    /* the handshake's first 48 bytes */
	PW_PEER_ID, /* its other 20 */
	PW_STREAM,
	PW_DEAD,
};

struct shoal_pw {
	enum pw_state state;
	int why; /* the error, once dead */
	shoal_us heard, spoke, partial_since;
	bool fresh; /* since filled(), a message ended (what is half here began then) */

	/* shoal_pw_terms() */
	uint32_t pieces;
	bool fast, extended, v2;
	uint32_t block_head; /* shoal_pw_heads() */

	/* Unread bytes in one run: in `buf` (at its front when at rest) or in the owner's bounce. */
	struct shoal_bytes flat;

	/* The block now landing. `at` NULL: dropped. */
	struct {
		bool on, asking; /* asking: BLOCK_BEGIN is out, land() has not been called */
		bool forecast;
		uint8_t *at;
		uint32_t piece, begin, len, done;
	} block;

	/*
	 * What space() laid out last, in order: `rest` bytes that end what is half here (a block, a
	 * long message, a small one in buf), `heads` pairs of header area and place (the first
	 * `head_have` bytes of the first header were in buf), then buf from `tail_off` on.
	 */
	struct {
		size_t rest, total;
		uint32_t heads, head; /* laid; walked */
		uint32_t head_have;
		size_t tail_off;
		size_t left; /* bytes that came and have not been walked */
	} lay;
	uint8_t *bounce; /* the owner's; NULL when it is not lent */

	struct pw_out out;

	/* A message longer than buf, in a heap of its own. */
	struct {
		uint8_t *at;
		size_t have, room, total; /* room <= total; total counts the length prefix */
		bool told;		  /* its event is out: free it at the next poll */
	} slow;

	uint32_t want_first, want_count; /* want[first, count) are still to come */
	struct shoal_pw_expect want[SHOAL_PW_FORECAST];
	uint8_t heads[SHOAL_PW_FORECAST][SHOAL_WIRE_PIECE_HEAD];
	struct shoal_wire_handshake handshake;
	uint8_t buf[SHOAL_PW_BUF];
};

void pw_out_fini(struct pw_out *out);
size_t pw_out_bytes(const struct pw_out *out);

#endif
