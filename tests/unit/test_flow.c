/* test_flow.c - a simulated peer (fixed rate, fixed round trip, first in first out), and what the depth makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/rng.h"
#include "proto/base/slots.h"
#include "swarm/peers/flow.h"

#define RING 8192
#define START SHOAL_S(100)

/* The peer and the way to it. Times in nanoseconds: a block at 1.4 GB/s takes 11.7 us. */
struct link {
	uint64_t rate; /* bytes a second */
	shoal_us rtt;
	shoal_us jitter; /* each block is late by up to this, in order */
	shoal_us tick;	 /* the loop wakes at multiples of this; 0: for each block */
	uint32_t reqq;
	bool lazy;			 /* asks again only once a quarter of the depth is free */
	shoal_us paused_from, paused_to; /* asks nothing in between */
	/* state */
	struct shoal_flow flow;
	struct shoal_rng rng;
	struct {
		shoal_us asked;
		uint64_t lands;
	} ring[RING];
	uint32_t head, count;
	uint64_t free_at, last_land;
	shoal_us now;
	/* seen since the last look */
	uint64_t bytes;
	shoal_us delay_max, delay_sum;
	uint64_t landed;
	uint32_t depth_max, depth_min;
};

static void link_init(struct link *k)
{
	k->now = START;
	k->rng = shoal_rng_split(1, 1);
	shoal_flow_init(&k->flow, START);
}

static void look(struct link *k)
{
	k->bytes = k->landed = 0;
	k->delay_max = k->delay_sum = 0;
	k->depth_max = 0;
	k->depth_min = UINT32_MAX;
}

static void ask(struct link *k)
{
	uint64_t there = (k->now + k->rtt / 2) * 1000;
	k->free_at = (k->free_at > there ? k->free_at : there) + SHOAL_BLOCK * UINT64_C(1000000000) / k->rate;
	uint64_t lands = k->free_at + (k->rtt - k->rtt / 2) * 1000;
	if (k->jitter)
		lands += shoal_rng_below(&k->rng, (uint32_t)k->jitter) * UINT64_C(1000);
	if (lands < k->last_land)
		lands = k->last_land;
	k->last_land = lands;
	assert_true(k->count < RING);
	k->ring[(k->head + k->count) % RING].asked = k->now;
	k->ring[(k->head + k->count++) % RING].lands = lands;
}

static void fill(struct link *k)
{
	uint32_t depth = shoal_flow_depth(&k->flow, k->reqq, k->now);
	assert_true(depth >= 1 && depth <= SHOAL_FLOW_DEPTH_MAX);
	assert_true(depth <= (k->reqq ? k->reqq : SHOAL_FLOW_PEER_MAX));
	k->depth_max = depth > k->depth_max ? depth : k->depth_max;
	k->depth_min = depth < k->depth_min ? depth : k->depth_min;
	if (k->now >= k->paused_from && k->now < k->paused_to)
		return;
	if (k->lazy && k->count > depth - depth / 4)
		return;
	while (k->count < depth)
		ask(k);
}

static void land(struct link *k)
{
	shoal_us asked = k->ring[k->head].asked, delay = k->now - asked;
	k->head = (k->head + 1) % RING;
	k->count--;
	shoal_flow_block(&k->flow, SHOAL_BLOCK, asked, k->now);
	k->bytes += SHOAL_BLOCK;
	k->landed++;
	k->delay_sum += delay;
	k->delay_max = delay > k->delay_max ? delay : k->delay_max;
}

static void run(struct link *k, shoal_us length)
{
	shoal_us end = k->now + length;
	fill(k);
	for (;;) {
		shoal_us at = k->count ? (k->ring[k->head].lands + 999) / 1000 : k->paused_to;
		assert_true(at > 0);
		if (at < k->now)
			at = k->now;
		if (k->tick)
			at = (at + k->tick - 1) / k->tick * k->tick;
		if (at >= end)
			break;
		k->now = at;
		while (k->count && k->ring[k->head].lands <= k->now * 1000) {
			land(k);
			if (k->tick == 0)
				break;
		}
		fill(k);
	}
	k->now = end;
}

