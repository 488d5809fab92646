/* test_node_id.c - distances, and the ids that BEP 42 gives as examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dht/node_id.h"
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/text.h"

static struct shoal_id20 id(const char *hex)
{
	struct shoal_id20 out;
	assert_int_equal(shoal_hex_decode(shoal_bytes(hex, strlen(hex)), (struct shoal_space){ out.b, 20 }), 0);
	return out;
}

static struct shoal_addr addr(const char *text)
{
	struct shoal_addr out;
	assert_int_equal(shoal_addr_parse_ip(shoal_bytes(text, strlen(text)), &out), 0);
	return out;
}

static void the_examples_of_bep_42(void **state)
{
	static const struct {
		const char *ip, *id;
	} rows[] = {
		{ "124.31.75.21", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401" },
		{ "21.75.31.124", "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256" },
		{ "65.23.51.170", "a5d43220bc8f112a3d426c84764f8c2a1150e616" },
		{ "84.124.73.14", "1b0321dd1bb1fe518101ceef99462b947a01ff41" },
		{ "43.213.53.83", "e56f6cbf5b7c4be0237986d5243b87aa6d51305a" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct shoal_addr a = addr(rows[i].ip), other = addr("8.8.8.8");
		struct shoal_id20 want = id(rows[i].id), dice = want;
		assert_true(shoal_node_id_fits(&want, &a));
		assert_false(shoal_node_id_fits(&want, &other));
		dice.b[0] = dice.b[1] = 0;
		dice.b[2] &= 7;
		struct shoal_id20 made = shoal_node_id_make(&a, &dice);
		assert_true(shoal_node_id_equal(&made, &want));
		want.b[2] ^= 8; /* the last of the 21 bits */
		assert_false(shoal_node_id_fits(&want, &a));
		want.b[2] ^= 8 | 4; /* and the first that is free */
		assert_true(shoal_node_id_fits(&want, &a));
	}
}

static void who_is_at_home_may_have_any_id(void **state)
{
	static const char *const homes[] = { "127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.7.7", "fe80::1", "::1" };
	struct shoal_id20 any = id("0123456789012345678901234567890123456789");
	(void)state;
	for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
		struct shoal_addr a = addr(homes[i]);
		assert_true(shoal_node_id_fits(&any, &a));
	}
	struct shoal_addr a6 = addr("2a01:4f8::7");
	struct shoal_id20 made = shoal_node_id_make(&a6, &any);
	assert_true(shoal_node_id_fits(&made, &a6));
	struct shoal_addr near = addr("2a01:4f8::8"); /* the same /64 is the same host */
	assert_true(shoal_node_id_fits(&made, &near));
}

static void distances(void **state)
{
	struct shoal_id20 a = id("0000000000000000000000000000000000000000"), b = a, c = a;
	(void)state;
	assert_int_equal(shoal_node_id_shared(&a, &b), 160);
	b.b[19] = 1;
	assert_int_equal(shoal_node_id_shared(&a, &b), 159);
	c.b[0] = 0x80;
	assert_int_equal(shoal_node_id_shared(&a, &c), 0);
	assert_true(shoal_node_id_order(&a, &b, &c) < 0);
	assert_true(shoal_node_id_order(&c, &b, &c) > 0);
	assert_int_equal(shoal_node_id_order(&a, &c, &c), 0);
	c.b[0] = 0;
	c.b[1] = 0x10;
	assert_int_equal(shoal_node_id_shared(&a, &c), 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_bep_42),
		cmocka_unit_test(who_is_at_home_may_have_any_id),
		cmocka_unit_test(distances),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
