/*
 * bench_tcp.c - what one uploaded block costs: sendfile, or a warm buffer and one sendmsg?
 *
 * Two processes over 127.0.0.1, one CPU each. The sender frames a file of a memory file
 * system into PIECE messages (13 bytes of header, 16 KiB of block); the receiver reads
 * header and block each to its own span, 16 blocks a call, and throws them away. Nonblocking
 * sockets and poll(), as in the engine.
 *
 *   bench_tcp [-v sendfile|cork|copy] [-n BLOCKS_A_CALL] [-g GIB] [-s SNDBUF] [-r RCVBUF]
 *             [-l NOTSENT_LOWAT] [-c CONGESTION] [-f DIR] [-k CALL_BLOCKS_OF_RECEIVER] [-p 0|1 pin]
 *
 * Prints GiB/s, CPU seconds a GiB of both sides, calls and waits a GiB. Touches nothing but
 * loopback; run it by tools/netns all the same.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/bench/clock.h"

#define BLOCK 16384u
#define HEADER 13u
#define FRAME (BLOCK + HEADER)
#define BLOCKS_MAX 64
#define FILE_BLOCKS 16384u /* 256 MiB: far beyond the last cache */

struct tally {
	uint64_t bytes, calls, waits;
	double cpu, seconds;
};

static void die(const char *what)
{
	fprintf(stderr, "bench_tcp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int number(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

static void pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof set, &set);
}

static void wait_for(int fd, short what, struct tally *t)
{
	struct pollfd p = { .fd = fd, .events = what };
	t->waits++;
	if (poll(&p, 1, 10000) <= 0)
		die("poll");
}

static void set_int(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof value) < 0)
		die("setsockopt");
}

/* Drops what went from the front of the spans. */
static void advance(struct iovec **v, int *n, size_t went)
{
	while (went > 0 && went >= (*v)->iov_len) {
		went -= (*v)->iov_len;
		(*v)++;
		(*n)--;
	}
	if (went > 0) {
		(*v)->iov_base = (char *)(*v)->iov_base + went;
		(*v)->iov_len -= went;
	}
}

/* `cork` > 0: TCP_CORK around so many blocks, so that a block's end and the next header share a packet. */
static void send_by_sendfile(int sock, int file, uint64_t blocks, unsigned cork, struct tally *t)
{
	uint8_t header[HEADER] = { 0, 0, 0x40, 9, 7 };
	for (uint64_t i = 0; i < blocks; i++) {
		if (cork > 0 && i % cork == 0) {
			set_int(sock, IPPROTO_TCP, TCP_CORK, 0);
			set_int(sock, IPPROTO_TCP, TCP_CORK, 1);
		}
		for (size_t done = 0; done < HEADER;) {
			ssize_t n = send(sock, header + done, HEADER - done, MSG_MORE | MSG_NOSIGNAL | MSG_DONTWAIT);
			t->calls++;
			if (n >= 0)
				done += (size_t)n;
			else if (errno == EAGAIN)
				wait_for(sock, POLLOUT, t);
			else
				die("send");
		}
		off_t at = (off_t)(i % FILE_BLOCKS * BLOCK);
		for (size_t done = 0; done < BLOCK;) {
			ssize_t n = sendfile(sock, file, &at, BLOCK - done);
			t->calls++;
			if (n > 0)
				done += (size_t)n;
			else if (n < 0 && errno == EAGAIN)
				wait_for(sock, POLLOUT, t);
			else
				die("sendfile");
		}
	}
}

static void send_by_copy(int sock, int file, uint64_t blocks, unsigned batch, struct tally *t)
{
	static uint8_t header[BLOCKS_MAX][HEADER];
	static uint8_t warm[BLOCKS_MAX][BLOCK] __attribute__((aligned(4096)));
	for (uint64_t i = 0; i < blocks;) {
		unsigned now = (unsigned)(blocks - i < batch ? blocks - i : batch);
		uint64_t in_file = i % FILE_BLOCKS;
		if (now > FILE_BLOCKS - in_file)
			now = (unsigned)(FILE_BLOCKS - in_file);
		struct iovec in[BLOCKS_MAX], out[2 * BLOCKS_MAX], *v = out;
		for (unsigned k = 0; k < now; k++) {
			in[k] = (struct iovec){ warm[k], BLOCK };
			out[2 * k] = (struct iovec){ header[k], HEADER };
			out[2 * k + 1] = (struct iovec){ warm[k], BLOCK };
		}
		t->calls++;
		if (preadv(file, in, (int)now, (off_t)(in_file * BLOCK)) != (ssize_t)now * (ssize_t)BLOCK)
			die("preadv");
		for (int left = 2 * (int)now; left > 0;) {
			struct msghdr msg = { .msg_iov = v, .msg_iovlen = (size_t)left };
			ssize_t n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
			t->calls++;
			if (n >= 0)
				advance(&v, &left, (size_t)n);
			else if (errno == EAGAIN)
				wait_for(sock, POLLOUT, t);
			else
				die("sendmsg");
		}
		i += now;
	}
}

