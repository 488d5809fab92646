/* fuzz_magnet.c - what parses is written, parsed and written again to the same link. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/magnet.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *raw, size_t len)
{
	static uint8_t link[2][4 * SHOAL_MAGNET_BYTES_MAX];
	uint8_t *copy = malloc(len ? len : 1);
	struct shoal_magnet m;
	char what[160];
	if (copy == NULL)
		return 0;
	if (len)
		memcpy(copy, raw, len);
	int rc = shoal_magnet_parse(&m, shoal_bytes(copy, len), what);
	assert(rc == 0 ? what[0] == 0 : what[0] != 0);
	if (rc == 0) {
		assert(m.has_v1 || m.has_v2);
		assert(m.tracker_count <= SHOAL_MAGNET_LIST_MAX && m.peer_count <= SHOAL_MAGNET_LIST_MAX);
		ptrdiff_t n = shoal_magnet_format(&m, (struct shoal_space){ link[0], sizeof link[0] });
		assert(n > 0 && memchr(link[0], 0, (size_t)n) == NULL);
		shoal_magnet_fini(&m);
		if (n <= (ptrdiff_t)SHOAL_MAGNET_BYTES_MAX) { /* escapes may have made it longer than a link may be */
			assert(shoal_magnet_parse(&m, shoal_bytes(link[0], (size_t)n), what) == 0);
			assert(shoal_magnet_format(&m, (struct shoal_space){ link[1], sizeof link[1] }) == n);
			assert(memcmp(link[0], link[1], (size_t)n) == 0);
			shoal_magnet_fini(&m);
		}
	}
	/* the escape for terminals takes anything */
	uint8_t text[64];
	size_t whole = shoal_text_escape(shoal_bytes(copy, len), (struct shoal_space){ text, sizeof text });
	assert(whole >= len && memchr(text, 0, sizeof text) != NULL);
	for (const uint8_t *c = text; *c; c++)
		assert(*c >= ' ' && *c != 0x7f);
	free(copy);
	return 0;
}
