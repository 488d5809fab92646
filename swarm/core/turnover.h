/*
 * swarm/core/turnover.h - who stays when places or memory run out, and what a connection costs.
 *
 * Internal to swarm/core. Two that need nothing of each other part at once.
 * Beyond that nobody is sent away for being slow: only when all places are
 * taken, and somebody else wants one, those go who were of no use to either
 * side for minutes, a few in a hundred a minute, and before them strangers of an address
 * that has more than its share of places (swarm/peers/guard.h); among equals who has a bad
 * record before who has none, and who has a good one last (swarm/peers/reputation.h). When all
 * are of use, one with a bad record may go for one without. Who serves us, and whom
 * the user named, stays.
 */
#ifndef SHOAL_TURNOVER_H
#define SHOAL_TURNOVER_H

#include <shoal/types.h>

#define SHOAL_TURNOVER_EVERY SHOAL_S(10)
#define SHOAL_TURNOVER_PERCENT 4	    /* of all places, in a minute */
#define SHOAL_TURNOVER_USELESS SHOAL_S(120) /* no interest either way for so long */
#define SHOAL_TURNOVER_SNUBBED SHOAL_S(180) /* it owes us blocks for so long */
#define SHOAL_TURNOVER_SETTLED SHOAL_S(1)   /* a newcomer has so long to say what it is here for */
#define SHOAL_TURNOVER_SERVED SHOAL_S(60)   /* it served us so lately that it is not to be touched */

/* Of the budget, set aside for connections when the node is made, so that a leech whose blocks fill all memory can
 * still meet others: a sixteenth, but between these (and never more than a quarter). */
#define SHOAL_PEERS_PURSE_MIN (256u << 10)
#define SHOAL_PEERS_PURSE_MAX (16u << 20)

struct shoal_node;
struct shoal_peer;
struct shoal_swarm;

/* Both sides need nothing: part, and remember it of the contact. true: it is closing. */
bool shoal_peer_part(struct shoal_peer *p, shoal_us now);
/* Once a second: marks who is of use; tells peers when we have come to need nothing, or something again (BEP 21). */
void shoal_swarm_turnover(struct shoal_swarm *s, shoal_us now);
/* Now and then: when places are short and others wait, the useless make room. */
void shoal_node_turnover(struct shoal_node *n, shoal_us now);
/* Sends the one away that is least missed, for a newcomer at `addr` (may be NULL). false: nobody. */
bool shoal_node_make_room(struct shoal_node *n, const struct shoal_addr *addr, shoal_us now);

/* Sets the purse aside. */
void shoal_node_purse(struct shoal_node *n);
/* What connections cost, and checks of pieces, first from the purse, then from the budget. */
SHOAL_MUST bool shoal_node_peers_take(struct shoal_node *n, size_t bytes);
void shoal_node_peers_give(struct shoal_node *n, size_t bytes);
/* Charges what is about to be allocated for `p`; the next settle() finds it there. */
SHOAL_MUST bool shoal_peer_grow(struct shoal_peer *p, size_t bytes);
/* Charges what its buffers have grown to. NOMEM: it must go. */
SHOAL_MUST int shoal_peer_settle(struct shoal_peer *p);

#endif
