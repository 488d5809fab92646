/*
 * proto/base/bytes.h - checked arithmetic and cursors over bytes.
 *
 * Remote bytes are read through a `shoal_rd`: it never passes the end of
 * its span, and once one read has failed all later ones do (`bad` sticks),
 * so that a decoder may read a whole record and look once. `shoal_wr` is
 * the same for writing. Integers are big-endian, as on every wire we speak.
 */
#ifndef SHOAL_BYTES_H
#define SHOAL_BYTES_H

#include <shoal/types.h>
#include <string.h>

struct shoal_rd {
	struct shoal_bytes in;
	size_t pos;
	bool bad;
};
struct shoal_wr {
	struct shoal_space out;
	size_t pos;
	bool bad;
};

static inline struct shoal_bytes shoal_bytes(const void *at, size_t len)
{
	return (struct shoal_bytes){ (const uint8_t *)at, len };
}
#define SHOAL_LIT(s) ((struct shoal_bytes){ (const uint8_t *)(s), sizeof(s) - 1 })

static inline bool shoal_bytes_equal(struct shoal_bytes a, struct shoal_bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}
/* memcmp order, the shorter first among equals (the order of bencode's keys). */
static inline int shoal_bytes_order(struct shoal_bytes a, struct shoal_bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.at, b.at, n) : 0;
	return c ? c : (a.len > b.len) - (a.len < b.len);
}

static inline struct shoal_rd shoal_rd(struct shoal_bytes in)
{
	return (struct shoal_rd){ in, 0, false };
}
static inline size_t shoal_rd_left(const struct shoal_rd *r)
{
	return r->bad ? 0 : r->in.len - r->pos;
}
/* The next `n` bytes; an empty span, and `bad`, when there are fewer. */
static inline struct shoal_bytes shoal_rd_take(struct shoal_rd *r, size_t n)
{
	if (r->bad || n > r->in.len - r->pos) {
		r->bad = true;
		return (struct shoal_bytes){ NULL, 0 };
	}
	/* No sum from NULL, not even of 0: an empty span may have no place. */
	struct shoal_bytes got = { r->in.at ? r->in.at + r->pos : NULL, n };
	r->pos += n;
	return got;
}
static inline uint32_t shoal_get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint16_t shoal_get_u16(const uint8_t *p)
{
	return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}
static inline uint64_t shoal_get_u64(const uint8_t *p)
{
	return (uint64_t)shoal_get_u32(p) << 32 | shoal_get_u32(p + 4);
}
static inline void shoal_put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}
static inline void shoal_put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
static inline void shoal_put_u64(uint8_t *p, uint64_t v)
{
	shoal_put_u32(p, (uint32_t)(v >> 32));
	shoal_put_u32(p + 4, (uint32_t)v);
}
static inline uint8_t shoal_rd_u8(struct shoal_rd *r)
{
	struct shoal_bytes b = shoal_rd_take(r, 1);
	return b.at ? b.at[0] : 0;
}
static inline uint16_t shoal_rd_u16(struct shoal_rd *r)
{
	struct shoal_bytes b = shoal_rd_take(r, 2);
	return b.at ? shoal_get_u16(b.at) : 0;
}
static inline uint32_t shoal_rd_u32(struct shoal_rd *r)
{
	struct shoal_bytes b = shoal_rd_take(r, 4);
	return b.at ? shoal_get_u32(b.at) : 0;
}
static inline uint64_t shoal_rd_u64(struct shoal_rd *r)
{
	struct shoal_bytes b = shoal_rd_take(r, 8);
	return b.at ? shoal_get_u64(b.at) : 0;
}

static inline struct shoal_wr shoal_wr(struct shoal_space out)
{
	return (struct shoal_wr){ out, 0, false };
}
static inline void shoal_wr_put(struct shoal_wr *w, struct shoal_bytes b)
{
	if (w->bad || b.len > w->out.len - w->pos) {
		w->bad = true;
		return;
	}
	if (b.len)
		memcpy(w->out.at + w->pos, b.at, b.len);
	w->pos += b.len;
}
static inline void shoal_wr_u8(struct shoal_wr *w, uint8_t v)
{
	shoal_wr_put(w, (struct shoal_bytes){ &v, 1 });
}
static inline void shoal_wr_u16(struct shoal_wr *w, uint16_t v)
{
	uint8_t b[2];
	shoal_put_u16(b, v);
	shoal_wr_put(w, (struct shoal_bytes){ b, 2 });
}
static inline void shoal_wr_u32(struct shoal_wr *w, uint32_t v)
{
	uint8_t b[4];
	shoal_put_u32(b, v);
	shoal_wr_put(w, (struct shoal_bytes){ b, 4 });
}
static inline void shoal_wr_u64(struct shoal_wr *w, uint64_t v)
{
	uint8_t b[8];
	shoal_put_u64(b, v);
	shoal_wr_put(w, (struct shoal_bytes){ b, 8 });
}

/* true when the result fits; `*out` is written then alone. */
SHOAL_MUST static inline bool shoal_add_size(size_t a, size_t b, size_t *out)
{
	size_t sum;
	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*out = sum;
	return true;
}
SHOAL_MUST static inline bool shoal_mul_size(size_t a, size_t b, size_t *out)
{
	size_t product;
	if (__builtin_mul_overflow(a, b, &product))
		return false;
	*out = product;
	return true;
}
SHOAL_MUST static inline bool shoal_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t sum;
	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*out = sum;
	return true;
}
static inline uint64_t shoal_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}
static inline uint64_t shoal_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
