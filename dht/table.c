/*
 * dht/table.c - buckets by shared prefix.
 */
#include "dht/table.h"

#include <stdlib.h>
#include <string.h>
#include "dht/node_id.h"
#include "proto/compact.h"
#include "proto/reach.h"

struct shoal_table_bucket {
	struct shoal_table_entry live[SHOAL_TABLE_K], spare[SHOAL_TABLE_SPARES]; /* spares: the last to answer first */
	uint8_t live_count, spare_count;
	shoal_us changed;
};

void shoal_table_init(struct shoal_table *t, const struct shoal_id20 *own)
{
	memset(t, 0, sizeof *t);
	t->own = *own;
}

void shoal_table_fini(struct shoal_table *t)
{
	for (int i = 0; i < 160; i++)
		free(t->bucket[i]);
	memset(t->bucket, 0, sizeof t->bucket);
	t->count = 0;
}

size_t shoal_table_bytes(const struct shoal_table *t)
{
	size_t bytes = 0;
	for (int i = 0; i < 160; i++)
		bytes += t->bucket[i] != NULL ? sizeof *t->bucket[i] : 0;
	return bytes;
}

static struct shoal_table_bucket *bucket_of(const struct shoal_table *t, const struct shoal_id20 *id)
{
	unsigned shared = shoal_node_id_shared(&t->own, id);
	return shared < 160 ? t->bucket[shared] : NULL;
}

static bool same_node(const struct shoal_table_entry *e, const struct shoal_krpc_node *node)
{
	return shoal_node_id_equal(&e->node.id, &node->id) && shoal_addr_equal(&e->node.addr, &node->addr);
}

/* Where it stands among `count` entries, or `count`. */
static unsigned find(const struct shoal_table_entry *e, unsigned count, const struct shoal_krpc_node *node)
{
	unsigned i = 0;
	while (i < count && !same_node(&e[i], node))
		i++;
	return i;
}

static bool same_net(const struct shoal_addr *a, const struct shoal_addr *b)
{
	return shoal_addr_same_net(a, b, a->is_v4 ? 24 : 64);
}

/* Its host and its network have their share: of bucket `b`, or of the table. */
static bool crowded(const struct shoal_table *t, const struct shoal_table_bucket *b, const struct shoal_addr *addr)
{
	unsigned in_table = 0;
	if (shoal_reach_of(addr) != SHOAL_REACH_GLOBAL)
		return false;
	for (int i = 0; i < 160; i++) {
		const struct shoal_table_bucket *other = t->bucket[i];
		for (unsigned k = 0; other != NULL && k < other->live_count; k++) {
			if (!same_net(&other->live[k].node.addr, addr) ||
			    shoal_addr_equal(&other->live[k].node.addr, addr))
				continue; /* itself, under another id, goes when it answers */
			if (other == b || ++in_table >= SHOAL_TABLE_NET)
				return true;
		}
	}
	return false;
}

/* Which of the bucket must go for a newcomer: K none. */
static unsigned weakest(const struct shoal_table_bucket *b, bool fits)
{
	unsigned best = SHOAL_TABLE_K;
	for (unsigned i = 0; i < b->live_count; i++)
		if (b->live[i].fails >= SHOAL_TABLE_FAILS &&
		    (best == SHOAL_TABLE_K || b->live[i].fails > b->live[best].fails))
			best = i;
	for (unsigned i = 0; fits && best == SHOAL_TABLE_K && i < b->live_count; i++)
		if (!b->live[i].fits)
			best = i;
	return best;
}

static void take_out(struct shoal_table_entry *e, uint8_t *count, unsigned at)
{
	(*count)--;
	memmove(e + at, e + at + 1, (*count - at) * sizeof *e);
}

static void add_spare(struct shoal_table_bucket *b, const struct shoal_table_entry *e)
{
	unsigned at = find(b->spare, b->spare_count, &e->node);
	if (at < b->spare_count)
		take_out(b->spare, &b->spare_count, at);
	for (unsigned i = 0; i < b->spare_count; i++)
		if (same_net(&b->spare[i].node.addr, &e->node.addr) &&
		    shoal_reach_of(&e->node.addr) == SHOAL_REACH_GLOBAL)
			return;
	if (b->spare_count == SHOAL_TABLE_SPARES)
		b->spare_count--;
	memmove(b->spare + 1, b->spare, b->spare_count * sizeof *b->spare);
	b->spare[0] = *e;
	b->spare_count++;
}

