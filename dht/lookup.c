/*
 * dht/lookup.c - candidates by distance, and whom of them to believe.
 */
#include "dht/lookup.h"

#include <string.h>
#include "dht/node_id.h"
#include "proto/compact.h"
#include "proto/reach.h"

#define DEPTH_MAX 250

void shoal_lookup_init(struct shoal_lookup *l, const struct shoal_id20 *target)
{
	memset(l, 0, sizeof *l);
	l->target = *target;
}

static bool counts(const struct shoal_lookup *l, const struct shoal_lookup_seen *s)
{
	return s->fits || l->nobody_proves;
}

/* Somebody of that host or network is here already. The closest of them stays, whoever named it. */
static int crowded(const struct shoal_lookup *l, const struct shoal_krpc_node *node)
{
	bool open = shoal_reach_of(&node->addr) == SHOAL_REACH_GLOBAL;
	for (unsigned i = 0; i < l->count; i++) {
		const struct shoal_krpc_node *other = &l->seen[i].node;
		if (shoal_addr_equal(&other->addr, &node->addr) ||
		    (open && shoal_addr_same_net(&other->addr, &node->addr, node->addr.is_v4 ? 24 : 64)))
			return (int)i;
	}
	return -1;
}

int shoal_lookup_slot_of(const struct shoal_lookup *l, const struct shoal_krpc_node *node)
{
	return crowded(l, node);
}

/* A slot for it: a fresh one, or that of the farthest who was not asked or is dead. */
static int place(struct shoal_lookup *l, const struct shoal_id20 *id)
{
	if (l->count < SHOAL_LOOKUP_SEEN)
		return l->count;
	for (unsigned i = l->count; i-- > 0;) {
		unsigned slot = l->order[i];
		struct shoal_lookup_seen *s = &l->seen[slot];
		if (s->state != SHOAL_SEEN_NEW && s->state != SHOAL_SEEN_DEAD)
			continue;
		if (s->state == SHOAL_SEEN_NEW && shoal_node_id_order(&l->target, id, &s->node.id) >= 0)
			return -1;
		memmove(l->order + i, l->order + i + 1, l->count - 1 - i);
		l->count--;
		return (int)slot;
	}
	return -1;
}

static void sort_out(struct shoal_lookup *l, unsigned slot)
{
	unsigned i = 0;
	while (l->order[i] != slot)
		i++;
	memmove(l->order + i, l->order + i + 1, l->count - 1u - i);
	l->count--;
}

static void sort_in(struct shoal_lookup *l, unsigned slot)
{
	unsigned i = l->count++;
	for (; i > 0 && shoal_node_id_order(&l->target, &l->seen[slot].node.id, &l->seen[l->order[i - 1]].node.id) < 0;
	     i--)
		l->order[i] = l->order[i - 1];
	l->order[i] = (uint8_t)slot;
}

int shoal_lookup_add(struct shoal_lookup *l, const struct shoal_krpc_node *node, int from)
{
	int same = crowded(l, node);
	if (same >= 0) {
		/* A closer id at an address that nobody asked yet: which is right, its own answer will tell. */
		struct shoal_lookup_seen *s = &l->seen[same];
		if (s->state != SHOAL_SEEN_NEW || from < 0 ||
		    shoal_node_id_order(&l->target, &node->id, &s->node.id) >= 0 ||
		    !shoal_node_id_fits(&node->id, &node->addr))
			return -1;
	}
	int slot = same >= 0 ? same : place(l, &node->id);
	if (slot < 0)
		return -1;
	if (same >= 0)
		sort_out(l, (unsigned)slot);
	struct shoal_lookup_seen *s = &l->seen[slot];
	*s = (struct shoal_lookup_seen){ .node = *node,
					 .fits = shoal_node_id_fits(&node->id, &node->addr),
					 .from = (uint8_t)(from < 0 ? slot : from) };
	s->depth = from < 0 ? 1 : (uint8_t)(l->seen[from].depth + (l->seen[from].depth < DEPTH_MAX));
	sort_in(l, (unsigned)slot);
	return slot;
}

static bool trusted(const struct shoal_lookup *l, const struct shoal_lookup_seen *s)
{
	const struct shoal_lookup_seen *from = &l->seen[s->from];
	return from == s || from->dead < SHOAL_LOOKUP_CREDIT + 2u * from->alive;
}

/* Of the closest that count (and as many that do not): the first not asked yet, whose namer has credit or not. */
static int closest_new(const struct shoal_lookup *l, bool any)
{
	unsigned good = 0, odd = 0;
	for (unsigned i = 0; i < l->count && good < SHOAL_LOOKUP_K; i++) {
		const struct shoal_lookup_seen *s = &l->seen[l->order[i]];
		if (s->state == SHOAL_SEEN_DEAD || s->state == SHOAL_SEEN_SLOW)
			continue;
		if (s->state == SHOAL_SEEN_NEW && !any && !trusted(l, s))
			continue;
		if (!counts(l, s) && ++odd > SHOAL_LOOKUP_K)
			continue;
		if (s->state == SHOAL_SEEN_NEW)
			return l->order[i];
		good += counts(l, s);
	}
	return -1;
}

