/* test_compact.c - tables of addresses good and bad; all 65536 patterns of zero groups against the system's parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/rng.h"
#include "proto/compact.h"

static struct shoal_bytes str(const char *s)
{
	return shoal_bytes(s, strlen(s));
}

static void good_addresses_read_and_write(void **state)
{
	(void)state;
	static const struct {
		const char *text, *again; /* NULL: the same */
	} good[] = {
		{ "1.2.3.4:80", NULL },
		{ "0.0.0.0:1", NULL },
		{ "255.255.255.255:65535", NULL },
		{ "[::1]:80", NULL },
		{ "[::]:80", NULL },
		{ "[2001:db8::1]:6881", NULL },
		{ "[2001:DB8:0:0:0:0:0:1]:6881", "[2001:db8::1]:6881" },
		{ "[1:0:0:2:0:0:0:3]:1", "[1:0:0:2::3]:1" },
		{ "[1:0:0:2:3:0:0:4]:1", "[1::2:3:0:0:4]:1" }, /* RFC 5952: the first of equals */
		{ "[1:0:2:3:4:5:6:7]:1", NULL },	       /* a lone zero group is written out */
		{ "[::2:3:4:5:6:7:8]:1", "[0:2:3:4:5:6:7:8]:1" },
		{ "[1::]:1", NULL },
		{ "[fe80::]:9", NULL },
		{ "[1:2:3:4:5:6:7:8]:1", NULL },
		{ "[1:2:3:4:5:6:1.2.3.4]:1", "[1:2:3:4:5:6:102:304]:1" },
		{ "[64:ff9b::1.2.3.4]:1", "[64:ff9b::102:304]:1" },
		{ "[::ffff:1.2.3.4]:5", "1.2.3.4:5" }, /* mapped: the IPv4 one it means */
		{ "[::ffff:102:304]:5", "1.2.3.4:5" },
		{ "[0001:0002::0003]:1", "[1:2::3]:1" },
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct shoal_addr a, b;
		char text[SHOAL_ADDR_TEXT];
		print_message("%s\n", good[i].text);
		assert_int_equal(shoal_addr_parse(str(good[i].text), &a), 0);
		const char *want = good[i].again ? good[i].again : good[i].text;
		assert_int_equal(shoal_addr_format(&a, text), strlen(want));
		assert_string_equal(text, want);
		assert_int_equal(shoal_addr_parse(str(text), &b), 0);
		assert_true(shoal_addr_equal(&a, &b));
		a.port = 0;
		shoal_addr_format(&a, text);
		assert_int_equal(shoal_addr_parse_ip(str(text), &b), 0);
		assert_true(shoal_addr_equal(&a, &b));
	}
}

static void bad_addresses_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		":",
		":80",
		"80",
		"1.2.3.4",
		"1.2.3.4:",
		"1.2.3.4:0",
		"1.2.3.4:65536",
		"1.2.3.4:080",
		"1.2.3.4:+80",
		"1.2.3.4:-1",
		"1.2.3.4:80 ",
		" 1.2.3.4:80",
		"1.2.3.4:8O",
		"1.2.3.4:99999999999999999999",
		"1.2.3:80",
		"1.2.3.4.5:80",
		"1.2.3.256:80",
		"1.2.3.04:80",
		"1.2.3.:80",
		"1..3.4:80",
		".1.2.3:80",
		"0x1.2.3.4:80",
		"1.2.3.1000:80",
		"localhost:80",
		"::1:80",
		"2001:db8::1:80",
		"[::1]",
		"[::1]80",
		"[::1]:",
		"[::1:80",
		"::1]:80",
		"[]:80",
		"[:]:80",
		"[:::]:80",
		"[1]:80",
		"[1:2]:80",
		"[1:2:3:4:5:6:7]:80",
		"[1:2:3:4:5:6:7:8:9]:80",
		"[1::2::3]:80",
		"[::12345]:80",
		"[g::1]:80",
		"[1:2:3:4:5:6:7:8::]:80",
		"[::1:2:3:4:5:6:7:8]:80",
		"[:1:2:3:4:5:6:7:8]:80",
		"[1:2:3:4:5:6:7:]:80",
		"[fe80::1%eth0]:80",
		"[1.2.3.4]:80",
		"[::1.2.3]:80",
		"[::1.2.3.4:5]:80",
		"[1:2:3:4:5:6:7:1.2.3.4]:80",
		"[[::1]]:80",
		"[::1]:80:80",
		"1.2.3.4:80:80",
		"[::1.2.3.04]:80",
	};
	struct shoal_addr a;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		print_message("%s\n", bad[i]);
		assert_int_equal(shoal_addr_parse(str(bad[i]), &a), SHOAL_ERR_MALFORMED);
	}
	assert_int_equal(shoal_addr_parse(shoal_bytes("1.2.3.4:8\0", 10), &a), SHOAL_ERR_MALFORMED);
}

