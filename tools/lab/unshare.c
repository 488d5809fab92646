/* unshare.c - see unshare.h. */
#include "tools/lab/unshare.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void close_quietly(int fd)
{
	int os = errno;
	if (fd >= 0)
		close(fd);
	errno = os;
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close_quietly(fd);
	return good;
}

const char *lab_unshare(int spaces)
{
	unsigned uid = geteuid(), gid = getegid();
	char map[64];
	if (unshare(spaces) == 0)
		return NULL;
	if (errno != EPERM || unshare(CLONE_NEWUSER | spaces) < 0)
		return "a user namespace";
	(void)put("/proc/self/setgroups", "deny"); /* an old kernel has no such file; where it must be, gid_map fails */
	snprintf(map, sizeof map, "0 %u 1\n", uid);
	bool good = put("/proc/self/uid_map", map);
	snprintf(map, sizeof map, "0 %u 1\n", gid);
	return good && put("/proc/self/gid_map", map) ? NULL : "to be root in a user namespace";
}

bool lab_unshare_up(const char *interface)
{
	struct ifreq r = { .ifr_flags = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", interface);
	bool good = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &r) == 0;
	r.ifr_flags |= IFF_UP;
	good = good && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
	close_quietly(fd);
	return good;
}
