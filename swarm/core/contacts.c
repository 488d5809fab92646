/* swarm/core/contacts.c - the address book of a swarm: keeping, forgetting, and when each is dialled again. */
#include "swarm/core/contacts_room.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/priority.h"
#include "proto/reach.h"
#include "swarm/core/node_room.h"
#include "swarm/core/punch.h"

#define ROOM_START 16u
/* With its share of three heaps and the buckets, which grow by doubling. */
#define CONTACT_COST (sizeof(struct shoal_contact) + 6 * sizeof(struct shoal_timer *) + 2 * sizeof(void *))
#define PORT_LOW 1024 /* of a stranger's word: no peer's port, and somebody's server */

/* Seconds until the next try, by how many have failed in a row; neighbours and those the user named are tried sooner. */
static const uint32_t wait_s[SHOAL_CONTACT_TRIES] = { 5, 30, 120, 300, 600, 900, 1800, 1800 };
static const uint32_t wait_near_s[SHOAL_CONTACT_TRIES] = { 1, 1, 2, 3, 5, 5, 10, 10 };

static bool far(const struct shoal_addr *addr)
{
	return shoal_reach_of(addr) == SHOAL_REACH_GLOBAL;
}

/* ---- our own address ----------------------------------------------------------------- */

void shoal_node_seen_as(struct shoal_node *n, const struct shoal_addr *ours)
{
	if (!far(ours))
		return;
	struct shoal_seen_as *v = n->seen_as[ours->is_v4 ? 1 : 0], *least = v;
	for (size_t i = 0; i < SHOAL_NODE_SEEN_AS; i++) {
		if (v[i].votes > 0 && memcmp(v[i].addr.ip, ours->ip, 16) == 0) {
			v[i].votes += v[i].votes < UINT16_MAX;
			return;
		}
		least = v[i].votes < least->votes ? &v[i] : least;
	}
	if (least->votes > 1) { /* a table of lies wears off */
		least->votes--;
		return;
	}
	*least = (struct shoal_seen_as){ .addr = *ours, .votes = 1 };
}

uint32_t shoal_node_priority(struct shoal_node *n, const struct shoal_addr *addr)
{
	const struct shoal_seen_as *v = n->seen_as[addr->is_v4 ? 1 : 0], *most = v;
	for (size_t i = 1; i < SHOAL_NODE_SEEN_AS; i++)
		most = v[i].votes > most->votes ? &v[i] : most;
	if (most->votes >= 2) {
		struct shoal_addr ours = most->addr;
		ours.port = n->port;
		return shoal_peer_priority(&ours, addr);
	}
	uint8_t raw[SHOAL_COMPACT6];
	size_t len = shoal_compact_encode(addr, raw);
	return (uint32_t)shoal_siphash(n->key, 'p', shoal_bytes(raw, len));
}

/* ---- the table ------------------------------------------------------------------------- */

/* Hosts of the wide world have one bucket for all their ports; a lab's nodes may share one host. */
static uint32_t home_of(const struct shoal_swarm *s, const struct shoal_addr *addr)
{
	uint8_t raw[SHOAL_COMPACT6];
	size_t len = shoal_compact_encode(addr, raw);
	if (far(addr))
		len = addr->is_v4 ? 4 : 8;
	return (uint32_t)shoal_siphash(s->node->key, 'c', shoal_bytes(raw, len)) & (s->contacts.room - 1);
}

static bool table_grow(struct shoal_swarm *s)
{
	struct shoal_contacts *t = &s->contacts, old = *t;
	uint32_t room = t->room ? t->room * 2 : ROOM_START;
	struct shoal_contact **bucket = calloc(room, sizeof *bucket);
	if (bucket == NULL)
		return false;
	t->bucket = bucket;
	t->room = room;
	for (uint32_t i = 0; i < old.room; i++) {
		for (struct shoal_contact *c = old.bucket[i], *next; c != NULL; c = next) {
			next = c->next;
			uint32_t home = home_of(s, &c->addr);
			c->next = t->bucket[home];
			t->bucket[home] = c;
		}
	}
	free(old.bucket);
	return true;
}

struct shoal_contact *shoal_contacts_next(const struct shoal_swarm *s, const struct shoal_contact *after)
{
	const struct shoal_contacts *t = &s->contacts;
	if (after != NULL && after->next != NULL)
		return after->next;
	for (uint32_t i = after != NULL ? home_of(s, &after->addr) + 1 : 0; i < t->room; i++)
		if (t->bucket[i] != NULL)
			return t->bucket[i];
	return NULL;
}

