/* book.c - open addressing, linear; see book.h. */
#include "tools/lab/world/book.h"

#include <stdlib.h>
#include <string.h>
#include "tools/lab/world/digest.h"

#define ROOM_FIRST 64u

static size_t ip_bytes(const struct shoal_addr *addr)
{
	return addr->is_v4 ? 4 : 16;
}

static bool same(const struct shoal_addr *a, const struct shoal_addr *b)
{
	return a->port == b->port && a->is_v4 == b->is_v4 && memcmp(a->ip, b->ip, ip_bytes(a)) == 0;
}

/* The entry of `addr`, or the first that it could take. */
static struct sim_book_entry *place(const struct sim_book *b, const struct shoal_addr *addr)
{
	uint64_t sum = sim_digest(SIM_DIGEST_START ^ addr->port, addr->ip, ip_bytes(addr));
	struct sim_book_entry *gone = NULL;
	for (uint32_t i = (uint32_t)(sum >> 32);; i++) {
		struct sim_book_entry *e = &b->entry[i & (b->room - 1)];
		if (e->who == NULL && !e->gone)
			return gone != NULL ? gone : e;
		if (e->gone)
			gone = gone != NULL ? gone : e;
		else if (same(&e->addr, addr))
			return e;
	}
}

static void grow(struct sim_book *b)
{
	struct sim_book old = *b;
	b->room = old.room ? 2 * old.room : ROOM_FIRST;
	b->used = 0;
	b->entry = calloc(b->room, sizeof *b->entry);
	if (b->entry == NULL)
		abort();
	for (uint32_t i = 0; i < old.room; i++)
		if (old.entry[i].who != NULL)
			sim_book_set(b, &old.entry[i].addr, old.entry[i].who);
	free(old.entry);
}

void sim_book_fini(struct sim_book *b)
{
	free(b->entry);
	*b = (struct sim_book){ 0 };
}

void *sim_book_find(const struct sim_book *b, const struct shoal_addr *addr)
{
	return b->room > 0 ? place(b, addr)->who : NULL;
}

void sim_book_set(struct sim_book *b, const struct shoal_addr *addr, void *who)
{
	if (2 * (b->used + 1) > b->room)
		grow(b);
	struct sim_book_entry *e = place(b, addr);
	if (who == NULL) {
		e->gone = e->who != NULL || e->gone;
		e->who = NULL;
		return;
	}
	b->used += e->who == NULL && !e->gone;
	*e = (struct sim_book_entry){ .addr = *addr, .who = who };
}
