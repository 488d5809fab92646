/*
 * swarm/io/http_curl.h - HTTP and HTTPS on the loop, by libcurl: what a node asks with world->fetch.
 *
 * A fetch is given a URL that a stranger may have written. So: http and
 * https alone; each address is judged when its socket is about to be opened,
 * and once more before a request is sent on a connection that was there
 * already, so that neither a name's second answer (DNS rebinding) nor a warm
 * connection leads where it must not; at most four redirects, none from https
 * to http, none from the open network to this host or its neighbours;
 * certificates are always verified. No cookies, no .netrc, no proxy of the
 * environment, no compression. Headers, body, time and slowness are bounded.
 *
 * An answer to a range is taken only when it is that range (206 and
 * Content-Range), of a resource of the size that was expected. Bodies of
 * errors are not delivered to whoever has said which size he expects.
 *
 * libcurl is initialised by the first fetch. One thread: the loop's. Names are
 * looked up in threads of libcurl's.
 */
#ifndef SHOAL_HTTP_CURL_H
#define SHOAL_HTTP_CURL_H

#include <shoal/types.h>
#include "swarm/core/world.h"
#include "swarm/io/loop.h"

#define SHOAL_HTTP_FETCHES_MAX 256 /* asked and not ended; BUSY past it */
#define SHOAL_HTTP_ACTIVE_MAX 48   /* of those, under way */
#define SHOAL_HTTP_HOST_MAX 4	   /* connections to one host */
#define SHOAL_HTTP_REDIRECTS_MAX 4
#define SHOAL_HTTP_HEADERS_MAX (64u * 1024) /* bytes, of all answers of one fetch */
#define SHOAL_HTTP_SLOW_BYTES 100	    /* a second; slower for SLOW_S it has timed out */
#define SHOAL_HTTP_SLOW_S 15
#define SHOAL_HTTP_CONNECT_MS 15000

struct shoal_http;

struct shoal_http_user { /* called from the loop and from shoal_http_tick(), never from fetch() or stop() */
	void *to;
	void (*data)(void *to, uint64_t cookie, uint64_t at, struct shoal_bytes data);
	void (*end)(void *to, uint64_t cookie, const struct shoal_fetched *how);
	/* Where connections to `addr` are to come from (BEP 7: a tracker takes us to be there), from within tick() and the
	 * loop; NULL: it does not matter. The function may be NULL too. */
	const struct shoal_addr *(*source)(void *to, const struct shoal_addr *addr);
};
struct shoal_http_options {
	const char *agent; /* sent as User-Agent; copied */
	const char
		*proxy; /* http://, socks5:// or socks5h://host:port; NULL: none; copied. Names are looked up there */
	const char *ca_file; /* for tests: trusted instead of the system's authorities; copied */
};

/* NOMEM. `os` and `loop` outlive it. */
SHOAL_MUST int shoal_http_new(struct shoal_http **out, struct shoal_loop *loop, const struct shoal_os_ops *os,
			      const struct shoal_http_user *user, const struct shoal_http_options *options);
void shoal_http_free(struct shoal_http *h); /* NULL is fine; says nothing more to the user */

/* World->fetch and fetch_stop. BUSY at the bound; NOMEM; USAGE: an empty range. */
SHOAL_MUST int shoal_http_fetch(struct shoal_http *h, const struct shoal_fetch *f, uint64_t cookie);
void shoal_http_stop(struct shoal_http *h, uint64_t cookie);

/* When tick() has something to do; it is cheap when it has not. */
shoal_us shoal_http_deadline(const struct shoal_http *h);
void shoal_http_tick(struct shoal_http *h, shoal_us now);

#endif
