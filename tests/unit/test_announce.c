/* test_announce.c - who is asked when: tiers, events, failures, floods, goodbyes, and where strangers may not send us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/reach.h"
#include "swarm/core/announce.h"
#include "tests/unit/own_trackers.h"

#define NOBODY "d8:intervali1800e5:peers0:e"
#define SAYS(w, a, body) own_answer(w, a, "", body, sizeof(body) - 1)

static bool says(const struct own_ask *a, const char *words)
{
	return strstr(a->text, words) != NULL;
}

/* ---- one tracker ------------------------------------------------------------------------ */

static void both_families_hear_of_it_and_of_each_event(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	struct shoal_swarm *s = own_trackers_magnet(&w, 1, false, "http://t.example/secret/announce\0");
	own_trackers_tick(&w);
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 2);
	struct own_ask *v4 = own_ask(&w, OWN_FETCH, 0), *v6 = own_ask(&w, OWN_FETCH, 1);
	assert_int_equal(v4->flags, SHOAL_FETCH_V4); /* not trusted */
	assert_int_equal(v6->flags, SHOAL_FETCH_V6);
	assert_string_equal(v4->text, v6->text);
	assert_true(says(v4, "http://t.example:80/secret/announce?info_hash=%00%00"));
	assert_true(says(v4, "&port=6881&uploaded=0&downloaded=0&left=16384&numwant=200&key="));
	assert_true(says(v4, "&event=started"));
	SAYS(&w, v4, NOBODY);
	assert_int_equal(w.told, 0); /* not before both have ended */
	own_fail(&w, own_ask(&w, OWN_FETCH, 0), SHOAL_ERR_NET, 0, 0);
	assert_int_equal(w.told, 1);
	assert_int_equal(w.last.err, 0); /* one of the two is enough */
	assert_string_equal(w.last_text, "http://t.example:80");

	/* Nobody was there: sooner than in half an hour, and no event any more. */
	own_trackers_run(&w, SHOAL_S(299));
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 0);
	own_trackers_run(&w, SHOAL_S(2));
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 2);
	assert_false(says(own_ask(&w, OWN_FETCH, 0), "event="));
	SAYS(&w, own_ask(&w, OWN_FETCH, 0), NOBODY);
	SAYS(&w, own_ask(&w, OWN_FETCH, 0), NOBODY);

	shoal_announce_stop(s, w.now);
	assert_false(shoal_announce_stopped(s));
	own_trackers_tick(&w);
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 2);
	assert_true(says(own_ask(&w, OWN_FETCH, 0), "&numwant=0&"));
	assert_true(says(own_ask(&w, OWN_FETCH, 0), "&event=stopped"));
	assert_true(own_ask(&w, OWN_FETCH, 0)->timeout <= SHOAL_ANNOUNCE_STOP);
	SAYS(&w, own_ask(&w, OWN_FETCH, 0), NOBODY);
	SAYS(&w, own_ask(&w, OWN_FETCH, 0), NOBODY);
	assert_true(shoal_announce_stopped(s));
	own_trackers_run(&w, SHOAL_S(7200));
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 0);
	own_trackers_close(&w);
}

/* As if all of it were here. */
static void becomes_complete(struct own_trackers *w, struct shoal_swarm *s)
{
	s->verified_bytes = s->size;
	shoal_announce_complete(s, w->now);
	own_trackers_tick(w);
}

