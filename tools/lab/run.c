/* run.c - see run.h. */
#include "tools/lab/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tools/lab/diary.h"
#include "tools/lab/draw.h"
#include "tools/lab/dump.h"
#include "tools/lab/pages.h"
#include "tools/lab/play.h"
#include "tools/lab/world/digest.h"
#include "tools/lab/world/held.h"

#define POINTS_WANTED 100 /* samples up to the fluid bound */
#define PAIRS_MAX (16u << 20)
#define BRIEF_ABOVE 100	 /* nodes: a piece of a larger world is looked at once, not at each HAVE */
#define ROUNDS_ABOVE 500 /* nodes: each acts once in TURN, and not whenever something comes */
#define TURN SHOAL_MS(1)
#define LOOK_EVERY 256 /* steps between two looks at the clock on the wall */
#define AGAIN_S 0.05   /* until it is looked again whether somebody has gone */

enum what {
	JOIN,
	MEET, /* it is told of others */
	LEAVE,
	GIVE_UP,
	RETURN, /* after a crash, or as soon as it has gone */
	SAMPLE,
	HAPPEN, /* an event of the scenario */
	UNDO,
	PLAY,
};
/* Something on the calendar; lives as long as the run. */
struct task {
	struct task *next;
	struct run *run;
	enum what what;
	unsigned node;
	const struct lab_event *event;
	unsigned again; /* times it will still happen */
	unsigned *who, who_count;
};
/* One attacker and one honest node. */
struct pair {
	uint32_t spoiled;  /* blocks */
	float first, last; /* bad one; block of any kind */
};
struct run {
	const struct lab_scenario *s;
	const struct lab_run_options *o;
	struct lab_result *r;
	struct sim *sim;
	struct lab_times *times;
	struct shoal_rng dice;
	struct lab_diary diary;
	struct task *tasks;
	bool *fired;			   /* by event: those that wait for a share */
	unsigned *attacker;		   /* by node: number among the attackers */
	struct pair *pair;		   /* by attacker and node; NULL: too many of them */
	unsigned *running;		   /* scratch: nodes that run */
	double *had;			   /* by node: share of the content, when it was last seen */
	uint32_t *copies;		   /* scratch: by piece */
	struct lab_play *play;		   /* by node: of those that play */
	struct shoal_bits out;		   /* pieces that somebody else than a seed has had */
	unsigned attackers, to_join, open; /* honest that still want something, and may get it */
	unsigned sides;
	shoal_us every; /* between samples */
};

static void *must(void *at)
{
	if (at == NULL)
		abort();
	return at;
}

static double seconds(const struct run *run)
{
	return (double)(sim_now(run->sim) - SIM_START) / 1e6;
}

static void note(struct run *run, unsigned node, const char *text)
{
	lab_diary_note(&run->diary, sim_node(run->sim, node), text, seconds(run), run->r->steps);
}

static void on_task(struct sim *sim, void *arg);

static struct task *task_at(struct run *run, double t, enum what what, unsigned node)
{
	struct task *task = must(calloc(1, sizeof *task));
	*task = (struct task){ .next = run->tasks, .run = run, .what = what, .node = node };
	run->tasks = task;
	shoal_us at = SIM_START + (shoal_us)llround(t * 1e6);
	sim_at(run->sim, at > sim_now(run->sim) ? at : sim_now(run->sim), on_task, task);
	return task;
}

/* ---- what the nodes are seen to do ----------------------------------------------------------------- */

static void closes(struct run *run, unsigned i)
{
	if (run->r->node[i].honest && run->r->node[i].wants)
		run->open--;
}

static int index_of(const struct sim_node *n)
{
	return n != NULL ? (int)n->index : -1;
}

