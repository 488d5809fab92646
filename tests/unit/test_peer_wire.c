/* test_peer_wire.c - the stream that comes in: each promise of the header alone, hostile messages (W01, W03, W15). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/peer_wire.h"

struct rig {
	struct shoal_pw *pw;
	uint8_t *bounce;
	struct shoal_space v[SHOAL_PW_SPANS];
	size_t n;
};

static void rig_init(struct rig *r, bool greeted)
{
	assert_int_equal(shoal_pw_new(&r->pw, 5), 0);
	r->bounce = malloc(SHOAL_PW_BOUNCE);
	assert_non_null(r->bounce);
	memset(r->bounce, 0xbb, SHOAL_PW_BOUNCE);
	if (!greeted)
		return;
	struct shoal_wire_handshake hs = { .can = 15 };
	uint8_t raw[SHOAL_WIRE_HANDSHAKE_LEN];
	struct shoal_pw_event ev;
	shoal_wire_handshake_encode(&hs, raw);
	assert_int_equal(shoal_pw_space(r->pw, r->v, SHOAL_PW_SPANS), 1);
	memcpy(r->v[0].at, raw, sizeof raw);
	shoal_pw_filled(r->pw, sizeof raw, r->bounce, 6);
	assert_int_equal(shoal_pw_poll(r->pw, &ev), 1);
	assert_int_equal(ev.kind, SHOAL_PW_HANDSHAKE);
	assert_int_equal(ev.handshake.can, 15);
	assert_int_equal(shoal_pw_poll(r->pw, &ev), 1);
	assert_int_equal(ev.kind, SHOAL_PW_PEER_ID);
	assert_int_equal(shoal_pw_poll(r->pw, &ev), 0);
	shoal_pw_terms(r->pw, 0, true, true, true);
}

static void rig_fini(struct rig *r)
{
	shoal_pw_free(r->pw);
	free(r->bounce);
}

/* One read, all of `in`, which must fit what is offered; polling is the caller's. */
static void feed(struct rig *r, const void *at, size_t len, shoal_us now)
{
	const uint8_t *in = at;
	size_t left = len;
	r->n = shoal_pw_space(r->pw, r->v, SHOAL_PW_SPANS);
	for (size_t i = 0; i < r->n && left > 0; i++) {
		size_t part = r->v[i].len < left ? r->v[i].len : left;
		memcpy(r->v[i].at, in, part);
		in += part;
		left -= part;
	}
	assert_int_equal(left, 0);
	shoal_pw_filled(r->pw, len, r->bounce, now);
}

static int poll_kind(struct rig *r, struct shoal_pw_event *ev)
{
	int rc = shoal_pw_poll(r->pw, ev);
	return rc > 0 ? (int)ev->kind : rc == 0 ? 100 : rc;
}
#define IDLE 100

static bool bounce_untouched(const struct rig *r)
{
	for (size_t i = 0; i < SHOAL_PW_BOUNCE; i++)
		if (r->bounce[i] != 0xbb)
			return false;
	return true;
}

static uint8_t slots[SHOAL_PW_FORECAST + 4][SHOAL_WIRE_BLOCK_MAX];

static size_t expect_blocks(struct shoal_pw_expect *want, size_t n)
{
	for (size_t i = 0; i < n; i++)
		want[i] = (struct shoal_pw_expect){ 3, (uint32_t)i * 16384, 16384, slots[i] };
	return n;
}

static size_t raw_block(uint8_t *to, uint32_t piece, uint32_t begin, uint32_t len, uint8_t fill)
{
	shoal_wire_piece_head(to, piece, begin, len);
	memset(to + SHOAL_WIRE_PIECE_HEAD, fill, len);
	return SHOAL_WIRE_PIECE_HEAD + len;
}

