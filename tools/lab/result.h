/*
 * tools/lab/result.h - what one run of a scenario came to: figures alone, of nodes and of how they grew.
 *
 * Times are seconds of virtual time (of a real run: real ones) since the run began; INFINITY: it never was.
 */
#ifndef LAB_RESULT_H
#define LAB_RESULT_H

#include "tools/lab/scenario.h"

#define LAB_WRONG_MAX 320

struct lab_result_node {
	unsigned group;
	bool honest;
	bool wants;  /* it had not all at the start */
	bool silent; /* what runs it says neither what it wasted nor whom it banned */
	double up_rate, down_rate;
	double joined, complete, left; /* `left`: gone for good */
	uint64_t up, down, wasted;     /* payload bytes */
	uint64_t spoiled;	       /* of those it received, what failed its hash */
	uint64_t to_attackers;	       /* of `up` */
	uint64_t asked;		       /* of an attacker: requests it was sent, served or not */
	uint64_t memory_peak;
	uint64_t rss;		 /* of a real process, at most: bytes; 0: not known */
	double cpu;		 /* CPU seconds of a real process */
	unsigned banned_by;	 /* honest nodes that banned it */
	double held;		 /* of an honest one: what another honest one had against it at most (world/held.h) */
	double stalls, rebuffer; /* of one that plays (play.h): pieces that came late; seconds spent waiting for them */
	unsigned starts;
};
/* What one honest node had of one attacker that sent it something bad. */
struct lab_result_pair {
	unsigned honest, attacker;
	uint32_t spoiled; /* blocks: at least one */
	float exposed;	  /* from the first of them to the last block of any kind */
};
struct lab_point {
	double t;
	double have; /* mean share that those who want it have */
	unsigned complete, running;
	double copies, copies_least; /* of a piece, among all that run: mean, and of the rarest */
	uint64_t seeds_sent;	     /* bytes */
};
struct lab_result {
	const struct lab_scenario *s; /* outlives this */
	uint64_t seed;
	bool real; /* of real processes: times are real, and what only a world sees is NAN */
	struct lab_result_node *node;
	unsigned nodes;
	struct lab_result_pair *pair;
	size_t pairs;
	struct lab_point *point; /* in the order of time */
	size_t points;
	uint64_t *sent;		/* bytes from group to group: sent[from * groups + to] */
	uint64_t *sent_by_node; /* the same of nodes, when they are at most LAB_MATRIX_MAX; else NULL */
	unsigned groups;
	double end;
	double idle;	       /* longest that a piece lay, and somebody who would serve it was idle */
	double bound;	       /* fluid.h, of the honest */
	double copies_out;     /* bytes the seeds had sent when every piece was with somebody else; INFINITY: never */
	uint64_t steps, state; /* instants of the world; digest of all that was sent and is stored */
	double wall, cpu_ms;   /* of the run itself: seconds, and CPU milliseconds */
	double before, first; /* of a real run: seconds until its clock starts; on that clock, until first bytes came */
	char wrong[LAB_WRONG_MAX]; /* the first rule that was broken, or empty */
	bool in_time;		   /* over before the limit */
	char *reason;		   /* what the culprit (or whoever was last) said in the end: lines; heap */
};
#define LAB_MATRIX_MAX 128

void lab_result_free(struct lab_result *r);
/* A point more of the curves. 0; 1: there were too many, every second one has gone, and half as many are to be taken from
 * now on; NOMEM. */
SHOAL_MUST int lab_result_point(struct lab_result *r, const struct lab_point *p);
const char *lab_result_group(const struct lab_result *r, unsigned group);

#endif
