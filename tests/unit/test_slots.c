/* test_slots.c - budgets of every awkward size, order of reuse, trim, and a long random life against counts. */
#include "proto/base/rng.h"
#include "proto/base/slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((size_t)1024 * 1024)

static struct shoal_slots *pool_of(struct shoal_budget *budget, size_t limit)
{
	struct shoal_slots *pool;
	*budget = (struct shoal_budget){ .limit = limit };
	assert_int_equal(shoal_slots_new(&pool, budget), 0);
	assert_int_equal(budget->used, 0);
	return pool;
}

static struct shoal_slot *take(struct shoal_slots *pool)
{
	assert_int_equal(shoal_slots_reserve(pool, 1), 0);
	return shoal_slot_get(pool);
}

static void a_slot_is_a_writable_block(void **state)
{
	struct shoal_budget budget;
	struct shoal_slots *pool = pool_of(&budget, 4 * MIB);
	(void)state;
	struct shoal_slot *a = take(pool), *b = take(pool);
	assert_true((uintptr_t)a->at % 4096 == 0 && (uintptr_t)b->at % 4096 == 0);
	memset(a->at, 0xaa, SHOAL_BLOCK);
	memset(b->at, 0xbb, SHOAL_BLOCK);
	assert_int_equal(a->at[0], 0xaa);
	assert_int_equal(a->at[SHOAL_BLOCK - 1], 0xaa);
	assert_int_equal(a->refs, 1);
	assert_int_equal(a->len, 0);
	assert_null(a->next);
	assert_int_equal(shoal_slots_out(pool), 2);
	assert_true(budget.used >= 2 * (size_t)SHOAL_BLOCK && budget.used <= budget.limit);
	shoal_slot_unref(pool, a);
	shoal_slot_unref(pool, b);
	shoal_slot_unref(pool, NULL);
	assert_int_equal(shoal_slots_out(pool), 0);
	shoal_slots_free(pool);
	shoal_slots_free(NULL);
	assert_int_equal(budget.used, 0);
}

/* A world without payload: of each slot a head is memory, and the budget is charged for the whole. */
static void heads_cost_what_whole_slots_do(void **state)
{
	struct shoal_budget whole_budget, budget = { .limit = 4 * MIB };
	struct shoal_slots *whole = pool_of(&whole_budget, 4 * MIB), *pool;
	(void)state;
	assert_int_equal(shoal_slots_head(whole), SHOAL_BLOCK);
	assert_int_equal(shoal_slots_new_heads(&pool, &budget, 64), 0);
	assert_int_equal(shoal_slots_head(pool), 64);
	assert_int_equal(shoal_slots_real(pool, 0, SHOAL_BLOCK), 64);
	assert_int_equal(shoal_slots_real(pool, 60, 10), 4);
	assert_int_equal(shoal_slots_real(pool, 64, 10), 0);
	assert_int_equal(shoal_slots_real(pool, 8, 10), 10);
	struct shoal_slot *all[64], *there[64];
	size_t spare = shoal_slots_spare(pool);
	assert_int_equal(spare, shoal_slots_spare(whole));
	for (size_t i = 0; i < 64; i++) {
		all[i] = take(pool);
		memset(all[i]->at, (int)i, 64);
		there[i] = take(whole);
		assert_int_equal(budget.used, whole_budget.used);
	}
	for (size_t i = 0; i < 64; i++) {
		assert_true(all[i]->at[0] == i && all[i]->at[63] == i);
		shoal_slot_unref(pool, all[i]);
		shoal_slot_unref(whole, there[i]);
	}
	assert_int_equal(shoal_slots_trim(pool), shoal_slots_trim(whole));
	assert_int_equal(budget.used, whole_budget.used);
	shoal_slots_free(pool);
	shoal_slots_free(whole);
	assert_int_equal(budget.used, 0);
}

