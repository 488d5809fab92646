/*
 * proto/base/digest_avx2.c - eight streams, one in each 32-bit lane of a ymm register.
 *
 * For processors without SHA-NI. A row costs the same however many of its
 * lanes are in use, so a few streams go to libcrypto, one by one, instead.
 */
#include "proto/base/digest_kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define INLINE AVX2 static inline __attribute__((always_inline))
#define LANES 8
/* From here up a row of eight beats libcrypto in turns, both without SHA-NI (measured). */
#define LANES_WORTH 3

typedef uint32_t row __attribute__((vector_size(32))); /* one word of each lane */

static bool avx2_present(void)
{
	return __builtin_cpu_supports("avx2"); /* asks the system for ymm, too */
}

INLINE row rotl(row x, int n)
{
	return x << n | x >> (32 - n);
}
INLINE row rotr(row x, int n)
{
	return x >> n | x << (32 - n);
}

/* w[0..7] = eight big-endian words of each lane, starting at at[i] + skip. */
INLINE void load_words(row w[8], const uint8_t *const at[LANES], size_t skip)
{
	const __m256i swap = _mm256_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203,
					       0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m256i in[8], two[8], four[8];
	for (int i = 0; i < 8; i++)
		in[i] = _mm256_shuffle_epi8(_mm256_loadu_si256((const void *)(at[i] + skip)), swap);
	/* An 8 x 8 transpose: by words, by pairs of words, by halves. */
	for (int i = 0; i < 8; i += 2) {
		two[i] = _mm256_unpacklo_epi32(in[i], in[i + 1]);
		two[i + 1] = _mm256_unpackhi_epi32(in[i], in[i + 1]);
	}
	for (int i = 0; i < 8; i += 4) {
		four[i] = _mm256_unpacklo_epi64(two[i], two[i + 2]);
		four[i + 1] = _mm256_unpackhi_epi64(two[i], two[i + 2]);
		four[i + 2] = _mm256_unpacklo_epi64(two[i + 1], two[i + 3]);
		four[i + 3] = _mm256_unpackhi_epi64(two[i + 1], two[i + 3]);
	}
	for (int i = 0; i < 4; i++) {
		w[i] = (row)_mm256_permute2x128_si256(four[i], four[i + 4], 0x20);
		w[i + 4] = (row)_mm256_permute2x128_si256(four[i], four[i + 4], 0x31);
	}
}

/* Lanes that are not in use repeat the first one, and are not read back. */
INLINE void gather(row state[], uint32_t *const h[], size_t n, int words)
{
	for (int word = 0; word < words; word++)
		for (size_t i = 0; i < LANES; i++)
			state[word][i] = h[i < n ? i : 0][word];
}

INLINE void scatter(const row state[], uint32_t *const h[], size_t n, int words)
{
	for (int word = 0; word < words; word++)
		for (size_t i = 0; i < n; i++)
			h[i][word] = state[word][i];
}

/* One round; the five names turn by one from round to round. */
#define SHA1_ROUND(f, k, a, b, c, d, e, t) do {                          \
		row w_ = sha1_word(w, t);                                \
		(e) += rotl(a, 5) + f(b, c, d) + w_ + (uint32_t)(k);     \
		(b) = rotl(b, 30);                                       \
	} while (0)
#define SHA1_TWENTY(f, k, from)                                          \
	for (int t = (from); t < (from) + 20; t += 5) {                  \
		SHA1_ROUND(f, k, a, b, c, d, e, t);                      \
		SHA1_ROUND(f, k, e, a, b, c, d, t + 1);                  \
		SHA1_ROUND(f, k, d, e, a, b, c, t + 2);                  \
		SHA1_ROUND(f, k, c, d, e, a, b, t + 3);                  \
		SHA1_ROUND(f, k, b, c, d, e, a, t + 4);                  \
	}
#define CHOOSE(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define MAJORITY(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))
#define PARITY(x, y, z) ((x) ^ (y) ^ (z))

