/* drive.c - see drive.h. */
#include "tools/lab/real/drive.h"

#include <errno.h>
#include <event2/event.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tools/lab/real/calendar.h"
#include "tools/lab/real/closed.h"
#include "tools/lab/real/count.h"
#include "tools/lab/real/crew.h"
#include "tools/lab/real/door.h"
#include "tools/lab/roll.h"

#define READY_S 60   /* until those that have the content must serve it */
#define STOP_S 6     /* from being told to end until it is ended */
#define AGAIN_S 0.05 /* until it is looked again whether somebody has gone */
#define WATCH_S 0.1  /* between two looks for those who watch */
#define MEASURE_S 2  /* between two looks at memory: a peak that a killed process takes along is lost else */
#define SAMPLES_WANTED 100

struct drive {
	struct lab_stage *stage;
	const struct lab_scenario *s;
	const struct lab_run_options *o;
	struct lab_count count; /* of the result */
	struct lab_result *r;
	struct lab_crew crew;
	struct lab_tracker tracker;
	struct lab_door door;
	struct lab_calendar calendar;
	struct shoal_rng dice;
	struct event_base *loop;
	struct event *signals, *alarm;
	int signal_fd;
	double began; /* clock: when the run's time is 0; < 0 while it is not */
	double watched, measured, every;
	bool *fired, *serves; /* by event; by node: it has told the tracker that it has all */
	struct lab_roll roll;
	unsigned sides;
	bool told; /* to end, from outside */
	bool over; /* all are told to end */
	int error; /* what gave out */
};

static double clock_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double now_of(const struct drive *d)
{
	return d->began < 0 ? 0 : clock_now() - d->began;
}

static struct lab_task *task_at(struct drive *d, double at, enum lab_task_kind kind, unsigned node)
{
	struct lab_task *task = lab_calendar_add(&d->calendar, at, kind, node);
	if (task == NULL) {
		d->error = SHOAL_ERR_NOMEM;
		return NULL;
	}
	task->life = d->crew.node[node].starts;
	return task;
}

static const char *name_of(const struct drive *d, unsigned i)
{
	return d->stage->plan.node[i].name;
}

__attribute__((format(printf, 2, 3))) static void wrong(struct drive *d, const char *format, ...)
{
	va_list args;
	if (d->r->wrong[0] != 0)
		return;
	va_start(args, format);
	vsnprintf(d->r->wrong, sizeof d->r->wrong, format, args);
	va_end(args);
}

/* ---- coming and going ---------------------------------------------------------------------------- */

static void start(struct drive *d, unsigned i)
{
	struct lab_result_node *r = &d->r->node[i];
	const struct lab_drawn *drawn = &d->stage->plan.node[i].drawn;
	if (d->crew.node[i].state == LAB_CREW_PAUSED)
		return; /* it is there: only an event has it go on */
	int rc = lab_crew_start(&d->crew, i);
	if (rc == SHOAL_ERR_EXISTS && d->crew.node[i].state != LAB_CREW_RUNS) { /* the kernel is not through with it */
		task_at(d, now_of(d) + AGAIN_S, LAB_TASK_RETURN, i);
		return;
	}
	if (rc == SHOAL_ERR_EXISTS)
		return;
	if (rc < 0) {
		d->error = rc;
		return;
	}
	r->starts++;
	if (lab_roll_joins(&d->roll, i, now_of(d)) && isfinite(drawn->life))
		task_at(d, r->joined + drawn->life, LAB_TASK_GIVE_UP, i);
}

static void stop(struct drive *d, unsigned i)
{
	if (d->crew.node[i].state == LAB_CREW_DOWN)
		return;
	lab_crew_stop(&d->crew, i);
	task_at(d, now_of(d) + STOP_S, LAB_TASK_KILL, i);
}

static void leave(struct drive *d, unsigned i)
{
	if (lab_roll_leaves(&d->roll, i, now_of(d)))
		stop(d, i);
}

/* An event has it come, or come back, or go on. */
static void call(struct drive *d, unsigned i)
{
	lab_roll_recalls(&d->roll, i);
	if (d->crew.node[i].state == LAB_CREW_PAUSED)
		lab_crew_pause(&d->crew, i, false);
	else
		start(d, i);
}