static uint64_t percent(const struct link *k, shoal_us length)
{
	return k->bytes * 100 / (k->rate * (length / 1000) / 1000);
}

static shoal_us bare_delay(const struct link *k)
{
	return k->rtt + SHOAL_BLOCK * UINT64_C(1000000) / k->rate;
}

static const struct link links[] = {
	{ .rate = 2500000, .rtt = 20000 }, /* 20 Mbit/s, as at home */
	{ .rate = 2500000, .rtt = 20000, .lazy = true },
	{ .rate = 250000, .rtt = 50000 },    /* 2 Mbit/s */
	{ .rate = 20000, .rtt = 100000 },    /* hardly anything */
	{ .rate = 12500000, .rtt = 100000 }, /* 100 Mbit/s over an ocean */
	{ .rate = 12500000, .rtt = 300000, .lazy = true, .reqq = 2000 },
	{ .rate = 5000000, .rtt = 1000000, .reqq = 2000 }, /* by satellite, twice */
	{ .rate = 125000000, .rtt = 200, .reqq = 2000 },   /* a LAN */
	{ .rate = 125000000, .rtt = 20000, .reqq = 2000 }, /* between sites */
	{ .rate = 1250000000, .rtt = 10000, .reqq = 3000, .tick = 1000 },
	{ .rate = 1400000000, .rtt = 1000, .reqq = 2000, .tick = 500, .lazy = true }, /* loopback, loops at work */
	{ .rate = 1400000000, .rtt = 100, .reqq = 2000, .tick = 2000 },
};
#define LINKS (sizeof links / sizeof *links)

static struct link *link_new(const struct link *like)
{
	struct link *k = malloc(sizeof *k);
	assert_non_null(k);
	*k = *like;
	link_init(k);
	return k;
}

/* Runs on, and asks for a full link and a queue that stays a few round trips long. */
static void check_filled(struct link *k, shoal_us length, uint64_t least_percent)
{
	shoal_us bare = bare_delay(k) + k->tick, least = SHOAL_FLOW_DEPTH_MIN * (SHOAL_BLOCK * SHOAL_S(1) / k->rate);
	look(k);
	run(k, length);
	shoal_us mean = k->delay_sum / k->landed;
	print_message("%10llu B/s %6llu us: %llu %%, delay %llu us, at most %llu, depth %u..%u\n",
		      (unsigned long long)k->rate, (unsigned long long)k->rtt, (unsigned long long)percent(k, length),
		      (unsigned long long)mean, (unsigned long long)k->delay_max, k->depth_min, k->depth_max);
	assert_true(percent(k, length) >= least_percent);
	assert_true(mean <= 3 * bare + SHOAL_MS(30) || mean <= least * 3 / 2);
	assert_true(k->delay_max <= 5 * bare + SHOAL_MS(100) || k->delay_max <= 2 * least);
}

static void the_link_is_filled_and_the_queue_stays_short(void **state)
{
	(void)state;
	for (size_t i = 0; i < LINKS; i++) {
		struct link *k = link_new(&links[i]);
		run(k, SHOAL_S(2) + 25 * bare_delay(k));
		check_filled(k, k->rate > 500000000 ? SHOAL_S(25) : SHOAL_S(60), 95);
		free(k);
	}
}

static void a_home_line_keeps_eight_to_sixteen(void **state)
{
	(void)state;
	struct link *k = link_new(&links[0]);
	run(k, SHOAL_S(1));
	unsigned inside = 0;
	for (int i = 0; i < 3000; i++) {
		run(k, SHOAL_MS(10));
		inside += k->flow.depth >= 8 && k->flow.depth <= 16;
	}
	assert_true(inside >= 2700); /* the rest: probes and drains */
	free(k);
}

