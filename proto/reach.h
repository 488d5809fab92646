/*
 * proto/reach.h - what kind of place an IP address is, so that strangers cannot send us to the wrong one.
 */
#ifndef SHOAL_PROTO_REACH_H
#define SHOAL_PROTO_REACH_H

#include <shoal/types.h>

enum shoal_reach {
	SHOAL_REACH_GLOBAL,
	SHOAL_REACH_LOOPBACK, /* 127/8, ::1 */
	SHOAL_REACH_LINK,     /* 169.254/16, fe80::/10 */
	SHOAL_REACH_PRIVATE,  /* 10/8, 172.16/12, 192.168/16, 100.64/10 (CGNAT), fc00::/7 */
	/* 0/8, multicast, broadcast, reserved, documentation, benchmarking, discard: no peer lives there */
	SHOAL_REACH_NOWHERE,
};

/* v4 in v6 (::ffff:0:0/96, 64:ff9b::/96, 2002::/16, Teredo's client) counts as the v4 address inside. */
enum shoal_reach shoal_reach_of(const struct shoal_addr *addr);
/* ::ffff:a.b.c.d becomes plain v4; all others stay. */
void shoal_addr_unmap(struct shoal_addr *addr);
/* The same host, whatever the port; with `bits` (> 0), the same network of so many bits. Mapped v4 is v4. */
bool shoal_addr_same_net(const struct shoal_addr *a, const struct shoal_addr *b, unsigned bits);

#endif