static void completes(struct drive *d, unsigned i)
{
	if (d->began < 0 || !lab_roll_completes(&d->roll, i, now_of(d)))
		return;
	/* (At once, if it is so: with the last of them the run is over, and no task is done any more.) */
	double stays = d->stage->plan.node[i].drawn.leave;
	if (stays <= 0)
		leave(d, i);
	else if (isfinite(stays))
		task_at(d, d->r->node[i].complete + stays, LAB_TASK_LEAVE, i);
}

/* ---- what is heard -------------------------------------------------------------------------------- */

static void on_heard(void *to, unsigned i, const struct lab_heard *what)
{
	struct drive *d = to;
	unsigned other;
	switch (what->kind) {
	case LAB_HEARD_PROGRESS: return lab_count_said(&d->count, i);
	case LAB_HEARD_COMPLETE: return completes(d, i);
	case LAB_HEARD_BANNED:
		other = lab_wires_node(what->address);
		if (what->address != 0 && other < d->r->nodes && d->r->node[i].honest)
			d->r->node[other].banned_by++;
		return;
	case LAB_HEARD_ERROR:
		/* While it is told to end, that it was interrupted is no news. */
		if (d->crew.node[i].state == LAB_CREW_RUNS)
			wrong(d, "node %u (%s): %.200s", i, name_of(d, i), what->what);
		return;
	default: return;
	}
}

static void on_news(void *to, unsigned i, enum lab_tracker_news news)
{
	struct drive *d = to;
	if (news != LAB_TRACKER_SEEDS || i >= d->r->nodes)
		return;
	d->serves[i] = true;
	/* Our own leeches say so themselves, when it is durable; of the others, whichever word comes first counts. */
	if (!d->r->node[i].wants || d->stage->plan.node[i].kind > LAB_KIND_LIBTORRENT)
		completes(d, i);
}

static void on_ended(void *to, unsigned i, int status, bool expected)
{
	struct drive *d = to;
	char words[160], how[40];
	lab_tracker_forget(&d->tracker, i);
	if (expected || d->over)
		return;
	/* Somebody's own client may have done what it came for. */
	if (d->stage->plan.node[i].kind == LAB_KIND_COMMAND && isfinite(d->r->node[i].complete) && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0) {
		d->r->node[i].left = now_of(d);
		return;
	}
	if (WIFSIGNALED(status))
		snprintf(how, sizeof how, "signal %d", WTERMSIG(status));
	else
		snprintf(how, sizeof how, "exit code %d", WEXITSTATUS(status));
	lab_crew_last_words(&d->crew, i, words, sizeof words);
	wrong(d, "node %u (%s) has ended by itself, %s%s%s", i, name_of(d, i), how, words[0] ? ": " : "", words);
}

/* ---- what the scenario lets happen ------------------------------------------------------------------ */

static void apply_line(struct drive *d, unsigned i)
{
	if (lab_stage_line(d->stage, i) < 0)
		d->error = SHOAL_ERR_IO;
}

static void happen_to(struct drive *d, const struct lab_event *e, unsigned i)
{
	struct lab_wire *line = &d->stage->line[i];
	switch ((enum lab_event_kind)e->kind.v) {
	case LAB_EVENT_START: return call(d, i);
	case LAB_EVENT_STOP:
		if (!isfinite(e->lasts.v))
			return leave(d, i);
		if (d->crew.node[i].state == LAB_CREW_DOWN || d->crew.node[i].state == LAB_CREW_STOPS)
			return;
		stop(d, i);
		task_at(d, now_of(d) + e->lasts.v, LAB_TASK_RETURN, i);
		return;
	case LAB_EVENT_CRASH:
		if (d->crew.node[i].state == LAB_CREW_DOWN)
			return;
		lab_crew_kill(&d->crew, i);
		lab_tracker_forget(&d->tracker, i);
		if (!isfinite(e->lasts.v))
			return leave(d, i);
		task_at(d, now_of(d) + e->lasts.v, LAB_TASK_RETURN, i);
		return;
	case LAB_EVENT_PAUSE: return lab_crew_pause(&d->crew, i, true);
	case LAB_EVENT_CUT: line->cut = 1; break;
	case LAB_EVENT_SPLIT: line->side = d->sides; break;
	case LAB_EVENT_HEAL: line->cut = line->side = 0; break;
	case LAB_EVENT_LINE:
		line->up = (uint64_t)e->up.v;
		line->down = (uint64_t)e->down.v;
		break;
	default: return; /* lab_plan_check() refuses the rest */
	}
	apply_line(d, i);
}

