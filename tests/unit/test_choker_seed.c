/* test_choker_seed.c - a seed's slots go round in turns, and to who passes things on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "swarm/peers/choker.h"
#include "tests/unit/own_crowd.h"

static void a_seed_serves_fifty_in_bounded_time(void **state)
{
	(void)state;
	for (int mixed = 0; mixed < 2; mixed++) {
		struct crowd c;
		crowd_init(&c, 50, 7);
		c.seeding = true;
		for (size_t i = 0; i < 50 && mixed; i++)
			c.speed[i] = 20000u << i % 10; /* 20 KB/s to 10 MB/s */
		for (int r = 0; r < 3 * 360; r++) {
			crowd_step(&c);
			assert_int_equal(crowd_served(&c), SHOAL_CHOKER_SLOTS + 1);
			assert_int_equal(crowd_on_trial(&c), 0);
		}
		shoal_us least = SHOAL_NEVER, most = 0;
		for (size_t i = 0; i < 50; i++) {
			assert_true(c.served[i] > 0);
			/* 41 others in 9 slots, a minute each at the most */
			assert_true(c.longest_wait[i] <= SHOAL_S(5 * 60 + 10));
			least = c.served[i] < least ? c.served[i] : least;
			most = c.served[i] > most ? c.served[i] : most;
		}
		if (!mixed) /* 1944 s is the even share */
			assert_true(least >= SHOAL_S(1944 - 194) && most <= SHOAL_S(1944 + 194));
	}
}

static void a_seed_prefers_the_fastest_of_equals_and_ends_turns_by_quota(void **state)
{
	(void)state;
	struct crowd c;
	crowd_init(&c, 12, 8);
	c.seeding = true;
	c.slots = 3;
	for (size_t i = 0; i < 12; i++)
		c.v[i].gave = 1000 * (i + 1);
	crowd_decide(&c);
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(c.v[i].unchoked, i >= 8);
	/* one has had its quota: it goes after the round, not before; who waits and was fastest is next */
	c.v[9].gave_turn = c.turn_bytes;
	c.now += SHOAL_S(5);
	crowd_decide(&c);
	assert_int_equal(c.changes, 0);
	c.now += SHOAL_S(5);
	crowd_decide(&c);
	assert_int_equal(c.changes, 2);
	assert_false(c.v[9].unchoked);
	assert_true(c.v[7].unchoked);
	/* time ends the turns of the other three; nobody waits longer than those who joined first */
	c.now = CROWD_START + SHOAL_CHOKER_TURN;
	crowd_decide(&c);
	assert_int_equal(c.changes, 6);
	assert_true(c.v[7].unchoked && c.v[6].unchoked && c.v[5].unchoked && c.v[4].unchoked);
}

static void a_turn_goes_on_while_nobody_waits(void **state)
{
	(void)state;
	struct crowd c;
	crowd_init(&c, 10, 9);
	c.seeding = true;
	for (int r = 0; r < 30; r++)
		crowd_step(&c); /* nine would fit, ten are there */
	unsigned before = 0, after = 0;
	for (size_t i = 0; i < 10; i++)
		before += c.v[i].unchoked;
	c.v[0].interested = false;
	crowd_decide(&c);
	for (int r = 0; r < 30; r++) {
		crowd_step(&c);
		after += c.changes;
	}
	assert_int_equal(before, 9);
	assert_int_equal(after, 0);
}

/* Without choked_at (an owner that does not keep it) turns still go round. */
static void turns_need_only_the_start_of_the_last_one(void **state)
{
	(void)state;
	struct crowd c;
	crowd_init(&c, 50, 10);
	c.seeding = true;
	for (int r = 0; r < 360; r++) {
		for (size_t i = 0; i < 50; i++)
			c.v[i].choked_at = 0;
		crowd_step(&c);
	}
	for (size_t i = 0; i < 50; i++)
		assert_true(c.longest_wait[i] > 0 && c.longest_wait[i] <= SHOAL_S(6 * 60));
}

/* A seed, twenty that want it, and half of them were seen to pass nothing on. */
static void a_seed_serves_who_passes_it_on(void **state)
{
	struct crowd c;
	shoal_us gave[2] = { 0 };
	(void)state;
	crowd_init(&c, 20, 14);
	c.seeding = c.by_onward = true;
	c.turn_bytes = 1000 * MIB; /* turns end by time */
	for (size_t i = 0; i < 20; i++)
		c.v[i].onward = i % 2 ? SHOAL_CHOKER_ONWARD : 100;
	for (int k = 0; k < 360; k++)
		crowd_step(&c);
	for (size_t i = 0; i < 20; i++) {
		gave[i % 2] += c.served[i];
		assert_true(c.served[i] > 0); /* nobody is left out */
	}
	print_message("%llu and %llu s\n", (unsigned long long)(gave[0] / 1000000),
		      (unsigned long long)(gave[1] / 1000000));
	assert_true(gave[1] > 3 * gave[0]);
	c.by_onward = false;
	memset(c.served, 0, sizeof c.served);
	for (int k = 0; k < 360; k++)
		crowd_step(&c);
	for (size_t i = 0; i < 20; i++)
		assert_true(c.served[i] > 0);
}

/* A seed, with some of the many that pass nothing on: those have one slot among them while others want any. */
static void of_those_who_keep_it_one_is_served_at_a_time(void **state)
{
	(void)state;
	for (size_t honest = 0; honest <= 12; honest += 2) {
		struct crowd c;
		crowd_init(&c, 20, 19);
		c.seeding = c.by_onward = true;
		for (size_t i = 0; i < 20; i++) {
			c.v[i].onward = i < honest ? SHOAL_CHOKER_ONWARD : SHOAL_CHOKER_ONWARD / 4;
			c.v[i].interested = i < honest || i >= 12;
		}
		for (int r = 0; r < 360; r++) {
			crowd_step(&c);
			size_t keep = 0, room = SHOAL_CHOKER_SLOTS + 1;
			for (size_t i = 12; i < 20; i++)
				keep += c.v[i].unchoked;
			assert_true(honest == 0 ? keep == 8 : keep <= 1);
			assert_int_equal(crowd_served(&c), honest == 0 ? 8 : honest + 1 < room ? honest + 1 : room);
		}
		for (size_t i = 12; i < 20; i++)
			assert_true(c.served[i] > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_serves_fifty_in_bounded_time),
		cmocka_unit_test(a_seed_prefers_the_fastest_of_equals_and_ends_turns_by_quota),
		cmocka_unit_test(a_turn_goes_on_while_nobody_waits),
		cmocka_unit_test(turns_need_only_the_start_of_the_last_one),
		cmocka_unit_test(a_seed_serves_who_passes_it_on),
		cmocka_unit_test(of_those_who_keep_it_one_is_served_at_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
