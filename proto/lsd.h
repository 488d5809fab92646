/*
 * proto/lsd.h - local service discovery (BEP 14): one datagram <-> a port and some info hashes.
 *
 * HTTP's looks on a multicast datagram. Who sent it, and whether to believe
 * it, only the socket knows.
 */
#ifndef SHOAL_LSD_H
#define SHOAL_LSD_H

#include <shoal/types.h>

#define SHOAL_LSD_PORT 6771
#define SHOAL_LSD_BYTES 1400 /* of a datagram: no fragments, and nothing honest is longer */
#define SHOAL_LSD_HASHES 24  /* in one: as many as fit */
#define SHOAL_LSD_COOKIE 16  /* bytes of cookie that we send */

struct shoal_lsd {
	uint16_t port;		   /* where it takes connections */
	struct shoal_bytes cookie; /* borrows the input; empty when there is none */
	struct shoal_id20 hash[SHOAL_LSD_HASHES];
	size_t count; /* >= 1 */
};

/* MALFORMED; TOO_LONG for more than SHOAL_LSD_BYTES or SHOAL_LSD_HASHES. Headers we do not know are passed over. */
SHOAL_MUST int shoal_lsd_decode(struct shoal_bytes in, struct shoal_lsd *out);
/* For the group of that family. Length, or TOO_LONG; USAGE without a port or a hash. */
SHOAL_MUST ptrdiff_t shoal_lsd_encode(const struct shoal_lsd *lsd, bool is_v4, struct shoal_space out);

#endif
