/* test_dht_table.c - the routing table and lookups: who gets a place, who loses it, whom to ask next, and liars. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dht/lookup.h"
#include "dht/node_id.h"
#include "dht/quota.h"
#include "dht/table.h"
#include "dht/vote.h"
#include "proto/base/bytes.h"
#include "proto/base/rng.h"
#include "proto/compact.h"

static struct shoal_rng dice;
static struct shoal_id20 own;

static struct shoal_id20 random_id(void)
{
	struct shoal_id20 id;
	for (int i = 0; i < 20; i++)
		id.b[i] = (uint8_t)(shoal_rng_next(&dice) >> 8);
	return id;
}

/* Somebody on the open network, whose id shares `shared` bits with `with`; earned by its address when asked for. */
static struct shoal_krpc_node somebody(const struct shoal_id20 *with, unsigned shared, bool fits)
{
	struct shoal_krpc_node n = { .addr = { .port = 7000, .is_v4 = 1 } };
	for (;;) {
		shoal_put_u32(n.addr.ip, 0x08000000 + (shoal_rng_next(&dice) >> 6));
		n.id = random_id();
		if (fits) {
			n.id = shoal_node_id_make(&n.addr, &n.id);
			if (shoal_node_id_shared(with, &n.id) != shared)
				continue;
		} else {
			for (unsigned i = 0; i <= shared; i++) {
				uint8_t mask = (uint8_t)(0x80 >> i % 8), bit = with->b[i / 8] & mask;
				n.id.b[i / 8] = (uint8_t)((n.id.b[i / 8] & ~mask) | (i == shared ? bit ^ mask : bit));
			}
		}
		if (shoal_node_id_fits(&n.id, &n.addr) == fits)
			return n;
	}
}

static void who_answers_stays(void **state)
{
	struct shoal_table t;
	struct shoal_krpc_node first[SHOAL_TABLE_K], late, out[16];
	shoal_us now = SHOAL_S(1000);
	(void)state;
	shoal_table_init(&t, &own);
	for (unsigned i = 0; i < SHOAL_TABLE_K; i++) {
		first[i] = somebody(&own, 0, true);
		assert_true(shoal_table_answered(&t, &first[i], now));
	}
	late = somebody(&own, 0, true);
	assert_false(shoal_table_answered(&t, &late, now)); /* a spare now */
	assert_int_equal(t.count, SHOAL_TABLE_K);
	shoal_table_failed(&t, &first[3]);
	assert_int_equal(shoal_table_closest(&t, &own, out, 16), SHOAL_TABLE_K);
	assert_true(shoal_table_answered(&t, &first[3], now)); /* once is nothing */
	shoal_table_failed(&t, &first[3]);
	shoal_table_failed(&t, &first[3]);
	assert_int_equal(t.count, SHOAL_TABLE_K);
	bool there = false, gone = true;
	size_t n = shoal_table_closest(&t, &own, out, 16);
	for (size_t i = 0; i < n; i++) {
		there |= shoal_node_id_equal(&out[i].id, &late.id);
		gone &= !shoal_node_id_equal(&out[i].id, &first[3].id);
	}
	assert_true(there && gone);
	/* without a spare it is kept for a while, and not told of */
	for (unsigned i = 0; i < SHOAL_TABLE_FAILS; i++)
		shoal_table_failed(&t, &late);
	assert_int_equal(shoal_table_closest(&t, &own, out, 16), SHOAL_TABLE_K - 1);
	for (unsigned i = 0; i < SHOAL_TABLE_FAILS_MAX; i++)
		shoal_table_failed(&t, &late);
	assert_int_equal(t.count, SHOAL_TABLE_K - 1);
	shoal_table_fini(&t);
}