static void sixteen_blocks_land_in_one_read_without_a_copy(void **state)
{
	(void)state;
	struct rig r;
	struct shoal_pw_expect want[SHOAL_PW_FORECAST];
	struct shoal_pw_event ev;
	static uint8_t raw[SHOAL_PW_FORECAST * 16397];
	size_t len = 0;

	rig_init(&r, true);
	assert_int_equal(shoal_pw_forecast(r.pw, want, expect_blocks(want, SHOAL_PW_FORECAST)), SHOAL_PW_FORECAST);
	for (uint32_t i = 0; i < SHOAL_PW_FORECAST; i++)
		len += raw_block(raw + len, 3, i * 16384, 16384, (uint8_t)(i + 1));
	feed(&r, raw, len, 7);
	assert_int_equal(r.n, 2 * SHOAL_PW_FORECAST); /* the seventeenth is left for the next read */
	for (uint32_t i = 0; i < SHOAL_PW_FORECAST; i++) {
		assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK);
		assert_true(ev.forecast);
		assert_ptr_equal(ev.at, slots[i]);
		assert_int_equal(ev.msg.begin, i * 16384);
		assert_int_equal(slots[i][0], i + 1);
		assert_int_equal(slots[i][16383], i + 1);
	}
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	assert_true(bounce_untouched(&r));
	assert_int_equal(shoal_pw_partial_since(r.pw), 0);
	rig_fini(&r);
}

static void of_a_longer_forecast_as_much_is_laid_out_as_is_asked_for(void **state)
{
	(void)state;
	struct rig r;
	struct shoal_pw_expect want[4];
	struct shoal_pw_event ev;
	static uint8_t raw[4 * 16397];
	size_t len = 0;

	rig_init(&r, true);
	assert_int_equal(shoal_pw_forecast(r.pw, want, expect_blocks(want, 4)), 4);
	for (uint32_t i = 0; i < 4; i++)
		len += raw_block(raw + len, 3, i * 16384, 16384, (uint8_t)(i + 1));
	/* Two, and no room behind them: there the third would begin. */
	r.n = shoal_pw_space(r.pw, r.v, 5);
	assert_int_equal(r.n, 4);
	for (size_t i = 0, at = 0; i < 4; at += r.v[i++].len)
		memcpy(r.v[i].at, raw + at, r.v[i].len);
	shoal_pw_filled(r.pw, len / 2, r.bounce, 7);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK);
		assert_true(ev.forecast);
	}
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	/* The forecast goes on where the read ended, and behind the last of it small messages find their place. */
	assert_int_equal(shoal_pw_space(r.pw, r.v, 5), 5);
	assert_ptr_equal(r.v[1].at, slots[2]);
	assert_ptr_equal(r.v[3].at, slots[3]);
	assert_true(bounce_untouched(&r));
	/* Where not even one fits, there is buf. */
	assert_int_equal(shoal_pw_space(r.pw, r.v, 1), 1);
	rig_fini(&r);
}

static void without_a_forecast_the_rest_of_a_block_goes_to_its_place(void **state)
{
	(void)state;
	struct rig r;
	struct shoal_pw_event ev;
	static uint8_t raw[16397];

	rig_init(&r, true);
	raw_block(raw, 1, 0, 16384, 9);
	feed(&r, raw, 100, 7);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK_BEGIN);
	assert_int_equal(ev.msg.index, 1);
	assert_int_equal(ev.len, 16384);
	shoal_pw_land(r.pw, slots[0]);
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	assert_true(bounce_untouched(&r));
	r.n = shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS);
	assert_int_equal(r.n, 2);
	assert_ptr_equal(r.v[0].at, slots[0] + 87);
	assert_int_equal(r.v[0].len, 16384 - 87);
	feed(&r, raw + 100, sizeof raw - 100, 8);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK);
	assert_false(ev.forecast);
	assert_memory_equal(slots[0], raw + 13, 16384);
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	rig_fini(&r);
}

/* HAVE, CHOKE and REJECT between blocks: one gather, and the blocks after it are still the ones forecast. */
static void small_messages_between_blocks_cost_one_gather(void **state)
{
	(void)state;
	struct rig r;
	struct shoal_pw_expect want[4];
	struct shoal_pw_event ev;
	static uint8_t raw[5 * 16397];
	static const uint8_t have[] = { 0, 0, 0, 5, 4, 0, 0, 0, 7 }, choke[] = { 0, 0, 0, 1, 0 };
	size_t len = 0;

	rig_init(&r, true);
	shoal_pw_forecast(r.pw, want, expect_blocks(want, 4));
	len += raw_block(raw, 3, 0, 16384, 1);
	memcpy(raw + len, have, sizeof have), len += sizeof have;
	memcpy(raw + len, choke, sizeof choke), len += sizeof choke;
	len += raw_block(raw + len, 3, 16384, 16384, 2);
	len += raw_block(raw + len, 3, 3 * 16384, 16384, 4); /* the third was rejected, say */
	feed(&r, raw, len, 7);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_MESSAGE);
	assert_int_equal(ev.msg.id, SHOAL_WIRE_HAVE);
	assert_int_equal(ev.msg.index, 7);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_MESSAGE);
	assert_int_equal(ev.msg.id, SHOAL_WIRE_CHOKE);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK);
	assert_true(ev.forecast);
	assert_ptr_equal(ev.at, slots[1]);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK_BEGIN);
	shoal_pw_land(r.pw, slots[3]);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK);
	assert_false(ev.forecast);
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	assert_int_equal(slots[1][0] + slots[1][16383], 4);
	assert_int_equal(slots[3][0] + slots[3][16383], 8);
	/* The third is still expected; the fourth, landed, is not laid out again. */
	r.n = shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS);
	assert_int_equal(r.n, 3);
	assert_ptr_equal(r.v[1].at, slots[2]);
	rig_fini(&r);
}

