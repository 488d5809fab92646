/* test_merkle.c - against a naive tree of every small shape, with every forged proof (V01). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/merkle.h"

#define LAYERS 12

/* The whole tree, by the book: layer[0] holds `width` leaves, zero past count. */
struct naive {
	shoal_hash32 *layer[LAYERS];
	uint32_t width, height;
};

static void naive_init(struct naive *t, uint32_t count, uint32_t width, uint32_t base)
{
	t->width = width;
	t->height = 0;
	t->layer[0] = calloc(width, 32);
	assert_non_null(t->layer[0]);
	for (uint32_t i = 0; i < width; i++) {
		if (i < count) {
			uint8_t seed[4];
			shoal_put_u32(seed, i);
			shoal_sha256(shoal_bytes(seed, 4), t->layer[0][i]);
		} else { /* padding of layer base, by the book */
			for (uint32_t h = 0; h < base; h++) {
				uint8_t two[64];
				memcpy(two, t->layer[0][i], 32);
				memcpy(two + 32, two, 32);
				shoal_sha256(shoal_bytes(two, 64), t->layer[0][i]);
			}
		}
	}
	for (uint32_t w = width; w > 1; w /= 2, t->height++) {
		shoal_hash32 *up = calloc(w / 2, 32);
		assert_non_null(up);
		for (uint32_t i = 0; i < w / 2; i++)
			shoal_sha256(shoal_bytes(t->layer[t->height][2 * i], 64), up[i]);
		t->layer[t->height + 1] = up;
	}
}

static void naive_fini(struct naive *t)
{
	for (uint32_t h = 0; h <= t->height; h++)
		free(t->layer[h]);
}

static void widths_and_heights(void **state)
{
	(void)state;
	static const uint32_t want[][2] = { { 0, 1 },
					    { 1, 1 },
					    { 2, 2 },
					    { 3, 4 },
					    { 4, 4 },
					    { 5, 8 },
					    { 8, 8 },
					    { 513, 1024 },
					    { 1u << 30, 1u << 30 },
					    { (1u << 30) + 1, 1u << 31 },
					    { 1u << 31, 1u << 31 } };
	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		assert_int_equal(shoal_merkle_width(want[i][0]), want[i][1]);
	for (uint32_t h = 0; h < 32; h++)
		assert_int_equal(shoal_merkle_height(UINT32_C(1) << h), h);
}

static void roots_are_the_naive_ones(void **state)
{
	(void)state;
	for (uint32_t base = 0; base < 4; base++) {
		for (uint32_t count = 0; count <= 300; count += count < 70 ? 1 : 23) {
			for (uint32_t width = shoal_merkle_width(count); width <= 1024; width *= 4) {
				struct naive t;
				shoal_hash32 got, *copy = malloc(32 * (count ? count : 1));
				assert_non_null(copy);
				naive_init(&t, count, width, base);
				memcpy(copy, t.layer[0], 32 * count);
				shoal_merkle_root_of((const shoal_hash32 *)copy, count, width, base, got);
				assert_memory_equal(got, t.layer[t.height][0], 32);
				assert_memory_equal(copy, t.layer[0], 32 * count); /* untouched */
				shoal_merkle_root(copy, count, width, base, got);
				assert_memory_equal(got, t.layer[t.height][0], 32);
				free(copy);
				naive_fini(&t);
			}
		}
	}
}

static void padding_is_zero_and_not_a_hash_of_zeros(void **state)
{
	(void)state;
	uint8_t zero[64] = { 0 };
	shoal_hash32 pad, want;
	shoal_merkle_pad(0, pad);
	assert_memory_equal(pad, zero, 32);
	shoal_merkle_pad(1, pad);
	shoal_sha256(shoal_bytes(zero, 64), want);
	assert_memory_equal(pad, want, 32);
}

/* The uncles of [index, index + count) up to the root, from the naive tree. */
static uint32_t naive_proof(const struct naive *t, uint32_t index, uint32_t span, shoal_hash32 *proof)
{
	uint32_t n = 0, h = shoal_merkle_height(span);
	for (uint32_t at = index / span; h < t->height; h++, at /= 2)
		memcpy(proof[n++], t->layer[h][at ^ 1], 32);
	return n;
}