static void an_earned_id_is_preferred_and_no_other(void **state)
{
	struct shoal_table t;
	struct shoal_krpc_node odd, good;
	(void)state;
	shoal_table_init(&t, &own);
	for (unsigned i = 0; i < SHOAL_TABLE_K; i++) {
		odd = somebody(&own, 1, false);
		assert_true(shoal_table_answered(&t, &odd, SHOAL_S(1)));
	}
	odd = somebody(&own, 1, false);
	assert_false(shoal_table_answered(&t, &odd, SHOAL_S(1)));
	good = somebody(&own, 1, true);
	assert_true(shoal_table_answered(&t, &good, SHOAL_S(1)));
	assert_int_equal(t.count, SHOAL_TABLE_K);
	shoal_table_fini(&t);
}

static void a_name_is_not_taken_over(void **state)
{
	struct shoal_table t;
	struct shoal_krpc_node n = somebody(&own, 2, true), thief = n, moved;
	(void)state;
	shoal_table_init(&t, &own);
	assert_true(shoal_table_answered(&t, &n, SHOAL_S(1)));
	thief.addr = somebody(&own, 2, true).addr;
	assert_false(shoal_table_answered(&t, &thief, SHOAL_S(1)));
	shoal_table_failed(&t, &n); /* it is silent: it may have moved */
	moved = thief;
	assert_true(shoal_table_answered(&t, &moved, SHOAL_S(1)));
	assert_int_equal(t.count, 1);
	/* our own id is nobody's */
	struct shoal_krpc_node us = { own, n.addr };
	assert_false(shoal_table_answered(&t, &us, SHOAL_S(1)));
	assert_false(shoal_table_asked(&t, &us, SHOAL_S(1)));
	shoal_table_fini(&t);
}

/* Who was told its address takes another id: the one before would be told of, and asked, in vain. */
static void an_address_has_one_id(void **state)
{
	struct shoal_table t;
	struct shoal_krpc_node before = somebody(&own, 0, false), after = before, out[2];
	(void)state;
	shoal_table_init(&t, &own);
	assert_true(shoal_table_answered(&t, &before, SHOAL_S(1000)));
	after.id.b[19] ^= 1; /* in the same bucket */
	assert_true(shoal_table_asked(&t, &after, SHOAL_S(1000)));
	assert_true(shoal_table_answered(&t, &after, SHOAL_S(1000)));
	after.id.b[0] ^= 0x80; /* and in another */
	assert_true(shoal_table_asked(&t, &after, SHOAL_S(1000)));
	assert_true(shoal_table_answered(&t, &after, SHOAL_S(1000)));
	assert_int_equal(t.count, 1);
	assert_int_equal(shoal_table_closest(&t, &own, out, 2), 1);
	assert_true(shoal_node_id_equal(&out[0].id, &after.id));
	shoal_table_fini(&t);
}

static void a_network_has_two_places_however_many_ids(void **state)
{
	struct shoal_table t;
	uint32_t honest = 0;
	struct shoal_table_entry e;
	(void)state;
	shoal_table_init(&t, &own);
	for (unsigned shared = 0; shared < 5; shared++) {
		for (unsigned i = 0; i < SHOAL_TABLE_K; i++) {
			struct shoal_krpc_node n = somebody(&own, shared, true);
			shoal_table_answered(&t, &n, SHOAL_S(1));
		}
	}
	honest = t.count;
	assert_true(honest > 35);
	for (unsigned i = 0; i < 100000; i++) { /* Sybils of ten /24s, anywhere */
		struct shoal_krpc_node n = { .id = random_id(),
					     .addr = { .port = (uint16_t)(2000 + i % 50000), .is_v4 = 1 } };
		shoal_put_u32(n.addr.ip, 0xc6000000 + (i % 10 << 16) + (i / 10 & 0xff));
		shoal_table_answered(&t, &n, SHOAL_S(2));
	}
	assert_true(t.count - honest <= 10 * SHOAL_TABLE_NET);
	uint32_t sybils = 0;
	for (uint32_t at = 0; shoal_table_next(&t, &at, &e);)
		sybils += e.node.addr.ip[0] == 0xc6;
	assert_int_equal(sybils, t.count - honest);
	assert_true(shoal_table_bytes(&t) < 24u * 1024);
	shoal_table_fini(&t);
}

