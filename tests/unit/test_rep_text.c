/* test_rep_text.c - records as text: golden lines, hostile ones, every cut, and the weight of hearsay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "swarm/peers/rep_text.h"

#define NOW 1800000000u
#define GOOD_LINE "peer 77.1.2.3:6881 seen 1799999000 verified 5000 false 0 good 252000 bad 0 banned 0\n"

static struct shoal_bytes text_of(const char *text)
{
	return shoal_bytes(text, strlen(text));
}

static const struct {
	const char *why, *text;
	int peers, want; /* read before the end; how it ends */
} cases[] = {
	{ "nothing", "", 0, SHOAL_ERR_MALFORMED },
	{ "another file", "d8:announce", 0, SHOAL_ERR_MALFORMED },
	{ "a later version", "shoal reputation 2\n" GOOD_LINE, 0, SHOAL_ERR_UNSUPPORTED },
	{ "no peers", SHOAL_REP_TEXT_HEAD, 0, 0 },
	{ "one", SHOAL_REP_TEXT_HEAD GOOD_LINE, 1, 0 },
	{ "remarks", SHOAL_REP_TEXT_HEAD "# hello\n\n" GOOD_LINE "#\n", 1, 0 },
	{ "IPv6", SHOAL_REP_TEXT_HEAD "peer [2001:db8::1]:1 seen 0 verified 0 false 0 good 0 bad 0 banned 0\n", 1, 0 },
	{ "a key",
	  SHOAL_REP_TEXT_HEAD "peer ed25519:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff seen 0 "
			      "verified 0 false 0 good 0 bad 0 banned 0\n",
	  1, 0 },
	{ "half a key",
	  SHOAL_REP_TEXT_HEAD
	  "peer ed25519:00112233445566778899aabbccddeeff seen 0 verified 0 false 0 good 0 bad 0 banned 0\n",
	  0, SHOAL_ERR_MALFORMED },
	{ "a last line without an end", SHOAL_REP_TEXT_HEAD GOOD_LINE "peer 77.1.2.3:6881", 1, SHOAL_ERR_MALFORMED },
	{ "no port", SHOAL_REP_TEXT_HEAD "peer 77.1.2.3 seen 0 verified 0 false 0 good 0 bad 0 banned 0\n", 0,
	  SHOAL_ERR_MALFORMED },
	{ "a name", SHOAL_REP_TEXT_HEAD "peer evil.example:80 seen 0 verified 0 false 0 good 0 bad 0 banned 0\n", 0,
	  SHOAL_ERR_MALFORMED },
	{ "a negative number", SHOAL_REP_TEXT_HEAD "peer 7.1.2.3:1 seen -1 verified 0 false 0 good 0 bad 0 banned 0\n",
	  0, SHOAL_ERR_MALFORMED },
	{ "2^32", SHOAL_REP_TEXT_HEAD "peer 7.1.2.3:1 seen 4294967296 verified 0 false 0 good 0 bad 0 banned 0\n", 0,
	  SHOAL_ERR_MALFORMED },
	{ "2^64",
	  SHOAL_REP_TEXT_HEAD "peer 7.1.2.3:1 seen 18446744073709551616 verified 0 false 0 good 0 bad 0 banned 0\n", 0,
	  SHOAL_ERR_MALFORMED },
	{ "more evidence than there can be",
	  SHOAL_REP_TEXT_HEAD "peer 7.1.2.3:1 seen 0 verified 0 false 0 good 256001 bad 0 banned 0\n", 0,
	  SHOAL_ERR_MALFORMED },
	{ "a field more", SHOAL_REP_TEXT_HEAD "peer 7.1.2.3:1 seen 0 verified 0 false 0 good 0 bad 0 banned 0 x 1\n", 0,
	  SHOAL_ERR_MALFORMED },
	{ "a field less", SHOAL_REP_TEXT_HEAD "peer 7.1.2.3:1 seen 0 verified 0 false 0 good 0 bad 0\n", 0,
	  SHOAL_ERR_MALFORMED },
	{ "two blanks", SHOAL_REP_TEXT_HEAD "peer 7.1.2.3:1  seen 0 verified 0 false 0 good 0 bad 0 banned 0\n", 0,
	  SHOAL_ERR_MALFORMED },
	{ "CR LF", SHOAL_REP_TEXT_HEAD "peer 7.1.2.3:1 seen 0 verified 0 false 0 good 0 bad 0 banned 0\r\n", 0,
	  SHOAL_ERR_MALFORMED },
};

