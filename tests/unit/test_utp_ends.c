/* test_utp_ends.c - how a connection ends: by time-out, refusal, an end that is acknowledged, or a reset; nothing is left of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/utp_wire.h"
#include "tests/unit/own_utp.h"

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
	talk_end(&p.talk[1]);
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
	line_expect_quiet(&p.line);
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
	line_expect_quiet(&l);
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
	talk_end(&p.talk[0]);
	line_run(&p.line, p.line.now + SHOAL_S(1), NULL);
	assert_false(p.talk[1].closed);
	p.line.o.memory = 0;
	line_run(&p.line, p.line.now + SHOAL_MS(100), pair_done);
	assert_true(p.talk[1].eof);
	line_expect_quiet(&p.line);
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
	talk_end(&p.talk[0]);
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
	talk_end(&p.talk[0]);
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
		pair_expect_all(&p);
		line_expect_quiet(&p.line);
		line_close(&p.line);
	}
}

static void a_forgotten_connection_is_reset(void **state)
{
	static struct pair p;
	(void)state;
	pair_open(&p, &(struct line_options){ .seed = 1, .delay = 20000 }, 50000000, 0);
	line_run(&p.line, p.line.now + SHOAL_MS(300), NULL);
	talk_end(&p.talk[1]);
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
	for (uint64_t seed = 1; seed <= own_seeds(300); seed++) {
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
				talk_end(&p.talk[side]);
			} else if (side == 0 || p.talk[0].t == NULL) {
				shoal_utp_dial_stop(p.line.utp[0], 99);
			}
		}
		line_run(&p.line, p.line.now + SHOAL_S(100), NULL);
		for (int i = 0; i < 2; i++) {
			if (p.talk[i].t != NULL)
				talk_end(&p.talk[i]);
			p.talk[i].closed = true; /* to one that comes late, too */
		}
		line_expect_quiet(&p.line);
		line_close(&p.line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
