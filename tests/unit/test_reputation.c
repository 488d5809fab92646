/* test_reputation.c - the published figures, and that no order of events makes an honest peer banned or a liar kept. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "swarm/peers/reputation.h"

#define DAY_S 86400u

static void near_to(double got, double want, double by)
{
	if (got < want - by || got > want + by)
		fail_msg("%.6f is not %.6f", got, want);
}

static double even(struct shoal_rng *rng)
{
	return (double)shoal_rng_next(rng) / 4294967296.0;
}

/* ---- figures ---------------------------------------------------------------------------------- */

static void good_blocks_that_forgive_a_false_one(void **state)
{
	(void)state;
	near_to(shoal_rep_memory(0), 264, 1);
	near_to(shoal_rep_memory(16), 264, 1); /* more than one in fifty would be one in sixteen */
	near_to(shoal_rep_memory(256), 963, 2);
}

/* How a stranger stands, by what strangers are like. */
static void priors(void **state)
{
	static const struct {
		double expect, bound;
	} table[] = {
		{ 0.005, 0.94 }, { 0.01, 0.917 }, { 0.05, 0.79 }, { 0.15, 0.59 }, { 0.3, 0.36 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct shoal_rep r;
		shoal_rep_init(&r, table[i].expect, 0);
		near_to(shoal_rep_integrity(&r), table[i].bound, 0.01);
		assert_int_equal(r.state, table[i].bound >= 0.90 ? SHOAL_REP_GOOD : SHOAL_REP_NEW);
	}
}

static void windows(void **state)
{
	static const struct {
		double mean;
		uint32_t window;
	} table[] = {
		{ 0.99, 400 }, { 0.95, 80 }, { 0.85, 26 }, { 0.5, 8 }, { 0.1, 4 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct shoal_rep r;
		shoal_rep_init(&r, 1 - table[i].mean, 0);
		assert_in_range(shoal_rep_window(&r), table[i].window - 1, table[i].window + 1);
	}
}

static void who_may_have_sent_it(void **state)
{
	double expect[] = { 0.5, 0.0001, 0.0001 }, share[3];
	uint32_t blocks[] = { 10, 100, 146 };
	(void)state;
	shoal_rep_share(expect, blocks, share, 3);
	near_to(share[0], 0.999, 0.005); /* who is known takes it all, and those who are trusted none */
	near_to(share[1], 0.01, 0.005);
	near_to(share[2], 0.0145, 0.005);
	/* Two that are alike share it by what they sent. */
	double alike[] = { 0.001, 0.001 };
	uint32_t sent[] = { 1, 255 };
	shoal_rep_share(alike, sent, share, 2);
	near_to(share[0] * 255 / share[1], 1.13, 0.05);
	near_to(share[0] + share[1], 1, 0.01);
	/* Impossible by all we know: still somebody's. */
	double none[] = { 0, 0 };
	shoal_rep_share(none, sent, share, 2);
	near_to(share[0], 0.5, 1e-9);
}

/* ---- states ------------------------------------------------------------------------------------ */

static void from_stranger_to_trusted(void **state)
{
	struct shoal_rep r;
	(void)state;
	shoal_rep_init(&r, 0.15, 0);
	assert_int_equal(r.state, SHOAL_REP_NEW);
	for (uint32_t i = 0; i < 300; i++)
		shoal_rep_verified(&r, shoal_rep_memory(0), 1, i);
	assert_int_equal(r.state, SHOAL_REP_TRUST);
	assert_int_equal(r.blocks, 300);
	near_to((double)r.right + (double)r.wrong, SHOAL_REP_CAP, 0.01);
}

static void one_flipped_bit_is_forgiven(void **state)
{
	struct shoal_rep r;
	(void)state;
	shoal_rep_init(&r, 0.005, 0);
	shoal_rep_verified(&r, shoal_rep_memory(0), 500, 1);
	assert_true(shoal_rep_false(&r, SHOAL_REP_WHY_FALSE_LEAF, 7, 3, 2));
	assert_int_equal(r.state, SHOAL_REP_PAROLE);
	assert_in_range(shoal_rep_window(&r), 1, SHOAL_REP_PAROLE_WINDOW);
	shoal_rep_verified(&r, shoal_rep_memory(0), 1, 3);
	assert_int_equal(r.state, SHOAL_REP_PAROLE); /* one good block is no proof */
	shoal_rep_verified(&r, shoal_rep_memory(0), 140, 4);
	assert_true(r.state == SHOAL_REP_GOOD || r.state == SHOAL_REP_TRUST || r.state == SHOAL_REP_NEW);
	shoal_rep_verified(&r, shoal_rep_memory(0), 200, 5);
	near_to((double)r.cusum, 0, 1e-6);
	const struct shoal_rep_reason *why = &r.reason[0];
	assert_int_equal(why->why, SHOAL_REP_WHY_FALSE_LEAF);
	assert_int_equal(why->piece, 7);
	assert_int_equal(why->block, 3);
}

/* What was good before cannot be banked: who has shown what it is has one more false block, and no more for a million. */
static void a_traitor_is_banned_by_the_third(void **state)
{
	struct shoal_rep r;
	(void)state;
	shoal_rep_init(&r, 0.005, 0);
	shoal_rep_verified(&r, shoal_rep_memory(0), 100000, 1);
	shoal_rep_false(&r, SHOAL_REP_WHY_FALSE_LEAF, 0, 0, 2);
	shoal_rep_verified(&r, shoal_rep_memory(0), 10, 2);
	shoal_rep_false(&r, SHOAL_REP_WHY_FALSE_LEAF, 0, 1, 2);
	assert_int_equal(r.state, SHOAL_REP_PAROLE);
	assert_true(shoal_rep_false(&r, SHOAL_REP_WHY_FALSE_LEAF, 0, 5, 3));
	assert_int_equal(r.state, SHOAL_REP_BANNED);
	assert_int_equal(shoal_rep_window(&r), 1);
	assert_int_equal(r.banned_until_s, 3 + SHOAL_REP_BAN_S);
	/* Then parole; and the next time it takes less, and is for longer. */
	shoal_rep_fade(&r, 3 + SHOAL_REP_BAN_S);
	assert_int_equal(r.state, SHOAL_REP_PAROLE);
	shoal_rep_false(&r, SHOAL_REP_WHY_FALSE_LEAF, 0, 2, 4000);
	assert_int_equal(r.state, SHOAL_REP_BANNED);
	assert_int_equal(r.banned_until_s, 4000 + 4 * SHOAL_REP_BAN_S);
}

static void a_ban_lasts_no_longer_than_a_month(void **state)
{
	struct shoal_rep r;
	uint32_t now = 0;
	(void)state;
	shoal_rep_init(&r, 0.005, 0);
	for (int i = 0; i < 300; i++) {
		while (r.state != SHOAL_REP_BANNED)
			shoal_rep_false(&r, SHOAL_REP_WHY_SOLE, 0, 0, now);
		assert_in_range(r.banned_until_s - now, SHOAL_REP_BAN_S, SHOAL_REP_BAN_MAX_S);
		now = r.banned_until_s;
		shoal_rep_fade(&r, now);
	}
}

/* Suspicion, however much of it, bans nobody; and it goes when another was the one. */
static void suspicion_steers_and_never_bans(void **state)
{
	struct shoal_rep r;
	(void)state;
	shoal_rep_init(&r, 0.005, 0);
	shoal_rep_verified(&r, shoal_rep_memory(0), 64, 0);
	double before = shoal_rep_integrity(&r);
	for (uint32_t i = 0; i < 10000; i++)
		shoal_rep_suspect(&r, 1, i, i);
	assert_int_equal(r.state, SHOAL_REP_NEW);
	assert_true(shoal_rep_integrity(&r) < 0.2);
	shoal_rep_init(&r, 0.005, 0);
	shoal_rep_verified(&r, shoal_rep_memory(0), 64, 0);
	for (uint32_t i = 0; i < 5; i++)
		shoal_rep_suspect(&r, 0.5, i, i);
	for (uint32_t i = 0; i < 9; i++)
		shoal_rep_cleared(&r, 0.5, i, i);
	near_to(shoal_rep_integrity(&r), before, 0.001);
}

static void evidence_fades(void **state)
{
	struct shoal_rep r;
	(void)state;
	shoal_rep_init(&r, 0.01, 0);
	for (int i = 0; i < 10; i++)
		shoal_rep_suspect(&r, 1, 0, 0);
	shoal_rep_verified(&r, shoal_rep_memory(0), 100, 0);
	near_to((double)r.wrong, 10.04, 1e-3);
	shoal_rep_fade(&r, 7 * DAY_S);
	near_to((double)r.wrong, 5.04, 1e-3);
	shoal_rep_fade(&r, 30 * DAY_S);
	near_to((double)r.right, 53.96, 1e-2);
	shoal_rep_fade(&r, 3000 * DAY_S);
	near_to((double)r.right, 3.96, 1e-3);
	near_to((double)r.wrong, 0.04, 1e-3);
	shoal_rep_fade(&r, 5); /* a clock that jumps back changes nothing */
	near_to((double)r.right, 3.96, 1e-3);
}

static void refusals_outweigh_few_claims_and_not_many(void **state)
{
	struct shoal_rep r;
	(void)state;
	shoal_rep_init(&r, 0.005, 0);
	assert_true(shoal_rep_bound(r.true_claim, r.no_claim) >= 0.5);
	for (int i = 0; i < 3; i++)
		shoal_rep_claimed(&r, false);
	assert_true(shoal_rep_bound(r.true_claim, r.no_claim) < 0.5);
	shoal_rep_init(&r, 0.005, 0);
	for (int i = 0; i < 40; i++)
		shoal_rep_claimed(&r, true);
	for (int i = 0; i < 3; i++)
		shoal_rep_claimed(&r, false);
	assert_true(shoal_rep_bound(r.true_claim, r.no_claim) >= 0.5);
}

static void what_is_known_of_both_is_known_of_one(void **state)
{
	struct shoal_rep a, b;
	(void)state;
	shoal_rep_init(&a, 0.01, 100);
	shoal_rep_init(&b, 0.01, 100);
	shoal_rep_verified(&a, shoal_rep_memory(0), 20, 100);
	shoal_rep_verified(&b, shoal_rep_memory(0), 30, 100);
	shoal_rep_false(&b, SHOAL_REP_WHY_FALSE_LEAF, 5, 6, 100);
	shoal_rep_merge(&a, &b, 100);
	near_to((double)a.right, 53.96, 1e-3);
	near_to((double)a.wrong, 4.04, 1e-3);
	assert_int_equal(a.state, SHOAL_REP_PAROLE);
	assert_int_equal(a.blocks, 50);
	shoal_rep_false(&b, SHOAL_REP_WHY_FALSE_LEAF, 5, 7, 100);
	shoal_rep_merge(&a, &b, 100);
	assert_int_equal(a.state, SHOAL_REP_BANNED);
}

/* ---- in the long run ------------------------------------------------------------------------------ */

/* Peers that err once in `one_in` blocks, 64 blocks to a piece: how many are banned within `n` blocks. */
static unsigned banned_of(unsigned peers, uint32_t one_in, uint32_t n, uint32_t *until)
{
	struct shoal_rng rng = shoal_rng_split(one_in, 7);
	unsigned banned = 0;
	*until = 0;
	for (unsigned p = 0; p < peers; p++) {
		struct shoal_rep r;
		shoal_rep_init(&r, 0.005, 0);
		for (uint32_t i = 0; i < n && r.state != SHOAL_REP_BANNED; i++) {
			if (shoal_rng_below(&rng, one_in) == 0)
				shoal_rep_false(&r, SHOAL_REP_WHY_FALSE_LEAF, i / 64, i % 64, i / 1000);
			else
				shoal_rep_verified(&r, shoal_rep_memory(0), 1, i / 1000);
			if (r.state == SHOAL_REP_BANNED) {
				banned++;
				*until = i > *until ? i : *until;
			}
		}
	}
	return banned;
}

/* The same of very many, in v1 with 256 blocks to a piece: from one that errs to the next. */
static unsigned banned_of_many(unsigned peers, double one_in, uint32_t n)
{
	struct shoal_rng rng = shoal_rng_split(5, 7);
	double memory = shoal_rep_memory(256);
	unsigned banned = 0;
	for (unsigned p = 0; p < peers; p++) {
		struct shoal_rep r;
		shoal_rep_init(&r, 0.005, 0);
		for (uint32_t i = 0;;) {
			double u = ((double)shoal_rng_below(&rng, UINT32_MAX) + 1) / 4294967296.0;
			double gap = -log(u) * one_in;
			if (gap >= n - i || r.state == SHOAL_REP_BANNED)
				break;
			shoal_rep_verified(&r, memory, (uint32_t)gap, 1);
			i += (uint32_t)gap;
			shoal_rep_false(&r, SHOAL_REP_WHY_FALSE_DIFF, i / 256, i % 256, 1);
			i++;
		}
		banned += r.state == SHOAL_REP_BANNED;
	}
	return banned;
}

/* In a swarm of 40 each meets 39 and takes a thousand blocks of each: here are 250 such swarms. */
static void bad_memory_bans_nobody_in_hundreds_of_swarms(void **state)
{
	(void)state;
	assert_int_equal(banned_of_many(250 * 40 * 39, 50000, 1000), 0);
}

static void honest_ones_stay_and_polluters_go(void **state)
{
	uint32_t until;
	(void)state;
	assert_int_equal(banned_of(100, 50000, 20000, &until), 0); /* 2e-5: bad memory */
	assert_int_equal(banned_of(100, 1000000, 20000, &until), 0);
	assert_int_equal(banned_of(200, 1, 1000, &until), 200);
	assert_int_equal(until, 1); /* one that lies all the time: with its second block */
	assert_int_equal(banned_of(200, 10, 1000, &until), 200);
	assert_true(until < 200);
	assert_int_equal(banned_of(200, 100, 20000, &until), 200);
}

static void draws_have_the_mean_they_should(void **state)
{
	struct shoal_rng rng = shoal_rng_split(3, 3);
	static const double ab[][2] = { { 1, 1 }, { 2, 8 }, { 50, 5 } };
	(void)state;
	for (size_t k = 0; k < sizeof ab / sizeof *ab; k++) {
		double sum = 0, squares = 0, a = ab[k][0], b = ab[k][1], m = a / (a + b);
		for (int i = 0; i < 20000; i++) {
			double x = shoal_rep_draw(a, b, &rng);
			assert_true(x >= 0 && x <= 1);
			sum += x;
			squares += (x - m) * (x - m);
		}
		near_to(sum / 20000, m, 0.01);
		near_to(squares / 20000, m * (1 - m) / (a + b + 1), 0.012);
	}
}

/* Any order of any events: numbers stay numbers, within their bounds. */
static void nothing_breaks_it(void **state)
{
	struct shoal_rng rng = shoal_rng_split(9, 9);
	struct shoal_rep r;
	uint32_t now = 0;
	(void)state;
	shoal_rep_init(&r, 5, now);
	for (int i = 0; i < 200000; i++) {
		uint32_t piece = shoal_rng_next(&rng);
		switch (shoal_rng_below(&rng, 9)) {
		case 0: shoal_rep_verified(&r, shoal_rep_memory(shoal_rng_below(&rng, 5000)), piece, now); break;
		case 1: shoal_rep_false(&r, SHOAL_REP_WHY_SOLE, piece, piece, now); break;
		case 2: shoal_rep_suspect(&r, even(&rng), piece, now); break;
		case 3: shoal_rep_cleared(&r, even(&rng), piece, now); break;
		case 4: shoal_rep_answered(&r, piece); break;
		case 5: shoal_rep_missed(&r, 4); break;
		case 6: shoal_rep_claimed(&r, piece & 1); break;
		case 7: now = shoal_rng_below(&rng, 4) ? now + shoal_rng_below(&rng, 100000) : piece; break;
		default: shoal_rep_fade(&r, now); break;
		}
		double bound = shoal_rep_integrity(&r);
		assert_true(bound >= 0 && bound <= 1);
		assert_true((double)r.right + (double)r.wrong <= SHOAL_REP_CAP + 1 && r.right >= 0 && r.wrong >= 0);
		assert_true(r.kept >= 0 && r.missed >= 0 && r.cusum >= 0 && r.state <= SHOAL_REP_BANNED);
		assert_true(shoal_rep_window(&r) >= 1);
	}
}

/* One bad spot on an honest disk, asked for again, is one fault; who never stops sending it goes all the same. */
static void the_same_false_block_is_one_fault(void **state)
{
	struct shoal_rep r;
	unsigned times = 0;
	(void)state;
	shoal_rep_init(&r, 0.002, 0);
	shoal_rep_false(&r, SHOAL_REP_WHY_FALSE_LEAF, 236, 0, 1);
	for (unsigned i = 0; i < 3; i++)
		shoal_rep_false(&r, SHOAL_REP_WHY_FALSE_LEAF, 236, 0, 2 + i);
	assert_int_equal(r.state, SHOAL_REP_PAROLE);
	assert_int_equal(r.false_blocks, 4);
	shoal_rep_false(&r, SHOAL_REP_WHY_FALSE_LEAF, 237, 0, 6); /* another is another */
	assert_int_equal(r.state, SHOAL_REP_BANNED);
	shoal_rep_init(&r, 0.002, 0);
	while (r.state != SHOAL_REP_BANNED && times < 100)
		shoal_rep_false(&r, SHOAL_REP_WHY_FALSE_LEAF, 236, 0, ++times);
	assert_int_equal(times, 5);
	/* Two different blocks for one place are no bad spot, nor is a whole piece. */
	shoal_rep_init(&r, 0.002, 0);
	shoal_rep_false(&r, SHOAL_REP_WHY_FALSE_LEAF, 236, 0, 1);
	shoal_rep_false(&r, SHOAL_REP_WHY_TWO_FACED, 236, 0, 2);
	assert_int_equal(r.state, SHOAL_REP_BANNED);
	shoal_rep_init(&r, 0.002, 0);
	shoal_rep_false(&r, SHOAL_REP_WHY_SOLE, 236, 0, 1);
	shoal_rep_false(&r, SHOAL_REP_WHY_SOLE, 236, 0, 2);
	assert_int_equal(r.state, SHOAL_REP_BANNED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_blocks_that_forgive_a_false_one),
		cmocka_unit_test(priors),
		cmocka_unit_test(windows),
		cmocka_unit_test(who_may_have_sent_it),
		cmocka_unit_test(from_stranger_to_trusted),
		cmocka_unit_test(one_flipped_bit_is_forgiven),
		cmocka_unit_test(a_traitor_is_banned_by_the_third),
		cmocka_unit_test(a_ban_lasts_no_longer_than_a_month),
		cmocka_unit_test(suspicion_steers_and_never_bans),
		cmocka_unit_test(evidence_fades),
		cmocka_unit_test(refusals_outweigh_few_claims_and_not_many),
		cmocka_unit_test(what_is_known_of_both_is_known_of_one),
		cmocka_unit_test(bad_memory_bans_nobody_in_hundreds_of_swarms),
		cmocka_unit_test(honest_ones_stay_and_polluters_go),
		cmocka_unit_test(draws_have_the_mean_they_should),
		cmocka_unit_test(nothing_breaks_it),
		cmocka_unit_test(the_same_false_block_is_one_fault),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
