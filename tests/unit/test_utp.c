/* test_utp.c - streams over a line that loses, repeats, delays and reorders; teardown; forged and hostile datagrams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/utp_wire.h"
#include "tests/unit/own_utp.h"

static uint64_t seeds(uint64_t all)
{
	return getenv("SHOAL_LONG") != NULL ? all * 20 : getenv("SHOAL_SHORT") != NULL ? all / 4 + 1 : all;
}

static void expect_all(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		struct talk *k = &p->talk[i];
		if (!k->closed || k->failed || k->got != k->to_get)
			fail_msg("seed %llu, side %d: %llu of %llu came, err %d, after %llu ms",
				 (unsigned long long)p->line.o.seed, i, (unsigned long long)k->got,
				 (unsigned long long)k->to_get, k->err,
				 (unsigned long long)(p->line.now - SHOAL_S(1000)) / 1000);
	}
}

/* Both ends let go of each other, and nothing is left. */
static void expect_quiet(struct line *l)
{
	line_run(l, l->now + SHOAL_UTP_LINGER + SHOAL_S(1), NULL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(shoal_utp_stats(l->utp[i]).connections, 0);
}

static void bytes_come_whole_over_any_line(void **state)
{
	static struct pair p;
	(void)state;
	for (uint64_t seed = 1; seed <= seeds(400); seed++) {
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
		expect_all(&p);
		expect_quiet(&p.line);
		line_close(&p.line);
	}
}

/* Where eight time-outs in a row can happen, now and then one is given up. */
static void a_third_of_all_lost_still_comes_through(void **state)
{
	static struct pair p;
	uint64_t given_up = 0;
	(void)state;
	for (uint64_t seed = 1; seed <= seeds(40); seed++) {
		pair_open(&p, &(struct line_options){ .seed = seed, .loss_ppm = 300000, .delay = 20000 }, 50000, 50000);
		line_run(&p.line, p.line.now + SHOAL_S(600), pair_done);
		bool failed = p.talk[0].failed || p.talk[1].failed;
		given_up += failed;
		if (!failed)
			expect_all(&p);
		for (int i = 0; i < 2; i++)
			if (p.talk[i].t != NULL)
				p.talk[i].t->ops->close(p.talk[i].t);
		line_close(&p.line);
	}
	print_message("%llu given up\n", (unsigned long long)given_up);
	assert_true(given_up <= seeds(40) / 8);
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
		expect_all(&p);
		expect_quiet(&p.line);
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
		expect_all(&p);
		assert_in_range(p.line.now - began, 0, SHOAL_S(3));
		expect_quiet(&p.line);
		line_close(&p.line);
	}
}

static void no_loss_means_nothing_is_sent_twice(void **state)
{
	static struct pair p;
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .delay = 5000, .mtu = 1472 }, 3000000, 100000);
	line_run(&p.line, p.line.now + SHOAL_S(60), pair_done);
	expect_all(&p);
	for (int i = 0; i < 2; i++) {
		struct shoal_utp_stats s = shoal_utp_stats(p.line.utp[i]);
		assert_int_equal(s.resent, 0);
		assert_int_equal(s.timeouts, 0);
	}
	/* Headers, and acks of many at a time. */
	assert_true(p.line.bytes[0] < 3000000 * 103 / 100);
	assert_true(p.line.sent[1] < p.line.sent[0]);
	expect_quiet(&p.line);
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
		expect_all(&p);
		size_t most = widths[i] < SHOAL_UTP_MTU_V4 ? widths[i] : SHOAL_UTP_MTU_V4;
		print_message("%zu: found %u\n", widths[i], look.mtu);
		assert_true(look.mtu <= most && look.mtu + 16 >= most);
		line_close(&p.line);
	}
}

/* ---- ends ----------------------------------------------------------------------------- */

static void nobody_there_ends_in_a_time_out(void **state)
{
	static struct pair p;
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .loss_ppm = 1000000 }, 1, 1);
	p.talk[1].closed = true;
	line_run(&p.line, p.line.now + SHOAL_S(60), pair_done);
	assert_int_equal(p.talk[0].err, SHOAL_ERR_TIMEOUT);
	assert_int_equal(p.line.sent[0], SHOAL_UTP_SYNS);
	line_close(&p.line);
}

