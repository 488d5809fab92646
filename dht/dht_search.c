/*
 * dht/dht_search.c - searches: a lookup that asks the right question, what it finds, and what is written at its end.
 */
#include <stdlib.h>
#include <string.h>
#include "dht/dht_room.h"
#include "dht/node_id.h"
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/reach.h"

#define SEEDS 16u /* nodes of our table that a search begins with */
#define BOOT_FEW 8u
#define BOOT_AT_ONCE 8u
#define PEERS_MIN 16u
#define VALUES_TAKEN 100u   /* of one answer */
#define PATIENCE SHOAL_S(5) /* from the beginning: then nobody is waited for who is late */

struct shoal_search *shoal_search_find(struct shoal_dht *d, int64_t number)
{
	struct shoal_search *s = d->searches;
	while (s != NULL && s->number != number)
		s = s->next;
	return number != 0 && s != NULL && !s->over ? s : NULL;
}

void shoal_search_free(struct shoal_dht *d, struct shoal_search *s)
{
	shoal_budget_give(d->o.budget, sizeof *s + s->peer_room * sizeof *s->peer);
	free(s->peer);
	free(s->item);
	free(s->bloom);
	free(s->put_v);
	free(s);
}

static struct shoal_search *search_new(struct shoal_dht *d, enum shoal_dht_what what, const struct shoal_id20 *target,
				       shoal_us now)
{
	if (!shoal_budget_take(d->o.budget, sizeof(struct shoal_search)))
		return NULL;
	struct shoal_search *s = calloc(1, sizeof *s);
	if (s == NULL) {
		shoal_budget_give(d->o.budget, sizeof *s);
		return NULL;
	}
	s->what = what;
	s->patience = now + PATIENCE;
	shoal_lookup_init(&s->lookup, target);
	s->lookup.nobody_proves = d->o.no_proof;
	return s;
}

static void search_begin(struct shoal_dht *d, struct shoal_search *s, bool own)
{
	s->number = ++d->next_number;
	if (own)
		s->number = -s->number;
	s->next = d->searches;
	d->searches = s;
	d->search_count++;
}

void shoal_dht_stop(struct shoal_dht *d, int64_t search)
{
	for (struct shoal_search **at = &d->searches; *at != NULL; at = &(*at)->next) {
		struct shoal_search *s = *at;
		if (s->number != search)
			continue;
		*at = s->next;
		d->search_count--;
		shoal_search_free(d, s);
		return;
	}
}

void shoal_search_sweep(struct shoal_dht *d)
{
	for (struct shoal_search **at = &d->searches; *at != NULL;) {
		struct shoal_search *s = *at;
		if (s->number > 0 || !s->over) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		d->search_count--;
		shoal_search_free(d, s);
	}
}

/* ---- asking --------------------------------------------------------------------------- */

static struct shoal_krpc step_query(const struct shoal_dht *d, const struct shoal_search *s)
{
	struct shoal_krpc m = { .has_target = true, .target = s->lookup.target };
	switch (s->what) {
	case SHOAL_DHT_FIND: m.method = SHOAL_KRPC_FIND_NODE; break;
	case SHOAL_DHT_PEERS_OF: m.method = SHOAL_KRPC_GET_PEERS; break;
	case SHOAL_DHT_COUNT:
		m.method = SHOAL_KRPC_GET_PEERS;
		m.scrape = true;
		break;
	case SHOAL_DHT_GET:
	case SHOAL_DHT_PUT: m.method = SHOAL_KRPC_GET; break;
	}
	/* Both families' nodes, while the other one has none (BEP 32). */
	if (d->sibling != NULL && d->sibling->table.count < BOOT_FEW)
		m.want = SHOAL_KRPC_WANT4 | SHOAL_KRPC_WANT6;
	return m;
}

static void ask_boots(struct shoal_dht *d, struct shoal_search *s, shoal_us now)
{
	for (unsigned i = 0; i < BOOT_AT_ONCE && i < d->boot_count; i++) {
		const struct shoal_boot *b = &d->boot[d->boot_turn++ % d->boot_count];
		struct shoal_question q = {
			.kind = SHOAL_QUESTION_STEP, .slot = SHOAL_SLOT_BOOT, .search = s->number, .node.addr = b->addr
		};
		struct shoal_krpc m = step_query(d, s);
		if (shoal_dht_question(d, &q, &m, now) == 0) {
			s->boots++;
			s->done.queries++;
		}
	}
}

