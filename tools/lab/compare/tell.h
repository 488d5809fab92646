/*
 * tools/lab/compare/tell.h - differences as a table for people and as JSON for programs, and what all of it comes to.
 */
#ifndef LAB_COMPARE_TELL_H
#define LAB_COMPARE_TELL_H

#include "tools/lab/compare/why.h"
#include "tools/say.h"

#define LAB_CMP_DIFFS_MAX 256u /* of one torrent, that are shown; the rest is counted */

/* What one engine's jobs took, over the torrents both did. */
struct lab_cmp_sum {
	struct lab_cmp_cost cost; /* its memory: the largest */
	uint64_t payload, wire;
};
struct lab_cmp_tally {
	size_t torrents, taken, refused; /* refused: by both */
	size_t alike, differing, diffs, unexplained;
	size_t checked, fetched;
	uint64_t checked_bytes;
	struct lab_cmp_sum check[2], fetch[2]; /* ours, theirs */
	size_t why[LAB_CMP_WHYS_MAX];	       /* differences by reason, in the order of lab_cmp_whys[] */
};

/* Explains and counts what differs, and tells it. `name`: of the torrent's file, raw. */
void lab_cmp_tell(struct shoal_tool *tool, struct lab_cmp_tally *tally, const char *name, const struct lab_cmp_pair *p);
/* All of it; then, of the reasons that were met, what they are. */
void lab_cmp_tell_end(struct shoal_tool *tool, const struct lab_cmp_tally *tally);
/* Every known difference, met or not. */
void lab_cmp_tell_whys(struct shoal_tool *tool);

#endif
