/*
 * dht/dht.c - a node: questions and their answers, time, and what goes out.
 */
#include "dht/dht.h"

#include <stdlib.h>
#include <string.h>
#include "dht/dht_room.h"
#include "dht/node_id.h"
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/reach.h"

#define MAINTAIN SHOAL_S(10)
#define EXPIRE SHOAL_S(60)
#define HOME SHOAL_S(600)    /* our own neighbourhood is looked into */
#define CHECKS SHOAL_MS(500) /* between pings of newcomers */
#define BOOT_FEW 8u	     /* with fewer nodes than this we begin anew */
#define BOOT_AT_ONCE 8u
#define DEAF SHOAL_S(60) /* nothing heard for so long: it is our line, and not the others */
#define QUESTIONS_MIN 16u
#define OUT_MIN 4096u

static struct shoal_sipkey derive(const uint8_t secret[32], unsigned what)
{
	struct shoal_sipkey key = shoal_sipkey(secret + 16);
	struct shoal_bytes from = shoal_bytes(secret, 16);
	return (struct shoal_sipkey){ shoal_siphash(key, 2 * what, from), shoal_siphash(key, 2 * what + 1, from) };
}

static struct shoal_id20 random_id(struct shoal_dht *d)
{
	struct shoal_id20 id;
	for (int i = 0; i < 20; i++)
		id.b[i] = (uint8_t)(shoal_rng_next(&d->o.rng) >> 8);
	return id;
}

int shoal_dht_new(struct shoal_dht **out, const struct shoal_dht_options *o, shoal_us now)
{
	static const struct shoal_id20 none;
	struct shoal_dht *d = calloc(1, sizeof *d);
	if (d == NULL)
		return SHOAL_ERR_NOMEM;
	d->o = *o;
	d->secret = derive(o->secret, 0);
	d->tid_secret = derive(o->secret, 1);
	if (shoal_node_id_equal(&d->o.id, &none))
		d->o.id = random_id(d);
	shoal_table_init(&d->table, &d->o.id);
	shoal_quota_init(&d->quota, derive(o->secret, 2), now);
	shoal_peer_store_init(&d->peers, derive(o->secret, 3), o->budget);
	shoal_items_init(&d->items, derive(o->secret, 4), o->budget, o->crypto);
	d->maintain_at = now + MAINTAIN / 2 + shoal_rng_below(&d->o.rng, MAINTAIN / 2);
	d->expire_at = now + EXPIRE;
	d->home_at = now + HOME;
	d->boot_at = SHOAL_NEVER;
	*out = d;
	return 0;
}

void shoal_dht_link(struct shoal_dht *a, struct shoal_dht *b)
{
	a->sibling = b;
	if (b != NULL)
		b->sibling = a;
}

void shoal_dht_free(struct shoal_dht *d)
{
	if (d == NULL)
		return;
	while (d->searches != NULL) {
		struct shoal_search *s = d->searches;
		d->searches = s->next;
		shoal_search_free(d, s);
	}
	if (d->told != NULL)
		shoal_search_free(d, d->told);
	if (d->sibling != NULL)
		d->sibling->sibling = NULL;
	shoal_table_fini(&d->table);
	shoal_quota_fini(&d->quota);
	shoal_peer_store_fini(&d->peers);
	shoal_items_fini(&d->items);
	free(d->question);
	free(d->held);
	free(d->boot);
	free(d->out);
	free(d);
}

/* ---- going out ---------------------------------------------------------------------- */

void shoal_dht_send_raw(struct shoal_dht *d, const struct shoal_addr *to, struct shoal_bytes data)
{
	size_t need = sizeof(uint16_t) + sizeof *to + data.len;
	if (d->out_len - d->out_at + need > SHOAL_DHT_OUT)
		return; /* lost, as on any way */
	if (d->out_len + need > d->out_room && d->out_at > 0) {
		memmove(d->out, d->out + d->out_at, d->out_len - d->out_at);
		d->out_len -= d->out_at;
		d->out_at = 0;
	}
	if (d->out_len + need > d->out_room) {
		size_t room = d->out_room != 0 ? 2 * d->out_room : OUT_MIN;
		while (room < d->out_len + need)
			room *= 2;
		uint8_t *more = realloc(d->out, room);
		if (more == NULL)
			return;
		d->out = more;
		d->out_room = room;
	}
	uint8_t *at = d->out + d->out_len;
	shoal_put_u16(at, (uint16_t)data.len);
	memcpy(at + 2, to, sizeof *to);
	memcpy(at + 2 + sizeof *to, data.at, data.len);
	d->out_len += need;
	d->outs++;
	d->bytes_out += data.len;
}

