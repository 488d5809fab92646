/*
 * tools/explain_book.h - a flight record gone through once: who was there, what came of each, how it ended.
 *
 * Bounded by the names below, whatever the record says: it may have been
 * written by anybody. What does not fit is counted and said.
 *
 * A node that was started again (in the lab) begins anew with its numbers:
 * its torrent is introduced a second time, and from there on counts as
 * another one, and its peers as others.
 */
#ifndef SHOAL_TOOLS_EXPLAIN_BOOK_H
#define SHOAL_TOOLS_EXPLAIN_BOOK_H

#include "proto/key_proof.h"
#include "tools/explain_words.h"

#define SHOAL_EXPLAIN_PEERS_MAX 8192u
#define SHOAL_EXPLAIN_TORRENTS_MAX 1024u
#define SHOAL_EXPLAIN_LIVES_MAX 200u
#define SHOAL_EXPLAIN_KEYS_MAX 8192u

struct shoal_explain_peer {
	uint32_t torrent, id;
	char name[SHOAL_EXPLAIN_NAME_MAX]; /* "10.0.0.2:6881", or a web seed's host; safe to show */
	char client[64];		   /* the same; "": it did not say */
	struct shoal_addr addr;		   /* port 0: a web seed */
	bool web, gone, banned;
	bool meant;	    /* by shoal_explain_book_mean() */
	uint32_t asks;	    /* pieces asked of it, again or not */
	uint64_t blocks;    /* right ones from it */
	uint64_t standing;  /* as last recorded */
	uint32_t falses;    /* exact blame */
	uint32_t suspected; /* pieces that failed in which it had a part */
	uint32_t stalls, refusals;
	struct shoal_flight
		last[SHOAL_FLIGHT_KINDS]; /* the newest of each kind; UNKNOWN: none. Texts borrow the record */
};
/* A peer has proven a key; one address may prove several, one after the other. */
struct shoal_explain_key {
	size_t peer; /* its place in the book */
	uint8_t key[SHOAL_KEY_BYTES];
};
struct shoal_explain_torrent {
	uint32_t handle;
	struct shoal_flight is, state; /* TORRENT and the newest STATE; UNKNOWN: none */
	uint32_t good, bad, bans;
};
struct shoal_explain_book {
	struct shoal_flight_head head;
	struct shoal_bytes records; /* behind the head; borrowed */
	shoal_us ended;
	uint64_t count, lost;
	size_t bad_at;			  /* bytes from the file's front to what is no record; 0: all are */
	bool cut;			  /* the last record is not whole: whoever wrote it was ended */
	bool full, closed;		  /* it came to its most; it was ended in order */
	struct shoal_explain_peer **peer; /* in the order they came */
	size_t peers, peer_room;
	uint32_t *index; /* open addressing over (torrent, id): number + 1 */
	size_t index_room;
	uint64_t unnamed; /* peers beyond the bound */
	struct shoal_explain_key *key;
	size_t keys;
	size_t *life; /* where lives after the first one begin, in `records` */
	size_t lives;
	struct shoal_explain_torrent *torrent;
	size_t torrents;
};

/* `file` is borrowed until fini. MALFORMED, UNSUPPORTED (of a later version): of the head; NOMEM. Bad records end it
 * early, and are no error: bad_at. */
SHOAL_MUST int shoal_explain_book_read(struct shoal_explain_book *b, struct shoal_bytes file);
void shoal_explain_book_fini(struct shoal_explain_book *b);
/* NULL: no such. */
struct shoal_explain_peer *shoal_explain_book_peer(const struct shoal_explain_book *b, uint32_t torrent, uint32_t id);
struct shoal_explain_torrent *shoal_explain_book_torrent(const struct shoal_explain_book *b, uint32_t handle);
/* Marks those as meant who have proven `key`; how many. */
size_t shoal_explain_book_mean(struct shoal_explain_book *b, const uint8_t key[SHOAL_KEY_BYTES]);
/* The next record at or after `*at` (from 0): 1; 0: no more. `*at` moves on. Its torrent is told apart by lives. */
int shoal_explain_book_next(const struct shoal_explain_book *b, size_t *at, struct shoal_flight *out);

#endif
