/* tracker.c - see tracker.h. */
#include "tools/lab/world/tracker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/tracker_udp.h"
#include "tools/lab/world/must.h"

#define TAKES SHOAL_MS(30) /* an answer over HTTP */
#define SILENCE SHOAL_S(30)
#define GIVES_MAX 200u
#define UDP_MAGIC UINT64_C(0x41727101980)
#define UDP_CONNECTION UINT64_C(0x5a0a15a0a1)

struct listed {
	struct shoal_addr addr;
	shoal_us until;
};
struct said { /* what an announce says */
	struct shoal_addr from;
	enum shoal_tracker_event event;
	uint32_t want;
};
struct asked {
	struct sim_alarm alarm;
	struct asked *next;
	struct sim_tracker *t;
	struct sim_node *node;
	unsigned life;
	uint64_t cookie;
	bool silent;
	int err; /* or 0, and `body` is the answer */
	size_t len;
	uint8_t body[];
};
struct sim_tracker {
	struct sim_tracker_options o;
	char host[254];
	struct sim *sim;
	struct shoal_rng dice;
	struct listed *peer;
	size_t room;
	struct sim_tracker_seen seen;
	struct asked *asked;
	/* who had the fetches before */
	int (*fetch)(void *web, struct sim_node *n, const struct shoal_fetch *f, uint64_t cookie);
	void (*fetch_stop)(void *web, struct sim_node *n, uint64_t cookie);
	void *web;
};

/* ---- who is there ------------------------------------------------------------------------------ */

static size_t find(const struct sim_tracker *t, const struct shoal_addr *addr)
{
	size_t i = 0;
	while (i < t->seen.peers && !shoal_addr_equal(&t->peer[i].addr, addr))
		i++;
	return i;
}

static void drop(struct sim_tracker *t, size_t i)
{
	t->peer[i] = t->peer[--t->seen.peers];
}

static void note(struct sim_tracker *t, const struct said *said)
{
	shoal_us now = sim_now(t->sim);
	t->seen.started += said->event == SHOAL_TRACKER_STARTED;
	t->seen.completed += said->event == SHOAL_TRACKER_COMPLETED;
	t->seen.stopped += said->event == SHOAL_TRACKER_STOPPED;
	for (size_t i = t->seen.peers; i-- > 0;)
		if (t->peer[i].until <= now)
			drop(t, i);
	size_t i = find(t, &said->from);
	if (said->event == SHOAL_TRACKER_STOPPED) {
		if (i < t->seen.peers)
			drop(t, i);
		return;
	}
	if (i == t->room) {
		t->room = t->room ? 2 * t->room : 64;
		t->peer = sim_must(realloc(t->peer, t->room * sizeof *t->peer));
	}
	if (i == t->seen.peers)
		t->seen.peers++;
	t->peer[i] = (struct listed){ said->from, now + SHOAL_S(2 * (uint64_t)t->o.interval) };
}

/* Some of the others, compact. The bytes. */
static size_t give(struct sim_tracker *t, const struct said *said, uint8_t out[GIVES_MAX * SHOAL_COMPACT4])
{
	size_t n = t->seen.peers, want = said->want < GIVES_MAX ? said->want : GIVES_MAX, len = 0;
	for (size_t i = 0; i < n && len < want * SHOAL_COMPACT4; i++) { /* the first of a shuffle, in place */
		size_t k = i + shoal_rng_below(&t->dice, (uint32_t)(n - i));
		struct listed one = t->peer[k];
		t->peer[k] = t->peer[i];
		t->peer[i] = one;
		if (one.addr.is_v4 && !shoal_addr_equal(&one.addr, &said->from))
			len += shoal_compact_encode(&one.addr, out + len);
	}
	return len;
}

/* ---- HTTP ---------------------------------------------------------------------------------------- */