void shoal_dht_send(struct shoal_dht *d, const struct shoal_addr *to, const struct shoal_krpc *m)
{
	uint8_t raw[SHOAL_KRPC_OUT_MAX];
	ptrdiff_t len = shoal_krpc_encode(m, (struct shoal_space){ raw, sizeof raw });
	if (len > 0)
		shoal_dht_send_raw(d, to, shoal_bytes(raw, (size_t)len));
}

int shoal_dht_output(struct shoal_dht *d, struct shoal_addr *to, struct shoal_bytes *data)
{
	if (d->out_at == d->out_len) {
		free(d->out);
		d->out = NULL;
		d->out_at = d->out_len = d->out_room = 0;
		return 0;
	}
	const uint8_t *at = d->out + d->out_at;
	*data = shoal_bytes(at + 2 + sizeof *to, shoal_get_u16(at));
	memcpy(to, at + 2, sizeof *to);
	d->out_at += 2 + sizeof *to + data->len;
	return 1;
}

int shoal_dht_question(struct shoal_dht *d, const struct shoal_question *q, struct shoal_krpc *m, shoal_us now)
{
	uint8_t tid[4];
	if (d->questions == SHOAL_DHT_QUESTIONS)
		return SHOAL_ERR_BUSY;
	if (d->questions == d->question_room) {
		uint32_t room = d->question_room != 0 ? 2 * d->question_room : QUESTIONS_MIN;
		struct shoal_question *more = realloc(d->question, room * sizeof *more);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		d->question = more;
		d->question_room = room;
	}
	/* Nobody who does not see our packets can guess the next one. */
	uint64_t count = ++d->next_tid;
	uint32_t dice = (uint32_t)shoal_siphash(d->tid_secret, count, shoal_bytes(NULL, 0));
	struct shoal_question *slot = &d->question[d->questions++];
	*slot = *q;
	slot->tid = dice;
	slot->sent = now;
	slot->late = false;
	shoal_put_u32(tid, dice);
	m->kind = SHOAL_KRPC_QUERY;
	m->tid = shoal_bytes(tid, sizeof tid);
	m->id = d->o.id;
	m->read_only = d->o.read_only;
	if (d->o.version[0] != 0)
		m->version = shoal_bytes(d->o.version, sizeof d->o.version);
	shoal_dht_send(d, &q->node.addr, m);
	return 0;
}

void shoal_dht_check(struct shoal_dht *d, const struct shoal_krpc_node *node, bool known, shoal_us now)
{
	struct shoal_question q = { .kind = SHOAL_QUESTION_CHECK, .node = *node, .known = known };
	struct shoal_krpc m = { .method = SHOAL_KRPC_PING };
	int rc = shoal_quota_ask(&d->quota, &node->addr, now) ? shoal_dht_question(d, &q, &m, now) : SHOAL_ERR_REFUSED;
	(void)rc; /* another time */
}

/* ---- whom to believe ---------------------------------------------------------------- */

bool shoal_dht_near(const struct shoal_addr *by, const struct shoal_addr *addr)
{
	enum shoal_reach reach = shoal_reach_of(addr);
	if (reach == SHOAL_REACH_NOWHERE)
		return false;
	if (reach == SHOAL_REACH_LOOPBACK)
		return shoal_reach_of(by) == SHOAL_REACH_LOOPBACK;
	return reach == SHOAL_REACH_GLOBAL || shoal_reach_of(by) != SHOAL_REACH_GLOBAL;
}

bool shoal_dht_likely(const struct shoal_dht *d, const struct shoal_addr *by, const struct shoal_krpc_node *node)
{
	return !node->addr.is_v4 == !d->o.is_v4 && node->addr.port >= SHOAL_DHT_PORT_MIN &&
	       !shoal_node_id_equal(&node->id, &d->o.id) && shoal_dht_near(by, &node->addr);
}

static void hear_address(struct shoal_dht *d, const struct shoal_addr *voter, const struct shoal_addr *ours,
			 shoal_us now)
{
	if (d->o.no_proof || !shoal_vote_cast(&d->vote, voter, ours))
		return;
	bool news = !d->has_external || !shoal_addr_same_net(&d->external, ours, 0);
	d->external = *ours;
	d->external.port = 0;
	d->has_external = true;
	if (!news || shoal_node_id_fits(&d->o.id, ours))
		return;
	struct shoal_id20 dice = random_id(d);
	d->o.id = shoal_node_id_make(ours, &dice);
	shoal_table_rehome(&d->table, &d->o.id, now);
	d->home_at = now; /* our new neighbours are to know us */
}

