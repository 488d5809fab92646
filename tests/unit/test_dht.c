/* test_dht.c - one node among strangers made of bytes: what it answers, how much of it, and what it does not believe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "dht/dht.h"
#include "dht/node_id.h"
#include "proto/base/bytes.h"
#include "proto/compact.h"

static struct shoal_budget budget;
static struct shoal_dht *dht;
static shoal_us now;
static struct shoal_krpc got; /* the last that went out, in: */
static uint8_t got_raw[SHOAL_KRPC_OUT_MAX];
static size_t got_len;
static struct shoal_addr got_to;

static bool verify(void *to, const uint8_t sig[64], struct shoal_bytes text, const uint8_t k[32])
{
	(void)to;
	(void)text;
	return sig[0] == k[0];
}
static const struct shoal_dht_crypto crypto = { NULL, verify };

static struct shoal_addr host(uint32_t ip)
{
	struct shoal_addr a = { .port = 7000, .is_v4 = 1 };
	shoal_put_u32(a.ip, ip);
	return a;
}

static struct shoal_dht_options options(void)
{
	return (struct shoal_dht_options){ .is_v4 = true,
					   .version = { 'S', 'H', 0, 1 },
					   .secret = { 1, 2, 3 },
					   .rng = shoal_rng_split(1, 1),
					   .budget = &budget,
					   .crypto = &crypto };
}

static void begin(const struct shoal_dht_options *o)
{
	budget = (struct shoal_budget){ .limit = 16u << 20 };
	now = SHOAL_S(1000);
	assert_int_equal(shoal_dht_new(&dht, o, now), 0);
}

static void end(void)
{
	shoal_dht_free(dht);
	assert_int_equal(budget.used, 0);
}

/* The next datagram that goes out: whether there was one. */
static bool out(void)
{
	struct shoal_bytes data;
	if (shoal_dht_output(dht, &got_to, &data) == 0)
		return false;
	got_len = data.len;
	memcpy(got_raw, data.at, data.len);
	assert_int_equal(shoal_krpc_decode(shoal_bytes(got_raw, got_len), &got), 0);
	return true;
}

static void silence(void)
{
	while (out())
		;
}

static size_t said; /* bytes of the last that went in */

static void say(const struct shoal_addr *from, struct shoal_krpc m)
{
	uint8_t raw[SHOAL_KRPC_IN_MAX];
	if (m.tid.len == 0)
		m.tid = SHOAL_LIT("aa");
	if (m.kind == 0)
		m.kind = SHOAL_KRPC_QUERY;
	ptrdiff_t n = shoal_krpc_encode(&m, (struct shoal_space){ raw, sizeof raw });
	assert_true(n > 0);
	said = (size_t)n;
	assert_true(shoal_dht_datagram(dht, from, shoal_bytes(raw, said), now));
}

static struct shoal_id20 id_at(const struct shoal_addr *a)
{
	struct shoal_id20 dice = { { 0 } };
	return shoal_node_id_make(a, &dice);
}

static struct shoal_krpc ask(enum shoal_krpc_method method, const struct shoal_addr *from)
{
	return (struct shoal_krpc){
		.method = method, .id = id_at(from), .has_target = true, .target = { { 9 } }, .read_only = true
	};
}

/* Lets it ping `a`, and answers: it is in the table and has proved its address. */
static void befriend(struct shoal_addr a)
{
	struct shoal_krpc m = { .kind = SHOAL_KRPC_REPLY, .id = id_at(&a) };
	uint8_t tid[4];
	silence();
	assert_true(shoal_dht_ping(dht, &a, now) > 0);
	assert_true(out());
	memcpy(tid, got.tid.at, 4);
	m.tid = shoal_bytes(tid, 4);
	say(&a, m);
	struct shoal_dht_event ev;
	while (shoal_dht_poll(dht, &ev) > 0)
		;
}

