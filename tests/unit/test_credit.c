/* test_credit.c - steady givers, lumps, silence and the far ends of 64 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/base/rng.h"
#include "swarm/peers/credit.h"

#define START SHOAL_S(5000)

/* However it is cut into lumps, a rate kept up for minutes comes out as that rate. */
static void a_steady_rate_is_told_whatever_the_lumps(void **state)
{
	static const uint64_t rates[] = { 1000, 17000, 2500000, UINT64_C(12500000000) };
	static const shoal_us lumps[] = { SHOAL_MS(10), SHOAL_MS(900), SHOAL_S(4) };
	(void)state;
	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		for (size_t k = 0; k < sizeof lumps / sizeof *lumps; k++) {
			struct shoal_credit c = { 0 };
			uint64_t lump = rates[i] * (lumps[k] / SHOAL_MS(10)) / 100, sum = 0, count = 0;
			for (shoal_us t = START; t < START + SHOAL_S(400); t += lumps[k]) {
				shoal_credit_add(&c, lump, t);
				if (t < START + SHOAL_S(200))
					continue;
				sum += shoal_credit_rate(&c, t);
				sum += shoal_credit_rate(&c, t + lumps[k] - 1);
				count += 2;
			}
			print_message("%llu: %llu\n", (unsigned long long)rates[i], (unsigned long long)(sum / count));
			assert_in_range(sum / count, rates[i] - rates[i] / 50, rates[i] + rates[i] / 50);
		}
	}
}

static void it_halves_and_ends(void **state)
{
	struct shoal_credit c = { 0 };
	(void)state;
	assert_int_equal(shoal_credit_rate(&c, START), 0);
	shoal_credit_add(&c, 64u << 20, START);
	uint64_t full = shoal_credit_rate(&c, START), before = full;
	for (shoal_us t = 0; t <= SHOAL_S(120); t += SHOAL_MS(100)) {
		uint64_t r = shoal_credit_rate(&c, START + t);
		assert_true(r <= before); /* silence never earns anything */
		before = r;
	}
	assert_in_range(shoal_credit_rate(&c, START + SHOAL_CREDIT_HALF), full / 2 - 1, full / 2 + 1);
	assert_in_range(shoal_credit_rate(&c, START + 3 * SHOAL_CREDIT_HALF), full / 8 - 1, full / 8 + 1);
	assert_int_equal(shoal_credit_rate(&c, START + 70 * SHOAL_CREDIT_HALF), 0);
	assert_int_equal(shoal_credit_rate(&c, UINT64_MAX), 0);
}

static void it_does_not_overflow(void **state)
{
	struct shoal_rng rng = shoal_rng_split(7, 1);
	(void)state;
	struct shoal_credit c = { 0 };
	shoal_us t = START;
	for (int i = 0; i < 10000; i++) {
		shoal_credit_add(&c, UINT64_MAX >> shoal_rng_below(&rng, 64), t);
		assert_true(c.bytes <= 1e18);
		(void)shoal_credit_rate(&c, t);
		t += shoal_rng_below(&rng, 100000000);
	}
	/* A clock that stands, or is asked about what was: nothing is invented. */
	c = (struct shoal_credit){ 0 };
	shoal_credit_add(&c, 1000000, START);
	shoal_credit_add(&c, 0, START - SHOAL_S(50));
	assert_true(c.bytes >= 1e6 && c.bytes <= 1e6);
	assert_int_equal(shoal_credit_rate(&c, START - SHOAL_S(50)), shoal_credit_rate(&c, START));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steady_rate_is_told_whatever_the_lumps),
		cmocka_unit_test(it_halves_and_ends),
		cmocka_unit_test(it_does_not_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