static void one_that_falls_silent_is_given_up(void **state)
{
	static struct pair p;
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .delay = 20000 }, 50000000, 0);
	line_run(&p.line, p.line.now + SHOAL_MS(500), NULL);
	assert_non_null(p.talk[0].t);
	p.line.o.loss_ppm = 1000000;
	uint64_t sent = p.line.sent[0];
	line_run(&p.line, p.line.now + SHOAL_S(120), NULL);
	assert_true(p.talk[0].failed);
	assert_int_equal(p.talk[0].err, SHOAL_ERR_TIMEOUT);
	assert_true(p.line.sent[0] - sent < 700); /* what was under way, then one at a time, ever more slowly */
	p.talk[1].t->ops->close(p.talk[1].t);
	p.talk[1].t = NULL;
	line_run(&p.line, p.line.now + SHOAL_S(10), NULL);
	line_close(&p.line);
}

static void who_is_refused_sees_the_end(void **state)
{
	static struct pair p;
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .delay = 1000 }, 100, 100);
	p.refuse = true;
	p.talk[1].closed = true;
	line_run(&p.line, p.line.now + SHOAL_S(30), pair_done);
	assert_int_equal(p.talk[0].err, SHOAL_ERR_CLOSED);
	expect_quiet(&p.line);
	line_close(&p.line);
}

struct tally {
	unsigned kind[5];
};
static bool tap_tally(struct line *l, int from, struct shoal_bytes data)
{
	struct tally *t = l->word;
	(void)from;
	t->kind[data.at[0] >> 4]++;
	return true;
}

/* Each end is acknowledged, the second one too, though who said the first has nothing left to wait for. */
static void both_ends_are_acknowledged(void **state)
{
	static struct line l;
	struct tally t = { { 0 } };
	uint8_t got[4];
	struct shoal_space room = { got, sizeof got };
	struct shoal_bytes word = SHOAL_LIT("x");
	(void)state;
	line_open(&l, &(struct line_options){ .seed = 1, .delay = 10000 });
	l.word = &t;
	l.tap = tap_tally;
	assert_int_equal(shoal_utp_dial(l.utp[0], &l.addr[1], 1, l.now), 0);
	line_run(&l, l.now + SHOAL_S(1), NULL);
	assert_int_equal(l.kept[0]->ops->send(l.kept[0], &word, 1, false), 1);
	line_run(&l, l.now + SHOAL_S(1), NULL);
	assert_int_equal(l.kept_count, 2);
	assert_int_equal(l.kept[1]->ops->recv(l.kept[1], &room, 1), 1);
	assert_int_equal(l.kept[1]->ops->send(l.kept[1], &word, 1, false), 1);
	line_run(&l, l.now + SHOAL_S(1), NULL);
	l.kept[0]->ops->close(l.kept[0]);
	line_run(&l, l.now + SHOAL_S(1), NULL);
	assert_int_equal(l.kept[1]->ops->recv(l.kept[1], &room, 1), SHOAL_ERR_CLOSED);
	l.kept[1]->ops->close(l.kept[1]);
	l.kept_count = 0;
	expect_quiet(&l);
	assert_int_equal(t.kind[SHOAL_UTP_FIN], 2);
	assert_int_equal(t.kind[SHOAL_UTP_RESET], 0);
	line_close(&l);
}

/* Who closes while there is no memory says so when there is some. */
static void an_end_waits_for_memory(void **state)
{
	static struct pair p;
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .delay = 1000 }, 50000, 0);
	p.talk[0].to_get = 1; /* it is not over of itself */
	line_run(&p.line, p.line.now + SHOAL_S(2), NULL);
	assert_int_equal(p.talk[1].got, 50000);
	p.line.o.memory = 1;
	p.talk[0].t->ops->close(p.talk[0].t);
	p.talk[0].t = NULL;
	p.talk[0].closed = true;
	line_run(&p.line, p.line.now + SHOAL_S(1), NULL);
	assert_false(p.talk[1].closed);
	p.line.o.memory = 0;
	line_run(&p.line, p.line.now + SHOAL_MS(100), pair_done);
	assert_true(p.talk[1].eof);
	expect_quiet(&p.line);
	line_close(&p.line);
}

