/* test_tracker_udp.c - golden packets of BEP 15 and 41, hostile ones, every cut; the timetables BEP 15 gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/tracker_udp.h"

static struct shoal_url url_of(const char *text)
{
	struct shoal_url url;
	assert_int_equal(shoal_url_parse(shoal_bytes(text, strlen(text)), &url), 0);
	return url;
}

static void connect_is_sixteen_bytes(void **state)
{
	(void)state;
	uint8_t out[SHOAL_TRACKER_UDP_CONNECT_BYTES];
	shoal_tracker_udp_connect(0x01020304, out);
	assert_memory_equal(out,
			    "\0\0\x04\x17\x27\x10\x19\x80"
			    "\0\0\0\0"
			    "\1\2\3\4",
			    16);
}

static const struct shoal_tracker_ask ask = {
	.hash = { "hhhhhhhhhhhhhhhhhhhh" },
	.peer_id = { "pppppppppppppppppppp" },
	.uploaded = 3,
	.downloaded = 0x0102030405060708,
	.left = 2,
	.event = SHOAL_TRACKER_STARTED,
	.key = 0xaabbccdd,
	.num_want = 200,
	.port = 0x1ae1,
};
static const char asked[] = "\x11\x22\x33\x44\x55\x66\x77\x88"
			    "\0\0\0\1"
			    "\xde\xad\xbe\xef"
			    "hhhhhhhhhhhhhhhhhhhh"
			    "pppppppppppppppppppp"
			    "\1\2\3\4\5\6\7\x08"
			    "\0\0\0\0\0\0\0\2"
			    "\0\0\0\0\0\0\0\3"
			    "\0\0\0\2"
			    "\0\0\0\0"
			    "\xaa\xbb\xcc\xdd"
			    "\0\0\0\xc8"
			    "\x1a\xe1";

static ptrdiff_t announce(const struct shoal_tracker_ask *what, const char *url, uint8_t *out, size_t room)
{
	struct shoal_url u = url_of(url);
	return shoal_tracker_udp_announce(0x1122334455667788, 0xdeadbeef, what, &u, (struct shoal_space){ out, room });
}

static void announce_is_98_bytes_and_the_url(void **state)
{
	(void)state;
	static const struct {
		const char *url, *options;
		size_t len;
	} row[] = {
		{ "udp://t:80", "", 0 },
		{ "udp://t:80/", "\x02\x01/", 3 },
		{ "udp://tracker.example.com:80/dir?a=b&c=d", "\x02\x0c/dir?a=b&c=d", 14 }, /* BEP 41's own */
		{ "udp://t:80?auth=1", "\x02\x07?auth=1", 9 },
	};
	uint8_t out[SHOAL_TRACKER_UDP_ANNOUNCE_MAX];
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		size_t want = SHOAL_TRACKER_UDP_ANNOUNCE_BYTES + row[i].len;
		assert_int_equal(announce(&ask, row[i].url, out, sizeof out), want);
		assert_memory_equal(out, asked, SHOAL_TRACKER_UDP_ANNOUNCE_BYTES);
		assert_memory_equal(out + SHOAL_TRACKER_UDP_ANNOUNCE_BYTES, row[i].options, row[i].len);
		for (size_t room = 0; room < want; room++)
			assert_int_equal(announce(&ask, row[i].url, out, room), SHOAL_ERR_TOO_LONG);
	}
	static const uint8_t events[][2] = { { SHOAL_TRACKER_NONE, 0 },
					     { SHOAL_TRACKER_COMPLETED, 1 },
					     { SHOAL_TRACKER_STOPPED, 3 },
					     { SHOAL_TRACKER_PAUSED, 0 } };
	for (size_t i = 0; i < 4; i++) {
		struct shoal_tracker_ask other = ask;
		other.event = events[i][0];
		assert_int_equal(announce(&other, "udp://t:80", out, sizeof out), 98);
		assert_int_equal(shoal_get_u32(out + 80), events[i][1]);
	}
}

