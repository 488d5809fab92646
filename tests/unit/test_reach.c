/* test_reach.c - each range by its first and last address and the neighbours outside; v4 in all its v6 clothes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/reach.h"

#define GLOBAL SHOAL_REACH_GLOBAL
#define LOOPBACK SHOAL_REACH_LOOPBACK
#define LINK SHOAL_REACH_LINK
#define PRIVATE SHOAL_REACH_PRIVATE
#define NOWHERE SHOAL_REACH_NOWHERE

static struct shoal_addr ip(const char *text)
{
	struct shoal_addr a;
	assert_int_equal(shoal_addr_parse_ip(shoal_bytes(text, strlen(text)), &a), 0);
	return a;
}

static const struct {
	const char *text;
	enum shoal_reach want;
} places[] = {
	{ "0.0.0.0", NOWHERE },
	{ "0.255.255.255", NOWHERE },
	{ "1.0.0.0", GLOBAL },
	{ "9.255.255.255", GLOBAL },
	{ "10.0.0.0", PRIVATE },
	{ "10.255.255.255", PRIVATE },
	{ "11.0.0.0", GLOBAL },
	{ "100.63.255.255", GLOBAL },
	{ "100.64.0.0", PRIVATE },
	{ "100.127.255.255", PRIVATE },
	{ "100.128.0.0", GLOBAL },
	{ "126.255.255.255", GLOBAL },
	{ "127.0.0.0", LOOPBACK },
	{ "127.0.0.1", LOOPBACK },
	{ "127.255.255.255", LOOPBACK },
	{ "128.0.0.0", GLOBAL },
	{ "169.253.255.255", GLOBAL },
	{ "169.254.0.0", LINK },
	{ "169.254.169.254", LINK },
	{ "169.254.255.255", LINK },
	{ "169.255.0.0", GLOBAL },
	{ "172.15.255.255", GLOBAL },
	{ "172.16.0.0", PRIVATE },
	{ "172.31.255.255", PRIVATE },
	{ "172.32.0.0", GLOBAL },
	{ "191.255.255.255", GLOBAL },
	{ "192.0.0.0", NOWHERE },
	{ "192.0.0.255", NOWHERE },
	{ "192.0.1.0", GLOBAL },
	{ "192.0.2.0", NOWHERE },
	{ "192.0.2.255", NOWHERE },
	{ "192.0.3.0", GLOBAL },
	{ "192.88.98.255", GLOBAL },
	{ "192.88.99.1", NOWHERE },
	{ "192.88.100.0", GLOBAL },
	{ "192.167.255.255", GLOBAL },
	{ "192.168.0.0", PRIVATE },
	{ "192.168.255.255", PRIVATE },
	{ "192.169.0.0", GLOBAL },
	{ "198.17.255.255", GLOBAL },
	{ "198.18.0.0", NOWHERE },
	{ "198.19.255.255", NOWHERE },
	{ "198.20.0.0", GLOBAL },
	{ "198.51.99.255", GLOBAL },
	{ "198.51.100.0", NOWHERE },
	{ "198.51.100.255", NOWHERE },
	{ "198.51.101.0", GLOBAL },
	{ "203.0.112.255", GLOBAL },
	{ "203.0.113.0", NOWHERE },
	{ "203.0.113.255", NOWHERE },
	{ "203.0.114.0", GLOBAL },
	{ "223.255.255.255", GLOBAL },
	{ "224.0.0.0", NOWHERE },
	{ "239.192.152.143", NOWHERE },
	{ "240.0.0.1", NOWHERE },
	{ "255.255.255.255", NOWHERE },

	{ "::", NOWHERE },
	{ "::1", LOOPBACK },
	{ "::2", NOWHERE },
	{ "::7f00:1", NOWHERE }, /* "compatible" v4, out of use */
	{ "100::", NOWHERE },	 /* discard */
	{ "100::ffff", NOWHERE },
	{ "1fff:ffff::", NOWHERE }, /* nothing below 2000::/3 is given out */
	{ "2001:200::", GLOBAL },
	{ "2001:1ff::", NOWHERE },
	{ "2001:2::1", NOWHERE },
	{ "2001:10::1", NOWHERE },
	{ "2001:20::1", NOWHERE },
	{ "2001:db7:ffff::", GLOBAL },
	{ "2001:db8::", NOWHERE },
	{ "2001:db8:ffff::", NOWHERE },
	{ "2001:db9::", GLOBAL },
	{ "2003::1", GLOBAL },
	{ "3ffe::", GLOBAL },
	{ "3fff::", NOWHERE },
	{ "3fff:fff::", NOWHERE },
	{ "3fff:1000::", GLOBAL },
	{ "4000::", NOWHERE },
	{ "5f00::1", NOWHERE },
	{ "fbff::", NOWHERE },
	{ "fc00::", PRIVATE },
	{ "fdff:ffff::", PRIVATE },
	{ "fe00::", NOWHERE },
	{ "fe7f::", NOWHERE },
	{ "fe80::1", LINK },
	{ "febf:ffff::", LINK },
	{ "fec0::1", PRIVATE },
	{ "feff::", PRIVATE },
	{ "ff02::1", NOWHERE },

	{ "64:ff9b::7f00:1", LOOPBACK },
	{ "64:ff9b::a00:1", PRIVATE },
	{ "64:ff9b::808:808", GLOBAL },
	{ "64:ff9b::a9fe:a9fe", LINK },
	{ "64:ff9b:0:1::808:808", NOWHERE }, /* outside the /96 */
	{ "64:ff9b:1::808:808", PRIVATE },
	{ "64:ff9b:1:ffff::1", PRIVATE },
	{ "64:ff9b:2::1", NOWHERE },
	{ "2002:7f00:1::", LOOPBACK },
	{ "2002:c0a8:101::1", PRIVATE },
	{ "2002:808:808::1", GLOBAL },
	{ "2002:e000:1::1", NOWHERE },
	{ "2001:0:808:808::80ff:fffe", LOOPBACK }, /* 127.0.0.1 inverted; the server's address does not matter */
	{ "2001:0:7f00:1::f7f7:f7f7", GLOBAL },	   /* 8.8.8.8 inverted */
	{ "2001:0:808:808::3f57:fefe", PRIVATE },  /* 192.168.1.1 inverted */
};

