/* own_net.c - see own_net.h. */
#include "tests/unit/own_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void skip(const char *what)
{
	fprintf(stderr, "SKIPPED, NOT TESTED: no network namespace: %s: %s\n", what, strerror(errno));
	exit(77);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		skip(path);
	close(fd);
}

/* Sets a flag or an address of an interface by ioctl(2). */
static void interface(unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, request, ifr) < 0)
		skip(ifr->ifr_name);
	close(fd);
}

void own_net(void)
{
	char map[64];
	unsigned uid = (unsigned)getuid();
	if (unshare(CLONE_NEWNET) < 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			skip("unshare");
		snprintf(map, sizeof map, "0 %u 1", uid);
		put("/proc/self/setgroups", "deny");
		put("/proc/self/uid_map", map);
	}
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	interface(SIOCSIFFLAGS, &ifr);
}

void own_net_address(const char *ip)
{
	static unsigned aliases;
	struct ifreq ifr = { .ifr_flags = 0 };
	struct sockaddr_in at = { .sin_family = AF_INET };
	snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "lo:%u", ++aliases);
	if (inet_pton(AF_INET, ip, &at.sin_addr) != 1)
		abort();
	memcpy(&ifr.ifr_addr, &at, sizeof at);
	interface(SIOCSIFADDR, &ifr);
}
