/* test_choker_trials.c - who is tried by what came of earlier trials, and what one may cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "swarm/peers/choker.h"
#include "tests/unit/own_crowd.h"

/* ---- by record -------------------------------------------------------------------------------- */

/* Ten that gave for what they got, ten that only took, ten of whom nothing is known: who is tried in an hour. */
static void trials_go_to_who_gave_and_to_who_is_new(void **state)
{
	struct crowd c;
	unsigned tried[3] = { 0 };
	(void)state;
	crowd_init(&c, 38, 12);
	c.by_record = true;
	for (size_t i = 0; i < 38; i++) {
		c.v[i].got = i >= 30 ? 1000000 : 0; /* the regular ones */
		c.v[i].gave_ever = i < 20 ? 20 * MIB : 0;
		c.v[i].got_ever = i < 10 ? 20 * MIB : 0;
	}
	for (int k = 0; k < 360; k++) {
		crowd_step(&c);
		for (size_t i = 0; i < 30; i++) {
			c.v[i].gave_ever += c.v[i].gave * 10;
			c.v[i].got_ever += i < 10 ? c.v[i].gave * 10 : 0;
		}
	}
	for (size_t i = 0; i < 30; i++)
		tried[i / 10] += c.trials[i];
	print_message("gave %u, took %u, new %u\n", tried[0], tried[1], tried[2]);
	assert_true(tried[0] > 60 && tried[2] >= 10 && tried[1] * 10 < tried[0]);
}

/* Who gives fills the line: who does not shares it only while few do. */
static void slots_are_not_given_away_while_enough_are_earned(void **state)
{
	struct crowd c;
	(void)state;
	for (size_t earn = 0; earn <= SHOAL_CHOKER_SLOTS; earn++) {
		crowd_init(&c, 30, 13);
		c.by_record = true;
		for (size_t i = 0; i < earn; i++)
			c.v[i].got = 100000;
		crowd_decide(&c);
		size_t want = earn < 4 ? 4 : earn;
		assert_int_equal(crowd_served(&c), want + 1); /* and one on trial */
		for (size_t i = 0; i < earn; i++)
			assert_true(c.v[i].unchoked && !c.v[i].optimistic);
	}
}

/* ---- what a trial may cost --------------------------------------------------------------------- */

/* Who crumbles has no slot by it: five that give well, and twenty-five that gave a little. */
static void a_trifle_earns_no_slot(void **state)
{
	struct crowd c;
	(void)state;
	crowd_init(&c, 30, 15);
	c.by_record = true;
	for (size_t i = 0; i < 30; i++)
		c.v[i].got = i < 5 ? 100000 : 100; /* an equal share is 62 KB/s */
	crowd_decide(&c);
	for (size_t i = 0; i < 30; i++)
		assert_int_equal(c.v[i].why == SHOAL_CHOKE_EARNED, i < 5);
	for (size_t i = 0; i < 30; i++)
		c.v[i].got = 100; /* where nobody gives more, it is the same as giving well */
	crowd_decide(&c);
	size_t earned = 0;
	for (size_t i = 0; i < 30; i++)
		earned += c.v[i].why == SHOAL_CHOKE_EARNED;
	assert_int_equal(earned, SHOAL_CHOKER_SLOTS);
}

/* Who does not serve us after a round of its own has had its chance; who does, or has nothing we want, keeps it. */
static void a_trial_without_an_answer_ends_early(void **state)
{
	(void)state;
	for (int denies = 0; denies < 2; denies++) {
		struct crowd c;
		crowd_init(&c, 30, 16);
		c.by_record = true;
		for (size_t i = 0; i < 30; i++) {
			c.v[i].got = i < SHOAL_CHOKER_SLOTS ? 100000 : 0;
			c.v[i].denies = denies;
		}
		unsigned moved = 0, rounds = 60;
		size_t last = CROWD_PEERS;
		for (unsigned r = 0; r < rounds; r++) {
			crowd_step(&c);
			size_t who = 0;
			while (!c.v[who].optimistic)
				who++;
			moved += who != last;
			last = who;
		}
		assert_int_equal(moved, denies ? rounds / 2 : rounds / 3);
	}
}

/* Everybody takes what it is let have of a line of 100 blocks a second, in turns of a block; those who have no room for
 * more than `thirst` blocks a second leave the rest. What the one on trial got, of a thousand. */