static void a_header_cut_anywhere_is_still_foreseen(void **state)
{
	(void)state;
	static uint8_t raw[16397];
	raw_block(raw, 3, 0, 16384, 5);
	for (size_t cut = 1; cut < SHOAL_WIRE_PIECE_HEAD; cut++) {
		for (size_t again = cut; again < SHOAL_WIRE_PIECE_HEAD; again++) {
			struct rig r;
			struct shoal_pw_expect want[1];
			struct shoal_pw_event ev;
			rig_init(&r, true);
			shoal_pw_forecast(r.pw, want, expect_blocks(want, 1));
			feed(&r, raw, cut, 7);
			assert_int_equal(poll_kind(&r, &ev), IDLE);
			assert_int_equal(shoal_pw_partial_since(r.pw), 7);
			shoal_pw_forecast(r.pw, want, expect_blocks(want, 1));
			if (again > cut) {
				feed(&r, raw + cut, again - cut, 8);
				assert_int_equal(poll_kind(&r, &ev), IDLE);
			}
			memset(slots[0], 0, sizeof slots[0]);
			feed(&r, raw + again, sizeof raw - again, 9);
			assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK);
			assert_true(ev.forecast);
			assert_memory_equal(slots[0], raw + 13, 16384);
			assert_int_equal(poll_kind(&r, &ev), IDLE);
			assert_true(bounce_untouched(&r));
			rig_fini(&r);
		}
	}
}

/* The owner cannot know that a forecast block has begun, so its next forecast may name it, or no longer. */
static void a_begun_block_keeps_its_place(void **state)
{
	(void)state;
	static uint8_t raw[2 * 16397];
	raw_block(raw, 3, 0, 16384, 5);
	raw_block(raw + 16397, 3, 16384, 16384, 6);
	for (int named = 0; named < 2; named++) {
		struct rig r;
		struct shoal_pw_expect want[2];
		struct shoal_pw_event ev;
		rig_init(&r, true);
		shoal_pw_forecast(r.pw, want, expect_blocks(want, 1));
		feed(&r, raw, 5000, 7);
		assert_int_equal(poll_kind(&r, &ev), IDLE);
		expect_blocks(want, 2);
		assert_int_equal(shoal_pw_forecast(r.pw, want + !named, 1 + (size_t)named), 1 + named);
		feed(&r, raw + 5000, sizeof raw - 5000, 8);
		for (uint8_t i = 0; i < 2; i++) {
			assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK);
			assert_true(ev.forecast);
			assert_ptr_equal(ev.at, slots[i]);
			assert_memory_equal(slots[i], raw + i * 16397 + 13, 16384);
		}
		assert_int_equal(poll_kind(&r, &ev), IDLE);
		assert_true(bounce_untouched(&r));
		rig_fini(&r);
	}
}

