/* swarm/core/finder_ask.c - the DHT in the service of the user: SHOAL_OP_DHT_*, and their answers from both families. */
#include "swarm/core/finder.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "swarm/core/finder_room.h"
#include "swarm/core/node_room.h"

#define KEY_BYTES 32u
#define SIG_BYTES 64u

static void say(struct shoal_node *n, struct shoal_event *ev, uint64_t ticket, shoal_us now)
{
	ev->t = now;
	ev->ticket = ticket;
	shoal_events_push(&n->events, ev);
}

static void end(struct shoal_node *n, struct shoal_finder_ask *a, shoal_us now)
{
	struct shoal_event ev = { .kind = SHOAL_EV_DHT_DONE, .dht = a->told };
	/* What went well in one family went well. */
	for (int i = 0; i < 2; i++)
		if (a->asked[i] && (ev.err == 0 || a->err[i] == 0))
			ev.err = a->err[i];
	if ((a->asked[0] && a->err[0] == 0) || (a->asked[1] && a->err[1] == 0))
		ev.err = 0;
	ev.dht.took = now - a->begun;
	say(n, &ev, a->ticket, now);
	struct shoal_finder_ask **at = &n->finder->asks;
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	n->finder->ask_count--;
	free(a);
}

static void on_item(struct shoal_node *n, struct shoal_finder_ask *a, const struct shoal_dht_event *ev, shoal_us now)
{
	uint8_t key[KEY_BYTES + SIG_BYTES];
	struct shoal_event out = { .kind = SHOAL_EV_DHT_ITEM, .data = ev->v, .dht.seq = ev->seq };
	if (a->has_item && ev->seq <= a->seq)
		return; /* the other family had it too */
	a->has_item = true;
	a->seq = ev->seq;
	if (ev->k.len == KEY_BYTES) {
		memcpy(key, ev->k.at, KEY_BYTES);
		memcpy(key + KEY_BYTES, ev->sig.at, SIG_BYTES);
		out.name = shoal_bytes(key, sizeof key);
	}
	say(n, &out, a->ticket, now);
}

static void on_done(struct shoal_node *n, struct shoal_finder_ask *a, bool is_v4, const struct shoal_dht_event *ev,
		    shoal_us now)
{
	struct shoal_dht_told *t = &a->told;
	for (unsigned i = 0; i < ev->closest_count; i++) {
		struct shoal_event out = { .kind = SHOAL_EV_DHT_NODE,
					   .addr = ev->closest[i].addr,
					   .has_v1 = true,
					   .hash_v1 = ev->closest[i].id };
		say(n, &out, a->ticket, now);
	}
	t->queries += ev->queries;
	t->answers += ev->answers;
	t->written += ev->written;
	t->copies += ev->copies;
	t->hops = ev->hops > t->hops ? ev->hops : t->hops;
	t->code = ev->code != 0 ? ev->code : t->code;
	t->seeds_milli += ev->seeds_milli;
	t->peers_milli += ev->peers_milli;
	a->search[is_v4] = 0;
	a->err[is_v4] = ev->err;
	if (a->search[!is_v4] == 0)
		end(n, a, now);
}

void shoal_finder_answer(struct shoal_node *n, bool is_v4, const struct shoal_dht_event *ev, shoal_us now)
{
	struct shoal_finder_ask *a = n->finder->asks;
	while (a != NULL && a->search[is_v4] != ev->search)
		a = a->next;
	if (a == NULL)
		return; /* its torrent is gone */
	struct shoal_event out = { .kind = SHOAL_EV_DHT_PEER };
	switch (ev->kind) {
	case SHOAL_DHT_PEERS_FOUND:
		for (size_t i = 0; i < ev->count; i++) {
			out.addr = ev->addr[i];
			say(n, &out, a->ticket, now);
		}
		break;
	case SHOAL_DHT_ITEM: on_item(n, a, ev, now); break;
	case SHOAL_DHT_PONG:
		out.kind = SHOAL_EV_DHT_NODE;
		out.addr = ev->node.addr;
		out.has_v1 = true;
		out.hash_v1 = ev->node.id;
		out.data = shoal_bytes(ev->version, sizeof ev->version);
		out.dht.took = ev->took;
		if (ev->err == 0)
			say(n, &out, a->ticket, now);
		a->search[is_v4] = 0;
		a->err[is_v4] = ev->err;
		a->told.answers = ev->err == 0;
		a->told.queries = 1;
		end(n, a, now);
		break;
	case SHOAL_DHT_DONE: on_done(n, a, is_v4, ev, now); break;
	}
}

/* ---- questions --------------------------------------------------------------------------- */

