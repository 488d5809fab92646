/* test_lab_figures.c - quantities, spreads, the fluid bounds, and the lines of must_hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tools/lab/fluid.h"
#include "tools/lab/hold.h"
#include "tools/lab/quantity.h"

static const struct {
	const char *text;
	enum lab_unit unit;
	double want; /* < 0: no such thing */
} quantities[] = {
	{ "0", LAB_COUNT, 0 },		 { "100", LAB_COUNT, 100 },
	{ "1.5", LAB_COUNT, -1 },	 { "-1", LAB_COUNT, -1 },
	{ "", LAB_COUNT, -1 },		 { "3x", LAB_COUNT, -1 },
	{ "64K", LAB_SIZE, 65536 },	 { "1.5G", LAB_SIZE, 1610612736 },
	{ "4MiB", LAB_SIZE, 4194304 },	 { "4MB", LAB_SIZE, -1 },
	{ "4 M", LAB_SIZE, 4194304 },	 { "9999T", LAB_SIZE, -1 },
	{ "4M", LAB_RATE, 4194304 },	 { "4M/s", LAB_RATE, 4194304 },
	{ "20Mbit", LAB_RATE, 2.5e6 },	 { "8kbit", LAB_RATE, 1000 },
	{ "none", LAB_RATE, 0 },	 { "1Gbit/s", LAB_RATE, 125e6 },
	{ "10", LAB_TIME, 10 },		 { "20ms", LAB_TIME, 0.02 },
	{ "5min", LAB_TIME, 300 },	 { "2h", LAB_TIME, 7200 },
	{ "never", LAB_TIME, INFINITY }, { "5 parsecs", LAB_TIME, -1 },
	{ "0.5%", LAB_SHARE, 0.005 },	 { "20ppm", LAB_SHARE, 2e-5 },
	{ "0.25", LAB_SHARE, 0.25 },	 { ".5", LAB_SHARE, -1 },
	{ "1..2", LAB_SHARE, -1 },	 { "0x10", LAB_SIZE, -1 },
	{ "1e3", LAB_SIZE, -1 },	 { "nan", LAB_SHARE, -1 },
	{ "inf", LAB_TIME, -1 },
};

static void quantities_mean_what_they_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof quantities / sizeof *quantities; i++) {
		double v = -2;
		int rc = lab_quantity(quantities[i].text, quantities[i].unit, &v);
		if (quantities[i].want < 0
			    ? rc == 0
			    : rc < 0 || !(v == quantities[i].want || fabs(v - quantities[i].want) < 1e-12))
			fail_msg("'%s': %d, %g", quantities[i].text, rc, v);
	}
}

static void spreads_have_their_means(void **state)
{
	static const struct {
		const char *text;
		enum lab_unit unit;
		double mean, tolerance;
	} spreads[] = {
		{ "each(1, 2, 6)", LAB_COUNT, 3, 0 },
		{ "uniform(10s, 20s)", LAB_TIME, 15, 0.1 },
		{ "loguniform(20ms, 200ms)", LAB_TIME, 0.18 / 2.302585 /* ln 10 */, 0.001 },
		{ "lognormal(8M, 0.5)", LAB_SIZE, (8 << 20) * 1.133148 /* e^(1/8) */, 2e5 },
		{ "exponential(300s)", LAB_TIME, 300, 6 },
	};
	static double v[30000];
	char why[160];
	(void)state;
	for (size_t i = 0; i < sizeof spreads / sizeof *spreads; i++) {
		struct lab_spread s;
		struct shoal_rng rng = shoal_rng_split(7, i);
		double sum = 0;
		assert_int_equal(lab_spread_parse(&s, spreads[i].text, spreads[i].unit, why), 0);
		lab_spread_draw(&s, &rng, v, 30000);
		for (size_t k = 0; k < 30000; k++)
			sum += v[k];
		if (fabs(sum / 30000 - spreads[i].mean) > spreads[i].tolerance)
			fail_msg("%s: mean %g, wanted %g", spreads[i].text, sum / 30000, spreads[i].mean);
	}
	/* Arrivals: in order, on average that far apart. */
	struct lab_spread s;
	struct shoal_rng rng = shoal_rng_split(7, 99);
	assert_int_equal(lab_spread_parse(&s, "poisson(2s)", LAB_TIME, why), 0);
	lab_spread_draw(&s, &rng, v, 30000);
	for (size_t k = 1; k < 30000; k++)
		assert_true(v[k] >= v[k - 1]);
	assert_true(v[0] == 0 && fabs(v[29999] / 29999 - 2) < 0.05);
}

/* By hand: the figures of the common set-up of 100 leeches of 20 Mbit/s, 1 GiB. */
static void bounds_are_those_of_the_papers(void **state)
{
	static struct lab_fluid_node node[1001];
	double gib = 1073741824;
	(void)state;
	for (size_t i = 0; i < 1001; i++)
		node[i] = (struct lab_fluid_node){ 2.5e6, 25e6, false };
	node[0] = (struct lab_fluid_node){ 12.5e6, 25e6, true };
	assert_true(fabs(lab_fluid_bound(node, 101, gib) - 409.0) < 0.1);
	assert_true(fabs(lab_fluid_bound(node, 1001, gib) - 427.4) < 0.1);
	node[0].up = 1.25e6; /* the seed is the bottleneck */
	assert_true(fabs(lab_fluid_bound(node, 101, gib) - 859.0) < 0.1);
	node[50].down = 1e6; /* and then the slowest leech */
	assert_true(fabs(lab_fluid_bound(node, 101, gib) - gib / 1e6) < 0.1);
	assert_true(isinf(lab_fluid_bound(node + 1, 10, gib)));
	assert_true(lab_fluid_bound(node, 1, gib) == 0);
	struct lab_fluid_node free_line[2] = { { 0, 0, true }, { 0, 0, false } };
	assert_true(lab_fluid_bound(free_line, 2, gib) == 0);
	assert_true(fabs(lab_fluid_fair(1e6, 25e6, 10e6, 10, gib) - gib / 2e6) < 1e-6);
	assert_true(fabs(lab_fluid_fair(1e6, 1.5e6, 10e6, 10, gib) - gib / 1.5e6) < 1e-6);
	/* 429.5 s of uplink, 120 s as a seed, 300 s of patience: 1 / (1/309.5 + 1/300) */
	assert_true(fabs(lab_fluid_churn(2.5e6, 25e6, 1.0 / 300, 1.0 / 120, gib) - 152.3) < 0.1);
	/* Seeds that stay: the downlink alone. */
	assert_true(fabs(lab_fluid_churn(2.5e6, 25e6, 0, 0, gib) - gib / 25e6) < 1e-6);
}

