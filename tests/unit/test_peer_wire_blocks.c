/* test_peer_wire_blocks.c - blocks that come in lie where they are to lie, foreseen or not. */
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

static void sixteen_blocks_land_in_one_read_without_a_copy(void **state)
{
	(void)state;
	struct own_pw r;
	struct shoal_pw_expect want[SHOAL_PW_FORECAST];
	struct shoal_pw_event ev;
	static uint8_t raw[SHOAL_PW_FORECAST * 16397];
	size_t len = 0;

	own_pw_init(&r, true);
	assert_int_equal(shoal_pw_forecast(r.pw, want, own_pw_expect(want, SHOAL_PW_FORECAST)), SHOAL_PW_FORECAST);
	for (uint32_t i = 0; i < SHOAL_PW_FORECAST; i++)
		len += own_pw_block(raw + len, 3, i * 16384, 16384, (uint8_t)(i + 1));
	own_pw_feed(&r, raw, len, 7);
	assert_int_equal(r.n, 2 * SHOAL_PW_FORECAST); /* the seventeenth is left for the next read */
	for (uint32_t i = 0; i < SHOAL_PW_FORECAST; i++) {
		assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK);
		assert_true(ev.forecast);
		assert_ptr_equal(ev.at, own_pw_slot[i]);
		assert_int_equal(ev.msg.begin, i * 16384);
		assert_int_equal(own_pw_slot[i][0], i + 1);
		assert_int_equal(own_pw_slot[i][16383], i + 1);
	}
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	assert_true(own_pw_bounce_untouched(&r));
	assert_int_equal(shoal_pw_partial_since(r.pw), 0);
	own_pw_fini(&r);
}

static void of_a_longer_forecast_as_much_is_laid_out_as_is_asked_for(void **state)
{
	(void)state;
	struct own_pw r;
	struct shoal_pw_expect want[4];
	struct shoal_pw_event ev;
	static uint8_t raw[4 * 16397];
	size_t len = 0;

	own_pw_init(&r, true);
	assert_int_equal(shoal_pw_forecast(r.pw, want, own_pw_expect(want, 4)), 4);
	for (uint32_t i = 0; i < 4; i++)
		len += own_pw_block(raw + len, 3, i * 16384, 16384, (uint8_t)(i + 1));
	/* Two, and no room behind them: there the third would begin. */
	r.n = shoal_pw_space(r.pw, r.v, 5);
	assert_int_equal(r.n, 4);
	for (size_t i = 0, at = 0; i < 4; at += r.v[i++].len)
		memcpy(r.v[i].at, raw + at, r.v[i].len);
	shoal_pw_filled(r.pw, len / 2, r.bounce, 7);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK);
		assert_true(ev.forecast);
	}
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	/* The forecast goes on where the read ended, and behind the last of it small messages find their place. */
	assert_int_equal(shoal_pw_space(r.pw, r.v, 5), 5);
	assert_ptr_equal(r.v[1].at, own_pw_slot[2]);
	assert_ptr_equal(r.v[3].at, own_pw_slot[3]);
	assert_true(own_pw_bounce_untouched(&r));
	/* Where not even one fits, there is buf. */
	assert_int_equal(shoal_pw_space(r.pw, r.v, 1), 1);
	own_pw_fini(&r);
}

static void without_a_forecast_the_rest_of_a_block_goes_to_its_place(void **state)
{
	(void)state;
	struct own_pw r;
	struct shoal_pw_event ev;
	static uint8_t raw[16397];

	own_pw_init(&r, true);
	own_pw_block(raw, 1, 0, 16384, 9);
	own_pw_feed(&r, raw, 100, 7);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK_BEGIN);
	assert_int_equal(ev.msg.index, 1);
	assert_int_equal(ev.len, 16384);
	shoal_pw_land(r.pw, own_pw_slot[0]);
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	assert_true(own_pw_bounce_untouched(&r));
	r.n = shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS);
	assert_int_equal(r.n, 2);
	assert_ptr_equal(r.v[0].at, own_pw_slot[0] + 87);
	assert_int_equal(r.v[0].len, 16384 - 87);
	own_pw_feed(&r, raw + 100, sizeof raw - 100, 8);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK);
	assert_false(ev.forecast);
	assert_memory_equal(own_pw_slot[0], raw + 13, 16384);
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	own_pw_fini(&r);
}

