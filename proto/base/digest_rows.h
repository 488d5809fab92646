/*
 * proto/base/digest_rows.h - SHA-1 and SHA-256 of many streams, one in each 32-bit lane of a register.
 *
 * A pattern, not a header: a row kernel includes it once, after saying what
 * its registers are and how it does arithmetic in them:
 *
 *   LANES, ROWS              8 (ymm) or 16 (zmm); the target attribute that has them
 *   ROTL(x, n), ROTR(x, n)   each lane turned by n bits; macros, for n is part of an instruction
 *   CHOOSE, MAJORITY, PARITY FIPS 180-4, 4.1; of (x, y, z)
 *
 * It gets sha1_row(), sha256_row() and sha256_pairs_row(), for n <= LANES. A
 * row costs the same however few of its lanes are in use. The rounds are
 * written out: with 32 registers the sixteen words of the schedule, the state
 * and the constants hardly leave them.
 */
#include "proto/base/digest_kernel.h"

#include <immintrin.h>
#include <string.h>

#define INLINE ROWS static inline __attribute__((always_inline))

/* One word of each lane. */
typedef uint32_t row __attribute__((vector_size(4 * LANES)));

/*
 * How words get from streams to lanes and back. QUARTERS(at, i, skip): 16 bytes from at[i] + skip, from
 * at[i + 4], and so on, one in each 128 bits. LOW and HIGH interleave that half of each 128 bits.
 */
#define SWAPPED _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203) /* the bytes of each word */
#define QUARTER(at, i, skip) _mm_loadu_si128((const void *)((at)[i] + (skip)))
#if LANES == 16
#define SWAP(x) ((row)_mm512_shuffle_epi8((__m512i)(x), _mm512_broadcast_i32x4(SWAPPED)))
#define LOW32(x, y) ((row)_mm512_unpacklo_epi32((__m512i)(x), (__m512i)(y)))
#define HIGH32(x, y) ((row)_mm512_unpackhi_epi32((__m512i)(x), (__m512i)(y)))
#define LOW64(x, y) ((row)_mm512_unpacklo_epi64((__m512i)(x), (__m512i)(y)))
#define HIGH64(x, y) ((row)_mm512_unpackhi_epi64((__m512i)(x), (__m512i)(y)))
#define QUARTERS(at, i, skip)                                                                  \
	((row)_mm512_inserti32x4(_mm512_inserti32x4(_mm512_inserti32x4(                        \
		_mm512_castsi128_si512(QUARTER(at, i, skip)), QUARTER(at, (i) + 4, skip), 1),  \
		QUARTER(at, (i) + 8, skip), 2), QUARTER(at, (i) + 12, skip), 3))
#else
#define SWAP(x) ((row)_mm256_shuffle_epi8((__m256i)(x), _mm256_broadcastsi128_si256(SWAPPED)))
#define LOW32(x, y) ((row)_mm256_unpacklo_epi32((__m256i)(x), (__m256i)(y)))
#define HIGH32(x, y) ((row)_mm256_unpackhi_epi32((__m256i)(x), (__m256i)(y)))
#define LOW64(x, y) ((row)_mm256_unpacklo_epi64((__m256i)(x), (__m256i)(y)))
#define HIGH64(x, y) ((row)_mm256_unpackhi_epi64((__m256i)(x), (__m256i)(y)))
#define QUARTERS(at, i, skip)                                                                  \
	((row)_mm256_inserti128_si256(_mm256_castsi128_si256(QUARTER(at, i, skip)),            \
				      QUARTER(at, (i) + 4, skip), 1))
#endif

/*
 * Four rows become four others: the 4 x 4 words in each 128 bits are transposed, and their bytes
 * reversed. It makes rows of the quarters of four streams, and quarters of rows.
 */
INLINE void rows_turn(row x[4])
{
	row low01 = LOW32(x[0], x[1]), low23 = LOW32(x[2], x[3]);
	row high01 = HIGH32(x[0], x[1]), high23 = HIGH32(x[2], x[3]);
	x[0] = SWAP(LOW64(low01, low23));
	x[1] = SWAP(HIGH64(low01, low23));
	x[2] = SWAP(LOW64(high01, high23));
	x[3] = SWAP(HIGH64(high01, high23));
}