static void reading_gives_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_rep_text t;
		struct shoal_rep_line line;
		int peers = 0, rc = shoal_rep_text_begin(&t, text_of(cases[i].text));
		print_message("%s\n", cases[i].why);
		if (rc == 0)
			while ((rc = shoal_rep_text_next(&t, &line)) > 0)
				peers++;
		assert_int_equal(rc, cases[i].want);
		assert_int_equal(peers, cases[i].peers);
	}
}

static void what_is_too_long_is_refused(void **state)
{
	size_t head = strlen(SHOAL_REP_TEXT_HEAD), one = strlen(GOOD_LINE);
	size_t room = head + (SHOAL_REP_TEXT_PEERS + 1) * one;
	struct shoal_rep_text t;
	struct shoal_rep_line line;
	char *text = malloc(SHOAL_REP_TEXT_MAX + 1);
	int rc;
	(void)state;
	assert_non_null(text);
	assert_true(room < SHOAL_REP_TEXT_MAX);
	memcpy(text, SHOAL_REP_TEXT_HEAD, head);
	for (size_t at = head; at < room; at += one)
		memcpy(text + at, GOOD_LINE, one);
	assert_int_equal(shoal_rep_text_begin(&t, shoal_bytes(text, room)), 0);
	while ((rc = shoal_rep_text_next(&t, &line)) > 0)
		;
	assert_int_equal(rc, SHOAL_ERR_TOO_LONG);
	assert_int_equal(t.peers, SHOAL_REP_TEXT_PEERS);
	/* One line without an end, or with a late one. */
	memset(text + head, '#', SHOAL_REP_TEXT_LINE);
	assert_int_equal(shoal_rep_text_begin(&t, shoal_bytes(text, head + SHOAL_REP_TEXT_LINE)), 0);
	assert_int_equal(shoal_rep_text_next(&t, &line), SHOAL_ERR_TOO_LONG);
	text[head + SHOAL_REP_TEXT_LINE] = '\n';
	assert_int_equal(shoal_rep_text_begin(&t, shoal_bytes(text, head + SHOAL_REP_TEXT_LINE + 1)), 0);
	assert_int_equal(shoal_rep_text_next(&t, &line), SHOAL_ERR_TOO_LONG);
	assert_int_equal(shoal_rep_text_begin(&t, shoal_bytes(text, SHOAL_REP_TEXT_MAX + 1)), SHOAL_ERR_TOO_LONG);
	free(text);
}

/* Whatever is cut off, nothing is made up. */
static void any_cut_gives_less_or_an_error(void **state)
{
	static const char text[] = SHOAL_REP_TEXT_HEAD GOOD_LINE GOOD_LINE;
	(void)state;
	for (size_t cut = 0; cut < sizeof text - 1; cut++) {
		struct shoal_rep_text t;
		struct shoal_rep_line line;
		int peers = 0, rc = shoal_rep_text_begin(&t, shoal_bytes(text, cut));
		if (rc == 0)
			while ((rc = shoal_rep_text_next(&t, &line)) > 0)
				peers++;
		if (cut < strlen(SHOAL_REP_TEXT_HEAD))
			assert_true(rc == SHOAL_ERR_MALFORMED || rc == SHOAL_ERR_UNSUPPORTED);
		else if (cut != strlen(SHOAL_REP_TEXT_HEAD) && cut != strlen(SHOAL_REP_TEXT_HEAD GOOD_LINE))
			assert_int_equal(rc, SHOAL_ERR_MALFORMED);
		assert_true(peers <= 1);
	}
}

