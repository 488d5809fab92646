/* space.c - see space.h. */
#include "tools/lab/real/space.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tools/lab/real/wires.h"
#include "tools/lab/unshare.h"

#define DEVICE "wire"
#define NETMASK 0xffff0000u
#define QUEUE 1000 /* packets that a device holds until they are carried */

int lab_space_enter(int net)
{
	return setns(net, CLONE_NEWNET) == 0 ? 0 : SHOAL_ERR_IO;
}

static int device(bool wide)
{
	struct ifreq r = { .ifr_flags = (short)(IFF_TUN | IFF_NO_PI | (wide ? IFF_VNET_HDR : 0)) };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	snprintf(r.ifr_name, sizeof r.ifr_name, DEVICE);
	/* Persistent: it goes with its namespace, which the kernel takes down behind our back and many at a time. Else each
	 * close() would wait for its own device, hundreds of them one after the other. */
	if (fd >= 0 && (ioctl(fd, TUNSETIFF, &r) < 0 || ioctl(fd, TUNSETPERSIST, 1) < 0 ||
			(wide && ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0))) {
		int os = errno;
		close(fd);
		errno = os;
		return -1;
	}
	return fd;
}

static bool set_address(int sock, unsigned long what, uint32_t address)
{
	struct ifreq r = { .ifr_flags = 0 };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };
	snprintf(r.ifr_name, sizeof r.ifr_name, DEVICE);
	memcpy(&r.ifr_addr, &in, sizeof in);
	return ioctl(sock, what, &r) == 0;
}

static bool configure(uint32_t address)
{
	struct ifreq m = { .ifr_mtu = LAB_SPACE_MTU }, q = { .ifr_qlen = QUEUE };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return false;
	snprintf(m.ifr_name, sizeof m.ifr_name, DEVICE);
	snprintf(q.ifr_name, sizeof q.ifr_name, DEVICE);
	(void)!ioctl(sock, SIOCSIFTXQLEN, &q); /* root of a user namespace may not; it has 500 then */
	bool good = lab_unshare_up("lo") && set_address(sock, SIOCSIFADDR, address) &&
		    set_address(sock, SIOCSIFNETMASK, NETMASK) && ioctl(sock, SIOCSIFMTU, &m) == 0 &&
		    lab_unshare_up(DEVICE);
	int os = errno;
	close(sock);
	errno = os;
	return good;
}

/* In a namespace of its own, which the caller has to leave. NULL, or what could not be made. */
static const char *make_one(struct lab_space *s, unsigned node, bool wide)
{
	*s = (struct lab_space){ -1, -1 };
	if (unshare(CLONE_NEWNET) < 0 || (s->net = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) < 0)
		return "a network namespace";
	if ((s->tun = device(wide)) < 0)
		return "a TUN device (/dev/net/tun)";
	return configure(lab_wires_address(node)) ? NULL : "an address for a TUN device";
}

int lab_space_make(struct lab_space *space, unsigned count, bool wide, char why[200])
{
	int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	const char *lacks = own < 0 ? "this network namespace" : NULL;
	unsigned made = 0;
	int os = errno;
	while (lacks == NULL && made < count) {
		lacks = make_one(&space[made], made, wide);
		os = errno;
		made++;
	}
	if (own >= 0) {
		if (setns(own, CLONE_NEWNET) < 0 && lacks == NULL) {
			lacks = "the way back from a network namespace";
			os = errno;
		}
		close(own);
	}
	if (lacks == NULL)
		return 0;
	lab_space_end(space, made);
	snprintf(why, 200, "%s cannot be made: %s%s", lacks, strerror(os),
		 strstr(lacks, "/dev/net/tun") == NULL ? ""
		 : os == EACCES			       ? " (be root, or let others open it, as udev does: chmod 666)"
		 : os == ENOENT			       ? " (modprobe tun)"
						       : "");
	return os == EPERM || os == EACCES || os == ENOENT ? SHOAL_ERR_DENIED : SHOAL_ERR_IO;
}

void lab_space_end(struct lab_space *space, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (space[i].net >= 0)
			close(space[i].net);
		if (space[i].tun >= 0)
			close(space[i].tun);
		space[i] = (struct lab_space){ -1, -1 };
	}
}