static void undo_of(struct drive *d, const struct lab_event *e, unsigned i)
{
	struct lab_wire *line = &d->stage->line[i];
	const struct lab_wire *before = &d->stage->plan.node[i].line;
	switch ((enum lab_event_kind)e->kind.v) {
	case LAB_EVENT_PAUSE: return lab_crew_pause(&d->crew, i, false);
	case LAB_EVENT_CUT: line->cut = 0; break;
	case LAB_EVENT_SPLIT: line->side = 0; break;
	case LAB_EVENT_LINE:
		line->up = before->up;
		line->down = before->down;
		break;
	default: return;
	}
	apply_line(d, i);
}

static void happen(struct drive *d, struct lab_task *task)
{
	const struct lab_event *e = task->event;
	struct lab_task *more;
	unsigned count, *who = lab_draw_who(d->s, &e->who, &d->dice, &count);
	d->sides++;
	for (unsigned i = 0; i < count; i++)
		happen_to(d, e, who[i]);
	if (isfinite(e->lasts.v) && (more = task_at(d, now_of(d) + e->lasts.v, LAB_TASK_UNDO, 0)) != NULL) {
		more->event = e;
		more->who = who;
		more->who_count = count;
		who = NULL;
	}
	free(who);
	if (task->again > 0 && (more = task_at(d, task->at + e->every.v, LAB_TASK_HAPPEN, 0)) != NULL) {
		more->event = e;
		more->again = task->again - 1;
	}
}

static void plan_event(struct drive *d, const struct lab_event *e, double at)
{
	struct lab_task *task = task_at(d, at, LAB_TASK_HAPPEN, 0);
	if (task == NULL)
		return;
	task->event = e;
	task->again = (unsigned)e->times.v - 1;
}

static void sample(struct drive *d)
{
	double have = lab_count_sample(&d->count, &d->crew, now_of(d), &d->every);
	if (have < 0)
		d->error = SHOAL_ERR_NOMEM;
	for (unsigned i = 0; i < d->s->events_count; i++) {
		const struct lab_event *e = &d->s->events[i];
		if (!e->at_share || d->fired[i] || have < e->at.v)
			continue;
		d->fired[i] = true;
		plan_event(d, e, now_of(d));
	}
}

static void do_task(struct drive *d, struct lab_task *task)
{
	unsigned i = task->node;
	switch (task->kind) {
	case LAB_TASK_JOIN:
	case LAB_TASK_RETURN:
		if (!isfinite(d->r->node[i].left))
			start(d, i);
		return;
	case LAB_TASK_LEAVE: return leave(d, i);
	case LAB_TASK_GIVE_UP:
		if (!isfinite(d->r->node[i].complete))
			leave(d, i);
		return;
	case LAB_TASK_SAMPLE:
		sample(d);
		task_at(d, now_of(d) + d->every, LAB_TASK_SAMPLE, 0);
		return;
	case LAB_TASK_HAPPEN: return happen(d, task);
	case LAB_TASK_UNDO:
		for (unsigned k = 0; k < task->who_count; k++)
			undo_of(d, task->event, task->who[k]);
		return;
	case LAB_TASK_KILL:
		if (task->life == d->crew.node[i].starts)
			lab_crew_kill(&d->crew, i);
		return;
	}
}

/* ---- the loop ------------------------------------------------------------------------------------------ */

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct drive *d = arg;
	struct signalfd_siginfo info;
	bool relay_gone = false;
	(void)what;
	while (read((int)fd, &info, sizeof info) == sizeof info)
		if (info.ssi_signo != SIGCHLD)
			d->told = true;
	lab_crew_reap(&d->crew, d->stage->relay.pid, &relay_gone);
	if (relay_gone) {
		d->stage->relay.pid = 0;
		wrong(d, "the relay between the nodes has died");
		d->error = SHOAL_ERR_IO;
	}
}

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static bool watched(struct drive *d)
{
	double now = clock_now();
	if (now - d->measured >= MEASURE_S) {
		d->measured = now;
		lab_crew_measure(&d->crew);
	}
	if (d->o->progress == NULL || now - d->watched < WATCH_S)
		return true;
	d->watched = now;
	struct lab_progress p = { .t = now_of(d), .wall = now_of(d) };
	lab_count_progress(&d->count, &d->crew, &p);
	return d->o->progress(d->o->to, &p);
}

