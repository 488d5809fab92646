/* swarm/peers/repute.c - see repute.h: a table of records, one of groups, and four counts. */
#include "swarm/peers/repute.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/reach.h"
#include "swarm/peers/maths.h"
#include "swarm/peers/rep_record.h"

#define ROOM_START 64u
#define HALF_S 3600.0
#define STRANGERS_BAD 0.5 /* what is assumed before anybody was met: one in a hundred bad */
#define STRANGERS 50.0
#define BLOCKS_FALSE 0.5
#define BLOCKS 1.0
#define OWN_WEIGHT 4.0 /* what all strangers are worth beside those of one's own host */
#define NET_WEIGHT 0.5
#define EVICT_LOOK 8u

enum group_kind { HOST4 = 1, NET4, HOST6, NET6 };
struct shoal_repute_group {
	uint64_t who;
	struct shoal_repute_crowd crowd;
	uint8_t kind; /* 0: free */
};

void shoal_repute_init(struct shoal_repute *t, struct shoal_budget *budget, struct shoal_sipkey key,
		       struct shoal_rng rng)
{
	*t = (struct shoal_repute){ .budget = budget, .key = key, .rng = rng, .most = SHOAL_REPUTE_MOST };
	size_t share = budget != NULL ? budget->limit / SHOAL_REPUTE_SHARE / sizeof(struct shoal_repute_entry)
				      : SHOAL_REPUTE_MOST;
	if (share < t->most)
		t->most = share > SHOAL_REPUTE_LEAST ? (uint32_t)share : SHOAL_REPUTE_LEAST;
}

static bool charge(struct shoal_repute *t, size_t bytes)
{
	return t->budget == NULL || shoal_budget_take(t->budget, bytes);
}

static void spare(struct shoal_repute *t, size_t bytes)
{
	if (t->budget != NULL)
		shoal_budget_give(t->budget, bytes);
}

void shoal_repute_fini(struct shoal_repute *t)
{
	for (uint32_t i = 0; i < t->room; i++)
		free(t->slot[i]);
	spare(t, t->count * sizeof **t->slot + t->room * sizeof *t->slot + t->group_room * sizeof *t->group);
	free(t->slot);
	free(t->group);
	*t = (struct shoal_repute){ 0 };
}

/* ---- records ------------------------------------------------------------------------------- */

static uint32_t home_of(const struct shoal_repute *t, const struct shoal_rep_name *who)
{
	uint8_t raw[SHOAL_REP_KEY_MAX];
	size_t len = shoal_rep_key(who, raw);
	return (uint32_t)shoal_siphash(t->key, who->keyed ? 'k' : 'e', shoal_bytes(raw + 1, len - 1)) & (t->room - 1);
}

/* Its place, or the free one where it would be. */
static uint32_t place_of(const struct shoal_repute *t, const struct shoal_rep_name *who)
{
	uint32_t i = home_of(t, who);
	while (t->slot[i] != NULL && !shoal_rep_name_equal(&t->slot[i]->who, who))
		i = (i + 1) & (t->room - 1);
	return i;
}

static struct shoal_repute_entry *find(const struct shoal_repute *t, const struct shoal_rep_name *who)
{
	return t->room > 0 ? t->slot[place_of(t, who)] : NULL;
}

static struct shoal_rep_name name_of(const struct shoal_addr *addr)
{
	return (struct shoal_rep_name){ .addr = *addr };
}

static struct shoal_rep_name key_name(const uint8_t key[SHOAL_KEY_BYTES], const struct shoal_addr *addr)
{
	struct shoal_rep_name who = { .keyed = true };
	if (addr != NULL)
		who.addr = *addr;
	memcpy(who.key, key, SHOAL_KEY_BYTES);
	return who;
}

struct shoal_repute_entry *shoal_repute_find(const struct shoal_repute *t, const struct shoal_addr *addr)
{
	struct shoal_rep_name who = name_of(addr);
	return find(t, &who);
}

struct shoal_repute_entry *shoal_repute_find_key(const struct shoal_repute *t, const uint8_t key[SHOAL_KEY_BYTES])
{
	struct shoal_rep_name who = key_name(key, NULL);
	return find(t, &who);
}

