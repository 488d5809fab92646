/* test_fast_set.c - the sets BEP 6 prints, and what it leaves open: small torrents, neighbours, IPv6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/fast_set.h"

static const struct shoal_addr bep = { .ip = { 80, 4, 4, 200 }, .is_v4 = 1 };

static struct shoal_id20 hash_of(uint8_t byte)
{
	struct shoal_id20 hash;
	memset(hash.b, byte, sizeof hash.b);
	return hash;
}

static void the_sets_of_the_bep(void **state)
{
	static const uint32_t want[] = { 1059, 431, 808, 1217, 287, 376, 1188, 353, 508 };
	uint32_t got[SHOAL_FAST_SET_MAX];
	struct shoal_id20 hash = hash_of(0xaa);
	(void)state;
	for (uint32_t k = 7; k <= 9; k += 2) {
		assert_int_equal(shoal_fast_set(got, k, 1313, &hash, &bep), k);
		assert_memory_equal(got, want, k * sizeof *want);
	}
	assert_int_equal(shoal_fast_set(got, 1000, 1313, &hash, &bep), SHOAL_FAST_SET_MAX);
	assert_memory_equal(got, want, sizeof want);
}

static void neighbours_share_a_set(void **state)
{
	uint32_t a[SHOAL_FAST_SET_MAX];
	uint32_t b[SHOAL_FAST_SET_MAX];
	struct shoal_id20 hash = hash_of(0xaa);
	struct shoal_addr near = bep;
	struct shoal_addr far = bep;
	(void)state;
	near.ip[3] = 7;
	far.ip[2] = 7;
	shoal_fast_set(a, 10, 1313, &hash, &bep);
	shoal_fast_set(b, 10, 1313, &hash, &near);
	assert_memory_equal(a, b, sizeof a);
	shoal_fast_set(b, 10, 1313, &hash, &far);
	assert_memory_not_equal(a, b, sizeof a);
	hash = hash_of(0xab);
	shoal_fast_set(b, 10, 1313, &hash, &bep);
	assert_memory_not_equal(a, b, sizeof a);
}

/* With few pieces the set is all of them, each once; it ends for any number of them. */
static void small_torrents(void **state)
{
	struct shoal_id20 hash = hash_of(3);
	(void)state;
	for (uint32_t pieces = 1; pieces < 40; pieces++) {
		uint32_t got[SHOAL_FAST_SET_MAX];
		uint32_t n = shoal_fast_set(got, 10, pieces, &hash, &bep);
		assert_int_equal(n, pieces < 10 ? pieces : 10);
		for (uint32_t i = 0; i < n; i++) {
			assert_true(got[i] < pieces);
			for (uint32_t k = 0; k < i; k++)
				assert_int_not_equal(got[i], got[k]);
		}
	}
	assert_int_equal(shoal_fast_set(NULL, 10, 0, &hash, &bep), 0);
}

static void none_for_ipv6(void **state)
{
	struct shoal_id20 hash = hash_of(3);
	struct shoal_addr six = { .ip = { 0x20, 1, 0xd, 0xb8 }, .is_v4 = 0 };
	(void)state;
	assert_int_equal(shoal_fast_set(NULL, 10, 1313, &hash, &six), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sets_of_the_bep),
		cmocka_unit_test(neighbours_share_a_set),
		cmocka_unit_test(small_torrents),
		cmocka_unit_test(none_for_ipv6),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
