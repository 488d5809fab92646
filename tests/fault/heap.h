/*
 * tests/fault/heap.h - the heap of a program linked with --wrap=malloc and kin: counted, and failing when told to.
 *
 * What the C library, SQLite or libevent take for themselves is not seen here (SQLite can be, by heap_sqlite()).
 */
#ifndef FAULT_HEAP_H
#define FAULT_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* Allocation number `nth` from now on (from 1) gives NULL, and `more` after it; 0: none. */
void heap_arm(unsigned long nth, unsigned long more);
unsigned long heap_calls(void); /* since then */
bool heap_fired(void);
/* Blocks that were taken and not given back. */
long heap_live(void);
/* SQLite takes its memory from here too. Before its first use. Whether its allocations count, and fail. */
void heap_sqlite(void);
void heap_sqlite_counts(bool counts);

#endif
