/* test_pex.c - golden ut_pex messages, hostile ones, every cut, and there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/pex.h"

static struct shoal_pex got;

static int decode(struct shoal_bytes in)
{
	return shoal_pex_decode(in, &got);
}

#define V4A "\x0a\x00\x00\x01\x1a\xe1"
#define V4B "\x0a\x00\x00\x02\x1a\xe1"
#define V6A "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1"

static void a_golden_one(void **state)
{
	static const char raw[] = "d5:added12:" V4A V4B "7:added.f2:\x02\xf0"
				  "6:added618:" V6A "8:added6.f1:\x10"
				  "7:dropped6:\x0a\x00\x00\x03\x00\x50"
				  "8:dropped60:e";
	char text[SHOAL_ADDR_TEXT];
	uint8_t again[SHOAL_PEX_BYTES];
	(void)state;
	assert_int_equal(decode(shoal_bytes(raw, sizeof raw - 1)), 0);
	assert_int_equal(got.added_count, 3);
	assert_int_equal(got.dropped_count, 1);
	shoal_addr_format(&got.added[1].addr, text);
	assert_string_equal(text, "10.0.0.2:6881");
	assert_int_equal(got.added[0].flags, SHOAL_PEX_SEED);
	assert_int_equal(got.added[1].flags, SHOAL_PEX_REACHABLE); /* reserved bits (libtorrent's 0x80) are masked */
	shoal_addr_format(&got.added[2].addr, text);
	assert_string_equal(text, "[2001:db8::1]:6881");
	shoal_addr_format(&got.dropped[0].addr, text);
	assert_string_equal(text, "10.0.0.3:80");
	/* Written anew: sorted keys, no empty lists. */
	static const char want[] = "d5:added12:" V4A V4B "7:added.f2:\x02\x10"
				   "6:added618:" V6A "8:added6.f1:\x10"
				   "7:dropped6:\x0a\x00\x00\x03\x00\x50"
				   "e";
	assert_int_equal(shoal_pex_encode(&got, (struct shoal_space){ again, sizeof again }), sizeof want - 1);
	assert_memory_equal(again, want, sizeof want - 1);
	for (size_t cut = 0; cut < sizeof raw - 1; cut++)
		assert_true(decode(shoal_bytes(raw, cut)) < 0);
}

