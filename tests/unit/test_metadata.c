/* test_metadata.c - assemblies by size: liars about the size, refusals, wrong hashes, and nothing held for a mere claim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "proto/base/bytes.h"
#include "proto/extension.h"
#include "proto/metainfo.h"
#include "swarm/pieces/metadata.h"

static struct shoal_budget budget;
static uint8_t block[SHOAL_METADATA_BLOCK];

static struct shoal_metadata fresh(size_t limit)
{
	struct shoal_metadata m;
	budget = (struct shoal_budget){ .limit = limit };
	shoal_metadata_init(&m, &budget);
	return m;
}

static struct shoal_bytes filled(uint8_t with, size_t len)
{
	memset(block, with, sizeof block);
	return shoal_bytes(block, len);
}

static void blocks_come_in_any_order_from_anyone(void **state)
{
	(void)state;
	struct shoal_metadata m = fresh(1 << 20);
	uint64_t size = 2 * SHOAL_METADATA_BLOCK + 5;
	assert_int_equal(shoal_metadata_want(&m, size, 1, 10), 0);
	assert_int_equal(shoal_metadata_want(&m, size, 2, 10), 1);
	assert_int_equal(shoal_metadata_want(&m, size, 3, 10), 2);
	assert_int_equal(shoal_metadata_want(&m, size, 3, 10), UINT32_MAX); /* all asked */
	assert_int_equal(shoal_metadata_block(&m, size, 2, filled('c', 5), 3, 2), 0);
	assert_int_equal(shoal_metadata_block(&m, size, 0, filled('a', SHOAL_METADATA_BLOCK), 1, 2), 0);
	shoal_metadata_refused(&m, size, 1, 1); /* it was asked of another */
	assert_int_equal(shoal_metadata_want(&m, size, 1, 11), UINT32_MAX);
	shoal_metadata_refused(&m, size, 1, 2);
	assert_int_equal(shoal_metadata_want(&m, size, 1, 11), 1);
	assert_int_equal(shoal_metadata_block(&m, size, 1, filled('b', SHOAL_METADATA_BLOCK), 1, 2), 1);
	uint8_t *whole = shoal_metadata_whole(&m, size);
	assert_non_null(whole);
	assert_int_equal(whole[0], 'a');
	assert_int_equal(whole[SHOAL_METADATA_BLOCK], 'b');
	assert_int_equal(whole[size - 1], 'c');
	free(whole);
	assert_int_equal(budget.used, 0);
	shoal_metadata_fini(&m);
}

static void a_block_unanswered_is_asked_elsewhere(void **state)
{
	(void)state;
	struct shoal_metadata m = fresh(1 << 20);
	assert_int_equal(shoal_metadata_want(&m, 100, 1, 1), 0);
	assert_int_equal(shoal_metadata_want(&m, 100, 2, SHOAL_METADATA_ASK_TIME), UINT32_MAX);
	assert_int_equal(shoal_metadata_want(&m, 100, 2, SHOAL_METADATA_ASK_TIME + 1), 0);
	shoal_metadata_fini(&m);
}

static void what_a_peer_takes_along_is_asked_elsewhere(void **state)
{
	(void)state;
	struct shoal_metadata m = fresh(1 << 20);
	uint64_t size = 2 * SHOAL_METADATA_BLOCK;
	assert_int_equal(shoal_metadata_want(&m, size, 1, 1), 0);
	assert_int_equal(shoal_metadata_want(&m, size, 2, 1), 1);
	shoal_metadata_gone(&m, 1);
	assert_int_equal(shoal_metadata_want(&m, size, 2, 2), 0); /* at once */
	assert_int_equal(shoal_metadata_want(&m, size, 2, 2), UINT32_MAX);
	assert_int_equal(shoal_metadata_block(&m, size, 0, filled('a', SHOAL_METADATA_BLOCK), 2, 2), 0);
	assert_int_equal(shoal_metadata_block(&m, size, 1, filled('b', SHOAL_METADATA_BLOCK), 2, 2), 1);
	uint32_t source[4];
	assert_int_equal(shoal_metadata_wrong(&m, size, source, 4), 1);
	assert_int_equal(shoal_metadata_want(&m, size, 3, 3), 0); /* from one peer alone, now ... */
	assert_int_equal(shoal_metadata_want(&m, size, 4, 3), UINT32_MAX);
	shoal_metadata_gone(&m, 3);
	assert_int_equal(shoal_metadata_want(&m, size, 4, 4), 0); /* ... and another one when it leaves */
	shoal_metadata_fini(&m);
}

