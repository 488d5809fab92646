/* test_utp_flow.c - how fast, and how politely: lossy lines, deep queues, drifting clocks, TCP on the same line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/ledbat.h"
#include "tests/unit/own_tcp.h"
#include "tests/unit/own_utp.h"

#define MBIT 125000u /* bytes a second */

static struct pair p;

/* Bytes a second from a to b, over `seconds` after `warm` seconds. */
static double goodput(const struct line_options *o, unsigned warm, unsigned seconds)
{
	pair_open(&p, o, UINT64_MAX / 2, 0);
	line_run(&p.line, p.line.now + SHOAL_S(warm), NULL);
	uint64_t before = p.talk[1].got;
	p.line.waited_max = 0;
	line_run(&p.line, p.line.now + SHOAL_S(seconds), NULL);
	double rate = (double)(p.talk[1].got - before) / seconds;
	for (int i = 0; i < 2; i++) {
		assert_non_null(p.talk[i].t);
		talk_end(&p.talk[i]);
	}
	line_close(&p.line);
	return rate;
}

/* The line of the bars: 100 Mbit/s, 50 ms there and back, one in a hundred lost. Reno's law, with the gain that all uTP
 * has, would come to 0.5 MB/s. */
static void a_lossy_line_is_used(void **state)
{
	(void)state;
	double got = goodput(&(struct line_options){ .seed = 1,
						     .rate = 100 * MBIT,
						     .queue = SHOAL_MS(100),
						     .delay = SHOAL_MS(25),
						     .loss_ppm = 10000 },
			     5, 20);
	print_message("1 %% lost: %.0f kB/s\n", got / 1000);
	assert_true(got > 550e3);
}

/* Radio, and lines joined to one: packets overtake each other by the hundred, and none is lost. */
static void what_is_overtaken_is_not_lost(void **state)
{
	static const struct {
		uint32_t mbits;
		shoal_us delay, jitter;
		unsigned warm; /* seconds */
	} cases[] = { { 20, SHOAL_MS(25), SHOAL_MS(10), 8 },
		      { 100, SHOAL_MS(25), SHOAL_MS(10), 5 },
		      { 20, SHOAL_MS(2), SHOAL_MS(10), 5 },
		      { 20, SHOAL_MS(50), SHOAL_MS(20), 15 },
		      { 100, SHOAL_MS(25), SHOAL_MS(20), 5 } };
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t rate = cases[i].mbits * MBIT;
		double got = goodput(&(struct line_options){ .seed = i + 1,
							     .rate = rate,
							     .queue = SHOAL_S(1),
							     .delay = cases[i].delay,
							     .jitter = cases[i].jitter,
							     .mtu = 1472 },
				     cases[i].warm, 4);
		print_message("%u Mbit/s, %llu ms each way and up to %llu more: %.1f %% used, at most %llu ms queued\n",
			      cases[i].mbits, (unsigned long long)cases[i].delay / 1000,
			      (unsigned long long)cases[i].jitter / 1000, got * 100 / (double)rate,
			      (unsigned long long)p.line.waited_max / 1000);
		assert_true(got > 0.8 * (double)rate);
		assert_true(p.line.waited_max < SHOAL_MS(100));
	}
}

/* Some are lost, and the others overtake each other all the same. */
static void what_is_lost_is_told_from_what_is_late(void **state)
{
	struct line_options o = {
		.seed = 1, .rate = 100 * MBIT, .queue = SHOAL_MS(100), .delay = SHOAL_MS(30), .loss_ppm = 10000
	};
	(void)state;
	double in_order = goodput(&o, 5, 20);
	o.delay -= SHOAL_MS(5); /* as long a way in the mean */
	o.jitter = SHOAL_MS(10);
	double late = goodput(&o, 5, 20);
	print_message("1 %% lost: %.0f kB/s, out of order too: %.0f kB/s\n", in_order / 1000, late / 1000);
	assert_true(late > 0.8 * in_order);
}

/* Three seconds without a line are not the line's measure. */
static void after_an_outage_the_line_is_used_again(void **state)
{
	struct line_options o = { .seed = 1, .rate = 20 * MBIT, .queue = SHOAL_MS(300), .delay = SHOAL_MS(100) };
	(void)state;
	pair_open(&p, &o, UINT64_MAX / 2, 0);
	line_run(&p.line, p.line.now + SHOAL_S(15), NULL);
	p.line.o.loss_ppm = 1000000;
	line_run(&p.line, p.line.now + SHOAL_S(3), NULL);
	p.line.o.loss_ppm = 0;
	line_run(&p.line, p.line.now + SHOAL_S(5), NULL); /* the next time-out may be four seconds off */
	uint64_t before = p.talk[1].got;
	line_run(&p.line, p.line.now + SHOAL_S(3), NULL);
	double part = (double)(p.talk[1].got - before) / (3.0 * 20 * MBIT);
	print_message("%.1f %% used after an outage\n", part * 100);
	assert_true(part > 0.5);
	for (int i = 0; i < 2; i++)
		talk_end(&p.talk[i]);
	line_close(&p.line);
}