/* Those of our table who are closest. How many. */
static size_t add_known(struct shoal_dht *d, struct shoal_search *s)
{
	struct shoal_krpc_node near[SEEDS];
	size_t n = shoal_table_closest(&d->table, &s->lookup.target, near, SEEDS);
	for (size_t i = 0; i < n; i++)
		(void)shoal_lookup_add(&s->lookup, &near[i], -1);
	return n;
}

static void seed(struct shoal_dht *d, struct shoal_search *s, shoal_us now)
{
	if (add_known(d, s) < BOOT_FEW)
		ask_boots(d, s, now);
}

static void ask_slot(struct shoal_dht *d, struct shoal_search *s, unsigned slot, shoal_us now)
{
	struct shoal_krpc m = step_query(d, s);
	struct shoal_lookup_seen *seen = &s->lookup.seen[slot];
	struct shoal_question q = { .kind = SHOAL_QUESTION_STEP,
				    .slot = (uint8_t)slot,
				    .known = true,
				    .search = s->number,
				    .node = seen->node };
	int rc = SHOAL_ERR_REFUSED;
	if (seen->from == slot || shoal_quota_ask(&d->quota, &seen->node.addr, now))
		rc = shoal_dht_question(d, &q, &m, now);
	if (rc < 0)
		shoal_lookup_dead(&s->lookup, slot);
	else
		s->done.queries++;
}

/* ---- writing -------------------------------------------------------------------------- */

static void write_to(struct shoal_dht *d, struct shoal_search *s, unsigned slot, bool again, shoal_us now)
{
	const struct shoal_lookup_seen *seen = &s->lookup.seen[slot];
	const struct shoal_dht_ask *ask = &s->ask;
	struct shoal_question q = { .kind = SHOAL_QUESTION_WRITE,
				    .slot = (uint8_t)slot,
				    .known = true,
				    .again = again,
				    .search = s->number,
				    .node = seen->node };
	struct shoal_krpc m = { .token = shoal_bytes(seen->token, seen->token_len) };
	if (s->what == SHOAL_DHT_PEERS_OF) {
		m.method = SHOAL_KRPC_ANNOUNCE;
		m.has_target = true;
		m.target = s->lookup.target;
		m.port = ask->port;
		m.implied_port = ask->implied_port;
		m.seed = ask->seed;
	} else {
		m.method = SHOAL_KRPC_PUT;
		m.v = ask->v;
		m.k = ask->k;
		m.sig = ask->sig;
		m.salt = ask->salt;
		m.has_seq = ask->k.len > 0;
		m.seq = ask->seq;
		/* Who has nothing has nothing to compare with (BEP 44). */
		m.has_cas = ask->has_cas && s->holder[slot];
		m.cas = ask->cas;
	}
	if (shoal_dht_question(d, &q, &m, now) == 0) {
		s->writes++;
		s->done.queries++;
	}
}

static unsigned written(const struct shoal_search *s)
{
	unsigned n = 0;
	for (unsigned i = 0; i < SHOAL_LOOKUP_SEEN; i++)
		n += s->wrote[i];
	return n;
}

static void finish(struct shoal_dht *d, struct shoal_search *s)
{
	uint8_t slot[SHOAL_LOOKUP_SEEN];
	struct shoal_dht_event *e = &s->done;
	size_t n = shoal_lookup_closest(&s->lookup, slot, SHOAL_LOOKUP_K, false);
	e->kind = SHOAL_DHT_DONE;
	e->answers = s->lookup.answers;
	for (size_t i = 0; i < n && e->closest_count < SHOAL_LOOKUP_K; i++)
		e->closest[e->closest_count++] = s->lookup.seen[slot[i]].node;
	if (e->hops == 0 && n > 0)
		e->hops = s->lookup.seen[slot[0]].depth;
	e->written = written(s);
	for (unsigned i = 0; i < SHOAL_LOOKUP_SEEN; i++)
		e->copies += s->holder[i];
	if (s->bloom != NULL) {
		e->seeds_milli = shoal_bloom_count_milli(&s->bloom[0]);
		e->peers_milli = shoal_bloom_count_milli(&s->bloom[1]);
	}
	if (e->answers == 0)
		e->err = SHOAL_ERR_TIMEOUT;
	else if (s->what == SHOAL_DHT_PUT && e->written == 0)
		e->err = e->code != 0 ? SHOAL_ERR_REFUSED : SHOAL_ERR_TIMEOUT;
	s->over = true;
	(void)d;
}

