/* test_utp_strangers.c - forged datagrams: floods of SYNs, guessed cookies and resets, acks of what was never sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "tests/unit/own_utp_hand.h"

static void a_flood_of_forged_syns_costs_nothing(void **state)
{
	static struct hand h;
	uint64_t in = 0;
	(void)state;
	hand_open(&h);
	size_t before = h.line.used[1];
	for (uint32_t i = 0; i < 100000; i++) {
		struct shoal_addr from = hand_stranger(i);
		hand_say(&h, &from, (struct shoal_utp_head){ .type = SHOAL_UTP_SYN, .id = (uint16_t)(i * 7), .seq = 1 },
			 SHOAL_LIT(""));
		in += SHOAL_UTP_HEAD;
		if (i % 100 == 0)
			line_run(&h.line, h.line.now + 100, NULL);
	}
	line_run(&h.line, h.line.now + SHOAL_S(1), NULL);
	assert_int_equal(h.line.used[1], before);
	assert_int_equal(shoal_utp_stats(h.line.utp[1]).connections, 0);
	assert_true(h.count > 50000 && h.bytes <= in);
	hand_close(&h);
}

static void only_who_heard_the_answer_is_let_in(void **state)
{
	static struct hand h;
	struct shoal_addr from = hand_stranger(1);
	struct shoal_utp_head syn = { .type = SHOAL_UTP_SYN, .id = 500, .seq = 0xffff };
	(void)state;
	hand_open(&h);
	hand_say(&h, &from, syn, SHOAL_LIT(""));
	line_run(&h.line, h.line.now + SHOAL_MS(10), NULL);
	assert_int_equal(h.count, 1);
	assert_int_equal(h.last.type, SHOAL_UTP_STATE);
	assert_int_equal(h.last.id, 500);
	assert_int_equal(h.last.ack, 0xffff);
	uint16_t cookie = h.last.seq;
	struct shoal_utp_head data = { .type = SHOAL_UTP_DATA, .id = 501, .seq = 0, .window = 100000 };
	/* By guessing, by another's cookie, from another port, without a byte of data, too far ahead: nobody gets in. */
	unsigned guessed = 0;
	for (uint32_t i = 0; i < 2000; i++) {
		data.ack = (uint16_t)(cookie + 100 + i);
		hand_say(&h, &from, data, SHOAL_LIT("x"));
		guessed += shoal_utp_stats(h.line.utp[1]).connections > 0;
	}
	assert_int_equal(guessed, 0);
	data.ack = (uint16_t)(cookie - 1);
	struct shoal_addr other = hand_stranger(2);
	hand_say(&h, &other, data, SHOAL_LIT("x"));
	other = from;
	other.port++;
	hand_say(&h, &other, data, SHOAL_LIT("x"));
	data.seq = 10;
	hand_say(&h, &from, data, SHOAL_LIT("x"));
	data.seq = 0;
	hand_say(&h, &from, data, SHOAL_LIT(""));
	data.type = SHOAL_UTP_STATE;
	hand_say(&h, &from, data, SHOAL_LIT(""));
	assert_int_equal(shoal_utp_stats(h.line.utp[1]).connections, 0);
	data.type = SHOAL_UTP_DATA;
	hand_say(&h, &from, data, SHOAL_LIT("x"));
	assert_int_equal(shoal_utp_stats(h.line.utp[1]).connections, 1);
	/* An old cookie is stale. */
	line_run(&h.line, h.line.now + 3 * SHOAL_UTP_COOKIE_AGE, NULL);
	data.id = 501;
	hand_say(&h, &other, syn, SHOAL_LIT(""));
	line_run(&h.line, h.line.now + SHOAL_MS(10), NULL);
	data.ack = (uint16_t)(h.last.seq - 1);
	line_run(&h.line, h.line.now + 3 * SHOAL_UTP_COOKIE_AGE, NULL);
	hand_say(&h, &other, data, SHOAL_LIT("x"));
	assert_int_equal(shoal_utp_stats(h.line.utp[1]).connections, 1);
	hand_close(&h);
}

/* Nothing answers what has no connection with more than it was, nor each time; an answer, or a reset, nothing answers. */
static void answers_to_strangers_are_short_and_few(void **state)
{
	static struct hand h;
	uint64_t in = 0;
	(void)state;
	hand_open(&h);
	shoal_us began = h.line.now;
	for (uint32_t i = 0; i < 10000; i++) {
		struct shoal_addr from = hand_stranger(i / 2);
		enum shoal_utp_type type = (enum shoal_utp_type)(i % 5);
		hand_say(&h, &from,
			 (struct shoal_utp_head){ .type = type, .id = (uint16_t)i, .seq = 9, .ack = (uint16_t)(i * 5) },
			 SHOAL_LIT(""));
		in += SHOAL_UTP_HEAD;
		if (i % 50 == 0)
			line_run(&h.line, h.line.now + 100, NULL);
	}
	line_run(&h.line, h.line.now + SHOAL_S(1), NULL);
	assert_true(h.bytes <= in);
	/* Each SYN, and of the 4000 others that may be so many a second. */
	assert_in_range(h.count, 2000, 2000 + SHOAL_UTP_RESETS_SECOND * ((h.line.now - began) / SHOAL_S(1) + 1));
	assert_int_equal(shoal_utp_stats(h.line.utp[1]).connections, 0);
	line_run(&h.line, h.line.now + SHOAL_S(2), NULL);
	static const enum shoal_utp_type type[] = { SHOAL_UTP_STATE, SHOAL_UTP_RESET, SHOAL_UTP_FIN };
	for (int i = 0; i < 3; i++) {
		struct shoal_addr from = hand_stranger(1);
		uint64_t before = h.count;
		hand_say(&h, &from, (struct shoal_utp_head){ .type = type[i], .id = 9, .seq = 9 }, SHOAL_LIT(""));
		line_run(&h.line, h.line.now + SHOAL_MS(1), NULL);
		assert_int_equal(h.count - before, type[i] == SHOAL_UTP_FIN);
	}
	hand_close(&h);
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
	pair_expect_all(&p);
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
	pair_expect_all(&p);
	line_close(&p.line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_of_forged_syns_costs_nothing),
		cmocka_unit_test(only_who_heard_the_answer_is_let_in),
		cmocka_unit_test(answers_to_strangers_are_short_and_few),
		cmocka_unit_test(a_reset_must_know_what_was_sent),
		cmocka_unit_test(acks_of_the_future_are_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