static void each_range_ends_where_it_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		struct shoal_addr a = ip(places[i].text);
		print_message("%s\n", places[i].text);
		assert_int_equal(shoal_reach_of(&a), places[i].want);
	}
}

/* Every v4 address of the table means the same when it comes mapped, or by way of NAT64, 6to4 or Teredo. */
static void a_v4_address_is_itself_in_any_clothes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		struct shoal_addr a = ip(places[i].text), b[4];
		if (!a.is_v4)
			continue;
		memset(b, 0, sizeof b);
		memcpy(b[0].ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
		memcpy(b[0].ip + 12, a.ip, 4);
		memcpy(b[1].ip, "\0\x64\xff\x9b", 4);
		memcpy(b[1].ip + 12, a.ip, 4);
		memcpy(b[2].ip, "\x20\x02", 2);
		memcpy(b[2].ip + 2, a.ip, 4);
		memcpy(b[3].ip, "\x20\x01", 2);
		for (int k = 0; k < 4; k++)
			b[3].ip[12 + k] = a.ip[k] ^ 0xff;
		for (int k = 0; k < 4; k++)
			assert_int_equal(shoal_reach_of(&b[k]), places[i].want);
		b[0].port = 80;
		shoal_addr_unmap(&b[0]);
		assert_true(b[0].is_v4 && b[0].port == 80);
		assert_memory_equal(b[0].ip, a.ip, 16); /* and zeros behind it */
		struct shoal_addr before = b[1];
		shoal_addr_unmap(&b[1]); /* only mapped ones are v4 */
		assert_memory_equal(&b[1], &before, sizeof before);
	}
}

static void networks_are_compared_by_their_bits(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		unsigned bits;
		bool same;
	} pairs[] = {
		{ "1.2.3.4", "1.2.3.4", 0, true },
		{ "1.2.3.4", "1.2.3.5", 0, false },
		{ "1.2.3.4", "1.2.3.5", 31, true },
		{ "1.2.3.4", "1.2.3.6", 31, false },
		{ "1.2.3.4", "1.2.99.1", 16, true },
		{ "1.2.3.4", "1.3.3.4", 16, false },
		{ "1.2.3.4", "1.2.3.4", 200, true }, /* more bits than there are: all */
		{ "1.2.3.4", "1.2.3.5", 200, false },
		{ "129.0.0.0", "1.0.0.0", 1, false },
		{ "2001:db8::1", "2001:db8::1", 0, true },
		{ "2001:db8::1", "2001:db8::2", 0, false },
		{ "2001:db8::1", "2001:db8::ffff:0:0:2", 64, true },
		{ "2001:db8:0:1::1", "2001:db8:0:2::1", 64, false },
		{ "2001:db8:0:1::1", "2001:db8:0:2::1", 62, true },
		{ "102:304::", "1.2.3.4", 32, false }, /* never across families */
		{ "::", "0.0.0.0", 1, false },
	};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct shoal_addr a = ip(pairs[i].a), b = ip(pairs[i].b);
		a.port = 7;
		print_message("%s %s /%u\n", pairs[i].a, pairs[i].b, pairs[i].bits);
		assert_int_equal(shoal_addr_same_net(&a, &b, pairs[i].bits), pairs[i].same);
		assert_int_equal(shoal_addr_same_net(&b, &a, pairs[i].bits), pairs[i].same);
	}
	struct shoal_addr plain = ip("1.2.3.4"), wrapped = { .ip = { [10] = 0xff, [11] = 0xff, 1, 2, 3, 4 } };
	assert_true(shoal_addr_same_net(&plain, &wrapped, 0));
	assert_true(shoal_addr_same_net(&wrapped, &plain, 24));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_range_ends_where_it_should),
		cmocka_unit_test(a_v4_address_is_itself_in_any_clothes),
		cmocka_unit_test(networks_are_compared_by_their_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
