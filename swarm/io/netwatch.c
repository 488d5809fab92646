/* swarm/io/netwatch.c - see netwatch.h. */
#include "swarm/io/netwatch.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "proto/base/bytes.h"
#include "proto/reach.h"
#include "proto/siphash.h"
#include "swarm/io/addr.h"

#define SLEPT_S 30 /* a shorter sleep changes nothing */

/* What the network looks like from here: equal pictures are taken for the same place. */
struct picture {
	uint64_t sum;	/* over all addresses, in any order */
	unsigned count; /* of addresses that lead somewhere */
};

struct shoal_netwatch {
	struct shoal_loop *loop;
	const struct shoal_os_ops *os;
	struct shoal_watch watch;
	void (*moved)(void *to);
	void *to;
	shoal_us look_at; /* SHOAL_NEVER: nothing was said */
	struct picture last;
};

static void add(struct picture *p, uint64_t salt, const struct shoal_addr *addr)
{
	static const struct shoal_sipkey key = { 1, 2 }; /* nobody plays against this table of one */
	p->sum += shoal_siphash(key, salt << 1 | addr->is_v4, shoal_bytes(addr->ip, sizeof addr->ip));
}

/* Where a packet to the wide world would leave from: connect(2) sends none for datagrams. */
static void add_way_out(const struct shoal_netwatch *w, struct picture *p, const struct shoal_addr *far)
{
	struct sockaddr_storage sys;
	struct shoal_addr from;
	socklen_t len = shoal_addr_to_sys(far, &sys);
	int fd = w->os->socket(far->is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (w->os->connect(fd, (struct sockaddr *)&sys, len) == 0) {
		len = sizeof sys;
		if (w->os->getsockname(fd, (struct sockaddr *)&sys, &len) == 0 &&
		    shoal_addr_from_sys((struct sockaddr *)&sys, len, &from)) {
			from.port = 0;
			add(p, 1, &from);
		}
	}
	w->os->close(fd);
}

static struct picture look(const struct shoal_netwatch *w)
{
	static const struct shoal_addr far4 = { .ip = { 8, 8, 8, 8 }, .port = 9, .is_v4 = 1 };
	static const struct shoal_addr far6 = { .ip = { 0x20, 0x01, 0x48, 0x60, 0x48, 0x60, [15] = 1 }, .port = 9 };
	struct picture p = { 0 };
	struct ifaddrs *all;
	if (getifaddrs(&all) < 0)
		return w->last;
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		struct shoal_addr a;
		bool up = (i->ifa_flags & IFF_UP) && (i->ifa_flags & IFF_RUNNING);
		socklen_t len = i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
											 : sizeof(struct sockaddr_in6);
		if (!up || i->ifa_addr == NULL || !shoal_addr_from_sys(i->ifa_addr, len, &a))
			continue;
		a.port = 0;
		enum shoal_reach reach = shoal_reach_of(&a);
		if (reach == SHOAL_REACH_LOOPBACK || reach == SHOAL_REACH_LINK)
			continue;
		add(&p, 0, &a);
		p.count++;
	}
	freeifaddrs(all);
	add_way_out(w, &p, &far4);
	add_way_out(w, &p, &far6);
	struct timespec awake, whole;
	clock_gettime(CLOCK_MONOTONIC, &awake); /* stands still while the machine sleeps */
	clock_gettime(CLOCK_BOOTTIME, &whole);
	p.sum += (uint64_t)((whole.tv_sec - awake.tv_sec) / SLEPT_S);
	return p;
}

static void on_said(void *to, unsigned what)
{
	struct shoal_netwatch *w = to;
	char raw[8192];
	struct iovec iov = { raw, sizeof raw };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	(void)what;
	/* Nothing of it is read: the picture tells. ENOBUFS, something was lost, is a word like any other. */
	for (int i = 0; i < 64 && (w->os->recvmsg(w->watch.fd, &msg, MSG_DONTWAIT) >= 0 || errno == ENOBUFS); i++)
		w->look_at = shoal_loop_now(w->loop) + SHOAL_NETWATCH_CALM;
}

int shoal_netwatch_new(struct shoal_netwatch **out, struct shoal_loop *loop, const struct shoal_os_ops *os,
		       void (*moved)(void *to), void *to)
{
	struct sockaddr_nl at = { .nl_family = AF_NETLINK,
				  .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
					       RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE };
	struct shoal_netwatch *w = calloc(1, sizeof *w);
	if (w == NULL)
		return SHOAL_ERR_NOMEM;
	*w = (struct shoal_netwatch){ .loop = loop, .os = os, .moved = moved, .to = to, .look_at = SHOAL_NEVER };
	int fd = os->socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0 || os->bind(fd, (struct sockaddr *)&at, sizeof at) < 0) {
		if (fd >= 0)
			os->close(fd);
		free(w);
		return SHOAL_ERR_NET;
	}
	shoal_watch_init(&w->watch, loop, fd, on_said, w);
	int rc = shoal_watch_set(&w->watch, SHOAL_LOOP_READ);
	if (rc < 0) {
		shoal_netwatch_free(w);
		return rc;
	}
	w->last = look(w);
	*out = w;
	return 0;
}

void shoal_netwatch_free(struct shoal_netwatch *w)
{
	if (w == NULL)
		return;
	int fd = w->watch.fd; /* the watch forgets it */
	shoal_watch_fini(&w->watch);
	w->os->close(fd);
	free(w);
}

shoal_us shoal_netwatch_deadline(const struct shoal_netwatch *w)
{
	return w->look_at;
}

void shoal_netwatch_tick(struct shoal_netwatch *w, shoal_us now)
{
	if (w->look_at > now)
		return;
	struct picture seen = look(w);
	bool moved = seen.sum != w->last.sum && seen.count > 0;
	w->look_at = SHOAL_NEVER;
	/* Without a network there is nothing to do; back in the same place, connections may have gone meanwhile. */
	w->last = seen;
	if (moved)
		w->moved(w->to);
}
