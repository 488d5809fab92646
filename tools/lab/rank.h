/*
 * tools/lab/rank.h - figures in order, and what lies in their middle.
 *
 * What has no value (NAN) comes last: it must not hide in a median, which has none then, if that much is missing.
 */
#ifndef LAB_RANK_H
#define LAB_RANK_H

#include <stddef.h>

void lab_rank(double *v, size_t count);
/* Orders them. Of an even number, half-way between the two in the middle; NAN of none. */
double lab_rank_median(double *v, size_t count);

#endif
