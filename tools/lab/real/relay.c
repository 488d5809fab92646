/* relay.c - see relay.h. */
#include "tools/lab/real/relay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "proto/base/bytes.h"
#include "tools/lab/real/space.h"

#define BURST 64	/* packets taken from one device before the others have a turn */
#define EARLY_NS 50000u /* a packet due so soon goes now: sleeping costs more */
#define READY_MAX 128	/* devices that one look may find ready */
#define PRIORITY (-10)
#define WIDE_MAX 65535u /* bytes of a packet that is yet to be cut */
#define CONTROL UINT32_MAX

struct order {
	uint32_t node, reserved;
	struct lab_wire line;
};

/* ---- in the relay ------------------------------------------------------------------------------ */

struct carrier {
	struct lab_wires *wires;
	const int *tun;
	unsigned nodes;
	bool wide;
	int control, ready;
	_Atomic uint64_t *payload; /* by pair */
};

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void add(_Atomic uint64_t *figure, uint64_t n)
{
	/* There is one writer. */
	atomic_store_explicit(figure, atomic_load_explicit(figure, memory_order_relaxed) + n, memory_order_relaxed);
}

/* Its length; a header that says how the kernel left it (checksum, segments) goes along as it is. */
static ssize_t take(const struct carrier *c, int tun, struct lab_packet *p)
{
	const struct iovec part[2] = { { p->head, sizeof p->head }, { p->bytes, lab_wires_mtu(c->wires) } };
	if (!c->wide)
		return read(tun, p->bytes, part[1].iov_len);
	ssize_t n = readv(tun, part, 2);
	return n > (ssize_t)sizeof p->head ? n - (ssize_t)sizeof p->head : n < 0 ? n : 0;
}

static bool give(const struct carrier *c, int tun, struct lab_packet *p)
{
	const struct iovec part[2] = { { p->head, sizeof p->head }, { p->bytes, p->len } };
	if (!c->wide)
		return write(tun, p->bytes, p->len) == (ssize_t)p->len;
	return writev(tun, part, 2) == (ssize_t)(sizeof p->head + p->len);
}

static void take_from(struct carrier *c, unsigned node, uint64_t now)
{
	for (unsigned k = 0; k < BURST; k++) {
		struct lab_packet *p = lab_wires_room(c->wires);
		uint8_t spill;
		if (p == NULL) {
			/* Too much is under way: a device gives the rest of a packet away with its first byte. */
			if (read(c->tun[node], &spill, 1) <= 0)
				return;
			continue;
		}
		ssize_t n = take(c, c->tun[node], p);
		if (n <= 0) {
			lab_wires_done(c->wires, p);
			return;
		}
		p->len = (size_t)n;
		(void)lab_wires_send(c->wires, node, p, now);
	}
}

static void deliver(struct carrier *c)
{
	uint64_t until = now_ns() + EARLY_NS;
	for (struct lab_packet *p; (p = lab_wires_take(c->wires, until)) != NULL;) {
		if (give(c, c->tun[p->to], p))
			add(&c->payload[(size_t)p->from * c->nodes + p->to],
			    lab_packet_payload(shoal_bytes(p->bytes, p->len)));
		lab_wires_done(c->wires, p);
	}
}

/* false: whoever gives orders is gone. */
static bool obey(struct carrier *c)
{
	struct order order;
	ssize_t n;
	while ((n = recv(c->control, &order, sizeof order, MSG_DONTWAIT)) == sizeof order)
		if (order.node < c->nodes)
			*lab_wires_line(c->wires, order.node) = order.line;
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void carry(struct carrier *c)
{
	struct epoll_event ready[READY_MAX];
	struct pollfd look = { .fd = c->ready, .events = POLLIN };
	for (;;) {
		uint64_t now = now_ns(), due = lab_wires_due(c->wires), wait = due > now ? due - now : 0;
		struct timespec t = { (time_t)(wait / 1000000000u), (long)(wait % 1000000000u) };
		if (due == UINT64_MAX)
			t = (struct timespec){ 3600, 0 };
		if (ppoll(&look, 1, &t, NULL) < 0 && errno != EINTR)
			return;
		int n = epoll_wait(c->ready, ready, READY_MAX, 0);
		now = now_ns();
		for (int i = 0; i < n; i++) {
			if (ready[i].data.u32 != CONTROL)
				take_from(c, ready[i].data.u32, now);
			else if (!obey(c))
				return;
		}
		deliver(c);
	}
}

static bool watch(struct carrier *c, int fd, uint32_t what)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = what };
	return epoll_ctl(c->ready, EPOLL_CTL_ADD, fd, &e) == 0;
}

static _Noreturn void run(struct carrier *c)
{
	sigset_t none;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "lab-relay");
	/* A packet that waits for a processor is late. Who may not ask for it has lines that are as busy as the machine. */
	(void)!setpriority(PRIO_PROCESS, 0, PRIORITY);
	signal(SIGINT, SIG_IGN); /* the keyboard's; who started us stops us */
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	c->ready = epoll_create1(EPOLL_CLOEXEC);
	bool good = c->ready >= 0 && watch(c, c->control, CONTROL);
	for (unsigned i = 0; good && i < c->nodes; i++)
		good = watch(c, c->tun[i], i);
	if (good)
		carry(c);
	_exit(good ? 0 : 1);
}

/* ---- outside of it ------------------------------------------------------------------------------ */

int lab_relay_start(struct lab_relay *r, const int *tun, const struct lab_wire *line, unsigned nodes, bool wide,
		    uint64_t seed)
{
	int ends[2] = { -1, -1 }, rc = SHOAL_ERR_NOMEM;
	struct lab_wires *wires = lab_wires_new(nodes, wide ? WIDE_MAX : LAB_SPACE_MTU, seed);
	*r = (struct lab_relay){ .control = -1, .nodes = nodes };
	if (wires == NULL)
		return rc;
	for (unsigned i = 0; i < nodes; i++)
		*lab_wires_line(wires, i) = line[i];
	r->payload_size = (size_t)nodes * nodes * sizeof *r->payload;
	r->payload = mmap(NULL, r->payload_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->payload == MAP_FAILED) {
		r->payload = NULL;
		goto out;
	}
	rc = SHOAL_ERR_IO;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		goto out;
	r->pid = fork();
	if (r->pid == 0) {
		close(ends[0]);
		run(&(struct carrier){ .wires = wires,
				       .tun = tun,
				       .nodes = nodes,
				       .wide = wide,
				       .control = ends[1],
				       .payload = r->payload });
	}
	if (r->pid < 0) {
		r->pid = 0;
		goto out;
	}
	r->control = ends[0];
	ends[0] = -1;
	rc = 0;
out:
	lab_wires_free(wires);
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	if (rc < 0)
		lab_relay_stop(r);
	return rc;
}

int lab_relay_line(struct lab_relay *r, unsigned node, const struct lab_wire *line)
{
	struct order order = { .node = node, .line = *line };
	return send(r->control, &order, sizeof order, MSG_NOSIGNAL) == sizeof order ? 0 : SHOAL_ERR_IO;
}

uint64_t lab_relay_payload(const struct lab_relay *r, unsigned from, unsigned to)
{
	return atomic_load_explicit(&r->payload[(size_t)from * r->nodes + to], memory_order_relaxed);
}

void lab_relay_stop(struct lab_relay *r)
{
	if (r->pid > 0) {
		kill(r->pid, SIGKILL);
		while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (r->control >= 0)
		close(r->control);
	if (r->payload != NULL)
		munmap(r->payload, r->payload_size);
	*r = (struct lab_relay){ .control = -1 };
}
