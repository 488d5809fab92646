/*
 * tools/lab/hold.h - one line of must_hold: an expression over metrics that is compared with another.
 *
 *     t95 / bound <= 1.20                  the median over the seeds, on either side
 *     always false_bans == 0               for every seed
 *     mean waste <= 0.5%
 *     in 99% copies_min >= 1               for that share of the seeds
 *     tmax(off) / tmax >= 0.98             of another run: a policy's name, or one of `runs`
 *     rate[riders] <= 35% * rate[honest]   of one group
 *
 * Numbers may have units: 15s, 12M, 0.5%. + - * / and brackets as everywhere.
 */
#ifndef LAB_HOLD_H
#define LAB_HOLD_H

#include "tools/lab/scenario.h"

#define LAB_HOLD_STEPS_MAX 32

enum lab_agg { LAB_AGG_MEDIAN, LAB_AGG_ALWAYS, LAB_AGG_MEAN, LAB_AGG_IN };
enum lab_cmp { LAB_CMP_LE, LAB_CMP_LT, LAB_CMP_GE, LAB_CMP_GT, LAB_CMP_EQ };

/* Of which run a metric is. */
#define LAB_RUN_MAIN (-1)   /* the scenario itself; 0..: number of `runs` */
#define LAB_RUN_POLICY 1000 /* and above: the scenario under that policy */

struct lab_step {
	char op; /* '#' a number, 'm' a metric, else an operator on the two before it */
	double number;
	unsigned metric; /* lab_metrics */
	int group;	 /* -1: all that are honest */
	int run;
};
struct lab_hold {
	enum lab_agg agg;
	double share; /* of LAB_AGG_IN */
	enum lab_cmp cmp;
	struct lab_step step[LAB_HOLD_STEPS_MAX]; /* postfix; those before `right` are the left side */
	unsigned steps, right;
};

/* 0 or MALFORMED, with `why`. Groups and runs are looked up in `s`. */
SHOAL_MUST int lab_hold_parse(struct lab_hold *h, const char *text, const struct lab_scenario *s, char why[200]);

/* The value of a metric; NAN where there is none. */
typedef double lab_metric_fn(void *to, const struct lab_step *metric);
/* Both sides, for one seed. */
void lab_hold_sides(const struct lab_hold *h, lab_metric_fn *metric, void *to, double *left, double *right);
/* Whether left and right compare as they must, when the limit may be missed by `slack` of it. NAN never does. */
bool lab_hold_compare(const struct lab_hold *h, double left, double right, double slack);
/* How far from its limit, as a share of it: the greater the better, below 0 it is missed. */
double lab_hold_margin(const struct lab_hold *h, double left, double right);
/* Over the seeds: the two sides to show (those of the worst seed for always and in), and whether it holds. */
bool lab_hold_over(const struct lab_hold *h, const double *left, const double *right, size_t count, double slack,
		   double *shown_left, double *shown_right, size_t *worst);
const char *lab_cmp_text(enum lab_cmp cmp);

#endif
