/* test_maths.c - against libm, and against golden bits: they must be the same on every machine. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/rng.h"
#include "swarm/peers/maths.h"

static void near_to(double got, double want)
{
	double off = fabs(got - want), scale = fabs(want) > 1 ? fabs(want) : 1;
	if (off > 1e-12 * scale)
		fail_msg("%.17g is not %.17g", got, want);
}

static double even(struct shoal_rng *rng)
{
	return (double)shoal_rng_next(rng) / 4294967296.0;
}

static void as_libm_has_it(void **state)
{
	struct shoal_rng rng = shoal_rng_split(1, 1);
	(void)state;
	for (int i = 0; i < 100000; i++) {
		double x = exp((even(&rng) - 0.5) * 80), y = (even(&rng) - 0.5) * 60;
		near_to(shoal_ln(x), log(x));
		near_to(shoal_sqrt(x) / sqrt(x), 1);
		near_to(shoal_exp2(y) / exp2(y), 1);
		double base = even(&rng) + 1e-9, exponent = even(&rng) * 300;
		near_to(shoal_pow(base, exponent), pow(base, exponent));
	}
}

static void edges(void **state)
{
	(void)state;
	near_to(shoal_ln(1), 0);
	near_to(shoal_exp2(0), 1);
	near_to(shoal_exp2(-5000), 0);
	assert_true(shoal_exp2(5000) > 1e300);
	near_to(shoal_pow(0, 7), 0);
	near_to(shoal_pow(0.99, 0), 1);
	near_to(shoal_pow(0.5, 10), 1.0 / 1024);
	near_to(shoal_sqrt(0), 0);
	near_to(shoal_sqrt(4), 2);
	near_to(shoal_sqrt(1e-300) * 1e150, 1);
}

static void the_same_bits_everywhere(void **state)
{
	static const struct {
		double x;
		uint64_t ln, exp2;
	} golden[] = { { 0.001, 0xc01ba18a998fffa0, 0x3ff002d711c79a95 },
		       { 0.3, 0xbff34378fcbda720, 0x3ff3b2c47bff8329 },
		       { 1.5, 0x3fd9f323ecbf984c, 0x4006a09e667f3bce },
		       { 7.25, 0x3fffb22e98a1c24e, 0x406306fe0a31b716 },
		       { 123.456, 0x401343774f3e2362, 0x47a5f29e9ad54c6c } };
	(void)state;
	for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
		double ln = shoal_ln(golden[i].x), two = shoal_exp2(golden[i].x);
		uint64_t bits[2];
		memcpy(&bits[0], &ln, 8);
		memcpy(&bits[1], &two, 8);
		assert_int_equal(bits[0], golden[i].ln);
		assert_int_equal(bits[1], golden[i].exp2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_libm_has_it),
		cmocka_unit_test(edges),
		cmocka_unit_test(the_same_bits_everywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
