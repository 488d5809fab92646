/* own_crowd.c - see own_crowd.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "swarm/peers/choker.h"
#include "tests/unit/own_crowd.h"

void crowd_init(struct crowd *c, size_t n, uint64_t seed)
{
	*c = (struct crowd){ .n = n, .slots = SHOAL_CHOKER_SLOTS, .turn_bytes = 20 * MIB, .now = CROWD_START };
	c->rng = shoal_rng_split(seed, 1);
	for (size_t i = 0; i < n; i++) {
		c->v[i] = (struct shoal_choker_view){ .peer = (uint32_t)i + 1,
						      .interested = true,
						      .joined_at = CROWD_START };
		c->speed[i] = 100000;
		c->waiting_since[i] = CROWD_START;
	}
}

void crowd_decide(struct crowd *c)
{
	struct shoal_choker_view was[CROWD_PEERS];
	memcpy(was, c->v, sizeof was);
	struct shoal_choke_terms terms = { .slots = c->slots,
					   .seeding = c->seeding,
					   .by_record = c->by_record,
					   .by_onward = c->by_onward,
					   .round = true,
					   .turn_bytes = c->turn_bytes,
					   .unit = CROWD_UNIT };
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

void crowd_step(struct crowd *c)
{
	crowd_decide(c);
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
		shoal_choker_gave(&c->choker, !c->v[i].optimistic, c->speed[i] * (SHOAL_CHOKER_ROUND / SHOAL_S(1)));
	}
	c->now += SHOAL_CHOKER_ROUND;
}

size_t crowd_served(const struct crowd *c)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].unchoked;
	return n;
}

size_t crowd_on_trial(const struct crowd *c)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].optimistic;
	return n;
}
