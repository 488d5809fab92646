/* proto/tracker_http.c - one URL out, one dictionary in. */
#include "proto/tracker_http.h"

#include <stdarg.h>
#include <stdio.h>
#include "proto/base/bytes.h"
#include "proto/bencode.h"
#include "proto/compact.h"
#include "proto/text.h"

/* ---- asking ------------------------------------------------------------------------- */

/* Whoever put these into a tracker's URL wants to speak for us (other words there are passkeys and the like). */
static const char *const ours[] = {
	"info_hash", "peer_id", "port", "ip", "ipv4", "ipv6", "downloaded", "left", "event"
};

static bool speaks_for_us(struct shoal_bytes query)
{
	for (size_t pos = 0; pos < query.len;) {
		uint8_t name[16];
		size_t end = pos, equals = SIZE_MAX;
		for (; end < query.len && query.at[end] != '&' && query.at[end] != ';'; end++)
			if (query.at[end] == '=' && equals == SIZE_MAX)
				equals = end;
		struct shoal_bytes raw = shoal_bytes(query.at + pos, (equals < end ? equals : end) - pos);
		ptrdiff_t len = shoal_percent_decode(raw, true, (struct shoal_space){ name, sizeof name });
		for (size_t i = 0; len > 0 && i < sizeof ours / sizeof *ours; i++)
			if (strlen(ours[i]) == (size_t)len && memcmp(ours[i], name, (size_t)len) == 0)
				return true;
		pos = end + 1;
	}
	return false;
}

__attribute__((format(printf, 2, 3))) static void put(struct shoal_wr *w, const char *format, ...)
{
	char text[SHOAL_URL_ORIGIN_MAX];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof text)
		w->bad = true;
	else
		shoal_wr_put(w, shoal_bytes(text, (size_t)n));
}

static void put_escaped(struct shoal_wr *w, const char *key, struct shoal_bytes value)
{
	put(w, "%s=", key);
	if (w->bad)
		return;
	struct shoal_space rest = { w->out.at + w->pos, w->out.len - w->pos };
	ptrdiff_t len = shoal_url_escape(value, rest);
	if (len < 0)
		w->bad = true;
	else
		w->pos += (size_t)len;
}

/* All of the tracker's own URL, ready for more words. */
static void put_base(struct shoal_wr *w, const struct shoal_url *url, struct shoal_bytes path)
{
	char origin[SHOAL_URL_ORIGIN_MAX];
	shoal_wr_put(w, shoal_bytes(origin, shoal_url_origin(url, origin)));
	shoal_wr_put(w, path.len > 0 ? path : SHOAL_LIT("/"));
	put(w, "?");
	shoal_wr_put(w, url->query);
	if (url->query.len > 0)
		put(w, "&");
}

static ptrdiff_t done(struct shoal_wr *w)
{
	size_t len = w->pos;
	shoal_wr_u8(w, 0);
	return w->bad || len > SHOAL_URL_MAX ? SHOAL_ERR_TOO_LONG : (ptrdiff_t)len;
}

ptrdiff_t shoal_tracker_http_announce(const struct shoal_url *url, const struct shoal_tracker_ask *ask,
				      struct shoal_space out)
{
	static const char *const events[] = {
		[SHOAL_TRACKER_COMPLETED] = "completed",
		[SHOAL_TRACKER_STARTED] = "started",
		[SHOAL_TRACKER_STOPPED] = "stopped",
		[SHOAL_TRACKER_PAUSED] = "paused",
	};
	struct shoal_wr w = shoal_wr(out);
	if (speaks_for_us(url->query))
		return SHOAL_ERR_REFUSED;
	put_base(&w, url, url->path);
	put_escaped(&w, "info_hash", shoal_bytes(ask->hash.b, sizeof ask->hash.b));
	put_escaped(&w, "&peer_id", shoal_bytes(ask->peer_id.b, sizeof ask->peer_id.b));
	put(&w, "&port=%u&uploaded=%llu&downloaded=%llu&left=%llu&numwant=%u&key=%08x&compact=1", (unsigned)ask->port,
	    (unsigned long long)ask->uploaded, (unsigned long long)ask->downloaded, (unsigned long long)ask->left,
	    (unsigned)ask->num_want, (unsigned)ask->key);
	if (events[ask->event] != NULL)
		put(&w, "&event=%s", events[ask->event]);
	if (ask->tracker_id.len > 0)
		put_escaped(&w, "&trackerid", ask->tracker_id);
	return done(&w);
}

