/*
 * proto/compact.h - IP endpoints: compact bytes (BEP 5, 7, 23) and text, both without the system's help.
 *
 * Text is "1.2.3.4:80" and "[2001:db8::1]:80" (RFC 5952 when written). IPv4 is strict: four decimal
 * numbers without leading zeros. No names, no scope ids.
 */
#ifndef SHOAL_COMPACT_H
#define SHOAL_COMPACT_H

#include <shoal/types.h>

#define SHOAL_COMPACT4 6u   /* bytes of an IPv4 endpoint: address, port, big-endian */
#define SHOAL_COMPACT6 18u  /* of an IPv6 one */
#define SHOAL_ADDR_TEXT 48u /* room for any address as text with its NUL */

/*
 * Reads up to `max` endpoints. Returns how many; MALFORMED when the length is no multiple.
 * All are taken as they are: port 0 and odd addresses are the caller's policy. An IPv6
 * endpoint that maps an IPv4 one (::ffff:a.b.c.d) comes out as the IPv4 one it means.
 */
SHOAL_MUST ptrdiff_t shoal_compact_decode(struct shoal_bytes in, bool is_v4, struct shoal_addr *out, size_t max);
/* Writes SHOAL_COMPACT4 or SHOAL_COMPACT6 bytes and returns how many. */
size_t shoal_compact_encode(const struct shoal_addr *addr, uint8_t out[SHOAL_COMPACT6]);

/* An address and its port (1..65535; a port is needed). MALFORMED. */
SHOAL_MUST int shoal_addr_parse(struct shoal_bytes text, struct shoal_addr *out);
/* An address alone, brackets of IPv6 optional; port becomes 0. MALFORMED. */
SHOAL_MUST int shoal_addr_parse_ip(struct shoal_bytes text, struct shoal_addr *out);
/* Writes "address:port", NUL-ended; without the port (and without brackets) when it is 0. Returns the length. */
size_t shoal_addr_format(const struct shoal_addr *addr, char out[SHOAL_ADDR_TEXT]);
/* Same address and port. */
bool shoal_addr_equal(const struct shoal_addr *a, const struct shoal_addr *b);

#endif
