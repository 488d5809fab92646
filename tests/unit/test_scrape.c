/* test_scrape.c - one tracker asked for its counts: HTTP, UDP, both families, refusals, and where strangers may not send us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "swarm/core/announce.h"
#include "tests/unit/own_trackers.h"

#define HASH "aaaaaaaaaaaaaaaaaaaa"
#define COUNTS(n) "d5:filesd20:" HASH "d8:completei" n "e10:downloadedi70e10:incompletei2eeee"
#define SAYS(w, a, body) own_answer(w, a, "", body, sizeof(body) - 1)

static int scrape(struct own_trackers *w, const char *url, unsigned flags)
{
	struct shoal_op op = { .kind = SHOAL_OP_SCRAPE,
			       .ticket = 9,
			       .flags = flags,
			       .text = shoal_bytes(url, strlen(url)),
			       .data = SHOAL_LIT(HASH) };
	int rc = shoal_node_do(w->node, &op, w->now);
	own_trackers_tick(w);
	return rc;
}

static void http_is_asked_in_both_families_and_the_larger_count_stands(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	assert_int_equal(scrape(&w, "http://t.example/secret/announce?k=1", 0), 0);
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 2);
	struct own_ask *v4 = own_ask(&w, OWN_FETCH, 0);
	assert_int_equal(v4->flags, SHOAL_FETCH_V4);
	assert_int_equal(own_ask(&w, OWN_FETCH, 1)->flags, SHOAL_FETCH_V6);
	assert_true(v4->timeout > SHOAL_ANNOUNCE_STOP); /* it is no goodbye */
	assert_string_equal(v4->text, "http://t.example:80/secret/scrape?k=1&info_hash=" HASH);
	SAYS(&w, v4, COUNTS("5"));
	assert_int_equal(w.scrapes, 0);
	SAYS(&w, own_ask(&w, OWN_FETCH, 0), COUNTS("9"));
	assert_int_equal(w.scrapes, 1);
	assert_int_equal(w.scraped.err, 0);
	assert_int_equal(w.scraped.ticket, 9);
	assert_int_equal(w.scraped.stats.seeds, 9);
	assert_int_equal(w.scraped.stats.peers, 2);
	assert_int_equal(w.scraped.index, 70);
	assert_string_equal(w.last_text, "http://t.example:80"); /* no secrets */
	own_trackers_run(&w, SHOAL_S(7200));
	assert_int_equal(w.asks, 2); /* once is once */
	assert_int_equal(w.told, 0);
	own_trackers_close(&w);
}

static void one_family_that_answers_is_enough(void **state)
{
	static const char absent[] = "d5:filesdee";
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	assert_int_equal(scrape(&w, "http://t.example/announce", 0), 0);
	own_fail(&w, own_ask(&w, OWN_FETCH, 0), SHOAL_ERR_NET, 0, 0);
	SAYS(&w, own_ask(&w, OWN_FETCH, 0), "d5:filesd20:" HASH "d8:completei1eeee");
	assert_int_equal(w.scraped.err, 0);
	assert_int_equal(w.scraped.stats.seeds, 1);
	assert_int_equal(w.scraped.stats.peers, SHOAL_TRACKER_UNKNOWN);
	assert_int_equal(w.scraped.index, SHOAL_TRACKER_UNKNOWN);
	/* And so it is for one that does not know the torrent. */
	assert_int_equal(scrape(&w, "http://t.example/announce", 0), 0);
	own_fail(&w, own_ask(&w, OWN_FETCH, 0), SHOAL_ERR_NET, 0, 0);
	SAYS(&w, own_ask(&w, OWN_FETCH, 0), absent);
	assert_int_equal(w.scraped.err, SHOAL_ERR_GONE);
	assert_int_equal(w.scrapes, 2);
	own_trackers_close(&w);
}

