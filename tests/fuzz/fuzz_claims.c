/* fuzz_claims.c - a record out of the state's database: what decodes, encodes to the same bytes, and stays within its bounds. */
#include <assert.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "swarm/pieces/claims.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	static uint8_t again[SHOAL_CLAIM_VALUE_MAX];
	struct shoal_claim claim;
	if (shoal_claim_decode(shoal_bytes(at, len), &claim) < 0)
		return 0;
	assert(claim.count <= SHOAL_CLAIM_CHUNK);
	assert((claim.flags & SHOAL_CLAIM_ALL) ? claim.bitmap.len == 0 : claim.bitmap.len == (claim.count + 7) / 8);
	assert(claim.folder.len <= SHOAL_PATH_BYTES_MAX && claim.path.len <= SHOAL_PATH_BYTES_MAX);
	ptrdiff_t n = shoal_claim_encode(&claim, (struct shoal_space){ again, sizeof again });
	assert(n == (ptrdiff_t)len);
	assert(memcmp(again, at, len) == 0);
	return 0;
}
