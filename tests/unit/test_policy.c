/* test_policy.c - whom the other ways of sharing serve, in rounds whose outcome their rules leave no choice about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "swarm/core/policy.h"

#define PEERS 12
#define START SHOAL_S(1000)

struct crowd {
	struct shoal_choker choker;
	struct shoal_choker_view v[PEERS];
	struct shoal_choke_terms terms;
	struct shoal_rng rng;
	shoal_us now;
};

static void crowd_init(struct crowd *c, bool seeding)
{
	*c = (struct crowd){ .terms = { .slots = 5, .seeding = seeding, .round = true, .turn_bytes = 1000 },
			     .rng = shoal_rng_split(1, 1),
			     .now = START };
	for (uint32_t i = 0; i < PEERS; i++)
		c->v[i] = (struct shoal_choker_view){ .peer = i + 1, .interested = true, .joined_at = START };
}

static void round_of(struct crowd *c, void (*choke)(struct shoal_choker *, struct shoal_choker_view[], size_t,
						    const struct shoal_choke_terms *, struct shoal_rng *, shoal_us))
{
	bool was[PEERS];
	for (size_t i = 0; i < PEERS; i++)
		was[i] = c->v[i].unchoked;
	choke(&c->choker, c->v, PEERS, &c->terms, &c->rng, c->now);
	for (size_t i = 0; i < PEERS; i++) {
		assert_true(c->v[i].unchoked || !c->v[i].optimistic);
		if (!was[i] && c->v[i].unchoked)
			c->v[i].unchoked_at = c->now, c->v[i].gave_turn = 0;
	}
}

static unsigned served(const struct crowd *c, bool optimistic)
{
	unsigned n = 0;
	for (size_t i = 0; i < PEERS; i++)
		n += c->v[i].unchoked && (!optimistic || c->v[i].optimistic);
	return n;
}

static void each_has_its_rules(void **state)
{
	(void)state;
	assert_string_equal(shoal_policy_of(SHOAL_RULES_FULL)->name, "full");
	assert_string_equal(shoal_policy_of(SHOAL_RULES_OFF)->name, "off");
	assert_string_equal(shoal_policy_of(SHOAL_RULES_LT)->name, "lt");
	assert_null(shoal_policy_of((enum shoal_rules)99));
}

static void off_serves_who_gives_most_and_one_by_dice(void **state)
{
	struct crowd c;
	(void)state;
	crowd_init(&c, false);
	for (uint32_t i = 0; i < PEERS; i++)
		c.v[i].got = i * 100;
	c.v[11].snubbed = true;
	round_of(&c, shoal_off_choke);
	for (uint32_t i = 6; i < 11; i++)
		assert_true(c.v[i].unchoked && !c.v[i].optimistic);
	assert_int_equal(served(&c, false), 6);
	assert_int_equal(served(&c, true), 1);
}

static void off_seeds_serve_the_fastest(void **state)
{
	struct crowd c;
	(void)state;
	crowd_init(&c, true);
	for (uint32_t i = 0; i < PEERS; i++) {
		c.v[i].got = 10000 - i; /* of no matter now */
		c.v[i].gave = i * 100;
	}
	round_of(&c, shoal_off_choke);
	for (uint32_t i = 7; i < PEERS; i++)
		assert_true(c.v[i].unchoked);
}

static void off_moves_its_dice_every_half_minute(void **state)
{
	struct crowd c;
	(void)state;
	crowd_init(&c, false);
	for (uint32_t i = 0; i < 5; i++)
		c.v[i].got = 100;
	unsigned tried = 0;
	for (int i = 0; i < 240; i++, c.now += SHOAL_CHOKER_ROUND) {
		round_of(&c, shoal_off_choke);
		for (uint32_t k = 5; k < PEERS; k++)
			tried |= (unsigned)c.v[k].optimistic << k;
		assert_int_equal(served(&c, true), 1);
	}
	assert_int_equal(tried, ((1u << PEERS) - 1) & ~31u);
}

static void lt_serves_by_the_last_round_and_a_fifth_on_trial(void **state)
{
	struct crowd c;
	(void)state;
	crowd_init(&c, false);
	for (uint32_t i = 0; i < PEERS; i++)
		c.v[i].got_round = i * 100;
	round_of(&c, shoal_lt_choke);
	for (uint32_t i = 8; i < PEERS; i++)
		assert_true(c.v[i].unchoked && !c.v[i].optimistic);
	assert_int_equal(served(&c, false), 5);
	assert_int_equal(served(&c, true), 1);
	/* Whoever was tried longest ago is next, half a minute later and not before. */
	uint32_t tried = 1u << 7;
	for (int i = 0; i < 20; i++) {
		uint32_t on = 0;
		for (uint32_t k = 0; k < PEERS; k++)
			on |= (uint32_t)c.v[k].optimistic << k;
		assert_int_equal(on, tried);
		c.now += SHOAL_S(15);
		if (i % 2)
			tried = tried > 1 ? tried >> 1 : 1u << 7;
		round_of(&c, shoal_lt_choke);
	}
}

static void lt_seeds_in_turns(void **state)
{
	struct crowd c;
	unsigned turns[PEERS] = { 0 };
	(void)state;
	crowd_init(&c, true);
	for (int i = 0; i < 4 * 60; i++, c.now += SHOAL_S(15)) {
		round_of(&c, shoal_lt_choke);
		for (size_t k = 0; k < PEERS; k++) {
			c.v[k].gave_round = c.v[k].unchoked ? 500 : 0;
			c.v[k].gave_turn += c.v[k].gave_round;
			turns[k] += c.v[k].unchoked;
		}
	}
	for (size_t k = 0; k < PEERS; k++)
		assert_in_range(turns[k], 4 * 60 * 5 / PEERS / 2, 4 * 60 * 5 / PEERS * 2);
}

static void lt_fills_a_free_slot_between_rounds_and_takes_none(void **state)
{
	struct crowd c;
	(void)state;
	crowd_init(&c, false);
	round_of(&c, shoal_lt_choke);
	struct crowd was = c;
	c.terms.round = false;
	c.v[0].interested = was.v[0].unchoked ? c.v[0].interested : true;
	for (size_t i = 0; i < PEERS; i++)
		if (was.v[i].unchoked && !was.v[i].optimistic) {
			c.v[i].interested = false;
			break;
		}
	c.v[11].got_round = 100000; /* it would be first in a round */
	round_of(&c, shoal_lt_choke);
	assert_int_equal(served(&c, false), 5);
	unsigned lost = 0;
	for (size_t i = 0; i < PEERS; i++)
		lost += was.v[i].unchoked && !c.v[i].unchoked;
	assert_int_equal(lost, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_its_rules),
		cmocka_unit_test(off_serves_who_gives_most_and_one_by_dice),
		cmocka_unit_test(off_seeds_serve_the_fastest),
		cmocka_unit_test(off_moves_its_dice_every_half_minute),
		cmocka_unit_test(lt_serves_by_the_last_round_and_a_fifth_on_trial),
		cmocka_unit_test(lt_seeds_in_turns),
		cmocka_unit_test(lt_fills_a_free_slot_between_rounds_and_takes_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
