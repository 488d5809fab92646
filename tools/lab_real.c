/* tools/lab_real.c - what `run`, `check` and `calibrate` share of runs by real processes: the way into their closed place. */
#include "tools/lab_inner.h"

#include "tools/lab/real/closed.h"
#include "tools/lab/real/real.h"

#include <stdio.h>
#include <stdlib.h>

void lab_real_options(struct lab_suite_options *o)
{
	o->make = lab_real_run;
	o->lacking = lab_real_lacks;
}

/* What is not installed is like what is not built. */
static int exit_of_real(int err)
{
	return err == SHOAL_ERR_UNSUPPORTED ? SHOAL_EXIT_USAGE
	       : err == SHOAL_ERR_DENIED    ? SHOAL_EXIT_STORAGE
					    : shoal_exit_of(err);
}

int lab_real_failed(struct lab *lab, const struct lab_real *real)
{
	if (real->err == 0)
		return 0;
	shoal_progress_clear(&lab->progress);
	return shoal_say_fail_as(lab->tool, exit_of_real(real->err), real->err, "%s", real->why);
}

/* Outside of the closed place, what comes of it is known by its exit code. */
int lab_real_enter(struct lab *lab, struct lab_real *real, int *code)
{
	char why[LAB_CLOSED_WHY_MAX], scratch[LAB_CLOSED_PATH_MAX];
	const char *parent = lab->scratch != NULL ? lab->scratch : getenv("TMPDIR");
	int rc = lab_real_init(real);
	if (rc < 0) {
		*code = shoal_say_fail(lab->tool, rc, "%s", shoal_err_name(rc));
		return 1;
	}
	rc = lab_closed_enter(parent != NULL && parent[0] != 0 ? parent : "/tmp", lab->keep, scratch, code, why);
	if (rc < 0)
		*code = shoal_say_fail_as(lab->tool, SHOAL_EXIT_STORAGE, rc, "%s", why);
	else if (rc > 0 && *code > 128 && *code != SHOAL_EXIT_INTERRUPTED)
		*code = shoal_say_fail_as(lab->tool, SHOAL_EXIT_STORAGE, SHOAL_ERR_GONE,
					  "the processes of the run are gone, by signal %d", *code - 128);
	if (rc != 0)
		return 1;
	snprintf(real->scratch, sizeof real->scratch, "%s", scratch);
	real->keep = lab->keep;
	if (lab->keep)
		shoal_say_log(lab->tool, SHOAL_LOG_WARN, "kept: %s", scratch);
	return 0;
}