/* To the closest, and to those who turn out to be among them later. */
static void write_on(struct shoal_dht *d, struct shoal_search *s, shoal_us now)
{
	uint8_t slot[SHOAL_LOOKUP_SEEN];
	size_t n = shoal_lookup_closest(&s->lookup, slot, SHOAL_LOOKUP_K, true);
	for (size_t i = 0; i < n; i++) {
		if (s->sent[slot[i]])
			continue;
		s->sent[slot[i]] = true;
		write_to(d, s, slot[i], false, now);
	}
}

/*
 * Whether those who are late are waited for. What is written is looked for at the closest, be they slow or not. A value that
 * is read can be an old one where few answer, and the others have the new one. Peers come from many, are told as they
 * come, and are looked for again soon where nobody answers.
 */
static bool waits(const struct shoal_search *s)
{
	unsigned late, good = shoal_lookup_good(&s->lookup, &late);
	if (s->patience == SHOAL_NEVER || (s->writing && s->ask.renew))
		return false;
	if (good < SHOAL_LOOKUP_K)
		late += s->late_boots;
	bool item = s->what == SHOAL_DHT_GET || s->what == SHOAL_DHT_PUT;
	if (!item && s->lookup.answers == 0)
		return false;
	if (s->writing)
		return late > 0 || (s->late_writes > 0 && written(s) < SHOAL_LOOKUP_K / 2);
	return item && late > 0 && good < SHOAL_LOOKUP_K;
}

static void ask_all(struct shoal_dht *d, struct shoal_search *s, shoal_us now)
{
	for (int slot; (slot = shoal_lookup_next(&s->lookup)) >= 0;)
		ask_slot(d, s, (unsigned)slot, now);
}

/*
 * Few are not enough while there may be more: those whom we have met since it began, and, once, the others of whom the places to
 * begin at told us nothing before they had a proof that we are here. True: somebody is asked.
 */
static bool look_again(struct shoal_dht *d, struct shoal_search *s, shoal_us now)
{
	if (add_known(d, s) < BOOT_FEW && !s->again && s->number > 0) {
		s->again = true;
		ask_boots(d, s, now);
	}
	ask_all(d, s, now);
	return s->boots > 0 || !shoal_lookup_done(&s->lookup);
}

void shoal_search_step(struct shoal_dht *d, struct shoal_search *s, shoal_us now)
{
	if (s->over || s->ping)
		return;
	if (s->patience <= now)
		s->patience = SHOAL_NEVER;
	ask_all(d, s, now);
	unsigned late;
	bool looked = s->boots == 0 && shoal_lookup_done(&s->lookup);
	if (looked && !s->writing && shoal_lookup_good(&s->lookup, &late) < SHOAL_LOOKUP_K)
		looked = !look_again(d, s, now);
	bool compared = !s->ask.has_cas || !waits(s);
	bool writes = s->what == SHOAL_DHT_PUT || (s->what == SHOAL_DHT_PEERS_OF && s->ask.announce);
	if (looked && compared && writes && !s->writing) {
		/* What was found already says that the value is another: nobody need be asked to compare (BEP 44). */
		bool other = s->ask.has_cas && s->has_item && s->item_mutable && s->item_seq != s->ask.cas;
		s->writing = !other;
		if (other)
			s->done.code = SHOAL_KRPC_CAS_MISMATCH;
	}
	if (s->writing)
		write_on(d, s, now);
	if (looked && s->writes == 0 && !waits(s))
		finish(d, s);
}

/* ---- what comes ----------------------------------------------------------------------- */

static bool peer_known(const struct shoal_search *s, const struct shoal_addr *addr)
{
	for (uint32_t i = 0; i < s->peer_count; i++)
		if (shoal_addr_equal(&s->peer[i], addr))
			return true;
	return false;
}

