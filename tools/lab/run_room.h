/*
 * tools/lab/run_room.h - what the files of a run see of each other. Internal.
 *
 * run.c         the calendar, who comes and goes, the whole
 * run_seen.c    what is seen of the nodes
 * run_events.c  what the scenario lets happen to them
 */
#ifndef LAB_RUN_ROOM_H
#define LAB_RUN_ROOM_H

#include "tools/lab/diary.h"
#include "tools/lab/play.h"
#include "tools/lab/roll.h"
#include "tools/lab/run.h"

enum lab_course_what {
	LAB_COURSE_JOIN,
	LAB_COURSE_MEET, /* it is told of others */
	LAB_COURSE_LEAVE,
	LAB_COURSE_GIVE_UP,
	LAB_COURSE_RETURN, /* after a crash, or as soon as it has gone */
	LAB_COURSE_SAMPLE,
	LAB_COURSE_HAPPEN, /* an event of the scenario */
	LAB_COURSE_UNDO,
	LAB_COURSE_PLAY,
};
/* Something on the calendar; lives as long as the run. */
struct lab_course_task {
	struct lab_course_task *next;
	struct lab_course *c;
	enum lab_course_what what;
	unsigned node;
	const struct lab_event *event;
	unsigned again; /* times it will still happen */
	unsigned *who, who_count;
};
/* One attacker and one honest node. */
struct lab_course_pair {
	uint32_t spoiled;  /* blocks */
	float first, last; /* bad one; block of any kind */
};
/* A run while it lasts. */
struct lab_course {
	const struct lab_scenario *s;
	const struct lab_run_options *o;
	struct lab_result *r;
	struct sim *sim;
	struct lab_times *times;
	struct shoal_rng dice;
	struct lab_diary diary;
	struct lab_course_task *tasks;
	bool *fired;		      /* by event: those that wait for a share */
	unsigned *attacker;	      /* by node: number among the attackers */
	struct lab_course_pair *pair; /* by attacker and node; NULL: too many of them */
	unsigned *running;	      /* scratch: nodes that run */
	double *had;		      /* by node: share of the content, when it was last seen */
	uint32_t *copies;	      /* scratch: by piece */
	struct lab_play *play;	      /* by node: of those that play */
	struct shoal_bits out;	      /* pieces that somebody else than a seed has had */
	struct lab_roll roll;
	unsigned attackers, sides;
	shoal_us every; /* between samples */
};

static inline double lab_course_now(const struct lab_course *c)
{
	return (double)(sim_now(c->sim) - SIM_START) / 1e6;
}
static inline void lab_course_note(struct lab_course *c, unsigned node, const char *text)
{
	lab_diary_note(&c->diary, sim_node(c->sim, node), text, lab_course_now(c), c->r->steps);
}

/* ---- the calendar, coming and going ---- */

/* To be done then, or now if that is past. */
struct lab_course_task *lab_course_plan(struct lab_course *c, double t, enum lab_course_what what, unsigned node);
void lab_course_start(struct lab_course *c, unsigned i);
/* For good, unless an event calls it back. */
void lab_course_leave(struct lab_course *c, unsigned i, const char *why);

/* ---- what is seen ---- */

void lab_course_on_event(void *course, struct sim_node *n, const struct shoal_event *ev);
void lab_course_on_block(void *course, struct sim_node *from, struct sim_node *dest, uint32_t piece, uint32_t begin,
			 uint32_t len, bool good);
/* What its own counters say goes with it when it ends: into the result. */
void lab_course_bank(struct lab_course *c, unsigned i);
/* One sample; events that wait for a share of it begin. */
void lab_course_look(struct lab_course *c);
/* At the end: what each honest node had of each attacker, into the result. */
void lab_course_pairs(struct lab_course *c);

/* ---- what happens ---- */

/* An event comes then, and after that as often as makes `times`. */
void lab_course_happen(struct lab_course *c, double t, const struct lab_event *e, unsigned times);
/* Once, for those it meets; and once more later, when it is to be undone. */
void lab_course_happen_once(struct lab_course *c, struct lab_course_task *task);
void lab_course_undo(struct lab_course *c, const struct lab_course_task *task);

#endif
