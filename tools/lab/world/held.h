/*
 * tools/lab/world/held.h - what one node has come to hold against others.
 */
#ifndef SIM_HELD_H
#define SIM_HELD_H

struct sim_node;

/*
 * Tells of each node of which `n`, which runs, has evidence that its blocks are false, above what it expected of a stranger
 * at first: `blocks`' worth, under its address or its key. In the order of the table, which says nothing.
 */
void sim_node_held(const struct sim_node *n, void (*tell)(void *to, const struct sim_node *other, double blocks),
		   void *to);

#endif