/* ---- coming in ---------------------------------------------------------------------- */

static struct shoal_question *question_of(struct shoal_dht *d, const struct shoal_addr *from, struct shoal_bytes tid)
{
	if (tid.len != 4)
		return NULL;
	uint32_t number = shoal_get_u32(tid.at);
	for (uint32_t i = 0; i < d->questions; i++)
		if (d->question[i].tid == number && shoal_addr_equal(&d->question[i].node.addr, from))
			return &d->question[i];
	return NULL;
}

static void forget_boot(struct shoal_dht *d, const struct shoal_addr *addr, bool good)
{
	for (uint32_t i = 0; i < d->boot_count; i++) {
		struct shoal_boot *b = &d->boot[i];
		if (!shoal_addr_equal(&b->addr, addr))
			continue;
		b->fails = good ? 0 : (uint8_t)(b->fails + (b->fails < UINT8_MAX));
		if (b->fails >= 3 && !b->named)
			*b = d->boot[--d->boot_count];
		return;
	}
}

static void tell_pong(struct shoal_search *s, const struct shoal_krpc *m, const struct shoal_question *q, shoal_us now)
{
	s->done.kind = SHOAL_DHT_PONG;
	s->done.node = q->node;
	s->done.took = now - q->sent;
	s->done.err = m != NULL ? 0 : SHOAL_ERR_TIMEOUT;
	if (m != NULL && m->kind == SHOAL_KRPC_REPLY)
		s->done.node.id = m->id;
	if (m != NULL && m->version.len >= 4)
		memcpy(s->done.version, m->version.at, 4);
	s->over = true;
}

static void on_answer(struct shoal_dht *d, const struct shoal_addr *from, const struct shoal_krpc *m, shoal_us now)
{
	struct shoal_question *slot = question_of(d, from, m->tid);
	if (slot == NULL)
		return; /* nobody asked, or long ago */
	struct shoal_question q = *slot;
	*slot = d->question[--d->questions];
	d->heard = now;
	shoal_quota_prove(&d->quota, from, now);
	struct shoal_krpc_node node = { m->id, *from };
	bool right = m->kind == SHOAL_KRPC_REPLY && (!q.known || shoal_node_id_equal(&m->id, &q.node.id));
	forget_boot(d, from, true);
	if (m->kind == SHOAL_KRPC_REPLY && !shoal_node_id_equal(&m->id, &d->o.id)) {
		if (q.known && !right) /* it is not who it was said to be */
			shoal_table_failed(&d->table, &q.node);
		bool alone = d->table.count == 0 && d->boot_waits > 1;
		(void)shoal_table_answered(&d->table, &node, now);
		/* The first that is there, after others were not: through it we find our place at once. */
		if (alone && d->table.count > 0) {
			d->boot_waits = 0;
			d->boot_at = now;
		}
		if (m->has_ip)
			hear_address(d, from, &m->ip, now);
	}
	shoal_dht_serve_held(d, from, now);
	struct shoal_search *s = shoal_search_find(d, q.search);
	if (s == NULL)
		return;
	if (q.kind == SHOAL_QUESTION_PING)
		tell_pong(s, m, &q, now);
	else if (m->kind == SHOAL_KRPC_REPLY)
		shoal_search_answered(d, s, &q, m, right, now);
	else
		shoal_search_failed(d, s, &q, m->code, now);
	if (q.kind != SHOAL_QUESTION_PING)
		shoal_search_step(d, s, now);
}