static void completion_is_told_once_and_before_goodbye(void **state)
{
	struct own_trackers w;
	(void)state;
	for (int when = 0; when < 3; when++) {
		own_trackers_open(&w);
		struct shoal_swarm *s = own_trackers_torrent(&w, "ll20:http://151.1.1.9/a?bee", false);
		struct own_ask *a = own_ask(&w, OWN_FETCH, 0);
		assert_int_equal(own_asks_open(&w, OWN_FETCH), 1); /* an address has one family */
		assert_true(says(a, "left=1000&"));
		if (when == 0) /* while the first question is under way */
			becomes_complete(&w, s);
		SAYS(&w, own_ask(&w, OWN_FETCH, 0), NOBODY);
		if (when > 0)
			becomes_complete(&w, s);
		if (when == 2) /* and at once we are to leave */
			shoal_announce_stop(s, w.now);
		own_trackers_run(&w, SHOAL_MS(5));
		assert_int_equal(own_asks_open(&w, OWN_FETCH), 1);
		assert_true(says(own_ask(&w, OWN_FETCH, 0), "&left=0&"));
		assert_true(says(own_ask(&w, OWN_FETCH, 0), "&event=completed"));
		if (when == 1) /* or while the good news are under way */
			shoal_announce_stop(s, w.now);
		own_trackers_run(&w, SHOAL_MS(5));
		SAYS(&w, own_ask(&w, OWN_FETCH, 0), NOBODY);
		own_trackers_run(&w, SHOAL_MS(100));
		if (when == 0) {
			assert_int_equal(own_asks_open(&w, OWN_FETCH), 0);
			shoal_announce_stop(s, w.now);
			own_trackers_run(&w, SHOAL_MS(100));
		}
		assert_int_equal(own_asks_open(&w, OWN_FETCH), 1);
		assert_true(says(own_ask(&w, OWN_FETCH, 0), "&event=stopped"));
		SAYS(&w, own_ask(&w, OWN_FETCH, 0), NOBODY);
		assert_true(shoal_announce_stopped(s));
		own_trackers_close(&w);
	}
}

static void a_goodbye_waits_for_nobody_long(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	struct shoal_swarm *s = own_trackers_torrent(&w, "ll20:http://151.1.1.9/a?bee", false);
	SAYS(&w, own_ask(&w, OWN_FETCH, 0), NOBODY);
	shoal_announce_stop(s, w.now);
	own_trackers_run(&w, SHOAL_ANNOUNCE_STOP - SHOAL_MS(10));
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 1);
	assert_false(shoal_announce_stopped(s));
	own_trackers_run(&w, SHOAL_MS(20));
	assert_true(shoal_announce_stopped(s));
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 0); /* called off */
	own_trackers_close(&w);

	/* Who was never told need not be told. */
	own_trackers_open(&w);
	s = own_trackers_torrent(&w, "ll20:http://151.1.1.9/a?bee", false);
	shoal_announce_stop(s, w.now);
	assert_true(shoal_announce_stopped(s));
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 0);
	own_trackers_close(&w);
}