static void contact_free(struct shoal_swarm *s, struct shoal_contact *c)
{
	struct shoal_contacts *t = &s->contacts;
	struct shoal_contact **at = &t->bucket[home_of(s, &c->addr)];
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	shoal_heap_drop(c->in_ready ? &t->ready : &t->waiting, &c->due);
	shoal_heap_drop(&t->worst, &c->worth);
	t->count--;
	t->parked -= c->parked;
	t->trusted -= c->trusted;
	s->node->contact_count--;
	shoal_budget_give(s->node->budget, CONTACT_COST + (c->account != NULL ? sizeof *c->account : 0));
	free(c->account);
	free(c);
}

void shoal_contacts_fini(struct shoal_swarm *s)
{
	struct shoal_contacts *t = &s->contacts;
	for (size_t i = 0; i < SHOAL_DIALS; i++)
		if (s->node->dialling[i].swarm == s) {
			bool answers = shoal_carrier_stop(s->node, &s->node->dialling[i]);
			s->node->dialling[i].swarm = NULL;
			s->node->dialling[i].cookie = answers ? s->node->dialling[i].cookie : 0;
			s->node->dials -= !answers;
		}
	for (uint32_t i = 0; i < t->room; i++)
		while (t->bucket[i] != NULL)
			contact_free(s, t->bucket[i]);
	shoal_heap_fini(&t->waiting);
	shoal_heap_fini(&t->ready);
	shoal_heap_fini(&t->worst);
	free(t->bucket);
	*t = (struct shoal_contacts){ 0 };
}

/* ---- heaps ------------------------------------------------------------------------------ */

enum shoal_regard shoal_contact_regard(const struct shoal_swarm *s, const struct shoal_contact *c)
{
	const struct shoal_node *n = s->node;
	const struct shoal_repute_entry *e = n->policy->scores ? shoal_repute_find(&n->repute, &c->addr) : NULL;
	return shoal_rep_regard(e != NULL ? &e->rep : NULL);
}

/* The least is forgotten first: who has no good record, what never worked, failed most, came from the least believed. */
static uint64_t worth_of(const struct shoal_swarm *s, const struct shoal_contact *c)
{
	return (uint64_t)(shoal_contact_regard(s, c) == SHOAL_REGARD_GOOD) << 49 | (uint64_t)c->worked << 48 |
	       (uint64_t)(15 - c->tries) << 44 | (uint64_t)(15 - c->source) << 40 | (uint64_t)!c->self << 36 |
	       c->priority;
}

/* It may be forgotten unless somebody relies on it. A heap with no memory for it keeps it until it is next looked at. */
void shoal_contact_worth_set(struct shoal_swarm *s, struct shoal_contact *c)
{
	if (c->trusted || c->peer != NULL || c->dial != 0)
		shoal_heap_drop(&s->contacts.worst, &c->worth);
	else
		(void)!shoal_heap_set(&s->contacts.worst, &c->worth, worth_of(s, c));
}

void shoal_contact_due_drop(struct shoal_swarm *s, struct shoal_contact *c)
{
	shoal_heap_drop(c->in_ready ? &s->contacts.ready : &s->contacts.waiting, &c->due);
	c->in_ready = false;
}

/* To be dialled at `at`. */
void shoal_contact_wait(struct shoal_swarm *s, struct shoal_contact *c, shoal_us at)
{
	shoal_contact_due_drop(s, c);
	s->contacts.parked -= c->parked;
	c->parked = false;
	if (c->self || c->banned || c->peer != NULL || c->dial != 0)
		return;
	if (shoal_heap_set(&s->contacts.waiting, &c->due, at) < 0) {
		c->parked = true; /* no memory: looked at again with those that are */
		s->contacts.parked++;
	}
	s->dial_at = shoal_min_u64(s->dial_at, at);
	shoal_node_wake(s);
}

void shoal_contact_park(struct shoal_swarm *s, struct shoal_contact *c)
{
	shoal_contact_due_drop(s, c);
	s->contacts.parked += !c->parked;
	c->parked = true;
}

bool shoal_contacts_waiting(const struct shoal_swarm *s)
{
	return s->contacts.ready.count > 0;
}

