/* test_lab_roll.c - who is waited for, in each order in which nodes may come, have all, go and be called back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/lab/roll.h"

enum { LEECH, SEED, LIAR, NODES };

static struct lab_result_node node[NODES];
static struct lab_result r;
static struct lab_roll roll;

static int begin(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NODES; i++)
		node[i] = (struct lab_result_node){ .honest = i != LIAR,
						    .wants = i != SEED,
						    .joined = INFINITY,
						    .complete = INFINITY,
						    .left = INFINITY };
	r = (struct lab_result){ .node = node, .nodes = NODES };
	return lab_roll_init(&roll, &r);
}

static int end(void **state)
{
	(void)state;
	lab_roll_fini(&roll);
	return 0;
}

static void all_who_come_are_waited_for_and_then_those_who_want(void **state)
{
	(void)state;
	assert_true(lab_roll_over(&roll));
	for (unsigned i = 0; i < NODES; i++)
		lab_roll_expect(&roll, i);
	for (unsigned i = 0; i < NODES; i++) {
		assert_false(lab_roll_over(&roll));
		assert_true(lab_roll_joins(&roll, i, i));
		assert_false(lab_roll_joins(&roll, i, 9));
		assert_true(node[i].joined == i);
	}
	assert_false(lab_roll_over(&roll));
	assert_true(lab_roll_completes(&roll, LEECH, 5));
	assert_false(lab_roll_completes(&roll, LEECH, 6));
	assert_true(node[LEECH].complete == 5);
	assert_true(lab_roll_over(&roll)); /* whatever a liar wants */
	assert_true(lab_roll_leaves(&roll, LEECH, 7));
	assert_true(lab_roll_over(&roll));
}

static void who_is_gone_is_not_waited_for_until_called_back(void **state)
{
	(void)state;
	lab_roll_expect(&roll, LEECH);
	assert_true(lab_roll_leaves(&roll, LEECH, 1)); /* before it came */
	assert_false(lab_roll_leaves(&roll, LEECH, 2));
	assert_true(lab_roll_over(&roll));
	lab_roll_recalls(&roll, LEECH);
	assert_true(isinf(node[LEECH].left));
	assert_false(lab_roll_over(&roll));
	assert_true(lab_roll_joins(&roll, LEECH, 3));
	assert_true(lab_roll_leaves(&roll, LEECH, 4)); /* before it had all */
	assert_true(lab_roll_over(&roll));
	lab_roll_recalls(&roll, LEECH);
	lab_roll_recalls(&roll, LEECH);
	assert_int_equal(roll.open, 1);
	assert_true(lab_roll_leaves(&roll, LEECH, 5));
	assert_true(lab_roll_completes(&roll, LEECH, 6)); /* its last word came late */
	lab_roll_recalls(&roll, LEECH);
	assert_true(lab_roll_over(&roll));
}

static void who_comes_by_an_event_alone_is_waited_for_once_here(void **state)
{
	(void)state;
	lab_roll_recalls(&roll, LEECH); /* it never left */
	assert_true(lab_roll_over(&roll));
	assert_true(lab_roll_joins(&roll, LEECH, 1));
	assert_false(lab_roll_over(&roll));
	assert_true(lab_roll_completes(&roll, LEECH, 2));
	assert_true(lab_roll_over(&roll));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_who_come_are_waited_for_and_then_those_who_want, begin, end),
		cmocka_unit_test_setup_teardown(who_is_gone_is_not_waited_for_until_called_back, begin, end),
		cmocka_unit_test_setup_teardown(who_comes_by_an_event_alone_is_waited_for_once_here, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
