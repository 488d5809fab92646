/* test_bits.c - the wire order of BEP 3 by golden bytes, spare bits, and random steps against an array of bool. */
#include "proto/base/bits.h"
#include "proto/base/bytes.h"
#include "proto/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint32_t counts[] = { 0, 1, 7, 8, 9, 63, 64, 65, 100, 127, 128, 129, 1000, 4099 };
#define COUNTS (sizeof counts / sizeof *counts)

static struct shoal_bits bits_of(uint32_t count)
{
	struct shoal_bits bits;
	assert_int_equal(shoal_bits_init(&bits, count), 0);
	assert_int_equal(bits.count, count);
	assert_int_equal(bits.ones, 0);
	return bits;
}

/* `ones` is right, and no bit past count is set. */
static void check(const struct shoal_bits *bits)
{
	uint32_t ones = 0;
	for (size_t w = 0; w < shoal_bits_bytes(bits->count) / 8; w++)
		ones += (uint32_t)__builtin_popcountll(bits->word[w]);
	assert_int_equal(ones, bits->ones);
	if (bits->count % 64)
		assert_true(bits->word[bits->count / 64] >> bits->count % 64 == 0);
}

static void piece_0_is_the_highest_bit_of_byte_0(void **state)
{
	static const struct {
		uint32_t count, bit;
		uint8_t wire[3];
	} cases[] = {
		{ 20, 0, { 0x80, 0, 0 } }, { 20, 7, { 0x01, 0, 0 } },  { 20, 8, { 0, 0x80, 0 } },
		{ 20, 9, { 0, 0x40, 0 } }, { 20, 19, { 0, 0, 0x10 } }, { 24, 23, { 0, 0, 0x01 } },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_bits bits = bits_of(cases[i].count), back = bits_of(cases[i].count);
		uint8_t wire[3] = { 0xee, 0xee, 0xee };
		assert_true(shoal_bits_set(&bits, cases[i].bit));
		shoal_bits_store(&bits, (struct shoal_space){ wire, 3 });
		assert_memory_equal(wire, cases[i].wire, 3);
		assert_int_equal(shoal_bits_load(&back, shoal_bytes(wire, 3), false), 0);
		assert_true(shoal_bits_get(&back, cases[i].bit));
		assert_int_equal(back.ones, 1);
		shoal_bits_fini(&bits);
		shoal_bits_fini(&back);
	}
}

static void a_wire_of_the_wrong_length_is_malformed(void **state)
{
	uint8_t wire[600] = { 0 };
	(void)state;
	for (size_t i = 0; i < COUNTS; i++) {
		struct shoal_bits bits = bits_of(counts[i]);
		size_t right = ((size_t)counts[i] + 7) / 8;
		for (size_t len = 0; len <= right + 2; len++) {
			int want = len == right ? 0 : SHOAL_ERR_MALFORMED;
			assert_int_equal(shoal_bits_load(&bits, shoal_bytes(wire, len), false), want);
			assert_int_equal(shoal_bits_load(&bits, shoal_bytes(wire, len), true), want);
		}
		shoal_bits_fini(&bits);
	}
}

/* Each spare bit by itself: refused, and the bits stay as they were; or dropped. */
static void spare_bits_are_refused_or_ignored(void **state)
{
	(void)state;
	for (size_t i = 1; i < COUNTS; i++) {
		struct shoal_bits bits = bits_of(counts[i]);
		size_t len = ((size_t)counts[i] + 7) / 8;
		uint8_t *wire = calloc(len, 1);
		assert_non_null(wire);
		for (uint32_t spare = counts[i]; spare < len * 8; spare++) {
			wire[len - 1] = (uint8_t)(0x80 >> spare % 8);
			shoal_bits_wipe(&bits);
			assert_true(shoal_bits_set(&bits, counts[i] / 2));
			assert_int_equal(shoal_bits_load(&bits, shoal_bytes(wire, len), false), SHOAL_ERR_MALFORMED);
			assert_true(bits.ones == 1 && shoal_bits_get(&bits, counts[i] / 2));
			assert_int_equal(shoal_bits_load(&bits, shoal_bytes(wire, len), true), 0);
			assert_int_equal(bits.ones, 0);
			check(&bits);
		}
		memset(wire, 0xff, len);
		assert_int_equal(shoal_bits_load(&bits, shoal_bytes(wire, len), true), 0);
		assert_true(shoal_bits_full(&bits));
		check(&bits);
		free(wire);
		shoal_bits_fini(&bits);
	}
}

