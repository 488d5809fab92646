/*
 * tools/lab/dump.h - a run in virtual time as it is at one instant, for people.
 */
#ifndef LAB_DUMP_H
#define LAB_DUMP_H

#include <stdio.h>
#include "tools/lab/diary.h"
#include "tools/lab/result.h"

/* All nodes as they are now, and what happened before. */
void lab_dump(FILE *to, const struct lab_result *r, struct sim *sim, const struct lab_diary *diary);
/* Fills r->reason with the last notes on whom there is most to be learnt of: who broke a rule, else who was last or never
 * got there. */
void lab_dump_reason(struct lab_result *r, const struct lab_diary *diary);

#endif