/* HAVE, CHOKE and REJECT between blocks: one gather, and the blocks after it are still the ones forecast. */
static void small_messages_between_blocks_cost_one_gather(void **state)
{
	(void)state;
	struct own_pw r;
	struct shoal_pw_expect want[4];
	struct shoal_pw_event ev;
	static uint8_t raw[5 * 16397];
	static const uint8_t have[] = { 0, 0, 0, 5, 4, 0, 0, 0, 7 }, choke[] = { 0, 0, 0, 1, 0 };
	size_t len = 0;

	own_pw_init(&r, true);
	shoal_pw_forecast(r.pw, want, own_pw_expect(want, 4));
	len += own_pw_block(raw, 3, 0, 16384, 1);
	memcpy(raw + len, have, sizeof have), len += sizeof have;
	memcpy(raw + len, choke, sizeof choke), len += sizeof choke;
	len += own_pw_block(raw + len, 3, 16384, 16384, 2);
	len += own_pw_block(raw + len, 3, 3 * 16384, 16384, 4); /* the third was rejected, say */
	own_pw_feed(&r, raw, len, 7);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_MESSAGE);
	assert_int_equal(ev.msg.id, SHOAL_WIRE_HAVE);
	assert_int_equal(ev.msg.index, 7);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_MESSAGE);
	assert_int_equal(ev.msg.id, SHOAL_WIRE_CHOKE);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK);
	assert_true(ev.forecast);
	assert_ptr_equal(ev.at, own_pw_slot[1]);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK_BEGIN);
	shoal_pw_land(r.pw, own_pw_slot[3]);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK);
	assert_false(ev.forecast);
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	assert_int_equal(own_pw_slot[1][0] + own_pw_slot[1][16383], 4);
	assert_int_equal(own_pw_slot[3][0] + own_pw_slot[3][16383], 8);
	/* The third is still expected; the fourth, landed, is not laid out again. */
	r.n = shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS);
	assert_int_equal(r.n, 3);
	assert_ptr_equal(r.v[1].at, own_pw_slot[2]);
	own_pw_fini(&r);
}

static void a_header_cut_anywhere_is_still_foreseen(void **state)
{
	(void)state;
	static uint8_t raw[16397];
	own_pw_block(raw, 3, 0, 16384, 5);
	for (size_t cut = 1; cut < SHOAL_WIRE_PIECE_HEAD; cut++) {
		for (size_t again = cut; again < SHOAL_WIRE_PIECE_HEAD; again++) {
			struct own_pw r;
			struct shoal_pw_expect want[1];
			struct shoal_pw_event ev;
			own_pw_init(&r, true);
			shoal_pw_forecast(r.pw, want, own_pw_expect(want, 1));
			own_pw_feed(&r, raw, cut, 7);
			assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
			assert_int_equal(shoal_pw_partial_since(r.pw), 7);
			shoal_pw_forecast(r.pw, want, own_pw_expect(want, 1));
			if (again > cut) {
				own_pw_feed(&r, raw + cut, again - cut, 8);
				assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
			}
			memset(own_pw_slot[0], 0, sizeof own_pw_slot[0]);
			own_pw_feed(&r, raw + again, sizeof raw - again, 9);
			assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK);
			assert_true(ev.forecast);
			assert_memory_equal(own_pw_slot[0], raw + 13, 16384);
			assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
			assert_true(own_pw_bounce_untouched(&r));
			own_pw_fini(&r);
		}
	}
}

