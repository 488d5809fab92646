/*
 * proto/base/slots.c - chunks of slots, charged to the budget when they are mapped.
 *
 * Three places a slot can be: out (refs > 0), on the `warm` stack (it has
 * been used before, so its pages are there and its cache lines may be), or
 * untouched in its chunk, which costs address space and budget but no page
 * yet. Warm ones go first. A promise is only a count: free slots never fall
 * below `reserved`, so a get() cannot fail.
 */
#include "proto/base/slots.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "proto/base/fetch.h"

/* Under AddressSanitizer a slot nobody holds may not be touched: it finds who kept a pointer. */
#if defined(__SANITIZE_ADDRESS__)
#define POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON 1
#endif
#endif
#if defined(POISON)
#include <sanitizer/asan_interface.h>
#define FORBID(at, len) ASAN_POISON_MEMORY_REGION(at, len)
#define ALLOW(at, len) ASAN_UNPOISON_MEMORY_REGION(at, len)
#else
#define FORBID(at, len) ((void)(at), (void)(len))
#define ALLOW(at, len) ((void)(at), (void)(len))
#endif

enum {
	CHUNK_SLOTS_MAX = 64, /* 1 MiB */
	/* When the budget has less than a whole chunk, take this many at least, not all:
	 * others live from it too. */
	CHUNK_SLOTS_FEW = 8,
};

struct cell {
	struct shoal_slot slot; /* first: a slot is its cell */
	struct chunk *chunk;
};
struct chunk {
	struct chunk *next;	  /* all of the pool's */
	struct chunk *fresh_next; /* those with untouched slots */
	uint8_t *base;
	uint32_t count, touched, out; /* slots; out <= touched <= count */
	struct cell cell[];
};
struct shoal_slots {
	struct shoal_budget *budget;
	uint32_t head; /* bytes of a slot that are memory */
	struct chunk *chunks;
	struct chunk *fresh;
	struct shoal_slot *warm;
	size_t slots, out, reserved; /* out + reserved <= slots */
};

/* What a chunk of `count` slots costs the budget, its headers included. */
static size_t cost(size_t count)
{
	return sizeof(struct chunk) + count * (SHOAL_BLOCK + sizeof(struct cell));
}

static size_t budget_left(const struct shoal_slots *pool)
{
	const struct shoal_budget *b = pool->budget;
	return b->used < b->limit ? b->limit - b->used : 0;
}

/* The most slots one chunk of at most `bytes` can have. */
static size_t fit(size_t bytes)
{
	if (bytes >= cost(CHUNK_SLOTS_MAX))
		return CHUNK_SLOTS_MAX;
	return bytes < cost(1) ? 0 : (bytes - sizeof(struct chunk)) / (SHOAL_BLOCK + sizeof(struct cell));
}

static size_t free_slots(const struct shoal_slots *pool)
{
	return pool->slots - pool->out - pool->reserved;
}

int shoal_slots_new(struct shoal_slots **out, struct shoal_budget *budget)
{
	struct shoal_slots *pool = calloc(1, sizeof *pool);
	if (pool == NULL)
		return SHOAL_ERR_NOMEM;
	pool->budget = budget;
	pool->head = SHOAL_BLOCK;
	*out = pool;
	return 0;
}

int shoal_slots_new_heads(struct shoal_slots **out, struct shoal_budget *budget, uint32_t head)
{
	assert(head > 0 && head <= SHOAL_BLOCK && head % 8 == 0);
	int rc = shoal_slots_new(out, budget);
	if (rc == 0)
		(*out)->head = head;
	return rc;
}

uint32_t shoal_slots_head(const struct shoal_slots *pool)
{
	return pool->head;
}

/* mmap, not malloc: what trim() gives back really leaves the process, and a page costs nothing until its slot is first
 * used. Heads alone are small, and a process has only so many mappings. */
