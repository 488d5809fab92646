/* swarm/core/node.c - all torrents and connections of one peer of the network, driven from outside. */
#include "swarm/core/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/fetch.h"
#include "swarm/core/gossip.h"
#include "swarm/core/node_room.h"
#include "swarm/core/turnover.h"

#define REAP_BATCH 64
#define FORESEEN 4u /* blocks */
#define FRONT_MAX 1024u
#define SAY_REFUSED SHOAL_S(600)
#define SLOTS_LOOK SHOAL_MS(10)

int shoal_node_new(struct shoal_node **out, const struct shoal_node_options *o, shoal_us now)
{
	if (shoal_policy_of(o->rules) == NULL)
		return SHOAL_ERR_USAGE;
	struct shoal_node *n = calloc(1, sizeof *n);
	if (n == NULL)
		return SHOAL_ERR_NOMEM;
	shoal_events_init(&n->events);
	if (shoal_events_reserve(&n->events) < 0) {
		shoal_events_fini(&n->events);
		free(n);
		return SHOAL_ERR_NOMEM;
	}
	n->world = o->world;
	n->disk = o->disk;
	n->store = o->store;
	n->budget = o->budget;
	n->slots = o->slots;
	n->stirred_to = &n->stirred;
	n->rng = o->rng;
	n->policy = shoal_policy_of(o->rules);
	n->without = n->policy->scores ? o->without : ~0u;
	n->port = o->port;
	n->max_peers = o->max_peers ? o->max_peers : SHOAL_NODE_PEERS;
	n->upload_slots = o->upload_slots ? o->upload_slots : SHOAL_CHOKER_SLOTS;
	n->now = now;
	n->bounce = o->bounce;
	n->bounce_lent = o->bounce != NULL;
	const char *agent = o->agent != NULL ? o->agent : "shoal";
	size_t len = strlen(agent);
	memcpy(n->agent, agent, len < sizeof n->agent ? len + 1 : sizeof n->agent - 1);
	n->world.ops->secret(n->world.w, (struct shoal_space){ (uint8_t *)&n->key, sizeof n->key });
	n->world.ops->secret(n->world.w, (struct shoal_space){ (uint8_t *)&n->lsd_cookie, sizeof n->lsd_cookie });
	shoal_guard_init(&n->guard, n->budget, n->key);
	shoal_repute_init(&n->repute, n->budget, n->key, shoal_rng_split(n->key.k0, 2));
	n->repute.blind = !shoal_node_uses(n, SHOAL_WITHOUT_PRIOR);
	n->epoch_s = (uint32_t)(n->world.ops->unix_s(n->world.w) - (int64_t)(now / SHOAL_S(1)));
	n->events.budget = n->budget;
	n->quiet = o->quiet;
	n->encryption = o->encryption;
	n->show_key = o->show_key;
	n->identity = o->identity;
	shoal_skeys_init(&n->skeys, n->budget, n->key);
	shoal_node_purse(n);
	shoal_limiter_init(&n->up, o->up, now);
	shoal_limiter_init(&n->down, o->down, now);
	int rc = shoal_carriers_init(n, o->carriers, now);
	if (rc < 0) {
		shoal_node_free(n);
		return rc;
	}
	if (o->record && (rc = shoal_flights_new(n)) < 0) {
		shoal_node_free(n);
		return rc;
	}
	if (o->dht)
		n->finder = shoal_finder_new(n, o, now);
	*out = n;
	return 0;
}

static void free_closed(struct shoal_node *n)
{
	for (struct shoal_peer *p = n->peers, *next; p != NULL && n->closings > 0; p = next) {
		next = p->next;
		if (p->closing)
			shoal_peer_free(p);
	}
}