static void loopback_is_deep_within_tens_of_milliseconds(void **state)
{
	(void)state;
	static const shoal_us delays[] = { 100, 1000, 3000, 5000 };
	for (size_t i = 0; i < 4; i++)
		for (int lazy = 0; lazy < 2; lazy++) {
			struct link *k = link_new(&(struct link){ .rate = 1400000000,
								  .rtt = delays[i],
								  .reqq = 2000,
								  .tick = delays[i] / 4,
								  .lazy = lazy });
			shoal_us took = 0;
			look(k);
			while (k->flow.depth < 300 && took < SHOAL_MS(200)) {
				run(k, SHOAL_MS(1));
				took += SHOAL_MS(1);
			}
			print_message("%llu us: 300 blocks deep after %llu ms\n", (unsigned long long)delays[i],
				      (unsigned long long)took / 1000);
			assert_true(took <= SHOAL_MS(50));
			run(k, SHOAL_MS(300) - took);
			assert_true(percent(k, SHOAL_MS(300)) >= 80);
			free(k);
		}
}

static void a_long_fat_line_opens_in_a_few_round_trips(void **state)
{
	(void)state;
	struct link *k = link_new(&(struct link){ .rate = 125000000, .rtt = 100000, .reqq = 4000 });
	run(k, SHOAL_MS(900)); /* 763 blocks are on the line: 16 doubled six times */
	assert_true(k->flow.depth >= 763);
	run(k, SHOAL_S(2));
	check_filled(k, SHOAL_S(20), 95);
	free(k);
}

/* Delays that are not our queue: the depth must not follow its own falling rate down. */
static void a_jittery_peer_is_kept_busy(void **state)
{
	(void)state;
	static const struct link jittery[] = {
		{ .rate = 100000000, .rtt = 500, .jitter = 25000, .reqq = 2000 }, /* a busy disk */
		{ .rate = 100000000, .rtt = 500, .jitter = 60000, .reqq = 2000, .lazy = true },
		{ .rate = 5000000, .rtt = 10000, .jitter = 80000 },		 /* radio */
		{ .rate = 1400000000, .rtt = 100, .reqq = 2000, .tick = 18000 }, /* a starved loop, ours or theirs */
	};
	for (size_t i = 0; i < sizeof jittery / sizeof *jittery; i++) {
		struct link *k = link_new(&jittery[i]);
		run(k, SHOAL_S(5));
		look(k);
		run(k, SHOAL_S(60));
		print_message("%llu B/s, late by %llu us: %llu %%, depth %u..%u\n", (unsigned long long)k->rate,
			      (unsigned long long)(k->jitter + k->tick), (unsigned long long)percent(k, SHOAL_S(60)),
			      k->depth_min, k->depth_max);
		assert_true(percent(k, SHOAL_S(60)) >= 80);
		free(k);
	}
}

/* The same, long after the start: only a probe can find out. */
static void a_peer_that_becomes_jittery_is_kept_busy(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct link *k = link_new(&(struct link){ .rate = 100000000, .rtt = 500, .reqq = 2000 });
		run(k,
		    SHOAL_S(30 + 2 * i)); /* the next probe is due in up to eight seconds: the falling rate calls it */
		assert_true(k->flow.slack == SHOAL_MS(10));
		k->jitter = 40000;
		run(k, SHOAL_S(2));
		look(k);
		run(k, SHOAL_S(8));
		print_message("%llu %% at first\n", (unsigned long long)percent(k, SHOAL_S(8)));
		assert_true(percent(k, SHOAL_S(8)) >= 70);
		look(k);
		run(k, SHOAL_S(60));
		assert_true(percent(k, SHOAL_S(60)) >= 80);
		k->jitter = 0;
		run(k, SHOAL_S(150));
		check_filled(k, SHOAL_S(60), 95); /* and the depth comes back */
		assert_true(k->flow.slack <= SHOAL_MS(20));
		free(k);
	}
}

static void it_follows_the_line_as_it_changes(void **state)
{
	(void)state;
	static const struct {
		uint64_t rate;
		shoal_us rtt;
	} steps[] = {
		{ 10000000, 20000 }, { 10000000, 80000 }, { 2500000, 80000 },  { 25000000, 80000 },
		{ 25000000, 10000 }, { 1000000, 10000 },  { 10000000, 20000 },
	};
	struct link *k = link_new(&(struct link){ .rate = steps[0].rate, .rtt = steps[0].rtt, .reqq = 500 });
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		k->rate = steps[i].rate;
		k->rtt = steps[i].rtt;
		run(k, SHOAL_S(45)); /* two windows with a drain in each */
		check_filled(k, SHOAL_S(60), 95);
	}
	free(k);
}

