/* run.c - see run.h: the calendar, who comes and goes, and the whole. */
#include "tools/lab/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tools/lab/draw.h"
#include "tools/lab/dump.h"
#include "tools/lab/pages.h"
#include "tools/lab/run_room.h"
#include "tools/lab/world/digest.h"
#include "tools/lab/world/must.h"

#define POINTS_WANTED 100 /* samples up to the fluid bound */
#define PAIRS_MAX (16u << 20)
#define BRIEF_ABOVE 100	 /* nodes: a piece of a larger world is looked at once, not at each HAVE */
#define ROUNDS_ABOVE 500 /* nodes: each acts once in TURN, and not whenever something comes */
#define TURN SHOAL_MS(1)
#define LOOK_EVERY 256 /* steps between two looks at the clock on the wall */
#define AGAIN_S 0.05   /* until it is looked again whether somebody has gone */

static void on_task(struct sim *sim, void *arg);

struct lab_course_task *lab_course_plan(struct lab_course *c, double t, enum lab_course_what what, unsigned node)
{
	struct lab_course_task *task = sim_must(calloc(1, sizeof *task));
	*task = (struct lab_course_task){ .next = c->tasks, .c = c, .what = what, .node = node };
	c->tasks = task;
	shoal_us at = SIM_START + (shoal_us)llround(t * 1e6);
	sim_at(c->sim, at > sim_now(c->sim) ? at : sim_now(c->sim), on_task, task);
	return task;
}

/* ---- coming and going ------------------------------------------------------------------------------------ */

/* As a tracker would: some of those that are there now. */
static void meet(struct lab_course *c, unsigned i)
{
	unsigned count = 0, wanted = (unsigned)c->s->peers.v;
	if (!sim_node_runs(sim_node(c->sim, i)))
		return;
	for (unsigned k = 0; k < c->r->nodes; k++)
		if (k != i && sim_node_runs(sim_node(c->sim, k)))
			c->running[count++] = k;
	for (unsigned k = 0; k < count && k < wanted; k++) {
		unsigned pick = k + shoal_rng_below(&c->dice, count - k), other = c->running[pick];
		c->running[pick] = c->running[k];
		sim_node_meet(sim_node(c->sim, i), sim_node(c->sim, other));
	}
}

/* Bytes a second of what those who begin with all can send. */
static double sources(const struct lab_course *c)
{
	double sum = 0;
	for (unsigned i = 0; i < c->r->nodes; i++)
		if (c->r->node[i].honest && !c->r->node[i].wants)
			sum += c->r->node[i].up_rate;
	return sum;
}

static void play(struct lab_course *c, unsigned i)
{
	struct lab_play *p = &c->play[i];
	shoal_us next = lab_play_on(p);
	c->r->node[i].stalls = p->stalls;
	c->r->node[i].rebuffer = (double)p->rebuffer / 1e6;
	if (next != SHOAL_NEVER)
		lab_course_plan(c, (double)(next - SIM_START) / 1e6, LAB_COURSE_PLAY, i);
}

static void begin_to_play(struct lab_course *c, unsigned i)
{
	const struct lab_group *g = &c->s->nodes[c->r->node[i].group];
	double rate = g->play.v * sources(c);
	if (!(rate > 0) || !isfinite(rate) || !sim_node(c->sim, i)->added)
		return;
	lab_play_begin(&c->play[i], sim_node(c->sim, i), rate, (shoal_us)(g->lead.v * 1e6));
	play(c, i);
}

void lab_course_start(struct lab_course *c, unsigned i)
{
	struct sim_node *n = sim_node(c->sim, i);
	struct lab_result_node *r = &c->r->node[i];
	if (sim_node_runs(n)) {
		if (n->leaving)
			lab_course_plan(c, lab_course_now(c) + AGAIN_S, LAB_COURSE_RETURN, i);
		return;
	}
	if (lab_roll_joins(&c->roll, i, lab_course_now(c))) {
		if (isfinite(c->times[i].life))
			lab_course_plan(c, r->joined + c->times[i].life, LAB_COURSE_GIVE_UP, i);
		lab_course_plan(c, r->joined, LAB_COURSE_MEET, i);
	}
	r->starts++;
	lab_course_note(c, i, "starts");
	sim_node_start(n);
	if (r->starts == 1)
		begin_to_play(c, i);
}

void lab_course_leave(struct lab_course *c, unsigned i, const char *why)
{
	if (!lab_roll_leaves(&c->roll, i, lab_course_now(c)))
		return;
	lab_course_bank(c, i);
	lab_course_note(c, i, why);
	if (sim_node_runs(sim_node(c->sim, i)))
		sim_node_leave(sim_node(c->sim, i));
}