/* Wherever the owner lets a block land: no place is laid out once bytes of another block lie there. */
static void a_place_in_use_is_never_laid_out(void **state)
{
	(void)state;
	static uint8_t raw[16397];
	enum { ELSEWHERE, IN_ANOTHERS, REPLACED, WAYS };
	for (int way = 0; way < WAYS; way++) {
		struct rig r;
		struct shoal_pw_expect want[2];
		struct shoal_pw_event ev;
		rig_init(&r, true);
		expect_blocks(want, 2);
		shoal_pw_forecast(r.pw, want, way == REPLACED ? 0 : 2);
		raw_block(raw, way == ELSEWHERE ? 3 : 8, 16384, 16384, 5);
		feed(&r, raw, 4000, 7);
		assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK_BEGIN);
		shoal_pw_land(r.pw, slots[way == ELSEWHERE ? 5 : 1]);
		assert_int_equal(poll_kind(&r, &ev), IDLE);
		if (way == REPLACED)
			assert_int_equal(shoal_pw_forecast(r.pw, want, 2), 2);
		r.n = shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS);
		assert_int_equal(r.n, 4); /* rest, header, place, buf */
		assert_ptr_equal(r.v[2].at, slots[0]);
		rig_fini(&r);
	}
}

static void forecasts_that_cannot_be_are_not_taken(void **state)
{
	(void)state;
	struct rig r;
	struct shoal_pw_expect want[SHOAL_PW_FORECAST + 4];
	rig_init(&r, true);
	expect_blocks(want, SHOAL_PW_FORECAST + 4);
	assert_int_equal(shoal_pw_forecast(r.pw, want, SHOAL_PW_FORECAST + 4), SHOAL_PW_FORECAST);
	want[3].len = 0;
	assert_int_equal(shoal_pw_forecast(r.pw, want, 8), 3);
	want[3].len = 16385;
	assert_int_equal(shoal_pw_forecast(r.pw, want, 8), 3);
	want[2].at = NULL;
	assert_int_equal(shoal_pw_forecast(r.pw, want, 8), 2);
	assert_int_equal(shoal_pw_forecast(r.pw, NULL, 0), 0);
	assert_int_equal(shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS), 1);
	rig_fini(&r);
}

static void dropped_blocks_leave_nothing(void **state)
{
	(void)state;
	static uint8_t raw[16397 + 5];
	enum { LAND_NULL, NO_ANSWER, UNLAND_LANDED, UNLAND_FORECAST, WAYS };
	raw_block(raw, 3, 0, 16384, 5);
	memcpy(raw + 16397, "\0\0\0\1\1", 5);
	for (int way = 0; way < WAYS; way++) {
		struct rig r;
		struct shoal_pw_expect want[1];
		struct shoal_pw_event ev;
		size_t at = 1000;
		rig_init(&r, true);
		memset(slots[0], 0, sizeof slots[0]);
		if (way == UNLAND_FORECAST)
			shoal_pw_forecast(r.pw, want, expect_blocks(want, 1));
		feed(&r, raw, at, 7);
		if (way != UNLAND_FORECAST)
			assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK_BEGIN);
		if (way == LAND_NULL)
			shoal_pw_land(r.pw, NULL);
		if (way == UNLAND_LANDED)
			shoal_pw_land(r.pw, slots[0]);
		assert_int_equal(poll_kind(&r, &ev), IDLE);
		if (way >= UNLAND_LANDED) {
			shoal_pw_unland(r.pw, slots[1]); /* not that one */
			assert_int_equal(slots[0][986], 5);
			shoal_pw_unland(r.pw, slots[0]);
		}
		memset(slots[0], 0, sizeof slots[0]);
		int kind = IDLE;
		while (at < sizeof raw && kind == IDLE) {
			size_t n = sizeof raw - at < SHOAL_PW_BUF ? sizeof raw - at : SHOAL_PW_BUF;
			feed(&r, raw + at, n, 8);
			at += n;
			kind = poll_kind(&r, &ev);
		}
		assert_int_equal(kind, SHOAL_PW_BLOCK);
		assert_null(ev.at);
		assert_int_equal(ev.len, 16384);
		assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_MESSAGE);
		assert_int_equal(ev.msg.id, SHOAL_WIRE_UNCHOKE);
		assert_int_equal(poll_kind(&r, &ev), IDLE);
		for (size_t i = 0; i < 16384; i++)
			assert_int_equal(slots[0][i], 0);
		rig_fini(&r);
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
		len += raw_block(raw + len, 3, i * 16384, 16384, (uint8_t)(i + 1));

	/* Whether the REJECT came whole with the blocks (flat), or its end did (the blocks lie in their places), and
	 * how much of the blocks with it. */
	static const size_t ends[] = {
		18, 22, 30, 31, 17 + 16397, 17 + 16397 + 5, 17 + 16397 + 13, 40000, 17 + 3 * 16397, sizeof raw
	};
	for (size_t first = 0; first <= sizeof reject; first++) {
		for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) {
			struct rig r;
			struct shoal_pw_expect want[4];
			struct shoal_pw_event ev;
			size_t blocks = 0, at = ends[e];
			uint8_t mine[16384];
			int kind;
			rig_init(&r, true);
			memset(mine, 0xcc, sizeof mine);
			if (first > 0 && first < sizeof reject) {
				feed(&r, raw, first, 7);
				assert_int_equal(poll_kind(&r, &ev), IDLE);
			}
			shoal_pw_forecast(r.pw, want, expect_blocks(want, 4));
			size_t from = first < sizeof reject ? first : 0;
			size_t n = shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS), offered = 0;
			while (n-- > 0)
				offered += r.v[n].len;
			at = at - from < offered ? at : from + offered;
			feed(&r, raw + from, at - from, 8);
			assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_MESSAGE);
			for (int i = 1; i < 4; i++) {
				shoal_pw_unland(r.pw, slots[i]);
				memset(slots[i], 0xcc, sizeof slots[i]);
			}
			for (;;) {
				kind = poll_kind(&r, &ev);
				if (kind == IDLE && at < sizeof raw) {
					size_t room = 0;
					n = shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS);
					while (n-- > 0)
						room += r.v[n].len;
					room = room < sizeof raw - at ? room : sizeof raw - at;
					feed(&r, raw + at, room, 9);
					at += room;
				} else if (kind == SHOAL_PW_BLOCK_BEGIN) {
					shoal_pw_land(r.pw, slots[10 + ev.msg.begin / 16384]);
				} else if (kind == SHOAL_PW_BLOCK) {
					assert_int_equal(ev.msg.begin, blocks * 16384);
					assert_ptr_equal(ev.at, slots[blocks ? 10 + blocks : 0]);
					assert_memory_equal(ev.at, raw + 17 + blocks * 16397 + 13, 16384);
					assert_int_equal(ev.forecast, blocks == 0);
					blocks++;
				} else {
					break;
				}
			}
			assert_int_equal(kind, IDLE);
			assert_int_equal(blocks, 4);
			for (int i = 1; i < 4; i++)
				assert_memory_equal(slots[i], mine, sizeof mine);
			rig_fini(&r);
		}
	}
}

