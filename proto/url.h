/*
 * proto/url.h - an http, https or udp URL that a stranger wrote, taken apart strictly.
 *
 * What is not plainly a URL of those schemes is refused, rather than guessed
 * at: control characters, blanks, user info, an empty host, a port of 0, a
 * host that is a number in disguise (0x7f.1, 2130706433, 0177.0.0.1). Names are ASCII: an
 * internationalised one comes as punycode; paths may have raw UTF-8, as many do. The spans point into the text given.
 */
#ifndef SHOAL_PROTO_URL_H
#define SHOAL_PROTO_URL_H

#include <shoal/types.h>

#define SHOAL_URL_MAX 2048u /* bytes */
#define SHOAL_URL_HOST_MAX 253u

enum shoal_url_scheme { SHOAL_URL_HTTP, SHOAL_URL_HTTPS, SHOAL_URL_UDP };

struct shoal_url {
	enum shoal_url_scheme scheme;
	struct shoal_bytes host;  /* without the brackets of an IPv6 address */
	uint16_t port;		  /* the scheme's own when none is given; udp has none: MALFORMED */
	struct shoal_bytes path;  /* from the first "/" to the query or the end; may be empty */
	struct shoal_bytes query; /* without the "?" */
	bool is_addr;		  /* `host` is an IP address: `addr` (with the port) */
	struct shoal_addr addr;
};

/* 0; MALFORMED; TOO_LONG; UNSUPPORTED: another scheme. A fragment is left out of `query`. */
SHOAL_MUST int shoal_url_parse(struct shoal_bytes text, struct shoal_url *out);

/* `in` with every byte but unreserved ones as %XX (BEP 3: an info hash; BEP 19: a path's component); NUL-ended. The
 * length without it, or TOO_LONG. */
SHOAL_MUST ptrdiff_t shoal_url_escape(struct shoal_bytes in, struct shoal_space out);

/* "scheme://host:port", all of a URL that may be shown: passkeys live in paths and queries. NUL-ended; the length. */
#define SHOAL_URL_ORIGIN_MAX 272u
size_t shoal_url_origin(const struct shoal_url *url, char out[SHOAL_URL_ORIGIN_MAX]);

#endif
