/*
 * dht/dht_serve.c - answers to the queries of others: what is asked for, as far as it fits what we may send.
 *
 * Whoever has not proved that he receives what is sent to his address gets
 * at most three bytes for each of his, so that nobody can turn us on somebody
 * else. If what he asks for is larger than that, he is pinged first, and
 * answered when he has answered.
 */
#include "dht/dht_room.h"

#include <stdlib.h>
#include <string.h>
#include "dht/node_id.h"
#include "proto/base/bytes.h"
#include "proto/compact.h"

#define REPLY_PROVED 1380u /* bytes, to who has proved his address */
#define VALUES_MAX 64u
#define SAMPLES_MAX 20u
#define SAMPLES_INTERVAL 21600
#define TYPICAL 128u   /* bytes of a query; what an answer is charged by */
#define LIST_BYTES 12u /* a key of a list of nodes or peers, and its length */

struct answer {
	struct shoal_dht *d;
	const struct shoal_addr *to;
	size_t most; /* bytes */
	struct shoal_krpc m;
	uint8_t token[SHOAL_TOKEN_BYTES];
	uint8_t nodes[8 * SHOAL_KRPC_NODE4], nodes6[8 * SHOAL_KRPC_NODE6];
	uint8_t values[VALUES_MAX * (SHOAL_COMPACT6 + 3) + 2];
};

static size_t size_of(const struct answer *a)
{
	uint8_t raw[2 * SHOAL_KRPC_OUT_MAX];
	ptrdiff_t len = shoal_krpc_encode(&a->m, (struct shoal_space){ raw, sizeof raw });
	return len > 0 ? (size_t)len : SIZE_MAX;
}

/* Bytes that may still be added. */
static size_t room_of(const struct answer *a)
{
	size_t have = size_of(a);
	return have < a->most ? a->most - have : 0;
}

static struct shoal_bytes list_nodes(const struct shoal_dht *d, const struct shoal_id20 *target, size_t room,
				     uint8_t *out)
{
	struct shoal_krpc_node closest[8];
	size_t unit = d->o.is_v4 ? SHOAL_KRPC_NODE4 : SHOAL_KRPC_NODE6, len = 0;
	size_t most = room > LIST_BYTES ? (room - LIST_BYTES) / unit : 0;
	size_t n = shoal_table_closest(&d->table, target, closest, most < 8 ? most : 8);
	for (size_t i = 0; i < n; i++)
		len += shoal_krpc_node_put(&closest[i], out + len);
	return shoal_bytes(out, len);
}

/* The nodes next to the target, as many as fit: of our own family first. */
static void add_nodes(struct answer *a, const struct shoal_krpc *q)
{
	struct shoal_dht *d = a->d, *other = d->sibling;
	unsigned own = d->o.is_v4 ? SHOAL_KRPC_WANT4 : SHOAL_KRPC_WANT6;
	unsigned want = q->want != 0 ? q->want : own;
	if (want & own) {
		struct shoal_bytes list = list_nodes(d, &q->target, room_of(a), d->o.is_v4 ? a->nodes : a->nodes6);
		if (d->o.is_v4)
			a->m.nodes = list;
		else
			a->m.nodes6 = list;
	}
	if (want & ~own && other != NULL) {
		struct shoal_bytes list = list_nodes(other, &q->target, room_of(a), d->o.is_v4 ? a->nodes6 : a->nodes);
		if (d->o.is_v4)
			a->m.nodes6 = list;
		else
			a->m.nodes = list;
	}
}

static void add_token(struct answer *a, const struct shoal_krpc *q, shoal_us now)
{
	shoal_token_make(a->d->secret, a->to, &q->target, now, a->token);
	a->m.token = shoal_bytes(a->token, sizeof a->token);
}

static void add_values(struct answer *a, const struct shoal_krpc *q, shoal_us now)
{
	struct shoal_addr peer[VALUES_MAX];
	size_t unit = a->d->o.is_v4 ? SHOAL_COMPACT4 + 2 : SHOAL_COMPACT6 + 3, room = room_of(a);
	/* Peers are what was asked for; but who is told of few must be able to go on. */
	size_t most = room > LIST_BYTES ? (room - LIST_BYTES) / 2 / unit : 0;
	size_t n = shoal_peer_store_pick(&a->d->peers, &q->target, q->no_seed, &a->d->o.rng, now, peer,
					 most < VALUES_MAX ? most : VALUES_MAX);
	if (n == 0)
		return;
	ptrdiff_t len = shoal_krpc_values_put(peer, n, (struct shoal_space){ a->values, sizeof a->values });
	if (len > 0)
		a->m.values = shoal_bytes(a->values, (size_t)len);
}

