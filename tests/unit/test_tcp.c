/* test_tcp.c - both ends, on a loopback of its own: every byte in order, every dial answered, shortages survived. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "swarm/io/addr.h"
#include "swarm/io/tcp.h"
#include "tests/unit/own_net.h"

#define TALKS_MAX 600

/* What the user of a struct shoal_tcp was told. */
struct user {
	struct shoal_transport *in[TALKS_MAX];
	struct shoal_addr from[TALKS_MAX];
	size_t in_count;
	struct shoal_transport *out[TALKS_MAX];
	int err[TALKS_MAX];
	bool told[TALKS_MAX]; /* by cookie */
	size_t told_count;
	struct shoal_transport *ready;
	unsigned what, readies;
	int file;
};
static struct user user;
static struct shoal_os_ops os; /* the real one, but for what a test replaces */
static struct shoal_loop *loop;
static struct shoal_tcp *tcp;

static void on_accepted(void *to, struct shoal_transport *t, const struct shoal_addr *from)
{
	struct user *u = to;
	assert_true(u->in_count < TALKS_MAX);
	u->from[u->in_count] = *from;
	u->in[u->in_count++] = t;
}

static void on_dialed(void *to, uint64_t cookie, struct shoal_transport *t, int err)
{
	struct user *u = to;
	assert_true(cookie < TALKS_MAX && !u->told[cookie]);
	assert_true((t == NULL) == (err < 0));
	u->out[cookie] = t;
	u->err[cookie] = err;
	u->told[cookie] = true;
	u->told_count++;
}

static void on_ready(void *to, struct shoal_transport *t, unsigned what)
{
	struct user *u = to;
	u->ready = t;
	u->what |= what;
	u->readies++;
}

static int on_file(void *to, uint32_t file)
{
	struct user *u = to;
	return file == 7 ? u->file : -1;
}

static int set_up(void **state)
{
	(void)state;
	os = shoal_os_real;
	user = (struct user){ .file = -1 };
	struct shoal_tcp_user with = { &user, on_accepted, on_dialed, on_ready, on_file };
	if (shoal_loop_new(&loop, &os) < 0)
		return -1;
	return shoal_tcp_new(&tcp, loop, &os, &with);
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALKS_MAX; i++) {
		if (user.in[i] != NULL)
			user.in[i]->ops->close(user.in[i]);
		if (user.out[i] != NULL)
			user.out[i]->ops->close(user.out[i]);
	}
	shoal_tcp_free(tcp);
	shoal_loop_free(loop);
	if (user.file >= 0)
		close(user.file);
	return 0;
}

static void turn(void)
{
	shoal_us until = os.now() + SHOAL_MS(50);
	if (shoal_tcp_deadline(tcp) < until)
		until = shoal_tcp_deadline(tcp);
	assert_int_equal(shoal_loop_run(loop, until), 0);
	shoal_tcp_tick(tcp, shoal_loop_now(loop));
}

#define TURN_UNTIL(yes)                                     \
	do {                                                \
		shoal_us give_up_ = os.now() + SHOAL_S(20); \
		while (!(yes)) {                            \
			assert_true(os.now() < give_up_);   \
			turn();                             \
		}                                           \
	} while (0)

static struct shoal_addr addr(const char *host, uint16_t port)
{
	struct shoal_addr at;
	assert_int_equal(shoal_addr_host(host, port, &at), 0);
	return at;
}

static struct shoal_addr listen_on(const char *host)
{
	struct shoal_addr at = addr(host, 0), bound;
	int why;
	assert_int_equal(shoal_tcp_listen(tcp, &at, &bound, &why), 0);
	assert_true(bound.port != 0 && memcmp(bound.ip, at.ip, sizeof at.ip) == 0);
	return bound;
}

/* One connection, both its ends ours: user.out[0] and user.in[0]. */
static void connect_pair(const char *host)
{
	struct shoal_addr at = listen_on(host);
	assert_int_equal(shoal_tcp_dial(tcp, &at, 0), 0);
	TURN_UNTIL(user.told[0] && user.in_count == 1);
	assert_int_equal(user.err[0], 0);
	assert_int_equal(shoal_tcp_open(tcp), 2);
}

