/* test_bytes.c - cursors at and past every end, golden byte order, and arithmetic at the edge of its type. */
#include "proto/base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t golden[15] = {
	0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0xff,
};

static void integers_are_big_endian(void **state)
{
	struct shoal_rd r = shoal_rd(shoal_bytes(golden, sizeof golden));
	uint8_t out[15];
	struct shoal_wr w = shoal_wr((struct shoal_space){ out, sizeof out });
	(void)state;
	assert_int_equal(shoal_rd_u8(&r), 0x01);
	assert_int_equal(shoal_rd_u16(&r), 0x0203);
	assert_int_equal(shoal_rd_u32(&r), 0x04050607);
	assert_true(shoal_rd_u64(&r) == UINT64_C(0x08090a0b0c0d0eff));
	assert_false(r.bad);
	assert_int_equal(shoal_rd_left(&r), 0);
	shoal_wr_u8(&w, 0x01);
	shoal_wr_u16(&w, 0x0203);
	shoal_wr_u32(&w, 0x04050607);
	shoal_wr_u64(&w, UINT64_C(0x08090a0b0c0d0eff));
	assert_false(w.bad);
	assert_int_equal(w.pos, 15);
	assert_memory_equal(out, golden, 15);
}

static void the_top_bit_is_no_sign(void **state)
{
	static const uint8_t ones[8] = { 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8 };
	(void)state;
	assert_int_equal(shoal_get_u16(ones), 0xfffe);
	assert_true(shoal_get_u32(ones) == UINT32_C(0xfffefdfc));
	assert_true(shoal_get_u64(ones) == UINT64_C(0xfffefdfcfbfaf9f8));
}

/* A record of 1 + 2 + 4 + 8 bytes cut at every length: bad if and only if it is short, and for good. */
static void a_cut_record_is_bad_and_stays_bad(void **state)
{
	(void)state;
	for (size_t len = 0; len <= sizeof golden; len++) {
		struct shoal_rd r = shoal_rd(shoal_bytes(golden, len));
		uint64_t last;
		shoal_rd_u8(&r);
		shoal_rd_u16(&r);
		shoal_rd_u32(&r);
		last = shoal_rd_u64(&r);
		assert_int_equal(r.bad, len < sizeof golden);
		assert_true(r.pos <= len);
		if (r.bad) {
			assert_true(last == 0);
			assert_int_equal(shoal_rd_left(&r), 0);
			assert_null(shoal_rd_take(&r, 0).at); /* even what would fit */
			assert_int_equal(shoal_rd_u8(&r), 0);
		}
	}
}

static void take_never_passes_the_end(void **state)
{
	(void)state;
	for (size_t at = 0; at <= sizeof golden; at++) {
		const size_t too_many[] = { sizeof golden - at + 1, SIZE_MAX, SIZE_MAX - at, SIZE_MAX - at + 1 };
		for (size_t i = 0; i < 4; i++) {
			struct shoal_rd r = shoal_rd(shoal_bytes(golden, sizeof golden));
			assert_int_equal(shoal_rd_take(&r, at).len, at);
			assert_int_equal(shoal_rd_left(&r), sizeof golden - at);
			if (too_many[i] <= sizeof golden - at) /* SIZE_MAX - 0 + 1 wraps to 0 */
				continue;
			assert_null(shoal_rd_take(&r, too_many[i]).at);
			assert_true(r.bad);
		}
	}
	struct shoal_rd r = shoal_rd(shoal_bytes(golden, sizeof golden));
	struct shoal_bytes all = shoal_rd_take(&r, sizeof golden);
	assert_ptr_equal(all.at, golden);
	assert_int_equal(shoal_rd_take(&r, 0).len, 0);
	assert_false(r.bad);
	r = shoal_rd((struct shoal_bytes){ NULL, 0 });
	shoal_rd_take(&r, 0);
	assert_false(r.bad);
	assert_int_equal(shoal_rd_u8(&r), 0);
	assert_true(r.bad);
}

