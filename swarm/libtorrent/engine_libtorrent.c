/* engine_libtorrent.c - the parent's side; see engine_libtorrent.h. */
#include "swarm/libtorrent/engine_libtorrent.h"

#include "swarm/libtorrent/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OPEN_MS 60000 /* on a host that is busy; where it dies, that is known at once */
#define CLOSE_MS 2000
#define DYING_MS 300
#define CHILD_FD 3
#define PATH_MAX_HERE 4096

extern char **environ;

struct engine {
	struct shoal_engine base;
	struct shoal_lt_stream stream;
	struct shoal_lt_read kept; /* of the event shown last */
	pid_t child;
	int bell;
	bool dead;
	uint32_t *torrent; /* those that run: they end with the child */
	size_t torrents, room;
	char why[SHOAL_LT_TEXT_MAX];
};

static struct engine *of(struct shoal_engine *e)
{
	return (struct engine *)e;
}

/* ---- the child ------------------------------------------------------------------------------- */

static bool find_child(char path[PATH_MAX_HERE])
{
	const char *named = getenv("SHOAL_LT");
	char self[PATH_MAX_HERE];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (named != NULL)
		return snprintf(path, PATH_MAX_HERE, "%s", named) < PATH_MAX_HERE && access(path, X_OK) == 0;
	if (n < 0)
		return false;
	self[n] = '\0';
	char *slash = strrchr(self, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	if (snprintf(path, PATH_MAX_HERE, "%s/shoal-lt", self) < PATH_MAX_HERE && access(path, X_OK) == 0)
		return true;
	return snprintf(path, PATH_MAX_HERE, "%s/../libexec/shoal/shoal-lt", self) < PATH_MAX_HERE &&
	       access(path, X_OK) == 0;
}

static int start_child(struct engine *e, char what[160])
{
	char path[PATH_MAX_HERE];
	char *argv[] = { (char[]){ "shoal-lt" }, NULL };
	posix_spawn_file_actions_t files;
	int pair[2];
	if (!find_child(path)) {
		snprintf(what, 160, "this shoal was built without libtorrent: shoal-lt is not beside it");
		return SHOAL_ERR_UNSUPPORTED;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return SHOAL_ERR_IO;
	int rc = posix_spawn_file_actions_init(&files);
	/* dup2() to another number drops close-on-exec, to the same number it would not. */
	int give = pair[1] == CHILD_FD ? fcntl(pair[1], F_DUPFD_CLOEXEC, CHILD_FD + 1) : pair[1];
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&files, give, CHILD_FD);
	if (rc == 0)
		rc = posix_spawn(&e->child, path, &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	if (give != pair[1])
		close(give);
	close(pair[1]);
	if (rc != 0) {
		close(pair[0]);
		e->child = 0;
		snprintf(what, 160, "shoal-lt cannot be started: %s", strerror(rc));
		return SHOAL_ERR_IO;
	}
	shoal_lt_stream_init(&e->stream, pair[0], SHOAL_LT_ANSWER_MAX);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* It is gone, or talks nonsense: what it ran has ended. */
static void child_died(struct engine *e, int err)
{
	int status = 0;
	pid_t got = 0;
	if (e->dead)
		return;
	e->dead = true;
	/* Its socket closes a little before it is gone. */
	for (int64_t until = now_ms() + DYING_MS; got == 0 && now_ms() < until; poll(NULL, 0, 5))
		got = waitpid(e->child, &status, WNOHANG);
	if (got == 0) {
		kill(e->child, SIGKILL);
		waitpid(e->child, NULL, 0);
		snprintf(e->why, sizeof e->why, "libtorrent's process was ended: %s", shoal_err_name(err));
	} else if (WIFSIGNALED(status)) {
		snprintf(e->why, sizeof e->why, "libtorrent's process died of signal %d", WTERMSIG(status));
	} else {
		snprintf(e->why, sizeof e->why, "libtorrent's process has ended");
	}
	e->child = 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void engine_close(struct shoal_engine *base)
{
	struct engine *e = of(base);
	if (e == NULL)
		return;
	shoal_lt_stream_fini(&e->stream); /* which it takes for the end */
	for (int64_t until = now_ms() + CLOSE_MS; e->child > 0;) {
		pid_t got = waitpid(e->child, NULL, WNOHANG);
		if (got != 0)
			break;
		if (now_ms() >= until)
			kill(e->child, SIGKILL);
		poll(NULL, 0, 5);
	}
	shoal_lt_read_fini(&e->kept);
	if (e->bell >= 0)
		close(e->bell);
	free(e->torrent);
	free(e);
}

static int await_hello(struct engine *e, char what[160])
{
	for (int64_t until = now_ms() + OPEN_MS; now_ms() < until;) {
		struct shoal_bytes frame;
		union shoal_lt_body body;
		ptrdiff_t got = shoal_lt_stream_flush(&e->stream);
		if (got == 0)
			got = shoal_lt_stream_next(&e->stream, &frame);
		if (got < 0) {
			child_died(e, (int)got);
			snprintf(what, 160, "%.150s", e->why);
			return SHOAL_ERR_IO;
		}
		if (got > 0) {
			int kind = shoal_lt_frame_read(frame, &body, &e->kept);
			if (kind != SHOAL_LT_OPENED)
				return SHOAL_ERR_MALFORMED;
			if (body.hello.err < 0)
				snprintf(what, 160, "libtorrent %.*s: %.*s", (int)(body.hello.version.len & 15),
					 (const char *)body.hello.version.at, (int)(body.hello.what.len & 127),
					 (const char *)body.hello.what.at);
			return body.hello.err > 0 ? SHOAL_ERR_MALFORMED : body.hello.err;
		}
		struct pollfd p = { e->stream.fd, POLLIN, 0 };
		(void)poll(&p, 1, 100);
	}
	snprintf(what, 160, "the process of libtorrent does not begin");
	return SHOAL_ERR_TIMEOUT;
}

static int engine_open(struct shoal_engine **out, const struct shoal_config *config, char what[160])
{
	union shoal_lt_body body = { .start = { .config = *config } };
	struct engine *e = calloc(1, sizeof *e);
	what[0] = '\0';
	if (config->proxy != NULL) { /* it would have to be proved that nothing goes around it */
		snprintf(what, 160, "--proxy is for our own engine alone");
		free(e);
		return SHOAL_ERR_UNSUPPORTED;
	}
	if (e == NULL)
		return SHOAL_ERR_NOMEM;
	e->base.ops = &shoal_engine_libtorrent;
	e->stream.fd = -1;
	e->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int rc = e->bell < 0 ? SHOAL_ERR_IO : start_child(e, what);
	if (rc == 0)
		rc = shoal_lt_stream_put(&e->stream, SHOAL_LT_OPEN, &body);
	if (rc == 0)
		rc = await_hello(e, what);
	if (rc < 0) {
		engine_close(&e->base);
		return rc;
	}
	*out = &e->base;
	return 0;
}

/* ---- operations and events --------------------------------------------------------------------- */

static int engine_do_op(struct shoal_engine *base, const struct shoal_op *op)
{
	struct engine *e = of(base);
	union shoal_lt_body body = { .op = *op };
	if (e->dead)
		return SHOAL_ERR_GONE;
	if (shoal_lt_stream_queued(&e->stream) >= SHOAL_LT_QUEUE_MAX)
		return SHOAL_ERR_BUSY;
	int rc = shoal_lt_stream_put(&e->stream, SHOAL_LT_OP, &body);
	if (rc == 0 && shoal_lt_stream_flush(&e->stream) < 0)
		child_died(e, SHOAL_ERR_CLOSED);
	return rc;
}

static void note(struct engine *e, const struct shoal_event *ev)
{
	if (ev->kind == SHOAL_EV_ADDED && ev->err >= 0) {
		if (e->torrents == e->room) {
			size_t room = e->room ? e->room * 2 : 16;
			uint32_t *more = realloc(e->torrent, room * sizeof *more);
			if (more == NULL)
				return; /* one fewer is told of its end */
			e->torrent = more;
			e->room = room;
		}
		e->torrent[e->torrents++] = ev->torrent;
	} else if (ev->kind == SHOAL_EV_ERROR) {
		for (size_t i = 0; i < e->torrents; i++)
			if (e->torrent[i] == ev->torrent)
				e->torrent[i--] = e->torrent[--e->torrents];
	}
}

/* Each torrent of a dead child has an end of its own; then there is nothing more. */
static int tell_of_death(struct engine *e, struct shoal_event *ev)
{
	if (e->torrents == 0)
		return 0;
	*ev = (struct shoal_event){ .kind = SHOAL_EV_ERROR,
				    .torrent = e->torrent[--e->torrents],
				    .err = SHOAL_ERR_CLOSED,
				    .t = (shoal_us)now_ms() * 1000,
				    .text = { (const uint8_t *)e->why, strlen(e->why) } };
	return 1;
}

/* 1 an event, 0 none yet. */
static int take(struct engine *e, struct shoal_event *ev)
{
	struct shoal_bytes frame;
	union shoal_lt_body body;
	shoal_lt_read_fini(&e->kept);
	ptrdiff_t got = e->dead ? 0 : shoal_lt_stream_flush(&e->stream);
	if (got == 0 && !e->dead)
		got = shoal_lt_stream_next(&e->stream, &frame);
	if (got > 0) {
		int kind = shoal_lt_frame_read(frame, &body, &e->kept);
		if (kind == SHOAL_LT_EVENT) {
			*ev = body.event;
			note(e, ev);
			return 1;
		}
		got = kind < 0 ? kind : SHOAL_ERR_MALFORMED;
	}
	if (got < 0)
		child_died(e, (int)got);
	return e->dead ? tell_of_death(e, ev) : 0;
}

static int engine_poll(struct shoal_engine *base, struct shoal_event *ev, int wait_ms)
{
	struct engine *e = of(base);
	int rc = take(e, ev);
	if (rc != 0 || wait_ms <= 0)
		return rc;
	struct pollfd p[2] = { { e->dead ? -1 : e->stream.fd,
				 (short)(POLLIN | (shoal_lt_stream_queued(&e->stream) > 0 ? POLLOUT : 0)), 0 },
			       { e->bell, POLLIN, 0 } };
	(void)poll(p, 2, wait_ms);
	uint64_t rung;
	if (p[1].revents && read(e->bell, &rung, sizeof rung) < 0)
		return 0;
	return take(e, ev);
}

static void engine_wake(struct shoal_engine *base)
{
	uint64_t one = 1;
	if (write(of(base)->bell, &one, sizeof one) < 0)
		return; /* it is full: it has been rung */
}

const struct shoal_engine_ops shoal_engine_libtorrent = { "libtorrent", engine_open, engine_do_op,
							  engine_poll,	engine_wake, engine_close };
