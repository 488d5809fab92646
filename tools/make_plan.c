/* tools/make_plan.c - what torrent is to be made, before a byte of it is read: names, URLs, format, and what others will say. */
#include "proto/base/bytes.h"
#include "tools/human.h"
#include "tools/make_inner.h"
#include "tools/say.h"
#include "tools/source.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

int shoal_make_no_memory(struct shoal_maker *k)
{
	return shoal_say_fail(k->tool, SHOAL_ERR_NOMEM, "no memory for %u files", k->m->tree.file_count);
}

/* ---- what is left out ----------------------------------------------------------------- */

/* "*.tmp" is a name anywhere; "logs/" a folder anywhere; "a/b*" a path below the top. */
static bool glob_hits(const char *glob, const char *path, const char *name, bool is_folder)
{
	char text[SHOAL_PATH_BYTES_MAX + 1];
	size_t len = strlen(glob);
	if (len > 1 && glob[len - 1] == '/') {
		if (!is_folder)
			return false;
		len--;
	}
	if (len >= sizeof text)
		return false;
	memcpy(text, glob, len);
	text[len] = '\0';
	if (strchr(text, '/') == NULL)
		return fnmatch(text, name, 0) == 0;
	return fnmatch(text[0] == '/' ? text + 1 : text, path, FNM_PATHNAME) == 0;
}

bool shoal_make_skip(void *self, const char *path, bool is_folder)
{
	const struct shoal_maker *k = self;
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	for (size_t i = 0; i < k->o->exclude.count; i++)
		if (glob_hits(k->o->exclude.at[i], path, name, is_folder))
			return true;
	return k->o->exclude_junk && shoal_lint_is_junk(shoal_bytes(name, strlen(name)));
}

/* ---- the description ------------------------------------------------------------------ */

void shoal_make_file_at(void *self, size_t i, char room[SHOAL_AUTHOR_PATH_ROOM], struct shoal_author_file *out)
{
	struct shoal_maker *k = self;
	const struct shoal_tree *t = &k->m->tree;
	uint32_t ps = k->a.piece_size;
	if (i == 0)
		k->at_file = k->at_top = 0, k->at_stream = 0;
	int len = shoal_tree_path(t, (uint32_t)i, (struct shoal_space){ (uint8_t *)room, SHOAL_AUTHOR_PATH_ROOM });
	out->path = shoal_bytes(room, len > 0 ? (size_t)len : 0); /* too long: "" cannot be, and write() says so */
	out->length = t->file[i].size;
	if (k->root == NULL || out->length == 0 || k->a.format == SHOAL_FORMAT_V1)
		return;
	uint64_t at = shoal_author_place(k->a.format, ps, &k->at_stream, out->length);
	const shoal_hash32 *layer = &k->root[at / ps];
	out->root = *layer;
	if (out->length > ps && k->top != NULL) {
		out->layer = *layer;
		out->root = k->top[k->at_top++];
	}
}

static int check_url(struct shoal_maker *k, const char *what, struct shoal_bytes url)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	if (memmem(url.at, url.len, "://", 3) != NULL && url.len > 3)
		return 0;
	return shoal_say_fail(k->tool, SHOAL_ERR_USAGE, "--%s %s: not a URL", what, shoal_say_text(url, shown));
}

/* Trackers: each option a tier, commas between those of one tier (BEP 12). */
static int describe_trackers(struct shoal_maker *k)
{
	for (size_t i = 0; i < k->o->tracker.count; i++) {
		for (const char *at = k->o->tracker.at[i]; at;) {
			const char *comma = strchr(at, ',');
			struct shoal_bytes url = shoal_bytes(at, comma ? (size_t)(comma - at) : strlen(at));
			int code = check_url(k, "tracker", url);
			if (code)
				return code;
			if (k->a.tracker_count == SHOAL_MAKE_URLS_MAX)
				return shoal_say_fail(k->tool, SHOAL_ERR_USAGE, "more than %d trackers",
						      SHOAL_MAKE_URLS_MAX);
			k->tracker[k->a.tracker_count++] = (struct shoal_author_url){ url, (unsigned)i };
			at = comma ? comma + 1 : NULL;
		}
	}
	k->a.tracker = k->tracker;
	return 0;
}

