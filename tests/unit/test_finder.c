/* test_finder.c - a node's part in the DHT: whom it looks for and when, whom it leaves out, and what the user asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dht/krpc.h"
#include "proto/base/bytes.h"
#include "swarm/core/finder.h"
#include "swarm/core/node_room.h"
#include "tests/unit/own_trackers.h"

static struct own_trackers w;
static const struct shoal_addr boot = { .ip = { 9, 9, 9, 9 }, .port = 7000, .is_v4 = 1 };

static int begin(void **state)
{
	(void)state;
	own_trackers_open(&w);
	w.node->port = 6881;
	struct shoal_node_options o = { .dht = true };
	w.node->finder = shoal_finder_new(w.node, &o, w.now);
	assert_non_null(w.node->finder);
	w.used_before = w.budget.used;
	return 0;
}

static int end(void **state)
{
	(void)state;
	own_trackers_close(&w);
	return 0;
}

static void know_one(void)
{
	struct shoal_op op = { .kind = SHOAL_OP_DHT_BOOT, .addr = boot };
	assert_int_equal(shoal_node_do(w.node, &op, w.now), 0);
}

/* The next question to the DHT of that method that nobody looked at yet: its number, or none. */
static bool question(enum shoal_krpc_method method, struct shoal_krpc *m, struct own_ask **ask)
{
	for (size_t i = 0; i < w.asks; i++) {
		struct own_ask *a = &w.ask[i];
		if (a->kind != OWN_DATAGRAM || a->answered || a->text[0] != 'd')
			continue;
		assert_int_equal(shoal_krpc_decode(shoal_bytes(a->text, a->len), m), 0);
		if (m->kind != SHOAL_KRPC_QUERY || m->method != method)
			continue;
		a->answered = true;
		*ask = a;
		return true;
	}
	return false;
}

static void answer(const struct own_ask *to, const struct shoal_krpc *q, struct shoal_bytes values)
{
	uint8_t raw[SHOAL_KRPC_OUT_MAX];
	struct shoal_krpc m = {
		.kind = SHOAL_KRPC_REPLY, .tid = q->tid, .id = { { 1 } }, .token = SHOAL_LIT("tk"), .values = values
	};
	ptrdiff_t n = shoal_krpc_encode(&m, (struct shoal_space){ raw, sizeof raw });
	assert_true(n > 0);
	shoal_node_datagram(w.node, &to->to, shoal_bytes(raw, (size_t)n), false, w.now);
	own_trackers_tick(&w);
}

static void a_public_torrent_is_looked_for_and_announced(void **state)
{
	struct shoal_swarm *s = own_trackers_magnet(&w, 1, true, "");
	struct shoal_addr peer = { .ip = { 8, 8, 4, 4 }, .port = 5000, .is_v4 = 1 };
	struct shoal_addr hidden = { .ip = { 10, 0, 0, 1 }, .port = 5000, .is_v4 = 1 };
	struct shoal_addr both[2] = { peer, hidden };
	uint8_t raw[64];
	struct shoal_krpc m;
	struct own_ask *ask;
	bool v1 = false, v2 = false;
	(void)state;
	own_trackers_run(&w, SHOAL_S(5));
	assert_false(question(SHOAL_KRPC_GET_PEERS, &m, &ask)); /* nobody to ask */
	know_one();
	own_trackers_tick(&w);
	own_trackers_run(&w, SHOAL_MS(1100)); /* torrents are looked at once a second */
	ptrdiff_t len = shoal_krpc_values_put(both, 2, (struct shoal_space){ raw, sizeof raw });
	while (question(SHOAL_KRPC_GET_PEERS, &m, &ask)) {
		assert_memory_equal(ask->to.ip, boot.ip, 4);
		v1 |= memcmp(m.target.b, s->v1.b, 20) == 0;
		v2 |= memcmp(m.target.b, s->v2.b, 20) == 0;
		answer(ask, &m, shoal_bytes(raw, (size_t)len));
	}
	assert_true(v1 && v2); /* under both its hashes */
	assert_true(shoal_contact_known(s, &peer));
	assert_false(shoal_contact_known(s, &hidden)); /* a stranger cannot send us into private networks */
	own_trackers_run(&w, SHOAL_S(3));
	assert_true(question(SHOAL_KRPC_ANNOUNCE, &m, &ask));
	assert_int_equal(m.port, 6881);
	assert_true(shoal_bytes_equal(m.token, SHOAL_LIT("tk")));
	assert_false(m.seed);
}