static void what_does_not_fit_is_refused(void **state)
{
	(void)state;
	struct shoal_metadata m = fresh(SHOAL_METADATA_BLOCK);
	static const uint64_t sizes[] = { 0, SHOAL_METAINFO_BYTES_MAX + UINT64_C(1), UINT64_MAX };
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(shoal_metadata_want(&m, sizes[i], 1, 1), UINT32_MAX);
	uint64_t size = 2 * SHOAL_METADATA_BLOCK;
	assert_int_equal(shoal_metadata_block(&m, size, 0, filled(0, 10), 1, 2), SHOAL_ERR_GONE); /* no such assembly */
	assert_int_equal(shoal_metadata_want(&m, size, 1, 1), 0);
	assert_int_equal(budget.used, 0); /* asking costs nothing that grows */
	assert_int_equal(shoal_metadata_block(&m, size, 0, filled(0, 10), 1, 2), SHOAL_ERR_MALFORMED); /* short */
	assert_int_equal(shoal_metadata_block(&m, size, 1, filled(0, SHOAL_METADATA_BLOCK), 1, 2),
			 SHOAL_ERR_GONE); /* not asked */
	assert_int_equal(shoal_metadata_block(&m, size, 2, filled(0, SHOAL_METADATA_BLOCK), 1, 2),
			 SHOAL_ERR_GONE); /* none */
	assert_int_equal(budget.used, 0); /* all dropped */
	assert_int_equal(shoal_metadata_block(&m, size, 0, filled(0, SHOAL_METADATA_BLOCK), 1, 2), 0);
	assert_int_equal(shoal_metadata_want(&m, size, 1, 1), 1);
	assert_int_equal(shoal_metadata_block(&m, size, 1, filled(0, SHOAL_METADATA_BLOCK), 1, 2), SHOAL_ERR_NOMEM);
	assert_null(shoal_metadata_whole(&m, size));
	shoal_metadata_fini(&m);
	assert_int_equal(budget.used, 0);
}

static void liars_about_the_size_stand_beside_the_honest(void **state)
{
	(void)state;
	struct shoal_metadata m = fresh(1 << 20);
	for (uint32_t peer = 1; peer < SHOAL_METADATA_SIZES; peer++)
		assert_int_equal(shoal_metadata_want(&m, 1000 + peer, peer, 1), 0);
	assert_int_equal(shoal_metadata_want(&m, 500, 39, 1), 0); /* the honest one still has a place */
	assert_int_equal(shoal_metadata_want(&m, 501, 40, 1), UINT32_MAX);
	/* With all places taken the one in which nothing moves makes way, and not the others with it. */
	assert_int_equal(shoal_metadata_want(&m, 501, 40, SHOAL_METADATA_STILL + 1), 0);
	assert_int_equal(m.count, SHOAL_METADATA_SIZES);
	shoal_metadata_fini(&m);
}

static void a_peer_has_one_size_at_a_time(void **state)
{
	(void)state;
	struct shoal_metadata m = fresh(1 << 20);
	for (uint64_t size = 1000; size < 1100; size++)
		assert_int_equal(shoal_metadata_want(&m, size, 7, 1), 0);
	assert_int_equal(m.count, 1);
	assert_int_equal(shoal_metadata_want(&m, 1099, 8, 1), UINT32_MAX); /* asked; but now two say so */
	assert_int_equal(shoal_metadata_want(&m, 77, 7, 1), 0);
	assert_int_equal(m.count, 2);
	shoal_metadata_gone(&m, 7);
	assert_int_equal(m.count, 1);
	shoal_metadata_fini(&m);
}

static void one_who_was_asked_before_may_still_answer(void **state)
{
	(void)state;
	struct shoal_metadata m = fresh(1 << 20);
	shoal_us t = 1;
	for (uint32_t peer = 1; peer <= 3; peer++, t += SHOAL_METADATA_ASK_TIME)
		assert_int_equal(shoal_metadata_want(&m, 100, peer, t), 0);
	assert_int_equal(shoal_metadata_block(&m, 100, 0, filled(1, 100), 1, t), SHOAL_ERR_GONE); /* long ago */
	assert_int_equal(shoal_metadata_block(&m, 100, 0, filled(1, 100), 2, t), 1);
	uint32_t source[2];
	assert_int_equal(shoal_metadata_wrong(&m, 100, source, 2), 1);
	assert_int_equal(source[0], 2); /* blame goes to who sent it */
	shoal_metadata_fini(&m);
}

static void nobody_answers_for_another(void **state)
{
	(void)state;
	struct shoal_metadata m = fresh(1 << 20);
	uint64_t size = SHOAL_METADATA_BLOCK;
	assert_int_equal(shoal_metadata_want(&m, size, 1, 1), 0);
	assert_int_equal(shoal_metadata_block(&m, size, 0, filled(9, SHOAL_METADATA_BLOCK), 2, 2),
			 SHOAL_ERR_GONE); /* poison */
	assert_int_equal(budget.used, 0);
	assert_int_equal(shoal_metadata_block(&m, size, 0, filled(1, SHOAL_METADATA_BLOCK), 1, 2), 1);
	shoal_metadata_fini(&m);
}

