/* proto/fast_set.c - SHA-1 over SHA-1 of an address and a hash, five indexes a time (BEP 6). */
#include "proto/fast_set.h"

#include <string.h>
#include "proto/base/bytes.h"
#include "proto/base/digest.h"

static bool among(const uint32_t set[], uint32_t n, uint32_t piece)
{
	for (uint32_t i = 0; i < n; i++)
		if (set[i] == piece)
			return true;
	return false;
}

uint32_t shoal_fast_set(uint32_t out[], uint32_t count, uint32_t pieces, const struct shoal_id20 *hash,
			const struct shoal_addr *addr)
{
	uint8_t x[24] = { 0 };
	uint32_t n = 0;
	size_t len = sizeof x;
	if (!addr->is_v4 || pieces == 0)
		return 0;
	count = count < SHOAL_FAST_SET_MAX ? count : SHOAL_FAST_SET_MAX;
	count = count < pieces ? count : pieces;
	memcpy(x, addr->ip, 3); /* the last byte stays 0: neighbours share a set */
	memcpy(x + 4, hash->b, 20);
	while (n < count) {
		uint8_t sum[20];
		shoal_sha1((struct shoal_bytes){ x, len }, sum);
		memcpy(x, sum, len = 20);
		for (size_t i = 0; i < 20 && n < count; i += 4) {
			uint32_t piece = shoal_get_u32(x + i) % pieces;
			if (!among(out, n, piece))
				out[n++] = piece;
		}
	}
	return n;
}