static void intervals_are_made_sensible(void **state)
{
	static const struct {
		const char *body;
		uint64_t least, most; /* seconds until the next time */
	} row[] = {
		{ "d8:intervali0e5:peers6:\x01\x02\x03\x04\x1a\xe1"
		  "e",
		  300, 300 },
		{ "d8:intervali1e5:peers0:e", 60, 67 },
		{ "d8:intervali-5e5:peers0:e", 300, 300 },
		{ "d8:intervali2147483648e5:peers0:e", 300, 300 },
		{ "d8:intervali90e5:peers0:e", 90, 99 },
		{ "d8:intervali900e12:min intervali600e5:peers0:e", 600, 600 },
		{ "d8:intervali900e12:min intervali4294967295e5:peers0:e", 900, 960 },
		{ "d5:peers0:e", 300, 300 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct own_trackers w;
		own_trackers_open(&w);
		own_trackers_torrent(&w, "ll20:http://151.1.1.9/a?bee", false);
		struct own_ask *a = own_ask(&w, OWN_FETCH, 0);
		print_message("%s\n", row[i].body);
		own_answer(&w, a, "", row[i].body, strlen(row[i].body));
		assert_in_range(w.last.total, row[i].least - 1, row[i].most);
		own_trackers_run(&w, SHOAL_S(row[i].least - 1));
		assert_int_equal(own_asks_open(&w, OWN_FETCH), 0);
		own_trackers_run(&w, SHOAL_S(row[i].most - row[i].least + 2));
		assert_int_equal(own_asks_open(&w, OWN_FETCH), 1);
		own_trackers_close(&w);
	}
}

static void a_no_is_taken_and_waits_grow(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	own_trackers_torrent(&w, "ll20:http://151.1.1.9/a?bee", false);
	shoal_us wait = SHOAL_S(15);
	for (int i = 0; i < 12; i++) {
		SAYS(&w, own_ask(&w, OWN_FETCH, 0), "d14:failure reason9:go\x1b away!e");
		assert_int_equal(w.last.err, SHOAL_ERR_REFUSED);
		assert_string_equal(w.last_name, "go\x1b away!");
		own_trackers_run(&w, wait - SHOAL_S(1));
		assert_int_equal(own_asks_open(&w, OWN_FETCH), 0);
		own_trackers_run(&w, wait / 4 + SHOAL_S(2));
		assert_int_equal(own_asks_open(&w, OWN_FETCH), 1);
		wait = wait * 2 < SHOAL_S(3600) ? wait * 2 : SHOAL_S(3600);
	}
	assert_non_null(strstr(w.warnings, "the tracker does not answer: http://151.1.1.9:80: refused: go"));
	assert_null(strstr(strstr(w.warnings, "does not answer") + 1, "does not answer")); /* once */
	SAYS(&w, own_ask(&w, OWN_FETCH, 0), "d14:failure reason2:no8:retry in3:100e");
	own_trackers_run(&w, SHOAL_S(5999));
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 0);
	own_trackers_run(&w, SHOAL_S(2));
	own_fail(&w, own_ask(&w, OWN_FETCH, 0), 0, 503, 10000);
	own_trackers_run(&w, SHOAL_S(9999));
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 0);
	own_trackers_run(&w, SHOAL_S(2));
	SAYS(&w, own_ask(&w, OWN_FETCH, 0), "d14:failure reason2:no8:retry in5:nevere");
	own_trackers_run(&w, SHOAL_S(100 * 3600));
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 0);
	own_trackers_close(&w);
}

static void an_endless_answer_is_cut(void **state)
{
	static uint8_t flood[3 << 20];
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	own_trackers_torrent(&w, "ll20:http://151.1.1.9/a?bee", false);
	struct own_ask *a = own_ask(&w, OWN_FETCH, 0);
	uint64_t cookie = a->cookie;
	size_t most = 0;
	for (size_t at = 0; at < sizeof flood; at += 10000) {
		shoal_node_fetch_data(w.node, cookie, at, shoal_bytes(flood + at, 10000), w.now);
		most = w.budget.used > most ? w.budget.used : most;
	}
	assert_true(w.ask[0].stopped);
	assert_true(most <= w.used_before + (2u << 20)); /* and it was charged */
	own_trackers_tick(&w);
	assert_int_equal(w.last.err, SHOAL_ERR_TOO_LONG);
	own_trackers_close(&w);
}

/* ---- tiers ------------------------------------------------------------------------------ */