static void who_starves_asks_again_ever_more_seldom(void **state)
{
	shoal_us last = 0;
	unsigned looks = 0;
	struct shoal_krpc m;
	struct own_ask *ask;
	(void)state;
	(void)own_trackers_magnet(&w, 1, false, "");
	know_one();
	for (unsigned i = 0; i < 400; i++) {
		own_trackers_run(&w, SHOAL_MS(250));
		while (question(SHOAL_KRPC_GET_PEERS, &m, &ask)) {
			shoal_us at = ask->at; /* answering may move the list */
			answer(ask, &m, shoal_bytes(NULL, 0));
			if (last != 0 && at - last > SHOAL_S(2)) {
				print_message("again after %.1f s\n", (double)(at - last) / 1e6);
				assert_true(looks == 0 || at - last >= SHOAL_FINDER_SOON);
				looks++;
			}
			last = at;
		}
	}
	assert_in_range(looks, 3, 6); /* 3, 6, 12, 24, 48 s: of a hundred */
}

static void a_private_torrent_stays_out_of_it(void **state)
{
	struct shoal_krpc m;
	struct own_ask *ask;
	struct shoal_swarm *s = own_trackers_torrent(&w, "ll8:http://aee", true);
	(void)state;
	assert_false(shoal_finder_serves(s));
	know_one();
	own_trackers_run(&w, SHOAL_S(60));
	assert_false(question(SHOAL_KRPC_GET_PEERS, &m, &ask));
	assert_true(question(SHOAL_KRPC_FIND_NODE, &m, &ask)); /* the node itself takes part */
}

/* Only a node is known that is not there, and looks are ever rarer; then a peer says where its own is (PORT). */
static void who_is_alone_takes_the_first_hand(void **state)
{
	const struct shoal_addr there = { .ip = { 8, 7, 6, 5 }, .port = 6882, .is_v4 = 1 };
	bool looked = false, home = false;
	struct shoal_krpc m;
	struct own_ask *ask;
	(void)state;
	(void)own_trackers_magnet(&w, 1, false, "");
	know_one();
	for (int i = 0; i < 1200; i++) {
		own_trackers_run(&w, SHOAL_S(1));
		while (question(SHOAL_KRPC_GET_PEERS, &m, &ask) || question(SHOAL_KRPC_FIND_NODE, &m, &ask))
			assert_memory_equal(ask->to.ip, boot.ip, 4);
	}
	shoal_finder_heard_of(w.node, &there, w.now);
	own_trackers_tick(&w);
	assert_true(question(SHOAL_KRPC_PING, &m, &ask));
	assert_memory_equal(ask->to.ip, there.ip, 4);
	answer(ask, &m, shoal_bytes(NULL, 0));
	for (int i = 0; i < 5; i++) {
		own_trackers_run(&w, SHOAL_S(1));
		while (question(SHOAL_KRPC_GET_PEERS, &m, &ask))
			looked |= memcmp(ask->to.ip, there.ip, 4) == 0;
		while (question(SHOAL_KRPC_FIND_NODE, &m, &ask))
			home |= memcmp(ask->to.ip, there.ip, 4) == 0;
	}
	assert_true(looked && home);
}

