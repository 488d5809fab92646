/*
 * proto/base/bits.h - bitfields of pieces: set, count, scan, wire order.
 *
 * Bit i is bit i%64 of word i/64; bits past `count` are always zero. On the
 * wire (BEP 3) piece 0 is the highest bit of the first byte.
 */
#ifndef SHOAL_BITS_H
#define SHOAL_BITS_H

#include <shoal/types.h>

struct shoal_bits {
	uint64_t *word;
	uint32_t count; /* bits in all */
	uint32_t ones;	/* bits that are set */
};

/* Heap memory for `count` zero bits. 0, or SHOAL_ERR_NOMEM (then empty, and safe to fini). */
SHOAL_MUST int shoal_bits_init(struct shoal_bits *bits, uint32_t count);
void shoal_bits_fini(struct shoal_bits *bits);
/* What init() takes from the heap, for the memory budget. */
size_t shoal_bits_bytes(uint32_t count);

static inline bool shoal_bits_get(const struct shoal_bits *bits, uint32_t i)
{
	return i < bits->count && (bits->word[i >> 6] >> (i & 63) & 1);
}
/* true when the bit changed. */
static inline bool shoal_bits_set(struct shoal_bits *bits, uint32_t i)
{
	uint64_t bit = UINT64_C(1) << (i & 63);
	if (i >= bits->count || (bits->word[i >> 6] & bit))
		return false;
	bits->word[i >> 6] |= bit;
	bits->ones++;
	return true;
}
static inline bool shoal_bits_clear(struct shoal_bits *bits, uint32_t i)
{
	uint64_t bit = UINT64_C(1) << (i & 63);
	if (i >= bits->count || !(bits->word[i >> 6] & bit))
		return false;
	bits->word[i >> 6] &= ~bit;
	bits->ones--;
	return true;
}
static inline bool shoal_bits_full(const struct shoal_bits *bits)
{
	return bits->ones == bits->count;
}
void shoal_bits_fill(struct shoal_bits *bits);
void shoal_bits_wipe(struct shoal_bits *bits);
/* Both must have the same count. */
void shoal_bits_copy(struct shoal_bits *to, const struct shoal_bits *from);
/* Clears in `bits` what is set in `gone`. The same. */
void shoal_bits_remove(struct shoal_bits *bits, const struct shoal_bits *gone);
/* The first set (clear) bit at or after `from`; `count` when there is none. */
uint32_t shoal_bits_next(const struct shoal_bits *bits, uint32_t from);
uint32_t shoal_bits_next_clear(const struct shoal_bits *bits, uint32_t from);
/*
 * From and to the wire. load: MALFORMED when `wire` is not ceil(count/8) bytes;
 * spare bits are ignored when `lenient`, else MALFORMED.
 */
SHOAL_MUST int shoal_bits_load(struct shoal_bits *bits, struct shoal_bytes wire, bool lenient);
void shoal_bits_store(const struct shoal_bits *bits, struct shoal_space wire);

#endif
