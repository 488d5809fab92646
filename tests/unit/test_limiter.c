/* test_limiter.c - virtual seconds at rates from 1 byte to 100 GB/s, polled evenly, badly and not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/base/rng.h"
#include "swarm/peers/limiter.h"

#define WINDOW SHOAL_S(5)
#define START SHOAL_S(1000)

static const uint64_t rates[] = {
	100000, 262144, 1000000, 12345678, 125000000, 1000000000, 1400000000, 12500000000, 100000000000,
};
#define RATES (sizeof rates / sizeof *rates)

/* Somebody who always wants more, for `length`; polls `poll_min` to `poll_max` apart. */
struct hungry {
	uint64_t sent, want;
	shoal_us poll_min, poll_max, now;
	bool overdraws; /* sends whole blocks as soon as anything may go */
};

static void run(struct shoal_limiter *l, struct hungry *h, struct shoal_rng *rng, shoal_us length)
{
	for (shoal_us end = h->now + length; h->now < end;) {
		uint64_t may = shoal_limiter_allows(l, h->want, h->now);
		assert_true(may <= h->want);
		assert_true(may <= shoal_limiter_depth(l));
		if (h->overdraws && may)
			may = (may + 16396) / 16397 * 16397;
		shoal_limiter_took(l, may);
		h->sent += may;
		h->now += h->poll_min + shoal_rng_below(rng, (uint32_t)(h->poll_max - h->poll_min + 1));
	}
}

static void assert_within(uint64_t got, uint64_t want, uint64_t per_mille)
{
	assert_true(got <= want + want / 1000 * per_mille);
	assert_true(got >= want - want / 1000 * per_mille);
}

static void the_rate_is_met_over_any_five_seconds(void **state)
{
	(void)state;
	static const struct {
		shoal_us min, max;
	} polls[] = {
		{ 100, 100 }, { 1000, 1000 }, { 100, 50000 }, { 49000, 50000 }, { 7, 13 },
	};
	struct shoal_rng rng = shoal_rng_split(1, 1);
	for (size_t r = 0; r < RATES; r++)
		for (size_t p = 0; p < sizeof polls / sizeof *polls; p++)
			for (int overdraws = 0; overdraws < 2; overdraws++) {
				struct shoal_limiter l;
				struct hungry h = { .want = UINT64_MAX,
						    .poll_min = polls[p].min,
						    .poll_max = polls[p].max,
						    .now = START,
						    .overdraws = overdraws };
				shoal_limiter_init(&l, rates[r], START);
				/* from the very first byte, and in windows after; the blocks of the smallest rates
				 * are lumps of more than a percent by themselves */
				unsigned windows = polls[p].max < 20 ? 1 : 4;
				for (unsigned w = 0; w < windows; w++) {
					shoal_us from = h.now;
					h.sent = 0;
					run(&l, &h, &rng, WINDOW);
					uint64_t due = (uint64_t)((unsigned __int128)rates[r] * (h.now - from) /
								  1000000);
					if (!overdraws || rates[r] >= 1000000)
						assert_within(h.sent, due, 10);
					else
						assert_true(h.sent <= due + 2 * 16397 && h.sent + 2 * 16397 >= due);
				}
			}
}

static void crumbs_are_kept_at_any_step(void **state)
{
	(void)state;
	struct shoal_limiter l;
	uint64_t sent = 0;
	shoal_limiter_init(&l, 999983, START); /* a prime: less than a byte each microsecond */
	for (shoal_us t = 1; t <= SHOAL_S(2); t++) {
		uint64_t may = shoal_limiter_allows(&l, 100, START + t);
		shoal_limiter_took(&l, may);
		sent += may;
	}
	assert_int_equal(sent, 2 * 999983);
}

static void no_burst_passes_the_bucket(void **state)
{
	(void)state;
	static const shoal_us pauses[] = { SHOAL_MS(63), SHOAL_S(1), SHOAL_S(3600), SHOAL_S(86400) * 365 * 1000 };
	for (size_t r = 0; r < RATES; r++) {
		struct shoal_limiter l;
		shoal_us now = START;
		shoal_limiter_init(&l, rates[r], now);
		assert_int_equal(shoal_limiter_allows(&l, UINT64_MAX, now), 0);
		for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
			now += pauses[i];
			uint64_t burst = 0, may;
			while ((may = shoal_limiter_allows(&l, 5000000, now)) > 0) {
				shoal_limiter_took(&l, may);
				burst += may;
			}
			assert_true(burst <= shoal_limiter_depth(&l));
			/* and the bucket does hold what a busy loop needs */
			if (i > 0)
				assert_true(burst >= rates[r] / 50);
		}
	}
}

