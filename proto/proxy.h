/*
 * proto/proxy.h - asking a proxy to connect us: SOCKS5 (RFC 1928, 1929) and HTTP CONNECT (RFC 9110), sans-IO.
 *
 * A talk reads exactly what belongs to it, so that the stream behind it is the
 * other end's from its first byte. SOCKS5 can also carry datagrams: each has a
 * header that names the other end. Names are looked up by the proxy.
 */
#ifndef SHOAL_PROXY_H
#define SHOAL_PROXY_H

#include <shoal/types.h>

#define SHOAL_PROXY_NAME_MAX 253u				     /* bytes of a host's name */
#define SHOAL_PROXY_WORD_MAX 255u				     /* of a user's name, of a password */
#define SHOAL_PROXY_ANSWER_MAX 4096u				     /* bytes of an HTTP answer's head */
#define SHOAL_PROXY_HEAD_MAX (3u + 1 + 1 + SHOAL_PROXY_NAME_MAX + 2) /* of a datagram */

enum shoal_proxy_kind { SHOAL_PROXY_SOCKS5, SHOAL_PROXY_HTTP };
struct shoal_proxy {
	enum shoal_proxy_kind kind;
	char host[SHOAL_PROXY_NAME_MAX + 1]; /* a name, or an address without brackets */
	uint16_t port;
	char user[SHOAL_PROXY_WORD_MAX + 1], pass[SHOAL_PROXY_WORD_MAX + 1]; /* user "": none */
};

/* "socks5://", "socks5h://" or "http://", then [user:pass@]host[:port]: 1080 or 8080 where there is none; %XX in user and
 * pass. MALFORMED, TOO_LONG; UNSUPPORTED: another scheme. */
SHOAL_MUST int shoal_proxy_parse(const char *url, struct shoal_proxy *out);

/* The other end: a name with `addr.port`, or (name NULL) an address. */
struct shoal_proxy_to {
	const char *name;
	struct shoal_addr addr;
};

enum shoal_proxy_ask { SHOAL_PROXY_CONNECT, SHOAL_PROXY_DATAGRAMS };
struct shoal_proxy_talk {
	uint8_t state;
	bool http;
	size_t have, need;			    /* of what is being read */
	size_t out_head, out_tail, ask_at, ask_end; /* laid out in `out`: [head, tail) is due; the request */
	struct shoal_addr bound;
	uint8_t in[512], out[1600];
};

/* Begins one. UNSUPPORTED: HTTP carries no datagrams; TOO_LONG: a name. */
SHOAL_MUST int shoal_proxy_begin(struct shoal_proxy_talk *t, const struct shoal_proxy *proxy, enum shoal_proxy_ask ask,
				 const struct shoal_proxy_to *to);
/* Where the next bytes may land; they must be read there and no further. */
struct shoal_space shoal_proxy_space(struct shoal_proxy_talk *t);
/* `n` bytes did. 1: the way is open (of DATAGRAMS: `t->bound` is where they go; port 0 or no address: the proxy's own).
 * 0: there is more. < 0: DENIED, REFUSED, TIMEOUT, NET, UNSUPPORTED as the proxy says, MALFORMED, TOO_LONG. */
SHOAL_MUST int shoal_proxy_filled(struct shoal_proxy_talk *t, size_t n);
struct shoal_bytes shoal_proxy_output(const struct shoal_proxy_talk *t);
void shoal_proxy_sent(struct shoal_proxy_talk *t, size_t n);

/* The header before a datagram's bytes. Its length; TOO_LONG. */
SHOAL_MUST ptrdiff_t shoal_proxy_head(const struct shoal_proxy_to *to, struct shoal_space out);
/* A datagram the proxy brought: who sent it, and its bytes (they borrow `in`). MALFORMED: none, a fragment, or one whose
 * sender has a name. */
SHOAL_MUST int shoal_proxy_datagram(struct shoal_bytes in, struct shoal_addr *from, struct shoal_bytes *data);

#endif