static ptrdiff_t send_all(struct shoal_transport *t, const void *at, size_t len, bool more)
{
	return t->ops->send(t, &(struct shoal_bytes){ at, len }, 1, more);
}

static ptrdiff_t recv_some(struct shoal_transport *t, void *at, size_t len)
{
	return t->ops->recv(t, &(struct shoal_space){ at, len }, 1);
}

static uint8_t pattern(uint64_t i)
{
	return (uint8_t)((i * 2654435761u) >> 11);
}

static void bytes_arrive_in_order_over(const char *host)
{
	enum { TOTAL = 8 << 20 };
	static uint8_t sent[100000], got[70000];
	size_t out = 0, in = 0;
	connect_pair(host);
	struct shoal_transport *a = user.out[0], *b = user.in[0];
	assert_string_equal(a->ops->name, "tcp");
	a->ops->want(a, SHOAL_WANT_WRITE);
	b->ops->want(b, SHOAL_WANT_READ);
	while (in < TOTAL) {
		user.what = 0;
		TURN_UNTIL(user.what != 0);
		for (ptrdiff_t n = 1; n > 0 && out < TOTAL;) {
			size_t len = TOTAL - out < sizeof sent ? TOTAL - out : sizeof sent;
			for (size_t i = 0; i < len; i++)
				sent[i] = pattern(out + i);
			/* Three spans, one of them empty: a gathered write that tears anywhere. */
			struct shoal_bytes v[3] = { { sent, len / 3 }, { NULL, 0 }, { sent + len / 3, len - len / 3 } };
			n = a->ops->send(a, v, 3, out + len < TOTAL);
			assert_true(n >= 0);
			out += (size_t)n;
		}
		a->ops->want(a, out < TOTAL ? SHOAL_WANT_WRITE : 0);
		for (ptrdiff_t n = 1; n > 0;) {
			struct shoal_space v[4] = {
				{ got, 13 }, { got + 13, 0 }, { got + 13, 16384 }, { got + 16397, 50000 }
			};
			n = b->ops->recv(b, v, 4);
			assert_true(n >= 0);
			for (ptrdiff_t i = 0; i < n; i++)
				if (got[i] != pattern(in + (size_t)i))
					fail_msg("byte %zu is wrong", in + (size_t)i);
			in += (size_t)n;
		}
	}
	assert_int_equal(in, TOTAL);
	uint8_t none;
	assert_int_equal(recv_some(b, &none, 1), 0);
	a->ops->close(a);
	user.out[0] = NULL;
	user.what = 0;
	TURN_UNTIL(user.what & SHOAL_WANT_READ);
	assert_int_equal(recv_some(b, &none, 1), SHOAL_ERR_CLOSED);
}

static void bytes_arrive_in_order(void **state)
{
	(void)state;
	bytes_arrive_in_order_over("127.0.0.1");
}

static void bytes_arrive_in_order_by_ipv6(void **state)
{
	(void)state;
	bytes_arrive_in_order_over("::1");
}

static void only_what_is_wanted_is_told(void **state)
{
	(void)state;
	connect_pair("127.0.0.1");
	struct shoal_transport *a = user.out[0], *b = user.in[0];
	assert_int_equal(send_all(a, "x", 1, false), 1);
	user.readies = 0;
	turn();
	turn();
	assert_int_equal(user.readies, 0); /* nothing was asked for yet */
	b->ops->want(b, SHOAL_WANT_READ);
	TURN_UNTIL(user.readies > 0);
	assert_ptr_equal(user.ready, b);
	assert_int_equal(user.what, SHOAL_WANT_READ);
	user.readies = user.what = 0;
	b->ops->want(b, SHOAL_WANT_READ | SHOAL_WANT_WRITE);
	TURN_UNTIL(user.what == (SHOAL_WANT_READ | SHOAL_WANT_WRITE));
	b->ops->want(b, 0);
	user.readies = 0;
	turn();
	assert_int_equal(user.readies, 0);
}

