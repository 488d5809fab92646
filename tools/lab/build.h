/*
 * tools/lab/build.h - a scenario made into a virtual world: the one place that knows both.
 */
#ifndef LAB_BUILD_H
#define LAB_BUILD_H

#include "tools/lab/result.h"
#include "tools/lab/world/world.h"

/* So begins what a virtual run lacks and a real one has. */
#define LAB_BUILD_REAL "--real ("
/*
 * What a run of this scenario would need that the lab does not have, ", " between; returns how many things that are.
 */
unsigned lab_build_lacks(const struct lab_scenario *s, char *what, size_t size);
/* The content; the same for all runs of a scenario. Aborts when memory is short. */
void lab_build_content(const struct lab_scenario *s, struct sim_content *content);

/* What was drawn for one node: seconds. */
struct lab_times {
	double join, leave, life;
};
/*
 * Adds every node of the scenario to the world, with what it has on its disk, and starts none. Fills `node` (figures
 * of the result that stand from the start) and `times`, both of lab_scenario_nodes(); the dice are of `seed` alone.
 */
void lab_build_nodes(const struct lab_scenario *s, struct sim *sim, uint64_t seed, struct lab_result_node *node,
		     struct lab_times *times);
/* fluid.h over the honest. */
double lab_build_bound(const struct lab_scenario *s, const struct lab_result_node *node, unsigned nodes);

#endif
