/*
 * dht/items.c - BEP 44.
 */
#include "dht/items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dht/node_id.h"
#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/reach.h"

void shoal_item_target(struct shoal_bytes v, struct shoal_id20 *out)
{
	shoal_sha1(v, out->b);
}

void shoal_item_target_of(const uint8_t k[32], struct shoal_bytes salt, struct shoal_id20 *out)
{
	struct shoal_sha1 sha;
	struct shoal_sha1 *ctx[] = { &sha };
	shoal_sha1_init(&sha);
	shoal_sha1_advance(ctx, (const uint8_t *const[]){ k }, 1, 32);
	if (salt.len > 0)
		shoal_sha1_advance(ctx, (const uint8_t *const[]){ salt.at }, 1, salt.len);
	shoal_sha1_final(&sha, out->b);
}

ptrdiff_t shoal_item_signed(struct shoal_bytes salt, int64_t seq, struct shoal_bytes v,
			    uint8_t out[SHOAL_ITEM_SIGNED_MAX])
{
	struct shoal_wr w = shoal_wr((struct shoal_space){ out, SHOAL_ITEM_SIGNED_MAX });
	char text[40];
	if (salt.len > SHOAL_KRPC_SALT_MAX || v.len > SHOAL_KRPC_VALUE_MAX)
		return SHOAL_ERR_TOO_LONG;
	if (salt.len > 0) {
		int n = snprintf(text, sizeof text, "4:salt%zu:", salt.len);
		shoal_wr_put(&w, shoal_bytes(text, (size_t)n));
		shoal_wr_put(&w, salt);
	}
	int n = snprintf(text, sizeof text, "3:seqi%llde1:v", (long long)seq);
	shoal_wr_put(&w, shoal_bytes(text, (size_t)n));
	shoal_wr_put(&w, v);
	return w.bad ? SHOAL_ERR_TOO_LONG : (ptrdiff_t)w.pos;
}

static bool signature_good(const struct shoal_dht_crypto *crypto, const struct shoal_krpc *m, struct shoal_bytes salt)
{
	uint8_t text[SHOAL_ITEM_SIGNED_MAX];
	ptrdiff_t len = shoal_item_signed(salt, m->seq, m->v, text);
	return crypto != NULL && len > 0 &&
	       crypto->verify(crypto->to, m->sig.at, shoal_bytes(text, (size_t)len), m->k.at);
}

bool shoal_item_true(const struct shoal_dht_crypto *crypto, const struct shoal_id20 *target, struct shoal_bytes salt,
		     const struct shoal_krpc *m)
{
	struct shoal_id20 is;
	if (m->v.len == 0 || m->v.len > SHOAL_KRPC_VALUE_MAX)
		return false;
	if (m->k.len == 0) {
		shoal_item_target(m->v, &is);
		return shoal_node_id_equal(&is, target);
	}
	if (m->sig.len != 64 || !m->has_seq || m->seq < 0)
		return false;
	shoal_item_target_of(m->k.at, salt, &is);
	return shoal_node_id_equal(&is, target) && signature_good(crypto, m, salt);
}

void shoal_items_init(struct shoal_items *s, struct shoal_sipkey secret, struct shoal_budget *budget,
		      const struct shoal_dht_crypto *crypto)
{
	*s = (struct shoal_items){ .shelf = { .secret = secret }, .budget = budget, .crypto = crypto };
}

static void forget(struct shoal_items *s, struct shoal_item *item)
{
	shoal_shelf_drop(&s->shelf, &item->node);
	shoal_budget_give(s->budget, sizeof *item + item->len);
	free(item);
}

void shoal_items_fini(struct shoal_items *s)
{
	for (struct shoal_shelf_node *n; (n = shoal_shelf_next(&s->shelf, NULL)) != NULL;)
		forget(s, (struct shoal_item *)n);
	shoal_shelf_fini(&s->shelf);
}

const struct shoal_item *shoal_items_find(const struct shoal_items *s, const struct shoal_id20 *target, shoal_us now)
{
	const struct shoal_item *item = (const struct shoal_item *)shoal_shelf_find(&s->shelf, target);
	return item != NULL && item->heard + SHOAL_ITEM_TIME > now ? item : NULL;
}

int shoal_items_judge(const struct shoal_krpc *put, struct shoal_id20 *target)
{
	if (put->v.len == 0)
		return SHOAL_KRPC_PROTOCOL;
	if (put->v.len > SHOAL_KRPC_VALUE_MAX)
		return SHOAL_KRPC_TOO_BIG;
	if (put->salt.len > SHOAL_KRPC_SALT_MAX)
		return SHOAL_KRPC_SALT_TOO_BIG;
	/* A half of what makes a mutable item is not an immutable one. */
	if (put->k.len == 0 && (put->sig.len > 0 || put->has_seq || put->salt.len > 0))
		return SHOAL_KRPC_PROTOCOL;
	if (put->k.len > 0 && (put->sig.len != 64 || !put->has_seq || put->seq < 0))
		return SHOAL_KRPC_PROTOCOL;
	if (put->k.len > 0)
		shoal_item_target_of(put->k.at, put->salt, target);
	else
		shoal_item_target(put->v, target);
	return 0;
}