/* ---- coming ------------------------------------------------------------------------------ */

/* Whether one of `source` may name it at all (DESIGN 5): private places only by those who live there, or by a link. */
static bool wanted(const struct shoal_addr *addr, unsigned source)
{
	unsigned from = source & ~(unsigned)SHOAL_FROM_NEAR;
	if (addr->port == 0)
		return false;
	if (from == SHOAL_FROM_USER)
		return true;
	switch (shoal_reach_of(addr)) {
	case SHOAL_REACH_NOWHERE: return false;
	case SHOAL_REACH_GLOBAL: break;
	default:
		if (!(source & SHOAL_FROM_NEAR) && from >= SHOAL_FROM_TRACKER)
			return false;
	}
	return addr->port >= PORT_LOW || from < SHOAL_FROM_TRACKER;
}

/* Makes room for one that is worth `worth`; SHOAL_NEVER: at any price. */
static bool make_room(struct shoal_swarm *s, uint64_t worth)
{
	struct shoal_heap *worst = &s->contacts.worst;
	if (worst->count == 0 || shoal_heap_next(worst) >= worth)
		return false;
	struct shoal_timer *least = shoal_heap_due(worst, SHOAL_NEVER);
	contact_free(s, (struct shoal_contact *)(void *)((char *)least - offsetof(struct shoal_contact, worth)));
	return true;
}

static bool has_room(struct shoal_swarm *s, uint64_t worth)
{
	struct shoal_node *n = s->node;
	if (s->contacts.count >= SHOAL_CONTACTS_MAX || n->contact_count >= SHOAL_CONTACTS_NODE)
		if (!make_room(s, worth))
			return false;
	if (s->contacts.count >= s->contacts.room && !table_grow(s))
		return false;
	while (!shoal_node_charge(n, CONTACT_COST))
		if (!make_room(s, worth))
			return false;
	return true;
}

static struct shoal_contact *known(const struct shoal_swarm *s, const struct shoal_addr *addr, unsigned *same_host)
{
	*same_host = 0;
	for (struct shoal_contact *c = s->contacts.room ? s->contacts.bucket[home_of(s, addr)] : NULL; c != NULL;
	     c = c->next) {
		if (shoal_addr_equal(&c->addr, addr))
			return c;
		*same_host += !c->trusted && c->peer == NULL && shoal_guard_same_host(&c->addr, addr);
	}
	return NULL;
}

bool shoal_contact_known(const struct shoal_swarm *s, const struct shoal_addr *addr)
{
	unsigned same_host;
	return known(s, addr, &same_host) != NULL;
}

void shoal_contact_via(struct shoal_swarm *s, const struct shoal_addr *addr, uint32_t serial)
{
	unsigned same_host;
	struct shoal_contact *c = known(s, addr, &same_host);
	if (c != NULL)
		c->via = serial;
}

static void trust(struct shoal_swarm *s, struct shoal_contact *c, shoal_us now)
{
	c->trusted = true;
	s->contacts.trusted++;
	shoal_guard_trust(&s->node->guard, &c->addr, now);
}

struct shoal_contact *shoal_swarm_contact(struct shoal_swarm *s, const struct shoal_addr *addr, unsigned source,
					  shoal_us now)
{
	uint8_t from = (uint8_t)(source & ~(unsigned)SHOAL_FROM_NEAR);
	unsigned same_host;
	if (!wanted(addr, source))
		return NULL;
	struct shoal_contact *c = known(s, addr, &same_host);
	if (c != NULL) {
		c->source = from < c->source ? from : c->source;
		if (from == SHOAL_FROM_USER && !c->trusted) {
			trust(s, c, now);
			shoal_contact_wait(s, c, now);
		}
		shoal_contact_worth_set(s, c);
		return c;
	}
	struct shoal_contact fresh = { .addr = *addr, .source = from, .priority = shoal_node_priority(s->node, addr) };
	if (from != SHOAL_FROM_USER && far(addr) && same_host >= SHOAL_CONTACTS_HOST)
		return NULL;
	if (!has_room(s, from == SHOAL_FROM_USER ? SHOAL_NEVER : worth_of(s, &fresh)))
		return NULL;
	c = malloc(sizeof *c);
	if (c == NULL) {
		shoal_budget_give(s->node->budget, CONTACT_COST);
		return NULL;
	}
	*c = fresh;
	uint32_t home = home_of(s, addr);
	c->next = s->contacts.bucket[home];
	s->contacts.bucket[home] = c;
	s->contacts.count++;
	s->node->contact_count++;
	if (from == SHOAL_FROM_USER)
		trust(s, c, now);
	shoal_contact_worth_set(s, c);
	shoal_contact_wait(s, c, now);
	s->dial_now = true;
	shoal_node_wake(s);
	return c;
}

