/* swarm/io/http_curl.c - libcurl's multi_socket interface on our loop, and who may be spoken to. */
#include "swarm/io/http_curl.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/content_range.h"
#include "proto/reach.h"
#include "proto/url.h"
#include "swarm/io/addr.h"
#include "swarm/io/reachable.h"

#define BODY_BUFFER (256 * 1024L)   /* libcurl's read buffer for ranges: fewer, larger steps into the slots */
#define ERROR_BODY_MAX (64u * 1024) /* of an error nobody reads: to its end, so that the connection lives on */
#define HOST_CACHE_S 60L
#define IDLE_CONNECTIONS 16L

struct sock { /* one descriptor libcurl waits for */
	struct sock *next;
	struct shoal_http *h;
	struct shoal_watch watch;
	curl_socket_t fd;
};

enum fetch_state { FETCH_WAITING, FETCH_ACTIVE };

struct fetch {
	struct fetch *next;
	struct shoal_http *h;
	uint64_t cookie;
	CURL *easy; /* NULL while it waits */
	enum fetch_state state;
	bool stopped; /* nobody listens any more: freed in the next tick */
	char *url;    /* of this hop */
	uint64_t from, to, size, most;
	shoal_us until;
	unsigned flags, hops;
	bool local; /* the hop before this one led to this host or its neighbours */
	bool https;
	/* this hop's answer */
	size_t headers;
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
	struct fetch *fetches;
	uint32_t count, active;
	bool work; /* a fetch waits to be begun, or to be freed */
	struct sock *socks;
	shoal_us timer_at;
};

/* ---- descriptors and time ------------------------------------------------------------ */

static void on_ready(void *to, unsigned what)
{
	struct sock *s = to;
	struct shoal_http *h = s->h;
	int running;
	/* It may end this watch, and others. */
	(void)curl_multi_socket_action(h->multi, s->fd, what & SHOAL_LOOP_READ ? CURL_CSELECT_IN : CURL_CSELECT_OUT,
				       &running);
}

static void sock_free(struct shoal_http *h, struct sock *s)
{
	struct sock **at = &h->socks;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	shoal_watch_fini(&s->watch);
	free(s);
}

static int on_sock(CURL *easy, curl_socket_t fd, int what, void *user, void *mine)
{
	struct shoal_http *h = user;
	struct sock *s = mine;
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s != NULL) {
			curl_multi_assign(h->multi, fd, NULL);
			sock_free(h, s);
		}
		return 0;
	}
	if (s == NULL) {
		s = calloc(1, sizeof *s);
		if (s == NULL)
			return -1;
		s->h = h;
		s->fd = fd;
		s->next = h->socks;
		h->socks = s;
		shoal_watch_init(&s->watch, h->loop, fd, on_ready, s);
		curl_multi_assign(h->multi, fd, s);
	}
	unsigned want = (what & CURL_POLL_IN ? SHOAL_LOOP_READ : 0u) | (what & CURL_POLL_OUT ? SHOAL_LOOP_WRITE : 0u);
	return shoal_watch_set(&s->watch, want) < 0 ? -1 : 0;
}

static int on_timer(CURLM *multi, long ms, void *user)
{
	struct shoal_http *h = user;
	(void)multi;
	h->timer_at = ms < 0 ? SHOAL_NEVER : shoal_loop_now(h->loop) + SHOAL_MS((shoal_us)ms);
	return 0;
}

/* ---- who may be spoken to ------------------------------------------------------------- */

static bool allowed(struct fetch *f, const struct shoal_addr *addr)
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

static void fail(struct fetch *f, int err, const char *what)
{
	if (f->failed)
		return;
	f->failed = true;
	f->how.err = err;
	snprintf(f->how.what, sizeof f->how.what, "%s", what);
}