void shoal_node_free(struct shoal_node *n)
{
	if (n == NULL)
		return;
	for (struct shoal_peer *p = n->peers; p != NULL; p = p->next)
		shoal_peer_close(p, SHOAL_ERR_CLOSED, n->now);
	free_closed(n);
	shoal_carriers_fini(n);
	while (n->swarms != NULL)
		shoal_swarm_free(n->swarms);
	shoal_heap_fini(&n->asleep);
	free(n->by_handle);
	shoal_announcer_free(n);
	shoal_finder_free(n);
	shoal_guard_fini(&n->guard);
	shoal_skeys_fini(&n->skeys);
	shoal_repute_fini(&n->repute);
	shoal_budget_give(n->budget, n->purse);
	shoal_flights_free(n);
	shoal_events_fini(&n->events);
	free(n->ban);
	if (!n->bounce_lent)
		free(n->bounce);
	free(n);
}

bool shoal_node_idle(const struct shoal_node *n)
{
	return n->jobs_out == 0 && n->commits_out == 0;
}

bool shoal_node_charge(struct shoal_node *n, size_t bytes)
{
	if (shoal_budget_take(n->budget, bytes))
		return true;
	return shoal_slots_trim(n->slots) > 0 && shoal_budget_take(n->budget, bytes);
}

int shoal_node_submit(struct shoal_node *n, struct shoal_disk_job *job)
{
	int rc = n->disk.ops->submit(n->disk.d, job);
	if (rc == 0)
		n->jobs_out++;
	return rc;
}

int shoal_node_commit(struct shoal_node *n, struct shoal_swarm *s)
{
	if (n->store.ops == NULL)
		return 0;
	int rc = n->store.ops->commit(n->store.s, s->handle);
	if (rc == 0)
		n->commits_out++;
	return rc;
}

/* ---- finding ------------------------------------------------------------------------------ */

struct shoal_peer *shoal_node_peer(struct shoal_node *n, uint32_t serial)
{
	for (struct shoal_peer *p = n->peers; p != NULL; p = p->next)
		if (p->serial == serial)
			return p->closing ? NULL : p;
	return NULL;
}

struct shoal_swarm *shoal_node_swarm(struct shoal_node *n, const struct shoal_id20 *hash, bool *by_v2)
{
	struct shoal_id20 name = shoal_mse_skey_hash(hash);
	const struct shoal_skey *e = shoal_skeys_find(&n->skeys, &name);
	*by_v2 = e != NULL && e->v2;
	return e != NULL ? e->swarm : NULL;
}

bool shoal_node_banned(struct shoal_node *n, const struct shoal_addr *addr, shoal_us now)
{
	for (uint32_t i = 0; i < n->ban_count; i++) {
		const struct shoal_node_ban *b = &n->ban[i];
		if (b->is_v4 == addr->is_v4 && b->until > now && b->port == addr->port &&
		    memcmp(b->ip, addr->ip, addr->is_v4 ? 4 : 16) == 0)
			return true;
	}
	if (!n->policy->scores)
		return false;
	const struct shoal_repute_entry *e = shoal_repute_find(&n->repute, addr);
	return e != NULL && e->rep.state == SHOAL_REP_BANNED && e->rep.banned_until_s > shoal_node_seconds(n, now);
}

static bool ip_banned(struct shoal_node *n, const struct shoal_addr *addr, shoal_us now)
{
	for (uint32_t i = 0; i < n->ban_count; i++) {
		const struct shoal_node_ban *b = &n->ban[i];
		if (b->is_v4 == addr->is_v4 && b->until > now && !b->shared &&
		    memcmp(b->ip, addr->ip, addr->is_v4 ? 4 : 16) == 0)
			return true;
	}
	return false;
}

/* Several peers of ours lie behind this address: a ban must not hit the others (NAT, test swarms). */
static bool address_shared(const struct shoal_node *n, const struct shoal_addr *addr)
{
	unsigned same = 0;
	for (const struct shoal_peer *p = n->peers; p != NULL; p = p->next)
		same += !p->closing && p->addr.is_v4 == addr->is_v4 &&
			memcmp(p->addr.ip, addr->ip, addr->is_v4 ? 4 : 16) == 0;
	return same > 1;
}