static int describe_list(struct shoal_maker *k, const struct shoal_opt_list *from, size_t slot, const char *name,
			 bool urls, const struct shoal_bytes **at, size_t *count)
{
	if (from->count > SHOAL_MAKE_URLS_MAX)
		return shoal_say_fail(k->tool, SHOAL_ERR_USAGE, "more than %d of --%s", SHOAL_MAKE_URLS_MAX, name);
	for (size_t i = 0; i < from->count; i++) {
		k->list[slot][i] = shoal_bytes(from->at[i], strlen(from->at[i]));
		int code = urls ? check_url(k, name, k->list[slot][i]) : 0;
		if (code)
			return code;
	}
	*at = k->list[slot];
	*count = from->count;
	return 0;
}

/* The hash that other engines know a torrent by: 20 bytes, of v1 where there is one. */
static int describe_similar(struct shoal_maker *k)
{
	const struct shoal_opt_list *from = &k->o->similar;
	if (from->count > SHOAL_MAKE_URLS_MAX)
		return shoal_say_fail(k->tool, SHOAL_ERR_USAGE, "more than %d of --similar", SHOAL_MAKE_URLS_MAX);
	for (size_t i = 0; i < from->count; i++) {
		struct shoal_source s = { 0 };
		struct shoal_id20 *id = &k->similar[i];
		int code = shoal_source_open(k->tool, &s, from->at[i], true);
		if (code == 0 && s.is_magnet)
			memcpy(id->b, s.magnet->has_v1 ? s.magnet->v1.b : s.magnet->v2.b, sizeof id->b);
		else if (code == 0)
			memcpy(id->b,
			       shoal_metainfo_v1(s.mi) ? shoal_metainfo_hash_v1(s.mi)->b
						       : shoal_metainfo_hash_v2(s.mi)->b,
			       sizeof id->b);
		shoal_source_fini(&s);
		if (code)
			return code;
		k->list[3][i] = shoal_bytes(id->b, sizeof id->b);
	}
	k->a.similar = k->list[3];
	k->a.similar_count = from->count;
	for (size_t i = 0; i < k->o->collection.count; i++) {
		size_t len = strlen(k->o->collection.at[i]);
		if (len == 0 || len > SHOAL_COLLECTION_BYTES_MAX)
			return shoal_say_fail(k->tool, SHOAL_ERR_USAGE,
					      "--collection: a name of 1 to %d bytes is needed",
					      SHOAL_COLLECTION_BYTES_MAX);
	}
	return 0;
}

static struct shoal_bytes text_of(const char *text)
{
	return shoal_bytes(text, text ? strlen(text) : 0);
}

int shoal_make_describe(struct shoal_maker *k)
{
	const struct shoal_make_options *o = k->o;
	struct shoal_author *a = &k->a;
	int code;
	a->name = text_of(shoal_tree_name(&k->m->tree));
	a->single = k->m->tree.single;
	a->is_private = o->is_private;
	a->source = text_of(o->source);
	a->comment = text_of(o->comment);
	a->created_by = text_of("shoal " SHOAL_VERSION);
	a->created_at = o->no_date ? 0 : (int64_t)time(NULL);
	if ((code = describe_trackers(k)) ||
	    (code = describe_list(k, &o->webseed, 0, "webseed", true, &a->webseed, &a->webseed_count)) ||
	    (code = describe_list(k, &o->node, 1, "node", false, &a->node, &a->node_count)) ||
	    (code = describe_list(k, &o->peer, 2, "peer", false, &a->peer, &a->peer_count)) ||
	    (code = describe_similar(k)) ||
	    (code = describe_list(k, &o->collection, 4, "collection", false, &a->collection, &a->collection_count)))
		return code;
	a->file_at = shoal_make_file_at;
	a->self = k;
	a->file_count = k->m->tree.file_count;
	return 0;
}

