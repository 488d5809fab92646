/*
 * proto/base/digest_shani.c - SHA-NI, one to four streams interleaved.
 *
 * A round waits for the one before it, and the unit could have started
 * several meanwhile. So each group of four rounds is done for every lane
 * before the next group: the lanes fill each other's waiting. Sixteen
 * registers do not hold four lanes; what spills comes back from L1 unseen.
 */
#include "proto/base/bytes.h"
#include "proto/base/digest_kernel.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define SHANI __attribute__((target("sha,sse4.1,ssse3")))
#define INLINE SHANI static inline __attribute__((always_inline))

static bool shani_present(void)
{
	unsigned a, b, c, d;
	/* __builtin_cpu_supports() of gcc 12 does not know "sha". Only xmm: any 64-bit system saves it. */
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1))
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

INLINE __m128i load(const void *at)
{
	return _mm_loadu_si128(at);
}

/* Does `step` for each lane there is; `lanes` is a constant once all is inlined. */
#define EACH(step, ...)                         \
	do {                                    \
		step(&l0, __VA_ARGS__);         \
		if (lanes > 1)                  \
			step(&l1, __VA_ARGS__); \
		if (lanes > 2)                  \
			step(&l2, __VA_ARGS__); \
		if (lanes > 3)                  \
			step(&l3, __VA_ARGS__); \
	} while (0)

/* m[] is a window on the schedule: group g reads m[g % 4] while the words of g + 4 grow there. */
struct lane1 {
	__m128i abcd, e, m[4];
	__m128i abcd_old, e_old;
	const uint8_t *at;
};

INLINE void sha1_begin(struct lane1 *l, uint32_t *const h[], const uint8_t *const at[], size_t i)
{
	l->abcd = _mm_shuffle_epi32(load(h[i]), 0x1b);
	l->e = _mm_set_epi32((int)h[i][4], 0, 0, 0);
	l->at = at[i];
}

INLINE void sha1_end(const struct lane1 *l, uint32_t *const h[], size_t i)
{
	_mm_storeu_si128((void *)h[i], _mm_shuffle_epi32(l->abcd, 0x1b));
	h[i][4] = (uint32_t)_mm_extract_epi32(l->e, 3);
}

INLINE void sha1_block_begin(struct lane1 *l, size_t at)
{
	(void)at;
	l->abcd_old = l->abcd;
	l->e_old = l->e;
}

INLINE void sha1_block_end(struct lane1 *l, size_t step)
{
	l->e = _mm_sha1nexte_epu32(l->e, l->e_old);
	l->abcd = _mm_add_epi32(l->abcd, l->abcd_old);
	l->at += step;
}

/* Rounds 4g to 4g + 3. */
INLINE void sha1_four(struct lane1 *l, int g)
{
	__m128i *m = l->m, e;
	if (g < 4)
		m[g] = _mm_shuffle_epi8(load(l->at + 16 * g), _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f));
	e = g ? _mm_sha1nexte_epu32(l->e, m[g & 3]) : _mm_add_epi32(l->e, m[0]);
	l->e = l->abcd;
	switch (g / 5) { /* the function's number is part of the instruction */
	case 0: l->abcd = _mm_sha1rnds4_epu32(l->abcd, e, 0); break;
	case 1: l->abcd = _mm_sha1rnds4_epu32(l->abcd, e, 1); break;
	case 2: l->abcd = _mm_sha1rnds4_epu32(l->abcd, e, 2); break;
	case 3: l->abcd = _mm_sha1rnds4_epu32(l->abcd, e, 3); break;
	}
	if (g >= 3 && g < 19)
		m[(g + 1) & 3] = _mm_sha1msg2_epu32(m[(g + 1) & 3], m[g & 3]);
	if (g >= 1 && g < 17)
		m[(g + 3) & 3] = _mm_sha1msg1_epu32(m[(g + 3) & 3], m[g & 3]);
	if (g >= 2 && g < 18)
		m[(g + 2) & 3] = _mm_xor_si128(m[(g + 2) & 3], m[g & 3]);
}