static void tiers_are_asked_each_one_of_them_at_a_time(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	/* { a, b, c }, { d } */
	own_trackers_torrent(
		&w, "ll18:http://151.1.1.1/a18:http://151.1.1.2/b18:http://151.1.1.3/cel18:http://151.1.1.4/dee",
		false);
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 2);
	unsigned first = says(own_ask(&w, OWN_FETCH, 0), "1.4:") ? 1 : 0;
	SAYS(&w, own_ask(&w, OWN_FETCH, 1 - first), NOBODY); /* d is fine */
	char order[2][64];
	for (int i = 0; i < 2; i++) { /* of the others two fail, each asked at once */
		own_trackers_run(&w, SHOAL_MS(10));
		assert_int_equal(own_asks_open(&w, OWN_FETCH), 1);
		snprintf(order[i], sizeof order[i], "%.18s", own_ask(&w, OWN_FETCH, 0)->text);
		own_fail(&w, own_ask(&w, OWN_FETCH, 0), SHOAL_ERR_TIMEOUT, 0, 0);
	}
	own_trackers_run(&w, SHOAL_MS(10));
	struct own_ask *good = own_ask(&w, OWN_FETCH, 0);
	assert_false(says(good, order[0]) || says(good, order[1]));
	char name[64];
	snprintf(name, sizeof name, "%.18s", good->text);
	SAYS(&w, good, NOBODY);
	assert_null(strstr(w.warnings, "answers"));
	/* The one that answered is asked first from now on, and it knows us already. */
	own_trackers_run(&w, SHOAL_S(310));
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 2);
	unsigned again = says(own_ask(&w, OWN_FETCH, 0), "1.4:") ? 1 : 0;
	assert_true(says(own_ask(&w, OWN_FETCH, again), name));
	assert_false(says(own_ask(&w, OWN_FETCH, again), "event=started"));
	own_trackers_close(&w);
}

static void the_order_in_a_tier_is_by_chance(void **state)
{
	unsigned first[4] = { 0 };
	(void)state;
	struct own_trackers w;
	own_trackers_open(&w);
	for (uint32_t i = 0; i < 60; i++) {
		struct shoal_swarm *s = own_trackers_torrent(
			&w, "ll18:http://151.1.1.1/a18:http://151.1.1.2/a18:http://151.1.1.3/aee", false);
		struct own_ask *a = own_ask(&w, OWN_FETCH, 0);
		first[a->text[15] - '0']++;
		struct shoal_op op = { .kind = SHOAL_OP_REMOVE, .torrent = s->handle };
		assert_int_equal(shoal_node_do(w.node, &op, w.now), 0);
		own_trackers_run(&w, SHOAL_MS(10));
		assert_null(w.node->swarms);
	}
	for (int i = 1; i <= 3; i++)
		assert_in_range(first[i], 8, 35);
	own_trackers_close(&w);
}

static void a_hybrid_is_told_under_both_hashes(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	own_trackers_magnet(&w, 0x41, true, "http://151.1.1.9/a\0");
	own_trackers_tick(&w);
	assert_int_equal(own_asks_open(&w, OWN_FETCH), 2);
	assert_true(says(own_ask(&w, OWN_FETCH, 0), "%00A&") != says(own_ask(&w, OWN_FETCH, 1), "%00A&"));
	own_trackers_close(&w);
}

static void lists_of_strangers_are_bounded(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	struct shoal_swarm *s = own_trackers_magnet(&w, 5, false,
						    "http://151.1.1.1/a\0http://151.1.1.1/a\0ftp://x/\0"
						    "http://127.1/\0udp://h\0http://151.1.1.1/a?info_hash=1\0");
	assert_int_equal(s->announce->tracker_count, 2); /* the twin and the nonsense left out */
	for (unsigned i = 0; i < 1000; i++) {
		char url[64];
		int len = snprintf(url, sizeof url, "http://151.3.%u.%u/a", i / 250, i % 250 + 1);
		int rc = shoal_announce_user(s, shoal_bytes(url, (size_t)len), w.now);
		assert_int_equal(rc, i < SHOAL_ANNOUNCE_TRACKERS - 2 ? 0 : SHOAL_ERR_RANGE);
	}
	assert_int_equal(s->announce->tier_count, SHOAL_ANNOUNCE_TIERS);
	own_trackers_tick(&w);
	assert_in_range(own_asks_open(&w, OWN_FETCH), 30, 33);
	own_trackers_close(&w);
}

/* ---- many ------------------------------------------------------------------------------- */

static struct {
	unsigned answered;
	unsigned by_second[8000];
	shoal_us from;
} crowd;

