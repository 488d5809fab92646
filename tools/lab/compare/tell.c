/* tell.c - see tell.h. */
#include "tools/lab/compare/tell.h"

#include "proto/base/bytes.h"
#include "tools/human.h"

#include <inttypes.h>
#include <stdio.h>

#define SHOWN_COLUMNS 72 /* of one text */
#define SHOWN_MAX 400
#define SENTENCE_MAX 1200

static const char *const end_name[LAB_CMP_ENDS] = { "not run",		"good",	      "refused",	 "gives up",
						    "not done in time", "dies of it", "cannot be opened" };

/* ---- a difference in words --------------------------------------------------------------------------- */

/* Short enough for a line. */
static const char *shown(struct shoal_bytes raw, char out[SHOWN_MAX])
{
	char safe[SHOAL_SAY_TEXT_MAX];
	return shoal_human_fit(shoal_say_text(raw, safe), SHOWN_COLUMNS, out, SHOWN_MAX);
}

static const char *hex(struct shoal_bytes hash, char out[65])
{
	return hash.len == 0 ? "none" : shoal_say_hex(hash.at, hash.len < 32 ? hash.len : 32, out);
}

static void sentence(const struct lab_cmp_diff *d, char out[SENTENCE_MAX])
{
	char a[SHOWN_MAX], b[SHOWN_MAX], ha[65], hb[65];
	unsigned long long n = d->our_number, m = d->their_number;
	shown(d->ours, a);
	shown(d->theirs, b);
	switch (d->kind) {
	case LAB_CMP_TAKEN:
		snprintf(out, SENTENCE_MAX, "%s refuses: %s", n == LAB_CMP_REFUSED ? "shoal" : "libtorrent",
			 n == LAB_CMP_REFUSED ? a : b);
		break;
	case LAB_CMP_ENDED:
	case LAB_CMP_GOT:
		snprintf(out, SENTENCE_MAX, "shoal: %s%s%s; libtorrent: %s%s%s", end_name[n % LAB_CMP_ENDS],
			 a[0] ? ": " : "", a, end_name[m % LAB_CMP_ENDS], b[0] ? ": " : "", b);
		break;
	case LAB_CMP_HASH:
		snprintf(out, SENTENCE_MAX, "v%u hash %s, libtorrent %s", d->index, hex(d->ours, ha),
			 hex(d->theirs, hb));
		break;
	case LAB_CMP_NAME: snprintf(out, SENTENCE_MAX, "name '%s', libtorrent '%s'", a, b); break;
	case LAB_CMP_SIZE: snprintf(out, SENTENCE_MAX, "%llu bytes, libtorrent %llu", n, m); break;
	case LAB_CMP_PIECES: snprintf(out, SENTENCE_MAX, "%llu pieces, libtorrent %llu", n, m); break;
	case LAB_CMP_FILES: snprintf(out, SENTENCE_MAX, "%llu files, libtorrent %llu", n, m); break;
	case LAB_CMP_PATH: snprintf(out, SENTENCE_MAX, "file %u: '%s', libtorrent '%s'", d->index + 1, a, b); break;
	case LAB_CMP_FILE_SIZE:
		snprintf(out, SENTENCE_MAX, "file %u: %llu bytes, libtorrent %llu", d->index + 1, n, m);
		break;
	case LAB_CMP_STATES:
		snprintf(out, SENTENCE_MAX, "%llu pieces are right, for libtorrent %llu; the first that differs is %u",
			 n, m, d->index);
		break;
	case LAB_CMP_WIRE: snprintf(out, SENTENCE_MAX, "%llu bytes on the wire, libtorrent %llu", n, m); break;
	case LAB_CMP_LIES:
		snprintf(out, SENTENCE_MAX, "file %u is fetched and %s, with libtorrent %s", d->index + 1, a, b);
		break;
	case LAB_CMP_EXTRA:
		snprintf(out, SENTENCE_MAX, "%s makes '%s', which is no file of it",
			 d->ours.len ? "shoal" : "libtorrent", d->ours.len ? a : b);
		break;
	default: snprintf(out, SENTENCE_MAX, "?"); break;
	}
}

