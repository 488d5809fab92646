/*
 * test_peer_wire_out.c - the stream that goes out, against a plain list of what was said and given: sent by any
 * number of bytes at a time, taken back, at its bounds, and the tokens that come home.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/rng.h"
#include "proto/peer_wire.h"

static uint8_t disk[1 << 20]; /* what the files hold; file f begins at f * 1000 */

/* ---- a model: the same queue as a plain list ---- */

struct item {
	uint8_t *bytes;
	size_t len, gone;
	struct shoal_pw_give give; /* token NULL: a small message */
};
struct model {
	struct shoal_pw *pw;
	struct item item[4096];
	size_t first, count;
	uintptr_t tokens; /* handed out so far */
	shoal_us now;
};

static void model_init(struct model *m)
{
	memset(m, 0, sizeof *m);
	assert_int_equal(shoal_pw_new(&m->pw, 1), 0);
}

static void model_fini(struct model *m)
{
	for (size_t i = m->first; i < m->count; i++)
		free(m->item[i].bytes);
	shoal_pw_free(m->pw);
}

/* Before the blocks at the end that have not begun; a choke behind them. */
static void model_say(struct model *m, const struct shoal_wire_msg *msg)
{
	size_t at = m->count++;
	assert_true(m->count <= sizeof m->item / sizeof *m->item);
	while (msg->id != SHOAL_WIRE_CHOKE && at > m->first && m->item[at - 1].give.token != NULL &&
	       m->item[at - 1].gone == 0)
		at--;
	memmove(&m->item[at + 1], &m->item[at], (m->count - 1 - at) * sizeof m->item[0]);
	struct item *it = &m->item[at];
	memset(it, 0, sizeof *it);
	it->bytes = malloc(msg->body.len + 64);
	assert_non_null(it->bytes);
	it->len = (size_t)shoal_wire_encode(msg, (struct shoal_space){ it->bytes, msg->body.len + 64 });
	assert_int_equal(shoal_pw_say(m->pw, msg), 0);
}

static void model_give(struct model *m, uint32_t piece, uint32_t len, bool file)
{
	struct item *it = &m->item[m->count++];
	const uint8_t *at = disk + (piece * 977) % 500000;
	assert_true(m->count <= sizeof m->item / sizeof *m->item);
	it->give = (struct shoal_pw_give){ .piece = piece, .begin = 16384, .len = len, .token = (void *)++m->tokens };
	if (file) {
		it->give.file = (uint32_t)(at - disk) / 1000;
		it->give.offset = (uint64_t)(at - disk) % 1000;
	} else {
		it->give.at = at;
	}
	it->len = SHOAL_WIRE_PIECE_HEAD + len;
	it->bytes = malloc(it->len);
	assert_non_null(it->bytes);
	shoal_wire_piece_head(it->bytes, piece, 16384, len);
	memcpy(it->bytes + SHOAL_WIRE_PIECE_HEAD, at, len);
	assert_int_equal(shoal_pw_give(m->pw, &it->give), 0);
}

/* Item `i` was taken back. */
static void model_forget(struct model *m, size_t i)
{
	free(m->item[i].bytes);
	m->count--;
	memmove(&m->item[i], &m->item[i + 1], (m->count - i) * sizeof m->item[0]);
	memset(&m->item[m->count], 0, sizeof m->item[0]);
}

static size_t model_queued(const struct model *m, size_t *blocks)
{
	size_t bytes = 0;
	*blocks = 0;
	for (size_t i = m->first; i < m->count; i++) {
		bytes += m->item[i].len - m->item[i].gone;
		*blocks += m->item[i].give.token != NULL && m->item[i].gone < m->item[i].len;
	}
	return bytes;
}

