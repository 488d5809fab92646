/*
 * swarm/core/node.h - a whole peer of the network, without I/O: all its torrents and connections.
 *
 * Fed with connections, readiness, finished disk jobs and time; asks its
 * world, disk and store for the rest. Operations go in by shoal_node_do(),
 * events come out by shoal_node_poll() (shoal/engine.h). One thread.
 */
#ifndef SHOAL_NODE_H
#define SHOAL_NODE_H

#include <shoal/engine.h>
#include "proto/base/rng.h"
#include "dht/items.h"
#include "proto/transport.h"
#include "swarm/pieces/disk.h"
#include "swarm/pieces/store.h"
#include "swarm/core/world.h"

struct shoal_identity;
struct shoal_node;

/* What a node does not do for its public torrents, though it could. */
enum shoal_quiet { SHOAL_QUIET_PEX = 1, SHOAL_QUIET_LSD = 2 };

struct shoal_node_options {
	struct shoal_world world;
	struct shoal_disk disk;
	struct shoal_store store;    /* ops NULL: nothing is remembered */
	struct shoal_budget *budget; /* the caller's; outlives the node */
	struct shoal_slots *slots;   /* in that budget; outlives the node */
	struct shoal_rng rng;
	uint16_t port; /* told to peers (BEP 10 `p`); 0 none */
	uint64_t up, down;
	uint32_t max_peers, upload_slots;
	unsigned quiet;	   /* enum shoal_quiet */
	unsigned carriers; /* enum shoal_carrier (carrier.h); 0: TCP alone */
	bool dht;	   /* takes part in the DHT, where the world has datagrams */
	bool dht_read_only;
	bool dht_guest; /* at another's address (a proxy's): it asks only, says of no torrent that it is here, and
			 * remembers nothing that would tie one session to the next */
	const struct shoal_dht_crypto *crypto; /* for it; NULL: signed items are not believed */
	enum shoal_rules rules;
	enum shoal_encryption encryption;
	enum shoal_show_key show_key;
	const struct shoal_identity *identity; /* outlives the node; NULL: it has no key, and asks for nobody's */
	unsigned without;		       /* enum shoal_without */
	bool record;			       /* decisions are told, in FLIGHT events (flight.h) */
	const char *agent;
	/* SHOAL_PW_BOUNCE bytes to read into, which outlive the node. They are in use only while a call of it lasts, so all nodes of
	 * one thread may have the same. NULL: it takes its own. */
	uint8_t *bounce;
};

SHOAL_MUST int shoal_node_new(struct shoal_node **out, const struct shoal_node_options *options, shoal_us now);
/* Closes every transport. All disk jobs must be back: run the disk dry and reap first (shoal_node_idle). */
void shoal_node_free(struct shoal_node *n);
/* No disk job and no commit is under way. */
bool shoal_node_idle(const struct shoal_node *n);
/* Whether any torrent may be spoken of to all the world (BEP 27). */
bool shoal_node_public(const struct shoal_node *n);
/* This host has come to another network, or back to one: who failed is tried again. */
void shoal_node_moved(struct shoal_node *n, shoal_us now);
/* Others reach us at `outside`, as the router that maps our port says. */
void shoal_node_mapped(struct shoal_node *n, const struct shoal_addr *outside);

/* A connection came in by the world (uTP's come by datagrams). The node owns the transport from here on (it may close it at once). */
void shoal_node_accept(struct shoal_node *n, struct shoal_transport *t, const struct shoal_addr *from, shoal_us now);
/* The answer to world->dial(): a connected transport, or NULL and why not. */
void shoal_node_dialed(struct shoal_node *n, uint64_t cookie, struct shoal_transport *t, int err, shoal_us now);
/* `t`, which a node has, will most likely be ready soon: what that takes is brought nearer to the processor, and nothing
 * changes (proto/base/fetch.h). Steps 0, 1, 2, with some time between. For worlds with thousands of nodes. */
void shoal_node_foresee(const struct shoal_transport *t, unsigned step);
/* A transport can be read from or written to (SHOAL_WANT_*); error and hang-up count as readable. */
void shoal_node_ready(struct shoal_node *n, struct shoal_transport *t, unsigned what, shoal_us now);
/* Bytes of a fetch's body, in order, the first at `at` of the resource. The node may stop the fetch from inside. */
void shoal_node_fetch_data(struct shoal_node *n, uint64_t cookie, uint64_t at, struct shoal_bytes data, shoal_us now);
void shoal_node_fetch_end(struct shoal_node *n, uint64_t cookie, const struct shoal_fetched *how, shoal_us now);
/* The answer to world->resolve(): addresses without a port, `err` 0; or none, and why. */
void shoal_node_resolved(struct shoal_node *n, uint64_t cookie, const struct shoal_addr *addr, size_t count, int err,
			 shoal_us now);
/* A datagram came to the port we listen on; or, `local`, to the group of BEP 14. */
void shoal_node_datagram(struct shoal_node *n, const struct shoal_addr *from, struct shoal_bytes data, bool local,
			 shoal_us now);
/* The disk or the store has something to reap. */
void shoal_node_reap(struct shoal_node *n, shoal_us now);
/* Time has passed; also to be called after every batch of the calls above: what they caused is asked for and sent here. */
void shoal_node_tick(struct shoal_node *n, shoal_us now);

SHOAL_MUST int shoal_node_do(struct shoal_node *n, const struct shoal_op *op, shoal_us now);
/* Decisions that have not been told yet are, in FLIGHT events. */
void shoal_node_record(struct shoal_node *n, shoal_us now);
/* 1 and *ev, or 0. */
SHOAL_MUST int shoal_node_poll(struct shoal_node *n, struct shoal_event *ev);

#endif
