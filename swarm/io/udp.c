#include "swarm/io/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "swarm/io/addr.h"

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
	/* Where a batch lands. */
	struct mmsghdr msg[SHOAL_UDP_BATCH];
	struct iovec iov[SHOAL_UDP_BATCH];
	struct sockaddr_storage from[SHOAL_UDP_BATCH];
	uint8_t bytes[SHOAL_UDP_BATCH][SHOAL_UDP_BYTES_MAX];
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

static void take(struct shoal_udp *udp, const struct mmsghdr *msg, unsigned i)
{
	struct shoal_addr from;
	if (msg->msg_hdr.msg_flags & MSG_TRUNC || msg->msg_len == 0)
		return;
	if (!shoal_addr_from_sys((const struct sockaddr *)&udp->from[i], msg->msg_hdr.msg_namelen, &from))
		return;
	udp->user.datagram(udp->user.to, &from, (struct shoal_bytes){ udp->bytes[i], msg->msg_len });
}

static void on_ready(void *to, unsigned what)
{
	struct door *door = to;
	struct shoal_udp *udp = door->udp;
	(void)what;
	for (int batch = 0; batch < SHOAL_UDP_BATCHES; batch++) {
		for (unsigned i = 0; i < SHOAL_UDP_BATCH; i++) {
			udp->iov[i] = (struct iovec){ udp->bytes[i], sizeof udp->bytes[i] };
			udp->msg[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &udp->from[i],
								     .msg_namelen = sizeof udp->from[i],
								     .msg_iov = &udp->iov[i],
								     .msg_iovlen = 1 } };
		}
		int n = udp->os->recvmmsg(door->watch.fd, udp->msg, SHOAL_UDP_BATCH, MSG_DONTWAIT);
		for (int i = 0; i < n; i++)
			take(udp, &udp->msg[i], (unsigned)i);
		/* Level triggered: what is left comes in the next round. An error was some datagram's, and is used up. */
		if (n < (int)SHOAL_UDP_BATCH)
			return;
	}
}

int shoal_udp_bind(struct shoal_udp *udp, const struct shoal_addr *at, int *os_err)
{
	struct sockaddr_storage sys;
	socklen_t len = shoal_addr_to_sys(at, &sys);
	int on = 1, rc = SHOAL_ERR_NET;
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
	*door = (struct door){ .udp = udp, .at = *at };
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

int shoal_udp_send(struct shoal_udp *udp, const struct shoal_addr *to, struct shoal_bytes data)
{
	struct sockaddr_storage sys;
	struct iovec iov = { (void *)(uintptr_t)data.at, data.len };
	struct msghdr msg = {
		.msg_name = &sys, .msg_namelen = shoal_addr_to_sys(to, &sys), .msg_iov = &iov, .msg_iovlen = 1
	};
	struct door *door = door_for(udp, to);
	if (door == NULL) {
		struct shoal_addr any = { .is_v4 = to->is_v4 };
		int os_err, rc = shoal_udp_bind(udp, &any, &os_err);
		if (rc < 0)
			return rc;
		door = &udp->door[udp->count - 1];
	}
	if (udp->os->sendmsg(door->watch.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 0;
	if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
		return 0;
	return errno == EMSGSIZE ? SHOAL_ERR_TOO_LONG : SHOAL_ERR_NET;
}
