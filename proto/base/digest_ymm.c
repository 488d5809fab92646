/*
 * proto/base/digest_ymm.c - eight streams in ymm registers, with AVX-512's instructions and all 32 registers.
 *
 * Needs AVX512VL and BW. Half as wide as digest_zmm.c, yet two thirds as fast
 * where there are three such units and two of the wide.
 */
#if defined(__x86_64__)

#define ROWS __attribute__((target("avx512f,avx512bw,avx512vl")))
#define LANES 8
#define ROTL(x, n) ((row)_mm256_rol_epi32((__m256i)(x), n))
#define ROTR(x, n) ((row)_mm256_ror_epi32((__m256i)(x), n))
/* The number is the truth table: bit 4x + 2y + z of it is the result. */
#define TABLE(x, y, z, n) ((row)_mm256_ternarylogic_epi32((__m256i)(x), (__m256i)(y), (__m256i)(z), n))
#define CHOOSE(x, y, z) TABLE(x, y, z, 0xca)
#define MAJORITY(x, y, z) TABLE(x, y, z, 0xe8)
#define PARITY(x, y, z) TABLE(x, y, z, 0x96)

#include "proto/base/digest_rows.inc"

const struct shoal_digest_rows shoal_digest_ymm = { LANES, sha1_row, sha256_row, sha256_pairs_row };

#endif
