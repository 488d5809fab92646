/*
 * proto/peer_wire.h - one peer's byte stream, sans-IO (BEP 3, 6, 10, 52).
 *
 * Owns no socket, no clock and no slot. The owner asks where the next bytes
 * may land (space), puts them there (filled), and polls events until none is
 * left; what it says goes into a small out buffer or, for blocks, stays in
 * slots and file spans that it lends until sent() gives them back.
 *
 * Forecast. A peer answers requests mostly in order, so the owner may tell
 * which blocks it expects and where each is to lie. space() then lays header
 * and block after header and block, and one readv() lands many of them with
 * no copy. A header that is not the one forecast means the bytes behind it
 * lie in the wrong places: they are gathered into `bounce` and read from
 * there in order, the slow and always right way. Nothing that was forecast
 * counts before its header has been seen to match.
 */
#ifndef SHOAL_PEER_WIRE_H
#define SHOAL_PEER_WIRE_H

#include <shoal/types.h>
#include "proto/wire.h"

#define SHOAL_PW_BUF 4096    /* unread small messages */
#define SHOAL_PW_FORECAST 16 /* blocks laid out ahead for one read */
#define SHOAL_PW_SPANS (2 * SHOAL_PW_FORECAST + 2)
/* Room the owner's bounce buffer must have: all that one read can bring. */
#define SHOAL_PW_BOUNCE (SHOAL_PW_FORECAST * (SHOAL_WIRE_PIECE_HEAD + 16384) + 16384 + SHOAL_PW_BUF)
/* Bytes of small messages that may wait to be sent: the greetings and the longest bitfield or hashes fit. */
#define SHOAL_PW_OUT_MAX (320u * 1024)
#define SHOAL_PW_GIVES_MAX 1024u /* blocks that may wait to be sent */

enum shoal_pw_event_kind {
	SHOAL_PW_HANDSHAKE,   /* the 48 bytes up to the info hash are in (answer now) ... */
	SHOAL_PW_PEER_ID,     /* ... and the peer id after them */
	SHOAL_PW_MESSAGE,     /* a whole message; its spans are valid until the next call */
	SHOAL_PW_BLOCK_BEGIN, /* a PIECE header outside the forecast: answer with shoal_pw_land() */
	SHOAL_PW_BLOCK,	      /* a block has landed: msg.piece/.begin, len bytes */
};
struct shoal_pw_event {
	enum shoal_pw_event_kind kind;
	struct shoal_wire_handshake handshake; /* HANDSHAKE, PEER_ID */
	struct shoal_wire_msg msg;	       /* MESSAGE; BLOCK*: index, begin */
	uint32_t len;			       /* BLOCK*: bytes of the block */
	uint8_t *at;			       /* BLOCK: where it lies; NULL when it was dropped */
	bool forecast;			       /* BLOCK: it was the next one forecast */
};
struct shoal_pw_expect {
	uint32_t piece, begin, len;
	uint8_t *at; /* len bytes of the owner's, lent until the block's event or a new forecast */
};

/* A block to send. Its bytes are lent until sent() returns the token. */
struct shoal_pw_give {
	uint32_t piece, begin, len;
	void *token;	   /* the owner's word for it, not NULL */
	const uint8_t *at; /* the bytes; or NULL, and then they lie ... */
	uint32_t file;	   /* ... in this file (the storage's word for it) ... */
	uint64_t offset;   /* ... at this offset, for the transport to send by itself */
};

/* What to send next: memory, or a span of a file when at is NULL. */
struct shoal_pw_piece_out {
	const uint8_t *at;
	size_t len;
	void *token; /* whose file span it is (NULL for memory) */
	uint32_t file;
	uint64_t offset;
};

struct shoal_pw;

SHOAL_MUST int shoal_pw_new(struct shoal_pw **out, shoal_us now);
void shoal_pw_free(struct shoal_pw *pw); /* NULL is fine. Tokens still lent: take them with shoal_pw_drain first */
/* Heap bytes one takes at rest, and what it holds now (long messages, out queue). */
size_t shoal_pw_bytes(const struct shoal_pw *pw);
/* Of these, what a message takes that is too long for the buffer and not whole yet. */
size_t shoal_pw_long(const struct shoal_pw *pw);
/* How long a message may be: before the metadata a bitfield of any plausible size, after it exact.
 * `pieces` 0: unknown yet. `fast`, `v2`: whether messages 13-17, 21-23 are legal on this connection. */