static void one_alone_starts_from_nothing(void **state)
{
	(void)state;
	struct shoal_metadata m = fresh(1 << 20);
	uint64_t size = 2 * SHOAL_METADATA_BLOCK;
	uint32_t source[4];
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(shoal_metadata_want(&m, size, i + 1, 1), i);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(shoal_metadata_block(&m, size, i, filled(0, SHOAL_METADATA_BLOCK), i + 1, 1), i == 1);
	assert_int_equal(shoal_metadata_wrong(&m, size, source, 4), 2);
	/* The liar, alone now, gives one block and holds the other back. */
	assert_int_equal(shoal_metadata_want(&m, size, 1, 2), 0);
	assert_int_equal(shoal_metadata_want(&m, size, 1, 2), 1);
	assert_int_equal(shoal_metadata_block(&m, size, 0, filled(9, SHOAL_METADATA_BLOCK), 1, 2), 0);
	assert_int_equal(shoal_metadata_block(&m, size, 0, filled(9, SHOAL_METADATA_BLOCK), 1, 3), SHOAL_ERR_GONE);
	/* The next one is asked for both. */
	shoal_us later = 3 + SHOAL_METADATA_STILL;
	assert_int_equal(shoal_metadata_want(&m, size, 2, later), 0);
	assert_int_equal(shoal_metadata_want(&m, size, 2, later), 1);
	assert_int_equal(budget.used, 0);
	shoal_metadata_fini(&m);
}

static void one_alone_who_is_silent_loses_his_turn(void **state)
{
	(void)state;
	struct shoal_metadata m = fresh(1 << 20);
	uint64_t size = SHOAL_METADATA_BLOCK;
	uint32_t source[4];
	assert_int_equal(shoal_metadata_want(&m, size, 1, 1), 0);
	assert_int_equal(shoal_metadata_block(&m, size, 0, filled(9, SHOAL_METADATA_BLOCK), 1, 1), 1);
	assert_int_equal(shoal_metadata_wrong(&m, size, source, 4), 1);
	assert_int_equal(shoal_metadata_want(&m, size, 2, 2), 0);
	shoal_us later = 2 + SHOAL_METADATA_STILL;
	assert_int_equal(shoal_metadata_want(&m, size, 3, later - 1), UINT32_MAX);
	assert_int_equal(shoal_metadata_want(&m, size, 3, later), 0);
	assert_int_equal(shoal_metadata_block(&m, size, 0, filled(9, SHOAL_METADATA_BLOCK), 2, later),
			 SHOAL_ERR_GONE); /* too late */
	assert_int_equal(shoal_metadata_block(&m, size, 0, filled(1, SHOAL_METADATA_BLOCK), 3, later), 1);
	shoal_metadata_fini(&m);
}

static void after_a_wrong_hash_one_peer_alone_answers(void **state)
{
	(void)state;
	struct shoal_metadata m = fresh(1 << 20);
	uint64_t size = 2 * SHOAL_METADATA_BLOCK;
	uint32_t source[4];
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(shoal_metadata_want(&m, size, i + 1, 1), i);
		assert_int_equal(shoal_metadata_block(&m, size, i, filled(0, SHOAL_METADATA_BLOCK), i + 1, 2), i == 1);
	}
	assert_int_equal(shoal_metadata_wrong(&m, size, source, 4), 2); /* two senders: neither is guilty yet */
	assert_int_equal(budget.used, 0);
	assert_int_equal(shoal_metadata_want(&m, size, 5, 2), 0);
	assert_int_equal(shoal_metadata_want(&m, size, 6, 2), UINT32_MAX); /* from one alone */
	assert_int_equal(shoal_metadata_want(&m, size, 5, 2), 1);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(shoal_metadata_block(&m, size, i, filled(0, SHOAL_METADATA_BLOCK), 5, 2), i == 1);
	assert_int_equal(shoal_metadata_wrong(&m, size, source, 4), 1);
	assert_int_equal(source[0], 5);
	shoal_metadata_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_come_in_any_order_from_anyone),
		cmocka_unit_test(a_block_unanswered_is_asked_elsewhere),
		cmocka_unit_test(what_a_peer_takes_along_is_asked_elsewhere),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(liars_about_the_size_stand_beside_the_honest),
		cmocka_unit_test(a_peer_has_one_size_at_a_time),
		cmocka_unit_test(one_who_was_asked_before_may_still_answer),
		cmocka_unit_test(nobody_answers_for_another),
		cmocka_unit_test(one_alone_starts_from_nothing),
		cmocka_unit_test(one_alone_who_is_silent_loses_his_turn),
		cmocka_unit_test(after_a_wrong_hash_one_peer_alone_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