/* The schedule in a ring of sixteen. */
INLINE row sha1_word(row w[16], int t)
{
	if (t < 16)
		return w[t];
	return w[t & 15] = rotl(w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^ w[t & 15], 1);
}

AVX2 static void sha1_row(uint32_t *const h[], const uint8_t *const from[], size_t n, size_t blocks)
{
	row state[5], w[16];
	const uint8_t *at[LANES];
	for (size_t i = 0; i < LANES; i++)
		at[i] = from[i < n ? i : 0];
	gather(state, h, n, 5);
	for (; blocks; blocks--) {
		row a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
		load_words(w, at, 0);
		load_words(w + 8, at, 32);
		SHA1_TWENTY(CHOOSE, 0x5a827999, 0);
		SHA1_TWENTY(PARITY, 0x6ed9eba1, 20);
		SHA1_TWENTY(MAJORITY, 0x8f1bbcdc, 40);
		SHA1_TWENTY(PARITY, 0xca62c1d6, 60);
		state[0] += a;
		state[1] += b;
		state[2] += c;
		state[3] += d;
		state[4] += e;
		for (size_t i = 0; i < LANES; i++)
			at[i] += SHOAL_DIGEST_BLOCK;
	}
	scatter(state, h, n, 5);
}

INLINE row sha256_word(row w[16], int t)
{
	if (t < 16)
		return w[t];
	row w2 = w[(t + 14) & 15], w15 = w[(t + 1) & 15];
	row s0 = rotr(w15, 7) ^ rotr(w15, 18) ^ w15 >> 3;
	row s1 = rotr(w2, 17) ^ rotr(w2, 19) ^ w2 >> 10;
	return w[t & 15] += s0 + s1 + w[(t + 9) & 15];
}

#define SHA256_ROUND(a, b, c, d, e, f, g, h, t) do {                              \
		row t1 = (h) + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + CHOOSE(e, f, g) + \
			 shoal_sha256_k[t] + sha256_word(w, t);                   \
		(d) += t1;                                                        \
		(h) = t1 + (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + MAJORITY(a, b, c); \
	} while (0)

AVX2 static void sha256_row(uint32_t *const h[], const uint8_t *const from[], size_t n, size_t blocks)
{
	row s[8], w[16];
	const uint8_t *at[LANES];
	for (size_t i = 0; i < LANES; i++)
		at[i] = from[i < n ? i : 0];
	gather(s, h, n, 8);
	for (; blocks; blocks--) {
		row a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], z = s[7];
		load_words(w, at, 0);
		load_words(w + 8, at, 32);
		for (int t = 0; t < 64; t += 8) {
			SHA256_ROUND(a, b, c, d, e, f, g, z, t);
			SHA256_ROUND(z, a, b, c, d, e, f, g, t + 1);
			SHA256_ROUND(g, z, a, b, c, d, e, f, t + 2);
			SHA256_ROUND(f, g, z, a, b, c, d, e, t + 3);
			SHA256_ROUND(e, f, g, z, a, b, c, d, t + 4);
			SHA256_ROUND(d, e, f, g, z, a, b, c, t + 5);
			SHA256_ROUND(c, d, e, f, g, z, a, b, t + 6);
			SHA256_ROUND(b, c, d, e, f, g, z, a, t + 7);
		}
		s[0] += a;
		s[1] += b;
		s[2] += c;
		s[3] += d;
		s[4] += e;
		s[5] += f;
		s[6] += g;
		s[7] += z;
		for (size_t i = 0; i < LANES; i++)
			at[i] += SHOAL_DIGEST_BLOCK;
	}
	scatter(s, h, n, 8);
}

static void sha1_run(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	(n < LANES_WORTH ? shoal_digest_openssl.sha1 : sha1_row)(h, at, n, blocks);
}

static void sha256_run(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	(n < LANES_WORTH ? shoal_digest_openssl.sha256 : sha256_row)(h, at, n, blocks);
}

const struct shoal_digest_kernel shoal_digest_avx2 = { "avx2", LANES, true, avx2_present, sha1_run, sha256_run };

#endif