/* The other end goes on for ever; it is told that nobody hears it. */
static void who_is_heard_no_more_is_told(void **state)
{
	static struct pair p;
	struct tally t = { { 0 } };
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .delay = 1000 }, 50000, 100);
	p.talk[1].slow_every = SHOAL_S(1000); /* and reads nothing, so that it does not see the end */
	p.line.word = &t;
	p.line.tap = tap_tally;
	line_run(&p.line, p.line.now + SHOAL_S(1), NULL);
	p.talk[0].t->ops->close(p.talk[0].t);
	p.talk[0].t = NULL;
	p.talk[0].closed = true;
	line_run(&p.line, p.line.now + SHOAL_UTP_LINGER_DONE + SHOAL_S(1), NULL);
	assert_int_equal(t.kind[SHOAL_UTP_RESET], 1);
	assert_int_equal(shoal_utp_stats(p.line.utp[0]).connections, 0);
	p.talk[1].slow_every = 0;
	line_run(&p.line, p.line.now + SHOAL_MS(300), NULL);
	assert_int_equal(p.talk[1].got, 50000); /* what had come is not lost by it */
	assert_true(p.talk[1].closed);
	line_close(&p.line);
}

/* A node that goes while much is queued cannot say all of it, but says that it goes. */
static void who_leaves_says_so(void **state)
{
	static struct pair p;
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .delay = 20000 }, 5000000, 0);
	line_run(&p.line, p.line.now + SHOAL_MS(300), NULL);
	assert_false(p.talk[1].closed);
	p.talk[0].t->ops->close(p.talk[0].t);
	p.talk[0].t = NULL;
	p.talk[0].closed = true;
	shoal_utp_leave(p.line.utp[0]);
	line_run(&p.line, p.line.now, NULL); /* the last round */
	p.line.o.loss_ppm = 1000000;	     /* all that is sent from now on nobody sends */
	line_run(&p.line, p.line.now + SHOAL_MS(200), NULL);
	assert_true(p.talk[1].closed);
	assert_int_equal(p.talk[1].err, SHOAL_ERR_CLOSED);
	line_close(&p.line);
}

/* One that is closed before a word was said is gone at once: refused ones take no places. */
static void the_refused_take_no_place(void **state)
{
	static struct pair p;
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .delay = 1000 }, 100, 100);
	p.refuse = true;
	p.talk[1].closed = true;
	line_run(&p.line, p.line.now + SHOAL_MS(20), NULL);
	assert_int_equal(p.talk[0].err, SHOAL_ERR_CLOSED);
	for (int i = 0; i < 2; i++)
		assert_int_equal(shoal_utp_stats(p.line.utp[i]).connections, 0);
	line_close(&p.line);
}

#define MANY 40
static struct {
	struct shoal_transport *t[2][MANY];
	size_t n[2];
} many;

static void note_transport(struct line *l, int side, const struct shoal_utp_event *ev)
{
	(void)l;
	assert_non_null(ev->t);
	assert_true(many.n[side] < MANY);
	many.t[side][many.n[side]++] = ev->t;
}