int shoal_lookup_next(struct shoal_lookup *l)
{
	if (l->waiting >= SHOAL_LOOKUP_ALPHA || l->queries >= SHOAL_LOOKUP_QUERIES)
		return -1;
	int slot = closest_new(l, false);
	/* Those whose namer has lied are asked when nobody else is left to wait for, and eight have not answered. */
	if (slot < 0 && l->waiting == 0 && l->answers < SHOAL_LOOKUP_K)
		slot = closest_new(l, true);
	if (slot >= 0)
		shoal_lookup_asked(l, (unsigned)slot);
	return slot;
}

void shoal_lookup_asked(struct shoal_lookup *l, unsigned slot)
{
	if (l->seen[slot].state != SHOAL_SEEN_NEW)
		return;
	l->seen[slot].state = SHOAL_SEEN_ASKED;
	l->waiting++;
	l->queries++;
}

static void settle(struct shoal_lookup *l, struct shoal_lookup_seen *s, enum shoal_seen_state state)
{
	if (s->state == SHOAL_SEEN_ASKED)
		l->waiting--;
	s->state = (uint8_t)state;
}

void shoal_lookup_slow(struct shoal_lookup *l, unsigned slot)
{
	struct shoal_lookup_seen *s = &l->seen[slot], *from = &l->seen[s->from];
	if (s->state != SHOAL_SEEN_ASKED)
		return;
	settle(l, s, SHOAL_SEEN_SLOW);
	if (from != s && from->dead < UINT8_MAX)
		from->dead++;
}

void shoal_lookup_dead(struct shoal_lookup *l, unsigned slot)
{
	struct shoal_lookup_seen *s = &l->seen[slot];
	shoal_lookup_slow(l, slot);
	if (s->state == SHOAL_SEEN_SLOW)
		s->state = SHOAL_SEEN_DEAD;
}

void shoal_lookup_renamed(struct shoal_lookup *l, unsigned slot, const struct shoal_id20 *id)
{
	struct shoal_lookup_seen *s = &l->seen[slot];
	shoal_lookup_slow(l, slot); /* who named it was wrong, */
	s->from = (uint8_t)slot;    /* and did not name this one */
	sort_out(l, slot);
	s->node.id = *id;
	s->fits = shoal_node_id_fits(id, &s->node.addr);
	sort_in(l, slot);
}

void shoal_lookup_answered(struct shoal_lookup *l, unsigned slot, struct shoal_bytes token)
{
	struct shoal_lookup_seen *s = &l->seen[slot], *from = &l->seen[s->from];
	if (s->state == SHOAL_SEEN_ANSWERED)
		return;
	if (from != s) {
		if (s->state == SHOAL_SEEN_SLOW && from->dead > 0)
			from->dead--; /* late, and there all the same */
		from->alive = (uint8_t)(from->alive + (from->alive < UINT8_MAX));
	}
	settle(l, s, SHOAL_SEEN_ANSWERED);
	l->answers++;
	if (s->depth > l->hops)
		l->hops = s->depth;
	if (token.len > 0 && token.len <= SHOAL_KRPC_TOKEN_MAX) {
		memcpy(s->token, token.at, token.len);
		s->token_len = (uint8_t)token.len;
	}
}

bool shoal_lookup_done(const struct shoal_lookup *l)
{
	unsigned good = 0, waited_for = 0;
	for (unsigned i = 0; i < l->count && good < SHOAL_LOOKUP_K; i++) {
		const struct shoal_lookup_seen *s = &l->seen[l->order[i]];
		waited_for += s->state == SHOAL_SEEN_ASKED;
		good += s->state == SHOAL_SEEN_ANSWERED && counts(l, s);
	}
	if (waited_for > 0)
		return false;
	if (l->queries >= SHOAL_LOOKUP_QUERIES)
		return l->waiting == 0;
	return closest_new(l, false) < 0 &&
	       (l->waiting > 0 || l->answers >= SHOAL_LOOKUP_K || closest_new(l, true) < 0);
}

unsigned shoal_lookup_good(const struct shoal_lookup *l, unsigned *late)
{
	unsigned good = 0;
	*late = 0;
	for (unsigned i = 0; i < l->count && good < SHOAL_LOOKUP_K; i++) {
		const struct shoal_lookup_seen *s = &l->seen[l->order[i]];
		good += s->state == SHOAL_SEEN_ANSWERED && counts(l, s);
		*late += s->state == SHOAL_SEEN_SLOW && counts(l, s);
	}
	return good;
}

size_t shoal_lookup_closest(const struct shoal_lookup *l, uint8_t slot[SHOAL_LOOKUP_SEEN], size_t max, bool tokens)
{
	size_t n = 0, good = 0;
	for (unsigned i = 0; i < l->count && good < max; i++) {
		const struct shoal_lookup_seen *s = &l->seen[l->order[i]];
		if (s->state != SHOAL_SEEN_ANSWERED || (tokens && s->token_len == 0))
			continue;
		if (!counts(l, s) && n - good >= max)
			continue;
		good += counts(l, s);
		slot[n++] = l->order[i];
	}
	return n;
}
