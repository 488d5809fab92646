/* tools/scrape.c - an engine without torrents that asks trackers how many have one. */
#include "tools/scrape.h"

#include "proto/base/bytes.h"
#include "proto/proxy.h"
#include "proto/tracker.h"
#include "tools/say.h"
#include "tools/signals.h"
#include "tools/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 250 /* BUSY is tried again then at the latest */

/* One tracker under one hash. */
struct question {
	struct shoal_bytes url; /* the source's, or argv's */
	bool trusted;
	bool v2;
	enum { TO_ASK, ASKED, ANSWERED } state;
	int err;
	struct shoal_tracker_counts counts;
	size_t words_len;
	uint8_t words[SHOAL_TRACKER_TEXT_MAX]; /* the tracker's, or of who could not reach it */
};

struct scrape {
	struct shoal_tool *tool;
	struct shoal_engine *engine;
	bool has[2]; /* v1, v2 */
	struct shoal_id20 hash[2];
	struct question *q;
	size_t count, asked;
};

/* ---- whom to ask -------------------------------------------------------------------------- */

static size_t trackers_of(const struct shoal_source *s)
{
	return s->is_magnet ? s->magnet->tracker_count : shoal_metainfo_tracker_count(s->mi);
}

static struct shoal_bytes tracker_of(const struct shoal_source *s, size_t i)
{
	unsigned tier;
	if (s->is_magnet)
		return shoal_bytes(s->magnet->tracker[i], strlen(s->magnet->tracker[i]));
	return shoal_metainfo_tracker(s->mi, i, &tier);
}

static bool names(const struct shoal_source *s, struct shoal_bytes url)
{
	for (size_t i = 0; i < trackers_of(s); i++)
		if (shoal_bytes_equal(tracker_of(s, i), url))
			return true;
	return false;
}

static void add(struct scrape *x, struct shoal_bytes url, bool trusted)
{
	for (size_t i = 0; i < x->count; i++)
		if (shoal_bytes_equal(x->q[i].url, url))
			return;
	for (unsigned who = 0; who < 2; who++)
		if (x->has[who])
			x->q[x->count++] = (struct question){ .url = url, .trusted = trusted, .v2 = who == 1 };
}

static void hashes_of(struct scrape *x, const struct shoal_source *s)
{
	const struct shoal_id20 *v1 = s->is_magnet ? &s->magnet->v1 : shoal_metainfo_hash_v1(s->mi);
	const struct shoal_id32 *v2 = s->is_magnet ? &s->magnet->v2 : shoal_metainfo_hash_v2(s->mi);
	x->has[0] = s->is_magnet ? s->magnet->has_v1 : shoal_metainfo_v1(s->mi);
	x->has[1] = s->is_magnet ? s->magnet->has_v2 : shoal_metainfo_v2(s->mi);
	if (x->has[0])
		x->hash[0] = *v1;
	if (x->has[1])
		memcpy(x->hash[1].b, v2->b, sizeof x->hash[1].b);
}

/* 0, or the exit code after saying why. */
static int whom(struct scrape *x, const struct shoal_source *s, const struct shoal_scrape *how)
{
	size_t own = trackers_of(s) < SHOAL_SCRAPE_TRACKERS_MAX ? trackers_of(s) : SHOAL_SCRAPE_TRACKERS_MAX;
	bool closed = !s->is_magnet && shoal_metainfo_private(s->mi);
	char shown[SHOAL_SAY_TEXT_MAX];
	hashes_of(x, s);
	if (!x->has[0] && !x->has[1])
		return shoal_say_fail(x->tool, SHOAL_ERR_USAGE, "--scrape needs a hash: the link is a name in the DHT");
	if (own + how->tracker.count == 0)
		return shoal_say_fail(x->tool, SHOAL_ERR_USAGE,
				      "it names no tracker that could be asked; --tracker URL names one");
	x->q = calloc(2 * (own + how->tracker.count), sizeof *x->q);
	if (x->q == NULL)
		return shoal_say_fail(x->tool, SHOAL_ERR_NOMEM, "no memory");
	for (size_t i = 0; i < how->tracker.count; i++) {
		struct shoal_bytes url = shoal_bytes(how->tracker.at[i], strlen(how->tracker.at[i]));
		if (closed && !names(s, url))
			return shoal_say_fail_as(x->tool, SHOAL_EXIT_REFUSED, SHOAL_ERR_REFUSED,
						 "%s: the torrent is private: its own trackers alone hear of it",
						 shoal_say_text(url, shown));
		add(x, url, true);
	}
	for (size_t i = 0; i < own; i++)
		add(x, tracker_of(s, i), false);
	return 0;
}