/* The owner cannot know that a forecast block has begun, so its next forecast may name it, or no longer. */
static void a_begun_block_keeps_its_place(void **state)
{
	(void)state;
	static uint8_t raw[2 * 16397];
	own_pw_block(raw, 3, 0, 16384, 5);
	own_pw_block(raw + 16397, 3, 16384, 16384, 6);
	for (int named = 0; named < 2; named++) {
		struct own_pw r;
		struct shoal_pw_expect want[2];
		struct shoal_pw_event ev;
		own_pw_init(&r, true);
		shoal_pw_forecast(r.pw, want, own_pw_expect(want, 1));
		own_pw_feed(&r, raw, 5000, 7);
		assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
		own_pw_expect(want, 2);
		assert_int_equal(shoal_pw_forecast(r.pw, want + !named, 1 + (size_t)named), 1 + named);
		own_pw_feed(&r, raw + 5000, sizeof raw - 5000, 8);
		for (uint8_t i = 0; i < 2; i++) {
			assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK);
			assert_true(ev.forecast);
			assert_ptr_equal(ev.at, own_pw_slot[i]);
			assert_memory_equal(own_pw_slot[i], raw + i * 16397 + 13, 16384);
		}
		assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
		assert_true(own_pw_bounce_untouched(&r));
		own_pw_fini(&r);
	}
}

/* Wherever the owner lets a block land: no place is laid out once bytes of another block lie there. */
static void a_place_in_use_is_never_laid_out(void **state)
{
	(void)state;
	static uint8_t raw[16397];
	enum { ELSEWHERE, IN_ANOTHERS, REPLACED, WAYS };
	for (int way = 0; way < WAYS; way++) {
		struct own_pw r;
		struct shoal_pw_expect want[2];
		struct shoal_pw_event ev;
		own_pw_init(&r, true);
		own_pw_expect(want, 2);
		shoal_pw_forecast(r.pw, want, way == REPLACED ? 0 : 2);
		own_pw_block(raw, way == ELSEWHERE ? 3 : 8, 16384, 16384, 5);
		own_pw_feed(&r, raw, 4000, 7);
		assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK_BEGIN);
		shoal_pw_land(r.pw, own_pw_slot[way == ELSEWHERE ? 5 : 1]);
		assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
		if (way == REPLACED)
			assert_int_equal(shoal_pw_forecast(r.pw, want, 2), 2);
		r.n = shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS);
		assert_int_equal(r.n, 4); /* rest, header, place, buf */
		assert_ptr_equal(r.v[2].at, own_pw_slot[0]);
		own_pw_fini(&r);
	}
}

static void forecasts_that_cannot_be_are_not_taken(void **state)
{
	(void)state;
	struct own_pw r;
	struct shoal_pw_expect want[SHOAL_PW_FORECAST + 4];
	own_pw_init(&r, true);
	own_pw_expect(want, SHOAL_PW_FORECAST + 4);
	assert_int_equal(shoal_pw_forecast(r.pw, want, SHOAL_PW_FORECAST + 4), SHOAL_PW_FORECAST);
	want[3].len = 0;
	assert_int_equal(shoal_pw_forecast(r.pw, want, 8), 3);
	want[3].len = 16385;
	assert_int_equal(shoal_pw_forecast(r.pw, want, 8), 3);
	want[2].at = NULL;
	assert_int_equal(shoal_pw_forecast(r.pw, want, 8), 2);
	assert_int_equal(shoal_pw_forecast(r.pw, NULL, 0), 0);
	assert_int_equal(shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS), 1);
	own_pw_fini(&r);
}