/* A node finds each of its connections, however many there came to be: each end hears its own other end alone. */
static void many_connections_keep_apart(void **state)
{
	static struct line l;
	(void)state;
	memset(&many, 0, sizeof many);
	line_open(&l, &(struct line_options){ .seed = 1, .delay = 1000 });
	l.on_event = note_transport;
	for (uint64_t i = 0; i < MANY; i++) {
		assert_int_equal(shoal_utp_dial(l.utp[0], &l.addr[1], i, l.now), 0);
		line_run(&l, l.now + SHOAL_MS(50), NULL);
	}
	assert_int_equal(many.n[0], MANY);
	for (uint8_t i = 0; i < MANY; i++) {
		struct shoal_transport *t = many.t[0][i];
		struct shoal_bytes word = { &i, 1 };
		assert_int_equal(t->ops->send(t, &word, 1, false), 1);
		line_run(&l, l.now + SHOAL_MS(10), NULL);
	}
	line_run(&l, l.now + SHOAL_S(1), NULL);
	assert_int_equal(many.n[1], MANY);
	bool heard[MANY] = { false };
	for (size_t i = 0; i < MANY; i++) {
		struct shoal_transport *t = many.t[1][i];
		uint8_t got[4];
		struct shoal_space room = { got, sizeof got };
		assert_int_equal(t->ops->recv(t, &room, 1), 1);
		assert_true(got[0] < MANY && !heard[got[0]]);
		heard[got[0]] = true;
	}
	for (int side = 0; side < 2; side++) {
		assert_int_equal(shoal_utp_stats(l.utp[side]).connections, MANY);
		for (size_t i = 0; i < MANY; i++)
			many.t[side][i]->ops->close(many.t[side][i]);
	}
	line_run(&l, l.now + SHOAL_UTP_LINGER + SHOAL_S(2), NULL);
	for (int side = 0; side < 2; side++)
		assert_int_equal(shoal_utp_stats(l.utp[side]).connections, 0);
	line_close(&l);
}

static void one_half_may_end_long_before_the_other(void **state)
{
	static struct pair p;
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		pair_open(&p, &(struct line_options){ .seed = seed, .delay = 3000, .loss_ppm = 20000 }, 1, 400000);
		p.hasty = true;
		line_run(&p.line, p.line.now + SHOAL_S(60), pair_done);
		expect_all(&p);
		expect_quiet(&p.line);
		line_close(&p.line);
	}
}

static void a_forgotten_connection_is_reset(void **state)
{
	static struct pair p;
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .delay = 20000 }, 50000000, 0);
	line_run(&p.line, p.line.now + SHOAL_MS(300), NULL);
	p.talk[1].t->ops->close(p.talk[1].t);
	p.talk[1].t = NULL;
	p.talk[1].closed = true;
	line_run(&p.line, p.line.now + SHOAL_UTP_LINGER + SHOAL_S(2), pair_done);
	assert_true(p.talk[0].failed || p.talk[0].closed);
	assert_int_equal(p.talk[0].err, SHOAL_ERR_CLOSED);
	line_close(&p.line);
}

/* Whenever either end lets go, and whatever is lost then, nothing is left and nobody is told of what is gone. */
static void closing_at_any_moment_leaves_nothing(void **state)
{
	static struct pair p;
	(void)state;
	for (uint64_t seed = 1; seed <= seeds(300); seed++) {
		struct shoal_rng rng = shoal_rng_split(seed, 4);
		pair_open(&p,
			  &(struct line_options){
				  .seed = seed, .delay = 5000, .loss_ppm = shoal_rng_below(&rng, 3) * 50000 },
			  500000, 500000);
		for (int i = 0; i < 2; i++) {
			int side = (int)shoal_rng_below(&rng, 2);
			line_run(&p.line, p.line.now + shoal_rng_below(&rng, 200000), NULL);
			if (p.talk[side].t == NULL)
				side = !side;
			if (p.talk[side].t != NULL) {
				p.talk[side].t->ops->close(p.talk[side].t);
				p.talk[side].t = NULL;
				p.talk[side].closed = true;
			} else if (side == 0 || p.talk[0].t == NULL) {
				shoal_utp_dial_stop(p.line.utp[0], 99);
			}
		}
		line_run(&p.line, p.line.now + SHOAL_S(100), NULL);
		for (int i = 0; i < 2; i++) {
			if (p.talk[i].t != NULL)
				p.talk[i].t->ops->close(p.talk[i].t);
			p.talk[i].t = NULL;
			p.talk[i].closed = true;
		}
		expect_quiet(&p.line);
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
	expect_all(&p);
	assert_true(p.line.peak[1] < SHOAL_UTP_WINDOW + (256u << 10)); /* with what pages and tables cost */
	expect_quiet(&p.line);
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
	expect_all(&p);
	expect_quiet(&p.line);
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
		expect_all(&p);
		assert_true(p.line.peak[0] <= 90000 && p.line.peak[1] <= 90000);
		line_close(&p.line);
	}
}

