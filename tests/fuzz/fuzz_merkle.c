/*
 * fuzz_merkle.c - nothing false is ever proven. The input chooses a tree, a range and what is said about it,
 * true hashes and invented ones mixed; when prove() says yes, all of it is in the naive tree.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/merkle.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

#define LAYERS 7
#define WIDTH_MAX 64

static uint8_t tree[LAYERS][WIDTH_MAX][32];

static void naive(uint32_t width, uint32_t known, uint32_t base)
{
	uint32_t height = 0;
	for (uint32_t i = 0; i < width; i++) {
		memset(tree[0][i], 0, 32);
		if (i < known) {
			tree[0][i][0] = (uint8_t)(i + 1);
			continue;
		}
		for (uint32_t h = 0; h < base; h++) {
			uint8_t two[64];
			memcpy(two, tree[0][i], 32);
			memcpy(two + 32, tree[0][i], 32);
			shoal_sha256(shoal_bytes(two, 64), tree[0][i]);
		}
	}
	for (uint32_t w = width; w > 1; w /= 2, height++)
		for (uint32_t i = 0; i < w / 2; i++)
			shoal_sha256(shoal_bytes(tree[height][2 * i], 64), tree[height + 1][i]);
}

/* A hash as the input says: the true one, another true one, zeros, or the input's own bytes. */
static void say(struct shoal_rd *r, const uint8_t truth[32], uint8_t out[32])
{
	uint8_t how = shoal_rd_u8(r);
	memcpy(out, truth, 32);
	if (how < 0xf0)
		return;
	if (how < 0xf4) {
		memcpy(out, tree[shoal_rd_u8(r) % LAYERS][shoal_rd_u8(r) % WIDTH_MAX], 32);
	} else if (how < 0xf8) {
		memset(out, 0, 32);
	} else {
		out[shoal_rd_u8(r) % 32] ^= shoal_rd_u8(r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *raw, size_t len)
{
	struct shoal_rd r = shoal_rd(shoal_bytes(raw, len));
	uint32_t width = UINT32_C(1) << shoal_rd_u8(&r) % LAYERS, base = shoal_rd_u8(&r) % 4;
	uint32_t known = shoal_rd_u8(&r) % (width + 1);
	uint32_t index = shoal_rd_u8(&r), count = shoal_rd_u8(&r), proofs = shoal_rd_u8(&r) % 10;
	naive(width, known, base);
	const uint8_t *root = tree[shoal_merkle_height(width)][0];
	shoal_hash32 *hashes = malloc(count * 32 + 1), *scratch = malloc(count * 32 + 1),
		     *proof = malloc(proofs * 32 + 1);
	shoal_hash32 *uncles = malloc(proofs * 32 + 1);
	if (!hashes || !scratch || !proof || !uncles)
		abort();
	for (uint32_t i = 0; i < count; i++)
		say(&r, tree[0][(index + i) % WIDTH_MAX], hashes[i]);
	uint32_t span = shoal_merkle_width(count), low = shoal_merkle_height(span);
	for (uint32_t i = 0; i < proofs; i++) {
		uint32_t at = (index / span) >> i;
		say(&r, tree[(low + i) % LAYERS][(at ^ 1) % WIDTH_MAX], proof[i]);
	}
	const shoal_hash32 *chashes = (const void *)hashes, *cproof = (const void *)proof;
	int rc = shoal_merkle_prove(root, width, base, index, chashes, count, cproof, proofs, scratch);
	assert(rc == 0 || rc == SHOAL_ERR_HASH || rc == SHOAL_ERR_RANGE);
	if (rc == 0) {
		assert(index + count <= width);
		for (uint32_t i = 0; i < count; i++)
			assert(memcmp(hashes[i], tree[0][index + i], 32) == 0);
		for (uint32_t i = 0; i < proofs; i++)
			assert(memcmp(proof[i], tree[low + i][((index / span) >> i) ^ 1], 32) == 0);
	}
	/* what is served is true, and proves its range */
	int n = shoal_merkle_uncles((const void *)tree[0], known, width, base, index, count, proofs, uncles, proofs);
	assert(n >= 0 || n == SHOAL_ERR_RANGE);
	if (n >= 0 && low + (uint32_t)n == shoal_merkle_height(width))
		assert(shoal_merkle_prove(root, width, base, index, (const void *)tree[0][index], count,
					  (const void *)uncles, (uint32_t)n, scratch) == 0);
	shoal_hash32 one;
	shoal_merkle_root_of((const void *)tree[0], known, width, base, one);
	assert(memcmp(one, root, 32) == 0);
	free(hashes);
	free(scratch);
	free(proof);
	free(uncles);
	return 0;
}
