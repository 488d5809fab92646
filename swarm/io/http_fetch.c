/* swarm/io/http_fetch.c - one fetch: the rules it is given, its hops from server to server, and how it ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "swarm/io/http_room.h"

#define BODY_BUFFER (256 * 1024L) /* libcurl's read buffer for ranges: fewer, larger steps into the slots */
#define HOST_CACHE_S 60L

void shoal_http_fail(struct shoal_http_job *f, int err, const char *what)
{
	if (f->failed)
		return;
	f->failed = true;
	f->how.err = err;
	snprintf(f->how.what, sizeof f->how.what, "%s", what);
}

void shoal_http_job_free(struct shoal_http_job *f)
{
	struct shoal_http *h = f->h;
	struct shoal_http_job **at = &h->fetches;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	h->count--;
	if (f->state == SHOAL_HTTP_ACTIVE) {
		curl_multi_remove_handle(h->multi, f->easy);
		h->active--;
	}
	curl_easy_cleanup(f->easy);
	free(f->url);
	free(f);
}

#define SET(option, value) good = good && curl_easy_setopt(f->easy, option, value) == CURLE_OK

static bool set_rules(struct shoal_http_job *f)
{
	struct shoal_http *h = f->h;
	bool good = true;
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L); /* we do, by our own rules */
	SET(CURLOPT_OPENSOCKETFUNCTION, shoal_http_on_open);
	SET(CURLOPT_OPENSOCKETDATA, f);
	SET(CURLOPT_CLOSESOCKETFUNCTION, shoal_http_on_close);
	SET(CURLOPT_CLOSESOCKETDATA, h);
	SET(CURLOPT_PREREQFUNCTION, shoal_http_on_request);
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
	SET(CURLOPT_HEADERFUNCTION, shoal_http_on_header);
	SET(CURLOPT_HEADERDATA, f);
	SET(CURLOPT_WRITEFUNCTION, shoal_http_on_body);
	SET(CURLOPT_WRITEDATA, f);
	SET(CURLOPT_PRIVATE, f);
	if (f->flags & (SHOAL_FETCH_V4 | SHOAL_FETCH_V6)) {
		SET(CURLOPT_IPRESOLVE, f->flags & SHOAL_FETCH_V4 ? (long)CURL_IPRESOLVE_V4 : (long)CURL_IPRESOLVE_V6);
		SET(CURLOPT_FRESH_CONNECT, 1L); /* a warm connection may be of the other family */
	}
	return good;
}

static bool set_question(struct shoal_http_job *f, shoal_us now)
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
static bool url_fits(struct shoal_http_job *f)
{
	struct shoal_url url;
	if (shoal_url_parse(shoal_bytes(f->url, strlen(f->url)), &url) < 0 || url.scheme == SHOAL_URL_UDP)
		return false;
	if (f->hops > 0 && f->https && url.scheme != SHOAL_URL_HTTPS)
		return false;
	f->https = url.scheme == SHOAL_URL_HTTPS;
	return f->h->proxy == NULL || shoal_http_may_by_proxy(f, &url);
}

int shoal_http_begin(struct shoal_http_job *f, shoal_us now)
{
	struct shoal_http *h = f->h;
	if (!url_fits(f)) {
		shoal_http_fail(f, SHOAL_ERR_REFUSED,
				f->hops > 0 ? "it redirects to where we do not follow"
					    : "not an address to be asked for by a stranger");
		return SHOAL_ERR_REFUSED;
	}
	if (f->easy == NULL) {
		f->easy = curl_easy_init();
		if (f->easy == NULL || !set_rules(f)) {
			shoal_http_fail(f, SHOAL_ERR_NOMEM, "no memory");
			return SHOAL_ERR_NOMEM;
		}
	}
	f->range_told = f->judged = f->deliver = f->refused = false;
	f->got = 0;
	f->how = (struct shoal_fetched){ 0 };
	if (!set_question(f, now) || curl_multi_add_handle(h->multi, f->easy) != CURLM_OK) {
		shoal_http_fail(f, SHOAL_ERR_NOMEM, "no memory");
		return SHOAL_ERR_NOMEM;
	}
	f->state = SHOAL_HTTP_ACTIVE;
	h->active++;
	return 0;
}

void shoal_http_finish(struct shoal_http_job *f)
{
	struct shoal_http *h = f->h;
	struct shoal_fetched how = f->how;
	uint64_t cookie = f->cookie;
	bool told = !f->stopped;
	shoal_http_job_free(f);
	if (told)
		h->user.end(h->user.to, cookie, &how);
}

/* The next hop of a redirect: true when it is under way. */
static bool follow(struct shoal_http_job *f, shoal_us now)
{
	struct shoal_http *h = f->h;
	char *to = NULL;
	curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &to);
	if (to == NULL) {
		shoal_http_fail(f, SHOAL_ERR_MALFORMED, "it redirects to nowhere");
		return false;
	}
	if (++f->hops > SHOAL_HTTP_REDIRECTS_MAX) {
		shoal_http_fail(f, SHOAL_ERR_REFUSED, "it redirects without end");
		return false;
	}
	char *copy = strlen(to) <= SHOAL_URL_MAX ? strdup(to) : NULL;
	if (copy == NULL) {
		shoal_http_fail(f, SHOAL_ERR_TOO_LONG, "it redirects to where we do not follow");
		return false;
	}
	free(f->url);
	f->url = copy;
	curl_multi_remove_handle(h->multi, f->easy);
	f->state = SHOAL_HTTP_WAITING;
	h->active--;
	return shoal_http_begin(f, now) == 0;
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

static void fail_with(struct shoal_http_job *f, CURLcode code)
{
	if (f->refused)
		return shoal_http_fail(f, SHOAL_ERR_REFUSED,
				       "it leads to this host or its neighbours, and nobody here asked for that");
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (endings[i].code == code)
			return shoal_http_fail(f, endings[i].err,
					       endings[i].what != NULL ? endings[i].what : curl_easy_strerror(code));
	shoal_http_fail(f, SHOAL_ERR_NET, curl_easy_strerror(code));
}

void shoal_http_hop_ended(struct shoal_http_job *f, CURLcode code, shoal_us now)
{
	/* An error's body that was cut short: the answer itself is whole. */
	bool enough = code == CURLE_WRITE_ERROR && f->judged && !f->deliver && !f->failed;
	if (f->stopped)
		return shoal_http_finish(f);
	if (code != CURLE_OK && !enough)
		fail_with(f, code);
	else
		shoal_http_judge(f);
	if (!f->failed && shoal_http_redirects(f->how.status) && follow(f, now))
		return;
	if (!f->failed && f->deliver) {
		uint64_t want = f->to != 0 ? f->to - f->from : f->size != 0 ? f->size : f->got;
		if (f->got != want)
			shoal_http_fail(f, SHOAL_ERR_CLOSED, "the answer ended early");
	}
	curl_off_t retry = 0;
	if (curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &retry) == CURLE_OK && retry > 0)
		f->how.retry_after = retry < UINT32_MAX ? (uint32_t)retry : UINT32_MAX;
	shoal_http_finish(f);
}