/* An address has one id, the one it answers under: what it had before goes, wherever that stood. */
static void forget_others(struct shoal_table *t, const struct shoal_krpc_node *node)
{
	for (int i = 0; i < 160; i++) {
		struct shoal_table_bucket *b = t->bucket[i];
		for (unsigned k = 0; b != NULL && k < b->live_count; k++) {
			if (!shoal_addr_equal(&b->live[k].node.addr, &node->addr) || same_node(&b->live[k], node))
				continue;
			take_out(b->live, &b->live_count, k--);
			t->count--;
		}
		for (unsigned k = 0; b != NULL && k < b->spare_count; k++)
			if (shoal_addr_equal(&b->spare[k].node.addr, &node->addr) && !same_node(&b->spare[k], node))
				take_out(b->spare, &b->spare_count, k--);
	}
}

/* The same id elsewhere: an impostor, or somebody who has moved. */
static bool contradicts(struct shoal_table *t, struct shoal_table_bucket *b, const struct shoal_krpc_node *node)
{
	for (unsigned i = 0; i < b->live_count; i++) {
		struct shoal_table_entry *e = &b->live[i];
		if (!shoal_node_id_equal(&e->node.id, &node->id))
			continue;
		if (e->fails == 0)
			return true; /* the one we know answers: it keeps its name */
		take_out(b->live, &b->live_count, i--);
		t->count--;
	}
	return false;
}

bool shoal_table_answered(struct shoal_table *t, const struct shoal_krpc_node *node, shoal_us now)
{
	unsigned shared = shoal_node_id_shared(&t->own, &node->id);
	if (shared == 160)
		return false;
	struct shoal_table_bucket *b = t->bucket[shared];
	if (b == NULL) {
		b = t->bucket[shared] = calloc(1, sizeof *b);
		if (b == NULL)
			return false;
		b->changed = now;
	}
	unsigned at = find(b->live, b->live_count, node);
	if (at < b->live_count) {
		b->live[at].fails = 0;
		b->live[at].asked = 0;
		b->live[at].heard = b->changed = now;
		return true;
	}
	struct shoal_table_entry e = { .node = *node,
				       .heard = now,
				       .fits = shoal_node_id_fits(&node->id, &node->addr) };
	forget_others(t, node);
	if (contradicts(t, b, node) || crowded(t, b, &node->addr))
		return false;
	at = b->live_count;
	if (b->live_count < SHOAL_TABLE_K) {
		b->live_count++;
		t->count++;
	} else if ((at = weakest(b, e.fits)) == SHOAL_TABLE_K) {
		add_spare(b, &e);
		return false;
	}
	b->live[at] = e;
	b->changed = now;
	return true;
}

bool shoal_table_asked(struct shoal_table *t, const struct shoal_krpc_node *node, shoal_us now)
{
	struct shoal_table_bucket *b = bucket_of(t, &node->id);
	if (b == NULL)
		return shoal_node_id_shared(&t->own, &node->id) < 160;
	unsigned at = find(b->live, b->live_count, node);
	if (at < b->live_count) {
		if (b->live[at].fails == 0) /* who asks and does not answer is of no use */
			b->live[at].heard = now;
		return false;
	}
	if (b->live_count < SHOAL_TABLE_K || weakest(b, shoal_node_id_fits(&node->id, &node->addr)) < SHOAL_TABLE_K)
		return !crowded(t, b, &node->addr);
	return b->spare_count == 0;
}

void shoal_table_failed(struct shoal_table *t, const struct shoal_krpc_node *node)
{
	struct shoal_table_bucket *b = bucket_of(t, &node->id);
	if (b == NULL)
		return;
	unsigned at = find(b->spare, b->spare_count, node);
	if (at < b->spare_count)
		take_out(b->spare, &b->spare_count, at);
	at = find(b->live, b->live_count, node);
	if (at == b->live_count)
		return;
	struct shoal_table_entry *e = &b->live[at];
	e->fails++;
	if (e->fails >= SHOAL_TABLE_FAILS) {
		for (unsigned i = 0; i < b->spare_count; i++) {
			struct shoal_table_entry spare = b->spare[i];
			if (crowded(t, b, &spare.node.addr))
				continue;
			take_out(b->spare, &b->spare_count, i);
			*e = spare;
			e->asked = 0;
			return;
		}
	}
	if (e->fails >= SHOAL_TABLE_FAILS_MAX) {
		take_out(b->live, &b->live_count, at);
		t->count--;
	}
}

