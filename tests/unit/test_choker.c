/* test_choker.c - simulated hours of rounds: who is served, for how long, and how often it changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/rng.h"
#include "swarm/core/choker.h"

#define PEERS 64
#define MIB (1024u * 1024)
#define START SHOAL_S(5000)
#define UNIT (256u * 1024)

/* A swarm as its choker sees it; the owner's part of the views is kept as swarm.c would. */
struct crowd {
	struct shoal_choker choker;
	struct shoal_choker_view v[PEERS];
	struct shoal_rng rng;
	size_t n;
	unsigned slots;
	bool seeding, by_record, by_onward;
	uint64_t turn_bytes, speed[PEERS]; /* bytes a second it can take from us */
	shoal_us now;
	/* seen */
	shoal_us served[PEERS], waiting_since[PEERS], longest_wait[PEERS];
	unsigned regular_rounds[PEERS], trial_rounds[PEERS], trials[PEERS];
	unsigned changes; /* of the last round */
};

static void crowd_init(struct crowd *c, size_t n, uint64_t seed)
{
	*c = (struct crowd){ .n = n, .slots = SHOAL_CHOKER_SLOTS, .turn_bytes = 20 * MIB, .now = START };
	c->rng = shoal_rng_split(seed, 1);
	for (size_t i = 0; i < n; i++) {
		c->v[i] = (struct shoal_choker_view){ .peer = (uint32_t)i + 1, .interested = true, .joined_at = START };
		c->speed[i] = 100000;
		c->waiting_since[i] = START;
	}
}

static void decide(struct crowd *c)
{
	struct shoal_choker_view was[PEERS];
	memcpy(was, c->v, sizeof was);
	struct shoal_choke_terms terms = { .slots = c->slots,
					   .seeding = c->seeding,
					   .by_record = c->by_record,
					   .by_onward = c->by_onward,
					   .round = true,
					   .turn_bytes = c->turn_bytes,
					   .unit = UNIT };
	shoal_choker_round(&c->choker, c->v, c->n, &terms, &c->rng, c->now);
	c->changes = 0;
	for (size_t i = 0; i < c->n; i++) {
		struct shoal_choker_view *v = &c->v[i];
		assert_true(v->unchoked || !v->optimistic);
		/* The reason it gives is one for what it did. */
		assert_int_not_equal(v->why, SHOAL_CHOKE_UNTOLD);
		assert_int_equal(v->unchoked, v->why <= SHOAL_CHOKE_TRIAL);
		assert_true(!v->optimistic || v->why == SHOAL_CHOKE_TRIAL);
		assert_int_equal(v->why == SHOAL_CHOKE_UNWANTED, !v->interested && !v->seed);
		assert_true(v->why != SHOAL_CHOKE_SNUBBED || v->snubbed);
		assert_true(v->why != SHOAL_CHOKE_OVER || was[i].unchoked);
		assert_true(v->why != SHOAL_CHOKE_EARNED || v->got > 0);
		c->trials[i] += v->optimistic && !was[i].optimistic;
		if (v->unchoked == was[i].unchoked)
			continue;
		c->changes++;
		if (v->unchoked) {
			shoal_us wait = c->now - c->waiting_since[i];
			c->longest_wait[i] = wait > c->longest_wait[i] ? wait : c->longest_wait[i];
			v->unchoked_at = c->now;
			v->gave_turn = 0;
		} else {
			c->waiting_since[i] = v->choked_at = c->now;
		}
	}
}

static void step(struct crowd *c)
{
	decide(c);
	for (size_t i = 0; i < c->n; i++) {
		if (!c->v[i].unchoked) {
			c->v[i].gave = 0;
			continue;
		}
		c->regular_rounds[i] += !c->v[i].optimistic;
		c->trial_rounds[i] += c->v[i].optimistic;
		c->served[i] += SHOAL_CHOKER_ROUND;
		c->v[i].gave = c->speed[i];
		c->v[i].gave_turn += c->speed[i] * (SHOAL_CHOKER_ROUND / SHOAL_S(1));
		shoal_choker_gave(&c->choker, c->v[i].optimistic, c->speed[i] * (SHOAL_CHOKER_ROUND / SHOAL_S(1)));
	}
	c->now += SHOAL_CHOKER_ROUND;
}

static size_t served(const struct crowd *c)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].unchoked;
	return n;
}

