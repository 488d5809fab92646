/*
 * dht/peer_store.c - swarms on a shelf, each with an array of peers.
 */
#include "dht/peer_store.h"

#include <stdlib.h>
#include <string.h>
#include "dht/node_id.h"
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/reach.h"

#define ROOM_MIN 4u

struct stored {
	uint8_t ip[16];
	uint16_t port;
	uint8_t is_v4, seed;
	uint32_t heard_s;
};
struct swarm {
	struct shoal_shelf_node node; /* first */
	uint64_t maker;		      /* who began it, by a keyed hash; 0: nobody who counts */
	uint32_t count, room;
	struct stored *peer;
};

void shoal_peer_store_init(struct shoal_peer_store *s, struct shoal_sipkey secret, struct shoal_budget *budget)
{
	*s = (struct shoal_peer_store){ .shelf = { .secret = secret }, .budget = budget };
}

static size_t bytes_of(const struct swarm *w)
{
	return sizeof *w + w->room * sizeof *w->peer;
}

static void forget(struct shoal_peer_store *s, struct swarm *w)
{
	shoal_shelf_drop(&s->shelf, &w->node);
	s->peers -= w->count;
	shoal_budget_give(s->budget, bytes_of(w));
	free(w->peer);
	free(w);
}

void shoal_peer_store_fini(struct shoal_peer_store *s)
{
	for (struct shoal_shelf_node *n; (n = shoal_shelf_next(&s->shelf, NULL)) != NULL;)
		forget(s, (struct swarm *)n);
	shoal_shelf_fini(&s->shelf);
}

static uint32_t seconds(shoal_us now)
{
	return (uint32_t)(now / SHOAL_S(1));
}

static struct shoal_addr addr_of(const struct stored *p)
{
	struct shoal_addr addr = { .port = p->port, .is_v4 = p->is_v4 };
	memcpy(addr.ip, p->ip, 16);
	return addr;
}

static bool is_open(const struct shoal_addr *addr)
{
	return shoal_reach_of(addr) == SHOAL_REACH_GLOBAL;
}

static uint64_t maker_of(const struct shoal_peer_store *s, const struct shoal_addr *peer)
{
	return is_open(peer) ? shoal_siphash(s->shelf.secret, 1, shoal_bytes(peer->ip, peer->is_v4 ? 4 : 8)) | 1 : 0;
}

/* Room for one swarm more: the farthest from us goes, if the new one is nearer. */
static int make_room(struct shoal_peer_store *s, const struct shoal_id20 *own, const struct shoal_id20 *hash,
		     uint64_t maker)
{
	struct swarm *farthest = NULL;
	uint32_t begun = 0;
	if (s->shelf.count < SHOAL_STORED_PER_HOST)
		return 0;
	for (struct shoal_shelf_node *n = NULL; (n = shoal_shelf_next(&s->shelf, n)) != NULL;) {
		struct swarm *w = (struct swarm *)n;
		begun += maker != 0 && w->maker == maker;
		if (farthest == NULL || shoal_node_id_order(own, &n->key, &farthest->node.key) > 0)
			farthest = w;
	}
	if (begun >= SHOAL_STORED_PER_HOST)
		return SHOAL_ERR_BUSY;
	if (s->shelf.count < SHOAL_STORED_SWARMS)
		return 0;
	if (shoal_node_id_order(own, hash, &farthest->node.key) >= 0)
		return SHOAL_ERR_BUSY;
	forget(s, farthest);
	return 0;
}

static struct swarm *begin(struct shoal_peer_store *s, const struct shoal_id20 *hash, uint64_t maker)
{
	struct swarm *w = NULL;
	if (!shoal_budget_take(s->budget, sizeof *w))
		return NULL;
	w = calloc(1, sizeof *w);
	if (w != NULL) {
		w->node.key = *hash;
		w->maker = maker;
		if (shoal_shelf_add(&s->shelf, &w->node) == 0)
			return w;
	}
	free(w);
	shoal_budget_give(s->budget, sizeof *w);
	return NULL;
}

static int grow(struct shoal_peer_store *s, struct swarm *w)
{
	uint32_t room = w->room != 0 ? 2 * w->room : ROOM_MIN;
	size_t more = (room - w->room) * sizeof *w->peer;
	if (!shoal_budget_take(s->budget, more))
		return SHOAL_ERR_NOMEM;
	struct stored *peer = realloc(w->peer, room * sizeof *peer);
	if (peer == NULL) {
		shoal_budget_give(s->budget, more);
		return SHOAL_ERR_NOMEM;
	}
	w->peer = peer;
	w->room = room;
	return 0;
}