static void take_peers(struct shoal_dht *d, struct shoal_search *s, const struct shoal_addr *by,
		       struct shoal_bytes values)
{
	struct shoal_addr got[VALUES_TAKEN];
	size_t n = shoal_krpc_values(values, got, VALUES_TAKEN);
	for (size_t i = 0; i < n && s->peer_count < SHOAL_DHT_PEERS; i++) {
		if (got[i].port == 0 || !shoal_dht_near(by, &got[i]) || peer_known(s, &got[i]))
			continue;
		if (s->peer_count == s->peer_room) {
			uint32_t room = s->peer_room != 0 ? 2 * s->peer_room : PEERS_MIN;
			size_t more = (room - s->peer_room) * sizeof *s->peer;
			if (!shoal_budget_take(d->o.budget, more))
				return;
			struct shoal_addr *grown = realloc(s->peer, room * sizeof *grown);
			if (grown == NULL) {
				shoal_budget_give(d->o.budget, more);
				return;
			}
			s->peer = grown;
			s->peer_room = room;
		}
		s->peer[s->peer_count++] = got[i];
	}
}

static void take_blooms(struct shoal_search *s, const struct shoal_krpc *m)
{
	struct shoal_addr got[VALUES_TAKEN];
	if (s->bloom == NULL)
		s->bloom = calloc(2, sizeof *s->bloom);
	if (s->bloom == NULL)
		return;
	if (m->bloom_seeds.len > 0)
		shoal_bloom_join(&s->bloom[0], (const struct shoal_bloom *)m->bloom_seeds.at);
	if (m->bloom_peers.len > 0)
		shoal_bloom_join(&s->bloom[1], (const struct shoal_bloom *)m->bloom_peers.at);
	if (m->bloom_seeds.len + m->bloom_peers.len > 0)
		return;
	/* It knows nothing of filters: its peers are counted one by one, as what they are we cannot tell. */
	size_t n = shoal_krpc_values(m->values, got, VALUES_TAKEN);
	for (size_t i = 0; i < n; i++)
		if (!shoal_bloom_has(&s->bloom[0], &got[i]))
			shoal_bloom_add(&s->bloom[1], &got[i]);
}

static void take_item(struct shoal_dht *d, struct shoal_search *s, unsigned slot, const struct shoal_krpc *m)
{
	if (m->v.len == 0) {
		/* It has the same, or an older one, and does not say it again. */
		if (m->has_seq && s->has_item && m->seq == s->item_seq)
			s->holder[slot] = true;
		return;
	}
	bool known = s->has_item && m->v.len == s->item_len && memcmp(m->v.at, s->item, m->v.len) == 0 &&
		     m->has_seq == s->item_mutable && (!m->has_seq || m->seq == s->item_seq);
	if (known) { /* those who repeat what was verified need not be verified */
		s->holder[slot] = true;
		return;
	}
	if (s->has_item && (!s->item_mutable || m->seq <= s->item_seq))
		return;
	if (!shoal_item_true(d->o.crypto, &s->lookup.target, s->ask.salt, m))
		return;
	if (s->item == NULL)
		s->item = malloc(SHOAL_KRPC_VALUE_MAX);
	if (s->item == NULL)
		return;
	memset(s->holder, 0, sizeof s->holder);
	s->holder[slot] = true;
	s->has_item = s->item_new = true;
	s->item_len = (uint16_t)m->v.len;
	memcpy(s->item, m->v.at, m->v.len);
	s->item_mutable = m->k.len > 0;
	if (s->item_mutable) {
		s->item_seq = m->seq;
		memcpy(s->item_k, m->k.at, 32);
		memcpy(s->item_sig, m->sig.at, 64);
	}
}

static void take_nodes(struct shoal_dht *d, struct shoal_search *s, int slot, const struct shoal_addr *by,
		       const struct shoal_krpc *m, shoal_us now)
{
	struct shoal_krpc_node node;
	struct shoal_bytes own = d->o.is_v4 ? m->nodes : m->nodes6, other = d->o.is_v4 ? m->nodes6 : m->nodes;
	for (size_t i = 0; i < SHOAL_LOOKUP_REPLY && shoal_krpc_node_at(own, d->o.is_v4, i, &node); i++)
		if (shoal_dht_likely(d, by, &node))
			(void)shoal_lookup_add(&s->lookup, &node, slot);
	for (size_t i = 0; d->sibling != NULL && i < BOOT_AT_ONCE; i++)
		if (shoal_krpc_node_at(other, !d->o.is_v4, i, &node) && shoal_dht_likely(d->sibling, by, &node))
			shoal_dht_add(d->sibling, &node.addr, false, false, now);
}

