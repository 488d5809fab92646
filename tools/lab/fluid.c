/* fluid.c - see fluid.h. */
#include "tools/lab/fluid.h"

#include <math.h>

/* A rate of 0 is no limit. */
static double rate(double r)
{
	return r > 0 ? r : INFINITY;
}

double lab_fluid_bound(const struct lab_fluid_node *node, size_t count, double bytes)
{
	double seeds = 0, all = 0, slowest = INFINITY;
	size_t leeches = 0, seed_count = 0;
	for (size_t i = 0; i < count; i++) {
		all += rate(node[i].up);
		if (node[i].seed) {
			seeds += rate(node[i].up);
			seed_count++;
		} else {
			slowest = fmin(slowest, rate(node[i].down));
			leeches++;
		}
	}
	if (leeches == 0)
		return 0;
	if (seed_count == 0)
		return INFINITY;
	return fmax(bytes / slowest, fmax(bytes / seeds, (double)leeches * bytes / all));
}

double lab_fluid_fair(double up, double down, double seeds_up, size_t leeches, double bytes)
{
	double got = rate(up) + (leeches > 0 ? seeds_up / (double)leeches : 0);
	return bytes / fmin(rate(down), got);
}

double lab_fluid_churn(double up, double down, double abort, double leave, double bytes)
{
	/* In copies a second: mu and c of the paper. */
	double mu = rate(up) / bytes, c = rate(down) / bytes;
	double at_uplink = 1 / mu - (leave > 0 ? 1 / leave : INFINITY);
	double beta_inverse = fmax(1 / c, at_uplink);
	return 1 / (abort + 1 / beta_inverse);
}