/* ---- strangers ------------------------------------------------------------------------------- */

/* What one node sends back is kept, and goes nowhere. */
struct caught {
	uint64_t count, bytes;
	struct shoal_utp_head last;
	uint8_t raw[2048];
};
static bool tap_catch(struct line *l, int from, struct shoal_bytes data)
{
	struct caught *c = l->word;
	if (from != 1)
		return true;
	c->count++;
	c->bytes += data.len;
	memcpy(c->raw, data.at, data.len < sizeof c->raw ? data.len : sizeof c->raw);
	assert_int_equal(
		shoal_utp_decode(shoal_bytes(c->raw, data.len < sizeof c->raw ? data.len : sizeof c->raw), &c->last),
		0);
	return false;
}

static void say(struct line *l, const struct shoal_addr *from, struct shoal_utp_head h, struct shoal_bytes payload)
{
	uint8_t raw[1500];
	size_t n = shoal_utp_encode(&h, raw);
	if (payload.len > 0)
		memcpy(raw + n, payload.at, payload.len);
	line_forge(l, 1, from, shoal_bytes(raw, n + payload.len));
}

static struct shoal_addr stranger(uint32_t i)
{
	return (struct shoal_addr){ { 198, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i },
				    (uint16_t)(1024 + i % 60000),
				    1 };
}

static void a_flood_of_forged_syns_costs_nothing(void **state)
{
	static struct line l;
	struct caught caught = { 0 };
	uint64_t in = 0;
	(void)state;
	line_open(&l, &(struct line_options){ .seed = 1 });
	l.tap = tap_catch;
	l.word = &caught;
	size_t before = l.used[1];
	for (uint32_t i = 0; i < 100000; i++) {
		struct shoal_addr from = stranger(i);
		say(&l, &from, (struct shoal_utp_head){ .type = SHOAL_UTP_SYN, .id = (uint16_t)(i * 7), .seq = 1 },
		    (struct shoal_bytes){ NULL, 0 });
		in += SHOAL_UTP_HEAD;
		if (i % 100 == 0)
			line_run(&l, l.now + 100, NULL);
	}
	line_run(&l, l.now + SHOAL_S(1), NULL);
	assert_int_equal(l.used[1], before);
	assert_int_equal(shoal_utp_stats(l.utp[1]).connections, 0);
	assert_true(caught.count > 50000 && caught.bytes <= in);
	line_close(&l);
}

