/* pages.c - see pages.h. */
#include "tools/lab/pages.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE ((uintptr_t)2 << 20)
#define STEP (256 << 20) /* the heap grows by: address space, until it is used */

void lab_pages_look(struct lab_pages *pages)
{
	uintptr_t end = (uintptr_t)sbrk(0);
	if (end == pages->marked)
		return;
	if (pages->marked == 0) {
		(void)mallopt(M_TOP_PAD, STEP);
		pages->marked = end;
		return;
	}
	uintptr_t from = pages->marked & ~(HUGE - 1), to = end & ~(HUGE - 1);
	if (end > pages->marked && to > from)			       /* a hint: it may be refused */
		(void)madvise((void *)from, to - from, MADV_HUGEPAGE); /* NOLINT(performance-no-int-to-ptr) */
	pages->marked = end;
}
