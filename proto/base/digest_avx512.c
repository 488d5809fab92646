/*
 * proto/base/digest_avx512.c - sixteen streams, one in each 32-bit lane of a zmm register.
 *
 * For Intel processors: their SHA unit is not pipelined, so that four lanes of
 * SHA-NI are hardly faster than one, and sixteen lanes of plain arithmetic, with
 * rotates and three-way logic in one instruction each, outrun it. A row costs
 * the same however many of its lanes are in use, so fewer streams go to SHA-NI.
 */
#include "proto/base/digest_kernel.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define INLINE AVX512 static inline __attribute__((always_inline))
#define LANES 16
/* From here up a row of sixteen beats SHA-NI in turns (measured on Sapphire Rapids). */
#define SHA1_WORTH 7
#define SHA256_WORTH 11

typedef __m512i row; /* one word of each lane */

static bool avx512_present(void)
{
	unsigned top, b, c, d;
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !shoal_digest_shani.present())
		return false; /* cpu_supports asks the system for zmm, too */
	/* On AMD, SHA-NI in four lanes is the faster one as far as was measured. */
	return __get_cpuid(0, &top, &b, &c, &d) && b == signature_INTEL_ebx && c == signature_INTEL_ecx &&
	       d == signature_INTEL_edx;
}

INLINE row add(row x, row y)
{
	return _mm512_add_epi32(x, y);
}
#define ROTL(x, n) _mm512_rol_epi32(x, n)
#define ROTR(x, n) _mm512_ror_epi32(x, n)
#define CHOOSE(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xca)
#define MAJORITY(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xe8)
#define PARITY(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0x96)

/* w[0..15] = the sixteen big-endian words of each lane's block: a 16 x 16 transpose by words, pairs, quarters. */
INLINE void load_words(row w[16], const uint8_t *const at[LANES])
{
	const row swap = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
	row in[16], two[16], four[16];
	for (int i = 0; i < 16; i++)
		in[i] = _mm512_shuffle_epi8(_mm512_loadu_si512((const void *)at[i]), swap);
	for (int i = 0; i < 16; i += 2) {
		two[i] = _mm512_unpacklo_epi32(in[i], in[i + 1]);
		two[i + 1] = _mm512_unpackhi_epi32(in[i], in[i + 1]);
	}
	for (int i = 0; i < 16; i += 4) {
		four[i] = _mm512_unpacklo_epi64(two[i], two[i + 2]);
		four[i + 1] = _mm512_unpackhi_epi64(two[i], two[i + 2]);
		four[i + 2] = _mm512_unpacklo_epi64(two[i + 1], two[i + 3]);
		four[i + 3] = _mm512_unpackhi_epi64(two[i + 1], two[i + 3]);
	}
	/* four[4 g + k], quarter q: word 4 q + k of lanes 4 g to 4 g + 3. Now the quarters change places. */
	for (int k = 0; k < 4; k++) {
		row low01 = _mm512_shuffle_i32x4(four[k], four[k + 4], 0x44);
		row high01 = _mm512_shuffle_i32x4(four[k], four[k + 4], 0xee);
		row low23 = _mm512_shuffle_i32x4(four[k + 8], four[k + 12], 0x44);
		row high23 = _mm512_shuffle_i32x4(four[k + 8], four[k + 12], 0xee);
		w[k] = _mm512_shuffle_i32x4(low01, low23, 0x88);
		w[k + 4] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
		w[k + 8] = _mm512_shuffle_i32x4(high01, high23, 0x88);
		w[k + 12] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
	}
}

/* Lanes that are not in use repeat the first one, and are not read back. */
INLINE void gather(row state[], uint32_t *const h[], size_t n, int words)
{
	for (int word = 0; word < words; word++) {
		uint32_t each[LANES];
		for (size_t i = 0; i < LANES; i++)
			each[i] = h[i < n ? i : 0][word];
		state[word] = _mm512_loadu_si512(each);
	}
}

INLINE void scatter(const row state[], uint32_t *const h[], size_t n, int words)
{
	for (int word = 0; word < words; word++) {
		uint32_t each[LANES];
		_mm512_storeu_si512(each, state[word]);
		for (size_t i = 0; i < n; i++)
			h[i][word] = each[i];
	}
}

/* The schedule in a ring of sixteen. */
INLINE row sha1_word(row w[16], int t)
{
	if (t < 16)
		return w[t];
	row mixed = PARITY(w[(t + 13) & 15], w[(t + 8) & 15], _mm512_xor_si512(w[(t + 2) & 15], w[t & 15]));
	return w[t & 15] = ROTL(mixed, 1);
}

/* One round; the five names turn by one from round to round. */
#define SHA1_ROUND(f, a, b, c, d, e, t)                                       \
	do {                                                                  \
		row sum_ = add(add(e, k_), add(f(b, c, d), sha1_word(w, t))); \
		(e) = add(sum_, ROTL(a, 5));                                  \
		(b) = ROTL(b, 30);                                            \
	} while (0)
#define SHA1_FIVE(f, t)                      \
	SHA1_ROUND(f, a, b, c, d, e, t);     \
	SHA1_ROUND(f, e, a, b, c, d, t + 1); \
	SHA1_ROUND(f, d, e, a, b, c, t + 2); \
	SHA1_ROUND(f, c, d, e, a, b, t + 3); \
	SHA1_ROUND(f, b, c, d, e, a, t + 4)
