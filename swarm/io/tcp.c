/* tcp.c - see tcp.h. */
#include "swarm/io/tcp.h"

#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include "swarm/io/addr.h"

struct listener {
	struct shoal_tcp *tcp;
	struct shoal_watch watch;
	struct shoal_addr at;
	int fd;
};

/* A connection, first while it is being dialed. */
struct conn {
	struct shoal_transport t; /* first: the user's pointer is ours */
	struct shoal_tcp *tcp;
	struct shoal_watch watch;
	int fd;
	struct conn *before, *after; /* all there are */
	/* While dialing: */
	struct conn *prev, *next;
	shoal_us until;
	uint64_t cookie;
};

struct shoal_tcp {
	struct shoal_loop *loop;
	const struct shoal_os_ops *os;
	struct shoal_tcp_user user;
	struct shoal_transport_ops ops; /* without send_file where the user has no files */
	struct listener listener[SHOAL_TCP_LISTENERS_MAX];
	size_t listener_count;
	struct conn *dial_first, *dial_last; /* oldest first: the time-out is the same for all */
	shoal_us paused_until;		     /* no accept before; 0: not paused */
	size_t open;
	struct conn *conns;
	int tos; /* the byte of the IP header that holds the DSCP; 0: as the system has it */
};

/* ---- connections ------------------------------------------------------------------- */

static int stream_err(int os)
{
	switch (os) {
	case EPIPE:
	case ECONNRESET:
	case ECONNABORTED:
	case ESHUTDOWN:
	case ENOTCONN: return SHOAL_ERR_CLOSED;
	case ETIMEDOUT: return SHOAL_ERR_TIMEOUT;
	case ENOMEM: return SHOAL_ERR_NOMEM;
	default: return SHOAL_ERR_NET;
	}
}

/* What a call that moves bytes came to: not now, or an error. ENOBUFS is the kernel's own shortage, and passes. */
static ptrdiff_t no_bytes(int os)
{
	return os == EAGAIN || os == EWOULDBLOCK || os == EINTR || os == ENOBUFS ? 0 : stream_err(os);
}

static ptrdiff_t conn_recv(struct shoal_transport *t, const struct shoal_space v[], size_t n)
{
	struct conn *c = (struct conn *)t;
	struct iovec iov[SHOAL_TCP_SPANS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < n && count < SHOAL_TCP_SPANS_MAX; i++)
		if (v[i].len > 0)
			iov[count++] = (struct iovec){ v[i].at, v[i].len };
	if (count == 0)
		return 0;
	ssize_t got = c->tcp->os->readv(c->fd, iov, (int)count);
	if (got == 0)
		return SHOAL_ERR_CLOSED;
	return got > 0 ? got : no_bytes(errno);
}

static ptrdiff_t conn_send(struct shoal_transport *t, const struct shoal_bytes v[], size_t n, bool more)
{
	struct conn *c = (struct conn *)t;
	struct iovec iov[SHOAL_TCP_SPANS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < n; i++) {
		if (v[i].len == 0)
			continue;
		if (count == SHOAL_TCP_SPANS_MAX) {
			more = true;
			break;
		}
		/* struct iovec has no const; sendmsg(2) only reads. */
		union {
			const uint8_t *from;
			void *base;
		} at = { .from = v[i].at };
		iov[count++] = (struct iovec){ at.base, v[i].len };
	}
	if (count == 0)
		return 0;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = count };
	ssize_t sent = c->tcp->os->sendmsg(c->fd, &msg, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	return sent >= 0 ? sent : no_bytes(errno);
}

/* `more` finds no use: sendfile(2) has no such flag. TCP_CORK would be one, but saves nothing where the window joins a
 * block's end to the next header anyway, and under BBR it costs (tools/bench/bench_tcp.c: 0.58 to 0.95 s/GiB). */
