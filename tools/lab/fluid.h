/*
 * tools/lab/fluid.h - how fast a swarm could be if data were a fluid: what the times of a run are held against.
 *
 * Nothing that sends whole pieces reaches these bounds; how near it comes is its quality.
 */
#ifndef LAB_FLUID_H
#define LAB_FLUID_H

#include <stddef.h>
#include <stdbool.h>

/* One node that is there from the start. Rates in bytes a second, 0: no limit. */
struct lab_fluid_node {
	double up, down;
	bool seed;
};

/*
 * The least time in which every leech can have `bytes` (R. Kumar, K. Ross, "Peer-assisted file distribution: the
 * minimum distribution time", 2006): no faster than the slowest of them can receive, than the seeds can send it once,
 * and than all lines together can send a copy to each. Seconds; 0 without leeches or when nothing limits them,
 * INFINITY when there is nobody to get it from.
 */
double lab_fluid_bound(const struct lab_fluid_node *node, size_t count, double bytes);
/*
 * What one leech may expect when each gets as much as it gives, and its share of what the seeds give.
 */
double lab_fluid_fair(double up, double down, double seeds_up, size_t leeches, double bytes);
/*
 * Mean time in a swarm of comers and goers (D. Qiu, R. Srikant, "Modeling and performance analysis of
 * BitTorrent-like peer-to-peer networks", 2004), eta = 1: each gives up at rate `abort` and, as a seed, leaves at rate
 * `leave` a second.
 */
double lab_fluid_churn(double up, double down, double abort, double leave, double bytes);

#endif