/* ---- connected, and not any more -------------------------------------------------------- */

bool shoal_contact_meet(struct shoal_swarm *s, struct shoal_contact *c, struct shoal_peer *p)
{
	if (c->peer != NULL)
		return false;
	if (shoal_account_open(s, c) == NULL)
		return false;
	shoal_account_join(s, c->account, p);
	c->peer = p;
	p->contact = c;
	shoal_contact_due_drop(s, c);
	shoal_contact_worth_set(s, c);
	return true;
}

void shoal_contact_came(struct shoal_swarm *s, struct shoal_contact *c, struct shoal_peer *p, shoal_us now)
{
	struct shoal_node *n = s->node;
	if (c->banned || !shoal_contact_meet(s, c, p))
		return;
	c->worked = true;
	c->tries = c->shy = 0;
	c->mse_turn = false;
	shoal_contact_worth_set(s, c);
	if (p->repute != NULL)
		p->repute = shoal_repute_listens(&n->repute, p->repute, &c->addr, shoal_node_seconds(n, now));
	shoal_note_key(p, now); /* under the name that its blocks have from now on */
	if (p->repute != NULL && n->policy->scores && p->repute->rep.state == SHOAL_REP_BANNED)
		shoal_peer_close(p, SHOAL_ERR_REFUSED, now); /* by an earlier day's record */
}

/* Of two that dialled each other one connection is closed. What came in meanwhile, and found the contact taken. */
static struct shoal_peer *heir_of(const struct shoal_swarm *s, const struct shoal_contact *c)
{
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm)
		if (p->contact == NULL && !p->closing && p->listen_port == c->addr.port &&
		    shoal_guard_same_host(&p->addr, &c->addr))
			return p;
	return NULL;
}

static shoal_us wait_after(struct shoal_swarm *s, const struct shoal_contact *c)
{
	uint32_t i = c->tries < SHOAL_CONTACT_TRIES ? c->tries : SHOAL_CONTACT_TRIES - 1;
	if (c->trusted || !far(&c->addr))
		return SHOAL_S(wait_near_s[i]);
	/* A quarter more or less, so that a crowd that lost us together does not come back together. */
	uint32_t wait = wait_s[i] * 1000;
	return SHOAL_MS(wait - wait / 4 + shoal_rng_below(&s->rng, wait / 2));
}

/* It took our connection and ended it without a word: perhaps it only talks the other way (plain, or MSE), and is asked
 * that at once, and once. */
static bool turns(const struct shoal_node *n, struct shoal_contact *c, int why)
{
	const struct shoal_peer *p = c->peer;
	bool silent = why == SHOAL_ERR_CLOSED || why == SHOAL_ERR_NET || why == SHOAL_ERR_TIMEOUT ||
		      why == SHOAL_ERR_MALFORMED;
	if (p->known)
		c->mse_turn = false;
	if (p->known || p->incoming || !silent || n->encryption != SHOAL_ENCRYPTION_ALLOW || n->stopping)
		return false;
	c->mse = !c->mse;
	c->mse_turn = !c->mse_turn;
	return c->mse_turn;
}

/* It ended what only it could have had something from, and did not say what it has: a seed too, that heard first that we are. */
static bool hung_up_on_a_seed(const struct shoal_swarm *s, const struct shoal_peer *p, int why)
{
	return why == SHOAL_ERR_CLOSED && shoal_swarm_uploads_only(s) && !p->got_bitfield && !p->interested;
}

/* Who named it, or has a link that does, waits for it, and should not wait for long to hear that it is the wrong port. */
static void say_unreached(struct shoal_swarm *s, const struct shoal_contact *c, bool answered, int why, shoal_us now)
{
	struct shoal_event ev = { .kind = SHOAL_EV_PEER_UNREACHED,
				  .addr = c->addr,
				  .err = answered		   ? SHOAL_ERR_CLOSED
					 : why == SHOAL_ERR_CLOSED ? SHOAL_ERR_NET
								   : why };
	bool busy = why == SHOAL_ERR_BUSY || why == SHOAL_ERR_NOMEM;
	if (c->source <= SHOAL_FROM_LINK && c->tries == 0 && !c->worked && !c->self && !c->banned && !busy &&
	    !s->stopping && !s->node->stopping)
		shoal_swarm_say(s, &ev, now);
}

