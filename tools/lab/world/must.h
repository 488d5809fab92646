/*
 * tools/lab/world/must.h - memory that is there, or the end: a test machine without memory has nothing to tell.
 */
#ifndef SIM_MUST_H
#define SIM_MUST_H

#include <stdlib.h>

static inline void *sim_must(void *at)
{
	if (at == NULL)
		abort();
	return at;
}

#endif
