/* web.c - see web.h. */
#include "tools/lab/world/web.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/url.h"
#include "tools/lab/world/must.h"

#define HOSTS_MAX 8
#define LUMP (20u * 1000) /* bytes told at a time: no multiple of a block */

struct host {
	struct sim_web_options o;
	struct sim_web_seen seen;
	unsigned left; /* answers in its mood */
	unsigned open;
};
struct ask {
	struct sim_alarm alarm;
	struct ask *next;
	struct sim_web *web;
	struct host *host; /* NULL: nobody there */
	struct sim_node *node;
	unsigned life;
	uint64_t cookie;
	uint64_t from, to, at, stream; /* of the file; and where the file begins */
	uint64_t size, expected;
	bool ranged, answered, false_bytes;
	struct shoal_fetched how;
	uint64_t stop_at; /* goes no further */
	bool hangs;
};
struct sim_web {
	struct host host[HOSTS_MAX];
	unsigned hosts;
	struct ask *asks;
};

struct sim_web *sim_web_new(void)
{
	return sim_must(calloc(1, sizeof(struct sim_web)));
}

static void ask_free(struct ask *a)
{
	struct ask **at = &a->web->asks;
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	if (a->host != NULL)
		a->host->open--;
	sim_alarm_drop(sim_clock(a->node->sim), &a->alarm);
	free(a);
}

void sim_web_free(struct sim_web *web)
{
	free(web); /* the world went first, and its questions with it */
}

void sim_web_add(struct sim_web *web, const struct sim_web_options *options)
{
	assert(web->hosts < HOSTS_MAX);
	struct host *h = &web->host[web->hosts++];
	h->o = *options;
	h->o.rate = h->o.rate ? h->o.rate : 4u << 20;
	h->o.delay = h->o.delay ? h->o.delay : SHOAL_MS(20);
	h->left = h->o.moods ? h->o.moods : UINT32_MAX;
}

static struct host *host_of(const struct sim_web *web, struct shoal_bytes name)
{
	for (unsigned i = 0; i < web->hosts; i++)
		if (shoal_bytes_equal(name, shoal_bytes(web->host[i].o.host, strlen(web->host[i].o.host))))
			return (struct host *)(uintptr_t)&web->host[i];
	return NULL;
}

void sim_web_mood(struct sim_web *web, const char *host, enum sim_web_mood mood)
{
	struct host *h = host_of(web, shoal_bytes(host, strlen(host)));
	h->o.mood = mood;
	h->left = UINT32_MAX;
}

struct sim_web_seen sim_web_seen(const struct sim_web *web, const char *host)
{
	return host_of(web, shoal_bytes(host, strlen(host)))->seen;
}

unsigned sim_web_open(const struct sim_web *web)
{
	unsigned n = 0;
	for (const struct ask *a = web->asks; a != NULL; a = a->next)
		n++;
	return n;
}

/* ---- a question -------------------------------------------------------------------------- */

static size_t unescape(struct shoal_bytes in, uint8_t *out)
{
	size_t n = 0;
	for (size_t i = 0; i < in.len; i++) {
		if (in.at[i] == '%' && i + 2 < in.len) {
			char hex[3] = { (char)in.at[i + 1], (char)in.at[i + 2], 0 };
			out[n++] = (uint8_t)strtoul(hex, NULL, 16);
			i += 2;
		} else {
			out[n++] = in.at[i];
		}
	}
	return n;
}

static bool ends_with(const uint8_t *text, size_t len, const uint8_t *end, size_t n)
{
	return len > n && memcmp(text + len - n, end, n) == 0 && text[len - n - 1] == '/';
}

static bool find_file(struct ask *a, struct shoal_bytes path)
{
	const struct shoal_metainfo *mi = a->host->o.content->mi;
	uint8_t plain[SHOAL_URL_MAX], name[SHOAL_PATH_BYTES_MAX + 1];
	size_t len = unescape(path, plain);
	for (uint32_t f = 0; f < shoal_metainfo_file_count(mi); f++) {
		if (shoal_metainfo_file_flags(mi, f) & SHOAL_FILE_PAD)
			continue;
		int n = shoal_metainfo_path_raw(mi, f, (struct shoal_space){ name, sizeof name });
		if (n < 0 || !ends_with(plain, len, name, (size_t)n))
			continue;
		const char *lacks = a->host->o.lacks;
		if (lacks != NULL && ends_with(name, (size_t)n, (const uint8_t *)lacks, strlen(lacks)))
			return false;
		a->size = shoal_metainfo_file_size(mi, f);
		a->stream = shoal_metainfo_file_offset(mi, f);
		return true;
	}
	return false;
}

