/*
 * tests/sim/crash.h - what must hold once a node has died and come back.
 */
#ifndef SIM_CRASH_H
#define SIM_CRASH_H

#include "tools/lab/world/world.h"

/* From now on it is a breach to hash again a piece whose claim outlived the crash: the record is what it is kept for. */
void crash_watch(struct sim_node *n);

/* Of one that has been started again: waits until it has looked at what it has. That must be all that it ever announced,
 * and nothing that is not so; what is amiss is a breach (sim_wrong()). */
void crash_check(struct sim_node *n);

/* It has looked, or says that it cannot: for sim_run(), of that node. */
bool crash_looked(struct sim *sim, void *node);

#endif
