/* test_choker.c - simulated hours of rounds: who is served, for how long, and how often it changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "swarm/peers/choker.h"
#include "tests/unit/own_crowd.h"

static void all_are_served_when_all_fit(void **state)
{
	(void)state;
	for (int seeding = 0; seeding < 2; seeding++) {
		struct crowd c;
		crowd_init(&c, SHOAL_CHOKER_SLOTS + 3, 1);
		c.seeding = seeding;
		c.v[2].snubbed = true;
		c.v[4].interested = false;
		c.v[4].got = 1000000;
		c.v[5].seed = true;
		for (int r = 0; r < 100; r++) {
			crowd_step(&c);
			for (size_t i = 0; i < c.n; i++)
				assert_int_equal(c.v[i].unchoked, i != 4 && i != 5);
			assert_int_equal(c.changes, r == 0 ? SHOAL_CHOKER_SLOTS + 1 : 0);
		}
		/* who loses interest is choked at once, and nobody else is touched */
		c.v[0].interested = false;
		crowd_step(&c);
		assert_int_equal(c.changes, 1);
		assert_false(c.v[0].unchoked);
	}
}

static void a_free_rider_gets_only_trials(void **state)
{
	(void)state;
	struct crowd c;
	crowd_init(&c, 40, 2);
	for (size_t i = 0; i < 12; i++)
		c.v[i].got = 50000 + 10000 * i; /* 12 give, 28 ride */
	for (int r = 0; r < 4 * 360; r++) {
		crowd_step(&c);
		assert_int_equal(crowd_served(&c), SHOAL_CHOKER_SLOTS + 1);
		assert_int_equal(crowd_on_trial(&c), 1);
	}
	for (size_t i = 0; i < 40; i++) {
		if (i >= 12)
			assert_int_equal(c.regular_rounds[i], 0);
		if (i >= 4 && i < 12)
			assert_int_equal(c.regular_rounds[i], 4 * 360);
		else
			assert_in_range(c.trials[i], 3, 40); /* 480 trials among 32: 15 each */
	}
}

static void a_trial_lasts_three_rounds_and_ends_well_for_who_gives(void **state)
{
	(void)state;
	struct crowd c;
	crowd_init(&c, 20, 3);
	for (size_t i = 0; i < 10; i++)
		c.v[i].got = 100000 + 1000 * i;
	unsigned moved = 0;
	size_t last = CROWD_PEERS;
	for (int r = 0; r < 60; r++) {
		crowd_step(&c);
		size_t who = 0;
		while (!c.v[who].optimistic)
			who++;
		if (who != last) {
			assert_int_equal(r % 3, 0);
			moved++;
		}
		last = who;
	}
	assert_int_equal(moved, 20);
	/* the one on trial answers with the most of all: it has a slot for good, and another is tried at once */
	c.v[last].got = 900000;
	crowd_step(&c);
	assert_true(c.v[last].unchoked && !c.v[last].optimistic);
	assert_int_equal(crowd_on_trial(&c), 1);
	assert_true(c.changes <= 2);
}

static void a_newcomer_is_three_times_as_likely_on_trial(void **state)
{
	(void)state;
	unsigned fresh = 0, old = 0;
	for (uint64_t seed = 0; seed < 4000; seed++) {
		struct crowd c;
		crowd_init(&c, 28, seed);
		for (size_t i = 0; i < 8; i++)
			c.v[i].got = 100000;
		for (size_t i = 8; i < 18; i++)
			c.v[i].unchoked_at = c.v[i].choked_at = CROWD_START - SHOAL_S(100);
		crowd_decide(&c);
		for (size_t i = 8; i < 28; i++)
			*(i < 18 ? &old : &fresh) += c.v[i].optimistic;
	}
	assert_int_equal(old + fresh, 4000);
	assert_in_range(fresh, 2850, 3150);
}

static void the_snubbed_lose_their_slot(void **state)
{
	(void)state;
	struct crowd c;
	crowd_init(&c, 20, 4);
	for (size_t i = 0; i < 12; i++)
		c.v[i].got = 100000 + 1000 * i;
	crowd_step(&c);
	assert_true(c.v[11].unchoked && !c.v[11].optimistic);
	c.v[11].snubbed = true;
	crowd_step(&c);
	assert_false(c.v[11].unchoked && !c.v[11].optimistic);
	assert_true(c.changes <= 2);
	/* and free slots are not theirs either */
	for (size_t i = 0; i < 20; i++)
		c.v[i].snubbed = i != 7;
	for (int r = 0; r < 30; r++) {
		crowd_step(&c);
		assert_true(c.v[7].unchoked && !c.v[7].optimistic);
		assert_int_equal(crowd_served(&c), 2);
		assert_int_equal(crowd_on_trial(&c), 1);
	}
}

static void it_does_not_flap(void **state)
{
	(void)state;
	struct crowd c;
	crowd_init(&c, 30, 5);
	unsigned regular_changes = 0;
	for (int r = 0; r < 360; r++) {
		for (size_t i = 0; i < 30; i++) /* all the same, five percent up and down */
			c.v[i].got = 95000 + shoal_rng_below(&c.rng, 10000);
		bool regular[CROWD_PEERS];
		for (size_t i = 0; i < 30; i++)
			regular[i] = c.v[i].unchoked && !c.v[i].optimistic;
		crowd_step(&c);
		if (r == 0)
			continue;
		assert_true(c.changes <= 2); /* the trial alone moves */
		if (r % 3)
			assert_int_equal(c.changes, 0);
		for (size_t i = 0; i < 30; i++)
			regular_changes += regular[i] != (c.v[i].unchoked && !c.v[i].optimistic);
	}
	assert_int_equal(regular_changes, 0);
	/* one that is truly better moves one that is worse, and only that */
	size_t better = 0;
	while (c.v[better].unchoked)
		better++;
	for (size_t i = 0; i < 30; i++)
		c.v[i].got = 100000;
	c.v[better].got = 120000;
	crowd_decide(&c);
	assert_true(c.v[better].unchoked && !c.v[better].optimistic);
	assert_true(c.changes <= 2 + 2); /* this one, and a trial if it was due */
	/* asked again at once (somebody left elsewhere): nothing moves */
	for (int i = 0; i < 5; i++) {
		crowd_decide(&c);
		assert_int_equal(c.changes, 0);
	}
}