/* The value of `name` in a query as a number; `standard` when it is not there. */
static uint64_t query_number(struct shoal_bytes query, const char *name, uint64_t standard)
{
	size_t len = strlen(name);
	for (size_t i = 0; i + len < query.len; i++) {
		if ((i > 0 && query.at[i - 1] != '&') || memcmp(query.at + i, name, len) != 0 ||
		    query.at[i + len] != '=')
			continue;
		uint64_t v = 0;
		for (i += len + 1; i < query.len && query.at[i] >= '0' && query.at[i] <= '9'; i++)
			v = v * 10 + (uint64_t)(query.at[i] - '0');
		return v;
	}
	return standard;
}

static bool query_says(struct shoal_bytes query, const char *text)
{
	size_t len = strlen(text);
	for (size_t i = 0; i + len <= query.len; i++)
		if ((i == 0 || query.at[i - 1] == '&') && memcmp(query.at + i, text, len) == 0)
			return true;
	return false;
}

static void asked_free(struct asked *a)
{
	struct asked **at = &a->t->asked;
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	sim_alarm_drop(sim_clock(a->node->sim), &a->alarm);
	free(a);
}

static void on_answer(struct sim_alarm *alarm)
{
	struct asked *a = SIM_OF(alarm, struct asked, alarm);
	struct sim_node *n = a->node;
	struct shoal_fetched how = { .status = 200, .server = a->t->o.addr };
	if (a->err < 0)
		how = (struct shoal_fetched){ .err = a->err };
	if (n->node != NULL && n->life == a->life) {
		if (a->err == 0)
			shoal_node_fetch_data(n->node, a->cookie, 0, shoal_bytes(a->body, a->len), sim_now(n->sim));
		shoal_node_fetch_end(n->node, a->cookie, &how, sim_now(n->sim));
		sim_touch(n);
	}
	asked_free(a);
}

static int tracker_fetch(void *to, struct sim_node *n, const struct shoal_fetch *f, uint64_t cookie)
{
	struct sim_tracker *t = to;
	struct shoal_url url;
	if (shoal_url_parse(f->url, &url) < 0 || t->sim == NULL ||
	    !shoal_bytes_equal(url.host, shoal_bytes(t->host, strlen(t->host))))
		return t->fetch != NULL ? t->fetch(t->web, n, f, cookie) : SHOAL_ERR_NET;
	struct said said = { .from = n->addr, .want = (uint32_t)query_number(url.query, "numwant", 50) };
	said.from.port = (uint16_t)query_number(url.query, "port", 0);
	said.event = query_says(url.query, "event=started")	? SHOAL_TRACKER_STARTED
		     : query_says(url.query, "event=completed") ? SHOAL_TRACKER_COMPLETED
		     : query_says(url.query, "event=stopped")	? SHOAL_TRACKER_STOPPED
								: SHOAL_TRACKER_NONE;
	struct asked *a = sim_must(calloc(1, sizeof *a + 128 + GIVES_MAX * SHOAL_COMPACT4));
	*a = (struct asked){ .alarm = { .ring = on_answer },
			     .next = t->asked,
			     .t = t,
			     .node = n,
			     .life = n->life,
			     .cookie = cookie,
			     .silent = t->o.silent || n->line.cut };
	t->asked = a;
	bool family = f->flags & (t->o.addr.is_v4 ? SHOAL_FETCH_V6 : SHOAL_FETCH_V4);
	a->err = a->silent ? SHOAL_ERR_TIMEOUT : family ? SHOAL_ERR_NET : 0; /* its name has the other family alone */
	if (t->o.refuses) {
		a->len = (size_t)snprintf((char *)a->body, 128, "d14:failure reason7:refusede");
	} else if (a->err == 0) {
		uint8_t peers[GIVES_MAX * SHOAL_COMPACT4];
		t->seen.http++;
		note(t, &said);
		size_t len = give(t, &said, peers);
		a->len = (size_t)snprintf((char *)a->body, 128, "d8:intervali%ue5:peers%zu:", t->o.interval, len);
		memcpy(a->body + a->len, peers, len);
		a->len += len;
		a->body[a->len++] = 'e';
	}
	sim_alarm_set(sim_clock(n->sim), &a->alarm, sim_now(n->sim) + (a->silent ? SILENCE : TAKES + n->line.delay));
	return 0;
}

