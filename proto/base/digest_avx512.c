/*
 * proto/base/digest_avx512.c - many streams in rows of AVX-512, few by another kernel: which is worth it when.
 *
 * A row costs the same however few of its lanes are in use. The few go to
 * SHA-NI, which costs what the streams do, or else to libcrypto.
 */
#include "proto/base/digest_kernel.h"

#if defined(__x86_64__)

/* The fewest streams for which a row of that width beats what is narrower. */
struct worth {
	size_t ymm, zmm;
};

/*
 * Measured on a Xeon of 2023, in GB/s: SHA-1 1.9 by SHA-NI however many streams, 5.3 in ymm, 7.6 in
 * zmm; SHA-256 1.7 to 2.3, 2.9, 3.8. There, four streams of SHA-1 would do better in a ymm than by
 * SHA-NI; but where that gains from company (a Zen 5: 5.7 with four) they would do worse. Rows on AMD
 * are reckoned, not measured: by what a Zen 4 or 5 starts in a cycle, they win from about these numbers on.
 */
static const struct worth sha1_worth = { 5, 9 }, sha256_worth = { 7, 12 };
/* Without SHA-NI, libcrypto makes 0.5 to 1 GB/s. */
static const struct worth bare_worth = { 2, 9 };

/* How many of n streams go next. Sets *by to the rows that take them; NULL: `few` does. */
static size_t part_of(size_t n, struct worth worth, const struct shoal_digest_kernel *few,
		      const struct shoal_digest_rows **by)
{
	*by = n >= worth.zmm ? &shoal_digest_zmm : n >= worth.ymm ? &shoal_digest_ymm : NULL;
	size_t most = *by ? (*by)->lanes : few->lanes;
	return n < most ? n : most;
}

static void sha1_by(struct worth worth, const struct shoal_digest_kernel *few, uint32_t *const h[],
		    const uint8_t *const at[], size_t n, size_t blocks)
{
	for (size_t part; n; h += part, at += part, n -= part) {
		const struct shoal_digest_rows *by;
		part = part_of(n, worth, few, &by);
		(by ? by->sha1 : few->sha1)(h, at, part, blocks);
	}
}

static void sha256_by(struct worth worth, const struct shoal_digest_kernel *few, uint32_t *const h[],
		      const uint8_t *const at[], size_t n, size_t blocks)
{
	for (size_t part; n; h += part, at += part, n -= part) {
		const struct shoal_digest_rows *by;
		part = part_of(n, worth, few, &by);
		(by ? by->sha256 : few->sha256)(h, at, part, blocks);
	}
}

static void pairs_by(struct worth worth, const struct shoal_digest_kernel *few, const uint8_t (*in)[32], size_t n,
		     uint8_t (*out)[32])
{
	for (size_t part; n; in += 2 * part, out += part, n -= part) {
		const struct shoal_digest_rows *by;
		part = part_of(n, worth, few, &by);
		(by ? by->sha256_pairs : few->sha256_pairs)(in, part, out);
	}
}

static bool bare_present(void)
{
	/* These ask the system for zmm, too. */
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl");
}

static void bare_sha1(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	sha1_by(bare_worth, &shoal_digest_openssl, h, at, n, blocks);
}

static void bare_sha256(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	sha256_by(bare_worth, &shoal_digest_openssl, h, at, n, blocks);
}

static void bare_pairs(const uint8_t (*in)[32], size_t n, uint8_t (*out)[32])
{
	pairs_by(bare_worth, &shoal_digest_openssl, in, n, out);
}

static bool both_present(void)
{
	return bare_present() && shoal_digest_shani.present();
}

static void both_sha1(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	sha1_by(sha1_worth, &shoal_digest_shani, h, at, n, blocks);
}

static void both_sha256(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	sha256_by(sha256_worth, &shoal_digest_shani, h, at, n, blocks);
}

static void both_pairs(const uint8_t (*in)[32], size_t n, uint8_t (*out)[32])
{
	pairs_by(sha256_worth, &shoal_digest_shani, in, n, out);
}

const struct shoal_digest_kernel shoal_digest_avx512 = {
	"avx512", 16, true, both_present, both_sha1, both_sha256, both_pairs,
};
const struct shoal_digest_kernel shoal_digest_avx512_bare = {
	"avx512-bare", 16, true, bare_present, bare_sha1, bare_sha256, bare_pairs,
};

#endif
