/* swarm/peers/guard.c - see guard.h. */
#include "swarm/peers/guard.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/reach.h"

#define ROOM_START 64u

enum kind { NONE, HOST4, HOST6, NET4, NET6 };

/* Times are whole seconds of the node's clock, plus one: 0 is never. */
struct shoal_guard_entry {
	uint64_t who; /* the address's leading bytes */
	uint32_t tried[SHOAL_GUARD_TRIES];
	uint32_t rest_until;
	uint32_t used; /* last */
	uint32_t named_since, agreed_at;
	uint16_t named, conns, failures; /* conns: of strangers */
	uint16_t proven;		 /* connections of those who have proven themselves */
	uint8_t agreed;
	uint8_t kind; /* enum kind; NONE: free */
	bool trusted;
};

void shoal_guard_init(struct shoal_guard *g, struct shoal_budget *budget, struct shoal_sipkey key)
{
	*g = (struct shoal_guard){ .budget = budget, .key = key };
}

void shoal_guard_fini(struct shoal_guard *g)
{
	shoal_budget_give(g->budget, g->room * sizeof *g->entry);
	free(g->entry);
	*g = (struct shoal_guard){ 0 };
}

static uint32_t seconds(shoal_us t)
{
	return (uint32_t)(t / SHOAL_S(1)) + 1;
}

static uint64_t lead(const struct shoal_addr *a, size_t bytes)
{
	uint64_t who = 0;
	for (size_t i = 0; i < bytes; i++)
		who = who << 8 | a->ip[i];
	return who;
}

static uint64_t host_of(const struct shoal_addr *a)
{
	return lead(a, a->is_v4 ? 4 : 8);
}

static uint64_t net_of(const struct shoal_addr *a)
{
	return lead(a, a->is_v4 ? 3 : 6);
}

bool shoal_guard_same_host(const struct shoal_addr *a, const struct shoal_addr *b)
{
	return !a->is_v4 == !b->is_v4 && host_of(a) == host_of(b);
}

bool shoal_guard_same_net(const struct shoal_addr *a, const struct shoal_addr *b)
{
	return !a->is_v4 == !b->is_v4 && net_of(a) == net_of(b);
}

/* ---- the table -------------------------------------------------------------------------- */

static uint32_t home_of(const struct shoal_guard *g, uint8_t kind, uint64_t who)
{
	uint8_t raw[8];
	shoal_put_u64(raw, who);
	return (uint32_t)shoal_siphash(g->key, kind, shoal_bytes(raw, sizeof raw)) & (g->room - 1);
}

/* Its place, or the free one where it would be. */
static struct shoal_guard_entry *probe(const struct shoal_guard *g, uint8_t kind, uint64_t who)
{
	uint32_t i = home_of(g, kind, who);
	while (g->entry[i].kind != NONE && (g->entry[i].kind != kind || g->entry[i].who != who))
		i = (i + 1) & (g->room - 1);
	return &g->entry[i];
}

static bool stale(const struct shoal_guard_entry *e, uint32_t now)
{
	uint32_t span = e->named > 0 ? SHOAL_GUARD_NAMES_SPAN / SHOAL_S(1) : SHOAL_GUARD_SPAN / SHOAL_S(1);
	return e->conns == 0 && e->proven == 0 && !e->trusted && e->rest_until <= now && e->used + span <= now;
}

/* Makes the table anew, without what may be forgotten, and larger when that is not enough. */
static bool tidy(struct shoal_guard *g, uint32_t now)
{
	uint32_t keep = 0;
	for (uint32_t i = 0; i < g->room; i++)
		keep += g->entry[i].kind != NONE && !stale(&g->entry[i], now);
	uint32_t room = g->room ? g->room : ROOM_START;
	if (keep >= room / 2 && room < SHOAL_GUARD_MOST)
		room *= 2;
	if (keep + 1 > room / 4 * 3 || !shoal_budget_take(g->budget, room * sizeof *g->entry))
		return false;
	struct shoal_guard_entry *old = g->entry, *fresh = calloc(room, sizeof *fresh);
	uint32_t old_room = g->room;
	if (fresh == NULL) {
		shoal_budget_give(g->budget, room * sizeof *g->entry);
		return false;
	}
	g->entry = fresh;
	g->room = room;
	g->count = keep;
	for (uint32_t i = 0; i < old_room; i++)
		if (old[i].kind != NONE && !stale(&old[i], now))
			*probe(g, old[i].kind, old[i].who) = old[i];
	shoal_budget_give(g->budget, old_room * sizeof *old);
	free(old);
	return true;
}

static struct shoal_guard_entry *find(const struct shoal_guard *g, uint8_t kind, uint64_t who)
{
	struct shoal_guard_entry *e = g->room > 0 ? probe(g, kind, who) : NULL;
	return e != NULL && e->kind != NONE ? e : NULL;
}

