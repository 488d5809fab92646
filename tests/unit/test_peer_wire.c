/* test_peer_wire.c - the stream that comes in: each promise of the header alone, hostile messages (W01, W03, W15); blocks are test_peer_wire_blocks.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/peer_wire.h"
#include "tests/unit/own_pw.h"

static void a_handshake_answers_at_48_bytes(void **state)
{
	(void)state;
	uint8_t raw[SHOAL_WIRE_HANDSHAKE_LEN];
	struct shoal_wire_handshake hs = { .can = SHOAL_CAN_FAST };
	memset(&hs.info_hash, 7, 20);
	memset(&hs.peer_id, 8, 20);
	shoal_wire_handshake_encode(&hs, raw);
	struct own_pw r;
	struct shoal_pw_event ev;
	own_pw_init(&r, false);
	assert_int_equal(shoal_pw_partial_since(r.pw), 0);
	for (size_t i = 0; i < sizeof raw; i++) {
		own_pw_feed(&r, raw + i, 1, 10 + i);
		if (i == 47) {
			assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_HANDSHAKE);
			assert_int_equal(ev.handshake.can, SHOAL_CAN_FAST);
			assert_memory_equal(&ev.handshake.info_hash, &hs.info_hash, 20);
		} else if (i == 67) {
			assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_PEER_ID);
			assert_memory_equal(&ev.handshake.peer_id, &hs.peer_id, 20);
			assert_memory_equal(&ev.handshake.info_hash, &hs.info_hash, 20);
		}
		assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
		assert_int_equal(shoal_pw_heard(r.pw), 10 + i);
		/* One deadline for all 68 bytes (W02). */
		assert_int_equal(shoal_pw_partial_since(r.pw), i < 67 ? 10 : 0);
	}
	own_pw_fini(&r);
}

static void another_protocol_dies_at_its_first_wrong_byte(void **state)
{
	(void)state;
	uint8_t raw[SHOAL_WIRE_HANDSHAKE_LEN];
	struct shoal_wire_handshake hs = { .can = 0 };
	for (size_t wrong = 0; wrong < 20; wrong++) {
		struct own_pw r;
		struct shoal_pw_event ev;
		own_pw_init(&r, false);
		shoal_wire_handshake_encode(&hs, raw);
		raw[wrong] ^= 1;
		for (size_t i = 0; i <= wrong; i++) {
			own_pw_feed(&r, raw + i, 1, 7);
			assert_int_equal(own_pw_kind(&r, &ev), i < wrong ? OWN_PW_IDLE : SHOAL_ERR_MALFORMED);
		}
		assert_int_equal(own_pw_kind(&r, &ev), SHOAL_ERR_MALFORMED); /* it stays dead */
		assert_int_equal(shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS), 0);
		shoal_pw_filled(r.pw, 0, r.bounce, 9);
		own_pw_fini(&r);
	}
}

