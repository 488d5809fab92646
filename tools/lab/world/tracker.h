/*
 * tools/lab/world/tracker.h - a virtual tracker, over HTTP (BEP 3, 23) and UDP (BEP 15), for the world's one torrent.
 *
 * Answers http://HOST/announce?... and udp://HOST:PORT, whatever the path, to every node of the world; any other
 * fetch goes on to who was there before (a sim_web, say). It believes what it is told, and gives out addresses by
 * dice of its own.
 */
#ifndef SIM_TRACKER_H
#define SIM_TRACKER_H

#include "tools/lab/world/world.h"

struct sim_tracker_options {
	const char *host;	/* its name; copied */
	struct shoal_addr addr; /* where it hears datagrams; UDP needs a port of it */
	uint32_t interval;	/* seconds; 0: 1800 */
	bool silent;		/* answers nothing at all */
	bool refuses;		/* says no */
};
struct sim_tracker;

/* Takes the world's fetches (and hands on those that are not for it): before sim_new(). */
struct sim_tracker *sim_tracker_new(struct sim_options *world);
/* Makes it known in the world, after sim_new(). */
void sim_tracker_open(struct sim_tracker *t, struct sim *sim, const struct sim_tracker_options *options);
void sim_tracker_free(struct sim_tracker *t); /* after the world */
/* Another mood from now on. */
void sim_tracker_mood(struct sim_tracker *t, bool silent, bool refuses);

struct sim_tracker_seen {
	unsigned http, udp;		      /* announces heard */
	unsigned started, completed, stopped; /* events */
	unsigned peers;			      /* that it knows now */
};
struct sim_tracker_seen sim_tracker_seen(const struct sim_tracker *t);

#endif
