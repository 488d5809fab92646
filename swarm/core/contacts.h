/*
 * swarm/core/contacts.h - the address book of one swarm: whom we know of, from whom, and when to dial them.
 *
 * Internal to swarm/core. A hash table by host, so that one address cannot
 * fill it with its ports, and three heaps: who waits for a time, who may be
 * dialled now (best first), and who is worth least when the table is full.
 * Nothing here walks a list that strangers make long. Every contact is
 * charged to the budget; where that says no, it is not kept.
 *
 * Whom to dial first: those the user named; last those whose record is bad
 * (swarm/peers/reputation.h), whom nothing excludes; between them who failed least often,
 * then who has a good record, then by who told us, then by canonical peer
 * priority (BEP 40). Two in five of the good are dialled in a stranger's turn,
 * so that no acquaintance, however old, closes the circle. What has worked is
 * forgotten last, whatever strangers name.
 */
#ifndef SHOAL_CONTACTS_H
#define SHOAL_CONTACTS_H

#include <shoal/engine.h>
#include "proto/base/heap.h"
#include "swarm/core/accounts.h"

#define SHOAL_CONTACTS_MAX 2000	   /* of a swarm */
#define SHOAL_CONTACTS_NODE 200000 /* of a node */
#define SHOAL_CONTACTS_HOST \
	3 /* ports of one host, if not near, named by the user, or connected (swarm/peers/guard.h) */
#define SHOAL_CONTACT_TRIES 8	      /* failures in a row, and it is forgotten */
#define SHOAL_CONTACT_TRIES_SEEDING 3 /* with nothing to fetch: who cannot be reached may come to us */
#define SHOAL_DIALS 100		      /* half-open connections of a node */
#define SHOAL_DIALS_SECOND 30	      /* begun in any second */
#define SHOAL_DIAL_PEERS 80	      /* with so many a swarm dials nobody but whom the user named */

struct shoal_node;
struct shoal_peer;
struct shoal_swarm;

/* Who told us; the earlier ones are believed first. */
enum shoal_contact_source {
	SHOAL_FROM_USER, /* --peer: no caps, no guards */
	SHOAL_FROM_LINK, /* the link or the torrent that the user opened (x.pe), and that a stranger may have made */
	SHOAL_FROM_LSD,	 /* BEP 14: a neighbour */
	SHOAL_FROM_INCOMING, /* it came to us, and said where it listens */
	SHOAL_FROM_TRACKER,
	SHOAL_FROM_DHT,
	SHOAL_FROM_PEX,
	/* Or'ed in: whoever told us lies in this host's own networks itself, and may name others there. */
	SHOAL_FROM_NEAR = 0x80,
};

/* Somebody we know an address of. */
struct shoal_contact {
	struct shoal_contact *next;    /* of its bucket */
	struct shoal_timer due;	       /* in `waiting` (a time), `ready` (a rank), or neither */
	struct shoal_timer worth;      /* in `worst`, while it may be evicted */
	struct shoal_peer *peer;       /* connected now */
	struct shoal_account *account; /* once it was connected; always while it is */
	uint64_t dial;		       /* cookie of a dial under way, 0 none */
	struct shoal_addr addr;
	uint32_t priority; /* BEP 40, as far as we know our own address; else by dice */
	uint8_t source;	   /* enum shoal_contact_source, the best that named it */
	uint8_t tries;	   /* that failed, in a row */
	uint8_t punches;   /* rendezvous that were asked for (punch.h) */
	bool punch;	   /* it waits for us: by uTP alone, and now */
	uint32_t via;	   /* the serial of the peer that told us of it, and may bring us together; 0 none */
	uint8_t shy;	   /* enum shoal_carrier: it took a connection by that, and said nothing */
	bool trusted;	   /* the user named it */
	bool worked;	   /* we have been connected */
	bool uploads_only; /* it needs nothing, as far as we know */
	bool self, banned;
	bool in_ready;
	bool mse;      /* how it is dialled: with MSE, or plainly */
	bool mse_turn; /* and that is the second way tried, the first having failed just now */
	bool parked;   /* in no heap until there is something to fetch */
};

