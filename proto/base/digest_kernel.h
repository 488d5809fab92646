/*
 * proto/base/digest_kernel.h - what a digest kernel is; for digest*.c alone.
 *
 * A kernel knows compression and nothing else: states and whole 64-byte
 * blocks in, states out. Tails, padding and turns are digest.c's.
 */
#ifndef SHOAL_DIGEST_KERNEL_H
#define SHOAL_DIGEST_KERNEL_H

#include <shoal/types.h>

#define SHOAL_DIGEST_BLOCK 64 /* bytes SHA-1 and SHA-256 take at a time */

/* Moves h[i] over `blocks` blocks from at[i], any alignment, for i < n; 1 <= n <= lanes. */
typedef void shoal_digest_run(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks);
/* out[i] = SHA-256(in[2i] || in[2i+1]) for i < n; 1 <= n <= lanes. `out` may be `in`. */
typedef void shoal_digest_pairs(const uint8_t (*in)[32], size_t n, uint8_t (*out)[32]);

struct shoal_digest_kernel {
	const char *name;
	size_t lanes;	       /* <= SHOAL_LANES_MAX */
	bool row;	       /* a turn costs the same however few its lanes: fill one before the next */
	bool (*present)(void); /* whether this processor, and its system, can run it */
	shoal_digest_run *sha1, *sha256;
	shoal_digest_pairs *sha256_pairs;
};

#if defined(__x86_64__)
extern const struct shoal_digest_kernel shoal_digest_avx512;
extern const struct shoal_digest_kernel shoal_digest_avx512_bare; /* without SHA-NI beside it */
extern const struct shoal_digest_kernel shoal_digest_shani;
extern const struct shoal_digest_kernel shoal_digest_avx2;

/* The halves of the AVX-512 kernel, which knows when each is worth it. */
struct shoal_digest_rows {
	size_t lanes;
	shoal_digest_run *sha1, *sha256;
	shoal_digest_pairs *sha256_pairs;
};
extern const struct shoal_digest_rows shoal_digest_zmm, shoal_digest_ymm;
#endif
extern const struct shoal_digest_kernel shoal_digest_openssl;

/* Where SHA-256 starts and its round constants (FIPS 180-4, 5.3.3 and 4.2.2). */
extern const uint32_t shoal_sha256_start[8];
extern const uint32_t shoal_sha256_k[64];
/* The constants plus the schedule of the block that ends every message of 64 bytes: 0x80, zeros, 512 bits. */
extern const uint32_t shoal_sha256_pad64[64];

#endif
