/* suite.c - see suite.h. */
#include "tools/lab/suite.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/lab/metric.h"
#include "tools/lab/rank.h"
#include "tools/lab/world/must.h"

const char *lab_verdict_text(enum lab_verdict verdict)
{
	static const char *const text[] = { "held", "MISSED", "open" };
	return text[verdict];
}

static void ask_lacks(const struct lab_suite *suite, struct lab_case *c)
{
	if (suite->o.lacking != NULL)
		suite->o.lacking(c->s, c->lacks, sizeof c->lacks);
	else
		c->for_real = lab_build_lacks(c->s, c->lacks, sizeof c->lacks) == 1 &&
			      strncmp(c->lacks, LAB_BUILD_REAL, strlen(LAB_BUILD_REAL)) == 0;
}

static unsigned case_of(const struct lab_suite *suite, int run)
{
	if (run == LAB_RUN_MAIN)
		return 0;
	return run >= LAB_RUN_POLICY ? 1 + suite->s->runs_count + (unsigned)(run - LAB_RUN_POLICY) : 1 + (unsigned)run;
}

unsigned lab_suite_case_count(const struct lab_suite *suite)
{
	return 1 + suite->s->runs_count + LAB_POLICIES;
}

const char *lab_suite_case_name(const struct lab_suite *suite, unsigned i)
{
	if (i == 0)
		return NULL;
	return i <= suite->s->runs_count ? suite->s->runs[i - 1].name
					 : lab_policy_name((enum lab_policy)(i - 1 - suite->s->runs_count));
}

/* The scenario with the suite's settings, and those of a run or a policy on top. */
static int parse_case(const struct lab_suite *suite, struct lab_scenario **out, const struct lab_quick *quick,
		      const struct lab_variant *variant, const char *policy, struct lab_fault *fault)
{
	const char *set[4 * LAB_SETS_MAX + 1];
	char rule[32];
	size_t n = 0;
	for (unsigned i = 0; suite->o.quick && quick != NULL && i < quick->set.count; i++)
		set[n++] = quick->set.at[i];
	for (size_t i = 0; i < suite->o.set_count; i++)
		set[n++] = suite->o.set[i];
	for (unsigned i = 0; variant != NULL && i < variant->set.count; i++)
		set[n++] = variant->set.at[i];
	for (unsigned i = 0; suite->o.quick && variant != NULL && i < variant->quick.count; i++)
		set[n++] = variant->quick.at[i];
	if (policy != NULL) {
		snprintf(rule, sizeof rule, "policy = %s", policy);
		set[n++] = rule;
	}
	return lab_scenario_parse(out, suite->text, set, n, fault);
}

int lab_suite_open(struct lab_suite *suite, struct shoal_bytes text, const struct lab_suite_options *o,
		   struct lab_fault *fault)
{
	struct lab_scenario *plain = NULL;
	*suite = (struct lab_suite){ .o = *o, .text = text };
	/* As it stands first: what is wrong in it is told with its place. */
	int rc = lab_scenario_parse(&plain, text, NULL, 0, fault);
	if (rc < 0)
		return rc;
	rc = parse_case(suite, &suite->s, &plain->quick, NULL, o->policy, fault);
	if (rc < 0)
		goto out;
	struct lab_scenario *s = suite->s;
	bool small = o->quick && s->quick.set.count > 0;
	suite->from = o->has_seeds ? o->first : small ? s->quick.seeds.from : s->seeds.from;
	suite->to = o->has_seeds ? o->last : small ? s->quick.seeds.to : s->seeds.to;
	suite->slack = small ? s->quick.slack.v : 0;
	suite->cases = sim_must(calloc(lab_suite_case_count(suite), sizeof *suite->cases));
	suite->cases[0].s = s;
	ask_lacks(suite, &suite->cases[0]);
	suite->line = sim_must(calloc((size_t)s->must_hold.count + 1, sizeof *suite->line));
	suite->lines = s->must_hold.count;
	for (unsigned i = 0; i < suite->lines; i++)
		suite->line[i] = (struct lab_line){ .text = s->must_hold.at[i], .hold = &s->holds[i] };
out:
	lab_scenario_free(plain);
	return rc;
}

const char *lab_suite_lacks(const struct lab_suite *suite)
{
	return suite->cases[0].lacks;
}

bool lab_suite_for_real(const struct lab_suite *suite)
{
	return suite->cases[0].for_real;
}