static void the_silent_are_asked_and_empty_buckets_looked_into(void **state)
{
	struct shoal_table t;
	struct shoal_krpc_node n = somebody(&own, 0, true);
	struct shoal_id20 id, random = random_id();
	shoal_us now = SHOAL_S(1000);
	(void)state;
	shoal_table_init(&t, &own);
	shoal_table_answered(&t, &n, now);
	assert_null(shoal_table_stale(&t, now + SHOAL_TABLE_STALE - 1));
	const struct shoal_table_entry *e = shoal_table_stale(&t, now + SHOAL_TABLE_STALE);
	assert_non_null(e);
	assert_true(shoal_node_id_equal(&e->node.id, &n.id));
	assert_null(shoal_table_stale(&t, now + SHOAL_TABLE_STALE + 1)); /* not twice */
	shoal_table_failed(&t, &n);
	assert_non_null(shoal_table_stale(&t, now + SHOAL_TABLE_STALE + SHOAL_S(31))); /* but soon, once it failed */
	assert_false(shoal_table_refresh(&t, &random, now, &id));
	assert_true(shoal_table_refresh(&t, &random, now + SHOAL_TABLE_REFRESH, &id));
	assert_int_equal(shoal_node_id_shared(&own, &id), 0);
	assert_false(shoal_table_refresh(&t, &random, now + SHOAL_TABLE_REFRESH, &id));
	/* another id: everybody moves along */
	struct shoal_id20 other = n.id;
	other.b[19] ^= 1;
	shoal_table_rehome(&t, &other, now);
	assert_int_equal(t.count, 1);
	assert_non_null(t.bucket[159]);
	shoal_table_fini(&t);
}

/* ---- lookups ---- */

static void add(struct shoal_lookup *l, struct shoal_krpc_node n, int from)
{
	(void)shoal_lookup_add(l, &n, from);
}

static void a_lookup_ends_when_the_closest_eight_have_answered(void **state)
{
	static struct shoal_lookup l;
	struct shoal_id20 target = random_id();
	int slot;
	(void)state;
	shoal_lookup_init(&l, &target);
	assert_true(shoal_lookup_done(&l)); /* nobody to ask */
	for (unsigned i = 0; i < 12; i++)
		add(&l, somebody(&target, i % 6, true), -1);
	assert_false(shoal_lookup_done(&l));
	unsigned asked = 0;
	while (!shoal_lookup_done(&l)) {
		int waiting[SHOAL_LOOKUP_ALPHA];
		unsigned n = 0;
		while ((slot = shoal_lookup_next(&l)) >= 0)
			waiting[n++] = slot;
		assert_true(n > 0 && n <= SHOAL_LOOKUP_ALPHA);
		for (unsigned i = 0; i < n; i++, asked++)
			shoal_lookup_answered(&l, (unsigned)waiting[i], SHOAL_LIT("tok"));
	}
	assert_int_equal(asked, SHOAL_LOOKUP_K);
	uint8_t slots[SHOAL_LOOKUP_SEEN];
	assert_int_equal(shoal_lookup_closest(&l, slots, SHOAL_LOOKUP_K, true), SHOAL_LOOKUP_K);
	for (unsigned i = 1; i < SHOAL_LOOKUP_K; i++)
		assert_true(shoal_node_id_order(&target, &l.seen[slots[i - 1]].node.id, &l.seen[slots[i]].node.id) < 0);
}

