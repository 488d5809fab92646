/*
 * tools/lab/world/clock.h - virtual time: one heap of alarms, fired in the order (time, set).
 *
 * Everything in a virtual world that happens later is an alarm inside the
 * thing it happens to. Nobody else moves time. Not thread-safe.
 */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include "proto/base/heap.h"

/* Where virtual time begins: not at 0, which means "never happened". */
#define SIM_START SHOAL_S(1000)

struct sim_alarm {
	struct shoal_timer timer; /* first: an alarm is found from its timer */
	void (*ring)(struct sim_alarm *alarm);
};
struct sim_clock {
	struct shoal_heap heap;
	shoal_us now;
	uint64_t rung; /* alarms in all: how long a run was */
};

void sim_clock_init(struct sim_clock *clock);
void sim_clock_fini(struct sim_clock *clock);
/* Rings `alarm` at `at` (now, if that is past); moves one that is set. Aborts when memory is short. */
void sim_alarm_set(struct sim_clock *clock, struct sim_alarm *alarm, shoal_us at);
void sim_alarm_drop(struct sim_clock *clock, struct sim_alarm *alarm);
static inline bool sim_alarm_is_set(const struct sim_alarm *alarm)
{
	return alarm->timer.pos != 0;
}
/* Moves to the next time at which something is due, and rings all that is due then. false: nothing is, until `until`
 * (and it is `until` now). */
bool sim_clock_step(struct sim_clock *clock, shoal_us until);

/* The thing an alarm is a member of. */
#define SIM_OF(alarm, type, member) ((type *)(void *)((char *)(alarm)-offsetof(type, member)))

#endif
