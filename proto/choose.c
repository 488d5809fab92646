/* proto/choose.c - globs as a row of tokens, all places in it tried at once; lists of ranges. */
#include "proto/choose.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"

enum kind {
	ONE,  /* a byte of the set */
	RUN,  /* any number of them */
	SKIP, /* nothing; the next token (a DIRS) may be left out */
	DIRS, /* whole folders, each with its slash */
};
struct shoal_glob_token {
	uint8_t kind;
	uint64_t set[4]; /* of bytes */
};

static void set_range(struct shoal_glob_token *t, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to; c++)
		t->set[c >> 6] |= UINT64_C(1) << (c & 63);
}

static void set_drop(struct shoal_glob_token *t, unsigned c)
{
	t->set[c >> 6] &= ~(UINT64_C(1) << (c & 63));
}

static bool set_has(const struct shoal_glob_token *t, uint8_t c)
{
	return t->set[c >> 6] >> (c & 63) & 1;
}

static struct shoal_glob_token *push(struct shoal_glob *g, enum kind kind)
{
	struct shoal_glob_token *t = &g->token[g->count++];
	*t = (struct shoal_glob_token){ .kind = (uint8_t)kind };
	return t;
}

/* The rest of a character of UTF-8 whose first byte has been matched. */
static void push_rest(struct shoal_glob *g)
{
	set_range(push(g, RUN), 0x80, 0xbf);
}

static void push_any(struct shoal_glob *g)
{
	struct shoal_glob_token *t = push(g, ONE);
	set_range(t, 0, 0x7f);
	set_range(t, 0xc0, 0xff);
	set_drop(t, '/');
	push_rest(g);
}

static void push_byte(struct shoal_glob *g, uint8_t c)
{
	set_range(push(g, ONE), c, c);
}

static void push_star(struct shoal_glob *g)
{
	struct shoal_glob_token *t = push(g, RUN);
	set_range(t, 0, 0xff);
	set_drop(t, '/');
}

static void push_folders(struct shoal_glob *g)
{
	push(g, SKIP);
	push(g, DIRS);
}

/* One byte of a class, escaped or not; -1: there is none. */
static int class_byte(struct shoal_bytes text, size_t *at)
{
	if (*at < text.len && text.at[*at] == '\\')
		++*at;
	if (*at >= text.len || text.at[*at] >= 0x80)
		return -1;
	return text.at[(*at)++];
}

/* "[...]", *at behind its bracket. A "]" that comes first stands for itself. */
static int take_class(struct shoal_glob *g, struct shoal_bytes text, size_t *at)
{
	struct shoal_glob_token *t = push(g, ONE);
	bool negated = *at < text.len && (text.at[*at] == '!' || text.at[*at] == '^');
	*at += negated;
	for (bool first = true;; first = false) {
		if (*at < text.len && text.at[*at] == ']' && !first)
			break;
		int from = class_byte(text, at), to = from;
		if (from >= 0 && *at + 1 < text.len && text.at[*at] == '-' && text.at[*at + 1] != ']') {
			++*at;
			to = class_byte(text, at);
		}
		if (from < 0 || to < from)
			return SHOAL_ERR_MALFORMED;
		set_range(t, (unsigned)from, (unsigned)to);
	}
	++*at;
	if (negated) {
		for (size_t i = 0; i < 2; i++)
			t->set[i] = ~t->set[i];
		set_range(t, 0xc0, 0xff);
	}
	set_drop(t, '/'); /* as in every shell */
	if (negated)
		push_rest(g);
	return 0;
}

/* Stars, *at at the first: two that are a whole component cross folders, all else stays in one. */
static void take_stars(struct shoal_glob *g, struct shoal_bytes text, size_t *at)
{
	size_t from = *at, end = from;
	while (end < text.len && text.at[end] == '*')
		end++;
	bool alone = end - from >= 2 && (from == 0 || text.at[from - 1] == '/') &&
		     (end == text.len || text.at[end] == '/');
	*at = end;
	if (alone && end < text.len) {
		push_folders(g);
		++*at; /* its slash */
	} else if (alone) {
		set_range(push(g, RUN), 0, 0xff);
	} else {
		push_star(g);
	}
}

static int take_text(struct shoal_glob *g, struct shoal_bytes text)
{
	int rc = 0;
	for (size_t at = 0; rc == 0 && at < text.len;) {
		uint8_t c = text.at[at];
		if (c == '*') {
			take_stars(g, text, &at);
			continue;
		}
		at++;
		if (c == '?') {
			push_any(g);
		} else if (c == '[') {
			rc = take_class(g, text, &at);
		} else if (c == '\\') {
			if (at == text.len)
				return SHOAL_ERR_MALFORMED;
			push_byte(g, text.at[at++]);
		} else {
			push_byte(g, c);
		}
	}
	return rc;
}