/* ---- JSON ------------------------------------------------------------------------------------------------ */

static void json_costs(struct shoal_json *j, const struct lab_cmp_cost *c)
{
	shoal_json_us(j, "seconds", c->took);
	shoal_json_us(j, "cpu", c->cpu);
	shoal_json_u64(j, "rss", c->rss);
}

static void json_cost(struct shoal_json *j, const char *key, const struct lab_cmp_cost *c)
{
	shoal_json_object(j, key);
	json_costs(j, c);
	shoal_json_end(j);
}

static void json_text(struct shoal_json *j, const char *key, const char *text)
{
	if (text[0] != '\0')
		shoal_json_str(j, key, shoal_bytes(text, strlen(text)));
}

static void json_side(struct shoal_json *j, const char *key, const struct lab_cmp_side *s)
{
	const struct lab_cmp_look *l = &s->look;
	shoal_json_object(j, key);
	shoal_json_text(j, "torrent_is", end_name[l->end]);
	json_text(j, "what", l->text);
	if (l->has_v1)
		shoal_json_hex(j, "infohash_v1", l->v1.b, sizeof l->v1.b);
	if (l->has_v2)
		shoal_json_hex(j, "infohash_v2", l->v2.b, sizeof l->v2.b);
	if (l->end == LAB_CMP_GOOD) {
		uint64_t right = 0;
		for (uint32_t i = 0; l->have != NULL && i < l->pieces; i++)
			right += lab_cmp_has(l, i);
		shoal_json_str(j, "name", lab_cmp_name(l));
		shoal_json_u64(j, "size", l->size);
		shoal_json_u64(j, "files", l->file_count);
		shoal_json_u64(j, "pieces", l->pieces);
		if (l->have != NULL)
			shoal_json_u64(j, "pieces_right", right);
		json_cost(j, "check", &l->cost);
	}
	if (s->get.end != LAB_CMP_NOT_RUN) {
		shoal_json_text(j, "fetch_is", end_name[s->get.end]);
		json_text(j, "fetch_what", s->get.text);
		json_cost(j, "fetch", &s->get.cost);
		shoal_json_u64(j, "payload", s->get.payload);
		shoal_json_u64(j, "wasted", s->get.wasted);
		shoal_json_u64(j, "hash_failures", s->get.hash_failures);
		shoal_json_u64(j, "wire", s->get.wire);
	}
	shoal_json_end(j);
}

static void json_diff(struct shoal_json *j, const struct lab_cmp_diff *d)
{
	char text[SENTENCE_MAX];
	sentence(d, text);
	shoal_json_object(j, NULL);
	shoal_json_text(j, "kind", lab_cmp_kind_name(d->kind));
	if (d->kind == LAB_CMP_HASH) {
		shoal_json_u64(j, "version", d->index);
		shoal_json_hex(j, "ours", d->ours.at, d->ours.len);
		shoal_json_hex(j, "theirs", d->theirs.at, d->theirs.len);
	} else {
		if (d->index != LAB_CMP_NO_INDEX)
			shoal_json_u64(j, "index", d->index);
		if (d->ours.len + d->theirs.len > 0) {
			shoal_json_str(j, "ours", d->ours);
			shoal_json_str(j, "theirs", d->theirs);
		} else {
			shoal_json_u64(j, "ours", d->our_number);
			shoal_json_u64(j, "theirs", d->their_number);
		}
	}
	shoal_json_text(j, "text", text);
	shoal_json_text(j, "why", d->why != NULL ? d->why->id : NULL);
	shoal_json_end(j);
}

/* ---- counting --------------------------------------------------------------------------------------------- */

static void add_cost(struct lab_cmp_cost *to, const struct lab_cmp_cost *c)
{
	to->took += c->took;
	to->cpu += c->cpu;
	to->rss = shoal_max_u64(to->rss, c->rss);
}