static curl_socket_t on_open(void *to, curlsocktype purpose, struct curl_sockaddr *at)
{
	struct fetch *f = to;
	struct shoal_addr addr;
	(void)purpose;
	if (f->h->proxy == NULL &&
	    (!shoal_addr_from_sys(&at->addr, (socklen_t)at->addrlen, &addr) || !allowed(f, &addr))) {
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

static int on_close(void *to, curl_socket_t fd)
{
	struct shoal_http *h = to;
	for (struct sock *s = h->socks, *next; s != NULL; s = next) { /* none is left, if libcurl keeps its word */
		next = s->next;
		if (s->fd == fd)
			sock_free(h, s);
	}
	return h->os->close(fd);
}

/* Before each request, on a warm connection too: the fetch that opened it may have been trusted where this one is not. */
static int on_request(void *to, char *ip, char *local_ip, int port, int local_port)
{
	struct fetch *f = to;
	struct shoal_addr addr;
	(void)local_ip, (void)local_port;
	if (f->h->proxy != NULL)
		return CURL_PREREQFUNC_OK;
	bool known = shoal_addr_parse_ip(shoal_bytes(ip, strlen(ip)), &addr) == 0;
	if (known && allowed(f, &addr)) {
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

/* Through a proxy we see no address but its own; what can be told from the URL is told. */
static bool allowed_by_proxy(struct fetch *f, const struct shoal_url *url)
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

/* ---- what it answers --------------------------------------------------------------------- */

static size_t on_header(char *at, size_t size, size_t n, void *to)
{
	static const char name[] = "content-range:";
	struct fetch *f = to;
	size_t len = size * n;
	f->headers += len;
	if (f->headers > SHOAL_HTTP_HEADERS_MAX) {
		fail(f, SHOAL_ERR_TOO_LONG, "more headers than anybody needs");
		return 0;
	}
	if (len >= 5 && memcmp(at, "HTTP/", 5) == 0)
		f->range_told = false; /* another answer begins; the one before was a 100 */
	if (len >= sizeof name - 1 && strncasecmp(at, name, sizeof name - 1) == 0) {
		struct shoal_bytes value = shoal_bytes(at + sizeof name - 1, len - (sizeof name - 1));
		if (f->range_told || shoal_content_range_parse(value, &f->range) < 0) { /* twice: which is true? */
			f->range = (struct shoal_content_range){ 0 };
		}
		f->range_told = true;
	}
	return len;
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void judge_range(struct fetch *f)
{
	if (f->how.status == 200)
		return fail(f, SHOAL_ERR_MALFORMED, "the server does not serve ranges");
	f->how.total = f->range.total;
	if (!f->range_told || f->range.from != f->from || f->range.to != f->to)
		return fail(f, SHOAL_ERR_MALFORMED, "another range than was asked for");
	if (f->size != 0 && f->range.total != 0 && f->range.total != f->size)
		return fail(f, SHOAL_ERR_MALFORMED, "the file there is of another size");
}

/* The headers are in: whether the body is what was asked for. */
static void judge(struct fetch *f)
{
	long status = 0;
	curl_off_t length = -1;
	if (f->judged)
		return;
	f->judged = true;
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	f->how.status = (int)status;
	if (is_redirect(f->how.status))
		return;
	bool whole = f->to == 0;
	if (!whole && (status == 200 || status == 206))
		judge_range(f);
	if (whole && f->size != 0 && status == 200) {
		curl_easy_getinfo(f->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
		if (length >= 0 && (uint64_t)length != f->size)
			fail(f, SHOAL_ERR_MALFORMED, "the file there is of another size");
	}
	f->deliver = !f->failed && (whole ? f->size == 0 || status == 200 : status == 206);
}

static size_t on_body(char *at, size_t size, size_t n, void *to)
{
	struct fetch *f = to;
	size_t len = size * n;
	size_t no = len == 0 ? 1 : 0; /* whatever is not len ends it */
	if (f->stopped)
		return no;
	judge(f);
	if (f->failed)
		return no;
	f->got += len;
	if (!f->deliver)
		return f->got <= ERROR_BODY_MAX ? len : no;
	uint64_t most = f->to != 0 ? f->to - f->from : f->size != 0 ? f->size : f->most;
	if (f->got > most) {
		fail(f, SHOAL_ERR_TOO_LONG, "more bytes than were asked for");
		return no;
	}
	if (len > 0)
		f->h->user.data(f->h->user.to, f->cookie, f->from + f->got - len, shoal_bytes(at, len));
	return f->stopped ? no : len;
}

/* ---- one fetch ------------------------------------------------------------------------------ */

static void fetch_free(struct fetch *f)
{
	struct shoal_http *h = f->h;
	struct fetch **at = &h->fetches;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	h->count--;
	if (f->state == FETCH_ACTIVE) {
		curl_multi_remove_handle(h->multi, f->easy);
		h->active--;
	}
	curl_easy_cleanup(f->easy);
	free(f->url);
	free(f);
}

#define SET(option, value) good = good && curl_easy_setopt(f->easy, option, value) == CURLE_OK

static bool set_rules(struct fetch *f)
{
	struct shoal_http *h = f->h;
	bool good = true;
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L); /* we do, by our own rules */
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(CURLOPT_OPENSOCKETDATA, f);
	SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
	SET(CURLOPT_CLOSESOCKETDATA, h);
	SET(CURLOPT_PREREQFUNCTION, on_request);
	SET(CURLOPT_PREREQDATA, f);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (h->ca_file != NULL)
		SET(CURLOPT_CAINFO, h->ca_file);
	SET(CURLOPT_PROXY, h->proxy != NULL ? h->proxy : ""); /* "": the environment's is not asked either */
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_USERAGENT, h->agent);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)SHOAL_HTTP_CONNECT_MS);
	SET(CURLOPT_LOW_SPEED_LIMIT, (long)SHOAL_HTTP_SLOW_BYTES);
	SET(CURLOPT_LOW_SPEED_TIME, (long)SHOAL_HTTP_SLOW_S);
	SET(CURLOPT_QUICK_EXIT, 1L); /* ending a fetch does not wait for a name that is being looked up */
	SET(CURLOPT_DNS_CACHE_TIMEOUT, HOST_CACHE_S);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, f);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, f);
	SET(CURLOPT_PRIVATE, f);
	if (f->flags & (SHOAL_FETCH_V4 | SHOAL_FETCH_V6)) {
		SET(CURLOPT_IPRESOLVE, f->flags & SHOAL_FETCH_V4 ? (long)CURL_IPRESOLVE_V4 : (long)CURL_IPRESOLVE_V6);
		SET(CURLOPT_FRESH_CONNECT, 1L); /* a warm connection may be of the other family */
	}
	return good;
}