/* Takes it out of the table; it is the caller's. */
static struct shoal_repute_entry *unlink_at(struct shoal_repute *t, uint32_t i)
{
	struct shoal_repute_entry *e = t->slot[i];
	uint32_t mask = t->room - 1;
	for (uint32_t j = (i + 1) & mask; t->slot[j] != NULL; j = (j + 1) & mask) {
		uint32_t home = home_of(t, &t->slot[j]->who);
		if (((j - home) & mask) >= ((j - i) & mask)) {
			t->slot[i] = t->slot[j];
			i = j;
		}
	}
	t->slot[i] = NULL;
	t->count--;
	return e;
}

static void entry_free(struct shoal_repute *t, struct shoal_repute_entry *e)
{
	spare(t, sizeof *e);
	free(e);
}

/* What would be lost with it. */
static double worth_of(const struct shoal_repute_entry *e)
{
	const struct shoal_rep *r = &e->rep;
	double worth = shoal_rep_worth(r);
	return e->listens || e->who.keyed || r->state >= SHOAL_REP_PAROLE ? worth : worth / 16;
}

/* The least of a few by dice that nobody holds. */
static bool evict(struct shoal_repute *t)
{
	uint32_t least = UINT32_MAX, looked = 0;
	uint32_t at = shoal_rng_below(&t->rng, t->room);
	for (uint32_t i = 0; i < t->room && looked < EVICT_LOOK; i++, at = (at + 1) & (t->room - 1)) {
		if (t->slot[at] == NULL || t->slot[at]->uses > 0)
			continue;
		looked++;
		if (least == UINT32_MAX || worth_of(t->slot[at]) < worth_of(t->slot[least]))
			least = at;
	}
	if (least == UINT32_MAX)
		return false;
	entry_free(t, unlink_at(t, least));
	return true;
}

static bool table_grow(struct shoal_repute *t)
{
	uint32_t room = t->room > 0 ? t->room * 2 : ROOM_START, old = t->room;
	struct shoal_repute_entry **was = t->slot;
	if (!charge(t, room * sizeof *t->slot))
		return false;
	struct shoal_repute_entry **slot = calloc(room, sizeof *slot);
	if (slot == NULL) {
		spare(t, room * sizeof *slot);
		return false;
	}
	t->slot = slot;
	t->room = room;
	for (uint32_t i = 0; i < old; i++)
		if (was[i] != NULL)
			t->slot[place_of(t, &was[i]->who)] = was[i];
	free(was);
	spare(t, old * sizeof *was);
	return true;
}

static struct shoal_repute_entry *entry_room(struct shoal_repute *t, const struct shoal_rep_name *who)
{
	if (t->count >= t->most)
		(void)evict(t); /* with all in use there are as many as connections, which are bounded themselves */
	if (t->count >= t->room / 4 * 3 && !table_grow(t) && (t->count + 1 >= t->room || !evict(t)))
		return NULL;
	while (!charge(t, sizeof(struct shoal_repute_entry)))
		if (!evict(t))
			return NULL;
	struct shoal_repute_entry *e = calloc(1, sizeof *e);
	if (e == NULL) {
		spare(t, sizeof *e);
		return NULL;
	}
	e->who = *who;
	t->slot[place_of(t, who)] = e;
	t->count++;
	return e;
}

static struct shoal_repute_entry *entry_new(struct shoal_repute *t, const struct shoal_rep_name *who, uint32_t now_s)
{
	struct shoal_repute_entry *e = entry_room(t, who);
	if (e == NULL)
		return NULL;
	double expect = shoal_repute_expect(t, &who->addr, now_s);
	shoal_rep_init(&e->rep, expect, now_s);
	shoal_rep_note(&e->rep, SHOAL_REP_WHY_MET, UINT32_MAX, 0, expect, now_s);
	return e;
}

struct shoal_repute_entry *shoal_repute_recall(struct shoal_repute *t, const struct shoal_rep_name *who,
					       const struct shoal_rep *rep, uint32_t seen_s)
{
	if (find(t, who) != NULL || t->count >= t->most)
		return NULL;
	struct shoal_repute_entry *e = entry_room(t, who);
	if (e == NULL)
		return NULL;
	e->rep = *rep;
	e->seen_s = seen_s;
	e->saved = rep->state;
	e->listens = true;
	return e;
}

static struct shoal_repute_entry *take(struct shoal_repute *t, const struct shoal_rep_name *who, uint32_t now_s)
{
	struct shoal_repute_entry *e = find(t, who);
	if (e == NULL)
		e = entry_new(t, who, now_s);
	if (e == NULL)
		return NULL;
	shoal_rep_fade(&e->rep, now_s);
	e->seen_s = now_s;
	e->uses++;
	return e;
}