static void what_is_true_is_proven_and_what_is_not_is_refused(void **state)
{
	(void)state;
	shoal_hash32 proof[LAYERS + 1] = { { 0 } }, scratch[64], forged[64], uncles[LAYERS];
	const shoal_hash32 *cproof = (const shoal_hash32 *)proof;
	for (uint32_t base = 0; base < 2; base++) {
		for (uint32_t width = 1; width <= 64; width *= 2) {
			for (uint32_t known = width / 2 + 1; known <= width; known++) {
				struct naive t;
				naive_init(&t, known, width, base);
				const uint8_t *root = t.layer[t.height][0];
				for (uint32_t span = 1; span <= width; span *= 2) {
					for (uint32_t index = 0; index < width; index += span) {
						const shoal_hash32 *have = (const shoal_hash32 *)t.layer[0] + index;
						uint32_t n = naive_proof(&t, index, span, proof);
						assert_int_equal(shoal_merkle_prove(root, width, base, index, have,
										    span, cproof, n, scratch),
								 0);
						/* "or what there is of one" */
						uint32_t real = known > index && known - index < span ? known - index
												      : span;
						if (index < known && shoal_merkle_width(real) == span)
							assert_int_equal(shoal_merkle_prove(root, width, base, index,
											    have, real, cproof, n,
											    scratch),
									 0);
						/* one bit wrong, in a hash or in an uncle */
						memcpy(forged, have, 32 * span);
						forged[span / 2][31] ^= 1;
						assert_int_equal(shoal_merkle_prove(root, width, base, index,
										    (const shoal_hash32 *)forged, span,
										    cproof, n, scratch),
								 SHOAL_ERR_HASH);
						if (n > 0) {
							proof[n - 1][0] ^= 0x80;
							assert_int_equal(shoal_merkle_prove(root, width, base, index,
											    have, span, cproof, n,
											    scratch),
									 SHOAL_ERR_HASH);
							proof[n - 1][0] ^= 0x80;
							/* short: the node below the root is not the root */
							assert_int_equal(shoal_merkle_prove(root, width, base, index,
											    have, span, cproof, n - 1,
											    scratch),
									 SHOAL_ERR_RANGE);
						}
						assert_int_equal(shoal_merkle_prove(root, width, base, index, have,
										    span, cproof, n + 1, scratch),
								 SHOAL_ERR_RANGE);
						if (span > 1) {
							assert_int_equal(shoal_merkle_prove(root, width, base,
											    index + 1, have, span,
											    cproof, n, scratch),
									 SHOAL_ERR_RANGE);
							/* the same uncles by request, however many layers are asked */
							for (uint32_t ask = 0; ask < 10; ask++) {
								uint32_t skip = shoal_merkle_height(span) - 1;
								uint32_t want = ask > skip ? ask - skip : 0;
								want = want < n ? want : n;
								int got = shoal_merkle_uncles(
									(const shoal_hash32 *)t.layer[0], known, width,
									base, index, span, ask, uncles, LAYERS);
								assert_int_equal(got, want);
								assert_memory_equal(uncles, proof, 32 * want);
							}
						}
					}
				}
				naive_fini(&t);
			}
		}
	}
}

static void impossible_shapes_are_refused(void **state)
{
	(void)state;
	static const shoal_hash32 zero[8], root;
	shoal_hash32 scratch[8];
	static const struct {
		uint32_t width, base, index, count, proofs;
	} bad[] = {
		{ 0, 0, 0, 1, 0 },
		{ 3, 0, 0, 1, 0 },
		{ 8, 0, 0, 0, 3 },
		{ 4, 0, 0, 8, 0 },
		{ 8, 0, 8, 8, 0 },
		{ 8, 0, UINT32_MAX, 1, 3 },
		{ 8, 0, UINT32_MAX - 7, 8, 0 },
		{ 8, 32, 0, 8, 0 },
		{ 8, 0, 0, 8, UINT32_MAX },
		{ 8, UINT32_MAX, 0, 8, 0 },
		{ 8, 0, 2, 4, 1 },
		{ 8, 0, 0, 4, 0 },
		{ 1, 0, 0, 1, 1 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(shoal_merkle_prove(root, bad[i].width, bad[i].base, bad[i].index, zero, bad[i].count,
						    zero, bad[i].proofs, scratch),
				 SHOAL_ERR_RANGE);
	}
	/* all zero proves nothing: no tree but a lone zero leaf has a zero root, and that root is refused on parse */
	assert_int_equal(shoal_merkle_prove(root, 8, 0, 0, zero, 8, zero, 0, scratch), SHOAL_ERR_HASH);
	shoal_hash32 out[8];
	assert_int_equal(shoal_merkle_uncles(zero, 8, 8, 0, 0, 1, 3, out, 8), SHOAL_ERR_RANGE);
	assert_int_equal(shoal_merkle_uncles(zero, 8, 8, 0, 1, 2, 3, out, 8), SHOAL_ERR_RANGE);
	assert_int_equal(shoal_merkle_uncles(zero, 8, 8, 0, 8, 2, 3, out, 8), SHOAL_ERR_RANGE);
	assert_int_equal(shoal_merkle_uncles(zero, 9, 8, 0, 0, 2, 3, out, 8), SHOAL_ERR_RANGE);
	assert_int_equal(shoal_merkle_uncles(zero, 8, 8, 0, 0, 16, 3, out, 8), SHOAL_ERR_RANGE);
	assert_int_equal(shoal_merkle_uncles(zero, 8, 8, 0, 0, 3, 3, out, 8), SHOAL_ERR_RANGE);
	assert_int_equal(shoal_merkle_uncles(zero, 8, 8, 0, 0, 2, UINT32_MAX, out, 1),
			 2); /* writes one, tells of two */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(widths_and_heights),
		cmocka_unit_test(roots_are_the_naive_ones),
		cmocka_unit_test(padding_is_zero_and_not_a_hash_of_zeros),
		cmocka_unit_test(what_is_true_is_proven_and_what_is_not_is_refused),
		cmocka_unit_test(impossible_shapes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