static void the_last_one_back_is_the_next_one_out(void **state)
{
	struct shoal_budget budget;
	struct shoal_slots *pool = pool_of(&budget, 4 * MIB);
	(void)state;
	struct shoal_slot *a = take(pool), *b = take(pool), *c = take(pool);
	shoal_slot_unref(pool, b);
	shoal_slot_unref(pool, a);
	assert_ptr_equal(take(pool), a);
	assert_ptr_equal(take(pool), b); /* a used one, though many are untouched */
	struct shoal_slot *d = take(pool);
	assert_true(d != a && d != b && d != c);
	shoal_slot_unref(pool, a);
	shoal_slot_unref(pool, b);
	shoal_slot_unref(pool, c);
	shoal_slot_unref(pool, d);
	shoal_slots_free(pool);
}

static void the_last_holder_gives_it_back(void **state)
{
	struct shoal_budget budget;
	struct shoal_slots *pool = pool_of(&budget, 4 * MIB);
	(void)state;
	struct shoal_slot *a = take(pool);
	shoal_slot_ref(a);
	shoal_slot_ref(a);
	assert_int_equal(a->refs, 3);
	shoal_slot_unref(pool, a);
	shoal_slot_unref(pool, a);
	assert_int_equal(shoal_slots_out(pool), 1);
	a->at[5] = 5; /* still ours */
	shoal_slot_unref(pool, a);
	assert_int_equal(shoal_slots_out(pool), 0);
	shoal_slots_free(pool);
}

/* Whatever the budget, exactly spare() slots can be promised, one by one or at once, and got. */
static void spare_is_the_truth_at_every_budget(void **state)
{
	static const size_t limits[] = {
		0,	 1,   SHOAL_BLOCK, SHOAL_BLOCK + 4096, 2 * SHOAL_BLOCK,	 100000,   MIB / 2,
		MIB - 1, MIB, MIB + 8192,  MIB + 65536,	       3 * MIB + 200000, 10 * MIB,
	};
	(void)state;
	for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
		struct shoal_budget budget;
		struct shoal_slots *pool = pool_of(&budget, limits[l]);
		size_t spare = shoal_slots_spare(pool);
		struct shoal_slot *held = NULL;
		assert_int_equal(budget.used, 0); /* asking costs nothing */
		/* one per cent for headers, and one slot for rounding, at the most */
		assert_true(spare <= limits[l] / SHOAL_BLOCK);
		assert_true(spare + 1 + limits[l] / SHOAL_BLOCK / 100 >= limits[l] / SHOAL_BLOCK);
		assert_int_equal(shoal_slots_reserve(pool, spare + 1), SHOAL_ERR_BUSY);
		assert_int_equal(budget.used, 0); /* all or none */
		assert_int_equal(shoal_slots_reserve(pool, SIZE_MAX), SHOAL_ERR_BUSY);
		assert_int_equal(shoal_slots_reserve(pool, 0), 0);
		assert_int_equal(shoal_slots_reserve(pool, spare), 0);
		assert_int_equal(shoal_slots_spare(pool), 0);
		assert_true(budget.used <= budget.limit && budget.peak <= budget.limit);
		for (size_t i = 0; i < spare; i++) {
			struct shoal_slot *slot = shoal_slot_get(pool);
			assert_non_null(slot);
			slot->at[0] = slot->at[SHOAL_BLOCK - 1] = (uint8_t)i;
			slot->next = held;
			held = slot;
		}
		for (size_t i = spare; i-- > 0;) { /* each had a place of its own */
			struct shoal_slot *next = held->next;
			assert_int_equal(held->at[0], (uint8_t)i);
			assert_int_equal(held->at[SHOAL_BLOCK - 1], (uint8_t)i);
			shoal_slot_unref(pool, held);
			held = next;
		}
		shoal_slots_free(pool);
		assert_int_equal(budget.used, 0);

		/* One at a time the small chunks' headers may cost a slot of the last MiB, never a
		 * promise: what spare() says is true each time. */
		pool = pool_of(&budget, limits[l]);
		size_t got = 0;
		while (shoal_slots_spare(pool) > 0) {
			assert_int_equal(shoal_slots_reserve(pool, 1), 0);
			got++;
		}
		assert_int_equal(shoal_slots_reserve(pool, 1), SHOAL_ERR_BUSY);
		assert_true(got <= spare && got + 1 >= spare);
		assert_true(budget.peak <= budget.limit);
		shoal_slots_unreserve(pool, got);
		shoal_slots_free(pool);
	}
}

