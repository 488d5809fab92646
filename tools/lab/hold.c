/* hold.c - see hold.h. */
#include "tools/lab/hold.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/lab/metric.h"
#include "tools/lab/rank.h"

#define DEPTH_MAX 16 /* of brackets */
#define NEAR 1e-9    /* equal, as far as sums of doubles go */

static const char *const cmps[] = { "<=", "<", ">=", ">", "==" };

const char *lab_cmp_text(enum lab_cmp cmp)
{
	return cmps[cmp];
}

struct parsing {
	struct lab_hold *h;
	const struct lab_scenario *s;
	const char *at;
	unsigned depth;
	char *why; /* 200 */
};

static int expected(struct parsing *p, const char *what)
{
	snprintf(p->why, 200, "expected %s %s%.20s", what, *p->at ? "at " : "at the end", p->at);
	return SHOAL_ERR_MALFORMED;
}

static void blanks(struct parsing *p)
{
	while (*p->at == ' ')
		p->at++;
}

static int push(struct parsing *p, struct lab_step step)
{
	if (p->h->steps == LAB_HOLD_STEPS_MAX) {
		snprintf(p->why, 200, "it is too long");
		return SHOAL_ERR_MALFORMED;
	}
	p->h->step[p->h->steps++] = step;
	return 0;
}

static bool word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static int number(struct parsing *p)
{
	static const enum lab_unit units[] = { LAB_SHARE, LAB_TIME, LAB_SIZE, LAB_RATE };
	char text[40];
	size_t n = strspn(p->at, "0123456789.");
	while (isalpha((unsigned char)p->at[n]) || p->at[n] == '%')
		n++;
	struct lab_step step = { .op = '#' };
	snprintf(text, sizeof text, "%.*s", (int)(n < 39 ? n : 39), p->at);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (lab_quantity(text, units[i], &step.number) < 0)
			continue;
		p->at += n;
		return push(p, step);
	}
	return expected(p, "a number (1.35, 0.5%, 15s, 12M)");
}

static int metric(struct parsing *p)
{
	struct lab_step step = { .op = 'm', .group = -1, .run = LAB_RUN_MAIN };
	char name[64];
	size_t n = 0;
	while (word_char(p->at[n]))
		n++;
	snprintf(name, sizeof name, "%.*s", (int)(n < 63 ? n : 63), p->at);
	int found = lab_metric_of(name);
	if (found < 0) {
		snprintf(p->why, 200, "'%.40s' is no metric; there are: ", name);
		lab_metric_names(p->why + strlen(p->why), 200 - strlen(p->why));
		return SHOAL_ERR_MALFORMED;
	}
	step.metric = (unsigned)found;
	p->at += n;
	if (*p->at == '[') {
		size_t len = strcspn(++p->at, "]");
		step.group = lab_scenario_group(p->s, p->at, len);
		if (step.group < 0 || p->at[len] != ']')
			return expected(p, "the name of a group and ]");
		p->at += len + 1;
	}
	if (*p->at == '(') {
		size_t len = strcspn(++p->at, ")");
		snprintf(name, sizeof name, "%.*s", (int)(len < 63 ? len : 63), p->at);
		const struct lab_variant *run = lab_scenario_variant(p->s, name);
		int policy = lab_policy_of(name);
		if (run != NULL)
			step.run = (int)(run - p->s->runs);
		else if (policy >= 0)
			step.run = LAB_RUN_POLICY + policy;
		else
			return expected(p, "the name of a policy or of one of `runs`, and )");
		if (p->at[len] != ')')
			return expected(p, ")");
		p->at += len + 1;
	}
	return push(p, step);
}

static int sum(struct parsing *p);

static int factor(struct parsing *p)
{
	blanks(p);
	if (*p->at == '(') {
		if (++p->depth > DEPTH_MAX)
			return expected(p, "fewer brackets");
		p->at++;
		int rc = sum(p);
		blanks(p);
		if (rc < 0)
			return rc;
		if (*p->at != ')')
			return expected(p, ")");
		p->at++;
		p->depth--;
		return 0;
	}
	if (isdigit((unsigned char)*p->at))
		return number(p);
	return isalpha((unsigned char)*p->at) ? metric(p) : expected(p, "a metric or a number");
}

/* Operators of one rank, from left to right. */
static int chain(struct parsing *p, const char *ops, int (*below)(struct parsing *p))
{
	int rc = below(p);
	for (;;) {
		blanks(p);
		if (rc < 0 || *p->at == 0 || strchr(ops, *p->at) == NULL)
			return rc;
		struct lab_step step = { .op = *p->at++ };
		rc = below(p);
		if (rc == 0)
			rc = push(p, step);
	}
}

static int product(struct parsing *p)
{
	return chain(p, "*/", factor);
}

static int sum(struct parsing *p)
{
	return chain(p, "+-", product);
}

static bool word(struct parsing *p, const char *text)
{
	size_t n = strlen(text);
	if (strncmp(p->at, text, n) != 0 || p->at[n] != ' ')
		return false;
	p->at += n;
	blanks(p);
	return true;
}

