/* test_tracker_http.c - golden URLs, replies kind and hostile, and every cut of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/tracker_http.h"

#define V4 "\x0a\x01\x02\x03\x1a\xe1" /* 10.1.2.3:6881 */
#define V6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x1a\xe2"

static struct shoal_url url_of(const char *text)
{
	struct shoal_url url;
	assert_int_equal(shoal_url_parse(shoal_bytes(text, strlen(text)), &url), 0);
	return url;
}

static struct shoal_tracker_ask ask_of(enum shoal_tracker_event event)
{
	struct shoal_tracker_ask ask = { .uploaded = 1,
					 .downloaded = 22,
					 .left = 333,
					 .event = event,
					 .key = 0xbeef,
					 .num_want = 50,
					 .port = 6881 };
	memcpy(ask.hash.b, "\x12\x34\x56\x78\x9a\xbc\xde\xf1\x23\x45\x67\x89\xab\xcd\xef\x12\x34\x56\x78\x9a", 20);
	memcpy(ask.peer_id.b, "-SH0100-0123456789ab", 20);
	return ask;
}

#define HASH "info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A"
#define REST \
	"&peer_id=-SH0100-0123456789ab&port=6881&uploaded=1&downloaded=22&left=333&numwant=50&key=0000beef&compact=1"

static void the_url_that_announces(void **state)
{
	(void)state;
	static const struct {
		const char *tracker;
		enum shoal_tracker_event event;
		const char *id, *want; /* NULL: REFUSED */
	} row[] = {
		{ "http://t/announce", SHOAL_TRACKER_NONE, "", "http://t:80/announce?" HASH REST },
		{ "http://t", SHOAL_TRACKER_STARTED, "", "http://t:80/?" HASH REST "&event=started" },
		{ "https://t:8/a?passkey=1#f", SHOAL_TRACKER_STOPPED, "",
		  "https://t:8/a?passkey=1&" HASH REST "&event=stopped" },
		{ "http://[2001:db8::1]:6969/a", SHOAL_TRACKER_COMPLETED, "",
		  "http://[2001:db8::1]:6969/a?" HASH REST "&event=completed" },
		{ "http://t/a", SHOAL_TRACKER_PAUSED, "x&\r\n=1",
		  "http://t:80/a?" HASH REST "&event=paused&trackerid=x%26%0D%0A%3D1" },
		/* T04: the tracker's URL may not say our words, in any dress */
		{ "http://t/a?info_hash=x", SHOAL_TRACKER_NONE, "", NULL },
		{ "http://t/a?a=b&left=0", SHOAL_TRACKER_NONE, "", NULL },
		{ "http://t/a?a=b;event=stopped", SHOAL_TRACKER_NONE, "", NULL },
		{ "http://t/a?%70eer_id=x", SHOAL_TRACKER_NONE, "", NULL },
		{ "http://t/a?port", SHOAL_TRACKER_NONE, "", NULL },
		{ "http://t/a?uploads=1&key=2", SHOAL_TRACKER_NONE, "", "http://t:80/a?uploads=1&key=2&" HASH REST },
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct shoal_url url = url_of(row[i].tracker);
		struct shoal_tracker_ask ask = ask_of(row[i].event);
		char out[1024];
		ask.tracker_id = shoal_bytes(row[i].id, strlen(row[i].id));
		print_message("%s\n", row[i].tracker);
		ptrdiff_t n = shoal_tracker_http_announce(&url, &ask, (struct shoal_space){ (uint8_t *)out, 1024 });
		if (row[i].want == NULL) {
			assert_int_equal(n, SHOAL_ERR_REFUSED);
			continue;
		}
		assert_string_equal(out, row[i].want);
		assert_int_equal(n, strlen(row[i].want));
		for (size_t room = 0; room <= (size_t)n; room++)
			assert_int_equal(
				shoal_tracker_http_announce(&url, &ask, (struct shoal_space){ (uint8_t *)out, room }),
				SHOAL_ERR_TOO_LONG);
	}
}

