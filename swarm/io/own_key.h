/*
 * swarm/io/own_key.h - the key this node is known by: STATE/node.key, made when it is first shown.
 */
#ifndef SHOAL_OWN_KEY_H
#define SHOAL_OWN_KEY_H

#include "swarm/core/identity.h"
#include "swarm/io/keys.h"

struct shoal_own_key {
	char *path;
	struct shoal_key key;
	bool there, failed; /* it was looked for */
	struct shoal_identity identity;
};

/* NOMEM. Makes no file yet. It must not move afterwards. */
SHOAL_MUST int shoal_own_key_init(struct shoal_own_key *k, const char *state_dir);
/* Wipes it from memory; fine when all zero. */
void shoal_own_key_fini(struct shoal_own_key *k);

#endif
