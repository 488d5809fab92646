/*
 * tools/lab/real/door.h - the tracker's socket: connections to tracker.h, from whom, and back.
 */
#ifndef LAB_DOOR_H
#define LAB_DOOR_H

#include "tools/lab/real/tracker.h"

struct event_base;
struct evconnlistener;
struct lab_caller;

struct lab_door {
	struct lab_tracker *tracker;
	struct event_base *loop;
	struct evconnlistener *listener;
	struct lab_caller *callers;
	void (*news)(void *to, unsigned node, enum lab_tracker_news news);
	void *to;
};

/* `socket` listens already; it stays the caller's. 0 or NOMEM. */
SHOAL_MUST int lab_door_open(struct lab_door *door, struct event_base *loop, int socket, struct lab_tracker *tracker);
void lab_door_close(struct lab_door *door);

#endif