static void add_fetch(struct lab_cmp_sum *to, const struct lab_cmp_get *g)
{
	add_cost(&to->cost, &g->cost);
	to->payload += g->payload;
	to->wire += g->wire;
}

static void count(struct lab_cmp_tally *t, const struct lab_cmp_pair *p, size_t diffs)
{
	const struct lab_cmp_side *a = &p->ours, *b = &p->theirs;
	t->torrents++;
	t->taken += a->look.end == LAB_CMP_GOOD && b->look.end == LAB_CMP_GOOD;
	t->refused += a->look.end == LAB_CMP_REFUSED && b->look.end == LAB_CMP_REFUSED;
	t->alike += diffs == 0;
	t->differing += diffs > 0;
	t->diffs += diffs;
	if (a->look.have != NULL && b->look.have != NULL) {
		t->checked++;
		t->checked_bytes += a->look.size;
		add_cost(&t->check[0].cost, &a->look.cost);
		add_cost(&t->check[1].cost, &b->look.cost);
	}
	if (a->get.end == LAB_CMP_GOOD && b->get.end == LAB_CMP_GOOD) {
		t->fetched++;
		add_fetch(&t->fetch[0], &a->get);
		add_fetch(&t->fetch[1], &b->get);
	}
}

void lab_cmp_tell(struct shoal_tool *tool, struct lab_cmp_tally *tally, const char *name, const struct lab_cmp_pair *p)
{
	struct lab_cmp_diff diff[LAB_CMP_DIFFS_MAX];
	size_t all = lab_cmp_diff(p, diff, LAB_CMP_DIFFS_MAX);
	size_t n = all < LAB_CMP_DIFFS_MAX ? all : LAB_CMP_DIFFS_MAX;
	char shown_name[SHOAL_SAY_TEXT_MAX], text[SENTENCE_MAX];
	count(tally, p, all);
	tally->unexplained += all - n; /* what is not looked at is not explained */
	for (size_t i = 0; i < n; i++) {
		diff[i].why = lab_cmp_explain(p, &diff[i]);
		if (diff[i].why == NULL)
			tally->unexplained++;
		else
			tally->why[diff[i].why - lab_cmp_whys]++;
	}
	if (tool->json) {
		struct shoal_json *j = shoal_say_event(tool, "compared", 0);
		shoal_json_str(j, "file", shoal_bytes(name, strlen(name)));
		json_side(j, "ours", &p->ours);
		json_side(j, "theirs", &p->theirs);
		shoal_json_array(j, "differences");
		for (size_t i = 0; i < n; i++)
			json_diff(j, &diff[i]);
		shoal_json_end(j);
		shoal_json_u64(j, "differences_all", all);
		shoal_say_event_end(tool);
		return;
	}
	if (all > 0)
		shoal_say(tool, "%s", shoal_say_cstr(name, shown_name));
	for (size_t i = 0; i < n; i++) {
		sentence(&diff[i], text);
		shoal_say(tool, "  %s  [%s]", text, diff[i].why != NULL ? diff[i].why->id : "UNEXPLAINED");
	}
	if (all > n)
		shoal_say(tool, "  and %zu more, not looked at  [UNEXPLAINED]", all - n);
}

/* ---- the end ----------------------------------------------------------------------------------------------- */

static void json_sum(struct shoal_json *j, const char *key, const struct lab_cmp_sum *s, bool wire)
{
	shoal_json_object(j, key);
	json_costs(j, &s->cost);
	if (wire) {
		shoal_json_u64(j, "payload", s->payload);
		shoal_json_u64(j, "wire", s->wire);
	}
	shoal_json_end(j);
}

