/* swarm/core/finder.c - the DHT in the service of torrents. */
#include "swarm/core/finder.h"

#include <stdlib.h>
#include <string.h>
#include "dht/node_id.h"
#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/reach.h"
#include "swarm/core/finder_room.h"
#include "swarm/core/node_room.h"

#define LOOKS SHOAL_S(1) /* between looks at all torrents */
#define SAVED_VERSION 1u
#define SAVED_MAX 64u		    /* nodes of a family */
#define SAVED_HEAD (1u + 20u + 20u) /* version, checksum, our id */

static struct shoal_bytes saved_key(bool is_v4)
{
	return is_v4 ? SHOAL_LIT("v4") : SHOAL_LIT("v6");
}

/* ---- what outlives the process ---------------------------------------------------------- */

struct saved {
	bool good;
	struct shoal_id20 id;
	struct shoal_bytes nodes;
	uint8_t raw[SAVED_MAX * SHOAL_KRPC_NODE6];
};

static void on_saved(void *to, struct shoal_bytes value)
{
	struct saved *s = to;
	uint8_t sum[20];
	if (value.len < SAVED_HEAD || value.len - SAVED_HEAD > sizeof s->raw || value.at[0] != SAVED_VERSION)
		return;
	shoal_sha1(shoal_bytes(value.at + 21, value.len - 21), sum);
	if (memcmp(sum, value.at + 1, 20) != 0)
		return;
	s->good = true;
	memcpy(s->id.b, value.at + 21, 20);
	memcpy(s->raw, value.at + SAVED_HEAD, value.len - SAVED_HEAD);
	s->nodes = shoal_bytes(s->raw, value.len - SAVED_HEAD);
}

bool shoal_finder_save(struct shoal_node *n)
{
	struct shoal_finder *f = n->finder;
	bool any = false;
	if (f == NULL || f->guest || n->store.ops == NULL)
		return false;
	for (int v4 = 0; v4 < 2; v4++) {
		struct shoal_krpc_node node[SAVED_MAX];
		struct shoal_dht_facts facts;
		uint8_t raw[SAVED_HEAD + SAVED_MAX * SHOAL_KRPC_NODE6] = { SAVED_VERSION };
		size_t count = shoal_dht_nodes(f->dht[v4], node, SAVED_MAX), len = SAVED_HEAD;
		if (count == 0) /* nobody answers: what was saved before is worth more */
			continue;
		shoal_dht_facts(f->dht[v4], &facts);
		memcpy(raw + 21, facts.id.b, 20);
		for (size_t i = 0; i < count; i++)
			len += shoal_krpc_node_put(&node[i], raw + len);
		shoal_sha1(shoal_bytes(raw + 21, len - 21), raw + 1);
		any |= n->store.ops->put(n->store.s, SHOAL_STORE_DHT, saved_key(v4), shoal_bytes(raw, len)) == 0;
	}
	return any;
}

/* ---- coming and going -------------------------------------------------------------------- */

static struct shoal_dht *node_new(struct shoal_node *n, bool is_v4, const struct shoal_node_options *options,
				  shoal_us now)
{
	struct saved *saved = calloc(1, sizeof *saved);
	struct shoal_dht *dht = NULL;
	if (saved == NULL)
		return NULL;
	if (n->store.ops != NULL && !options->dht_guest &&
	    n->store.ops->get(n->store.s, SHOAL_STORE_DHT, saved_key(is_v4), on_saved, saved) <= 0)
		saved->good = false;
	struct shoal_dht_options o = { .is_v4 = is_v4,
				       .id = saved->id,
				       .version = { 'S', 'H', 0, 1 },
				       .rng = shoal_rng_split(shoal_rng_u64(&n->rng), is_v4),
				       .budget = n->budget,
				       .crypto = options->crypto,
				       .read_only = options->dht_read_only || options->dht_guest,
				       .proves = options->dht_guest };
	n->world.ops->secret(n->world.w, (struct shoal_space){ o.secret, sizeof o.secret });
	if (shoal_dht_new(&dht, &o, now) == 0) {
		struct shoal_krpc_node node;
		for (size_t i = 0; saved->good && shoal_krpc_node_at(saved->nodes, is_v4, i, &node); i++)
			shoal_dht_add(dht, &node.addr, false, false, now);
	}
	free(saved);
	return dht;
}