static void more_spans_than_a_call_takes_wait_for_the_next(void **state)
{
	enum { SPANS = SHOAL_TCP_SPANS_MAX + 40 };
	struct shoal_bytes v[SPANS];
	uint8_t bytes[SPANS], got[SPANS];
	size_t in = 0;
	(void)state;
	connect_pair("127.0.0.1");
	for (size_t i = 0; i < SPANS; i++) {
		bytes[i] = pattern(i);
		v[i] = (struct shoal_bytes){ &bytes[i], 1 };
	}
	struct shoal_transport *a = user.out[0], *b = user.in[0];
	assert_int_equal(a->ops->send(a, v, SPANS, false), SHOAL_TCP_SPANS_MAX);
	assert_int_equal(a->ops->send(a, v + SHOAL_TCP_SPANS_MAX, 40, false), 40);
	assert_int_equal(a->ops->send(a, v, 0, false), 0);
	b->ops->want(b, SHOAL_WANT_READ);
	while (in < SPANS) {
		user.what = 0;
		TURN_UNTIL(user.what != 0);
		ptrdiff_t n = recv_some(b, got + in, SPANS - in);
		assert_true(n > 0);
		in += (size_t)n;
	}
	assert_memory_equal(got, bytes, SPANS);
}

static void a_file_is_sent_and_a_short_one_is_noticed(void **state)
{
	enum { SIZE = 3 << 20 };
	static uint8_t body[SIZE], got[SIZE];
	(void)state;
	connect_pair("127.0.0.1");
	struct shoal_transport *a = user.out[0], *b = user.in[0];
	for (size_t i = 0; i < SIZE; i++)
		body[i] = pattern(i);
	user.file = memfd_create("file", MFD_CLOEXEC);
	assert_true(user.file >= 0);
	assert_int_equal(write(user.file, body, SIZE), SIZE);
	size_t out = 1000, in = 1000;
	a->ops->want(a, SHOAL_WANT_WRITE);
	b->ops->want(b, SHOAL_WANT_READ);
	while (in < SIZE) {
		user.what = 0;
		TURN_UNTIL(user.what != 0);
		for (ptrdiff_t n = 1; n > 0 && out < SIZE; out += (size_t)n) {
			n = a->ops->send_file(a, 7, out, SIZE - out < 16384 ? SIZE - out : 16384, false);
			assert_true(n >= 0);
		}
		a->ops->want(a, out < SIZE ? SHOAL_WANT_WRITE : 0);
		for (ptrdiff_t n = 1; n > 0 && in < SIZE; in += (size_t)n) {
			n = recv_some(b, got + in, SIZE - in);
			assert_true(n >= 0);
		}
	}
	assert_memory_equal(got + 1000, body + 1000, SIZE - 1000);
	assert_int_equal(a->ops->send_file(a, 7, 0, 0, false), 0);
	assert_int_equal(a->ops->send_file(a, 7, SIZE, 1, false), SHOAL_ERR_GONE);
	assert_int_equal(a->ops->send_file(a, 8, 0, 1, false), SHOAL_ERR_GONE);
	assert_int_equal(a->ops->send_file(a, 7, UINT64_MAX - 5, 16, false), SHOAL_ERR_RANGE);
	/* The span's end is missing: what is there goes, then the lack shows. */
	ptrdiff_t n = a->ops->send_file(a, 7, SIZE - 10, 16384, false);
	assert_int_equal(n, 10);
	assert_int_equal(a->ops->send_file(a, 7, SIZE, 16374, false), SHOAL_ERR_GONE);
}

static void without_files_there_is_no_send_file(void **state)
{
	struct shoal_tcp_user with = { &user, on_accepted, on_dialed, on_ready, NULL };
	(void)state;
	shoal_tcp_free(tcp);
	assert_int_equal(shoal_tcp_new(&tcp, loop, &os, &with), 0);
	connect_pair("127.0.0.1");
	assert_null(user.out[0]->ops->send_file);
}