static void strange_clocks_do_no_harm(void **state)
{
	(void)state;
	struct shoal_limiter l;
	shoal_limiter_init(&l, 1000000, START);
	assert_int_equal(shoal_limiter_allows(&l, 1000, START), 0); /* standing still */
	assert_int_equal(shoal_limiter_allows(&l, 5000, START + 1000), 1000);
	shoal_limiter_took(&l, 1000);
	assert_int_equal(shoal_limiter_allows(&l, 5000, START - 500), 0); /* back: no bytes out of it */
	assert_int_equal(shoal_limiter_allows(&l, 5000, START + 1000), 0);
	assert_int_equal(shoal_limiter_allows(&l, 5000, START + 2000), 1000);
	assert_int_equal(shoal_limiter_allows(&l, UINT64_MAX, SHOAL_NEVER - 1), 62500);
	shoal_limiter_init(&l, UINT64_MAX, 0); /* nonsense, and still whole numbers */
	assert_true(shoal_limiter_allows(&l, UINT64_MAX, SHOAL_NEVER) <= UINT64_MAX / 8);
	shoal_limiter_took(&l, UINT64_MAX);
	shoal_limiter_took(&l, UINT64_MAX);
	assert_int_equal(shoal_limiter_allows(&l, 1, SHOAL_NEVER), 0);
	assert_int_equal(shoal_limiter_ready(&l, 1, SHOAL_NEVER), SHOAL_NEVER);
	shoal_limiter_init(&l, 1, 0);
	shoal_limiter_took(&l, UINT64_MAX);
	assert_int_equal(shoal_limiter_allows(&l, 1, SHOAL_S(1) * 1000000), 0);
	assert_true(shoal_limiter_ready(&l, 1, SHOAL_S(1)) > SHOAL_S(1) * 1000000);
}

static void an_overdraft_is_paid_back(void **state)
{
	(void)state;
	struct shoal_limiter l;
	shoal_limiter_init(&l, 16397, START);
	assert_int_equal(shoal_limiter_allows(&l, 20000, START + 1000000), 16397);
	shoal_limiter_took(&l, 2 * 16397);
	assert_int_equal(shoal_limiter_allows(&l, 1, START + 1999999), 0);
	assert_int_equal(shoal_limiter_ready(&l, 1, START + 1500000), START + 2000061); /* 1/16397 s later */
	assert_int_equal(shoal_limiter_allows(&l, 1, START + 2000060), 0);
	assert_int_equal(shoal_limiter_allows(&l, 9, START + 2000061), 1);
}

static void ready_is_the_first_moment_it_allows(void **state)
{
	(void)state;
	struct shoal_rng rng = shoal_rng_split(2, 2);
	for (int i = 0; i < 20000; i++) {
		struct shoal_limiter l;
		shoal_us now = START;
		uint64_t rate = 1 + shoal_rng_u64(&rng) % (1u << shoal_rng_below(&rng, 31)) * (1 + i % 50);
		shoal_limiter_init(&l, rate, now);
		now += shoal_rng_below(&rng, 100000);
		(void)shoal_limiter_allows(&l, 1, now);
		shoal_limiter_took(&l, shoal_rng_below(&rng, 50000));
		uint64_t want = 1 + shoal_rng_below(&rng, 1u << shoal_rng_below(&rng, 31));
		uint64_t need = want < shoal_limiter_depth(&l) ? want : shoal_limiter_depth(&l);
		shoal_us at = shoal_limiter_ready(&l, want, now);
		assert_true(at >= now);
		if (at > now)
			assert_true(shoal_limiter_allows(&l, want, at - 1) < need);
		assert_int_equal(shoal_limiter_allows(&l, want, at), need);
		assert_int_equal(shoal_limiter_ready(&l, want, at), at);
		assert_int_equal(shoal_limiter_ready(&l, 0, now), now);
	}
}

