/*
 * tools/lab/quantity.h - numbers with units, and spreads of them, as scenario files write them.
 *
 *     64K 4M 1.5G           sizes, in powers of 1024 ("MiB" is the same as "M")
 *     4M 20Mbit none        rates: a size a second; or bits a second in powers of 1000; no limit
 *     20ms 90s 5min 2h 7d   times ("never" is infinite; a bare number is seconds)
 *     0.5% 20ppm 0.25       shares
 *
 * A spread gives each node of a group a value of its own:
 *
 *     each(5Mbit, 10Mbit)        the first node the first, the second the second, and over again
 *     uniform(10s, 20s)          evenly between two
 *     loguniform(20ms, 200ms)    evenly between two, by their logarithm
 *     lognormal(8Mbit, 0.5)      around a median; the second is sigma of the logarithm
 *     exponential(300s)          with that mean
 *     every(2s)  poisson(2s)     one after another, that far apart: exactly, or on average
 */
#ifndef LAB_QUANTITY_H
#define LAB_QUANTITY_H

#include "proto/base/rng.h"

enum lab_unit {
	LAB_COUNT, /* a whole number */
	LAB_SIZE,  /* bytes */
	LAB_RATE,  /* bytes a second; 0: no limit */
	LAB_TIME,  /* seconds; INFINITY: never */
	LAB_SHARE, /* of 1 */
};

/* 0, or MALFORMED / RANGE: not such a number, or above 2^50. */
SHOAL_MUST int lab_quantity(const char *text, enum lab_unit unit, double *out);
/* What such a number looks like, for messages: "a size (64K, 4M, 1G)". */
const char *lab_quantity_looks(enum lab_unit unit);

enum lab_spread_kind {
	LAB_SPREAD_FIXED,
	LAB_SPREAD_EACH,
	LAB_SPREAD_UNIFORM,
	LAB_SPREAD_LOGUNIFORM,
	LAB_SPREAD_LOGNORMAL,
	LAB_SPREAD_EXPONENTIAL,
	LAB_SPREAD_EVERY,
	LAB_SPREAD_POISSON,
};
#define LAB_SPREAD_VALUES_MAX 8
struct lab_spread {
	enum lab_spread_kind kind;
	unsigned count;
	double value[LAB_SPREAD_VALUES_MAX];
};

/* 0 or MALFORMED, with `why` saying what was expected. */
SHOAL_MUST int lab_spread_parse(struct lab_spread *s, const char *text, enum lab_unit unit, char why[160]);
/*
 * One value for each of `count` nodes, with six significant digits: the
 * logarithms of two C libraries may differ in the last bit, worlds must not.
 */
void lab_spread_draw(const struct lab_spread *s, struct shoal_rng *rng, double *out, unsigned count);

#endif
