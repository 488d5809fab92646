/* tools/lint.c - the cliffs of other engines, from their own sources and documentation, and who wants to hear of them. */
#include "tools/lint.h"

#include "proto/base/bytes.h"
#include "tools/human.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PAD_PERCENT 10u
#define DUPLICATE_PERCENT 5u

static const char *const names[SHOAL_LINTS] = {
	[SHOAL_LINT_PIECE_COUNT] = "piece-count",
	[SHOAL_LINT_PIECE_LARGE] = "large-piece-length",
	[SHOAL_LINT_PIECE_SMALL] = "small-piece-length",
	[SHOAL_LINT_PIECE_UNEVEN] = "uneven-piece-length",
	[SHOAL_LINT_METADATA_SIZE] = "metadata-size",
	[SHOAL_LINT_TORRENT_SIZE] = "torrent-size",
	[SHOAL_LINT_TOKENS] = "tokens",
	[SHOAL_LINT_PADDING] = "padding",
	[SHOAL_LINT_V2_ONLY] = "v2-only",
	[SHOAL_LINT_LAYERS] = "missing-layers",
	[SHOAL_LINT_EMPTY] = "empty",
	[SHOAL_LINT_RENAMED] = "unsafe-name",
	[SHOAL_LINT_UTF8] = "not-utf8",
	[SHOAL_LINT_WINDOWS] = "windows-name",
	[SHOAL_LINT_COLLISION] = "colliding-names",
	[SHOAL_LINT_LONG_NAME] = "long-name",
	[SHOAL_LINT_DEEP] = "deep-path",
	[SHOAL_LINT_SYMLINK] = "symlink",
	[SHOAL_LINT_JUNK] = "junk",
	[SHOAL_LINT_DUPLICATE] = "duplicates",
	[SHOAL_LINT_TRACKERLESS] = "private-trackerless",
	[SHOAL_LINT_PRIVATE_NODES] = "private-nodes",
	[SHOAL_LINT_TRACKER_URL] = "tracker-url",
	[SHOAL_LINT_WEBSEED_URL] = "webseed-url",
};

/*
 * Where others stop, lowest first within a lint. A bitfield is a bit a piece in one message, so who bounds
 * messages bounds pieces; who bounds ut_metadata bounds what a magnet link can bring.
 */
static const struct limit {
	enum shoal_lint lint;
	uint64_t most;
	const char *who; /* NULL: some, unnamed */
	const char *then;
} limits[] = {
	{ SHOAL_LINT_PIECE_COUNT, 100000, NULL, "some engines grow slow or refuse" },
	{ SHOAL_LINT_PIECE_COUNT, 262000, "rqbit", "cannot take the bitfield" },
	{ SHOAL_LINT_PIECE_COUNT, 524000, "anacrolix/torrent", "cannot take the bitfield" },
	{ SHOAL_LINT_PIECE_LARGE, 16u << 20, NULL, "some engines do badly" },
	{ SHOAL_LINT_METADATA_SIZE, 10u << 20, NULL, "some engines refuse it" },
	{ SHOAL_LINT_METADATA_SIZE, 16u << 20, "anacrolix/torrent", "will not take it by magnet link" },
	{ SHOAL_LINT_METADATA_SIZE, 31457280, "libtorrent", "will not take it by magnet link" },
	{ SHOAL_LINT_METADATA_SIZE, 32u << 20, "rqbit", "will not take it by magnet link" },
	{ SHOAL_LINT_TORRENT_SIZE, 10000000, "libtorrent", "does not load such a file unless told to" },
	{ SHOAL_LINT_TOKENS, 3000000, "libtorrent", "does not load so many bencoded values unless told to" },
};

struct teller {
	void (*tell)(void *to, enum shoal_lint lint, const char *what);
	void *to;
	size_t count;
};

__attribute__((format(printf, 3, 4))) static void tell(struct teller *t, enum shoal_lint lint, const char *fmt, ...)
{
	char what[320];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	t->tell(t->to, lint, what);
	t->count++;
}

/* "524,000": as the limits are known. */
static const char *grouped(uint64_t n, char out[SHOAL_HUMAN_MAX])
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRIu64, n), at = 0;
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

static const char *amount(uint64_t n, bool bytes, char out[SHOAL_HUMAN_MAX])
{
	return bytes ? shoal_human_size(n, out) : grouped(n, out);
}