/* The same behind a message that lay in a heap of its own. */
static void places_taken_back_behind_a_long_message(void **state)
{
	(void)state;
	static uint8_t raw[9006 + 16397];
	struct rig r;
	struct shoal_pw_expect want[1];
	struct shoal_pw_event ev;
	shoal_put_u32(raw, 9002);
	raw[4] = SHOAL_WIRE_EXTENDED;
	raw_block(raw + 9006, 3, 0, 16384, 1);
	rig_init(&r, true);
	for (size_t at = 0; at < 8192; at += SHOAL_PW_BUF) {
		feed(&r, raw + at, SHOAL_PW_BUF, 7);
		assert_int_equal(poll_kind(&r, &ev), IDLE);
	}
	shoal_pw_forecast(r.pw, want, expect_blocks(want, 1));
	feed(&r, raw + 8192, sizeof raw - 8192, 8);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_MESSAGE);
	shoal_pw_unland(r.pw, slots[0]);
	assert_int_equal(ev.msg.body.len, 9000);
	assert_memory_equal(ev.msg.body.at, raw + 6, 9000); /* still valid */
	memset(slots[0], 0xcc, sizeof slots[0]);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK_BEGIN);
	shoal_pw_land(r.pw, slots[1]);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK);
	assert_memory_equal(slots[1], raw + 9006 + 13, 16384);
	assert_int_equal(slots[0][0], 0xcc);
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	rig_fini(&r);
}