/* A loop that sleeps until ready() is as exact as one that polls. */
static void sleeping_until_ready_reaches_the_rate(void **state)
{
	(void)state;
	for (size_t r = 0; r < RATES; r++) {
		struct shoal_limiter l;
		uint64_t sent = 0;
		shoal_us now = START, last = START;
		shoal_limiter_init(&l, rates[r], now);
		while (now < START + WINDOW) {
			uint64_t may = shoal_limiter_allows(&l, 16397 * 64, now);
			shoal_limiter_took(&l, may);
			sent += may;
			last = now;
			shoal_us at = shoal_limiter_ready(&l, 16397, now);
			now = at > now ? at : rates[r] > 10000000000 ? now + 1 : now;
		}
		assert_within(sent, (uint64_t)((unsigned __int128)rates[r] * (last - START) / 1000000), 10);
		assert_true(last >= START + WINDOW * 9 / 10);
	}
}

static void a_new_rate_holds_at_once(void **state)
{
	(void)state;
	struct shoal_limiter l;
	struct shoal_rng rng = shoal_rng_split(3, 3);
	struct hungry h = { .want = UINT64_MAX, .poll_min = 100, .poll_max = 20000, .now = START };
	static const uint64_t steps[] = { 1000000, 50000000, 200000, 0, 3000000, 100000000000, 1000000 };
	shoal_limiter_init(&l, 0, START);
	assert_int_equal(shoal_limiter_allows(&l, 123456789, START), 123456789);
	assert_int_equal(shoal_limiter_ready(&l, 123456789, START), START);
	shoal_limiter_took(&l, 1u << 31);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		shoal_limiter_rate(&l, steps[i], h.now);
		if (steps[i] == 0) {
			assert_int_equal(shoal_limiter_allows(&l, 77, h.now), 77);
			continue;
		}
		shoal_us from = h.now;
		h.sent = 0;
		run(&l, &h, &rng, WINDOW);
		/* one bucket of the slower rate may be left from before */
		uint64_t due = (uint64_t)((unsigned __int128)steps[i] * (h.now - from) / 1000000);
		assert_true(h.sent <= due + shoal_limiter_depth(&l));
		assert_true(h.sent >= due - due / 100);
	}
	/* lowering it does not leave a bucket of the old size */
	h.now += SHOAL_S(10);
	shoal_limiter_rate(&l, 100000000, h.now);
	h.now += SHOAL_S(10);
	shoal_limiter_rate(&l, 1000, h.now);
	assert_int_equal(shoal_limiter_allows(&l, UINT64_MAX, h.now), SHOAL_LIMITER_LEAST);
}

/* What was taken and did not go can go again, once, and never makes more than a full bucket. */
static void what_comes_back_can_go_again(void **state)
{
	struct shoal_limiter l;
	(void)state;
	shoal_limiter_init(&l, 1600000, START);
	assert_int_equal(shoal_limiter_allows(&l, UINT64_MAX, START + SHOAL_MS(50)), 80000);
	shoal_limiter_took(&l, 80000);
	assert_int_equal(shoal_limiter_allows(&l, UINT64_MAX, START + SHOAL_MS(50)), 0);
	shoal_limiter_back(&l, 16384);
	assert_int_equal(shoal_limiter_allows(&l, UINT64_MAX, START + SHOAL_MS(50)), 16384);
	shoal_limiter_took(&l, UINT64_MAX);
	shoal_limiter_back(&l, UINT64_MAX);
	assert_int_equal(shoal_limiter_allows(&l, UINT64_MAX, START + SHOAL_MS(50)), shoal_limiter_depth(&l));
	shoal_limiter_init(&l, 0, START);
	shoal_limiter_back(&l, UINT64_MAX);
	assert_true(shoal_limiter_allows(&l, UINT64_MAX, START) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_back_can_go_again),
		cmocka_unit_test(the_rate_is_met_over_any_five_seconds),
		cmocka_unit_test(crumbs_are_kept_at_any_step),
		cmocka_unit_test(no_burst_passes_the_bucket),
		cmocka_unit_test(strange_clocks_do_no_harm),
		cmocka_unit_test(an_overdraft_is_paid_back),
		cmocka_unit_test(ready_is_the_first_moment_it_allows),
		cmocka_unit_test(sleeping_until_ready_reaches_the_rate),
		cmocka_unit_test(a_new_rate_holds_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
