/* own_trackers.c - see own_trackers.h. */
#include "tests/unit/own_trackers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/compact.h"

/* ---- the world -------------------------------------------------------------------------- */

static struct own_ask *keep(struct own_trackers *w, enum own_ask_kind kind, uint64_t cookie, const void *text,
			    size_t len)
{
	if (w->asks == w->room) {
		w->room = w->room ? w->room * 2 : 64;
		w->ask = realloc(w->ask, w->room * sizeof *w->ask);
		assert_non_null(w->ask);
	}
	struct own_ask *a = &w->ask[w->asks++];
	*a = (struct own_ask){ .kind = kind, .at = w->now, .cookie = cookie, .len = len };
	assert_true(len < sizeof a->text);
	memcpy(a->text, text, len);
	return a;
}

static void world_secret(void *to, struct shoal_space out)
{
	struct own_trackers *w = to;
	for (size_t i = 0; i < out.len; i++)
		out.at[i] = (uint8_t)((w->dice = w->dice * 6364136223846793005u + 1442695040888963407u) >> 56);
}

static int world_dial(void *to, const struct shoal_addr *addr, uint64_t cookie)
{
	(void)addr, (void)cookie;
	((struct own_trackers *)to)->dials++;
	return SHOAL_ERR_NET;
}

static void world_wake(void *to, shoal_us at)
{
	((struct own_trackers *)to)->wake_at = at;
}

static int64_t world_unix(void *to)
{
	(void)to;
	return 0;
}

static int world_fetch(void *to, const struct shoal_fetch *f, uint64_t cookie)
{
	struct own_trackers *w = to;
	struct own_ask *a = keep(w, OWN_FETCH, cookie, f->url.at, f->url.len);
	a->flags = f->flags;
	a->timeout = f->timeout;
	w->under_way++;
	w->most = w->under_way > w->most ? w->under_way : w->most;
	assert_true(f->most <= SHOAL_TRACKER_HTTP_BODY_MAX);
	return 0;
}

static void over(struct own_trackers *w, struct own_ask *a)
{
	a->answered = true;
	if (a->kind == OWN_FETCH)
		w->under_way--;
}

static void world_fetch_stop(void *to, uint64_t cookie)
{
	struct own_trackers *w = to;
	for (size_t i = 0; i < w->asks; i++)
		if (w->ask[i].kind == OWN_FETCH && w->ask[i].cookie == cookie && !w->ask[i].answered) {
			w->ask[i].stopped = true;
			over(w, &w->ask[i]);
		}
}

static int world_resolve(void *to, const char *host, uint64_t cookie)
{
	keep(to, OWN_RESOLVE, cookie, host, strlen(host));
	return 0;
}

static int world_datagram(void *to, const struct shoal_addr *addr, struct shoal_bytes data)
{
	keep(to, OWN_DATAGRAM, 0, data.at, data.len)->to = *addr;
	return 0;
}

static bool world_neighbour(void *to, const struct shoal_addr *addr)
{
	(void)addr;
	return ((struct own_trackers *)to)->neighbours;
}

static const struct shoal_world_ops world = {
	.secret = world_secret,
	.dial = world_dial,
	.wake_at = world_wake,
	.unix_s = world_unix,
	.fetch = world_fetch,
	.fetch_stop = world_fetch_stop,
	.resolve = world_resolve,
	.datagram = world_datagram,
	.neighbour = world_neighbour,
};

/* ---- life ------------------------------------------------------------------------------- */

void own_trackers_open(struct own_trackers *w)
{
	*w = (struct own_trackers){ .now = SHOAL_S(1000), .wake_at = SHOAL_NEVER, .budget = { .limit = 512u << 20 } };
	assert_int_equal(shoal_slots_new(&w->slots, &w->budget), 0);
	struct shoal_node_options options = { .world = { &world, w },
					      .disk = tray_disk(&w->tray),
					      .budget = &w->budget,
					      .slots = w->slots,
					      .rng = shoal_rng_split(7, 1),
					      .port = 6881 };
	assert_int_equal(shoal_node_new(&w->node, &options, w->now), 0);
	w->used_before = w->budget.used;
}