static void a_url_that_would_be_too_long_is_none(void **state)
{
	(void)state;
	char text[SHOAL_URL_MAX + 1], out[2 * SHOAL_URL_MAX];
	struct shoal_tracker_ask ask = ask_of(SHOAL_TRACKER_NONE);
	memset(text, 'a', sizeof text);
	memcpy(text, "http://t/", 9);
	for (size_t len = 1700; len <= SHOAL_URL_MAX; len++) {
		struct shoal_url url;
		assert_int_equal(shoal_url_parse(shoal_bytes(text, len), &url), 0);
		ptrdiff_t n = shoal_tracker_http_announce(&url, &ask,
							  (struct shoal_space){ (uint8_t *)out, sizeof out });
		size_t want = len + sizeof ":80?" HASH REST - 1;
		assert_int_equal(n, want <= SHOAL_URL_MAX ? (ptrdiff_t)want : SHOAL_ERR_TOO_LONG);
	}
}

static void the_url_that_scrapes(void **state)
{
	(void)state;
	static const struct {
		const char *tracker, *want; /* NULL: there is none */
	} row[] = {
		{ "http://t/announce",
		  "http://t:80/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash=bbbbbbbbbbbbbbbbbbbb" },
		{ "http://t/x/announce.php?a=1",
		  "http://t:80/x/scrape.php?a=1&info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash=bbbbbbbbbbbbbbbbbbbb" },
		{ "http://t/announce/x", NULL },
		{ "http://t/xannounce", NULL },
		{ "http://t/a", NULL },
		{ "http://t", NULL },
	};
	struct shoal_id20 hash[2];
	memset(hash[0].b, 'a', 20);
	memset(hash[1].b, 'b', 20);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct shoal_url url = url_of(row[i].tracker);
		char out[512];
		ptrdiff_t n = shoal_tracker_http_scrape(&url, hash, 2, (struct shoal_space){ (uint8_t *)out, 512 });
		print_message("%s\n", row[i].tracker);
		if (row[i].want == NULL)
			assert_int_equal(n, SHOAL_ERR_UNSUPPORTED);
		else
			assert_string_equal(out, row[i].want);
	}
}

/* A reply with all there is. */
static const char full[] = "d8:completei7e10:downloadedi99e11:external ip4:\xc0\x00\x02\x09"
			   "10:incompletei3e8:intervali1800e12:min intervali60e5:peers12:" V4 "\x01\x02\x03\x04\x00\x50"
			   "6:peers618:" V6 "10:tracker id3:abc15:warning message2:hie";
#define FULL (sizeof full - 1)

static void a_full_reply_is_read(void **state)
{
	(void)state;
	struct shoal_tracker_answer a;
	char text[SHOAL_ADDR_TEXT];
	assert_int_equal(shoal_tracker_http_answer(shoal_bytes(full, FULL), &a), 0);
	assert_false(a.failed);
	assert_int_equal(a.interval, 1800);
	assert_int_equal(a.min_interval, 60);
	assert_int_equal(a.counts.seeds, 7);
	assert_int_equal(a.counts.leeches, 3);
	assert_int_equal(a.counts.completed, 99);
	assert_int_equal(a.counts.downloaders, SHOAL_TRACKER_UNKNOWN);
	assert_true(shoal_bytes_equal(a.tracker_id, SHOAL_LIT("abc")));
	assert_true(shoal_bytes_equal(a.warning, SHOAL_LIT("hi")));
	assert_true(a.has_external);
	shoal_addr_format(&a.external, text);
	assert_string_equal(text, "192.0.2.9");
	assert_int_equal(a.peer_count, 3);
	static const char *const want[] = { "[2001:db8::7]:6882", "10.1.2.3:6881", "1.2.3.4:80" };
	for (size_t i = 0; i < 3; i++) {
		shoal_addr_format(&a.peer[i], text);
		assert_string_equal(text, want[i]);
	}
}

static void no_cut_of_it_is_a_reply(void **state)
{
	(void)state;
	struct shoal_tracker_answer a;
	for (size_t cut = 0; cut < FULL; cut++)
		assert_int_equal(shoal_tracker_http_answer(shoal_bytes(full, cut), &a), SHOAL_ERR_MALFORMED);
}

#define TEXT(s)                  \
	{                        \
		s, sizeof(s) - 1 \
	}
