/* rank.c - see rank.h. */
#include "tools/lab/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
	double x, y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	if (isnan(x) || isnan(y))
		return (int)isnan(x) - (int)isnan(y);
	return (x > y) - (x < y);
}

void lab_rank(double *v, size_t count)
{
	if (count > 0)
		qsort(v, count, sizeof *v, ascending);
}

double lab_rank_median(double *v, size_t count)
{
	if (count == 0)
		return NAN;
	lab_rank(v, count);
	return count % 2 ? v[count / 2] : (v[count / 2 - 1] + v[count / 2]) / 2;
}
