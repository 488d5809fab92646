/* clock.c - see clock.h. */
#include "tools/lab/world/clock.h"

#include <assert.h>
#include <stdlib.h>

void sim_clock_init(struct sim_clock *clock)
{
	*clock = (struct sim_clock){ .now = SIM_START };
}

void sim_clock_fini(struct sim_clock *clock)
{
	assert(clock->heap.count == 0); /* whoever set an alarm dropped it */
	shoal_heap_fini(&clock->heap);
}

void sim_alarm_set(struct sim_clock *clock, struct sim_alarm *alarm, shoal_us at)
{
	if (shoal_heap_set(&clock->heap, &alarm->timer, at > clock->now ? at : clock->now) < 0)
		abort(); /* a test machine without memory: no result is better than a wrong one */
}

void sim_alarm_drop(struct sim_clock *clock, struct sim_alarm *alarm)
{
	shoal_heap_drop(&clock->heap, &alarm->timer);
}

bool sim_clock_step(struct sim_clock *clock, shoal_us until)
{
	shoal_us next = shoal_heap_next(&clock->heap);
	if (next > until) {
		clock->now = until > clock->now ? until : clock->now;
		return false;
	}
	clock->now = next;
	/* What is set for this very moment while we ring is rung as well: its order is later. */
	for (struct shoal_timer *t; (t = shoal_heap_due(&clock->heap, clock->now)) != NULL;) {
		struct sim_alarm *alarm = SIM_OF(t, struct sim_alarm, timer);
		clock->rung++;
		alarm->ring(alarm);
	}
	return true;
}
