/*
 * swarm/core/finder_room.h - what the files of the finder share. Internal.
 */
#ifndef SHOAL_FINDER_ROOM_H
#define SHOAL_FINDER_ROOM_H

#include "swarm/core/finder.h"

/* A question of the user's, in one family or both. */
struct shoal_finder_ask {
	struct shoal_finder_ask *next;
	uint64_t ticket;
	enum shoal_op_kind kind;
	shoal_us begun;
	int64_t search[2]; /* [is_v4]; 0: none, or it has ended */
	bool has_item;
	int64_t seq; /* of the newest item told */
	struct shoal_dht_told told;
	int err[2];
	bool asked[2];
};

struct shoal_finder {
	struct shoal_dht *dht[2]; /* [is_v4] */
	bool guest;
	bool met[2];	 /* somebody is known in that family */
	shoal_us met_at; /* since when; what was looked for before that was asked of nobody */
	shoal_us look_at, save_at;
	struct shoal_finder_ask *asks;
	unsigned ask_count;
};

/* finder_ask.c: an event of a search that is no torrent's. */
void shoal_finder_answer(struct shoal_node *n, bool is_v4, const struct shoal_dht_event *ev, shoal_us now);

#endif