static void queries_are_answered(void **state)
{
	struct shoal_dht_options o = options();
	struct shoal_addr a = host(0x08080808), friend = host(0x09090909);
	(void)state;
	begin(&o);
	befriend(friend);
	silence();
	say(&a, ask(SHOAL_KRPC_PING, &a));
	assert_true(out());
	assert_int_equal(got.kind, SHOAL_KRPC_REPLY);
	assert_true(shoal_bytes_equal(got.tid, SHOAL_LIT("aa")));
	assert_true(got.has_ip && shoal_addr_equal(&got.ip, &a)); /* BEP 42 */
	assert_true(shoal_addr_equal(&got_to, &a));
	assert_false(out());
	say(&a, ask(SHOAL_KRPC_FIND_NODE, &a));
	assert_true(out());
	assert_int_equal(got.nodes.len, SHOAL_KRPC_NODE4);
	say(&a, ask(SHOAL_KRPC_GET_PEERS, &a));
	assert_true(out());
	assert_true(got.token.len > 0 && got.nodes.len > 0 && got.values.len == 0);
	uint8_t token[SHOAL_KRPC_TOKEN_MAX];
	struct shoal_krpc m = ask(SHOAL_KRPC_ANNOUNCE, &a);
	m.token = shoal_bytes(memcpy(token, got.token.at, got.token.len), got.token.len);
	m.port = 4711;
	say(&a, m);
	assert_true(out());
	assert_int_equal(got.kind, SHOAL_KRPC_REPLY);
	say(&friend, ask(SHOAL_KRPC_GET_PEERS, &friend));
	assert_true(out());
	struct shoal_addr peer;
	assert_int_equal(shoal_krpc_values(got.values, &peer, 1), 1);
	assert_int_equal(peer.port, 4711);
	/* somebody else's token, none, and what is not there */
	say(&friend, m);
	assert_true(out() && got.kind == SHOAL_KRPC_ERROR && got.code == SHOAL_KRPC_PROTOCOL);
	say(&a, ask(SHOAL_KRPC_SAMPLE, &a)); /* off, unless asked for */
	assert_true(out() && got.kind == SHOAL_KRPC_ERROR && got.code == SHOAL_KRPC_NO_METHOD);
	m = ask(SHOAL_KRPC_FIND_NODE, &a);
	m.has_target = false;
	say(&a, m);
	assert_true(out() && got.kind == SHOAL_KRPC_ERROR && got.code == SHOAL_KRPC_PROTOCOL);
	end();
}

static void items_are_kept_and_come_back(void **state)
{
	struct shoal_dht_options o = options();
	struct shoal_addr a = host(0x09090909);
	uint8_t k[32] = { 5 }, sig[64] = { 5 }, token[SHOAL_KRPC_TOKEN_MAX];
	(void)state;
	begin(&o);
	befriend(a);
	silence();
	struct shoal_krpc m = ask(SHOAL_KRPC_GET, &a);
	shoal_item_target_of(k, SHOAL_LIT("s"), &m.target);
	struct shoal_krpc get = m;
	say(&a, m);
	assert_true(out() && got.v.len == 0 && got.token.len > 0);
	struct shoal_krpc put = { .method = SHOAL_KRPC_PUT,
				  .id = id_at(&a),
				  .read_only = true,
				  .v = SHOAL_LIT("d2:ih4:abcde"),
				  .k = { k, 32 },
				  .sig = { sig, 64 },
				  .salt = SHOAL_LIT("s"),
				  .has_seq = true,
				  .seq = 7 };
	put.token = shoal_bytes(memcpy(token, got.token.at, got.token.len), got.token.len);
	say(&a, put);
	assert_true(out() && got.kind == SHOAL_KRPC_REPLY);
	say(&a, get);
	assert_true(out() && shoal_bytes_equal(got.v, put.v) && got.seq == 7 && got.k.len == 32 && got.sig.len == 64);
	get.has_seq = true;
	get.seq = 7; /* nothing newer */
	say(&a, get);
	assert_true(out() && got.v.len == 0 && got.has_seq && got.seq == 7);
	put.seq = 6;
	say(&a, put);
	assert_true(out() && got.kind == SHOAL_KRPC_ERROR && got.code == SHOAL_KRPC_SEQ_TOO_LOW);
	put.seq = 8;
	sig[0] = 6;
	say(&a, put);
	assert_true(out() && got.kind == SHOAL_KRPC_ERROR && got.code == SHOAL_KRPC_BAD_SIGNATURE);
	put.token = SHOAL_LIT("nonsense");
	say(&a, put);
	assert_true(out() && got.kind == SHOAL_KRPC_ERROR && got.code == SHOAL_KRPC_PROTOCOL);
	end();
}

