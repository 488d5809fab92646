/* loop.c - see loop.h. */
#include "swarm/io/loop.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

/*
 * The change list makes a want() that goes to and fro within a round cost nothing. It asks that no watched descriptor be
 * a dup() of another; none is. It also takes closed descriptors off only later, which the kernel answers with EBADF, and
 * TSan with a report when another thread has that number by then: for TSan there is none.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CHANGELIST 0
#endif
#endif
#ifndef CHANGELIST
#define CHANGELIST EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST
#endif

struct shoal_loop {
	const struct shoal_os_ops *os;
	struct event_base *base;
	struct shoal_watch timer, wake;
	int timer_fd, wake_fd;
	shoal_us armed; /* when the timer rings; SHOAL_NEVER: it is not set */
	shoal_us now;
	bool read;	    /* `now` is of this round */
	atomic_bool waking; /* a wake is under way: further ones need no system call */
	bool woken;
};

static void timer_rang(void *to, unsigned what)
{
	struct shoal_loop *loop = to;
	(void)what;
	loop->armed = SHOAL_NEVER;
}

static void wake_came(void *to, unsigned what)
{
	struct shoal_loop *loop = to;
	(void)what;
	/* Before anyone looks at what the waker left: a wake after this store writes anew. */
	atomic_store(&loop->waking, false);
	loop->woken = true;
}

static int base_new(struct event_base **out)
{
	struct event_config *config = event_config_new();
	if (config == NULL)
		return SHOAL_ERR_NOMEM;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME |
					      EVENT_BASE_FLAG_IGNORE_ENV | CHANGELIST);
	event_config_avoid_method(config, "poll");
	event_config_avoid_method(config, "select");
	errno = 0;
	*out = event_base_new_with_config(config);
	event_config_free(config);
	if (*out == NULL)
		return errno == ENOMEM ? SHOAL_ERR_NOMEM : SHOAL_ERR_IO;
	return 0;
}

