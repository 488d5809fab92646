/*
 * swarm/io/addr.h - shoal_addr <-> the system's sockaddr, and <-> text.
 *
 * Text is "1.2.3.4:6881" or "[2001:db8::1]:6881"; a host may be a name, and
 * names are not looked up here (swarm/io/resolve.h). No scope ids: a
 * link-local address has no meaning to another peer.
 */
#ifndef SHOAL_ADDR_H
#define SHOAL_ADDR_H

#include <shoal/types.h>
#include <sys/socket.h>

#define SHOAL_HOST_MAX 256 /* RFC 1035: 253, with its NUL and room */
#define SHOAL_ADDR_TEXT_MAX 56

/* Splits "host:port". `port` 1..65535. MALFORMED; TOO_LONG. */
SHOAL_MUST int shoal_addr_split(struct shoal_bytes text, char host[SHOAL_HOST_MAX], uint16_t *port);
/* A numeric host, with or without the brackets of IPv6: 0; MALFORMED when it is none (a name, perhaps). */
SHOAL_MUST int shoal_addr_host(const char *host, uint16_t port, struct shoal_addr *out);
/* Returns `out`. */
const char *shoal_addr_text(const struct shoal_addr *addr, char out[SHOAL_ADDR_TEXT_MAX]);

/* Returns the length for bind() and connect(). */
socklen_t shoal_addr_to_sys(const struct shoal_addr *addr, struct sockaddr_storage *out);
/* false: neither IPv4 nor IPv6. A mapped address (::ffff:1.2.3.4) becomes the IPv4 one it means. */
SHOAL_MUST bool shoal_addr_from_sys(const struct sockaddr *sys, socklen_t len, struct shoal_addr *out);

bool shoal_addr_is_any(const struct shoal_addr *addr);
bool shoal_addr_is_loopback(const struct shoal_addr *addr);

#endif