/* Each question is answered 50 ms after it came. */
static shoal_us answer_in_50_ms(struct own_trackers *w)
{
	shoal_us next = SHOAL_NEVER;
	for (size_t i = 0; i < w->asks; i++) {
		struct own_ask *a = &w->ask[i];
		if (a->answered || a->kind != OWN_FETCH)
			continue;
		if (a->at + SHOAL_MS(50) > w->now) {
			next = shoal_min_u64(next, a->at + SHOAL_MS(50));
			continue;
		}
		struct shoal_fetched how = { .status = 200 };
		uint64_t cookie = a->cookie;
		size_t second = (a->at - crowd.from) / SHOAL_S(1);
		a->answered = true;
		w->under_way--;
		crowd.answered++;
		crowd.by_second[second < 7999 ? second : 7999]++;
		shoal_node_fetch_data(w->node, cookie, 0, SHOAL_LIT(NOBODY), w->now);
		shoal_node_fetch_end(w->node, cookie, &how, w->now);
		next = w->now;
	}
	return next;
}

static void a_crowd_of_torrents_does_not_ask_at_once(void **state)
{
	struct own_trackers w;
	/* Each step of a node looks at all its torrents, so ten thousand take half a minute. */
	const unsigned n = getenv("SHOAL_LONG") ? 10000 : getenv("SHOAL_SHORT") ? 300 : 1500;
	(void)state;
	own_trackers_open(&w);
	memset(&crowd, 0, sizeof crowd);
	crowd.from = w.now;
	w.forget = true;
	for (uint32_t i = 0; i < n; i++) {
		char text[160];
		int len = snprintf(text, sizeof text, "magnet:?xt=urn:btih:%040x&tr=http://151.1.1.9/a", i + 1);
		struct shoal_op op = { .kind = SHOAL_OP_ADD,
				       .text = shoal_bytes(text, (size_t)len),
				       .folder = SHOAL_LIT("/x") };
		assert_int_equal(shoal_node_do(w.node, &op, w.now), 0);
	}
	size_t each = (w.budget.used - w.used_before) / n;
	print_message("%zu bytes of the budget for each\n", each);
	assert_true(each < 4096);
	w.rule = answer_in_50_ms;
	own_trackers_run(&w, SHOAL_MS((shoal_us)n * 50 / SHOAL_ANNOUNCE_HOST_ASKS + n + 1000));
	assert_int_equal(crowd.answered, n); /* each once, and all within their time */
	assert_int_equal(w.most, SHOAL_ANNOUNCE_HOST_ASKS);
	for (size_t i = 0; i < 300; i++)
		assert_true(crowd.by_second[i] <= SHOAL_ANNOUNCE_HOST_ASKS * 21);
	own_trackers_close(&w);
}

static void a_dead_host_is_not_asked_by_all(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	for (uint32_t i = 0; i < 1000; i++)
		own_trackers_magnet(&w, i + 1, false, "udp://151.1.1.9:1/a\0");
	own_trackers_run(&w, SHOAL_S(3600));
	print_message("%zu packets into silence in an hour\n", w.asks);
	assert_in_range(w.asks, 2 * SHOAL_ANNOUNCE_HOST_ASKS, 300);
	own_trackers_close(&w);
}

/* ---- UDP -------------------------------------------------------------------------------- */