struct shoal_finder *shoal_finder_new(struct shoal_node *n, const struct shoal_node_options *o, shoal_us now)
{
	if (n->world.ops->datagram == NULL || !shoal_budget_take(n->budget, SHOAL_FINDER_MEMORY))
		return NULL;
	struct shoal_finder *f = calloc(1, sizeof *f);
	if (f != NULL) {
		f->dht[0] = node_new(n, false, o, now);
		f->dht[1] = node_new(n, true, o, now);
		f->save_at = now + SHOAL_FINDER_SAVE;
		f->guest = o->dht_guest;
		if (f->dht[0] != NULL && f->dht[1] != NULL) {
			shoal_dht_link(f->dht[0], f->dht[1]);
			return f;
		}
		shoal_dht_free(f->dht[0]);
		shoal_dht_free(f->dht[1]);
	}
	free(f);
	shoal_budget_give(n->budget, SHOAL_FINDER_MEMORY);
	return NULL;
}

void shoal_finder_free(struct shoal_node *n)
{
	struct shoal_finder *f = n->finder;
	if (f == NULL)
		return;
	while (f->asks != NULL) {
		struct shoal_finder_ask *a = f->asks;
		f->asks = a->next;
		free(a);
	}
	shoal_dht_free(f->dht[0]);
	shoal_dht_free(f->dht[1]);
	shoal_budget_give(n->budget, SHOAL_FINDER_MEMORY);
	free(f);
	n->finder = NULL;
}

/* ---- torrents ------------------------------------------------------------------------------ */

bool shoal_finder_serves(const struct shoal_swarm *s)
{
	return s->node->finder != NULL && !s->stopping && !(s->flags & SHOAL_ADD_CHECK_ONLY) &&
	       !(s->mi != NULL && shoal_metainfo_private(s->mi));
}

void shoal_finder_forget(struct shoal_swarm *s)
{
	struct shoal_finder *f = s->node->finder;
	for (int i = 0; f != NULL && i < 4; i++) {
		int64_t *search = &s->seek.search[i / 2][i % 2];
		if (*search != 0)
			shoal_dht_stop(f->dht[i / 2], *search);
		*search = 0;
	}
}

uint16_t shoal_finder_port(const struct shoal_node *n)
{
	return n->finder != NULL && !n->finder->guest ? n->port : 0;
}

static bool under_way(const struct shoal_swarm *s)
{
	const struct shoal_seek *k = &s->seek;
	return k->search[0][0] != 0 || k->search[0][1] != 0 || k->search[1][0] != 0 || k->search[1][1] != 0;
}

static bool has_nodes(const struct shoal_dht *dht)
{
	struct shoal_dht_facts facts;
	shoal_dht_facts(dht, &facts);
	return facts.nodes > 0 || facts.begins > 0;
}

static void look(struct shoal_finder *f, struct shoal_swarm *s, shoal_us now)
{
	struct shoal_seek *k = &s->seek;
	k->seed_said = s->complete_said;
	k->begun = now;
	k->unheard = true;
	for (int i = 0; i < 4; i++) {
		bool is_v4 = i / 2, v2 = i % 2;
		if ((v2 ? !s->has_v2 : !s->has_v1) || !has_nodes(f->dht[is_v4]))
			continue;
		struct shoal_dht_ask ask = { .what = SHOAL_DHT_PEERS_OF,
					     .target = v2 ? s->v2_short : s->v1,
					     .announce = shoal_finder_port(s->node) != 0,
					     .port = shoal_finder_port(s->node),
					     .seed = s->complete_said };
		int64_t search = shoal_dht_search(f->dht[is_v4], &ask, now);
		if (search > 0)
			k->search[is_v4][v2] = search;
	}
	/* Without a single node there is nobody to ask: as soon as there is one. */
	if (!under_way(s))
		k->at = now + LOOKS;
}

static void seek(struct shoal_finder *f, struct shoal_swarm *s, shoal_us now)
{
	struct shoal_seek *k = &s->seek;
	if (!shoal_finder_serves(s)) {
		shoal_finder_forget(s);
		return;
	}
	if (s->state != SHOAL_SWARM_METADATA && !shoal_swarm_running(s))
		return;
	if (s->complete_said && !k->seed_said &&
	    k->at > now + SHOAL_S(5)) /* it is a seed now: others count them (BEP 33) */
		k->at = now + SHOAL_S(5);
	if (k->unheard && k->begun < f->met_at && k->at > now) {
		k->at = now;
		k->looks = 0;
	}
	if (k->at <= now && !under_way(s))
		look(f, s, now);
}

/* Whether there is anybody to ask since the last time. */
static void meet(struct shoal_finder *f, shoal_us now)
{
	for (int v4 = 0; v4 < 2; v4++) {
		struct shoal_dht_facts facts;
		shoal_dht_facts(f->dht[v4], &facts);
		if (facts.nodes > 0 && !f->met[v4])
			f->met_at = now;
		f->met[v4] = facts.nodes > 0;
	}
}

