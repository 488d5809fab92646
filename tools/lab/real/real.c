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
	struct lab_fault fault;
	what[0] = 0;
	if (s->needs.count > 0)
		snprintf(what, size, "it needs %s", s->needs.at[0]);
	else if (lab_plan_check(s, (struct shoal_bytes){ 0 }, &fault) < 0)
		snprintf(what, size, "%s", fault.what);
	for (unsigned i = 0; i < s->nodes_count && what[0] == 0; i++) {
		const struct lab_group *g = &s->nodes[i];
		enum lab_kind kind = (enum lab_kind)g->kind.v;
		const char *program = lab_command_program(kind);
		if (g->count.v > 0 && program != NULL && !lab_stage_installed(program))
			snprintf(what, size, "%s is not installed (Debian: apt install %s)", program,
				 lab_command_package(kind));
	}
	return what[0] != 0;
}
