/*
 * tools/lab/real/real.h - `shoal lab run --real`: a scenario run by real processes in a closed place.
 */
#ifndef LAB_REAL_H
#define LAB_REAL_H

#include "tools/lab/real/stage.h"
#include "tools/lab/run.h"

struct lab_real {
	char scratch[LAB_STAGE_PATH_MAX]; /* of the closed place */
	char shoal[LAB_STAGE_PATH_MAX];	  /* this program */
	char hostile[LAB_STAGE_PATH_MAX]; /* tools/hostile */
	bool keep;
	unsigned runs; /* so far */
	int err;       /* of a run that could not be made: an enum shoal_err, and why */
	char why[LAB_STAGE_WHY_MAX];
};

/* Finds the programs; before the closed place is entered. 0 or IO. */
SHOAL_MUST int lab_real_init(struct lab_real *real);
/*
 * As lab_run(), for lab_suite_options.make. false: told to end, or `real->err` says what could not be done; then
 * `r` is empty.
 */
bool lab_real_run(void *real, const struct lab_scenario *s, const struct lab_run_options *o, struct lab_result *r);
/* As lab_build_lacks(): why there can be no real run of it, the first reason; a program that is not installed is one. */
unsigned lab_real_lacks(const struct lab_scenario *s, char *what, size_t size);

#endif
