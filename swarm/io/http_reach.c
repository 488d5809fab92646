/* swarm/io/http_reach.c - who may be spoken to by HTTP: each address before its socket is opened, and before each request. */
#include <string.h>
#include <strings.h>
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/reach.h"
#include "swarm/io/addr.h"
#include "swarm/io/http_room.h"
#include "swarm/io/reachable.h"

static bool may(const struct shoal_http_job *f, const struct shoal_addr *addr)
{
	enum shoal_reach reach = shoal_reach_of(addr);
	if (reach == SHOAL_REACH_GLOBAL)
		return true;
	/* A server out there may not send us to one in here, whoever named it. */
	if (f->hops > 0 && !f->local)
		return false;
	if (f->flags & SHOAL_FETCH_TRUSTED)
		return true;
	return shoal_reachable_by_strangers(addr);
}

curl_socket_t shoal_http_on_open(void *to, curlsocktype purpose, struct curl_sockaddr *at)
{
	struct shoal_http_job *f = to;
	struct shoal_addr addr;
	(void)purpose;
	if (f->h->proxy == NULL && (!shoal_addr_from_sys(&at->addr, (socklen_t)at->addrlen, &addr) || !may(f, &addr))) {
		f->refused = true;
		return CURL_SOCKET_BAD;
	}
	int fd = f->h->os->socket(at->family, at->socktype | SOCK_CLOEXEC, at->protocol);
	const struct shoal_addr *source = f->h->proxy == NULL && f->h->user.source != NULL
						  ? f->h->user.source(f->h->user.to, &addr)
						  : NULL;
	if (fd >= 0 && source != NULL) {
		struct sockaddr_storage sys;
		struct shoal_addr from = *source;
		from.port = 0;
		socklen_t len = shoal_addr_to_sys(&from, &sys);
		(void)f->h->os->bind(fd, (struct sockaddr *)&sys, len); /* without it, from wherever */
	}
	return fd;
}

/* Before each request, on a warm connection too: the fetch that opened it may have been trusted where this one is not. */
int shoal_http_on_request(void *to, char *ip, char *local_ip, int port, int local_port)
{
	struct shoal_http_job *f = to;
	struct shoal_addr addr;
	(void)local_ip, (void)local_port;
	if (f->h->proxy != NULL)
		return CURL_PREREQFUNC_OK;
	bool known = shoal_addr_parse_ip(shoal_bytes(ip, strlen(ip)), &addr) == 0;
	if (known && may(f, &addr)) {
		addr.port = (uint16_t)port;
		f->how.server = addr;
		f->local = shoal_reach_of(&addr) != SHOAL_REACH_GLOBAL;
		return CURL_PREREQFUNC_OK;
	}
	if (!known && f->flags & SHOAL_FETCH_TRUSTED && f->hops == 0) { /* with a scope: a link-local neighbour */
		f->local = true;
		return CURL_PREREQFUNC_OK;
	}
	f->refused = true;
	return CURL_PREREQFUNC_ABORT;
}

bool shoal_http_may_by_proxy(const struct shoal_http_job *f, const struct shoal_url *url)
{
	if (f->flags & SHOAL_FETCH_TRUSTED && (f->hops == 0 || f->local))
		return true;
	if (url->is_addr)
		return shoal_reach_of(&url->addr) == SHOAL_REACH_GLOBAL;
	static const char *const ours[] = { "localhost", ".localhost", ".local", ".internal", ".home.arpa" };
	struct shoal_bytes host = url->host;
	while (host.len > 0 && host.at[host.len - 1] == '.')
		host.len--;
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		size_t n = strlen(ours[i]);
		if (host.len >= n && (ours[i][0] == '.' || host.len == n) &&
		    strncasecmp((const char *)host.at + host.len - n, ours[i], n) == 0)
			return false;
	}
	return true;
}