/* Finds or makes it; NULL when there is no room. */
static struct shoal_guard_entry *touch(struct shoal_guard *g, uint8_t kind, uint64_t who, shoal_us now)
{
	struct shoal_guard_entry *e = find(g, kind, who);
	if (e == NULL) {
		if (g->count + 1 > g->room / 4 * 3 && !tidy(g, seconds(now)))
			return NULL;
		e = probe(g, kind, who);
		*e = (struct shoal_guard_entry){ .who = who, .kind = kind };
		g->count++;
	}
	e->used = seconds(now);
	return e;
}

static struct shoal_guard_entry *host(struct shoal_guard *g, const struct shoal_addr *a, bool make, shoal_us now)
{
	uint8_t kind = a->is_v4 ? HOST4 : HOST6;
	return make ? touch(g, kind, host_of(a), now) : find(g, kind, host_of(a));
}

static struct shoal_guard_entry *net(struct shoal_guard *g, const struct shoal_addr *a, bool make, shoal_us now)
{
	uint8_t kind = a->is_v4 ? NET4 : NET6;
	return make ? touch(g, kind, net_of(a), now) : find(g, kind, net_of(a));
}

static bool local(const struct shoal_addr *a)
{
	return shoal_reach_of(a) != SHOAL_REACH_GLOBAL;
}

/* ---- dialling --------------------------------------------------------------------------- */

shoal_us shoal_guard_ready(struct shoal_guard *g, const struct shoal_addr *addr, shoal_us now)
{
	const struct shoal_guard_entry *h = host(g, addr, false, now), *n = net(g, addr, false, now);
	uint32_t at = 0;
	if (h != NULL && h->trusted)
		return now;
	if (h != NULL)
		at = h->rest_until;
	if (!local(addr)) {
		if (h != NULL && h->tried[0] != 0) { /* the oldest of the last few */
			uint32_t again = h->tried[0] + SHOAL_GUARD_SPAN / SHOAL_S(1) + 1;
			at = at > again ? at : again;
		}
		if (n != NULL && n->rest_until > at)
			at = n->rest_until;
	}
	return at <= seconds(now) ? now : SHOAL_S((shoal_us)at);
}

bool shoal_guard_dialling(struct shoal_guard *g, const struct shoal_addr *addr, shoal_us now)
{
	struct shoal_guard_entry *h = host(g, addr, true, now);
	if (h == NULL)
		return false;
	memmove(h->tried, h->tried + 1, sizeof h->tried - sizeof *h->tried);
	h->tried[SHOAL_GUARD_TRIES - 1] = seconds(now);
	return true;
}

void shoal_guard_failed(struct shoal_guard *g, const struct shoal_addr *addr, shoal_us now)
{
	struct shoal_guard_entry *h = host(g, addr, true, now);
	if (local(addr)) {
		if (h != NULL && ++h->failures >= SHOAL_GUARD_LOCAL_FAILURES) {
			h->failures = 0;
			h->rest_until = seconds(now + SHOAL_GUARD_SPAN);
		}
		return;
	}
	struct shoal_guard_entry *n = net(g, addr, true, now);
	if (n == NULL)
		return;
	if (n->failures < 64)
		n->failures++;
	if (n->failures < SHOAL_GUARD_NET_FAILURES)
		return;
	unsigned doubled = n->failures - SHOAL_GUARD_NET_FAILURES;
	shoal_us rest = SHOAL_GUARD_NET_WAIT << (doubled < 8 ? doubled : 8);
	n->rest_until = seconds(now + shoal_min_u64(rest, SHOAL_GUARD_SPAN));
}

void shoal_guard_worked(struct shoal_guard *g, const struct shoal_addr *addr, shoal_us now)
{
	struct shoal_guard_entry *h = host(g, addr, false, now), *n = net(g, addr, false, now);
	if (h != NULL)
		h->failures = 0;
	if (n != NULL)
		n->failures = 0, n->rest_until = 0;
}

void shoal_guard_moved(struct shoal_guard *g)
{
	for (uint32_t i = 0; i < g->room; i++) {
		memset(g->entry[i].tried, 0, sizeof g->entry[i].tried);
		g->entry[i].rest_until = 0;
		g->entry[i].failures = 0;
	}
}

/* ---- places ----------------------------------------------------------------------------- */

void shoal_guard_trust(struct shoal_guard *g, const struct shoal_addr *addr, shoal_us now)
{
	struct shoal_guard_entry *h = host(g, addr, true, now);
	if (h != NULL)
		h->trusted = true;
}

bool shoal_guard_spares(struct shoal_guard *g, const struct shoal_addr *addr, shoal_us now)
{
	const struct shoal_guard_entry *h = host(g, addr, false, now);
	return local(addr) || (h != NULL && h->trusted);
}

