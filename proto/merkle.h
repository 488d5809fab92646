/*
 * proto/merkle.h - BEP 52 trees: roots, layers, proofs. Pure arithmetic on hashes.
 *
 * Leaves are SHA-256 of 16 KiB blocks; missing ones are 32 zero bytes. Layer 0 is
 * the leaves. Nothing is taken as true unless it was computed up to a trusted root.
 */
#ifndef SHOAL_MERKLE_H
#define SHOAL_MERKLE_H

#include <shoal/types.h>

typedef uint8_t shoal_hash32[32];

/* The smallest power of two >= n (1 for 0); log2 of it. n <= 2^31. */
uint32_t shoal_merkle_width(uint32_t n);
uint32_t shoal_merkle_height(uint32_t width);
/* The root of an all-padding subtree `height` levels above the leaves. */
void shoal_merkle_pad(uint32_t height, shoal_hash32 out);
/* The root over count hashes of layer `base`, padded to `width` (a power of two >= count) with
 * layer-base padding. `hashes` is overwritten. */
void shoal_merkle_root(shoal_hash32 *hashes, uint32_t count, uint32_t width, uint32_t base, shoal_hash32 out);
/* The same from hashes that stay as they are; a few KiB of stack, and somewhat slower. */
void shoal_merkle_root_of(const shoal_hash32 *hashes, uint32_t count, uint32_t width, uint32_t base, shoal_hash32 out);
/*
 * Proves that `count` hashes (a power of two, or what there is of one: the rest is taken as padding) at `index`
 * of layer `base` belong under `root`, given `proof_count` uncle hashes from low to high (BEP 52 hashes message;
 * uncles within the range are left out). All the uncles up to the root are needed, no more and no fewer.
 * `layer_width`: the width of layer `base` of the whole tree. `scratch` has room for count hashes; it may be `hashes`.
 * 0, HASH when they do not belong, RANGE when the shape is impossible.
 */
SHOAL_MUST int shoal_merkle_prove(const shoal_hash32 root, uint32_t layer_width, uint32_t base, uint32_t index,
				  const shoal_hash32 *hashes, uint32_t count, const shoal_hash32 *proof,
				  uint32_t proof_count, shoal_hash32 *scratch);
/*
 * The uncles for [index, index+count) of a known layer of `known` hashes padded to `width`, as an answer to a
 * hash request for `proof` layers: writes up to `max`, returns how many there are. BEP 52 counts proof layers
 * from base + 1 and leaves out the first log2(count) - 1, which the range itself gives; so a request that wants
 * everything up to the root has proof = log2(width) - 1. RANGE unless count is a power of two >= 2 and divides index.
 * Each uncle hashes its whole subtree: about 80 ns for each known hash under it, so keep an eye on who asks.
 */
SHOAL_MUST int shoal_merkle_uncles(const shoal_hash32 *layer, uint32_t known, uint32_t width, uint32_t base,
				   uint32_t index, uint32_t count, uint32_t proof, shoal_hash32 *out, uint32_t max);

#endif