/* ---- what waits for a proof ----------------------------------------------------------- */

static void hold(struct shoal_dht *d, const struct shoal_addr *from, struct shoal_bytes raw, shoal_us now)
{
	if (raw.len > SHOAL_DHT_HELD_BYTES || d->held_count == SHOAL_DHT_HELD)
		return;
	if (d->held == NULL)
		d->held = calloc(SHOAL_DHT_HELD, sizeof *d->held);
	if (d->held == NULL)
		return;
	struct shoal_held *h = &d->held[d->held_count++];
	*h = (struct shoal_held){ .from = *from, .len = (uint16_t)raw.len, .at = now };
	memcpy(h->raw, raw.at, raw.len);
	struct shoal_krpc_node node = { .addr = *from };
	shoal_dht_check(d, &node, false, now);
}

void shoal_dht_serve_held(struct shoal_dht *d, const struct shoal_addr *from, shoal_us now)
{
	for (uint32_t i = 0; i < d->held_count;) {
		struct shoal_held h = d->held[i];
		struct shoal_krpc q;
		if (!shoal_addr_equal(&h.from, from)) {
			i++;
			continue;
		}
		d->held[i] = d->held[--d->held_count];
		struct shoal_bytes raw = shoal_bytes(h.raw, h.len);
		if (shoal_krpc_decode(raw, &q) == 0)
			shoal_dht_serve(d, from, raw, &q, 0, now);
	}
}

/* ---- the methods ---------------------------------------------------------------------- */

/* false: it must be proved first. */
static bool get_peers(struct answer *a, const struct shoal_krpc *q, bool proved, shoal_us now)
{
	struct shoal_bloom *bloom = NULL;
	add_token(a, q, now);
	if (q->scrape && shoal_shelf_find(&a->d->peers.shelf, &q->target) != NULL) {
		if (!proved)
			return false;
		bloom = calloc(2, sizeof *bloom);
		if (bloom != NULL && shoal_peer_store_count(&a->d->peers, &q->target, now, &bloom[0], &bloom[1])) {
			a->m.bloom_seeds = shoal_bytes(bloom[0].b, sizeof bloom[0].b);
			a->m.bloom_peers = shoal_bytes(bloom[1].b, sizeof bloom[1].b);
		}
	}
	add_values(a, q, now);
	add_nodes(a, q);
	shoal_dht_send(a->d, a->to, &a->m);
	free(bloom);
	a->m.kind = 0; /* sent */
	return true;
}

static bool get_item(struct answer *a, const struct shoal_krpc *q, bool proved, shoal_us now)
{
	const struct shoal_item *item = shoal_items_find(&a->d->items, &q->target, now);
	add_token(a, q, now);
	if (item != NULL && item->is_mutable) {
		a->m.has_seq = true;
		a->m.seq = item->seq;
	}
	if (item != NULL && !(item->is_mutable && q->has_seq && q->seq >= item->seq)) {
		a->m.v = shoal_bytes(item->v, item->len);
		if (item->is_mutable) {
			a->m.k = shoal_bytes(item->k, 32);
			a->m.sig = shoal_bytes(item->sig, 64);
		}
		if (size_of(a) > a->most && !proved)
			return false;
	}
	add_nodes(a, q);
	return true;
}

static int announce(struct answer *a, const struct shoal_krpc *q, shoal_us now)
{
	struct shoal_addr peer = *a->to;
	if (!q->has_target || (!q->implied_port && q->port == 0))
		return SHOAL_KRPC_PROTOCOL;
	if (!shoal_token_good(a->d->secret, a->to, &q->target, now, q->token))
		return SHOAL_KRPC_PROTOCOL;
	if (!q->implied_port)
		peer.port = q->port;
	int rc = shoal_peer_store_add(&a->d->peers, &a->d->o.id, &q->target, &peer, q->seed, now);
	return rc < 0 ? SHOAL_KRPC_SERVER : 0;
}

