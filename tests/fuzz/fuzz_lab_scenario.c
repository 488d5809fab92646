/* fuzz_lab_scenario.c - any bytes are a scenario, or are told of; and so is each of its settings. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tools/lab/hold.h"
#include "tools/lab/real/plan.h"
#include "tools/lab/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static double answer(void *to, const struct lab_step *metric)
{
	(void)to;
	return metric->metric;
}

/* What can be had for real has a plan; what cannot is told of. */
static void plan(const struct lab_scenario *s, struct shoal_bytes text)
{
	struct lab_fault fault;
	struct lab_plan p;
	int rc = lab_plan_check(s, text, &fault);
	assert(rc == 0 || (rc == SHOAL_ERR_UNSUPPORTED && fault.line > 0 && fault.what[0] != 0));
	if (rc < 0 || lab_plan_make(&p, s, 64, 1) < 0)
		return;
	assert(p.nodes == lab_scenario_nodes(s) && p.nodes <= LAB_PLAN_NODES_MAX);
	lab_plan_fini(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *raw, size_t len)
{
	struct lab_scenario *s = NULL;
	struct lab_fault fault;
	double left, right;
	uint8_t *copy = malloc(len ? len : 1);
	if (copy == NULL)
		return 0;
	if (len)
		memcpy(copy, raw, len);
	int rc = lab_scenario_parse(&s, (struct shoal_bytes){ copy, len }, NULL, 0, &fault);
	assert(rc == 0 ? s != NULL : fault.what[0] != 0);
	if (rc == 0) {
		assert(lab_scenario_nodes(s) >= 1 && lab_scenario_nodes(s) <= LAB_NODES_MAX);
		for (unsigned i = 0; i < s->must_hold.count; i++)
			lab_hold_sides(&s->holds[i], answer, NULL, &left, &right);
		plan(s, (struct shoal_bytes){ copy, len });
		lab_scenario_free(s);
	}
	free(copy);
	return 0;
}