static uint8_t *map(const struct shoal_slots *pool, size_t count)
{
	if (pool->head < SHOAL_BLOCK)
		return malloc(count * pool->head);
	uint8_t *base = mmap(NULL, count * SHOAL_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return base != MAP_FAILED ? base : NULL;
}

static void unmap(const struct shoal_slots *pool, uint8_t *base, size_t count)
{
	ALLOW(base, count * pool->head);
	if (pool->head < SHOAL_BLOCK)
		return free(base);
	int rc = munmap(base, count * SHOAL_BLOCK);
	assert(rc == 0);
	(void)rc;
}

/* Unmaps a chunk that is on none of the lists any more. The bytes given back. */
static size_t chunk_free(struct shoal_slots *pool, struct chunk *chunk)
{
	size_t bytes = cost(chunk->count);
	unmap(pool, chunk->base, chunk->count);
	pool->slots -= chunk->count;
	shoal_budget_give(pool->budget, bytes);
	free(chunk);
	return bytes;
}

void shoal_slots_free(struct shoal_slots *pool)
{
	if (pool == NULL)
		return;
	assert(pool->out == 0);
	for (struct chunk *chunk = pool->chunks, *next; chunk != NULL; chunk = next) {
		next = chunk->next;
		chunk_free(pool, chunk);
	}
	free(pool);
}

size_t shoal_slots_spare(const struct shoal_slots *pool)
{
	size_t left = budget_left(pool), whole = left / cost(CHUNK_SLOTS_MAX);
	return free_slots(pool) + whole * CHUNK_SLOTS_MAX + fit(left - whole * cost(CHUNK_SLOTS_MAX));
}

static int grow(struct shoal_slots *pool, size_t count)
{
	struct chunk *chunk = malloc(sizeof *chunk + count * sizeof *chunk->cell);
	if (chunk == NULL)
		return SHOAL_ERR_NOMEM;
	uint8_t *base = map(pool, count);
	if (base == NULL) {
		free(chunk);
		return SHOAL_ERR_NOMEM;
	}
	if (!shoal_budget_take(pool->budget, cost(count))) {
		unmap(pool, base, count);
		free(chunk);
		return SHOAL_ERR_BUSY;
	}
	FORBID(base, count * pool->head);
	*chunk = (struct chunk){
		.next = pool->chunks,
		.fresh_next = pool->fresh,
		.base = base,
		.count = (uint32_t)count,
	};
	pool->chunks = pool->fresh = chunk;
	pool->slots += count;
	return 0;
}

int shoal_slots_reserve(struct shoal_slots *pool, size_t n)
{
	if (n > shoal_slots_spare(pool))
		return SHOAL_ERR_BUSY;
	while (free_slots(pool) < n) {
		size_t most = fit(budget_left(pool)), need = n - free_slots(pool), take = need;
		if (most == CHUNK_SLOTS_MAX)
			take = CHUNK_SLOTS_MAX;
		else if (take < CHUNK_SLOTS_FEW)
			take = CHUNK_SLOTS_FEW;
		/* Chunks that grew before a failure stay: they are free, and trim() finds them. */
		int rc = grow(pool, take < most ? take : most);
		if (rc < 0)
			return rc;
	}
	pool->reserved += n;
	return 0;
}

void shoal_slots_unreserve(struct shoal_slots *pool, size_t n)
{
	assert(n <= pool->reserved);
	pool->reserved -= n;
}

static struct shoal_slot *touch_fresh(struct shoal_slots *pool)
{
	struct chunk *chunk = pool->fresh;
	assert(chunk != NULL); /* or a promise was made that nothing stands for */
	struct cell *cell = &chunk->cell[chunk->touched];
	cell->chunk = chunk;
	cell->slot.at = chunk->base + (size_t)chunk->touched * pool->head;
	if (++chunk->touched == chunk->count)
		pool->fresh = chunk->fresh_next;
	return &cell->slot;
}

void shoal_slots_foresee(const struct shoal_slots *pool)
{
	if (pool->warm != NULL)
		shoal_fetch(pool->warm, sizeof *pool->warm);
}

struct shoal_slot *shoal_slot_get(struct shoal_slots *pool)
{
	assert(pool->reserved > 0);
	struct shoal_slot *slot = pool->warm;
	if (slot != NULL)
		pool->warm = slot->next;
	else
		slot = touch_fresh(pool);
	ALLOW(slot->at, pool->head);
	slot->next = NULL;
	slot->len = 0;
	slot->refs = 1;
	pool->reserved--;
	pool->out++;
	((struct cell *)slot)->chunk->out++;
	return slot;
}

void shoal_slot_ref(struct shoal_slot *slot)
{
	assert(slot->refs > 0 && slot->refs < UINT32_MAX);
	slot->refs++;
}

void shoal_slot_unref(struct shoal_slots *pool, struct shoal_slot *slot)
{
	if (slot == NULL)
		return;
	assert(slot->refs > 0);
	if (--slot->refs > 0)
		return;
	FORBID(slot->at, pool->head);
	slot->next = pool->warm;
	pool->warm = slot;
	pool->out--;
	((struct cell *)slot)->chunk->out--;
}

size_t shoal_slots_trim(struct shoal_slots *pool)
{
	struct chunk *doomed = NULL, **link = &pool->chunks;
	size_t spare = free_slots(pool), given = 0;

	while (*link != NULL) {
		struct chunk *chunk = *link;
		if (chunk->out > 0 || chunk->count > spare) {
			link = &chunk->next;
			continue;
		}
		spare -= chunk->count;
		*link = chunk->next;
		chunk->next = doomed;
		doomed = chunk;
		chunk->out = UINT32_MAX; /* the mark, for the sweep of the stack */
	}
	if (doomed == NULL)
		return 0;
	for (struct shoal_slot **s = &pool->warm; *s != NULL;) {
		if (((struct cell *)*s)->chunk->out == UINT32_MAX)
			*s = (*s)->next;
		else
			s = &(*s)->next;
	}
	for (struct chunk **f = &pool->fresh; *f != NULL;) {
		if ((*f)->out == UINT32_MAX)
			*f = (*f)->fresh_next;
		else
			f = &(*f)->fresh_next;
	}
	for (struct chunk *next; doomed != NULL; doomed = next) {
		next = doomed->next;
		given += chunk_free(pool, doomed);
	}
	return given;
}

size_t shoal_slots_out(const struct shoal_slots *pool)
{
	return pool->out;
}