/* What a tracker makes of the options, BEP 41: the data fields put together. */
static void long_urls_come_in_options(void **state)
{
	(void)state;
	char text[SHOAL_URL_MAX + 1] = "udp://t:80/";
	uint8_t out[SHOAL_TRACKER_UDP_ANNOUNCE_MAX], got[SHOAL_URL_MAX];
	for (size_t len = 12; len <= SHOAL_URL_MAX; len++) {
		text[len - 1] = len == 300 ? '?' : (char)('a' + len % 26);
		text[len] = '\0';
		ptrdiff_t n = announce(&ask, text, out, sizeof out);
		assert_true(n > 98);
		size_t at = 98, have = 0;
		while (at < (size_t)n) {
			assert_int_equal(out[at], 2);
			memcpy(got + have, out + at + 2, out[at + 1]);
			have += out[at + 1];
			at += 2u + out[at + 1];
		}
		assert_int_equal(at, n);
		size_t want = len == 300 ? len - 11 : len - 10; /* an empty query is none */
		assert_int_equal(have, want);
		assert_memory_equal(got, text + 10, want);
	}
}

static void scrape_asks_for_many(void **state)
{
	(void)state;
	static struct shoal_id20 hash[SHOAL_TRACKER_UDP_SCRAPE_MAX + 1];
	uint8_t out[2048];
	struct shoal_space room = { out, sizeof out };
	memset(hash[1].b, 0xbb, 20);
	assert_int_equal(shoal_tracker_udp_scrape(0x1122334455667788, 7, hash, 2, room), 56);
	assert_memory_equal(out,
			    "\x11\x22\x33\x44\x55\x66\x77\x88"
			    "\0\0\0\2"
			    "\0\0\0\7",
			    16);
	assert_memory_equal(out + 36, hash[1].b, 20);
	assert_int_equal(shoal_tracker_udp_scrape(1, 7, hash, 74, room), 16 + 74 * 20);
	assert_int_equal(shoal_tracker_udp_scrape(1, 7, hash, 75, room), SHOAL_ERR_TOO_LONG);
	assert_int_equal(shoal_tracker_udp_scrape(1, 7, hash, 2, (struct shoal_space){ out, 55 }), SHOAL_ERR_TOO_LONG);
}

#define PACKET(s)                                   \
	{                                           \
		(const uint8_t *)(s), sizeof(s) - 1 \
	}