struct shoal_repute_entry *shoal_repute_take(struct shoal_repute *t, const struct shoal_addr *addr, uint32_t now_s)
{
	struct shoal_rep_name who = name_of(addr);
	return take(t, &who, now_s);
}

struct shoal_repute_entry *shoal_repute_take_key(struct shoal_repute *t, const uint8_t key[SHOAL_KEY_BYTES],
						 const struct shoal_addr *addr, uint32_t now_s)
{
	struct shoal_rep_name who = key_name(key, addr);
	struct shoal_repute_entry *e = take(t, &who, now_s);
	if (e != NULL)
		e->who.addr = *addr;
	return e;
}

void shoal_repute_give(struct shoal_repute *t, struct shoal_repute_entry *e)
{
	if (e == NULL)
		return;
	e->uses--;
	if (e->uses == 0 && !e->listens && e->rep.blocks == 0 && e->rep.state < SHOAL_REP_PAROLE)
		entry_free(t, unlink_at(t, place_of(t, &e->who))); /* nothing was seen of it, and it has no name */
}

struct shoal_repute_entry *shoal_repute_listens(struct shoal_repute *t, struct shoal_repute_entry *e,
						const struct shoal_addr *addr, uint32_t now_s)
{
	struct shoal_repute_entry *at = shoal_repute_find(t, addr);
	if (at == e) {
		e->listens = true;
		return e;
	}
	if (at == NULL && e->uses == 1) {
		unlink_at(t, place_of(t, &e->who));
		e->who = name_of(addr);
		e->listens = true;
		t->slot[place_of(t, &e->who)] = e;
		t->count++;
		return e;
	}
	at = shoal_repute_take(t, addr, now_s);
	if (at == NULL)
		return e;
	at->listens = true;
	if (e->uses == 1) {
		shoal_rep_merge(&at->rep, &e->rep, now_s);
		at->rep.judged |= e->rep.judged;
		entry_free(t, unlink_at(t, place_of(t, &e->who)));
	} else {
		e->uses--; /* others are connected under it: it stays theirs */
	}
	return at;
}

struct shoal_repute_entry *shoal_repute_next(const struct shoal_repute *t, uint32_t *at)
{
	while (*at < t->room)
		if (t->slot[(*at)++] != NULL)
			return t->slot[*at - 1];
	return NULL;
}

/* ---- strangers ------------------------------------------------------------------------------- */

static void crowd_fade(struct shoal_repute_crowd *c, uint32_t now_s)
{
	if (now_s <= c->faded_s + 60)
		return;
	float left = (float)shoal_exp2(-(double)(now_s - c->faded_s) / HALF_S);
	c->judged *= left;
	c->bad *= left;
	c->faded_s = now_s;
}

static uint64_t group_name(const struct shoal_addr *a, bool net)
{
	uint64_t who = 0;
	for (unsigned i = 0; i < (a->is_v4 ? 4u : 8u); i++)
		who = who << 8 | a->ip[i];
	return net ? a->is_v4 ? who >> 8 : who >> 16 : who;
}

static struct shoal_repute_group *group_at(const struct shoal_repute *t, uint64_t who, uint8_t kind)
{
	uint8_t raw[9];
	memcpy(raw, &who, 8);
	raw[8] = kind;
	uint32_t i = (uint32_t)shoal_siphash(t->key, 'g', shoal_bytes(raw, 9)) & (t->group_room - 1);
	while (t->group[i].kind != 0 && (t->group[i].kind != kind || t->group[i].who != who))
		i = (i + 1) & (t->group_room - 1);
	return &t->group[i];
}

static bool grouped(const struct shoal_addr *a)
{
	return shoal_reach_of(a) == SHOAL_REACH_GLOBAL;
}

static const struct shoal_repute_crowd *group_find(struct shoal_repute *t, const struct shoal_addr *a, bool net,
						   uint32_t now_s)
{
	static const struct shoal_repute_crowd nobody;
	if (t->group_room == 0 || !grouped(a))
		return &nobody;
	struct shoal_repute_group *g = group_at(t, group_name(a, net),
						a->is_v4 ? (net ? NET4 : HOST4) : (net ? NET6 : HOST6));
	if (g->kind == 0)
		return &nobody;
	crowd_fade(&g->crowd, now_s);
	return &g->crowd;
}

