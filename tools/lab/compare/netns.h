/*
 * tools/lab/compare/netns.h - a network without a way out: a namespace that has `lo` and nothing else.
 *
 * Root makes it at once, others by a user namespace in which they are root. For a process with one thread.
 */
#ifndef LAB_COMPARE_NETNS_H
#define LAB_COMPARE_NETNS_H

#include <shoal/types.h>

/* Moves this process into a fresh one, each time anew. 0; DENIED: none can be made here; IO: it is not closed. `what`
 * says more. */
SHOAL_MUST int lab_netns_enter(char what[160]);

/* Bytes that have crossed `lo` since it is there; 0 when it cannot be told. */
uint64_t lab_netns_bytes(void);

#endif