static void what_comes_instead_of_counts_is_told(void **state)
{
	static const struct {
		const char *body;
		int http, err, want;
		const char *words;
	} cases[] = {
		{ "d14:failure reason7:go awaye", 200, 0, SHOAL_ERR_REFUSED, "go away" },
		{ "d14:failure reason7:go awaye", 400, 0, SHOAL_ERR_REFUSED, "go away" },
		{ "<html>", 200, 0, SHOAL_ERR_MALFORMED, "" },
		{ "<html>", 404, 0, SHOAL_ERR_UNSUPPORTED, "" },
		{ "<html>", 503, 0, SHOAL_ERR_REFUSED, "" },
		{ "d8:intervali60e5:peers0:e", 200, 0, SHOAL_ERR_MALFORMED, "" }, /* it took us for a peer */
		{ "", 0, SHOAL_ERR_TIMEOUT, SHOAL_ERR_TIMEOUT, "" },
		{ "", 0, SHOAL_ERR_REFUSED, SHOAL_ERR_DENIED, "" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct own_trackers w;
		print_message("%s %d\n", cases[i].body, cases[i].http);
		own_trackers_open(&w);
		assert_int_equal(scrape(&w, "http://151.1.1.9/announce", 0), 0);
		struct own_ask *a = own_ask(&w, OWN_FETCH, 0);
		shoal_node_fetch_data(w.node, a->cookie, 0, shoal_bytes(cases[i].body, strlen(cases[i].body)), w.now);
		own_fail(&w, a, cases[i].err, cases[i].http, 0);
		assert_int_equal(w.scrapes, 1);
		assert_int_equal(w.scraped.err, cases[i].want);
		assert_string_equal(w.last_name, cases[i].words);
		own_trackers_close(&w);
	}
}

static void udp_connects_and_asks(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	assert_int_equal(scrape(&w, "udp://t.example:80/announce", 0), 0);
	own_resolve(&w, own_ask(&w, OWN_RESOLVE, 0), 0, (const char *[]){ "151.1.1.9" }, 1);
	struct own_ask *a = own_ask(&w, OWN_DATAGRAM, 0);
	assert_int_equal(a->len, SHOAL_TRACKER_UDP_CONNECT_BYTES);
	own_udp(&w, a, 0, "", 0);
	a = own_ask(&w, OWN_DATAGRAM, 0);
	assert_int_equal(a->len, 36);
	assert_int_equal(a->text[11], SHOAL_TRACKER_UDP_SCRAPE);
	assert_memory_equal(a->text + 16, HASH, 20);
	own_udp(&w, a, 71, "", 0);
	assert_int_equal(w.scrapes, 1);
	assert_int_equal(w.scraped.err, 0);
	assert_int_equal(w.scraped.stats.seeds, 3);
	assert_int_equal(w.scraped.stats.peers, 4);
	assert_int_equal(w.scraped.index, 71);
	own_trackers_close(&w);
}

static void udp_answers_that_are_none(void **state)
{
	static const struct {
		const char *tail;
		size_t len;
		int want;
	} cases[] = {
		{ "\0\0\0\3TTTTno way", 14, SHOAL_ERR_REFUSED },
		{ "\0\0\0\2TTTT", 8, SHOAL_ERR_GONE },
		{ "\0\0\0\2TTTT\0\0\0\1\0\0\0\2\0\0\0", 19, SHOAL_ERR_GONE },
		{ "\0\0\0\1TTTT\0\0\0\1\0\0\0\2\0\0\0\3", 20, 1 },		   /* not what was asked: not heard */
		{ "\0\0\0\2XXXX\0\0\0\1\0\0\0\2\0\0\0\3", 20, 1 },		   /* not our question */
		{ "\0\0\0\2TTTT\xff\xff\xff\xff\0\0\0\2\xff\xff\xff\xff", 20, 0 }, /* signed nonsense: not said */
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct own_trackers w;
		uint8_t packet[64];
		own_trackers_open(&w);
		assert_int_equal(scrape(&w, "udp://151.1.1.9:80", 0), 0);
		own_udp(&w, own_ask(&w, OWN_DATAGRAM, 0), 0, "", 0);
		struct own_ask *a = own_ask(&w, OWN_DATAGRAM, 0);
		memcpy(packet, cases[i].tail, cases[i].len);
		if (packet[4] == 'T')
			memcpy(packet + 4, a->text + 12, 4);
		struct shoal_addr from = a->to, other = own_addr("151.1.1.8:80");
		shoal_node_datagram(w.node, &other, shoal_bytes(packet, cases[i].len), false, w.now);
		own_trackers_tick(&w);
		assert_int_equal(w.scrapes, 0); /* somebody else says so */
		shoal_node_datagram(w.node, &from, shoal_bytes(packet, cases[i].len), false, w.now);
		own_trackers_tick(&w);
		assert_int_equal(w.scrapes, cases[i].want <= 0);
		assert_int_equal(w.scraped.err, cases[i].want <= 0 ? cases[i].want : 0);
		if (i == 5)
			assert_int_equal(w.scraped.stats.seeds, SHOAL_TRACKER_UNKNOWN);
		own_trackers_close(&w); /* the unanswered ones end with the node */
	}
}

static void silence_has_an_end(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	assert_int_equal(scrape(&w, "udp://151.1.1.9:80", 0), 0);
	own_trackers_run(&w, SHOAL_S(46));
	assert_int_equal(w.scrapes, 1);
	assert_int_equal(w.scraped.err, SHOAL_ERR_TIMEOUT);
	assert_int_equal(own_asks_open(&w, OWN_DATAGRAM), 2);
	own_trackers_close(&w);
}

static void strangers_do_not_send_us_home(void **state)
{
	static const char *const urls[] = { "udp://127.0.0.1:80", "udp://10.1.1.1:80", "udp://[::1]:80",
					    "udp://[::ffff:7f00:1]:80", "udp://169.254.1.1:80" };
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	for (unsigned i = 0; i < sizeof urls / sizeof *urls; i++) {
		assert_int_equal(scrape(&w, urls[i], 0), 0);
		assert_int_equal(w.scrapes, i + 1);
		assert_int_equal(w.scraped.err, SHOAL_ERR_DENIED);
	}
	assert_int_equal(scrape(&w, "udp://t.example:80", 0), 0);
	own_resolve(&w, own_ask(&w, OWN_RESOLVE, 0), 0, (const char *[]){ "127.0.0.1" }, 1);
	assert_int_equal(w.scraped.err, SHOAL_ERR_DENIED);
	assert_int_equal(own_asks_open(&w, OWN_DATAGRAM), 0);
	/* What the user names may lie anywhere. */
	assert_int_equal(scrape(&w, "udp://127.0.0.1:80", SHOAL_SCRAPE_TRUSTED), 0);
	assert_int_equal(own_asks_open(&w, OWN_DATAGRAM), 1);
	assert_int_equal(scrape(&w, "http://127.0.0.1/announce", SHOAL_SCRAPE_TRUSTED), 0);
	assert_int_equal(own_ask(&w, OWN_FETCH, 0)->flags, SHOAL_FETCH_TRUSTED);
	assert_int_equal(scrape(&w, "http://127.0.0.1/announce", 0), 0);
	assert_int_equal(own_ask(&w, OWN_FETCH, 1)->flags, 0); /* http_curl refuses it */
	own_trackers_close(&w);
}

static void what_cannot_be_asked_and_how_many_at_a_time(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	assert_int_equal(scrape(&w, "http://151.1.1.9/a", 0), 0); /* no place for it, by BEP 48 */
	assert_int_equal(w.scraped.err, SHOAL_ERR_UNSUPPORTED);
	assert_int_equal(scrape(&w, "wss://t.example", 0), SHOAL_ERR_UNSUPPORTED);
	assert_int_equal(scrape(&w, "http://", 0), SHOAL_ERR_MALFORMED);
	struct shoal_op op = { .kind = SHOAL_OP_SCRAPE,
			       .text = SHOAL_LIT("http://t/announce"),
			       .data = SHOAL_LIT("x") };
	assert_int_equal(shoal_node_do(w.node, &op, w.now), SHOAL_ERR_USAGE);
	for (unsigned i = 0; i < SHOAL_ANNOUNCE_HOST_ASKS; i++)
		assert_int_equal(scrape(&w, "http://151.1.1.9/announce", 0), 0);
	assert_int_equal(scrape(&w, "http://151.1.1.9/announce", 0), SHOAL_ERR_BUSY);
	assert_int_equal(scrape(&w, "http://151.1.1.8/announce", 0), 0);
	SAYS(&w, own_ask(&w, OWN_FETCH, 0), COUNTS("1"));
	assert_int_equal(scrape(&w, "http://151.1.1.9/announce", 0), 0);
	own_trackers_close(&w); /* and all is given back while they are under way */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_is_asked_in_both_families_and_the_larger_count_stands),
		cmocka_unit_test(one_family_that_answers_is_enough),
		cmocka_unit_test(what_comes_instead_of_counts_is_told),
		cmocka_unit_test(udp_connects_and_asks),
		cmocka_unit_test(udp_answers_that_are_none),
		cmocka_unit_test(silence_has_an_end),
		cmocka_unit_test(strangers_do_not_send_us_home),
		cmocka_unit_test(what_cannot_be_asked_and_how_many_at_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
