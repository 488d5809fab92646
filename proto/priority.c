/* proto/priority.c - BEP 40: mask, sort, CRC32-C. */
#include "proto/priority.h"

#include <string.h>
#include "proto/base/bytes.h"

#define CRC32C_POLY 0x82f63b78u /* 0x1edc6f41 reflected */
#define BLUR 0x55		/* what is kept of an address's later bytes */

uint32_t shoal_crc32c(struct shoal_bytes in)
{
	/* A bit at a time: the inputs are 4 to 32 bytes, once a candidate. */
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < in.len; i++) {
		crc ^= in.at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (CRC32C_POLY & -(crc & 1));
	}
	return ~crc;
}

/* The lesser first: CRC32-C of the two, end to end. */
static uint32_t of_pair(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint8_t both[32];
	bool swap = memcmp(a, b, len) > 0;
	memcpy(both, swap ? b : a, len);
	memcpy(both + len, swap ? a : b, len);
	return shoal_crc32c(shoal_bytes(both, 2 * len));
}

uint32_t shoal_peer_priority(const struct shoal_addr *a, const struct shoal_addr *b)
{
	uint8_t x[16], y[16];
	size_t len = a->is_v4 ? 4 : 16, same = 0;
	if (!a->is_v4 != !b->is_v4)
		return 0;
	while (same < len && a->ip[same] == b->ip[same])
		same++;
	if (same == len) {
		shoal_put_u16(x, a->port);
		shoal_put_u16(y, b->port);
		return of_pair(x, y, 2);
	}
	/* Whole bytes: /16 of IPv4 and /48 of IPv6, and one byte more than what they have in common. */
	size_t clear = a->is_v4 ? 2 : 6;
	if (same >= clear)
		clear = same + 1;
	for (size_t i = 0; i < len; i++) {
		x[i] = a->ip[i] & (i < clear ? 0xff : BLUR);
		y[i] = b->ip[i] & (i < clear ? 0xff : BLUR);
	}
	return of_pair(x, y, len);
}
