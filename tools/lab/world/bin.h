/*
 * tools/lab/world/bin.h - bytes on their way through somebody's hands: put at the end, taken from the front.
 *
 * Aborts when memory is short.
 */
#ifndef SIM_BIN_H
#define SIM_BIN_H

#include <shoal/types.h>
#include <stdlib.h>
#include <string.h>

struct sim_bin {
	uint8_t *at;
	size_t begin, end, room;
};

static inline size_t sim_bin_len(const struct sim_bin *b)
{
	return b->end - b->begin;
}
static inline uint8_t *sim_bin_front(const struct sim_bin *b)
{
	return b->at + b->begin;
}
/* Room for `len` bytes at the end: zeros, until written; they count once b->end is past them. */
static inline uint8_t *sim_bin_room(struct sim_bin *b, size_t len)
{
	if (b->begin > 0 && b->end + len > b->room) {
		memmove(b->at, b->at + b->begin, sim_bin_len(b));
		b->end -= b->begin;
		b->begin = 0;
	}
	if (b->end + len > b->room) {
		size_t had = b->room;
		b->room = 2 * (b->end + len);
		b->at = realloc(b->at, b->room);
		if (b->at == NULL)
			abort();
		memset(b->at + had, 0, b->room - had); /* what is not carried of a block is never written */
	}
	return b->at + b->end;
}
static inline void sim_bin_put(struct sim_bin *b, const void *at, size_t len)
{
	if (len == 0)
		return; /* there may be no `at` then */
	memcpy(sim_bin_room(b, len), at, len);
	b->end += len;
}
static inline void sim_bin_skip(struct sim_bin *b, size_t len)
{
	b->begin += len;
	if (b->begin == b->end)
		b->begin = b->end = 0;
}

#endif
