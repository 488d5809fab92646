/* proto/base/bits.c - bitfields, a word at a time where it pays. */
#include "proto/base/bits.h"

#include <stdlib.h>
#include <string.h>

static size_t words_of(uint32_t count)
{
	return ((size_t)count + 63) / 64;
}

size_t shoal_bits_bytes(uint32_t count)
{
	return words_of(count) * sizeof(uint64_t);
}

int shoal_bits_init(struct shoal_bits *bits, uint32_t count)
{
	size_t words = words_of(count);
	*bits = (struct shoal_bits){ 0 };
	bits->word = calloc(words ? words : 1, sizeof *bits->word);
	if (bits->word == NULL)
		return SHOAL_ERR_NOMEM;
	bits->count = count;
	return 0;
}

void shoal_bits_fini(struct shoal_bits *bits)
{
	free(bits->word);
	*bits = (struct shoal_bits){ 0 };
}

void shoal_bits_fill(struct shoal_bits *bits)
{
	size_t words = words_of(bits->count);
	if (words == 0)
		return;
	memset(bits->word, 0xff, words * sizeof *bits->word);
	if (bits->count % 64)
		bits->word[words - 1] = (UINT64_C(1) << bits->count % 64) - 1;
	bits->ones = bits->count;
}

void shoal_bits_wipe(struct shoal_bits *bits)
{
	if (bits->word != NULL)
		memset(bits->word, 0, shoal_bits_bytes(bits->count));
	bits->ones = 0;
}

void shoal_bits_copy(struct shoal_bits *to, const struct shoal_bits *from)
{
	if (from->count == to->count && to->count) {
		memcpy(to->word, from->word, shoal_bits_bytes(to->count));
		to->ones = from->ones;
	}
}

void shoal_bits_remove(struct shoal_bits *bits, const struct shoal_bits *gone)
{
	if (bits->count != gone->count)
		return;
	for (uint32_t w = 0; w < (bits->count + 63) / 64; w++) {
		bits->ones -= (uint32_t)__builtin_popcountll(bits->word[w] & gone->word[w]);
		bits->word[w] &= ~gone->word[w];
	}
}

static uint32_t scan(const struct shoal_bits *bits, uint32_t from, uint64_t flip)
{
	if (from >= bits->count)
		return bits->count;
	size_t words = words_of(bits->count);
	size_t w = from >> 6;
	uint64_t found = (bits->word[w] ^ flip) & (UINT64_MAX << (from & 63));
	while (found == 0) {
		if (++w == words)
			return bits->count;
		found = bits->word[w] ^ flip;
	}
	uint64_t i = (uint64_t)w * 64 + (uint64_t)__builtin_ctzll(found);
	return i < bits->count ? (uint32_t)i : bits->count;
}

uint32_t shoal_bits_next(const struct shoal_bits *bits, uint32_t from)
{
	return scan(bits, from, 0);
}

uint32_t shoal_bits_next_clear(const struct shoal_bits *bits, uint32_t from)
{
	return scan(bits, from, UINT64_MAX);
}

int shoal_bits_load(struct shoal_bits *bits, struct shoal_bytes wire, bool lenient)
{
	if (wire.len != ((size_t)bits->count + 7) / 8)
		return SHOAL_ERR_MALFORMED;
	unsigned spare = (8 - bits->count % 8) % 8;
	if (wire.len && spare && !lenient && (wire.at[wire.len - 1] & ((1u << spare) - 1)))
		return SHOAL_ERR_MALFORMED;
	shoal_bits_wipe(bits);
	for (size_t i = 0; i < wire.len; i++) {
		uint64_t b = wire.at[i];
		/* reverse the bits of one byte (Bit Twiddling Hacks: 64-bit multiply) */
		b = (b * UINT64_C(0x0202020202) & UINT64_C(0x010884422010)) % 1023;
		bits->word[i >> 3] |= b << (i & 7) * 8;
	}
	if (spare && wire.len)
		bits->word[(wire.len - 1) >> 3] &= bits->count % 64 ? (UINT64_C(1) << bits->count % 64) - 1
								    : UINT64_MAX;
	for (size_t w = 0; w < words_of(bits->count); w++)
		bits->ones += (uint32_t)__builtin_popcountll(bits->word[w]);
	return 0;
}

void shoal_bits_store(const struct shoal_bits *bits, struct shoal_space wire)
{
	for (size_t i = 0; i < wire.len; i++) {
		uint64_t b = i / 8 < words_of(bits->count) ? bits->word[i >> 3] >> (i & 7) * 8 & 0xff : 0;
		wire.at[i] = (uint8_t)((b * UINT64_C(0x0202020202) & UINT64_C(0x010884422010)) % 1023);
	}
}
