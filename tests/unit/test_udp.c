/* test_udp.c - datagrams on real sockets: from which port they come, both families, floods, what is too long. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "swarm/io/addr.h"
#include "swarm/io/udp.h"
#include "tests/unit/own_net.h"

struct heard {
	unsigned count;
	size_t len;
	struct shoal_addr from;
	uint8_t first;
};

static void on_datagram(void *to, const struct shoal_addr *from, struct shoal_bytes data)
{
	struct heard *h = to;
	h->count++;
	h->len = data.len;
	h->from = *from;
	h->first = data.at[0];
}

struct pair {
	struct shoal_loop *loop;
	struct shoal_udp *udp;
	struct heard heard;
	struct shoal_addr at;
	int fd; /* somebody else's socket */
	struct shoal_addr other;
};

static int any_socket(const char *ip, struct shoal_addr *at)
{
	struct sockaddr_storage sys;
	struct shoal_addr want;
	assert_int_equal(shoal_addr_host(ip, 0, &want), 0);
	socklen_t len = shoal_addr_to_sys(&want, &sys);
	int fd = socket(sys.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = 2 };
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sys, len), 0);
	len = sizeof sys;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sys, &len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	assert_true(shoal_addr_from_sys((struct sockaddr *)&sys, len, at));
	return fd;
}

static void open_pair_on(const struct shoal_os_ops *os, struct pair *p, const char *ip, bool listen)
{
	int os_err;
	*p = (struct pair){ 0 };
	struct shoal_udp_user user = { &p->heard, on_datagram };
	assert_int_equal(shoal_loop_new(&p->loop, os), 0);
	assert_int_equal(shoal_udp_new(&p->udp, p->loop, os, &user), 0);
	p->fd = any_socket(ip, &p->other);
	int free_port = any_socket(ip, &p->at); /* learns a free port, and lets go of it */
	close(free_port);
	if (listen)
		assert_int_equal(shoal_udp_bind(p->udp, &p->at, &os_err), 0);
}

static void open_pair(struct pair *p, const char *ip, bool listen)
{
	open_pair_on(&shoal_os_real, p, ip, listen);
}

static void close_pair(struct pair *p)
{
	shoal_udp_free(p->udp);
	shoal_loop_free(p->loop);
	close(p->fd);
}

static void hear(struct pair *p, unsigned count)
{
	shoal_us end = shoal_os_real.now() + SHOAL_S(2);
	while (p->heard.count < count && shoal_os_real.now() < end)
		assert_int_equal(shoal_loop_run(p->loop, shoal_os_real.now() + SHOAL_MS(20)), 0);
}

static struct shoal_addr sent_from(struct pair *p, char *out, size_t room, ssize_t *len)
{
	struct sockaddr_storage sys;
	struct shoal_addr from = { 0 };
	socklen_t sys_len = sizeof sys;
	*len = recvfrom(p->fd, out, room, 0, (struct sockaddr *)&sys, &sys_len);
	assert_true(*len >= 0 && shoal_addr_from_sys((struct sockaddr *)&sys, sys_len, &from));
	return from;
}

static void say(struct pair *p, const void *what, size_t len)
{
	struct sockaddr_storage sys;
	socklen_t sys_len = shoal_addr_to_sys(&p->at, &sys);
	assert_int_equal(sendto(p->fd, what, len, 0, (struct sockaddr *)&sys, sys_len), len);
}

static void questions_come_from_the_port_and_answers_arrive(void **state)
{
	static const char *const ips[] = { "127.0.0.1", "::1", "127.0.0.7" };
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct pair p;
		char got[16];
		ssize_t len;
		open_pair(&p, ips[i], true);
		assert_int_equal(shoal_udp_send(p.udp, &p.other, (struct shoal_bytes){ (const uint8_t *)"hello", 5 }),
				 0);
		struct shoal_addr from = sent_from(&p, got, sizeof got, &len);
		assert_int_equal(len, 5);
		assert_memory_equal(&from, &p.at, sizeof from);
		say(&p, "world!", 6);
		hear(&p, 1);
		assert_int_equal(p.heard.len, 6);
		assert_memory_equal(&p.heard.from, &p.other, sizeof p.other);
		close_pair(&p);
	}
}