size_t shoal_table_closest(const struct shoal_table *t, const struct shoal_id20 *target, struct shoal_krpc_node *out,
			   size_t max)
{
	size_t n = 0;
	for (int i = 0; i < 160; i++) {
		const struct shoal_table_bucket *b = t->bucket[i];
		for (unsigned k = 0; b != NULL && k < b->live_count; k++) {
			const struct shoal_table_entry *e = &b->live[k];
			if (e->fails >= SHOAL_TABLE_FAILS)
				continue;
			size_t at = n;
			while (at > 0 && shoal_node_id_order(target, &e->node.id, &out[at - 1].id) < 0)
				at--;
			if (at == max)
				continue;
			if (n < max)
				n++;
			memmove(out + at + 1, out + at, (n - 1 - at) * sizeof *out);
			out[at] = e->node;
		}
	}
	return n;
}

const struct shoal_table_entry *shoal_table_stale(struct shoal_table *t, shoal_us now)
{
	struct shoal_table_entry *oldest = NULL;
	for (int i = 0; i < 160; i++) {
		struct shoal_table_bucket *b = t->bucket[i];
		for (unsigned k = 0; b != NULL && k < b->live_count; k++) {
			struct shoal_table_entry *e = &b->live[k];
			/* who failed once is asked again soon, and then ever more seldom */
			shoal_us wait = e->fails == 1 ? SHOAL_S(30) : SHOAL_TABLE_STALE;
			if ((e->fails != 1 && e->heard + SHOAL_TABLE_STALE > now) || e->asked + wait > now)
				continue;
			if (oldest == NULL || e->heard < oldest->heard)
				oldest = e;
		}
	}
	if (oldest != NULL)
		oldest->asked = now;
	return oldest;
}

bool shoal_table_refresh(struct shoal_table *t, const struct shoal_id20 *random, shoal_us now, struct shoal_id20 *out)
{
	unsigned deepest = 160;
	while (deepest > 0 && t->bucket[deepest - 1] == NULL)
		deepest--;
	for (unsigned i = 0; i < deepest; i++) {
		struct shoal_table_bucket *b = t->bucket[i];
		/* Half of all nodes belong into the first, a quarter into the next: with deeper ones in use they fill. */
		bool thin = b != NULL && b->live_count < SHOAL_TABLE_K / 2 && i + 4 < deepest;
		if (b == NULL || b->changed + (thin ? SHOAL_TABLE_THIN : SHOAL_TABLE_REFRESH) > now)
			continue;
		/* our own bits up to number i, that one turned, and then dice */
		*out = *random;
		for (unsigned bit = 0; bit <= i; bit++) {
			uint8_t mask = (uint8_t)(0x80u >> bit % 8), own = t->own.b[bit / 8] & mask;
			out->b[bit / 8] = (uint8_t)((out->b[bit / 8] & ~mask) | (bit == i ? own ^ mask : own));
		}
		b->changed = now;
		return true;
	}
	return false;
}

bool shoal_table_next(const struct shoal_table *t, uint32_t *at, struct shoal_table_entry *out)
{
	for (; *at < 160u * SHOAL_TABLE_K; ++*at) {
		const struct shoal_table_bucket *b = t->bucket[*at / SHOAL_TABLE_K];
		if (b != NULL && *at % SHOAL_TABLE_K < b->live_count) {
			*out = b->live[*at % SHOAL_TABLE_K];
			++*at;
			return true;
		}
	}
	return false;
}

void shoal_table_rehome(struct shoal_table *t, const struct shoal_id20 *own, shoal_us now)
{
	struct shoal_table old = *t;
	struct shoal_table_entry e;
	shoal_table_init(t, own);
	/* The farthest last: of two that want one place, the one nearer to us has more to say. */
	for (uint32_t at = 0; shoal_table_next(&old, &at, &e);)
		if (shoal_table_answered(t, &e.node, now)) {
			struct shoal_table_bucket *b = bucket_of(t, &e.node.id);
			b->live[find(b->live, b->live_count, &e.node)].heard = e.heard;
		}
	shoal_table_fini(&old);
}