static bool set_question(struct fetch *f, shoal_us now)
{
	char range[48];
	bool good = true;
	SET(CURLOPT_URL, f->url);
	if (f->to != 0) {
		snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)f->from, (unsigned long long)f->to - 1);
		SET(CURLOPT_RANGE, range);
		SET(CURLOPT_BUFFERSIZE, BODY_BUFFER);
	}
	shoal_us left = f->until > now ? f->until - now : 1000;
	SET(CURLOPT_TIMEOUT_MS, (long)(left / 1000 + 1));
	return good;
}

/* Parses the hop's URL once more: libcurl and we agree on what it says, or it is not asked. */
static bool url_fits(struct fetch *f)
{
	struct shoal_url url;
	if (shoal_url_parse(shoal_bytes(f->url, strlen(f->url)), &url) < 0 || url.scheme == SHOAL_URL_UDP)
		return false;
	if (f->hops > 0 && f->https && url.scheme != SHOAL_URL_HTTPS)
		return false;
	f->https = url.scheme == SHOAL_URL_HTTPS;
	return f->h->proxy == NULL || allowed_by_proxy(f, &url);
}

/* Hands it to libcurl. */
static int begin(struct fetch *f, shoal_us now)
{
	struct shoal_http *h = f->h;
	if (!url_fits(f)) {
		fail(f, SHOAL_ERR_REFUSED,
		     f->hops > 0 ? "it redirects to where we do not follow"
				 : "not an address to be asked for by a stranger");
		return SHOAL_ERR_REFUSED;
	}
	if (f->easy == NULL) {
		f->easy = curl_easy_init();
		if (f->easy == NULL || !set_rules(f)) {
			fail(f, SHOAL_ERR_NOMEM, "no memory");
			return SHOAL_ERR_NOMEM;
		}
	}
	f->range_told = f->judged = f->deliver = f->refused = false;
	f->got = 0;
	f->how = (struct shoal_fetched){ 0 };
	if (!set_question(f, now) || curl_multi_add_handle(h->multi, f->easy) != CURLM_OK) {
		fail(f, SHOAL_ERR_NOMEM, "no memory");
		return SHOAL_ERR_NOMEM;
	}
	f->state = FETCH_ACTIVE;
	h->active++;
	return 0;
}

static void finish(struct fetch *f)
{
	struct shoal_http *h = f->h;
	struct shoal_fetched how = f->how;
	uint64_t cookie = f->cookie;
	bool told = !f->stopped;
	fetch_free(f);
	if (told)
		h->user.end(h->user.to, cookie, &how);
}