static void the_queue_does_not_creep(void **state)
{
	(void)state;
	struct link *k = link_new(&links[0]);
	shoal_us early = 0, late = 0;
	run(k, SHOAL_S(60));
	for (int minute = 1; minute <= 60; minute++) {
		look(k);
		run(k, SHOAL_S(60));
		*(minute <= 5 ? &early : minute > 55 ? &late : &(shoal_us){ 0 }) += k->delay_sum / k->landed;
	}
	assert_true(late <= early + early / 5);
	free(k);
}

static void a_pause_is_not_a_slow_peer(void **state)
{
	(void)state;
	struct link *k = link_new(&links[0]);
	run(k, SHOAL_S(5));
	uint64_t rate = shoal_flow_rate(&k->flow);
	k->paused_from = k->now;
	k->paused_to = k->now + SHOAL_S(7); /* choked */
	run(k, SHOAL_MS(7100));
	assert_true(shoal_flow_rate(&k->flow) >= rate - rate / 20);
	look(k);
	run(k, SHOAL_S(1));
	assert_true(percent(k, SHOAL_S(1)) >= 95);
	/* again and again, in bursts too short to ask twice */
	for (int i = 0; i < 20; i++) {
		k->paused_from = k->now;
		k->paused_to = k->now + SHOAL_MS(600);
		run(k, SHOAL_MS(620));
	}
	assert_true(shoal_flow_rate(&k->flow) >= rate - rate / 20);
	free(k);
}

/* ---- the parts -------------------------------------------------------------------- */

static void the_rate_is_a_mean_of_two_seconds(void **state)
{
	(void)state;
	struct shoal_rate r = { 0 };
	struct shoal_rng rng = shoal_rng_split(2, 2);
	shoal_us now = START, stop = START + SHOAL_S(10);
	uint64_t total = 0;
	assert_int_equal(shoal_rate_now(&r, now), 0);
	shoal_rate_add(&r, 0, now);
	while (now < stop) { /* a megabyte a second, in lumps */
		shoal_us step = 1000 + shoal_rng_below(&rng, 60000);
		now += step;
		total += step;
		shoal_rate_add(&r, step, now);
		if (now > START + SHOAL_S(5)) {
			uint64_t rate = shoal_rate_now(&r, now);
			assert_in_range(rate, 900000, 1100000);
		}
	}
	assert_int_equal(r.total, total);
	uint64_t was = shoal_rate_now(&r, now);
	assert_in_range(shoal_rate_now(&r, now + SHOAL_S(2)), was / 4, was / 2);
	assert_true(shoal_rate_now(&r, now + SHOAL_S(10)) < was / 100);
	assert_int_equal(shoal_rate_now(&r, now + SHOAL_S(60)), 0);
	assert_int_equal(shoal_rate_now(&r, now), 0); /* a step back changes nothing */
	shoal_rate_add(&r, 1000000, now + SHOAL_S(86400) * 3650);
	assert_true(shoal_rate_now(&r, now + SHOAL_S(86400) * 3650 + SHOAL_MS(100)) <= 10000000);
	assert_int_equal(r.total, total + 1000000);
}

static void a_first_lump_is_no_rate(void **state)
{
	(void)state;
	struct shoal_rate r = { 0 };
	shoal_rate_add(&r, SHOAL_BLOCK, START);
	assert_int_equal(shoal_rate_now(&r, START + SHOAL_MS(50)), 0);
	assert_true(shoal_rate_now(&r, START + SHOAL_MS(100)) <= 3 * SHOAL_BLOCK);
	assert_true(shoal_rate_now(&r, START + SHOAL_MS(1000)) <= SHOAL_BLOCK);
}

