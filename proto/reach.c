/* proto/reach.c - the special-purpose registries of IANA (RFC 6890 and its heirs) as two tables. */
#include "proto/reach.h"

#include <string.h>

/* The first row that fits decides; what fits none is GLOBAL in v4, and in v6 NOWHERE outside 2000::/3. */
static const struct v4_row {
	uint8_t net[4];
	uint8_t bits;
	uint8_t reach;
} v4_rows[] = {
	{ { 0 }, 8, SHOAL_REACH_NOWHERE }, /* Linux takes 0.0.0.0 for this host */
	{ { 10 }, 8, SHOAL_REACH_PRIVATE },
	{ { 100, 64 }, 10, SHOAL_REACH_PRIVATE },
	{ { 127 }, 8, SHOAL_REACH_LOOPBACK },
	{ { 169, 254 }, 16, SHOAL_REACH_LINK },
	{ { 172, 16 }, 12, SHOAL_REACH_PRIVATE },
	{ { 192, 0, 0 }, 24, SHOAL_REACH_NOWHERE },   /* protocol assignments */
	{ { 192, 0, 2 }, 24, SHOAL_REACH_NOWHERE },   /* documentation */
	{ { 192, 88, 99 }, 24, SHOAL_REACH_NOWHERE }, /* once 6to4's relays */
	{ { 192, 168 }, 16, SHOAL_REACH_PRIVATE },
	{ { 198, 18 }, 15, SHOAL_REACH_NOWHERE },      /* benchmarks */
	{ { 198, 51, 100 }, 24, SHOAL_REACH_NOWHERE }, /* documentation */
	{ { 203, 0, 113 }, 24, SHOAL_REACH_NOWHERE },  /* documentation */
	{ { 224 }, 3, SHOAL_REACH_NOWHERE },	       /* multicast, reserved, broadcast */
};

enum { REACH_V4_AT = 0x40 }; /* this, plus the byte at which a v4 address lies inside */
static const struct v6_row {
	uint8_t net[16];
	uint8_t bits;
	uint8_t reach;
} v6_rows[] = {
	{ { [15] = 1 }, 128, SHOAL_REACH_LOOPBACK },
	{ { [10] = 0xff, [11] = 0xff }, 96, REACH_V4_AT + 12 },		     /* mapped */
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, REACH_V4_AT + 12 },		     /* NAT64 */
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, SHOAL_REACH_PRIVATE }, /* NAT64 of one's own (RFC 8215) */
	{ { 0x20, 0x01 }, 32, REACH_V4_AT + 12 },			     /* Teredo: the client's, inverted */
	{ { 0x20, 0x01 }, 23, SHOAL_REACH_NOWHERE },			     /* benchmarks, ORCHIDs, anycast services */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, SHOAL_REACH_NOWHERE },	     /* documentation */
	{ { 0x20, 0x02 }, 16, REACH_V4_AT + 2 },			     /* 6to4 */
	{ { 0x3f, 0xff }, 20, SHOAL_REACH_NOWHERE },			     /* documentation (RFC 9637) */
	{ { 0x20 }, 3, SHOAL_REACH_GLOBAL },
	{ { 0xfc }, 7, SHOAL_REACH_PRIVATE },
	{ { 0xfe, 0x80 }, 10, SHOAL_REACH_LINK },
	{ { 0xfe, 0xc0 }, 10, SHOAL_REACH_PRIVATE }, /* site-local, long out of use */
};
static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static bool in_net(const uint8_t *ip, const uint8_t *net, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(ip, net, whole) != 0)
		return false;
	return rest == 0 || ((ip[whole] ^ net[whole]) >> (8 - rest)) == 0;
}

static enum shoal_reach v4_reach(const uint8_t ip[4])
{
	for (size_t i = 0; i < sizeof v4_rows / sizeof *v4_rows; i++)
		if (in_net(ip, v4_rows[i].net, v4_rows[i].bits))
			return v4_rows[i].reach;
	return SHOAL_REACH_GLOBAL;
}

enum shoal_reach shoal_reach_of(const struct shoal_addr *addr)
{
	if (addr->is_v4)
		return v4_reach(addr->ip);
	for (size_t i = 0; i < sizeof v6_rows / sizeof *v6_rows; i++) {
		const struct v6_row *row = &v6_rows[i];
		if (!in_net(addr->ip, row->net, row->bits))
			continue;
		if (row->reach < REACH_V4_AT)
			return row->reach;
		uint8_t inside[4];
		memcpy(inside, addr->ip + (row->reach - REACH_V4_AT), 4);
		if (row->net[0] == 0x20 && row->net[1] == 0x01) /* RFC 4380: so that no NAT on the way rewrites it */
			for (int b = 0; b < 4; b++)
				inside[b] ^= 0xff;
		return v4_reach(inside);
	}
	return SHOAL_REACH_NOWHERE;
}

void shoal_addr_unmap(struct shoal_addr *addr)
{
	if (addr->is_v4 || memcmp(addr->ip, mapped, sizeof mapped) != 0)
		return;
	memmove(addr->ip, addr->ip + 12, 4);
	memset(addr->ip + 4, 0, 12);
	addr->is_v4 = 1;
}

bool shoal_addr_same_net(const struct shoal_addr *a, const struct shoal_addr *b, unsigned bits)
{
	struct shoal_addr x = *a, y = *b;
	shoal_addr_unmap(&x);
	shoal_addr_unmap(&y);
	unsigned all = x.is_v4 ? 32 : 128;
	if (!x.is_v4 != !y.is_v4)
		return false;
	return in_net(x.ip, y.ip, bits == 0 || bits > all ? all : bits);
}
