/* fuzz_lsd.c - BEP 14: what decodes keeps its bounds, and encodes to something that decodes to the same. */
#include <assert.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/lsd.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	static uint8_t raw[2 * SHOAL_LSD_BYTES];
	struct shoal_lsd lsd, back;
	if (shoal_lsd_decode(shoal_bytes(at, len), &lsd) < 0)
		return 0;
	assert(len <= SHOAL_LSD_BYTES && lsd.port != 0 && lsd.count > 0 && lsd.count <= SHOAL_LSD_HASHES);
	assert(lsd.cookie.len == 0 || (lsd.cookie.at >= at && lsd.cookie.at + lsd.cookie.len <= at + len));
	ptrdiff_t n = shoal_lsd_encode(&lsd, len % 2, (struct shoal_space){ raw, sizeof raw });
	if (n < 0) { /* its cookie and our host header are too long together */
		assert(n == SHOAL_ERR_TOO_LONG);
		return 0;
	}
	assert(shoal_lsd_decode(shoal_bytes(raw, (size_t)n), &back) == 0);
	assert(back.port == lsd.port && back.count == lsd.count);
	assert(memcmp(back.hash, lsd.hash, lsd.count * sizeof *lsd.hash) == 0);
	assert(shoal_bytes_equal(back.cookie, lsd.cookie));
	return 0;
}
