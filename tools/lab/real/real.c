/* real.c - see real.h. */
#include "tools/lab/real/real.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "tools/lab/real/drive.h"

int lab_real_init(struct lab_real *real)
{
	*real = (struct lab_real){ 0 };
	ssize_t n = readlink("/proc/self/exe", real->shoal, sizeof real->shoal - 1);
	bool installed = access(SHOAL_HOSTILE_INSTALLED, X_OK) == 0;
	snprintf(real->hostile, sizeof real->hostile, "%s", installed ? SHOAL_HOSTILE_INSTALLED : SHOAL_HOSTILE_TREE);
	return n > 0 ? 0 : SHOAL_ERR_IO;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool lab_real_run(void *to, const struct lab_scenario *s, const struct lab_run_options *o, struct lab_result *r)
{
	struct lab_real *real = to;
	struct lab_stage stage = { 0 };
	double began = now();
	char root[LAB_STAGE_PATH_MAX];
	const struct lab_command_place place = { .shoal = real->shoal, .hostile = real->hostile };
	*r = (struct lab_result){ 0 };
	snprintf(root, sizeof root, "%.1100s/run-%u", real->scratch, ++real->runs);
	int rc = lab_stage_open(&stage, s, o->content, o->seed, root, place, real->why);
	if (rc == 0) {
		rc = lab_drive(&stage, o, r);
		if (rc < 0)
			snprintf(real->why, sizeof real->why, "%s",
				 r->wrong[0] ? r->wrong : "the machine ran out of memory, processes or files");
	}
	lab_stage_close(&stage, real->keep);
	r->wall = now() - began;
	r->before -= began;
	if (rc <= 0) {
		real->err = rc;
		lab_result_free(r);
		*r = (struct lab_result){ 0 };
	}
	return rc > 0;
}

unsigned lab_real_lacks(const struct lab_scenario *s, char *what, size_t size)
{
	size_t n = 0;
	what[0] = 0;
	for (unsigned i = 0; i < s->needs.count && n < size; i++)
		n += (size_t)snprintf(what + n, size - n, "%s%s", i > 0 ? ", " : "", s->needs.at[i]);
	return s->needs.count;
}