const char *lab_suite_cannot(const struct lab_suite *suite)
{
	return suite->o.make != NULL	   ? "cannot be had for real:"
	       : lab_suite_for_real(suite) ? "needs"
					   : "not yet runnable, needs:";
}

static void open_case(struct lab_suite *suite, unsigned i)
{
	struct lab_case *c = &suite->cases[i];
	struct lab_fault fault;
	unsigned runs = suite->s->runs_count;
	if (c->s == NULL) {
		/* (Of a policy: on top of what --policy says.) */
		int rc = parse_case(suite, &c->s, &suite->s->quick, i <= runs ? &suite->s->runs[i - 1] : NULL,
				    i <= runs ? suite->o.policy : lab_suite_case_name(suite, i), &fault);
		if (rc < 0) {
			/* Each of its settings was good by itself. */
			snprintf(c->lacks, sizeof c->lacks, "settings of %s that go together: %.120s",
				 lab_suite_case_name(suite, i), fault.what);
			return;
		}
		ask_lacks(suite, c);
	}
	if (c->result == NULL)
		c->result = sim_must(calloc((size_t)(suite->to - suite->from) + 1, sizeof *c->result));
}

static bool make_run(struct lab_suite *suite, unsigned i, uint64_t seed, struct lab_result *r)
{
	struct lab_case *c = &suite->cases[i];
	if (!c->has_content) {
		lab_build_content(c->s, &c->content);
		c->has_content = true;
	}
	const struct lab_run_options o = { .seed = seed,
					   .content = &c->content,
					   .real_bytes = suite->o.real_bytes,
					   .trace = suite->o.trace,
					   .recorded = suite->o.recorded,
					   .recorded_to = suite->o.recorded_to,
					   .record = suite->o.record,
					   .dump = suite->o.dump,
					   .stop_at = suite->o.stop_at,
					   .progress = suite->o.progress,
					   .to = suite->o.to };
	if (suite->o.begins != NULL)
		suite->o.begins(suite->o.to, c->s, lab_suite_case_name(suite, i), seed);
	if (!(suite->o.make != NULL ? suite->o.make(suite->o.make_to, c->s, &o, r) : lab_run(c->s, &o, r))) {
		suite->stopped = true;
		return false;
	}
	if (suite->o.ended != NULL)
		suite->o.ended(suite->o.to, r, lab_suite_case_name(suite, i));
	return true;
}

/* The kept run of that case; NULL: stopped, or there can be none. */
static struct lab_result *result_of(struct lab_suite *suite, unsigned i, uint64_t seed)
{
	open_case(suite, i);
	struct lab_case *c = &suite->cases[i];
	if (c->lacks[0] != 0)
		return NULL;
	struct lab_result *r = &c->result[seed - suite->from];
	if (r->node == NULL && (suite->stopped || !make_run(suite, i, seed, r)))
		return NULL;
	if (r->wrong[0] != 0 && suite->broken == NULL)
		suite->broken = r;
	return r;
}

const struct lab_result *lab_suite_result(struct lab_suite *suite, uint64_t seed)
{
	return result_of(suite, 0, seed);
}

/* ---- lines ------------------------------------------------------------------------------------ */

struct asking {
	struct lab_suite *suite;
	uint64_t seed;
};

static double ask(void *to, const struct lab_step *step)
{
	const struct asking *a = to;
	unsigned i = case_of(a->suite, step->run);
	struct lab_result *r = result_of(a->suite, i, a->seed);
	if (r == NULL)
		return NAN;
	if (!lab_metric_twice(lab_metric_at(step->metric)))
		return lab_metric_value(step->metric, r, step->group);
	struct lab_result again;
	double same = make_run(a->suite, i, a->seed, &again) && again.state == r->state && again.steps == r->steps;
	lab_result_free(&again);
	return same;
}

/* A metric of what programs say of themselves, where none of those that are asked does: other people's. */
static bool nobody_says(const struct lab_scenario *s, const struct lab_step *step)
{
	enum lab_saying saying = lab_metric_saying(step->metric);
	for (unsigned i = 0; saying != LAB_SAID_BY_NOBODY && i < s->nodes_count; i++) {
		const struct lab_group *g = &s->nodes[i];
		bool meant = saying == LAB_SAID_BY_ANY || (g->has.v < 1 && (step->group < 0 || step->group == (int)i));
		if (meant && g->count.v > 0 && g->adversary.kind == NULL && g->kind.v <= LAB_KIND_LIBTORRENT)
			return false;
	}
	return saying != LAB_SAID_BY_NOBODY;
}

