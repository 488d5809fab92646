/*
 * proto/metainfo_outer.c - what stands beside the info dictionary: trackers, web seeds, nodes, remarks.
 *
 * It is advice, so an entry that makes no sense is left out; but a key of
 * the wrong kind is a torrent that other engines may read otherwise, and
 * that is refused.
 */
#include "proto/metainfo_impl.h"

#include <stdio.h>
#include <stdlib.h>

#define URL_BYTES_MAX 2048u
#define HOST_BYTES_MAX 255u
#define REMARK_BYTES_MAX (64u * 1024) /* of a comment; more is cut */

static int add_text(struct mi_parse *p, struct shoal_bytes in, struct mi_text *out)
{
	struct shoal_metainfo *mi = p->mi;
	if (in.len == 0)
		return 0;
	if (p->text_room - mi->text_len <= in.len) {
		size_t room = p->text_room + p->text_room / 2 + in.len + 256;
		char *more = realloc(mi->text, room);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		mi->text = more;
		p->text_room = room;
	}
	*out = (struct mi_text){ .at = (uint32_t)mi->text_len, .len = (uint32_t)in.len };
	memcpy(mi->text + mi->text_len, in.at, in.len);
	mi->text[mi->text_len + in.len] = 0;
	mi->text_len += in.len + 1;
	return 0;
}

/* One more for the list, unless it is there, or the list is full (then 1: no need to read on). */
static int add_item(struct mi_parse *p, struct mi_texts *list, size_t max, struct shoal_bytes in, uint32_t tier)
{
	for (size_t i = 0; i < list->count; i++)
		if (shoal_bytes_equal(in, shoal_bytes(p->mi->text + list->item[i].at, list->item[i].len)))
			return 0;
	if (list->count == max)
		return 1;
	struct mi_text *more = realloc(list->item, (list->count + 1) * sizeof *more);
	if (more == NULL)
		return SHOAL_ERR_NOMEM;
	list->item = more;
	struct mi_text text;
	int rc = add_text(p, in, &text);
	if (rc < 0)
		return rc;
	text.tier = tier;
	list->item[list->count++] = text;
	return 0;
}

/* Printable and without blanks; bytes above ASCII are let through (UTF-8 in a path, an IDN host). */
static bool is_plain(struct shoal_bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= ' ' || s.at[i] == 0x7f)
			return false;
	return s.len > 0;
}

static struct shoal_bytes strip(struct shoal_bytes s)
{
	while (s.len > 0 && (s.at[0] == ' ' || (s.at[0] >= '\t' && s.at[0] <= '\r'))) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && (s.at[s.len - 1] == ' ' || (s.at[s.len - 1] >= '\t' && s.at[s.len - 1] <= '\r')))
		s.len--;
	return s;
}

/* Whether a URL has one of the schemes, and something after it. */
static bool is_url(struct shoal_bytes s, const char *const schemes[])
{
	if (s.len > URL_BYTES_MAX || !is_plain(s))
		return false;
	for (; *schemes != NULL; schemes++) {
		size_t n = strlen(*schemes), i = 0;
		while (i < n && i < s.len && (s.at[i] | (s.at[i] >= 'A' && s.at[i] <= 'Z' ? 0x20 : 0)) == (*schemes)[i])
			i++;
		if (i == n && s.len > n && s.at[n] != '/')
			return true;
	}
	return false;
}

/* ws and wss are WebTorrent's: shown, never announced to. */
static const char *const tracker_schemes[] = { "http://", "https://", "udp://", "ws://", "wss://", NULL };
static const char *const webseed_schemes[] = { "http://", "https://", NULL };

static int add_tracker(struct mi_parse *p, struct shoal_bytes url, uint32_t tier)
{
	url = strip(url);
	if (!is_url(url, tracker_schemes))
		return 0;
	return add_item(p, &p->mi->tracker, SHOAL_TRACKERS_MAX, url, tier);
}

static int wrong_inside(struct mi_parse *p, const char *key, size_t at)
{
	return mi_fail(p, SHOAL_ERR_MALFORMED, at, "%s holds something it must not", key);
}

/* BEP 12; a bare string in the place of a tier is taken as a tier of one. */
static int take_tiers(struct mi_parse *p, const struct shoal_ben_value *list)
{
	struct shoal_ben b = shoal_ben(list->raw, SHOAL_BEN_DEPTH_MAX);
	struct shoal_ben_value tier, url;
	uint32_t number = 0;
	int rc = shoal_ben_open(&b, SHOAL_BEN_LIST);
	while (rc >= 0 && (rc = shoal_ben_item(&b, &tier)) > 0) {
		size_t before = p->mi->tracker.count;
		if (tier.kind == SHOAL_BEN_STR) {
			rc = add_tracker(p, tier.str, number);
		} else if (tier.kind == SHOAL_BEN_LIST) {
			struct shoal_ben inside = shoal_ben(tier.raw, SHOAL_BEN_DEPTH_MAX);
			rc = shoal_ben_open(&inside, SHOAL_BEN_LIST);
			while (rc == 0 && (rc = shoal_ben_item(&inside, &url)) > 0) {
				if (url.kind != SHOAL_BEN_STR)
					return wrong_inside(p, "announce-list", list->at + tier.at + url.at);
				rc = add_tracker(p, url.str, number);
			}
		} else {
			return wrong_inside(p, "announce-list", list->at + tier.at);
		}
		if (rc == 1)
			return 0; /* full */
		number += p->mi->tracker.count > before;
	}
	return rc;
}