/* w[] = the sixteen words of the block at at[i] + skip, for each lane. */
INLINE void rows_load(row w[16], const uint8_t *const at[LANES], size_t skip)
{
#pragma GCC unroll 4
	for (int i = 0; i < 16; i += 4, skip += 16) {
		w[i] = QUARTERS(at, 0, skip);
		w[i + 1] = QUARTERS(at, 1, skip);
		w[i + 2] = QUARTERS(at, 2, skip);
		w[i + 3] = QUARTERS(at, 3, skip);
		rows_turn(w + i);
	}
}

/* Lanes that are not in use repeat the first one, and are not read back. */
static inline void rows_aim(const uint8_t *at[LANES], const uint8_t *const from[], size_t n)
{
	for (size_t i = 0; i < LANES; i++)
		at[i] = from[i < n ? i : 0];
}

INLINE void rows_gather(row state[], uint32_t *const h[], size_t n, size_t words)
{
	for (size_t word = 0; word < words; word++)
		for (size_t i = 0; i < LANES; i++)
			state[word][i] = h[i < n ? i : 0][word];
}

INLINE void rows_scatter(const row state[], uint32_t *const h[], size_t n, size_t words)
{
	for (size_t word = 0; word < words; word++)
		for (size_t i = 0; i < n; i++)
			h[i][word] = state[word][i];
}

/* ---- SHA-1 -------------------------------------------------------------------------------- */

/* One round; the five names turn by one from round to round. The schedule is a ring of sixteen. */
#define SHA1_ROUND(f, k, a, b, c, d, e, t) do {                                                             \
		if ((t) >= 16)                                                                              \
			w[(t) & 15] = ROTL(PARITY(w[((t) + 13) & 15], w[((t) + 8) & 15], w[((t) + 2) & 15]) \
					   ^ w[(t) & 15], 1);                                               \
		(e) += w[(t) & 15] + (uint32_t)(k);                                                         \
		(e) += f(b, c, d);                                                                          \
		(e) += ROTL(a, 5);                                                                          \
		(b) = ROTL(b, 30);                                                                          \
	} while (0)
#define SHA1_FIVE(f, k, t) do {                                  \
		SHA1_ROUND(f, k, a, b, c, d, e, t);              \
		SHA1_ROUND(f, k, e, a, b, c, d, (t) + 1);        \
		SHA1_ROUND(f, k, d, e, a, b, c, (t) + 2);        \
		SHA1_ROUND(f, k, c, d, e, a, b, (t) + 3);        \
		SHA1_ROUND(f, k, b, c, d, e, a, (t) + 4);        \
	} while (0)
#define SHA1_TWENTY(f, k, t) do {          \
		SHA1_FIVE(f, k, t);        \
		SHA1_FIVE(f, k, (t) + 5);  \
		SHA1_FIVE(f, k, (t) + 10); \
		SHA1_FIVE(f, k, (t) + 15); \
	} while (0)

ROWS static void sha1_row(uint32_t *const h[], const uint8_t *const from[], size_t n, size_t blocks)
{
	const uint8_t *at[LANES];
	row s[5];
	rows_aim(at, from, n);
	rows_gather(s, h, n, 5);
	for (size_t skip = 0; blocks; blocks--, skip += SHOAL_DIGEST_BLOCK) {
		row a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], w[16];
		rows_load(w, at, skip);
		SHA1_TWENTY(CHOOSE, 0x5a827999, 0);
		SHA1_TWENTY(PARITY, 0x6ed9eba1, 20);
		SHA1_TWENTY(MAJORITY, 0x8f1bbcdc, 40);
		SHA1_TWENTY(PARITY, 0xca62c1d6, 60);
		s[0] += a;
		s[1] += b;
		s[2] += c;
		s[3] += d;
		s[4] += e;
	}
	rows_scatter(s, h, n, 5);
}

/* ---- SHA-256 ------------------------------------------------------------------------------ */

/* `kw` is the round's constant plus its word of the schedule. */
#define SHA256_ROUND(a, b, c, d, e, f, g, h, kw) do {                                           \
		(h) += kw;                                                                      \
		(h) += CHOOSE(e, f, g);                                                         \
		(h) += PARITY(ROTR(e, 6), ROTR(e, 11), ROTR(e, 25));                            \
		(d) += (h);                                                                     \
		(h) += MAJORITY(a, b, c);                                                       \
		(h) += PARITY(ROTR(a, 2), ROTR(a, 13), ROTR(a, 22));                            \
	} while (0)
