/* test_dht_stores.c - what a node keeps for others: tokens, peers with their filters (BEP 33), items (BEP 44), and bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "dht/items.h"
#include "dht/peer_store.h"
#include "dht/token.h"
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "tests/unit/own_hex.h"

static struct shoal_budget budget;
static const struct shoal_sipkey secret = { 1, 2 };
static struct shoal_rng dice;
static const struct shoal_id20 own;

static struct shoal_addr host(uint32_t ip, uint16_t port)
{
	struct shoal_addr a = { .port = port, .is_v4 = 1 };
	shoal_put_u32(a.ip, ip);
	return a;
}

static struct shoal_id20 key(uint32_t n)
{
	struct shoal_id20 id = { { 0 } };
	shoal_put_u32(id.b, n);
	return id;
}

/* ---- tokens ---- */

static void a_token_is_for_one_address_one_key_and_ten_minutes(void **state)
{
	struct shoal_addr a = host(0x01020304, 1000), b = host(0x01020305, 1000), moved = host(0x01020304, 2000);
	struct shoal_id20 k = key(1), other = key(2);
	uint8_t raw[SHOAL_TOKEN_BYTES];
	shoal_us now = 10 * SHOAL_TOKEN_TURN;
	struct shoal_bytes token = shoal_bytes(raw, sizeof raw);
	(void)state;
	shoal_token_make(secret, &a, &k, now, raw);
	assert_true(shoal_token_good(secret, &a, &k, now, token));
	assert_true(shoal_token_good(secret, &moved, &k, now, token));
	assert_true(shoal_token_good(secret, &a, &k, now + 2 * SHOAL_TOKEN_TURN - 1, token));
	assert_false(shoal_token_good(secret, &a, &k, now + 2 * SHOAL_TOKEN_TURN, token));
	assert_false(shoal_token_good(secret, &b, &k, now, token));
	assert_false(shoal_token_good(secret, &a, &other, now, token));
	assert_false(shoal_token_good((struct shoal_sipkey){ 1, 3 }, &a, &k, now, token));
	assert_false(shoal_token_good(secret, &a, &k, now, shoal_bytes(raw, 7)));
	assert_false(shoal_token_good(secret, &a, &k, now, shoal_bytes(NULL, 0)));
	raw[3] ^= 1;
	assert_false(shoal_token_good(secret, &a, &k, now, token));
}

/* ---- filters ---- */

static void the_filter_of_bep_33(void **state)
{
	static const char want[] = "F6C3F5EAA07FFD91BDE89F777F26FB2BFF37BDB8FB2BBAA2FD3DDDE7BACFFF75EE7CCBAEFE5EEDB1FBF"
				   "AFF67F6ABFF5E43DDBCA3FD9B9FFD"
				   "F4FFD3E9DFF12D1BDF59DB53DBE9FA5B7FF3B8FDFCDE1AFB8BEDD7BE2F3EE71EBBBFE93BCDEEFE14824"
				   "6C2BC5DBFF7E7EFDCF24FD8DC7ADF"
				   "FD8FFFDFDDFFF7A4BBEEDF5CB95CE81FC7FCFF1FF4FFFFDFE5F7FDCBB7FD79B3FA1FC77BFE07FFF905B"
				   "7B7FFC7FEFEFFE0B8370BB0CD3F5B"
				   "7F2BD93FEB4386CFDD6F7FD5BFAF2E9EBFFFFEECD67ADBF7C67F17EFD5D75EBA6FFEBA7FFF47A91EB1B"
				   "FBB53E8ABFB5762ABE8FF237279BF"
				   "EFBFEEF5FFC5FEBFDFE5ADFFADFEE1FB737FFFFBFD9F6AEFFEEE76B6FD8F72EF";
	struct shoal_bloom bloom = { { 0 } };
	uint8_t raw[SHOAL_BLOOM_BYTES];
	struct shoal_addr a;
	(void)state;
	for (uint32_t i = 0; i < 256; i++) {
		a = host(0xc0000200 + i, 1);
		shoal_bloom_add(&bloom, &a);
	}
	for (uint16_t i = 0; i <= 0x3e7; i++) {
		a = (struct shoal_addr){ .ip = { 0x20, 0x01, 0x0d, 0xb8 } };
		shoal_put_u16(a.ip + 14, i);
		shoal_bloom_add(&bloom, &a);
		assert_true(shoal_bloom_has(&bloom, &a));
	}
	assert_int_equal(own_unhex(raw, want), sizeof raw);
	assert_memory_equal(bloom.b, raw, sizeof raw);
	assert_int_equal(shoal_bloom_count_milli(&bloom), 1224931); /* 1224.9308 */
	struct shoal_bloom none = { { 0 } };
	assert_int_equal(shoal_bloom_count_milli(&none), 0);
	shoal_bloom_join(&none, &bloom);
	assert_memory_equal(none.b, raw, sizeof raw);
	memset(none.b, 0xff, sizeof none.b);
	assert_true(shoal_bloom_count_milli(&none) > 6000000);
}

