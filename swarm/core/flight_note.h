/*
 * swarm/core/flight_note.h - where a node's decisions become records (flight.h).
 *
 * Internal to swarm/core. Each call gathers the terms of one decision, as
 * they are when it is made, and puts a record in the node's ring; it decides
 * nothing, and draws no dice, so that a node does the same whether it is
 * recorded or not. Without `record` the node has no ring, and each call is one
 * comparison. What has not changed is not said again (struct shoal_flight_peer).
 */
#ifndef SHOAL_FLIGHT_NOTE_H
#define SHOAL_FLIGHT_NOTE_H

#include <shoal/types.h>
#include "swarm/core/flight.h"

/* Of one ASK, who else is named: those who have the piece first. */
#define SHOAL_FLIGHT_OTHERS 8u
#define SHOAL_FLIGHT_IDLE_EVERY SHOAL_MS(250) /* of one peer */
#define SHOAL_FLIGHT_STATE_EVERY SHOAL_S(2)
#define SHOAL_FLIGHT_WAITS 8u		   /* pieces named at a time that do not come on */
#define SHOAL_FLIGHT_WAIT_AFTER SHOAL_S(2) /* without a block */
#define SHOAL_FLIGHT_EVENTS 64u		   /* batches that nobody has read; past it the ring keeps the newest */

struct shoal_choke_terms;
struct shoal_choker_view;
struct shoal_node;
struct shoal_open;
struct shoal_peer;
struct shoal_swarm;
struct shoal_webseed;

struct shoal_flights {
	struct shoal_flight_ring ring;
	shoal_us told_at;
	uint8_t batch[SHOAL_FLIGHT_BATCH];
};
/* What was said of a peer last. */
struct shoal_flight_peer {
	uint64_t stance, idle;
	shoal_us idle_at;
	uint32_t piece, window, serve; /* piece: plus one */
};

/* For a node that is to be recorded. NOMEM. */
SHOAL_MUST int shoal_flights_new(struct shoal_node *n);
void shoal_flights_free(struct shoal_node *n);
/* Hands on what waits, in FLIGHT events: by the batch, once a second what there is, `all` at the end. */
void shoal_flights_tell(struct shoal_node *n, bool all, shoal_us now);

void shoal_note_torrent(struct shoal_swarm *s, shoal_us now);
void shoal_note_webseed(struct shoal_swarm *s, uint32_t source, struct shoal_bytes host, shoal_us now);
void shoal_note_peer(struct shoal_peer *p, shoal_us now);
void shoal_note_client(struct shoal_peer *p, shoal_us now);
/* It has proven a key, in this connection; nothing when it has not. */
void shoal_note_key(struct shoal_peer *p, shoal_us now);
void shoal_note_left(struct shoal_peer *p, shoal_us now);
void shoal_note_stance(struct shoal_peer *p, shoal_us now);

/* It is about to be asked for a block of `open`; nothing when that is no news. */
void shoal_note_ask(struct shoal_peer *p, const struct shoal_open *open, shoal_us now);
/* And `other` was asked for the block `waited` ago. */
void shoal_note_twice(struct shoal_peer *p, const struct shoal_open *open, uint32_t block,
		      const struct shoal_peer *other, shoal_us waited, shoal_us now);
void shoal_note_idle(struct shoal_peer *p, shoal_us now);
void shoal_note_stall(struct shoal_peer *p, shoal_us waited, shoal_us patience, shoal_us now);
void shoal_note_back(struct shoal_peer *p, shoal_us now);
void shoal_note_refused(struct shoal_peer *p, uint32_t piece, shoal_us now);

/* After a choke round, for each of `n` views in the order of the swarm's peers. */
void shoal_note_serve(struct shoal_swarm *s, const struct shoal_choker_view *views, size_t n,
		      const struct shoal_choke_terms *terms, shoal_us now);

void shoal_note_good(struct shoal_swarm *s, const struct shoal_open *open, shoal_us now);
void shoal_note_bad(struct shoal_swarm *s, const struct shoal_open *open, size_t senders, shoal_us now);
void shoal_note_own(struct shoal_swarm *s, uint32_t piece, shoal_us now);

struct shoal_note_blame {
	uint32_t source, piece, block, blocks, of; /* what it sent of the piece, of how many */
	double share, expect;			   /* of the blame; of its blocks, how many were expected to be false */
	unsigned why, standing_before;		   /* enum shoal_rep_why, shoal_rep_state */
	double integrity_before;
};
struct shoal_rep;
/* `r`: its record as it is now, NULL: none is left. */
void shoal_note_suspect(struct shoal_swarm *s, const struct shoal_note_blame *b, const struct shoal_rep *r,
			shoal_us now);
void shoal_note_false(struct shoal_swarm *s, const struct shoal_note_blame *b, const struct shoal_rep *r, shoal_us now);
void shoal_note_cleared(struct shoal_swarm *s, const struct shoal_note_blame *b, shoal_us now);
void shoal_note_ban(struct shoal_swarm *s, uint32_t source, uint32_t piece, const struct shoal_rep *r, shoal_us lasts,
		    const char *evidence, shoal_us now);

/* Once a second, and when its last peer has left: how the torrent stands, and which pieces do not come on. */
void shoal_note_state(struct shoal_swarm *s, shoal_us now);

#endif