static void a_dead_peer_is_an_error_and_no_signal(void **state)
{
	uint8_t bytes[1000] = { 0 };
	(void)state;
	connect_pair("127.0.0.1");
	struct shoal_transport *a = user.out[0], *b = user.in[0];
	user.file = memfd_create("file", MFD_CLOEXEC);
	assert_int_equal(write(user.file, bytes, sizeof bytes), sizeof bytes);
	assert_int_equal(send_all(a, bytes, 1, false), 1); /* unread: the close below is a reset */
	b->ops->close(b);
	user.in[0] = NULL;
	a->ops->want(a, SHOAL_WANT_READ);
	user.what = 0;
	TURN_UNTIL(user.what & SHOAL_WANT_READ);
	assert_int_equal(recv_some(a, bytes, 1), SHOAL_ERR_CLOSED);
	/* With SIGPIPE at its default, this would end the test. */
	assert_int_equal(send_all(a, bytes, sizeof bytes, false), SHOAL_ERR_CLOSED);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(a->ops->send_file(a, 7, 0, sizeof bytes, false), SHOAL_ERR_CLOSED);
	signal(SIGPIPE, SIG_DFL);
}

static void nobody_there_is_refused(void **state)
{
	(void)state;
	struct shoal_addr nobody = addr("127.0.0.1", 9), nowhere = addr("203.0.113.1", 9), none = addr("0.0.0.0", 9),
			  portless = addr("127.0.0.1", 0);
	assert_int_equal(shoal_tcp_dial(tcp, &nobody, 1), 0);
	TURN_UNTIL(user.told[1]);
	assert_int_equal(user.err[1], SHOAL_ERR_REFUSED);
	assert_int_equal(shoal_tcp_dial(tcp, &nowhere, 2), SHOAL_ERR_NET);
	assert_int_equal(shoal_tcp_dial(tcp, &none, 3), SHOAL_ERR_RANGE);
	assert_int_equal(shoal_tcp_dial(tcp, &portless, 4), SHOAL_ERR_RANGE);
	assert_int_equal(shoal_tcp_open(tcp), 0);
	assert_true(shoal_tcp_deadline(tcp) == SHOAL_NEVER);
}

static int connect_hangs(int fd, const struct sockaddr *to, socklen_t len)
{
	(void)fd, (void)to, (void)len;
	errno = EINPROGRESS;
	return -1;
}

