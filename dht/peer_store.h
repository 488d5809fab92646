/*
 * dht/peer_store.h - who announced what to us, for half an hour (BEP 5, 33).
 *
 * Full, it keeps what lies nearest to our id. A host of the open network has
 * one entry in a swarm (BEP 33), and starts so many swarms; hosts of private
 * networks have one for each port, since many may share an address there.
 */
#ifndef SHOAL_DHT_PEER_STORE_H
#define SHOAL_DHT_PEER_STORE_H

#include <shoal/types.h>
#include "dht/bloom.h"
#include "dht/shelf.h"
#include "proto/base/rng.h"
#include "proto/base/slots.h"

#define SHOAL_STORED_SWARMS 2048u
#define SHOAL_STORED_PEERS 256u	      /* of a swarm */
#define SHOAL_STORED_PEERS_ALL 16384u /* of all: 384 KiB */
#define SHOAL_STORED_PER_HOST 64u     /* swarms that one host may begin */
#define SHOAL_STORED_TIME SHOAL_S(30 * 60)
#define SHOAL_STORED_LATE SHOAL_S(20 * 60) /* not renewed for so long: gives way where it is full */

struct shoal_peer_store {
	struct shoal_shelf shelf;
	struct shoal_budget *budget;
	uint32_t peers;
};

void shoal_peer_store_init(struct shoal_peer_store *s, struct shoal_sipkey secret, struct shoal_budget *budget);
void shoal_peer_store_fini(struct shoal_peer_store *s);
/* `peer` has `hash`; `own` is our id. 0; BUSY: no room for it; NOMEM. */
SHOAL_MUST int shoal_peer_store_add(struct shoal_peer_store *s, const struct shoal_id20 *own,
				    const struct shoal_id20 *hash, const struct shoal_addr *peer, bool seed,
				    shoal_us now);
/* A random choice of those that have it; without seeds if there are enough others. How many. */
size_t shoal_peer_store_pick(const struct shoal_peer_store *s, const struct shoal_id20 *hash, bool no_seed,
			     struct shoal_rng *rng, shoal_us now, struct shoal_addr *out, size_t max);
/* Filters of all seeds and all others; false: the hash is not known. */
bool shoal_peer_store_count(const struct shoal_peer_store *s, const struct shoal_id20 *hash, shoal_us now,
			    struct shoal_bloom *seeds, struct shoal_bloom *peers);
/* Some of the hashes, from a random place (BEP 51). */
size_t shoal_peer_store_sample(const struct shoal_peer_store *s, struct shoal_rng *rng, struct shoal_id20 *out,
			       size_t max);
void shoal_peer_store_expire(struct shoal_peer_store *s, shoal_us now);

#endif
