/*
 * tools/lab/compare/child.h - one job in a process of its own: it may die, hang or swell, and we go on and say so.
 *
 * What the process writes to stderr is kept for the case that it dies. Costs are the kernel's accounts of it and of what
 * it started. The caller has one thread.
 */
#ifndef LAB_COMPARE_CHILD_H
#define LAB_COMPARE_CHILD_H

#include "tools/lab/compare/job.h"

struct lab_cmp_child {
	int pid;       /* 0: none runs */
	int out, said; /* files in memory: what it found; its stderr */
	int life;      /* reads as closed once it is gone; a seed writes a byte when it serves */
	int stop;      /* a seed: closed to end it; -1 for others */
	bool interrupted;
};

/* Each: 0, or the job could not be begun: IO (errno), NOMEM. What became of the engine is in `out`. `until`: then it is
 * killed, and LAB_CMP_SLOW. INTERRUPTED by a signal: CLOSED. */
SHOAL_MUST int lab_cmp_child_look(const struct lab_cmp_task *t, bool content, bool raw, shoal_us until,
				  struct lab_cmp_look *out);
SHOAL_MUST int lab_cmp_child_get(const struct lab_cmp_task *t, shoal_us until, struct lab_cmp_get *out);

/* Starts a seed and waits until it serves: 0, or TIMEOUT, GONE (it cannot; it is over then, `why` has its last words), IO,
 * CLOSED. */
SHOAL_MUST int lab_cmp_child_seed(struct lab_cmp_child *c, const struct lab_cmp_task *t, shoal_us until,
				  char why[LAB_CMP_TEXT_MAX]);
/* Ends the seed; `cost` (may be NULL) is what it took. */
void lab_cmp_child_end(struct lab_cmp_child *c, struct lab_cmp_cost *cost);

#endif