void shoal_node_ban(struct shoal_node *n, const struct shoal_addr *addr, shoal_us until)
{
	if (n->ban_count == n->ban_room && n->ban_room < SHOAL_NODE_BANS) {
		uint32_t room = n->ban_room > 0 ? 2 * n->ban_room : SHOAL_NODE_BANS_FIRST;
		struct shoal_node_ban *more = realloc(n->ban, room * sizeof *more);
		if (more == NULL && n->ban_room == 0)
			return; /* without memory for one, nobody can be remembered */
		n->ban = more != NULL ? more : n->ban;
		n->ban_room = more != NULL ? room : n->ban_room;
	}
	uint32_t at = n->ban_count < n->ban_room ? n->ban_count++ : shoal_rng_below(&n->rng, n->ban_room);
	n->ban[at] = (struct shoal_node_ban){
		.is_v4 = addr->is_v4, .port = addr->port, .shared = address_shared(n, addr), .until = until
	};
	memcpy(n->ban[at].ip, addr->ip, 16);
}

/* ---- connections ---------------------------------------------------------------------------- */

/* Said once in a while, however many there are. */
static void say_refused(struct shoal_node *n, shoal_us now)
{
	char text[128];
	n->refused++;
	if (n->refused_said != 0 && n->refused_said + SAY_REFUSED > now)
		return;
	n->refused_said = now;
	int len = snprintf(text, sizeof text, "no memory for more connections: %llu refused so far (raise --memory)",
			   (unsigned long long)n->refused);
	struct shoal_event ev = { .kind = SHOAL_EV_WARNING, .t = now, .text = shoal_bytes(text, (size_t)len) };
	shoal_events_push(&n->events, &ev);
}

uint32_t shoal_node_spare(const struct shoal_node *n)
{
	return n->peer_count < n->max_peers ? n->max_peers / SHOAL_GUARD_SPARE : 0;
}

/* A place for one more, if need be somebody else's. */
static bool find_place(struct shoal_node *n, const struct shoal_addr *from, shoal_us now)
{
	if (n->peer_count >= n->max_peers) {
		if (!shoal_node_make_room(n, from, now))
			return false;
		free_closed(n);
	}
	while (!shoal_node_peers_take(n, SHOAL_PEER_ROOM)) {
		if (!shoal_node_make_room(n, from, now)) {
			say_refused(n, now);
			return false;
		}
		free_closed(n);
	}
	shoal_node_peers_give(n, SHOAL_PEER_ROOM);
	return true;
}

void shoal_node_accept(struct shoal_node *n, struct shoal_transport *t, const struct shoal_addr *from, shoal_us now)
{
	enum shoal_guard_place place = SHOAL_GUARD_FREE;
	n->now = now;
	/* Its torrent is not known yet: so many of one address as all torrents together may have. */
	if (n->stopping || ip_banned(n, from, now) ||
	    !shoal_guard_join(&n->guard, from, n->swarm_count, shoal_node_spare(n), &place, now)) {
		t->ops->close(t);
		return;
	}
	struct shoal_peer *p = NULL;
	if (find_place(n, from, now))
		p = shoal_peer_new(n, t, from, NULL, NULL, now);
	else
		t->ops->close(t);
	if (p != NULL)
		p->place = (uint8_t)place;
	else
		shoal_guard_leave(&n->guard, from, place, now);
}

void shoal_node_dialed(struct shoal_node *n, uint64_t cookie, struct shoal_transport *t, int err, shoal_us now)
{
	n->now = now;
	if (shoal_carrier_answers(n, cookie, SHOAL_BY_TCP, t != NULL, now))
		shoal_node_dial_over(n, cookie, t, err, now);
	else if (t != NULL)
		t->ops->close(t);
}

