/*
 * proto/choose.h - which files of a torrent are meant: globs over their paths, and lists of numbers (BEP 53).
 *
 * A glob is the shell's, over bytes, case-sensitive, with the rules of a
 * .gitignore, which most people know: without a slash it is held against
 * every name on the way ("*.mkv", "notes"), with one against the path from
 * its beginning ("season 1/a?.mkv"); one that fits a folder fits all that
 * lies in it; with a slash at its end it fits folders alone. A star stops at
 * a slash, a double one that stands alone between slashes does not. "?" is a
 * character (of UTF-8), "[a-z]" and "[!a-z]" one of a set, a backslash takes
 * what follows as it is.
 *
 * Pure. Matching takes time in proportion to pattern times path, whatever
 * either holds: no backtracking, no recursion.
 */
#ifndef SHOAL_CHOOSE_H
#define SHOAL_CHOOSE_H

#include <shoal/types.h>

#define SHOAL_GLOB_BYTES_MAX 4096u

struct shoal_glob_token;
struct shoal_glob {
	struct shoal_glob_token *token;
	uint32_t count;
	bool folders; /* it ended in a slash */
	bool *active; /* one a token, for a match under way; so a glob belongs to one thread */
};

/* `text` is read now alone. MALFORMED (empty, a class without end or with bytes beyond ASCII, a lone backslash), TOO_LONG,
 * NOMEM. Good to fini in any case. */
SHOAL_MUST int shoal_glob_init(struct shoal_glob *g, struct shoal_bytes text);
void shoal_glob_fini(struct shoal_glob *g);
/* Whether it fits `path`: components joined by '/', none at either end. */
bool shoal_glob_match(struct shoal_glob *g, struct shoal_bytes path);

/*
 * Takes the first range off a list such as "0,2,4,6-8": 1 and [*first, *last], both included; 0 at its end; MALFORMED
 * for anything else, an empty item and a range that runs backwards included; RANGE above UINT32_MAX - 1. Begin
 * with *at 0.
 */
SHOAL_MUST int shoal_ranges_next(struct shoal_bytes list, size_t *at, uint32_t *first, uint32_t *last);
/* Sets chosen[i] for each number i < count that the list names. How many that are, MALFORMED, RANGE, NOMEM. Linear in the
 * list and `count`, however often the list names the same. */
SHOAL_MUST int64_t shoal_ranges_choose(struct shoal_bytes list, bool chosen[], uint32_t count);

#endif