/* The parts say the first bytes that wait, in order; returns how many. */
static size_t check_output(const struct model *m, size_t max)
{
	struct shoal_pw_piece_out v[64];
	size_t n = shoal_pw_output(m->pw, v, max), at = m->first, off = at < m->count ? m->item[at].gone : 0, bytes = 0;
	assert_true(n <= max);
	for (size_t i = 0; i < n; i++) {
		assert_true(v[i].len > 0);
		assert_true((v[i].at == NULL) == (v[i].token != NULL));
		const uint8_t *part = v[i].at != NULL ? v[i].at : disk + v[i].file * 1000 + v[i].offset;
		for (size_t done = 0; done < v[i].len;) {
			while (at < m->count && off == m->item[at].len)
				off = m->item[++at].gone;
			assert_true(at < m->count);
			size_t take = m->item[at].len - off < v[i].len - done ? m->item[at].len - off : v[i].len - done;
			assert_memory_equal(part + done, m->item[at].bytes + off, take);
			if (v[i].token != NULL)
				assert_ptr_equal(v[i].token, m->item[at].give.token);
			done += take;
			off += take;
		}
		bytes += v[i].len;
	}
	return bytes;
}

/* `n` bytes go out; the tokens that come back are those of the blocks now wholly sent, in order. */
static void model_sent(struct model *m, size_t n)
{
	void *want[64], *done[64];
	size_t wants = 0;
	while (n > 0) {
		struct item *it = &m->item[m->first];
		size_t take = n < it->len - it->gone ? n : it->len - it->gone;
		it->gone += take;
		n -= take;
		if (it->gone < it->len)
			break;
		if (it->give.token != NULL)
			want[wants++] = it->give.token;
		free(it->bytes);
		m->first++;
	}
	size_t bytes = 0, blocks;
	bytes = shoal_pw_queued(m->pw) - model_queued(m, &blocks);
	assert_int_equal(shoal_pw_sent(m->pw, bytes, done, 64, ++m->now), wants);
	assert_memory_equal(done, want, wants * sizeof *want);
	assert_int_equal(shoal_pw_queued(m->pw), model_queued(m, &blocks));
	assert_int_equal(shoal_pw_queued_blocks(m->pw), blocks);
	assert_int_equal(shoal_pw_spoke(m->pw), m->now);
}

static const struct shoal_wire_msg have = { .id = SHOAL_WIRE_HAVE, .index = 0x01020304 };
static const struct shoal_wire_msg choke = { .id = SHOAL_WIRE_CHOKE };

/* ---- tests ---- */

static void a_short_talk(struct model *m)
{
	struct shoal_wire_msg ext = { .id = SHOAL_WIRE_EXTENDED, .body = SHOAL_LIT("d1:mdee") };
	model_say(m, &ext);
	model_say(m, &have);
	model_give(m, 1, 40, false);
	model_give(m, 2, 30, true);
	model_say(m, &choke);
	model_say(m, &have);
	model_give(m, 3, 1, true);
	model_give(m, 4, 20, false);
	model_say(m, &have);
}

static void sent_by_any_number_of_bytes(void **state)
{
	(void)state;
	static struct model m;
	size_t blocks;
	for (size_t step = 1; step < 200; step++) {
		model_init(&m);
		a_short_talk(&m);
		while (model_queued(&m, &blocks) > 0) {
			size_t out = check_output(&m, 64);
			assert_int_equal(out, model_queued(&m, &blocks));
			for (size_t max = 1; max < 12; max++)
				assert_true(check_output(&m, max) > 0);
			model_sent(&m, step < out ? step : out);
		}
		assert_int_equal(check_output(&m, 64), 0);
		model_fini(&m);
	}
}

static void small_messages_are_one_part(void **state)
{
	(void)state;
	static struct model m;
	struct shoal_pw_piece_out v[8];
	model_init(&m);
	for (int i = 0; i < 1000; i++)
		model_say(&m, &have);
	assert_int_equal(shoal_pw_output(m.pw, v, 8), 1);
	assert_int_equal(v[0].len, 9000);
	model_give(&m, 1, 100, true);
	model_say(&m, &have);
	assert_int_equal(shoal_pw_output(m.pw, v, 8), 3);
	assert_int_equal(v[0].len, 9009);
	model_say(&m, &choke);
	assert_int_equal(shoal_pw_output(m.pw, v, 8), 4);
	model_fini(&m);
}

static uint8_t id_of(const struct shoal_pw_piece_out *v)
{
	return v->at[4];
}

