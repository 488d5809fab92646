/*
 * swarm/core/flight.h - the flight record: decisions of a node, each with the terms that made it.
 *
 * A record is one decision or one fact: when, of which torrent, about which
 * peer and piece, and a row of whole numbers, its *terms*. What they are
 * called and how many there are is one table (shoal_flight_shape()) which the codec,
 * `shoal explain` and the tests walk alike. Whoever explains a record has
 * nothing but these terms to go by.
 *
 * As bytes: kind, length of the rest, then as LEB128 numbers in their
 * shortest form the time, the torrent, the peer, the piece plus one, and the terms; behind
 * them the text, in kinds that have one. A kind that is not known is passed
 * over. A file is a head (shoal_flight_head_encode()) and records, oldest first.
 *
 * The ring keeps the newest records within `room` bytes until they are
 * taken; how many were lost before that is a record too. Pure: no clock, no
 * I/O. Peers are named as their blocks are remembered (shoal_peer.source).
 */
#ifndef SHOAL_FLIGHT_H
#define SHOAL_FLIGHT_H

#include <shoal/types.h>
#include "proto/base/slots.h"

#define SHOAL_FLIGHT_VERSION 1u
#define SHOAL_FLIGHT_TERMS 12u
#define SHOAL_FLIGHT_TEXT_MAX 120u	/* bytes of text; more is cut */
#define SHOAL_FLIGHT_RECORD_MAX 288u	/* bytes of one record, no text and terms can come to more */
#define SHOAL_FLIGHT_RING (256u * 1024) /* bytes in memory, of all torrents together */
#define SHOAL_FLIGHT_BATCH (16u * 1024) /* so many that wait are handed on at once, fewer after a second */
#define SHOAL_FLIGHT_HEAD 64u		/* bytes before the first record of a file */
#define SHOAL_FLIGHT_NONE UINT32_MAX	/* no piece */

enum shoal_flight_kind {
	SHOAL_FLIGHT_UNKNOWN, /* of a later version */
	SHOAL_FLIGHT_TORRENT, /* text: its info hash in hex, a space, its name */
	SHOAL_FLIGHT_PEER,    /* somebody has joined: who, and what is known of it */
	SHOAL_FLIGHT_CLIENT,  /* text: what it calls itself */
	SHOAL_FLIGHT_WEBSEED, /* text: its host */
	SHOAL_FLIGHT_LEFT,
	SHOAL_FLIGHT_STANCE, /* who chokes and who wants: at first, and when it changes */
	SHOAL_FLIGHT_ASK,    /* it is asked for a piece from now on */
	SHOAL_FLIGHT_NOT,    /* who else has that piece, and why it was not asked */
	SHOAL_FLIGHT_TWICE,  /* a block that another owes us is asked of it as well */
	SHOAL_FLIGHT_IDLE,   /* it has room, and there is nothing to ask it for */
	SHOAL_FLIGHT_STALL,
	SHOAL_FLIGHT_BACK, /* it stalls no longer */
	SHOAL_FLIGHT_REFUSED,
	SHOAL_FLIGHT_SERVE, /* whether it is served, and why */
	SHOAL_FLIGHT_PART,  /* of a piece that came good: what it sent */
	SHOAL_FLIGHT_GOOD,  /* a piece came good */
	SHOAL_FLIGHT_BAD,   /* a piece failed its hash */
	SHOAL_FLIGHT_SUSPECT,
	SHOAL_FLIGHT_FALSE, /* exact blame */
	SHOAL_FLIGHT_CLEARED,
	SHOAL_FLIGHT_BAN,   /* text: the evidence */
	SHOAL_FLIGHT_OWN,   /* our own memory erred */
	SHOAL_FLIGHT_WAIT,  /* a piece under way that does not come on */
	SHOAL_FLIGHT_STATE, /* the torrent as a whole */
	SHOAL_FLIGHT_LOST,  /* records, for want of room */
	SHOAL_FLIGHT_END,   /* of the file, and why */
	SHOAL_FLIGHT_KEY,   /* it has proven a key (identity.h); text: the key in hex */
	SHOAL_FLIGHT_KINDS
};