/* How it will be answered. */
static void settle(struct ask *a, struct shoal_bytes path)
{
	struct host *h = a->host;
	enum sim_web_mood mood = h->left > 0 ? h->o.mood : SIM_WEB_GOOD;
	h->left -= h->left > 0;
	a->stop_at = UINT64_MAX;
	if (mood == SIM_WEB_REFUSED || mood == SIM_WEB_DOWN) {
		a->how.err = mood == SIM_WEB_DOWN ? SHOAL_ERR_NET : SHOAL_ERR_REFUSED;
		return;
	}
	if (mood == SIM_WEB_STATUS) {
		a->how.status = h->o.status;
		a->how.retry_after = h->o.retry_after;
		return;
	}
	if (!find_file(a, path)) {
		h->seen.unknown++;
		a->how.status = 404;
		return;
	}
	if (!a->ranged)
		a->to = a->size;
	a->how.status = a->ranged ? 206 : 200;
	a->how.total = a->size;
	a->false_bytes = mood == SIM_WEB_FALSE;
	if (a->to > a->size || (a->expected != 0 && a->expected != a->size) ||
	    (a->ranged && mood == SIM_WEB_NO_RANGES)) {
		a->how.err = SHOAL_ERR_MALFORMED;
		a->how.status = mood == SIM_WEB_NO_RANGES ? 200 : 416;
		a->to = a->from;
		return;
	}
	if (mood == SIM_WEB_CUT || mood == SIM_WEB_SILENT)
		a->stop_at = a->from + h->o.at;
	a->hangs = mood == SIM_WEB_SILENT;
	if (mood == SIM_WEB_CUT && a->stop_at < a->to)
		a->how.err = SHOAL_ERR_CLOSED;
}

static void tell(struct ask *a)
{
	struct sim_node *n = a->node;
	struct host *h = a->host;
	uint8_t lump[LUMP];
	uint64_t len = a->to - a->at < LUMP ? a->to - a->at : LUMP;
	uint64_t cookie = a->cookie;
	if (a->at + len > a->stop_at)
		len = a->stop_at - a->at;
	sim_content_bytes(h->o.content->seed, a->stream + a->at, lump, len);
	if (a->false_bytes)
		for (uint64_t i = 0; i < len; i++)
			lump[i] ^= a->stream + a->at + i >= h->o.at ? 0x55 : 0;
	uint64_t at = a->at;
	a->at += len;
	h->seen.bytes += len;
	/* The next one, at this host's rate shared among all it serves. It may be stopped from inside. */
	sim_alarm_set(sim_clock(n->sim), &a->alarm,
		      sim_now(n->sim) + len * 1000000 * (h->open ? h->open : 1) / h->o.rate + 1);
	shoal_node_fetch_data(n->node, cookie, at, shoal_bytes(lump, len), sim_now(n->sim));
	sim_touch(n);
}

static void on_alarm(struct sim_alarm *alarm)
{
	struct ask *a = SIM_OF(alarm, struct ask, alarm);
	struct sim_node *n = a->node;
	if (n->node == NULL || n->life != a->life)
		return ask_free(a);
	bool body = a->host != NULL && (a->how.status == 200 || a->how.status == 206) && a->to > a->from;
	if (body && a->at < a->to && a->at < a->stop_at)
		return tell(a);
	if (a->hangs && a->at >= a->stop_at && a->at < a->to) {
		a->hangs = false; /* as the HTTP client's low-speed limit has it */
		a->how.err = SHOAL_ERR_TIMEOUT;
		return sim_alarm_set(sim_clock(n->sim), &a->alarm, sim_now(n->sim) + SHOAL_S(15));
	}
	struct shoal_fetched how = a->how;
	uint64_t cookie = a->cookie;
	ask_free(a);
	shoal_node_fetch_end(n->node, cookie, &how, sim_now(n->sim));
	sim_touch(n);
}

static int web_fetch(void *to, struct sim_node *n, const struct shoal_fetch *f, uint64_t cookie)
{
	struct sim_web *web = to;
	struct shoal_url url;
	if (shoal_url_parse(f->url, &url) < 0 || url.scheme == SHOAL_URL_UDP)
		return SHOAL_ERR_USAGE;
	struct ask *a = sim_must(calloc(1, sizeof *a));
	a->alarm.ring = on_alarm;
	a->web = web;
	a->node = n;
	a->life = n->life;
	a->cookie = cookie;
	a->from = a->at = f->from;
	a->to = f->to;
	a->ranged = f->to != 0;
	a->expected = f->size;
	a->host = host_of(web, url.host);
	a->next = web->asks;
	web->asks = a;
	shoal_us delay = SHOAL_MS(5);
	if (a->host == NULL) {
		a->how.err = SHOAL_ERR_NET;
	} else {
		struct host *h = a->host;
		h->open++;
		h->seen.questions++;
		h->seen.most_at_once = h->open > h->seen.most_at_once ? h->open : h->seen.most_at_once;
		h->seen.untrusted |= !(f->flags & SHOAL_FETCH_TRUSTED);
		delay = h->o.delay;
		settle(a, url.path);
	}
	sim_alarm_set(sim_clock(n->sim), &a->alarm, sim_now(n->sim) + delay);
	return 0;
}

static void web_stop(void *to, struct sim_node *n, uint64_t cookie)
{
	struct sim_web *web = to;
	for (struct ask *a = web->asks; a != NULL; a = a->next)
		if (a->node == n && a->cookie == cookie)
			return ask_free(a);
	sim_breach(n->sim, n, "stops a fetch that it has not begun");
}

void sim_web_into(struct sim_web *web, struct sim_options *options)
{
	options->fetch = web_fetch;
	options->fetch_stop = web_stop;
	options->web = web;
}