/* W01, W03, W15: what the terms of a connection make of each message. */
static void terms_decide_what_is_legal(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint32_t pieces;
		bool fast, extended, v2;
		uint8_t raw[8];
		size_t len;
		int want;
	} cases[] = {
		{ "have all with fast", 0, 1, 0, 0, { 0, 0, 0, 1, 14 }, 5, SHOAL_PW_MESSAGE },
		{ "have all without", 0, 0, 1, 1, { 0, 0, 0, 1, 14 }, 5, SHOAL_ERR_MALFORMED },
		{ "have none without", 0, 0, 1, 1, { 0, 0, 0, 1, 15 }, 5, SHOAL_ERR_MALFORMED },
		{ "suggest without, header alone", 0, 0, 1, 1, { 0, 0, 0, 5, 13 }, 5, SHOAL_ERR_MALFORMED },
		{ "reject without, header alone", 0, 0, 1, 1, { 0, 0, 0, 13, 16 }, 5, SHOAL_ERR_MALFORMED },
		{ "allowed fast without", 0, 0, 1, 1, { 0, 0, 0, 5, 17 }, 5, SHOAL_ERR_MALFORMED },
		{ "allowed fast with, before metadata", 0, 1, 0, 0, { 0, 0, 0, 5, 17 }, 5, OWN_PW_IDLE },
		{ "extended", 0, 0, 1, 0, { 0, 0, 0, 2, 20, 0 }, 6, SHOAL_PW_MESSAGE },
		{ "extended without", 0, 1, 0, 1, { 0, 0, 0, 2, 20, 0 }, 6, SHOAL_ERR_MALFORMED },
		{ "hash request without v2", 0, 1, 1, 0, { 0, 0, 0, 49, 21 }, 5, SHOAL_ERR_MALFORMED },
		{ "hashes without v2", 0, 1, 1, 0, { 0, 0, 0, 81, 22 }, 5, SHOAL_ERR_MALFORMED },
		{ "hash reject without v2", 0, 1, 1, 0, { 0, 0, 0, 49, 23 }, 5, SHOAL_ERR_MALFORMED },
		{ "hash reject with v2", 0, 0, 0, 1, { 0, 0, 0, 49, 23 }, 5, OWN_PW_IDLE },
		{ "any bitfield before metadata", 0, 0, 0, 0, { 0, 0, 0, 3, 5, 0xff, 0xff }, 7, SHOAL_PW_MESSAGE },
		{ "a large one before metadata", 0, 0, 0, 0, { 0, 4, 0, 1, 5 }, 5, OWN_PW_IDLE },
		{ "a larger one", 0, 0, 0, 0, { 0, 4, 0, 2, 5 }, 5, SHOAL_ERR_TOO_LONG },
		{ "exact, 9 pieces", 9, 0, 0, 0, { 0, 0, 0, 3, 5, 0xff, 0x80 }, 7, SHOAL_PW_MESSAGE },
		{ "exact, 16 pieces", 16, 0, 0, 0, { 0, 0, 0, 3, 5, 0xff, 0xff }, 7, SHOAL_PW_MESSAGE },
		{ "a byte short", 17, 0, 0, 0, { 0, 0, 0, 3, 5 }, 5, SHOAL_ERR_MALFORMED },
		{ "a byte long", 8, 0, 0, 0, { 0, 0, 0, 3, 5 }, 5, SHOAL_ERR_MALFORMED },
		{ "far too long for 8 pieces", 8, 0, 0, 0, { 0, 4, 0, 1, 5 }, 5, SHOAL_ERR_MALFORMED },
		{ "empty", 0, 0, 0, 0, { 0, 0, 0, 1, 5 }, 5, SHOAL_ERR_MALFORMED },
		{ "all pieces there can be", UINT32_MAX, 0, 0, 0, { 0, 0, 0, 2, 5 }, 5, SHOAL_ERR_MALFORMED },
		{ "a block of nothing", 0, 0, 0, 0, { 0, 0, 0, 9, 7 }, 5, SHOAL_ERR_MALFORMED },
		{ "a block too long", 0, 0, 0, 0, { 0, 0, 0x40, 0x0a, 7 }, 5, SHOAL_ERR_TOO_LONG },
		{ "4 GiB", 0, 1, 1, 1, { 0xff, 0xff, 0xff, 0xff }, 4, SHOAL_ERR_TOO_LONG },
		{ "2 GiB", 0, 1, 1, 1, { 0x80, 0, 0, 0 }, 4, SHOAL_ERR_TOO_LONG },
		{ "1 GiB", 0, 1, 1, 1, { 0x40, 0, 0, 0, 20 }, 5, SHOAL_ERR_TOO_LONG },
		{ "unknown", 0, 0, 0, 0, { 0, 0, 0, 3, 99, 1, 2 }, 7, SHOAL_PW_MESSAGE },
		{ "port", 0, 0, 0, 0, { 0, 0, 0, 3, 9, 1, 2 }, 7, SHOAL_PW_MESSAGE },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct own_pw r;
		struct shoal_pw_event ev;
		own_pw_init(&r, true);
		size_t rest = shoal_pw_bytes(r.pw);
		shoal_pw_terms(r.pw, cases[i].pieces, cases[i].fast, cases[i].extended, cases[i].v2);
		print_message("%s\n", cases[i].why);
		own_pw_feed(&r, cases[i].raw, cases[i].len, 7);
		assert_int_equal(own_pw_kind(&r, &ev), cases[i].want);
		assert_int_equal(shoal_pw_bytes(r.pw), rest); /* nothing allocated for it */
		own_pw_fini(&r);
	}
}

