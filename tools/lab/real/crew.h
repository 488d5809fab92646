/*
 * tools/lab/real/crew.h - the processes of a run: started, told, killed, listened to, measured.
 *
 * Whoever owns the event loop is called back from it. One thread.
 */
#ifndef LAB_CREW_H
#define LAB_CREW_H

#include <sys/types.h>
#include "tools/lab/real/hear.h"
#include "tools/lab/real/stage.h"

struct event_base;
struct event;
struct evbuffer;

enum lab_crew_state {
	LAB_CREW_DOWN,
	LAB_CREW_RUNS,
	LAB_CREW_PAUSED,
	LAB_CREW_STOPS, /* told to end */
};
struct lab_crew_node {
	enum lab_crew_state state;
	pid_t pid;
	unsigned starts;
	uint64_t done;	     /* bytes, as it last said */
	uint64_t wasted;     /* in all its lives */
	uint64_t wasted_now; /* of it: as this life has said */
	uint64_t rss_peak;   /* of itself and its children at once, at most; 0: it cannot be told here */
	double cpu, cpu_now; /* seconds: of lives that have ended; of this one, when it was last looked at */
	struct event *event;
	struct evbuffer *said;
	bool noisy; /* it has said what is no JSON, and its log has that */
	int pipe;
};
struct lab_crew {
	const struct lab_stage *stage;
	struct event_base *loop;
	struct lab_crew_node *node;
	unsigned nodes, up; /* up: processes there are */
	bool sees_memory;
	/* What a node said; that a process has ended (`expected`: it was told to, or killed by us). */
	void (*heard)(void *to, unsigned node, const struct lab_heard *what);
	void (*ended)(void *to, unsigned node, int status, bool expected);
	void *to;
};

/* 0, NOMEM or IO. The stage outlives it. */
SHOAL_MUST int lab_crew_init(struct lab_crew *crew, const struct lab_stage *stage, struct event_base *loop);
/* Kills what is still there. */
void lab_crew_fini(struct lab_crew *crew);

/* 0, or IO with errno. One that runs, or is on its way down, is left alone: EXISTS. */
SHOAL_MUST int lab_crew_start(struct lab_crew *crew, unsigned node);
/* Each does nothing to a node that is not there. */
void lab_crew_stop(struct lab_crew *crew, unsigned node); /* SIGTERM */
void lab_crew_kill(struct lab_crew *crew, unsigned node); /* SIGKILL, to it and all it has started */
void lab_crew_pause(struct lab_crew *crew, unsigned node, bool pause);
/* To be called after SIGCHLD: takes in who has ended. `relay`: told when it is that one. */
void lab_crew_reap(struct lab_crew *crew, pid_t relay, bool *relay_gone);
/* Looks at the memory of all that run. */
void lab_crew_measure(struct lab_crew *crew);
/* The last lines of a node's log, for people; "" when there is none. */
void lab_crew_last_words(const struct lab_crew *crew, unsigned node, char *out, size_t size);

#endif
