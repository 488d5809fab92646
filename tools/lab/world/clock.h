/*
 * tools/lab/world/clock.h - virtual time: alarms, rung in the order (time, set).
 *
 * Everything in a virtual world that happens later is an alarm inside the
 * thing it happens to. Nobody else moves time. Not thread-safe.
 *
 * A calendar: an alarm is noted on the list of its 256 us, of its quarter of a
 * second, or of what comes later, in a note of 32 bytes; the notes of the 256 us
 * that come next are in order. So setting, moving and dropping one costs the
 * same whether there are ten or a million, and touches none of the others.
 *
 * In a large world nearly everything that an alarm is about lies in memory
 * that the processor has not seen for long. Who rings soon is known, so each
 * is told a while before (`soon`), to have it fetched meanwhile.
 */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include <shoal/types.h>

/* Where virtual time begins: not at 0, which means "never happened". */
#define SIM_START SHOAL_S(1000)

/* How near it is: what was fetched on one step can be looked into on the next. */
enum sim_soon { SIM_SOON, SIM_SOONER, SIM_VERY_SOON, SIM_NEXT };
struct sim_alarm {
	shoal_us at;   /* when it rings, while it is set */
	uint32_t note; /* the clock's; 0: it is not set */
	void (*ring)(struct sim_alarm *alarm);
	/* It is about to ring, most likely: may prefetch, and changes nothing. NULL: no need. */
	void (*soon)(struct sim_alarm *alarm, enum sim_soon how);
};
struct sim_note; /* of an alarm that is set */
struct sim_due;	 /* of those that ring next */
struct sim_dues {
	struct sim_due *due;
	uint32_t first, count, room;
};
struct sim_clock {
	shoal_us now;
	uint64_t rung; /* alarms in all: how long a run was */
	uint32_t set;  /* alarms that are */

	/* the calendar's */
	uint64_t order;		 /* of the next that is set: ties */
	struct sim_note *note;	 /* [0] none, then the heads of the lists, then alarms' */
	uint32_t notes, free;	 /* room for so many; the first that is not in use, 0 none */
	uint64_t page;		 /* the quarter of a second that is spread out by 256 us */
	uint32_t slot;		 /* the first 256 us of it whose alarms are on a list, and not due next */
	struct sim_dues next;	 /* of the slot before, in order */
	uint32_t ahead;		 /* a note of the slot after that */
	struct sim_dues late;	 /* set since, for before the end of it: a heap */
	uint64_t *fine, *coarse; /* a bit for each list that may have something */
};

void sim_clock_init(struct sim_clock *clock);
void sim_clock_fini(struct sim_clock *clock);
/* Rings `alarm` at `at` (now, if that is past; SHOAL_NEVER: not at all); moves one that is set. Aborts when memory is
 * short. */
void sim_alarm_set(struct sim_clock *clock, struct sim_alarm *alarm, shoal_us at);
void sim_alarm_drop(struct sim_clock *clock, struct sim_alarm *alarm); /* not set: no harm */
static inline bool sim_alarm_is_set(const struct sim_alarm *alarm)
{
	return alarm->note != 0;
}
/* Moves to the next time at which something is due, and rings all that is due then. false: nothing is, until `until`
 * (and it is `until` now). */
bool sim_clock_step(struct sim_clock *clock, shoal_us until);

/* The thing an alarm is a member of. */
#define SIM_OF(alarm, type, member) ((type *)(void *)((char *)(alarm)-offsetof(type, member)))

#endif