/* Waits for whatever comes, at most until then (clock) and not longer than somebody watches. */
static void turn(struct drive *d, double until)
{
	double wait = fmin(fmax(until - clock_now(), 0), WATCH_S);
	const struct timeval t = { (time_t)wait, (suseconds_t)((wait - floor(wait)) * 1e6) };
	event_add(d->alarm, &t);
	if (event_base_loop(d->loop, EVLOOP_ONCE) < 0)
		d->error = SHOAL_ERR_IO;
	d->told |= !watched(d);
}

static bool goes_on(const struct drive *d)
{
	return !d->told && d->error == 0 && d->r->wrong[0] == 0;
}

/* Those that have it, and are there from the start, first: the clock waits for them. */
static void bring_seeds(struct drive *d)
{
	double until = clock_now() + READY_S;
	unsigned waiting = 1, last = 0;
	for (unsigned i = 0; i < d->r->nodes && goes_on(d); i++)
		if (!d->r->node[i].wants && d->stage->plan.node[i].drawn.join <= 0)
			start(d, i);
	while (waiting > 0 && goes_on(d) && clock_now() < until) {
		turn(d, until);
		waiting = 0;
		for (unsigned i = 0; i < d->r->nodes; i++) {
			if (d->crew.node[i].starts == 0 || d->serves[i])
				continue;
			waiting++;
			last = i;
		}
	}
	if (waiting > 0 && goes_on(d))
		wrong(d, "node %u (%s) has the content, and does not serve it after %d s", last, name_of(d, last),
		      READY_S);
}

static void plan_run(struct drive *d)
{
	d->began = clock_now();
	for (unsigned i = 0; i < d->r->nodes; i++) {
		if (d->serves[i])
			completes(d, i);
		double join = d->stage->plan.node[i].drawn.join;
		if (d->crew.node[i].starts > 0 || !isfinite(join) || join > d->s->limit.v)
			continue;
		lab_roll_expect(&d->roll, i);
		task_at(d, join, LAB_TASK_JOIN, i);
	}
	double every = isfinite(d->r->bound) && d->r->bound > 0 ? d->r->bound / SAMPLES_WANTED : 1;
	d->every = fmin(fmax(every, 0.1), 60);
	task_at(d, 0, LAB_TASK_SAMPLE, 0);
	for (unsigned i = 0; i < d->s->events_count; i++)
		if (!d->s->events[i].at_share)
			plan_event(d, &d->s->events[i], d->s->events[i].at.v);
}

static void play(struct drive *d)
{
	while (goes_on(d) && !lab_roll_over(&d->roll) && now_of(d) < d->s->limit.v) {
		struct lab_task *task = lab_calendar_take(&d->calendar, now_of(d));
		if (task != NULL) {
			do_task(d, task);
			lab_task_free(task);
		} else {
			turn(d, d->began + fmin(lab_calendar_next(&d->calendar), d->s->limit.v));
		}
	}
	d->r->in_time = lab_roll_over(&d->roll);
	d->r->end = now_of(d);
}

/* All at once; the tracker is there to hear their good-byes. */
static void send_home(struct drive *d)
{
	double until = clock_now() + STOP_S;
	d->over = true;
	for (unsigned i = 0; i < d->r->nodes; i++)
		lab_crew_stop(&d->crew, i);
	while (d->crew.up > 0 && clock_now() < until + STOP_S) {
		turn(d, until);
		for (unsigned i = 0; clock_now() >= until && i < d->r->nodes; i++)
			lab_crew_kill(&d->crew, i);
	}
}

static void check_copies(struct drive *d)
{
	char why[200];
	for (unsigned i = 0; i < d->r->nodes && !lab_closed_told(); i++)
		if (d->r->node[i].honest && isfinite(d->r->node[i].complete) &&
		    !lab_stage_copy_is_true(d->stage, i, why))
			wrong(d, "node %u (%s) says that it has all, and %s", i, name_of(d, i), why);
}

