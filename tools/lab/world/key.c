/* key.c - see key.h. */
#include "tools/lab/world/key.h"

#include <string.h>
#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "tools/lab/world/world.h"

static void hash(const struct sim_key *key, struct shoal_bytes text, uint8_t out[32])
{
	uint8_t raw[32 + SHOAL_KEY_TEXT];
	memcpy(raw, key->secret, 32);
	if (text.len > 0)
		memcpy(raw + 32, text.at, text.len);
	shoal_sha256(shoal_bytes(raw, 32 + text.len), out);
}

static bool key_shown(void *to, uint8_t out[SHOAL_KEY_BYTES])
{
	const struct sim_node *n = to;
	memcpy(out, n->key.shown, SHOAL_KEY_BYTES);
	return true;
}

static bool key_sign(void *to, struct shoal_bytes text, uint8_t sig[SHOAL_KEY_SIG])
{
	const struct sim_node *n = to;
	memset(sig, 0, SHOAL_KEY_SIG);
	if (text.len > SHOAL_KEY_TEXT)
		return false;
	hash(&n->key, text, sig);
	return true;
}

struct sim_node *sim_key_owner(struct sim *sim, const uint8_t shown[SHOAL_KEY_BYTES])
{
	for (unsigned i = 0; i < sim_nodes(sim); i++) {
		struct sim_node *n = sim_node(sim, i);
		if (n->o.keyed && memcmp(n->key.shown, shown, SHOAL_KEY_BYTES) == 0)
			return n;
	}
	return NULL;
}

static bool key_verify(void *to, const uint8_t key[SHOAL_KEY_BYTES], struct shoal_bytes text,
		       const uint8_t sig[SHOAL_KEY_SIG])
{
	const struct sim_node *n = to;
	uint8_t want[SHOAL_KEY_SIG];
	struct sim_node *owner = sim_key_owner(n->sim, key);
	return owner != NULL && key_sign(owner, text, want) && memcmp(want, sig, SHOAL_KEY_SIG) == 0;
}

void sim_key_init(struct sim_key *key, struct sim_node *n)
{
	memset(key->secret, 0, sizeof key->secret);
	shoal_put_u32(key->secret, n->index + 1);
	hash(key, shoal_bytes(NULL, 0), key->shown);
	key->identity = (struct shoal_identity){ .to = n, .key = key_shown, .sign = key_sign, .verify = key_verify };
}
