/*
 * proto/base/digest_avx2.c - eight streams, one in each 32-bit lane of a ymm register.
 *
 * For processors without SHA-NI. A row costs the same however few of its
 * lanes are in use, so a few streams go to libcrypto, one by one, instead.
 */
#if defined(__x86_64__)

#define LANES 8
#define ROWS __attribute__((target("avx2")))
#define ROTL(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define ROTR(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define CHOOSE(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define MAJORITY(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))
#define PARITY(x, y, z) ((x) ^ (y) ^ (z))

#include "proto/base/digest_rows.inc"

/* From here up a row of eight beats libcrypto in turns, both without SHA-NI (measured). */
#define LANES_WORTH 3

static bool avx2_present(void)
{
	return __builtin_cpu_supports("avx2"); /* asks the system for ymm, too */
}

static void sha1_run(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	(n < LANES_WORTH ? shoal_digest_openssl.sha1 : sha1_row)(h, at, n, blocks);
}

static void sha256_run(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	(n < LANES_WORTH ? shoal_digest_openssl.sha256 : sha256_row)(h, at, n, blocks);
}

static void sha256_pairs(const uint8_t (*in)[32], size_t n, uint8_t (*out)[32])
{
	(n < LANES_WORTH ? shoal_digest_openssl.sha256_pairs : sha256_pairs_row)(in, n, out);
}

const struct shoal_digest_kernel shoal_digest_avx2 = {
	"avx2", LANES, true, avx2_present, sha1_run, sha256_run, sha256_pairs,
};

#endif