/* Memory follows the bytes that came, never the length announced, and goes back with the message. */
static void long_messages_grow_by_what_has_come(void **state)
{
	(void)state;
	struct own_pw r;
	struct shoal_pw_event ev;
	size_t body = SHOAL_WIRE_EXT_MAX, came = 6, total = body + 6;
	uint8_t *raw = malloc(total + 5);
	assert_non_null(raw);
	for (size_t i = 0; i < total; i++)
		raw[i] = (uint8_t)(i * 31 >> 3);
	shoal_put_u32(raw, (uint32_t)body + 2);
	raw[4] = SHOAL_WIRE_EXTENDED;
	raw[5] = 3;
	memcpy(raw + total, "\0\0\0\1\1", 5);

	own_pw_init(&r, true);
	size_t rest = shoal_pw_bytes(r.pw);
	own_pw_feed(&r, raw, came, 7);
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	assert_int_equal(shoal_pw_bytes(r.pw), rest);
	bool told = false;
	for (size_t steps = 0; !told && steps < 100000; steps++) {
		size_t room = 0, n = shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS);
		for (size_t i = 0; i < n; i++)
			room += r.v[i].len;
		size_t part = room < total + 5 - came ? room : total + 5 - came;
		if (part > 1000)
			part = 1000 + steps % 3;
		own_pw_feed(&r, raw + came, part, 8 + steps);
		came += part;
		int kind = own_pw_kind(&r, &ev);
		if (kind == SHOAL_PW_MESSAGE) {
			assert_int_equal(ev.msg.body.len, body);
			assert_memory_equal(ev.msg.body.at, raw + 6, body);
			told = true;
			kind = own_pw_kind(&r, &ev);
			if (kind == SHOAL_PW_MESSAGE)
				kind = own_pw_kind(&r, &ev);
		} else {
			assert_int_equal(shoal_pw_partial_since(r.pw), 7);
			assert_true(shoal_pw_bytes(r.pw) - rest <= 2 * came);
		}
		assert_int_equal(kind, OWN_PW_IDLE);
	}
	assert_true(told);
	assert_int_equal(shoal_pw_bytes(r.pw), rest);
	own_pw_fini(&r);
	free(raw);
}

/* A bitfield that began before the metadata and ends after it is held against the new terms. */
static void terms_hold_for_what_is_half_here(void **state)
{
	(void)state;
	struct own_pw r;
	struct shoal_pw_event ev;
	static uint8_t raw[10005];
	own_pw_init(&r, true);
	shoal_put_u32(raw, sizeof raw - 4);
	raw[4] = SHOAL_WIRE_BITFIELD;
	own_pw_feed(&r, raw, SHOAL_PW_BUF, 7);
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	own_pw_feed(&r, raw + SHOAL_PW_BUF, SHOAL_PW_BUF, 7);
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	shoal_pw_terms(r.pw, 8, true, true, true);
	own_pw_feed(&r, raw + 2 * SHOAL_PW_BUF, sizeof raw - 2 * SHOAL_PW_BUF, 7);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_ERR_MALFORMED);
	own_pw_fini(&r);
}

static void partial_since_is_the_message_half_here(void **state)
{
	(void)state;
	struct own_pw r;
	struct shoal_pw_event ev;
	static const uint8_t have[] = { 0, 0, 0, 5, 4, 0, 0, 0, 7, 0, 0, 0, 5, 4, 0, 0, 0, 7 };
	own_pw_init(&r, true);
	own_pw_feed(&r, have, 3, 20);
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	own_pw_feed(&r, have + 3, 2, 30);
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	assert_int_equal(shoal_pw_partial_since(r.pw), 20);
	own_pw_feed(&r, have + 5, 8, 40); /* ends one, begins the next */
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_MESSAGE);
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	assert_int_equal(shoal_pw_partial_since(r.pw), 40);
	own_pw_feed(&r, have + 13, 5, 50);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_MESSAGE);
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	assert_int_equal(shoal_pw_partial_since(r.pw), 0);
	assert_int_equal(shoal_pw_heard(r.pw), 50);
	own_pw_fini(&r);
}

/* space() may be asked again, and the forecast changed, while the socket has nothing. */
static void asking_twice_changes_nothing(void **state)
{
	(void)state;
	struct own_pw r;
	struct shoal_pw_expect want[2];
	struct shoal_pw_event ev;
	static uint8_t raw[16397];
	own_pw_block(raw, 3, 0, 16384, 5);
	own_pw_init(&r, true);
	own_pw_expect(want, 2);
	own_pw_feed(&r, raw, 7, 7);
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	for (int i = 0; i < 3; i++) {
		shoal_pw_forecast(r.pw, want, (size_t)i);
		shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS);
		shoal_pw_space(r.pw, r.v, 1);
		shoal_pw_filled(r.pw, 0, r.bounce, 8);
		assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	}
	want[0].piece = 4; /* another one is expected now */
	shoal_pw_forecast(r.pw, want, 2);
	own_pw_feed(&r, raw + 7, 4000, 8);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK_BEGIN);
	assert_int_equal(ev.msg.index, 3);
	shoal_pw_land(r.pw, own_pw_slot[3]);
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	own_pw_feed(&r, raw + 4007, sizeof raw - 4007, 9);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK);
	assert_memory_equal(own_pw_slot[3], raw + 13, 16384);
	own_pw_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_answers_at_48_bytes),
		cmocka_unit_test(another_protocol_dies_at_its_first_wrong_byte),
		cmocka_unit_test(terms_decide_what_is_legal),
		cmocka_unit_test(long_messages_grow_by_what_has_come),
		cmocka_unit_test(terms_hold_for_what_is_half_here),
		cmocka_unit_test(partial_since_is_the_message_half_here),
		cmocka_unit_test(asking_twice_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