void own_trackers_close(struct own_trackers *w)
{
	while (w->tray.jobs > 0)
		shoal_node_reap(w->node, w->now);
	shoal_node_free(w->node);
	shoal_slots_free(w->slots);
	assert_int_equal(w->budget.used, 0);
	assert_int_equal(w->under_way, 0);
	free(w->ask);
}

static void listen(struct own_trackers *w)
{
	struct shoal_event ev;
	while (shoal_node_poll(w->node, &ev) > 0) {
		size_t have = strlen(w->warnings);
		if (ev.kind == SHOAL_EV_WARNING && have + ev.text.len + 2 < sizeof w->warnings) {
			memcpy(w->warnings + have, ev.text.at, ev.text.len);
			memcpy(w->warnings + have + ev.text.len, "\n", 2);
		}
		if (ev.kind == SHOAL_EV_SCRAPED) {
			w->scraped = ev;
			w->scrapes++;
		} else if (ev.kind == SHOAL_EV_TRACKER) {
			w->last = ev;
			w->told++;
		}
		if (ev.kind == SHOAL_EV_TRACKER || ev.kind == SHOAL_EV_SCRAPED) {
			snprintf(w->last_text, sizeof w->last_text, "%.*s", (int)ev.text.len, (const char *)ev.text.at);
			snprintf(w->last_name, sizeof w->last_name, "%.*s", (int)ev.name.len, (const char *)ev.name.at);
		}
	}
}

void own_trackers_tick(struct own_trackers *w)
{
	shoal_node_reap(w->node, w->now);
	shoal_node_tick(w->node, w->now);
	listen(w);
}

void own_trackers_run(struct own_trackers *w, shoal_us time)
{
	shoal_us end = w->now + time;
	own_trackers_tick(w);
	for (;;) {
		shoal_us next = w->rule != NULL ? w->rule(w) : SHOAL_NEVER;
		if (w->forget) {
			size_t n = 0;
			for (size_t i = 0; i < w->asks; i++)
				if (!w->ask[i].answered)
					w->ask[n++] = w->ask[i];
			w->asks = n;
		}
		next = shoal_min_u64(next, w->wake_at);
		if (next > end)
			break;
		w->now = shoal_max_u64(next, w->now);
		own_trackers_tick(w);
	}
	w->now = end;
	own_trackers_tick(w);
}

static struct shoal_swarm *add(struct own_trackers *w, const struct shoal_op *op)
{
	assert_int_equal(shoal_node_do(w->node, op, w->now), 0);
	struct shoal_swarm *s = w->node->swarms;
	while (s != NULL && s->next != NULL)
		s = s->next;
	assert_non_null(s);
	return s;
}

struct shoal_swarm *own_trackers_magnet(struct own_trackers *w, uint32_t n, bool hybrid, const char *trackers)
{
	char text[4096];
	int at = snprintf(text, sizeof text, "magnet:?xt=urn:btih:%040x", n);
	if (hybrid)
		at += snprintf(text + at, sizeof text - (size_t)at, "&xt=urn:btmh:1220%064x", n);
	for (; *trackers; trackers += strlen(trackers) + 1)
		at += snprintf(text + at, sizeof text - (size_t)at, "&tr=%s", trackers);
	struct shoal_op op = { .kind = SHOAL_OP_ADD, .text = shoal_bytes(text, (size_t)at), .folder = SHOAL_LIT("/x") };
	return add(w, &op);
}

struct shoal_swarm *own_trackers_torrent(struct own_trackers *w, const char *list, bool closed)
{
	char text[4096];
	int at = snprintf(text, sizeof text,
			  "d13:announce-list%s4:infod6:lengthi1000e4:name1:a12:piece lengthi16384e"
			  "6:pieces20:aaaaaaaaaaaaaaaaaaaa%see",
			  list, closed ? "7:privatei1e" : "");
	struct shoal_op op = { .kind = SHOAL_OP_ADD, .data = shoal_bytes(text, (size_t)at), .folder = SHOAL_LIT("/x") };
	struct shoal_swarm *s = add(w, &op);
	for (int i = 0; i < 8 && s->state != SHOAL_SWARM_RUN; i++)
		own_trackers_tick(w);
	assert_int_equal(s->state, SHOAL_SWARM_RUN);
	own_trackers_tick(w);
	return s;
}

