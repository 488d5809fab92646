/* proto/base/digest_openssl.c - the kernel that is everywhere: libcrypto, one lane after another. */

/*
 * OpenSSL 3 deprecates its low-level digests in favour of EVP, which cannot
 * start from a state of ours. This is the one file that asks for them; their
 * contexts are public structs, so h goes in and out by name.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "proto/base/digest_kernel.h"

#include <openssl/sha.h>
#include <string.h>

static bool always(void)
{
	return true;
}

static void sha1_run(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	for (size_t i = 0; i < n; i++) {
		SHA_CTX ctx = { .h0 = h[i][0], .h1 = h[i][1], .h2 = h[i][2], .h3 = h[i][3], .h4 = h[i][4] };
		SHA1_Update(&ctx, at[i], blocks * SHOAL_DIGEST_BLOCK);
		h[i][0] = ctx.h0;
		h[i][1] = ctx.h1;
		h[i][2] = ctx.h2;
		h[i][3] = ctx.h3;
		h[i][4] = ctx.h4;
	}
}

static void sha256_run(uint32_t *const h[], const uint8_t *const at[], size_t n, size_t blocks)
{
	for (size_t i = 0; i < n; i++) {
		SHA256_CTX ctx = { .md_len = SHA256_DIGEST_LENGTH };
		memcpy(ctx.h, h[i], sizeof ctx.h);
		SHA256_Update(&ctx, at[i], blocks * SHOAL_DIGEST_BLOCK);
		memcpy(h[i], ctx.h, sizeof ctx.h);
	}
}

static void sha256_pairs(const uint8_t (*in)[32], size_t n, uint8_t (*out)[32])
{
	for (size_t i = 0; i < n; i++) {
		SHA256_CTX ctx;
		SHA256_Init(&ctx);
		SHA256_Update(&ctx, in[2 * i], 64);
		SHA256_Final(out[i], &ctx);
	}
}

const struct shoal_digest_kernel shoal_digest_openssl = {
	"openssl", 1, false, always, sha1_run, sha256_run, sha256_pairs,
};
