/* roll.c - see roll.h. */
#include "tools/lab/roll.h"

#include <math.h>
#include <stdlib.h>

int lab_roll_init(struct lab_roll *roll, struct lab_result *r)
{
	*roll = (struct lab_roll){ .r = r, .comes = calloc((size_t)r->nodes + 1, sizeof *roll->comes) };
	return roll->comes != NULL ? 0 : SHOAL_ERR_NOMEM;
}

void lab_roll_fini(struct lab_roll *roll)
{
	free(roll->comes);
}

static bool counts(const struct lab_result_node *n)
{
	return n->honest && n->wants;
}

void lab_roll_expect(struct lab_roll *roll, unsigned i)
{
	roll->comes[i] = true;
	roll->to_join++;
}

bool lab_roll_joins(struct lab_roll *roll, unsigned i, double t)
{
	struct lab_result_node *n = &roll->r->node[i];
	if (isfinite(n->joined))
		return false;
	n->joined = t;
	roll->to_join -= roll->comes[i];
	roll->open += counts(n);
	return true;
}

bool lab_roll_completes(struct lab_roll *roll, unsigned i, double t)
{
	struct lab_result_node *n = &roll->r->node[i];
	if (isfinite(n->complete))
		return false;
	if (!isfinite(n->left))
		roll->open -= counts(n);
	n->complete = t;
	return true;
}

bool lab_roll_leaves(struct lab_roll *roll, unsigned i, double t)
{
	struct lab_result_node *n = &roll->r->node[i];
	if (isfinite(n->left))
		return false;
	if (!isfinite(n->joined))
		roll->to_join -= roll->comes[i];
	else if (!isfinite(n->complete))
		roll->open -= counts(n);
	n->left = t;
	return true;
}

void lab_roll_recalls(struct lab_roll *roll, unsigned i)
{
	struct lab_result_node *n = &roll->r->node[i];
	if (!isfinite(n->left))
		return;
	n->left = INFINITY;
	if (!isfinite(n->joined))
		roll->to_join += roll->comes[i];
	else if (!isfinite(n->complete))
		roll->open += counts(n);
}

bool lab_roll_over(const struct lab_roll *roll)
{
	return roll->to_join == 0 && roll->open == 0;
}
