/*
 * proto/siphash.h - SipHash-1-3 for hash tables that strangers fill.
 *
 * J.-P. Aumasson, D. J. Bernstein, "SipHash", 2012. proto/ has no dice, so
 * its tables take their key from a digest of the very bytes they index:
 * whoever changes a name to make it collide changes the key with it.
 */
#ifndef SHOAL_SIPHASH_H
#define SHOAL_SIPHASH_H

#include <shoal/types.h>
#include <string.h>

struct shoal_sipkey {
	uint64_t k0, k1;
};

static inline uint64_t shoal_sip_load(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	memcpy(&v, p, n); /* host order: these hashes never leave the process */
	return v;
}
static inline struct shoal_sipkey shoal_sipkey(const uint8_t digest[16])
{
	return (struct shoal_sipkey){ shoal_sip_load(digest, 8), shoal_sip_load(digest + 8, 8) };
}
static inline uint64_t shoal_sip_turn(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}
static inline void shoal_sip_round(uint64_t v[4])
{
	v[0] += v[1], v[2] += v[3];
	v[1] = shoal_sip_turn(v[1], 13) ^ v[0];
	v[3] = shoal_sip_turn(v[3], 16) ^ v[2];
	v[0] = shoal_sip_turn(v[0], 32);
	v[2] += v[1], v[0] += v[3];
	v[1] = shoal_sip_turn(v[1], 17) ^ v[2];
	v[3] = shoal_sip_turn(v[3], 21) ^ v[0];
	v[2] = shoal_sip_turn(v[2], 32);
}
/* `salt` keeps apart equal bytes that stand in different places (a folder's number). */
static inline uint64_t shoal_siphash(struct shoal_sipkey key, uint64_t salt, struct shoal_bytes in)
{
	uint64_t v[4] = { key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d, key.k0 ^ 0x6c7967656e657261,
			  key.k1 ^ 0x7465646279746573 };
	uint64_t word = salt;
	size_t pos = 0;
	v[3] ^= word;
	shoal_sip_round(v);
	v[0] ^= word;
	for (; in.len - pos >= 8; pos += 8) {
		word = shoal_sip_load(in.at + pos, 8);
		v[3] ^= word;
		shoal_sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)in.len << 56;
	if (in.len > pos)
		word |= shoal_sip_load(in.at + pos, in.len - pos);
	v[3] ^= word;
	shoal_sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		shoal_sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
