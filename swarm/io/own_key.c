/* swarm/io/own_key.c - libsodium behind struct shoal_identity. */
#include "swarm/io/own_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool load(struct shoal_own_key *k)
{
	if (!k->there && !k->failed) {
		k->there = shoal_key_file(&k->key, k->path, true) == 0;
		k->failed = !k->there; /* it is asked for on each connection: the disk is asked once */
	}
	return k->there;
}

static bool own_key(void *to, uint8_t out[SHOAL_KEY_BYTES])
{
	struct shoal_own_key *k = to;
	if (!load(k))
		return false;
	memcpy(out, k->key.public, SHOAL_KEY_BYTES);
	return true;
}

static bool own_sign(void *to, struct shoal_bytes text, uint8_t sig[SHOAL_KEY_SIG])
{
	struct shoal_own_key *k = to;
	if (!load(k))
		return false;
	shoal_key_sign(&k->key, text, sig);
	return true;
}

static bool own_verify(void *to, const uint8_t key[SHOAL_KEY_BYTES], struct shoal_bytes text,
		       const uint8_t sig[SHOAL_KEY_SIG])
{
	(void)to;
	return shoal_key_verify(key, text, sig);
}

int shoal_own_key_init(struct shoal_own_key *k, const char *state_dir)
{
	*k = (struct shoal_own_key){ .identity = { .to = k, .key = own_key, .sign = own_sign, .verify = own_verify } };
	if (asprintf(&k->path, "%s/node.key", state_dir) < 0) {
		k->path = NULL;
		return SHOAL_ERR_NOMEM;
	}
	return 0;
}

void shoal_own_key_fini(struct shoal_own_key *k)
{
	shoal_key_wipe(&k->key);
	free(k->path);
	k->path = NULL;
}
