/* test_lab_suite.c - lines of must_hold over runs that somebody else makes: what is judged, what is not measured, and medians. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/lab/metric.h"
#include "tools/lab/suite.h"

static const char text[] =
	"name: x\nsummary: y\ncontent: { size: 1M, format: v1 }\n"
	"nodes: [{ name: seed, has: all }, { name: l }]\n"
	"runs:\n  - { name: other, set: [\"seed.kind = aria2\", \"l.kind = aria2\"] }\n"
	"  - { name: unfit, set: [\"l.slots = 3\"] }\n"
	"must_hold: [tmax <= 10s, tmax / tmax(other) < 1, idle <= 9s, waste <= 1%, waste(other) <= 1%,\n"
	"            false_bans(other) == 0, tmax(unfit) <= 9s, tmax(off) <= 9s, \"waste[l] <= 1%\"]\n";

/* A real run: ours takes as many seconds as its seed says, aria2 ten times as long. */
static bool make(void *to, const struct lab_scenario *s, const struct lab_run_options *o, struct lab_result *r)
{
	bool ours = s->nodes[1].kind.v == LAB_KIND_NATIVE;
	*r = (struct lab_result){ .s = s, .seed = o->seed, .real = true, .nodes = 2, .groups = 2, .bound = 1 };
	r->node = calloc(2, sizeof *r->node);
	for (unsigned i = 0; i < 2; i++)
		r->node[i] = (struct lab_result_node){ .group = i,
						       .honest = true,
						       .wants = i > 0,
						       .silent = !ours,
						       .complete = (double)o->seed * (ours ? 1 : 10),
						       .left = INFINITY };
	++*(unsigned *)to;
	return true;
}

static unsigned lacking(const struct lab_scenario *s, char *what, size_t size)
{
	snprintf(what, size, "%s", s->nodes[1].slots.v > 0 ? "slots" : s->policy.text != NULL ? "a policy" : "");
	return what[0] != 0;
}

static void what_is_not_measured_is_open_and_not_held(void **state)
{
	static const enum lab_verdict want[] = { LAB_HELD, LAB_HELD, LAB_OPEN, LAB_HELD, LAB_OPEN,
						 LAB_OPEN, LAB_OPEN, LAB_OPEN, LAB_HELD };
	static const char *const why[] = { "",
					   "",
					   "only the virtual world",
					   "",
					   "no program there says 'waste'",
					   "no program there says 'false_bans'",
					   "slots",
					   "a policy",
					   "" };
	struct lab_suite suite;
	struct lab_fault fault;
	unsigned made = 0;
	const struct lab_suite_options o = {
		.has_seeds = true, .first = 3, .last = 5, .make = make, .make_to = &made, .lacking = lacking
	};
	(void)state;
	assert_int_equal(lab_suite_open(&suite, shoal_bytes(text, sizeof text - 1), &o, &fault), 0);
	lab_suite_judge(&suite);
	assert_int_equal(suite.lines, sizeof want / sizeof *want);
	for (unsigned i = 0; i < suite.lines; i++)
		if (suite.line[i].verdict != want[i] || strstr(suite.line[i].lacks, why[i]) == NULL)
			fail_msg("%s: %s, %s", suite.line[i].text, lab_verdict_text(suite.line[i].verdict),
				 suite.line[i].lacks);
	assert_int_equal(suite.verdict, LAB_OPEN);
	assert_int_equal(made, 6); /* three seeds, ours and the other's */
	assert_true(lab_suite_median(&suite, 0, "tmax", -1) == 4 && lab_suite_median(&suite, 1, "tmax", -1) == 40);
	assert_true(isnan(lab_suite_median(&suite, 2, "tmax", -1)));
	assert_string_equal(lab_suite_case_name(&suite, 1), "other");
	/* A line that is missed is missed, whatever is open beside it. */
	lab_suite_fini(&suite);
	const struct lab_suite_options slow = {
		.has_seeds = true, .first = 11, .last = 11, .make = make, .make_to = &made, .lacking = lacking
	};
	assert_int_equal(lab_suite_open(&suite, shoal_bytes(text, sizeof text - 1), &slow, &fault), 0);
	lab_suite_judge(&suite);
	assert_int_equal(suite.verdict, LAB_MISSED);
	lab_suite_fini(&suite);
}

/* The virtual world says once what it is that only real processes have. */
static void what_only_real_processes_have_is_told_once(void **state)
{
	static const char real[] =
		"name: x\nsummary: y\nmeet: dht\ncontent: { size: 1M, format: v1 }\n"
		"nodes: [{ name: a, has: all, kind: aria2 }, { name: b, kind: rtorrent, reorder: 1% }]\n";
	struct lab_suite suite;
	struct lab_fault fault;
	const struct lab_suite_options o = { 0 };
	(void)state;
	assert_int_equal(lab_suite_open(&suite, shoal_bytes(real, sizeof real - 1), &o, &fault), 0);
	assert_string_equal(lab_suite_lacks(&suite), "--real (nodes of the kind aria2)");
	lab_suite_fini(&suite);
}

/* What a run sets of its own would undo the small form; what it says for that form counts last. */
static void a_run_has_a_small_form_of_its_own(void **state)
{
	static const char small[] = "name: x\nsummary: y\ncontent: { size: 1M, format: v1 }\n"
				    "nodes: [{ name: seed, has: all }, { name: l, count: 80 }]\n"
				    "runs: [{ name: few, set: [\"l.count = 50\"], quick: [\"l.count = 5\"] }]\n"
				    "must_hold: [tmax(few) <= 100s]\nquick: { set: [\"l.count = 8\"] }\n";
	for (unsigned quick = 0; quick < 2; quick++) {
		struct lab_suite suite;
		struct lab_fault fault;
		unsigned made = 0;
		const struct lab_suite_options o = { .quick = quick > 0, .make = make, .make_to = &made };
		assert_int_equal(lab_suite_open(&suite, shoal_bytes(small, sizeof small - 1), &o, &fault), 0);
		lab_suite_judge(&suite);
		assert_int_equal(suite.verdict, LAB_HELD);
		assert_int_equal(lab_scenario_nodes(suite.cases[0].s), quick > 0 ? 9 : 81);
		assert_int_equal(lab_scenario_nodes(suite.cases[1].s), quick > 0 ? 6 : 51);
		lab_suite_fini(&suite);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_measured_is_open_and_not_held),
		cmocka_unit_test(what_only_real_processes_have_is_told_once),
		cmocka_unit_test(a_run_has_a_small_form_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