static void growth_takes_no_more_than_it_must(void **state)
{
	struct shoal_budget budget;
	struct shoal_slots *pool = pool_of(&budget, 8 * MIB);
	(void)state;
	assert_int_equal(shoal_slots_reserve(pool, 1), 0);
	size_t chunk = budget.used;
	assert_true(chunk > MIB && chunk < MIB + 8192);
	assert_int_equal(shoal_slots_reserve(pool, 63), 0);
	assert_int_equal(budget.used, chunk); /* one chunk holds 64 */
	assert_int_equal(shoal_slots_reserve(pool, 1), 0);
	assert_int_equal(budget.used, 2 * chunk);
	shoal_slots_unreserve(pool, 65);
	assert_int_equal(shoal_slots_reserve(pool, 128), 0);
	assert_int_equal(budget.used, 2 * chunk);
	shoal_slots_unreserve(pool, 128);
	shoal_slots_free(pool);

	/* Half a MiB left: one slot does not swallow all of it. */
	pool = pool_of(&budget, MIB / 2);
	assert_int_equal(shoal_slots_reserve(pool, 1), 0);
	assert_true(budget.used < MIB / 4);
	shoal_slots_unreserve(pool, 1);
	shoal_slots_free(pool);
}

static void others_share_the_budget(void **state)
{
	struct shoal_budget budget;
	struct shoal_slots *pool = pool_of(&budget, 2 * MIB);
	(void)state;
	assert_true(shoal_budget_take(&budget, 2 * MIB - SHOAL_BLOCK - 4096));
	assert_int_equal(shoal_slots_spare(pool), 1);
	struct shoal_slot *a = take(pool);
	assert_int_equal(shoal_slots_spare(pool), 0);
	assert_int_equal(shoal_slots_reserve(pool, 1), SHOAL_ERR_BUSY);
	assert_false(shoal_budget_take(&budget, SHOAL_BLOCK));
	shoal_slot_unref(pool, a);
	assert_int_equal(shoal_slots_spare(pool), 1); /* the pool's own now */
	size_t given = shoal_slots_trim(pool);
	assert_true(given >= SHOAL_BLOCK);
	assert_true(shoal_budget_take(&budget, given));
	assert_int_equal(shoal_slots_spare(pool), 0);
	budget.limit = 1; /* a limit set lower than what is in use: nothing more, and no wrap */
	assert_int_equal(shoal_slots_spare(pool), 0);
	assert_int_equal(shoal_slots_reserve(pool, 1), SHOAL_ERR_BUSY);
	shoal_slots_free(pool);
}

static void trim_keeps_what_is_out_and_what_is_promised(void **state)
{
	struct shoal_budget budget;
	struct shoal_slots *pool = pool_of(&budget, 16 * MIB);
	struct shoal_slot *held[4 * 64];
	(void)state;
	assert_int_equal(shoal_slots_trim(pool), 0);
	assert_int_equal(shoal_slots_reserve(pool, 4 * 64), 0);
	size_t chunk = budget.used / 4;
	assert_int_equal(shoal_slots_trim(pool), 0); /* all promised, none out */
	for (size_t i = 0; i < 4 * 64; i++)
		held[i] = shoal_slot_get(pool);
	assert_int_equal(shoal_slots_trim(pool), 0); /* all out */
	for (size_t i = 0; i < 4 * 64; i++)
		if (i % 128 != 5) /* one stays out in every other chunk */
			shoal_slot_unref(pool, held[i]);
	held[5]->at[0] = 5;
	assert_int_equal(shoal_slots_reserve(pool, 126 + 1), 0); /* needs a third chunk */
	assert_int_equal(shoal_slots_trim(pool), chunk);
	assert_int_equal(budget.used, 3 * chunk);
	for (size_t i = 0; i < 127; i++) { /* the promise holds, over what is left */
		struct shoal_slot *slot = shoal_slot_get(pool);
		memset(slot->at, 0xcc, SHOAL_BLOCK);
		slot->next = i ? held[0] : NULL;
		held[0] = slot;
	}
	assert_int_equal(held[5]->at[0], 5);
	for (struct shoal_slot *slot = held[0], *next; slot != NULL; slot = next) {
		next = slot->next;
		shoal_slot_unref(pool, slot);
	}
	shoal_slot_unref(pool, held[5]);
	shoal_slot_unref(pool, held[133]);
	assert_int_equal(shoal_slots_trim(pool), 3 * chunk);
	assert_int_equal(budget.used, 0);
	shoal_slot_unref(pool, take(pool)); /* and it grows again */
	assert_int_equal(budget.used, chunk);
	shoal_slots_free(pool);
}

