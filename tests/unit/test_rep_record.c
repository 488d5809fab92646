/* test_rep_record.c - records are read back to the bit; what nobody of ours wrote is refused; times are held against the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "swarm/peers/rep_record.h"

#define NOW 1800000000u

/* One with a history: good blocks, false ones, a ban. */
static struct shoal_rep_record lived(void)
{
	struct shoal_rep_record rec = { .seen_s = NOW, .writer = 77 };
	shoal_rep_init(&rec.rep, 0.03, NOW - 100);
	shoal_rep_note(&rec.rep, SHOAL_REP_WHY_MET, UINT32_MAX, 0, 0.03, NOW - 100);
	shoal_rep_verified(&rec.rep, shoal_rep_memory(0), 1234, NOW - 90);
	shoal_rep_answered(&rec.rep, 40);
	shoal_rep_missed(&rec.rep, 0.25);
	shoal_rep_claimed(&rec.rep, true);
	for (uint32_t i = 0; i < 12; i++)
		shoal_rep_false(&rec.rep, SHOAL_REP_WHY_FALSE_LEAF, 10 + i, i, NOW - 10);
	rec.rep.judged = true;
	assert_int_equal(rec.rep.state, SHOAL_REP_BANNED);
	return rec;
}

static struct shoal_bytes bytes_of(const struct shoal_rep_record *rec, uint8_t raw[SHOAL_REP_RECORD_MAX])
{
	return shoal_bytes(raw, shoal_rep_record_encode(rec, raw));
}

static void what_is_written_is_read(void **state)
{
	uint8_t raw[SHOAL_REP_RECORD_MAX], again[SHOAL_REP_RECORD_MAX];
	struct shoal_rep_record in = lived(), out;
	(void)state;
	struct shoal_bytes b = bytes_of(&in, raw);
	assert_int_equal(shoal_rep_record_decode(b, &out), 0);
	assert_int_equal(out.writer, 77);
	assert_int_equal(out.seen_s, NOW);
	assert_int_equal(out.rep.state, SHOAL_REP_BANNED);
	assert_int_equal(out.rep.blocks, 1234);
	assert_int_equal(out.rep.false_blocks, 12);
	assert_int_equal(out.rep.bans, in.rep.bans);
	assert_int_equal(out.rep.banned_until_s, in.rep.banned_until_s);
	assert_true(out.rep.judged);
	assert_float_equal(out.rep.right, in.rep.right, 1e-4);
	assert_float_equal(out.rep.wrong, in.rep.wrong, 1e-4);
	assert_float_equal(out.rep.cusum, in.rep.cusum, 1e-4);
	/* The newest reasons, the oldest of them first. */
	assert_int_equal(out.rep.reasons, SHOAL_REP_REASONS);
	assert_int_equal(out.rep.reason[SHOAL_REP_REASONS - 1].piece, 21);
	struct shoal_bytes twice = bytes_of(&out, again);
	assert_int_equal(twice.len, b.len);
	assert_memory_equal(again, raw, b.len);
}

static void a_record_that_is_cut_or_longer_is_none(void **state)
{
	uint8_t raw[SHOAL_REP_RECORD_MAX + 1] = { 0 };
	struct shoal_rep_record in = lived(), out;
	(void)state;
	size_t len = shoal_rep_record_encode(&in, raw);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(shoal_rep_record_decode(shoal_bytes(raw, cut), &out), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_rep_record_decode(shoal_bytes(raw, len + 1), &out), SHOAL_ERR_MALFORMED);
}

static void bounds_are_kept(void **state)
{
	static const struct {
		const char *why;
		size_t at;
		uint32_t value; /* four bytes there */
		int want;
	} cases[] = {
		{ "a newer version", 0, 0x02000000, SHOAL_ERR_UNSUPPORTED },
		{ "no version", 0, 0, SHOAL_ERR_MALFORMED },
		{ "an unknown flag", 0, 0x01020000, SHOAL_ERR_MALFORMED },
		{ "an unknown state", 0, 0x01000500, SHOAL_ERR_MALFORMED },
		{ "more evidence than there can be", 28, 257u << 16, SHOAL_ERR_MALFORMED },
		{ "no evidence at all", 28, 0, SHOAL_ERR_MALFORMED },
		{ "a CUSUM that never ends", 52, 17u << 16, SHOAL_ERR_MALFORMED },
		{ "expected to be worse than all false", 56, 0x10001, SHOAL_ERR_MALFORMED },
		{ "256 blocks of evidence", 28, 256u << 16, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t raw[SHOAL_REP_RECORD_MAX];
		struct shoal_rep_record rec = { .seen_s = NOW }, out;
		shoal_rep_init(&rec.rep, 0.01, NOW);
		rec.rep.wrong = 0;
		size_t len = shoal_rep_record_encode(&rec, raw);
		shoal_put_u32(raw + cases[i].at, cases[i].value);
		print_message("%s\n", cases[i].why);
		assert_int_equal(shoal_rep_record_decode(shoal_bytes(raw, len), &out), cases[i].want);
	}
}

static void keys_are_addresses_or_keys(void **state)
{
	uint8_t raw[SHOAL_REP_KEY_MAX];
	char text[SHOAL_REP_NAME_TEXT];
	struct shoal_rep_name who[] = {
		{ .addr = { .is_v4 = true, .ip = { 77, 1, 2, 3 }, .port = 6881 } },
		{ .addr = { .ip = { 0x20, 1, 0xd, 0xb8, [15] = 1 }, .port = 1 } },
		{ .keyed = true, .key = { 1, 2, 3, [31] = 0xff } },
	};
	struct shoal_rep_name out, again;
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		size_t len = shoal_rep_key(&who[i], raw);
		assert_int_equal(shoal_rep_key_name(shoal_bytes(raw, len), &out), 0);
		for (size_t k = 0; k < 3; k++)
			assert_int_equal(shoal_rep_name_equal(&who[k], &out), i == k);
		shoal_rep_name_format(&out, text);
		print_message("%s\n", text);
		assert_int_equal(shoal_rep_name_parse(shoal_bytes(text, strlen(text)), &again), 0);
		assert_true(shoal_rep_name_equal(&again, &out));
		assert_int_equal(shoal_rep_key_name(shoal_bytes(raw, len - 1), &out), SHOAL_ERR_MALFORMED);
		raw[0] = 'b';
		assert_int_equal(shoal_rep_key_name(shoal_bytes(raw, len), &out), SHOAL_ERR_MALFORMED);
		raw[0] = 'a';
		raw[len - 2] = raw[len - 1] = 0; /* nobody listens at port 0 */
		assert_int_equal(shoal_rep_key_name(shoal_bytes(raw, len), &out), SHOAL_ERR_MALFORMED);
	}
	assert_int_equal(shoal_rep_key_name(SHOAL_LIT(""), &out), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_rep_name_parse(SHOAL_LIT("ed25519:12"), &out), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_rep_name_parse(SHOAL_LIT("ed25519:"), &out), SHOAL_ERR_MALFORMED);
}