/* "what: rqbit (262,000) and anacrolix/torrent (524,000) cannot take the bitfield". */
static void tell_limits(struct teller *t, enum shoal_lint lint, uint64_t n, bool bytes, const char *what)
{
	char text[240], limit[SHOAL_HUMAN_MAX];
	const struct limit *last = NULL;
	size_t len = 0;
	for (const struct limit *l = limits; l < limits + sizeof limits / sizeof *limits; l++)
		if (l->lint == lint && n > l->most)
			last = l;
	if (last == NULL)
		return;
	if (last->who == NULL) {
		tell(t, lint, "%s: above %s %s", what, amount(last->most, bytes, limit), last->then);
		return;
	}
	text[0] = '\0';
	for (const struct limit *l = limits; l <= last; l++) {
		if (l->lint != lint || l->who == NULL)
			continue;
		int more = snprintf(text + len, sizeof text - len, "%s%s (%s)", len ? ", " : "", l->who,
				    amount(l->most, bytes, limit));
		len += more > 0 ? (size_t)more : 0;
		if (len >= sizeof text)
			break;
	}
	tell(t, lint, "%s: %s %s", what, text, last->then);
}

static void tell_sizes(struct teller *t, const struct shoal_lint_facts *f)
{
	char what[96], n[SHOAL_HUMAN_MAX];
	/* A file of a v2 tree takes ten values, of a v1 list seven; folders and components come on top. */
	uint64_t tokens = (f->v2 ? 8 * f->files + 2 * f->rooted : 0) + (f->v1 ? 7 * f->files : 0) + f->components;
	snprintf(what, sizeof what, "%s pieces", grouped(f->pieces, n));
	tell_limits(t, SHOAL_LINT_PIECE_COUNT, f->pieces, false, what);
	snprintf(what, sizeof what, "pieces of %s", shoal_human_size(f->piece_size, n));
	tell_limits(t, SHOAL_LINT_PIECE_LARGE, f->piece_size, true, what);
	if (f->piece_size < SHOAL_PIECE_SIZE_MIN)
		tell(t, SHOAL_LINT_PIECE_SMALL, "%s: less than a block of 16 KiB, so each request brings less", what);
	if (f->piece_size & (f->piece_size - 1))
		tell(t, SHOAL_LINT_PIECE_UNEVEN,
		     "pieces of %" PRIu32 " bytes, no power of two: such a torrent can never become a hybrid",
		     f->piece_size);
	snprintf(what, sizeof what, "info dictionary of %s", shoal_human_size(f->info, n));
	tell_limits(t, SHOAL_LINT_METADATA_SIZE, f->info, true, what);
	snprintf(what, sizeof what, "a .torrent of %s", shoal_human_size(f->torrent, n));
	tell_limits(t, SHOAL_LINT_TORRENT_SIZE, f->torrent, true, what);
	snprintf(what, sizeof what, "some %s bencoded values", grouped(tokens, n));
	tell_limits(t, SHOAL_LINT_TOKENS, tokens, false, what);
}

/* A sentence that begins with a count, where there is something to count. */
static void tell_count(struct teller *t, enum shoal_lint lint, uint64_t n, const char *one, const char *many,
		       const char *rest)
{
	char count[SHOAL_HUMAN_MAX * 2];
	if (n)
		tell(t, lint, "%s %s", shoal_human_count(n, one, many, count), rest);
}

static void tell_names(struct teller *t, const struct shoal_lint_facts *f)
{
	tell_count(t, SHOAL_LINT_RENAMED, f->renamed, "file name is", "file names are",
		   "unsafe or impossible on disk and will be stored under another name");
	tell_count(t, SHOAL_LINT_UTF8, f->odd, "file name is", "file names are",
		   "not UTF-8: other engines may store them under other names");
	tell_count(t, SHOAL_LINT_WINDOWS, f->windows, "file name is", "file names are", "none that Windows can store");
	tell_count(t, SHOAL_LINT_COLLISION, f->colliding, "file differs", "files differ",
		   "from another in case or Unicode form alone: one name on Windows and macOS");
	tell_count(t, SHOAL_LINT_LONG_NAME, f->long_name, "file name has", "file names have",
		   "more than 143 bytes, which eCryptfs cannot store, or make a path above the 260 of Windows");
	tell_count(t, SHOAL_LINT_DEEP, f->deep, "file lies", "files lie",
		   "more than 50 folders deep: libtorrent may refuse the torrent");
	tell_count(t, SHOAL_LINT_SYMLINK, f->links, "symlink is", "symlinks are",
		   "not made: nothing of a stranger's points out of its folder");
	tell_count(t, SHOAL_LINT_JUNK, f->junk, "file is", "files are",
		   "what systems leave behind (.DS_Store, Thumbs.db); --exclude-junk leaves them out");
}

