/* tools/lab_run.c - shoal lab run: one scenario, in virtual time or by real processes, and what came of it. */
#include "tools/lab_inner.h"

#include "tools/lab/real/real.h"
#include "tools/lab/svg.h"
#include "tools/lab/tell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int write_svg(struct lab *lab, const struct lab_result *r)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	FILE *to = fopen(lab->svg, "wb");
	if (to != NULL)
		lab_svg_write(r, to);
	if (to == NULL || ferror(to) != 0 || fclose(to) != 0)
		return shoal_say_fail(lab->tool, SHOAL_ERR_IO, "%s: %s", shoal_say_cstr(lab->svg, shown),
				      strerror(errno));
	return 0;
}

static void on_records(void *to, struct shoal_bytes records, shoal_us now)
{
	struct lab *lab = to;
	shoal_record_add(lab->tool, &lab->file, records, now);
	lab->recorded = now;
}

/* "7": by its number, as the trace has it; "leeches", "leeches.3": the first of a group, the third. */
static int node_of(const struct lab_scenario *s, const char *text, size_t len)
{
	char name[64];
	uint32_t number, k = 1;
	if (len == 0 || len >= sizeof name)
		return -1;
	memcpy(name, text, len);
	name[len] = '\0';
	if (shoal_options_count(name, &number) == 0)
		return number < lab_scenario_nodes(s) ? (int)number : -1;
	char *dot = strrchr(name, '.');
	if (dot != NULL && shoal_options_count(dot + 1, &k) < 0)
		return -1;
	int group = lab_scenario_group(s, name, dot != NULL ? (size_t)(dot - name) : len);
	if (group < 0 || k < 1 || k > (uint32_t)s->nodes[group].count.v)
		return -1;
	number = k - 1;
	for (int i = 0; i < group; i++)
		number += (uint32_t)s->nodes[i].count.v;
	return (int)number;
}

static int open_record(struct lab *lab, struct lab_suite *suite)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	struct shoal_flight_head head = { .began = SIM_START };
	lab->file.fd = -1;
	if (lab->record == NULL)
		return 0;
	const char *colon = strchr(lab->record, ':');
	int node = colon != NULL ? node_of(suite->s, lab->record, (size_t)(colon - lab->record)) : -1;
	if (node < 0 || colon[1] == '\0')
		return shoal_say_fail(
			lab->tool, SHOAL_ERR_USAGE,
			"--record %s: it takes NODE:FILE, NODE one of its nodes: a number, a group or GROUP.K",
			shoal_say_cstr(lab->record, shown));
	if (suite->from != suite->to)
		return shoal_say_fail(lab->tool, SHOAL_ERR_USAGE, "--record is of one run: give one --seed");
	int code = shoal_record_open(lab->tool, &lab->file, colon + 1, &head);
	if (code != 0)
		return code;
	lab->recorded = SIM_START;
	suite->o.recorded = on_records;
	suite->o.recorded_to = lab;
	suite->o.record = (unsigned)node;
	return 0;
}

/* The virtual run that this real one is meant to be like. */
static void beside(struct lab *lab, struct lab_suite *suite, const struct lab_result *real)
{
	struct lab_result world;
	const struct lab_run_options o = { .seed = real->seed, .content = &suite->cases[0].content };
	if (lab_run(suite->s, &o, &world))
		lab_tell_beside(lab->tool, real, &world);
	lab_result_free(&world);
}

static int run_seeds(struct lab *lab, struct lab_suite *suite, const char *path, const struct lab_real *real)
{
	int code = open_record(lab, suite);
	if (code != 0)
		return code;
	lab_suite_judge(suite);
	if (real != NULL && real->err < 0)
		return lab_real_failed(lab, real);
	shoal_record_close(&lab->file, lab->recorded);
	shoal_progress_clear(&lab->progress);
	for (uint64_t seed = suite->from; code == 0 && seed <= suite->to; seed++) {
		const struct lab_result *r = lab_suite_result(suite, seed);
		if (r == NULL)
			return SHOAL_EXIT_INTERRUPTED;
		if (lab->tool->json)
			lab_tell_run_json(lab->tool, suite, r);
		else if (!lab->tool->quiet)
			lab_tell_run(lab->tool, suite, r);
		if (lab->beside)
			beside(lab, suite, r);
		if (lab->svg != NULL && seed == suite->from)
			code = write_svg(lab, r);
	}
	if (code == 0 && suite->verdict == LAB_MISSED) {
		lab_tell_reason(lab->tool, suite, path, lab->keep);
		code = SHOAL_EXIT_DATA;
	}
	return code;
}

