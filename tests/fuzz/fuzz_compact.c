/* fuzz_compact.c - compact endpoints and address text: decode, encode, the same again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/compact.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void check_text(const struct shoal_addr *a)
{
	char text[SHOAL_ADDR_TEXT];
	struct shoal_addr b;
	size_t n = shoal_addr_format(a, text);
	assert(n < sizeof text && text[n] == 0 && strlen(text) == n);
	int rc = a->port ? shoal_addr_parse(shoal_bytes(text, n), &b) : shoal_addr_parse_ip(shoal_bytes(text, n), &b);
	assert(rc == 0 && shoal_addr_equal(a, &b));
}

int LLVMFuzzerTestOneInput(const uint8_t *raw, size_t len)
{
	struct shoal_addr out[64], a;
	uint8_t *copy = malloc(len ? len : 1);
	if (copy == NULL)
		return 0;
	if (len)
		memcpy(copy, raw, len);
	for (int v4 = 0; v4 < 2; v4++) {
		size_t unit = v4 ? SHOAL_COMPACT4 : SHOAL_COMPACT6;
		ptrdiff_t n = shoal_compact_decode(shoal_bytes(copy, len), v4, out, 64);
		assert((n == SHOAL_ERR_MALFORMED) == (len % unit != 0));
		for (ptrdiff_t i = 0; i < n; i++) {
			uint8_t again[SHOAL_COMPACT6];
			size_t size = shoal_compact_encode(&out[i], again);
			if (size == unit)
				assert(memcmp(again, copy + (size_t)i * unit, unit) == 0);
			else /* an IPv4 address that came mapped */
				assert(!v4 && memcmp(again, copy + (size_t)i * unit + 12, 6) == 0);
			check_text(&out[i]);
		}
	}
	if (shoal_addr_parse(shoal_bytes(copy, len), &a) == 0) {
		assert(a.port != 0);
		check_text(&a);
	}
	if (shoal_addr_parse_ip(shoal_bytes(copy, len), &a) == 0)
		check_text(&a);
	free(copy);
	return 0;
}
