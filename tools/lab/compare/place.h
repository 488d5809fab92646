/*
 * tools/lab/compare/place.h - the scratch folder a comparison works in: fresh folders, copies of content, what lies there.
 *
 * Engines work on copies alone: one of them makes empty files and links wherever it looks. All that is below the scratch
 * folder was named by strangers, so it is walked by descriptors and no link is followed.
 */
#ifndef LAB_COMPARE_PLACE_H
#define LAB_COMPARE_PLACE_H

#include "tools/lab/compare/result.h"

#define LAB_CMP_DEPTH_MAX 512u

struct lab_cmp_place {
	char *path; /* heap; NULL: none */
	int fd;
};

/* A new folder below `parent` (NULL: $TMPDIR, /tmp). 0; IO (errno), NOMEM. */
SHOAL_MUST int lab_cmp_place_init(struct lab_cmp_place *p, const char *parent);
/* Removes it and all that is in it. */
void lab_cmp_place_fini(struct lab_cmp_place *p);
/* An empty folder of that name in it; what was there is gone. `out`: its path. 0; IO, NOMEM. */
SHOAL_MUST int lab_cmp_place_fresh(struct lab_cmp_place *p, const char *name, char out[4096]);

/* Whether any file with bytes that `l` names lies below `folder` (or all of them are empty, and the folder is there). */
bool lab_cmp_place_any(const char *folder, const struct lab_cmp_look *l);
/* Copies what lies below `from` under the names of `as` to `to` under the names of `be`, file by file (both have
 * as many); what lacks is left out. 0; IO (errno), NO_SPACE. */
SHOAL_MUST int lab_cmp_place_lay(const char *from, const struct lab_cmp_look *as, const char *to,
				 const struct lab_cmp_look *be);
/* Everything below `folder` but folders, hashed. 0; IO, NOMEM, TOO_LONG. */
SHOAL_MUST int lab_cmp_place_list(const char *folder, struct lab_cmp_disk *out);

#endif