static void a_record_comes_out_as_it_was_told(void **state)
{
	char text[sizeof SHOAL_REP_TEXT_HEAD + SHOAL_REP_TEXT_LINE] = SHOAL_REP_TEXT_HEAD;
	struct shoal_rep_name who = { .addr = { .is_v4 = true, .ip = { 77, 1, 2, 3 }, .port = 6881 } };
	struct shoal_rep_record rec = { .seen_s = NOW };
	struct shoal_rep_text t;
	struct shoal_rep_line line;
	(void)state;
	shoal_rep_init(&rec.rep, 0.01, NOW);
	shoal_rep_verified(&rec.rep, shoal_rep_memory(0), 100, NOW);
	shoal_rep_false(&rec.rep, SHOAL_REP_WHY_FALSE_LEAF, 1, 1, NOW);
	line = shoal_rep_text_of(&who, &rec);
	size_t n = shoal_rep_text_line(&line, text + strlen(text));
	assert_string_equal(text, SHOAL_REP_TEXT_HEAD
			    "peer 77.1.2.3:6881 seen 1800000000 verified 100 false 1 good 100000 bad 4000 banned 0\n");
	assert_int_equal(shoal_rep_text_begin(&t, shoal_bytes(text, strlen(SHOAL_REP_TEXT_HEAD) + n)), 0);
	assert_int_equal(shoal_rep_text_next(&t, &line), 1);
	assert_int_equal(line.verified, 100);
	assert_int_equal(line.bad, 4000);
}

static struct shoal_rep_record told(uint32_t good, uint32_t bad, uint32_t banned_until_s, bool bans)
{
	struct shoal_rep_line line = { .seen_s = NOW,
				       .verified = 9999,
				       .false_blocks = 9999,
				       .good = good,
				       .bad = bad,
				       .banned_until_s = banned_until_s };
	struct shoal_rep_record rec;
	shoal_rep_text_record(&line, bans, NOW, &rec);
	return rec;
}

static void hearsay_weighs_little(void **state)
{
	struct shoal_rep_record best = told(256000, 0, 0, true), worst = told(0, 256000, NOW + 86400, false);
	struct shoal_rep stranger;
	(void)state;
	shoal_rep_init(&stranger, 0.01, NOW);
	/* The best of praise makes nobody trusted. */
	assert_int_equal(best.rep.state, SHOAL_REP_GOOD);
	assert_true(best.rep.right <= stranger.right + (float)SHOAL_REP_HEARSAY_GOOD);
	assert_int_equal(best.rep.blocks, 0);
	/* The worst of slander bans nobody, and 20 good blocks of its own make good for it. */
	assert_int_equal(worst.rep.state, SHOAL_REP_NEW);
	assert_true(worst.rep.cusum < 0.01f);
	assert_int_equal(worst.rep.false_blocks, 0);
	assert_true(shoal_rep_window(&worst.rep) >= 4);
	shoal_rep_verified(&worst.rep, shoal_rep_memory(0), 80, NOW);
	assert_int_equal(worst.rep.state, SHOAL_REP_GOOD);
}

static void bans_are_taken_when_asked_for_and_short(void **state)
{
	struct shoal_rep_record rec = told(0, 8000, NOW + 30 * 86400, true);
	(void)state;
	assert_int_equal(rec.rep.state, SHOAL_REP_BANNED);
	assert_int_equal(rec.rep.banned_until_s, NOW + SHOAL_REP_BAN_S);
	assert_int_equal(told(0, 8000, NOW, true).rep.state, SHOAL_REP_NEW); /* over */
	shoal_rep_fade(&rec.rep, NOW + SHOAL_REP_BAN_S);
	shoal_rep_verified(&rec.rep, shoal_rep_memory(0), 1, NOW + SHOAL_REP_BAN_S);
	assert_true(rec.rep.state < SHOAL_REP_PAROLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_gives_what_the_table_says),
		cmocka_unit_test(what_is_too_long_is_refused),
		cmocka_unit_test(any_cut_gives_less_or_an_error),
		cmocka_unit_test(a_record_comes_out_as_it_was_told),
		cmocka_unit_test(hearsay_weighs_little),
		cmocka_unit_test(bans_are_taken_when_asked_for_and_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