/* Unrolled, so that the ring stays in registers. */
#define SHA1_TWENTY(f, k, from)                             \
	do {                                                \
		const row k_ = _mm512_set1_epi32((int)(k)); \
		SHA1_FIVE(f, from);                         \
		SHA1_FIVE(f, (from) + 5);                   \
		SHA1_FIVE(f, (from) + 10);                  \
		SHA1_FIVE(f, (from) + 15);                  \
	} while (0)

AVX512 static void sha1_row(uint32_t *const h[], const uint8_t *const from[], size_t n, size_t blocks)
{
	row state[5], w[16];
	const uint8_t *at[LANES];
	for (size_t i = 0; i < LANES; i++)
		at[i] = from[i < n ? i : 0];
	gather(state, h, n, 5);
	for (; blocks; blocks--) {
		row a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
		load_words(w, at);
		SHA1_TWENTY(CHOOSE, 0x5a827999, 0);
		SHA1_TWENTY(PARITY, 0x6ed9eba1, 20);
		SHA1_TWENTY(MAJORITY, 0x8f1bbcdc, 40);
		SHA1_TWENTY(PARITY, 0xca62c1d6, 60);
		state[0] = add(state[0], a);
		state[1] = add(state[1], b);
		state[2] = add(state[2], c);
		state[3] = add(state[3], d);
		state[4] = add(state[4], e);
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
	row s0 = PARITY(ROTR(w15, 7), ROTR(w15, 18), _mm512_srli_epi32(w15, 3));
	row s1 = PARITY(ROTR(w2, 17), ROTR(w2, 19), _mm512_srli_epi32(w2, 10));
	return w[t & 15] = add(add(w[t & 15], w[(t + 9) & 15]), add(s0, s1));
}

#define SHA256_ROUND(a, b, c, d, e, f, g, h, t)                                                                 \
	do {                                                                                                    \
		row kw_ = add(sha256_word(w, t), _mm512_set1_epi32((int)shoal_sha256_k[t]));                    \
		row t1_ = add(add(h, kw_), add(CHOOSE(e, f, g), PARITY(ROTR(e, 6), ROTR(e, 11), ROTR(e, 25)))); \
		(d) = add(d, t1_);                                                                              \
		(h) = add(add(t1_, MAJORITY(a, b, c)), PARITY(ROTR(a, 2), ROTR(a, 13), ROTR(a, 22)));           \
	} while (0)
#define SHA256_EIGHT(t)                                      \
	do {                                                 \
		SHA256_ROUND(a, b, c, d, e, f, g, z, t);     \
		SHA256_ROUND(z, a, b, c, d, e, f, g, t + 1); \
		SHA256_ROUND(g, z, a, b, c, d, e, f, t + 2); \
		SHA256_ROUND(f, g, z, a, b, c, d, e, t + 3); \
		SHA256_ROUND(e, f, g, z, a, b, c, d, t + 4); \
		SHA256_ROUND(d, e, f, g, z, a, b, c, t + 5); \
		SHA256_ROUND(c, d, e, f, g, z, a, b, t + 6); \
		SHA256_ROUND(b, c, d, e, f, g, z, a, t + 7); \
	} while (0)

AVX512 static void sha256_row(uint32_t *const h[], const uint8_t *const from[], size_t n, size_t blocks)
{
	row s[8], w[16];
	const uint8_t *at[LANES];
	for (size_t i = 0; i < LANES; i++)
		at[i] = from[i < n ? i : 0];
	gather(s, h, n, 8);
	for (; blocks; blocks--) {
		row a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], z = s[7];
		load_words(w, at);
		SHA256_EIGHT(0);
		SHA256_EIGHT(8);
		SHA256_EIGHT(16);
		SHA256_EIGHT(24);
		SHA256_EIGHT(32);
		SHA256_EIGHT(40);
		SHA256_EIGHT(48);
		SHA256_EIGHT(56);
		s[0] = add(s[0], a);
		s[1] = add(s[1], b);
		s[2] = add(s[2], c);
		s[3] = add(s[3], d);
		s[4] = add(s[4], e);
		s[5] = add(s[5], f);
		s[6] = add(s[6], g);
		s[7] = add(s[7], z);
		for (size_t i = 0; i < LANES; i++)
			at[i] += SHOAL_DIGEST_BLOCK;
	}
	scatter(s, h, n, 8);
}

/* Fewer than a row is worth: SHA-NI, in turns of its own. */
static void in_turns(shoal_digest_run *run, uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	for (size_t turn; n; h += turn, at += turn, n -= turn) {
		turn = n <= shoal_digest_shani.lanes	   ? n
		       : n >= 2 * shoal_digest_shani.lanes ? shoal_digest_shani.lanes
							   : (n + 1) / 2;
		run(h, at, turn, blocks);
	}
}

static void sha1_run(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	if (n < SHA1_WORTH)
		in_turns(shoal_digest_shani.sha1, h, at, n, blocks);
	else
		sha1_row(h, at, n, blocks);
}

static void sha256_run(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	if (n < SHA256_WORTH)
		in_turns(shoal_digest_shani.sha256, h, at, n, blocks);
	else
		sha256_row(h, at, n, blocks);
}

const struct shoal_digest_kernel shoal_digest_avx512 = {
	"avx512", LANES, true, avx512_present, sha1_run, sha256_run,
};

#endif