static void on_event(void *to, struct sim_node *n, const struct shoal_event *ev)
{
	struct run *run = to;
	struct lab_result_node *r = &run->r->node[n->index];
	int other = -1;
	if (ev->kind == SHOAL_EV_FLIGHT)
		return run->o->recorded(run->o->recorded_to, ev->data, ev->t);
	if (ev->kind == SHOAL_EV_PEER_BANNED || (run->diary.trace != NULL && ev->kind == SHOAL_EV_PEER_JOINED))
		other = index_of(sim_node_at(run->sim, &ev->addr));
	lab_diary_event(&run->diary, n, other, ev, seconds(run), run->r->steps);
	if (ev->kind == SHOAL_EV_PEER_BANNED && other >= 0 && r->honest)
		run->r->node[other].banned_by++;
	if (ev->kind != SHOAL_EV_COMPLETE || isfinite(r->complete))
		return;
	if (!isfinite(r->left))
		closes(run, n->index);
	r->complete = seconds(run);
	if (isfinite(run->times[n->index].leave))
		task_at(run, r->complete + run->times[n->index].leave, LEAVE, n->index);
}

static void on_block(void *to, struct sim_node *from, struct sim_node *dest, uint32_t piece, uint32_t begin,
		     uint32_t len, bool good)
{
	struct run *run = to;
	struct lab_result *r = run->r;
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
	if (a->honest || !b->honest || run->pair == NULL)
		return;
	struct pair *pair = &run->pair[(size_t)run->attacker[from->index] * r->nodes + dest->index];
	pair->last = (float)seconds(run);
	if (!good && pair->spoiled++ == 0)
		pair->first = pair->last;
}

static void on_held(void *to, const struct sim_node *other, double blocks)
{
	struct run *run = to;
	struct lab_result_node *r = &run->r->node[other->index];
	if (r->honest && blocks > r->held)
		r->held = blocks;
}

/* What its own counters say goes with it when it ends: into the result. */
static void bank(struct run *run, unsigned i)
{
	struct sim_node *n = sim_node(run->sim, i);
	struct lab_result_node *r = &run->r->node[i];
	if (n->node == NULL || !n->added || n->leaving) /* (on its way out: it was counted then) */
		return;
	sim_node_ask_stats(n);
	r->wasted += n->stats.wasted;
	if (n->budget.peak > r->memory_peak)
		r->memory_peak = n->budget.peak;
	if (r->honest)
		sim_node_held(n, on_held, run);
}

/* ---- samples ------------------------------------------------------------------------------------------ */

static void happen(struct run *run, const struct lab_event *e);

static void look(struct run *run)
{
	struct lab_result *r = run->r;
	uint32_t pieces = run->out.count, least = UINT32_MAX;
	struct lab_point p = { .t = seconds(run) };
	unsigned wanting = 0;
	uint64_t copies = 0;
	memset(run->copies, 0, pieces * sizeof *run->copies);
	for (unsigned i = 0; i < r->nodes; i++) {
		struct sim_node *n = sim_node(run->sim, i);
		bool wants = r->node[i].honest && r->node[i].wants;
		wanting += wants;
		p.complete += wants && isfinite(r->node[i].complete);
		if (r->node[i].honest && !r->node[i].wants)
			p.seeds_sent += r->node[i].up;
		/* What one has that is down, or has left, counts as well: it was brought that far. */
		if (n->node == NULL || !n->added) {
			p.have += wants ? run->had[i] : 0;
			continue;
		}
		p.running++;
		sim_node_ask_pieces(n);
		if (n->have.count != pieces)
			continue;
		run->had[i] = (double)n->have.ones / pieces;
		p.have += wants ? run->had[i] : 0;
		for (uint32_t k = shoal_bits_next(&n->have, 0); r->node[i].honest && k < pieces;
		     k = shoal_bits_next(&n->have, k + 1)) {
			run->copies[k]++;
			copies++;
			if (r->node[i].wants)
				shoal_bits_set(&run->out, k);
		}
	}
	for (uint32_t k = 0; k < pieces; k++)
		if (run->copies[k] < least)
			least = run->copies[k];
	p.have = wanting > 0 ? p.have / wanting : 1;
	p.copies = (double)copies / pieces;
	p.copies_least = least;
	int thinned = lab_result_point(r, &p);
	if (thinned < 0)
		abort();
	if (thinned > 0)
		run->every *= 2;
	if (!isfinite(r->copies_out) && shoal_bits_full(&run->out))
		r->copies_out = (double)p.seeds_sent;
	for (unsigned i = 0; i < run->s->events_count; i++) {
		const struct lab_event *e = &run->s->events[i];
		if (!e->at_share || run->fired[i] || p.have < e->at.v)
			continue;
		run->fired[i] = true;
		happen(run, e);
	}
}