static struct lab_scenario *scenario(void)
{
	static const char text[] = "name: a\nsummary: b\ncontent: { size: 1M }\nnodes: [{ name: x }, { name: y }]\n"
				   "runs: [{ name: other, set: [] }]\n";
	struct lab_scenario *s = NULL;
	struct lab_fault fault;
	if (lab_scenario_parse(&s, (struct shoal_bytes){ (const uint8_t *)text, sizeof text - 1 }, NULL, 0, &fault) < 0)
		fail_msg("%s", fault.what);
	return s;
}

/* Metric n of the run, as 10 n + what tells group and run apart. */
static double answer(void *to, const struct lab_step *m)
{
	(void)to;
	return 10.0 * m->metric + m->group + 1 + (m->run == LAB_RUN_MAIN ? 0 : m->run >= LAB_RUN_POLICY ? 3 : 5);
}

static void lines_are_computed_as_written(void **state)
{
	/* t50 is metric 0, t95 1, tmax 2 */
	static const struct {
		const char *text;
		double left, right;
		bool holds;
	} lines[] = {
		{ "t95 <= 10", 10, 10, true },
		{ "t95 < 10", 10, 10, false },
		{ "t95 + 2 * 3 >= 16", 16, 16, true },
		{ "(t95 + 2) * 3 > 36", 36, 36, false },
		{ "tmax / t95 - 1 == 1", 1, 1, true },
		{ "t95[y] == 12", 12, 12, true },
		{ "t95(other) == 15", 15, 15, true },
		{ "t95[x](off) == 14", 14, 14, true },
		{ "always 0.5% <= 5000ppm", 0.005, 0.005, true },
		{ "mean 12M == 12 * 1M", 12582912, 12582912, true },
		{ "in 99% 20 - 5 - 5 == 10", 10, 10, true },
		{ "t50 / t50 <= 1", NAN, 1, false },
	};
	struct lab_scenario *s = scenario();
	char why[200];
	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct lab_hold h;
		double left, right;
		if (lab_hold_parse(&h, lines[i].text, s, why) < 0)
			fail_msg("%s: %s", lines[i].text, why);
		lab_hold_sides(&h, answer, NULL, &left, &right);
		if ((isnan(lines[i].left) ? !isnan(left) : fabs(left - lines[i].left) > 1e-9) ||
		    fabs(right - lines[i].right) > 1e-9 || lab_hold_compare(&h, left, right, 0) != lines[i].holds)
			fail_msg("%s: %g, %g", lines[i].text, left, right);
	}
	lab_scenario_free(s);
}

static void over_seeds_as_the_line_says(void **state)
{
	static const double left[] = { 1.0, 1.1, 1.9, 1.2, 1.15 }, right[] = { 1.3, 1.3, 1.3, 1.3, 1.3 };
	static const double no[] = { 1.0, NAN, NAN, NAN, 1.1 };
	static const struct {
		const char *text;
		bool holds;
		double shown;
	} lines[] = {
		{ "t50 <= 1.3", true, 1.15 },	     { "always t50 <= 1.3", false, 1.9 },
		{ "mean t50 <= 1.3", true, 1.27 },   { "in 80% t50 <= 1.3", true, 1.9 },
		{ "in 81% t50 <= 1.3", false, 1.9 },
	};
	struct lab_scenario *s = scenario();
	struct lab_hold h;
	char why[200];
	double l, r;
	size_t worst;
	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		assert_int_equal(lab_hold_parse(&h, lines[i].text, s, why), 0);
		bool holds = lab_hold_over(&h, left, right, 5, 0, &l, &r, &worst);
		if (holds != lines[i].holds || fabs(l - lines[i].shown) > 1e-9 || worst != 2)
			fail_msg("%s: %d, %g, worst %zu", lines[i].text, holds, l, worst);
	}
	/* A run without the figure is no good one. */
	assert_int_equal(lab_hold_parse(&h, "t50 <= 1.3", s, why), 0);
	assert_false(lab_hold_over(&h, no, right, 5, 0, &l, &r, &worst));
	assert_true(worst == 1);
	/* Slack is a share of the limit. */
	assert_int_equal(lab_hold_parse(&h, "always t50 <= 1.3", s, why), 0);
	assert_true(lab_hold_over(&h, left, right, 2, 0, &l, &r, &worst));
	assert_true(lab_hold_over(&h, left, right, 5, 0.5, &l, &r, &worst));
	lab_scenario_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantities_mean_what_they_say),  cmocka_unit_test(spreads_have_their_means),
		cmocka_unit_test(bounds_are_those_of_the_papers), cmocka_unit_test(lines_are_computed_as_written),
		cmocka_unit_test(over_seeds_as_the_line_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