static void a_clean_line_is_filled_and_its_queue_is_not(void **state)
{
	static const uint32_t mbits[] = { 2, 20, 60 };
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		double got = goodput(&(struct line_options){ .seed = i,
							     .rate = mbits[i] * MBIT,
							     .queue = SHOAL_S(2),
							     .delay = SHOAL_MS(20),
							     .clock_b = 0xfffff000u },
				     15, 20);
		print_message("%u Mbit/s: %.1f %% used, at most %llu ms queued\n", mbits[i],
			      got * 100 / (mbits[i] * MBIT), (unsigned long long)p.line.waited_max / 1000);
		assert_true(got > 0.9 * mbits[i] * MBIT);
		assert_true(p.line.waited_max < SHOAL_MS(100));
	}
}

static void clocks_that_drift_are_no_queue(void **state)
{
	(void)state;
	for (int64_t ppm = -50; ppm <= 50; ppm += 50) {
		double got = goodput(&(struct line_options){ .seed = 1,
							     .rate = 4 * MBIT,
							     .queue = SHOAL_S(2),
							     .delay = SHOAL_MS(20),
							     .drift_ppm = ppm },
				     10, 120);
		print_message("%lld ppm: %.1f %% used, at most %llu ms queued\n", (long long)ppm,
			      got * 100 / (4 * MBIT), (unsigned long long)p.line.waited_max / 1000);
		assert_true(got > 0.9 * 4 * MBIT);
		assert_true(p.line.waited_max < SHOAL_MS(100));
	}
}

/* ---- beside TCP ----------------------------------------------------------------------- */

static struct own_tcp tcp;

static void tcp_turn(struct line *l, int side)
{
	if (side == 0)
		own_tcp_turn(&tcp, l);
}

static void both_end(void)
{
	for (int i = 0; i < 2; i++)
		talk_end(&p.talk[i]);
	line_close(&p.line);
}

/* What a TCP that uTP joins after so long has of the line, in ten seconds after the first four. */
static double joined(const struct line_options *o, bool cubic, shoal_us after, double *ours)
{
	pair_place(&p, o, UINT64_MAX / 2, 0);
	p.line.on_turn = tcp_turn;
	own_tcp_open(&tcp, cubic);
	line_run(&p.line, p.line.now + after, NULL);
	pair_dial(&p);
	line_run(&p.line, p.line.now + SHOAL_S(4), NULL);
	uint64_t theirs = tcp.delivered, before = p.talk[1].got;
	line_run(&p.line, p.line.now + SHOAL_S(10), NULL);
	*ours = (double)(p.talk[1].got - before) / (10.0 * (double)o->rate);
	return (double)(tcp.delivered - theirs) / (10.0 * (double)o->rate);
}

/* TCP has filled the queue when uTP comes, so that uTP sees it full as if it were empty; and empty, when TCP is cut, what TCP
 * comes back to. Whenever it comes. */
static void tcp_that_is_joined_keeps_most(void **state)
{
	static const struct {
		uint32_t mbits;
		bool cubic;
		unsigned joins; /* seconds, from 3 on, every 4th */
	} cases[] = { { 20, true, 25 }, { 20, false, 25 }, { 100, true, 15 } };
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct line_options o = {
			.seed = 1, .rate = cases[i].mbits * MBIT, .queue = SHOAL_MS(100), .delay = SHOAL_MS(25)
		};
		for (unsigned at = 3; at < cases[i].joins; at += 4) {
			double ours, share = joined(&o, cases[i].cubic, SHOAL_S(at), &ours);
			print_message("%u Mbit/s, %s, joined after %u s: TCP keeps %.1f %%, uTP has %.1f %%\n",
				      cases[i].mbits, cases[i].cubic ? "CUBIC" : "Reno", at, share * 100, ours * 100);
			assert_true(share >= 0.9);
			assert_true(ours > 0.005);
			both_end();
		}
	}
}

