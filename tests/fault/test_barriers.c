/* test_barriers.c - each barrier in turn does nothing, and a crash then shows it: none is for show, and the checks can fail. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include "tests/fault/chain.h"

#define STATES 2000 /* as many as test_torn.c looks at */

static void without(enum model_barrier barrier)
{
	struct chain_sums sums = { 0 };
	char seen[200] = "";
	size_t len = 0;
	for (uint64_t seed = 1; sums.states - sums.kills < STATES && sums.faults == 0; seed++) {
		struct chain_options o = { .seed = seed,
					   .lost = 1u << barrier,
					   .lives = 4,
					   .states = 6,
					   .many = barrier == MODEL_VOLUME || seed % 5 == 0,
					   .quiet = true };
		chain_run(&o, &sums);
	}
	for (unsigned f = 1; f <= LIFE_STUCK; f <<= 1)
		if (sums.faults & f)
			len += (size_t)snprintf(seen + len, sizeof seen - len, "%s%s", len ? ", " : "",
						life_fault_name(f));
	print_message("  %-30s %5llu states, %5llu times in them: %s\n", model_barrier_name[barrier],
		      (unsigned long long)sums.states, (unsigned long long)sums.barrier[barrier],
		      seen[0] ? seen : "NOTHING SEEN");
	assert_true(sums.barrier[barrier] > 0);
	assert_int_not_equal(sums.faults, 0);
}

#define WITHOUT(barrier)                   \
	static void no_##barrier(void **s) \
	{                                  \
		(void)s;                   \
		without(barrier);          \
	}
WITHOUT(MODEL_DATA)
WITHOUT(MODEL_NEW_FILE)
WITHOUT(MODEL_NEW_FOLDER)
WITHOUT(MODEL_SAVE_FOLDER)
WITHOUT(MODEL_FINAL_NAME)
WITHOUT(MODEL_VOLUME)
WITHOUT(MODEL_WAL)
WITHOUT(MODEL_DB)
WITHOUT(MODEL_STATE_NAME)
WITHOUT(MODEL_STATE_FOLDER)

int main(void)
{
	model_vfs_register();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_MODEL_DATA),       cmocka_unit_test(no_MODEL_NEW_FILE),
		cmocka_unit_test(no_MODEL_NEW_FOLDER), cmocka_unit_test(no_MODEL_SAVE_FOLDER),
		cmocka_unit_test(no_MODEL_FINAL_NAME), cmocka_unit_test(no_MODEL_VOLUME),
		cmocka_unit_test(no_MODEL_WAL),	       cmocka_unit_test(no_MODEL_DB),
		cmocka_unit_test(no_MODEL_STATE_NAME), cmocka_unit_test(no_MODEL_STATE_FOLDER),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
