/* swarm/io/local.c - see local.h. */
#include "swarm/io/local.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/lsd.h"
#include "swarm/io/addr.h"

#define INTERFACES_MAX 64
#define BOUND_MAX 16
#define LOOK_AGAIN SHOAL_S(30) /* interfaces come and go */
#define READS 32	       /* datagrams taken at a turn; what is left waits for the next */

/* 239.192.152.143 and ff15::efc0:988f. */
static const uint8_t group4[4] = { 239, 192, 152, 143 };
static const uint8_t group6[16] = { 0xff, 0x15, [12] = 0xef, 0xc0, 0x98, 0x8f };

struct subnet {
	struct shoal_addr addr, mask;
	unsigned index; /* of its interface */
	bool loopback;
};
struct ear {
	struct shoal_local *local;
	struct shoal_watch watch;
	int fd; /* -1: none */
	bool v4, tried;
};
struct shoal_local {
	struct shoal_loop *loop;
	const struct shoal_os_ops *os;
	void (*heard)(void *to, const struct shoal_addr *from, struct shoal_bytes data);
	void *to;
	struct ear ear[2]; /* [v4] */
	struct subnet subnet[INTERFACES_MAX];
	size_t subnets;
	struct shoal_addr bound[BOUND_MAX];
	size_t bounds;
	bool anywhere[2]; /* [v4]: some listener has no address of its own */
	shoal_us looked, since;
	unsigned count; /* heard since then */
};

int shoal_local_new(struct shoal_local **out, struct shoal_loop *loop, const struct shoal_os_ops *os,
		    void (*heard)(void *to, const struct shoal_addr *from, struct shoal_bytes data), void *to)
{
	struct shoal_local *l = calloc(1, sizeof *l);
	if (l == NULL)
		return SHOAL_ERR_NOMEM;
	l->loop = loop;
	l->os = os;
	l->heard = heard;
	l->to = to;
	for (int v4 = 0; v4 < 2; v4++)
		l->ear[v4] = (struct ear){ .local = l, .fd = -1, .v4 = v4 };
	*out = l;
	return 0;
}

int shoal_local_listens(struct shoal_local *l, const struct shoal_addr *bound)
{
	if (l->bounds == BOUND_MAX)
		return SHOAL_ERR_RANGE;
	l->bound[l->bounds++] = *bound;
	l->anywhere[bound->is_v4 ? 1 : 0] |= shoal_addr_is_any(bound);
	return 0;
}

static void ear_close(struct ear *ear)
{
	shoal_watch_fini(&ear->watch);
	if (ear->fd >= 0)
		ear->local->os->close(ear->fd);
	ear->fd = -1;
}

void shoal_local_free(struct shoal_local *l)
{
	if (l == NULL)
		return;
	ear_close(&l->ear[0]);
	ear_close(&l->ear[1]);
	free(l);
}

/* ---- interfaces ------------------------------------------------------------------------- */

/* Without its interface such an address is nowhere, and a peer's address has none. */
static bool link_local6(const struct shoal_addr *a)
{
	return !a->is_v4 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

/* Those that carry multicast; the loopback one, which everybody has, only when there is no other. */
static void look(struct shoal_local *l, shoal_us now)
{
	struct ifaddrs *all = NULL;
	bool others = false;
	if (l->looked != 0 && l->looked + LOOK_AGAIN > now)
		return;
	l->looked = now;
	l->subnets = 0;
	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *i = all; i != NULL && l->subnets < INTERFACES_MAX; i = i->ifa_next) {
		struct subnet *s = &l->subnet[l->subnets];
		socklen_t len = sizeof(struct sockaddr_in6);
		unsigned carries = i->ifa_flags & (IFF_MULTICAST | IFF_LOOPBACK);
		if (!(i->ifa_flags & IFF_UP) || carries == 0 || (i->ifa_flags & IFF_POINTOPOINT) ||
		    i->ifa_addr == NULL || i->ifa_netmask == NULL)
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			len = sizeof(struct sockaddr_in);
		if (!shoal_addr_from_sys(i->ifa_addr, len, &s->addr) ||
		    !shoal_addr_from_sys(i->ifa_netmask, len, &s->mask) || !s->addr.is_v4 != !s->mask.is_v4 ||
		    link_local6(&s->addr))
			continue;
		s->index = if_nametoindex(i->ifa_name);
		s->loopback = i->ifa_flags & IFF_LOOPBACK;
		others = others || !s->loopback;
		l->subnets += s->index != 0;
	}
	freeifaddrs(all);
	size_t kept = 0;
	for (size_t k = 0; k < l->subnets; k++)
		if (!others || !l->subnet[k].loopback)
			l->subnet[kept++] = l->subnet[k];
	l->subnets = kept;
}

