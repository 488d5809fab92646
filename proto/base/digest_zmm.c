/* proto/base/digest_zmm.c - sixteen streams, one in each 32-bit lane of a zmm register. Needs AVX512F and BW. */
#if defined(__x86_64__)

#define ROWS __attribute__((target("avx512f,avx512bw")))
#define LANES 16
#define ROTL(x, n) ((row)_mm512_rol_epi32((__m512i)(x), n))
#define ROTR(x, n) ((row)_mm512_ror_epi32((__m512i)(x), n))
/* The number is the truth table: bit 4x + 2y + z of it is the result. */
#define TABLE(x, y, z, n) ((row)_mm512_ternarylogic_epi32((__m512i)(x), (__m512i)(y), (__m512i)(z), n))
#define CHOOSE(x, y, z) TABLE(x, y, z, 0xca)
#define MAJORITY(x, y, z) TABLE(x, y, z, 0xe8)
#define PARITY(x, y, z) TABLE(x, y, z, 0x96)

#include "proto/base/digest_rows.inc"

const struct shoal_digest_rows shoal_digest_zmm = { LANES, sha1_row, sha256_row, sha256_pairs_row };

#endif