static void only_who_heard_the_answer_is_let_in(void **state)
{
	static struct line l;
	struct caught caught = { 0 };
	struct shoal_addr from = stranger(1);
	struct shoal_utp_head syn = { .type = SHOAL_UTP_SYN, .id = 500, .seq = 0xffff };
	(void)state;
	line_open(&l, &(struct line_options){ .seed = 1 });
	l.tap = tap_catch;
	l.word = &caught;
	say(&l, &from, syn, (struct shoal_bytes){ NULL, 0 });
	line_run(&l, l.now + SHOAL_MS(10), NULL);
	assert_int_equal(caught.count, 1);
	assert_int_equal(caught.last.type, SHOAL_UTP_STATE);
	assert_int_equal(caught.last.id, 500);
	assert_int_equal(caught.last.ack, 0xffff);
	uint16_t cookie = caught.last.seq;
	struct shoal_utp_head data = { .type = SHOAL_UTP_DATA, .id = 501, .seq = 0, .window = 100000 };
	/* By guessing, by another's cookie, from another port, without a byte of data, too far ahead: nobody gets in. */
	unsigned guessed = 0;
	for (uint32_t i = 0; i < 2000; i++) {
		data.ack = (uint16_t)(cookie + 100 + i);
		say(&l, &from, data, SHOAL_LIT("x"));
		guessed += shoal_utp_stats(l.utp[1]).connections > 0;
	}
	assert_int_equal(guessed, 0);
	data.ack = (uint16_t)(cookie - 1);
	struct shoal_addr other = stranger(2);
	say(&l, &other, data, SHOAL_LIT("x"));
	data.seq = 10;
	say(&l, &from, data, SHOAL_LIT("x"));
	data.seq = 0;
	data.type = SHOAL_UTP_STATE;
	say(&l, &from, data, (struct shoal_bytes){ NULL, 0 });
	assert_int_equal(shoal_utp_stats(l.utp[1]).connections, 0);
	data.type = SHOAL_UTP_DATA;
	say(&l, &from, data, SHOAL_LIT("x"));
	assert_int_equal(shoal_utp_stats(l.utp[1]).connections, 1);
	/* An old cookie is stale. */
	line_run(&l, l.now + 3 * SHOAL_UTP_COOKIE_AGE, NULL);
	data.id = 501;
	other = from;
	other.port++;
	say(&l, &other, syn, (struct shoal_bytes){ NULL, 0 });
	line_run(&l, l.now + SHOAL_MS(10), NULL);
	data.ack = (uint16_t)(caught.last.seq - 1);
	line_run(&l, l.now + 3 * SHOAL_UTP_COOKIE_AGE, NULL);
	say(&l, &other, data, SHOAL_LIT("x"));
	assert_int_equal(shoal_utp_stats(l.utp[1]).connections, 1);
	line_close(&l);
}

/* Nothing answers what has no connection with more than it was, nor for ever. */
static void answers_to_strangers_are_short_and_few(void **state)
{
	static struct line l;
	struct caught caught = { 0 };
	uint64_t in = 0;
	(void)state;
	line_open(&l, &(struct line_options){ .seed = 1 });
	l.tap = tap_catch;
	l.word = &caught;
	for (uint32_t i = 0; i < 10000; i++) {
		struct shoal_addr from = stranger(i / 2);
		enum shoal_utp_type type = (enum shoal_utp_type)(i % 5);
		say(&l, &from,
		    (struct shoal_utp_head){ .type = type, .id = (uint16_t)i, .seq = 9, .ack = (uint16_t)(i * 5) },
		    (struct shoal_bytes){ NULL, 0 });
		in += SHOAL_UTP_HEAD;
		if (i % 50 == 0)
			line_run(&l, l.now + 100, NULL);
	}
	line_run(&l, l.now + SHOAL_S(1), NULL);
	assert_true(caught.bytes <= in);
	assert_int_equal(shoal_utp_stats(l.utp[1]).connections, 0);
	line_close(&l);
}

static void a_reset_must_know_what_was_sent(void **state)
{
	static struct pair p;
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 3, .delay = 20000 }, 30000000, 0);
	line_run(&p.line, p.line.now + SHOAL_MS(300), NULL);
	/* All ids, with an ack that is far off: the connection lives. */
	for (uint32_t id = 0; id < 0x10000; id++) {
		uint8_t raw[SHOAL_UTP_HEAD];
		struct shoal_utp_head h = { .type = SHOAL_UTP_RESET, .id = (uint16_t)id, .ack = (uint16_t)(id * 31) };
		size_t n = shoal_utp_encode(&h, raw);
		if (id % 16 == 0) /* a sixteenth of a guesser's luck */
			line_forge(&p.line, 1, &p.line.addr[0], shoal_bytes(raw, n));
	}
	line_run(&p.line, p.line.now + SHOAL_MS(100), NULL);
	assert_false(p.talk[0].failed || p.talk[1].failed);
	line_run(&p.line, p.line.now + SHOAL_S(100), pair_done);
	expect_all(&p);
	line_close(&p.line);
}

