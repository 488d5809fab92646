/* proto/utp_wire.c - the header of BEP 29, and its chain of extensions. */
#include "proto/utp_wire.h"

#include "proto/base/bytes.h"

enum { EXT_NONE = 0, EXT_SACK = 1 };

int shoal_utp_decode(struct shoal_bytes in, struct shoal_utp_head *out)
{
	if (!shoal_utp_is(in))
		return SHOAL_ERR_MALFORMED;
	struct shoal_rd r = shoal_rd(in);
	struct shoal_utp_head h = { .type = (enum shoal_utp_type)(shoal_rd_u8(&r) >> 4) };
	uint8_t next = shoal_rd_u8(&r);
	h.id = shoal_rd_u16(&r);
	h.stamp = shoal_rd_u32(&r);
	h.delay = shoal_rd_u32(&r);
	h.window = shoal_rd_u32(&r);
	h.seq = shoal_rd_u16(&r);
	h.ack = shoal_rd_u16(&r);
	for (int links = 0; next != EXT_NONE; links++) {
		if (links == SHOAL_UTP_CHAIN_MAX)
			return SHOAL_ERR_MALFORMED;
		uint8_t kind = next;
		next = shoal_rd_u8(&r);
		struct shoal_bytes body = shoal_rd_take(&r, shoal_rd_u8(&r));
		if (r.bad)
			return SHOAL_ERR_MALFORMED;
		if (kind != EXT_SACK)
			continue;
		if (body.len > SHOAL_UTP_SACK_MAX) /* BEP 29 wants multiples of 4; libtorrent sends any length */
			return SHOAL_ERR_MALFORMED;
		h.sack = body;
	}
	h.payload = shoal_rd_take(&r, shoal_rd_left(&r));
	*out = h;
	return 0;
}

size_t shoal_utp_encode(const struct shoal_utp_head *h, uint8_t *to)
{
	to[0] = (uint8_t)((unsigned)h->type << 4 | 1);
	to[1] = h->sack.len > 0 ? EXT_SACK : EXT_NONE;
	shoal_put_u16(to + 2, h->id);
	shoal_put_u32(to + 4, h->stamp);
	shoal_put_u32(to + 8, h->delay);
	shoal_put_u32(to + 12, h->window);
	shoal_put_u16(to + 16, h->seq);
	shoal_put_u16(to + 18, h->ack);
	if (h->sack.len == 0)
		return SHOAL_UTP_HEAD;
	to[20] = EXT_NONE;
	to[21] = (uint8_t)h->sack.len;
	memcpy(to + 22, h->sack.at, h->sack.len);
	return SHOAL_UTP_HEAD + 2 + h->sack.len;
}