static void without_a_listener_any_port_will_do(void **state)
{
	struct pair p;
	char got[16];
	ssize_t len;
	(void)state;
	open_pair(&p, "::1", false);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(shoal_udp_send(p.udp, &p.other, (struct shoal_bytes){ (const uint8_t *)"x", 1 }), 0);
		struct shoal_addr from = sent_from(&p, got, sizeof got, &len);
		assert_true(i == 0 || from.port == p.at.port); /* the same one from then on */
		p.at = from;
	}
	say(&p, "y", 1);
	hear(&p, 1);
	assert_int_equal(p.heard.first, 'y');
	close_pair(&p);
}

static void what_is_too_long_or_empty_is_dropped(void **state)
{
	static uint8_t big[SHOAL_UDP_BYTES_MAX + 1];
	struct pair p;
	(void)state;
	open_pair(&p, "127.0.0.1", true);
	say(&p, big, sizeof big);
	say(&p, big, 0);
	big[0] = 7;
	say(&p, big, SHOAL_UDP_BYTES_MAX);
	hear(&p, 1);
	assert_int_equal(p.heard.count, 1);
	assert_int_equal(p.heard.first, 7);
	assert_int_equal(p.heard.len, SHOAL_UDP_BYTES_MAX);
	static uint8_t huge[65600];
	assert_int_equal(shoal_udp_send(p.udp, &p.other, (struct shoal_bytes){ huge, sizeof huge }),
			 SHOAL_ERR_TOO_LONG);
	close_pair(&p);
}

static void a_flood_is_taken_in_turns(void **state)
{
	struct pair p;
	(void)state;
	open_pair(&p, "127.0.0.1", true);
	for (unsigned i = 0; i < 200; i++)
		say(&p, "f", 1);
	assert_int_equal(shoal_loop_run(p.loop, 0), 0);
	assert_true(p.heard.count <= SHOAL_UDP_BATCH * SHOAL_UDP_BATCHES);
	hear(&p, 100); /* the kernel's own bound may have dropped some */
	assert_true(p.heard.count >= 100);
	close_pair(&p);
}

static void a_port_that_is_taken_says_so(void **state)
{
	struct pair p;
	int os_err;
	(void)state;
	open_pair(&p, "127.0.0.1", true);
	assert_int_equal(shoal_udp_bind(p.udp, &p.other, &os_err), SHOAL_ERR_NET);
	assert_true(os_err != 0);
	close_pair(&p);
}

/* ---- rows --------------------------------------------------------------------------------- */

/* The system's calls, and how those that matter here fail. */
static struct {
	struct shoal_os_ops os;
	bool no_segments; /* as on a path that is narrower than a datagram */
	bool no_route;
	int full;		/* so many sends find no room */
	unsigned calls, in_one; /* of those, rows in one piece */
	unsigned naps;
	shoal_us now;
} fake;

static bool has_segment(const struct msghdr *msg)
{
	return msg->msg_controllen > 0;
}

static ssize_t fake_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	fake.calls++;
	fake.in_one += has_segment(msg);
	if (fake.full > 0) {
		fake.full--;
		errno = EAGAIN;
		return -1;
	}
	if (fake.no_route) {
		errno = ENETUNREACH;
		return -1;
	}
	if (fake.no_segments && has_segment(msg)) {
		errno = EINVAL;
		return -1;
	}
	return sendmsg(fd, msg, flags);
}

static int fake_sendmmsg(int fd, struct mmsghdr *msg, unsigned n, int flags)
{
	fake.calls++;
	if (fake.full > 0) {
		fake.full--;
		errno = ENOBUFS;
		return -1;
	}
	return sendmmsg(fd, msg, n, flags);
}

/* Every datagram that is heard, in order: its length and its number. */
static struct rows {
	unsigned count;
	size_t len[200];
	uint8_t first[200];
} rows;

