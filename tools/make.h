/*
 * tools/make.h - from a file or folder to a torrent: walk, choose, hash, write, check. For create and seed.
 */
#ifndef SHOAL_TOOLS_MAKE_H
#define SHOAL_TOOLS_MAKE_H

#include "proto/author.h"
#include "proto/metainfo.h"
#include "swarm/io/tree.h"
#include "tools/lint.h"

struct shoal_tool;

enum { SHOAL_MAKE_AUTO = -1 };

struct shoal_make_options {
	int format;	     /* enum shoal_format, or AUTO: hybrid where that is wise */
	uint64_t piece_size; /* 0: by the size of the data */
	uint32_t threads;    /* 0: one a core */
	bool is_private, no_date;
	const char *comment, *source;  /* NULL: none */
	struct shoal_opt_list tracker; /* each a tier; "," between trackers of one tier */
	struct shoal_opt_list webseed, node, peer, similar, collection;
	struct shoal_opt_list exclude; /* globs: with '/' of a path below the top, else of a name anywhere */
	bool exclude_junk;	       /* what systems leave behind: lint.h */
	struct shoal_lint_policy lint;
	bool dry_run; /* all but the hashing and what comes of it */
};

struct shoal_make {
	struct shoal_tree tree; /* its list of files is gone once the torrent is made: see file_count */
	uint32_t file_count;
	uint64_t dropped[SHOAL_TREE_DROPS], skipped; /* of the tree */
	struct shoal_author_sums sums;
	uint32_t piece_size;
	struct shoal_bytes torrent; /* heap */
	struct shoal_metainfo *mi;  /* parsed from those very bytes, and borrowing them; NULL after a dry run */
	enum shoal_format format;
	shoal_us hash_us;
};

/* 0, or the exit code after saying why. Always safe to fini. Draws progress on stderr; lints are told as warnings. */
SHOAL_MUST int shoal_make(struct shoal_tool *tool, struct shoal_make *m, const struct shoal_make_options *o,
			  const char *path);
void shoal_make_fini(struct shoal_make *m);
/* The rows of the options above, for the commands that take them. */
#define SHOAL_MAKE_OPTIONS_MAX 20
void shoal_make_rows(struct shoal_make_options *o, struct shoal_opt *rows);
void shoal_make_options_fini(struct shoal_make_options *o);

#endif