static void no_more_open(const struct shoal_question *q, unsigned *in_time, unsigned *late)
{
	--*(q->late ? late : in_time);
}

void shoal_search_answered(struct shoal_dht *d, struct shoal_search *s, const struct shoal_question *q,
			   const struct shoal_krpc *m, bool right, shoal_us now)
{
	const struct shoal_addr *by = &q->node.addr;
	int slot = q->slot, namer = slot;
	if (q->kind == SHOAL_QUESTION_WRITE) {
		no_more_open(q, &s->writes, &s->late_writes);
		s->wrote[q->slot] = true;
		return;
	}
	if (q->kind != SHOAL_QUESTION_STEP)
		return;
	if (q->slot == SHOAL_SLOT_BOOT) {
		struct shoal_krpc_node node = { m->id, *by };
		no_more_open(q, &s->boots, &s->late_boots);
		slot = shoal_node_id_equal(&m->id, &d->o.id) ? -1 : shoal_lookup_add(&s->lookup, &node, -1);
		if (slot >= 0)
			shoal_lookup_asked(&s->lookup, (unsigned)slot);
		/* It may be there already, as one of our table: its word is that of a stranger all the same. */
		namer = slot >= 0 ? slot : shoal_lookup_slot_of(&s->lookup, &node);
	} else if (shoal_node_id_equal(&m->id, &d->o.id)) {
		shoal_lookup_dead(&s->lookup, q->slot);
		return;
	} else if (!right) {
		shoal_lookup_renamed(&s->lookup, q->slot, &m->id);
	}
	if (slot >= 0) {
		bool had = s->peer_count > 0 || s->has_item;
		shoal_lookup_answered(&s->lookup, (unsigned)slot, m->token);
		if (s->what == SHOAL_DHT_PEERS_OF)
			take_peers(d, s, by, m->values);
		else if (s->what == SHOAL_DHT_COUNT)
			take_blooms(s, m);
		else if (s->what != SHOAL_DHT_FIND)
			take_item(d, s, (unsigned)slot, m);
		if (!had && (s->peer_count > 0 || s->has_item))
			s->done.hops = s->lookup.seen[slot].depth;
	}
	if (namer >= 0)
		take_nodes(d, s, namer, by, m, now);
}

void shoal_search_failed(struct shoal_dht *d, struct shoal_search *s, const struct shoal_question *q, int64_t code,
			 shoal_us now)
{
	(void)d;
	(void)now;
	if (q->kind == SHOAL_QUESTION_WRITE) {
		no_more_open(q, &s->writes, &s->late_writes);
		if (code != 0)
			s->done.code = code;
	} else if (q->slot == SHOAL_SLOT_BOOT) {
		no_more_open(q, &s->boots, &s->late_boots);
	} else {
		shoal_lookup_dead(&s->lookup, q->slot);
	}
}

void shoal_search_late(struct shoal_dht *d, struct shoal_search *s, const struct shoal_question *q, shoal_us now)
{
	if (q->kind == SHOAL_QUESTION_WRITE) {
		s->writes--;
		s->late_writes++;
		if (!q->again)
			write_to(d, s, q->slot, true, now);
	} else if (q->slot == SHOAL_SLOT_BOOT) {
		s->boots--;
		s->late_boots++;
	} else {
		shoal_lookup_slow(&s->lookup, q->slot);
	}
}

/* ---- what its owner does ---------------------------------------------------------------- */

void shoal_search_own(struct shoal_dht *d, const struct shoal_id20 *target, shoal_us now)
{
	if (d->search_count >= SHOAL_DHT_SEARCHES)
		return;
	struct shoal_search *s = search_new(d, SHOAL_DHT_FIND, target, now);
	if (s == NULL)
		return;
	search_begin(d, s, true);
	seed(d, s, now);
	shoal_search_step(d, s, now);
}

