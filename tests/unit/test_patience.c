/* test_patience.c - so much at once, so much a minute, and what is forgiven. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "swarm/peers/patience.h"

static void so_many_at_once_and_then_as_time_gives_them(void **state)
{
	(void)state;
	struct shoal_patience p = { 0 };
	shoal_us now = SHOAL_S(1000);
	for (int i = 0; i < 10; i++)
		assert_true(shoal_patience_charge(&p, 10, 60, now));
	assert_false(shoal_patience_charge(&p, 10, 60, now));
	assert_false(shoal_patience_charge(&p, 10, 60, now + SHOAL_MS(999)));
	assert_true(shoal_patience_charge(&p, 10, 60, now + SHOAL_S(1)));
	assert_false(shoal_patience_charge(&p, 10, 60, now + SHOAL_S(1)));
	/* After a long rest it is as at the beginning, and no more. */
	now += SHOAL_S(86400);
	for (int i = 0; i < 10; i++)
		assert_true(shoal_patience_charge(&p, 10, 60, now));
	assert_false(shoal_patience_charge(&p, 10, 60, now));
	assert_true(shoal_patience_charge(&p, 10, 64, now + (1ull << 62))); /* 64 times that is no number of 64 bits */
}

/* As much as more than a minute gives was used: a rest of that length gives it back all the same. */
static void a_rest_counts_however_long(void **state)
{
	(void)state;
	struct shoal_patience p = { 0 };
	shoal_us now = SHOAL_S(1000);
	assert_true(shoal_patience_charge_many(&p, 63, 64, 240, now));
	assert_true(shoal_patience_charge_many(&p, 257, 64, 240, now));
	assert_false(shoal_patience_charge(&p, 64, 240, now + SHOAL_S(64)));
	assert_true(shoal_patience_charge(&p, 64, 240, now + SHOAL_S(65)));
	now += SHOAL_S(86400);
	for (int k = 0; k < 2; k++, now += SHOAL_S(86400)) {
		for (int i = 0; i < 64; i++)
			assert_true(shoal_patience_charge(&p, 64, 60, now));
		assert_false(shoal_patience_charge(&p, 64, 60, now));
	}
	p = (struct shoal_patience){ .used = INT32_MAX };
	assert_true(shoal_patience_charge(&p, 1, UINT32_MAX, UINT64_MAX));
}

static void asking_often_loses_no_time(void **state)
{
	(void)state;
	static const shoal_us every[] = { 777, SHOAL_MS(70) }; /* one comes free in 100 ms */
	for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
		struct shoal_patience p = { 0 };
		unsigned given = 0;
		for (shoal_us now = 1; now < SHOAL_S(60); now += every[i])
			given += shoal_patience_charge(&p, 5, 600, now);
		assert_in_range(given, 5 + 598, 5 + 600);
	}
}

static void what_is_forgiven_comes_on_top(void **state)
{
	(void)state;
	struct shoal_patience p = { 0 };
	shoal_patience_forgive(&p, 3);
	for (int i = 0; i < 8; i++)
		assert_true(shoal_patience_charge(&p, 5, 60, 1));
	assert_false(shoal_patience_charge(&p, 5, 60, 1));
	for (int i = 0; i < 1000; i++)
		shoal_patience_forgive(&p, UINT32_MAX); /* bounded, and no overflow */
	assert_in_range(-p.used, 1, 5000);
}

static void several_are_taken_whole_or_not(void **state)
{
	(void)state;
	struct shoal_patience p = { 0 };
	assert_true(shoal_patience_charge_many(&p, 7, 10, 60, 1));
	assert_true(shoal_patience_charge_many(&p, 7, 10, 60, 1)); /* there was room for one */
	assert_false(shoal_patience_charge_many(&p, 1, 10, 60, 1));
	assert_false(shoal_patience_charge_many(&p, 1, 10, 60, 1 + SHOAL_S(4)));
	assert_true(shoal_patience_charge_many(&p, 1, 10, 60, 1 + SHOAL_S(5)));
}

static void a_clock_that_steps_back_gives_nothing(void **state)
{
	(void)state;
	struct shoal_patience p = { 0 };
	for (int i = 0; i < 5; i++)
		assert_true(shoal_patience_charge(&p, 5, 60, SHOAL_S(100)));
	assert_false(shoal_patience_charge(&p, 5, 60, SHOAL_S(10)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_at_once_and_then_as_time_gives_them),
		cmocka_unit_test(a_rest_counts_however_long),
		cmocka_unit_test(asking_often_loses_no_time),
		cmocka_unit_test(what_is_forgiven_comes_on_top),
		cmocka_unit_test(several_are_taken_whole_or_not),
		cmocka_unit_test(a_clock_that_steps_back_gives_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
