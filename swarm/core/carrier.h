/*
 * swarm/core/carrier.h - what carries a connection: TCP, or uTP over the node's datagrams.
 *
 * Internal to swarm/core. A contact is dialled by one carrier, then by both, and
 * the first that is through wins. Who lives near (loopback, private and link
 * networks) is dialled by TCP, and by uTP where that fails. Of the rest of
 * the world it is remembered, for each network, what has worked: that goes
 * first there, and the other after a second. Where nothing is known they
 * race, and uTP has a short start: it gives way to what else is on the line,
 * and of two behind NATs, who connect by it can be brought together (punch.h).
 *
 * uTP's machine (proto/utp.h) is fed with the node's datagrams, and asked in
 * each tick: first for what happened, at the end for what is to be sent.
 */
#ifndef SHOAL_CARRIER_H
#define SHOAL_CARRIER_H

#include <shoal/engine.h>
#include "proto/transport.h"
#include "proto/utp.h"

enum shoal_carrier { SHOAL_BY_TCP = 1, SHOAL_BY_UTP = 2 };

#define SHOAL_CARRIER_SECOND SHOAL_S(1)	      /* the other carrier's turn, where one is known to work */
#define SHOAL_CARRIER_START SHOAL_MS(300)     /* uTP's, where nothing is known */
#define SHOAL_CARRIER_LAST SHOAL_S(3)	      /* uTP has so long once TCP has failed ... */
#define SHOAL_CARRIER_LAST_NEAR SHOAL_MS(300) /* ... and where a round trip is short */
#define SHOAL_CARRIER_NETS 512		      /* networks that are remembered: /24, or /48 */
#define SHOAL_CARRIER_MEMORY SHOAL_S(6 * 3600)

struct shoal_node;
struct shoal_dial;

struct shoal_carriers {
	struct shoal_utp *utp; /* NULL: there is none */
	unsigned allowed;      /* enum shoal_carrier */
	shoal_us dials_at;     /* the next thing to do about a dial under way */
};
/* What has worked in a network: SHOAL_CARRIER_NETS of them, for dials alone, and so away from what every turn touches. */
struct shoal_carrier_net {
	uint32_t tag; /* of the network, 0: free */
	uint8_t worked;
	shoal_us until;
};

/* `allowed`: enum shoal_carrier; 0: TCP alone. NOMEM. */
SHOAL_MUST int shoal_carriers_init(struct shoal_node *n, unsigned allowed, shoal_us now);
/* Says what is left to be said; every peer must have been closed. */
void shoal_carriers_fini(struct shoal_node *n);

/* Begins to dial d->contact. < 0: not even tried. */
SHOAL_MUST int shoal_carrier_dial(struct shoal_node *n, struct shoal_dial *d, shoal_us now);
/* What `t` is carried by, as the world or uTP made it. */
enum shoal_carrier shoal_carrier_of(const struct shoal_transport *t);
/* One carrier answers. true: the dial has come to its end, in *t or *err; false: the other may still be through, or
 * nobody waits any more. */
SHOAL_MUST bool shoal_carrier_answers(struct shoal_node *n, uint64_t cookie, enum shoal_carrier by, bool good,
				      shoal_us now);
/* Nobody waits for it any more. true: an answer comes all the same. */
bool shoal_carrier_stop(struct shoal_node *n, struct shoal_dial *d);

/* true: it was uTP's. */
bool shoal_carriers_datagram(struct shoal_node *n, const struct shoal_addr *from, struct shoal_bytes data,
			     shoal_us now);
/* At a tick's beginning: connections made and lost, readiness, dials whose other carrier is due. */
void shoal_carriers_events(struct shoal_node *n, shoal_us now);
/* At its end: datagrams go out. */
void shoal_carriers_output(struct shoal_node *n, shoal_us now);
shoal_us shoal_carriers_deadline(const struct shoal_node *n);

#endif