/* Nobody is hit with more than three times what was sent in his name, whatever is asked. */
static void answers_to_the_unproved_are_small(void **state)
{
	struct shoal_dht_options o = options();
	static const enum shoal_krpc_method methods[] = { SHOAL_KRPC_PING, SHOAL_KRPC_FIND_NODE, SHOAL_KRPC_GET_PEERS,
							  SHOAL_KRPC_GET,  SHOAL_KRPC_SAMPLE,	 SHOAL_KRPC_ANNOUNCE,
							  SHOAL_KRPC_PUT,  SHOAL_KRPC_UNKNOWN };
	struct shoal_addr friend = host(0x09090909);
	uint8_t token[SHOAL_KRPC_TOKEN_MAX], big[SHOAL_KRPC_VALUE_MAX];
	double most = 0;
	(void)state;
	o.samples = true;
	begin(&o);
	for (uint32_t i = 0; i < 64; i++)
		befriend(host(0x0b000000 + i * 0x10000 + i * 77));
	befriend(friend);
	silence();
	/* plenty to tell of: 60 peers, and an item of 1000 bytes */
	struct shoal_krpc m = ask(SHOAL_KRPC_GET_PEERS, &friend);
	for (uint32_t i = 0; i < 60; i++) {
		struct shoal_addr b = host(0x20000000 + (i << 16));
		m = ask(SHOAL_KRPC_GET_PEERS, &b);
		say(&b, m);
		assert_true(out());
		m = ask(SHOAL_KRPC_ANNOUNCE, &b);
		m.token = shoal_bytes(memcpy(token, got.token.at, got.token.len), got.token.len);
		m.implied_port = true;
		say(&b, m);
		silence();
		now += SHOAL_MS(200);
	}
	memset(big, 'x', sizeof big);
	memcpy(big, "996:", 4);
	struct shoal_id20 item;
	shoal_item_target(shoal_bytes(big, sizeof big), &item);
	m = ask(SHOAL_KRPC_GET, &friend);
	m.target = item;
	say(&friend, m);
	assert_true(out());
	m = ask(SHOAL_KRPC_PUT, &friend);
	m.v = shoal_bytes(big, sizeof big);
	m.token = shoal_bytes(memcpy(token, got.token.at, got.token.len), got.token.len);
	say(&friend, m);
	assert_true(out() && got.kind == SHOAL_KRPC_REPLY);
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		for (unsigned variant = 0; variant < 8; variant++) {
			struct shoal_addr victim = host(0x30000000 + (uint32_t)(i * 8 + variant) * 0x10000);
			m = ask(methods[i], &victim);
			m.scrape = variant & 1;
			m.want = variant & 2 ? SHOAL_KRPC_WANT4 | SHOAL_KRPC_WANT6 : 0;
			if (methods[i] == SHOAL_KRPC_GET)
				m.target = item;
			m.read_only = variant & 4; /* else it may be pinged besides */
			m.tid = SHOAL_LIT("t");
			say(&victim, m);
			size_t sent = 0;
			while (out()) {
				assert_true(shoal_addr_equal(&got_to, &victim));
				sent += got_len;
			}
			double ratio = (double)sent / (double)said;
			most = ratio > most ? ratio : most;
			assert_true(sent <= SHOAL_DHT_AMPLIFY * said);
		}
		now += SHOAL_S(2);
	}
	print_message("most: %.2f times the query\n", most);
	assert_true(most > 2); /* the measure measures */
	/* who has proved his address gets it all */
	m = ask(SHOAL_KRPC_GET, &friend);
	m.target = item;
	say(&friend, m);
	assert_true(out() && got.v.len == sizeof big);
	m = ask(SHOAL_KRPC_GET_PEERS, &friend);
	m.scrape = true;
	say(&friend, m);
	assert_true(out() && got.bloom_peers.len == SHOAL_KRPC_BLOOM && got.values.len > 0);
	/* and who proves it then, then: the query was held */
	struct shoal_addr late = host(0x40404040);
	m = ask(SHOAL_KRPC_GET, &late);
	m.target = item;
	say(&late, m);
	assert_true(out() && got.kind == SHOAL_KRPC_QUERY && got.method == SHOAL_KRPC_PING);
	uint8_t tid[4];
	memcpy(tid, got.tid.at, 4);
	say(&late, (struct shoal_krpc){ .kind = SHOAL_KRPC_REPLY, .id = id_at(&late), .tid = shoal_bytes(tid, 4) });
	assert_true(out() && got.kind == SHOAL_KRPC_REPLY && got.v.len == sizeof big);
	end();
}

