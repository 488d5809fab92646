/* count.c - see count.h. */
#include "tools/lab/real/count.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "tools/lab/build.h"

#define FIRST_BYTES (64u << 10) /* more than any greeting: data has come */
#define RATE_S 1.0		/* over which rates are shown */

int lab_count_init(struct lab_count *c, const struct lab_stage *stage, struct lab_result *r)
{
	const struct lab_plan *plan = &stage->plan;
	*c = (struct lab_count){ .stage = stage, .r = r };
	r->nodes = plan->nodes;
	r->groups = stage->s->nodes_count;
	r->copies_out = NAN;
	r->idle = NAN;
	r->first = INFINITY;
	r->node = calloc(r->nodes, sizeof *r->node);
	r->sent = calloc((size_t)r->groups * r->groups, sizeof *r->sent);
	c->had = calloc(r->nodes, sizeof *c->had);
	c->had_down = calloc(r->nodes, sizeof *c->had_down);
	c->group = calloc(r->groups, sizeof *c->group);
	c->flow = calloc(r->groups, sizeof *c->flow);
	if (r->node == NULL || r->sent == NULL || c->had == NULL || c->had_down == NULL || c->group == NULL ||
	    c->flow == NULL)
		return SHOAL_ERR_NOMEM;
	if (r->nodes <= LAB_MATRIX_MAX &&
	    (r->sent_by_node = calloc((size_t)r->nodes * r->nodes, sizeof *r->sent_by_node)) == NULL)
		return SHOAL_ERR_NOMEM;
	for (unsigned i = 0; i < r->nodes; i++)
		r->node[i] = (struct lab_result_node){ .group = plan->node[i].group,
						       .honest = !plan->node[i].hostile,
						       .wants = !plan->node[i].seed,
						       .silent = plan->node[i].played ||
								 plan->node[i].kind > LAB_KIND_LIBTORRENT,
						       .up_rate = plan->node[i].drawn.up,
						       .down_rate = plan->node[i].drawn.down,
						       .joined = INFINITY,
						       .complete = INFINITY,
						       .left = INFINITY };
	r->bound = lab_build_bound(stage->s, r->node, r->nodes);
	return 0;
}

/* What has crossed the wires so far. */
static void count_sent(struct lab_count *c)
{
	struct lab_result *r = c->r;
	memset(r->sent, 0, (size_t)r->groups * r->groups * sizeof *r->sent);
	for (unsigned i = 0; i < r->nodes; i++)
		r->node[i].up = r->node[i].down = r->node[i].to_attackers = 0;
	for (unsigned i = 0; i < r->nodes; i++) {
		for (unsigned k = 0; k < r->nodes; k++) {
			struct lab_result_node *a = &r->node[i], *b = &r->node[k];
			uint64_t bytes = lab_relay_payload(&c->stage->relay, i, k);
			if (r->sent_by_node != NULL)
				r->sent_by_node[(size_t)i * r->nodes + k] = bytes;
			r->sent[a->group * r->groups + b->group] += bytes;
			a->up += bytes;
			b->down += bytes;
			if (!b->honest)
				a->to_attackers += bytes;
		}
	}
}

void lab_count_said(struct lab_count *c, unsigned i)
{
	c->had_down[i] = 0;
	for (unsigned k = 0; k < c->r->nodes; k++)
		c->had_down[i] += lab_relay_payload(&c->stage->relay, k, i);
}

/* As of when the wires were last counted. */
static double share_of(const struct lab_count *c, const struct lab_crew *crew, unsigned i)
{
	const struct lab_result_node *r = &c->r->node[i];
	if (!r->wants || isfinite(r->complete))
		return 1;
	double since = fmax((double)r->down - (double)c->had_down[i], 0);
	return fmin(((double)crew->node[i].done + since) / c->stage->s->content.size.v, 0.99);
}