/* ---- asks and answers ------------------------------------------------------------------- */

unsigned own_asks_open(const struct own_trackers *w, enum own_ask_kind kind)
{
	unsigned n = 0;
	for (size_t i = 0; i < w->asks; i++)
		n += w->ask[i].kind == kind && !w->ask[i].answered;
	return n;
}

struct own_ask *own_ask(struct own_trackers *w, enum own_ask_kind kind, unsigned n)
{
	for (size_t i = 0; i < w->asks; i++)
		if (w->ask[i].kind == kind && !w->ask[i].answered && n-- == 0)
			return &w->ask[i];
	fail_msg("it did not ask");
	return NULL;
}

struct shoal_addr own_addr(const char *text)
{
	struct shoal_addr addr;
	assert_int_equal(shoal_addr_parse(shoal_bytes(text, strlen(text)), &addr), 0);
	return addr;
}

void own_answer(struct own_trackers *w, struct own_ask *a, const char *server, const void *body, size_t len)
{
	struct shoal_fetched how = { .status = 200, .total = len };
	uint64_t cookie = a->cookie;
	if (server[0])
		how.server = own_addr(server);
	over(w, a);
	for (size_t at = 0; at < len; at += 1000) /* in bits */
		shoal_node_fetch_data(w->node, cookie, at,
				      shoal_bytes((const uint8_t *)body + at, len - at < 1000 ? len - at : 1000),
				      w->now);
	shoal_node_fetch_end(w->node, cookie, &how, w->now);
	own_trackers_tick(w);
}

void own_fail(struct own_trackers *w, struct own_ask *a, int err, int status, uint32_t retry_after)
{
	struct shoal_fetched how = { .err = err, .status = status, .retry_after = retry_after };
	uint64_t cookie = a->cookie;
	over(w, a);
	shoal_node_fetch_end(w->node, cookie, &how, w->now);
	own_trackers_tick(w);
}

void own_resolve(struct own_trackers *w, struct own_ask *a, int err, const char *const ip[], size_t count)
{
	struct shoal_addr addr[16];
	uint64_t cookie = a->cookie;
	for (size_t i = 0; i < count; i++)
		assert_int_equal(shoal_addr_parse_ip(shoal_bytes(ip[i], strlen(ip[i])), &addr[i]), 0);
	over(w, a);
	shoal_node_resolved(w->node, cookie, addr, count, err, w->now);
	own_trackers_tick(w);
}

void own_udp(struct own_trackers *w, struct own_ask *a, uint32_t interval, const void *peers, size_t len)
{
	uint8_t out[4096];
	struct shoal_wr wr = shoal_wr((struct shoal_space){ out, sizeof out });
	struct shoal_addr from = a->to;
	uint32_t action = shoal_get_u32((const uint8_t *)a->text + 8);
	shoal_wr_u32(&wr, action);
	shoal_wr_put(&wr, shoal_bytes(a->text + 12, 4));
	if (action == SHOAL_TRACKER_UDP_CONNECT) {
		shoal_wr_u64(&wr, 0x1122334455667788);
	} else if (action == SHOAL_TRACKER_UDP_SCRAPE) {
		shoal_wr_u32(&wr, 3);
		shoal_wr_u32(&wr, interval);
		shoal_wr_u32(&wr, 4);
	} else {
		shoal_wr_u32(&wr, interval);
		shoal_wr_u32(&wr, 3);
		shoal_wr_u32(&wr, 4);
		shoal_wr_put(&wr, shoal_bytes(peers, len));
	}
	over(w, a);
	assert_false(wr.bad);
	shoal_node_datagram(w->node, &from, shoal_bytes(out, wr.pos), false, w->now);
	own_trackers_tick(w);
}
