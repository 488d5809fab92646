/*
 * dht/dht_room.h - what the files of a node see of it. Internal.
 */
#ifndef SHOAL_DHT_ROOM_H
#define SHOAL_DHT_ROOM_H

#include "dht/bloom.h"
#include "dht/dht.h"
#include "dht/lookup.h"
#include "dht/peer_store.h"
#include "dht/quota.h"
#include "dht/table.h"
#include "dht/token.h"
#include "dht/vote.h"

#define SHOAL_DHT_QUESTIONS 512u /* that wait for an answer */
#define SHOAL_DHT_HELD 16u	 /* queries that wait for a proof */
#define SHOAL_DHT_HELD_BYTES 512u
#define SHOAL_DHT_PING_BYTES 80u /* that a ping takes at most */

enum shoal_question_kind {
	SHOAL_QUESTION_CHECK, /* a ping, to see whether it is there */
	SHOAL_QUESTION_PING,  /* the user's */
	SHOAL_QUESTION_STEP,  /* of a search */
	SHOAL_QUESTION_WRITE, /* its announce, or put */
};
#define SHOAL_SLOT_BOOT 0xff /* a step's slot: asked as a place to begin at, under no known id */

struct shoal_question {
	uint32_t tid;
	uint8_t kind; /* enum shoal_question_kind */
	uint8_t slot; /* of the search's lookup */
	bool known;   /* `node.id` is what we expect */
	bool late, again;
	int64_t search;
	struct shoal_krpc_node node;
	shoal_us sent;
};

struct shoal_search {
	struct shoal_search *next;
	int64_t number; /* < 0: our own, of which nobody is told */
	enum shoal_dht_what what;
	bool ping, writing, again, over; /* again: the places to begin at were asked once more */
	struct shoal_lookup lookup;
	shoal_us patience;		  /* until when those who are late are waited for; NEVER: no more */
	unsigned boots, writes;		  /* questions that are waited for, */
	unsigned late_boots, late_writes; /* and that may be answered yet */
	struct shoal_dht_ask ask;	  /* its spans borrow the bytes below */
	uint8_t salt[SHOAL_KRPC_SALT_MAX], k[32], sig[64], *put_v;
	/* What was found. */
	struct shoal_addr *peer;
	uint32_t peer_count, peer_room, told;
	bool has_item, item_new;
	uint8_t *item; /* the newest: SHOAL_KRPC_VALUE_MAX bytes */
	uint16_t item_len;
	uint8_t item_k[32], item_sig[64];
	bool item_mutable;
	int64_t item_seq;
	struct shoal_bloom *bloom;	/* [0] seeds [1] peers */
	bool holder[SHOAL_LOOKUP_SEEN]; /* by slot: it has the newest item */
	bool sent[SHOAL_LOOKUP_SEEN];	/* it was sent what we write, */
	bool wrote[SHOAL_LOOKUP_SEEN];	/* and took it */
	struct shoal_dht_event done;	/* as it will be told */
};

struct shoal_held {
	struct shoal_addr from;
	uint16_t len;
	shoal_us at;
	uint8_t raw[SHOAL_DHT_HELD_BYTES];
};

struct shoal_boot {
	struct shoal_addr addr;
	bool named;
	uint8_t fails;
};

struct shoal_dht {
	struct shoal_dht_options o;
	struct shoal_dht *sibling;
	struct shoal_sipkey secret, tid_secret;
	struct shoal_table table;
	struct shoal_quota quota;
	struct shoal_vote vote;
	struct shoal_peer_store peers;
	struct shoal_items items;
	bool has_external;
	struct shoal_addr external;

	struct shoal_question *question; /* packed */
	uint32_t questions, question_room;
	struct shoal_search *searches;
	uint32_t search_count;
	int64_t next_number;
	uint64_t next_tid;
	struct shoal_search *told; /* was told as DONE: freed with the next poll */
	struct shoal_held *held;
	uint32_t held_count;
	struct shoal_boot *boot;
	uint32_t boot_count, boot_turn;

	uint8_t *out; /* [length, address, bytes]... from out_at to out_len */
	size_t out_at, out_len, out_room;
	shoal_us maintain_at, boot_at, expire_at, home_at, heard;
	shoal_us check_at; /* not before that another newcomer is pinged */
	unsigned boot_waits;
	uint64_t in, outs, bytes_in, bytes_out, refused;
};

/* dht_serve.c: answers a query; `kept` bytes of what the asker may get are for something else. */
void shoal_dht_serve(struct shoal_dht *d, const struct shoal_addr *from, struct shoal_bytes raw,
		     const struct shoal_krpc *q, size_t kept, shoal_us now);
/* Somebody proved his address: what was held for that is answered. */
void shoal_dht_serve_held(struct shoal_dht *d, const struct shoal_addr *from, shoal_us now);

/* dht_search.c */
struct shoal_search *shoal_search_find(struct shoal_dht *d, int64_t number);
void shoal_search_answered(struct shoal_dht *d, struct shoal_search *s, const struct shoal_question *q,
			   const struct shoal_krpc *m, bool right, shoal_us now);
void shoal_search_failed(struct shoal_dht *d, struct shoal_search *s, const struct shoal_question *q, int64_t code,
			 shoal_us now);
void shoal_search_late(struct shoal_dht *d, struct shoal_search *s, const struct shoal_question *q, shoal_us now);
/* Asks whom there is to ask, and ends what is at its end. */
void shoal_search_step(struct shoal_dht *d, struct shoal_search *s, shoal_us now);
void shoal_search_own(struct shoal_dht *d, const struct shoal_id20 *target, shoal_us now);
/* Those of our own that are over go. */
void shoal_search_sweep(struct shoal_dht *d);
void shoal_search_free(struct shoal_dht *d, struct shoal_search *s);

/* dht.c: sends a query, and waits for its answer. BUSY, REFUSED: not to that address; NOMEM. */
SHOAL_MUST int shoal_dht_question(struct shoal_dht *d, const struct shoal_question *q, struct shoal_krpc *m,
				  shoal_us now);
void shoal_dht_send(struct shoal_dht *d, const struct shoal_addr *to, const struct shoal_krpc *m);
void shoal_dht_send_raw(struct shoal_dht *d, const struct shoal_addr *to, struct shoal_bytes data);
void shoal_dht_check(struct shoal_dht *d, const struct shoal_krpc_node *node, bool known, shoal_us now);
/* Whether `by` may know of such a place: private ones are known to those who live there, and this host to itself. */
bool shoal_dht_near(const struct shoal_addr *by, const struct shoal_addr *addr);
/* Whether a node that `by` names may be one. */
bool shoal_dht_likely(const struct shoal_dht *d, const struct shoal_addr *by, const struct shoal_krpc_node *node);

#endif