/* ---- asking ------------------------------------------------------------------------------- */

static int open_engine(struct scrape *x, const struct shoal_scrape *how)
{
	struct shoal_config config = { .size = sizeof config,
				       .threads = 1,
				       .no_pex = true,
				       .no_lsd = true,
				       .no_dht = true,
				       .no_utp = true,
				       .proxy = how->proxy };
	struct shoal_proxy proxy;
	char what[160] = "", shown[SHOAL_SAY_TEXT_MAX];
	if (how->proxy && shoal_proxy_parse(how->proxy, &proxy) < 0)
		return shoal_say_fail(x->tool, SHOAL_ERR_USAGE,
				      "--proxy wants socks5:// or http://, [USER:PASS@]HOST:PORT");
	int rc = shoal_engine_native.open(&x->engine, &config, what);
	if (rc < 0)
		return shoal_say_fail(x->tool, rc, "%s", shoal_say_cstr(what[0] ? what : shoal_err_name(rc), shown));
	return 0;
}

static void ask(struct scrape *x, size_t i)
{
	struct question *q = &x->q[i];
	struct shoal_op op = { .kind = SHOAL_OP_SCRAPE,
			       .ticket = i + 1,
			       .flags = q->trusted ? SHOAL_SCRAPE_TRUSTED : 0,
			       .text = q->url,
			       .data = shoal_bytes(x->hash[q->v2].b, sizeof x->hash[q->v2].b) };
	int rc = x->engine->ops->do_op(x->engine, &op);
	if (rc == SHOAL_ERR_BUSY && x->asked > 0)
		return; /* when one of those has been answered */
	q->err = rc;
	q->state = rc < 0 ? ANSWERED : ASKED;
	x->asked += rc == 0;
}

static void take(struct scrape *x, const struct shoal_event *ev)
{
	if (ev->kind != SHOAL_EV_SCRAPED || ev->ticket == 0 || ev->ticket > x->count)
		return;
	struct question *q = &x->q[ev->ticket - 1];
	if (q->state != ASKED)
		return;
	q->state = ANSWERED;
	x->asked--;
	q->err = ev->err;
	q->counts.seeds = (uint32_t)ev->stats.seeds;
	q->counts.leeches = (uint32_t)ev->stats.peers;
	q->counts.completed = ev->index;
	q->words_len = ev->name.len < sizeof q->words ? ev->name.len : sizeof q->words;
	if (q->words_len > 0)
		memcpy(q->words, ev->name.at, q->words_len);
}

/* false: a signal came. */
static bool ask_all(struct scrape *x, shoal_us give_up)
{
	struct shoal_event ev;
	while (!shoal_signals_came()) {
		size_t left = 0;
		for (size_t i = 0; i < x->count; i++) {
			if (x->q[i].state == TO_ASK)
				ask(x, i);
			left += x->q[i].state != ANSWERED;
		}
		shoal_us now = shoal_signals_now();
		if (left == 0 || now >= give_up)
			return true;
		shoal_us ms = (give_up - now) / 1000 + 1;
		if (x->engine->ops->poll(x->engine, &ev, ms < WAIT_MS ? (int)ms : WAIT_MS) > 0)
			take(x, &ev);
	}
	return false;
}

/* ---- telling ------------------------------------------------------------------------------ */

static const char *why(const struct question *q)
{
	switch (q->err) {
	case SHOAL_ERR_GONE: return "does not know this torrent";
	case SHOAL_ERR_UNSUPPORTED: return "cannot be asked (BEP 48)";
	case SHOAL_ERR_DENIED: return "not asked: it leads to this host or into a private network (--tracker would)";
	case SHOAL_ERR_REFUSED: return "refused";
	default: return shoal_err_name(q->err);
	}
}