/* Copies what `ask` borrows. */
static int keep(struct shoal_search *s, const struct shoal_dht_ask *ask)
{
	s->ask = *ask;
	if (ask->salt.len > SHOAL_KRPC_SALT_MAX || (ask->k.len != 0 && ask->k.len != 32) ||
	    (ask->sig.len != 0 && ask->sig.len != 64))
		return SHOAL_ERR_MALFORMED;
	if (ask->salt.len > 0)
		memcpy(s->salt, ask->salt.at, ask->salt.len);
	s->ask.salt.at = s->salt;
	if (ask->k.len > 0)
		memcpy(s->k, ask->k.at, 32);
	s->ask.k.at = s->k;
	if (ask->sig.len > 0)
		memcpy(s->sig, ask->sig.at, 64);
	s->ask.sig.at = s->sig;
	if (ask->what != SHOAL_DHT_PUT)
		return 0;
	struct shoal_krpc put = { .v = ask->v,
				  .k = s->ask.k,
				  .sig = s->ask.sig,
				  .salt = s->ask.salt,
				  .has_seq = ask->k.len > 0,
				  .seq = ask->seq };
	if (shoal_items_judge(&put, &s->lookup.target) != 0)
		return SHOAL_ERR_MALFORMED;
	s->put_v = malloc(ask->v.len);
	if (s->put_v == NULL)
		return SHOAL_ERR_NOMEM;
	memcpy(s->put_v, ask->v.at, ask->v.len);
	s->ask.v.at = s->put_v;
	return 0;
}

int64_t shoal_dht_search(struct shoal_dht *d, const struct shoal_dht_ask *ask, shoal_us now)
{
	shoal_search_sweep(d);
	if (d->search_count >= SHOAL_DHT_SEARCHES)
		return SHOAL_ERR_BUSY;
	struct shoal_search *s = search_new(d, ask->what, &ask->target, now);
	if (s == NULL)
		return SHOAL_ERR_NOMEM;
	int rc = keep(s, ask);
	if (rc < 0) {
		shoal_search_free(d, s);
		return rc;
	}
	search_begin(d, s, false);
	seed(d, s, now);
	shoal_search_step(d, s, now);
	return s->number;
}

int64_t shoal_dht_ping(struct shoal_dht *d, const struct shoal_addr *addr, shoal_us now)
{
	static const struct shoal_id20 none;
	if (!addr->is_v4 != !d->o.is_v4 || addr->port == 0)
		return SHOAL_ERR_RANGE;
	if (d->search_count >= SHOAL_DHT_SEARCHES)
		return SHOAL_ERR_BUSY;
	struct shoal_search *s = search_new(d, SHOAL_DHT_FIND, &none, now);
	if (s == NULL)
		return SHOAL_ERR_NOMEM;
	s->ping = true;
	search_begin(d, s, false);
	struct shoal_question q = { .kind = SHOAL_QUESTION_PING, .search = s->number, .node.addr = *addr };
	struct shoal_krpc m = { .method = SHOAL_KRPC_PING };
	int rc = shoal_dht_question(d, &q, &m, now);
	if (rc == 0)
		return s->number;
	shoal_dht_stop(d, s->number);
	return rc;
}

/* A search with something to tell, and what. */
static bool tell(struct shoal_search *s, struct shoal_dht_event *ev)
{
	if (s->told < s->peer_count) {
		*ev = (struct shoal_dht_event){ .kind = SHOAL_DHT_PEERS_FOUND,
						.search = s->number,
						.addr = s->peer + s->told,
						.count = s->peer_count - s->told };
		s->told = s->peer_count;
		return true;
	}
	if (s->item_new) {
		*ev = (struct shoal_dht_event){ .kind = SHOAL_DHT_ITEM,
						.search = s->number,
						.v = shoal_bytes(s->item, s->item_len) };
		if (s->item_mutable) {
			ev->k = shoal_bytes(s->item_k, 32);
			ev->sig = shoal_bytes(s->item_sig, 64);
			ev->seq = s->item_seq;
		}
		s->item_new = false;
		return true;
	}
	return false;
}

int shoal_dht_poll(struct shoal_dht *d, struct shoal_dht_event *ev)
{
	if (d->told != NULL)
		shoal_search_free(d, d->told);
	d->told = NULL;
	shoal_search_sweep(d);
	for (struct shoal_search **at = &d->searches; *at != NULL; at = &(*at)->next) {
		struct shoal_search *s = *at;
		if (s->number < 0)
			continue;
		if (tell(s, ev))
			return 1;
		if (!s->over)
			continue;
		*ev = s->done;
		ev->search = s->number;
		*at = s->next;
		d->search_count--;
		d->told = s;
		return 1;
	}
	return 0;
}
