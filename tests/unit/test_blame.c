/* test_blame.c - only whoever sent a block that differs is named; old failures are forgotten in their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "swarm/peers/blame.h"

struct named {
	uint32_t source[16], block[16], count;
};

static void name_it(void *to, uint32_t source, uint32_t block)
{
	struct named *n = to;
	n->source[n->count] = source;
	n->block[n->count++] = block;
}

static void digests(uint8_t (*d)[32], uint32_t n, uint8_t first)
{
	memset(d, 0, n * sizeof *d);
	for (uint32_t i = 0; i < n; i++)
		d[i][0] = (uint8_t)(first + i);
}

static void the_liar_is_named_and_nobody_else(void **state)
{
	(void)state;
	struct shoal_blame b = { 0 };
	struct named named = { 0 };
	uint8_t bad[4][32], good[4][32];
	const uint32_t source[4] = { 7, 8, 7, 9 };
	digests(good, 4, 10);
	digests(bad, 4, 10);
	bad[1][5] = 1;
	assert_int_equal(shoal_blame_failed(&b, 3, (const uint8_t(*)[32])bad, source, 4), 0);
	assert_true(shoal_blame_has(&b, 3));
	assert_false(shoal_blame_has(&b, 4));
	assert_int_equal(shoal_blame_settle(&b, 4, (const uint8_t(*)[32])good, 4, name_it, &named), 0);
	assert_int_equal(shoal_blame_settle(&b, 3, (const uint8_t(*)[32])good, 4, name_it, &named), 1);
	assert_int_equal(named.count, 1);
	assert_int_equal(named.source[0], 8);
	assert_int_equal(named.block[0], 1);
	assert_false(shoal_blame_has(&b, 3)); /* settled once */
	shoal_blame_fini(&b);
}

static void each_failed_attempt_counts(void **state)
{
	(void)state;
	struct shoal_blame b = { 0 };
	struct named named = { 0 };
	uint8_t first[2][32], second[2][32], good[2][32];
	digests(good, 2, 1);
	digests(first, 2, 1);
	digests(second, 2, 1);
	first[0][9] = 1;
	second[1][9] = 1;
	assert_int_equal(shoal_blame_failed(&b, 0, (const uint8_t(*)[32])first, (const uint32_t[]){ 1, 2 }, 2), 0);
	assert_int_equal(shoal_blame_failed(&b, 0, (const uint8_t(*)[32])second, (const uint32_t[]){ 3, 4 }, 2), 0);
	assert_int_equal(shoal_blame_settle(&b, 0, (const uint8_t(*)[32])good, 2, name_it, &named), 2);
	assert_int_equal(named.source[0] + named.source[1], 1 + 4);
	assert_int_equal(b.count, 0);
}

/* The same false block in two attempts is one; of what its sender has answered for already, one is not named again. */
static void nothing_is_answered_for_twice(void **state)
{
	(void)state;
	struct shoal_blame b = { 0 };
	struct named named = { 0 };
	uint8_t bad[3][32], good[3][32];
	const uint32_t source[3] = { 5, 5, 5 };
	digests(good, 3, 1);
	digests(bad, 3, 1);
	bad[0][9] = bad[2][9] = 1;
	assert_int_equal(shoal_blame_failed(&b, 0, (const uint8_t(*)[32])bad, source, 3), 0);
	assert_int_equal(shoal_blame_failed(&b, 0, (const uint8_t(*)[32])bad, source, 3), 0);
	assert_int_equal(shoal_blame_settle(&b, 0, (const uint8_t(*)[32])good, 3, name_it, &named), 2);
	assert_int_equal(named.count, 2);
	assert_int_equal(named.block[0] + named.block[1], 0 + 2);
	/* Two attempts, and for the last of them it has answered. */
	named = (struct named){ 0 };
	assert_int_equal(shoal_blame_failed(&b, 0, (const uint8_t(*)[32])bad, source, 3), 0);
	bad[0][9] = bad[2][9] = 2;
	assert_int_equal(shoal_blame_failed(&b, 0, (const uint8_t(*)[32])bad, source, 3), 0);
	shoal_blame_counted(&b, 0);
	assert_int_equal(shoal_blame_settle(&b, 0, (const uint8_t(*)[32])good, 3, name_it, &named), 4);
	assert_int_equal(named.count, 3);
	assert_int_equal(b.count, 0);
}

