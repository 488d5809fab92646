/*
 * proto/base/heap.h - a heap of timers that live inside what they serve.
 *
 * A node of a network keeps one heap and is woken once, for its least
 * deadline. Equal deadlines fire in the order they were set, so that a
 * virtual world replays.
 */
#ifndef SHOAL_HEAP_H
#define SHOAL_HEAP_H

#include <shoal/types.h>

struct shoal_timer {
	shoal_us at;
	uint64_t order; /* the heap's: ties */
	uint32_t pos;	/* the heap's: 1-based place, 0 when not set */
};
struct shoal_heap_entry { /* the key beside the pointer: a comparison touches no timer */
	shoal_us at;
	uint64_t order;
	struct shoal_timer *timer;
};
struct shoal_heap {
	struct shoal_heap_entry *entry;
	uint32_t count, room;
	uint64_t order;
};

void shoal_heap_fini(struct shoal_heap *heap);
/* Sets, or moves, a timer. NOMEM leaves it as it was. */
SHOAL_MUST int shoal_heap_set(struct shoal_heap *heap, struct shoal_timer *timer, shoal_us at);
void shoal_heap_drop(struct shoal_heap *heap, struct shoal_timer *timer); /* not set: no harm */
/* The least timer that is due at `now`, taken out; NULL when none is. */
struct shoal_timer *shoal_heap_due(struct shoal_heap *heap, shoal_us now);
/* The least deadline, or SHOAL_NEVER. */
shoal_us shoal_heap_next(const struct shoal_heap *heap);

#endif
