/*
 * swarm/io/keys.h - ed25519 keys (libsodium): for signed items of the DHT (BEP 44), and whatever else is signed.
 *
 * A secret key is its seed, 32 bytes; the file of one holds it as 64 hex digits, and is its owner's alone (0600).
 */
#ifndef SHOAL_KEYS_H
#define SHOAL_KEYS_H

#include <shoal/types.h>
#include "dht/items.h"

struct shoal_key {
	uint8_t seed[32];   /* secret */
	uint8_t public[32]; /* the same bytes for the same seed */
};

/* UNSUPPORTED where libsodium cannot start. */
SHOAL_MUST int shoal_key_random(struct shoal_key *key);
SHOAL_MUST int shoal_key_from_seed(struct shoal_key *key, const uint8_t seed[32]);
void shoal_key_sign(const struct shoal_key *key, struct shoal_bytes text, uint8_t sig[64]);
bool shoal_key_verify(const uint8_t public[32], struct shoal_bytes text, const uint8_t sig[64]);
void shoal_key_wipe(struct shoal_key *key);

/* Reads a key, or (`make`) makes one where there is none. GONE, DENIED, MALFORMED (no key in it), IO. */
SHOAL_MUST int shoal_key_file(struct shoal_key *key, const char *path, bool make);

/* What dht/ asks for. */
extern const struct shoal_dht_crypto shoal_keys_dht;

#endif
