/*
 * proto/merkle.c - BEP 52 trees.
 *
 * Whole levels go through the side-by-side kernel. Where the input may not
 * be overwritten it is taken in chunks whose roots meet on a small stack,
 * one place a height, like the bits of a counter.
 */
#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/merkle.h"

#include <assert.h>
#include <string.h>

#define CHUNK 128u     /* hashes a step of root_of(): 4 KiB of stack */
#define HEIGHT_MAX 64u /* more than any tree of 2^64 bytes has */

uint32_t shoal_merkle_width(uint32_t n)
{
	assert(n <= UINT32_C(1) << 31);
	uint32_t width = 1;
	while (width < n)
		width *= 2;
	return width;
}

uint32_t shoal_merkle_height(uint32_t width)
{
	assert(width > 0);
	return 31u - (uint32_t)__builtin_clz(width);
}

static bool is_power(uint32_t n)
{
	return n > 0 && (n & (n - 1)) == 0;
}

/* out = SHA-256(left || right); `out` may be either. */
static void join(const uint8_t *left, const uint8_t *right, uint8_t *out)
{
	shoal_hash32 two[2], one[1];
	memcpy(two[0], left, 32);
	memcpy(two[1], right, 32);
	shoal_sha256_pairs((const uint8_t(*)[32])two, 1, one);
	memcpy(out, one[0], 32);
}

void shoal_merkle_pad(uint32_t height, shoal_hash32 out)
{
	assert(height <= HEIGHT_MAX);
	memset(out, 0, 32);
	while (height-- > 0)
		join(out, out, out);
}

void shoal_merkle_root(shoal_hash32 *hashes, uint32_t count, uint32_t width, uint32_t base, shoal_hash32 out)
{
	shoal_hash32 pad;
	assert(is_power(width) && count <= width);
	shoal_merkle_pad(base, pad);
	if (count == 0) {
		shoal_merkle_pad(base + shoal_merkle_height(width), out);
		return;
	}
	for (; width > 1; width /= 2) {
		uint32_t pairs = count / 2;
		if (pairs > 0)
			shoal_sha256_pairs((const uint8_t(*)[32])hashes, pairs, hashes);
		if (count % 2)
			join(hashes[count - 1], pad, hashes[pairs]);
		count = pairs + count % 2;
		join(pad, pad, pad);
	}
	memcpy(out, hashes[0], 32);
}

void shoal_merkle_root_of(const shoal_hash32 *hashes, uint32_t count, uint32_t width, uint32_t base, shoal_hash32 out)
{
	shoal_hash32 stack[32], chunk[CHUNK], root;
	uint32_t step = width < CHUNK ? width : CHUNK;
	uint32_t low = shoal_merkle_height(step);
	assert(is_power(width) && count <= width);
	uint32_t chunks = (count + step - 1) / step; /* those with a real hash in them */
	for (uint32_t i = 0; i < chunks; i++) {
		uint32_t from = i * step;
		uint32_t n = count - from < step ? count - from : step;
		memcpy(chunk, hashes + from, n * sizeof *chunk);
		shoal_merkle_root(chunk, n, step, base, root);
		/* bit h of i set: a left sibling waits at height h */
		uint32_t h = 0;
		for (; i >> h & 1; h++)
			join(stack[h], root, root);
		memcpy(stack[h], root, 32);
	}
	/* pad up to the width: what waits is joined from the lowest height on */
	uint32_t top = shoal_merkle_height(width) - low;
	bool any = false;
	shoal_hash32 pad;
	shoal_merkle_pad(base + low, pad);
	for (uint32_t h = 0; h < top; h++) {
		bool waits = chunks >> h & 1;
		if (waits && any)
			join(stack[h], root, root);
		else if (waits)
			join(stack[h], pad, root);
		else if (any)
			join(root, pad, root);
		any |= waits;
		join(pad, pad, pad);
	}
	if (chunks >> top & 1) /* exactly full */
		memcpy(out, stack[top], 32);
	else
		memcpy(out, any ? root : pad, 32);
}

int shoal_merkle_prove(const shoal_hash32 root, uint32_t layer_width, uint32_t base, uint32_t index,
		       const shoal_hash32 *hashes, uint32_t count, const shoal_hash32 *proof, uint32_t proof_count,
		       shoal_hash32 *scratch)
{
	if (!is_power(layer_width) || count == 0 || count > layer_width || base > 31)
		return SHOAL_ERR_RANGE;
	uint32_t span = shoal_merkle_width(count);
	if (index % span != 0 || index >= layer_width || span > layer_width - index)
		return SHOAL_ERR_RANGE;
	if (proof_count != shoal_merkle_height(layer_width) - shoal_merkle_height(span))
		return SHOAL_ERR_RANGE;
	shoal_hash32 node;
	memmove(scratch, hashes, count * sizeof *scratch);
	shoal_merkle_root(scratch, count, span, base, node);
	uint32_t at = index / span;
	for (uint32_t i = 0; i < proof_count; i++, at /= 2) {
		if (at % 2)
			join(proof[i], node, node);
		else
			join(node, proof[i], node);
	}
	return memcmp(node, root, 32) == 0 ? 0 : SHOAL_ERR_HASH;
}

int shoal_merkle_uncles(const shoal_hash32 *layer, uint32_t known, uint32_t width, uint32_t base, uint32_t index,
			uint32_t count, uint32_t proof, shoal_hash32 *out, uint32_t max)
{
	if (!is_power(width) || known > width || !is_power(count) || count < 2 || count > width || base > 31)
		return SHOAL_ERR_RANGE;
	if (index % count != 0 || index > width - count)
		return SHOAL_ERR_RANGE;
	/* the proof layers count from base + 1; below the range's own root none has an uncle */
	uint32_t skip = shoal_merkle_height(count) - 1;
	uint32_t above = shoal_merkle_height(width) - shoal_merkle_height(count);
	uint32_t n = proof > skip ? proof - skip : 0;
	if (n > above)
		n = above;
	uint32_t node = index / count, span = count;
	for (uint32_t i = 0; i < n && i < max; i++, node /= 2, span *= 2) {
		uint32_t from = (node ^ 1) * span;
		uint32_t real = from >= known ? 0 : known - from < span ? known - from : span;
		shoal_merkle_root_of(real ? layer + from : layer, real, span, base, out[i]);
	}
	return (int)n;
}