/* ---- coming and going ------------------------------------------------------------------------------------ */

/* As a tracker would: some of those that are there now. */
static void meet(struct run *run, unsigned i)
{
	unsigned count = 0, wanted = (unsigned)run->s->peers.v;
	if (!sim_node_runs(sim_node(run->sim, i)))
		return;
	for (unsigned k = 0; k < run->r->nodes; k++)
		if (k != i && sim_node_runs(sim_node(run->sim, k)))
			run->running[count++] = k;
	for (unsigned k = 0; k < count && k < wanted; k++) {
		unsigned pick = k + shoal_rng_below(&run->dice, count - k), other = run->running[pick];
		run->running[pick] = run->running[k];
		sim_node_meet(sim_node(run->sim, i), sim_node(run->sim, other));
	}
}

/* By itself, and not only if an event has it come. */
static bool comes(const struct run *run, unsigned i)
{
	return isfinite(run->times[i].join) && run->times[i].join <= run->s->limit.v;
}

/* Bytes a second of what those who begin with all can send. */
static double sources(const struct run *run)
{
	double sum = 0;
	for (unsigned i = 0; i < run->r->nodes; i++)
		if (run->r->node[i].honest && !run->r->node[i].wants)
			sum += run->r->node[i].up_rate;
	return sum;
}

static void play(struct run *run, unsigned i)
{
	struct lab_play *p = &run->play[i];
	shoal_us next = lab_play_on(p);
	run->r->node[i].stalls = p->stalls;
	run->r->node[i].rebuffer = (double)p->rebuffer / 1e6;
	if (next != SHOAL_NEVER)
		task_at(run, (double)(next - SIM_START) / 1e6, PLAY, i);
}

static void begin_to_play(struct run *run, unsigned i)
{
	const struct lab_group *g = &run->s->nodes[run->r->node[i].group];
	double rate = g->play.v * sources(run);
	if (!(rate > 0) || !isfinite(rate) || !sim_node(run->sim, i)->added)
		return;
	lab_play_begin(&run->play[i], sim_node(run->sim, i), rate, (shoal_us)(g->lead.v * 1e6));
	play(run, i);
}

static void start(struct run *run, unsigned i)
{
	struct sim_node *n = sim_node(run->sim, i);
	struct lab_result_node *r = &run->r->node[i];
	if (sim_node_runs(n)) {
		if (n->leaving)
			task_at(run, seconds(run) + AGAIN_S, RETURN, i);
		return;
	}
	if (!isfinite(r->joined)) {
		r->joined = seconds(run);
		run->to_join -= comes(run, i);
		run->open += r->honest && r->wants;
		if (isfinite(run->times[i].life))
			task_at(run, r->joined + run->times[i].life, GIVE_UP, i);
		task_at(run, r->joined, MEET, i);
	}
	r->starts++;
	note(run, i, "starts");
	sim_node_start(n);
	if (r->starts == 1)
		begin_to_play(run, i);
}

static void leave(struct run *run, unsigned i, const char *why)
{
	struct lab_result_node *r = &run->r->node[i];
	if (isfinite(r->left))
		return;
	if (!isfinite(r->joined))
		run->to_join -= comes(run, i);
	else if (!isfinite(r->complete))
		closes(run, i);
	r->left = seconds(run);
	bank(run, i);
	note(run, i, why);
	if (sim_node_runs(sim_node(run->sim, i)))
		sim_node_leave(sim_node(run->sim, i));
}