static ptrdiff_t conn_send_file(struct shoal_transport *t, uint32_t file, uint64_t offset, size_t len, bool more)
{
	struct conn *c = (struct conn *)t;
	(void)more;
	if (len == 0)
		return 0;
	if (offset > INT64_MAX - len)
		return SHOAL_ERR_RANGE;
	int from = c->tcp->user.file_fd(c->tcp->user.to, file);
	if (from < 0)
		return SHOAL_ERR_GONE;
	off_t at = (off_t)offset;
	ssize_t sent = c->tcp->os->sendfile(c->fd, from, &at, len);
	if (sent > 0)
		return sent;
	if (sent == 0)
		return SHOAL_ERR_GONE; /* the file ends before the span does */
	return errno == EIO ? SHOAL_ERR_IO : no_bytes(errno);
}

static void conn_want(struct shoal_transport *t, unsigned what)
{
	struct conn *c = (struct conn *)t;
	_Static_assert((int)SHOAL_WANT_READ == (int)SHOAL_LOOP_READ && (int)SHOAL_WANT_WRITE == (int)SHOAL_LOOP_WRITE,
		       "one set of bits");
	/* Out of memory, it stays as it was; the next want() tries anew, and the node's own time-outs end it else. */
	int rc = shoal_watch_set(&c->watch, what & (SHOAL_WANT_READ | SHOAL_WANT_WRITE));
	(void)rc;
}

static void conn_free(struct conn *c)
{
	shoal_watch_fini(&c->watch);
	c->tcp->os->close(c->fd);
	assert(c->tcp->open > 0);
	c->tcp->open--;
	*(c->before != NULL ? &c->before->after : &c->tcp->conns) = c->after;
	if (c->after != NULL)
		c->after->before = c->before;
	free(c);
}

static void conn_close(struct shoal_transport *t)
{
	conn_free((struct conn *)t);
}

static void conn_ready(void *to, unsigned what)
{
	struct conn *c = to;
	c->tcp->user.ready(c->tcp->user.to, &c->t, what);
}

/* Takes `fd` on success alone. */
static struct conn *conn_new(struct shoal_tcp *tcp, int fd, void (*ready)(void *to, unsigned what))
{
	struct conn *c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	c->t.ops = &tcp->ops;
	c->tcp = tcp;
	c->fd = fd;
	shoal_watch_init(&c->watch, tcp->loop, fd, ready, c);
	tcp->open++;
	c->after = tcp->conns;
	if (c->after != NULL)
		c->after->before = c;
	tcp->conns = c;
	return c;
}

static int set_int(const struct shoal_tcp *tcp, int fd, int level, int name, int value)
{
	return tcp->os->setsockopt(fd, level, name, &value, sizeof value);
}

/* A network that does not let us mark is one in which it would not matter. */
static void set_class(const struct shoal_tcp *tcp, int fd, bool is_v4)
{
	if (tcp->tos == 0)
		return;
	if (is_v4)
		set_int(tcp, fd, IPPROTO_IP, IP_TOS, tcp->tos);
	else
		set_int(tcp, fd, IPPROTO_IPV6, IPV6_TCLASS, tcp->tos);
}

/*
 * Buffers stay the kernel's to size: fixing them turns its tuning off, and no fixed size was faster. Nor is there a
 * TCP_NOTSENT_LOWAT: the tuned send buffer is two congestion windows, so what lies unsent is about one, and a low
 * water mark only adds wake-ups (CPU time over loopback, both sides: +40 % at 256 KiB, +20 % at 1 MiB, +6 % at
 * 2 MiB; tools/bench/bench_tcp.c). So megabytes that a peer asked for and never reads may lie with the kernel while we
 * think them sent: TCP_USER_TIMEOUT ends such a connection. An option that fails costs speed, never bytes, so it does not
 * end a connection.
 */