/* Who comes again under another name answers for what it sent before. */
static void a_new_name_inherits(void **state)
{
	(void)state;
	struct shoal_blame b = { 0 };
	struct named named = { 0 };
	uint8_t first[3][32], second[3][32], good[3][32];
	digests(good, 3, 1);
	digests(first, 3, 1);
	digests(second, 3, 1);
	first[0][9] = first[1][9] = 1; /* and what it sends twice alike, the third, is no contradiction */
	second[0][9] = second[1][9] = 2;
	assert_int_equal(shoal_blame_failed(&b, 0, (const uint8_t(*)[32])first, (const uint32_t[]){ 5, 6, 5 }, 3), 0);
	shoal_blame_rename(&b, 5, 7);
	assert_int_equal(shoal_blame_contradicted(&b, 0, (const uint8_t(*)[32])second, (const uint32_t[]){ 7, 7, 7 }, 3,
						  name_it, &named),
			 1);
	assert_int_equal(shoal_blame_settle(&b, 0, (const uint8_t(*)[32])good, 3, name_it, &named), 2);
	assert_int_equal(named.count, 3);
	assert_int_equal(named.source[0], 7);
	assert_int_equal(named.source[1] + named.source[2], 7 + 6);
}

/* What lay here was nobody's. */
static void nobody_is_not_named(void **state)
{
	(void)state;
	struct shoal_blame b = { 0 };
	struct named named = { 0 };
	uint8_t first[3][32], second[3][32], good[3][32];
	const uint32_t source[3] = { SHOAL_BLAME_NOBODY, 5, SHOAL_BLAME_NOBODY };
	digests(good, 3, 1);
	digests(first, 3, 50);
	digests(second, 3, 90);
	assert_int_equal(shoal_blame_failed(&b, 0, (const uint8_t(*)[32])first, source, 3), 0);
	assert_int_equal(shoal_blame_contradicted(&b, 0, (const uint8_t(*)[32])second, source, 3, name_it, &named), 1);
	assert_int_equal(shoal_blame_settle(&b, 0, (const uint8_t(*)[32])good, 3, name_it, &named), 1);
	assert_int_equal(named.count, 2);
	assert_int_equal(named.source[0] + named.source[1], 5 + 5);
	assert_int_equal(named.block[0] + named.block[1], 1 + 1);
}

static void memory_is_bounded(void **state)
{
	(void)state;
	struct shoal_blame b = { 0 };
	uint8_t d[1][32] = { { 0 } };
	const uint32_t source[1] = { 1 };
	for (uint32_t piece = 0; piece < SHOAL_BLAME_PIECES + 10; piece++)
		assert_int_equal(shoal_blame_failed(&b, piece, (const uint8_t(*)[32])d, source, 1), 0);
	assert_int_equal(b.count, SHOAL_BLAME_PIECES);
	assert_false(shoal_blame_has(&b, 9)); /* the oldest have gone */
	assert_true(shoal_blame_has(&b, 10));
	assert_true(shoal_blame_has(&b, SHOAL_BLAME_PIECES + 9));
	assert_int_equal(shoal_blame_failed(&b, 0, NULL, NULL, SHOAL_BLAME_BLOCKS + 1), SHOAL_ERR_TOO_LONG);
	shoal_blame_fini(&b);
	assert_int_equal(b.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_liar_is_named_and_nobody_else),
		cmocka_unit_test(each_failed_attempt_counts),
		cmocka_unit_test(nothing_is_answered_for_twice),
		cmocka_unit_test(a_new_name_inherits),
		cmocka_unit_test(nobody_is_not_named),
		cmocka_unit_test(memory_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
