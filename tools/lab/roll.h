/*
 * tools/lab/roll.h - whom a run waits for: those that are still to come, and those that want something and may yet get it.
 *
 * The same in the virtual world and with real processes. When each node came, had all and went for good is written into the
 * result; once nobody is waited for, the run is over. Times are the run's, in seconds.
 */
#ifndef LAB_ROLL_H
#define LAB_ROLL_H

#include "tools/lab/result.h"

struct lab_roll {
	struct lab_result *r;
	bool *comes; /* by node: by itself, and not only if an event has it come */
	unsigned to_join, open;
};

/* Of a result that has its nodes; it outlives this. NOMEM. */
SHOAL_MUST int lab_roll_init(struct lab_roll *roll, struct lab_result *r);
void lab_roll_fini(struct lab_roll *roll);

/* It will come, and nothing is over before. Not yet here; once a node. */
void lab_roll_expect(struct lab_roll *roll, unsigned i);
/* Each is false, and nothing changes, where it was so already. */
bool lab_roll_joins(struct lab_roll *roll, unsigned i, double t);
bool lab_roll_completes(struct lab_roll *roll, unsigned i, double t);
bool lab_roll_leaves(struct lab_roll *roll, unsigned i, double t);
/* An event has it come, or come back: who was gone for good is one of those again that are waited for. */
void lab_roll_recalls(struct lab_roll *roll, unsigned i);
bool lab_roll_over(const struct lab_roll *roll);

#endif