static void set_stream(const struct shoal_tcp *tcp, int fd, bool is_v4)
{
	set_int(tcp, fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(tcp, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, SHOAL_TCP_UNTAKEN_MS);
	set_class(tcp, fd, is_v4);
}

/* ---- dials ------------------------------------------------------------------------- */

static void dial_unlink(struct shoal_tcp *tcp, struct conn *c)
{
	if (c == tcp->dial_first)
		tcp->dial_first = c->next;
	else
		c->prev->next = c->next;
	if (c == tcp->dial_last)
		tcp->dial_last = c->prev;
	else
		c->next->prev = c->prev;
	c->prev = c->next = NULL;
}

static int dial_err(int os)
{
	switch (os) {
	case ECONNREFUSED: return SHOAL_ERR_REFUSED;
	case ETIMEDOUT: return SHOAL_ERR_TIMEOUT;
	case EACCES:
	case EPERM: return SHOAL_ERR_DENIED;
	case ENOMEM:
	case ENOBUFS: return SHOAL_ERR_NOMEM;
	default: return SHOAL_ERR_NET;
	}
}

static void dial_over(struct shoal_tcp *tcp, struct conn *c, int err)
{
	uint64_t cookie = c->cookie;
	dial_unlink(tcp, c);
	if (err < 0) {
		conn_free(c);
		tcp->user.dialed(tcp->user.to, cookie, NULL, err);
		return;
	}
	c->watch.ready = conn_ready;
	tcp->user.dialed(tcp->user.to, cookie, &c->t, 0);
}

static void dial_ready(void *to, unsigned what)
{
	struct conn *c = to;
	int os = 0;
	socklen_t len = sizeof os;
	(void)what;
	if (c->tcp->os->getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &os, &len) < 0)
		os = errno;
	/* Until the user says otherwise nothing is waited for. */
	if (os == 0 && shoal_watch_set(&c->watch, 0) < 0)
		os = ENOMEM;
	dial_over(c->tcp, c, os == 0 ? 0 : dial_err(os));
}

/* The one specific address all listeners of a family share; NULL when there is none, several, or a wildcard. */
const struct shoal_addr *shoal_tcp_source(const struct shoal_tcp *tcp, const struct shoal_addr *to)
{
	const struct shoal_addr *only = NULL;
	for (size_t i = 0; i < tcp->listener_count; i++) {
		const struct shoal_addr *at = &tcp->listener[i].at;
		if (at->is_v4 != to->is_v4)
			continue;
		if (shoal_addr_is_any(at) || (only != NULL && memcmp(only->ip, at->ip, sizeof at->ip) != 0))
			return NULL;
		only = at;
	}
	/* From loopback nothing else can be reached. */
	if (only != NULL && shoal_addr_is_loopback(only) && !shoal_addr_is_loopback(to))
		return NULL;
	return only;
}

