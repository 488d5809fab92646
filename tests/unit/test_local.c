/* test_local.c - the groups of BEP 14 on real sockets, in a network of our own: heard by others, and by how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/lsd.h"
#include "swarm/io/local.h"
#include "tests/unit/own_net.h"

struct listener {
	struct shoal_local *local;
	unsigned heard, heard_v4;
	uint8_t last[SHOAL_LSD_BYTES];
	size_t last_len;
	struct shoal_addr from;
};

static void on_heard(void *to, const struct shoal_addr *from, struct shoal_bytes data)
{
	struct listener *l = to;
	l->heard++;
	l->heard_v4 += from->is_v4;
	l->from = *from;
	assert_true(data.len <= sizeof l->last);
	memcpy(l->last, data.at, data.len);
	l->last_len = data.len;
}

static void run_for(struct shoal_loop *loop, shoal_us time)
{
	shoal_us end = shoal_os_real.now() + time;
	while (shoal_os_real.now() < end)
		assert_int_equal(shoal_loop_run(loop, end), 0);
}

static struct shoal_bytes say(const char *text)
{
	return (struct shoal_bytes){ (const uint8_t *)text, strlen(text) };
}

static void two_on_one_host_hear_each_other(void **state)
{
	struct shoal_loop *loop;
	struct listener a = { 0 }, b = { 0 };
	(void)state;
	assert_int_equal(shoal_loop_new(&loop, &shoal_os_real), 0);
	assert_int_equal(shoal_local_new(&a.local, loop, &shoal_os_real, on_heard, &a), 0);
	assert_int_equal(shoal_local_new(&b.local, loop, &shoal_os_real, on_heard, &b), 0);
	assert_int_equal(shoal_local_shout(a.local, true, say("one")), 1);
	run_for(loop, SHOAL_MS(50));
	assert_int_equal(a.heard, 1); /* our own voice: who we are is not ours to know */
	assert_int_equal(b.heard, 0); /* nothing is opened before the first word */
	assert_int_equal(shoal_local_shout(b.local, true, say("two")), 1);
	run_for(loop, SHOAL_MS(50));
	assert_int_equal(a.heard, 2);
	assert_int_equal(b.heard, 1);
	assert_int_equal(a.heard_v4, 2);
	assert_memory_equal(a.last, "two", 3);
	assert_int_equal(a.from.ip[0], 127);
	/* IPv6 where this kernel has it; nowhere to send to is no fault. */
	int rc = shoal_local_shout(a.local, false, say("three"));
	print_message("IPv6: %d\n", rc);
	run_for(loop, SHOAL_MS(50));
	if (rc > 0)
		assert_int_equal(a.heard, 3);
	shoal_local_free(a.local);
	shoal_local_free(b.local);
	shoal_loop_free(loop);
}

/* A datagram to the group, from that address of this host. */
static void send_from(const char *source, size_t len)
{
	static uint8_t raw[4096];
	struct sockaddr_in at = { .sin_family = AF_INET },
			   to = { .sin_family = AF_INET, .sin_port = htons(SHOAL_LSD_PORT) };
	struct ip_mreqn out = { .imr_ifindex = (int)if_nametoindex("lo") };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(inet_pton(AF_INET, source, &at.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET, "239.192.152.143", &to.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out), 0);
	assert_int_equal(sendto(fd, raw, len, 0, (struct sockaddr *)&to, sizeof to), (ssize_t)len);
	close(fd);
}

static void floods_and_giants_are_not_passed_on(void **state)
{
	struct shoal_loop *loop;
	struct listener a = { 0 };
	(void)state;
	assert_int_equal(shoal_loop_new(&loop, &shoal_os_real), 0);
	assert_int_equal(shoal_local_new(&a.local, loop, &shoal_os_real, on_heard, &a), 0);
	assert_int_equal(shoal_local_shout(a.local, true, say("first")), 1);
	run_for(loop, SHOAL_MS(20));
	assert_int_equal(a.heard, 1);
	send_from("127.0.0.1", SHOAL_LSD_BYTES + 1);
	run_for(loop, SHOAL_MS(20));
	assert_int_equal(a.heard, 1);
	send_from("127.0.0.1", SHOAL_LSD_BYTES);
	run_for(loop, SHOAL_MS(20));
	assert_int_equal(a.heard, 2);
	for (int i = 0; i < 100; i++)
		send_from("127.0.0.1", 10);
	run_for(loop, SHOAL_MS(100));
	assert_int_equal(a.heard, SHOAL_LOCAL_HEARD - 1); /* the giant counted */
	run_for(loop, SHOAL_MS(1000));
	send_from("127.0.0.1", 10);
	run_for(loop, SHOAL_MS(20));
	assert_int_equal(a.heard, SHOAL_LOCAL_HEARD);
	shoal_local_free(a.local);
	shoal_loop_free(loop);
}

/* Whoever is no neighbour of any interface of ours is not believed, though the group carried it. */
static void strangers_from_afar_are_not_neighbours(void **state)
{
	struct shoal_loop *loop;
	struct listener a = { 0 };
	(void)state;
	assert_int_equal(shoal_loop_new(&loop, &shoal_os_real), 0);
	assert_int_equal(shoal_local_new(&a.local, loop, &shoal_os_real, on_heard, &a), 0);
	assert_int_equal(shoal_local_shout(a.local, true, say("first")), 1); /* looks at interfaces: lo alone */
	own_net_address("203.0.113.7");
	run_for(loop, SHOAL_MS(20));
	assert_int_equal(a.heard, 1);
	send_from("203.0.113.7", 10); /* for the listener, still an address from elsewhere */
	send_from("127.0.0.1", 11);
	run_for(loop, SHOAL_MS(20));
	assert_int_equal(a.heard, 2);
	assert_int_equal(a.last_len, 11);
	shoal_local_free(a.local);
	shoal_loop_free(loop);
}

static void what_listens_at_one_address_shouts_from_there(void **state)
{
	static const struct {
		const char *bound;
		uint8_t last; /* of the source; 0: nothing goes out */
	} cases[] = { { "127.0.0.9", 9 }, { "0.0.0.0", 1 }, { "198.51.100.1", 0 } };
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_loop *loop;
		struct listener a = { 0 };
		struct shoal_addr bound = { .port = 7000, .is_v4 = 1 };
		print_message("%s\n", cases[i].bound);
		assert_int_equal(inet_pton(AF_INET, cases[i].bound, bound.ip), 1);
		assert_int_equal(shoal_loop_new(&loop, &shoal_os_real), 0);
		assert_int_equal(shoal_local_new(&a.local, loop, &shoal_os_real, on_heard, &a), 0);
		assert_int_equal(shoal_local_listens(a.local, &bound), 0);
		assert_int_equal(shoal_local_shout(a.local, true, say("here")) > 0, cases[i].last != 0);
		run_for(loop, SHOAL_MS(20));
		assert_int_equal(a.heard > 0, cases[i].last != 0);
		if (a.heard > 0)
			assert_int_equal(a.from.ip[3], cases[i].last);
		shoal_local_free(a.local);
		shoal_loop_free(loop);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_on_one_host_hear_each_other),
		cmocka_unit_test(floods_and_giants_are_not_passed_on),
		cmocka_unit_test(what_listens_at_one_address_shouts_from_there),
		cmocka_unit_test(strangers_from_afar_are_not_neighbours),
	};
	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