#define SHA256_EIGHT(KW, t) do {                                                 \
		SHA256_ROUND(a, b, c, d, e, f, g, z, KW(t));                     \
		SHA256_ROUND(z, a, b, c, d, e, f, g, KW((t) + 1));               \
		SHA256_ROUND(g, z, a, b, c, d, e, f, KW((t) + 2));               \
		SHA256_ROUND(f, g, z, a, b, c, d, e, KW((t) + 3));               \
		SHA256_ROUND(e, f, g, z, a, b, c, d, KW((t) + 4));               \
		SHA256_ROUND(d, e, f, g, z, a, b, c, KW((t) + 5));               \
		SHA256_ROUND(c, d, e, f, g, z, a, b, KW((t) + 6));               \
		SHA256_ROUND(b, c, d, e, f, g, z, a, KW((t) + 7));               \
	} while (0)
#define SHA256_ALL(KW) do {               \
		SHA256_EIGHT(KW, 0);      \
		SHA256_EIGHT(KW, 8);      \
		SHA256_EIGHT(KW, 16);     \
		SHA256_EIGHT(KW, 24);     \
		SHA256_EIGHT(KW, 32);     \
		SHA256_EIGHT(KW, 40);     \
		SHA256_EIGHT(KW, 48);     \
		SHA256_EIGHT(KW, 56);     \
	} while (0)

/* The next word of the ring. */
#define SHA256_WORD(t) do {                                                                            \
		row w2_ = w[((t) + 14) & 15], w15_ = w[((t) + 1) & 15];                                \
		w[(t) & 15] += w[((t) + 9) & 15];                                                      \
		w[(t) & 15] += PARITY(ROTR(w15_, 7), ROTR(w15_, 18), w15_ >> 3);                       \
		w[(t) & 15] += PARITY(ROTR(w2_, 17), ROTR(w2_, 19), w2_ >> 10);                        \
	} while (0)
#define KW_OF_BLOCK(t) ({ if ((t) >= 16) SHA256_WORD(t); w[(t) & 15] + k[t]; })
#define KW_READY(t) k[t]

INLINE void rows_sha256_add(row s[8], row a, row b, row c, row d, row e, row f, row g, row z)
{
	s[0] += a;
	s[1] += b;
	s[2] += c;
	s[3] += d;
	s[4] += e;
	s[5] += f;
	s[6] += g;
	s[7] += z;
}

/*
 * Moves s[] by one block. The constants are read where they are used: a
 * compiler that may see that they are the same for each block spreads all of
 * them over registers ahead of the loop, and so, there being 64, over the stack.
 */
INLINE void rows_sha256(row s[8], const uint8_t *const at[LANES], size_t skip)
{
	row a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], z = s[7], w[16];
	const uint32_t *k = shoal_sha256_k;
	__asm__ volatile("" : "+r"(k));
	rows_load(w, at, skip);
	SHA256_ALL(KW_OF_BLOCK);
	rows_sha256_add(s, a, b, c, d, e, f, g, z);
}

/* And by the block that ends every message of 64 bytes. */
INLINE void rows_sha256_pad64(row s[8])
{
	row a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], z = s[7];
	const uint32_t *k = shoal_sha256_pad64;
	SHA256_ALL(KW_READY);
	rows_sha256_add(s, a, b, c, d, e, f, g, z);
}

ROWS static void sha256_row(uint32_t *const h[], const uint8_t *const from[], size_t n, size_t blocks)
{
	const uint8_t *at[LANES];
	row s[8];
	rows_aim(at, from, n);
	rows_gather(s, h, n, 8);
	for (size_t skip = 0; blocks; blocks--, skip += SHOAL_DIGEST_BLOCK)
		rows_sha256(s, at, skip);
	rows_scatter(s, h, n, 8);
}

/* All of `in` has been read when the first byte of `out` is written. */
ROWS static void sha256_pairs_row(const uint8_t (*in)[32], size_t n, uint8_t (*out)[32])
{
	const uint8_t *at[LANES];
	uint8_t quarter[8][LANES / 4][16];
	row s[8];
	for (size_t i = 0; i < LANES; i++)
		at[i] = in[2 * (i < n ? i : 0)];
	for (int i = 0; i < 8; i++)
		s[i] = (row){ 0 } + shoal_sha256_start[i];
	rows_sha256(s, at, 0);
	rows_sha256_pad64(s);
	rows_turn(s);
	rows_turn(s + 4);
	memcpy(quarter, s, sizeof quarter);
	for (size_t i = 0; i < n; i++) {
		memcpy(out[i], quarter[i % 4][i / 4], 16);
		memcpy(out[i] + 16, quarter[4 + i % 4][i / 4], 16);
	}
}