static int dial_start(struct shoal_tcp *tcp, int fd, const struct shoal_addr *to)
{
	struct sockaddr_storage sys;
	const struct shoal_addr *source = shoal_tcp_source(tcp, to);
	set_stream(tcp, fd, to->is_v4);
	if (source != NULL) {
		struct shoal_addr from = *source;
		from.port = 0;
		/* The port is chosen by connect(), which knows the other end: 28,000 dials do not use up all ports. */
		set_int(tcp, fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		socklen_t len = shoal_addr_to_sys(&from, &sys);
		if (tcp->os->bind(fd, (struct sockaddr *)&sys, len) < 0)
			return SHOAL_ERR_NET;
	}
	socklen_t len = shoal_addr_to_sys(to, &sys);
	if (tcp->os->connect(fd, (struct sockaddr *)&sys, len) == 0 || errno == EINPROGRESS || errno == EINTR)
		return 0;
	/* A refusal can come at once over loopback; for the user it is as if nothing had been tried. */
	return errno == EAGAIN || errno == EADDRNOTAVAIL ? SHOAL_ERR_BUSY : dial_err(errno);
}

int shoal_tcp_dial(struct shoal_tcp *tcp, const struct shoal_addr *to, uint64_t cookie)
{
	if (to->port == 0 || shoal_addr_is_any(to))
		return SHOAL_ERR_RANGE;
	int fd = tcp->os->socket(to->is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOBUFS ? SHOAL_ERR_BUSY : SHOAL_ERR_NET;
	int rc = SHOAL_ERR_NOMEM;
	struct conn *c = conn_new(tcp, fd, dial_ready);
	if (c == NULL) {
		tcp->os->close(fd);
		return rc;
	}
	if ((rc = dial_start(tcp, fd, to)) < 0 || (rc = shoal_watch_set(&c->watch, SHOAL_LOOP_WRITE)) < 0) {
		conn_free(c);
		return rc;
	}
	c->cookie = cookie;
	c->until = shoal_loop_now(tcp->loop) + SHOAL_TCP_DIAL_TIMEOUT;
	c->prev = tcp->dial_last;
	if (c->prev != NULL)
		c->prev->next = c;
	else
		tcp->dial_first = c;
	tcp->dial_last = c;
	return 0;
}

/* ---- another network --------------------------------------------------------------- */

static bool has_address(const struct ifaddrs *all, const struct shoal_addr *addr)
{
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		struct shoal_addr ours;
		socklen_t len = i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
											 : sizeof(struct sockaddr_in6);
		if (i->ifa_addr != NULL && shoal_addr_from_sys(i->ifa_addr, len, &ours) && ours.is_v4 == addr->is_v4 &&
		    memcmp(ours.ip, addr->ip, sizeof ours.ip) == 0)
			return true;
	}
	return false;
}

void shoal_tcp_moved(struct shoal_tcp *tcp)
{
	struct ifaddrs *all;
	if (getifaddrs(&all) < 0)
		return;
	for (struct conn *c = tcp->conns; c != NULL; c = c->after) {
		struct sockaddr_storage sys;
		struct shoal_addr from;
		socklen_t len = sizeof sys;
		if (tcp->os->getsockname(c->fd, (struct sockaddr *)&sys, &len) == 0 &&
		    shoal_addr_from_sys((struct sockaddr *)&sys, len, &from) && !shoal_addr_is_loopback(&from) &&
		    !shoal_addr_is_any(&from) && !has_address(all, &from))
			tcp->os->shutdown(c->fd, SHUT_RDWR); /* it reads as the end of the stream */
	}
	freeifaddrs(all);
}

/* ---- listeners --------------------------------------------------------------------- */

static void listeners_set(struct shoal_tcp *tcp, unsigned what)
{
	for (size_t i = 0; i < tcp->listener_count; i++) {
		/* Out of memory, a listener that did not stop is paused again soon; one that did not start is
		 * tried again with the next pause's end. */
		if (shoal_watch_set(&tcp->listener[i].watch, what) < 0 && what != 0)
			tcp->paused_until = shoal_loop_now(tcp->loop) + SHOAL_TCP_PAUSE;
	}
}

/* Without a descriptor or memory for it, accept() fails and leaves the connection in the queue, and the queue readable:
 * ask later, not at once. The backlog holds those who wait. */
static void pause_accepts(struct shoal_tcp *tcp)
{
	tcp->paused_until = shoal_loop_now(tcp->loop) + SHOAL_TCP_PAUSE;
	listeners_set(tcp, 0);
}

static void listener_ready(void *to, unsigned what)
{
	struct listener *l = to;
	struct shoal_tcp *tcp = l->tcp;
	(void)what;
	for (int i = 0; i < SHOAL_TCP_ACCEPTS_MAX; i++) {
		struct sockaddr_storage sys;
		socklen_t len = sizeof sys;
		int fd = tcp->os->accept4(l->fd, (struct sockaddr *)&sys, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				return;
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
				pause_accepts(tcp);
				return;
			}
			continue; /* that one connection's own trouble (ECONNABORTED, EPROTO, accept(2) lists more) */
		}
		struct shoal_addr from;
		struct conn *c = NULL;
		if (shoal_addr_from_sys((struct sockaddr *)&sys, len, &from))
			c = conn_new(tcp, fd, conn_ready);
		if (c == NULL) {
			tcp->os->close(fd);
			continue;
		}
		set_stream(tcp, fd, from.is_v4);
		tcp->user.accepted(tcp->user.to, &c->t, &from);
	}
}

static int listen_err(int os)
{
	return os == EACCES || os == EPERM ? SHOAL_ERR_DENIED : os == ENOMEM ? SHOAL_ERR_NOMEM : SHOAL_ERR_NET;
}

