/*
 * tests/sim/dht_net.h - thousands of DHT nodes under virtual time, joined by a net that delays and loses datagrams.
 *
 * Each has an address of its own on the open network, and its id is one that
 * address has earned. Liars are nodes like others that answer GET_PEERS their
 * own way.
 */
#ifndef SHOAL_TESTS_DHT_NET_H
#define SHOAL_TESTS_DHT_NET_H

#include "dht/dht.h"
#include "dht/node_id.h"

struct dht_net_node {
	struct shoal_dht *dht; /* NULL: it is dead */
	struct shoal_addr addr;
	struct shoal_id20 id; /* as it was at the beginning */
	bool liar;
	shoal_us lag; /* by which all that it says comes later than the net makes it */
	shoal_us tick_at;
};
struct dht_net_packet;
struct dht_net {
	shoal_us now;
	struct shoal_rng rng;
	uint32_t loss_ppm;
	bool no_proof;			       /* BEP 42 off, for nodes from now on */
	bool one_router;		       /* who joins knows the first node alone */
	const struct shoal_dht_crypto *crypto; /* for nodes from now on */
	struct dht_net_node *node;
	uint32_t count, room, alive;
	struct dht_net_packet *heap; /* by time */
	size_t heap_count, heap_room;
	uint64_t order, datagrams, lost;
	struct shoal_budget budget;
	/* Called for each event of any node. */
	void (*heard)(struct dht_net *net, uint32_t node, const struct shoal_dht_event *ev);
	void *user;
};

/* A key, what it signs everything with, and what takes that for its signature. */
extern const uint8_t dht_net_key[32], dht_net_sig[64];
extern const struct shoal_dht_crypto dht_net_crypto;

void dht_net_init(struct dht_net *net, uint64_t seed, uint32_t loss_ppm);
void dht_net_fini(struct dht_net *net);
/* A node more, that knows some living ones. `id` NULL: one its address has earned. Its number. */
uint32_t dht_net_join(struct dht_net *net, const struct shoal_id20 *id);
/* The same at the address that comes next and has earned an id that `wanted` says yes to. */
uint32_t dht_net_join_if(struct dht_net *net, bool (*wanted)(const struct shoal_id20 *id, const void *to),
			 const void *to);
void dht_net_kill(struct dht_net *net, uint32_t node);
uint32_t dht_net_random(struct dht_net *net); /* somebody honest who lives */
void dht_net_run(struct dht_net *net, shoal_us until);
/* After a call of a node's own functions: what it has to send is sent. */
void dht_net_flush(struct dht_net *net, uint32_t node);

#endif
