/*
 * bench_star.c - lines to the net, in user space: a star of nodes, each behind an uplink and a downlink of its own.
 *
 *     bench_star NODES UP DOWN DELAY_US [LOSS_PPM [QUEUE_MS [JITTER_US]]]
 *                  bits/s, how long a packet is on its way between two lines, how many of a million get lost there,
 *                  how long one waits at the most before its uplink, and by how much its way may take longer than
 *                  another's, which then overtakes it
 *
 * Makes a TUN device for each node, star0, star1 ..., in its own network namespace, says "ready" and carries IPv4 packets
 * from one to the other until SIGTERM. Node i is 10.8.0.(i + 1); whoever asked moves the devices where they belong. The
 * last node is nobody's line: what it sends and gets is neither slowed nor delayed. Queues drop at their tail: 100 ms of
 * the uplink, 50 ms of the downlink. Rates count IP bytes. At the end a line of JSON a node: bytes sent, packets dropped
 * and lost, and how long packets waited before the uplink: in the mean, and what 95 in a hundred did not exceed.
 *
 * For kernels without netem. One thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/heap.h"

#define NODES_MAX 64
#define PACKET_MAX 1500
#define UNDER_WAY_MAX 65536 /* packets; beyond it they are dropped */
#define BURST 64	    /* packets taken from one device before the others have a turn */
#define UP_QUEUE_MS 100u
#define WAITS 1024u /* of a millisecond each; the last: all longer ones */
#define DOWN_QUEUE_NS 50000000u
#define EARLY_NS 50000u /* a packet due so soon goes now: sleeping costs more */

struct packet {
	struct shoal_timer timer; /* of its next step */
	bool arrives;		  /* its next step is to leave the downlink; else to enter it */
	uint8_t to;
	uint16_t len;
	uint8_t bytes[PACKET_MAX];
};

struct node {
	int fd;
	uint64_t up_free, down_free; /* when each line has sent all it was given */
	uint64_t sent, dropped, lost;
	uint64_t waited; /* ns, all packets together */
	uint64_t wait[WAITS];
};

struct star {
	struct node node[NODES_MAX];
	unsigned nodes;
	double up, down;
	uint64_t delay, up_queue, jitter; /* ns */
	uint32_t loss_ppm;
	uint64_t dice;
	struct shoal_heap under_way; /* in nanoseconds */
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* false: there is no memory for it to wait in. */
static bool goes_on(struct star *s, struct packet *p, uint64_t due)
{
	return shoal_heap_set(&s->under_way, &p->timer, due) == 0;
}

/* The next packet whose step is due; NULL: none yet. */
static struct packet *next(struct star *s, uint64_t now)
{
	struct shoal_timer *t = shoal_heap_due(&s->under_way, now);
	return t != NULL ? (struct packet *)(void *)((char *)t - offsetof(struct packet, timer)) : NULL;
}

/* Puts a packet behind all that a line has to send. When it will be through; 0: the queue is full. */
static uint64_t line(uint64_t *free_at, uint64_t now, uint64_t queue, double rate, unsigned len)
{
	uint64_t from = *free_at > now ? *free_at : now;
	if (from - now > queue)
		return 0;
	return *free_at = from + (uint64_t)(len * 8e9 / rate);
}

static uint64_t dice(struct star *s, uint64_t sides)
{
	s->dice ^= s->dice << 13;
	s->dice ^= s->dice >> 7;
	s->dice ^= s->dice << 17;
	return s->dice % sides;
}

static void count_wait(struct node *n, uint64_t ns)
{
	uint64_t ms = ns / 1000000;
	n->waited += ns;
	n->wait[ms < WAITS ? ms : WAITS - 1]++;
}

static void say_line(const struct node *n, unsigned i)
{
	uint64_t count = 0, seen = 0;
	unsigned most = 0;
	for (unsigned k = 0; k < WAITS; k++)
		count += n->wait[k];
	while (most < WAITS - 1 && (seen += n->wait[most]) * 100 < count * 95)
		most++;
	printf("{\"event\": \"line\", \"node\": %u, \"sent\": %llu, \"dropped\": %llu, \"lost\": %llu, "
	       "\"wait_ms\": %.3f, \"wait95_ms\": %u}\n",
	       i, (unsigned long long)n->sent, (unsigned long long)n->dropped, (unsigned long long)n->lost,
	       count > 0 ? (double)n->waited / 1e6 / (double)count : 0.0, most);
}

/* A packet comes out of a node. false: it is dropped, and the caller's. */
static bool leave(struct star *s, unsigned from, struct packet *p)
{
	static const uint8_t net[] = { 10, 8, 0 };
	unsigned to = p->bytes[19] - 1u;
	if (p->len < 20 || p->bytes[0] >> 4 != 4 || memcmp(p->bytes + 16, net, sizeof net) != 0 || to >= s->nodes ||
	    to == from)
		return false; /* IPv6 of the kernel's own, mostly */
	bool unlimited = from + 1 == s->nodes || to + 1 == s->nodes;
	uint64_t now = now_ns();
	struct node *n = &s->node[from];
	uint64_t wait = n->up_free > now ? n->up_free - now : 0;
	uint64_t through = unlimited ? now : line(&n->up_free, now, s->up_queue, s->up, p->len);
	if (through == 0 || s->under_way.count == UNDER_WAY_MAX) {
		n->dropped++;
		return false;
	}
	n->sent += p->len;
	if (!unlimited)
		count_wait(n, wait);
	if (!unlimited && dice(s, 1000000) < s->loss_ppm) { /* behind its line: the line was busy with it */
		n->lost++;
		return false;
	}
	p->to = (uint8_t)to;
	p->arrives = unlimited;
	uint64_t way = unlimited ? 0 : s->delay + (s->jitter > 0 ? dice(s, s->jitter) : 0);
	return goes_on(s, p, through + way);
}

/* The next step of a packet that is due. false: it has arrived or is dropped, and is the caller's. */
static bool step(struct star *s, struct packet *p)
{
	struct node *n = &s->node[p->to];
	if (p->arrives) {
		if (write(n->fd, p->bytes, p->len) < 0)
			n->dropped++;
		return false;
	}
	uint64_t through = line(&n->down_free, p->timer.at, DOWN_QUEUE_NS, s->down, p->len);
	if (through == 0) {
		n->dropped++;
		return false;
	}
	p->arrives = true;
	return goes_on(s, p, through);
}

static int device(unsigned i)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	snprintf(r.ifr_name, sizeof r.ifr_name, "star%u", i);
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &r) < 0) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