static void a_flood_is_answered_within_the_budget(void **state)
{
	struct shoal_dht_options o = options();
	uint64_t bytes = 0;
	(void)state;
	begin(&o);
	for (uint32_t i = 0; i < 64; i++)
		befriend(host(0x0b000000 + i * 0x10000));
	silence();
	for (uint32_t i = 0; i < 10000; i++) { /* a second of 10,000 queries from everywhere */
		struct shoal_addr a = host(0x20000000 + i * 7919);
		say(&a, ask(SHOAL_KRPC_FIND_NODE, &a));
		while (out())
			bytes += got_len;
		now += 100;
	}
	print_message("%llu bytes out\n", (unsigned long long)bytes);
	assert_true(bytes > 0 && bytes <= 5 * 32768);
	struct shoal_dht_facts f;
	shoal_dht_facts(dht, &f);
	assert_true(f.refused > 0);
	end();
}

static void answers_nobody_asked_for_are_nothing(void **state)
{
	struct shoal_dht_options o = options();
	struct shoal_addr a = host(0x09090909), other = host(0x0a0a0a0a - 0x01000000);
	struct shoal_dht_event ev;
	struct shoal_dht_facts f;
	uint8_t tid[4];
	(void)state;
	begin(&o);
	say(&a, (struct shoal_krpc){ .kind = SHOAL_KRPC_REPLY, .id = id_at(&a), .tid = SHOAL_LIT("abcd") });
	assert_true(shoal_dht_ping(dht, &a, now) > 0);
	assert_true(out());
	memcpy(tid, got.tid.at, 4);
	struct shoal_krpc m = { .kind = SHOAL_KRPC_REPLY, .id = id_at(&a), .tid = shoal_bytes(tid, 4) };
	say(&other, m); /* the right number from the wrong place */
	tid[0] ^= 1;
	say(&a, m);
	shoal_dht_facts(dht, &f);
	assert_int_equal(f.nodes, 0);
	assert_int_equal(shoal_dht_poll(dht, &ev), 0);
	tid[0] ^= 1;
	now += SHOAL_MS(20);
	say(&a, m);
	shoal_dht_facts(dht, &f);
	assert_int_equal(f.nodes, 1);
	assert_int_equal(shoal_dht_poll(dht, &ev), 1);
	assert_int_equal(ev.kind, SHOAL_DHT_PONG);
	assert_int_equal(ev.took, SHOAL_MS(20));
	/* and one that never comes */
	assert_true(shoal_dht_ping(dht, &other, now) > 0);
	silence();
	now += SHOAL_DHT_LONG;
	shoal_dht_tick(dht, now);
	assert_int_equal(shoal_dht_poll(dht, &ev), 1);
	assert_int_equal(ev.err, SHOAL_ERR_TIMEOUT);
	end();
}