bool shoal_dht_datagram(struct shoal_dht *d, const struct shoal_addr *from, struct shoal_bytes data, shoal_us now)
{
	struct shoal_krpc m;
	if (data.len < 2 || data.at[0] != 'd' || !from->is_v4 != !d->o.is_v4 || from->port == 0)
		return false;
	if (shoal_krpc_decode(data, &m) < 0)
		return false;
	d->in++;
	d->bytes_in += data.len;
	if (m.kind != SHOAL_KRPC_QUERY) {
		on_answer(d, from, &m, now);
		return true;
	}
	if (d->o.read_only && !(d->o.proves && m.method == SHOAL_KRPC_PING))
		return true;
	if (!shoal_quota_serve(&d->quota, from, now)) {
		d->refused++;
		return true;
	}
	struct shoal_krpc_node node = { m.id, *from };
	/* Who asks is there; whether he also answers, one ping tells (BEP 43: unless he says that he does not). While we
	 * know few, eight may come at once: a small net that comes up together would else be left in pieces. */
	shoal_us burst = d->table.count < BOOT_FEW ? (BOOT_FEW - 1) * CHECKS : 0;
	bool ping = !m.read_only && !d->o.read_only && shoal_dht_likely(d, from, &node) &&
		    shoal_table_asked(&d->table, &node, now) && d->check_at <= now + burst &&
		    SHOAL_DHT_AMPLIFY * data.len >= 2u * SHOAL_DHT_PING_BYTES;
	shoal_dht_serve(d, from, data, &m, ping ? SHOAL_DHT_PING_BYTES : 0, now);
	if (ping) {
		d->check_at = shoal_max_u64(d->check_at, now) + CHECKS;
		shoal_dht_check(d, &node, true, now);
	}
	return true;
}

/* ---- time --------------------------------------------------------------------------- */

static void time_out(struct shoal_dht *d, shoal_us now)
{
	for (uint32_t i = 0; i < d->questions;) {
		struct shoal_question *slot = &d->question[i], q = *slot;
		struct shoal_search *s = NULL;
		if (q.sent + SHOAL_DHT_LONG <= now) {
			*slot = d->question[--d->questions];
			if (q.known && d->heard + DEAF > now)
				shoal_table_failed(&d->table, &q.node);
			if (!q.known)
				forget_boot(d, &q.node.addr, false);
			s = shoal_search_find(d, q.search);
			if (s != NULL && q.kind == SHOAL_QUESTION_PING)
				tell_pong(s, NULL, &q, now);
			else if (s != NULL)
				shoal_search_failed(d, s, &q, 0, now);
		} else {
			i++;
			if (!q.late && q.sent + SHOAL_DHT_SHORT <= now) {
				slot->late = true;
				s = shoal_search_find(d, q.search);
				if (s != NULL && q.kind != SHOAL_QUESTION_PING)
					shoal_search_late(d, s, &q, now);
			}
		}
	}
}

static void begin_anew(struct shoal_dht *d, shoal_us now)
{
	if (d->table.count >= BOOT_FEW || d->boot_count == 0) {
		d->boot_waits = 0;
		d->boot_at = SHOAL_NEVER;
		return;
	}
	shoal_us wait = SHOAL_S(5) << (d->boot_waits < 6 ? d->boot_waits++ : 6);
	/* With a few nodes there is a network, and it may be as small as that, if they are enough to tell us our address. */
	bool settled = d->table.count > 0 && (d->has_external || d->o.no_proof);
	d->boot_at = now + (settled ? 12 * wait : wait);
	shoal_search_own(d, &d->o.id, now);
}

static void maintain(struct shoal_dht *d, shoal_us now)
{
	const struct shoal_table_entry *stale = shoal_table_stale(&d->table, now);
	struct shoal_id20 dice = random_id(d), target;
	if (stale != NULL) {
		struct shoal_question q = { .kind = SHOAL_QUESTION_CHECK, .node = stale->node, .known = true };
		struct shoal_krpc m = { .method = SHOAL_KRPC_PING };
		int rc = shoal_dht_question(d, &q, &m, now);
		(void)rc; /* next time */
	}
	if (d->home_at <= now && d->table.count > 0) {
		d->home_at = now + HOME + shoal_rng_below(&d->o.rng, HOME / 4);
		shoal_search_own(d, &d->o.id, now);
	} else if (shoal_table_refresh(&d->table, &dice, now, &target)) {
		shoal_search_own(d, &target, now);
	}
	if (d->table.count < BOOT_FEW && d->boot_count > 0 && d->boot_at == SHOAL_NEVER)
		d->boot_at = now;
	if (d->questions == 0 && d->question_room > QUESTIONS_MIN) {
		free(d->question);
		d->question = NULL;
		d->question_room = 0;
	}
	for (uint32_t i = 0; i < d->held_count;)
		if (d->held[i].at + SHOAL_DHT_LONG <= now)
			d->held[i] = d->held[--d->held_count];
		else
			i++;
	if (d->held_count == 0) {
		free(d->held);
		d->held = NULL;
	}
}