INLINE void sha1_lanes(uint32_t *const h[], const uint8_t *const at[], size_t blocks, const size_t lanes)
{
	struct lane1 l0 = { 0 }, l1 = l0, l2 = l0, l3 = l0;
	sha1_begin(&l0, h, at, 0);
	if (lanes > 1)
		sha1_begin(&l1, h, at, 1);
	if (lanes > 2)
		sha1_begin(&l2, h, at, 2);
	if (lanes > 3)
		sha1_begin(&l3, h, at, 3);
	for (; blocks; blocks--) {
		EACH(sha1_block_begin, 0);
		EACH(sha1_four, 0);
		EACH(sha1_four, 1);
		EACH(sha1_four, 2);
		EACH(sha1_four, 3);
		EACH(sha1_four, 4);
		EACH(sha1_four, 5);
		EACH(sha1_four, 6);
		EACH(sha1_four, 7);
		EACH(sha1_four, 8);
		EACH(sha1_four, 9);
		EACH(sha1_four, 10);
		EACH(sha1_four, 11);
		EACH(sha1_four, 12);
		EACH(sha1_four, 13);
		EACH(sha1_four, 14);
		EACH(sha1_four, 15);
		EACH(sha1_four, 16);
		EACH(sha1_four, 17);
		EACH(sha1_four, 18);
		EACH(sha1_four, 19);
		EACH(sha1_block_end, SHOAL_DIGEST_BLOCK);
	}
	sha1_end(&l0, h, 0);
	if (lanes > 1)
		sha1_end(&l1, h, 1);
	if (lanes > 2)
		sha1_end(&l2, h, 2);
	if (lanes > 3)
		sha1_end(&l3, h, 3);
}

struct lane256 {
	__m128i abef, cdgh, m[4];
	__m128i abef_old, cdgh_old;
	const uint8_t *at;
};

INLINE void sha256_begin(struct lane256 *l, uint32_t *const h[], const uint8_t *const at[], size_t i)
{
	__m128i dcba = load(h[i]), hgfe = load(h[i] + 4); /* highest word first */
	__m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
	l->abef = _mm_alignr_epi8(cdab, efgh, 8);
	l->cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
	l->at = at[i];
}

INLINE void sha256_end(const struct lane256 *l, uint32_t *const h[], size_t i)
{
	__m128i feba = _mm_shuffle_epi32(l->abef, 0x1b), dchg = _mm_shuffle_epi32(l->cdgh, 0xb1);
	_mm_storeu_si128((void *)h[i], _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128((void *)(h[i] + 4), _mm_alignr_epi8(dchg, feba, 8));
}

INLINE void sha256_block_begin(struct lane256 *l, size_t at)
{
	(void)at;
	l->abef_old = l->abef;
	l->cdgh_old = l->cdgh;
}

INLINE void sha256_block_end(struct lane256 *l, size_t step)
{
	l->abef = _mm_add_epi32(l->abef, l->abef_old);
	l->cdgh = _mm_add_epi32(l->cdgh, l->cdgh_old);
	l->at += step;
}

INLINE void sha256_four(struct lane256 *l, int g)
{
	__m128i *m = l->m;
	if (g < 4)
		m[g] = _mm_shuffle_epi8(load(l->at + 16 * g), _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
	__m128i wk = _mm_add_epi32(m[g & 3], load(shoal_sha256_k + 4 * g));
	l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, wk);
	l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, _mm_shuffle_epi32(wk, 0x0e));
	if (g >= 3 && g < 15) {
		__m128i w7 = _mm_alignr_epi8(m[g & 3], m[(g + 3) & 3], 4);
		m[(g + 1) & 3] = _mm_sha256msg2_epu32(_mm_add_epi32(m[(g + 1) & 3], w7), m[g & 3]);
	}
	if (g >= 1 && g < 13)
		m[(g + 3) & 3] = _mm_sha256msg1_epu32(m[(g + 3) & 3], m[g & 3]);
}