void shoal_node_dial_over(struct shoal_node *n, uint64_t cookie, struct shoal_transport *t, int err, shoal_us now)
{
	struct shoal_dial d;
	bool wanted = shoal_node_dial_ended(n, cookie, &d);
	if (wanted) {
		struct shoal_swarm *s = d.swarm;
		s->dial_now = true; /* another may be dialled in its place */
		shoal_node_wake(s);
		if (t == NULL && d.contact->peer == NULL) {
			shoal_contact_gone(s, d.contact, err, now);
			return;
		}
		d.contact->dial = 0;
		d.contact->punch = false;
		/* It may have come to us meanwhile, or been banned. */
		if (d.contact->peer == NULL && !d.contact->banned && !n->stopping && !s->stopping &&
		    s->state != SHOAL_SWARM_ENDED) {
			struct shoal_addr addr = d.contact->addr;
			enum shoal_guard_place place;
			bool room = shoal_guard_join(&n->guard, &addr, n->swarm_count, shoal_node_spare(n), &place,
						     now);
			struct shoal_peer *p = NULL;
			if (room || d.contact->trusted)
				p = shoal_peer_new(n, t, &addr, s, d.contact, now);
			else
				t->ops->close(t);
			if (p == NULL) {
				shoal_guard_leave(&n->guard, &addr, place, now);
				shoal_contact_gone(s, d.contact, room ? SHOAL_ERR_NOMEM : SHOAL_ERR_BUSY, now);
				return;
			}
			p->place = (uint8_t)place;
			shoal_peer_flush(p, now);
			return;
		}
	}
	if (t != NULL)
		t->ops->close(t);
}

/* The front of each, which is what every turn touches of it. */
#define FRONT_NODE offsetof(struct shoal_node, by_handle)
#define FRONT_SWARM (offsetof(struct shoal_swarm, select) + offsetof(struct shoal_select, priority))
#define FRONT_PEER offsetof(struct shoal_peer, born)
/* A table in the midst of it would be fetched with it for each block, and push all else out of the caches. */
_Static_assert(FRONT_NODE <= FRONT_MAX && FRONT_SWARM <= FRONT_MAX && FRONT_PEER <= FRONT_MAX, "tables stand behind");

/* Each step looks into what the one before has brought. */
void shoal_node_foresee(const struct shoal_transport *t, unsigned step)
{
	const struct shoal_peer *p = t->node_peer;
	if (p == NULL)
		return;
	const struct shoal_node *n = p->node;
	const struct shoal_swarm *s = p->swarm;
	switch (step) {
	case 0: shoal_fetch(p, FRONT_PEER); return shoal_fetch(&p->fasts, offsetof(struct shoal_fast, given));
	case 1:
		shoal_pw_foresee(p->pw);
		shoal_fetch(n, FRONT_NODE);
		if (s != NULL)
			shoal_fetch(s, FRONT_SWARM);
		if (p->ask_count > 0)
			shoal_fetch(&p->ask[p->ask_head & (p->ask_room - 1)], 4 * sizeof *p->ask);
		if (p->repute != NULL)
			shoal_fetch(p->repute, sizeof *p->repute);
		if (p->have.word != NULL)
			shoal_fetch(p->have.word, 1);
		return;
	default:
		shoal_slots_foresee(n->slots);
		for (uint32_t i = 0; i < FORESEEN && i < p->ask_count; i++) {
			const struct shoal_ask *a = shoal_peer_ask(p, i);
			if (a->slot != NULL)
				shoal_fetch(a->slot, sizeof *a->slot);
			if (i == 0)
				shoal_landing_foresee(&s->landing, a->piece);
		}
	}
}

void shoal_node_ready(struct shoal_node *n, struct shoal_transport *t, unsigned what, shoal_us now)
{
	struct shoal_peer *p = t->node_peer;
	n->now = now;
	if (p == NULL || p->closing)
		return;
	if (what & SHOAL_WANT_READ)
		shoal_peer_readable(p, now);
	if (what & SHOAL_WANT_WRITE)
		shoal_peer_stir_out(p);
}