int shoal_glob_init(struct shoal_glob *g, struct shoal_bytes text)
{
	*g = (struct shoal_glob){ 0 };
	if (text.len > SHOAL_GLOB_BYTES_MAX)
		return SHOAL_ERR_TOO_LONG;
	bool escaped = text.len >= 2 && text.at[text.len - 2] == '\\';
	if (text.len > 0 && text.at[text.len - 1] == '/' && !escaped) {
		g->folders = true;
		text.len--;
	}
	bool anchored = text.len > 0 && memchr(text.at, '/', text.len) != NULL;
	if (text.len > 0 && text.at[0] == '/')
		text = shoal_bytes(text.at + 1, text.len - 1);
	if (text.len == 0)
		return SHOAL_ERR_MALFORMED;
	size_t room = 2 * text.len + 2; /* no byte of the text becomes more than two tokens */
	g->token = calloc(room, sizeof *g->token);
	g->active = calloc(room + 1, sizeof *g->active);
	if (g->token == NULL || g->active == NULL) {
		shoal_glob_fini(g);
		return SHOAL_ERR_NOMEM;
	}
	if (!anchored)
		push_folders(g);
	int rc = take_text(g, text);
	if (rc < 0)
		shoal_glob_fini(g);
	return rc;
}

void shoal_glob_fini(struct shoal_glob *g)
{
	free(g->token);
	free(g->active);
	*g = (struct shoal_glob){ 0 };
}

/* From each place that has been reached, what can be reached for nothing. All such ways lead forward. */
static void reach(struct shoal_glob *g)
{
	for (uint32_t i = 0; i < g->count; i++) {
		if (!g->active[i])
			continue;
		if (g->token[i].kind == RUN || g->token[i].kind == SKIP)
			g->active[i + 1] = true;
		if (g->token[i].kind == SKIP)
			g->active[i + 2] = true;
	}
}

/* From the last place to the first, so that what one token passes on is not taken for news by the next. */
static bool step(struct shoal_glob *g, uint8_t c)
{
	bool any = false;
	g->active[g->count] = false;
	for (uint32_t i = g->count; i-- > 0;) {
		const struct shoal_glob_token *t = &g->token[i];
		if (!g->active[i])
			continue;
		bool on = t->kind == DIRS ? c == '/' : t->kind == ONE && set_has(t, c);
		g->active[i] = t->kind == DIRS || (t->kind == RUN && set_has(t, c));
		if (on)
			g->active[i + 1] = true;
		any = any || on || g->active[i];
	}
	return any;
}

bool shoal_glob_match(struct shoal_glob *g, struct shoal_bytes path)
{
	if (g->token == NULL || path.len == 0)
		return false;
	memset(g->active, 0, g->count + 1u);
	g->active[0] = true;
	reach(g);
	for (size_t at = 0; at < path.len; at++) {
		if (path.at[at] == '/' && g->active[g->count])
			return true; /* it fits a folder, and this lies in it */
		if (!step(g, path.at[at]))
			return false;
		reach(g);
	}
	return !g->folders && g->active[g->count];
}

/* ---- numbers ---------------------------------------------------------------------------- */

static int take_number(struct shoal_bytes list, size_t *at, uint32_t *out)
{
	uint64_t n = 0;
	size_t from = *at;
	for (; *at < list.len && list.at[*at] >= '0' && list.at[*at] <= '9'; ++*at) {
		n = n * 10 + (uint64_t)(list.at[*at] - '0');
		if (n >= UINT32_MAX)
			return SHOAL_ERR_RANGE;
	}
	*out = (uint32_t)n;
	return *at > from ? 0 : SHOAL_ERR_MALFORMED;
}

int shoal_ranges_next(struct shoal_bytes list, size_t *at, uint32_t *first, uint32_t *last)
{
	if (*at >= list.len)
		return 0;
	if (*at > 0 && list.at[(*at)++] != ',')
		return SHOAL_ERR_MALFORMED;
	*first = 0;
	int rc = take_number(list, at, first);
	*last = *first;
	if (rc == 0 && *at < list.len && list.at[*at] == '-') {
		++*at;
		rc = take_number(list, at, last);
	}
	if (rc < 0)
		return rc;
	return *last < *first ? SHOAL_ERR_MALFORMED : 1;
}

int64_t shoal_ranges_choose(struct shoal_bytes list, bool chosen[], uint32_t count)
{
	/* How many ranges begin at a number, less those that end before it. A list of 64 KiB has few enough. */
	int32_t *change = calloc((size_t)count + 1, sizeof *change);
	uint32_t first, last;
	size_t at = 0;
	int rc;
	if (change == NULL)
		return SHOAL_ERR_NOMEM;
	while ((rc = shoal_ranges_next(list, &at, &first, &last)) > 0) {
		if (first >= count)
			continue;
		change[first]++;
		change[last < count ? last + 1 : count]--;
	}
	int64_t named = 0;
	int32_t open = 0;
	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		open += change[i];
		if (open > 0) {
			chosen[i] = true;
			named++;
		}
	}
	free(change);
	return rc < 0 ? rc : named;
}