static void udp_asks_in_both_families_and_keeps_the_id(void **state)
{
	static const char *const ips[] = { "151.1.1.9", "2606:4700::9", "151.1.1.10" };
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	struct shoal_swarm *s = own_trackers_magnet(&w, 1, false, "udp://T.example:7/x?y\0");
	own_trackers_tick(&w);
	assert_string_equal(own_ask(&w, OWN_RESOLVE, 0)->text, "t.example");
	own_resolve(&w, own_ask(&w, OWN_RESOLVE, 0), 0, ips, 3);
	assert_int_equal(own_asks_open(&w, OWN_DATAGRAM), 2);
	struct own_ask v4 = *own_ask(&w, OWN_DATAGRAM, 0), v6 = *own_ask(&w, OWN_DATAGRAM, 1);
	assert_true(v4.to.is_v4 && v4.to.port == 7 && !v6.to.is_v4 && v6.to.port == 7);
	assert_int_equal(v4.len, 16);
	assert_memory_not_equal(v4.text + 12, v6.text + 12, 4);
	own_udp(&w, own_ask(&w, OWN_DATAGRAM, 0), 0, NULL, 0);
	struct own_ask *ask = own_ask(&w, OWN_DATAGRAM, 1);
	assert_int_equal(ask->len, 98 + 2 + 4);
	assert_memory_equal(ask->text, "\x11\x22\x33\x44\x55\x66\x77\x88\0\0\0\1", 12);
	own_udp(&w, ask, 1800, "\x05\x06\x07\x08\x1a\xe1", 6);
	own_udp(&w, own_ask(&w, OWN_DATAGRAM, 0), 0, NULL, 0);
	own_udp(&w, own_ask(&w, OWN_DATAGRAM, 0), 1800, "\x2a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x1a\xe1", 18);
	assert_int_equal(w.last.err, 0);
	assert_int_equal(w.last.done, 2);
	struct shoal_addr peer = own_addr("5.6.7.8:6881"), peer6 = own_addr("[2a00::1]:6881");
	assert_true(shoal_contact_known(s, &peer) && shoal_contact_known(s, &peer6));
	/* Within its minute the id serves for the goodbye, which is not waited for. */
	shoal_announce_stop(s, w.now);
	own_trackers_tick(&w);
	assert_int_equal(own_asks_open(&w, OWN_DATAGRAM), 2);
	assert_int_equal(own_ask(&w, OWN_DATAGRAM, 0)->text[83], SHOAL_TRACKER_STOPPED);
	assert_true(shoal_announce_stopped(s));
	own_trackers_close(&w);
}

static void strangers_do_not_answer_for_a_tracker(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	own_trackers_magnet(&w, 1, false, "udp://151.1.1.9:7\0");
	own_trackers_tick(&w);
	struct own_ask a = *own_ask(&w, OWN_DATAGRAM, 0);
	uint8_t reply[16] = { 0 };
	struct shoal_addr from = own_addr("151.1.1.8:7"), port = own_addr("151.1.1.9:8");
	memcpy(reply + 4, a.text + 12, 4);
	shoal_node_datagram(w.node, &from, shoal_bytes(reply, 16), false, w.now);
	shoal_node_datagram(w.node, &port, shoal_bytes(reply, 16), false, w.now);
	reply[7] ^= 1;
	shoal_node_datagram(w.node, &a.to, shoal_bytes(reply, 16), false, w.now);
	for (size_t len = 0; len < 16; len++)
		shoal_node_datagram(w.node, &a.to, shoal_bytes(reply, len), false, w.now);
	own_trackers_tick(&w);
	assert_int_equal(w.asks, 1); /* nothing followed */
	own_udp(&w, own_ask(&w, OWN_DATAGRAM, 0), 0, NULL, 0);
	assert_int_equal(w.asks, 2);
	own_trackers_close(&w);
}

static void silence_ends_in_the_next_tracker(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	own_trackers_torrent(&w, "ll19:udp://151.1.1.1:1/a19:udp://151.1.1.2:1/aee", false);
	struct shoal_addr first = own_ask(&w, OWN_DATAGRAM, 0)->to;
	own_trackers_run(&w, SHOAL_S(44));
	assert_int_equal(w.asks, 2);
	assert_memory_equal(&w.ask[1].to, &first, sizeof first);
	own_trackers_run(&w, SHOAL_S(2));
	assert_int_equal(w.asks, 3);
	assert_memory_not_equal(&w.ask[2].to, &first, sizeof first);
	own_trackers_close(&w);
}

/* ---- what strangers may not ------------------------------------------------------------- */