int shoal_make_choose(struct shoal_maker *k)
{
	struct shoal_author_sums *sums = &k->m->sums;
	const char *why = NULL;
	char size[SHOAL_HUMAN_MAX];
	uint64_t wanted = k->o->piece_size;
	if (wanted && (wanted < SHOAL_PIECE_SIZE_MIN || wanted > SHOAL_PIECE_SIZE_MAX || (wanted & (wanted - 1))))
		return shoal_say_fail(k->tool, SHOAL_ERR_USAGE,
				      "--piece-size: a power of two from 16K to 64M is needed, not %" PRIu64, wanted);
	k->a.piece_size = wanted ? (uint32_t)wanted : shoal_author_piece_size(k->m->tree.size);
	k->m->piece_size = k->a.piece_size;
	k->a.format = SHOAL_FORMAT_HYBRID;
	shoal_author_measure(&k->a, sums);
	k->m->format = k->o->format == SHOAL_MAKE_AUTO ? shoal_author_format(sums, &why)
						       : (enum shoal_format)k->o->format;
	k->a.format = k->m->format;
	if (why && !k->tool->quiet)
		fprintf(stderr, "shoal %s: %s\n", k->tool->command, why);
	uint64_t pieces = k->a.format == SHOAL_FORMAT_V1 ? sums->pieces_v1 : sums->pieces;
	if (pieces > SHOAL_PIECES_MAX)
		return shoal_say_fail(
			k->tool, SHOAL_ERR_USAGE,
			"%" PRIu64 " pieces of %s: more than a torrent may have (%u); take a larger --piece-size%s",
			pieces, shoal_human_size(k->a.piece_size, size), SHOAL_PIECES_MAX,
			k->a.format == SHOAL_FORMAT_V1 ? "" : ", or --format v1: in v2 each file takes a piece");
	k->pieces = (uint32_t)pieces;
	return 0;
}

/* ---- lints ------------------------------------------------------------------------------- */

static void told_lint(void *to, enum shoal_lint lint, const char *what)
{
	struct shoal_maker *k = to;
	enum shoal_lint_level level = shoal_lint_level(&k->o->lint, lint);
	if (level == SHOAL_LINT_ALLOW)
		return;
	k->denied += level == SHOAL_LINT_DENY;
	shoal_say_warn(k->tool, NULL, "%s [%s%s]", what, shoal_lint_name(lint),
		       level == SHOAL_LINT_DENY ? ", denied" : "");
}

static int denied(struct shoal_maker *k)
{
	if (k->denied == 0)
		return 0;
	return shoal_say_fail_as(k->tool, SHOAL_EXIT_REFUSED, SHOAL_ERR_REFUSED,
				 "no torrent is made: --deny refuses %s",
				 k->denied == 1 ? "what is warned of above" : "some of what is warned of above");
}

int shoal_make_lint(struct shoal_maker *k)
{
	char list[1024], shown[SHOAL_SAY_TEXT_MAX];
	int bad = shoal_lint_policy_check(&k->o->lint);
	if (bad)
		return shoal_say_fail(
			k->tool, SHOAL_ERR_USAGE, "--%s %s: no such lint; there are all, %s",
			bad > 0 ? "allow" : "deny",
			shoal_say_cstr(bad > 0 ? k->o->lint.allow.at[bad - 1] : k->o->lint.deny.at[-bad - 1], shown),
			shoal_lint_names(list));
	shoal_lint_facts_plan(&k->facts, &k->a, &k->m->sums);
	shoal_lint(&k->facts, told_lint, k);
	return denied(k);
}

static const uint8_t *root_of(void *self, uint32_t i, uint64_t *size)
{
	char room[SHOAL_AUTHOR_PATH_ROOM];
	struct shoal_author_file f = { .length = 0 };
	shoal_make_file_at(self, i, room, &f);
	*size = f.length;
	return f.root;
}

static void told_duplicates(void *to, enum shoal_lint lint, const char *what)
{
	if (lint == SHOAL_LINT_DUPLICATE)
		told_lint(to, lint, what);
}

int shoal_make_lint_roots(struct shoal_maker *k)
{
	if (k->root == NULL)
		return 0;
	shoal_lint_facts_roots(&k->facts, k->m->tree.file_count, root_of, k);
	shoal_lint(&k->facts, told_duplicates, k);
	return denied(k);
}