static void who_is_late_is_waited_for_no_more(void **state)
{
	static struct shoal_lookup l;
	struct shoal_id20 target = random_id();
	(void)state;
	shoal_lookup_init(&l, &target);
	for (unsigned i = 0; i < 6; i++)
		add(&l, somebody(&target, i, true), -1);
	int slot[SHOAL_LOOKUP_ALPHA];
	for (unsigned i = 0; i < SHOAL_LOOKUP_ALPHA; i++)
		assert_true((slot[i] = shoal_lookup_next(&l)) >= 0);
	assert_int_equal(shoal_lookup_next(&l), -1);
	shoal_lookup_slow(&l, (unsigned)slot[0]);
	int more = shoal_lookup_next(&l);
	assert_true(more >= 0);
	shoal_lookup_answered(&l, (unsigned)slot[0], SHOAL_LIT("t")); /* late, and welcome */
	assert_int_equal(l.answers, 1);
	assert_int_equal(l.waiting, SHOAL_LOOKUP_ALPHA);
	shoal_lookup_dead(&l, (unsigned)slot[1]);
	assert_true(shoal_lookup_next(&l) >= 0);
	assert_int_equal(l.queries, 6);
}

static void who_answers_under_another_id_is_there_all_the_same(void **state)
{
	static struct shoal_lookup l;
	struct shoal_id20 target = random_id();
	struct shoal_krpc_node namer = somebody(&target, 1, true), named = somebody(&target, 9, false),
			       real = somebody(&target, 0, true);
	uint8_t slots[SHOAL_LOOKUP_SEEN];
	(void)state;
	shoal_lookup_init(&l, &target);
	int by = shoal_lookup_add(&l, &namer, -1);
	assert_int_equal(shoal_lookup_next(&l), by);
	shoal_lookup_answered(&l, (unsigned)by, SHOAL_LIT("t"));
	named.addr = real.addr;
	int slot = shoal_lookup_add(&l, &named, by);
	assert_int_equal(shoal_lookup_next(&l), slot);
	shoal_lookup_renamed(&l, (unsigned)slot, &real.id);
	shoal_lookup_answered(&l, (unsigned)slot, SHOAL_LIT("t"));
	assert_true(shoal_lookup_done(&l));
	assert_int_equal(shoal_lookup_closest(&l, slots, SHOAL_LOOKUP_K, true), 2);
	assert_int_equal(slots[0], by); /* where its id puts it */
	assert_int_equal(slots[1], slot);
	assert_true(l.seen[slot].fits);
	assert_int_equal(l.seen[by].dead, 1); /* who named it was wrong */
	assert_int_equal(l.seen[by].alive, 0);
}

static void liars_lose_their_credit_and_the_search_has_an_end(void **state)
{
	static struct shoal_lookup l;
	struct shoal_id20 target = random_id();
	unsigned honest = 0, fakes = 0;
	(void)state;
	shoal_lookup_init(&l, &target);
	for (unsigned i = 0; i < 12; i++)
		add(&l, somebody(&target, 4, true), -1);
	/* The first to answer names 16 that are not there, each time closer; then nobody does. */
	while (!shoal_lookup_done(&l)) {
		int slot = shoal_lookup_next(&l);
		assert_true(slot >= 0);
		if (l.seen[slot].from != slot) {
			fakes++;
			shoal_lookup_slow(&l, (unsigned)slot);
			continue;
		}
		honest++;
		shoal_lookup_answered(&l, (unsigned)slot, SHOAL_LIT("t"));
		for (unsigned i = 0; honest == 1 && i < SHOAL_LOOKUP_REPLY; i++)
			add(&l, somebody(&target, 12, true), slot);
	}
	assert_true(honest >= SHOAL_LOOKUP_K);
	assert_true(fakes <= SHOAL_LOOKUP_CREDIT + 1);
	/* and if everybody always names closer ones that answer: there is a bound */
	shoal_lookup_init(&l, &target);
	add(&l, somebody(&target, 0, false), -1);
	for (unsigned i = 0; !shoal_lookup_done(&l) && i < 1000; i++) {
		int slot = shoal_lookup_next(&l);
		if (slot < 0)
			break;
		shoal_lookup_answered(&l, (unsigned)slot, SHOAL_LIT("t"));
		for (unsigned k = 0; k < SHOAL_LOOKUP_REPLY; k++)
			add(&l, somebody(&target, i < 100 ? i + 1 : 101, false), slot);
	}
	assert_true(l.queries <= SHOAL_LOOKUP_QUERIES);
}