double lab_count_sample(struct lab_count *c, const struct lab_crew *crew, double t, double *every)
{
	struct lab_result *r = c->r;
	struct lab_point p = { .t = t, .copies_least = NAN };
	unsigned wanting = 0;
	count_sent(c);
	for (unsigned i = 0; i < r->nodes; i++) {
		bool wants = r->node[i].honest && r->node[i].wants;
		c->had[i] = fmax(c->had[i], share_of(c, crew, i));
		wanting += wants;
		p.have += wants ? c->had[i] : 0;
		p.complete += wants && isfinite(r->node[i].complete);
		if (r->node[i].honest && !r->node[i].wants)
			p.seeds_sent += r->node[i].up;
		if (crew->node[i].state == LAB_CREW_DOWN)
			continue;
		p.running++;
		p.copies += r->node[i].honest ? c->had[i] : 0;
	}
	p.have = wanting > 0 ? p.have / wanting : 1;
	for (unsigned i = 0; i < r->nodes && !isfinite(r->first); i++)
		if (r->node[i].honest && r->node[i].wants && r->node[i].down >= FIRST_BYTES)
			r->first = t;
	int thinned = lab_result_point(r, &p);
	if (thinned < 0)
		return -1;
	if (thinned > 0)
		*every *= 2;
	return p.have;
}

static void look_at_flow(struct lab_count *c, double t)
{
	const struct lab_result *r = c->r;
	double since = t - c->looked_at;
	if (since < RATE_S)
		return;
	count_sent(c);
	for (unsigned g = 0; g < r->groups; g++) {
		struct lab_count_flow now = { 0, 0 };
		for (unsigned i = 0; i < r->nodes; i++) {
			now.up += r->node[i].group == g ? r->node[i].up : 0;
			now.down += r->node[i].group == g ? r->node[i].down : 0;
		}
		c->group[g].up = (uint64_t)((double)(now.up - c->flow[g].up) / since);
		c->group[g].down = (uint64_t)((double)(now.down - c->flow[g].down) / since);
		c->flow[g] = now;
	}
	c->looked_at = t;
}

void lab_count_progress(struct lab_count *c, const struct lab_crew *crew, struct lab_progress *p)
{
	const struct lab_result *r = c->r;
	look_at_flow(c, p->t);
	for (unsigned g = 0; g < r->groups; g++) {
		struct lab_progress_group *to = &c->group[g];
		*to = (struct lab_progress_group){ .name = lab_result_group(r, g), .up = to->up, .down = to->down };
	}
	for (unsigned i = 0; i < r->nodes; i++) {
		struct lab_progress_group *to = &c->group[r->node[i].group];
		bool wants = r->node[i].honest && r->node[i].wants, complete = isfinite(r->node[i].complete);
		p->wanting += wants;
		p->complete += wants && complete;
		p->running += crew->node[i].state != LAB_CREW_DOWN;
		to->nodes++;
		to->running += crew->node[i].state != LAB_CREW_DOWN;
		to->wanting += r->node[i].wants;
		to->complete += r->node[i].wants && complete;
		to->have += r->node[i].wants ? fmax(c->had[i], share_of(c, crew, i)) : 0;
	}
	for (unsigned g = 0; g < r->groups; g++)
		c->group[g].have = c->group[g].wanting > 0 ? c->group[g].have / c->group[g].wanting : 1;
	p->group = c->group;
	p->groups = r->groups;
	if (r->points > 0)
		p->have = r->point[r->points - 1].have;
}

void lab_count_finish(struct lab_count *c, const struct lab_crew *crew)
{
	struct lab_result *r = c->r;
	for (unsigned i = 0; i < r->nodes; i++) {
		const struct lab_crew_node *n = &crew->node[i];
		r->node[i].rss = n->rss_peak;
		r->node[i].cpu = n->cpu;
		r->node[i].wasted = n->wasted + n->wasted_now;
	}
}

void lab_count_fini(struct lab_count *c)
{
	free(c->had);
	free(c->had_down);
	free(c->group);
	free(c->flow);
	*c = (struct lab_count){ 0 };
}
