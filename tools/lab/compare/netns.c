/* netns.c - see netns.h. */
#include "tools/lab/compare/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);
	bool good = fd >= 0 && write(fd, text, len) == (ssize_t)len;
	if (fd >= 0)
		close(fd);
	return good;
}

/* Files stay ours: inside, this user has the number 0. */
static bool become_root_inside(void)
{
	char map[64];
	unsigned uid = (unsigned)geteuid(), gid = (unsigned)getegid();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	(void)put("/proc/self/setgroups", "deny"); /* an old kernel has no such file */
	snprintf(map, sizeof map, "0 %u 1", gid);
	if (!put("/proc/self/gid_map", map))
		return false;
	snprintf(map, sizeof map, "0 %u 1", uid);
	return put("/proc/self/uid_map", map);
}

static bool raise_lo(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool good = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &r) == 0;
	r.ifr_flags |= IFF_UP;
	good = good && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
	if (fd >= 0)
		close(fd);
	return good;
}

/* The kernel's own list of this namespace: its interfaces are counted, and what `lo` has sent. */
static int read_list(unsigned *others, uint64_t *sent)
{
	char line[512];
	FILE *list = fopen("/proc/self/net/dev", "re");
	if (list == NULL)
		return SHOAL_ERR_IO;
	*others = 0;
	*sent = 0;
	for (int i = 0; fgets(line, sizeof line, list) != NULL; i++) {
		char *name = line + strspn(line, " "), *colon = strchr(name, ':');
		if (i < 2 || colon == NULL) /* two lines of headings */
			continue;
		*colon = '\0';
		if (strcmp(name, "lo") != 0) {
			(*others)++;
			continue;
		}
		/* Eight columns of what came in, then bytes sent. */
		char *at = colon + 1;
		for (int k = 0; k < 8; k++) {
			at += strspn(at, " ");
			at += strcspn(at, " ");
		}
		*sent = strtoull(at, NULL, 10);
	}
	fclose(list);
	return 0;
}

int lab_netns_enter(char what[160])
{
	unsigned others = 1;
	uint64_t sent;
	if (unshare(CLONE_NEWNET) < 0 && !become_root_inside()) {
		snprintf(what, 160, "no network namespace can be made here (neither root nor user namespaces): %s",
			 strerror(errno));
		return SHOAL_ERR_DENIED;
	}
	if (read_list(&others, &sent) < 0 || others > 0) {
		snprintf(what, 160, "the namespace is not closed: it has other interfaces than lo");
		return SHOAL_ERR_IO;
	}
	if (!raise_lo()) {
		snprintf(what, 160, "lo cannot be brought up: %s", strerror(errno));
		return SHOAL_ERR_IO;
	}
	return 0;
}

uint64_t lab_netns_bytes(void)
{
	unsigned others;
	uint64_t sent = 0;
	return read_list(&others, &sent) < 0 ? 0 : sent;
}