static void a_reader_answers_nobody_and_says_so(void **state)
{
	struct shoal_dht_options o = options();
	struct shoal_addr a = host(0x09090909);
	(void)state;
	o.read_only = true;
	begin(&o);
	say(&a, ask(SHOAL_KRPC_PING, &a));
	assert_false(out());
	assert_true(shoal_dht_ping(dht, &a, now) > 0);
	assert_true(out() && got.read_only);
	end();
	/* but who is to be told much must show where that goes: a ping is answered then, and nothing else */
	o.proves = true;
	begin(&o);
	say(&a, ask(SHOAL_KRPC_FIND_NODE, &a));
	assert_false(out());
	struct shoal_krpc whole = ask(SHOAL_KRPC_PING, &a);
	whole.read_only = false;
	say(&a, whole);
	assert_true(out() && got.kind == SHOAL_KRPC_REPLY);
	assert_false(out());
	end();
	o.proves = false;
	/* and readers are not taken into the table, nor pinged for it */
	o.read_only = false;
	begin(&o);
	say(&a, ask(SHOAL_KRPC_PING, &a));
	assert_true(out() && got.kind == SHOAL_KRPC_REPLY);
	assert_false(out());
	struct shoal_krpc m = ask(SHOAL_KRPC_PING, &a);
	m.read_only = false;
	say(&a, m);
	assert_true(out() && got.kind == SHOAL_KRPC_REPLY);
	assert_true(out() && got.kind == SHOAL_KRPC_QUERY && got.method == SHOAL_KRPC_PING);
	end();
}

/* A node that names a victim, and services, and this host itself, 16 at a time. */
static void is_no_weapon(bool begins_there)
{
	struct shoal_dht_options o = options();
	struct shoal_addr liar = host(0x09090909);
	unsigned hits = 0;
	begin(&o);
	befriend(liar);
	silence();
	if (begins_there)
		shoal_dht_add(dht, &liar, true, false, now);
	for (unsigned round = 0; round < 50; round++, now += SHOAL_S(2)) {
		struct shoal_dht_ask find = { .what = SHOAL_DHT_FIND };
		shoal_put_u32(find.target.b, round * 77777);
		int64_t number = shoal_dht_search(dht, &find, now);
		assert_true(number > 0);
		while (out()) {
			if (got.kind != SHOAL_KRPC_QUERY)
				continue;
			if (!shoal_addr_equal(&got_to, &liar)) {
				assert_int_equal(shoal_get_u32(got_to.ip),
						 0x31313131); /* the only one that may be asked */
				hits++;
				continue;
			}
			static const struct {
				uint32_t ip;
				uint16_t port;
			} named[] = { { 0x31313131, 7001 }, { 0x31313131, 7002 }, { 0x7f000001, 7000 },
				      { 0x0a000001, 7000 }, { 0xe0000001, 7000 }, { 0x08080808, 53 },
				      { 0x32323232, 0 } };
			uint8_t nodes[sizeof named / sizeof *named * SHOAL_KRPC_NODE4], tid[4];
			size_t len = 0;
			for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
				struct shoal_krpc_node n = { .id = find.target, .addr = host(named[i].ip) };
				n.addr.port = (uint16_t)(named[i].port + (named[i].ip == 0x31313131 ? round : 0));
				n.id.b[19] = (uint8_t)i;
				len += shoal_krpc_node_put(&n, nodes + len);
			}
			memcpy(tid, got.tid.at, 4);
			say(&liar, (struct shoal_krpc){ .kind = SHOAL_KRPC_REPLY,
							.id = id_at(&liar),
							.tid = shoal_bytes(tid, 4),
							.nodes = shoal_bytes(nodes, len) });
		}
		shoal_dht_stop(dht, number);
	}
	assert_in_range(hits, 1, 2);
	end();
}