/* An event has it come, or come back: who was gone for good is one of those again that are waited for. */
static void call(struct run *run, unsigned i)
{
	struct lab_result_node *r = &run->r->node[i];
	if (isfinite(r->left)) {
		r->left = INFINITY;
		if (!isfinite(r->joined))
			run->to_join += comes(run, i);
		else if (!isfinite(r->complete))
			run->open += r->honest && r->wants;
	}
	start(run, i);
}

/* ---- what the scenario lets happen ------------------------------------------------------------------------ */

/* It ends, for so long. */
static void goes(struct run *run, const struct lab_event *e, unsigned i)
{
	struct sim_node *n = sim_node(run->sim, i);
	bool ordered = e->kind.v == LAB_EVENT_STOP, power = e->how.v == LAB_CRASH_POWER;
	if (n->node == NULL || (ordered && n->leaving))
		return;
	bank(run, i);
	note(run, i, ordered ? "is told to stop" : power ? "loses power" : "is killed");
	if (ordered)
		sim_node_leave(n);
	else
		sim_node_crash(n, power ? SIM_CRASH_POWER : SIM_CRASH_KILL);
	if (isfinite(e->lasts.v))
		task_at(run, seconds(run) + e->lasts.v, RETURN, i);
	else
		leave(run, i, "does not come back");
}

static void rot(struct run *run, struct sim_node *n, unsigned pieces)
{
	if (n->node == NULL)
		return;
	sim_node_ask_pieces(n);
	for (unsigned i = 0; i < pieces && n->have.ones > 0; i++) {
		uint32_t k = shoal_rng_below(&run->dice, n->have.count);
		k = shoal_bits_next(&n->have, k);
		if (k == n->have.count)
			k = shoal_bits_next(&n->have, 0);
		sim_disk_rot(n->disk, SIM_FOLDER, n->witness.content->mi, k);
		sim_witness_forgive(&n->witness, k);
	}
}

static void happen_to(struct run *run, const struct lab_event *e, unsigned i)
{
	struct sim_node *n = sim_node(run->sim, i);
	switch ((enum lab_event_kind)e->kind.v) {
	case LAB_EVENT_START: return call(run, i);
	case LAB_EVENT_STOP: return isfinite(e->lasts.v) ? goes(run, e, i) : leave(run, i, "is told to stop");
	case LAB_EVENT_CRASH: return goes(run, e, i);
	case LAB_EVENT_CUT: sim_node_cut(n, true); break;
	case LAB_EVENT_SPLIT: sim_node_side(n, run->sides); break;
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
	case LAB_EVENT_ROT: rot(run, n, (unsigned)e->pieces.v); break;
	case LAB_EVENT_SLOW_DISK: sim_disk_rate(n->disk, (uint64_t)e->rate.v); break;
	case LAB_EVENT_PAUSE: break; /* lab_build_lacks() names it */
	}
	note(run, i, lab_event_name((enum lab_event_kind)e->kind.v));
}

static void undo_of(struct run *run, const struct lab_event *e, unsigned i)
{
	struct sim_node *n = sim_node(run->sim, i);
	const struct lab_group *g = &run->s->nodes[run->r->node[i].group];
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
	note(run, i, "is over it");
}

/* Once, for those it meets; and once more later, when it is to be undone. */
static void happen_once(struct run *run, struct task *task)
{
	const struct lab_event *e = task->event;
	task->who = lab_draw_who(run->s, &e->who, &run->dice, &task->who_count);
	run->sides++;
	for (unsigned i = 0; i < task->who_count; i++)
		happen_to(run, e, task->who[i]);
	if (isfinite(e->lasts.v)) {
		struct task *undo = task_at(run, seconds(run) + e->lasts.v, UNDO, 0);
		undo->event = e;
		undo->who = task->who;
		undo->who_count = task->who_count;
		task->who = NULL;
	}
}

static void happen(struct run *run, const struct lab_event *e)
{
	struct task *task = task_at(run, seconds(run), HAPPEN, 0);
	task->event = e;
	task->again = (unsigned)e->times.v - 1;
}