static void look_ended(struct shoal_finder *f, struct shoal_swarm *s, shoal_us now)
{
	struct shoal_seek *k = &s->seek;
	(void)f;
	if (under_way(s))
		return;
	bool starving = !s->complete_said && s->peers == NULL;
	shoal_us wait = SHOAL_FINDER_AGAIN + shoal_rng_below(&s->node->rng, (uint32_t)SHOAL_S(60));
	if (starving) {
		wait = shoal_min_u64(SHOAL_FINDER_SOON << (k->looks < 8 ? k->looks : 8), SHOAL_FINDER_SOON_MAX);
		k->looks++;
	} else {
		k->looks = 0;
	}
	k->at = now + wait;
}

/* An event of a torrent's search. false: it is none of theirs. */
static bool swarm_heard(struct shoal_node *n, bool is_v4, const struct shoal_dht_event *ev, shoal_us now)
{
	for (struct shoal_swarm *s = n->swarms; s != NULL; s = s->next) {
		for (int v2 = 0; v2 < 2; v2++) {
			if (s->seek.search[is_v4][v2] != ev->search)
				continue;
			/* dht/ takes private addresses only from those who live there. */
			for (size_t i = 0; ev->kind == SHOAL_DHT_PEERS_FOUND && i < ev->count; i++)
				(void)shoal_swarm_contact(s, &ev->addr[i], SHOAL_FROM_DHT | SHOAL_FROM_NEAR, now);
			if (ev->kind == SHOAL_DHT_DONE) {
				s->seek.search[is_v4][v2] = 0;
				s->seek.unheard &= ev->err == SHOAL_ERR_TIMEOUT;
				look_ended(n->finder, s, now);
			}
			return true;
		}
	}
	return false;
}

/* ---- in and out ------------------------------------------------------------------------------ */

static void drain(struct shoal_node *n, bool is_v4, shoal_us now)
{
	struct shoal_dht *dht = n->finder->dht[is_v4];
	struct shoal_dht_event ev;
	struct shoal_addr to;
	struct shoal_bytes data;
	while (shoal_dht_poll(dht, &ev) > 0)
		if (!swarm_heard(n, is_v4, &ev, now))
			shoal_finder_answer(n, is_v4, &ev, now);
	while (shoal_dht_output(dht, &to, &data) > 0) {
		int rc = n->world.ops->datagram(n->world.w, &to, data);
		(void)rc; /* no way to there is the same as no answer from there */
	}
}

bool shoal_finder_datagram(struct shoal_node *n, const struct shoal_addr *from, struct shoal_bytes data, shoal_us now)
{
	struct shoal_finder *f = n->finder;
	if (f == NULL || !shoal_dht_datagram(f->dht[from->is_v4 != 0], from, data, now))
		return false;
	drain(n, from->is_v4 != 0, now);
	return true;
}

void shoal_finder_heard_of(struct shoal_node *n, const struct shoal_addr *addr, shoal_us now)
{
	struct shoal_finder *f = n->finder;
	if (f == NULL || addr->port == 0)
		return;
	shoal_dht_add(f->dht[addr->is_v4 != 0], addr, false, true, now);
	f->look_at = 0;
}

void shoal_finder_tick(struct shoal_node *n, shoal_us now)
{
	struct shoal_finder *f = n->finder;
	if (f == NULL)
		return;
	if (f->look_at <= now && !n->stopping) {
		f->look_at = now + LOOKS;
		meet(f, now);
		for (struct shoal_swarm *s = n->swarms; s != NULL; s = s->next)
			seek(f, s, now);
	}
	for (int v4 = 0; v4 < 2; v4++) {
		if (shoal_dht_deadline(f->dht[v4]) <= now)
			shoal_dht_tick(f->dht[v4], now);
		drain(n, v4, now);
	}
	if (f->save_at <= now && !n->stopping) {
		f->save_at = now + SHOAL_FINDER_SAVE;
		if (shoal_finder_save(n) && n->store.ops->commit(n->store.s, 0) == 0)
			n->commits_out++;
	}
}

shoal_us shoal_finder_deadline(const struct shoal_node *n)
{
	const struct shoal_finder *f = n->finder;
	if (f == NULL)
		return SHOAL_NEVER;
	shoal_us at = shoal_min_u64(shoal_dht_deadline(f->dht[0]), shoal_dht_deadline(f->dht[1]));
	return n->swarms != NULL ? shoal_min_u64(at, f->look_at) : at;
}
