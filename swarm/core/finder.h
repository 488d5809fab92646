/*
 * swarm/core/finder.h - the node's part in the Mainline DHT: one dht/ node to a family, and what torrents ask of them.
 *
 * Internal to swarm/core. Every public torrent is looked for, and announced
 * once peers can reach us, under both its hashes and in both families; soon
 * again while there is nobody to fetch from, else every quarter of an hour.
 * A private one never is (BEP 27). Peers' PORT messages, the user's nodes and
 * the nodes of the last session are where it begins; the table is saved every
 * few minutes and at the end.
 */
#ifndef SHOAL_FINDER_H
#define SHOAL_FINDER_H

#include <shoal/engine.h>
#include "dht/dht.h"

struct shoal_node;
struct shoal_node_options;
struct shoal_swarm;
struct shoal_finder;

#define SHOAL_FINDER_AGAIN SHOAL_S(15 * 60)
#define SHOAL_FINDER_SOON SHOAL_S(3) /* after a first look that found nobody; twice as long each time */
#define SHOAL_FINDER_SOON_MAX SHOAL_S(300)
#define SHOAL_FINDER_SAVE SHOAL_S(300)
#define SHOAL_FINDER_MEMORY (64u * 1024) /* charged for both nodes */
#define SHOAL_FINDER_ASKS 64u		 /* of the user, under way */

/* A torrent's. */
struct shoal_seek {
	shoal_us at;	      /* of the next look; 0: at once */
	shoal_us begun;	      /* the last look */
	unsigned looks;	      /* in a row, with nobody to fetch from */
	int64_t search[2][2]; /* [is_v4][v2]: under way, or 0 */
	bool seed_said;
	bool unheard; /* nobody answered the last look */
};

/* NULL without memory, or where the world has no datagrams: the node lives without. */
struct shoal_finder *shoal_finder_new(struct shoal_node *n, const struct shoal_node_options *o, shoal_us now);
void shoal_finder_free(struct shoal_node *n);
/* true: it was a message of the DHT. */
bool shoal_finder_datagram(struct shoal_node *n, const struct shoal_addr *from, struct shoal_bytes data, shoal_us now);
void shoal_finder_tick(struct shoal_node *n, shoal_us now);
shoal_us shoal_finder_deadline(const struct shoal_node *n);
/* A peer has a node there (BEP 5, PORT). */
void shoal_finder_heard_of(struct shoal_node *n, const struct shoal_addr *addr, shoal_us now);
/* The port at which others find our node, to be told to them; 0: none. */
uint16_t shoal_finder_port(const struct shoal_node *n);
/* Puts what is to be kept into the store; the caller commits. false: there is nothing. */
bool shoal_finder_save(struct shoal_node *n);
/* Whether a torrent has to do with the DHT. */
bool shoal_finder_serves(const struct shoal_swarm *s);
void shoal_finder_forget(struct shoal_swarm *s);
/* SHOAL_OP_DHT_*. 0; REFUSED: there is no DHT; USAGE, BUSY, MALFORMED, RANGE, NOMEM. */
SHOAL_MUST int shoal_finder_do(struct shoal_node *n, const struct shoal_op *op, shoal_us now);

#endif