static void ids_not_earned_do_not_count(void **state)
{
	static struct shoal_lookup l;
	struct shoal_id20 target = random_id();
	int slot;
	(void)state;
	shoal_lookup_init(&l, &target);
	for (unsigned i = 0; i < 10; i++)
		add(&l, somebody(&target, 20, false), -1); /* ten Sybils right at the target */
	for (unsigned i = 0; i < 10; i++)
		add(&l, somebody(&target, 3, true), -1);
	while ((slot = shoal_lookup_next(&l)) >= 0)
		shoal_lookup_answered(&l, (unsigned)slot, SHOAL_LIT("t"));
	assert_true(shoal_lookup_done(&l));
	uint8_t slots[SHOAL_LOOKUP_SEEN];
	size_t n = shoal_lookup_closest(&l, slots, SHOAL_LOOKUP_K, true), good = 0;
	for (size_t i = 0; i < n; i++)
		good += l.seen[slots[i]].fits;
	assert_int_equal(good, SHOAL_LOOKUP_K);
	/* a host, and its /24, is asked once */
	shoal_lookup_init(&l, &target);
	struct shoal_krpc_node a = somebody(&target, 3, false), b = a;
	add(&l, a, -1);
	b.id = random_id();
	b.addr.port++;
	add(&l, b, -1);
	assert_int_equal(l.count, 1);
}

/* ---- what an address may ---- */

static struct shoal_addr host(uint32_t ip)
{
	struct shoal_addr a = { .port = 7000, .is_v4 = 1 };
	shoal_put_u32(a.ip, ip);
	return a;
}

static void a_host_has_its_share(void **state)
{
	struct shoal_quota q;
	struct shoal_addr a = host(0x08080808), near = host(0x08080809), far = host(0x09090909),
			  local = host(0x7f000001);
	shoal_us now = SHOAL_S(10);
	unsigned taken = 0;
	(void)state;
	shoal_quota_init(&q, (struct shoal_sipkey){ 1, 2 }, now);
	for (unsigned i = 0; i < 1000; i++)
		taken += shoal_quota_serve(&q, &a, now);
	assert_int_equal(taken, SHOAL_QUOTA_HOST_BURST);
	assert_true(shoal_quota_serve(&q, &near, now));
	assert_true(shoal_quota_serve(&q, &far, now));
	for (unsigned i = 0; i < 1000; i++)
		assert_true(shoal_quota_serve(&q, &local, now));
	now += SHOAL_S(2);
	for (taken = 0; shoal_quota_serve(&q, &a, now);)
		taken++;
	assert_in_range(taken, 2 * SHOAL_QUOTA_HOST_RATE - 1, 2 * SHOAL_QUOTA_HOST_RATE + 1);
	/* a /24 of many hosts */
	taken = 0;
	for (unsigned i = 0; i < 1000; i++) {
		struct shoal_addr b = host(0x0a0a0a00 - 0x01000000 + i % 256);
		taken += shoal_quota_serve(&q, &b, now);
	}
	assert_int_equal(taken, SHOAL_QUOTA_NET_BURST);
	/* all together */
	size_t bytes = 0;
	while (shoal_quota_answer(&q, 1000, now))
		bytes += 1000;
	assert_in_range(bytes, SHOAL_QUOTA_ANSWERS_BURST - 1000, SHOAL_QUOTA_ANSWERS_BURST);
	now += SHOAL_S(1);
	for (bytes = 0; shoal_quota_answer(&q, 1000, now);)
		bytes += 1000;
	assert_in_range(bytes, SHOAL_QUOTA_ANSWERS - 2000, SHOAL_QUOTA_ANSWERS + 1000);
	shoal_quota_fini(&q);
}

