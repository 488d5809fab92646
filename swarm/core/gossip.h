/*
 * swarm/core/gossip.h - what peers and neighbours tell each other of who is there: PEX (BEP 11), LSD (BEP 14).
 *
 * Internal to swarm/core. Off for private torrents (BEP 27), and each by
 * itself for a node that was told so. What is told is what we are connected
 * to; what is heard is a stranger's word: rules against floods here, caps
 * and guards in contacts.h and swarm/peers/guard.h.
 */
#ifndef SHOAL_GOSSIP_H
#define SHOAL_GOSSIP_H

#include <shoal/types.h>

#define SHOAL_PEX_FIRST SHOAL_S(5) /* after the handshakes: by then we may know somebody */
#define SHOAL_PEX_EVERY SHOAL_S(60)
#define SHOAL_PEX_LEAST SHOAL_S(45) /* between two that are heard; a sooner one is not, and counts against it */
#define SHOAL_PEX_FAULTS 3	    /* end the connection; a good message makes up for one */
#define SHOAL_PEX_BATCH 50	    /* added, and dropped, in one message */
#define SHOAL_PEX_TOLD 250	    /* told to one peer and not dropped yet */

#define SHOAL_LSD_EVERY SHOAL_S(300) /* for one torrent */
#define SHOAL_LSD_GAP SHOAL_S(60)    /* between two shouts of ours (BEP 14) ... */
#define SHOAL_LSD_GAP_NEW SHOAL_S(1) /* ... unless there is a new torrent */
#define SHOAL_LSD_HEARD 10	     /* datagrams listened to in a second */

struct shoal_card;
struct shoal_node;
struct shoal_peer;
struct shoal_swarm;

/* Whom a peer was told of. */
struct shoal_told {
	uint32_t serial; /* of that connection */
	struct shoal_addr addr;
};

/* Whether PEX may be spoken about this torrent, as far as is known. */
bool shoal_swarm_gossips(const struct shoal_swarm *s);
/* What others are told of it; false: where it could be dialled is not known. */
bool shoal_peer_card(const struct shoal_peer *p, struct shoal_card *card);
/* A ut_pex message: < 0 ends the peer. */
int shoal_peer_pex(struct shoal_peer *p, struct shoal_bytes body, shoal_us now);
/* `p` says that `addr` waits for our connection by uTP (BEP 55): dials it, within the rules for what strangers name. */
void shoal_gossip_connect(struct shoal_peer *p, const struct shoal_addr *addr, shoal_us now);
/* Sends one if it is due and there is news. */
void shoal_peer_gossip(struct shoal_peer *p, shoal_us now);

/* Shouts about the torrents whose turn it is; returns when to be called again. */
shoal_us shoal_node_shout(struct shoal_node *n, shoal_us now);
/* A datagram came from a neighbour. */
void shoal_node_overheard(struct shoal_node *n, const struct shoal_addr *from, struct shoal_bytes data, shoal_us now);

#endif