static void dropped_blocks_leave_nothing(void **state)
{
	(void)state;
	static uint8_t raw[16397 + 5];
	enum { LAND_NULL, NO_ANSWER, UNLAND_LANDED, UNLAND_FORECAST, WAYS };
	own_pw_block(raw, 3, 0, 16384, 5);
	memcpy(raw + 16397, "\0\0\0\1\1", 5);
	for (int way = 0; way < WAYS; way++) {
		struct own_pw r;
		struct shoal_pw_expect want[1];
		struct shoal_pw_event ev;
		size_t at = 1000;
		own_pw_init(&r, true);
		memset(own_pw_slot[0], 0, sizeof own_pw_slot[0]);
		if (way == UNLAND_FORECAST)
			shoal_pw_forecast(r.pw, want, own_pw_expect(want, 1));
		own_pw_feed(&r, raw, at, 7);
		if (way != UNLAND_FORECAST)
			assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK_BEGIN);
		if (way == LAND_NULL)
			shoal_pw_land(r.pw, NULL);
		if (way == UNLAND_LANDED)
			shoal_pw_land(r.pw, own_pw_slot[0]);
		assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
		if (way >= UNLAND_LANDED) {
			shoal_pw_unland(r.pw, own_pw_slot[1]); /* not that one */
			assert_int_equal(own_pw_slot[0][986], 5);
			shoal_pw_unland(r.pw, own_pw_slot[0]);
		}
		memset(own_pw_slot[0], 0, sizeof own_pw_slot[0]);
		int kind = OWN_PW_IDLE;
		while (at < sizeof raw && kind == OWN_PW_IDLE) {
			size_t n = sizeof raw - at < SHOAL_PW_BUF ? sizeof raw - at : SHOAL_PW_BUF;
			own_pw_feed(&r, raw + at, n, 8);
			at += n;
			kind = own_pw_kind(&r, &ev);
		}
		assert_int_equal(kind, SHOAL_PW_BLOCK);
		assert_null(ev.at);
		assert_int_equal(ev.len, 16384);
		assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_MESSAGE);
		assert_int_equal(ev.msg.id, SHOAL_WIRE_UNCHOKE);
		assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
		for (size_t i = 0; i < 16384; i++)
			assert_int_equal(own_pw_slot[0][i], 0);
		own_pw_fini(&r);
	}
}

/* The owner takes forecast places back in the midst of a read (a REJECT ended its requests) and uses them at once. */
static void places_taken_back_are_not_touched(void **state)
{
	(void)state;
	static const uint8_t reject[17] = { 0, 0, 0, 13, 16, 0, 0, 0, 3, 0, 0, 0x40, 0, 0, 0, 0x40, 0 };
	static uint8_t raw[17 + 4 * 16397];
	size_t len = 0;
	memcpy(raw, reject, sizeof reject), len += sizeof reject;
	for (uint32_t i = 0; i < 4; i++)
		len += own_pw_block(raw + len, 3, i * 16384, 16384, (uint8_t)(i + 1));

	/* Whether the REJECT came whole with the blocks (flat), or its end did (the blocks lie in their places), and
	 * how much of the blocks with it. */
	static const size_t ends[] = {
		18, 22, 30, 31, 17 + 16397, 17 + 16397 + 5, 17 + 16397 + 13, 40000, 17 + 3 * 16397, sizeof raw
	};
	for (size_t first = 0; first <= sizeof reject; first++) {
		for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) {
			struct own_pw r;
			struct shoal_pw_expect want[4];
			struct shoal_pw_event ev;
			size_t blocks = 0, at = ends[e];
			uint8_t mine[16384];
			int kind;
			own_pw_init(&r, true);
			memset(mine, 0xcc, sizeof mine);
			if (first > 0 && first < sizeof reject) {
				own_pw_feed(&r, raw, first, 7);
				assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
			}
			shoal_pw_forecast(r.pw, want, own_pw_expect(want, 4));
			size_t from = first < sizeof reject ? first : 0;
			size_t n = shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS), offered = 0;
			while (n-- > 0)
				offered += r.v[n].len;
			at = at - from < offered ? at : from + offered;
			own_pw_feed(&r, raw + from, at - from, 8);
			assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_MESSAGE);
			for (int i = 1; i < 4; i++) {
				shoal_pw_unland(r.pw, own_pw_slot[i]);
				memset(own_pw_slot[i], 0xcc, sizeof own_pw_slot[i]);
			}
			for (;;) {
				kind = own_pw_kind(&r, &ev);
				if (kind == OWN_PW_IDLE && at < sizeof raw) {
					size_t room = 0;
					n = shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS);
					while (n-- > 0)
						room += r.v[n].len;
					room = room < sizeof raw - at ? room : sizeof raw - at;
					own_pw_feed(&r, raw + at, room, 9);
					at += room;
				} else if (kind == SHOAL_PW_BLOCK_BEGIN) {
					shoal_pw_land(r.pw, own_pw_slot[10 + ev.msg.begin / 16384]);
				} else if (kind == SHOAL_PW_BLOCK) {
					assert_int_equal(ev.msg.begin, blocks * 16384);
					assert_ptr_equal(ev.at, own_pw_slot[blocks ? 10 + blocks : 0]);
					assert_memory_equal(ev.at, raw + 17 + blocks * 16397 + 13, 16384);
					assert_int_equal(ev.forecast, blocks == 0);
					blocks++;
				} else {
					break;
				}
			}
			assert_int_equal(kind, OWN_PW_IDLE);
			assert_int_equal(blocks, 4);
			for (int i = 1; i < 4; i++)
				assert_memory_equal(own_pw_slot[i], mine, sizeof mine);
			own_pw_fini(&r);
		}
	}
}