static void out_of_range_is_clear_and_stays_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNTS; i++) {
		struct shoal_bits bits = bits_of(counts[i]);
		const uint32_t beyond[] = { counts[i], counts[i] + 1, counts[i] + 64, UINT32_MAX };
		for (size_t b = 0; b < sizeof beyond / sizeof *beyond; b++) {
			assert_false(shoal_bits_set(&bits, beyond[b]));
			assert_false(shoal_bits_get(&bits, beyond[b]));
			assert_false(shoal_bits_clear(&bits, beyond[b]));
			assert_int_equal(shoal_bits_next(&bits, beyond[b]), counts[i]);
			assert_int_equal(shoal_bits_next_clear(&bits, beyond[b]), counts[i]);
		}
		check(&bits);
		shoal_bits_fini(&bits);
	}
}

static void fill_wipe_copy_remove(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNTS; i++) {
		struct shoal_bits a = bits_of(counts[i]), b = bits_of(counts[i]);
		shoal_bits_fill(&a);
		check(&a);
		assert_true(shoal_bits_full(&a));
		assert_int_equal(a.ones, counts[i]);
		assert_int_equal(shoal_bits_next_clear(&a, 0), counts[i]);
		shoal_bits_copy(&b, &a);
		check(&b);
		assert_int_equal(b.ones, counts[i]);
		for (uint32_t k = 0; k < counts[i]; k += 3)
			shoal_bits_clear(&a, k);
		shoal_bits_remove(&b, &a);
		check(&b);
		for (uint32_t k = 0; k < counts[i]; k++)
			assert_int_equal(shoal_bits_get(&b, k), k % 3 == 0);
		shoal_bits_remove(&b, &a); /* again: nothing is left to clear */
		check(&b);
		assert_int_equal(b.ones, counts[i] / 3 + (counts[i] % 3 > 0));
		shoal_bits_wipe(&a);
		check(&a);
		assert_int_equal(a.ones, 0);
		assert_int_equal(shoal_bits_next(&a, 0), counts[i]);
		shoal_bits_fini(&a);
		shoal_bits_fini(&b);
		shoal_bits_fini(&b);
	}
}

static void random_steps_agree_with_the_model(void **state)
{
	struct shoal_rng rng = shoal_rng_split(77, 1);
	(void)state;
	for (size_t c = 1; c < COUNTS; c++) {
		uint32_t count = counts[c], ones = 0;
		struct shoal_bits bits = bits_of(count), back = bits_of(count);
		bool *model = calloc(count, sizeof *model);
		size_t len = ((size_t)count + 7) / 8;
		uint8_t *wire = malloc(len);
		assert_true(model != NULL && wire != NULL);
		for (int step = 0; step < 2000; step++) {
			uint32_t i = shoal_rng_below(&rng, count), next, next_clear;
			if (shoal_rng_below(&rng, 2)) {
				assert_int_equal(shoal_bits_set(&bits, i), !model[i]);
				ones += !model[i];
				model[i] = true;
			} else {
				assert_int_equal(shoal_bits_clear(&bits, i), model[i]);
				ones -= model[i];
				model[i] = false;
			}
			assert_int_equal(bits.ones, ones);
			assert_int_equal(shoal_bits_full(&bits), ones == count);
			assert_int_equal(shoal_bits_get(&bits, i), model[i]);
			i = next = next_clear = shoal_rng_below(&rng, count);
			while (next < count && !model[next])
				next++;
			while (next_clear < count && model[next_clear])
				next_clear++;
			assert_int_equal(shoal_bits_next(&bits, i), next);
			assert_int_equal(shoal_bits_next_clear(&bits, i), next_clear);
		}
		check(&bits);
		shoal_bits_store(&bits, (struct shoal_space){ wire, len });
		for (uint32_t i = 0; i < count; i++)
			assert_int_equal(wire[i / 8] >> (7 - i % 8) & 1, model[i]);
		assert_int_equal(shoal_bits_load(&back, shoal_bytes(wire, len), false), 0); /* no spare bit set */
		assert_int_equal(back.ones, ones);
		assert_memory_equal(back.word, bits.word, shoal_bits_bytes(count));
		free(model);
		free(wire);
		shoal_bits_fini(&bits);
		shoal_bits_fini(&back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(piece_0_is_the_highest_bit_of_byte_0),
		cmocka_unit_test(a_wire_of_the_wrong_length_is_malformed),
		cmocka_unit_test(spare_bits_are_refused_or_ignored),
		cmocka_unit_test(out_of_range_is_clear_and_stays_so),
		cmocka_unit_test(fill_wipe_copy_remove),
		cmocka_unit_test(random_steps_agree_with_the_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