/* Random life: after each step the counts are what a plain model says, and each slot holds its stamp. */
static void a_long_life_keeps_its_counts(void **state)
{
	enum { HELD_MAX = 400, STEPS = 20000 };
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct shoal_rng rng = shoal_rng_split(seed, 1);
		struct shoal_budget budget;
		struct shoal_slots *pool = pool_of(&budget, seed * 1500000);
		struct shoal_slot *held[HELD_MAX];
		uint32_t stamp[HELD_MAX];
		size_t out = 0, promised = 0, other = 0;
		for (uint32_t step = 0; step < STEPS; step++) {
			uint32_t dice = shoal_rng_below(&rng, 100);
			size_t spare = shoal_slots_spare(pool);
			if (dice < 20) {
				size_t n = shoal_rng_below(&rng, 40);
				int rc = shoal_slots_reserve(pool, n);
				assert_int_equal(rc, n <= spare ? 0 : SHOAL_ERR_BUSY);
				promised += rc == 0 ? n : 0;
			} else if (dice < 55 && promised > 0 && out < HELD_MAX) {
				held[out] = shoal_slot_get(pool);
				assert_non_null(held[out]);
				stamp[out] = step;
				memcpy(held[out]->at + step % 1000, &step, sizeof step);
				out++;
				promised--;
			} else if (dice < 85 && out > 0) {
				size_t i = shoal_rng_below(&rng, (uint32_t)out);
				assert_memory_equal(held[i]->at + stamp[i] % 1000, &stamp[i], sizeof stamp[i]);
				shoal_slot_unref(pool, held[i]);
				held[i] = held[--out];
				stamp[i] = stamp[out];
			} else if (dice < 92) {
				size_t n = shoal_rng_below(&rng, (uint32_t)promised + 1);
				shoal_slots_unreserve(pool, n);
				promised -= n;
			} else if (dice < 95) {
				size_t used = budget.used, given = shoal_slots_trim(pool);
				assert_int_equal(budget.used + given, used);
				assert_int_equal(shoal_slots_trim(pool), 0); /* once is enough */
			} else if (other) {
				shoal_budget_give(&budget, other);
				other = 0;
			} else {
				other = shoal_rng_below(&rng, 700000);
				if (!shoal_budget_take(&budget, other))
					other = 0;
			}
			assert_int_equal(shoal_slots_out(pool), out);
			assert_true(budget.used <= budget.limit);
			assert_true(budget.used >= other + (out + promised) * SHOAL_BLOCK);
		}
		while (out > 0)
			shoal_slot_unref(pool, held[--out]);
		shoal_slots_unreserve(pool, promised);
		shoal_slots_free(pool);
		assert_int_equal(budget.used, other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slot_is_a_writable_block),
		cmocka_unit_test(heads_cost_what_whole_slots_do),
		cmocka_unit_test(the_last_one_back_is_the_next_one_out),
		cmocka_unit_test(the_last_holder_gives_it_back),
		cmocka_unit_test(spare_is_the_truth_at_every_budget),
		cmocka_unit_test(growth_takes_no_more_than_it_must),
		cmocka_unit_test(others_share_the_budget),
		cmocka_unit_test(trim_keeps_what_is_out_and_what_is_promised),
		cmocka_unit_test(a_long_life_keeps_its_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
