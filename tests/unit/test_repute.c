/* test_repute.c - records of a crowd that comes and goes, and what newcomers are expected to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "swarm/peers/repute.h"

static struct shoal_repute table_of(struct shoal_budget *budget)
{
	struct shoal_repute t;
	shoal_repute_init(&t, budget, (struct shoal_sipkey){ 1, 2 }, shoal_rng_split(1, 1));
	return t;
}

static struct shoal_addr v4(uint32_t ip, uint16_t port)
{
	struct shoal_addr a = { .is_v4 = true, .port = port };
	for (int i = 0; i < 4; i++)
		a.ip[i] = (uint8_t)(ip >> (24 - 8 * i));
	return a;
}

#define SOMEWHERE UINT32_C(0x4d000000) /* 77.0.0.0 */

static void meets(struct shoal_repute *t, uint32_t ip, bool bad, uint32_t now)
{
	struct shoal_addr a = v4(ip, 6881);
	struct shoal_repute_entry *e = shoal_repute_take(t, &a, now);
	assert_non_null(e);
	e->listens = true;
	for (uint32_t i = 0; i < 2 && bad; i++)
		shoal_rep_false(&e->rep, SHOAL_REP_WHY_FALSE_LEAF, 1, i, now);
	if (!bad)
		shoal_rep_verified(&e->rep, shoal_rep_memory(0), SHOAL_REPUTE_JUDGED, now);
	shoal_repute_judge(t, e, now);
	shoal_repute_judge(t, e, now); /* twice is once */
	shoal_repute_give(t, e);
}

static void a_record_outlives_its_connection(void **state)
{
	struct shoal_repute t = table_of(NULL);
	(void)state;
	meets(&t, SOMEWHERE, true, 10);
	meets(&t, SOMEWHERE + 1, false, 10);
	struct shoal_addr a = v4(SOMEWHERE, 6881), b = v4(SOMEWHERE, 6882);
	assert_int_equal(shoal_repute_find(&t, &a)->rep.state, SHOAL_REP_BANNED);
	assert_null(shoal_repute_find(&t, &b));
	assert_int_equal(t.count, 2);
	/* Who came from a port of the moment, and nothing is known of, leaves nothing. */
	struct shoal_repute_entry *e = shoal_repute_take(&t, &b, 20);
	shoal_repute_give(&t, e);
	assert_int_equal(t.count, 2);
	shoal_repute_fini(&t);
}

/* Who came before it was known what strangers are like is met again, if nothing was seen of him since. */
static void who_has_shown_nothing_is_met_again(void **state)
{
	struct shoal_repute t = table_of(NULL);
	struct shoal_addr a = v4(SOMEWHERE, 6881), b = v4(SOMEWHERE + 0x10000, 6881);
	(void)state;
	struct shoal_repute_entry *nothing = shoal_repute_take(&t, &a, 1), *some = shoal_repute_take(&t, &b, 1);
	float before = nothing->rep.expect_wrong;
	shoal_rep_verified(&some->rep, shoal_rep_memory(0), 1, 1);
	struct shoal_rep as_it_was = some->rep;
	assert_int_equal(nothing->rep.state, SHOAL_REP_GOOD);
	for (uint32_t i = 1; i <= 5; i++)
		meets(&t, SOMEWHERE + i * 0x20000, true, 2);
	shoal_repute_again(&t, nothing, 2);
	shoal_repute_again(&t, some, 2);
	assert_true(nothing->rep.expect_wrong > 2 * before);
	assert_int_equal(nothing->rep.state, SHOAL_REP_NEW);
	/* As if it came only now. */
	struct shoal_addr c = v4(SOMEWHERE + 0x30000, 6881);
	struct shoal_repute_entry *now = shoal_repute_take(&t, &c, 2);
	assert_float_equal(nothing->rep.right, now->rep.right, 1e-4);
	assert_float_equal(nothing->rep.wrong, now->rep.wrong, 1e-4);
	assert_memory_equal(&some->rep, &as_it_was, sizeof as_it_was);
	shoal_repute_give(&t, nothing);
	shoal_repute_give(&t, some);
	shoal_repute_give(&t, now);
	shoal_repute_fini(&t);
}

static void what_it_did_follows_it_to_where_it_listens(void **state)
{
	struct shoal_repute t = table_of(NULL);
	struct shoal_addr from = v4(SOMEWHERE, 40000), at = v4(SOMEWHERE, 6881);
	(void)state;
	struct shoal_repute_entry *e = shoal_repute_take(&t, &from, 1);
	shoal_rep_false(&e->rep, SHOAL_REP_WHY_FALSE_LEAF, 0, 0, 1);
	e = shoal_repute_listens(&t, e, &at, 1);
	assert_ptr_equal(e, shoal_repute_find(&t, &at));
	assert_null(shoal_repute_find(&t, &from));
	assert_int_equal(e->rep.state, SHOAL_REP_PAROLE);
	shoal_repute_give(&t, e);
	/* It comes again, from another port, and it is the same: the second false block bans it. */
	from.port++;
	e = shoal_repute_take(&t, &from, 2);
	assert_int_equal(e->rep.false_blocks, 0);
	e = shoal_repute_listens(&t, e, &at, 2);
	assert_int_equal(e->rep.false_blocks, 1);
	assert_int_equal(e->uses, 1);
	assert_int_equal(t.count, 1);
	shoal_rep_false(&e->rep, SHOAL_REP_WHY_FALSE_LEAF, 0, 1, 2);
	assert_int_equal(e->rep.state, SHOAL_REP_BANNED);
	shoal_repute_give(&t, e);
	shoal_repute_fini(&t);
}