static void nobody_is_attacked_through_us(void **state)
{
	(void)state;
	is_no_weapon(false);
}

/* Who is in the table already, and is asked as a place to begin at as well. */
static void nor_by_whom_we_begin_with(void **state)
{
	(void)state;
	is_no_weapon(true);
}

static void an_id_follows_our_address(void **state)
{
	struct shoal_dht_options o = options();
	struct shoal_dht_facts before, after;
	struct shoal_addr ours = host(0x55667788);
	(void)state;
	begin(&o);
	shoal_dht_facts(dht, &before);
	for (uint32_t i = 0; i < 6; i++) {
		struct shoal_addr a = host(0x20000000 + (i << 16));
		uint8_t tid[4];
		assert_true(shoal_dht_ping(dht, &a, now) > 0);
		assert_true(out());
		memcpy(tid, got.tid.at, 4);
		say(&a, (struct shoal_krpc){ .kind = SHOAL_KRPC_REPLY,
					     .id = id_at(&a),
					     .tid = shoal_bytes(tid, 4),
					     .has_ip = true,
					     .ip = ours });
		silence();
	}
	shoal_dht_facts(dht, &after);
	assert_false(shoal_node_id_fits(&before.id, &ours));
	assert_true(shoal_node_id_fits(&after.id, &ours));
	assert_true(after.has_external);
	assert_int_equal(after.nodes, 6); /* who we knew, we know */
	end();
}

static void an_idle_node_is_small_and_memory_is_charged(void **state)
{
	struct shoal_dht_options o = options();
	struct shoal_dht_facts f;
	(void)state;
	begin(&o);
	for (uint32_t i = 0; i < 2000; i++) {
		befriend(host(0x14000000 + i * 65537));
		struct shoal_addr a = host(0x14000000 + i * 65537);
		say(&a, ask(SHOAL_KRPC_PING, &a));
		silence();
	}
	now += SHOAL_S(60);
	shoal_dht_tick(dht, now);
	silence();
	now += SHOAL_S(60);
	shoal_dht_tick(dht, now);
	silence();
	shoal_dht_facts(dht, &f);
	print_message("%zu bytes, %u nodes\n", f.heap, f.nodes);
	assert_true(f.nodes > 60);
	assert_true(f.heap <= 32u * 1024);
	/* no memory: no search, and no crash */
	budget.limit = 0;
	struct shoal_dht_ask find = { .what = SHOAL_DHT_PEERS_OF };
	assert_int_equal(shoal_dht_search(dht, &find, now), SHOAL_ERR_NOMEM);
	budget.limit = 16u << 20;
	int64_t n = 0;
	for (unsigned i = 0; i < SHOAL_DHT_SEARCHES + 1 && n >= 0; i++)
		n = shoal_dht_search(dht, &find, now);
	assert_int_equal(n, SHOAL_ERR_BUSY);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_are_answered),
		cmocka_unit_test(items_are_kept_and_come_back),
		cmocka_unit_test(answers_to_the_unproved_are_small),
		cmocka_unit_test(a_flood_is_answered_within_the_budget),
		cmocka_unit_test(answers_nobody_asked_for_are_nothing),
		cmocka_unit_test(a_reader_answers_nobody_and_says_so),
		cmocka_unit_test(nobody_is_attacked_through_us),
		cmocka_unit_test(nor_by_whom_we_begin_with),
		cmocka_unit_test(an_id_follows_our_address),
		cmocka_unit_test(an_idle_node_is_small_and_memory_is_charged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