static uint64_t share(uint32_t torrents, uint32_t cap)
{
	return shoal_min_u64((uint64_t)(torrents > 0 ? torrents : 1) * cap, UINT16_MAX);
}

bool shoal_guard_join(struct shoal_guard *g, const struct shoal_addr *addr, uint32_t torrents, uint32_t spare,
		      enum shoal_guard_place *place, shoal_us now)
{
	*place = SHOAL_GUARD_FREE;
	if (shoal_guard_spares(g, addr, now))
		return true;
	/* Both are made before either is looked at: making one may move the other. */
	bool room = host(g, addr, true, now) != NULL && net(g, addr, true, now) != NULL;
	struct shoal_guard_entry *h = host(g, addr, false, now), *n = net(g, addr, false, now);
	if (!room || h->conns >= shoal_max_u64(share(torrents, SHOAL_GUARD_HOST_CONNS), spare) ||
	    n->conns >= shoal_max_u64(share(torrents, SHOAL_GUARD_NET_CONNS), spare))
		return false;
	h->conns++;
	n->conns++;
	*place = SHOAL_GUARD_STRANGER;
	return true;
}

bool shoal_guard_crowds(struct shoal_guard *g, const struct shoal_addr *addr, uint32_t torrents, shoal_us now)
{
	if (shoal_guard_spares(g, addr, now))
		return false;
	const struct shoal_guard_entry *h = host(g, addr, false, now), *n = net(g, addr, false, now);
	return (h != NULL && h->conns > share(torrents, SHOAL_GUARD_HOST_CONNS)) ||
	       (n != NULL && n->conns > share(torrents, SHOAL_GUARD_NET_CONNS));
}

/* A counted connection has kept both entries from being forgotten. */
static void move(uint16_t *from, uint16_t *to)
{
	if (*from > 0)
		--*from;
	if (*to < UINT16_MAX)
		++*to;
}

enum shoal_guard_place shoal_guard_regard(struct shoal_guard *g, const struct shoal_addr *addr, uint32_t torrents,
					  enum shoal_guard_place place, bool good, shoal_us now)
{
	enum shoal_guard_place fit = good ? SHOAL_GUARD_PROVEN : SHOAL_GUARD_STRANGER;
	if (place == SHOAL_GUARD_FREE || place == fit) /* asked for each piece: nothing is looked up then */
		return place;
	struct shoal_guard_entry *h = host(g, addr, false, now), *n = net(g, addr, false, now);
	if (h == NULL || n == NULL)
		return place;
	if (good && (h->proven >= share(torrents, SHOAL_GUARD_HOST_PROVEN) ||
		     n->proven >= share(torrents, SHOAL_GUARD_NET_PROVEN)))
		return place;
	move(good ? &h->conns : &h->proven, good ? &h->proven : &h->conns);
	move(good ? &n->conns : &n->proven, good ? &n->proven : &n->conns);
	return fit;
}

void shoal_guard_leave(struct shoal_guard *g, const struct shoal_addr *addr, enum shoal_guard_place place, shoal_us now)
{
	struct shoal_guard_entry *at[2] = { host(g, addr, false, now), net(g, addr, false, now) };
	for (size_t i = 0; i < 2 && place != SHOAL_GUARD_FREE; i++) {
		uint16_t *count = at[i] == NULL ? NULL : place == SHOAL_GUARD_PROVEN ? &at[i]->proven : &at[i]->conns;
		if (count != NULL && *count > 0)
			--*count;
	}
}

/* ---- work for strangers ------------------------------------------------------------------- */

bool shoal_guard_agrees(struct shoal_guard *g, const struct shoal_addr *from, shoal_us now)
{
	if (shoal_guard_spares(g, from, now))
		return true;
	struct shoal_guard_entry *h = host(g, from, true, now);
	if (h == NULL)
		return false;
	if (h->agreed_at != seconds(now)) {
		h->agreed_at = seconds(now);
		h->agreed = 0;
	}
	if (h->agreed >= SHOAL_GUARD_AGREES)
		return false;
	h->agreed++;
	return true;
}

/* ---- naming ----------------------------------------------------------------------------- */

bool shoal_guard_names(struct shoal_guard *g, const struct shoal_addr *from, shoal_us now)
{
	struct shoal_guard_entry *h = host(g, from, true, now);
	if (h == NULL)
		return false;
	if (h->named == 0 || h->named_since + SHOAL_GUARD_NAMES_SPAN / SHOAL_S(1) <= seconds(now)) {
		h->named = 0;
		h->named_since = seconds(now);
	}
	if (h->named >= (local(from) ? SHOAL_GUARD_NAMES_LOCAL : SHOAL_GUARD_NAMES))
		return false;
	h->named++;
	return true;
}