/* ---- peers ---- */

static void who_announces_is_told_of_for_half_an_hour(void **state)
{
	struct shoal_peer_store s;
	struct shoal_addr out[8], a = host(0x08080808, 1000), again = host(0x08080808, 2000),
				  seed = host(0x09090909, 3000);
	struct shoal_id20 k = key(7);
	shoal_us now = SHOAL_S(100);
	(void)state;
	shoal_peer_store_init(&s, secret, &budget);
	assert_int_equal(shoal_peer_store_pick(&s, &k, false, &dice, now, out, 8), 0);
	assert_int_equal(shoal_peer_store_add(&s, &own, &k, &a, false, now), 0);
	assert_int_equal(shoal_peer_store_add(&s, &own, &k, &again, false, now), 0); /* the same host: its new port */
	assert_int_equal(shoal_peer_store_add(&s, &own, &k, &seed, true, now + SHOAL_S(60)), 0);
	assert_int_equal(s.peers, 2);
	assert_int_equal(shoal_peer_store_pick(&s, &k, false, &dice, now, out, 8), 2);
	assert_int_equal(shoal_peer_store_pick(&s, &k, true, &dice, now, out, 1), 1); /* no seed, if there is another */
	assert_int_equal(out[0].port, 2000);
	struct shoal_bloom seeds, peers;
	assert_true(shoal_peer_store_count(&s, &k, now, &seeds, &peers));
	assert_true(shoal_bloom_has(&seeds, &seed) && shoal_bloom_has(&peers, &a) && !shoal_bloom_has(&peers, &seed));
	struct shoal_id20 sample[4];
	assert_int_equal(shoal_peer_store_sample(&s, &dice, sample, 4), 1);
	assert_memory_equal(sample[0].b, k.b, 20);
	now += SHOAL_STORED_TIME;
	assert_int_equal(shoal_peer_store_pick(&s, &k, false, &dice, now, out, 8), 1);
	shoal_peer_store_expire(&s, now);
	assert_int_equal(s.peers, 1);
	shoal_peer_store_expire(&s, now + SHOAL_S(60));
	assert_int_equal(s.peers + s.shelf.count, 0);
	shoal_peer_store_fini(&s);
	assert_int_equal(budget.used, 0);
}

static void hosts_of_private_networks_share_addresses(void **state)
{
	struct shoal_peer_store s;
	struct shoal_id20 k = key(7);
	(void)state;
	shoal_peer_store_init(&s, secret, &budget);
	for (uint16_t port = 1000; port < 1010; port++) {
		struct shoal_addr a = host(0x7f000001, port);
		assert_int_equal(shoal_peer_store_add(&s, &own, &k, &a, false, SHOAL_S(1)), 0);
	}
	assert_int_equal(s.peers, 10);
	shoal_peer_store_fini(&s);
}