static void answers_kind_and_hostile(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		struct shoal_bytes in;
		bool v4;
		int want;
		bool failed;
		size_t peers;
		uint32_t interval, seeds;
	} row[] = {
		{ "nobody there", PACKET("\0\0\0\1abcd\0\0\7\x08\0\0\0\5\0\0\0\6"), true, 0, false, 0, 1800, 6 },
		{ "two of v4",
		  PACKET("\0\0\0\1abcd\0\0\7\x08\0\0\0\5\0\0\0\6"
			 "\1\2\3\4\0\5\6\7\x08\x09\0\x0a"),
		  true, 0, false, 2, 1800, 6 },
		{ "one of v6",
		  PACKET("\0\0\0\1abcd\0\0\7\x08\0\0\0\5\0\0\0\6"
			 "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\5"),
		  false, 0, false, 1, 1800, 6 },
		{ "bytes behind the last",
		  PACKET("\0\0\0\1abcd\0\0\7\x08\0\0\0\5\0\0\0\6"
			 "\1\2\3\4\0\5xyz"),
		  true, 0, false, 1, 1800, 6 },
		{ "port 0",
		  PACKET("\0\0\0\1abcd\0\0\7\x08\0\0\0\5\0\0\0\6"
			 "\1\2\3\4\0\0\1\2\3\4\0\1"),
		  true, 0, false, 1, 1800, 6 },
		{ "numbers below zero", PACKET("\0\0\0\1abcd\xff\xff\xff\xff\0\0\0\5\xff\xff\xff\xfb"), true, 0, false,
		  0, 0, SHOAL_TRACKER_UNKNOWN },
		{ "19 bytes", PACKET("\0\0\0\1abcd\0\0\7\x08\0\0\0\5\0\0\0"), true, SHOAL_ERR_MALFORMED, 0, 0, 0, 0 },
		{ "no", PACKET("\0\0\0\3abcdgo away"), true, 0, true, 0, 0, SHOAL_TRACKER_UNKNOWN },
		{ "no, without a word", PACKET("\0\0\0\3abcd"), true, 0, true, 0, 0, SHOAL_TRACKER_UNKNOWN },
		{ "no, as opentracker says it", PACKET("\0\0\0\1abcd"), true, 0, true, 0, 0, SHOAL_TRACKER_UNKNOWN },
		{ "neither that nor an answer", PACKET("\0\0\0\1abcd\0"), true, SHOAL_ERR_MALFORMED, 0, 0, 0, 0 },
		{ "action 4", PACKET("\0\0\0\4abcd\0\0\7\x08\0\0\0\5\0\0\0\6"), true, SHOAL_ERR_MALFORMED, 0, 0, 0, 0 },
		{ "a connect", PACKET("\0\0\0\0abcd12345678"), true, SHOAL_ERR_MALFORMED, 0, 0, 0, 0 },
		{ "a scrape", PACKET("\0\0\0\2abcd123456789012"), true, SHOAL_ERR_MALFORMED, 0, 0, 0, 0 },
		{ "seven bytes", PACKET("\0\0\0\3abc"), true, SHOAL_ERR_MALFORMED, 0, 0, 0, 0 },
		{ "nothing", PACKET(""), true, SHOAL_ERR_MALFORMED, 0, 0, 0, 0 },
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct shoal_tracker_answer a;
		print_message("%s\n", row[i].why);
		assert_int_equal(shoal_tracker_udp_answer(row[i].in, row[i].v4, &a), row[i].want);
		if (row[i].want < 0)
			continue;
		assert_int_equal(a.failed, row[i].failed);
		assert_int_equal(a.peer_count, row[i].peers);
		assert_int_equal(a.interval, row[i].interval);
		assert_int_equal(a.counts.seeds, row[i].seeds);
	}
}

static void a_crowd_and_a_speech_are_cut(void **state)
{
	(void)state;
	static uint8_t big[65507];
	struct shoal_tracker_answer a;
	memset(big, 1, sizeof big);
	memcpy(big, "\0\0\0\1", 4);
	for (int v4 = 0; v4 < 2; v4++) {
		assert_int_equal(shoal_tracker_udp_answer(shoal_bytes(big, sizeof big), v4, &a), 0);
		assert_int_equal(a.peer_count, SHOAL_TRACKER_PEERS_MAX);
	}
	big[3] = 3;
	assert_int_equal(shoal_tracker_udp_answer(shoal_bytes(big, sizeof big), true, &a), 0);
	assert_int_equal(a.failure.len, SHOAL_TRACKER_TEXT_MAX);
}