/* NULL is a turn without memory for a packet. */
static struct packet *packet_of(struct packet **spare)
{
	struct packet *p = *spare ? *spare : calloc(1, sizeof *p);
	*spare = NULL;
	return p;
}

static void carry(struct star *s)
{
	struct packet *spare = NULL; /* one is kept: most that end make room for the next */
	while (!stopped) {
		struct pollfd ready[NODES_MAX];
		for (unsigned i = 0; i < s->nodes; i++)
			ready[i] = (struct pollfd){ .fd = s->node[i].fd, .events = POLLIN };
		uint64_t now = now_ns(), wait = 1000000000u;
		uint64_t due = shoal_heap_next(&s->under_way);
		if (due != SHOAL_NEVER)
			wait = due > now ? due - now : 0;
		struct timespec t = { .tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u) };
		if (ppoll(ready, s->nodes, &t, NULL) < 0)
			continue; /* a signal */
		for (unsigned i = 0; i < s->nodes; i++) {
			for (unsigned k = 0; k < BURST && ready[i].revents != 0; k++) {
				struct packet *p = packet_of(&spare);
				ssize_t n = p ? read(s->node[i].fd, p->bytes, sizeof p->bytes) : -1;
				if (n > 0)
					p->len = (uint16_t)n;
				if (n <= 0 || !leave(s, i, p))
					spare = p;
				if (n <= 0)
					break;
			}
		}
		now = now_ns() + EARLY_NS;
		for (struct packet *p; (p = next(s, now)) != NULL;) {
			if (!step(s, p)) {
				free(spare);
				spare = p;
			}
		}
	}
	free(spare);
	for (struct packet *p; (p = next(s, SHOAL_NEVER)) != NULL;)
		free(p);
	shoal_heap_fini(&s->under_way);
}

int main(int argc, char **argv)
{
	static struct star s;
	long nodes = argc >= 5 && argc <= 8 ? strtol(argv[1], NULL, 10) : 0;
	if (nodes < 2 || nodes > NODES_MAX || (s.up = strtod(argv[2], NULL)) <= 0 ||
	    (s.down = strtod(argv[3], NULL)) <= 0) {
		fprintf(stderr, "usage: bench_star NODES UP DOWN DELAY_US [LOSS_PPM [QUEUE_MS [JITTER_US]]]\n");
		return 2;
	}
	s.nodes = (unsigned)nodes;
	s.delay = strtoull(argv[4], NULL, 10) * 1000u;
	s.loss_ppm = argc > 5 ? (uint32_t)strtoul(argv[5], NULL, 10) : 0;
	s.up_queue = (argc > 6 ? strtoull(argv[6], NULL, 10) : UP_QUEUE_MS) * 1000000u;
	s.jitter = argc > 7 ? strtoull(argv[7], NULL, 10) * 1000u : 0;
	s.dice = 0x9e3779b97f4a7c15u; /* the same losses for everybody */
	for (unsigned i = 0; i < s.nodes; i++) {
		s.node[i].fd = device(i);
		if (s.node[i].fd < 0) {
			fprintf(stderr, "bench_star: star%u: %s\n", i, strerror(errno));
			return 1;
		}
	}
	struct sigaction act = { .sa_handler = stop };
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	printf("{\"event\": \"ready\"}\n");
	fflush(stdout);
	carry(&s);
	for (unsigned i = 0; i < s.nodes; i++) {
		say_line(&s.node[i], i);
		close(s.node[i].fd);
	}
	return 0;
}
