/* fuzz_pex.c - ut_pex: what decodes has no doubles, keeps its bounds, and encodes to something that decodes to the same. */
#include <assert.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/pex.h"

static bool same(const struct shoal_pex_peer *a, size_t n, const struct shoal_pex_peer *b, size_t m)
{
	size_t found = 0; /* the families may have been mixed: as sets */
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < m; k++)
			found += shoal_addr_equal(&a[i].addr, &b[k].addr) && a[i].flags == b[k].flags;
	return n == m && found == n;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	static struct shoal_pex pex, back;
	static uint8_t raw[16 * 1024];
	if (shoal_pex_decode(shoal_bytes(at, len), &pex) < 0) {
		assert(pex.added_count == 0 && pex.dropped_count == 0);
		return 0;
	}
	assert(pex.added_count <= SHOAL_PEX_MOST && pex.dropped_count <= SHOAL_PEX_MOST);
	ptrdiff_t n = shoal_pex_encode(&pex, (struct shoal_space){ raw, sizeof raw });
	assert(n > 0);
	if (pex.added_count + pex.dropped_count == 0)
		return 0;
	assert(shoal_pex_decode(shoal_bytes(raw, (size_t)n), &back) == 0);
	assert(same(pex.added, pex.added_count, back.added, back.added_count));
	assert(same(pex.dropped, pex.dropped_count, back.dropped, back.dropped_count));
	return 0;
}