static void receive(int sock, unsigned batch, struct tally *t)
{
	static uint8_t header[BLOCKS_MAX][HEADER];
	static uint8_t block[BLOCKS_MAX][BLOCK] __attribute__((aligned(4096)));
	for (;;) {
		struct iovec all[2 * BLOCKS_MAX], *v = all;
		int left = 2 * (int)batch;
		for (unsigned k = 0; k < batch; k++) {
			all[2 * k] = (struct iovec){ header[k], HEADER };
			all[2 * k + 1] = (struct iovec){ block[k], BLOCK };
		}
		while (left > 0) {
			size_t room = 0;
			for (int k = 0; k < left; k++)
				room += v[k].iov_len;
			ssize_t n = readv(sock, v, left);
			t->calls++;
			if (n == 0)
				return;
			if (n < 0 && errno != EAGAIN)
				die("readv");
			if (n > 0) {
				t->bytes += (uint64_t)n;
				advance(&v, &left, (size_t)n);
			}
			if (n < 0 || (size_t)n < room)
				wait_for(sock, POLLIN, t);
		}
	}
}

static int make_file(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		die(dir);
	uint8_t *buf = malloc(1 << 20);
	if (buf == NULL)
		die("malloc");
	for (size_t i = 0; i < 1 << 20; i++)
		buf[i] = (uint8_t)(i * 2654435761u >> 13);
	for (unsigned i = 0; i < FILE_BLOCKS / 64; i++)
		if (write(fd, buf, 1 << 20) != 1 << 20)
			die("write");
	free(buf);
	return fd;
}

int main(int argc, char **argv)
{
	const char *variant = "sendfile", *congestion = "cubic", *dir = "/dev/shm";
	unsigned batch = 16, receiver_batch = 16;
	double gib = 8;
	int sndbuf = 0, rcvbuf = 0, lowat = 0, pinned = 1;
	for (int o; (o = getopt(argc, argv, "v:n:g:s:r:l:c:f:k:p:")) != -1;)
		switch (o) {
		case 'v': variant = optarg; break;
		case 'n': batch = (unsigned)number(optarg); break;
		case 'g': gib = strtod(optarg, NULL); break;
		case 's': sndbuf = number(optarg); break;
		case 'r': rcvbuf = number(optarg); break;
		case 'l': lowat = number(optarg); break;
		case 'c': congestion = optarg; break;
		case 'f': dir = optarg; break;
		case 'k': receiver_batch = (unsigned)number(optarg); break;
		case 'p': pinned = number(optarg); break;
		default: return 2;
		}
	if (batch < 1 || batch > BLOCKS_MAX || receiver_batch < 1 || receiver_batch > BLOCKS_MAX || gib <= 0)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	struct tally *tally = mmap(NULL, 2 * sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		die("mmap");
	int file = make_file(dir);
	uint64_t blocks = (uint64_t)(gib * (1 << 30) / BLOCK);

	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t at_len = sizeof at;
	if (rcvbuf)
		set_int(listener, SOL_SOCKET, SO_RCVBUF, rcvbuf);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &at_len) < 0)
		die("listen");

	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		if (pinned)
			pin(1);
		int sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		if (sock < 0)
			die("accept");
		double cpu = bench_cpu(), start = bench_now();
		receive(sock, receiver_batch, &tally[1]);
		tally[1].cpu = bench_cpu() - cpu;
		tally[1].seconds = bench_now() - start;
		_exit(0);
	}
	if (pinned)
		pin(0);
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (setsockopt(sock, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion)) < 0)
		die(congestion);
	set_int(sock, IPPROTO_TCP, TCP_NODELAY, 1);
	if (sndbuf)
		set_int(sock, SOL_SOCKET, SO_SNDBUF, sndbuf);
	if (lowat)
		set_int(sock, IPPROTO_TCP, TCP_NOTSENT_LOWAT, lowat);
	if (connect(sock, (struct sockaddr *)&at, sizeof at) < 0 || fcntl(sock, F_SETFL, O_NONBLOCK) < 0)
		die("connect");
	double cpu = bench_cpu();
	if (strcmp(variant, "sendfile") == 0)
		send_by_sendfile(sock, file, blocks, 0, &tally[0]);
	else if (strcmp(variant, "cork") == 0)
		send_by_sendfile(sock, file, blocks, batch, &tally[0]);
	else
		send_by_copy(sock, file, blocks, batch, &tally[0]);
	tally[0].cpu = bench_cpu() - cpu;
	close(sock);
	int status = 0;
	waitpid(child, &status, 0);
	if (status != 0 || tally[1].bytes != blocks * FRAME) {
		fprintf(stderr, "bench_tcp: the receiver got %llu bytes\n", (unsigned long long)tally[1].bytes);
		return 1;
	}
	double g = (double)tally[1].bytes / (1 << 30);
	printf("%-8s n=%-2u snd=%-8d rcv=%-8d lowat=%-7d %s: %6.2f GiB/s  cpu s/GiB: send %.3f recv %.3f both %.3f"
	       "  calls/GiB: %.0f %.0f  waits/GiB: %.0f %.0f\n",
	       variant, batch, sndbuf, rcvbuf, lowat, congestion, g / tally[1].seconds, tally[0].cpu / g,
	       tally[1].cpu / g, (tally[0].cpu + tally[1].cpu) / g, (double)tally[0].calls / g,
	       (double)tally[1].calls / g, (double)tally[0].waits / g, (double)tally[1].waits / g);
	return 0;
}
