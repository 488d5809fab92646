/* fuzz_content_range.c - what parses holds together, and its canonical form means the same. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/content_range.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *raw, size_t len)
{
	struct shoal_content_range a, b;
	char text[96];
	uint8_t *copy = malloc(len ? len : 1); /* exactly as long: a read past the end is seen */
	if (copy == NULL)
		return 0;
	if (len)
		memcpy(copy, raw, len);
	if (shoal_content_range_parse(shoal_bytes(copy, len), &a) == 0) {
		assert(a.from < a.to && (a.total == 0 || a.to <= a.total));
		int n = a.total ? snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, a.from,
					   a.to - 1, a.total)
				: snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/*", a.from, a.to - 1);
		assert(shoal_content_range_parse(shoal_bytes(text, (size_t)n), &b) == 0);
		assert(a.from == b.from && a.to == b.to && a.total == b.total);
	}
	free(copy);
	return 0;
}
