/* fuzz_leaf_hints.c - a hint's message: what decodes is within bounds and encodes to the very same bytes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/leaf_hints.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct shoal_hint_msg msg;
	if (shoal_hint_decode(shoal_bytes(at, len), &msg) < 0)
		return 0;
	assert(msg.blocks <= SHOAL_HINT_BLOCKS && (msg.blocks > 0) == (msg.kind == SHOAL_HINT_TELL));
	uint8_t *again = malloc(len);
	assert(again != NULL);
	assert(shoal_hint_encode(&msg, (struct shoal_space){ again, len }) == (ptrdiff_t)len);
	assert(memcmp(again, at, len) == 0);
	free(again);
	return 0;
}