/* What whoever is to blame, or was last, wrote into its log. */
static void give_reason(struct drive *d)
{
	char words[200];
	const char *at = strstr(d->r->wrong, "node ");
	unsigned who = at != NULL ? (unsigned)strtoul(at + 5, NULL, 10) : 0;
	for (unsigned i = 0; at == NULL && i < d->r->nodes; i++)
		if (d->r->node[i].wants && d->r->node[i].complete >= d->r->node[who].complete)
			who = i;
	lab_crew_last_words(&d->crew, who, words, sizeof words);
	if (asprintf(&d->r->reason, "  node %u (%s): %s\n", who, name_of(d, who), words[0] ? words : "said nothing") <
	    0)
		d->r->reason = NULL;
}

/* ---- the whole ------------------------------------------------------------------------------------------- */

/* In a DHT's swarm the tracker tells nobody of anybody: it is there to hear who comes, and who has all. */
static unsigned tracker_tells(const struct lab_scenario *s)
{
	return s->meet.v == LAB_MEET_DHT ? 0 : (unsigned)s->peers.v;
}

static int prepare(struct drive *d)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	d->loop = event_base_new();
	d->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	d->fired = calloc((size_t)d->s->events_count + 1, sizeof *d->fired);
	d->serves = calloc(d->stage->plan.nodes, sizeof *d->serves);
	if (d->loop == NULL || d->fired == NULL || d->serves == NULL)
		return SHOAL_ERR_NOMEM;
	if (d->signal_fd < 0)
		return SHOAL_ERR_IO;
	d->signals = event_new(d->loop, d->signal_fd, EV_READ | EV_PERSIST, on_signal, d);
	d->alarm = event_new(d->loop, -1, EV_TIMEOUT, on_alarm, d);
	if (d->signals == NULL || d->alarm == NULL || event_add(d->signals, NULL) < 0)
		return SHOAL_ERR_NOMEM;
	int rc = lab_crew_init(&d->crew, d->stage, d->loop);
	d->crew.heard = on_heard;
	d->crew.ended = on_ended;
	d->crew.to = d;
	if (rc == 0)
		rc = lab_tracker_init(&d->tracker, d->stage->plan.nodes, tracker_tells(d->s), d->o->seed);
	if (rc == 0)
		rc = lab_door_open(&d->door, d->loop, d->stage->door, &d->tracker);
	d->door.news = on_news;
	d->door.to = d;
	if (rc == 0)
		rc = lab_count_init(&d->count, d->stage, d->r);
	return rc == 0 ? lab_roll_init(&d->roll, d->r) : rc;
}

static void tidy(struct drive *d)
{
	lab_crew_fini(&d->crew);
	lab_door_close(&d->door);
	lab_tracker_fini(&d->tracker);
	lab_calendar_fini(&d->calendar);
	lab_count_fini(&d->count);
	lab_roll_fini(&d->roll);
	if (d->signals != NULL)
		event_free(d->signals);
	if (d->alarm != NULL)
		event_free(d->alarm);
	if (d->signal_fd >= 0)
		close(d->signal_fd);
	if (d->loop != NULL)
		event_base_free(d->loop);
	free(d->fired);
	free(d->serves);
}

int lab_drive(struct lab_stage *stage, const struct lab_run_options *o, struct lab_result *r)
{
	struct drive d = { .stage = stage,
			   .s = stage->s,
			   .o = o,
			   .r = r,
			   .dice = lab_draw_run_dice(o->seed),
			   .signal_fd = -1,
			   .began = -1 };
	*r = (struct lab_result){ .s = stage->s, .seed = o->seed, .real = true };
	int rc = prepare(&d);
	if (rc == 0) {
		bring_seeds(&d);
		if (goes_on(&d)) {
			plan_run(&d);
			play(&d);
			sample(&d);
		}
		send_home(&d);
		lab_count_finish(&d.count, &d.crew);
		check_copies(&d);
		give_reason(&d);
		rc = d.error < 0 ? d.error : 1;
	}
	r->before = d.began; /* on the clock: whoever asked knows when that was */
	bool told = d.told || lab_closed_told();
	tidy(&d);
	return rc > 0 && told ? 0 : rc;
}