/* ---- time ------------------------------------------------------------------------------------- */

void shoal_node_reap(struct shoal_node *n, shoal_us now)
{
	struct shoal_disk_job *job[REAP_BATCH];
	size_t count;
	n->now = now;
	/* (Nothing is asked of who has nothing of ours: a call may come for each block, and a question may cost a lock.) */
	while (n->jobs_out > 0 && (count = n->disk.ops->reap(n->disk.d, job, REAP_BATCH)) > 0) {
		for (size_t i = 0; i < count; i++) {
			n->jobs_out--;
			shoal_node_job_done(n, job[i], now);
		}
	}
	struct shoal_store_done done[REAP_BATCH];
	while (n->commits_out > 0 && (count = n->store.ops->reap(n->store.s, done, REAP_BATCH)) > 0) {
		for (size_t i = 0; i < count; i++) {
			struct shoal_swarm *s = shoal_node_handle(n, (uint32_t)done[i].cookie);
			n->commits_out--;
			if (done[i].cookie == SHOAL_RECALL_COOKIE)
				shoal_recall_done(n, done[i].err, now);
			else if (s != NULL)
				shoal_swarm_committed(s, done[i].err, now);
		}
	}
}

static void tick_unknown(struct shoal_node *n, shoal_us now)
{
	for (struct shoal_peer *p = n->peers; p != NULL; p = p->next)
		if (!p->closing && p->in_swarm_at == NULL)
			shoal_peer_tick(p, now);
}

static bool all_stopped(const struct shoal_node *n)
{
	for (const struct shoal_swarm *s = n->swarms; s != NULL; s = s->next)
		if (!shoal_swarm_stopped(s))
			return false;
	return shoal_node_idle(n);
}

static void serve(struct shoal_peer *p, shoal_us now)
{
	if (p->in_dirty && !p->closing && p->swarm != NULL && p->known && !shoal_pace_limited(p->swarm, SHOAL_DOWN))
		shoal_peer_fill(p, UINT32_MAX, now);
	if (p->out_dirty && !p->closing)
		shoal_peer_flush(p, now);
}

/* Whoever is stirred is looked at, once: what serving one stirs in another is done as well. */
static void serve_stirred(struct shoal_node *n, shoal_us now)
{
	struct shoal_peer *again = NULL, **again_to = &again;
	for (uint32_t most = 2 * n->peer_count; n->stirred != NULL && most > 0; most--) {
		struct shoal_peer *p = n->stirred;
		shoal_peer_calm(p);
		serve(p, now);
		if (p->closing || !(p->in_dirty || p->out_dirty) || p->stir_at != NULL)
			continue;
		p->stir_next = NULL; /* a limit holds it, or it has not greeted yet */
		p->stir_at = again_to;
		*again_to = p;
		again_to = &p->stir_next;
	}
	if (again != NULL) {
		*again_to = n->stirred;
		*(n->stirred != NULL ? &n->stirred->stir_at : &n->stirred_to) = again_to;
		n->stirred = again;
		again->stir_at = &n->stirred;
	}
}

/* Whether somebody under a limit could be dealt more at once, since room came with the flush. */
static bool more_to_deal(struct shoal_node *n, shoal_us now)
{
	bool more = false;
	for (struct shoal_swarm *s = n->awake; s != NULL; s = s->awake_next) {
		for (struct shoal_peer *p = s->peers; p != NULL && shoal_pace_limited(s, SHOAL_UP); p = p->in_swarm) {
			if (!shoal_pace_more(p, now))
				continue;
			s->held[SHOAL_UP] = true;
			more = true;
		}
	}
	return more;
}