struct shoal_contacts {
	struct shoal_contact **bucket;
	uint32_t room, count; /* buckets: a power of two, or 0 */
	uint32_t parked, trusted;
	struct shoal_heap waiting, ready, worst;
};

/* One connection being made. */
struct shoal_dial {
	uint64_t cookie;	   /* 0: free */
	struct shoal_swarm *swarm; /* NULL: gone meanwhile */
	struct shoal_contact *contact;
	uint8_t under_way, later; /* enum shoal_carrier: dialling; yet to dial (carrier.h) */
	shoal_us look_at;	  /* for the other one, or to give up; 0: never */
};

/* The contact, known before or new; NULL: not wanted (a place no peer can be, a private one named from afar, a table
 * full of better ones, no memory). */
struct shoal_contact *shoal_swarm_contact(struct shoal_swarm *s, const struct shoal_addr *addr, unsigned source,
					  shoal_us now);
bool shoal_contact_known(const struct shoal_swarm *s, const struct shoal_addr *addr);
/* It is the contact of `p` from now on. false: it has one already, or no memory. */
SHOAL_MUST bool shoal_contact_meet(struct shoal_swarm *s, struct shoal_contact *c, struct shoal_peer *p);
/* `p` came in, and says that it listens there: the same, now, or when the connection ends that the contact has. */
void shoal_contact_came(struct shoal_swarm *s, struct shoal_contact *c, struct shoal_peer *p, shoal_us now);
/* Its connection ended, or could not be made. It may be gone after this. */
void shoal_contact_gone(struct shoal_swarm *s, struct shoal_contact *c, int why, shoal_us now);
/* The torrent turns out to be private (BEP 27): whom gossip named is forgotten, and left. */
void shoal_contacts_private(struct shoal_swarm *s, shoal_us now);
/* The network is another: what failed may work now, and is tried again soon. */
void shoal_contacts_moved(struct shoal_swarm *s, shoal_us now);
void shoal_contact_ban(struct shoal_swarm *s, struct shoal_contact *c);
/* `serial` is connected to it too, and could bring us together (BEP 55). */
void shoal_contact_via(struct shoal_swarm *s, const struct shoal_addr *addr, uint32_t serial);
/* It dials us now: so do we, by uTP, unless we are connected or about to be. */
void shoal_contact_punch(struct shoal_swarm *s, struct shoal_contact *c, shoal_us now);
/* All of them, in no order: from NULL, to NULL. The table must not change meanwhile. */
struct shoal_contact *shoal_contacts_next(const struct shoal_swarm *s, const struct shoal_contact *after);
/* Whether somebody better than nobody waits to be dialled. */
bool shoal_contacts_waiting(const struct shoal_swarm *s);
void shoal_contacts_fini(struct shoal_swarm *s);

/* Strangers of the host or the network of `addr` have of this swarm's places what they may have now. */
bool shoal_swarm_crowded(struct shoal_swarm *s, const struct shoal_addr *addr, shoal_us now);

/* Dials for all swarms in turns, as far as the node's throttle goes; sets their dial_at. */
void shoal_node_dial(struct shoal_node *n, shoal_us now);
/* Answers a dial: its swarm and contact, or false when they are gone. */
SHOAL_MUST bool shoal_node_dial_ended(struct shoal_node *n, uint64_t cookie, struct shoal_dial *out);

/* A peer tells us how it sees us (BEP 10 yourip): our own address, once two have said the same. */
void shoal_node_seen_as(struct shoal_node *n, const struct shoal_addr *ours);
uint32_t shoal_node_priority(struct shoal_node *n, const struct shoal_addr *addr);

#endif