/* The queue that TCP kept full is gone when TCP is cut: what was lost and sent again is back sooner than anything ever was, and
 * was lost all the same. */
static void a_queue_that_is_gone_undoes_no_cut(void **state)
{
	struct line_options o = { .seed = 1, .rate = 100 * MBIT, .queue = SHOAL_MS(50), .delay = SHOAL_MS(10) };
	(void)state;
	for (unsigned at = 7; at < 16; at += 4) {
		double ours, share = joined(&o, true, SHOAL_S(at), &ours);
		struct shoal_utp_stats stats = shoal_utp_stats(p.line.utp[0]);
		print_message("TCP keeps %.1f %%, uTP has %.1f %%, %llu packets sent again, %llu cuts undone\n",
			      share * 100, ours * 100, (unsigned long long)stats.resent,
			      (unsigned long long)stats.undone);
		assert_int_equal(stats.undone, 0);
		both_end();
	}
}

/* In a queue of 100 ms a CUBIC that was cut keeps some 55 of them: who is content with as much would never give way to it. */
static void tcp_that_joins_gets_it_soon(void **state)
{
	(void)state;
	for (int mbits = 20; mbits <= 100; mbits += 80) {
		struct line_options o = {
			.seed = 1, .rate = (uint64_t)mbits * MBIT, .queue = SHOAL_MS(100), .delay = SHOAL_MS(25)
		};
		tcp.on = false;
		pair_open(&p, &o, UINT64_MAX / 2, 0);
		p.line.on_turn = tcp_turn;
		line_run(&p.line, p.line.now + SHOAL_S(28), NULL);
		own_tcp_open(&tcp, true);
		tcp.blind = true;
		line_run(&p.line, p.line.now + SHOAL_S(4), NULL);
		uint64_t theirs = tcp.delivered, ours = p.talk[1].got;
		line_run(&p.line, p.line.now + SHOAL_S(7), NULL);
		double whole = 7.0 * mbits * MBIT, share = (double)(tcp.delivered - theirs) / whole;
		print_message("%d Mbit/s: after 4 s TCP has %.1f %%, uTP %.1f %%\n", mbits, share * 100,
			      (double)(p.talk[1].got - ours) * 100 / whole);
		assert_true(share >= 0.9);
		both_end();
	}
}

static void tcp_beside_it_keeps_nearly_all(void **state)
{
	(void)state;
	struct line_options o = { .seed = 1, .rate = 20 * MBIT, .queue = SHOAL_MS(300), .delay = SHOAL_MS(20) };
	tcp.on = false;
	pair_open(&p, &o, UINT64_MAX / 2, 0);
	p.line.on_turn = tcp_turn;
	line_run(&p.line, p.line.now + SHOAL_S(20), NULL); /* it has the line to itself, and then must give way */
	own_tcp_open(&tcp, false);
	line_run(&p.line, p.line.now + SHOAL_S(10), NULL);
	uint64_t ours = p.talk[1].got, theirs = tcp.delivered;
	line_run(&p.line, p.line.now + SHOAL_S(30), NULL);
	double share = (double)(tcp.delivered - theirs) / (30.0 * 20 * MBIT);
	print_message("TCP keeps %.1f %%, uTP has %.1f %%\n", share * 100,
		      (double)(p.talk[1].got - ours) * 100 / (30.0 * 20 * MBIT));
	assert_true(share >= 0.9);
	/* And the line is ours again when it has gone. */
	tcp.on = false;
	line_run(&p.line, p.line.now + SHOAL_S(10), NULL);
	ours = p.talk[1].got;
	line_run(&p.line, p.line.now + SHOAL_S(10), NULL);
	print_message("alone again: %.1f %%\n", (double)(p.talk[1].got - ours) * 100 / (10.0 * 20 * MBIT));
	assert_true((double)(p.talk[1].got - ours) > 0.9 * 10 * 20 * MBIT);
	both_end();
}

/* ---- the window by itself --------------------------------------------------------------- */

/* It is heard of until nothing else counts. */
static void heard(struct shoal_ledbat *l, uint32_t delay, shoal_us now)
{
	for (unsigned i = 0; i < 3 * SHOAL_LEDBAT_RECENT; i++) {
		shoal_ledbat_sample(l, delay, now);
		shoal_ledbat_acked(l, l->window, 0, SHOAL_S(1), now);
	}
}