static void on_row(void *to, const struct shoal_addr *from, struct shoal_bytes data)
{
	(void)to;
	(void)from;
	assert_true(rows.count < 200);
	rows.len[rows.count] = data.len;
	rows.first[rows.count++] = data.at[0];
}

static void row_to_itself(const char *ip, size_t each, size_t total, unsigned calls_most)
{
	static uint8_t bytes[70000];
	struct shoal_loop *loop;
	struct shoal_udp *udp;
	struct shoal_udp_user user = { NULL, on_row };
	struct shoal_addr at;
	int os_err, fd = any_socket(ip, &at);
	close(fd);
	rows = (struct rows){ 0 };
	assert_int_equal(shoal_loop_new(&loop, &shoal_os_real), 0);
	assert_int_equal(shoal_udp_new(&udp, loop, &fake.os, &user), 0);
	assert_int_equal(shoal_udp_bind(udp, &at, &os_err), 0);
	for (size_t i = 0; i < total; i++)
		bytes[i] = (uint8_t)(i / each);
	for (int again = 0; again < 2; again++) { /* what was learnt of the kernel the first time holds */
		unsigned want = (unsigned)((total + each - 1) / each);
		rows.count = fake.calls = 0;
		assert_int_equal(shoal_udp_send_row(udp, &at, (struct shoal_bytes){ bytes, total }, each, again), 0);
		shoal_us end = shoal_os_real.now() + SHOAL_S(2);
		while (rows.count < want && shoal_os_real.now() < end)
			assert_int_equal(shoal_loop_run(loop, shoal_os_real.now() + SHOAL_MS(20)), 0);
		assert_int_equal(rows.count, want);
		for (unsigned i = 0; i < want; i++) {
			assert_int_equal(rows.len[i], i + 1 < want || total % each == 0 ? each : total % each);
			assert_int_equal(rows.first[i], i);
		}
		assert_true(fake.calls <= calls_most);
	}
	fake.full = 1;
	assert_int_equal(shoal_udp_send_row(udp, &at, (struct shoal_bytes){ bytes, total }, each, false),
			 SHOAL_ERR_BUSY);
	fake.full = 1;
	assert_int_equal(shoal_udp_send(udp, &at, (struct shoal_bytes){ bytes, 1 }), 0); /* lost without a word */
	shoal_udp_free(udp);
	shoal_loop_free(loop);
}

static void a_row_goes_in_one_piece_and_comes_as_it_was(void **state)
{
	static const size_t sizes[][2] = {
		{ 1472, 44 * 1472 }, { 1472, 1472 }, { 1400, 5 * 1400 + 1 }, { 20, 64 * 20 }
	};
	(void)state;
	fake.os = shoal_os_real;
	fake.os.sendmsg = fake_sendmsg;
	fake.os.sendmmsg = fake_sendmmsg;
	for (size_t i = 0; i < 4; i++) {
		fake.no_segments = false;
		row_to_itself("127.0.0.1", sizes[i][0], sizes[i][1], 1);
		row_to_itself("::1", sizes[i][0], sizes[i][1], 1);
		fake.no_segments = true;
		row_to_itself("127.0.0.1", sizes[i][0], sizes[i][1], 2);
	}
}

static void fake_nap(shoal_us us)
{
	assert_int_equal(us, SHOAL_UDP_NAP);
	fake.naps++;
	fake.now += us;
}

static shoal_us fake_now(void)
{
	return fake.now;
}

/* One by one, as soon as the one before is taken. */
static void trickle(struct pair *p, unsigned count, shoal_us apart)
{
	unsigned before = p->heard.count;
	for (unsigned i = 1; i <= count; i++) {
		say(p, "x", 1);
		hear(p, before + i);
		if (apart > 0)
			shoal_os_real.nap(apart);
	}
}