void shoal_pw_terms(struct shoal_pw *pw, uint32_t pieces, bool fast, bool extended, bool v2);
/* Of what lies in the owner's places only the first `head` bytes of each block are memory (a world that carries no
 * payload): no more is copied from or to them. Every place is whole when nothing is said. */
void shoal_pw_heads(struct shoal_pw *pw, uint32_t head);

/* Its memory is needed soon (fetch.h): the buffer of small messages aside. */
void shoal_pw_foresee(const struct shoal_pw *pw);

/* ---- in ---- */
/* Where the next bytes may land; spans to hand to readv() in order. 0 when dead. */
size_t shoal_pw_space(struct shoal_pw *pw, struct shoal_space out[], size_t max);
/* `n` bytes were put into those spans. `bounce` has SHOAL_PW_BOUNCE bytes and stays lent until poll() returns 0 or < 0. */
void shoal_pw_filled(struct shoal_pw *pw, size_t n, uint8_t *bounce, shoal_us now);
/* The blocks expected next, in order; replaces the forecast before. Call it only when poll() has
 * returned 0. A block already begun (its header matched) keeps its place until it ends. Returns how many of
 * `n` were taken. The blocks' bytes may only be reused after a new forecast (n = 0 is one) or the event. */
size_t shoal_pw_forecast(struct shoal_pw *pw, const struct shoal_pw_expect want[], size_t n);
/* 1: `*ev` is set, its spans valid until the next call. 0: feed more. < 0: dead, and why. */
SHOAL_MUST int shoal_pw_poll(struct shoal_pw *pw, struct shoal_pw_event *ev);
/* Answers BLOCK_BEGIN: where the block goes (len bytes), NULL to drop it. */
void shoal_pw_land(struct shoal_pw *pw, uint8_t *at);
/* Nothing more is written at `at` (where a block is landing, or forecast to), and what was read there is kept
 * elsewhere: the place is the owner's again. A block begun there is dropped; one forecast comes as BLOCK_BEGIN.
 * At any time but between space() and filled(). */
void shoal_pw_unland(struct shoal_pw *pw, const uint8_t *at);

/* ---- out ---- */
/* Our handshake (68 bytes). For one who accepts: the info hash of the HANDSHAKE event, or the v2 one (BEP 52). */
SHOAL_MUST int shoal_pw_greet(struct shoal_pw *pw, const struct shoal_wire_handshake *hs);
/* Queues a small message, copied: behind those said before, but (a choke aside) before blocks of which nothing has gone
 * out. TOO_LONG at SHOAL_PW_OUT_MAX, NOMEM. */
SHOAL_MUST int shoal_pw_say(struct shoal_pw *pw, const struct shoal_wire_msg *msg);
/* Queues a block behind all said before. TOO_LONG at SHOAL_PW_GIVES_MAX, NOMEM; USAGE without a token or a length. */
SHOAL_MUST int shoal_pw_give(struct shoal_pw *pw, const struct shoal_pw_give *block);
/* Takes a block back that no byte (header included) has gone out of: true, and the token is the owner's. */
bool shoal_pw_take_back(struct shoal_pw *pw, uint32_t piece, uint32_t begin, uint32_t len, void **token);
/* Likewise the first of a piece, whichever block it is. */
bool shoal_pw_take_back_any(struct shoal_pw *pw, uint32_t piece, struct shoal_pw_give *block);
/* What is to be sent, in order, as up to `max` parts. 0: nothing. */
size_t shoal_pw_output(const struct shoal_pw *pw, struct shoal_pw_piece_out v[], size_t max);
/* `n` bytes of it went out. Tokens of blocks wholly sent come back through done[]; returns how many (<= max parts of output()). */
size_t shoal_pw_sent(struct shoal_pw *pw, size_t n, void *done[], size_t max, shoal_us now);
/* Before freeing: hands back every token still lent, up to max a call; 0 when none is left. */
size_t shoal_pw_drain(struct shoal_pw *pw, void *done[], size_t max);
size_t shoal_pw_queued(const struct shoal_pw *pw);	  /* bytes waiting, blocks included */
size_t shoal_pw_queued_blocks(const struct shoal_pw *pw); /* blocks not wholly sent */
size_t shoal_pw_room(const struct shoal_pw *pw);	  /* what say() takes yet, in bytes with their heads */

/* When bytes last came in, last went out; when a message (or the handshake) now half read began to come, 0 if none. */
shoal_us shoal_pw_heard(const struct shoal_pw *pw);
shoal_us shoal_pw_spoke(const struct shoal_pw *pw);
shoal_us shoal_pw_partial_since(const struct shoal_pw *pw);

#endif
