/*
 * tools/lab/compare/why.h - the differences between the two engines that are known, and why each is there.
 *
 * A reason is narrow: it names what must be true of the torrent or of what the engines said, so that a new difference
 * does not pass for an old one. README.md has the same table for people. Pure.
 */
#ifndef LAB_COMPARE_WHY_H
#define LAB_COMPARE_WHY_H

#include "tools/lab/compare/diff.h"

#define LAB_CMP_WHYS_MAX 64

struct lab_cmp_why {
	const char *id;
	const char *text; /* a sentence or two */
	unsigned kinds;	  /* 1 << enum lab_cmp_kind: what it can explain */
	/* What one that refuses must say, or a part of it; NULL: it must not have refused. */
	const char *ours_says, *theirs_says;
	/* NULL: what is above is enough. */
	bool (*fits)(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d);
};

extern const struct lab_cmp_why lab_cmp_whys[LAB_CMP_WHYS_MAX]; /* ends with one without an id */

/* NULL: nobody has explained it. */
const struct lab_cmp_why *lab_cmp_explain(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d);

#endif
