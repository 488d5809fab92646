/*
 * swarm/core/pace.h - the rate limits at work: the node's and each torrent's, up and down.
 *
 * A limit counts payload, block by block: up when a block is handed to the
 * wire, down when it is asked for (what comes for nothing - a false block, one
 * that came twice - counts too, since it was asked for). Headers, HAVEs and
 * the packets' own are not in it; they come to about one in a hundred.
 *
 * Under a limit, blocks are dealt out one at a time: the torrents that have
 * something to send (or to ask) take turns, and in each the peers do. So each
 * torrent gets an equal part, each peer an equal part of that, and what one
 * leaves unused the others take. Without a limit peers serve themselves, as
 * their sockets can take it.
 */
#ifndef SHOAL_PACE_H
#define SHOAL_PACE_H

#include <shoal/types.h>

struct shoal_node;
struct shoal_peer;
struct shoal_swarm;

enum shoal_way { SHOAL_UP, SHOAL_DOWN };

/* Whether any limit is on this torrent's way. */
bool shoal_pace_limited(const struct shoal_swarm *s, enum shoal_way way);
/* Whether one block more may go now; if not, the node is called up when it may. */
bool shoal_pace_allows(struct shoal_swarm *s, enum shoal_way way, shoal_us now);
void shoal_pace_took(struct shoal_swarm *s, enum shoal_way way, uint64_t bytes);
/* What was asked for will not come: it was rejected. */
void shoal_pace_spared(struct shoal_swarm *s, uint64_t bytes);
/* Deals out what the limits allow now, both ways, to all whom a limit concerns, as far as their queues take it. Whether
 * anybody took anything. */
bool shoal_pace_deal(struct shoal_node *n, shoal_us now);
/* Whether a peer under a limit could be dealt more at once, since its queue has emptied; if only the limit is in the
 * way, the node is called up when it may. */
bool shoal_pace_more(struct shoal_peer *p, shoal_us now);
/* When more may go for those who were held back; SHOAL_NEVER when nobody was. */
shoal_us shoal_pace_ready(struct shoal_node *n, shoal_us now);

#endif
