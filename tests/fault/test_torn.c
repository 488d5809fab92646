/* test_torn.c - power cuts over the real file layer and SQLite: unsynced bytes and names dropped, reordered, torn. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include "tests/fault/chain.h"

static uint64_t wanted(void)
{
	if (getenv("SHOAL_TORN_STATES") != NULL)
		return strtoull(getenv("SHOAL_TORN_STATES"), NULL, 10);
	return getenv("SHOAL_LONG") ? 100000 : getenv("SHOAL_SHORT") ? 150 : 2000;
}

static void no_cut_makes_a_claim_false_or_loses_one(void **state)
{
	struct chain_sums sums = { 0 };
	uint64_t states = wanted(), seed = 1;
	(void)state;
	if (getenv("SHOAL_TORN_SEED") != NULL)
		seed = strtoull(getenv("SHOAL_TORN_SEED"), NULL, 10);
	for (; sums.states - sums.kills < states && sums.faults == 0; seed++) {
		struct chain_options o = { .seed = seed,
					   .lives = 4,
					   .states = 6,
					   .threads = seed % 3 == 0,
					   .many = seed % 5 == 0,
					   .faults = seed % 4 == 1 };
		chain_run(&o, &sums);
		if (getenv("SHOAL_TORN_SEED") != NULL)
			break;
	}
	print_message("%llu states after power cuts, %llu after kills, in %llu lives (%llu chains, %llu lived to the "
		      "end), %llu log entries\n"
		      "%llu pieces had been told durable and were there, %llu of them by hashing (their file's times, "
		      "or a commit before a kill, were lost)\n"
		      "%llu syncs failed on purpose, %llu pauses\n",
		      (unsigned long long)(sums.states - sums.kills), (unsigned long long)sums.kills,
		      (unsigned long long)sums.lives, (unsigned long long)sums.chains,
		      (unsigned long long)sums.completed, (unsigned long long)sums.ops, (unsigned long long)sums.claims,
		      (unsigned long long)sums.rehashed, (unsigned long long)sums.failed_syncs,
		      (unsigned long long)sums.pauses);
	for (unsigned b = 0; b < MODEL_BARRIERS; b++)
		print_message("  %8llu  %s\n", (unsigned long long)sums.barrier[b], model_barrier_name[b]);
	assert_int_equal(sums.faults, 0);
	assert_true(sums.completed > 0 || sums.states < 200);
	assert_true(sums.claims > 0);
}

int main(void)
{
	model_vfs_register();
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_cut_makes_a_claim_false_or_loses_one) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
