/*
 * tools/lab/where.h - where in a YAML text a field stands, by its path: "nodes[2].up".
 */
#ifndef LAB_WHERE_H
#define LAB_WHERE_H

#include "tools/lab/scenario.h"

struct lab_where;

/* Parses the text for its positions alone. 0; MALFORMED: it is no YAML, `fault` says where; NOMEM. */
SHOAL_MUST int lab_where_open(struct lab_where **out, struct shoal_bytes text, struct lab_fault *fault);
void lab_where_free(struct lab_where *w);
/*
 * Sets line and column of the value at `path`, or of its key (the last of that name). Where the path leads nowhere,
 * those of the innermost thing that is there.
 */
void lab_where_find(struct lab_where *w, const char *path, bool key, struct lab_fault *fault);

#endif
