/*
 * shoal-lt - the child process that runs libtorrent: frames in on descriptor 3, frames out.
 *
 * Not for people: shoal starts it (engine_libtorrent.h). It ends when the
 * other side does; signals of the terminal are the parent's business.
 */
#include "swarm/libtorrent/lt.h"
#include "swarm/libtorrent/sandbox.h"
#include "swarm/libtorrent/stream.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUR_FD 3
#define LOOK_MS 100 /* how often a stop is looked after, at least */
#define EVENTS_A_ROUND 64

static struct shoal_bytes cstr(const char *s)
{
	return (struct shoal_bytes){ (const uint8_t *)s, strlen(s) };
}

static int open_engine(struct shoal_lt_stream *s, const struct shoal_config *config, struct shoal_engine **out)
{
	char what[SHOAL_LT_TEXT_MAX] = "";
	union shoal_lt_body hello = { .hello = { .version = cstr(shoal_lt_version()) } };
	int rc = shoal_lt_inside.open(out, config, what);
	hello.hello.err = rc;
	hello.hello.what = cstr(what);
	int put = shoal_lt_stream_put(s, SHOAL_LT_OPENED, &hello);
	return rc < 0 ? rc : put;
}

/* What cannot be done is answered, like what can. */
static int refuse(struct shoal_lt_stream *s, const struct shoal_op *op, int err)
{
	union shoal_lt_body b = { .event = { .kind = op->kind == SHOAL_OP_ADD ? SHOAL_EV_ADDED : SHOAL_EV_DONE,
					     .ticket = op->ticket,
					     .torrent = op->torrent,
					     .err = err } };
	return shoal_lt_stream_put(s, SHOAL_LT_EVENT, &b);
}

/* One frame of the parent's. < 0: this is over. */
static int serve(struct shoal_lt_stream *s, struct shoal_engine **e, struct shoal_bytes frame)
{
	union shoal_lt_body body;
	struct shoal_lt_read kept;
	int kind = shoal_lt_frame_read(frame, &body, &kept), rc = kind;
	if (kind == SHOAL_LT_OPEN && *e == NULL) {
		rc = open_engine(s, &body.start.config, e);
	} else if (kind == SHOAL_LT_OP && *e != NULL) {
		rc = shoal_lt_inside.do_op(*e, &body.op);
		if (rc < 0)
			rc = refuse(s, &body.op, rc);
	} else if (kind >= 0) {
		rc = SHOAL_ERR_MALFORMED;
	}
	shoal_lt_read_fini(&kept);
	return rc;
}

/* What it has to tell, a round's worth. */
static int tell(struct shoal_lt_stream *s, struct shoal_engine *e)
{
	union shoal_lt_body body;
	for (int i = 0; i < EVENTS_A_ROUND && shoal_lt_stream_queued(s) < SHOAL_LT_QUEUE_MAX; i++) {
		int rc = shoal_lt_inside.poll(e, &body.event, 0);
		if (rc > 0)
			rc = shoal_lt_stream_put(s, SHOAL_LT_EVENT, &body) < 0 ? SHOAL_ERR_NOMEM : 1;
		if (rc <= 0)
			return rc;
	}
	return 1; /* there may be more */
}

static int run(struct shoal_lt_stream *s, struct shoal_engine **e)
{
	for (;;) {
		struct shoal_bytes frame;
		int more = 0, rc = 0;
		ptrdiff_t got = 0;
		if (shoal_lt_stream_queued(s) < SHOAL_LT_QUEUE_MAX)
			got = shoal_lt_stream_next(s, &frame);
		if (got > 0)
			rc = serve(s, e, frame);
		if (got < 0 || rc < 0) {
			/* What is queued may be the answer that says why. */
			int sent = shoal_lt_stream_flush(s);
			return got < 0 ? (int)got : sent < 0 ? sent : rc;
		}
		if (*e != NULL && (more = tell(s, *e)) < 0)
			return more;
		if ((rc = shoal_lt_stream_flush(s)) < 0)
			return rc;
		bool full = shoal_lt_stream_queued(s) > 0;
		struct pollfd p[2] = { { OUR_FD, (short)(POLLIN | (full ? POLLOUT : 0)), 0 },
				       { *e != NULL ? shoal_lt_fd(*e) : -1, POLLIN, 0 } };
		if (shoal_lt_stream_queued(s) >= SHOAL_LT_QUEUE_MAX)
			p[0].events = POLLOUT, p[1].fd = -1;
		(void)poll(p, 2, got > 0 || more > 0 ? 0 : LOOK_MS);
	}
}

int main(void)
{
	struct shoal_lt_stream s;
	struct shoal_engine *e = NULL;
	int type;
	socklen_t len = sizeof type;
	if (getsockopt(OUR_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0) {
		fprintf(stderr, "shoal-lt is started by shoal (--engine libtorrent), not by hand\n");
		return 2;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	(void)shoal_lt_sandbox();
	shoal_lt_stream_init(&s, OUR_FD, SHOAL_LT_FRAME_MAX);
	int rc = run(&s, &e);
	_exit(rc == SHOAL_ERR_CLOSED ? 0 : 1); /* libtorrent's own farewell may take longer than anybody waits */
}
