/* reachable.c - see reachable.h. */
#include "swarm/io/reachable.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include "proto/reach.h"
#include "swarm/io/addr.h"

/* The private ranges, of which shoal_reach_of() makes one kind. */
static const struct {
	struct shoal_addr net;
	unsigned bits;
} ranges[] = {
	{ { .ip = { 10 }, .is_v4 = 1 }, 8 },
	{ { .ip = { 172, 16 }, .is_v4 = 1 }, 12 },
	{ { .ip = { 192, 168 }, .is_v4 = 1 }, 16 },
	{ { .ip = { 100, 64 }, .is_v4 = 1 }, 10 },
	{ { .ip = { 0xfc } }, 7 },
};
#define RANGES (sizeof ranges / sizeof *ranges)

static size_t range_of(const struct shoal_addr *a)
{
	size_t i = 0;
	while (i < RANGES && !shoal_addr_same_net(a, &ranges[i].net, ranges[i].bits))
		i++;
	return i;
}

bool shoal_reachable_neighbour(const struct shoal_addr *to)
{
	struct shoal_addr plain = *to;
	struct ifaddrs *all;
	bool found = false;
	shoal_addr_unmap(&plain);
	size_t range = range_of(&plain); /* not for a v4 address inside a v6 one: no interface has those */
	if (range == RANGES || getifaddrs(&all) < 0)
		return false;
	for (const struct ifaddrs *i = all; i != NULL && !found; i = i->ifa_next) {
		struct shoal_addr ours;
		if (i->ifa_addr == NULL || !(i->ifa_flags & IFF_UP))
			continue;
		socklen_t len = i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
								  : sizeof(struct sockaddr_in6);
		found = shoal_addr_from_sys(i->ifa_addr, len, &ours) && range_of(&ours) == range;
	}
	freeifaddrs(all);
	return found;
}

bool shoal_reachable_here(void)
{
	struct ifaddrs *all;
	bool found = false;
	if (getifaddrs(&all) < 0)
		return false;
	for (const struct ifaddrs *i = all; i != NULL && !found; i = i->ifa_next) {
		struct shoal_addr ours;
		found = i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET && i->ifa_flags & IFF_UP &&
			shoal_addr_from_sys(i->ifa_addr, sizeof(struct sockaddr_in), &ours) &&
			shoal_reach_of(&ours) == SHOAL_REACH_GLOBAL;
	}
	freeifaddrs(all);
	return found;
}

bool shoal_reachable_by_strangers(const struct shoal_addr *to)
{
	switch (shoal_reach_of(to)) {
	case SHOAL_REACH_GLOBAL: return true;
	case SHOAL_REACH_PRIVATE: return shoal_reachable_neighbour(to);
	case SHOAL_REACH_LOOPBACK:
	case SHOAL_REACH_LINK:
	case SHOAL_REACH_NOWHERE: break;
	}
	return false;
}

bool shoal_reachable_out(void)
{
	/* Of a range that no host has: the kernel looks for a way there, and sends nothing. */
	static const struct shoal_addr far[] = { { .ip = { 192, 0, 2, 1 }, .port = 9, .is_v4 = 1 },
						 { .ip = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, .port = 9 } };
	bool found = false;
	for (size_t i = 0; i < sizeof far / sizeof *far && !found; i++) {
		struct sockaddr_storage sys;
		socklen_t len = shoal_addr_to_sys(&far[i], &sys);
		int fd = socket(far[i].is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		found = connect(fd, (struct sockaddr *)&sys, len) == 0;
		close(fd);
	}
	return found;
}