static void tracker_stop(void *to, struct sim_node *n, uint64_t cookie)
{
	struct sim_tracker *t = to;
	for (struct asked *a = t->asked; a != NULL; a = a->next)
		if (a->node == n && a->cookie == cookie)
			return asked_free(a);
	if (t->fetch_stop != NULL)
		t->fetch_stop(t->web, n, cookie);
}

/* ---- UDP ------------------------------------------------------------------------------------------- */

static void hears(void *to, const struct shoal_addr *from, struct shoal_bytes in)
{
	struct sim_tracker *t = to;
	uint8_t out[20 + GIVES_MAX * SHOAL_COMPACT4];
	uint32_t action = in.len >= 16 ? shoal_get_u32(in.at + 8) : UINT32_MAX;
	if (t->o.silent || action == UINT32_MAX)
		return;
	if (action == SHOAL_TRACKER_UDP_CONNECT && shoal_get_u64(in.at) == UDP_MAGIC) {
		shoal_put_u32(out, SHOAL_TRACKER_UDP_CONNECT);
		memcpy(out + 4, in.at + 12, 4);
		shoal_put_u64(out + 8, UDP_CONNECTION);
		return sim_service_say(t->sim, &t->o.addr, from, shoal_bytes(out, 16));
	}
	if (action != SHOAL_TRACKER_UDP_ANNOUNCE || in.len < SHOAL_TRACKER_UDP_ANNOUNCE_BYTES ||
	    shoal_get_u64(in.at) != UDP_CONNECTION)
		return;
	struct said said = { .from = *from,
			     .event = (enum shoal_tracker_event)shoal_get_u32(in.at + 80),
			     .want = shoal_get_u32(in.at + 92) };
	said.from.port = shoal_get_u16(in.at + 96);
	shoal_put_u32(out, t->o.refuses ? SHOAL_TRACKER_UDP_ERROR : SHOAL_TRACKER_UDP_ANNOUNCE);
	memcpy(out + 4, in.at + 12, 4);
	if (t->o.refuses) {
		memcpy(out + 8, "refused", 7);
		return sim_service_say(t->sim, &t->o.addr, from, shoal_bytes(out, 15));
	}
	t->seen.udp++;
	note(t, &said);
	shoal_put_u32(out + 8, t->o.interval);
	shoal_put_u32(out + 12, 0);
	shoal_put_u32(out + 16, t->seen.peers);
	sim_service_say(t->sim, &t->o.addr, from, shoal_bytes(out, 20 + give(t, &said, out + 20)));
}

/* ---- its life ---------------------------------------------------------------------------------------- */

struct sim_tracker *sim_tracker_new(struct sim_options *world)
{
	struct sim_tracker *t = sim_must(calloc(1, sizeof *t));
	t->fetch = world->fetch;
	t->fetch_stop = world->fetch_stop;
	t->web = world->web;
	world->fetch = tracker_fetch;
	world->fetch_stop = tracker_stop;
	world->web = t;
	return t;
}

void sim_tracker_open(struct sim_tracker *t, struct sim *sim, const struct sim_tracker_options *options)
{
	assert(t->sim == NULL && strlen(options->host) < sizeof t->host);
	t->o = *options;
	t->o.interval = t->o.interval ? t->o.interval : 1800;
	snprintf(t->host, sizeof t->host, "%s", options->host);
	t->sim = sim;
	t->dice = shoal_rng_split(shoal_rng_u64(sim_dice(sim)), 3);
	sim_name(sim, t->host, &t->o.addr);
	if (t->o.addr.port != 0)
		sim_service(sim, &t->o.addr, hears, t);
}

void sim_tracker_free(struct sim_tracker *t)
{
	if (t == NULL)
		return;
	assert(t->asked == NULL); /* the world went first, and its nodes' questions with it */
	free(t->peer);
	free(t);
}

void sim_tracker_mood(struct sim_tracker *t, bool silent, bool refuses)
{
	t->o.silent = silent;
	t->o.refuses = refuses;
}

struct sim_tracker_seen sim_tracker_seen(const struct sim_tracker *t)
{
	return t->seen;
}