static void names_that_lead_home_are_not_followed(void **state)
{
	static const char *const bad[] = { "127.0.0.1",	      "10.0.0.1",     "192.168.1.1", "169.254.169.254",
					   "100.64.0.1",      "224.0.0.1",    "0.0.0.0",     "::1",
					   "fe80::1",	      "fd00::1",      "ff02::1",     "::ffff:127.0.0.1",
					   "64:ff9b::7f00:1", "2002:7f00:1::" };
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		for (int kind = 0; kind < 3;
		     kind++) { /* a stranger's; a stranger's, and we are neighbours; the user's */
			struct own_trackers w;
			own_trackers_open(&w);
			w.neighbours = kind == 1;
			struct shoal_swarm *s = own_trackers_magnet(&w, 1, false, "udp://t:7/\0");
			if (kind == 2)
				assert_int_equal(shoal_announce_user(s, SHOAL_LIT("udp://t:7/"), w.now),
						 SHOAL_ERR_EXISTS);
			own_trackers_tick(&w);
			own_resolve(&w, own_ask(&w, OWN_RESOLVE, 0), 0, &bad[i], 1);
			own_trackers_run(&w, SHOAL_S(1));
			struct shoal_addr addr;
			assert_int_equal(shoal_addr_parse_ip(shoal_bytes(bad[i], strlen(bad[i])), &addr), 0);
			bool private = shoal_reach_of(&addr) == SHOAL_REACH_PRIVATE;
			bool goes = kind == 2 || (kind == 1 && private);
			print_message("%s %d\n", bad[i], kind);
			assert_int_equal(own_asks_open(&w, OWN_DATAGRAM), goes);
			assert_int_equal(strstr(w.warnings, "--tracker would") != NULL, !goes);
			own_trackers_close(&w);
		}
	}
}

static void victims_are_not_called(void **state)
{
	/* ip, port, and whether it may be kept, named from afar and from near */
	static const struct {
		const char *peer;
		bool far, near;
	} row[] = {
		{ "5.6.7.8:6881", true, true },		  { "5.6.7.9:1024", true, true },
		{ "5.6.7.10:1023", false, false },	  { "5.6.7.11:443", false, false },
		{ "5.6.7.12:25", false, false },	  { "10.0.0.5:6881", false, true },
		{ "10.0.0.6:80", false, false },	  { "127.0.0.1:6881", false, true },
		{ "169.254.0.1:6881", false, false },	  { "224.0.0.1:6881", false, false },
		{ "255.255.255.255:6881", false, false }, { "0.0.0.0:6881", false, false },
	};
	(void)state;
	for (int near = 0; near < 2; near++) {
		struct own_trackers w;
		own_trackers_open(&w);
		struct shoal_swarm *s = own_trackers_torrent(&w, "ll20:http://151.1.1.9/a?bee", false);
		uint8_t body[400];
		size_t at = (size_t)snprintf((char *)body, sizeof body, "d5:peers%zu:", sizeof row / sizeof *row * 6);
		for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
			struct shoal_addr a = own_addr(row[i].peer);
			memcpy(body + at, a.ip, 4);
			shoal_put_u16(body + at + 4, a.port);
			at += 6;
		}
		body[at++] = 'e';
		own_answer(&w, own_ask(&w, OWN_FETCH, 0), near ? "10.0.0.1:80" : "5.5.5.5:80", body, at);
		for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
			struct shoal_addr a = own_addr(row[i].peer);
			print_message("%s %s\n", near ? "near" : "far", row[i].peer);
			assert_int_equal(shoal_contact_known(s, &a), near ? row[i].near : row[i].far);
		}
		own_trackers_close(&w);
	}
}