static void replies_kind_and_hostile(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		struct {
			const char *at;
			size_t len;
		} body;
		int want;
		size_t peers;
		uint32_t interval;
	} row[] = {
		{ "only an interval", TEXT("d8:intervali900ee"), 0, 0, 900 },
		{ "only peers", TEXT("d5:peers6:" V4 "e"), 0, 1, 0 },
		{ "keys in any order, a newline behind", TEXT("d5:peers6:" V4 "8:intervali9ee\r\n"), 0, 1, 9 },
		{ "dictionaries",
		  TEXT("d8:intervali9e5:peersld2:ip8:10.1.2.37:peer id20:aaaaaaaaaaaaaaaaaaaa"
		       "4:porti1eed2:ip11:2001:db8::74:porti65535eeee"),
		  0, 2, 9 },
		{ "dictionaries that make no sense",
		  TEXT("d5:peersld2:ip9:localhost4:porti1eed2:ip8:10.1.2.34:porti0ee"
		       "d2:ip8:10.1.2.34:porti65536eed2:ip8:10.1.2.34:port2:80e"
		       "d2:ip8:10.1.2.3ei7ed4:porti5eed2:ip7:0x7f.014:porti5eee"
		       "e"),
		  0, 0, 0 },
		{ "a peer without a port", TEXT("d5:peers12:\1\2\3\4\0\0" V4 "e"), 0, 1, 0 },
		{ "a compact list too short", TEXT("d5:peers5:\1\2\3\4\5e"), SHOAL_ERR_MALFORMED, 0, 0 },
		{ "a compact list too long", TEXT("d5:peers7:" V4 "xe"), SHOAL_ERR_MALFORMED, 0, 0 },
		{ "peers6 of v4", TEXT("d6:peers66:" V4 "e"), SHOAL_ERR_MALFORMED, 0, 0 },
		{ "peers that are a number", TEXT("d5:peersi7ee"), 0, 0, 0 },
		{ "a negative interval", TEXT("d8:intervali-1ee"), 0, 0, 0 },
		{ "an interval of ages", TEXT("d8:intervali9223372036854775807ee"), 0, 0, UINT32_MAX - 1 },
		{ "an interval beyond numbers", TEXT("d8:intervali9223372036854775808ee"), SHOAL_ERR_MALFORMED, 0, 0 },
		{ "peers twice", TEXT("d5:peers0:5:peers0:e"), SHOAL_ERR_MALFORMED, 0, 0 },
		{ "a list", TEXT("le"), SHOAL_ERR_MALFORMED, 0, 0 },
		{ "any dictionary", TEXT("d5:helloi1ee"), SHOAL_ERR_MALFORMED, 0, 0 },
		{ "an empty one", TEXT("de"), SHOAL_ERR_MALFORMED, 0, 0 },
		{ "nothing", TEXT(""), SHOAL_ERR_MALFORMED, 0, 0 },
		{ "a web page", TEXT("<!DOCTYPE html>"), SHOAL_ERR_MALFORMED, 0, 0 },
		{ "nested too deep", TEXT("d1:allllllllllleeeeeeeeeee"), SHOAL_ERR_TOO_LONG, 0, 0 },
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct shoal_tracker_answer a;
		print_message("%s\n", row[i].why);
		assert_int_equal(shoal_tracker_http_answer(shoal_bytes(row[i].body.at, row[i].body.len), &a),
				 row[i].want);
		if (row[i].want < 0)
			continue;
		assert_int_equal(a.peer_count, row[i].peers);
		assert_int_equal(a.interval, row[i].interval);
	}
}

static void a_crowd_is_cut(void **state)
{
	(void)state;
	static char body[1 << 20];
	struct shoal_tracker_answer a;
	int n = snprintf(body, sizeof body, "d5:peers%u:", 6u * 100000);
	memset(body + n, 1, 600000);
	memcpy(body + n + 600000, "6:peers60:e", 11);
	assert_int_equal(shoal_tracker_http_answer(shoal_bytes(body, (size_t)n + 600011), &a), 0);
	assert_int_equal(a.peer_count, SHOAL_TRACKER_PEERS_MAX);
	size_t at = (size_t)snprintf(body, sizeof body, "d5:peersl");
	for (unsigned i = 0; i < 20000; i++)
		at += (size_t)snprintf(body + at, sizeof body - at, "d2:ip7:1.2.3.44:porti%uee", i + 1);
	memcpy(body + at, "ee", 2);
	assert_int_equal(shoal_tracker_http_answer(shoal_bytes(body, at + 2), &a), 0);
	assert_int_equal(a.peer_count, SHOAL_TRACKER_PEERS_MAX);
}

