/*
 * tools/lab/world/store.h - store.h in memory: what was not committed is lost at a crash.
 *
 * Outlives the node it serves, as a state database would.
 */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include "proto/base/rng.h"
#include "swarm/pieces/store.h"
#include "tools/lab/world/clock.h"

struct sim_store;

struct sim_store_options {
	struct sim_clock *clock;
	struct shoal_rng rng;
	shoal_us latency[2];	/* of a commit: from, to */
	void (*wake)(void *to); /* something is to be reaped */
	void *to;
};

struct sim_store *sim_store_new(const struct sim_store_options *options);
void sim_store_free(struct sim_store *s);
/* What a node is given. */
struct shoal_store sim_store_view(struct sim_store *s);

/* The process dies now: a commit under way has happened or not, what was only put is gone. From then on nothing works,
 * until revive(). */
void sim_store_crash(struct sim_store *s);
void sim_store_revive(struct sim_store *s);

/* ---- faults ---- */
/* The next `count` commits fail with `err` and change nothing. */
void sim_store_fail(struct sim_store *s, int err, unsigned count);
/* A planted fault for tests of the tests: commits are told to be durable before they are. */
void sim_store_lie(struct sim_store *s, bool lie);

/* Records that are durable, and a digest of them all. */
size_t sim_store_count(const struct sim_store *s);
uint64_t sim_store_digest(const struct sim_store *s);

#endif