/* The same with k + w ready. */
INLINE void sha256_four_pad64(struct lane256 *l, int g)
{
	__m128i kw = load(shoal_sha256_pad64 + 4 * g);
	l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, kw);
	l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, _mm_shuffle_epi32(kw, 0x0e));
}

/* `pad64`: and then by the block that ends a message of 64 bytes. */
INLINE void sha256_lanes(uint32_t *const h[], const uint8_t *const at[], size_t blocks, const size_t lanes,
			 const bool pad64)
{
	struct lane256 l0 = { 0 }, l1 = l0, l2 = l0, l3 = l0;
	sha256_begin(&l0, h, at, 0);
	if (lanes > 1)
		sha256_begin(&l1, h, at, 1);
	if (lanes > 2)
		sha256_begin(&l2, h, at, 2);
	if (lanes > 3)
		sha256_begin(&l3, h, at, 3);
	for (; blocks; blocks--) {
		EACH(sha256_block_begin, 0);
		EACH(sha256_four, 0);
		EACH(sha256_four, 1);
		EACH(sha256_four, 2);
		EACH(sha256_four, 3);
		EACH(sha256_four, 4);
		EACH(sha256_four, 5);
		EACH(sha256_four, 6);
		EACH(sha256_four, 7);
		EACH(sha256_four, 8);
		EACH(sha256_four, 9);
		EACH(sha256_four, 10);
		EACH(sha256_four, 11);
		EACH(sha256_four, 12);
		EACH(sha256_four, 13);
		EACH(sha256_four, 14);
		EACH(sha256_four, 15);
		EACH(sha256_block_end, SHOAL_DIGEST_BLOCK);
	}
	if (pad64) {
		EACH(sha256_block_begin, 0);
		for (int g = 0; g < 16; g++)
			EACH(sha256_four_pad64, g);
		EACH(sha256_block_end, 0);
	}
	sha256_end(&l0, h, 0);
	if (lanes > 1)
		sha256_end(&l1, h, 1);
	if (lanes > 2)
		sha256_end(&l2, h, 2);
	if (lanes > 3)
		sha256_end(&l3, h, 3);
}

SHANI static void sha1_run(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	switch (n) {
	case 1: sha1_lanes(h, at, blocks, 1); break;
	case 2: sha1_lanes(h, at, blocks, 2); break;
	case 3: sha1_lanes(h, at, blocks, 3); break;
	case 4: sha1_lanes(h, at, blocks, 4); break;
	}
}

SHANI static void sha256_run(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	switch (n) {
	case 1: sha256_lanes(h, at, blocks, 1, false); break;
	case 2: sha256_lanes(h, at, blocks, 2, false); break;
	case 3: sha256_lanes(h, at, blocks, 3, false); break;
	case 4: sha256_lanes(h, at, blocks, 4, false); break;
	}
}

SHANI static void sha256_pairs(const uint8_t (*in)[32], size_t n, uint8_t (*out)[32])
{
	uint32_t state[4][8], *h[4];
	const uint8_t *at[4];
	for (size_t i = 0; i < n; i++) {
		memcpy(state[i], shoal_sha256_start, sizeof state[i]);
		h[i] = state[i];
		at[i] = in[2 * i];
	}
	switch (n) {
	case 1: sha256_lanes(h, at, 1, 1, true); break;
	case 2: sha256_lanes(h, at, 1, 2, true); break;
	case 3: sha256_lanes(h, at, 1, 3, true); break;
	case 4: sha256_lanes(h, at, 1, 4, true); break;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t word = 0; word < 8; word++)
			shoal_put_u32(out[i] + 4 * word, state[i][word]);
}

const struct shoal_digest_kernel shoal_digest_shani = {
	"sha-ni", 4, false, shani_present, sha1_run, sha256_run, sha256_pairs,
};

#endif
