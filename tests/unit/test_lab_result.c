/* test_lab_result.c - the curves of a run, however long it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/lab/result.h"

static void curves_keep_every_so_manieth_point(void **state)
{
	struct lab_result r = { 0 };
	unsigned every = 1, thinned = 0;
	(void)state;
	for (unsigned t = 0; t < 100000; t += every) {
		int rc = lab_result_point(&r, &(struct lab_point){ .t = t });
		assert_true(rc == 0 || rc == 1);
		thinned += (unsigned)rc;
		every <<= rc;
	}
	assert_int_equal(every, 1u << thinned);
	assert_true(thinned == 7 && r.points > 600 && r.points <= 1200);
	assert_true(r.point[0].t == 0 && r.point[r.points - 1].t + every >= 100000);
	/* Evenly, but for the one step in which it was thinned last. */
	unsigned odd = 0;
	for (size_t i = 1; i < r.points; i++)
		odd += r.point[i].t - r.point[i - 1].t != every;
	assert_true(odd <= 1);
	lab_result_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(curves_keep_every_so_manieth_point) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
