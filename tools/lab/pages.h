/*
 * tools/lab/pages.h - huge pages for the heap of a process that holds a large world.
 *
 * A world of thousands of nodes is a gigabyte of small things, and looking up
 * where a page of 4 KiB lies costs about as much as fetching from it. The heap
 * is made to grow in large steps, and each step is marked for huge pages
 * (madvise) before most of it has been touched. It costs memory: what lies
 * beside what was asked for is there as well. Nothing but time depends on it;
 * where the system has none, nothing happens. For the process, not for one
 * world; one thread.
 */
#ifndef LAB_PAGES_H
#define LAB_PAGES_H

#include <stdint.h>

struct lab_pages {
	uintptr_t marked; /* the heap is, up to there; 0: not begun */
};

/* Marks what the heap has grown by since: to be called now and then. Costs nothing when it has not. */
void lab_pages_look(struct lab_pages *pages);

#endif