/* Whoever acknowledges what was never sent gets nothing by it. */
static void acks_of_the_future_are_dropped(void **state)
{
	static struct pair p;
	uint8_t raw[SHOAL_UTP_HEAD];
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .delay = 20000 }, 3000000, 0);
	line_run(&p.line, p.line.now + SHOAL_MS(130), NULL);
	struct shoal_utp_look before = shoal_utp_look(p.talk[0].t);
	for (uint32_t i = 0; i < 0x10000; i += 64) {
		for (uint32_t id = 0; id < 0x10000; id += 257) {
			struct shoal_utp_head h = {
				.type = SHOAL_UTP_STATE, .id = (uint16_t)id, .ack = (uint16_t)i, .window = 1
			};
			line_forge(&p.line, 0, &p.line.addr[1], shoal_bytes(raw, shoal_utp_encode(&h, raw)));
		}
	}
	struct shoal_utp_look after = shoal_utp_look(p.talk[0].t);
	assert_true(after.window <= before.window * 2);
	line_run(&p.line, p.line.now + SHOAL_S(60), pair_done);
	expect_all(&p);
	line_close(&p.line);
}

static void early_packets_are_kept_within_the_window(void **state)
{
	static struct line l;
	static uint8_t body[1400];
	struct caught caught = { 0 };
	struct shoal_addr from = stranger(1);
	(void)state;
	line_open(&l, &(struct line_options){ .seed = 1 });
	l.tap = tap_catch;
	l.word = &caught;
	say(&l, &from, (struct shoal_utp_head){ .type = SHOAL_UTP_SYN, .id = 7, .seq = 1 },
	    (struct shoal_bytes){ NULL, 0 });
	line_run(&l, l.now + SHOAL_MS(1), NULL);
	struct shoal_utp_head h = { .type = SHOAL_UTP_DATA, .id = 8, .seq = 2, .ack = (uint16_t)(caught.last.seq - 1) };
	say(&l, &from, h, SHOAL_LIT("x"));
	for (uint32_t i = 0; i < 0xffff; i++) { /* all but the one they wait for */
		h.seq = (uint16_t)(4 + i);
		say(&l, &from, h, shoal_bytes(body, sizeof body));
	}
	assert_true(l.used[1] < SHOAL_UTP_WINDOW + (128u << 10));
	line_run(&l, l.now + SHOAL_MS(1), NULL);
	assert_int_equal(caught.last.type, SHOAL_UTP_STATE);
	assert_int_equal(caught.last.ack, 2);
	assert_true(caught.last.sack.len > 64 && caught.last.sack.len <= SHOAL_UTP_SACK_MAX);
	line_close(&l);
}

/* All that is kept waits for one packet: it has a place, or nothing would ever move again. */
static void what_all_wait_for_finds_a_place(void **state)
{
	static struct line l;
	static uint8_t body[1400], sink[2 << 20];
	struct caught caught = { 0 };
	struct shoal_addr from = stranger(1);
	(void)state;
	line_open(&l, &(struct line_options){ .seed = 1 });
	l.tap = tap_catch;
	l.word = &caught;
	say(&l, &from, (struct shoal_utp_head){ .type = SHOAL_UTP_SYN, .id = 7, .seq = 1 },
	    (struct shoal_bytes){ NULL, 0 });
	line_run(&l, l.now + SHOAL_MS(1), NULL);
	struct shoal_utp_head h = { .type = SHOAL_UTP_DATA, .id = 8, .seq = 2, .ack = (uint16_t)(caught.last.seq - 1) };
	say(&l, &from, h, SHOAL_LIT("x"));
	line_run(&l, l.now + SHOAL_MS(1), NULL);
	assert_int_equal(l.kept_count, 1);
	uint16_t count = SHOAL_UTP_WINDOW / sizeof body + 2; /* more than there is room for */
	for (uint16_t i = 1; i < count; i++) {
		h.seq = (uint16_t)(3 + i);
		say(&l, &from, h, shoal_bytes(body, sizeof body));
	}
	h.seq = 3;
	say(&l, &from, h, shoal_bytes(body, sizeof body));
	line_run(&l, l.now + SHOAL_MS(1), NULL);
	assert_true(caught.last.ack > 2 + SHOAL_UTP_WINDOW / sizeof body - 5);
	assert_true(l.used[1] < SHOAL_UTP_WINDOW + (128u << 10));
	struct shoal_space v = { sink, sizeof sink };
	ptrdiff_t got = l.kept[0]->ops->recv(l.kept[0], &v, 1);
	assert_true(got > (ptrdiff_t)(SHOAL_UTP_WINDOW - 2 * sizeof body) &&
		    got < (ptrdiff_t)(SHOAL_UTP_WINDOW + 4096));
	line_close(&l);
}

