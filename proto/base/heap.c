/* proto/base/heap.c - a heap of four children to each; every timer knows its place, so a move is O(log n). */
#include "proto/base/heap.h"

#include <assert.h>
#include <stdlib.h>

enum {
	ROOM_FIRST = 16,
	ROOM_MAX = 1 << 27, /* timers; 3 GiB of entries, far above any node */
};

/* Places are 1-based, and 0 is nowhere. Of four children each: half the levels, and they lie side by side. */
enum { FAN = 4 };

static uint32_t parent_of(uint32_t pos)
{
	return (pos - 2) / FAN + 1;
}

static bool before(const struct shoal_heap_entry *a, const struct shoal_heap_entry *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(struct shoal_heap *heap, const struct shoal_heap_entry *e, uint32_t pos)
{
	heap->entry[pos - 1] = *e;
	e->timer->pos = pos;
}

/* The hole at `pos` is for `e`: moves it up, then down, to where it belongs. */
static void settle(struct shoal_heap *heap, struct shoal_heap_entry e, uint32_t pos)
{
	while (pos > 1 && before(&e, &heap->entry[parent_of(pos) - 1])) {
		put(heap, &heap->entry[parent_of(pos) - 1], pos);
		pos = parent_of(pos);
	}
	for (uint32_t child; (child = (pos - 1) * FAN + 2) <= heap->count; pos = child) {
		uint32_t end = child + FAN - 1 < heap->count ? child + FAN - 1 : heap->count;
		for (uint32_t c = child + 1; c <= end; c++)
			if (before(&heap->entry[c - 1], &heap->entry[child - 1]))
				child = c;
		if (!before(&heap->entry[child - 1], &e))
			break;
		put(heap, &heap->entry[child - 1], pos);
	}
	put(heap, &e, pos);
}

static int make_room(struct shoal_heap *heap)
{
	if (heap->count < heap->room)
		return 0;
	if (heap->room >= ROOM_MAX)
		return SHOAL_ERR_NOMEM;
	uint32_t room = heap->room ? heap->room * 2 : ROOM_FIRST;
	struct shoal_heap_entry *entry = realloc(heap->entry, room * sizeof *entry);
	if (entry == NULL)
		return SHOAL_ERR_NOMEM;
	heap->entry = entry;
	heap->room = room;
	return 0;
}

/* The timers are others' memory, and may be gone by now: they are not touched. */
void shoal_heap_fini(struct shoal_heap *heap)
{
	free(heap->entry);
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
		assert(pos <= heap->count && heap->entry[pos - 1].timer == timer);
	}
	timer->at = at;
	timer->order = heap->order++;
	settle(heap, (struct shoal_heap_entry){ at, timer->order, timer }, pos);
	return 0;
}

void shoal_heap_drop(struct shoal_heap *heap, struct shoal_timer *timer)
{
	uint32_t pos = timer->pos;
	if (pos == 0)
		return;
	assert(pos <= heap->count && heap->entry[pos - 1].timer == timer);
	struct shoal_heap_entry last = heap->entry[--heap->count];
	timer->pos = 0;
	if (last.timer != timer)
		settle(heap, last, pos);
}

struct shoal_timer *shoal_heap_due(struct shoal_heap *heap, shoal_us now)
{
	if (heap->count == 0)
		return NULL;
	struct shoal_timer *least = heap->entry[0].timer;
	if (least->at > now || least->at == SHOAL_NEVER)
		return NULL;
	shoal_heap_drop(heap, least);
	return least;
}

shoal_us shoal_heap_next(const struct shoal_heap *heap)
{
	return heap->count ? heap->entry[0].at : SHOAL_NEVER;
}
