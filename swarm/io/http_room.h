/*
 * swarm/io/http_room.h - what the files of HTTP see of each other. Internal.
 *
 * http_curl.c    libcurl on our loop, and what the world asks of it
 * http_fetch.c   one fetch: its rules, its hops, how it ended
 * http_answer.c  whether an answer is what was asked for
 * http_reach.c   who may be spoken to
 */
#ifndef SHOAL_HTTP_ROOM_H
#define SHOAL_HTTP_ROOM_H

#include <curl/curl.h>
#include "proto/content_range.h"
#include "proto/url.h"
#include "swarm/io/http_curl.h"

enum shoal_http_state { SHOAL_HTTP_WAITING, SHOAL_HTTP_ACTIVE };

struct shoal_http_job {
	struct shoal_http_job *next; /* in the order they were asked */
	struct shoal_http *h;
	uint64_t cookie;
	CURL *easy; /* NULL while it waits */
	enum shoal_http_state state;
	bool stopped; /* nobody listens any more: freed in the next tick */
	char *url;    /* of this hop */
	uint64_t from, to, size, most;
	shoal_us until;
	unsigned flags, hops;
	bool local; /* the hop before this one led to this host or its neighbours */
	bool https;
	size_t headers; /* bytes of them, of all hops */
	/* this hop's answer */
	struct shoal_content_range range;
	bool range_told, judged, deliver, refused, failed;
	uint64_t got;
	struct shoal_fetched how;
};

struct shoal_http {
	struct shoal_loop *loop;
	const struct shoal_os_ops *os;
	struct shoal_http_user user;
	char *agent, *proxy, *ca_file;
	CURLM *multi; /* NULL until the first fetch */
	struct shoal_http_job *fetches;
	uint32_t count, active;
	bool work; /* a fetch waits to be begun, or to be freed */
	struct shoal_http_sock *socks;
	shoal_us timer_at;
};

/* ---- one fetch ---- */

/* Hands it to libcurl; its own `how` has the error. */
SHOAL_MUST int shoal_http_begin(struct shoal_http_job *f, shoal_us now);
/* libcurl is done with this hop: another begins, or the user is told. */
void shoal_http_hop_ended(struct shoal_http_job *f, CURLcode code, shoal_us now);
/* It goes, and the user is told of its end, unless he has stopped it. The list may be another afterwards. */
void shoal_http_finish(struct shoal_http_job *f);
/* It goes, and nobody is told. */
void shoal_http_job_free(struct shoal_http_job *f);
/* The first error is what is told. */
void shoal_http_fail(struct shoal_http_job *f, int err, const char *what);

/* ---- its answer: libcurl's callbacks for headers and body ---- */

size_t shoal_http_on_header(char *at, size_t size, size_t n, void *job);
size_t shoal_http_on_body(char *at, size_t size, size_t n, void *job);
/* The headers are in: whether the body is what was asked for. */
void shoal_http_judge(struct shoal_http_job *f);
bool shoal_http_redirects(int status);

/* ---- who may be spoken to: libcurl's callbacks before a socket is opened, and before each request ---- */

curl_socket_t shoal_http_on_open(void *job, curlsocktype purpose, struct curl_sockaddr *at);
int shoal_http_on_request(void *job, char *ip, char *local_ip, int port, int local_port);
/* Through a proxy we see no address but its own; what can be told from the URL is told. */
bool shoal_http_may_by_proxy(const struct shoal_http_job *f, const struct shoal_url *url);
/* libcurl closes a socket; nothing waits for it any more. */
int shoal_http_on_close(void *http, curl_socket_t fd);

#endif