static void nobody_is_bothered_who_does_not_answer(void **state)
{
	struct shoal_quota q;
	struct shoal_addr victim = host(0x08080808), friend = host(0x09090909);
	shoal_us now = SHOAL_S(10);
	unsigned sent = 0;
	(void)state;
	shoal_quota_init(&q, (struct shoal_sipkey){ 1, 2 }, now);
	for (unsigned i = 0; i < 100000; i++, now += SHOAL_MS(5)) {
		victim.port = (uint16_t)(1024 + i % 60000);
		sent += shoal_quota_ask(&q, &victim, now);
	}
	assert_int_equal(sent, SHOAL_QUOTA_UNPROVED);
	assert_false(shoal_quota_proved(&q, &friend, now));
	shoal_quota_prove(&q, &friend, now);
	for (unsigned i = 0; i < 100; i++)
		assert_true(shoal_quota_ask(&q, &friend, now));
	assert_true(shoal_quota_proved(&q, &friend, now + SHOAL_QUOTA_PROOF - SHOAL_S(1)));
	assert_false(shoal_quota_proved(&q, &friend, now + SHOAL_QUOTA_PROOF + SHOAL_S(1)));
	assert_true(shoal_quota_ask(&q, &victim, now + SHOAL_QUOTA_PROOF + SHOAL_S(1)));
	shoal_quota_fini(&q);
}

static void our_address_is_what_most_networks_say(void **state)
{
	struct shoal_vote v = { .count = 0 };
	struct shoal_addr ours = host(0x05060708), lie = host(0x0c0c0c0c), local = host(0x0a000001);
	(void)state;
	for (uint32_t i = 0; i < 100; i++) { /* one liar, many addresses of one /16 */
		struct shoal_addr liar = host(0x08080000 + i);
		assert_false(shoal_vote_cast(&v, &liar, &lie));
	}
	for (uint32_t i = 0; i < 3; i++) {
		struct shoal_addr voter = host(0x09000000 + (i << 16));
		assert_false(shoal_vote_cast(&v, &voter, &ours));
	}
	struct shoal_addr voter = host(0x0b000000), near = host(0xc0a80101);
	assert_false(shoal_vote_cast(&v, &near, &ours));   /* neighbours have no voice */
	assert_false(shoal_vote_cast(&v, &voter, &local)); /* and nobody is private out there */
	assert_true(shoal_vote_cast(&v, &voter, &ours));   /* four of five */
	for (uint32_t i = 0; i < 2; i++) {
		voter = host(0x20000000 + (i << 16));
		assert_false(shoal_vote_cast(&v, &voter, &lie));
	}
}

static int setup(void **state)
{
	(void)state;
	dice = shoal_rng_split(7, 7);
	own = random_id();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_answers_stays, setup),
		cmocka_unit_test_setup(an_earned_id_is_preferred_and_no_other, setup),
		cmocka_unit_test_setup(a_name_is_not_taken_over, setup),
		cmocka_unit_test_setup(an_address_has_one_id, setup),
		cmocka_unit_test_setup(a_network_has_two_places_however_many_ids, setup),
		cmocka_unit_test_setup(the_silent_are_asked_and_empty_buckets_looked_into, setup),
		cmocka_unit_test_setup(a_lookup_ends_when_the_closest_eight_have_answered, setup),
		cmocka_unit_test_setup(who_is_late_is_waited_for_no_more, setup),
		cmocka_unit_test_setup(who_answers_under_another_id_is_there_all_the_same, setup),
		cmocka_unit_test_setup(liars_lose_their_credit_and_the_search_has_an_end, setup),
		cmocka_unit_test_setup(ids_not_earned_do_not_count, setup),
		cmocka_unit_test_setup(a_host_has_its_share, setup),
		cmocka_unit_test_setup(nobody_is_bothered_who_does_not_answer, setup),
		cmocka_unit_test_setup(our_address_is_what_most_networks_say, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