static size_t on_trial(const struct crowd *c)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].optimistic;
	return n;
}

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
			step(&c);
			for (size_t i = 0; i < c.n; i++)
				assert_int_equal(c.v[i].unchoked, i != 4 && i != 5);
			assert_int_equal(c.changes, r == 0 ? SHOAL_CHOKER_SLOTS + 1 : 0);
		}
		/* who loses interest is choked at once, and nobody else is touched */
		c.v[0].interested = false;
		step(&c);
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
		step(&c);
		assert_int_equal(served(&c), SHOAL_CHOKER_SLOTS + 1);
		assert_int_equal(on_trial(&c), 1);
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
	size_t last = PEERS;
	for (int r = 0; r < 60; r++) {
		step(&c);
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
	step(&c);
	assert_true(c.v[last].unchoked && !c.v[last].optimistic);
	assert_int_equal(on_trial(&c), 1);
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
			c.v[i].unchoked_at = c.v[i].choked_at = START - SHOAL_S(100);
		decide(&c);
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
	step(&c);
	assert_true(c.v[11].unchoked && !c.v[11].optimistic);
	c.v[11].snubbed = true;
	step(&c);
	assert_false(c.v[11].unchoked && !c.v[11].optimistic);
	assert_true(c.changes <= 2);
	/* and free slots are not theirs either */
	for (size_t i = 0; i < 20; i++)
		c.v[i].snubbed = i != 7;
	for (int r = 0; r < 30; r++) {
		step(&c);
		assert_true(c.v[7].unchoked && !c.v[7].optimistic);
		assert_int_equal(served(&c), 2);
		assert_int_equal(on_trial(&c), 1);
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
		bool regular[PEERS];
		for (size_t i = 0; i < 30; i++)
			regular[i] = c.v[i].unchoked && !c.v[i].optimistic;
		step(&c);
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
	decide(&c);
	assert_true(c.v[better].unchoked && !c.v[better].optimistic);
	assert_true(c.changes <= 2 + 2); /* this one, and a trial if it was due */
	/* asked again at once (somebody left elsewhere): nothing moves */
	for (int i = 0; i < 5; i++) {
		decide(&c);
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
		step(&c);
		assert_int_equal(served(&c), SHOAL_CHOKER_SLOTS + 1);
		for (size_t i = 0; i < 3; i++)
			assert_true(c.v[i].unchoked && !c.v[i].optimistic);
	}
	for (size_t i = 3; i < 40; i++)
		assert_true(c.longest_wait[i] > 0 && c.longest_wait[i] <= SHOAL_S(37 * 60 / 4));
}

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
			step(&c);
			assert_int_equal(served(&c), SHOAL_CHOKER_SLOTS + 1);
			assert_int_equal(on_trial(&c), 0);
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
	decide(&c);
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(c.v[i].unchoked, i >= 8);
	/* one has had its quota: it goes after the round, not before; who waits and was fastest is next */
	c.v[9].gave_turn = c.turn_bytes;
	c.now += SHOAL_S(5);
	decide(&c);
	assert_int_equal(c.changes, 0);
	c.now += SHOAL_S(5);
	decide(&c);
	assert_int_equal(c.changes, 2);
	assert_false(c.v[9].unchoked);
	assert_true(c.v[7].unchoked);
	/* time ends the turns of the other three; nobody waits longer than those who joined first */
	c.now = START + SHOAL_CHOKER_TURN;
	decide(&c);
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
		step(&c); /* nine would fit, ten are there */
	unsigned before = 0, after = 0;
	for (size_t i = 0; i < 10; i++)
		before += c.v[i].unchoked;
	c.v[0].interested = false;
	decide(&c);
	for (int r = 0; r < 30; r++) {
		step(&c);
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
		step(&c);
	}
	for (size_t i = 0; i < 50; i++)
		assert_true(c.longest_wait[i] > 0 && c.longest_wait[i] <= SHOAL_S(6 * 60));
}

static void the_laws_hold_for_any_table_in_any_order(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 3000; seed++) {
		struct crowd c, d;
		crowd_init(&c, seed % PEERS, seed);
		c.slots = shoal_rng_below(&c.rng, 12);
		c.seeding = shoal_rng_below(&c.rng, 2);
		c.choker.optimistic_at = START - SHOAL_S(shoal_rng_below(&c.rng, 40));
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
			v->unchoked_at = v->unchoked ? START - SHOAL_S(shoal_rng_below(&c.rng, 90)) : 0;
			v->joined_at = START - SHOAL_S(shoal_rng_below(&c.rng, 90));
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
		decide(&c);
		decide(&d);
		for (size_t i = 0; i < c.n; i++) {
			assert_int_equal(c.v[i].unchoked, d.v[c.n - 1 - i].unchoked);
			assert_int_equal(c.v[i].optimistic, d.v[c.n - 1 - i].optimistic);
			if (c.v[i].unchoked)
				assert_true(c.v[i].interested && !c.v[i].seed);
		}
		size_t room = c.slots + 1;
		if (candidates <= room || c.seeding)
			assert_int_equal(served(&c), candidates < room ? candidates : room);
		else
			assert_int_equal(served(&c), (may < c.slots ? may : c.slots) + 1);
		assert_true(on_trial(&c) == (candidates > room && !c.seeding));
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
	decide(&c);
	assert_int_equal(served(&c), 1);
	assert_int_equal(on_trial(&c), 1);
	c.slots = UINT32_MAX;
	decide(&c);
	assert_int_equal(served(&c), 30);
	assert_int_equal(on_trial(&c), 0);
	struct shoal_choke_terms none = { .slots = 8, .seeding = true, .turn_bytes = 1, .unit = 1 };
	shoal_choker_round(&c.choker, NULL, 0, &none, &c.rng, c.now);
}

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
		step(&c);
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
		decide(&c);
		size_t want = earn < 4 ? 4 : earn;
		assert_int_equal(served(&c), want + 1); /* and one on trial */
		for (size_t i = 0; i < earn; i++)
			assert_true(c.v[i].unchoked && !c.v[i].optimistic);
	}
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
		step(&c);
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
		step(&c);
	for (size_t i = 0; i < 20; i++)
		assert_true(c.served[i] > 0);
}