static void one_victim_named_by_a_hundred_torrents(void **state)
{
	/* 200 ports of one host, from every tracker: X01's share is contacts.c's; together they hold. */
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	uint8_t body[2000];
	size_t at = (size_t)snprintf((char *)body, sizeof body, "d5:peers1200:");
	for (unsigned i = 0; i < 200; i++, at += 6) {
		memcpy(body + at, "\x05\x06\x07\x08", 4);
		shoal_put_u16(body + at + 4, (uint16_t)(2000 + i));
	}
	body[at++] = 'e';
	for (uint32_t i = 0; i < 100; i++) {
		own_trackers_magnet(&w, i + 1, false, "http://151.1.1.9/a\0");
		own_trackers_tick(&w);
		own_answer(&w, own_ask(&w, OWN_FETCH, 0), "5.5.5.5:80", body, at);
	}
	own_trackers_run(&w, SHOAL_S(600));
	print_message("%u calls in ten minutes\n", w.dials);
	assert_in_range(w.dials, 1, 10);
	own_trackers_close(&w);
}

static void a_private_torrent_has_its_own_trackers_alone(void **state)
{
	struct own_trackers w;
	(void)state;
	own_trackers_open(&w);
	struct shoal_swarm *s = own_trackers_torrent(&w, "ll20:http://151.1.1.9/a?bee", true);
	assert_int_equal(shoal_announce_user(s, SHOAL_LIT("http://151.1.1.7/a"), w.now), SHOAL_ERR_REFUSED);
	assert_int_equal(shoal_announce_user(s, SHOAL_LIT("http://151.1.1.9/a?b"), w.now), SHOAL_ERR_EXISTS);
	own_trackers_close(&w);

	own_trackers_open(&w); /* and those that are told to ask none, ask none */
	struct shoal_op op = { .kind = SHOAL_OP_ADD,
			       .text = SHOAL_LIT("magnet:?xt=urn:btih:0000000000000000000000000000000000000001"
						 "&tr=http://151.1.1.9/a"),
			       .folder = SHOAL_LIT("/x"),
			       .flags = SHOAL_ADD_NO_TRACKERS };
	assert_int_equal(shoal_node_do(w.node, &op, w.now), 0);
	own_trackers_run(&w, SHOAL_S(10));
	assert_int_equal(w.asks, 0);
	op = (struct shoal_op){ .kind = SHOAL_OP_TRACKER,
				.torrent = w.node->swarms->handle,
				.text = SHOAL_LIT("http://10.0.0.1/a") };
	assert_int_equal(shoal_node_do(w.node, &op, w.now), 0);
	own_trackers_tick(&w);
	assert_int_equal(own_ask(&w, OWN_FETCH, 0)->flags, SHOAL_FETCH_TRUSTED);
	own_trackers_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_families_hear_of_it_and_of_each_event),
		cmocka_unit_test(completion_is_told_once_and_before_goodbye),
		cmocka_unit_test(a_goodbye_waits_for_nobody_long),
		cmocka_unit_test(intervals_are_made_sensible),
		cmocka_unit_test(a_no_is_taken_and_waits_grow),
		cmocka_unit_test(an_endless_answer_is_cut),
		cmocka_unit_test(tiers_are_asked_each_one_of_them_at_a_time),
		cmocka_unit_test(the_order_in_a_tier_is_by_chance),
		cmocka_unit_test(a_hybrid_is_told_under_both_hashes),
		cmocka_unit_test(lists_of_strangers_are_bounded),
		cmocka_unit_test(a_crowd_of_torrents_does_not_ask_at_once),
		cmocka_unit_test(a_dead_host_is_not_asked_by_all),
		cmocka_unit_test(udp_asks_in_both_families_and_keeps_the_id),
		cmocka_unit_test(strangers_do_not_answer_for_a_tracker),
		cmocka_unit_test(silence_ends_in_the_next_tracker),
		cmocka_unit_test(names_that_lead_home_are_not_followed),
		cmocka_unit_test(victims_are_not_called),
		cmocka_unit_test(one_victim_named_by_a_hundred_torrents),
		cmocka_unit_test(a_private_torrent_has_its_own_trackers_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
