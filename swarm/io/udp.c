/* udp.c - see udp.h. */
#include "swarm/io/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include "swarm/io/addr.h"

#define PIECE 65535u  /* what the kernel joins rows of datagrams to */
#define ONE_BY_ONE 64 /* rows, after one that a path or its device would not take in one piece */

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

struct door {
	struct shoal_watch watch; /* its descriptor, too */
	struct shoal_udp *udp;
	struct shoal_addr at;
};

struct shoal_udp {
	struct shoal_loop *loop;
	const struct shoal_os_ops *os;
	struct shoal_udp_user user;
	struct door door[SHOAL_UDP_SOCKETS_MAX];
	unsigned count;
	int tos;	     /* as that of shoal_tcp */
	unsigned one_by_one; /* rows that go so from now on */
	/* How fast they come: pieces since then, rows of datagrams counting as one. */
	shoal_us since;
	unsigned pieces;
	bool fast, drained; /* in the millisecond before; in the round before: we are ahead of them */
	shoal_us looked;    /* when they were looked at last */
	/* Where a batch lands. */
	struct mmsghdr msg[SHOAL_UDP_BATCH];
	struct iovec iov[SHOAL_UDP_BATCH];
	struct sockaddr_storage from[SHOAL_UDP_BATCH];
	union control control[SHOAL_UDP_BATCH];
	uint8_t bytes[SHOAL_UDP_BATCH][PIECE];
};

int shoal_udp_new(struct shoal_udp **out, struct shoal_loop *loop, const struct shoal_os_ops *os,
		  const struct shoal_udp_user *user)
{
	struct shoal_udp *udp = calloc(1, sizeof *udp);
	if (udp == NULL)
		return SHOAL_ERR_NOMEM;
	udp->loop = loop;
	udp->os = os;
	udp->user = *user;
	*out = udp;
	return 0;
}

void shoal_udp_free(struct shoal_udp *udp)
{
	if (udp == NULL)
		return;
	for (unsigned i = 0; i < udp->count; i++) {
		int fd = udp->door[i].watch.fd; /* the watch forgets it */
		shoal_watch_fini(&udp->door[i].watch);
		udp->os->close(fd);
	}
	free(udp);
}

void shoal_udp_class(struct shoal_udp *udp, unsigned dscp)
{
	udp->tos = (int)(dscp & 63) << 2;
}

/* ---- coming in --------------------------------------------------------------------- */

/* The size of each datagram that was joined to others; of one alone, its own. */
static size_t size_of_each(struct mmsghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg->msg_hdr); c != NULL; c = CMSG_NXTHDR(&msg->msg_hdr, c)) {
		int each = 0;
		if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO || c->cmsg_len < CMSG_LEN(sizeof each))
			continue;
		memcpy(&each, CMSG_DATA(c), sizeof each);
		return each > 0 ? (size_t)each : msg->msg_len;
	}
	return msg->msg_len;
}

static void take(struct shoal_udp *udp, struct mmsghdr *msg, unsigned i)
{
	struct shoal_addr from;
	size_t each = size_of_each(msg);
	if (msg->msg_hdr.msg_flags & MSG_TRUNC || msg->msg_len == 0 || each > SHOAL_UDP_BYTES_MAX)
		return;
	if (!shoal_addr_from_sys((const struct sockaddr *)&udp->from[i], msg->msg_hdr.msg_namelen, &from))
		return;
	for (size_t at = 0; at < msg->msg_len; at += each) {
		size_t len = msg->msg_len - at < each ? msg->msg_len - at : each;
		udp->user.datagram(udp->user.to, &from, (struct shoal_bytes){ udp->bytes[i] + at, len });
	}
}

/*
 * Lets more of a fast stream arrive before it is looked at. All else that the loop has to do waits as well: so once a
 * round, however many sockets are ready, and not where it has been busy with other things, during which they gathered.
 */
static void let_gather(struct shoal_udp *udp)
{
	shoal_us now = shoal_loop_now(udp->loop), passed = now - udp->since, away = now - udp->looked;
	if (passed >= SHOAL_MS(1)) {
		udp->fast = (uint64_t)udp->pieces * SHOAL_MS(1) >= SHOAL_UDP_FAST * passed;
		udp->since = now;
		udp->pieces = 0;
	}
	if (udp->fast && udp->drained && away > 0 && away < SHOAL_UDP_AWAY) {
		udp->os->nap(SHOAL_UDP_NAP);
		shoal_loop_refresh(udp->loop);
	}
	udp->looked = shoal_loop_now(udp->loop);
}