static void a_flood_of_announces_stays_within_bounds(void **state)
{
	struct shoal_peer_store s;
	struct shoal_addr one = host(0x08080808, 1000);
	shoal_us now = SHOAL_S(100);
	uint32_t taken = 0;
	(void)state;
	shoal_peer_store_init(&s, secret, &budget);
	for (uint32_t i = 0; i < 1000; i++) { /* one host, many swarms */
		struct shoal_id20 k = key(0x80000000 + i);
		taken += shoal_peer_store_add(&s, &own, &k, &one, false, now) == 0;
	}
	assert_int_equal(taken, SHOAL_STORED_PER_HOST);
	for (uint32_t i = 0; i < 20000; i++) { /* many hosts, each its swarm, ever nearer to us */
		struct shoal_addr a = host(0x0b000000 + i * 1000, 1000);
		struct shoal_id20 k = key(0x7fffffff - i);
		assert_int_equal(shoal_peer_store_add(&s, &own, &k, &a, false, now), 0);
		assert_true(s.shelf.count <= SHOAL_STORED_SWARMS);
	}
	struct shoal_id20 far = key(0xffffffff), near = key(0x7fffffff - 19999);
	assert_int_equal(shoal_peer_store_add(&s, &own, &far,
					      &(struct shoal_addr){ .ip = { 99 }, .port = 1, .is_v4 = 1 }, false, now),
			 SHOAL_ERR_BUSY);
	for (uint32_t i = 0; i < 1000; i++) { /* and all of them in one swarm */
		struct shoal_addr a = host(0x0c000000 + i, 1000);
		int rc = shoal_peer_store_add(&s, &own, &near, &a, false, now);
		assert_int_equal(rc, i < SHOAL_STORED_PEERS - 1 ? 0 : SHOAL_ERR_BUSY);
	}
	/* who has not renewed it gives way */
	struct shoal_addr late = host(0x0d000000, 1000);
	assert_int_equal(shoal_peer_store_add(&s, &own, &near, &late, false, now + SHOAL_STORED_LATE), 0);
	assert_true(budget.used < 1u << 20);
	shoal_peer_store_fini(&s);
	assert_int_equal(budget.used, 0);
}

/* ---- items ---- */

static const char pub[] = "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548";
static const char hello[] = "12:Hello World!";

/* Signatures are swarm/io's: here one is right if it repeats the first bytes of what is signed. */
static unsigned verified;
static bool verify(void *to, const uint8_t sig[64], struct shoal_bytes text, const uint8_t k[32])
{
	(void)to;
	(void)k;
	verified++;
	return text.len >= 8 && memcmp(sig, text.at + text.len - 8, 8) == 0;
}
static const struct shoal_dht_crypto crypto = { NULL, verify };

static void the_vectors_of_bep_44_and_46(void **state)
{
	uint8_t k[32], raw[SHOAL_ITEM_SIGNED_MAX], want[20];
	struct shoal_id20 target;
	struct shoal_bytes v = SHOAL_LIT(hello);
	(void)state;
	assert_int_equal(own_unhex(k, pub), 32);
	ptrdiff_t n = shoal_item_signed(shoal_bytes(NULL, 0), 1, v, raw);
	assert_true(shoal_bytes_equal(shoal_bytes(raw, (size_t)n), SHOAL_LIT("3:seqi1e1:v12:Hello World!")));
	n = shoal_item_signed(SHOAL_LIT("foobar"), 1, v, raw);
	assert_true(
		shoal_bytes_equal(shoal_bytes(raw, (size_t)n), SHOAL_LIT("4:salt6:foobar3:seqi1e1:v12:Hello World!")));
	shoal_item_target_of(k, shoal_bytes(NULL, 0), &target);
	assert_int_equal(own_unhex(want, "4a533d47ec9c7d95b1ad75f576cffc641853b750"), 20);
	assert_memory_equal(target.b, want, 20);
	shoal_item_target_of(k, SHOAL_LIT("foobar"), &target);
	assert_int_equal(own_unhex(want, "411eba73b6f087ca51a3795d9c8c938d365e32c1"), 20);
	assert_memory_equal(target.b, want, 20);
	shoal_item_target(v, &target);
	assert_int_equal(own_unhex(want, "e5f96f6f38320f0f33959cb4d3d656452117aadb"), 20);
	assert_memory_equal(target.b, want, 20);
	/* BEP 46 */
	assert_int_equal(own_unhex(k, "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e"), 32);
	shoal_item_target_of(k, shoal_bytes(NULL, 0), &target);
	assert_int_equal(own_unhex(want, "cc3f9d90b572172053626f9980ce261a850d050b"), 20);
	assert_memory_equal(target.b, want, 20);
	shoal_item_target_of(k, SHOAL_LIT("n"), &target);
	assert_int_equal(own_unhex(want, "59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f"), 20);
	assert_memory_equal(target.b, want, 20);
	/* no room for a byte too many */
	uint8_t big[SHOAL_KRPC_VALUE_MAX + 1] = { 0 };
	assert_true(shoal_item_signed(shoal_bytes(big, 64), INT64_MIN, shoal_bytes(big, 1000), raw) > 0);
	assert_int_equal(shoal_item_signed(shoal_bytes(big, 65), 1, v, raw), SHOAL_ERR_TOO_LONG);
	assert_int_equal(shoal_item_signed(shoal_bytes(NULL, 0), 1, shoal_bytes(big, 1001), raw), SHOAL_ERR_TOO_LONG);
}

