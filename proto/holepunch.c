/* proto/holepunch.c - the one message of BEP 55. */
#include "proto/holepunch.h"

#include "proto/base/bytes.h"

int shoal_holepunch_decode(struct shoal_bytes in, struct shoal_holepunch *out)
{
	struct shoal_rd r = shoal_rd(in);
	struct shoal_holepunch h = { 0 };
	uint8_t kind = shoal_rd_u8(&r), family = shoal_rd_u8(&r);
	if (kind > SHOAL_HOLEPUNCH_ERROR || family > 1)
		return SHOAL_ERR_MALFORMED;
	h.kind = (enum shoal_holepunch_kind)kind;
	h.addr.is_v4 = family == 0;
	struct shoal_bytes ip = shoal_rd_take(&r, h.addr.is_v4 ? 4 : 16);
	if (!r.bad)
		memcpy(h.addr.ip, ip.at, ip.len);
	h.addr.port = shoal_rd_u16(&r);
	if (!r.bad && (shoal_rd_left(&r) > 0 || h.kind == SHOAL_HOLEPUNCH_ERROR))
		h.err = shoal_rd_u32(&r);
	if (r.bad || shoal_rd_left(&r) > 0)
		return SHOAL_ERR_MALFORMED;
	*out = h;
	return 0;
}

size_t shoal_holepunch_encode(const struct shoal_holepunch *h, uint8_t to[SHOAL_HOLEPUNCH_BYTES])
{
	struct shoal_wr w = shoal_wr((struct shoal_space){ to, SHOAL_HOLEPUNCH_BYTES });
	shoal_wr_u8(&w, (uint8_t)h->kind);
	shoal_wr_u8(&w, h->addr.is_v4 ? 0 : 1);
	shoal_wr_put(&w, shoal_bytes(h->addr.ip, h->addr.is_v4 ? 4 : 16));
	shoal_wr_u16(&w, h->addr.port);
	shoal_wr_u32(&w, h->err);
	return w.pos;
}