/* Each of the 8 groups zero or not, in each of 256 patterns, as the system would read and write it. */
static void ipv6_text_agrees_with_the_system(void **state)
{
	(void)state;
	struct shoal_rng rng = shoal_rng_split(1, 2);
	for (unsigned pattern = 0; pattern < 256 * 16; pattern++) {
		struct shoal_addr a = { .port = 0 }, b;
		char text[SHOAL_ADDR_TEXT], want[INET6_ADDRSTRLEN];
		uint8_t sys[16];
		a.ip[15] = 1;
		for (unsigned i = 0; i < 8; i++) {
			uint32_t v = pattern >> i & 1 ? 1 + shoal_rng_below(&rng, 0xffff) : 0;
			shoal_put_u16(a.ip + 2 * i, (uint16_t)v);
		}
		shoal_addr_format(&a, text);
		assert_int_equal(inet_pton(AF_INET6, text, sys), 1);
		assert_memory_equal(sys, a.ip, 16);
		assert_non_null(inet_ntop(AF_INET6, a.ip, want, sizeof want));
		assert_int_equal(shoal_addr_parse_ip(str(want), &b), 0);
		assert_true(shoal_addr_equal(&a, &b) || b.is_v4);
		if (strchr(want, '.') == NULL) /* the system writes ::1.2.3.4 with dots */
			assert_string_equal(text, want);
	}
}

/* Random text over the alphabet of addresses: we take nothing that the system refuses. */
static void nothing_is_taken_that_the_system_refuses(void **state)
{
	(void)state;
	struct shoal_rng rng = shoal_rng_split(5, 5);
	static const char letters[] = "0123::::..afF";
	unsigned taken = 0;
	for (int round = 0; round < 300000; round++) {
		char text[24];
		struct shoal_addr a;
		uint8_t sys[16];
		uint32_t len = 2 + shoal_rng_below(&rng, sizeof text - 3);
		for (uint32_t i = 0; i < len; i++)
			text[i] = letters[shoal_rng_below(&rng, sizeof letters - 1)];
		text[len] = 0;
		bool system = inet_pton(AF_INET6, text, sys) == 1 || inet_pton(AF_INET, text, sys) == 1;
		bool ours = shoal_addr_parse_ip(str(text), &a) == 0;
		if (ours != system)
			print_message("%s\n", text);
		assert_int_equal(ours, system);
		taken += ours;
	}
	assert_true(taken > 100);
}

static void compact_bytes_go_both_ways(void **state)
{
	(void)state;
	static const uint8_t four[] = { 1, 2, 3, 4, 0x1a, 0xe1, 0, 0, 0, 0, 0, 0 };
	static const uint8_t six[36] = {
		0x20,	     1,		  0x0d,	    0xb8,     [15] = 1, [16] = 0x1a, [17] = 0xe1,
		[28] = 0xff, [29] = 0xff, [30] = 9, [31] = 8, [32] = 7, [33] = 6,    [35] = 5
	};
	struct shoal_addr out[4];
	uint8_t again[SHOAL_COMPACT6];
	char text[SHOAL_ADDR_TEXT];
	assert_int_equal(shoal_compact_decode(shoal_bytes(four, 12), true, out, 4), 2);
	shoal_addr_format(&out[0], text);
	assert_string_equal(text, "1.2.3.4:6881");
	assert_int_equal(shoal_compact_encode(&out[0], again), 6);
	assert_memory_equal(again, four, 6);
	assert_int_equal(out[1].port, 0);
	assert_int_equal(shoal_compact_decode(shoal_bytes(six, 36), false, out, 4), 2);
	shoal_addr_format(&out[0], text);
	assert_string_equal(text, "[2001:db8::1]:6881");
	assert_int_equal(shoal_compact_encode(&out[0], again), 18);
	assert_memory_equal(again, six, 18);
	shoal_addr_format(&out[1], text);
	assert_string_equal(text, "9.8.7.6:5");
	assert_int_equal(shoal_compact_decode(shoal_bytes(four, 12), true, out, 1), 1);
	assert_int_equal(shoal_compact_decode(shoal_bytes(four, 0), true, out, 1), 0);
	for (size_t len = 1; len < 12; len++) {
		uint8_t *exact = malloc(len);
		assert_non_null(exact);
		memcpy(exact, four, len);
		assert_int_equal(shoal_compact_decode(shoal_bytes(exact, len), true, out, 4),
				 len == 6 ? 1 : SHOAL_ERR_MALFORMED);
		assert_int_equal(shoal_compact_decode(shoal_bytes(exact, len), false, out, 4), SHOAL_ERR_MALFORMED);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_addresses_read_and_write),
		cmocka_unit_test(bad_addresses_are_refused),
		cmocka_unit_test(ipv6_text_agrees_with_the_system),
		cmocka_unit_test(nothing_is_taken_that_the_system_refuses),
		cmocka_unit_test(compact_bytes_go_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