/* ---- what a trial may cost --------------------------------------------------------------------- */

/* Who crumbles has no slot by it: nine that give well, and thirty that gave a little once. */
static void a_trifle_earns_no_slot(void **state)
{
	struct crowd c;
	(void)state;
	crowd_init(&c, 30, 15);
	c.by_record = true;
	for (size_t i = 0; i < 30; i++)
		c.v[i].got = i < 5 ? 100000 : 100; /* an equal share is 62 KB/s */
	decide(&c);
	for (size_t i = 0; i < 30; i++)
		assert_int_equal(c.v[i].why == SHOAL_CHOKE_EARNED, i < 5);
	for (size_t i = 0; i < 30; i++)
		c.v[i].got = 100; /* where nobody gives more, it is the same as giving well */
	decide(&c);
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
		size_t last = PEERS;
		for (unsigned r = 0; r < rounds; r++) {
			step(&c);
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
		unsigned left = LINE, had[PEERS] = { 0 };
		if (second % 10 == 0)
			decide(&c);
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
				shoal_choker_gave(&c.choker, v->optimistic, BLOCK);
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
	shoal_us last[PEERS], longest = 0;
	(void)state;
	crowd_init(&c, 40, 18);
	c.by_record = true;
	for (size_t i = 0; i < 40; i++) {
		c.v[i].got = i < SHOAL_CHOKER_SLOTS ? 100000 : 0;
		c.v[i].denies = i >= 24;
		last[i] = START;
	}
	for (int r = 0; r < 24 * 360; r++) {
		step(&c);
		assert_true(served(&c) == SHOAL_CHOKER_SLOTS + 1u && on_trial(&c) == 1);
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
			step(&c);
			size_t keep = 0, room = SHOAL_CHOKER_SLOTS + 1;
			for (size_t i = 12; i < 20; i++)
				keep += c.v[i].unchoked;
			assert_true(honest == 0 ? keep == 8 : keep <= 1);
			assert_int_equal(served(&c), honest == 0 ? 8 : honest + 1 < room ? honest + 1 : room);
		}
		for (size_t i = 12; i < 20; i++)
			assert_true(c.served[i] > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trials_go_to_who_gave_and_to_who_is_new),
		cmocka_unit_test(slots_are_not_given_away_while_enough_are_earned),
		cmocka_unit_test(a_seed_serves_who_passes_it_on),
		cmocka_unit_test(a_trifle_earns_no_slot),
		cmocka_unit_test(a_trial_without_an_answer_ends_early),
		cmocka_unit_test(a_trial_takes_no_more_than_another_slot),
		cmocka_unit_test(a_line_that_others_do_not_fill_is_the_trials),
		cmocka_unit_test(nobody_is_held_before_the_first_trial_is_known),
		cmocka_unit_test(nobody_is_left_out_for_good),
		cmocka_unit_test(of_those_who_keep_it_one_is_served_at_a_time),
		cmocka_unit_test(all_are_served_when_all_fit),
		cmocka_unit_test(a_free_rider_gets_only_trials),
		cmocka_unit_test(a_trial_lasts_three_rounds_and_ends_well_for_who_gives),
		cmocka_unit_test(a_newcomer_is_three_times_as_likely_on_trial),
		cmocka_unit_test(the_snubbed_lose_their_slot),
		cmocka_unit_test(it_does_not_flap),
		cmocka_unit_test(slots_that_nobody_earns_go_round),
		cmocka_unit_test(a_seed_serves_fifty_in_bounded_time),
		cmocka_unit_test(a_seed_prefers_the_fastest_of_equals_and_ends_turns_by_quota),
		cmocka_unit_test(a_turn_goes_on_while_nobody_waits),
		cmocka_unit_test(turns_need_only_the_start_of_the_last_one),
		cmocka_unit_test(the_laws_hold_for_any_table_in_any_order),
		cmocka_unit_test(no_slots_and_no_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
