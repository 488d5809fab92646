/*
 * proto/base/digest_kernel.h - what a digest kernel is; for digest*.c alone.
 *
 * A kernel knows compression and nothing else: states and whole 64-byte
 * blocks in, states out. Tails, padding and turns are digest.c's.
 */
#ifndef SHOAL_DIGEST_KERNEL_H
#define SHOAL_DIGEST_KERNEL_H

#include <shoal/types.h>

#define SHOAL_DIGEST_BLOCK 64	  /* bytes SHA-1 and SHA-256 take at a time */
#define SHOAL_DIGEST_LANES_MAX 16 /* the widest kernel's */

/* Moves h[i] over `blocks` blocks from at[i], any alignment, for i < n; 1 <= n <= lanes. */
typedef void shoal_digest_run(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks);

struct shoal_digest_kernel {
	const char *name;
	size_t lanes;
	bool row; /* a turn costs the same however few its lanes: fill one before the next */
	bool (*present)(void); /* whether this processor, and its system, can run it */
	shoal_digest_run *sha1, *sha256;
};

#if defined(__x86_64__)
extern const struct shoal_digest_kernel shoal_digest_shani;
extern const struct shoal_digest_kernel shoal_digest_avx2;
extern const struct shoal_digest_kernel shoal_digest_avx512;
#endif
extern const struct shoal_digest_kernel shoal_digest_openssl;

/* The round constants of SHA-256 (FIPS 180-4, 4.2.2). */
extern const uint32_t shoal_sha256_k[64];

#endif
