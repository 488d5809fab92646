/*
 * tools/lab/calibration.h - how far the virtual world is off: times of real runs against those of virtual ones.
 */
#ifndef LAB_CALIBRATION_H
#define LAB_CALIBRATION_H

#include "tools/lab/result.h"

#define LAB_CALIBRATION_RUNS_MAX 20 /* of each world */
#define LAB_CALIBRATION_TIMES 2

/* One time, by both worlds: medians over the runs, and off = world / real - 1. NAN: there is none. */
struct lab_off {
	double real, world, off;
};
struct lab_calibration {
	unsigned runs;
	double real[LAB_CALIBRATION_TIMES][LAB_CALIBRATION_RUNS_MAX],
		world[LAB_CALIBRATION_TIMES][LAB_CALIBRATION_RUNS_MAX];
};

/* The metrics that are compared: of the median leech, and of the last. */
extern const char *const lab_calibration_times[LAB_CALIBRATION_TIMES];
/* Two runs of one seed. Those beyond RUNS_MAX are left out. */
void lab_calibration_add(struct lab_calibration *c, const struct lab_result *real, const struct lab_result *world);
struct lab_off lab_calibration_off(const struct lab_calibration *c, unsigned time);
/* Whether all times are there, and none is off by more than `bar` (a share), either way. */
bool lab_calibration_holds(const struct lab_calibration *c, double bar);

#endif