static void hostile_ones(void **state)
{
	static const struct {
		const char *why;
		struct shoal_bytes in;
		int want;
		size_t added;
	} cases[] = {
		{ "nothing in it", SHOAL_LIT("de"), SHOAL_ERR_MALFORMED, 0 },
		{ "flags alone",
		  SHOAL_LIT("d7:added.f1:\x02"
			    "e"),
		  SHOAL_ERR_MALFORMED, 0 },
		{ "an empty list", SHOAL_LIT("d5:added0:e"), 0, 0 },
		{ "fewer flags than peers",
		  SHOAL_LIT("d5:added12:" V4A V4B "7:added.f1:\x02"
			    "e"),
		  0, 2 },
		{ "more flags than peers",
		  SHOAL_LIT("d5:added6:" V4A "7:added.f3:\x02\x02\x02"
			    "e"),
		  0, 1 },
		{ "flags of another kind", SHOAL_LIT("d5:added6:" V4A "7:added.fi7ee"), 0, 1 },
		{ "half an address",
		  SHOAL_LIT("d5:added7:" V4A "\x01"
			    "e"),
		  SHOAL_ERR_MALFORMED, 0 },
		{ "an IPv6 list of IPv4 ones", SHOAL_LIT("d6:added612:" V4A V4B "e"), SHOAL_ERR_MALFORMED, 0 },
		{ "a list that is a number", SHOAL_LIT("d5:addedi6ee"), SHOAL_ERR_MALFORMED, 0 },
		{ "twice in one list", SHOAL_LIT("d5:added12:" V4A V4A "e"), SHOAL_ERR_MALFORMED, 0 },
		{ "come and gone", SHOAL_LIT("d5:added6:" V4A "7:dropped6:" V4A "e"), SHOAL_ERR_MALFORMED, 0 },
		{ "twice, in IPv6's clothes",
		  SHOAL_LIT("d5:added6:" V4A "6:added618:\0\0\0\0\0\0\0\0\0\0\xff\xff" V4A "e"), SHOAL_ERR_MALFORMED,
		  0 },
		{ "port 0 is nobody",
		  SHOAL_LIT("d5:added12:" V4A "\x0a\x00\x00\x07\x00\x00"
			    "e"),
		  0, 1 },
		{ "bytes behind it", SHOAL_LIT("d5:added6:" V4A "ex"), SHOAL_ERR_MALFORMED, 0 },
		{ "a list", SHOAL_LIT("l5:added6:" V4A "e"), SHOAL_ERR_MALFORMED, 0 },
		{ "a key twice", SHOAL_LIT("d5:added6:" V4A "5:added6:" V4B "e"), SHOAL_ERR_MALFORMED, 0 },
		{ "not a thing", SHOAL_LIT(""), SHOAL_ERR_MALFORMED, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		print_message("%s\n", cases[i].why);
		assert_int_equal(decode(cases[i].in), cases[i].want);
		assert_int_equal(got.added_count, cases[i].added);
	}
}

/* A message with `n` added (all different) in one family. */
static size_t crowd(uint8_t *to, size_t n)
{
	static const char head[] = "d5:added";
	size_t len = sizeof head - 1;
	memcpy(to, head, len);
	char digits[8];
	size_t k = 0;
	for (size_t v = 6 * n; v > 0; v /= 10)
		digits[k++] = (char)('0' + v % 10);
	while (k > 0)
		to[len++] = (uint8_t)digits[--k];
	to[len++] = ':';
	for (size_t i = 0; i < n; i++, len += 6) {
		shoal_put_u32(to + len, (uint32_t)(0x0a000001 + i));
		shoal_put_u16(to + len + 4, 6881);
	}
	to[len++] = 'e';
	return len;
}

static void no_more_than_there_is_room_for(void **state)
{
	static uint8_t raw[8192];
	(void)state;
	assert_int_equal(decode(shoal_bytes(raw, crowd(raw, SHOAL_PEX_MOST))), 0);
	assert_int_equal(got.added_count, SHOAL_PEX_MOST);
	assert_int_equal(decode(shoal_bytes(raw, crowd(raw, SHOAL_PEX_MOST + 1))), SHOAL_ERR_TOO_LONG);
	assert_int_equal(got.added_count, 0);
	/* both families together */
	size_t len = crowd(raw, SHOAL_PEX_MOST) - 1;
	static const char more[] = "6:added618:" V6A "e";
	memcpy(raw + len, more, sizeof more - 1);
	assert_int_equal(decode(shoal_bytes(raw, len + sizeof more - 1)), SHOAL_ERR_TOO_LONG);
}

static void fifty_and_fifty_fit(void **state)
{
	static uint8_t raw[SHOAL_PEX_BYTES];
	static struct shoal_pex pex;
	(void)state;
	for (uint32_t i = 0; i < 50; i++) { /* the longest kind */
		struct shoal_addr a = { .ip = { 0x20, 1 }, .port = (uint16_t)(i + 1) };
		pex.added[i] = (struct shoal_pex_peer){ a, SHOAL_PEX_SEED };
		a.ip[1] = 2;
		pex.dropped[i].addr = a;
	}
	pex.added_count = pex.dropped_count = 50;
	ptrdiff_t n = shoal_pex_encode(&pex, (struct shoal_space){ raw, sizeof raw });
	assert_true(n > 0);
	assert_int_equal(decode(shoal_bytes(raw, (size_t)n)), 0);
	assert_int_equal(got.added_count, 50);
	assert_int_equal(got.dropped_count, 50);
	assert_int_equal(got.added[49].addr.port, 50);
	assert_int_equal(shoal_pex_encode(&pex, (struct shoal_space){ raw, (size_t)n - 1 }), SHOAL_ERR_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_golden_one),
		cmocka_unit_test(hostile_ones),
		cmocka_unit_test(no_more_than_there_is_room_for),
		cmocka_unit_test(fifty_and_fifty_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
