/* swarm/core/contacts_dial.c - whom to dial, in which order, and how many at a time. */
#include "swarm/core/contacts_room.h"

#include <string.h>
#include "swarm/core/node_room.h"

#define STRANGERS_TURN 40u /* %: of those with a good record so many are dialled as if they had none */

/* The least is dialled first. */
static uint64_t rank_of(struct shoal_swarm *s, const struct shoal_contact *c)
{
	enum shoal_regard regard = shoal_contact_regard(s, c);
	bool good = regard == SHOAL_REGARD_GOOD && shoal_rng_below(&s->rng, 100) >= STRANGERS_TURN;
	return (uint64_t)!c->trusted << 50 | (uint64_t)(regard == SHOAL_REGARD_BAD) << 49 | (uint64_t)c->tries << 44 |
	       (uint64_t)!good << 41 | (uint64_t)!c->worked << 40 | (uint64_t)c->source << 36 |
	       (UINT32_MAX - c->priority);
}

static bool swarm_dials(const struct shoal_swarm *s)
{
	return !s->stopping && (s->state == SHOAL_SWARM_METADATA || shoal_swarm_running(s)) &&
	       !(s->flags & SHOAL_ADD_CHECK_ONLY);
}

/* With everything here there is nothing to fetch, but some cannot come to us. */
static bool worth_dialling(const struct shoal_swarm *s, const struct shoal_contact *c)
{
	if (!shoal_swarm_uploads_only(s))
		return true;
	return !c->uploads_only && (c->trusted || c->tries < SHOAL_CONTACT_TRIES_SEEDING);
}

/* When the throttle lets one more go. */
static shoal_us throttle_until(const struct shoal_node *n)
{
	shoal_us oldest = n->dial_times[n->dial_turn % SHOAL_DIALS_SECOND];
	return oldest == 0 ? 0 : oldest + SHOAL_S(1);
}

bool shoal_swarm_crowded(struct shoal_swarm *s, const struct shoal_addr *addr, shoal_us now)
{
	if (shoal_guard_spares(&s->node->guard, addr, now))
		return false;
	unsigned hosts = 0, nets = 0;
	for (const struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm) {
		if (p->place == SHOAL_GUARD_PROVEN)
			continue;
		hosts += shoal_guard_same_host(&p->addr, addr);
		nets += shoal_guard_same_net(&p->addr, addr);
	}
	/* So many as a swarm dials for: with all places of a large node one host could keep it from dialling at all. */
	uint64_t spare = shoal_min_u64(shoal_node_spare(s->node), SHOAL_DIAL_PEERS / SHOAL_GUARD_SPARE);
	return hosts >= shoal_max_u64(SHOAL_GUARD_HOST_CONNS, spare) ||
	       nets >= shoal_max_u64(SHOAL_GUARD_NET_CONNS, spare);
}

static struct shoal_dial *free_dial(struct shoal_node *n)
{
	for (size_t i = 0; i < SHOAL_DIALS; i++)
		if (n->dialling[i].cookie == 0)
			return &n->dialling[i];
	return NULL;
}

static void start(struct shoal_swarm *s, struct shoal_contact *c, struct shoal_dial *d, shoal_us now)
{
	struct shoal_node *n = s->node;
	c->dial = shoal_node_cookie(n, SHOAL_COOKIE_DIAL);
	*d = (struct shoal_dial){ .cookie = c->dial, .swarm = s, .contact = c };
	n->dials++;
	n->dial_times[n->dial_turn++ % SHOAL_DIALS_SECOND] = now;
	shoal_contact_worth_set(s, c);
	int rc = shoal_carrier_dial(n, d, now);
	if (rc < 0) {
		n->dials--;
		d->cookie = 0;
		shoal_contact_gone(s, c, rc, now);
	}
}

void shoal_contact_punch(struct shoal_swarm *s, struct shoal_contact *c, shoal_us now)
{
	struct shoal_node *n = s->node;
	struct shoal_dial *d = free_dial(n);
	if (d == NULL || c->peer != NULL || c->dial != 0 || c->self || c->banned || !swarm_dials(s) ||
	    !worth_dialling(s, c) || throttle_until(n) > now || n->peer_count + n->dials >= n->max_peers ||
	    shoal_node_banned(n, &c->addr, now) || shoal_swarm_crowded(s, &c->addr, now) ||
	    (shoal_contact_guarded(c) && !shoal_guard_dialling(&n->guard, &c->addr, now)))
		return;
	shoal_contact_due_drop(s, c);
	s->contacts.parked -= c->parked;
	c->parked = false;
	c->punch = true;
	start(s, c, d, now);
}