/* The next hop of a redirect: true when it is under way. */
static bool follow(struct fetch *f, shoal_us now)
{
	struct shoal_http *h = f->h;
	char *to = NULL;
	curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &to);
	if (to == NULL) {
		fail(f, SHOAL_ERR_MALFORMED, "it redirects to nowhere");
		return false;
	}
	if (++f->hops > SHOAL_HTTP_REDIRECTS_MAX) {
		fail(f, SHOAL_ERR_REFUSED, "it redirects without end");
		return false;
	}
	char *copy = strlen(to) <= SHOAL_URL_MAX ? strdup(to) : NULL;
	if (copy == NULL) {
		fail(f, SHOAL_ERR_TOO_LONG, "it redirects to where we do not follow");
		return false;
	}
	free(f->url);
	f->url = copy;
	curl_multi_remove_handle(h->multi, f->easy);
	f->state = FETCH_WAITING;
	h->active--;
	return begin(f, now) == 0;
}

static const struct {
	CURLcode code;
	int err;
	const char *what; /* NULL: libcurl's words */
} endings[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, SHOAL_ERR_NET, "there is no such host" },
	{ CURLE_OPERATION_TIMEDOUT, SHOAL_ERR_TIMEOUT, "it took too long" },
	{ CURLE_PARTIAL_FILE, SHOAL_ERR_CLOSED, "the answer ended early" },
	{ CURLE_GOT_NOTHING, SHOAL_ERR_CLOSED, NULL },
	{ CURLE_RECV_ERROR, SHOAL_ERR_CLOSED, NULL },
	{ CURLE_SEND_ERROR, SHOAL_ERR_CLOSED, NULL },
	{ CURLE_HTTP2, SHOAL_ERR_CLOSED, NULL },
	{ CURLE_HTTP2_STREAM, SHOAL_ERR_CLOSED, NULL },
	{ CURLE_PEER_FAILED_VERIFICATION, SHOAL_ERR_REFUSED, "its certificate is not to be trusted" },
	{ CURLE_FILESIZE_EXCEEDED, SHOAL_ERR_TOO_LONG, NULL },
	{ CURLE_OUT_OF_MEMORY, SHOAL_ERR_NOMEM, NULL },
	{ CURLE_WEIRD_SERVER_REPLY, SHOAL_ERR_MALFORMED, NULL },
	{ CURLE_BAD_CONTENT_ENCODING, SHOAL_ERR_MALFORMED, NULL },
	{ CURLE_UNSUPPORTED_PROTOCOL, SHOAL_ERR_REFUSED, NULL },
};

static void fail_with(struct fetch *f, CURLcode code)
{
	if (f->refused)
		return fail(f, SHOAL_ERR_REFUSED,
			    "it leads to this host or its neighbours, and nobody here asked for that");
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (endings[i].code == code)
			return fail(f, endings[i].err,
				    endings[i].what != NULL ? endings[i].what : curl_easy_strerror(code));
	fail(f, SHOAL_ERR_NET, curl_easy_strerror(code));
}

static void hop_ended(struct fetch *f, CURLcode code, shoal_us now)
{
	/* An error's body that was cut short: the answer itself is whole. */
	bool enough = code == CURLE_WRITE_ERROR && f->judged && !f->deliver && !f->failed;
	if (f->stopped)
		return finish(f);
	if (code != CURLE_OK && !enough)
		fail_with(f, code);
	else
		judge(f);
	if (!f->failed && is_redirect(f->how.status) && follow(f, now))
		return;
	if (!f->failed && f->deliver) {
		uint64_t want = f->to != 0 ? f->to - f->from : f->size != 0 ? f->size : f->got;
		if (f->got != want)
			fail(f, SHOAL_ERR_CLOSED, "the answer ended early");
	}
	curl_off_t retry = 0;
	if (curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &retry) == CURLE_OK && retry > 0)
		f->how.retry_after = retry < UINT32_MAX ? (uint32_t)retry : UINT32_MAX;
	finish(f);
}

/* ---- from outside ---------------------------------------------------------------------------- */

static int start_curl(struct shoal_http *h)
{
	if (h->multi != NULL)
		return 0;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return SHOAL_ERR_NOMEM;
	h->multi = curl_multi_init();
	if (h->multi == NULL) {
		curl_global_cleanup();
		return SHOAL_ERR_NOMEM;
	}
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_sock);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)SHOAL_HTTP_HOST_MAX);
	curl_multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)SHOAL_HTTP_ACTIVE_MAX);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
	return 0;
}

static char *copy_of(const char *text, bool *good)
{
	char *copy = text != NULL ? strdup(text) : NULL;
	*good = *good && (text == NULL || copy != NULL);
	return copy;
}

