/*
 * proto/base/fetch.h - memory that is needed soon, asked for now.
 *
 * For who knows what comes next of a great many things, so that the processor does not wait for each line in turn. A
 * hint: it reads and changes nothing, and an address that is not there does no harm.
 */
#ifndef SHOAL_FETCH_H
#define SHOAL_FETCH_H

#include <stddef.h>

#define SHOAL_FETCH_LINE 64u /* bytes; on a machine with longer ones some are asked for twice */

/* [at, at+len) of memory; len > 0. */
static inline void shoal_fetch(const void *at, size_t len)
{
	const char *p = at;
	for (size_t i = 0; i < len; i += SHOAL_FETCH_LINE)
		__builtin_prefetch(p + i);
	__builtin_prefetch(p + len - 1);
}

#endif
