/* test_skeys.c - torrents by their hashes' hashes: found, not found, dropped, many of them, and without memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/mse.h"
#include "swarm/core/skeys.h"

#define MANY 5000u

static struct shoal_id20 hash_of(uint32_t i)
{
	struct shoal_id20 id = { { 0 } };
	shoal_put_u32(id.b, i);
	return id;
}

/* Entries never look into their swarm: any address will do. */
static struct shoal_swarm *swarm_of(struct shoal_skey *e)
{
	return (struct shoal_swarm *)(void *)e;
}

static void check(const struct shoal_skeys *t, struct shoal_skey *e, uint32_t i, bool there)
{
	struct shoal_id20 hash = hash_of(i), name = shoal_mse_skey_hash(&hash);
	struct shoal_skey *found = shoal_skeys_find(t, &name);
	assert_ptr_equal(found, there ? e : NULL);
	if (there) {
		assert_memory_equal(found->hash.b, hash.b, 20);
		assert_int_equal(found->v2, i % 2);
	}
}

static void many_come_and_go(size_t limit)
{
	struct shoal_budget budget = { .limit = limit };
	struct shoal_skeys t;
	struct shoal_skey *e = calloc(MANY, sizeof *e);
	uint32_t many = limit > 4096 ? MANY : 300;
	assert_non_null(e);
	shoal_skeys_init(&t, &budget, (struct shoal_sipkey){ 1, 2 });
	for (uint32_t i = 0; i < many; i++) {
		struct shoal_id20 hash = hash_of(i);
		check(&t, &e[i], i, false);
		shoal_skeys_add(&t, &e[i], swarm_of(&e[i]), &hash, i % 2);
		shoal_skeys_add(&t, &e[i], swarm_of(&e[i]), &hash, i % 2); /* once is enough */
	}
	assert_int_equal(t.count, many);
	assert_true(limit > 4096 ? t.room >= many : t.room == SHOAL_SKEYS_FEW);
	for (uint32_t i = 0; i < many; i++)
		check(&t, &e[i], i, true);
	for (uint32_t i = 0; i < many; i += 3) {
		shoal_skeys_drop(&t, &e[i]);
		shoal_skeys_drop(&t, &e[i]);
	}
	for (uint32_t i = 0; i < many; i++)
		check(&t, &e[i], i, i % 3 != 0);
	shoal_skeys_fini(&t);
	assert_int_equal(budget.used, 0);
	free(e);
}

static void all_are_found_by_their_name(void **state)
{
	(void)state;
	many_come_and_go(1u << 20);
}

static void without_memory_too(void **state)
{
	(void)state;
	many_come_and_go(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_found_by_their_name),
		cmocka_unit_test(without_memory_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
