/* calibration.c - see calibration.h. */
#include "tools/lab/calibration.h"

#include <math.h>
#include <string.h>
#include "tools/lab/metric.h"
#include "tools/lab/rank.h"

const char *const lab_calibration_times[LAB_CALIBRATION_TIMES] = { "t50", "tmax" };

void lab_calibration_add(struct lab_calibration *c, const struct lab_result *real, const struct lab_result *world)
{
	if (c->runs == LAB_CALIBRATION_RUNS_MAX)
		return;
	for (unsigned t = 0; t < LAB_CALIBRATION_TIMES; t++) {
		unsigned metric = (unsigned)lab_metric_of(lab_calibration_times[t]);
		c->real[t][c->runs] = lab_metric_value(metric, real, -1);
		c->world[t][c->runs] = lab_metric_value(metric, world, -1);
	}
	c->runs++;
}

static double median(const double *of, unsigned count)
{
	double v[LAB_CALIBRATION_RUNS_MAX];
	memcpy(v, of, count * sizeof *v);
	return lab_rank_median(v, count);
}

struct lab_off lab_calibration_off(const struct lab_calibration *c, unsigned time)
{
	struct lab_off o = { median(c->real[time], c->runs), median(c->world[time], c->runs), NAN };
	if (isfinite(o.real) && isfinite(o.world) && o.real > 0)
		o.off = o.world / o.real - 1;
	return o;
}

bool lab_calibration_holds(const struct lab_calibration *c, double bar)
{
	for (unsigned t = 0; t < LAB_CALIBRATION_TIMES; t++)
		if (!(fabs(lab_calibration_off(c, t).off) <= bar))
			return false;
	return true;
}