static void on_task(struct sim *sim, void *arg)
{
	struct task *task = arg;
	struct run *run = task->run;
	(void)sim;
	switch (task->what) {
	case MEET: return meet(run, task->node);
	case LEAVE: return leave(run, task->node, "has all, and leaves");
	case GIVE_UP:
		if (!isfinite(run->r->node[task->node].complete))
			leave(run, task->node, "gives up");
		return;
	case JOIN:
	case RETURN:
		if (!isfinite(run->r->node[task->node].left))
			start(run, task->node);
		return;
	case SAMPLE:
		look(run);
		task_at(run, seconds(run) + (double)run->every / 1e6, SAMPLE, 0);
		return;
	case HAPPEN:
		happen_once(run, task);
		if (task->again > 0) {
			struct task *more = task_at(run, seconds(run) + task->event->every.v, HAPPEN, 0);
			more->event = task->event;
			more->again = task->again - 1;
		}
		return;
	case PLAY: return play(run, task->node);
	case UNDO:
		for (unsigned i = 0; i < task->who_count; i++)
			undo_of(run, task->event, task->who[i]);
		return;
	}
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

static double clock_now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool watched(struct run *run, double began)
{
	const struct lab_run_options *o = run->o;
	struct lab_result *r = run->r;
	if (o->progress == NULL)
		return true;
	struct lab_progress p = { .t = seconds(run), .steps = r->steps, .wall = clock_now(CLOCK_MONOTONIC) - began };
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

static void prepare(struct run *run)
{
	struct lab_result *r = run->r;
	const struct lab_scenario *s = run->s;
	r->nodes = lab_scenario_nodes(s);
	r->groups = s->nodes_count;
	r->copies_out = INFINITY;
	r->node = must(calloc(r->nodes, sizeof *r->node));
	r->sent = must(calloc((size_t)r->groups * r->groups, sizeof *r->sent));
	if (r->nodes <= LAB_MATRIX_MAX)
		r->sent_by_node = must(calloc((size_t)r->nodes * r->nodes, sizeof *r->sent_by_node));
	run->times = must(calloc(r->nodes, sizeof *run->times));
	run->attacker = must(calloc(r->nodes, sizeof *run->attacker));
	run->had = must(calloc(r->nodes, sizeof *run->had));
	run->running = must(calloc(r->nodes, sizeof *run->running));
	run->play = must(calloc(r->nodes, sizeof *run->play));
	run->fired = must(calloc((size_t)s->events_count + 1, sizeof *run->fired));
	uint32_t pieces = shoal_metainfo_piece_count(run->o->content->mi);
	run->copies = must(calloc(pieces, sizeof *run->copies));
	if (shoal_bits_init(&run->out, pieces) < 0)
		abort();
	lab_build_nodes(s, run->sim, run->o->seed, r->node, run->times);
	if (run->o->recorded != NULL)
		sim_node(run->sim, run->o->record)->o.record = true;
	r->bound = lab_build_bound(s, r->node, r->nodes);
	for (unsigned i = 0; i < r->nodes; i++)
		if (!r->node[i].honest)
			run->attacker[i] = run->attackers++;
	if ((uint64_t)run->attackers * r->nodes <= PAIRS_MAX)
		run->pair = must(calloc((size_t)run->attackers * r->nodes + 1, sizeof *run->pair));
	/* Whoever comes at all, comes some time: nothing is over before. */
	for (unsigned i = 0; i < r->nodes; i++) {
		if (!comes(run, i))
			continue;
		run->to_join++;
		task_at(run, run->times[i].join, JOIN, i);
	}
	double every = isfinite(r->bound) && r->bound > 0 ? r->bound / POINTS_WANTED : 1;
	run->every = (shoal_us)(fmin(fmax(every, 0.02), 60) * 1e6);
	task_at(run, 0, SAMPLE, 0);
	for (unsigned i = 0; i < s->events_count; i++) {
		if (s->events[i].at_share)
			continue;
		struct task *task = task_at(run, s->events[i].at.v, HAPPEN, 0);
		task->event = &s->events[i];
		task->again = (unsigned)s->events[i].times.v - 1;
	}
}

static void finish(struct run *run)
{
	struct lab_result *r = run->r;
	look(run);
	if (run->o->recorded != NULL)
		sim_node_record(sim_node(run->sim, run->o->record));
	for (unsigned i = 0; i < r->nodes; i++)
		if (!isfinite(r->node[i].left))
			bank(run, i);
	for (unsigned i = 0; i < r->nodes; i++) {
		struct sim_node *n = sim_node(run->sim, i);
		if (n->adversary != NULL) {
			const struct sim_adversary_deeds *deeds = sim_adversary_deeds(n->adversary);
			r->node[i].asked = deeds->blocks + deeds->held + deeds->refused;
		}
		for (unsigned k = 0; !r->node[i].honest && run->pair != NULL && k < r->nodes; k++) {
			const struct pair *pair = &run->pair[(size_t)run->attacker[i] * r->nodes + k];
			if (pair->spoiled == 0)
				continue;
			if ((r->pairs & (r->pairs - 1)) == 0)
				r->pair = must(realloc(r->pair, (r->pairs ? 2 * r->pairs : 1) * sizeof *r->pair));
			r->pair[r->pairs++] = (struct lab_result_pair){ k, i, pair->spoiled, pair->last - pair->first };
		}
	}
	r->end = seconds(run);
	r->idle = (double)sim_idle(run->sim) / 1e6;
	r->state = sim_digest_u64(sim_trace(run->sim), sim_state(run->sim));
	snprintf(r->wrong, sizeof r->wrong, "%s", sim_wrong(run->sim));
	lab_dump_reason(r, &run->diary);
}

static void tidy(struct run *run)
{
	sim_free(run->sim);
	while (run->tasks != NULL) {
		struct task *task = run->tasks;
		run->tasks = task->next;
		free(task->who);
		free(task);
	}
	lab_diary_fini(&run->diary);
	shoal_bits_fini(&run->out);
	free(run->times);
	free(run->attacker);
	free(run->had);
	free(run->running);
	free(run->play);
	free(run->fired);
	free(run->copies);
	free(run->pair);
}

bool lab_run(const struct lab_scenario *s, const struct lab_run_options *o, struct lab_result *r)
{
	*r = (struct lab_result){ .s = s, .seed = o->seed };
	struct run run = { .s = s, .o = o, .r = r, .dice = lab_draw_run_dice(o->seed) };
	struct lab_pages pages = { 0 };
	if (lab_scenario_nodes(s) > ROUNDS_ABOVE)
		lab_pages_look(&pages);
	double began = clock_now(CLOCK_MONOTONIC), cpu = clock_now(CLOCK_PROCESS_CPUTIME_ID), looked = began;
	bool told = true;
	lab_diary_init(&run.diary, o->trace);
	run.sim = sim_new(&(struct sim_options){ .seed = o->seed,
						 .content = o->content,
						 .on_event = on_event,
						 .on_block = on_block,
						 .to = &run,
						 .payload = o->real_bytes ? SIM_PAYLOAD_PLACED : SIM_PAYLOAD_HEADS,
						 .brief = lab_scenario_nodes(s) > BRIEF_ABOVE,
						 .rounds = lab_scenario_nodes(s) > ROUNDS_ABOVE,
						 .turn = lab_scenario_nodes(s) > ROUNDS_ABOVE ? TURN : 0,
						 .tcp = s->tcp.v == LAB_TCP_COMMON ? &sim_tcp_common : NULL,
						 .figures = true });
	prepare(&run);
	shoal_us limit = SIM_START + (shoal_us)(s->limit.v * 1e6);
	while (told && sim_now(run.sim) < limit && (run.to_join > 0 || run.open > 0) && sim_wrong(run.sim)[0] == 0) {
		sim_step(run.sim, limit);
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
		told = watched(&run, began);
	}
	r->in_time = run.to_join == 0 && run.open == 0;
	if (o->dump != NULL)
		lab_dump(o->dump, r, run.sim, &run.diary);
	finish(&run);
	r->wall = clock_now(CLOCK_MONOTONIC) - began;
	r->cpu_ms = (clock_now(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3;
	tidy(&run);
	return told;
}
