/*
 * swarm/core/events.h - events on their way out of a node, oldest first.
 *
 * Bounded: past EVENTS_SOFT_MAX only events that somebody must not miss are
 * taken; the chatty ones (a piece, a peer come or gone) are dropped first, and
 * when the budget has no room for more of them.
 * Texts and data are copied in. When memory is short, a reserve carries the
 * first bytes of the text of those that must not be missed.
 */
#ifndef SHOAL_EVENTS_H
#define SHOAL_EVENTS_H

#include <shoal/engine.h>
#include "proto/base/slots.h"

#define SHOAL_EVENTS_SOFT_MAX 4096
#define SHOAL_EVENTS_HARD_MAX 65536

#define SHOAL_EVENTS_RESERVE 4
#define SHOAL_EVENTS_RESERVE_TEXT 256

#define SHOAL_EVENTS_FREE (64u * 1024) /* bytes of chatty ones taken when the budget has no more */

struct shoal_event_item;
struct shoal_events {
	struct shoal_budget *budget; /* charged; NULL: nothing is */
	size_t bytes;		     /* of those that wait */
	struct shoal_event_item *head, **tail, *lent, *reserve;
	unsigned reserved;
	size_t count;
	uint64_t dropped;
};
void shoal_events_init(struct shoal_events *q);
void shoal_events_fini(struct shoal_events *q);
/* Sees to it that the reserve is there; later it fills up again by itself. NOMEM. */
SHOAL_MUST int shoal_events_reserve(struct shoal_events *q);
/* `ev` is copied, its text, name, data and copies with it. */
void shoal_events_push(struct shoal_events *q, const struct shoal_event *ev);
/* 1 and *ev, whose spans are valid until the next call; 0. */
int shoal_events_poll(struct shoal_events *q, struct shoal_event *ev);

#endif