/* An ack costs its sender and its reader as much as a packet: those of a fast stream are few. None that matters waits. */
static void acks_of_a_fast_stream_are_few(void **state)
{
	static struct line l;
	static uint8_t body[1400];
	struct caught caught = { 0 };
	struct shoal_addr from = stranger(1);
	(void)state;
	line_open(&l, &(struct line_options){ .seed = 1 });
	l.tap = tap_catch;
	l.word = &caught;
	say(&l, &from, (struct shoal_utp_head){ .type = SHOAL_UTP_SYN, .id = 7, .seq = 1 },
	    (struct shoal_bytes){ NULL, 0 });
	line_run(&l, l.now, NULL);
	struct shoal_utp_head h = { .type = SHOAL_UTP_DATA, .id = 8, .seq = 1, .ack = (uint16_t)(caught.last.seq - 1) };
	caught.count = 0;
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 4; i++) {
			h.seq++;
			say(&l, &from, h, shoal_bytes(body, sizeof body));
		}
		line_run(&l, l.now, NULL);
		l.now += 20;
	}
	print_message("400 packets, %llu acks\n", (unsigned long long)caught.count);
	assert_in_range(caught.count, 20, 30);
	/* The last ones' is not long in coming, though nothing follows. */
	line_run(&l, l.now + SHOAL_MS(1), NULL);
	assert_int_equal(caught.last.ack, h.seq);
	/* A single one's is not late at all, nor is what tells of a gap, of its end, or of one that came twice. */
	static const int steps[] = { 1, 2, -1, 0 };
	line_run(&l, l.now + SHOAL_MS(10), NULL);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		uint64_t before = caught.count;
		h.seq = (uint16_t)(h.seq + steps[i]);
		say(&l, &from, h, shoal_bytes(body, sizeof body));
		line_run(&l, l.now, NULL);
		assert_int_equal(caught.count, before + 1);
	}
	line_close(&l);
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
		cmocka_unit_test(nobody_there_ends_in_a_time_out),
		cmocka_unit_test(one_that_falls_silent_is_given_up),
		cmocka_unit_test(who_is_refused_sees_the_end),
		cmocka_unit_test(both_ends_are_acknowledged),
		cmocka_unit_test(an_end_waits_for_memory),
		cmocka_unit_test(who_is_heard_no_more_is_told),
		cmocka_unit_test(who_leaves_says_so),
		cmocka_unit_test(the_refused_take_no_place),
		cmocka_unit_test(many_connections_keep_apart),
		cmocka_unit_test(one_half_may_end_long_before_the_other),
		cmocka_unit_test(a_forgotten_connection_is_reset),
		cmocka_unit_test(closing_at_any_moment_leaves_nothing),
		cmocka_unit_test(a_slow_reader_is_waited_for),
		cmocka_unit_test(a_shut_window_is_no_death),
		cmocka_unit_test(short_of_memory_it_is_slow_and_whole),
		cmocka_unit_test(a_flood_of_forged_syns_costs_nothing),
		cmocka_unit_test(only_who_heard_the_answer_is_let_in),
		cmocka_unit_test(answers_to_strangers_are_short_and_few),
		cmocka_unit_test(a_reset_must_know_what_was_sent),
		cmocka_unit_test(acks_of_the_future_are_dropped),
		cmocka_unit_test(early_packets_are_kept_within_the_window),
		cmocka_unit_test(what_all_wait_for_finds_a_place),
		cmocka_unit_test(acks_of_a_fast_stream_are_few),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