/* A request does not wait until a minute's worth of blocks has gone; a choke does, and what is said after it. */
static void what_is_said_passes_blocks_that_wait(void **state)
{
	(void)state;
	static struct model m;
	const struct shoal_wire_msg request = { .id = SHOAL_WIRE_REQUEST, .len = 16384 };
	struct shoal_pw_piece_out v[16];
	model_init(&m);
	model_give(&m, 1, 40, false);
	model_give(&m, 2, 40, false);
	model_say(&m, &request);
	assert_int_equal(shoal_pw_output(m.pw, v, 16), 5);
	assert_int_equal(id_of(&v[0]), SHOAL_WIRE_REQUEST);
	model_sent(&m, 17 + 1); /* the first block has begun */
	model_say(&m, &have);
	assert_int_equal(shoal_pw_output(m.pw, v, 16), 5);
	assert_int_equal(v[2].len, 9);
	assert_int_equal(id_of(&v[2]), SHOAL_WIRE_HAVE);
	model_say(&m, &choke);
	model_give(&m, 3, 40, false); /* (of those that the choked get) */
	model_say(&m, &request);
	size_t n = shoal_pw_output(m.pw, v, 16);
	assert_int_equal(n, 8);
	assert_int_equal(v[5].len, 5 + 17); /* behind the second block, and before the third */
	assert_int_equal(id_of(&v[5]), SHOAL_WIRE_CHOKE);
	check_output(&m, 16);
	model_fini(&m);
}

static void the_handshake_goes_first_and_once(void **state)
{
	(void)state;
	struct shoal_pw *pw;
	struct shoal_pw_piece_out v[2];
	struct shoal_wire_handshake hs = { .can = SHOAL_CAN_FAST };
	uint8_t want[SHOAL_WIRE_HANDSHAKE_LEN];
	assert_int_equal(shoal_pw_new(&pw, 1), 0);
	assert_int_equal(shoal_pw_greet(pw, &hs), 0);
	assert_int_equal(shoal_pw_greet(pw, &hs), SHOAL_ERR_USAGE);
	shoal_wire_handshake_encode(&hs, want);
	assert_int_equal(shoal_pw_output(pw, v, 2), 1);
	assert_int_equal(v[0].len, sizeof want);
	assert_memory_equal(v[0].at, want, sizeof want);
	shoal_pw_free(pw);
	shoal_pw_free(NULL);
}

static void only_blocks_without_a_byte_gone_come_back(void **state)
{
	(void)state;
	static struct model m;
	void *token = NULL;
	model_init(&m);
	model_say(&m, &have);
	model_give(&m, 1, 40, false);
	model_give(&m, 2, 50, true);
	model_sent(&m, 9);
	assert_false(shoal_pw_take_back(m.pw, 1, 16384, 41, &token)); /* no such block */
	assert_false(shoal_pw_take_back(m.pw, 1, 0, 40, &token));
	assert_false(shoal_pw_take_back(m.pw, 3, 16384, 40, &token));
	model_sent(&m, 1); /* one byte of the first header */
	assert_false(shoal_pw_take_back(m.pw, 1, 16384, 40, &token));
	assert_null(token);
	assert_true(shoal_pw_take_back(m.pw, 2, 16384, 50, &token));
	assert_ptr_equal(token, (void *)2);
	model_forget(&m, 2);
	assert_int_equal(check_output(&m, 64), 52);
	model_sent(&m, 52);
	model_fini(&m);
}

static void of_two_alike_the_newer_comes_back(void **state)
{
	(void)state;
	static struct model m;
	void *token;
	model_init(&m);
	model_give(&m, 1, 40, false);
	model_give(&m, 2, 40, false);
	model_give(&m, 1, 40, false);
	assert_true(shoal_pw_take_back(m.pw, 1, 16384, 40, &token));
	assert_ptr_equal(token, (void *)3);
	assert_true(shoal_pw_take_back(m.pw, 1, 16384, 40, &token));
	assert_ptr_equal(token, (void *)1);
	assert_false(shoal_pw_take_back(m.pw, 1, 16384, 40, &token));
	assert_int_equal(shoal_pw_queued(m.pw), 53);
	assert_int_equal(shoal_pw_queued_blocks(m.pw), 1);
	model_fini(&m);
}