static const struct shoal_opt_page run_page = {
	"FILE [--seed N | --seeds A..B] [--policy off|lt|full] [--svg FILE] [--real]",
	"Runs a test swarm in virtual time: real nodes of this engine, on lines, disks and clocks of the\n"
	"scenario's making. FILE is a scenario, or the name of a shipped one (S1; see shoal lab list). The same\n"
	"file and seed give the same run, to the byte, on every machine. Afterwards: when each group was\n"
	"complete, held against the fluid bound; who served whom; and what the scenario says must hold.\n"
	"With --real the same file is run by real processes, of this program and of others (kind: libtorrent,\n"
	"transmission, aria2, rtorrent), each in a network namespace of its own, on lines that a relay makes. No\n"
	"packet leaves the place, and nothing of it stays. What cannot be had for real is refused with its line.\n"
	"Exit code 1 when something that must hold did not, 2 when the scenario needs what is not built yet, or\n"
	"a program that is not installed; 4 when there are no namespaces to be had (neither root, nor user\n"
	"namespaces), or no room for the copies; 130 when interrupted.",
	"  shoal lab example > first.yaml && shoal lab run first.yaml --svg first.svg\n"
	"  shoal lab run S1 --quick --policy off          the same swarm without any reputation\n"
	"  shoal lab run first.yaml --real                the same with real processes (as root, or with user "
	"namespaces)\n"
	"  shoal lab run S2a --quick --json | jq 'select(.event == \"group\")'",
};

/* The same file, by real processes. */
static int run_real(struct lab *lab, struct lab_suite *suite, const char *path, struct shoal_bytes text)
{
	struct lab_real real;
	struct lab_fault fault;
	char lacks[200];
	int code, rc = lab_plan_check(suite->s, text, &fault);
	if (rc == SHOAL_ERR_UNSUPPORTED)
		return lab_fault_at(lab, path, &fault, SHOAL_EXIT_USAGE, rc);
	if (rc < 0)
		return shoal_say_fail(lab->tool, rc, "%s", shoal_err_name(rc));
	if (lab_suite_lacks(suite)[0])
		return lab_not_runnable(lab, suite);
	if (lab->beside && lab_build_lacks(suite->s, lacks, sizeof lacks) > 0)
		return shoal_say_fail(lab->tool, SHOAL_ERR_USAGE,
				      "--beside: there is no virtual run of %s, it needs: %s", suite->s->name, lacks);
	if (lab_real_enter(lab, &real, &code) > 0)
		return code;
	suite->o.make_to = &real;
	code = run_seeds(lab, suite, path, &real);
	suite->o.make_to = NULL;
	return code;
}

static int run_file(struct lab *lab, struct lab_suite_options *o, const char *path)
{
	struct lab_suite suite;
	struct shoal_space text = { 0 };
	int code = lab_open_suite(lab, &suite, path, o, &text);
	if (code == 0) {
		if (lab->real)
			code = run_real(lab, &suite, path, (struct shoal_bytes){ text.at, text.len });
		else if (lab_suite_lacks(&suite)[0])
			code = lab_not_runnable(lab, &suite);
		else
			code = run_seeds(lab, &suite, path, NULL);
		lab_suite_fini(&suite);
	}
	free(text.at);
	return code;
}

/* With the trace's file open meanwhile. */
static int run_traced(struct lab *lab, struct lab_suite_options *o, const char *path)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	if (lab->trace == NULL)
		return run_file(lab, o, path);
	o->trace = fopen(lab->trace, "wb");
	int code = o->trace != NULL ? run_file(lab, o, path) : 0;
	if (o->trace == NULL || ferror(o->trace) != 0 || fclose(o->trace) != 0)
		return shoal_say_fail(lab->tool, SHOAL_ERR_IO, "%s: %s", shoal_say_cstr(lab->trace, shown),
				      strerror(errno));
	return code;
}

int lab_run_main(struct lab *lab, int argc, char **argv)
{
	struct shoal_opt_list args = { 0 };
	struct lab_suite_options o;
	/* clang-format off */
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_TEXT, "seed", 's', &lab->seed, "N", NULL, "which run (1)" },
		{ SHOAL_OPT_TEXT, "seeds", 0, &lab->seeds, "A..B", NULL, "several runs, one after another" },
		{ SHOAL_OPT_TEXT, "svg", 0, &lab->svg, "FILE", NULL, "a picture of the (first) run" },
		{ SHOAL_OPT_TEXT, "trace", 0, &lab->trace, "FILE", NULL, "every event of every node, one JSON object a line" },
		{ SHOAL_OPT_TEXT, "record", 0, &lab->record, "NODE:FILE", NULL, "what that node decides and why, for shoal explain" },
		{ SHOAL_OPT_FLAG, "beside", 0, &lab->beside, NULL, NULL, "--real: and in virtual time too, to see how far that is off" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	int rc = lab_parse(lab, &run_page, own, LAB_OPTIONS_ALL, argc, argv, &args),
	    code = rc < 0 ? shoal_exit_of(rc) : 0;
	if (rc == 0 && args.count != 1)
		code = shoal_say_fail(lab->tool, SHOAL_ERR_USAGE, "one FILE is needed; see shoal lab run --help");
	else if (rc == 0 && (code = lab_read_options(lab, &o)) == 0) {
		o.alone = true;
		lab_default_seeds(&o, 1, 1);
		code = lab_with_file(lab, &o, args.at[0], run_traced);
	}
	shoal_opt_list_fini(&args);
	return code;
}