static void json_end(struct shoal_tool *tool, const struct lab_cmp_tally *t)
{
	struct shoal_json *j = shoal_say_event(tool, "summary", 0);
	shoal_json_u64(j, "torrents", t->torrents);
	shoal_json_u64(j, "both_take", t->taken);
	shoal_json_u64(j, "both_refuse", t->refused);
	shoal_json_u64(j, "alike", t->alike);
	shoal_json_u64(j, "differing", t->differing);
	shoal_json_u64(j, "differences", t->diffs);
	shoal_json_u64(j, "unexplained", t->unexplained);
	shoal_json_u64(j, "checked", t->checked);
	json_sum(j, "check_ours", &t->check[0], false);
	json_sum(j, "check_theirs", &t->check[1], false);
	shoal_json_u64(j, "fetched", t->fetched);
	json_sum(j, "fetch_ours", &t->fetch[0], true);
	json_sum(j, "fetch_theirs", &t->fetch[1], true);
	shoal_json_object(j, "reasons");
	for (size_t i = 0; lab_cmp_whys[i].id != NULL; i++)
		if (t->why[i] > 0)
			shoal_json_u64(j, lab_cmp_whys[i].id, t->why[i]);
	shoal_say_event_end(tool);
}

static void row(struct shoal_tool *tool, const char *what, const char *ours, const char *theirs)
{
	shoal_say(tool, "  %-34s %12s %12s", what, ours, theirs);
}

static void figures(struct shoal_tool *tool, const struct lab_cmp_sum s[2], bool wire)
{
	char a[SHOAL_HUMAN_MAX], b[SHOAL_HUMAN_MAX];
	row(tool, "time, summed", shoal_human_span(s[0].cost.took, a), shoal_human_span(s[1].cost.took, b));
	row(tool, "processor time, start included", shoal_human_span(s[0].cost.cpu, a),
	    shoal_human_span(s[1].cost.cpu, b));
	row(tool, "memory, the largest process", shoal_human_size(s[0].cost.rss, a),
	    shoal_human_size(s[1].cost.rss, b));
	if (!wire)
		return;
	row(tool, "payload received", shoal_human_size(s[0].payload, a), shoal_human_size(s[1].payload, b));
	row(tool, "bytes on the wire, both ways", shoal_human_size(s[0].wire, a), shoal_human_size(s[1].wire, b));
}

void lab_cmp_tell_end(struct shoal_tool *tool, const struct lab_cmp_tally *t)
{
	char size[SHOAL_HUMAN_MAX], what[80];
	if (tool->json)
		return json_end(tool, t);
	shoal_say(tool, "%s%zu compared: %zu alike, %zu with differences (%zu, %zu unexplained)",
		  t->differing > 0 ? "\n" : "", t->torrents, t->alike, t->differing, t->diffs, t->unexplained);
	shoal_say(tool, "taken by both %zu, refused by both %zu, by one alone %zu", t->taken, t->refused,
		  t->torrents - t->taken - t->refused);
	if (t->checked > 0) {
		snprintf(what, sizeof what, "%zu checked, %s", t->checked, shoal_human_size(t->checked_bytes, size));
		shoal_say(tool, " ");
		row(tool, what, "shoal", "libtorrent");
		figures(tool, t->check, false);
	}
	if (t->fetched > 0) {
		snprintf(what, sizeof what, "%zu fetched", t->fetched);
		row(tool, what, "", "");
		figures(tool, t->fetch, true);
	}
	for (size_t i = 0, first = 1; lab_cmp_whys[i].id != NULL; i++) {
		if (t->why[i] == 0)
			continue;
		if (first)
			shoal_say(tool, "\nbecause");
		first = 0;
		shoal_say(tool, "  %s (%zu): %s", lab_cmp_whys[i].id, t->why[i], lab_cmp_whys[i].text);
	}
}

void lab_cmp_tell_whys(struct shoal_tool *tool)
{
	for (const struct lab_cmp_why *w = lab_cmp_whys; w->id != NULL; w++) {
		if (tool->json) {
			struct shoal_json *j = shoal_say_event(tool, "reason", 0);
			shoal_json_text(j, "id", w->id);
			shoal_json_text(j, "text", w->text);
			shoal_say_event_end(tool);
		} else {
			shoal_say(tool, "%s: %s", w->id, w->text);
		}
	}
}