static void delays_wrap_and_age(void **state)
{
	struct shoal_ledbat l;
	(void)state;
	shoal_ledbat_init(&l, 1400, 0);
	assert_int_equal(shoal_ledbat_queue(&l, SHOAL_S(1)), 0);
	shoal_ledbat_sample(&l, 0xfffffff0u, 0);
	heard(&l, 0xfffffff0u + 30000, 0); /* past the turn */
	assert_int_equal(shoal_ledbat_queue(&l, SHOAL_S(1)), 30000);
	assert_int_equal(shoal_ledbat_queue(&l, 7000), 7000); /* no delay exceeds the round trip */
	/* A base is forgotten after its minutes. */
	for (shoal_us m = 1; m <= SHOAL_LEDBAT_BASE_MINUTES; m++)
		heard(&l, 0xfffffff0u + 30000, m * SHOAL_S(61));
	assert_int_equal(shoal_ledbat_queue(&l, SHOAL_S(1)), 0);
}

/* Their packets seem ever faster, ours ever slower by as much; but what jumps is another route. */
static void a_clock_that_gains_moves_the_base(void **state)
{
	struct shoal_ledbat l;
	(void)state;
	shoal_ledbat_init(&l, 1400, 0);
	heard(&l, 1000, 0);
	shoal_ledbat_theirs(&l, 50000);
	shoal_ledbat_theirs(&l, 46000);
	heard(&l, 5000, SHOAL_S(1));
	assert_int_equal(shoal_ledbat_queue(&l, SHOAL_S(1)), 0);
	heard(&l, 25000, SHOAL_S(61)); /* of the minute before, too */
	assert_int_equal(shoal_ledbat_queue(&l, SHOAL_S(1)), 20000);
	shoal_ledbat_theirs(&l, 46000 - (uint32_t)SHOAL_LEDBAT_DRIFT_MAX - 1);
	assert_int_equal(shoal_ledbat_queue(&l, SHOAL_S(1)), 20000);
}

static void losses_and_delays_move_the_window(void **state)
{
	struct shoal_ledbat l;
	(void)state;
	shoal_ledbat_init(&l, 1400, 0);
	uint64_t start = l.window;
	shoal_ledbat_acked(&l, start, start, SHOAL_S(1), 0); /* slow start doubles */
	assert_int_equal(l.window, 2 * start);
	shoal_ledbat_acked(&l, start, start / 2, SHOAL_S(1), 0); /* not what held us back */
	assert_int_equal(l.window, 2 * start);
	l.window = 100000;
	shoal_ledbat_lost(&l, SHOAL_S(1));
	assert_int_equal(l.window, 50000); /* the end of slow start */
	l.window = 100000;
	shoal_ledbat_lost(&l, SHOAL_S(1));
	assert_int_equal(l.window, 70000); /* noise */
	l.window = 100000;
	for (int i = 0; i < 50; i++) /* a round trip without a queue */
		shoal_ledbat_acked(&l, 2000, 100000, SHOAL_S(1), 0);
	assert_in_range(l.window, 100000 + SHOAL_LEDBAT_GAIN * 95 / 100, 100000 + SHOAL_LEDBAT_GAIN);
	shoal_ledbat_sample(&l, 0, 1);
	heard(&l, (uint32_t)SHOAL_LEDBAT_TARGET * 3, 1);
	l.window = 100000;
	for (int i = 0; i < 50; i++) /* one with far too much of it: to about e^-1/2, no more */
		shoal_ledbat_acked(&l, 2000, 100000, SHOAL_S(1), 0);
	assert_in_range(l.window, 45000, 65000);
	shoal_ledbat_lost(&l, SHOAL_S(1));
	assert_in_range(l.window, 22000, 33000); /* crowded: half */
	shoal_ledbat_timeout(&l);
	assert_int_equal(l.window, 1400);
	assert_true(l.slow_start);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_wrap_and_age),
		cmocka_unit_test(a_clock_that_gains_moves_the_base),
		cmocka_unit_test(losses_and_delays_move_the_window),
		cmocka_unit_test(a_lossy_line_is_used),
		cmocka_unit_test(what_is_overtaken_is_not_lost),
		cmocka_unit_test(what_is_lost_is_told_from_what_is_late),
		cmocka_unit_test(after_an_outage_the_line_is_used_again),
		cmocka_unit_test(a_clean_line_is_filled_and_its_queue_is_not),
		cmocka_unit_test(clocks_that_drift_are_no_queue),
		cmocka_unit_test(tcp_that_is_joined_keeps_most),
		cmocka_unit_test(a_queue_that_is_gone_undoes_no_cut),
		cmocka_unit_test(tcp_that_joins_gets_it_soon),
		cmocka_unit_test(tcp_beside_it_keeps_nearly_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