static void patience_follows_the_delay(void **state)
{
	(void)state;
	struct shoal_flow f;
	shoal_flow_init(&f, START);
	assert_in_range(shoal_flow_patience(&f), SHOAL_S(2), SHOAL_S(60));
	for (unsigned i = 0; i < 50; i++)
		shoal_flow_block(&f, SHOAL_BLOCK, START + i * 1000, START + i * 1000 + 500);
	assert_in_range(shoal_flow_patience(&f), SHOAL_S(2), SHOAL_MS(2100));
	for (unsigned i = 0; i < 50; i++)
		shoal_flow_block(&f, SHOAL_BLOCK, START + SHOAL_S(i), START + SHOAL_S(i + 5));
	assert_in_range(shoal_flow_patience(&f), SHOAL_S(15), SHOAL_S(30));
	for (unsigned i = 0; i < 50; i++)
		shoal_flow_block(&f, SHOAL_BLOCK, START, START + SHOAL_S(100 + i));
	assert_int_equal(shoal_flow_patience(&f), SHOAL_S(60));
}

static void the_peer_has_the_last_word(void **state)
{
	(void)state;
	struct shoal_flow f;
	shoal_flow_init(&f, START);
	assert_int_equal(shoal_flow_depth(&f, 0, START), SHOAL_FLOW_DEPTH_START);
	assert_int_equal(shoal_flow_depth(&f, 1, START), 1);
	assert_int_equal(shoal_flow_depth(&f, UINT32_MAX, START), SHOAL_FLOW_DEPTH_START);
}

/* Whatever a clock or a peer does: depth in its bounds, and no arithmetic gone wrong (under the sanitizers). */
static void nonsense_stays_inside_the_bounds(void **state)
{
	(void)state;
	struct shoal_rng rng = shoal_rng_split(3, 3);
	for (int run_no = 0; run_no < 200; run_no++) {
		struct shoal_flow f;
		shoal_us now = 1 + shoal_rng_below(&rng, 1000);
		shoal_flow_init(&f, now);
		for (int i = 0; i < 2000; i++) {
			now += shoal_rng_u64(&rng) >> (20 + shoal_rng_below(&rng, 44));
			if (now > UINT64_MAX / 4)
				now = 1;
			shoal_us asked = shoal_rng_below(&rng, 4) ? now - shoal_rng_below(&rng, 1u << run_no % 32) % now
								  : shoal_rng_u64(&rng) >> shoal_rng_below(&rng, 64);
			uint32_t len = shoal_rng_below(&rng, 3) ? SHOAL_BLOCK : shoal_rng_next(&rng);
			unsigned many = shoal_rng_below(&rng, 20) ? 1 : 3000;
			while (many--)
				shoal_flow_block(&f, len, asked, now);
			uint32_t depth = shoal_flow_depth(&f, UINT32_MAX, now);
			assert_in_range(depth, f.phase == SHOAL_FLOW_DRAIN ? 2 : SHOAL_FLOW_DEPTH_MIN,
					SHOAL_FLOW_DEPTH_MAX);
			assert_in_range(shoal_flow_patience(&f), SHOAL_S(2), SHOAL_S(60));
			assert_true(f.slack >= SHOAL_MS(10) && f.slack <= SHOAL_MS(500));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_link_is_filled_and_the_queue_stays_short),
		cmocka_unit_test(a_home_line_keeps_eight_to_sixteen),
		cmocka_unit_test(loopback_is_deep_within_tens_of_milliseconds),
		cmocka_unit_test(a_long_fat_line_opens_in_a_few_round_trips),
		cmocka_unit_test(a_jittery_peer_is_kept_busy),
		cmocka_unit_test(a_peer_that_becomes_jittery_is_kept_busy),
		cmocka_unit_test(it_follows_the_line_as_it_changes),
		cmocka_unit_test(the_queue_does_not_creep),
		cmocka_unit_test(a_pause_is_not_a_slow_peer),
		cmocka_unit_test(the_rate_is_a_mean_of_two_seconds),
		cmocka_unit_test(a_first_lump_is_no_rate),
		cmocka_unit_test(patience_follows_the_delay),
		cmocka_unit_test(the_peer_has_the_last_word),
		cmocka_unit_test(nonsense_stays_inside_the_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