int shoal_http_new(struct shoal_http **out, struct shoal_loop *loop, const struct shoal_os_ops *os,
		   const struct shoal_http_user *user, const struct shoal_http_options *options)
{
	struct shoal_http *h = calloc(1, sizeof *h);
	bool good = h != NULL;
	if (h == NULL)
		return SHOAL_ERR_NOMEM;
	h->loop = loop;
	h->os = os;
	h->user = *user;
	h->timer_at = SHOAL_NEVER;
	h->agent = copy_of(options->agent != NULL ? options->agent : "shoal", &good);
	h->proxy = copy_of(options->proxy, &good);
	h->ca_file = copy_of(options->ca_file, &good);
	if (!good) {
		shoal_http_free(h);
		return SHOAL_ERR_NOMEM;
	}
	*out = h;
	return 0;
}

void shoal_http_free(struct shoal_http *h)
{
	if (h == NULL)
		return;
	while (h->fetches != NULL)
		fetch_free(h->fetches);
	if (h->multi != NULL) {
		curl_multi_cleanup(h->multi);
		curl_global_cleanup();
	}
	while (h->socks != NULL)
		sock_free(h, h->socks);
	free(h->agent);
	free(h->proxy);
	free(h->ca_file);
	free(h);
}

int shoal_http_fetch(struct shoal_http *h, const struct shoal_fetch *ask, uint64_t cookie)
{
	if (ask->to != 0 ? ask->from >= ask->to : ask->from != 0)
		return SHOAL_ERR_USAGE;
	if (h->count >= SHOAL_HTTP_FETCHES_MAX)
		return SHOAL_ERR_BUSY;
	if (ask->url.len > SHOAL_URL_MAX)
		return SHOAL_ERR_TOO_LONG;
	int rc = start_curl(h);
	if (rc < 0)
		return rc;
	struct fetch *f = calloc(1, sizeof *f);
	char *url = malloc(ask->url.len + 1);
	if (f == NULL || url == NULL) {
		free(f);
		free(url);
		return SHOAL_ERR_NOMEM;
	}
	memcpy(url, ask->url.at, ask->url.len);
	url[ask->url.len] = '\0';
	*f = (struct fetch){
		.h = h,
		.cookie = cookie,
		.url = url,
		.from = ask->from,
		.to = ask->to,
		.size = ask->size,
		.most = ask->most,
		.until = shoal_loop_now(h->loop) + (ask->timeout < SHOAL_S(86400) ? ask->timeout : SHOAL_S(86400)),
		.flags = ask->flags,
	};
	struct fetch **last = &h->fetches; /* in the order they were asked */
	while (*last != NULL)
		last = &(*last)->next;
	*last = f;
	h->count++;
	h->work = true; /* libcurl may be on the stack now: the next tick begins it */
	return 0;
}

void shoal_http_stop(struct shoal_http *h, uint64_t cookie)
{
	for (struct fetch *f = h->fetches; f != NULL; f = f->next) {
		if (f->cookie == cookie && !f->stopped) {
			f->stopped = h->work = true;
			return;
		}
	}
}

shoal_us shoal_http_deadline(const struct shoal_http *h)
{
	return h->work ? 0 : h->timer_at;
}

static void begin_waiting(struct shoal_http *h, shoal_us now)
{
	h->work = false;
	for (struct fetch *f = h->fetches, *next; f != NULL; f = next) {
		next = f->next;
		if (f->stopped) {
			fetch_free(f);
			continue;
		}
		if (f->state == FETCH_WAITING && h->active < SHOAL_HTTP_ACTIVE_MAX && begin(f, now) < 0) {
			finish(f); /* the user may change the list: from the start, next time */
			h->work = true;
			return;
		}
	}
}

void shoal_http_tick(struct shoal_http *h, shoal_us now)
{
	CURLMsg *msg;
	int running, left;
	if (h->multi == NULL)
		return;
	if (h->work)
		begin_waiting(h, now);
	if (h->timer_at <= now) {
		h->timer_at = SHOAL_NEVER;
		(void)curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	while ((msg = curl_multi_info_read(h->multi, &left)) != NULL) {
		char *mine = NULL;
		if (msg->msg != CURLMSG_DONE)
			continue;
		CURLcode code = msg->data.result; /* `msg` goes with its handle */
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &mine);
		hop_ended((struct fetch *)(void *)mine, code, now);
		h->work = h->work || h->count > h->active; /* one more may begin */
	}
}