static void of_a_piece_all_that_has_not_begun_comes_back(void **state)
{
	(void)state;
	static struct model m;
	struct shoal_pw_give block;
	model_init(&m);
	model_give(&m, 1, 40, false);
	model_give(&m, 2, 50, false);
	model_give(&m, 1, 60, true);
	model_give(&m, 1, 70, false);
	model_sent(&m, 1); /* of the first header */
	assert_false(shoal_pw_take_back_any(m.pw, 3, &block));
	for (uint32_t i = 3; i <= 4; i++) {
		assert_true(shoal_pw_take_back_any(m.pw, 1, &block));
		assert_ptr_equal(block.token, (void *)(uintptr_t)i);
		assert_int_equal(block.begin, 16384);
		assert_int_equal(block.len, 30 + 10 * i);
		model_forget(&m, 2);
	}
	assert_false(shoal_pw_take_back_any(m.pw, 1, &block));
	model_sent(&m, check_output(&m, 64));
	assert_int_equal(shoal_pw_queued(m.pw), 0);
	model_fini(&m);
}

static void what_may_wait_is_bounded(void **state)
{
	(void)state;
	struct shoal_pw *pw;
	static uint8_t body[SHOAL_WIRE_EXT_MAX];
	assert_int_equal(shoal_pw_new(&pw, 1), 0);
	size_t rest = shoal_pw_bytes(pw), said = 0;
	int rc;

	while ((rc = shoal_pw_say(pw, &have)) == 0)
		said += 9;
	assert_int_equal(rc, SHOAL_ERR_TOO_LONG);
	assert_true(said <= SHOAL_PW_OUT_MAX && said > SHOAL_PW_OUT_MAX - 9);
	assert_int_equal(shoal_pw_queued(pw), said);
	assert_true(shoal_pw_bytes(pw) <= rest + 2 * SHOAL_PW_OUT_MAX);
	/* What is smaller still fits, and is in its place. */
	while (shoal_pw_say(pw, &choke) == 0)
		said += 5;
	assert_true(said > SHOAL_PW_OUT_MAX - 5);
	/* A peer who drains us by the message keeps us at the bound, not above it. */
	while (shoal_pw_queued(pw) % 9 != 0)
		shoal_pw_sent(pw, 1, NULL, 0, 2), said--;
	for (int i = 0; i < 100000; i++) {
		shoal_pw_sent(pw, 9, NULL, 0, 2);
		assert_int_equal(shoal_pw_say(pw, &have), 0);
		assert_true(shoal_pw_bytes(pw) <= rest + 2 * SHOAL_PW_OUT_MAX);
	}
	shoal_pw_sent(pw, said, NULL, 0, 2);
	assert_int_equal(shoal_pw_queued(pw), 0);
	assert_int_equal(shoal_pw_bytes(pw), rest); /* and the memory goes back */

	/* The longest messages there are fit behind the greetings. */
	struct shoal_wire_handshake hs = { .can = 0 };
	const struct shoal_wire_msg ext = { .id = SHOAL_WIRE_EXTENDED, .body = { body, 1000 } };
	const struct shoal_wire_msg field = { .id = SHOAL_WIRE_BITFIELD, .body = { body, SHOAL_WIRE_BITFIELD_MAX } };
	const struct shoal_wire_msg long_ext = { .id = SHOAL_WIRE_EXTENDED, .body = { body, sizeof body } };
	assert_int_equal(shoal_pw_greet(pw, &hs), 0);
	assert_int_equal(shoal_pw_say(pw, &ext), 0);
	assert_int_equal(shoal_pw_say(pw, &field), 0);
	assert_int_equal(shoal_pw_say(pw, &field), SHOAL_ERR_TOO_LONG);
	assert_int_equal(shoal_pw_say(pw, &long_ext), SHOAL_ERR_TOO_LONG);
	const struct shoal_wire_msg wrong = { .id = SHOAL_WIRE_BITFIELD };
	assert_int_equal(shoal_pw_say(pw, &wrong), SHOAL_ERR_USAGE);
	assert_int_equal(shoal_pw_queued(pw), 68 + 1006 + 5 + SHOAL_WIRE_BITFIELD_MAX);
	shoal_pw_free(pw);
}

