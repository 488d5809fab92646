/* test_lab_rank.c - medians of few, of many, and of those of which some have no value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>

#include <cmocka.h>

#include "tools/lab/rank.h"

static void what_has_no_value_comes_last(void **state)
{
	double v[] = { 3, NAN, INFINITY, -1, NAN, 2 };
	const double want[] = { -1, 2, 3, INFINITY };
	(void)state;
	lab_rank(v, 6);
	for (size_t i = 0; i < 4; i++)
		assert_true(v[i] == want[i]);
	assert_true(isnan(v[4]) && isnan(v[5]));
}

static void the_median_lies_in_the_middle(void **state)
{
	double one[] = { 7 }, odd[] = { 9, 1, 4 }, even[] = { 9, 1, 4, 5 }, some[] = { NAN, 1, 2 },
	       half[] = { NAN, 1, NAN, 2 }, never[] = { INFINITY, 1, INFINITY, INFINITY };
	(void)state;
	assert_true(isnan(lab_rank_median(NULL, 0)));
	assert_true(lab_rank_median(one, 1) == 7);
	assert_true(lab_rank_median(odd, 3) == 4);
	assert_true(lab_rank_median(even, 4) == 4.5);
	assert_true(lab_rank_median(some, 3) == 2);
	assert_true(isnan(lab_rank_median(half, 4)));
	assert_true(isinf(lab_rank_median(never, 4)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_no_value_comes_last),
		cmocka_unit_test(the_median_lies_in_the_middle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