/* url-list: one string, or a list of them (BEP 19). */
static int take_webseeds(struct mi_parse *p, const struct shoal_ben_value *v)
{
	if (v->kind == SHOAL_BEN_STR) {
		struct shoal_bytes url = strip(v->str);
		return is_url(url, webseed_schemes) ? add_item(p, &p->mi->webseed, SHOAL_WEBSEEDS_MAX, url, 0) : 0;
	}
	if (v->kind != SHOAL_BEN_LIST)
		return v->kind == SHOAL_BEN_NONE ? 0 : wrong_inside(p, "url-list", v->at);
	struct shoal_ben b = shoal_ben(v->raw, SHOAL_BEN_DEPTH_MAX);
	struct shoal_ben_value item;
	int rc = shoal_ben_open(&b, SHOAL_BEN_LIST);
	while (rc == 0 && (rc = shoal_ben_item(&b, &item)) > 0) {
		if (item.kind != SHOAL_BEN_STR)
			return wrong_inside(p, "url-list", v->at + item.at);
		struct shoal_bytes url = strip(item.str);
		rc = is_url(url, webseed_schemes) ? add_item(p, &p->mi->webseed, SHOAL_WEBSEEDS_MAX, url, 0) : 0;
	}
	return rc < 0 ? rc : 0;
}

/* nodes: a list of [host, port] (BEP 5); kept as "host:port". */
static int take_nodes(struct mi_parse *p, const struct shoal_ben_value *v)
{
	struct shoal_ben b = shoal_ben(v->raw, SHOAL_BEN_DEPTH_MAX);
	struct shoal_ben_value pair, host, port;
	int rc = shoal_ben_open(&b, SHOAL_BEN_LIST);
	while (rc == 0 && (rc = shoal_ben_item(&b, &pair)) > 0) {
		struct shoal_ben inside = shoal_ben(pair.raw, SHOAL_BEN_DEPTH_MAX);
		if (shoal_ben_open(&inside, SHOAL_BEN_LIST) < 0 || shoal_ben_item(&inside, &host) <= 0 ||
		    host.kind != SHOAL_BEN_STR || shoal_ben_item(&inside, &port) <= 0 || port.kind != SHOAL_BEN_INT)
			return wrong_inside(p, "nodes", v->at + pair.at);
		rc = 0;
		if (!is_plain(host.str) || host.str.len > HOST_BYTES_MAX || port.num < 1 || port.num > 65535)
			continue;
		char text[HOST_BYTES_MAX + 16];
		bool six = memchr(host.str.at, ':', host.str.len) != NULL && host.str.at[0] != '[';
		int n = snprintf(text, sizeof text, "%s%.*s%s:%u", six ? "[" : "", (int)host.str.len,
				 (const char *)host.str.at, six ? "]" : "", (unsigned)port.num);
		rc = add_item(p, &p->mi->node, SHOAL_NODES_MAX, shoal_bytes(text, (size_t)n), 0);
	}
	return rc < 0 ? rc : 0;
}

/* x.pe: ours, after the magnet link's: a list of "host:port" to ask first. */
static int take_peers(struct mi_parse *p, const struct shoal_ben_value *v)
{
	struct shoal_ben b = shoal_ben(v->raw, SHOAL_BEN_DEPTH_MAX);
	struct shoal_ben_value item;
	int rc = shoal_ben_open(&b, SHOAL_BEN_LIST);
	while (rc == 0 && (rc = shoal_ben_item(&b, &item)) > 0) {
		if (item.kind != SHOAL_BEN_STR)
			return wrong_inside(p, "x.pe", v->at + item.at);
		bool good = is_plain(item.str) && item.str.len <= HOST_BYTES_MAX + 8;
		rc = good ? add_item(p, &p->mi->peer, SHOAL_NODES_MAX, item.str, 0) : 0;
	}
	return rc < 0 ? rc : 0;
}

