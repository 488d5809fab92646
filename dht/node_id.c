/*
 * dht/node_id.c - distances, and BEP 42.
 */
#include "dht/node_id.h"

#include <string.h>
#include "proto/base/bytes.h"
#include "proto/priority.h"
#include "proto/reach.h"

#define RAND_BITS 7u /* of the last byte of an id: which of eight ids this address has */

int shoal_node_id_order(const struct shoal_id20 *target, const struct shoal_id20 *a, const struct shoal_id20 *b)
{
	for (int i = 0; i < 20; i++) {
		uint8_t x = a->b[i] ^ target->b[i], y = b->b[i] ^ target->b[i];
		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

unsigned shoal_node_id_shared(const struct shoal_id20 *a, const struct shoal_id20 *b)
{
	for (unsigned i = 0; i < 20; i++) {
		unsigned x = a->b[i] ^ b->b[i];
		if (x != 0)
			return 8 * i + (unsigned)__builtin_clz(x) - 24;
	}
	return 160;
}

bool shoal_node_id_equal(const struct shoal_id20 *a, const struct shoal_id20 *b)
{
	return memcmp(a->b, b->b, 20) == 0;
}

static uint32_t prefix_of(const struct shoal_addr *addr, uint8_t rand)
{
	static const uint8_t mask4[] = { 0x03, 0x0f, 0x3f, 0xff };
	static const uint8_t mask6[] = { 0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff };
	const uint8_t *mask = addr->is_v4 ? mask4 : mask6;
	size_t len = addr->is_v4 ? sizeof mask4 : sizeof mask6;
	uint8_t ip[8];
	for (size_t i = 0; i < len; i++)
		ip[i] = addr->ip[i] & mask[i];
	ip[0] |= (uint8_t)((rand & RAND_BITS) << 5);
	return shoal_crc32c(shoal_bytes(ip, len));
}

struct shoal_id20 shoal_node_id_make(const struct shoal_addr *addr, const struct shoal_id20 *random)
{
	struct shoal_id20 id = *random;
	uint32_t crc = prefix_of(addr, id.b[19]);
	id.b[0] = (uint8_t)(crc >> 24);
	id.b[1] = (uint8_t)(crc >> 16);
	id.b[2] = (uint8_t)((crc >> 8 & 0xf8) | (id.b[2] & 7));
	return id;
}

bool shoal_node_id_fits(const struct shoal_id20 *id, const struct shoal_addr *addr)
{
	if (shoal_reach_of(addr) != SHOAL_REACH_GLOBAL)
		return true;
	uint32_t crc = prefix_of(addr, id->b[19]);
	uint32_t have = (uint32_t)id->b[0] << 24 | (uint32_t)id->b[1] << 16 | (uint32_t)id->b[2] << 8;
	return ((crc ^ have) & 0xfffff800) == 0;
}