/* Behind a proxy: the address is not ours, so nothing is said of us, and nothing kept. */
static void a_guest_looks_and_says_nothing(void **state)
{
	struct shoal_node_options o = { .dht = true, .dht_guest = true };
	struct shoal_op announce = { .kind = SHOAL_OP_DHT_PEERS,
				     .data = SHOAL_LIT("01234567890123456789"),
				     .flags = SHOAL_DHT_ANNOUNCE };
	unsigned looked = 0;
	struct shoal_krpc m;
	struct own_ask *ask;
	(void)state;
	shoal_finder_free(w.node);
	w.node->finder = shoal_finder_new(w.node, &o, w.now);
	assert_non_null(w.node->finder);
	assert_int_equal(w.node->port, 6881);
	assert_int_equal(shoal_finder_port(w.node), 0);
	(void)own_trackers_magnet(&w, 1, true, "");
	know_one();
	for (int i = 0; i < 20; i++) {
		own_trackers_run(&w, SHOAL_S(1));
		while (question(SHOAL_KRPC_GET_PEERS, &m, &ask)) {
			assert_true(m.read_only);
			looked++;
			answer(ask, &m, shoal_bytes(NULL, 0));
		}
		assert_false(question(SHOAL_KRPC_ANNOUNCE, &m, &ask));
	}
	assert_true(looked >= 2);
	assert_false(shoal_finder_save(w.node));
	assert_int_equal(shoal_node_do(w.node, &announce, w.now), SHOAL_ERR_RANGE);
}

static void the_user_asks(void **state)
{
	struct shoal_op ping = { .kind = SHOAL_OP_DHT_PING, .ticket = 7, .addr = boot };
	struct shoal_op get = { .kind = SHOAL_OP_DHT_GET, .ticket = 8, .data = SHOAL_LIT("short") };
	struct shoal_event ev;
	struct shoal_krpc m;
	struct own_ask *ask;
	bool node = false, over = false;
	(void)state;
	assert_int_equal(shoal_node_do(w.node, &get, w.now), SHOAL_ERR_USAGE);
	assert_int_equal(shoal_node_do(w.node, &ping, w.now), 0);
	own_trackers_tick(&w);
	assert_true(question(SHOAL_KRPC_PING, &m, &ask));
	uint8_t raw[SHOAL_KRPC_OUT_MAX];
	struct shoal_krpc pong = {
		.kind = SHOAL_KRPC_REPLY, .tid = m.tid, .id = { { 3 } }, .version = SHOAL_LIT("XX01")
	};
	ptrdiff_t n = shoal_krpc_encode(&pong, (struct shoal_space){ raw, sizeof raw });
	shoal_node_datagram(w.node, &boot, shoal_bytes(raw, (size_t)n), false, w.now);
	while (shoal_node_poll(w.node, &ev) > 0) {
		node |= ev.kind == SHOAL_EV_DHT_NODE && ev.ticket == 7 && ev.hash_v1.b[0] == 3;
		over |= ev.kind == SHOAL_EV_DHT_DONE && ev.ticket == 7 && ev.err == 0;
	}
	assert_true(node && over);
	/* one that nobody answers ends, too */
	get.data = SHOAL_LIT("01234567890123456789");
	assert_int_equal(shoal_node_do(w.node, &get, w.now), 0);
	over = false;
	for (int i = 0; i < 20 && !over; i++) {
		w.now += SHOAL_S(1);
		shoal_node_tick(w.node, w.now);
		while (shoal_node_poll(w.node, &ev) > 0)
			over |= ev.kind == SHOAL_EV_DHT_DONE && ev.ticket == 8 && ev.err == SHOAL_ERR_TIMEOUT;
	}
	assert_true(over);
}

static void without_a_dht_it_is_refused(void **state)
{
	struct shoal_op stats = { .kind = SHOAL_OP_DHT_STATS };
	(void)state;
	shoal_finder_free(w.node);
	w.used_before = w.budget.used;
	assert_int_equal(shoal_node_do(w.node, &stats, w.now), SHOAL_ERR_REFUSED);
	assert_false(shoal_finder_datagram(
		w.node, &boot, SHOAL_LIT("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"), w.now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_public_torrent_is_looked_for_and_announced, begin, end),
		cmocka_unit_test_setup_teardown(who_starves_asks_again_ever_more_seldom, begin, end),
		cmocka_unit_test_setup_teardown(a_private_torrent_stays_out_of_it, begin, end),
		cmocka_unit_test_setup_teardown(who_is_alone_takes_the_first_hand, begin, end),
		cmocka_unit_test_setup_teardown(a_guest_looks_and_says_nothing, begin, end),
		cmocka_unit_test_setup_teardown(the_user_asks, begin, end),
		cmocka_unit_test_setup_teardown(without_a_dht_it_is_refused, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