/*
 * Those under a limit are dealt to again as long as their transports take it all: at the next call, a millisecond later at
 * the soonest, a fast one would have been idle most of the time. The buckets end it.
 */
static void serve_peers(struct shoal_node *n, shoal_us now)
{
	bool more = true;
	while (more && shoal_pace_deal(n, now)) {
		serve_stirred(n, now);
		more = more_to_deal(n, now);
	}
	serve_stirred(n, now);
	(void)more_to_deal(n, now);
}

/* A rate limit, or want of memory, holds bytes back: when the next block may go. */
static shoal_us held_until(struct shoal_node *n, shoal_us now)
{
	shoal_us at = shoal_pace_ready(n, now);
	for (struct shoal_swarm *s = n->awake; s != NULL; s = s->awake_next) {
		if (!s->slots_held)
			continue;
		at = shoal_min_u64(at, now + SLOTS_LOOK); /* nobody tells when one comes free */
		s->slots_held = false;
		for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm)
			if (p->wanted_count > 0)
				shoal_peer_stir_out(p);
	}
	return at == SHOAL_NEVER ? at : shoal_max_u64(at, now + SHOAL_MS(1));
}

void shoal_node_tick(struct shoal_node *n, shoal_us now)
{
	shoal_us at = SHOAL_NEVER;
	n->now = now;
	shoal_carriers_events(n, now);
	shoal_node_rouse(n, now);
	for (struct shoal_swarm *s = n->awake; s != NULL; s = s->awake_next)
		shoal_swarm_tick(s, now);
	if (n->tick_at + SHOAL_S(1) <= now) {
		n->tick_at = now;
		tick_unknown(n, now);
	}
	shoal_node_turnover(n, now);
	shoal_node_dial(n, now);
	shoal_us shout = shoal_node_shout(n, now);
	shoal_announcer_tick(n, now);
	shoal_finder_tick(n, now);
	shoal_recall_tick(n, now);
	serve_peers(n, now);
	shoal_carriers_output(n, now);
	at = shoal_min_u64(shoal_min_u64(held_until(n, now), shout), shoal_announcer_deadline(n));
	at = shoal_min_u64(at, shoal_carriers_deadline(n));
	at = shoal_min_u64(at, shoal_min_u64(shoal_finder_deadline(n), shoal_recall_deadline(n)));
	for (struct shoal_swarm *s = n->awake, *next; s != NULL; s = next) {
		next = s->awake_next;
		if (!s->removing || !shoal_swarm_stopped(s) || s->peers != NULL)
			continue;
		struct shoal_event ev = { .kind = SHOAL_EV_DONE, .ticket = s->ticket };
		shoal_swarm_say(s, &ev, now);
		free_closed(n);
		shoal_swarm_free(s);
	}
	at = shoal_min_u64(at, shoal_node_doze(n, now));
	free_closed(n);
	if (n->stopping && !n->stopped_said && all_stopped(n)) {
		struct shoal_event ev = { .kind = SHOAL_EV_STOPPED, .ticket = n->stop_ticket, .t = now };
		n->stopped_said = true;
		shoal_flights_tell(n, true, now);
		shoal_events_push(&n->events, &ev);
	}
	shoal_flights_tell(n, false, now);
	if (n->peers != NULL)
		at = shoal_min_u64(at, n->tick_at + SHOAL_S(1));
	/* What is due already was tried just now and could not be (a disk at its bound): not at once again. And a call
	 * that has come is used up. */
	at = shoal_max_u64(at, now + SHOAL_MS(1));
	if (at != n->wake_at || n->wake_at <= now) {
		n->wake_at = at;
		n->world.ops->wake_at(n->world.w, at);
	}
}

void shoal_node_record(struct shoal_node *n, shoal_us now)
{
	shoal_flights_tell(n, true, now);
}

int shoal_node_poll(struct shoal_node *n, struct shoal_event *ev)
{
	return shoal_events_poll(&n->events, ev);
}
