/* test_utp.c - streams over a line that loses, repeats, delays and reorders; its width; slow readers and little memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/own_utp.h"

static void bytes_come_whole_over_any_line(void **state)
{
	static struct pair p;
	(void)state;
	for (uint64_t seed = 1; seed <= own_seeds(400); seed++) {
		struct shoal_rng rng = shoal_rng_split(seed, 3);
		struct line_options o = { .seed = seed,
					  .loss_ppm = shoal_rng_below(&rng, 4) * 40000,
					  .dup_ppm = shoal_rng_below(&rng, 3) * 50000,
					  .delay = shoal_rng_below(&rng, 60000),
					  .jitter = shoal_rng_below(&rng, 3) * 5000,
					  .mtu = shoal_rng_below(&rng, 2) * (1200 + shoal_rng_below(&rng, 300)),
					  .busy_ppm = shoal_rng_below(&rng, 2) * 20000,
					  .clock_b = shoal_rng_next(&rng) };
		pair_open(&p, &o, shoal_rng_below(&rng, 150000) + 1, shoal_rng_below(&rng, 150000));
		p.talk[0].sip = shoal_rng_below(&rng, 3) * 700;
		line_run(&p.line, p.line.now + SHOAL_S(200), pair_done);
		pair_expect_all(&p);
		line_expect_quiet(&p.line);
		line_close(&p.line);
	}
}

/* Where eight time-outs in a row can happen, now and then one is given up. */
static void a_third_of_all_lost_still_comes_through(void **state)
{
	static struct pair p;
	uint64_t given_up = 0;
	(void)state;
	for (uint64_t seed = 1; seed <= own_seeds(40); seed++) {
		pair_open(&p, &(struct line_options){ .seed = seed, .loss_ppm = 300000, .delay = 20000 }, 50000, 50000);
		line_run(&p.line, p.line.now + SHOAL_S(600), pair_done);
		bool failed = p.talk[0].failed || p.talk[1].failed;
		given_up += failed;
		if (!failed)
			pair_expect_all(&p);
		for (int i = 0; i < 2; i++)
			if (p.talk[i].t != NULL)
				talk_end(&p.talk[i]);
		line_close(&p.line);
	}
	print_message("%llu given up\n", (unsigned long long)given_up);
	assert_true(given_up <= own_seeds(40) / 8);
}

/* Loses the n-th datagram. */
static bool tap_nth(struct line *l, int from, struct shoal_bytes data)
{
	uint64_t *nth = l->word;
	(void)from;
	(void)data;
	return --*nth != 0;
}

static void each_packet_lost_once_is_sent_again(void **state)
{
	static struct pair p;
	(void)state;
	for (uint64_t lose = 1; lose <= 60; lose++) {
		uint64_t nth = lose;
		pair_open(&p, &(struct line_options){ .seed = 5, .delay = 10000 }, 30000, 30000);
		p.line.word = &nth;
		p.line.tap = tap_nth;
		line_run(&p.line, p.line.now + SHOAL_S(30), pair_done);
		pair_expect_all(&p);
		line_expect_quiet(&p.line);
		line_close(&p.line);
	}
}

/* A socket's buffer overflows: a hundred in a row are gone, once. */
struct overflow {
	uint16_t top; /* highest number sent */
	unsigned count;
};

static bool tap_overflow(struct line *l, int from, struct shoal_bytes data)
{
	struct overflow *o = l->word;
	if (from == 1 && data.len > 22 && data.at[1] == 1) /* 96 packets, as libtorrent has it */
		for (size_t i = 22 + 12; i < data.len && i < 22u + data.at[21]; i++)
			((uint8_t *)(uintptr_t)data.at)[i] = 0;
	if (from != 0 || data.len < 1000)
		return true;
	uint16_t seq = (uint16_t)(data.at[16] << 8 | data.at[17]);
	if (o->count > 0 && (uint16_t)(seq - o->top - 1) >= 0x8000)
		return true; /* sent again */
	o->top = seq;
	o->count++;
	return o->count < 600 || o->count >= 700;
}

/* Selective acks reach so far; what lies beyond is told of late, and its age is not the way's. */
static void a_burst_of_loss_is_made_good_at_once(void **state)
{
	static struct pair p;
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct overflow o = { 0 };
		pair_open(&p, &(struct line_options){ .seed = seed, .delay = 100, .mtu = 1472 }, 3000000, 0);
		p.line.word = &o;
		p.line.tap = tap_overflow;
		shoal_us began = p.line.now;
		line_run(&p.line, p.line.now + SHOAL_S(30), pair_done);
		pair_expect_all(&p);
		assert_in_range(p.line.now - began, 0, SHOAL_S(3));
		line_expect_quiet(&p.line);
		line_close(&p.line);
	}
}