void shoal_contact_gone(struct shoal_swarm *s, struct shoal_contact *c, int why, shoal_us now)
{
	bool other_way = false, answered = c->peer != NULL;
	struct shoal_peer *heir = heir_of(s, c);
	if (c->peer != NULL) {
		c->uploads_only = c->peer->known ? c->peer->upload_only || shoal_peer_is_seed(c->peer)
						 : c->uploads_only;
		memcpy(c->account->client, c->peer->client, sizeof c->account->client);
		c->peer->contact = NULL;
		other_way = heir == NULL && turns(s->node, c, why);
		/* It took our connection and ended it without a word, hidden or not, as one does that is not to be reached
		 * that way: the other carrier is next. */
		if (!other_way)
			c->shy = !c->peer->known && !c->peer->incoming ? c->peer->by : 0;
		if (c->peer->known) { /* it worked: the count of failures starts anew */
			c->worked = true;
			c->tries = hung_up_on_a_seed(s, c->peer, why) ? c->tries : 0;
			shoal_guard_worked(&s->node->guard, &c->addr, now);
		} else if (shoal_contact_guarded(c) && heir == NULL) {
			/* Each way counts: a victim is dialled by all of them. */
			shoal_guard_failed(&s->node->guard, &c->addr, now);
		}
		c->peer = NULL;
	} else if (c->dial != 0 && !c->punch) {
		shoal_punch_ask(s, c, now);
	} else if (c->dial != 0) {
		shoal_punch_failed(s, c, now);
	}
	if (c->dial != 0 && shoal_contact_guarded(c) && why != SHOAL_ERR_BUSY && why != SHOAL_ERR_NOMEM) {
		shoal_guard_failed(&s->node->guard, &c->addr, now);
	}
	c->dial = 0;
	c->punch = false;
	if (heir != NULL)
		shoal_contact_came(s, c, heir, now);
	if (c->peer != NULL)
		return;
	if (other_way) {
		shoal_contact_wait(s, c, now);
		shoal_contact_worth_set(s, c);
		s->dial_now = true;
		return;
	}
	shoal_us at = now + wait_after(s, c);
	say_unreached(s, c, answered, why, now);
	c->tries += c->tries < 15;
	/* What was worth a record is kept for the list of peers; the rest, unreachable, makes room. */
	if (c->tries >= SHOAL_CONTACT_TRIES && !c->trusted && !c->worked && !c->banned && !c->self && far(&c->addr)) {
		contact_free(s, c);
		return;
	}
	shoal_contact_wait(s, c, at);
	shoal_contact_worth_set(s, c);
}

void shoal_contacts_private(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_contact *c = shoal_contacts_next(s, NULL);
	while (c != NULL) {
		bool gossip = c->source == SHOAL_FROM_LSD || c->source == SHOAL_FROM_DHT || c->source == SHOAL_FROM_PEX;
		if (!gossip || c->trusted || c->dial != 0) {
			c = shoal_contacts_next(s, c);
			continue;
		}
		if (c->peer != NULL)
			shoal_peer_close(c->peer, SHOAL_ERR_REFUSED, now);
		else
			contact_free(s, c);
		c = shoal_contacts_next(s,
					NULL); /* the table has changed: from the beginning, once in a torrent's life */
	}
}

void shoal_contacts_moved(struct shoal_swarm *s, shoal_us now)
{
	for (struct shoal_contact *c = shoal_contacts_next(s, NULL); c != NULL; c = shoal_contacts_next(s, c)) {
		c->tries = c->tries > 0; /* behind those that never failed */
		shoal_contact_worth_set(s, c);
		if (!c->in_ready)
			shoal_contact_wait(s, c, now);
	}
	s->dial_now = true;
}

void shoal_contact_ban(struct shoal_swarm *s, struct shoal_contact *c)
{
	c->banned = true;
	if (c->account != NULL)
		c->account->banned = true;
	shoal_contact_due_drop(s, c);
}