static void heads_and_scrapes_at_every_cut(void **state)
{
	(void)state;
	static const char connect[] = "\0\0\0\0\1\2\3\4"
				      "\x11\x22\x33\x44\x55\x66\x77\x88";
	static const char scrape[] = "\0\0\0\2abcd"
				     "\0\0\0\1\0\0\0\2\0\0\0\3"
				     "\0\0\0\4\0\0\0\5\0\0\0\6";
	struct shoal_tracker_udp_head head;
	struct shoal_tracker_counts c[2];
	for (size_t cut = 0; cut < 16; cut++)
		assert_int_equal(shoal_tracker_udp_head(shoal_bytes(connect, cut), &head), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_tracker_udp_head(shoal_bytes(connect, 16), &head), 0);
	assert_true(head.connection == 0x1122334455667788 && head.transaction == 0x01020304);
	for (size_t cut = 0; cut <= 32; cut++) {
		ptrdiff_t want = cut < 8 ? SHOAL_ERR_MALFORMED : (ptrdiff_t)(cut - 8) / 12;
		assert_int_equal(shoal_tracker_udp_scraped(shoal_bytes(scrape, cut), c, 2), want);
	}
	assert_true(c[0].seeds == 1 && c[0].completed == 2 && c[0].leeches == 3 && c[1].leeches == 6);
	assert_int_equal(shoal_tracker_udp_scraped(shoal_bytes(scrape, 32), c, 1), 1);
	assert_int_equal(shoal_tracker_udp_scraped(shoal_bytes(connect, 16), c, 1), SHOAL_ERR_MALFORMED);
}

/* ---- timetables --------------------------------------------------------------------- */

#define T0 SHOAL_S(1000)
struct talk {
	struct shoal_tracker_udp q;
	struct shoal_tracker_udp_id id;
	uint32_t dice;
};

static enum shoal_tracker_udp_step step(struct talk *t, uint64_t second, unsigned sends_max)
{
	return shoal_tracker_udp_step(&t->q, &t->id, ++t->dice, sends_max, T0 + SHOAL_S(second));
}

static enum shoal_tracker_udp_heard hear(struct talk *t, uint64_t second, enum shoal_tracker_udp_action action,
					 uint32_t transaction)
{
	struct shoal_tracker_udp_head head = { action, transaction, 77 };
	return shoal_tracker_udp_heard(&t->q, &t->id, &head, SHOAL_TRACKER_UDP_ANNOUNCE, T0 + SHOAL_S(second));
}

static void silence_is_asked_into_ever_more_rarely(void **state)
{
	(void)state;
	struct talk t = { .dice = 0 };
	uint64_t at = 0;
	uint32_t transaction = 0;
	for (unsigned n = 0; n < 9; n++) { /* BEP 15: 0, 15, 45, 105 ... */
		assert_int_equal(step(&t, at, 9), SHOAL_TRACKER_UDP_DO_CONNECT);
		assert_true(n == 0 || t.q.transaction == transaction); /* a late answer still counts */
		transaction = t.q.transaction;
		assert_int_equal(t.q.due, T0 + SHOAL_S(at + (15u << n)));
		at += 15u << n;
		assert_int_equal(step(&t, at - 1, 9), SHOAL_TRACKER_UDP_DO_WAIT);
	}
	assert_int_equal(step(&t, at, 9), SHOAL_TRACKER_UDP_DO_GIVE_UP);
	struct talk hasty = { .dice = 0 };
	assert_int_equal(step(&hasty, 0, 2), SHOAL_TRACKER_UDP_DO_CONNECT);
	assert_int_equal(step(&hasty, 15, 2), SHOAL_TRACKER_UDP_DO_CONNECT);
	assert_int_equal(step(&hasty, 45, 2), SHOAL_TRACKER_UDP_DO_GIVE_UP);
}