/* `addr` lies in that subnet. */
static bool within(const struct shoal_addr *addr, const struct subnet *s)
{
	bool same = !s->addr.is_v4 == !addr->is_v4;
	for (size_t i = 0; i < (addr->is_v4 ? 4u : 16u) && same; i++)
		same = ((s->addr.ip[i] ^ addr->ip[i]) & s->mask.ip[i]) == 0;
	return same;
}

/* Whether subnet `k` is of that family and the first of its kind on its interface. */
static bool first_of(const struct shoal_local *l, size_t k, bool v4)
{
	const struct subnet *s = &l->subnet[k];
	if (!s->addr.is_v4 == v4)
		return false;
	for (size_t i = 0; i < k; i++)
		if (l->subnet[i].index == s->index && within(&s->addr, &l->subnet[i]))
			return false;
	return true;
}

/* Our address in subnet `k`, where others reach us: what a listener is bound to, or the interface's own. */
static bool source_in(const struct shoal_local *l, size_t k, struct shoal_addr *source)
{
	const struct subnet *s = &l->subnet[k];
	*source = s->addr;
	for (size_t i = 0; i < l->bounds; i++) {
		if (within(&l->bound[i], s)) {
			*source = l->bound[i];
			return true;
		}
	}
	return l->bounds == 0 || l->anywhere[s->addr.is_v4 ? 1 : 0];
}

static bool neighbour(const struct shoal_local *l, const struct shoal_addr *from)
{
	for (size_t k = 0; k < l->subnets; k++)
		if (within(from, &l->subnet[k]))
			return true;
	return false;
}

/* ---- hearing ------------------------------------------------------------------------------- */

static void hear(struct shoal_local *l, const struct sockaddr *sys, socklen_t len, struct shoal_bytes data)
{
	struct shoal_addr from;
	shoal_us now = shoal_loop_now(l->loop);
	if (l->since + SHOAL_S(1) <= now) {
		l->since = now;
		l->count = 0;
	}
	if (++l->count > SHOAL_LOCAL_HEARD || data.len > SHOAL_LSD_BYTES || !shoal_addr_from_sys(sys, len, &from))
		return;
	look(l, now);
	if (neighbour(l, &from))
		l->heard(l->to, &from, data);
}

static void on_ready(void *to, unsigned what)
{
	struct ear *ear = to;
	struct shoal_local *l = ear->local;
	uint8_t raw[SHOAL_LSD_BYTES + 1]; /* one more: what is longer shows */
	(void)what;
	for (int k = 0; k < READS; k++) {
		struct sockaddr_storage from;
		struct iovec v = { raw, sizeof raw };
		struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &v, .msg_iovlen = 1 };
		ssize_t n = l->os->recvmsg(ear->fd, &msg, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		hear(l, (const struct sockaddr *)&from, msg.msg_namelen, (struct shoal_bytes){ raw, (size_t)n });
	}
}

/* ---- opening ------------------------------------------------------------------------------- */

static bool option(struct ear *ear, int level, int name, int value)
{
	return ear->local->os->setsockopt(ear->fd, level, name, &value, sizeof value) == 0;
}

