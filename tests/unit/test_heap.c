/* test_heap.c - ties, moves and edges by hand; then random steps against a list searched from end to end. */
#include "proto/base/heap.h"
#include "proto/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void an_empty_heap_has_nothing_due(void **state)
{
	struct shoal_heap heap = { 0 };
	struct shoal_timer timer = { 0 };
	(void)state;
	assert_null(shoal_heap_due(&heap, SHOAL_NEVER));
	assert_true(shoal_heap_next(&heap) == SHOAL_NEVER);
	shoal_heap_drop(&heap, &timer);
	shoal_heap_fini(&heap);
	shoal_heap_fini(&heap);
}

static void equal_deadlines_fire_in_the_order_they_were_set(void **state)
{
	struct shoal_heap heap = { 0 };
	struct shoal_timer timer[50] = { 0 };
	(void)state;
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(shoal_heap_set(&heap, &timer[i], 7), 0);
	assert_int_equal(shoal_heap_set(&heap, &timer[3], 7), 0); /* set anew: the last */
	assert_null(shoal_heap_due(&heap, 6));
	for (size_t i = 0; i < 50; i++)
		if (i != 3)
			assert_ptr_equal(shoal_heap_due(&heap, 7), &timer[i]);
	assert_ptr_equal(shoal_heap_due(&heap, 7), &timer[3]);
	assert_null(shoal_heap_due(&heap, SHOAL_NEVER));
	shoal_heap_fini(&heap);
}

static void a_timer_moves_both_ways_and_drops(void **state)
{
	struct shoal_heap heap = { 0 };
	struct shoal_timer a = { 0 }, b = { 0 }, c = { 0 };
	(void)state;
	assert_int_equal(shoal_heap_set(&heap, &a, 10), 0);
	assert_int_equal(shoal_heap_set(&heap, &b, 20), 0);
	assert_int_equal(shoal_heap_set(&heap, &c, 30), 0);
	assert_int_equal(shoal_heap_set(&heap, &c, 5), 0);
	assert_int_equal(heap.count, 3);
	assert_int_equal(shoal_heap_next(&heap), 5);
	assert_int_equal(shoal_heap_set(&heap, &c, 25), 0);
	shoal_heap_drop(&heap, &a);
	shoal_heap_drop(&heap, &a);
	assert_int_equal(a.pos, 0);
	assert_ptr_equal(shoal_heap_due(&heap, 100), &b);
	assert_int_equal(b.pos, 0);
	assert_int_equal(shoal_heap_set(&heap, &b, 26), 0); /* taken out, it can be set again */
	assert_ptr_equal(shoal_heap_due(&heap, 100), &c);
	assert_ptr_equal(shoal_heap_due(&heap, 100), &b);
	shoal_heap_fini(&heap);
}

static void never_does_not_come(void **state)
{
	struct shoal_heap heap = { 0 };
	struct shoal_timer a = { 0 }, b = { 0 };
	(void)state;
	assert_int_equal(shoal_heap_set(&heap, &a, SHOAL_NEVER), 0);
	assert_int_equal(shoal_heap_set(&heap, &b, SHOAL_NEVER - 1), 0);
	assert_ptr_equal(shoal_heap_due(&heap, SHOAL_NEVER), &b);
	assert_null(shoal_heap_due(&heap, SHOAL_NEVER));
	assert_true(shoal_heap_next(&heap) == SHOAL_NEVER);
	assert_int_equal(shoal_heap_set(&heap, &a, 0), 0);
	assert_ptr_equal(shoal_heap_due(&heap, 0), &a);
	shoal_heap_fini(&heap);
}

/* The model: a plain list; the least is searched for, ties by when they were set. */
struct model {
	shoal_us at;
	uint64_t when;
	bool set;
};

static size_t least(const struct model *model, size_t n)
{
	size_t best = n;
	for (size_t i = 0; i < n; i++)
		if (model[i].set && (best == n || model[i].at < model[best].at ||
				     (model[i].at == model[best].at && model[i].when < model[best].when)))
			best = i;
	return best;
}

static void random_steps_agree_with_the_model(void **state)
{
	enum { TIMERS = 120, STEPS = 30000 };
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct shoal_rng rng = shoal_rng_split(seed, 4);
		struct shoal_heap heap = { 0 };
		struct shoal_timer timer[TIMERS] = { 0 };
		struct model model[TIMERS] = { 0 };
		uint64_t when = 0;
		uint32_t set = 0;
		for (size_t step = 0; step < STEPS; step++) {
			uint32_t i = shoal_rng_below(&rng, TIMERS), dice = shoal_rng_below(&rng, 10);
			if (dice < 5) {
				shoal_us at = shoal_rng_below(&rng, 60); /* few values: many ties */
				assert_int_equal(shoal_heap_set(&heap, &timer[i], at), 0);
				set += !model[i].set;
				model[i] = (struct model){ at, when++, true };
			} else if (dice < 7) {
				shoal_heap_drop(&heap, &timer[i]);
				set -= model[i].set;
				model[i].set = false;
			} else {
				shoal_us now = shoal_rng_below(&rng, 60);
				size_t want = least(model, TIMERS);
				if (want < TIMERS && model[want].at <= now) {
					assert_ptr_equal(shoal_heap_due(&heap, now), &timer[want]);
					model[want].set = false;
					set--;
				} else {
					assert_null(shoal_heap_due(&heap, now));
				}
			}
			size_t best = least(model, TIMERS);
			assert_true(shoal_heap_next(&heap) == (best < TIMERS ? model[best].at : SHOAL_NEVER));
			assert_int_equal(heap.count, set);
			assert_int_equal(timer[i].pos != 0, model[i].set);
		}
		shoal_heap_fini(&heap);
	}
}

/* Many, so that the array grows often; they come out sorted. */
static void ten_thousand_come_out_sorted(void **state)
{
	enum { N = 10000 };
	struct shoal_rng rng = shoal_rng_split(1, 1);
	struct shoal_heap heap = { 0 };
	struct shoal_timer *timer = calloc(N, sizeof *timer), *last = NULL, *due;
	size_t n = 0;
	(void)state;
	assert_non_null(timer);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(shoal_heap_set(&heap, &timer[i], shoal_rng_below(&rng, 5000)), 0);
	while ((due = shoal_heap_due(&heap, SHOAL_NEVER)) != NULL) {
		assert_true(last == NULL || last->at < due->at || (last->at == due->at && last->order < due->order));
		last = due;
		n++;
	}
	assert_int_equal(n, N);
	shoal_heap_fini(&heap);
	free(timer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_heap_has_nothing_due),
		cmocka_unit_test(equal_deadlines_fire_in_the_order_they_were_set),
		cmocka_unit_test(a_timer_moves_both_ways_and_drops),
		cmocka_unit_test(never_does_not_come),
		cmocka_unit_test(random_steps_agree_with_the_model),
		cmocka_unit_test(ten_thousand_come_out_sorted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