static void time_passes_while_nobody_runs(void **state)
{
	struct shoal_rep_record rec = lived();
	(void)state;
	/* Not over yet. */
	shoal_rep_record_wake(&rec, NOW + 600);
	assert_int_equal(rec.rep.state, SHOAL_REP_BANNED);
	/* A week: the ban is over, half of what was bad has faded, and it is on parole. */
	float wrong = rec.rep.wrong;
	shoal_rep_record_wake(&rec, NOW + 7 * 86400);
	assert_int_equal(rec.rep.state, SHOAL_REP_PAROLE);
	assert_float_equal(rec.rep.wrong, wrong / 2, 0.5);
	/* A year: what is left is what strangers are like. */
	shoal_rep_record_wake(&rec, NOW + 365u * 86400);
	assert_float_equal(rec.rep.wrong, SHOAL_REP_STRENGTH * 0.03, 0.01);
}

/* The clock was years ahead when it was written, or it was written to ban for ever. */
static void a_time_to_come_is_now(void **state)
{
	struct shoal_rep_record rec = lived();
	(void)state;
	rec.seen_s = rec.rep.faded_s = rec.rep.banned_at_s = rec.rep.banned_until_s = UINT32_MAX;
	shoal_rep_record_wake(&rec, NOW);
	assert_int_equal(rec.seen_s, NOW);
	assert_int_equal(rec.rep.faded_s, NOW);
	assert_int_equal(rec.rep.banned_until_s, NOW + SHOAL_REP_BAN_MAX_S);
	shoal_rep_record_wake(&rec, NOW + SHOAL_REP_BAN_MAX_S + 1);
	assert_int_equal(rec.rep.state, SHOAL_REP_PAROLE);
}

static void what_two_processes_saw_counts_once(void **state)
{
	struct shoal_rep ours, theirs;
	(void)state;
	shoal_rep_init(&ours, 0.01, NOW);
	shoal_rep_verified(&ours, shoal_rep_memory(0), 30, NOW);
	theirs = ours;
	shoal_rep_verified(&theirs, shoal_rep_memory(0), 20, NOW);
	shoal_rep_heed(&ours, &theirs, NOW);
	assert_int_equal(ours.blocks, 50);
	assert_float_equal(ours.right, theirs.right, 1e-3);
	shoal_rep_heed(&ours, &theirs, NOW); /* again */
	assert_int_equal(ours.blocks, 50);
	assert_float_equal(ours.right, theirs.right, 1e-3);
	/* They have seen it lie, and banned it. */
	for (uint32_t i = 0; i < 3; i++)
		shoal_rep_false(&theirs, SHOAL_REP_WHY_FALSE_LEAF, 1, i, NOW);
	shoal_rep_heed(&ours, &theirs, NOW);
	assert_int_equal(ours.state, SHOAL_REP_BANNED);
	assert_int_equal(ours.false_blocks, 3);
	assert_int_equal(ours.banned_until_s, theirs.banned_until_s);
	/* What we have betters afterwards is not undone by what they wrote before. */
	float cusum = ours.cusum;
	shoal_rep_fade(&ours, ours.banned_until_s);
	assert_int_equal(ours.state, SHOAL_REP_PAROLE);
	shoal_rep_verified(&ours, shoal_rep_memory(0), 100, ours.banned_until_s);
	shoal_rep_heed(&ours, &theirs, ours.banned_until_s);
	assert_true(ours.cusum < cusum - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_record_that_is_cut_or_longer_is_none),
		cmocka_unit_test(bounds_are_kept),
		cmocka_unit_test(keys_are_addresses_or_keys),
		cmocka_unit_test(time_passes_while_nobody_runs),
		cmocka_unit_test(a_time_to_come_is_now),
		cmocka_unit_test(what_two_processes_saw_counts_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