static void announce_times_out_as_in_the_bep(void **state)
{
	(void)state;
	struct talk t = { .dice = 0 };
	assert_int_equal(step(&t, 0, 9), SHOAL_TRACKER_UDP_DO_CONNECT);
	assert_int_equal(hear(&t, 1, SHOAL_TRACKER_UDP_CONNECT, t.q.transaction), SHOAL_TRACKER_UDP_CONNECTED);
	uint32_t connect = t.q.transaction;
	assert_int_equal(step(&t, 2, 9), SHOAL_TRACKER_UDP_DO_ASK);
	assert_int_not_equal(t.q.transaction, connect);
	assert_int_equal(step(&t, 16, 9), SHOAL_TRACKER_UDP_DO_WAIT);
	assert_int_equal(step(&t, 17, 9), SHOAL_TRACKER_UDP_DO_ASK);
	assert_int_equal(step(&t, 47, 9), SHOAL_TRACKER_UDP_DO_ASK);
	assert_int_equal(step(&t, 107, 9), SHOAL_TRACKER_UDP_DO_CONNECT); /* the id is too old by now */
	assert_int_equal(step(&t, 227, 9), SHOAL_TRACKER_UDP_DO_CONNECT);
	assert_int_equal(hear(&t, 228, SHOAL_TRACKER_UDP_CONNECT, t.q.transaction), SHOAL_TRACKER_UDP_CONNECTED);
	assert_int_equal(step(&t, 228, 9), SHOAL_TRACKER_UDP_DO_ASK);
	assert_int_equal(hear(&t, 229, SHOAL_TRACKER_UDP_ANNOUNCE, t.q.transaction), SHOAL_TRACKER_UDP_ANSWERED);
}

static void an_id_serves_for_a_minute(void **state)
{
	(void)state;
	struct talk t = { .id = { 5, T0 } };
	assert_int_equal(step(&t, 59, 9), SHOAL_TRACKER_UDP_DO_ASK);
	struct talk late = { .id = { 5, T0 } };
	assert_int_equal(step(&late, 60, 9), SHOAL_TRACKER_UDP_DO_CONNECT);
}

static void what_does_not_answer_us_is_not_ours(void **state)
{
	(void)state;
	struct talk t = { .dice = 0 };
	assert_int_equal(hear(&t, 0, SHOAL_TRACKER_UDP_CONNECT, 0), SHOAL_TRACKER_UDP_NOT_OURS); /* nothing was asked */
	assert_int_equal(step(&t, 0, 9), SHOAL_TRACKER_UDP_DO_CONNECT);
	assert_int_equal(hear(&t, 1, SHOAL_TRACKER_UDP_CONNECT, t.q.transaction + 1), SHOAL_TRACKER_UDP_NOT_OURS);
	assert_int_equal(hear(&t, 1, SHOAL_TRACKER_UDP_ANNOUNCE, t.q.transaction), SHOAL_TRACKER_UDP_NOT_OURS);
	assert_int_equal(t.id.got, 0);
	assert_int_equal(hear(&t, 1, SHOAL_TRACKER_UDP_CONNECT, t.q.transaction), SHOAL_TRACKER_UDP_CONNECTED);
	assert_true(t.id.connection == 77);
	assert_int_equal(step(&t, 1, 9), SHOAL_TRACKER_UDP_DO_ASK);
	assert_int_equal(hear(&t, 2, SHOAL_TRACKER_UDP_CONNECT, t.q.transaction), SHOAL_TRACKER_UDP_NOT_OURS);
	assert_int_equal(hear(&t, 2, SHOAL_TRACKER_UDP_SCRAPE, t.q.transaction), SHOAL_TRACKER_UDP_NOT_OURS);
	assert_int_equal(hear(&t, 2, SHOAL_TRACKER_UDP_ERROR, t.q.transaction), SHOAL_TRACKER_UDP_ANSWERED);
	assert_int_equal(t.id.got, 0); /* it may be that which it minds */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connect_is_sixteen_bytes),
		cmocka_unit_test(announce_is_98_bytes_and_the_url),
		cmocka_unit_test(long_urls_come_in_options),
		cmocka_unit_test(scrape_asks_for_many),
		cmocka_unit_test(answers_kind_and_hostile),
		cmocka_unit_test(a_crowd_and_a_speech_are_cut),
		cmocka_unit_test(heads_and_scrapes_at_every_cut),
		cmocka_unit_test(silence_is_asked_into_ever_more_rarely),
		cmocka_unit_test(announce_times_out_as_in_the_bep),
		cmocka_unit_test(an_id_serves_for_a_minute),
		cmocka_unit_test(what_does_not_answer_us_is_not_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