static void a_handshake_answers_at_48_bytes(void **state)
{
	(void)state;
	uint8_t raw[SHOAL_WIRE_HANDSHAKE_LEN];
	struct shoal_wire_handshake hs = { .can = SHOAL_CAN_FAST };
	memset(&hs.info_hash, 7, 20);
	memset(&hs.peer_id, 8, 20);
	shoal_wire_handshake_encode(&hs, raw);
	struct rig r;
	struct shoal_pw_event ev;
	rig_init(&r, false);
	assert_int_equal(shoal_pw_partial_since(r.pw), 0);
	for (size_t i = 0; i < sizeof raw; i++) {
		feed(&r, raw + i, 1, 10 + i);
		if (i == 47) {
			assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_HANDSHAKE);
			assert_int_equal(ev.handshake.can, SHOAL_CAN_FAST);
			assert_memory_equal(&ev.handshake.info_hash, &hs.info_hash, 20);
		} else if (i == 67) {
			assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_PEER_ID);
			assert_memory_equal(&ev.handshake.peer_id, &hs.peer_id, 20);
			assert_memory_equal(&ev.handshake.info_hash, &hs.info_hash, 20);
		}
		assert_int_equal(poll_kind(&r, &ev), IDLE);
		assert_int_equal(shoal_pw_heard(r.pw), 10 + i);
		/* One deadline for all 68 bytes (W02). */
		assert_int_equal(shoal_pw_partial_since(r.pw), i < 67 ? 10 : 0);
	}
	rig_fini(&r);
}

static void another_protocol_dies_at_its_first_wrong_byte(void **state)
{
	(void)state;
	uint8_t raw[SHOAL_WIRE_HANDSHAKE_LEN];
	struct shoal_wire_handshake hs = { .can = 0 };
	for (size_t wrong = 0; wrong < 20; wrong++) {
		struct rig r;
		struct shoal_pw_event ev;
		rig_init(&r, false);
		shoal_wire_handshake_encode(&hs, raw);
		raw[wrong] ^= 1;
		for (size_t i = 0; i <= wrong; i++) {
			feed(&r, raw + i, 1, 7);
			assert_int_equal(poll_kind(&r, &ev), i < wrong ? IDLE : SHOAL_ERR_MALFORMED);
		}
		assert_int_equal(poll_kind(&r, &ev), SHOAL_ERR_MALFORMED); /* it stays dead */
		assert_int_equal(shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS), 0);
		shoal_pw_filled(r.pw, 0, r.bounce, 9);
		rig_fini(&r);
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
		{ "allowed fast with, before metadata", 0, 1, 0, 0, { 0, 0, 0, 5, 17 }, 5, IDLE },
		{ "extended", 0, 0, 1, 0, { 0, 0, 0, 2, 20, 0 }, 6, SHOAL_PW_MESSAGE },
		{ "extended without", 0, 1, 0, 1, { 0, 0, 0, 2, 20, 0 }, 6, SHOAL_ERR_MALFORMED },
		{ "hash request without v2", 0, 1, 1, 0, { 0, 0, 0, 49, 21 }, 5, SHOAL_ERR_MALFORMED },
		{ "hashes without v2", 0, 1, 1, 0, { 0, 0, 0, 81, 22 }, 5, SHOAL_ERR_MALFORMED },
		{ "hash reject without v2", 0, 1, 1, 0, { 0, 0, 0, 49, 23 }, 5, SHOAL_ERR_MALFORMED },
		{ "hash reject with v2", 0, 0, 0, 1, { 0, 0, 0, 49, 23 }, 5, IDLE },
		{ "any bitfield before metadata", 0, 0, 0, 0, { 0, 0, 0, 3, 5, 0xff, 0xff }, 7, SHOAL_PW_MESSAGE },
		{ "a large one before metadata", 0, 0, 0, 0, { 0, 4, 0, 1, 5 }, 5, IDLE },
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
		struct rig r;
		struct shoal_pw_event ev;
		rig_init(&r, true);
		size_t rest = shoal_pw_bytes(r.pw);
		shoal_pw_terms(r.pw, cases[i].pieces, cases[i].fast, cases[i].extended, cases[i].v2);
		print_message("%s\n", cases[i].why);
		feed(&r, cases[i].raw, cases[i].len, 7);
		assert_int_equal(poll_kind(&r, &ev), cases[i].want);
		assert_int_equal(shoal_pw_bytes(r.pw), rest); /* nothing allocated for it */
		rig_fini(&r);
	}
}

