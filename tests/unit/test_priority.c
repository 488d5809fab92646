/* test_priority.c - golden values of BEP 40 and RFC 3720, and that both ends agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/rng.h"
#include "proto/compact.h"
#include "proto/priority.h"

static struct shoal_addr at(const char *text)
{
	struct shoal_addr a;
	assert_int_equal(shoal_addr_parse(shoal_bytes(text, strlen(text)), &a), 0);
	return a;
}

static uint32_t between(const char *a, const char *b)
{
	struct shoal_addr x = at(a), y = at(b);
	return shoal_peer_priority(&x, &y);
}

static void crc_is_castagnoli(void **state)
{
	uint8_t zeros[32] = { 0 }, ones[32], up[32];
	(void)state;
	memset(ones, 0xff, sizeof ones);
	for (uint8_t i = 0; i < 32; i++)
		up[i] = i;
	/* RFC 3720, B.4 */
	assert_int_equal(shoal_crc32c(shoal_bytes(zeros, 32)), 0x8a9136aa);
	assert_int_equal(shoal_crc32c(shoal_bytes(ones, 32)), 0x62a8ab43);
	assert_int_equal(shoal_crc32c(shoal_bytes(up, 32)), 0x46dd794e);
	assert_int_equal(shoal_crc32c(SHOAL_LIT("123456789")), 0xe3069283);
	assert_int_equal(shoal_crc32c(SHOAL_LIT("")), 0);
}

static void golden_pairs(void **state)
{
	(void)state;
	/* BEP 40's own */
	assert_int_equal(between("123.213.32.10:1", "98.76.54.32:2"), 0xec2d7224);
	assert_int_equal(between("123.213.32.10:1", "123.213.32.234:2"), 0x99568189);
	/* the same address: by ports, big-endian, the lesser first */
	assert_int_equal(between("1.2.3.4:6881", "1.2.3.4:80"), shoal_crc32c(SHOAL_LIT("\x00\x50\x1a\xe1")));
	/* the same /16: one byte more of both stands clear */
	assert_int_equal(between("123.213.32.10:1", "123.213.77.234:1"),
			 shoal_crc32c(SHOAL_LIT("\x7b\xd5\x20\x00\x7b\xd5\x4d\x40")));
	/* IPv6: six bytes clear; in one /48 seven; in one /56 eight */
	assert_int_equal(between("[2001:db8:1:ffff::ff]:1", "[2001:db8:2::ff]:1"),
			 shoal_crc32c(SHOAL_LIT("\x20\x01\x0d\xb8\x00\x01\x55\x55\x00\x00\x00\x00\x00\x00\x00\x55"
						"\x20\x01\x0d\xb8\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x55")));
	assert_int_equal(between("[2001:db8:1:ffff::ff]:1", "[2001:db8:1:ee00::]:1"),
			 shoal_crc32c(SHOAL_LIT("\x20\x01\x0d\xb8\x00\x01\xee\x00\x00\x00\x00\x00\x00\x00\x00\x00"
						"\x20\x01\x0d\xb8\x00\x01\xff\x55\x00\x00\x00\x00\x00\x00\x00\x55")));
	assert_int_equal(between("[2001:db8:1:ffff::ff]:1", "[2001:db8:1:ff00::]:1"),
			 shoal_crc32c(SHOAL_LIT("\x20\x01\x0d\xb8\x00\x01\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00"
						"\x20\x01\x0d\xb8\x00\x01\xff\xff\x00\x00\x00\x00\x00\x00\x00\x55")));
	assert_int_equal(between("1.2.3.4:1", "[2001:db8::1]:1"), 0);
}

static void both_ends_agree_and_nobody_is_always_first(void **state)
{
	struct shoal_rng rng = shoal_rng_split(40, 1);
	unsigned first[8] = { 0 };
	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct shoal_addr us = { .is_v4 = 1, .port = 1 }, other = us;
		uint32_t best = 0;
		unsigned who = 0;
		shoal_put_u32(us.ip, shoal_rng_next(&rng));
		for (unsigned i = 0; i < 8; i++) {
			shoal_put_u32(other.ip, i << 28 | 0x01010101u);
			uint32_t p = shoal_peer_priority(&us, &other);
			assert_int_equal(p, shoal_peer_priority(&other, &us));
			who = p >= best ? i : who;
			best = p >= best ? p : best;
		}
		first[who]++;
	}
	for (unsigned i = 0; i < 8; i++)
		assert_in_range(first[i], 150, 350);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_is_castagnoli),
		cmocka_unit_test(golden_pairs),
		cmocka_unit_test(both_ends_agree_and_nobody_is_always_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