static void tell_places(struct teller *t, const struct shoal_lint_facts *f)
{
	if (f->is_private && f->trackers == 0)
		tell(t, SHOAL_LINT_TRACKERLESS, "private, and without a tracker: its peers can never meet (BEP 27)");
	if (f->is_private && f->nodes > 0)
		tell(t, SHOAL_LINT_PRIVATE_NODES, "private, so the DHT nodes in it are never asked (BEP 27)");
	if (f->bad_trackers)
		tell(t, SHOAL_LINT_TRACKER_URL, "%u of %zu trackers: %s", f->bad_trackers, f->trackers, f->bad_tracker);
	if (f->bad_webseeds)
		tell(t, SHOAL_LINT_WEBSEED_URL, "%u of %zu web seeds: %s", f->bad_webseeds, f->webseeds,
		     f->bad_webseed);
}

/* part of whole, in whole per cent; sums of sizes stay far below what would overflow. */
static unsigned percent(uint64_t part, uint64_t whole)
{
	return whole ? (unsigned)shoal_min_u64(part / (whole / 100 + 1), 99999) : 0;
}

size_t shoal_lint(const struct shoal_lint_facts *f, void (*tell_one)(void *to, enum shoal_lint lint, const char *what),
		  void *to)
{
	struct teller t = { tell_one, to, 0 };
	char text[SHOAL_HUMAN_MAX], n[SHOAL_HUMAN_MAX * 2];
	tell_sizes(&t, f);
	if (f->v1 && f->v2 && f->padding > f->size / 100 * PAD_PERCENT + f->size % 100 * PAD_PERCENT / 100)
		tell(&t, SHOAL_LINT_PADDING,
		     "%s of padding (%u %% of the data), which engines without BEP 47 download and store",
		     shoal_human_size(f->padding, text), percent(f->padding, f->size));
	if (f->v2 && !f->v1)
		tell(&t, SHOAL_LINT_V2_ONLY,
		     "v2 only: Transmission, aria2, rTorrent, rqbit and WebTorrent know v1 alone");
	if (f->layers_missing)
		tell(&t, SHOAL_LINT_LAYERS,
		     "piece layers are missing: they must come from peers before a piece can be checked");
	if (f->size == 0)
		tell(&t, SHOAL_LINT_EMPTY, "nothing but empty files: libtorrent refuses such a torrent");
	tell_names(&t, f);
	if (f->duplicate_bytes > f->size / 100 * DUPLICATE_PERCENT)
		tell(&t, SHOAL_LINT_DUPLICATE, "%s the same bytes as another in it: %s, %u %% of the data",
		     shoal_human_count(f->duplicates, "file has", "files have", n),
		     shoal_human_size(f->duplicate_bytes, text), percent(f->duplicate_bytes, f->size));
	tell_places(&t, f);
	return t.count;
}

/* ---- who wants to hear of it ------------------------------------------------------- */

const char *shoal_lint_name(enum shoal_lint lint)
{
	return names[lint];
}

const char *shoal_lint_names(char out[1024])
{
	size_t len = 0;
	for (int i = 0; i < SHOAL_LINTS; i++) {
		int more = snprintf(out + len, 1024 - len, "%s%s", i ? ", " : "", names[i]);
		len += more > 0 ? (size_t)more : 0;
		if (len >= 1024)
			break;
	}
	return out;
}

static int unknown_in(const struct shoal_opt_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		int lint = 0;
		while (lint < SHOAL_LINTS && strcmp(names[lint], list->at[i]) != 0)
			lint++;
		if (lint == SHOAL_LINTS && strcmp(list->at[i], "all") != 0)
			return (int)i + 1;
	}
	return 0;
}

int shoal_lint_policy_check(const struct shoal_lint_policy *policy)
{
	int bad = unknown_in(&policy->allow);
	return bad ? bad : -unknown_in(&policy->deny);
}

static bool has(const struct shoal_opt_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->at[i], name) == 0)
			return true;
	return false;
}

enum shoal_lint_level shoal_lint_level(const struct shoal_lint_policy *policy, enum shoal_lint lint)
{
	if (has(&policy->deny, names[lint]))
		return SHOAL_LINT_DENY;
	if (has(&policy->allow, names[lint]))
		return SHOAL_LINT_ALLOW;
	if (has(&policy->deny, "all"))
		return SHOAL_LINT_DENY;
	return has(&policy->allow, "all") ? SHOAL_LINT_ALLOW : SHOAL_LINT_WARN;
}