int shoal_tcp_listen(struct shoal_tcp *tcp, const struct shoal_addr *at, struct shoal_addr *bound, int *os_err)
{
	*os_err = 0;
	if (tcp->listener_count == SHOAL_TCP_LISTENERS_MAX)
		return SHOAL_ERR_RANGE;
	struct sockaddr_storage sys;
	socklen_t len = shoal_addr_to_sys(at, &sys);
	int fd = tcp->os->socket(at->is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		*os_err = errno;
		return listen_err(errno);
	}
	int rc;
	set_class(tcp, fd, at->is_v4); /* the answers to who connects are sent from here */
	/* V6ONLY: one address is one family, and 0.0.0.0 can be listened on beside [::]. */
	if (set_int(tcp, fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
	    (!at->is_v4 && set_int(tcp, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0) ||
	    tcp->os->bind(fd, (struct sockaddr *)&sys, len) < 0 || tcp->os->listen(fd, SHOAL_TCP_BACKLOG) < 0) {
		*os_err = errno;
		rc = listen_err(errno);
		goto out;
	}
	struct listener *l = &tcp->listener[tcp->listener_count];
	len = sizeof sys;
	rc = SHOAL_ERR_NET;
	if (tcp->os->getsockname(fd, (struct sockaddr *)&sys, &len) < 0) {
		*os_err = errno;
		goto out;
	}
	if (!shoal_addr_from_sys((struct sockaddr *)&sys, len, &l->at))
		goto out;
	l->tcp = tcp;
	l->fd = fd;
	shoal_watch_init(&l->watch, tcp->loop, fd, listener_ready, l);
	rc = shoal_watch_set(&l->watch, tcp->paused_until == 0 ? SHOAL_LOOP_READ : 0);
	if (rc < 0) {
		shoal_watch_fini(&l->watch);
		goto out;
	}
	*bound = l->at;
	tcp->listener_count++;
	return 0;
out:
	tcp->os->close(fd);
	return rc;
}

/* ---- the whole --------------------------------------------------------------------- */

int shoal_tcp_new(struct shoal_tcp **out, struct shoal_loop *loop, const struct shoal_os_ops *os,
		  const struct shoal_tcp_user *user)
{
	struct shoal_tcp *tcp = calloc(1, sizeof *tcp);
	if (tcp == NULL)
		return SHOAL_ERR_NOMEM;
	tcp->loop = loop;
	tcp->os = os;
	tcp->user = *user;
	tcp->ops = (struct shoal_transport_ops){
		.name = "tcp",
		.recv = conn_recv,
		.send = conn_send,
		.send_file = user->file_fd != NULL ? conn_send_file : NULL,
		.want = conn_want,
		.close = conn_close,
	};
	*out = tcp;
	return 0;
}

void shoal_tcp_class(struct shoal_tcp *tcp, unsigned dscp)
{
	tcp->tos = (int)(dscp & 63) << 2;
}

void shoal_tcp_free(struct shoal_tcp *tcp)
{
	if (tcp == NULL)
		return;
	for (size_t i = 0; i < tcp->listener_count; i++) {
		shoal_watch_fini(&tcp->listener[i].watch);
		tcp->os->close(tcp->listener[i].fd);
	}
	while (tcp->dial_first != NULL) {
		struct conn *c = tcp->dial_first;
		dial_unlink(tcp, c);
		conn_free(c);
	}
	assert(tcp->open == 0);
	free(tcp);
}

shoal_us shoal_tcp_deadline(const struct shoal_tcp *tcp)
{
	shoal_us at = tcp->dial_first != NULL ? tcp->dial_first->until : SHOAL_NEVER;
	return tcp->paused_until != 0 && tcp->paused_until < at ? tcp->paused_until : at;
}

void shoal_tcp_tick(struct shoal_tcp *tcp, shoal_us now)
{
	while (tcp->dial_first != NULL && tcp->dial_first->until <= now)
		dial_over(tcp, tcp->dial_first, SHOAL_ERR_TIMEOUT);
	if (tcp->paused_until != 0 && tcp->paused_until <= now) {
		tcp->paused_until = 0;
		listeners_set(tcp, SHOAL_LOOP_READ);
	}
}

size_t shoal_tcp_open(const struct shoal_tcp *tcp)
{
	return tcp->open;
}
