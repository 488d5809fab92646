/*
 * tools/lab/world/book.h - who is at which address: a table from struct shoal_addr to a pointer.
 *
 * Its order never shows: nothing walks it. Aborts when memory is short.
 */
#ifndef SIM_BOOK_H
#define SIM_BOOK_H

#include <shoal/types.h>

struct sim_book_entry {
	struct shoal_addr addr;
	void *who; /* NULL: free, or taken out (`gone`) */
	bool gone;
};
struct sim_book {
	struct sim_book_entry *entry;
	uint32_t room, used; /* a power of two; entries that are not free, gone ones included */
};

void sim_book_fini(struct sim_book *b);
void *sim_book_find(const struct sim_book *b, const struct shoal_addr *addr); /* NULL: nobody */
/* Replaces whoever was there; NULL takes the entry out. */
void sim_book_set(struct sim_book *b, const struct shoal_addr *addr, void *who);

#endif