/* Writing into every room: what fits is there, what does not leaves the rest alone. */
static void a_full_space_is_bad_and_not_overrun(void **state)
{
	(void)state;
	for (size_t room = 0; room <= 15; room++) {
		uint8_t out[16];
		memset(out, 0xee, sizeof out);
		struct shoal_wr w = shoal_wr((struct shoal_space){ out, room });
		shoal_wr_u8(&w, golden[0]);
		shoal_wr_put(&w, shoal_bytes(golden + 1, 6));
		shoal_wr_put(&w, shoal_bytes(NULL, 0));
		shoal_wr_u64(&w, shoal_get_u64(golden + 7));
		assert_int_equal(w.bad, room < 15);
		assert_true(w.pos <= room);
		assert_memory_equal(out, golden, w.pos);
		for (size_t i = w.pos; i < sizeof out; i++)
			assert_int_equal(out[i], 0xee);
		if (w.bad) {
			size_t pos = w.pos;
			shoal_wr_put(&w, shoal_bytes(NULL, 0));
			shoal_wr_u8(&w, 1);
			assert_true(w.bad && w.pos == pos);
		}
	}
}

static void order_is_memcmp_then_length(void **state)
{
	static const struct {
		struct shoal_bytes a, b;
		int sign;
	} cases[] = {
		{ { NULL, 0 }, { NULL, 0 }, 0 },
		{ { NULL, 0 }, { (const uint8_t *)"a", 1 }, -1 },
		{ { (const uint8_t *)"a", 1 }, { (const uint8_t *)"ab", 2 }, -1 },
		{ { (const uint8_t *)"b", 1 }, { (const uint8_t *)"ab", 2 }, 1 },
		{ { (const uint8_t *)"\xff", 1 }, { (const uint8_t *)"\x01", 1 }, 1 },	/* unsigned */
		{ { (const uint8_t *)"a\0b", 3 }, { (const uint8_t *)"a\0c", 3 }, -1 }, /* NUL is a byte */
		{ { (const uint8_t *)"same", 4 }, { (const uint8_t *)"same", 4 }, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int c = shoal_bytes_order(cases[i].a, cases[i].b), d = shoal_bytes_order(cases[i].b, cases[i].a);
		assert_int_equal((c > 0) - (c < 0), cases[i].sign);
		assert_int_equal((d > 0) - (d < 0), -cases[i].sign);
		assert_int_equal(shoal_bytes_equal(cases[i].a, cases[i].b), cases[i].sign == 0);
	}
	assert_int_equal(SHOAL_LIT("with\0nul").len, 8);
}

static void sums_and_products_that_do_not_fit(void **state)
{
	size_t n = 77;
	uint64_t u = 77;
	(void)state;
	assert_false(shoal_add_size(SIZE_MAX, 1, &n));
	assert_false(shoal_add_size(SIZE_MAX / 2 + 1, SIZE_MAX / 2 + 1, &n));
	assert_false(shoal_mul_size(SIZE_MAX / 2 + 1, 2, &n));
	assert_false(shoal_mul_size((size_t)1 << 32, (size_t)1 << 32, &n));
	assert_false(shoal_add_u64(UINT64_MAX, 1, &u));
	assert_true(n == 77 && u == 77); /* untouched */
	assert_true(shoal_add_size(SIZE_MAX - 1, 1, &n) && n == SIZE_MAX);
	assert_true(shoal_mul_size(SIZE_MAX / 2, 2, &n) && n == SIZE_MAX - 1);
	assert_true(shoal_mul_size(SIZE_MAX, 0, &n) && n == 0);
	assert_true(shoal_add_u64(UINT64_MAX, 0, &u) && u == UINT64_MAX);
	assert_true(shoal_min_u64(1, UINT64_MAX) == 1 && shoal_max_u64(1, UINT64_MAX) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_big_endian),
		cmocka_unit_test(the_top_bit_is_no_sign),
		cmocka_unit_test(a_cut_record_is_bad_and_stays_bad),
		cmocka_unit_test(take_never_passes_the_end),
		cmocka_unit_test(a_full_space_is_bad_and_not_overrun),
		cmocka_unit_test(order_is_memcmp_then_length),
		cmocka_unit_test(sums_and_products_that_do_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
