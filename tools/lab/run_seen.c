/* run_seen.c - what a run sees: what nodes say and send each other, and now and then how far they all are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "tools/lab/run.h"
#include "tools/lab/run_room.h"
#include "tools/lab/world/held.h"
#include "tools/lab/world/must.h"

static int index_of(const struct sim_node *n)
{
	return n != NULL ? (int)n->index : -1;
}

void lab_course_on_event(void *to, struct sim_node *n, const struct shoal_event *ev)
{
	struct lab_course *c = to;
	struct lab_result_node *r = &c->r->node[n->index];
	int other = -1;
	if (ev->kind == SHOAL_EV_FLIGHT)
		return c->o->recorded(c->o->recorded_to, ev->data, ev->t);
	if (ev->kind == SHOAL_EV_PEER_BANNED || (c->diary.trace != NULL && ev->kind == SHOAL_EV_PEER_JOINED))
		other = index_of(sim_node_at(c->sim, &ev->addr));
	lab_diary_event(&c->diary, n, other, ev, lab_course_now(c), c->r->steps);
	if (ev->kind == SHOAL_EV_PEER_BANNED && other >= 0 && r->honest)
		c->r->node[other].banned_by++;
	if (ev->kind != SHOAL_EV_COMPLETE || !lab_roll_completes(&c->roll, n->index, lab_course_now(c)))
		return;
	if (isfinite(c->times[n->index].leave))
		lab_course_plan(c, r->complete + c->times[n->index].leave, LAB_COURSE_LEAVE, n->index);
}

void lab_course_on_block(void *to, struct sim_node *from, struct sim_node *dest, uint32_t piece, uint32_t begin,
			 uint32_t len, bool good)
{
	struct lab_course *c = to;
	struct lab_result *r = c->r;
	struct lab_result_node *a = &r->node[from->index], *b = &r->node[dest->index];
	(void)piece;
	(void)begin;
	a->up += len;
	b->down += len;
	r->sent[a->group * r->groups + b->group] += len;
	if (r->sent_by_node != NULL)
		r->sent_by_node[from->index * r->nodes + dest->index] += len;
	if (!b->honest)
		a->to_attackers += len;
	if (!good)
		b->spoiled += len;
	if (a->honest || !b->honest || c->pair == NULL)
		return;
	struct lab_course_pair *pair = &c->pair[(size_t)c->attacker[from->index] * r->nodes + dest->index];
	pair->last = (float)lab_course_now(c);
	if (!good && pair->spoiled++ == 0)
		pair->first = pair->last;
}

static void on_held(void *to, const struct sim_node *other, double blocks)
{
	struct lab_course *c = to;
	struct lab_result_node *r = &c->r->node[other->index];
	if (r->honest && blocks > r->held)
		r->held = blocks;
}

void lab_course_bank(struct lab_course *c, unsigned i)
{
	struct sim_node *n = sim_node(c->sim, i);
	struct lab_result_node *r = &c->r->node[i];
	if (n->node == NULL || !n->added || n->leaving) /* (on its way out: it was counted then) */
		return;
	sim_node_ask_stats(n);
	r->wasted += n->stats.wasted;
	if (n->budget.peak > r->memory_peak)
		r->memory_peak = n->budget.peak;
	if (r->honest)
		sim_node_held(n, on_held, c);
}

/* ---- samples ------------------------------------------------------------------------------------------ */

void lab_course_look(struct lab_course *c)
{
	struct lab_result *r = c->r;
	uint32_t pieces = c->out.count, least = UINT32_MAX;
	struct lab_point p = { .t = lab_course_now(c) };
	unsigned wanting = 0;
	uint64_t copies = 0;
	memset(c->copies, 0, pieces * sizeof *c->copies);
	for (unsigned i = 0; i < r->nodes; i++) {
		struct sim_node *n = sim_node(c->sim, i);
		bool wants = r->node[i].honest && r->node[i].wants;
		wanting += wants;
		p.complete += wants && isfinite(r->node[i].complete);
		if (r->node[i].honest && !r->node[i].wants)
			p.seeds_sent += r->node[i].up;
		/* What one has that is down, or has left, counts as well: it was brought that far. */
		if (n->node == NULL || !n->added) {
			p.have += wants ? c->had[i] : 0;
			continue;
		}
		p.running++;
		sim_node_ask_pieces(n);
		if (n->have.count != pieces)
			continue;
		c->had[i] = (double)n->have.ones / pieces;
		p.have += wants ? c->had[i] : 0;
		for (uint32_t k = shoal_bits_next(&n->have, 0); r->node[i].honest && k < pieces;
		     k = shoal_bits_next(&n->have, k + 1)) {
			c->copies[k]++;
			copies++;
			if (r->node[i].wants)
				shoal_bits_set(&c->out, k);
		}
	}
	for (uint32_t k = 0; k < pieces; k++)
		if (c->copies[k] < least)
			least = c->copies[k];
	p.have = wanting > 0 ? p.have / wanting : 1;
	p.copies = (double)copies / pieces;
	p.copies_least = least;
	int thinned = lab_result_point(r, &p);
	if (thinned < 0)
		abort();
	if (thinned > 0)
		c->every *= 2;
	if (!isfinite(r->copies_out) && shoal_bits_full(&c->out))
		r->copies_out = (double)p.seeds_sent;
	for (unsigned i = 0; i < c->s->events_count; i++) {
		const struct lab_event *e = &c->s->events[i];
		if (!e->at_share || c->fired[i] || p.have < e->at.v)
			continue;
		c->fired[i] = true;
		lab_course_happen(c, lab_course_now(c), e, (unsigned)e->times.v);
	}
}

void lab_course_pairs(struct lab_course *c)
{
	struct lab_result *r = c->r;
	for (unsigned i = 0; i < r->nodes; i++) {
		for (unsigned k = 0; !r->node[i].honest && c->pair != NULL && k < r->nodes; k++) {
			const struct lab_course_pair *pair = &c->pair[(size_t)c->attacker[i] * r->nodes + k];
			if (pair->spoiled == 0)
				continue;
			if ((r->pairs & (r->pairs - 1)) == 0)
				r->pair = sim_must(realloc(r->pair, (r->pairs ? 2 * r->pairs : 1) * sizeof *r->pair));
			r->pair[r->pairs++] = (struct lab_result_pair){ k, i, pair->spoiled, pair->last - pair->first };
		}
	}
}
