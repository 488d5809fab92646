/*
 * tools/lab/world/key.h - keys without curves: a signature is a hash with the secret, and who checks it knows all secrets.
 *
 * For nodes that show each other who they are (swarm/core/identity.h). Streams are plain here, so nothing binds them.
 */
#ifndef SIM_KEY_H
#define SIM_KEY_H

#include "swarm/core/identity.h"

struct sim;
struct sim_node;

/* Of one node; `shown` is its public key. */
struct sim_key {
	uint8_t secret[32], shown[SHOAL_KEY_BYTES];
	struct shoal_identity identity;
};

/* Makes that of `n`, which outlives it. */
void sim_key_init(struct sim_key *key, struct sim_node *n);
/* Whose key that is; NULL: nobody's. */
struct sim_node *sim_key_owner(struct sim *sim, const uint8_t shown[SHOAL_KEY_BYTES]);

#endif