static void blocks_that_may_wait_are_bounded(void **state)
{
	(void)state;
	struct shoal_pw *pw;
	assert_int_equal(shoal_pw_new(&pw, 1), 0);
	size_t rest = shoal_pw_bytes(pw);
	struct shoal_pw_give give = { .len = 16384, .at = disk };
	assert_int_equal(shoal_pw_give(pw, &give), SHOAL_ERR_USAGE); /* no token */
	give.token = &give;
	give.len = 0;
	assert_int_equal(shoal_pw_give(pw, &give), SHOAL_ERR_USAGE);
	give.len = 16385;
	assert_int_equal(shoal_pw_give(pw, &give), SHOAL_ERR_USAGE);
	give.len = 16384;
	for (uint32_t i = 0; i < SHOAL_PW_GIVES_MAX; i++) {
		give.piece = i;
		assert_int_equal(shoal_pw_give(pw, &give), 0);
	}
	assert_int_equal(shoal_pw_give(pw, &give), SHOAL_ERR_TOO_LONG);
	assert_int_equal(shoal_pw_queued(pw), (size_t)SHOAL_PW_GIVES_MAX * 16397);
	void *token;
	for (uint32_t i = 0; i < SHOAL_PW_GIVES_MAX; i += 2)
		assert_true(shoal_pw_take_back(pw, i, 0, 16384, &token));
	assert_int_equal(shoal_pw_queued_blocks(pw), SHOAL_PW_GIVES_MAX / 2);
	void *done[100];
	size_t n, drained = 0;
	while ((n = shoal_pw_drain(pw, done, 100)) > 0)
		drained += n;
	assert_int_equal(drained, SHOAL_PW_GIVES_MAX / 2);
	assert_int_equal(shoal_pw_queued(pw), 0);
	assert_int_equal(shoal_pw_queued_blocks(pw), 0);
	assert_int_equal(shoal_pw_bytes(pw), rest);
	shoal_pw_free(pw);
}

static void tokens_without_room_wait_for_the_next_call(void **state)
{
	(void)state;
	struct shoal_pw *pw;
	void *done[2];
	struct shoal_pw_piece_out v[8];
	assert_int_equal(shoal_pw_new(&pw, 1), 0);
	for (uintptr_t i = 1; i <= 5; i++) {
		struct shoal_pw_give give = { .len = 10, .at = disk, .token = (void *)i };
		assert_int_equal(shoal_pw_give(pw, &give), 0);
	}
	assert_int_equal(shoal_pw_say(pw, &choke), 0);
	assert_int_equal(shoal_pw_sent(pw, 4 * 23 + 5, done, 2, 9), 2);
	assert_ptr_equal(done[0], (void *)1);
	assert_ptr_equal(done[1], (void *)2);
	assert_int_equal(shoal_pw_queued_blocks(pw), 1);
	assert_int_equal(shoal_pw_output(pw, v, 8), 3);
	assert_int_equal(v[0].len, 8);
	assert_int_equal(shoal_pw_sent(pw, 0, done, 1, 10), 1);
	assert_ptr_equal(done[0], (void *)3);
	assert_int_equal(shoal_pw_spoke(pw), 9);
	assert_int_equal(shoal_pw_sent(pw, 8, NULL, 0, 11), 0); /* past the fourth, which still waits */
	assert_int_equal(shoal_pw_queued_blocks(pw), 1);
	assert_int_equal(shoal_pw_sent(pw, 10 + 5, done, 2, 11), 2);
	assert_ptr_equal(done[0], (void *)4);
	assert_ptr_equal(done[1], (void *)5);
	assert_int_equal(shoal_pw_queued_blocks(pw), 0);
	assert_int_equal(shoal_pw_queued(pw), 0);
	assert_int_equal(shoal_pw_drain(pw, done, 2), 0);
	shoal_pw_free(pw);
}

