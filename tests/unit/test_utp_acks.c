/* test_utp_acks.c - what is kept, and what is acknowledged, of the packets of a peer that is played by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "tests/unit/own_utp_hand.h"

static void early_packets_are_kept_within_the_window(void **state)
{
	static struct hand h;
	static uint8_t body[1400];
	(void)state;
	hand_open(&h);
	hand_dial(&h);
	hand_data(&h, 2, SHOAL_LIT("x"));
	for (uint32_t i = 0; i < 0xffff; i++) /* all but the one they wait for */
		hand_data(&h, (uint16_t)(4 + i), shoal_bytes(body, sizeof body));
	assert_true(h.line.used[1] < SHOAL_UTP_WINDOW + (128u << 10));
	line_run(&h.line, h.line.now + SHOAL_MS(1), NULL);
	assert_int_equal(h.last.type, SHOAL_UTP_STATE);
	assert_int_equal(h.last.ack, 2);
	assert_true(h.last.sack.len > 64 && h.last.sack.len <= SHOAL_UTP_SACK_MAX);
	hand_close(&h);
}

/* All that is kept waits for one packet: it has a place, or nothing would ever move again. */
static void what_all_wait_for_finds_a_place(void **state)
{
	static struct hand h;
	static uint8_t body[1400], sink[2 << 20];
	(void)state;
	hand_open(&h);
	hand_dial(&h);
	hand_data(&h, 2, SHOAL_LIT("x"));
	line_run(&h.line, h.line.now + SHOAL_MS(1), NULL);
	assert_int_equal(h.line.kept_count, 1);
	uint16_t count = SHOAL_UTP_WINDOW / sizeof body + 2; /* more than there is room for */
	for (uint16_t i = 1; i < count; i++)
		hand_data(&h, (uint16_t)(3 + i), shoal_bytes(body, sizeof body));
	hand_data(&h, 3, shoal_bytes(body, sizeof body));
	line_run(&h.line, h.line.now + SHOAL_MS(1), NULL);
	assert_true(h.last.ack > 2 + SHOAL_UTP_WINDOW / sizeof body - 5);
	assert_true(h.line.used[1] < SHOAL_UTP_WINDOW + (128u << 10));
	struct shoal_space v = { sink, sizeof sink };
	ptrdiff_t got = h.line.kept[0]->ops->recv(h.line.kept[0], &v, 1);
	assert_true(got > (ptrdiff_t)(SHOAL_UTP_WINDOW - 2 * sizeof body) &&
		    got < (ptrdiff_t)(SHOAL_UTP_WINDOW + 4096));
	hand_close(&h);
}

/* An ack costs its sender and its reader as much as a packet: those of a fast stream are few. None that matters waits. */
static void acks_of_a_fast_stream_are_few(void **state)
{
	static struct hand h;
	static uint8_t body[1400];
	(void)state;
	hand_open(&h);
	hand_dial(&h);
	h.count = 0;
	uint16_t seq = 1;
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 4; i++)
			hand_data(&h, ++seq, shoal_bytes(body, sizeof body));
		line_run(&h.line, h.line.now, NULL);
		h.line.now += 20;
	}
	print_message("400 packets, %llu acks\n", (unsigned long long)h.count);
	assert_in_range(h.count, 20, 30);
	/* The last ones' is not long in coming, though nothing follows. */
	line_run(&h.line, h.line.now + SHOAL_MS(1), NULL);
	assert_int_equal(h.last.ack, seq);
	/* A single one's is not late at all, nor is what tells of a gap, of its end, or of one that came twice. */
	static const int steps[] = { 1, 2, -1, 0 };
	line_run(&h.line, h.line.now + SHOAL_MS(10), NULL);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		uint64_t before = h.count;
		seq = (uint16_t)(seq + steps[i]);
		hand_data(&h, seq, shoal_bytes(body, sizeof body));
		line_run(&h.line, h.line.now, NULL);
		assert_int_equal(h.count, before + 1);
	}
	hand_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(early_packets_are_kept_within_the_window),
		cmocka_unit_test(what_all_wait_for_finds_a_place),
		cmocka_unit_test(acks_of_a_fast_stream_are_few),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