/* Room for one more: what its own host keeps here is bounded, and the farthest from us goes for a nearer one. */
static int make_room(struct shoal_items *s, const struct shoal_id20 *own, const struct shoal_id20 *target,
		     uint64_t maker)
{
	struct shoal_item *farthest = NULL;
	uint32_t kept = 0;
	for (struct shoal_shelf_node *n = NULL; (n = shoal_shelf_next(&s->shelf, n)) != NULL;) {
		struct shoal_item *item = (struct shoal_item *)n;
		kept += maker != 0 && item->maker == maker;
		if (farthest == NULL || shoal_node_id_order(own, &n->key, &farthest->node.key) > 0)
			farthest = item;
	}
	if (kept >= SHOAL_ITEMS_PER_HOST)
		return SHOAL_KRPC_SERVER;
	if (s->shelf.count < SHOAL_ITEMS)
		return 0;
	if (shoal_node_id_order(own, target, &farthest->node.key) >= 0)
		return SHOAL_KRPC_SERVER;
	forget(s, farthest);
	return 0;
}

/* What an older value says about a newer one: 0, and it goes; or an error, or SAME. */
enum { SAME = 1 };

static int outdated(const struct shoal_item *old, const struct shoal_krpc *put)
{
	if (!old->is_mutable)
		return SAME;
	bool same = put->seq == old->seq && shoal_bytes_equal(put->v, shoal_bytes(old->v, old->len));
	if (put->has_cas && put->cas != old->seq)
		return SHOAL_KRPC_CAS_MISMATCH;
	if (put->seq < old->seq || (put->seq == old->seq && !same))
		return SHOAL_KRPC_SEQ_TOO_LOW;
	return same ? SAME : 0;
}

int shoal_items_put(struct shoal_items *s, const struct shoal_id20 *own, const struct shoal_id20 *target,
		    const struct shoal_krpc *put, const struct shoal_addr *from, shoal_us now)
{
	struct shoal_item *old = (struct shoal_item *)shoal_shelf_find(&s->shelf, target);
	uint64_t maker = shoal_reach_of(from) == SHOAL_REACH_GLOBAL
				 ? shoal_siphash(s->shelf.secret, 1, shoal_bytes(from->ip, from->is_v4 ? 4 : 8)) | 1
				 : 0;
	int rc = old != NULL ? outdated(old, put) : 0;
	if (rc == SAME) {
		old->heard = now;
		return 0;
	}
	if (rc == 0 && put->k.len > 0 && !signature_good(s->crypto, put, put->salt))
		return SHOAL_KRPC_BAD_SIGNATURE;
	if (rc == 0 && old == NULL)
		rc = make_room(s, own, target, maker);
	if (rc != 0)
		return rc;
	size_t bytes = sizeof(struct shoal_item) + put->v.len;
	if (!shoal_budget_take(s->budget, bytes))
		return SHOAL_KRPC_SERVER;
	struct shoal_item *item = calloc(1, bytes);
	if (item == NULL) {
		shoal_budget_give(s->budget, bytes);
		return SHOAL_KRPC_SERVER;
	}
	item->node.key = *target;
	item->maker = maker;
	item->heard = now;
	item->is_mutable = put->k.len > 0;
	if (item->is_mutable) {
		item->seq = put->seq;
		memcpy(item->k, put->k.at, 32);
		memcpy(item->sig, put->sig.at, 64);
		item->salt_len = (uint8_t)put->salt.len;
		if (put->salt.len > 0)
			memcpy(item->salt, put->salt.at, put->salt.len);
	}
	item->len = (uint16_t)put->v.len;
	memcpy(item->v, put->v.at, put->v.len);
	if (old != NULL)
		forget(s, old);
	if (shoal_shelf_add(&s->shelf, &item->node) < 0) {
		free(item);
		shoal_budget_give(s->budget, bytes);
		return SHOAL_KRPC_SERVER;
	}
	return 0;
}

void shoal_items_expire(struct shoal_items *s, shoal_us now)
{
	for (struct shoal_shelf_node *n = shoal_shelf_next(&s->shelf, NULL), *next; n != NULL; n = next) {
		struct shoal_item *item = (struct shoal_item *)n;
		next = shoal_shelf_next(&s->shelf, n);
		if (item->heard + SHOAL_ITEM_TIME <= now)
			forget(s, item);
	}
}