static void on_ready(void *to, unsigned what)
{
	struct door *door = to;
	struct shoal_udp *udp = door->udp;
	(void)what;
	let_gather(udp);
	for (int batch = 0; batch < SHOAL_UDP_BATCHES; batch++) {
		for (unsigned i = 0; i < SHOAL_UDP_BATCH; i++) {
			udp->iov[i] = (struct iovec){ udp->bytes[i], sizeof udp->bytes[i] };
			udp->msg[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &udp->from[i],
								     .msg_namelen = sizeof udp->from[i],
								     .msg_iov = &udp->iov[i],
								     .msg_iovlen = 1,
								     .msg_control = &udp->control[i],
								     .msg_controllen = sizeof udp->control[i] } };
		}
		int n = udp->os->recvmmsg(door->watch.fd, udp->msg, SHOAL_UDP_BATCH, MSG_DONTWAIT);
		for (int i = 0; i < n; i++)
			take(udp, &udp->msg[i], (unsigned)i);
		udp->pieces += n > 0 ? (unsigned)n : 0;
		udp->drained = n < (int)SHOAL_UDP_BATCH;
		/* Level triggered: what is left comes in the next round. An error was some datagram's, and is used up. */
		if (n < (int)SHOAL_UDP_BATCH)
			return;
	}
}

static int set_int(const struct shoal_udp *udp, int fd, int level, int name, int value)
{
	return udp->os->setsockopt(fd, level, name, &value, sizeof value);
}