int shoal_loop_new(struct shoal_loop **out, const struct shoal_os_ops *os)
{
	int rc = SHOAL_ERR_NOMEM;
	struct shoal_loop *loop = calloc(1, sizeof *loop);
	if (loop == NULL)
		return rc;
	loop->os = os;
	loop->timer_fd = loop->wake_fd = -1;
	loop->armed = SHOAL_NEVER;
	if ((rc = base_new(&loop->base)) < 0)
		goto out;
	rc = SHOAL_ERR_IO;
	if ((loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) < 0)
		goto out;
	if ((loop->wake_fd = os->eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
		goto out;
	shoal_watch_init(&loop->timer, loop, loop->timer_fd, timer_rang, loop);
	shoal_watch_init(&loop->wake, loop, loop->wake_fd, wake_came, loop);
	if ((rc = shoal_watch_set(&loop->timer, SHOAL_LOOP_READ | SHOAL_LOOP_EDGE)) < 0 ||
	    (rc = shoal_watch_set(&loop->wake, SHOAL_LOOP_READ | SHOAL_LOOP_EDGE)) < 0)
		goto out;
	*out = loop;
	loop = NULL;
	rc = 0;
out:
	shoal_loop_free(loop);
	return rc;
}

void shoal_loop_free(struct shoal_loop *loop)
{
	if (loop == NULL)
		return;
	shoal_watch_fini(&loop->timer);
	shoal_watch_fini(&loop->wake);
	if (loop->base != NULL)
		event_base_free(loop->base);
	if (loop->timer_fd >= 0)
		loop->os->close(loop->timer_fd);
	if (loop->wake_fd >= 0)
		loop->os->close(loop->wake_fd);
	free(loop);
}

shoal_us shoal_loop_now(struct shoal_loop *loop)
{
	if (!loop->read) {
		loop->now = loop->os->now();
		loop->read = true;
	}
	return loop->now;
}

void shoal_loop_refresh(struct shoal_loop *loop)
{
	loop->read = false;
}

/* The timer rings at `until` or before: a deadline that moves back and forth costs a call only when it comes nearer. */
static void arm(struct shoal_loop *loop, shoal_us until)
{
	if (until >= loop->armed)
		return;
	struct itimerspec at = { .it_value = { (time_t)(until / 1000000), (long)(until % 1000000) * 1000 } };
	int rc = timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
	assert(rc == 0); /* only wrong arguments fail */
	loop->armed = until;
}

int shoal_loop_run(struct shoal_loop *loop, shoal_us until)
{
	int flags = EVLOOP_ONCE;
	shoal_loop_refresh(loop);
	if (until == 0 || (until != SHOAL_NEVER && until <= loop->os->now()))
		flags |= EVLOOP_NONBLOCK;
	else if (until != SHOAL_NEVER)
		arm(loop, until);
	return event_base_loop(loop->base, flags) < 0 ? SHOAL_ERR_IO : 0;
}

void shoal_loop_wake(struct shoal_loop *loop)
{
	if (atomic_exchange(&loop->waking, true))
		return;
	int saved = errno;
	uint64_t one = 1;
	/* Only a counter at its top refuses, and a counter that high has been heard. */
	ssize_t n = loop->os->write(loop->wake_fd, &one, sizeof one);
	(void)n;
	errno = saved;
}

bool shoal_loop_woken(struct shoal_loop *loop)
{
	bool woken = loop->woken;
	loop->woken = false;
	return woken;
}

/* ---- watches --------------------------------------------------------------------- */

static void on_read(evutil_socket_t fd, short events, void *arg)
{
	struct shoal_watch *watch = arg;
	(void)fd, (void)events;
	watch->ready(watch->to, SHOAL_LOOP_READ);
}

static void on_write(evutil_socket_t fd, short events, void *arg)
{
	struct shoal_watch *watch = arg;
	(void)fd, (void)events;
	watch->ready(watch->to, SHOAL_LOOP_WRITE);
}

void shoal_watch_init(struct shoal_watch *watch, struct shoal_loop *loop, int fd,
		      void (*ready)(void *to, unsigned what), void *to)
{
	*watch = (struct shoal_watch){ .loop = loop, .fd = fd, .ready = ready, .to = to };
}

/* Reading and writing are two events, so that the one that comes and goes leaves the other in place. */
static int turn(struct shoal_watch *watch, struct event **ev, short kind, bool on, bool edge)
{
	if (!on)
		return *ev == NULL || event_del(*ev) == 0 ? 0 : SHOAL_ERR_NOMEM;
	if (*ev == NULL) {
		short flags = (short)(kind | EV_PERSIST | (edge ? EV_ET : 0));
		*ev = event_new(watch->loop->base, watch->fd, flags, kind == EV_READ ? on_read : on_write, watch);
		if (*ev == NULL)
			return SHOAL_ERR_NOMEM;
	}
	return event_add(*ev, NULL) == 0 ? 0 : SHOAL_ERR_NOMEM;
}

int shoal_watch_set(struct shoal_watch *watch, unsigned what)
{
	unsigned change = watch->what ^ what;
	bool edge = what & SHOAL_LOOP_EDGE;
	int rc;
	if (change & SHOAL_LOOP_READ) {
		if ((rc = turn(watch, &watch->rd, EV_READ, what & SHOAL_LOOP_READ, edge)) < 0)
			return rc;
		watch->what ^= SHOAL_LOOP_READ;
	}
	if (change & SHOAL_LOOP_WRITE) {
		if ((rc = turn(watch, &watch->wr, EV_WRITE, what & SHOAL_LOOP_WRITE, edge)) < 0)
			return rc;
		watch->what ^= SHOAL_LOOP_WRITE;
	}
	return 0;
}

void shoal_watch_fini(struct shoal_watch *watch)
{
	/* event_free() takes an event off every list, that of the events found this round included. */
	if (watch->rd != NULL)
		event_free(watch->rd);
	if (watch->wr != NULL)
		event_free(watch->wr);
	*watch = (struct shoal_watch){ .fd = -1 };
}
