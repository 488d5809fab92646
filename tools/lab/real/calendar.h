/*
 * tools/lab/real/calendar.h - what is to happen in a run, and when: pure, in seconds of the run.
 */
#ifndef LAB_CALENDAR_H
#define LAB_CALENDAR_H

#include "tools/lab/scenario.h"

enum lab_task_kind {
	LAB_TASK_JOIN,
	LAB_TASK_LEAVE,	  /* it has all, and goes */
	LAB_TASK_GIVE_UP, /* unless it has all */
	LAB_TASK_RETURN,  /* after a crash */
	LAB_TASK_SAMPLE,
	LAB_TASK_HAPPEN, /* an event of the scenario ... */
	LAB_TASK_UNDO,	 /* ... is over for those it met */
	LAB_TASK_KILL,	 /* it was told to stop, and has had its time */
};
struct lab_task {
	struct lab_task *next;
	double at;
	enum lab_task_kind kind;
	unsigned node;
	unsigned life; /* KILL: of the process it was set for */
	const struct lab_event *event;
	unsigned again; /* times it will still happen */
	unsigned *who, who_count;
};
struct lab_calendar {
	struct lab_task *first;
};

/* A task at that time, behind those of the same; NULL: no memory. Its other fields are the caller's to set. */
struct lab_task *lab_calendar_add(struct lab_calendar *c, double at, enum lab_task_kind kind, unsigned node);
/* When the next is due; INFINITY: none is. */
double lab_calendar_next(const struct lab_calendar *c);
/* The next that is due by `now`, to be freed with lab_task_free(); NULL: none. */
struct lab_task *lab_calendar_take(struct lab_calendar *c, double now);
void lab_task_free(struct lab_task *task);
void lab_calendar_fini(struct lab_calendar *c);

#endif