/* Memory follows the bytes that came, never the length announced, and goes back with the message. */
static void long_messages_grow_by_what_has_come(void **state)
{
	(void)state;
	struct rig r;
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

	rig_init(&r, true);
	size_t rest = shoal_pw_bytes(r.pw);
	feed(&r, raw, came, 7);
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	assert_int_equal(shoal_pw_bytes(r.pw), rest);
	bool told = false;
	for (size_t steps = 0; !told && steps < 100000; steps++) {
		size_t room = 0, n = shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS);
		for (size_t i = 0; i < n; i++)
			room += r.v[i].len;
		size_t part = room < total + 5 - came ? room : total + 5 - came;
		if (part > 1000)
			part = 1000 + steps % 3;
		feed(&r, raw + came, part, 8 + steps);
		came += part;
		int kind = poll_kind(&r, &ev);
		if (kind == SHOAL_PW_MESSAGE) {
			assert_int_equal(ev.msg.body.len, body);
			assert_memory_equal(ev.msg.body.at, raw + 6, body);
			told = true;
			kind = poll_kind(&r, &ev);
			if (kind == SHOAL_PW_MESSAGE)
				kind = poll_kind(&r, &ev);
		} else {
			assert_int_equal(shoal_pw_partial_since(r.pw), 7);
			assert_true(shoal_pw_bytes(r.pw) - rest <= 2 * came);
		}
		assert_int_equal(kind, IDLE);
	}
	assert_true(told);
	assert_int_equal(shoal_pw_bytes(r.pw), rest);
	rig_fini(&r);
	free(raw);
}

/* A bitfield that began before the metadata and ends after it is held against the new terms. */
static void terms_hold_for_what_is_half_here(void **state)
{
	(void)state;
	struct rig r;
	struct shoal_pw_event ev;
	static uint8_t raw[10005];
	rig_init(&r, true);
	shoal_put_u32(raw, sizeof raw - 4);
	raw[4] = SHOAL_WIRE_BITFIELD;
	feed(&r, raw, SHOAL_PW_BUF, 7);
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	feed(&r, raw + SHOAL_PW_BUF, SHOAL_PW_BUF, 7);
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	shoal_pw_terms(r.pw, 8, true, true, true);
	feed(&r, raw + 2 * SHOAL_PW_BUF, sizeof raw - 2 * SHOAL_PW_BUF, 7);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_ERR_MALFORMED);
	rig_fini(&r);
}

static void partial_since_is_the_message_half_here(void **state)
{
	(void)state;
	struct rig r;
	struct shoal_pw_event ev;
	static const uint8_t have[] = { 0, 0, 0, 5, 4, 0, 0, 0, 7, 0, 0, 0, 5, 4, 0, 0, 0, 7 };
	rig_init(&r, true);
	feed(&r, have, 3, 20);
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	feed(&r, have + 3, 2, 30);
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	assert_int_equal(shoal_pw_partial_since(r.pw), 20);
	feed(&r, have + 5, 8, 40); /* ends one, begins the next */
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_MESSAGE);
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	assert_int_equal(shoal_pw_partial_since(r.pw), 40);
	feed(&r, have + 13, 5, 50);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_MESSAGE);
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	assert_int_equal(shoal_pw_partial_since(r.pw), 0);
	assert_int_equal(shoal_pw_heard(r.pw), 50);
	rig_fini(&r);
}

/* space() may be asked again, and the forecast changed, while the socket has nothing. */
static void asking_twice_changes_nothing(void **state)
{
	(void)state;
	struct rig r;
	struct shoal_pw_expect want[2];
	struct shoal_pw_event ev;
	static uint8_t raw[16397];
	raw_block(raw, 3, 0, 16384, 5);
	rig_init(&r, true);
	expect_blocks(want, 2);
	feed(&r, raw, 7, 7);
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	for (int i = 0; i < 3; i++) {
		shoal_pw_forecast(r.pw, want, (size_t)i);
		shoal_pw_space(r.pw, r.v, SHOAL_PW_SPANS);
		shoal_pw_space(r.pw, r.v, 1);
		shoal_pw_filled(r.pw, 0, r.bounce, 8);
		assert_int_equal(poll_kind(&r, &ev), IDLE);
	}
	want[0].piece = 4; /* another one is expected now */
	shoal_pw_forecast(r.pw, want, 2);
	feed(&r, raw + 7, 4000, 8);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK_BEGIN);
	assert_int_equal(ev.msg.index, 3);
	shoal_pw_land(r.pw, slots[3]);
	assert_int_equal(poll_kind(&r, &ev), IDLE);
	feed(&r, raw + 4007, sizeof raw - 4007, 9);
	assert_int_equal(poll_kind(&r, &ev), SHOAL_PW_BLOCK);
	assert_memory_equal(slots[3], raw + 13, 16384);
	rig_fini(&r);
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
