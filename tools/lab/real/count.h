/*
 * tools/lab/real/count.h - the figures of a real run, as lab_result has them: from the wires, and from what nodes say.
 *
 * What was sent and received is counted on the wires, for all kinds of programs alike: bytes behind TCP headers that
 * were delivered, the protocol's own messages among them. Who has how much is what programs say, and what they have
 * received since; it is all once they say that they are complete.
 */
#ifndef LAB_COUNT_H
#define LAB_COUNT_H

#include "tools/lab/real/crew.h"
#include "tools/lab/run.h"

struct lab_count {
	const struct lab_stage *stage;
	struct lab_result *r;
	double *had;	    /* by node: share of the content */
	uint64_t *had_down; /* by node: bytes it had received when it last said how much it has */
	struct lab_progress_group *group;
	struct lab_count_flow {
		uint64_t up, down;
	} * flow;	  /* by group: bytes when rates were last looked at ... */
	double looked_at; /* ... which was then */
};

/* Fills in what stands from the start. 0 or NOMEM. */
SHOAL_MUST int lab_count_init(struct lab_count *c, const struct lab_stage *stage, struct lab_result *r);
/* Node `i` has just said how much it has. */
void lab_count_said(struct lab_count *c, unsigned i);
/* A point of the curves at time `t`; `*every` doubles when there are too many. Mean share that the honest have; < 0: NOMEM. */
double lab_count_sample(struct lab_count *c, const struct lab_crew *crew, double t, double *every);
/* For those who watch, at time p->t; its groups are there until fini(). */
void lab_count_progress(struct lab_count *c, const struct lab_crew *crew, struct lab_progress *p);
/* When all have ended. */
void lab_count_finish(struct lab_count *c, const struct lab_crew *crew);
/* The result stays. */
void lab_count_fini(struct lab_count *c);

#endif
