/*
 * tools/lab/real/plan.h - a scenario as real processes: who they are and on what lines; and what cannot be had for real.
 *
 * Texts and numbers in, a plan out: nothing is started here.
 */
#ifndef LAB_PLAN_H
#define LAB_PLAN_H

#include "tools/lab/draw.h"
#include "tools/lab/real/wires.h"

#define LAB_PLAN_NODES_MAX 1000 /* one address of the wires is the tracker's */
#define LAB_PLAN_NAME_MAX 64
#define LAB_PLAN_PORT 6881
#define LAB_PLAN_TRACKER_PORT 6969

struct lab_plan_node {
	unsigned group;
	enum lab_kind kind;
	bool hostile; /* not honest */
	bool played;  /* by tools/hostile; else `kind` says what runs it */
	bool seed;    /* it has all */
	bool *has;    /* by piece: what it begins with; NULL: all, or nothing */
	struct lab_drawn drawn;
	struct lab_wire line;
	char name[LAB_PLAN_NAME_MAX]; /* "seed", "leeches.3": the third of its group */
};
struct lab_plan {
	struct lab_plan_node *node;
	unsigned nodes;
	/* No line counts packets: the kernel's TCP hands over what it has in large ones (GSO), the fewer the better. */
	bool wide;
};

/*
 * Whether a real run can give all that the file asks for. `text` is the file, for the place of what it cannot;
 * without any it is told without.
 * 0; UNSUPPORTED with `fault`; NOMEM.
 */
SHOAL_MUST int lab_plan_check(const struct lab_scenario *s, struct shoal_bytes text, struct lab_fault *fault);
/* Of a scenario that was checked, and its number of pieces. 0 or NOMEM. */
SHOAL_MUST int lab_plan_make(struct lab_plan *plan, const struct lab_scenario *s, uint32_t pieces, uint64_t seed);
/* The node at which node `i` enters the DHT of a scenario that has one: the first that can, or to that one the second. -1: none. */
int lab_plan_dht_entry(const struct lab_plan *plan, unsigned i);
void lab_plan_fini(struct lab_plan *plan);

#endif