static void set_whole(const struct shoal_udp *udp, int fd, bool is_v4, bool whole)
{
	if (is_v4)
		set_int(udp, fd, IPPROTO_IP, IP_MTU_DISCOVER, whole ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
	else
		set_int(udp, fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, whole ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_WANT);
}

/* Each that fails costs speed, and nothing else. */
static void set_options(const struct shoal_udp *udp, int fd, bool is_v4)
{
	set_int(udp, fd, SOL_UDP, UDP_GRO, 1);
	/* Beyond what the administrator lets everybody have, if we may. */
	if (set_int(udp, fd, SOL_SOCKET, SO_RCVBUFFORCE, SHOAL_UDP_BUFFER) < 0)
		set_int(udp, fd, SOL_SOCKET, SO_RCVBUF, SHOAL_UDP_BUFFER);
	if (set_int(udp, fd, SOL_SOCKET, SO_SNDBUFFORCE, SHOAL_UDP_BUFFER) < 0)
		set_int(udp, fd, SOL_SOCKET, SO_SNDBUF, SHOAL_UDP_BUFFER);
	set_whole(udp, fd, is_v4, false);
	if (udp->tos != 0 && is_v4)
		set_int(udp, fd, IPPROTO_IP, IP_TOS, udp->tos);
	else if (udp->tos != 0)
		set_int(udp, fd, IPPROTO_IPV6, IPV6_TCLASS, udp->tos);
}

int shoal_udp_bind(struct shoal_udp *udp, const struct shoal_addr *at, int *os_err)
{
	struct sockaddr_storage sys;
	socklen_t len = shoal_addr_to_sys(at, &sys);
	int on = 1, rc;
	*os_err = 0;
	if (udp->count == SHOAL_UDP_SOCKETS_MAX)
		return SHOAL_ERR_RANGE;
	int fd = udp->os->socket(at->is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		*os_err = errno;
		return errno == EMFILE || errno == ENFILE ? SHOAL_ERR_IO : SHOAL_ERR_NET;
	}
	struct door *door = &udp->door[udp->count];
	if ((!at->is_v4 && udp->os->setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) ||
	    udp->os->bind(fd, (struct sockaddr *)&sys, len) < 0) {
		*os_err = errno;
		rc = errno == EACCES || errno == EPERM ? SHOAL_ERR_DENIED : SHOAL_ERR_NET;
		goto out;
	}
	set_options(udp, fd, at->is_v4);
	*door = (struct door){ .udp = udp, .at = *at };
	len = sizeof sys;
	if (at->port == 0 && (udp->os->getsockname(fd, (struct sockaddr *)&sys, &len) < 0 ||
			      !shoal_addr_from_sys((struct sockaddr *)&sys, len, &door->at))) {
		*os_err = errno;
		rc = SHOAL_ERR_NET;
		goto out;
	}
	shoal_watch_init(&door->watch, udp->loop, fd, on_ready, door);
	if ((rc = shoal_watch_set(&door->watch, SHOAL_LOOP_READ)) < 0) {
		shoal_watch_fini(&door->watch);
		goto out;
	}
	udp->count++;
	return 0;
out:
	udp->os->close(fd);
	return rc;
}

const struct shoal_addr *shoal_udp_at(const struct shoal_udp *udp, unsigned n)
{
	return n < udp->count ? &udp->door[n].at : NULL;
}

/* The socket that can send to `to`: at any address, or at one of its kind; failing that, the family's first. */
static struct door *door_for(struct shoal_udp *udp, const struct shoal_addr *to)
{
	struct door *best = NULL;
	bool here = shoal_addr_is_loopback(to);
	for (unsigned i = 0; i < udp->count; i++) {
		struct door *door = &udp->door[i];
		if (!door->at.is_v4 != !to->is_v4)
			continue;
		if (shoal_addr_is_any(&door->at) || shoal_addr_is_loopback(&door->at) == here)
			return door;
		if (best == NULL)
			best = door;
	}
	return best;
}

/* ---- going out ---------------------------------------------------------------------- */

/* As door_for(), and opens one where the family has none. */
static int find_door(struct shoal_udp *udp, const struct shoal_addr *to, struct door **out)
{
	*out = door_for(udp, to);
	if (*out != NULL)
		return 0;
	struct shoal_addr any = { .is_v4 = to->is_v4 };
	int os_err, rc = shoal_udp_bind(udp, &any, &os_err);
	if (rc == 0)
		*out = &udp->door[udp->count - 1];
	return rc;
}

static int send_err(int os)
{
	if (os == EAGAIN || os == EWOULDBLOCK || os == ENOBUFS || os == EINTR)
		return SHOAL_ERR_BUSY;
	return os == EMSGSIZE ? SHOAL_ERR_TOO_LONG : SHOAL_ERR_NET;
}

/* One piece that the kernel cuts up; UNSUPPORTED where it does not. */
static int send_piece(struct shoal_udp *udp, struct door *door, struct msghdr *msg, size_t each)
{
	union control control = { .bytes = { 0 } };
	uint16_t size = (uint16_t)each;
	msg->msg_control = &control;
	msg->msg_controllen = CMSG_SPACE(sizeof size);
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof size);
	memcpy(CMSG_DATA(c), &size, sizeof size);
	if (udp->os->sendmsg(door->watch.fd, msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 0;
	int os = errno;
	msg->msg_control = NULL;
	msg->msg_controllen = 0;
	/* EINVAL where the path is narrower than `each`, EIO where the device makes no checksums: others may do better. */
	return os == EINVAL || os == EIO || os == EOPNOTSUPP || os == EMSGSIZE ? SHOAL_ERR_UNSUPPORTED : send_err(os);
}

static int send_each(struct shoal_udp *udp, struct door *door, const struct msghdr *like, struct shoal_bytes data,
		     size_t each)
{
	struct mmsghdr msg[SHOAL_UDP_ROW];
	struct iovec iov[SHOAL_UDP_ROW];
	unsigned n = 0;
	for (size_t at = 0; at < data.len && n < SHOAL_UDP_ROW; at += each, n++) {
		size_t len = data.len - at < each ? data.len - at : each;
		iov[n] = (struct iovec){ (void *)(uintptr_t)(data.at + at), len };
		msg[n] = (struct mmsghdr){ .msg_hdr = *like };
		msg[n].msg_hdr.msg_iov = &iov[n];
	}
	/* What comes behind one that went is lost if there was no room, as on any line. */
	return udp->os->sendmmsg(door->watch.fd, msg, n, MSG_NOSIGNAL | MSG_DONTWAIT) > 0 ? 0 : send_err(errno);
}

int shoal_udp_send_row(struct shoal_udp *udp, const struct shoal_addr *to, struct shoal_bytes data, size_t each,
		       bool whole)
{
	struct sockaddr_storage sys;
	struct iovec iov = { (void *)(uintptr_t)data.at, data.len };
	struct msghdr msg = {
		.msg_name = &sys, .msg_namelen = shoal_addr_to_sys(to, &sys), .msg_iov = &iov, .msg_iovlen = 1
	};
	struct door *door;
	int rc = find_door(udp, to, &door);
	if (rc < 0)
		return rc;
	if (whole)
		set_whole(udp, door->watch.fd, to->is_v4, true);
	if (data.len <= each) {
		bool went = udp->os->sendmsg(door->watch.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
		rc = went ? 0 : send_err(errno);
	} else {
		rc = udp->one_by_one > 0 ? SHOAL_ERR_UNSUPPORTED : send_piece(udp, door, &msg, each);
		if (rc == SHOAL_ERR_UNSUPPORTED) {
			udp->one_by_one = udp->one_by_one > 0 ? udp->one_by_one - 1 : ONE_BY_ONE;
			rc = send_each(udp, door, &msg, data, each);
		}
	}
	if (whole)
		set_whole(udp, door->watch.fd, to->is_v4, false);
	return rc;
}

int shoal_udp_send(struct shoal_udp *udp, const struct shoal_addr *to, struct shoal_bytes data)
{
	int rc = shoal_udp_send_row(udp, to, data, data.len, false);
	return rc == SHOAL_ERR_BUSY ? 0 : rc; /* as lost as on the way */
}
