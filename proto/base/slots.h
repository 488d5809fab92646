/*
 * proto/base/slots.h - the memory budget, and the 16 KiB block buffers in it.
 *
 * One number (--memory) bounds everything that grows with content or peers.
 * `shoal_budget` counts what is charged; `shoal_slots` hands out block
 * buffers, last in first out so that warm memory is used again, and takes
 * its memory in chunks from the budget as it grows. A slot promised by
 * reserve() can always be got: no slot, no request.
 *
 * Owned by one thread; slots themselves may be lent to others.
 */
#ifndef SHOAL_SLOTS_H
#define SHOAL_SLOTS_H

#include <shoal/types.h>

#define SHOAL_BLOCK (16u * 1024) /* what a request asks for: every engine's block */

struct shoal_budget {
	size_t limit; /* bytes */
	size_t used;
	size_t peak;
};
/* true, and charged, when it fits. */
SHOAL_MUST static inline bool shoal_budget_take(struct shoal_budget *b, size_t n)
{
	if (n > b->limit - (b->used < b->limit ? b->used : b->limit))
		return false;
	b->used += n;
	if (b->used > b->peak)
		b->peak = b->used;
	return true;
}
static inline void shoal_budget_give(struct shoal_budget *b, size_t n)
{
	b->used -= n < b->used ? n : b->used;
}

struct shoal_slot {
	uint8_t *at;		 /* SHOAL_BLOCK bytes, 4 KiB aligned */
	struct shoal_slot *next; /* the pool's, or its owner's for a chain */
	uint32_t len;		 /* bytes in use, the owner's */
	uint32_t refs;		 /* one for each holder */
};
struct shoal_slots;

SHOAL_MUST int shoal_slots_new(struct shoal_slots **out, struct shoal_budget *budget);
/* A pool for a world that carries no payload: of each slot only the first `head` bytes (a multiple of 8) are memory, and
 * may be touched. It costs the budget what a whole one does, so that all else is decided alike. */
SHOAL_MUST int shoal_slots_new_heads(struct shoal_slots **out, struct shoal_budget *budget, uint32_t head);
/* The bytes of each slot that are memory: SHOAL_BLOCK, or the head. */
uint32_t shoal_slots_head(const struct shoal_slots *pool);
/* Of a slot's bytes [from, from+len), how many are memory. */
static inline size_t shoal_slots_real(const struct shoal_slots *pool, size_t from, size_t len)
{
	size_t head = shoal_slots_head(pool);
	size_t most = from < head ? head - from : 0;
	return len < most ? len : most;
}
void shoal_slots_free(struct shoal_slots *pool); /* NULL is fine; every slot must be back */
/* How many more slots could be reserved now, unreserved memory in the budget included. */
size_t shoal_slots_spare(const struct shoal_slots *pool);
/* Promises n slots: all or none. BUSY when the budget is spent. */
SHOAL_MUST int shoal_slots_reserve(struct shoal_slots *pool, size_t n);
void shoal_slots_unreserve(struct shoal_slots *pool, size_t n);
/* Turns one reserved promise into a slot with one reference. Never NULL after reserve(). */
struct shoal_slot *shoal_slot_get(struct shoal_slots *pool);
/* Some will be got soon (proto/base/fetch.h). */
void shoal_slots_foresee(const struct shoal_slots *pool);
void shoal_slot_ref(struct shoal_slot *slot);
void shoal_slot_unref(struct shoal_slots *pool, struct shoal_slot *slot); /* NULL is fine */
/* Gives chunks with no slot out back to the system and the budget, as far as promises allow: for
 * when someone else is short of memory. The bytes given back; linear in the pool's slots. */
size_t shoal_slots_trim(struct shoal_slots *pool);
/* Slots handed out and not back; for checks. */
size_t shoal_slots_out(const struct shoal_slots *pool);

#endif