/* What comes fast, and one by one, is let gather; nothing else waits. */
static void a_fast_trickle_is_let_gather(void **state)
{
	struct pair p;
	(void)state;
	memset(&fake, 0, sizeof fake);
	fake.os = shoal_os_real;
	fake.os.nap = fake_nap;
	open_pair_on(&fake.os, &p, "127.0.0.1", true);
	trickle(&p, 20, SHOAL_MS(1));
	assert_int_equal(fake.naps, 0);
	for (int i = 0; i < 50 && fake.naps == 0; i++) /* a machine that is busy may need more than one try */
		trickle(&p, 500, 0);
	assert_true(fake.naps > 0);
	trickle(&p, 3, SHOAL_MS(2)); /* it is over */
	fake.naps = 0;
	trickle(&p, 20, SHOAL_MS(1));
	assert_int_equal(fake.naps, 0);
	close_pair(&p);
}

/* Naps in so many rounds, each of which finds `count` datagrams at each socket, so long after the one before. */
static unsigned naps(struct pair *p, unsigned count, unsigned sockets, shoal_us apart)
{
	fake.naps = 0;
	for (unsigned round = 0; round < 200; round++) {
		unsigned before = fake.naps, more = p->heard.count + count * sockets;
		fake.now += apart;
		for (unsigned n = 0; n < sockets; n++) {
			p->at = *shoal_udp_at(p->udp, n);
			for (unsigned i = 0; i < count; i++)
				say(p, "x", 1);
		}
		hear(p, more);
		assert_true(fake.naps - before <= 1);
	}
	return fake.naps;
}

/* Who naps lets all else wait: so once for all sockets, and not when others have kept the loop from them already. */
static void a_loop_that_is_busy_takes_no_nap(void **state)
{
	struct pair p;
	int os_err;
	(void)state;
	memset(&fake, 0, sizeof fake);
	fake.os = shoal_os_real;
	fake.os.nap = fake_nap;
	fake.os.now = fake_now;
	fake.now = shoal_os_real.now() - SHOAL_S(1); /* never ahead */
	open_pair_on(&fake.os, &p, "127.0.0.1", true);
	struct shoal_addr second = { { 127, 0, 0, 1 }, 0, 1 };
	assert_int_equal(shoal_udp_bind(p.udp, &second, &os_err), 0);
	assert_true(naps(&p, 1, 1, 20) > 0);
	assert_true(naps(&p, 5, 2, 20) > 0);
	assert_int_equal(naps(&p, 12, 1, 300), 0);
	close_pair(&p);
}

/* One path that cannot take a row, or a moment without any, does not make all others slow for good. */
static void what_one_path_cannot_do_others_still_may(void **state)
{
	static uint8_t bytes[4 * 1400];
	struct pair p;
	(void)state;
	fake.os = shoal_os_real;
	fake.os.sendmsg = fake_sendmsg;
	fake.os.sendmmsg = fake_sendmmsg;
	fake.no_segments = false;
	open_pair_on(&fake.os, &p, "127.0.0.1", true);
	struct shoal_bytes row = { bytes, sizeof bytes };
	fake.no_route = true;
	assert_int_equal(shoal_udp_send_row(p.udp, &p.other, row, 1400, false), SHOAL_ERR_NET);
	fake.no_route = false;
	fake.in_one = 0;
	assert_int_equal(shoal_udp_send_row(p.udp, &p.other, row, 1400, false), 0);
	assert_int_equal(fake.in_one, 1);
	fake.no_segments = true;
	assert_int_equal(shoal_udp_send_row(p.udp, &p.other, row, 1400, false), 0);
	fake.no_segments = false;
	fake.in_one = 0;
	for (int i = 0; i < 200; i++)
		assert_int_equal(shoal_udp_send_row(p.udp, &p.other, row, 1400, false), 0);
	assert_true(fake.in_one > 100);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_come_from_the_port_and_answers_arrive),
		cmocka_unit_test(without_a_listener_any_port_will_do),
		cmocka_unit_test(what_is_too_long_or_empty_is_dropped),
		cmocka_unit_test(a_flood_is_taken_in_turns),
		cmocka_unit_test(a_port_that_is_taken_says_so),
		cmocka_unit_test(a_row_goes_in_one_piece_and_comes_as_it_was),
		cmocka_unit_test(what_one_path_cannot_do_others_still_may),
		cmocka_unit_test(a_fast_trickle_is_let_gather),
		cmocka_unit_test(a_loop_that_is_busy_takes_no_nap),
	};
	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