/* Bound to the group itself, so that nothing sent to us alone is heard; shared with whoever else listens here. */
static bool bind_group(struct ear *ear)
{
	const struct shoal_os_ops *os = ear->local->os;
	struct sockaddr_in at4 = { .sin_family = AF_INET, .sin_port = htons(SHOAL_LSD_PORT) };
	struct sockaddr_in6 at6 = { .sin6_family = AF_INET6, .sin6_port = htons(SHOAL_LSD_PORT) };
	memcpy(&at4.sin_addr, group4, sizeof group4);
	memcpy(&at6.sin6_addr, group6, sizeof group6);
	if (!option(ear, SOL_SOCKET, SO_REUSEADDR, 1))
		return false;
	if (ear->v4) {
		(void)option(ear, IPPROTO_IP, IP_MULTICAST_TTL, 1);
		(void)option(ear, IPPROTO_IP, IP_MULTICAST_ALL, 0);
		return os->bind(ear->fd, (const struct sockaddr *)&at4, sizeof at4) == 0;
	}
	(void)option(ear, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1);
	return option(ear, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
	       os->bind(ear->fd, (const struct sockaddr *)&at6, sizeof at6) == 0;
}

/* On every interface there is now; those joined before say EADDRINUSE. */
static void join(struct ear *ear)
{
	struct shoal_local *l = ear->local;
	for (size_t k = 0; k < l->subnets; k++) {
		if (!first_of(l, k, ear->v4))
			continue;
		struct ip_mreqn m4 = { .imr_ifindex = (int)l->subnet[k].index };
		struct ipv6_mreq m6 = { .ipv6mr_interface = l->subnet[k].index };
		memcpy(&m4.imr_multiaddr, group4, sizeof group4);
		memcpy(&m6.ipv6mr_multiaddr, group6, sizeof group6);
		if (ear->v4)
			(void)l->os->setsockopt(ear->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m4, sizeof m4);
		else
			(void)l->os->setsockopt(ear->fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m6, sizeof m6);
	}
}

static void ear_open(struct ear *ear)
{
	struct shoal_local *l = ear->local;
	ear->tried = true;
	ear->fd = l->os->socket(ear->v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (ear->fd < 0)
		return;
	if (bind_group(ear)) {
		shoal_watch_init(&ear->watch, l->loop, ear->fd, on_ready, ear);
		if (shoal_watch_set(&ear->watch, SHOAL_LOOP_READ) == 0)
			return;
	}
	ear_close(ear);
}

/* ---- shouting ------------------------------------------------------------------------------- */

/* From our address there, or others could not tell where we are. */
static bool send_on(struct ear *ear, unsigned index, const struct shoal_addr *source, struct shoal_bytes data)
{
	struct sockaddr_in at4 = { .sin_family = AF_INET, .sin_port = htons(SHOAL_LSD_PORT) };
	struct sockaddr_in6 at6 = { .sin6_family = AF_INET6, .sin6_port = htons(SHOAL_LSD_PORT) };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control;
	struct iovec v = { (void *)(uintptr_t)data.at, data.len };
	memcpy(&at4.sin_addr, group4, sizeof group4);
	memcpy(&at6.sin6_addr, group6, sizeof group6);
	memset(&control, 0, sizeof control);
	struct msghdr msg = { .msg_name = ear->v4 ? (void *)&at4 : (void *)&at6,
			      .msg_namelen = ear->v4 ? sizeof at4 : sizeof at6,
			      .msg_iov = &v,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = ear->v4 ? CMSG_SPACE(sizeof(struct in_pktinfo))
							: CMSG_SPACE(sizeof(struct in6_pktinfo)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (ear->v4) {
		struct in_pktinfo info = { .ipi_ifindex = (int)index };
		memcpy(&info.ipi_spec_dst, source->ip, 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof info);
		memcpy(CMSG_DATA(c), &info, sizeof info);
	} else {
		struct in6_pktinfo info = { .ipi6_ifindex = index };
		memcpy(&info.ipi6_addr, source->ip, 16);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof info);
		memcpy(CMSG_DATA(c), &info, sizeof info);
	}
	return ear->local->os->sendmsg(ear->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)data.len;
}

int shoal_local_shout(struct shoal_local *l, bool v4, struct shoal_bytes data)
{
	struct ear *ear = &l->ear[v4];
	int sent = 0;
	look(l, shoal_loop_now(l->loop));
	if (!ear->tried)
		ear_open(ear);
	if (ear->fd < 0)
		return SHOAL_ERR_NET;
	join(ear);
	for (size_t k = 0; k < l->subnets; k++) {
		struct shoal_addr source;
		if (first_of(l, k, v4) && source_in(l, k, &source))
			sent += send_on(ear, l->subnet[k].index, &source, data);
	}
	return sent;
}