/* When full, those that have faded go, or all: they are a help and no promise. */
static bool groups_tidy(struct shoal_repute *t, uint32_t now_s)
{
	uint32_t room = t->group_room, kept = 0;
	struct shoal_repute_group *was = t->group;
	if (t->group_room == 0)
		room = ROOM_START;
	else if (t->group_room < SHOAL_REPUTE_GROUPS)
		room = t->group_room * 2;
	if (!charge(t, room * sizeof *was))
		return false;
	struct shoal_repute_group *fresh = calloc(room, sizeof *fresh);
	if (fresh == NULL) {
		spare(t, room * sizeof *fresh);
		return false;
	}
	uint32_t old = t->group_room;
	t->group = fresh;
	t->group_room = room;
	for (uint32_t i = 0; i < old; i++) {
		if (was[i].kind == 0)
			continue;
		crowd_fade(&was[i].crowd, now_s);
		if (kept >= room / 2 || (was[i].crowd.judged < 0.1f && was[i].crowd.bad < 0.1f))
			continue;
		*group_at(t, was[i].who, was[i].kind) = was[i];
		kept++;
	}
	t->groups = kept;
	free(was);
	spare(t, old * sizeof *was);
	return true;
}

static void group_count(struct shoal_repute *t, const struct shoal_addr *a, bool net, bool bad, uint32_t now_s)
{
	if (t->groups >= t->group_room / 4 * 3 && !groups_tidy(t, now_s) && t->groups + 1 >= t->group_room)
		return;
	uint8_t kind = a->is_v4 ? (net ? NET4 : HOST4) : (net ? NET6 : HOST6);
	struct shoal_repute_group *g = group_at(t, group_name(a, net), kind);
	if (g->kind == 0) {
		*g = (struct shoal_repute_group){ group_name(a, net), { .faded_s = now_s }, kind };
		t->groups++;
	}
	crowd_fade(&g->crowd, now_s);
	g->crowd.judged += 1;
	g->crowd.bad += bad;
}

double shoal_repute_expect(struct shoal_repute *t, const struct shoal_addr *addr, uint32_t now_s)
{
	if (t->blind)
		return STRANGERS_BAD / STRANGERS * BLOCKS_FALSE / BLOCKS;
	crowd_fade(&t->strangers, now_s);
	double all = (STRANGERS_BAD + (double)t->strangers.bad) / (STRANGERS + (double)t->strangers.judged);
	double rate = (BLOCKS_FALSE + (double)t->bad_false) / (BLOCKS + (double)t->bad_blocks);
	const struct shoal_repute_crowd *host = group_find(t, addr, false, now_s),
					*net = group_find(t, addr, true, now_s);
	double bad = (OWN_WEIGHT * all + (double)host->bad + NET_WEIGHT * (double)net->bad) /
		     (OWN_WEIGHT + (double)host->judged + NET_WEIGHT * (double)net->judged);
	return bad * rate;
}

void shoal_repute_changed(struct shoal_repute *t, struct shoal_repute_entry *e, uint32_t now_s)
{
	e->seen_s = now_s;
	e->changed = t->changed = true;
	t->grave |= e->rep.state >= SHOAL_REP_PAROLE && e->rep.state != e->saved;
}

void shoal_repute_again(struct shoal_repute *t, struct shoal_repute_entry *e, uint32_t now_s)
{
	if (e->rep.blocks == 0 && e->rep.false_blocks == 0)
		shoal_rep_expect(&e->rep, shoal_repute_expect(t, &e->who.addr, now_s));
}

void shoal_repute_judge(struct shoal_repute *t, struct shoal_repute_entry *e, uint32_t now_s)
{
	struct shoal_rep *r = &e->rep;
	bool bad = r->false_blocks > 0;
	shoal_repute_changed(t, e, now_s);
	if (e->who.keyed) /* whoever is behind it counts once, by his address */
		return;
	if (r->judged || (!bad && r->blocks < SHOAL_REPUTE_JUDGED))
		return;
	r->judged = true;
	crowd_fade(&t->strangers, now_s);
	t->strangers.judged += 1;
	t->strangers.bad += bad;
	if (bad) {
		/* Halved before they grow without end: the latest count most. */
		if (t->bad_blocks > 4096) {
			t->bad_blocks /= 2;
			t->bad_false /= 2;
		}
		t->bad_blocks += (float)(r->blocks < 256 ? r->blocks : 256) + (float)r->false_blocks;
		t->bad_false += (float)r->false_blocks;
	}
	if (grouped(&e->who.addr)) {
		group_count(t, &e->who.addr, false, bad, now_s);
		group_count(t, &e->who.addr, true, bad, now_s);
	}
}