static struct shoal_contact *pop(struct shoal_heap *heap, shoal_us until)
{
	struct shoal_timer *t = shoal_heap_due(heap, until);
	return t != NULL ? (struct shoal_contact *)(void *)((char *)t - offsetof(struct shoal_contact, due)) : NULL;
}

/* Those whose time has come, into the heap by rank. */
static void wake_due(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_contacts *t = &s->contacts;
	struct shoal_contact *c;
	if (t->parked > 0 && !shoal_swarm_uploads_only(s)) {
		for (c = shoal_contacts_next(s, NULL); c != NULL; c = shoal_contacts_next(s, c))
			if (c->parked)
				shoal_contact_wait(s, c, now);
	}
	while ((c = pop(&t->waiting, now)) != NULL) {
		if (!worth_dialling(s, c)) {
			shoal_contact_park(s, c);
			continue;
		}
		c->in_ready = shoal_heap_set(&t->ready, &c->due, rank_of(s, c)) == 0;
		if (!c->in_ready) /* no memory: soon again, in the place that it just left */
			shoal_contact_wait(s, c, now + SHOAL_S(1));
	}
}

/* Dials the best that may be: true, or nobody may now. */
static bool dial_best(struct shoal_swarm *s, struct shoal_dial *d, shoal_us now)
{
	struct shoal_node *n = s->node;
	struct shoal_contact *c;
	while ((c = pop(&s->contacts.ready, SHOAL_NEVER)) != NULL) {
		c->in_ready = false;
		if (!worth_dialling(s, c)) {
			shoal_contact_park(s, c);
			continue;
		}
		if (!c->trusted && s->peer_count >= SHOAL_DIAL_PEERS) {
			c->in_ready = shoal_heap_set(&s->contacts.ready, &c->due, rank_of(s, c)) == 0;
			return false;
		}
		if (shoal_node_banned(n, &c->addr, now) || shoal_swarm_crowded(s, &c->addr, now)) {
			shoal_contact_wait(s, c, now + SHOAL_S(60));
			continue;
		}
		if (shoal_contact_guarded(c)) {
			shoal_us at = shoal_guard_ready(&n->guard, &c->addr, now);
			if (at <= now && !shoal_guard_dialling(&n->guard, &c->addr, now))
				at = now + SHOAL_S(30);
			if (at > now) {
				shoal_contact_wait(s, c, at);
				continue;
			}
		}
		start(s, c, d, now);
		return true;
	}
	return false;
}

void shoal_node_dial(struct shoal_node *n, shoal_us now)
{
	shoal_us later = SHOAL_NEVER; /* whoever is ready and could not be dialled is tried then */
	struct shoal_swarm *first = NULL;
	uint32_t swarms = 0, idle = 0, ready = 0;
	if (n->stopping)
		return;
	for (struct shoal_swarm *s = n->awake; s != NULL; s = s->awake_next, swarms++) {
		if (swarm_dials(s) && (s->dial_now || s->dial_at <= now)) {
			s->dial_now = false;
			s->dial_at = SHOAL_NEVER;
			wake_due(s, now);
		}
		ready += s->contacts.ready.count > 0;
		if (first == NULL && s->handle > n->dial_handle)
			first = s;
	}
	/* One for each in turn, until nobody has any, or no more may be begun. */
	for (struct shoal_swarm *s = first != NULL ? first : n->awake; ready > 0 && idle < swarms;
	     s = s->awake_next != NULL ? s->awake_next : n->awake) {
		struct shoal_dial *d = free_dial(n);
		if (d == NULL || n->peer_count + n->dials >= n->max_peers)
			later = now + SHOAL_S(1);
		else if (throttle_until(n) > now)
			later = throttle_until(n);
		if (later != SHOAL_NEVER)
			break;
		bool dialled = swarm_dials(s) && dial_best(s, d, now);
		idle = dialled ? 0 : idle + 1;
		n->dial_handle = s->handle;
	}
	for (struct shoal_swarm *s = n->awake; s != NULL; s = s->awake_next) {
		if (!swarm_dials(s))
			continue;
		shoal_us at = shoal_min_u64(s->dial_at, shoal_heap_next(&s->contacts.waiting));
		if (s->contacts.ready.count > 0)
			at = shoal_min_u64(at, later != SHOAL_NEVER ? later : now + SHOAL_S(1));
		s->dial_at = at;
	}
}

bool shoal_node_dial_ended(struct shoal_node *n, uint64_t cookie, struct shoal_dial *out)
{
	for (size_t i = 0; i < SHOAL_DIALS && cookie != 0; i++) {
		if (n->dialling[i].cookie != cookie)
			continue;
		*out = n->dialling[i];
		n->dialling[i] = (struct shoal_dial){ 0 };
		n->dials--;
		return out->swarm != NULL;
	}
	return false;
}