static void on_task(struct sim *sim, void *arg)
{
	struct lab_course_task *task = arg;
	struct lab_course *c = task->c;
	(void)sim;
	switch (task->what) {
	case LAB_COURSE_MEET: return meet(c, task->node);
	case LAB_COURSE_LEAVE: return lab_course_leave(c, task->node, "has all, and leaves");
	case LAB_COURSE_GIVE_UP:
		if (!isfinite(c->r->node[task->node].complete))
			lab_course_leave(c, task->node, "gives up");
		return;
	case LAB_COURSE_JOIN:
	case LAB_COURSE_RETURN:
		if (!isfinite(c->r->node[task->node].left))
			lab_course_start(c, task->node);
		return;
	case LAB_COURSE_SAMPLE:
		lab_course_look(c);
		lab_course_plan(c, lab_course_now(c) + (double)c->every / 1e6, LAB_COURSE_SAMPLE, 0);
		return;
	case LAB_COURSE_HAPPEN:
		lab_course_happen_once(c, task);
		lab_course_happen(c, lab_course_now(c) + task->event->every.v, task->event, task->again);
		return;
	case LAB_COURSE_PLAY: return play(c, task->node);
	case LAB_COURSE_UNDO: return lab_course_undo(c, task);
	}
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

static double clock_now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool watched(struct lab_course *c, double began)
{
	const struct lab_run_options *o = c->o;
	struct lab_result *r = c->r;
	if (o->progress == NULL)
		return true;
	struct lab_progress p = { .t = lab_course_now(c),
				  .steps = r->steps,
				  .wall = clock_now(CLOCK_MONOTONIC) - began };
	if (r->points > 0) {
		p.have = r->point[r->points - 1].have;
		p.running = r->point[r->points - 1].running;
	}
	for (unsigned i = 0; i < r->nodes; i++) {
		bool wants = r->node[i].honest && r->node[i].wants;
		p.wanting += wants;
		p.complete += wants && isfinite(r->node[i].complete);
	}
	return o->progress(o->to, &p);
}

static void prepare(struct lab_course *c)
{
	struct lab_result *r = c->r;
	const struct lab_scenario *s = c->s;
	r->nodes = lab_scenario_nodes(s);
	r->groups = s->nodes_count;
	r->copies_out = INFINITY;
	r->node = sim_must(calloc(r->nodes, sizeof *r->node));
	r->sent = sim_must(calloc((size_t)r->groups * r->groups, sizeof *r->sent));
	if (r->nodes <= LAB_MATRIX_MAX)
		r->sent_by_node = sim_must(calloc((size_t)r->nodes * r->nodes, sizeof *r->sent_by_node));
	c->times = sim_must(calloc(r->nodes, sizeof *c->times));
	c->attacker = sim_must(calloc(r->nodes, sizeof *c->attacker));
	c->had = sim_must(calloc(r->nodes, sizeof *c->had));
	c->running = sim_must(calloc(r->nodes, sizeof *c->running));
	c->play = sim_must(calloc(r->nodes, sizeof *c->play));
	c->fired = sim_must(calloc((size_t)s->events_count + 1, sizeof *c->fired));
	uint32_t pieces = shoal_metainfo_piece_count(c->o->content->mi);
	c->copies = sim_must(calloc(pieces, sizeof *c->copies));
	if (shoal_bits_init(&c->out, pieces) < 0)
		abort();
	lab_build_nodes(s, c->sim, c->o->seed, r->node, c->times);
	if (lab_roll_init(&c->roll, r) < 0)
		abort();
	if (c->o->recorded != NULL)
		sim_node(c->sim, c->o->record)->o.record = true;
	r->bound = lab_build_bound(s, r->node, r->nodes);
	for (unsigned i = 0; i < r->nodes; i++)
		if (!r->node[i].honest)
			c->attacker[i] = c->attackers++;
	if ((uint64_t)c->attackers * r->nodes <= PAIRS_MAX)
		c->pair = sim_must(calloc((size_t)c->attackers * r->nodes + 1, sizeof *c->pair));
	for (unsigned i = 0; i < r->nodes; i++) {
		double join = c->times[i].join;
		if (!isfinite(join) || join > s->limit.v)
			continue;
		lab_roll_expect(&c->roll, i);
		lab_course_plan(c, join, LAB_COURSE_JOIN, i);
	}
	double every = isfinite(r->bound) && r->bound > 0 ? r->bound / POINTS_WANTED : 1;
	c->every = (shoal_us)(fmin(fmax(every, 0.02), 60) * 1e6);
	lab_course_plan(c, 0, LAB_COURSE_SAMPLE, 0);
	for (unsigned i = 0; i < s->events_count; i++)
		if (!s->events[i].at_share)
			lab_course_happen(c, s->events[i].at.v, &s->events[i], (unsigned)s->events[i].times.v);
}

static void finish(struct lab_course *c)
{
	struct lab_result *r = c->r;
	lab_course_look(c);
	if (c->o->recorded != NULL)
		sim_node_record(sim_node(c->sim, c->o->record));
	for (unsigned i = 0; i < r->nodes; i++)
		if (!isfinite(r->node[i].left))
			lab_course_bank(c, i);
	for (unsigned i = 0; i < r->nodes; i++) {
		struct sim_node *n = sim_node(c->sim, i);
		if (n->adversary != NULL) {
			const struct sim_adversary_deeds *deeds = sim_adversary_deeds(n->adversary);
			r->node[i].asked = deeds->blocks + deeds->held + deeds->refused;
		}
	}
	lab_course_pairs(c);
	r->end = lab_course_now(c);
	r->idle = (double)sim_idle(c->sim) / 1e6;
	r->state = sim_digest_u64(sim_trace(c->sim), sim_state(c->sim));
	snprintf(r->wrong, sizeof r->wrong, "%s", sim_wrong(c->sim));
	lab_dump_reason(r, &c->diary);
}

static void tidy(struct lab_course *c)
{
	sim_free(c->sim);
	while (c->tasks != NULL) {
		struct lab_course_task *task = c->tasks;
		c->tasks = task->next;
		free(task->who);
		free(task);
	}
	lab_diary_fini(&c->diary);
	lab_roll_fini(&c->roll);
	shoal_bits_fini(&c->out);
	free(c->times);
	free(c->attacker);
	free(c->had);
	free(c->running);
	free(c->play);
	free(c->fired);
	free(c->copies);
	free(c->pair);
}

bool lab_run(const struct lab_scenario *s, const struct lab_run_options *o, struct lab_result *r)
{
	*r = (struct lab_result){ .s = s, .seed = o->seed };
	struct lab_course c = { .s = s, .o = o, .r = r, .dice = lab_draw_run_dice(o->seed) };
	struct lab_pages pages = { 0 };
	if (lab_scenario_nodes(s) > ROUNDS_ABOVE)
		lab_pages_look(&pages);
	double began = clock_now(CLOCK_MONOTONIC), cpu = clock_now(CLOCK_PROCESS_CPUTIME_ID), looked = began;
	bool told = true;
	lab_diary_init(&c.diary, o->trace);
	c.sim = sim_new(&(struct sim_options){ .seed = o->seed,
					       .content = o->content,
					       .on_event = lab_course_on_event,
					       .on_block = lab_course_on_block,
					       .to = &c,
					       .payload = o->real_bytes ? SIM_PAYLOAD_PLACED : SIM_PAYLOAD_HEADS,
					       .brief = lab_scenario_nodes(s) > BRIEF_ABOVE,
					       .rounds = lab_scenario_nodes(s) > ROUNDS_ABOVE,
					       .turn = lab_scenario_nodes(s) > ROUNDS_ABOVE ? TURN : 0,
					       .tcp = s->tcp.v == LAB_TCP_COMMON ? &sim_tcp_common : NULL,
					       .figures = true });
	prepare(&c);
	shoal_us limit = SIM_START + (shoal_us)(s->limit.v * 1e6);
	while (told && sim_now(c.sim) < limit && !lab_roll_over(&c.roll) && sim_wrong(c.sim)[0] == 0) {
		sim_step(c.sim, limit);
		if (++r->steps == o->stop_at)
			break;
		if (r->steps % LOOK_EVERY != 0)
			continue;
		if (lab_scenario_nodes(s) > ROUNDS_ABOVE)
			lab_pages_look(&pages);
		double now = clock_now(CLOCK_MONOTONIC);
		if (now - looked < 0.1)
			continue;
		looked = now;
		told = watched(&c, began);
	}
	r->in_time = lab_roll_over(&c.roll);
	if (o->dump != NULL)
		lab_dump(o->dump, r, c.sim, &c.diary);
	finish(&c);
	r->wall = clock_now(CLOCK_MONOTONIC) - began;
	r->cpu_ms = (clock_now(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3;
	tidy(&c);
	return told;
}
