/*
 * swarm/core/punch.h - holepunch (BEP 55): two behind NATs connect by uTP at the word of one that both know.
 *
 * Internal to swarm/core. Who told us of a contact (PEX) is asked for a
 * rendezvous when it cannot be dialled; it tells both to send to each other,
 * which opens both NATs. We do the same for others who are connected to us.
 */
#ifndef SHOAL_PUNCH_H
#define SHOAL_PUNCH_H

#include <shoal/types.h>

#define SHOAL_PUNCH_TRIES 3 /* for one contact, until it has worked */

struct shoal_contact;
struct shoal_node;
struct shoal_peer;
struct shoal_swarm;

/* Whether we speak it at all: it needs uTP. */
bool shoal_node_punches(const struct shoal_node *n);
/* `c` could not be dialled: asks whoever told us of it, if that can help. */
void shoal_punch_ask(struct shoal_swarm *s, struct shoal_contact *c, shoal_us now);
/* Both were told to, and yet `c` was not reached: the user hears of the first such in a torrent's life. */
void shoal_punch_failed(struct shoal_swarm *s, const struct shoal_contact *c, shoal_us now);
/* A ut_holepunch message: < 0 ends the peer. */
int shoal_peer_holepunch(struct shoal_peer *p, struct shoal_bytes body, shoal_us now);

#endif