static void a_dial_that_hangs_times_out(void **state)
{
	(void)state;
	struct shoal_addr to = addr("127.0.0.1", 9);
	/* A socket that never connected polls as hung up, so the loop must not see these: time alone ends them. */
	os.connect = connect_hangs;
	shoal_us start = os.now();
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(shoal_tcp_dial(tcp, &to, i), 0);
	assert_int_equal(shoal_tcp_open(tcp), 5);
	shoal_us at = shoal_tcp_deadline(tcp);
	assert_true(at >= start + SHOAL_TCP_DIAL_TIMEOUT - SHOAL_S(1) && at <= os.now() + SHOAL_TCP_DIAL_TIMEOUT);
	shoal_tcp_tick(tcp, at - 1);
	assert_int_equal(user.told_count, 0);
	shoal_tcp_tick(tcp, at);
	assert_int_equal(user.told_count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(user.err[i], SHOAL_ERR_TIMEOUT);
	assert_int_equal(shoal_tcp_open(tcp), 0);
	/* And those that are under way when everything ends are told nothing. */
	assert_int_equal(shoal_tcp_dial(tcp, &to, 6), 0);
}

static void the_source_is_the_address_we_listen_on(void **state)
{
	(void)state;
	struct shoal_addr at = listen_on("10.9.0.2");
	assert_int_equal(shoal_tcp_dial(tcp, &at, 0), 0);
	TURN_UNTIL(user.told[0] && user.in_count == 1);
	struct shoal_addr from = user.from[0], want = addr("10.9.0.2", from.port);
	assert_memory_equal(from.ip, want.ip, sizeof want.ip);
	assert_true(from.port != 0 && from.port != at.port);
	/* A second port of the same address changes nothing; */
	listen_on("10.9.0.2");
	assert_int_equal(shoal_tcp_dial(tcp, &at, 1), 0);
	TURN_UNTIL(user.told[1] && user.in_count == 2);
	assert_memory_equal(user.from[1].ip, want.ip, sizeof want.ip);
	/* nor does the other family; */
	listen_on("::");
	assert_int_equal(shoal_tcp_dial(tcp, &at, 2), 0);
	TURN_UNTIL(user.told[2] && user.in_count == 3);
	assert_memory_equal(user.from[2].ip, want.ip, sizeof want.ip);
	/* with several addresses the kernel chooses. */
	listen_on("10.9.0.3");
	struct shoal_addr local = listen_on("127.0.0.1");
	assert_int_equal(shoal_tcp_dial(tcp, &local, 3), 0);
	TURN_UNTIL(user.told[3] && user.in_count == 4);
	assert_true(shoal_addr_is_loopback(&user.from[3]));
}

static void a_wildcard_binds_no_dial(void **state)
{
	(void)state;
	listen_on("10.9.0.2");
	listen_on("0.0.0.0");
	struct shoal_addr local = listen_on("127.0.0.1");
	assert_int_equal(shoal_tcp_dial(tcp, &local, 0), 0);
	TURN_UNTIL(user.told[0] && user.in_count == 1);
	assert_true(shoal_addr_is_loopback(&user.from[0]));
}

static void listening_on_loopback_does_not_bind_dials_elsewhere(void **state)
{
	(void)state;
	struct shoal_addr at = listen_on("127.0.0.1"), to = addr("10.9.0.2", at.port);
	assert_int_equal(shoal_tcp_dial(tcp, &to, 0), 0); /* EINVAL if bound to 127.0.0.1 */
	TURN_UNTIL(user.told[0]);
	assert_int_equal(user.err[0], SHOAL_ERR_REFUSED);
}

static void both_families_share_a_port_number(void **state)
{
	struct shoal_addr v4 = listen_on("0.0.0.0"), v6 = addr("::", v4.port), bound;
	int why;
	(void)state;
	assert_int_equal(shoal_tcp_listen(tcp, &v6, &bound, &why), 0);
	assert_int_equal(bound.port, v4.port);
	/* What is taken, or is not ours, says why. */
	assert_int_equal(shoal_tcp_listen(tcp, &v4, &bound, &why), SHOAL_ERR_NET);
	assert_int_equal(why, EADDRINUSE);
	struct shoal_addr foreign = addr("203.0.113.1", 0);
	assert_int_equal(shoal_tcp_listen(tcp, &foreign, &bound, &why), SHOAL_ERR_NET);
	assert_int_equal(why, EADDRNOTAVAIL);
	while (shoal_tcp_listen(tcp, &(struct shoal_addr){ .ip = { 127, 0, 0, 1 }, .is_v4 = 1 }, &bound, &why) == 0)
		;
	assert_int_equal(why, 0);
}

static void a_storm_of_connections_is_taken_in_turns(void **state)
{
	enum { STORM = 300 };
	struct shoal_addr at = listen_on("127.0.0.1");
	size_t most = 0;
	(void)state;
	for (uint64_t i = 0; i < STORM; i++)
		assert_int_equal(shoal_tcp_dial(tcp, &at, i), 0);
	shoal_us give_up = os.now() + SHOAL_S(20);
	while (user.in_count < STORM || user.told_count < STORM) {
		size_t before = user.in_count;
		assert_true(os.now() < give_up);
		turn();
		most = user.in_count - before > most ? user.in_count - before : most;
	}
	assert_int_equal(most, SHOAL_TCP_ACCEPTS_MAX);
	for (size_t i = 0; i < STORM; i++)
		assert_int_equal(user.err[i], 0);
}

static int accept_errno, accept_calls;
static int accept_fails(int fd, struct sockaddr *sys, socklen_t *len, int flags)
{
	accept_calls++;
	if (accept_errno == 0)
		return shoal_os_real.accept4(fd, sys, len, flags);
	errno = accept_errno;
	return -1;
}

static void without_descriptors_accepting_pauses(void **state)
{
	static const int shortages[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM };
	struct shoal_addr at = listen_on("127.0.0.1");
	(void)state;
	os.accept4 = accept_fails;
	for (size_t i = 0; i < 4; i++) {
		accept_errno = shortages[i];
		accept_calls = 0;
		assert_int_equal(shoal_tcp_dial(tcp, &at, i), 0);
		TURN_UNTIL(accept_calls > 0);
		shoal_us start = os.now();
		while (os.now() < start + SHOAL_TCP_PAUSE * 3)
			turn();
		assert_in_range(accept_calls, 2, 5); /* once a pause, not once a round */
		accept_errno = 0;
		TURN_UNTIL(user.in_count == i + 1); /* nobody was lost meanwhile */
	}
	/* One connection's trouble is not the listener's. */
	accept_errno = ECONNABORTED;
	accept_calls = 0;
	assert_int_equal(shoal_tcp_dial(tcp, &at, 4), 0);
	TURN_UNTIL(accept_calls > 0);
	accept_errno = 0;
	TURN_UNTIL(user.in_count == 5);
}

static int no_socket(int domain, int type, int protocol)
{
	(void)domain, (void)type, (void)protocol;
	errno = EMFILE;
	return -1;
}

static void without_descriptors_a_dial_says_busy(void **state)
{
	struct shoal_addr to = addr("127.0.0.1", 9);
	(void)state;
	os.socket = no_socket;
	assert_int_equal(shoal_tcp_dial(tcp, &to, 0), SHOAL_ERR_BUSY);
	assert_int_equal(shoal_tcp_open(tcp), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
/* Every socket ever made, so that a test can ask the kernel what was set on it. */
static int marked[8];
static size_t marked_count;

static int note_socket(int domain, int type, int protocol)
{
	int fd = shoal_os_real.socket(domain, type, protocol);
	if (fd >= 0 && marked_count < sizeof marked / sizeof *marked)
		marked[marked_count++] = fd;
	return fd;
}

static int note_accept(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
	int in = shoal_os_real.accept4(fd, from, len, flags);
	if (in >= 0 && marked_count < sizeof marked / sizeof *marked)
		marked[marked_count++] = in;
	return in;
}

static void marked_as(const char *host, int level, int name)
{
	os.socket = note_socket;
	os.accept4 = note_accept;
	marked_count = 0;
	shoal_tcp_class(tcp, 1);
	connect_pair(host);
	assert_int_equal(marked_count, 3); /* who listens, who dials, who was accepted */
	for (size_t i = 0; i < marked_count; i++) {
		int tos = 0;
		socklen_t len = sizeof tos;
		assert_int_equal(getsockopt(marked[i], level, name, &tos, &len), 0);
		assert_int_equal(tos & 0xfc, 1 << 2); /* the two bits below are ECN's */
	}
}
static void a_class_is_set_on_every_socket_v4(void **state)
{
	(void)state;
	marked_as("127.0.0.1", IPPROTO_IP, IP_TOS);
}
static void a_class_is_set_on_every_socket_v6(void **state)
{
	(void)state;
	marked_as("::1", IPPROTO_IPV6, IPV6_TCLASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_class_is_set_on_every_socket_v4),
		CASE(a_class_is_set_on_every_socket_v6),
		CASE(bytes_arrive_in_order),
		CASE(bytes_arrive_in_order_by_ipv6),
		CASE(only_what_is_wanted_is_told),
		CASE(more_spans_than_a_call_takes_wait_for_the_next),
		CASE(a_file_is_sent_and_a_short_one_is_noticed),
		CASE(without_files_there_is_no_send_file),
		CASE(a_dead_peer_is_an_error_and_no_signal),
		CASE(nobody_there_is_refused),
		CASE(a_dial_that_hangs_times_out),
		CASE(the_source_is_the_address_we_listen_on),
		CASE(a_wildcard_binds_no_dial),
		CASE(listening_on_loopback_does_not_bind_dials_elsewhere),
		CASE(both_families_share_a_port_number),
		CASE(a_storm_of_connections_is_taken_in_turns),
		CASE(without_descriptors_accepting_pauses),
		CASE(without_descriptors_a_dial_says_busy),
	};
	own_net();
	own_net_address("10.9.0.2");
	own_net_address("10.9.0.3");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