ptrdiff_t shoal_tracker_http_scrape(const struct shoal_url *url, const struct shoal_id20 *hash, size_t count,
				    struct shoal_space out)
{
	static const char word[] = "announce", instead[] = "scrape";
	struct shoal_bytes path = url->path;
	uint8_t changed[SHOAL_URL_MAX];
	size_t slash = path.len, word_len = sizeof word - 1, instead_len = sizeof instead - 1;
	while (slash > 0 && path.at[slash - 1] != '/')
		slash--;
	/* The word behind the last "/": "/announce.php", and not "/announcements/x". */
	if (path.len - slash < word_len || memcmp(path.at + slash, word, word_len) != 0)
		return SHOAL_ERR_UNSUPPORTED;
	if (speaks_for_us(url->query))
		return SHOAL_ERR_REFUSED;
	memcpy(changed, path.at, slash);
	memcpy(changed + slash, instead, instead_len);
	memcpy(changed + slash + instead_len, path.at + slash + word_len, path.len - slash - word_len);
	struct shoal_wr w = shoal_wr(out);
	put_base(&w, url, shoal_bytes(changed, path.len - word_len + instead_len));
	for (size_t i = 0; i < count; i++)
		put_escaped(&w, i == 0 ? "info_hash" : "&info_hash", shoal_bytes(hash[i].b, sizeof hash[i].b));
	return done(&w);
}

/* ---- the reply ---------------------------------------------------------------------- */

/* Seconds or heads; below 0, or no number: `otherwise`. */
static uint32_t number(const struct shoal_ben_value *v, uint32_t otherwise)
{
	if (v->kind != SHOAL_BEN_INT || v->num < 0)
		return otherwise;
	return v->num < UINT32_MAX ? (uint32_t)v->num : UINT32_MAX - 1;
}

static struct shoal_bytes words(const struct shoal_ben_value *v)
{
	struct shoal_bytes text = v->str;
	if (v->kind != SHOAL_BEN_STR)
		return (struct shoal_bytes){ NULL, 0 };
	text.len = text.len < SHOAL_TRACKER_TEXT_MAX ? text.len : SHOAL_TRACKER_TEXT_MAX;
	return text;
}

static int take_compact(struct shoal_tracker_answer *out, struct shoal_bytes list, bool is_v4)
{
	ptrdiff_t n = shoal_compact_decode(list, is_v4, out->peer + out->peer_count,
					   SHOAL_TRACKER_PEERS_MAX - out->peer_count);
	if (n < 0)
		return (int)n;
	size_t end = out->peer_count + (size_t)n;
	for (size_t i = out->peer_count; i < end; i++) /* without a port there is nobody */
		if (out->peer[i].port != 0)
			out->peer[out->peer_count++] = out->peer[i];
	return 0;
}

/* BEP 3: a list of dictionaries. One that makes no sense is passed over. */
static int take_dicts(struct shoal_tracker_answer *out, struct shoal_bytes list)
{
	struct shoal_ben b = shoal_ben(list, SHOAL_BEN_DEPTH_SMALL);
	struct shoal_ben_value item;
	int rc = shoal_ben_open(&b, SHOAL_BEN_LIST);
	while (rc >= 0 && out->peer_count < SHOAL_TRACKER_PEERS_MAX && (rc = shoal_ben_item(&b, &item)) > 0) {
		struct shoal_ben_field f[] = { { .key = "ip" }, { .key = "port" } };
		struct shoal_addr addr;
		if (item.kind != SHOAL_BEN_DICT || shoal_ben_pick(item.raw, SHOAL_BEN_DEPTH_SMALL, f, 2) < 0)
			continue;
		if (f[0].v.kind != SHOAL_BEN_STR || f[1].v.kind != SHOAL_BEN_INT || f[1].v.num < 1 ||
		    f[1].v.num > UINT16_MAX || shoal_addr_parse_ip(f[0].v.str, &addr) < 0)
			continue;
		addr.port = (uint16_t)f[1].v.num;
		out->peer[out->peer_count++] = addr;
	}
	return rc < 0 ? rc : 0;
}

static int take_peers(struct shoal_tracker_answer *out, const struct shoal_ben_value *v4,
		      const struct shoal_ben_value *v6)
{
	int rc = 0;
	if (v6->kind == SHOAL_BEN_STR) /* first: they are few, and would find no room behind 200 of v4 */
		rc = take_compact(out, v6->str, false);
	if (rc == 0 && v4->kind == SHOAL_BEN_STR)
		rc = take_compact(out, v4->str, true);
	else if (rc == 0 && v4->kind == SHOAL_BEN_LIST)
		rc = take_dicts(out, v4->raw);
	return rc;
}

/* BEP 31: minutes, as a number or in words, or "never". */
static void take_retry(struct shoal_tracker_answer *out, const struct shoal_ben_value *v)
{
	if (v->kind == SHOAL_BEN_INT) {
		out->retry_minutes = number(v, 0);
	} else if (v->kind == SHOAL_BEN_STR && shoal_bytes_equal(v->str, SHOAL_LIT("never"))) {
		out->retry_never = true;
	} else if (v->kind == SHOAL_BEN_STR) {
		uint32_t n = 0;
		for (size_t i = 0; i < v->str.len; i++) {
			if (i == 6 || v->str.at[i] < '0' || v->str.at[i] > '9')
				return;
			n = n * 10 + (v->str.at[i] - '0');
		}
		out->retry_minutes = n;
	}
}

