/* loop.c - the calendar, and the loop that drives every node; see world.h. */
#include <stdlib.h>
#include "tools/lab/world/room.h"

/* Something of the world's calendar. */
struct sim_event {
	struct sim_alarm alarm;
	struct sim_event *next, **at;
	struct sim *sim;
	void (*what)(struct sim *sim, void *arg);
	void *arg;
};

void sim_touch(struct sim_node *n)
{
	if (n->touched)
		return;
	n->touched = true;
	n->next_touched = NULL;
	*n->sim->touched_tail = n;
	n->sim->touched_tail = &n->next_touched;
}

static void on_calendar(struct sim_alarm *alarm)
{
	struct sim_event *e = SIM_OF(alarm, struct sim_event, alarm);
	struct sim *sim = e->sim;
	void (*what)(struct sim * sim, void *arg) = e->what;
	void *arg = e->arg;
	*e->at = e->next;
	if (e->next != NULL)
		e->next->at = e->at;
	free(e);
	what(sim, arg);
}

void sim_at(struct sim *sim, shoal_us at, void (*what)(struct sim *sim, void *arg), void *arg)
{
	struct sim_event *e = sim_must(calloc(1, sizeof *e));
	*e = (struct sim_event){ .alarm = { .ring = on_calendar },
				 .sim = sim,
				 .what = what,
				 .arg = arg,
				 .next = sim->events,
				 .at = &sim->events };
	if (e->next != NULL)
		e->next->at = &e->next;
	sim->events = e;
	sim_alarm_set(&sim->clock, &e->alarm, at);
}

void sim_calendar_clear(struct sim *sim)
{
	for (struct sim_event *e; (e = sim->events) != NULL;) {
		sim->events = e->next;
		sim_alarm_drop(&sim->clock, &e->alarm);
		free(e);
	}
}

bool sim_step(struct sim *sim, shoal_us until)
{
	/* Whom an operation touched between steps acts before time goes on. */
	bool any = sim->touched != NULL || sim_clock_step(&sim->clock, until);
	while (sim->touched != NULL) {
		struct sim_node *n = sim->touched;
		sim->touched = n->next_touched;
		if (sim->touched == NULL)
			sim->touched_tail = &sim->touched;
		n->touched = false;
		if (n->guest_up)
			n->o.guest->tick(n->o.g, n);
		if (n->node == NULL)
			continue;
		shoal_node_reap(n->node, sim->clock.now);
		shoal_node_tick(n->node, sim->clock.now);
		sim_node_drain(n);
		if (n->node != NULL)
			sim_check_node(n);
		if (n->node != NULL && n->leaving && n->stopped)
			sim_node_end(n);
	}
	if (sim->idle_at <= sim->clock.now) {
		sim->idle_at = sim->clock.now + SIM_CHECK_EVERY;
		sim_check_idle(sim);
	}
	return any;
}

bool sim_run(struct sim *sim, bool (*pred)(struct sim *sim, void *arg), void *arg, shoal_us patience)
{
	shoal_us end = sim->clock.now + patience;
	while (!pred(sim, arg)) {
		if (sim->wrong[0] != 0 || sim->clock.now >= end)
			return false;
		sim_step(sim, end);
	}
	return sim->wrong[0] == 0;
}

static bool never(struct sim *sim, void *arg)
{
	(void)sim;
	(void)arg;
	return false;
}

void sim_run_for(struct sim *sim, shoal_us time)
{
	(void)sim_run(sim, never, NULL, time);
}

bool sim_all_complete(struct sim *sim, void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < sim->nodes; i++) {
		const struct sim_node *n = sim->node[i];
		if (n->node != NULL && !n->complete && !n->o.liar)
			return false;
	}
	return true;
}
