/*
 * swarm/io/loop.h - one thread's wait for descriptors, one deadline, and wake-ups from elsewhere.
 *
 * libevent's epoll, and nothing else of it: no timers (its clock is coarse;
 * one timerfd here is exact, and is armed again only when it must ring
 * earlier), no signals, no locks. Readiness is level triggered.
 *
 * A watch lives inside what it serves. All but shoal_loop_wake() belongs to
 * the loop's thread.
 */
#ifndef SHOAL_LOOP_H
#define SHOAL_LOOP_H

#include <shoal/types.h>
#include "swarm/io/os.h"

struct event;
struct shoal_loop;

enum shoal_loop_what {
	SHOAL_LOOP_READ = 1, /* the values of enum shoal_transport_want */
	SHOAL_LOOP_WRITE = 2,
	SHOAL_LOOP_EDGE = 4, /* set() alone: told once each time it becomes ready; an eventfd then needs no read */
};

struct shoal_watch {
	struct shoal_loop *loop; /* NULL: not in use */
	struct event *rd, *wr;	 /* made when first waited for */
	int fd;			 /* stays the caller's to close, after shoal_watch_fini() */
	unsigned what;		 /* waited for now */
	/* `what` is ready, READ or WRITE. May end this watch, or any other. An error or a hang-up on `fd` reads as
	 * whatever is waited for. */
	void (*ready)(void *to, unsigned what);
	void *to;
};

/* NOMEM; IO when the system gives no descriptor. `os` outlives the loop. */
SHOAL_MUST int shoal_loop_new(struct shoal_loop **out, const struct shoal_os_ops *os);
void shoal_loop_free(struct shoal_loop *loop); /* NULL is fine; its watches must have ended */

/* Monotonic: when this round's wait was over. Read once a round. */
shoal_us shoal_loop_now(struct shoal_loop *loop);
/* Has it read anew: for whoever comes from outside, between rounds, or has slept within one. */
void shoal_loop_refresh(struct shoal_loop *loop);

/* One round: waits until something is ready, until `until` (SHOAL_NEVER: no deadline; past: no wait), or for
 * a wake, and calls what is ready. It may return before `until` with nothing done. 0; IO when waiting failed. */
SHOAL_MUST int shoal_loop_run(struct shoal_loop *loop, shoal_us until);

/* Ends the wait of the round under way, or of the next. From any thread, or a signal handler. */
void shoal_loop_wake(struct shoal_loop *loop);
/* Whether that happened since this was last asked. */
bool shoal_loop_woken(struct shoal_loop *loop);

/* Waits for nothing yet. Cannot fail. */
void shoal_watch_init(struct shoal_watch *watch, struct shoal_loop *loop, int fd,
		      void (*ready)(void *to, unsigned what), void *to);
/* Waits for `what` from now on. Free when nothing changes; what changes within a round reaches the kernel in
 * one call, at its end. NOMEM leaves it as it was. */
SHOAL_MUST int shoal_watch_set(struct shoal_watch *watch, unsigned what);
/* Nothing more is told, not even what this round has found already. Twice is fine, and so is an all-zero watch. */
void shoal_watch_fini(struct shoal_watch *watch);

#endif
