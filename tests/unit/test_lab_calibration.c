/* test_lab_calibration.c - two worlds beside each other: medians, how far one is off, and that nothing missing is ever held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>

#include <cmocka.h>

#include "tools/lab/calibration.h"

/* A run in which two leeches took so long; INFINITY: never. */
static struct lab_result took(struct lab_result_node node[3], double first, double last)
{
	for (unsigned i = 0; i < 3; i++)
		node[i] = (struct lab_result_node){ .honest = true, .wants = i > 0, .left = INFINITY };
	node[0].complete = 0;
	node[1].complete = first;
	node[2].complete = last;
	return (struct lab_result){ .node = node, .nodes = 3, .real = true };
}

static void add(struct lab_calibration *c, double real, double world)
{
	struct lab_result_node a[3], b[3];
	struct lab_result r = took(a, real / 2, real), w = took(b, world / 2, world);
	lab_calibration_add(c, &r, &w);
}

static void the_median_run_counts(void **state)
{
	struct lab_calibration c = { 0 };
	(void)state;
	add(&c, 10, 10.5);
	add(&c, 100, 11);
	add(&c, 11, 99);
	struct lab_off last = lab_calibration_off(&c, 1), half = lab_calibration_off(&c, 0);
	assert_float_equal(last.real, 11, 1e-9);
	assert_float_equal(last.world, 11, 1e-9);
	assert_float_equal(last.off, 0, 1e-9);
	assert_float_equal(half.real, 5.5, 1e-9);
	assert_true(lab_calibration_holds(&c, 0));
}

static void off_is_off_either_way(void **state)
{
	static const struct {
		double real, world, off;
		bool within; /* 10 % */
	} rows[] = {
		{ 10, 10.9, 0.09, true }, { 10, 9.1, -0.09, true }, { 10, 11.2, 0.12, false }, { 10, 8.8, -0.12, false }
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct lab_calibration c = { 0 };
		add(&c, rows[i].real, rows[i].world);
		assert_float_equal(lab_calibration_off(&c, 1).off, rows[i].off, 1e-9);
		assert_int_equal(lab_calibration_holds(&c, 0.1), rows[i].within);
	}
}

static void what_is_missing_never_holds(void **state)
{
	struct lab_calibration c = { 0 };
	(void)state;
	assert_false(lab_calibration_holds(&c, 1000)); /* no run at all */
	add(&c, INFINITY, 10);
	assert_false(lab_calibration_holds(&c, 1000));
	c = (struct lab_calibration){ 0 };
	add(&c, 10, INFINITY);
	assert_false(lab_calibration_holds(&c, 1000));
	/* One of three is no median; and no more are kept than there is room for. */
	add(&c, 10, 10);
	add(&c, 10, 10);
	assert_true(lab_calibration_holds(&c, 0.1));
	for (unsigned i = 0; i < 2 * LAB_CALIBRATION_RUNS_MAX; i++)
		add(&c, 10, 10);
	assert_int_equal(c.runs, LAB_CALIBRATION_RUNS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_median_run_counts),
		cmocka_unit_test(off_is_off_either_way),
		cmocka_unit_test(what_is_missing_never_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
