/*
 * swarm/core/node_swarms.c - the torrents of a node: by handle, and which are looked at on each call.
 *
 * A node is called thousands of times a second while blocks come in, and may have ten thousand torrents that nobody
 * asks for anything. Such a torrent sleeps: no call walks past it. It wakes at its deadline, or when something is done to
 * it from outside: a peer joins, an address is heard of, a job is back, the user asks.
 */
#include <stdlib.h>
#include "proto/base/bytes.h"
#include "swarm/core/node_room.h"

#define ROOM_START 8u
/* The swarm behind its alarm. */
#define OF_ALARM(timer) ((struct shoal_swarm *)((char *)(timer)-offsetof(struct shoal_swarm, alarm)))

/* ---- by handle -------------------------------------------------------------------------- */

/* The place of the first one whose handle is not less. */
static uint32_t place_of(const struct shoal_node *n, uint32_t handle)
{
	uint32_t from = 0, to = n->swarm_count;
	while (from < to) {
		uint32_t mid = from + (to - from) / 2;
		if (n->by_handle[mid]->handle < handle)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

struct shoal_swarm *shoal_node_handle(struct shoal_node *n, uint32_t handle)
{
	uint32_t at = place_of(n, handle);
	return at < n->swarm_count && n->by_handle[at]->handle == handle ? n->by_handle[at] : NULL;
}

int shoal_node_join(struct shoal_node *n, struct shoal_swarm *s)
{
	if (n->swarm_count == n->swarm_room) {
		uint32_t room = n->swarm_room > 0 ? 2 * n->swarm_room : ROOM_START;
		struct shoal_swarm **more = realloc(n->by_handle, room * sizeof(*more));
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		n->by_handle = more;
		n->swarm_room = room;
	}
	/* Handles only grow, so it is the last. */
	*(n->swarm_count > 0 ? &n->by_handle[n->swarm_count - 1]->next : &n->swarms) = s;
	n->by_handle[n->swarm_count++] = s;
	s->joined = true;
	shoal_recall_load(n, n->now);
	shoal_node_wake(s);
	return 0;
}

static void lie_down(struct shoal_node *n, struct shoal_swarm *s)
{
	*s->awake_at = s->awake_next;
	*(s->awake_next != NULL ? &s->awake_next->awake_at : &n->awake_end) = s->awake_at;
	s->awake_next = NULL;
	s->awake_at = NULL;
}

void shoal_node_part(struct shoal_node *n, struct shoal_swarm *s)
{
	shoal_heap_drop(&n->asleep, &s->alarm);
	if (s->awake_at != NULL)
		lie_down(n, s);
	if (!s->joined)
		return;
	uint32_t at = place_of(n, s->handle);
	*(at > 0 ? &n->by_handle[at - 1]->next : &n->swarms) = s->next;
	for (n->swarm_count--; at < n->swarm_count; at++)
		n->by_handle[at] = n->by_handle[at + 1];
}

/* ---- awake, asleep ------------------------------------------------------------------------ */

void shoal_node_wake(struct shoal_swarm *s)
{
	struct shoal_node *n = s->node;
	if (s->awake_at != NULL)
		return;
	shoal_heap_drop(&n->asleep, &s->alarm);
	if (n->awake_end == NULL)
		n->awake_end = &n->awake;
	/* Turns are taken in the order of handles. Those that join come last; of those that wake few are awake already. */
	struct shoal_swarm **at = n->awake_end;
	if (at != &n->awake) {
		const struct shoal_swarm *last = (struct shoal_swarm *)((char *)at -
									offsetof(struct shoal_swarm, awake_next));
		for (at = last->handle > s->handle ? &n->awake : at; *at != NULL && (*at)->handle < s->handle;)
			at = &(*at)->awake_next;
	}
	s->awake_next = *at;
	s->awake_at = at;
	*(s->awake_next != NULL ? &s->awake_next->awake_at : &n->awake_end) = &s->awake_next;
	*at = s;
}

void shoal_node_rouse(struct shoal_node *n, shoal_us now)
{
	struct shoal_timer *timer;
	while ((timer = shoal_heap_due(&n->asleep, now)) != NULL)
		shoal_node_wake(OF_ALARM(timer));
}

/* Whether nothing happens to it before its deadline, unless something is done to it from outside. */
static bool quiet(const struct shoal_swarm *s)
{
	if (s->peer_count > 0 || s->disk_jobs > 0 || s->stopping || s->removing || s->dial_now || s->held[SHOAL_UP] ||
	    s->held[SHOAL_DOWN] || s->slots_held)
		return false;
	if (s->state == SHOAL_SWARM_ENDED)
		return true;
	return s->state == SHOAL_SWARM_RUN && s->barrier == SHOAL_BARRIER_IDLE && s->fresh.ones == 0 &&
	       s->dirty_count == 0 && s->withdrawn.ones == 0 && s->to_check.ones == 0 && s->checks_out == 0 &&
	       !s->recheck && s->landing.count == 0 && !s->dirty_fill && !s->pieces_dirty && !s->layers_missing &&
	       s->select.to_move.ones == 0 && s->webseeds == NULL && s->contacts.ready.count == 0 &&
	       s->contacts.parked == 0;
}

shoal_us shoal_node_doze(struct shoal_node *n, shoal_us now)
{
	shoal_us at = SHOAL_NEVER;
	for (struct shoal_swarm *s = n->awake, *next; s != NULL; s = next) {
		shoal_us due = shoal_swarm_deadline(s);
		next = s->awake_next;
		/* Without memory for an alarm it stays awake. */
		if (due > now && quiet(s) && (due == SHOAL_NEVER || shoal_heap_set(&n->asleep, &s->alarm, due) == 0))
			lie_down(n, s);
		else
			at = shoal_min_u64(at, due);
	}
	return shoal_min_u64(at, shoal_heap_next(&n->asleep));
}