int lab_hold_parse(struct lab_hold *h, const char *text, const struct lab_scenario *s, char why[200])
{
	struct parsing p = { h, s, text, 0, why };
	*h = (struct lab_hold){ .agg = LAB_AGG_MEDIAN };
	blanks(&p);
	if (word(&p, "always")) {
		h->agg = LAB_AGG_ALWAYS;
	} else if (word(&p, "mean")) {
		h->agg = LAB_AGG_MEAN;
	} else if (word(&p, "in")) {
		char share[24];
		size_t n = strcspn(p.at, " ");
		snprintf(share, sizeof share, "%.*s", (int)(n < 23 ? n : 23), p.at);
		h->agg = LAB_AGG_IN;
		if (strchr(share, '%') == NULL || lab_quantity(share, LAB_SHARE, &h->share) < 0 || h->share > 1)
			return expected(&p, "a share such as 99%");
		p.at += n;
	} else {
		(void)word(&p, "median");
	}
	int rc = sum(&p);
	if (rc < 0)
		return rc;
	size_t n = strspn(p.at, "<>="), i = 0;
	while (i < sizeof cmps / sizeof *cmps && (strlen(cmps[i]) != n || memcmp(cmps[i], p.at, n) != 0))
		i++;
	if (i == sizeof cmps / sizeof *cmps)
		return expected(&p, "one of <= < >= > ==");
	h->cmp = (enum lab_cmp)i;
	h->right = h->steps;
	p.at += n;
	rc = sum(&p);
	return rc == 0 && *p.at != 0 ? expected(&p, "nothing more") : rc;
}

/* ---- values -------------------------------------------------------------------------------- */

static double value(const struct lab_step *step, unsigned steps, lab_metric_fn *fn, void *to)
{
	double stack[LAB_HOLD_STEPS_MAX];
	unsigned top = 0;
	for (unsigned i = 0; i < steps; i++) {
		if (step[i].op == '#') {
			stack[top++] = step[i].number;
		} else if (step[i].op == 'm') {
			stack[top++] = fn(to, &step[i]);
		} else {
			assert(top >= 2); /* or it was not parsed here */
			double b = stack[--top], a = stack[--top];
			stack[top++] = step[i].op == '+'   ? a + b
				       : step[i].op == '-' ? a - b
				       : step[i].op == '*' ? a * b
							   : a / b;
		}
	}
	assert(top == 1);
	return stack[0];
}

void lab_hold_sides(const struct lab_hold *h, lab_metric_fn *fn, void *to, double *left, double *right)
{
	*left = value(h->step, h->right, fn, to);
	*right = value(h->step + h->right, h->steps - h->right, fn, to);
}

bool lab_hold_compare(const struct lab_hold *h, double left, double right, double slack)
{
	double grace = fabs(right) * (slack + NEAR);
	switch (h->cmp) {
	case LAB_CMP_LE: return left <= right + grace;
	case LAB_CMP_LT: return left < right + fabs(right) * slack;
	case LAB_CMP_GE: return left >= right - grace;
	case LAB_CMP_GT: return left > right - fabs(right) * slack;
	case LAB_CMP_EQ: return fabs(left - right) <= fabs(right) * NEAR;
	}
	return false;
}

static double middle(const double *v, size_t count, bool mean)
{
	double all = 0, sorted[64], *at = count <= 64 ? sorted : malloc(count * sizeof *at);
	if (at == NULL)
		return NAN;
	memcpy(at, v, count * sizeof *at);
	double m = lab_rank_median(at, count);
	for (size_t i = 0; i < count; i++)
		all += at[i] / (double)count;
	if (at != sorted)
		free(at);
	return mean ? all : m;
}

double lab_hold_margin(const struct lab_hold *h, double left, double right)
{
	double by = right != 0 ? fabs(right) : 1;
	switch (h->cmp) {
	case LAB_CMP_LE:
	case LAB_CMP_LT: return (right - left) / by;
	case LAB_CMP_GE:
	case LAB_CMP_GT: return (left - right) / by;
	case LAB_CMP_EQ: return -fabs(left - right) / by;
	}
	return 0;
}

bool lab_hold_over(const struct lab_hold *h, const double *left, const double *right, size_t count, double slack,
		   double *shown_left, double *shown_right, size_t *worst)
{
	size_t good = 0;
	*worst = 0;
	for (size_t i = 0; i < count; i++) {
		good += lab_hold_compare(h, left[i], right[i], slack);
		double here = lab_hold_margin(h, left[i], right[i]),
		       least = lab_hold_margin(h, left[*worst], right[*worst]);
		if (!isnan(least) && (isnan(here) || here < least))
			*worst = i;
	}
	if (h->agg == LAB_AGG_ALWAYS || h->agg == LAB_AGG_IN) {
		*shown_left = left[*worst];
		*shown_right = right[*worst];
		return (double)good >= (h->agg == LAB_AGG_IN ? h->share : 1) * (double)count - NEAR;
	}
	*shown_left = middle(left, count, h->agg == LAB_AGG_MEAN);
	*shown_right = middle(right, count, h->agg == LAB_AGG_MEAN);
	return lab_hold_compare(h, *shown_left, *shown_right, slack);
}