/* Free in a clean swarm, dues under attack, free again some hours later. */
static void newcomers_are_met_as_the_last_ones_turned_out(void **state)
{
	struct shoal_repute t = table_of(NULL);
	struct shoal_addr far = v4(UINT32_C(0xc1000001), 1);
	struct shoal_rep r;
	(void)state;
	for (uint32_t i = 0; i < 50; i++)
		meets(&t, SOMEWHERE + i * 70000, false, 10);
	shoal_rep_init(&r, shoal_repute_expect(&t, &far, 10), 10);
	assert_int_equal(r.state, SHOAL_REP_GOOD);
	assert_true(shoal_rep_window(&r) > 400);
	for (uint32_t i = 0; i < 50; i++)
		meets(&t, SOMEWHERE + 0x1000000 + i * 70000, true, 10);
	double attacked = shoal_repute_expect(&t, &far, 10);
	assert_true(attacked > 0.25 && attacked < 0.5);
	shoal_rep_init(&r, attacked, 10);
	assert_int_equal(r.state, SHOAL_REP_NEW);
	assert_true(shoal_rep_window(&r) <= 16);
	assert_true(shoal_repute_expect(&t, &far, 10 + 12 * 3600) < 0.03);
	shoal_repute_fini(&t);
}

/* A network full of liars is not met like all others; a private one is. */
static void networks_are_known_by_those_who_came_from_them(void **state)
{
	struct shoal_repute t = table_of(NULL);
	struct shoal_addr near_them = v4(SOMEWHERE + 200, 1), far = v4(UINT32_C(0xc1000001), 1);
	struct shoal_addr lan = v4(UINT32_C(0x0a000001), 1);
	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		meets(&t, SOMEWHERE + i, true, 10);
		meets(&t, UINT32_C(0x0a000010) + i, true, 10);
	}
	double there = shoal_repute_expect(&t, &near_them, 10), elsewhere = shoal_repute_expect(&t, &far, 10);
	assert_true(there > 2 * elsewhere);
	assert_true(shoal_repute_expect(&t, &lan, 10) == elsewhere);
	shoal_repute_fini(&t);
}

/* A flood of strangers: memory is bounded, and those in use and the banned stay. */
static void a_flood_pushes_out_nothing_of_worth(void **state)
{
	struct shoal_budget budget = { .limit = 4u << 20 };
	struct shoal_repute t = table_of(&budget);
	struct shoal_addr used = v4(SOMEWHERE + 0x800000, 7);
	unsigned banned = 0;
	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		meets(&t, SOMEWHERE + i * 300, true, 10);
	struct shoal_repute_entry *held = shoal_repute_take(&t, &used, 10);
	for (uint32_t i = 0; i < 100000; i++)
		meets(&t, SOMEWHERE + 0x1000000 + i * 17, false, 20);
	assert_in_range(t.count, SHOAL_REPUTE_LEAST, t.most);
	assert_true(budget.used <= (4u << 20) / SHOAL_REPUTE_SHARE * 2 +
					   SHOAL_REPUTE_GROUPS * 2 * sizeof(struct shoal_repute_crowd) * 2);
	assert_ptr_equal(shoal_repute_find(&t, &used), held);
	for (uint32_t i = 0; i < 20; i++) {
		struct shoal_addr a = v4(SOMEWHERE + i * 300, 6881);
		banned += shoal_repute_find(&t, &a) != NULL;
	}
	assert_true(banned > 15);
	shoal_repute_give(&t, held);
	shoal_repute_fini(&t);
	assert_int_equal(budget.used, 0);
}

static void no_memory_is_no_record(void **state)
{
	struct shoal_budget budget = { .limit = 100 };
	struct shoal_repute t = table_of(&budget);
	struct shoal_addr a = v4(SOMEWHERE, 1);
	(void)state;
	assert_null(shoal_repute_take(&t, &a, 1));
	shoal_repute_fini(&t);
	assert_int_equal(budget.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_outlives_its_connection),
		cmocka_unit_test(who_has_shown_nothing_is_met_again),
		cmocka_unit_test(what_it_did_follows_it_to_where_it_listens),
		cmocka_unit_test(newcomers_are_met_as_the_last_ones_turned_out),
		cmocka_unit_test(networks_are_known_by_those_who_came_from_them),
		cmocka_unit_test(a_flood_pushes_out_nothing_of_worth),
		cmocka_unit_test(no_memory_is_no_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