static void take_external(struct shoal_tracker_answer *out, const struct shoal_ben_value *v)
{
	if (v->kind != SHOAL_BEN_STR || (v->str.len != 4 && v->str.len != 16))
		return;
	memcpy(out->external.ip, v->str.at, v->str.len);
	out->external.is_v4 = v->str.len == 4;
	out->has_external = true;
}

int shoal_tracker_http_answer(struct shoal_bytes body, struct shoal_tracker_answer *out)
{
	enum {
		FAILURE,
		WARNING,
		INTERVAL,
		MIN_INTERVAL,
		ID,
		COMPLETE,
		INCOMPLETE,
		DOWNLOADED,
		DOWNLOADERS,
		PEERS,
		PEERS6,
		RETRY,
		EXTERNAL,
		FIELDS
	};
	struct shoal_ben_field f[FIELDS] = {
		[FAILURE] = { .key = "failure reason" },  [WARNING] = { .key = "warning message" },
		[INTERVAL] = { .key = "interval" },	  [MIN_INTERVAL] = { .key = "min interval" },
		[ID] = { .key = "tracker id" },		  [COMPLETE] = { .key = "complete" },
		[INCOMPLETE] = { .key = "incomplete" },	  [DOWNLOADED] = { .key = "downloaded" },
		[DOWNLOADERS] = { .key = "downloaders" }, [PEERS] = { .key = "peers" },
		[PEERS6] = { .key = "peers6" },		  [RETRY] = { .key = "retry in" },
		[EXTERNAL] = { .key = "external ip" },
	};
	*out = (struct shoal_tracker_answer){ .peer_count = 0 };
	ptrdiff_t n = shoal_ben_pick(body, SHOAL_BEN_DEPTH_SMALL, f, FIELDS);
	if (n < 0)
		return (int)n;
	out->failed = f[FAILURE].v.kind != SHOAL_BEN_NONE;
	out->failure = words(&f[FAILURE].v);
	out->warning = words(&f[WARNING].v);
	out->tracker_id = words(&f[ID].v);
	out->interval = number(&f[INTERVAL].v, 0);
	out->min_interval = number(&f[MIN_INTERVAL].v, 0);
	out->counts = (struct shoal_tracker_counts){
		.seeds = number(&f[COMPLETE].v, SHOAL_TRACKER_UNKNOWN),
		.leeches = number(&f[INCOMPLETE].v, SHOAL_TRACKER_UNKNOWN),
		.completed = number(&f[DOWNLOADED].v, SHOAL_TRACKER_UNKNOWN),
		.downloaders = number(&f[DOWNLOADERS].v, SHOAL_TRACKER_UNKNOWN),
	};
	take_retry(out, &f[RETRY].v);
	take_external(out, &f[EXTERNAL].v);
	/* Any web server can hand out a dictionary; a tracker's says when to come again, or who is there. */
	if (!out->failed && f[INTERVAL].v.kind != SHOAL_BEN_INT && f[PEERS].v.kind == SHOAL_BEN_NONE &&
	    f[PEERS6].v.kind == SHOAL_BEN_NONE)
		return SHOAL_ERR_MALFORMED;
	return out->failed ? 0 : take_peers(out, &f[PEERS].v, &f[PEERS6].v);
}

int shoal_tracker_http_scraped(struct shoal_bytes body, const struct shoal_id20 *hash, struct shoal_tracker_counts *out)
{
	struct shoal_ben_field f[] = { { .key = "files" }, { .key = "failure reason" } };
	struct shoal_ben_value key, v;
	ptrdiff_t n = shoal_ben_pick(body, SHOAL_BEN_DEPTH_SMALL, f, 2);
	if (n < 0)
		return (int)n;
	if (f[1].v.kind != SHOAL_BEN_NONE)
		return SHOAL_ERR_REFUSED;
	if (f[0].v.kind != SHOAL_BEN_DICT)
		return SHOAL_ERR_MALFORMED;
	struct shoal_ben b = shoal_ben(f[0].v.raw, SHOAL_BEN_DEPTH_SMALL);
	int rc = shoal_ben_open(&b, SHOAL_BEN_DICT);
	while (rc >= 0 && (rc = shoal_ben_entry(&b, &key, &v)) > 0) {
		struct shoal_ben_field c[] = { { .key = "complete" },
					       { .key = "incomplete" },
					       { .key = "downloaded" },
					       { .key = "downloaders" } };
		if (!shoal_bytes_equal(key.str, shoal_bytes(hash->b, sizeof hash->b)))
			continue;
		if (v.kind != SHOAL_BEN_DICT || shoal_ben_pick(v.raw, SHOAL_BEN_DEPTH_SMALL, c, 4) < 0)
			return SHOAL_ERR_MALFORMED;
		*out = (struct shoal_tracker_counts){ number(&c[0].v, SHOAL_TRACKER_UNKNOWN),
						      number(&c[1].v, SHOAL_TRACKER_UNKNOWN),
						      number(&c[2].v, SHOAL_TRACKER_UNKNOWN),
						      number(&c[3].v, SHOAL_TRACKER_UNKNOWN) };
		return 0;
	}
	return rc < 0 ? rc : SHOAL_ERR_GONE;
}
