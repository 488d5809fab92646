/*
 * proto/fast_set.h - which pieces a peer may ask for while it is choked (BEP 6, allowed fast).
 *
 * The set follows from its address and the torrent, so that all who offer
 * it anything offer the same. Pure.
 */
#ifndef SHOAL_FAST_SET_H
#define SHOAL_FAST_SET_H

#include <shoal/types.h>

#define SHOAL_FAST_SET_MAX 10 /* BEP 6 */

/* The first `count` pieces (at most SHOAL_FAST_SET_MAX) of the set of the peer at `addr` in a torrent of `pieces`
 * pieces; `hash` is the info hash of the connection. Returns how many: fewer in a small torrent, 0 for IPv6, for which
 * there is no such thing. */
uint32_t shoal_fast_set(uint32_t out[], uint32_t count, uint32_t pieces, const struct shoal_id20 *hash,
			const struct shoal_addr *addr);

#endif
