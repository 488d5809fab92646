/* run_events.c - what a scenario lets happen to the nodes of a run, and how it is undone. */
#include <math.h>
#include <stdlib.h>
#include "tools/lab/draw.h"
#include "tools/lab/run.h"
#include "tools/lab/run_room.h"

/* It ends, for so long. */
static void goes(struct lab_course *c, const struct lab_event *e, unsigned i)
{
	struct sim_node *n = sim_node(c->sim, i);
	bool ordered = e->kind.v == LAB_EVENT_STOP, power = e->how.v == LAB_CRASH_POWER;
	if (n->node == NULL || (ordered && n->leaving))
		return;
	lab_course_bank(c, i);
	lab_course_note(c, i, ordered ? "is told to stop" : power ? "loses power" : "is killed");
	if (ordered)
		sim_node_leave(n);
	else
		sim_node_crash(n, power ? SIM_CRASH_POWER : SIM_CRASH_KILL);
	if (isfinite(e->lasts.v))
		lab_course_plan(c, lab_course_now(c) + e->lasts.v, LAB_COURSE_RETURN, i);
	else
		lab_course_leave(c, i, "does not come back");
}

static void rot(struct lab_course *c, struct sim_node *n, unsigned pieces)
{
	if (n->node == NULL)
		return;
	sim_node_ask_pieces(n);
	for (unsigned i = 0; i < pieces && n->have.ones > 0; i++) {
		uint32_t k = shoal_rng_below(&c->dice, n->have.count);
		k = shoal_bits_next(&n->have, k);
		if (k == n->have.count)
			k = shoal_bits_next(&n->have, 0);
		sim_disk_rot(n->disk, SIM_FOLDER, n->witness.content->mi, k);
		sim_witness_forgive(&n->witness, k);
	}
}

static void happen_to(struct lab_course *c, const struct lab_event *e, unsigned i)
{
	struct sim_node *n = sim_node(c->sim, i);
	switch ((enum lab_event_kind)e->kind.v) {
	case LAB_EVENT_START: lab_roll_recalls(&c->roll, i); return lab_course_start(c, i);
	case LAB_EVENT_STOP: return isfinite(e->lasts.v) ? goes(c, e, i) : lab_course_leave(c, i, "is told to stop");
	case LAB_EVENT_CRASH: return goes(c, e, i);
	case LAB_EVENT_CUT: sim_node_cut(n, true); break;
	case LAB_EVENT_SPLIT: sim_node_side(n, c->sides); break;
	case LAB_EVENT_HEAL:
		sim_node_cut(n, false);
		sim_node_side(n, 0);
		break;
	case LAB_EVENT_RESET: sim_node_reset(n, NULL); break;
	case LAB_EVENT_LINE:
		n->line.up = (uint64_t)e->up.v;
		n->line.down = (uint64_t)e->down.v;
		break;
	case LAB_EVENT_FULL_DISK: sim_disk_room(n->disk, (uint64_t)e->room.v); break;
	case LAB_EVENT_ROT: rot(c, n, (unsigned)e->pieces.v); break;
	case LAB_EVENT_SLOW_DISK: sim_disk_rate(n->disk, (uint64_t)e->rate.v); break;
	case LAB_EVENT_PAUSE: break; /* lab_build_lacks() names it */
	}
	lab_course_note(c, i, lab_event_name((enum lab_event_kind)e->kind.v));
}

static void undo_of(struct lab_course *c, const struct lab_event *e, unsigned i)
{
	struct sim_node *n = sim_node(c->sim, i);
	const struct lab_group *g = &c->s->nodes[c->r->node[i].group];
	switch ((enum lab_event_kind)e->kind.v) {
	case LAB_EVENT_CUT: sim_node_cut(n, false); break;
	case LAB_EVENT_SPLIT: sim_node_side(n, 0); break;
	case LAB_EVENT_LINE:
		n->line.up = n->o.up;
		n->line.down = n->o.down;
		break;
	case LAB_EVENT_FULL_DISK:
		sim_disk_room(n->disk, g->disk.room.v < 0x1p40 ? (uint64_t)g->disk.room.v : UINT64_MAX);
		break;
	case LAB_EVENT_SLOW_DISK: sim_disk_rate(n->disk, (uint64_t)g->disk.rate.v); break;
	default: return;
	}
	lab_course_note(c, i, "is over it");
}

void lab_course_happen_once(struct lab_course *c, struct lab_course_task *task)
{
	const struct lab_event *e = task->event;
	task->who = lab_draw_who(c->s, &e->who, &c->dice, &task->who_count);
	c->sides++;
	for (unsigned i = 0; i < task->who_count; i++)
		happen_to(c, e, task->who[i]);
	if (isfinite(e->lasts.v)) {
		struct lab_course_task *undo = lab_course_plan(c, lab_course_now(c) + e->lasts.v, LAB_COURSE_UNDO, 0);
		undo->event = e;
		undo->who = task->who;
		undo->who_count = task->who_count;
		task->who = NULL;
	}
}

void lab_course_happen(struct lab_course *c, double t, const struct lab_event *e, unsigned times)
{
	if (times == 0)
		return;
	struct lab_course_task *task = lab_course_plan(c, t, LAB_COURSE_HAPPEN, 0);
	task->event = e;
	task->again = times - 1;
}

void lab_course_undo(struct lab_course *c, const struct lab_course_task *task)
{
	for (unsigned i = 0; i < task->who_count; i++)
		undo_of(c, task->event, task->who[i]);
}