/* What some terms stand for. Numbers in files: never to be renumbered. */
enum shoal_flight_how {				/* ASK */
			SHOAL_FLIGHT_HOW_FIRST, /* begun, at random: we had hardly any piece yet */
			SHOAL_FLIGHT_HOW_RAREST,
			SHOAL_FLIGHT_HOW_IN_ORDER,
			SHOAL_FLIGHT_HOW_URGENT,  /* it has a deadline */
			SHOAL_FLIGHT_HOW_ALLOWED, /* it gives it though it chokes us (BEP 6) */
			SHOAL_FLIGHT_HOW_JOINED,  /* others have begun it */
			SHOAL_FLIGHT_HOW_REPAIR,  /* it failed, and some of it is fetched again */
			SHOAL_FLIGHT_HOW_OTHER,	  /* a hint of its own, or by another policy than ours */
};
enum shoal_flight_limit {			    /* what bounds how many blocks may be asked of it */
			  SHOAL_FLIGHT_LIMIT_LINE,  /* bandwidth times delay */
			  SHOAL_FLIGHT_LIMIT_TRUST, /* what we are willing to lose to it */
			  SHOAL_FLIGHT_LIMIT_REQQ,  /* what it is ready to queue */
			  SHOAL_FLIGHT_LIMIT_STALL,
			  SHOAL_FLIGHT_LIMIT_CLAIMS, /* it refused what it said it has, or stalled, and gave nothing since */
			  SHOAL_FLIGHT_LIMIT_CHOKED,
			  SHOAL_FLIGHT_LIMIT_VET, /* no block of it is known to be right yet (vet.h) */
};
enum shoal_flight_not {				 /* NOT */
			SHOAL_FLIGHT_NOT_CHOKES, /* it chokes us */
			SHOAL_FLIGHT_NOT_STALLS,
			SHOAL_FLIGHT_NOT_FULL,	  /* all it may be asked for was under way */
			SHOAL_FLIGHT_NOT_RESTING, /* it refused a block a moment ago */
			SHOAL_FLIGHT_NOT_TURN,	  /* it had room: another asked first */
			SHOAL_FLIGHT_NOT_LACKS,	  /* it has not got it */
			SHOAL_FLIGHT_NOT_LIED,	  /* its first block was false, where newcomers lie */
};
enum shoal_flight_end { SHOAL_FLIGHT_END_STOP, SHOAL_FLIGHT_END_FULL };

struct shoal_flight {
	enum shoal_flight_kind kind;
	shoal_us at; /* as the node's clock has it */
	uint32_t torrent, peer;
	uint32_t piece; /* SHOAL_FLIGHT_NONE */
	uint64_t term[SHOAL_FLIGHT_TERMS];
	struct shoal_bytes text; /* decoded: borrows the input; of strangers in part: escape before showing */
};

struct shoal_flight_shape {
	const char *name;
	const char *term[SHOAL_FLIGHT_TERMS + 1]; /* their names, NULL behind the last */
	bool text;
};
/* NULL: not known. */
const struct shoal_flight_shape *shoal_flight_shape(enum shoal_flight_kind kind);
/* The term of that name; 0 where the kind has none. */
uint64_t shoal_flight_term(const struct shoal_flight *f, const char *name);

/* Bytes written; RANGE when `to` is too small or the kind has no shape. Text beyond TEXT_MAX is left out. */
SHOAL_MUST ptrdiff_t shoal_flight_encode(const struct shoal_flight *f, struct shoal_space to);
/* Bytes read; 0: `in` ends within a record; MALFORMED. A kind that is not known decodes as UNKNOWN, the rest 0. */
SHOAL_MUST ptrdiff_t shoal_flight_decode(struct shoal_bytes in, struct shoal_flight *out);

struct shoal_flight_head {
	uint64_t unix_s;  /* when it began */
	shoal_us began;	  /* the same by the clock of the records */
	uint8_t hash_len; /* 20, 32; 0: several torrents, or not known */
	uint8_t hash[32]; /* info hash of the torrent it is about */
};
void shoal_flight_head_encode(const struct shoal_flight_head *h, uint8_t out[SHOAL_FLIGHT_HEAD]);
/* 0; MALFORMED: no flight record; UNSUPPORTED: of a later version. */
SHOAL_MUST int shoal_flight_head_decode(struct shoal_bytes in, struct shoal_flight_head *out);

/* ---- the ring -------------------------------------------------------------------------------- */

struct shoal_flight_ring {
	uint8_t *at;
	size_t room, head, used; /* the oldest record begins at `head` */
	uint64_t lost;		 /* since the last take */
	shoal_us lost_at;	 /* when the last of them was */
};
/* `room` >= 2 RECORD_MAX. NOMEM. */
SHOAL_MUST int shoal_flight_ring_init(struct shoal_flight_ring *r, size_t room);
void shoal_flight_ring_fini(struct shoal_flight_ring *r);
void shoal_flight_ring_put(struct shoal_flight_ring *r, const struct shoal_flight *f);
/* Moves whole records, oldest first, to `out`, and says LOST before them if need be. Bytes; 0: nothing waits. */
size_t shoal_flight_ring_take(struct shoal_flight_ring *r, struct shoal_space out);

#endif