static void no_loss_means_nothing_is_sent_twice(void **state)
{
	static struct pair p;
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .delay = 5000, .mtu = 1472 }, 3000000, 100000);
	line_run(&p.line, p.line.now + SHOAL_S(60), pair_done);
	pair_expect_all(&p);
	for (int i = 0; i < 2; i++) {
		struct shoal_utp_stats s = shoal_utp_stats(p.line.utp[i]);
		assert_int_equal(s.resent, 0);
		assert_int_equal(s.timeouts, 0);
	}
	/* Headers, and acks of many at a time. */
	assert_true(p.line.bytes[0] < 3000000 * 103 / 100);
	assert_true(p.line.sent[1] < p.line.sent[0]);
	line_expect_quiet(&p.line);
	line_close(&p.line);
}

/* ---- the path's width --------------------------------------------------------------- */

static void the_width_of_a_path_is_found(void **state)
{
	static const size_t widths[] = { 1200, 1280, 1372, 1400, 1452, 1471, 1472, 9000 };
	static struct pair p;
	(void)state;
	for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
		pair_open(&p, &(struct line_options){ .seed = i, .delay = 5000, .mtu = widths[i] }, 4000000, 0);
		struct shoal_utp_look look = { 0 };
		for (int step = 0; step < 600 && !pair_done(&p.line); step++) {
			line_run(&p.line, p.line.now + SHOAL_MS(10), pair_done);
			if (p.talk[0].t != NULL)
				look = shoal_utp_look(p.talk[0].t);
		}
		pair_expect_all(&p);
		size_t most = widths[i] < SHOAL_UTP_MTU_V4 ? widths[i] : SHOAL_UTP_MTU_V4;
		print_message("%zu: found %u\n", widths[i], look.mtu);
		assert_true(look.mtu <= most && look.mtu + 16 >= most);
		line_close(&p.line);
	}
}

/* ---- windows ---------------------------------------------------------------------------- */

static void a_slow_reader_is_waited_for(void **state)
{
	static struct pair p;
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .delay = 1000 }, 4000000, 0);
	p.talk[1].slow_every = SHOAL_S(3);
	line_run(&p.line, p.line.now + SHOAL_S(100), pair_done);
	pair_expect_all(&p);
	assert_true(p.line.peak[1] < SHOAL_UTP_WINDOW + (256u << 10)); /* with what pages and tables cost */
	line_expect_quiet(&p.line);
	line_close(&p.line);
}

/* Who has no room, and says so, is alive, however long that takes; and it is no sign of a crowded line. */
static void a_shut_window_is_no_death(void **state)
{
	static struct pair p;
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .delay = 25000, .rate = 2500000, .queue = SHOAL_S(1) },
		  20000000, 0);
	line_run(&p.line, p.line.now + SHOAL_S(4), NULL);
	struct shoal_utp_look before = shoal_utp_look(p.talk[0].t);
	p.talk[1].slow_every = 2 * SHOAL_UTP_DEAD;
	line_run(&p.line, p.line.now + 2 * SHOAL_UTP_DEAD - SHOAL_S(10), NULL);
	assert_non_null(p.talk[0].t);
	assert_true(shoal_utp_look(p.talk[0].t).window >= before.window / 2);
	p.talk[1].slow_every = 0;
	line_run(&p.line, p.line.now + SHOAL_S(40), pair_done);
	pair_expect_all(&p);
	line_expect_quiet(&p.line);
	line_close(&p.line);
}

static void short_of_memory_it_is_slow_and_whole(void **state)
{
	static struct pair p;
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		pair_open(&p, &(struct line_options){ .seed = seed, .delay = 2000, .loss_ppm = 10000, .memory = 90000 },
			  300000, 300000);
		line_run(&p.line, p.line.now + SHOAL_S(300), pair_done);
		pair_expect_all(&p);
		assert_true(p.line.peak[0] <= 90000 && p.line.peak[1] <= 90000);
		line_close(&p.line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_whole_over_any_line),
		cmocka_unit_test(a_third_of_all_lost_still_comes_through),
		cmocka_unit_test(each_packet_lost_once_is_sent_again),
		cmocka_unit_test(a_burst_of_loss_is_made_good_at_once),
		cmocka_unit_test(no_loss_means_nothing_is_sent_twice),
		cmocka_unit_test(the_width_of_a_path_is_found),
		cmocka_unit_test(a_slow_reader_is_waited_for),
		cmocka_unit_test(a_shut_window_is_no_death),
		cmocka_unit_test(short_of_memory_it_is_slow_and_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