static uint8_t a_key[32] = { 1 }, a_sig[64];

static struct shoal_krpc put_of(int64_t seq, struct shoal_bytes v)
{
	struct shoal_krpc m = { .v = v, .k = { a_key, 32 }, .sig = { a_sig, 64 }, .has_seq = true, .seq = seq };
	uint8_t raw[SHOAL_ITEM_SIGNED_MAX];
	ptrdiff_t n = shoal_item_signed(m.salt, seq, v, raw);
	memcpy(a_sig, raw + n - 8, 8);
	return m;
}

static int keep(struct shoal_items *s, const struct shoal_krpc *m, struct shoal_id20 *target)
{
	struct shoal_addr from = host(0x08080808, 1);
	int rc = shoal_items_judge(m, target);
	return rc != 0 ? rc : shoal_items_put(s, &own, target, m, &from, SHOAL_S(10));
}

static void what_may_be_put(void **state)
{
	struct shoal_items s;
	struct shoal_id20 t;
	uint8_t big[SHOAL_KRPC_VALUE_MAX + 1] = { 0 };
	struct shoal_krpc m = { .v = SHOAL_LIT(hello) };
	(void)state;
	shoal_items_init(&s, secret, &budget, &crypto);
	assert_int_equal(keep(&s, &m, &t), 0);
	assert_non_null(shoal_items_find(&s, &t, SHOAL_S(10)));
	m = put_of(2, SHOAL_LIT("i7e"));
	assert_int_equal(keep(&s, &m, &t), 0);
	unsigned before = verified;
	assert_int_equal(keep(&s, &m, &t), 0); /* again: no new look at the signature */
	assert_int_equal(verified, before);
	m = put_of(2, SHOAL_LIT("i8e"));
	assert_int_equal(keep(&s, &m, &t), SHOAL_KRPC_SEQ_TOO_LOW);
	m = put_of(1, SHOAL_LIT("i8e"));
	assert_int_equal(keep(&s, &m, &t), SHOAL_KRPC_SEQ_TOO_LOW);
	m = put_of(3, SHOAL_LIT("i8e"));
	m.has_cas = true;
	m.cas = 1;
	assert_int_equal(keep(&s, &m, &t), SHOAL_KRPC_CAS_MISMATCH);
	m.cas = 2;
	assert_int_equal(keep(&s, &m, &t), 0);
	assert_int_equal(shoal_items_find(&s, &t, SHOAL_S(10))->seq, 3);
	m = put_of(4, SHOAL_LIT("i9e"));
	a_sig[0] ^= 1;
	assert_int_equal(keep(&s, &m, &t), SHOAL_KRPC_BAD_SIGNATURE);
	m = put_of(-1, SHOAL_LIT("i9e"));
	assert_int_equal(keep(&s, &m, &t), SHOAL_KRPC_PROTOCOL);
	m = put_of(5, SHOAL_LIT("i9e"));
	m.salt = shoal_bytes(big, SHOAL_KRPC_SALT_MAX + 1);
	assert_int_equal(keep(&s, &m, &t), SHOAL_KRPC_SALT_TOO_BIG);
	m = put_of(5, SHOAL_LIT("i9e"));
	m.v = shoal_bytes(big, sizeof big);
	assert_int_equal(keep(&s, &m, &t), SHOAL_KRPC_TOO_BIG);
	m = put_of(5, SHOAL_LIT("i9e"));
	m.sig.len = 0;
	assert_int_equal(keep(&s, &m, &t), SHOAL_KRPC_PROTOCOL);
	m = put_of(5, SHOAL_LIT("i9e"));
	m.k.len = 0; /* a mutable one without its key must not become an immutable one */
	assert_int_equal(keep(&s, &m, &t), SHOAL_KRPC_PROTOCOL);
	m = (struct shoal_krpc){ 0 };
	assert_int_equal(keep(&s, &m, &t), SHOAL_KRPC_PROTOCOL);
	shoal_items_expire(&s, SHOAL_S(10) + SHOAL_ITEM_TIME);
	assert_int_equal(s.shelf.count, 0);
	shoal_items_fini(&s);
	s.crypto = NULL; /* nobody to verify: nothing is believed */
	m = put_of(9, SHOAL_LIT("i9e"));
	assert_int_equal(keep(&s, &m, &t), SHOAL_KRPC_BAD_SIGNATURE);
	shoal_items_fini(&s);
	assert_int_equal(budget.used, 0);
}