static int question_of(const struct shoal_node *n, const struct shoal_op *op, struct shoal_dht_ask *ask)
{
	*ask = (struct shoal_dht_ask){ .what = SHOAL_DHT_GET, .salt = op->text };
	if (op->kind == SHOAL_OP_DHT_PUT) {
		ask->what = SHOAL_DHT_PUT;
		ask->v = op->data;
		ask->seq = op->seq;
		ask->has_cas = op->flags & SHOAL_DHT_CAS;
		ask->cas = op->cas;
		ask->renew = op->flags & SHOAL_DHT_RENEW;
		if (op->key.len == 0)
			return op->text.len == 0 ? 0 : SHOAL_ERR_USAGE;
		if (op->key.len != KEY_BYTES + SIG_BYTES)
			return SHOAL_ERR_USAGE;
		ask->k = shoal_bytes(op->key.at, KEY_BYTES);
		ask->sig = shoal_bytes(op->key.at + KEY_BYTES, SIG_BYTES);
		return 0;
	}
	if (op->data.len != sizeof ask->target.b)
		return SHOAL_ERR_USAGE;
	memcpy(ask->target.b, op->data.at, sizeof ask->target.b);
	if (op->kind == SHOAL_OP_DHT_FIND)
		ask->what = SHOAL_DHT_FIND;
	if (op->kind == SHOAL_OP_DHT_PEERS) {
		ask->what = op->flags & SHOAL_DHT_SCRAPE ? SHOAL_DHT_COUNT : SHOAL_DHT_PEERS_OF;
		ask->announce = op->flags & SHOAL_DHT_ANNOUNCE;
		ask->port = shoal_finder_port(n);
		if (ask->announce && ask->port == 0)
			return SHOAL_ERR_RANGE;
	}
	return 0;
}

static void say_stats(struct shoal_node *n, uint64_t ticket, shoal_us now)
{
	for (int v4 = 1; v4 >= 0; v4--) {
		struct shoal_dht_facts f;
		shoal_dht_facts(n->finder->dht[v4], &f);
		struct shoal_event ev = { .kind = SHOAL_EV_DHT_STATS,
					  .index = (uint32_t)(v4 ? 4 : 6),
					  .has_v1 = true,
					  .hash_v1 = f.id,
					  .addr = f.external,
					  .dht = { .nodes = f.nodes,
						   .queries = f.questions,
						   .swarms = f.swarms,
						   .peers = f.peers,
						   .items = f.items,
						   .in = f.bytes_in,
						   .out = f.bytes_out } };
		say(n, &ev, ticket, now);
	}
	struct shoal_event done = { .kind = SHOAL_EV_DHT_DONE };
	say(n, &done, ticket, now);
}

static void boot(struct shoal_node *n, const struct shoal_op *op, shoal_us now)
{
	bool named = !(op->flags & SHOAL_PEER_FROM_LINK);
	shoal_dht_add(n->finder->dht[op->addr.is_v4 != 0], &op->addr, named, false, now);
	n->finder->look_at = 0;
	struct shoal_event ev = { .kind = SHOAL_EV_DONE };
	say(n, &ev, op->ticket, now);
}

static int ask_both(struct shoal_node *n, struct shoal_finder_ask *a, const struct shoal_op *op, shoal_us now)
{
	struct shoal_finder *f = n->finder;
	struct shoal_dht_ask ask;
	int rc = question_of(n, op, &ask);
	for (int v4 = 0; rc == 0 && v4 < 2; v4++) {
		struct shoal_dht_facts facts;
		shoal_dht_facts(f->dht[v4], &facts);
		/* A family nobody was ever met in has nothing to say, unless the other has not either. */
		if (v4 == 0 && facts.nodes + facts.begins == 0)
			continue;
		int64_t search = shoal_dht_search(f->dht[v4], &ask, now);
		if (search < 0 && !(v4 == 1 && a->asked[0]))
			rc = (int)search;
		a->asked[v4] = search > 0;
		a->search[v4] = search > 0 ? search : 0;
	}
	return rc;
}

int shoal_finder_do(struct shoal_node *n, const struct shoal_op *op, shoal_us now)
{
	struct shoal_finder *f = n->finder;
	if (f == NULL || n->stopping)
		return SHOAL_ERR_REFUSED;
	if (op->kind == SHOAL_OP_DHT_BOOT) {
		boot(n, op, now);
		return 0;
	}
	if (op->kind == SHOAL_OP_DHT_STATS) {
		say_stats(n, op->ticket, now);
		return 0;
	}
	if (f->ask_count >= SHOAL_FINDER_ASKS)
		return SHOAL_ERR_BUSY;
	struct shoal_finder_ask *a = calloc(1, sizeof *a);
	if (a == NULL)
		return SHOAL_ERR_NOMEM;
	a->ticket = op->ticket;
	a->kind = op->kind;
	a->begun = now;
	int rc = 0;
	if (op->kind == SHOAL_OP_DHT_PING) {
		bool v4 = op->addr.is_v4 != 0;
		int64_t search = shoal_dht_ping(f->dht[v4], &op->addr, now);
		rc = search < 0 ? (int)search : 0;
		a->asked[v4] = true;
		a->search[v4] = search;
	} else {
		rc = ask_both(n, a, op, now);
	}
	if (rc < 0) {
		for (int v4 = 0; v4 < 2; v4++)
			if (a->search[v4] > 0)
				shoal_dht_stop(f->dht[v4], a->search[v4]);
		free(a);
		return rc;
	}
	a->next = f->asks;
	f->asks = a;
	f->ask_count++;
	return 0;
}