/* The same behind a message that lay in a heap of its own. */
static void places_taken_back_behind_a_long_message(void **state)
{
	(void)state;
	static uint8_t raw[9006 + 16397];
	struct own_pw r;
	struct shoal_pw_expect want[1];
	struct shoal_pw_event ev;
	shoal_put_u32(raw, 9002);
	raw[4] = SHOAL_WIRE_EXTENDED;
	own_pw_block(raw + 9006, 3, 0, 16384, 1);
	own_pw_init(&r, true);
	for (size_t at = 0; at < 8192; at += SHOAL_PW_BUF) {
		own_pw_feed(&r, raw + at, SHOAL_PW_BUF, 7);
		assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	}
	shoal_pw_forecast(r.pw, want, own_pw_expect(want, 1));
	own_pw_feed(&r, raw + 8192, sizeof raw - 8192, 8);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_MESSAGE);
	shoal_pw_unland(r.pw, own_pw_slot[0]);
	assert_int_equal(ev.msg.body.len, 9000);
	assert_memory_equal(ev.msg.body.at, raw + 6, 9000); /* still valid */
	memset(own_pw_slot[0], 0xcc, sizeof own_pw_slot[0]);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK_BEGIN);
	shoal_pw_land(r.pw, own_pw_slot[1]);
	assert_int_equal(own_pw_kind(&r, &ev), SHOAL_PW_BLOCK);
	assert_memory_equal(own_pw_slot[1], raw + 9006 + 13, 16384);
	assert_int_equal(own_pw_slot[0][0], 0xcc);
	assert_int_equal(own_pw_kind(&r, &ev), OWN_PW_IDLE);
	own_pw_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sixteen_blocks_land_in_one_read_without_a_copy),
		cmocka_unit_test(of_a_longer_forecast_as_much_is_laid_out_as_is_asked_for),
		cmocka_unit_test(without_a_forecast_the_rest_of_a_block_goes_to_its_place),
		cmocka_unit_test(small_messages_between_blocks_cost_one_gather),
		cmocka_unit_test(a_header_cut_anywhere_is_still_foreseen),
		cmocka_unit_test(a_begun_block_keeps_its_place),
		cmocka_unit_test(a_place_in_use_is_never_laid_out),
		cmocka_unit_test(forecasts_that_cannot_be_are_not_taken),
		cmocka_unit_test(dropped_blocks_leave_nothing),
		cmocka_unit_test(places_taken_back_are_not_touched),
		cmocka_unit_test(places_taken_back_behind_a_long_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
