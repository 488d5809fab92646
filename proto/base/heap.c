/* proto/base/heap.c - a binary heap of pointers; every timer knows its place, so a move is O(log n). */
#include "proto/base/heap.h"

#include <assert.h>
#include <stdlib.h>

enum {
	ROOM_FIRST = 16,
	ROOM_MAX = 1 << 27, /* timers; 1 GiB of pointers, far above any node */
};

/* Places are 1-based: the parent of p is p / 2, and 0 is nowhere. */
static bool before(const struct shoal_timer *a, const struct shoal_timer *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(struct shoal_heap *heap, struct shoal_timer *timer, uint32_t pos)
{
	heap->timer[pos - 1] = timer;
	timer->pos = pos;
}

/* The hole at `pos` is for `timer`: moves it up, then down, to where it belongs. */
static void settle(struct shoal_heap *heap, struct shoal_timer *timer, uint32_t pos)
{
	while (pos > 1 && before(timer, heap->timer[pos / 2 - 1])) {
		put(heap, heap->timer[pos / 2 - 1], pos);
		pos /= 2;
	}
	for (uint32_t child; (child = 2 * pos) <= heap->count; pos = child) {
		if (child < heap->count && before(heap->timer[child], heap->timer[child - 1]))
			child++;
		if (!before(heap->timer[child - 1], timer))
			break;
		put(heap, heap->timer[child - 1], pos);
	}
	put(heap, timer, pos);
}

static int make_room(struct shoal_heap *heap)
{
	if (heap->count < heap->room)
		return 0;
	if (heap->room >= ROOM_MAX)
		return SHOAL_ERR_NOMEM;
	uint32_t room = heap->room ? heap->room * 2 : ROOM_FIRST;
	struct shoal_timer **timer = realloc(heap->timer, room * sizeof *timer);
	if (timer == NULL)
		return SHOAL_ERR_NOMEM;
	heap->timer = timer;
	heap->room = room;
	return 0;
}

/* The timers are others' memory, and may be gone by now: they are not touched. */
void shoal_heap_fini(struct shoal_heap *heap)
{
	free(heap->timer);
	*heap = (struct shoal_heap){ 0 };
}

int shoal_heap_set(struct shoal_heap *heap, struct shoal_timer *timer, shoal_us at)
{
	uint32_t pos = timer->pos;
	if (pos == 0) {
		int rc = make_room(heap);
		if (rc < 0)
			return rc;
		pos = ++heap->count;
	} else {
		assert(pos <= heap->count && heap->timer[pos - 1] == timer);
	}
	timer->at = at;
	timer->order = heap->order++;
	settle(heap, timer, pos);
	return 0;
}

void shoal_heap_drop(struct shoal_heap *heap, struct shoal_timer *timer)
{
	uint32_t pos = timer->pos;
	if (pos == 0)
		return;
	assert(pos <= heap->count && heap->timer[pos - 1] == timer);
	struct shoal_timer *last = heap->timer[--heap->count];
	timer->pos = 0;
	if (last != timer)
		settle(heap, last, pos);
}

struct shoal_timer *shoal_heap_due(struct shoal_heap *heap, shoal_us now)
{
	if (heap->count == 0)
		return NULL;
	struct shoal_timer *least = heap->timer[0];
	if (least->at > now || least->at == SHOAL_NEVER)
		return NULL;
	shoal_heap_drop(heap, least);
	return least;
}

shoal_us shoal_heap_next(const struct shoal_heap *heap)
{
	return heap->count ? heap->timer[0]->at : SHOAL_NEVER;
}