/* A list of strings from `least` to `most` bytes; whatever else is there is no hint, and no fault either. */
static int take_hints(struct mi_parse *p, const struct shoal_ben_value *v, struct mi_texts *list, size_t least,
		      size_t most)
{
	struct shoal_ben b = shoal_ben(v->raw, SHOAL_BEN_DEPTH_MAX);
	struct shoal_ben_value item;
	int rc = v->kind == SHOAL_BEN_LIST ? shoal_ben_open(&b, SHOAL_BEN_LIST) : 1;
	while (rc == 0 && (rc = shoal_ben_item(&b, &item)) > 0) {
		bool good = item.kind == SHOAL_BEN_STR && item.str.len >= least && item.str.len <= most &&
			    (list != &p->mi->similar || item.str.len == 20 || item.str.len == 32);
		rc = good ? add_item(p, list, SHOAL_SIMILAR_MAX, item.str, 0) : 0;
	}
	return rc < 0 ? rc : 0;
}

int mi_hints(struct mi_parse *p, const struct shoal_ben_value *similar, const struct shoal_ben_value *collections)
{
	int rc = take_hints(p, similar, &p->mi->similar, 20, 32);
	return rc < 0 ? rc : take_hints(p, collections, &p->mi->collection, 1, SHOAL_COLLECTION_BYTES_MAX);
}

static struct shoal_bytes cut_remark(const struct shoal_ben_value *v)
{
	return shoal_bytes(v->str.at, v->str.len < REMARK_BYTES_MAX ? v->str.len : REMARK_BYTES_MAX);
}

enum {
	ANNOUNCE = MI_OUTER_LAYERS + 1,
	TIERS,
	COMMENT,
	COMMENT8,
	CREATOR,
	DATE,
	URLS,
	NODES,
	PEERS,
	SIMILAR,
	COLLECTIONS,
	COUNT
};
_Static_assert((int)COUNT == (int)MI_OUTER_COUNT, "one field a key");
static const struct {
	const char *key;
	enum shoal_ben_kind kind; /* NONE: any, or somebody else's business */
} shapes[COUNT] = {
	[MI_OUTER_INFO] = { "info", SHOAL_BEN_NONE },
	[MI_OUTER_LAYERS] = { "piece layers", SHOAL_BEN_NONE },
	[ANNOUNCE] = { "announce", SHOAL_BEN_STR },
	[TIERS] = { "announce-list", SHOAL_BEN_LIST },
	[COMMENT] = { "comment", SHOAL_BEN_STR },
	[COMMENT8] = { "comment.utf-8", SHOAL_BEN_STR },
	[CREATOR] = { "created by", SHOAL_BEN_STR },
	[DATE] = { "creation date", SHOAL_BEN_INT },
	[URLS] = { "url-list", SHOAL_BEN_NONE },
	[NODES] = { "nodes", SHOAL_BEN_LIST },
	[PEERS] = { "x.pe", SHOAL_BEN_LIST },
	[SIMILAR] = { "similar", SHOAL_BEN_NONE },
	[COLLECTIONS] = { "collections", SHOAL_BEN_NONE },
};

void mi_outer_pick(struct shoal_bytes torrent, struct mi_outer_fields *out)
{
	for (size_t i = 0; i < COUNT; i++)
		out->f[i].key = shapes[i].key;
	out->found = shoal_ben_pick(torrent, SHOAL_BEN_DEPTH_MAX, out->f, COUNT);
}

int mi_outer(struct mi_parse *p, const struct mi_outer_fields *outer)
{
	const struct shoal_ben_field *f = outer->f;
	struct shoal_metainfo *mi = p->mi;
	int rc;
	p->info_at = 0; /* offsets are the torrent's from here on */
	if (outer->found < 0)
		return mi_fail(p, SHOAL_ERR_MALFORMED, 0, "the torrent cannot be read");
	for (size_t i = 0; i < COUNT; i++)
		if (shapes[i].kind && (rc = mi_kind(p, &f[i], shapes[i].kind, 0, "in the torrent")) < 0)
			return rc;
	if (f[TIERS].v.kind && (rc = take_tiers(p, &f[TIERS].v)) < 0)
		return rc;
	if (f[ANNOUNCE].v.kind) {
		/* BEP 12 lets the list stand for it; where the list lacks it, it comes last */
		uint32_t tier = mi->tracker.count ? mi->tracker.item[mi->tracker.count - 1].tier + 1 : 0;
		if ((rc = add_tracker(p, f[ANNOUNCE].v.str, tier)) < 0)
			return rc;
	}
	if ((rc = take_webseeds(p, &f[URLS].v)) < 0 || (f[NODES].v.kind && (rc = take_nodes(p, &f[NODES].v)) < 0) ||
	    (f[PEERS].v.kind && (rc = take_peers(p, &f[PEERS].v)) < 0))
		return rc;
	const struct shoal_ben_value *comment = f[COMMENT8].v.kind ? &f[COMMENT8].v : &f[COMMENT].v;
	if ((rc = add_text(p, cut_remark(comment), &mi->comment)) < 0 ||
	    (rc = add_text(p, cut_remark(&f[CREATOR].v), &mi->created_by)) < 0)
		return rc;
	mi->created_at = f[DATE].v.num;
	return mi_hints(p, &f[SIMILAR].v, &f[COLLECTIONS].v);
}
