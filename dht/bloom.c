/*
 * dht/bloom.c - BEP 33.
 */
#include "dht/bloom.h"

#include "proto/base/bytes.h"
#include "proto/base/digest.h"

#define BITS (SHOAL_BLOOM_BYTES * 8)

static void places(const struct shoal_addr *addr, unsigned at[2])
{
	uint8_t hash[20];
	shoal_sha1(shoal_bytes(addr->ip, addr->is_v4 ? 4 : 16), hash);
	for (int i = 0; i < 2; i++)
		at[i] = ((unsigned)hash[2 * i] | (unsigned)hash[2 * i + 1] << 8) % BITS;
}

void shoal_bloom_add(struct shoal_bloom *bloom, const struct shoal_addr *addr)
{
	unsigned at[2];
	places(addr, at);
	for (int i = 0; i < 2; i++)
		bloom->b[at[i] / 8] |= (uint8_t)(1u << at[i] % 8);
}

bool shoal_bloom_has(const struct shoal_bloom *bloom, const struct shoal_addr *addr)
{
	unsigned at[2];
	places(addr, at);
	return bloom->b[at[0] / 8] >> at[0] % 8 & 1 && bloom->b[at[1] / 8] >> at[1] % 8 & 1;
}

void shoal_bloom_join(struct shoal_bloom *bloom, const struct shoal_bloom *other)
{
	for (size_t i = 0; i < SHOAL_BLOOM_BYTES; i++)
		bloom->b[i] |= other->b[i];
}

/* ln(x) for x in (0, 1]: by halves to [1/2, 1], then ln x = 2 atanh((x - 1) / (x + 1)). No libm for one logarithm. */
static double natural_log(double x)
{
	double halves = 0;
	while (x < 0.5) {
		x *= 2;
		halves += 0.69314718055994530942;
	}
	double y = (x - 1) / (x + 1), square = y * y, term = y, sum = 0;
	for (int k = 1; k < 40; k += 2) {
		sum += term / k;
		term *= square;
	}
	return 2 * sum - halves;
}

uint64_t shoal_bloom_count_milli(const struct shoal_bloom *bloom)
{
	unsigned zeros = BITS;
	for (size_t i = 0; i < SHOAL_BLOOM_BYTES; i++)
		zeros -= (unsigned)__builtin_popcount(bloom->b[i]);
	if (zeros == BITS)
		return 0;
	double c = zeros > 0 ? zeros : 1; /* a full filter says "many", not "endless" */
	double size = natural_log(c / BITS) / (2 * natural_log(1 - 1.0 / BITS));
	return (uint64_t)(size * 1000 + 0.5);
}
