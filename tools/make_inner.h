/*
 * tools/make_inner.h - what make.c (walk, hash, write) and make_plan.c (describe, choose, lint) share.
 */
#ifndef SHOAL_TOOLS_MAKE_INNER_H
#define SHOAL_TOOLS_MAKE_INNER_H

#include "proto/base/slots.h"
#include "proto/merkle.h"
#include "swarm/io/hasher.h"
#include "tools/make.h"

#define SHOAL_MAKE_URLS_MAX SHOAL_TRACKERS_MAX

/*
 * Everything that is only needed while a torrent is made. Nothing in it is per file but the tree
 * itself and, while there is hashing, the hasher's list: so that a million files fit into what a swarm may use.
 */
struct shoal_maker {
	struct shoal_tool *tool;
	const struct shoal_make_options *o;
	struct shoal_make *m;
	const char *path;
	struct shoal_author a;		/* its files come from the tree, one by one */
	struct shoal_hasher_file *hash; /* those with bytes */
	uint32_t hash_count, pieces;
	uint64_t stream;
	uint8_t (*sha1)[20];
	shoal_hash32 *root; /* by piece */
	shoal_hash32 *top;  /* of files longer than a piece */
	/* Where file_at() is: files are asked for in order. */
	uint32_t at_file, at_top;
	uint64_t at_stream;
	struct shoal_author_url tracker[SHOAL_MAKE_URLS_MAX];
	struct shoal_bytes list[5][SHOAL_MAKE_URLS_MAX]; /* web seeds, nodes, peers, similar torrents, collections */
	struct shoal_id20 similar[SHOAL_MAKE_URLS_MAX];
	struct shoal_lint_facts facts;
	unsigned denied; /* lints that were told and that the user denies */
	struct shoal_ben_wr wr;
	/* The hasher's threads write here: each its own pieces; a failed one only ever sets this. */
	int bad_os;
};

/* Each 0, or the exit code after saying why. */
SHOAL_MUST int shoal_make_describe(struct shoal_maker *k);   /* names, texts, URLs */
SHOAL_MUST int shoal_make_choose(struct shoal_maker *k);     /* piece size and format */
SHOAL_MUST int shoal_make_lint(struct shoal_maker *k);	     /* what can be said before a byte is hashed */
SHOAL_MUST int shoal_make_lint_roots(struct shoal_maker *k); /* what can be said after */
/* As shoal_author's file_at. */
void shoal_make_file_at(void *self, size_t i, char room[SHOAL_AUTHOR_PATH_ROOM], struct shoal_author_file *out);
/* Whether --exclude or --exclude-junk wants it out; as skip() of tree.h. */
bool shoal_make_skip(void *self, const char *path, bool is_folder);
int shoal_make_no_memory(struct shoal_maker *k);

#endif
