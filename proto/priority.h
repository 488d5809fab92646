/*
 * proto/priority.h - canonical peer priority (BEP 40): a number both ends of a connection agree on.
 *
 * Among peers that are otherwise alike the higher one is dialled first and
 * dropped last, so that a swarm's full peers keep different company, and one
 * network's addresses win no more than their share of places.
 */
#ifndef SHOAL_PRIORITY_H
#define SHOAL_PRIORITY_H

#include <shoal/types.h>

/* CRC32-C (Castagnoli), reflected, as iSCSI has it: RFC 3720, B.4. */
uint32_t shoal_crc32c(struct shoal_bytes in);
/* `a` and `b` in either order, ours as the other sees it. 0 when they are of different families. */
uint32_t shoal_peer_priority(const struct shoal_addr *a, const struct shoal_addr *b);

#endif