void shoal_dht_tick(struct shoal_dht *d, shoal_us now)
{
	time_out(d, now);
	if (d->boot_at <= now)
		begin_anew(d, now);
	if (d->maintain_at <= now) {
		d->maintain_at = now + MAINTAIN;
		maintain(d, now);
	}
	if (d->expire_at <= now) {
		d->expire_at = now + EXPIRE;
		shoal_peer_store_expire(&d->peers, now);
		shoal_items_expire(&d->items, now);
	}
	for (struct shoal_search *s = d->searches, *next; s != NULL; s = next) {
		next = s->next;
		shoal_search_step(d, s, now);
	}
	shoal_search_sweep(d);
}

shoal_us shoal_dht_deadline(const struct shoal_dht *d)
{
	shoal_us at = shoal_min_u64(shoal_min_u64(d->maintain_at, d->boot_at), d->expire_at);
	for (uint32_t i = 0; i < d->questions; i++) {
		const struct shoal_question *q = &d->question[i];
		at = shoal_min_u64(at, q->sent + (q->late ? SHOAL_DHT_LONG : SHOAL_DHT_SHORT));
	}
	for (const struct shoal_search *s = d->searches; s != NULL; s = s->next)
		if (!s->over && !s->ping)
			at = shoal_min_u64(at, s->patience);
	return at;
}

/* ---- whom we begin with ------------------------------------------------------------- */

void shoal_dht_add(struct shoal_dht *d, const struct shoal_addr *addr, bool named, bool ping, shoal_us now)
{
	if (!addr->is_v4 != !d->o.is_v4 || addr->port == 0 || (!named && addr->port < SHOAL_DHT_PORT_MIN))
		return;
	if (ping) {
		struct shoal_krpc_node node = { .addr = *addr };
		shoal_dht_check(d, &node, false, now);
	}
	for (uint32_t i = 0; i < d->boot_count; i++) {
		if (shoal_addr_equal(&d->boot[i].addr, addr)) {
			d->boot[i].named |= named;
			return;
		}
	}
	if (d->boot == NULL)
		d->boot = calloc(SHOAL_DHT_BOOTS, sizeof *d->boot);
	if (d->boot == NULL)
		return;
	uint32_t at = d->boot_count;
	if (at == SHOAL_DHT_BOOTS) {
		at = shoal_rng_below(&d->o.rng, SHOAL_DHT_BOOTS);
		if (d->boot[at].named)
			return;
	} else {
		d->boot_count++;
	}
	d->boot[at] = (struct shoal_boot){ .addr = *addr, .named = named };
	if (d->table.count < BOOT_FEW && (d->boot_at == SHOAL_NEVER || named))
		d->boot_at = now;
}

size_t shoal_dht_nodes(const struct shoal_dht *d, struct shoal_krpc_node *out, size_t max)
{
	struct shoal_table_entry e;
	size_t n = 0;
	for (uint32_t at = 0; n < max && shoal_table_next(&d->table, &at, &e);)
		if (e.fails == 0)
			out[n++] = e.node;
	return n;
}

void shoal_dht_facts(const struct shoal_dht *d, struct shoal_dht_facts *out)
{
	*out = (struct shoal_dht_facts){ .id = d->o.id,
					 .has_external = d->has_external,
					 .external = d->external,
					 .nodes = d->table.count,
					 .begins = d->boot_count,
					 .searches = d->search_count,
					 .questions = d->questions,
					 .swarms = d->peers.shelf.count,
					 .peers = d->peers.peers,
					 .items = d->items.shelf.count,
					 .in = d->in,
					 .out = d->outs,
					 .bytes_in = d->bytes_in,
					 .bytes_out = d->bytes_out,
					 .refused = d->refused };
	out->heap = sizeof *d + shoal_table_bytes(&d->table) + d->question_room * sizeof *d->question + d->out_room;
	out->heap += d->held != NULL ? SHOAL_DHT_HELD * sizeof *d->held : 0;
	out->heap += d->boot != NULL ? SHOAL_DHT_BOOTS * sizeof *d->boot : 0;
	out->heap += d->quota.host != NULL ? SHOAL_QUOTA_HOSTS * sizeof *d->quota.host : 0;
	out->heap += d->quota.net != NULL ? SHOAL_QUOTA_NETS * sizeof *d->quota.net : 0;
	for (const struct shoal_search *s = d->searches; s != NULL; s = s->next)
		out->heap += sizeof *s + s->peer_room * sizeof *s->peer;
}
