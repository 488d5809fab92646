/*
 * tools/lint.h - what other engines would refuse, mangle or waste of a torrent that we find good.
 *
 * One table for `create` (before a byte is hashed), `seed PATH` and `show`. Facts are gathered
 * from a parsed torrent or from a description of one to be made; shoal_lint() holds them
 * against the limits of other engines and says each thing once. A lint has a name,
 * which the user allows or denies; tools/lint.md lists them with their sources.
 */
#ifndef SHOAL_TOOLS_LINT_H
#define SHOAL_TOOLS_LINT_H

#include "proto/author.h"
#include "proto/metainfo.h"
#include "tools/options.h"

enum shoal_lint {
	SHOAL_LINT_PIECE_COUNT,
	SHOAL_LINT_PIECE_LARGE,
	SHOAL_LINT_PIECE_SMALL,
	SHOAL_LINT_PIECE_UNEVEN,
	SHOAL_LINT_METADATA_SIZE,
	SHOAL_LINT_TORRENT_SIZE,
	SHOAL_LINT_TOKENS,
	SHOAL_LINT_PADDING,
	SHOAL_LINT_V2_ONLY,
	SHOAL_LINT_LAYERS,
	SHOAL_LINT_EMPTY,
	SHOAL_LINT_RENAMED,
	SHOAL_LINT_UTF8,
	SHOAL_LINT_WINDOWS,
	SHOAL_LINT_COLLISION,
	SHOAL_LINT_LONG_NAME,
	SHOAL_LINT_DEEP,
	SHOAL_LINT_SYMLINK,
	SHOAL_LINT_JUNK,
	SHOAL_LINT_DUPLICATE,
	SHOAL_LINT_TRACKERLESS,
	SHOAL_LINT_PRIVATE_NODES,
	SHOAL_LINT_TRACKER_URL,
	SHOAL_LINT_WEBSEED_URL,
	SHOAL_LINTS,
};

/* What is held against the table. Counts of files leave pads out. */
struct shoal_lint_facts {
	bool v1, v2, is_private, single, layers_missing;
	uint32_t piece_size;
	uint64_t pieces, info, torrent; /* bytes of the dictionary, and of the whole file (0: not known) */
	uint64_t size, padding, files, components, rooted;
	uint64_t renamed, odd, windows, deep, long_name, links, junk, colliding;
	uint64_t duplicates, duplicate_bytes; /* files whose bytes another one has as well */
	size_t trackers, webseeds, nodes;
	unsigned bad_trackers, bad_webseeds;
	const char *bad_tracker, *bad_webseed; /* what is wrong with the first of them */
	/* While they are gathered. */
	uint64_t *fold; /* hashes of names as a system blind to case and form sees them */
	size_t fold_count, fold_room;
};

/* All that a torrent says. `torrent`: bytes of its file, 0 when there is none. */
void shoal_lint_facts_of(struct shoal_lint_facts *f, const struct shoal_metainfo *mi, uint64_t torrent);
/* Of one that is to be made: names, sizes and URLs, no hashes. */
void shoal_lint_facts_plan(struct shoal_lint_facts *f, const struct shoal_author *a,
			   const struct shoal_author_sums *sums);
/* Files by root: how many, and bytes, some other file has too. `root_of` may return NULL. */
void shoal_lint_facts_roots(struct shoal_lint_facts *f, uint32_t count,
			    const uint8_t *(*root_of)(void *self, uint32_t i, uint64_t *size), void *self);

/* Tells each lint that applies, once, in one sentence of plain ASCII; returns how many. */
size_t shoal_lint(const struct shoal_lint_facts *f, void (*tell)(void *to, enum shoal_lint lint, const char *what),
		  void *to);

const char *shoal_lint_name(enum shoal_lint lint);
/* "a, b, c": for messages. */
const char *shoal_lint_names(char out[1024]);

enum shoal_lint_level { SHOAL_LINT_ALLOW, SHOAL_LINT_WARN, SHOAL_LINT_DENY };
/* --allow and --deny as they were given; either may name "all". A name beats "all", and denying beats allowing. */
struct shoal_lint_policy {
	struct shoal_opt_list allow, deny;
};
/* 0, or the index + 1 in allow, or -(index + 1) in deny, of a name that is no lint's. */
SHOAL_MUST int shoal_lint_policy_check(const struct shoal_lint_policy *policy);
enum shoal_lint_level shoal_lint_level(const struct shoal_lint_policy *policy, enum shoal_lint lint);

/* ---- lint_names.c ---- */
/* One file's path (components joined by '/') into the counts. */
void shoal_lint_path(struct shoal_lint_facts *f, struct shoal_bytes path, unsigned flags, uint64_t size);
/* After the last path. */
void shoal_lint_paths_end(struct shoal_lint_facts *f);
/* Names that systems and programs leave behind in folders, and nobody wants to have. */
bool shoal_lint_is_junk(struct shoal_bytes name);
extern const char *const shoal_lint_junk[]; /* the patterns (fnmatch), NULL at the end */

#endif
