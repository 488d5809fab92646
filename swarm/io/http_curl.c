/* swarm/io/http_curl.c - libcurl's multi_socket interface on our loop, and what the world asks of it. */
#include <stdlib.h>
#include <string.h>
#include "swarm/io/http_room.h"

#define IDLE_CONNECTIONS 16L

struct shoal_http_sock { /* one descriptor libcurl waits for */
	struct shoal_http_sock *next;
	struct shoal_http *h;
	struct shoal_watch watch;
	curl_socket_t fd;
};

/* ---- descriptors and time ------------------------------------------------------------ */

static void on_ready(void *to, unsigned what)
{
	struct shoal_http_sock *s = to;
	struct shoal_http *h = s->h;
	int running;
	/* It may end this watch, and others. */
	(void)curl_multi_socket_action(h->multi, s->fd, what & SHOAL_LOOP_READ ? CURL_CSELECT_IN : CURL_CSELECT_OUT,
				       &running);
}

static void sock_free(struct shoal_http *h, struct shoal_http_sock *s)
{
	struct shoal_http_sock **at = &h->socks;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	shoal_watch_fini(&s->watch);
	free(s);
}

static int on_sock(CURL *easy, curl_socket_t fd, int what, void *user, void *mine)
{
	struct shoal_http *h = user;
	struct shoal_http_sock *s = mine;
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

int shoal_http_on_close(void *to, curl_socket_t fd)
{
	struct shoal_http *h = to;
	/* None is left, if libcurl keeps its word. */
	for (struct shoal_http_sock *s = h->socks, *next; s != NULL; s = next) {
		next = s->next;
		if (s->fd == fd)
			sock_free(h, s);
	}
	return h->os->close(fd);
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
		shoal_http_job_free(h->fetches);
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
	struct shoal_http_job *f = calloc(1, sizeof *f);
	char *url = malloc(ask->url.len + 1);
	if (f == NULL || url == NULL) {
		free(f);
		free(url);
		return SHOAL_ERR_NOMEM;
	}
	memcpy(url, ask->url.at, ask->url.len);
	url[ask->url.len] = '\0';
	*f = (struct shoal_http_job){
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
	struct shoal_http_job **last = &h->fetches; /* in the order they were asked */
	while (*last != NULL)
		last = &(*last)->next;
	*last = f;
	h->count++;
	h->work = true; /* libcurl may be on the stack now: the next tick begins it */
	return 0;
}

void shoal_http_stop(struct shoal_http *h, uint64_t cookie)
{
	for (struct shoal_http_job *f = h->fetches; f != NULL; f = f->next) {
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
	for (struct shoal_http_job *f = h->fetches, *next; f != NULL; f = next) {
		next = f->next;
		if (f->stopped) {
			shoal_http_job_free(f);
			continue;
		}
		if (f->state == SHOAL_HTTP_WAITING && h->active < SHOAL_HTTP_ACTIVE_MAX &&
		    shoal_http_begin(f, now) < 0) {
			shoal_http_finish(f); /* the user may change the list: from the start, next time */
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
		shoal_http_hop_ended((struct shoal_http_job *)(void *)mine, code, now);
		h->work = h->work || h->count > h->active; /* one more may begin */
	}
}