/* It cannot be judged, for that reason. */
__attribute__((format(printf, 2, 3))) static bool left_open(struct lab_line *line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(line->lacks, sizeof line->lacks, format, args);
	va_end(args);
	return true;
}

/* What stands against judging the line. */
static bool lacks(struct lab_suite *suite, struct lab_line *line)
{
	bool real = suite->o.make != NULL;
	for (unsigned k = 0; k < line->hold->steps; k++) {
		const struct lab_step *step = &line->hold->step[k];
		if (step->op != 'm')
			continue;
		const struct lab_metric *m = lab_metric_at(step->metric);
		unsigned i = case_of(suite, step->run);
		if (m->needs != NULL)
			return left_open(line, "%s", m->needs);
		if (real && lab_metric_virtual_only(step->metric))
			return left_open(line, "only the virtual world sees '%s'", m->name);
		if (i > 0 && suite->o.alone)
			return left_open(line, "the run '%s' (shoal lab check%s makes it)",
					 lab_suite_case_name(suite, i), real ? " --real" : "");
		open_case(suite, i);
		if (suite->cases[i].lacks[0] != 0)
			return left_open(line, "%.150s", suite->cases[i].lacks);
		if (real && nobody_says(suite->cases[i].s, step))
			return left_open(line, "no program there says '%s'", m->name);
	}
	return false;
}

static void judge_line(struct lab_suite *suite, struct lab_line *line)
{
	size_t count = (size_t)(suite->to - suite->from) + 1, worst;
	line->verdict = LAB_OPEN;
	if (lacks(suite, line))
		return;
	double *left = sim_must(calloc(2 * count, sizeof *left)), *right = left + count;
	for (size_t i = 0; i < count && !suite->stopped; i++) {
		struct asking a = { suite, suite->from + i };
		lab_hold_sides(line->hold, ask, &a, &left[i], &right[i]);
	}
	if (suite->stopped) {
		snprintf(line->lacks, sizeof line->lacks, "the runs that were stopped");
	} else {
		line->verdict = lab_hold_over(line->hold, left, right, count, suite->slack, &line->left, &line->right,
					      &worst)
					? LAB_HELD
					: LAB_MISSED;
		line->margin = lab_hold_margin(line->hold, line->left, line->right);
		line->worst_seed = suite->from + worst;
		line->worst_left = left[worst];
		line->worst_right = right[worst];
	}
	free(left);
}

double lab_suite_median(const struct lab_suite *suite, unsigned i, const char *metric, int group)
{
	const struct lab_result *r = suite->cases[i].result;
	size_t all = (size_t)(suite->to - suite->from) + 1, count = 0;
	double *v = sim_must(calloc(all, sizeof *v));
	for (size_t k = 0; r != NULL && k < all; k++) {
		if (r[k].node == NULL)
			continue;
		v[count] = lab_metric_value((unsigned)lab_metric_of(metric), &r[k], group);
		if (!isnan(v[count]))
			count++;
	}
	double out = lab_rank_median(v, count);
	free(v);
	return out;
}

void lab_suite_judge(struct lab_suite *suite)
{
	suite->verdict = LAB_HELD;
	if (lab_suite_lacks(suite)[0] != 0) {
		suite->verdict = LAB_OPEN;
		return;
	}
	/* Whatever the lines ask for, the scenario itself is run with every seed: no rule may be broken. */
	for (uint64_t seed = suite->from; seed <= suite->to && !suite->stopped; seed++)
		(void)result_of(suite, 0, seed);
	for (unsigned i = 0; i < suite->lines; i++) {
		judge_line(suite, &suite->line[i]);
		if (suite->line[i].verdict == LAB_MISSED)
			suite->verdict = LAB_MISSED;
		else if (suite->line[i].verdict == LAB_OPEN && suite->verdict == LAB_HELD)
			suite->verdict = LAB_OPEN;
	}
	if (suite->broken != NULL)
		suite->verdict = LAB_MISSED;
}

void lab_suite_fini(struct lab_suite *suite)
{
	for (unsigned i = 0; suite->cases != NULL && i < lab_suite_case_count(suite); i++) {
		struct lab_case *c = &suite->cases[i];
		for (uint64_t k = 0; c->result != NULL && k <= suite->to - suite->from; k++)
			lab_result_free(&c->result[k]);
		free(c->result);
		if (c->has_content)
			sim_content_fini(&c->content);
		if (i > 0)
			lab_scenario_free(c->s);
	}
	free(suite->cases);
	free(suite->line);
	lab_scenario_free(suite->s);
	*suite = (struct lab_suite){ 0 };
}