static unsigned trial_share(unsigned regular_thirst, unsigned trial_thirst)
{
	enum { LINE = 100, BLOCK = 16384 };
	struct crowd c;
	uint64_t all = 0, on_trial_bytes = 0;
	crowd_init(&c, 40, 17);
	c.by_record = true;
	for (size_t i = 0; i < 40; i++)
		c.v[i].got = i < SHOAL_CHOKER_SLOTS ? 100000 : 0;
	for (unsigned second = 0; second < 3600; second++) {
		unsigned left = LINE, had[CROWD_PEERS] = { 0 };
		if (second % 10 == 0)
			crowd_decide(&c);
		for (bool any = true; any && left > 0;) {
			any = false;
			/* The one on trial asks for much, and so TCP gives it two turns. */
			for (size_t k = 0; k < 80 && left > 0; k++) {
				struct shoal_choker_view *v = &c.v[k / 2];
				unsigned thirst = v->optimistic ? trial_thirst : regular_thirst;
				if (!v->unchoked || (!v->optimistic && k % 2) || had[k / 2] >= thirst ||
				    (v->optimistic && shoal_choker_sated(&c.choker, v->gave_turn, 4 * BLOCK)))
					continue;
				had[k / 2]++;
				left--;
				any = true;
				v->gave_turn += BLOCK;
				v->gave_ever += BLOCK;
				shoal_choker_gave(&c.choker, !v->optimistic, BLOCK);
				all += BLOCK;
				on_trial_bytes += v->optimistic ? BLOCK : 0;
			}
		}
		c.now += SHOAL_S(1);
	}
	return (unsigned)(on_trial_bytes * 1000 / all);
}

static void a_trial_takes_no_more_than_another_slot(void **state)
{
	(void)state;
	unsigned share = trial_share(1000, 1000); /* a full line: 111 is an equal share, 200 what it would take */
	print_message("%u of 1000\n", share);
	assert_in_range(share, 95, 145); /* one in four takes what it can */
}

/* Regulars who want 2 blocks a second of 100 each: a trial that was held to that would leave five sixths unused. */
static void a_line_that_others_do_not_fill_is_the_trials(void **state)
{
	(void)state;
	unsigned share = trial_share(2, 1000);
	print_message("%u of 1000\n", share);
	assert_true(share > 700);
}

static void nobody_is_held_before_the_first_trial_is_known(void **state)
{
	struct shoal_choker c = { 0 };
	(void)state;
	assert_false(shoal_choker_sated(&c, UINT64_MAX, 0));
	c.regulars = 3;
	c.regular_bytes = 3000;
	assert_true(shoal_choker_sated(&c, 1500, 500));
	assert_false(shoal_choker_sated(&c, 1499, 500));
	c.trial_before = 2000; /* in a turn that began before */
	assert_false(shoal_choker_sated(&c, 1500, 500));
	assert_false(shoal_choker_sated(&c, 3499, 500));
	assert_true(shoal_choker_sated(&c, 3500, 500));
}

/* Nothing is for ever: in a day everybody is tried, those too that only took. At no time are more served than there
 * are slots for, and the one for trials. */
static void nobody_is_left_out_for_good(void **state)
{
	struct crowd c;
	shoal_us last[CROWD_PEERS], longest = 0;
	(void)state;
	crowd_init(&c, 40, 18);
	c.by_record = true;
	for (size_t i = 0; i < 40; i++) {
		c.v[i].got = i < SHOAL_CHOKER_SLOTS ? 100000 : 0;
		c.v[i].denies = i >= 24;
		last[i] = CROWD_START;
	}
	for (int r = 0; r < 24 * 360; r++) {
		crowd_step(&c);
		assert_true(crowd_served(&c) == SHOAL_CHOKER_SLOTS + 1u && crowd_on_trial(&c) == 1);
		for (size_t i = 0; i < 40; i++) {
			c.v[i].gave_ever += c.v[i].gave * 10;
			c.v[i].got_ever += i < 24 ? c.v[i].gave * 10 : 0;
			shoal_us wait = c.now - last[i];
			longest = !c.v[i].unchoked && wait > longest ? wait : longest;
			last[i] = c.v[i].unchoked ? c.now : last[i];
		}
	}
	unsigned took = 0, gave = 0;
	for (size_t i = SHOAL_CHOKER_SLOTS; i < 40; i++)
		*(i < 24 ? &gave : &took) += c.trial_rounds[i];
	print_message("longest wait %llu s; gave %u, took %u\n", (unsigned long long)(longest / 1000000), gave, took);
	assert_true(longest > 0 && longest < SHOAL_S(3 * 3600));
	assert_true(gave > 2 * took && took > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trials_go_to_who_gave_and_to_who_is_new),
		cmocka_unit_test(slots_are_not_given_away_while_enough_are_earned),
		cmocka_unit_test(a_trifle_earns_no_slot),
		cmocka_unit_test(a_trial_without_an_answer_ends_early),
		cmocka_unit_test(a_trial_takes_no_more_than_another_slot),
		cmocka_unit_test(a_line_that_others_do_not_fill_is_the_trials),
		cmocka_unit_test(nobody_is_held_before_the_first_trial_is_known),
		cmocka_unit_test(nobody_is_left_out_for_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
