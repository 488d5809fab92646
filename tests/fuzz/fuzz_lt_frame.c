/* fuzz_lt_frame.c - frames of the border to libtorrent: what is read writes back to the same bytes, but for a string's NUL. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "swarm/libtorrent/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	union shoal_lt_body body;
	struct shoal_lt_read kept;
	uint8_t *again = NULL;
	size_t n = 0, room = 0;
	int kind = shoal_lt_frame_read((struct shoal_bytes){ at, len }, &body, &kept);
	if (kind > 0) {
		assert(kind == at[4]);
		assert(shoal_lt_frame_write(&again, &n, &room, (enum shoal_lt_kind)kind, &body) == 0);
		/* A text with a NUL in it is a shorter string than it was long. */
		if (kind != SHOAL_LT_OPEN)
			assert(n == len && memcmp(again, at, n) == 0);
	}
	free(again);
	shoal_lt_read_fini(&kept);
	return 0;
}