static void a_flood_of_items_stays_within_bounds(void **state)
{
	struct shoal_items s;
	uint32_t mine = 0;
	(void)state;
	shoal_items_init(&s, secret, &budget, &crypto);
	for (uint32_t i = 0; i < 4000; i++) {
		char text[16];
		struct shoal_id20 t;
		struct shoal_addr from = host(i < 1000 ? 0x08080808 : 0x0b000000 + i * 1000, 1);
		struct shoal_krpc m = { .v = shoal_bytes(text, (size_t)snprintf(text, sizeof text, "i%ue", i)) };
		assert_int_equal(shoal_items_judge(&m, &t), 0);
		mine += shoal_items_put(&s, &own, &t, &m, &from, SHOAL_S(1)) == 0 && i < 1000;
		assert_true(s.shelf.count <= SHOAL_ITEMS);
	}
	assert_int_equal(mine, SHOAL_ITEMS_PER_HOST);
	shoal_items_fini(&s);
	assert_int_equal(budget.used, 0);
}

static void what_is_found_is_not_believed_unseen(void **state)
{
	struct shoal_id20 t;
	struct shoal_krpc m = { .v = SHOAL_LIT(hello) };
	(void)state;
	shoal_item_target(m.v, &t);
	assert_true(shoal_item_true(&crypto, &t, shoal_bytes(NULL, 0), &m));
	m.v = SHOAL_LIT("12:Hello World?");
	assert_false(shoal_item_true(&crypto, &t, shoal_bytes(NULL, 0), &m));
	m = put_of(3, SHOAL_LIT("i8e"));
	shoal_item_target_of(a_key, shoal_bytes(NULL, 0), &t);
	assert_true(shoal_item_true(&crypto, &t, shoal_bytes(NULL, 0), &m));
	assert_false(shoal_item_true(NULL, &t, shoal_bytes(NULL, 0), &m));
	assert_false(shoal_item_true(&crypto, &t, SHOAL_LIT("salt"), &m));
	a_sig[1] ^= 1;
	assert_false(shoal_item_true(&crypto, &t, shoal_bytes(NULL, 0), &m));
	a_sig[1] ^= 1;
	t.b[0] ^= 1;
	assert_false(shoal_item_true(&crypto, &t, shoal_bytes(NULL, 0), &m));
}

static int setup(void **state)
{
	(void)state;
	budget = (struct shoal_budget){ .limit = 64u << 20 };
	dice = shoal_rng_split(1, 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_token_is_for_one_address_one_key_and_ten_minutes, setup),
		cmocka_unit_test_setup(the_filter_of_bep_33, setup),
		cmocka_unit_test_setup(who_announces_is_told_of_for_half_an_hour, setup),
		cmocka_unit_test_setup(hosts_of_private_networks_share_addresses, setup),
		cmocka_unit_test_setup(a_flood_of_announces_stays_within_bounds, setup),
		cmocka_unit_test_setup(the_vectors_of_bep_44_and_46, setup),
		cmocka_unit_test_setup(what_may_be_put, setup),
		cmocka_unit_test_setup(a_flood_of_items_stays_within_bounds, setup),
		cmocka_unit_test_setup(what_is_found_is_not_believed_unseen, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