static void drain_gives_back_all_that_is_lent(void **state)
{
	(void)state;
	static struct model m;
	void *done[3];
	model_init(&m);
	a_short_talk(&m);
	shoal_pw_sent(m.pw, 13 + 9 + 13 + 40 + 5, done, 1, 3); /* the first wholly, the second in part */
	assert_ptr_equal(done[0], (void *)1);
	assert_int_equal(shoal_pw_drain(m.pw, done, 2), 2);
	assert_ptr_equal(done[0], (void *)2);
	assert_int_equal(shoal_pw_drain(m.pw, done, 3), 1);
	assert_ptr_equal(done[0], (void *)4);
	assert_int_equal(shoal_pw_queued_blocks(m.pw), 0);
	model_fini(&m);
}

static void any_order_of_calls_matches_the_model(void **state)
{
	(void)state;
	static struct model m;
	static uint8_t body[3000];
	uint64_t seeds = getenv("SHOAL_SHORT") ? 20 : 200;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct shoal_rng rng = shoal_rng_split(seed, 3);
		model_init(&m);
		for (int step = 0; step < 600; step++) {
			uint32_t dice = shoal_rng_below(&rng, 100);
			if (dice < 35) {
				model_say(&m, &have);
			} else if (dice < 37) {
				model_say(&m, &choke);
			} else if (dice < 40) {
				struct shoal_wire_msg ext = { .id = SHOAL_WIRE_EXTENDED,
							      .body = { body, shoal_rng_below(&rng, sizeof body) } };
				model_say(&m, &ext);
			} else if (dice < 60) {
				model_give(&m, shoal_rng_below(&rng, 30), 1 + shoal_rng_below(&rng, 16384), dice & 1);
			} else if (dice < 70 && m.count > m.first) {
				size_t i = m.first + shoal_rng_below(&rng, (uint32_t)(m.count - m.first));
				struct item *it = &m.item[i];
				void *token = NULL;
				if (it->give.token == NULL)
					continue;
				bool taken = shoal_pw_take_back(m.pw, it->give.piece, it->give.begin, it->give.len,
								&token);
				assert_int_equal(taken, it->gone == 0);
				if (!taken)
					continue;
				while (token != m.item[i].give.token) /* of several alike it is the newest */
					assert_true(++i < m.count);
				model_forget(&m, i);
			} else if (dice < 72) {
				struct shoal_pw_give block;
				uint32_t piece = shoal_rng_below(&rng, 30);
				size_t i = m.first;
				while (i < m.count && (m.item[i].give.token == NULL || m.item[i].gone > 0 ||
						       m.item[i].give.piece != piece))
					i++;
				assert_int_equal(shoal_pw_take_back_any(m.pw, piece, &block), i < m.count);
				if (i == m.count)
					continue;
				assert_ptr_equal(block.token, m.item[i].give.token);
				model_forget(&m, i);
			} else {
				size_t max = 1 + shoal_rng_below(&rng, 40);
				size_t out = check_output(&m, max), blocks;
				if (out > 0)
					model_sent(&m, shoal_rng_below(&rng, 3)
							       ? 1 + shoal_rng_below(&rng, (uint32_t)out)
							       : out);
				assert_int_equal(shoal_pw_queued(m.pw), model_queued(&m, &blocks));
			}
		}
		size_t blocks;
		while (model_queued(&m, &blocks) > 0)
			model_sent(&m, check_output(&m, 40));
		model_fini(&m);
	}
}

int main(void)
{
	struct shoal_rng rng = shoal_rng_split(1, 1);
	for (size_t i = 0; i < sizeof disk; i++)
		disk[i] = (uint8_t)shoal_rng_next(&rng);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sent_by_any_number_of_bytes),
		cmocka_unit_test(small_messages_are_one_part),
		cmocka_unit_test(what_is_said_passes_blocks_that_wait),
		cmocka_unit_test(the_handshake_goes_first_and_once),
		cmocka_unit_test(only_blocks_without_a_byte_gone_come_back),
		cmocka_unit_test(of_two_alike_the_newer_comes_back),
		cmocka_unit_test(of_a_piece_all_that_has_not_begun_comes_back),
		cmocka_unit_test(what_may_wait_is_bounded),
		cmocka_unit_test(blocks_that_may_wait_are_bounded),
		cmocka_unit_test(tokens_without_room_wait_for_the_next_call),
		cmocka_unit_test(drain_gives_back_all_that_is_lent),
		cmocka_unit_test(any_order_of_calls_matches_the_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