static void count(char out[24], uint32_t n)
{
	if (n == SHOAL_TRACKER_UNKNOWN)
		snprintf(out, 24, "?");
	else
		snprintf(out, 24, "%" PRIu32, n);
}

static void tell(const struct scrape *x, const struct question *q)
{
	bool both = x->has[0] && x->has[1];
	const char *label = !both ? "scrape" : q->v2 ? "scrape v2" : "scrape v1";
	char url[SHOAL_SAY_TEXT_MAX], words[SHOAL_SAY_TEXT_MAX], n[3][24];
	shoal_say_text(q->url, url);
	shoal_say_text(shoal_bytes(q->words, q->words_len), words);
	if (q->err < 0) {
		printf("%-9s %s: %s%s%s\n", label, url, why(q), words[0] ? ": " : "", words);
		return;
	}
	count(n[0], q->counts.seeds);
	count(n[1], q->counts.leeches);
	count(n[2], q->counts.completed);
	printf("%-9s %s: seeds %s, leeches %s, downloaded %s\n", label, url, n[0], n[1], n[2]);
}

static void json_count(struct shoal_json *j, const char *key, uint32_t n)
{
	if (n != SHOAL_TRACKER_UNKNOWN)
		shoal_json_u64(j, key, n);
}

static void tell_json(const struct scrape *x, const struct question *q)
{
	struct shoal_json *j = shoal_say_event(x->tool, "scrape", 0);
	shoal_json_str(j, "tracker", q->url);
	shoal_json_hex(j, "infohash", x->hash[q->v2].b, sizeof x->hash[q->v2].b);
	shoal_json_text(j, "error", q->err < 0 ? shoal_err_name(q->err) : NULL);
	if (q->err < 0) {
		shoal_json_str(j, "what", shoal_bytes(q->words, q->words_len));
	} else {
		json_count(j, "seeds", q->counts.seeds);
		json_count(j, "leeches", q->counts.leeches);
		json_count(j, "downloaded", q->counts.completed);
	}
	shoal_say_event_end(x->tool);
}

/* The best that any of them had to say. */
static int verdict(const struct scrape *x)
{
	bool counted = false, spoke = false, denied = true;
	for (size_t i = 0; i < x->count; i++) {
		int err = x->q[i].err;
		counted |= err == 0;
		spoke |= err == SHOAL_ERR_GONE || err == SHOAL_ERR_REFUSED;
		denied &= err == SHOAL_ERR_DENIED;
	}
	if (counted)
		return SHOAL_EXIT_GOOD;
	if (spoke)
		return shoal_say_fail_as(x->tool, SHOAL_EXIT_DATA, SHOAL_ERR_GONE, "no tracker counts this torrent");
	if (denied)
		return shoal_say_fail_as(x->tool, SHOAL_EXIT_REFUSED, SHOAL_ERR_DENIED, "no tracker may be asked");
	return shoal_say_fail_as(x->tool, SHOAL_EXIT_NET, SHOAL_ERR_NET, "no tracker answered");
}

int shoal_scrape(struct shoal_tool *tool, const struct shoal_source *s, const struct shoal_scrape *how)
{
	struct scrape x = { .tool = tool };
	int code = whom(&x, s, how);
	if (code == 0) {
		shoal_signals_catch();
		code = open_engine(&x, how);
	}
	if (code == 0) {
		shoal_say_flush(tool); /* what is known already, before the wait */
		shoal_signals_wake(x.engine);
		bool stayed = ask_all(&x, shoal_signals_now() + how->timeout);
		shoal_signals_wake(NULL);
		x.engine->ops->close(x.engine);
		for (size_t i = 0; i < x.count; i++) {
			struct question *q = &x.q[i];
			if (q->state != ANSWERED)
				q->err = SHOAL_ERR_TIMEOUT;
			if (stayed && tool->json)
				tell_json(&x, q);
			else if (stayed)
				tell(&x, q);
		}
		code = stayed ? verdict(&x) : SHOAL_EXIT_INTERRUPTED;
	}
	free(x.q);
	return code;
}