static int put(struct answer *a, const struct shoal_krpc *q, shoal_us now)
{
	struct shoal_id20 target;
	int code = shoal_items_judge(q, &target);
	if (code != 0)
		return code;
	/* Before the signature is looked at: an address that cannot be spoofed pays for the work. */
	if (!shoal_token_good(a->d->secret, a->to, &target, now, q->token))
		return SHOAL_KRPC_PROTOCOL;
	return shoal_items_put(&a->d->items, &a->d->o.id, &target, q, a->to, now);
}

static void sample(struct answer *a, const struct shoal_krpc *q, struct shoal_id20 *hash)
{
	size_t room = room_of(a), most = room > 4 * LIST_BYTES ? (room - 4 * LIST_BYTES) / 20 : 0;
	size_t n = shoal_peer_store_sample(&a->d->peers, &a->d->o.rng, hash, most < SAMPLES_MAX ? most : SAMPLES_MAX);
	a->m.has_samples = true;
	a->m.interval = SAMPLES_INTERVAL;
	a->m.num = a->d->peers.shelf.count;
	a->m.samples = shoal_bytes(hash, n * sizeof *hash);
	add_nodes(a, q);
}

static const char *words(int code)
{
	switch (code) {
	case SHOAL_KRPC_PROTOCOL: return "invalid arguments or token";
	case SHOAL_KRPC_NO_METHOD: return "method unknown";
	case SHOAL_KRPC_TOO_BIG: return "v too big";
	case SHOAL_KRPC_BAD_SIGNATURE: return "invalid signature";
	case SHOAL_KRPC_SALT_TOO_BIG: return "salt too big";
	case SHOAL_KRPC_CAS_MISMATCH: return "cas mismatch";
	case SHOAL_KRPC_SEQ_TOO_LOW: return "seq less than current";
	default: return "no room";
	}
}

void shoal_dht_serve(struct shoal_dht *d, const struct shoal_addr *from, struct shoal_bytes raw,
		     const struct shoal_krpc *q, size_t kept, shoal_us now)
{
	bool proved = shoal_quota_proved(&d->quota, from, now), ready = true;
	struct answer a = {
		.d = d,
		.to = from,
		.most = proved ? REPLY_PROVED : SHOAL_DHT_AMPLIFY * raw.len - kept,
		.m = { .kind = SHOAL_KRPC_REPLY, .tid = q->tid, .has_ip = true, .ip = *from, .id = d->o.id }
	};
	struct shoal_id20 hash[SAMPLES_MAX];
	int code = 0;
	if (!shoal_quota_answer(&d->quota,
				raw.len < TYPICAL ? SHOAL_DHT_AMPLIFY * raw.len : SHOAL_DHT_AMPLIFY * TYPICAL, now)) {
		d->refused++;
		return;
	}
	if (d->o.version[0] != 0)
		a.m.version = shoal_bytes(d->o.version, sizeof d->o.version);
	bool needs_target = q->method == SHOAL_KRPC_FIND_NODE || q->method == SHOAL_KRPC_GET_PEERS ||
			    q->method == SHOAL_KRPC_GET || q->method == SHOAL_KRPC_SAMPLE;
	if (needs_target && !q->has_target)
		code = SHOAL_KRPC_PROTOCOL;
	else if (q->method == SHOAL_KRPC_FIND_NODE)
		add_nodes(&a, q);
	else if (q->method == SHOAL_KRPC_GET_PEERS)
		ready = get_peers(&a, q, proved, now);
	else if (q->method == SHOAL_KRPC_ANNOUNCE)
		code = announce(&a, q, now);
	else if (q->method == SHOAL_KRPC_GET)
		ready = get_item(&a, q, proved, now);
	else if (q->method == SHOAL_KRPC_PUT)
		code = put(&a, q, now);
	else if (q->method == SHOAL_KRPC_SAMPLE && d->o.samples)
		sample(&a, q, hash);
	else if (q->method != SHOAL_KRPC_PING)
		code = SHOAL_KRPC_NO_METHOD;
	if (!ready) {
		hold(d, from, raw, now);
		return;
	}
	if (code != 0) {
		a.m.kind = SHOAL_KRPC_ERROR;
		a.m.code = code;
		a.m.text = shoal_bytes(words(code), strlen(words(code)));
	}
	if (a.m.kind != 0 && (proved || size_of(&a) <= a.most))
		shoal_dht_send(d, from, &a.m);
}
