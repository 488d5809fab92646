/*
 * dht/items.h - values that others keep with us for two hours: immutable, and signed mutable ones (BEP 44).
 *
 * What is asked of crypto comes through a small table, since nothing here
 * may know a library: swarm/io fills it. A signature is checked before a
 * value is kept, and before one that was found is believed.
 */
#ifndef SHOAL_DHT_ITEMS_H
#define SHOAL_DHT_ITEMS_H

#include <shoal/types.h>
#include "dht/krpc.h"
#include "dht/shelf.h"
#include "proto/base/slots.h"

#define SHOAL_ITEMS 512u
#define SHOAL_ITEMS_PER_HOST 32u
#define SHOAL_ITEM_TIME SHOAL_S(2 * 3600)
#define SHOAL_ITEM_SIGNED_MAX (SHOAL_KRPC_VALUE_MAX + SHOAL_KRPC_SALT_MAX + 64u)

struct shoal_dht_crypto {
	void *to;
	/* Whether `sig` is the ed25519 signature of `text` by `key`. */
	bool (*verify)(void *to, const uint8_t sig[64], struct shoal_bytes text, const uint8_t key[32]);
};

struct shoal_item {
	struct shoal_shelf_node node; /* first: its target */
	uint64_t maker;
	shoal_us heard;
	bool is_mutable;
	int64_t seq;
	uint8_t k[32], sig[64];
	uint8_t salt_len;
	uint8_t salt[SHOAL_KRPC_SALT_MAX];
	uint16_t len;
	uint8_t v[]; /* bencoded */
};
struct shoal_items {
	struct shoal_shelf shelf;
	struct shoal_budget *budget;
	const struct shoal_dht_crypto *crypto; /* NULL: no mutable ones are kept */
};

/* Where an immutable value, or those of a key and a salt, are kept. */
void shoal_item_target(struct shoal_bytes v, struct shoal_id20 *out);
void shoal_item_target_of(const uint8_t k[32], struct shoal_bytes salt, struct shoal_id20 *out);
/* What is signed; the length, or TOO_LONG. */
SHOAL_MUST ptrdiff_t shoal_item_signed(struct shoal_bytes salt, int64_t seq, struct shoal_bytes v,
				       uint8_t out[SHOAL_ITEM_SIGNED_MAX]);
/* Whether a value that came for `target` is the one: by its hash, or by key, salt and signature. */
bool shoal_item_true(const struct shoal_dht_crypto *crypto, const struct shoal_id20 *target, struct shoal_bytes salt,
		     const struct shoal_krpc *m);

void shoal_items_init(struct shoal_items *s, struct shoal_sipkey secret, struct shoal_budget *budget,
		      const struct shoal_dht_crypto *crypto);
void shoal_items_fini(struct shoal_items *s);
const struct shoal_item *shoal_items_find(const struct shoal_items *s, const struct shoal_id20 *target, shoal_us now);
/* Whether a PUT keeps to the forms: 0, or an enum shoal_krpc_code and `*target` unset. */
SHOAL_MUST int shoal_items_judge(const struct shoal_krpc *put, struct shoal_id20 *target);
/* Keeps the value of a PUT that was judged. 0, or an enum shoal_krpc_code. */
SHOAL_MUST int shoal_items_put(struct shoal_items *s, const struct shoal_id20 *own, const struct shoal_id20 *target,
			       const struct shoal_krpc *put, const struct shoal_addr *from, shoal_us now);
void shoal_items_expire(struct shoal_items *s, shoal_us now);

#endif