/* The entry that `peer` has, or the oldest, if that may go for it, or `count`. */
static uint32_t entry_for(const struct swarm *w, const struct shoal_addr *peer, bool full, shoal_us now)
{
	uint32_t oldest = w->count;
	for (uint32_t i = 0; i < w->count; i++) {
		struct shoal_addr known = addr_of(&w->peer[i]);
		if (is_open(peer) ? shoal_addr_same_net(&known, peer, 0) : shoal_addr_equal(&known, peer))
			return i;
		if (full && w->peer[i].heard_s + seconds(SHOAL_STORED_LATE) <= seconds(now) &&
		    (oldest == w->count || w->peer[i].heard_s < w->peer[oldest].heard_s))
			oldest = i;
	}
	return oldest;
}

int shoal_peer_store_add(struct shoal_peer_store *s, const struct shoal_id20 *own, const struct shoal_id20 *hash,
			 const struct shoal_addr *peer, bool seed, shoal_us now)
{
	struct swarm *w = (struct swarm *)shoal_shelf_find(&s->shelf, hash);
	int rc;
	if (w == NULL) {
		uint64_t maker = maker_of(s, peer);
		if ((rc = make_room(s, own, hash, maker)) < 0)
			return rc;
		if (s->peers >= SHOAL_STORED_PEERS_ALL)
			return SHOAL_ERR_BUSY;
		if ((w = begin(s, hash, maker)) == NULL)
			return SHOAL_ERR_NOMEM;
	}
	bool full = w->count >= SHOAL_STORED_PEERS || s->peers >= SHOAL_STORED_PEERS_ALL;
	uint32_t at = entry_for(w, peer, full, now);
	if (at == w->count) {
		if (full)
			return SHOAL_ERR_BUSY;
		if (w->count == w->room && (rc = grow(s, w)) < 0) {
			if (w->count == 0)
				forget(s, w);
			return rc;
		}
		w->count++;
		s->peers++;
	}
	w->peer[at] = (struct stored){
		.port = peer->port, .is_v4 = peer->is_v4, .seed = seed, .heard_s = seconds(now)
	};
	memcpy(w->peer[at].ip, peer->ip, 16);
	return 0;
}

static bool fresh(const struct stored *p, shoal_us now)
{
	return p->heard_s + seconds(SHOAL_STORED_TIME) > seconds(now);
}

size_t shoal_peer_store_pick(const struct shoal_peer_store *s, const struct shoal_id20 *hash, bool no_seed,
			     struct shoal_rng *rng, shoal_us now, struct shoal_addr *out, size_t max)
{
	const struct swarm *w = (const struct swarm *)shoal_shelf_find(&s->shelf, hash);
	size_t n = 0;
	if (w == NULL || w->count == 0)
		return 0;
	uint32_t from = shoal_rng_below(rng, w->count);
	/* those who need something first, where the asker has no use for seeds */
	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < w->count && n < max; i++) {
			const struct stored *p = &w->peer[(from + i) % w->count];
			bool first = !no_seed || !p->seed;
			if (first == (round == 0) && fresh(p, now))
				out[n++] = addr_of(p);
		}
	}
	return n;
}

bool shoal_peer_store_count(const struct shoal_peer_store *s, const struct shoal_id20 *hash, shoal_us now,
			    struct shoal_bloom *seeds, struct shoal_bloom *peers)
{
	const struct swarm *w = (const struct swarm *)shoal_shelf_find(&s->shelf, hash);
	memset(seeds, 0, sizeof *seeds);
	memset(peers, 0, sizeof *peers);
	for (uint32_t i = 0; w != NULL && i < w->count; i++) {
		struct shoal_addr addr = addr_of(&w->peer[i]);
		if (fresh(&w->peer[i], now))
			shoal_bloom_add(w->peer[i].seed ? seeds : peers, &addr);
	}
	return w != NULL;
}

size_t shoal_peer_store_sample(const struct shoal_peer_store *s, struct shoal_rng *rng, struct shoal_id20 *out,
			       size_t max)
{
	size_t n = 0, seen = 0;
	/* Each is as likely as any other, whatever their order (Vitter's reservoir). */
	for (struct shoal_shelf_node *node = NULL; (node = shoal_shelf_next(&s->shelf, node)) != NULL; seen++) {
		size_t at = n < max ? n : shoal_rng_below(rng, (uint32_t)seen + 1);
		if (n < max)
			n++;
		if (at < max)
			out[at] = node->key;
	}
	return n;
}

void shoal_peer_store_expire(struct shoal_peer_store *s, shoal_us now)
{
	for (struct shoal_shelf_node *n = shoal_shelf_next(&s->shelf, NULL), *next; n != NULL; n = next) {
		struct swarm *w = (struct swarm *)n;
		next = shoal_shelf_next(&s->shelf, n);
		for (uint32_t i = 0; i < w->count;) {
			if (fresh(&w->peer[i], now)) {
				i++;
				continue;
			}
			w->peer[i] = w->peer[--w->count];
			s->peers--;
		}
		if (w->count == 0)
			forget(s, w);
	}
}