static void no_is_no(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		uint32_t minutes;
		bool never;
	} row[] = {
		{ "d14:failure reason2:noe", 0, false },
		{ "d14:failure reason2:no8:retry ini5ee", 5, false },
		{ "d14:failure reason2:no8:retry in1:5e", 5, false },
		{ "d14:failure reason2:no8:retry in5:nevere", 0, true },
		{ "d14:failure reason2:no8:retry in7:9999999e", 0, false },
		{ "d14:failure reason2:no8:retry ini-5ee", 0, false },
		{ "d14:failure reason2:no5:peers7:1234567e", 0, false },
	};
	struct shoal_tracker_answer a;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		assert_int_equal(shoal_tracker_http_answer(shoal_bytes(row[i].body, strlen(row[i].body)), &a), 0);
		assert_true(a.failed);
		assert_true(shoal_bytes_equal(a.failure, SHOAL_LIT("no")));
		assert_int_equal(a.retry_minutes, row[i].minutes);
		assert_int_equal(a.retry_never, row[i].never);
	}
	char body[1100];
	int n = snprintf(body, sizeof body, "d14:failure reason1000:%01000de", 7);
	assert_int_equal(shoal_tracker_http_answer(shoal_bytes(body, (size_t)n), &a), 0);
	assert_int_equal(a.failure.len, SHOAL_TRACKER_TEXT_MAX);
}

static void scrapes_are_read(void **state)
{
	(void)state;
	/* BEP 48's own, and a neighbour of BEP 21 */
	static const char body[] =
		"d5:filesd20:xxxxxxxxxxxxxxxxxxxxd8:completei11e10:downloadedi13772e10:incompletei19ee"
		"20:yyyyyyyyyyyyyyyyyyyyd8:completei-1e11:downloadersi2e10:incompletei4eeee";
	struct shoal_id20 x, y, z;
	struct shoal_tracker_counts c;
	memset(x.b, 'x', 20);
	memset(y.b, 'y', 20);
	memset(z.b, 'z', 20);
	struct shoal_bytes in = shoal_bytes(body, sizeof body - 1);
	assert_int_equal(shoal_tracker_http_scraped(in, &x, &c), 0);
	assert_int_equal(c.seeds, 11);
	assert_int_equal(c.leeches, 19);
	assert_int_equal(c.completed, 13772);
	assert_int_equal(shoal_tracker_http_scraped(in, &y, &c), 0);
	assert_int_equal(c.seeds, SHOAL_TRACKER_UNKNOWN);
	assert_int_equal(c.downloaders, 2);
	assert_int_equal(shoal_tracker_http_scraped(in, &z, &c), SHOAL_ERR_GONE);
	assert_int_equal(shoal_tracker_http_scraped(SHOAL_LIT("d14:failure reason2:noe"), &x, &c), SHOAL_ERR_REFUSED);
	assert_int_equal(shoal_tracker_http_scraped(SHOAL_LIT("d5:filesi1ee"), &x, &c), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_tracker_http_scraped(SHOAL_LIT("d5:filesd20:xxxxxxxxxxxxxxxxxxxxi1eee"), &x, &c),
			 SHOAL_ERR_MALFORMED);
	for (size_t cut = 0; cut < in.len; cut++)
		assert_int_equal(shoal_tracker_http_scraped(shoal_bytes(body, cut), &x, &c), SHOAL_ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_url_that_announces),  cmocka_unit_test(a_url_that_would_be_too_long_is_none),
		cmocka_unit_test(the_url_that_scrapes),	   cmocka_unit_test(a_full_reply_is_read),
		cmocka_unit_test(no_cut_of_it_is_a_reply), cmocka_unit_test(replies_kind_and_hostile),
		cmocka_unit_test(a_crowd_is_cut),	   cmocka_unit_test(no_is_no),
		cmocka_unit_test(scrapes_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
