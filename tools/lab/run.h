/*
 * tools/lab/run.h - one run of a scenario: nodes come and go, things happen, samples are taken, until it is over.
 *
 * Over is: every honest node that wants the content has it, or has left; or the scenario's limit has come.
 * Everything that is looked at is looked at on the run's own calendar, so that nobody who watches changes it.
 */
#ifndef LAB_RUN_H
#define LAB_RUN_H

#include <stdio.h>
#include "tools/lab/build.h"
#include "tools/lab/result.h"

/* A group of a real run, as it is now. */
struct lab_progress_group {
	const char *name;
	unsigned nodes, running, wanting, complete;
	double have;	   /* mean share that those who want it have */
	uint64_t up, down; /* bytes a second, of all of them */
};
struct lab_progress {
	double t, have; /* virtual time; mean share that the honest have */
	unsigned complete, wanting, running;
	uint64_t steps;
	double wall;				/* seconds */
	const struct lab_progress_group *group; /* of real runs alone */
	unsigned groups;
};
struct lab_run_options {
	uint64_t seed;
	const struct sim_content *content; /* lab_build_content() of the scenario; outlives the result */
	bool real_bytes;		   /* every byte is moved and hashed; decides the same */
	FILE *trace;			   /* every event, one JSON object a line; NULL: none */
	FILE *dump;	  /* the nodes as they are at step `stop_at`, and what happened before; NULL: none */
	uint64_t stop_at; /* step to end at; 0: none */
	/* Decisions of one node (swarm/core/flight.h), as they come, in whole records; NULL: none are recorded. */
	void (*recorded)(void *to, struct shoal_bytes records, shoal_us now);
	void *recorded_to;
	unsigned record; /* its number */
	/* Called about ten times a second of real time; false: end now. NULL: nobody watches. */
	bool (*progress)(void *to, const struct lab_progress *p);
	void *to;
};

/* The caller frees the result. false: it was told to end. */
bool lab_run(const struct lab_scenario *s, const struct lab_run_options *o, struct lab_result *r);

#endif