static void slots_that_nobody_earns_go_round(void **state)
{
	(void)state;
	struct crowd c;
	crowd_init(&c, 40, 6); /* a swarm just born: nobody has given anything */
	for (size_t i = 0; i < 3; i++)
		c.v[i].got = 1000 * (i + 1);
	for (int r = 0; r < 360; r++) {
		crowd_step(&c);
		assert_int_equal(crowd_served(&c), SHOAL_CHOKER_SLOTS + 1);
		for (size_t i = 0; i < 3; i++)
			assert_true(c.v[i].unchoked && !c.v[i].optimistic);
	}
	for (size_t i = 3; i < 40; i++)
		assert_true(c.longest_wait[i] > 0 && c.longest_wait[i] <= SHOAL_S(37 * 60 / 4));
}

static void the_laws_hold_for_any_table_in_any_order(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 3000; seed++) {
		struct crowd c, d;
		crowd_init(&c, seed % CROWD_PEERS, seed);
		c.slots = shoal_rng_below(&c.rng, 12);
		c.seeding = shoal_rng_below(&c.rng, 2);
		c.choker.optimistic_at = CROWD_START - SHOAL_S(shoal_rng_below(&c.rng, 40));
		bool tried = false;
		for (size_t i = 0; i < c.n; i++) {
			struct shoal_choker_view *v = &c.v[i];
			v->interested = shoal_rng_below(&c.rng, 4) != 0;
			v->snubbed = shoal_rng_below(&c.rng, 4) == 0;
			v->seed = shoal_rng_below(&c.rng, 8) == 0;
			v->unchoked = shoal_rng_below(&c.rng, 3) == 0;
			v->optimistic = v->unchoked && !tried && shoal_rng_below(&c.rng, 4) == 0;
			tried |= v->optimistic;
			v->got = shoal_rng_below(&c.rng, 2) ? 0 : UINT64_MAX - shoal_rng_below(&c.rng, 3);
			v->gave = shoal_rng_below(&c.rng, 3);
			v->unchoked_at = v->unchoked ? CROWD_START - SHOAL_S(shoal_rng_below(&c.rng, 90)) : 0;
			v->joined_at = CROWD_START - SHOAL_S(shoal_rng_below(&c.rng, 90));
			v->gave_turn = shoal_rng_below(&c.rng, 2) ? c.turn_bytes : 1;
		}
		d = c;
		for (size_t i = 0; i < d.n; i++) /* the same table, backwards */
			d.v[i] = c.v[c.n - 1 - i];
		size_t candidates = 0, may = 0;
		for (size_t i = 0; i < c.n; i++) {
			bool in = c.v[i].interested && !c.v[i].seed;
			candidates += in;
			may += in && (c.seeding || !c.v[i].snubbed);
		}
		crowd_decide(&c);
		crowd_decide(&d);
		for (size_t i = 0; i < c.n; i++) {
			assert_int_equal(c.v[i].unchoked, d.v[c.n - 1 - i].unchoked);
			assert_int_equal(c.v[i].optimistic, d.v[c.n - 1 - i].optimistic);
			if (c.v[i].unchoked)
				assert_true(c.v[i].interested && !c.v[i].seed);
		}
		size_t room = c.slots + 1;
		if (candidates <= room || c.seeding)
			assert_int_equal(crowd_served(&c), candidates < room ? candidates : room);
		else
			assert_int_equal(crowd_served(&c), (may < c.slots ? may : c.slots) + 1);
		assert_true(crowd_on_trial(&c) == (candidates > room && !c.seeding));
	}
}

static void no_slots_and_no_limit(void **state)
{
	(void)state;
	struct crowd c;
	crowd_init(&c, 30, 11);
	for (size_t i = 0; i < 30; i++)
		c.v[i].got = 1000;
	c.slots = 0;
	crowd_decide(&c);
	assert_int_equal(crowd_served(&c), 1);
	assert_int_equal(crowd_on_trial(&c), 1);
	c.slots = UINT32_MAX;
	crowd_decide(&c);
	assert_int_equal(crowd_served(&c), 30);
	assert_int_equal(crowd_on_trial(&c), 0);
	struct shoal_choke_terms none = { .slots = 8, .seeding = true, .turn_bytes = 1, .unit = 1 };
	shoal_choker_round(&c.choker, NULL, 0, &none, &c.rng, c.now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_served_when_all_fit),
		cmocka_unit_test(a_free_rider_gets_only_trials),
		cmocka_unit_test(a_trial_lasts_three_rounds_and_ends_well_for_who_gives),
		cmocka_unit_test(a_newcomer_is_three_times_as_likely_on_trial),
		cmocka_unit_test(the_snubbed_lose_their_slot),
		cmocka_unit_test(it_does_not_flap),
		cmocka_unit_test(slots_that_nobody_earns_go_round),
		cmocka_unit_test(the_laws_hold_for_any_table_in_any_order),
		cmocka_unit_test(no_slots_and_no_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
