/*
 * proto/base/digest.h - SHA-1 and SHA-256, several streams side by side.
 *
 * One stream waits on its own latency. Independent ones fill that wait, side
 * by side in one instruction stream or in the lanes of wide registers; how
 * much it gives, tools/bench/bench_digest tells. So the unit here is not a
 * message but a *lane*: advance() moves n running digests forward by the same
 * number of bytes. The kernel (AVX-512, SHA-NI, AVX2, or OpenSSL) is chosen
 * once by what the processor has; all give the same bytes. A context is plain
 * memory: copy it, lend it to a thread.
 */
#ifndef SHOAL_DIGEST_H
#define SHOAL_DIGEST_H

#include <shoal/types.h>

struct shoal_sha1 {
	uint32_t h[5];
	uint32_t tail_len; /* bytes of an unfinished 64-byte block in tail */
	uint64_t len;	   /* bytes so far */
	uint8_t tail[64];
};
struct shoal_sha256 {
	uint32_t h[8];
	uint32_t tail_len;
	uint64_t len;
	uint8_t tail[64];
};

/* The most lanes that any kernel takes at a time; more in one call are taken in turns. */
#define SHOAL_LANES_MAX 16
/* How many fill a core with the kernel in use: 16 (AVX-512), 8 (AVX2), 4 (SHA-NI) or 1 (OpenSSL). */
size_t shoal_digest_lanes(void);
/* What is worth waiting for on any machine. */
#define SHOAL_LANES 4

void shoal_sha1_init(struct shoal_sha1 *ctx);
/* Feeds `len` bytes from at[i] to ctx[i], for each i < n. Any n, any len, any alignment;
 * the contexts may stand at different lengths. */
void shoal_sha1_advance(struct shoal_sha1 *const ctx[], const uint8_t *const at[], size_t n, size_t len);
/* Ends the message. The context needs an init before it serves again. */
void shoal_sha1_final(struct shoal_sha1 *ctx, uint8_t out[20]);
void shoal_sha1(struct shoal_bytes in, uint8_t out[20]);

void shoal_sha256_init(struct shoal_sha256 *ctx);
void shoal_sha256_advance(struct shoal_sha256 *const ctx[], const uint8_t *const at[], size_t n, size_t len);
void shoal_sha256_final(struct shoal_sha256 *ctx, uint8_t out[32]);
void shoal_sha256(struct shoal_bytes in, uint8_t out[32]);

/* n whole messages of `len` bytes each, one digest each: the leaves of BEP 52. */
void shoal_sha256_many(const uint8_t *const at[], size_t n, size_t len, uint8_t (*out)[32]);
/* out[i] = SHA-256(in[2i] || in[2i+1]) for i < n: one step up a merkle tree. `out` may be `in`. */
void shoal_sha256_pairs(const uint8_t (*in)[32], size_t n, uint8_t (*out)[32]);

/* The kernel in use: "avx512" (with SHA-NI for few lanes), "sha-ni", "avx512-bare" (without), "avx2" or "openssl". */
const char *shoal_digest_kernel(void);
/* Forces a kernel by name, for tests and benchmarks of each; NULL: the best. Not thread-safe:
 * call it before any digest runs. SHOAL_ERR_UNSUPPORTED where the processor lacks it. */
int shoal_digest_use(const char *name);

#endif
