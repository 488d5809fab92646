/*
 * proto/holepunch.h - ut_holepunch (BEP 55): two that cannot be reached, and one that both have reached; bytes <-> struct.
 */
#ifndef SHOAL_HOLEPUNCH_H
#define SHOAL_HOLEPUNCH_H

#include <shoal/types.h>

#define SHOAL_HOLEPUNCH_BYTES 24u /* the longest: IPv6 */

enum shoal_holepunch_kind {
	SHOAL_HOLEPUNCH_RENDEZVOUS = 0, /* tell `addr` and me to connect to each other */
	SHOAL_HOLEPUNCH_CONNECT = 1,	/* connect to `addr` by uTP, now: it does the same */
	SHOAL_HOLEPUNCH_ERROR = 2,	/* of a rendezvous with `addr` */
};
enum shoal_holepunch_err {
	SHOAL_HOLEPUNCH_NO_SUCH_PEER = 1,
	SHOAL_HOLEPUNCH_NOT_CONNECTED = 2,
	SHOAL_HOLEPUNCH_NO_SUPPORT = 3,
	SHOAL_HOLEPUNCH_NO_SELF = 4,
};
struct shoal_holepunch {
	enum shoal_holepunch_kind kind;
	struct shoal_addr addr;
	uint32_t err; /* 0 but in an ERROR */
};

/* MALFORMED: an unknown kind or family, or of another length. Others may leave out the last word where there is no error. */
SHOAL_MUST int shoal_holepunch_decode(struct shoal_bytes in, struct shoal_holepunch *out);
/* The length. */
size_t shoal_holepunch_encode(const struct shoal_holepunch *h, uint8_t to[SHOAL_HOLEPUNCH_BYTES]);

#endif
