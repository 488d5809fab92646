/* test_rng.c - the first outputs of pcg32 as published, streams that differ, and bounds that are kept and even. */
#include "proto/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* 42, 54 is the demo of the PCG paper's own code; the others come from a second implementation. */
static const struct {
	uint64_t seed, stream;
	uint32_t want[6];
} golden[] = {
	{ 42, 54, { 0xa15c02b7, 0x7b47f409, 0xba1d3330, 0x83d2f293, 0xbfa4784b, 0xcbed606e } },
	{ 0, 0, { 0xe4c14788, 0x379c6516, 0x5c4ab3bb, 0x601d23e0, 0x1c382b8c, 0xd1faab16 } },
	{ 1, 1, { 0xc9828f91, 0x1592e274, 0xc0262657, 0xa5c2b6d3, 0xaf811256, 0x6c1c2879 } },
	{ UINT64_MAX, UINT64_MAX, { 0x2675c047, 0x7779a837, 0xa145aa13, 0x5f6be726, 0x523c44c5, 0x75a406d6 } },
};

static void first_outputs_are_the_published_ones(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
		struct shoal_rng rng = shoal_rng_split(golden[i].seed, golden[i].stream);
		struct shoal_rng wide = rng;
		for (size_t k = 0; k < 6; k++)
			assert_true(shoal_rng_next(&rng) == golden[i].want[k]);
		for (size_t k = 0; k < 6; k += 2)
			assert_true(shoal_rng_u64(&wide) ==
				    ((uint64_t)golden[i].want[k] << 32 | golden[i].want[k + 1]));
	}
}

static void streams_of_one_seed_differ(void **state)
{
	(void)state;
	for (uint64_t stream = 1; stream < 200; stream++) {
		struct shoal_rng a = shoal_rng_split(5, 0), b = shoal_rng_split(5, stream);
		uint32_t same = 0;
		for (int i = 0; i < 100; i++)
			same += shoal_rng_next(&a) == shoal_rng_next(&b);
		assert_true(same < 3);
	}
}

static void below_stays_below(void **state)
{
	static const uint32_t bounds[] = { 1, 2, 3, 7, 1000, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff };
	struct shoal_rng rng = shoal_rng_split(3, 3);
	(void)state;
	for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
		for (int k = 0; k < 2000; k++)
			assert_true(shoal_rng_below(&rng, bounds[i]) < bounds[i]);
	struct shoal_rng before = rng;
	assert_int_equal(shoal_rng_below(&rng, 0), 0);
	assert_true(rng.state == before.state); /* and throws no dice */
}

/* 3 * 2^30 is where a plain modulo would give the lower third twice as often. */
static void below_is_even(void **state)
{
	enum { DICE = 30000 };
	struct shoal_rng rng = shoal_rng_split(8, 1);
	uint32_t third[3] = { 0 }, sixth[6] = { 0 };
	(void)state;
	for (int i = 0; i < DICE; i++) {
		third[shoal_rng_below(&rng, UINT32_C(3) << 30) >> 30]++;
		sixth[shoal_rng_below(&rng, 6)]++;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(third[i], DICE / 3 - 500, DICE / 3 + 500); /* six sigma */
	for (int i = 0; i < 6; i++)
		assert_in_range(sixth[i], DICE / 6 - 400, DICE / 6 + 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_outputs_are_the_published_ones),
		cmocka_unit_test(streams_of_one_seed_differ),
		cmocka_unit_test(below_stays_below),
		cmocka_unit_test(below_is_even),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
