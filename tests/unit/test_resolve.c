/* test_resolve.c - a name server of the test's own for order, bounds and slowness; the system's for localhost. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "swarm/io/resolve.h"
#include "tests/unit/own_net.h"

static atomic_int held; /* lookups wait while this is set */
static atomic_int slow; /* that of "slow" */
static atomic_int lookups;
static struct shoal_resolve *r;

/* "v4", "both", "none", "many"; any other name is not there. */
static int lookup(const char *host, struct shoal_addr out[], size_t max, size_t *count)
{
	atomic_fetch_add(&lookups, 1);
	for (int i = 0; i < 20000 && atomic_load(&held); i++)
		usleep(1000);
	for (int i = 0; i < 20000 && strcmp(host, "slow") == 0 && atomic_load(&slow); i++)
		usleep(1000);
	*count = 0;
	if (strcmp(host, "v4") == 0) {
		*count = 1;
		return shoal_addr_host("1.2.3.4", 0, &out[0]);
	}
	if (strcmp(host, "many") == 0) {
		for (; *count < max; (*count)++)
			out[*count] = (struct shoal_addr){ .is_v4 = 1 };
		return 0;
	}
	return strcmp(host, "none") == 0 ? 0 : SHOAL_ERR_GONE;
}

static int set_up(void **state)
{
	(void)state;
	held = slow = lookups = 0;
	return shoal_resolve_new(&r, &shoal_os_real, lookup);
}

static int tear_down(void **state)
{
	(void)state;
	shoal_resolve_free(r);
	r = NULL;
	return 0;
}

static int ask(const char *host, uint16_t port, uint32_t torrent, uint64_t ticket)
{
	return shoal_resolve_ask(r, host, port, &(struct shoal_resolve_for){ ticket, torrent, torrent + 1 });
}

static struct shoal_resolve_done next(void)
{
	struct shoal_resolve_done done;
	for (int i = 0; i < 2000; i++) {
		if (shoal_resolve_reap(r, &done) == 1)
			return done;
		struct pollfd p = { .fd = shoal_resolve_fd(r), .events = POLLIN };
		uint64_t count;
		if (poll(&p, 1, 10) > 0)
			assert_int_equal(read(p.fd, &count, sizeof count), sizeof count);
	}
	fail_msg("no answer");
	return done;
}

static void answers_have_their_port_and_their_asker(void **state)
{
	(void)state;
	assert_int_equal(ask("v4", 6881, 1, 100), 0);
	struct shoal_resolve_done done = next();
	struct shoal_addr want;
	assert_int_equal(shoal_addr_host("1.2.3.4", 6881, &want), 0);
	assert_int_equal(done.err, 0);
	assert_int_equal(done.count, 1);
	assert_memory_equal(&done.addr[0], &want, sizeof want);
	assert_true(done.asker.torrent == 1 && done.asker.ticket == 100 && done.asker.flags == 2);
	assert_int_equal(ask("nobody", 6882, 2, 200), 0);
	done = next();
	assert_true(done.err == SHOAL_ERR_GONE && done.count == 0 && done.asker.torrent == 2 &&
		    done.asker.ticket == 200);
	assert_int_equal(ask("none", 6883, 3, 300), 0);
	done = next();
	assert_true(done.err == SHOAL_ERR_GONE && done.asker.torrent == 3);
	assert_int_equal(ask("many", 6884, 4, 400), 0);
	done = next();
	assert_true(done.err == 0 && done.count == SHOAL_RESOLVE_ADDRS_MAX && done.asker.torrent == 4);
	for (size_t i = 0; i < done.count; i++)
		assert_int_equal(done.addr[i].port, 6884);
	assert_int_equal(shoal_resolve_reap(r, &done), 0);
}

/* A name whose servers are dead holds up itself and no other; as many as there are threads hold up the rest. */
static void a_slow_name_holds_up_no_other(void **state)
{
	struct shoal_resolve_done done;
	(void)state;
	slow = 1;
	for (uint32_t i = 1; i < SHOAL_RESOLVE_THREADS_MAX; i++)
		assert_int_equal(ask("slow", 1, i, 0), 0);
	for (uint32_t i = 100; i < 120; i++) {
		assert_int_equal(ask("v4", 1, i, 0), 0);
		assert_int_equal(next().asker.torrent, i);
	}
	assert_int_equal(ask("slow", 1, SHOAL_RESOLVE_THREADS_MAX, 0), 0);
	assert_int_equal(ask("v4", 1, 200, 0), 0);
	usleep(20000);
	assert_int_equal(shoal_resolve_reap(r, &done), 0);
	slow = 0;
	uint32_t sum = 0;
	for (uint32_t i = 0; i <= SHOAL_RESOLVE_THREADS_MAX; i++)
		sum += next().asker.torrent;
	assert_int_equal(sum, SHOAL_RESOLVE_THREADS_MAX * (SHOAL_RESOLVE_THREADS_MAX + 1) / 2 + 200);
}

static void the_queue_has_its_bound(void **state)
{
	char longest[SHOAL_HOST_MAX + 1];
	(void)state;
	held = 1;
	for (unsigned i = 0; i < SHOAL_RESOLVE_WAITING_MAX; i++)
		assert_int_equal(ask("v4", 1, i, i), 0);
	assert_int_equal(ask("v4", 1, 99, 99), SHOAL_ERR_BUSY);
	held = 0;
	bool seen[SHOAL_RESOLVE_WAITING_MAX + 1] = { false };
	seen[next().asker.torrent] = true;
	assert_int_equal(ask("v4", 1, SHOAL_RESOLVE_WAITING_MAX, 0), 0);
	for (unsigned i = 1; i <= SHOAL_RESOLVE_WAITING_MAX; i++) {
		uint32_t torrent = next().asker.torrent;
		assert_true(torrent <= SHOAL_RESOLVE_WAITING_MAX && !seen[torrent]);
		seen[torrent] = true;
	}
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_int_equal(ask(longest, 1, 0, 0), SHOAL_ERR_TOO_LONG);
}

static void freeing_waits_for_no_lookup(void **state)
{
	(void)state;
	held = 1;
	assert_int_equal(ask("v4", 1, 0, 0), 0);
	assert_int_equal(ask("v4", 1, 1, 1), 0);
	while (lookups < 2)
		usleep(1000);
	shoal_us start = shoal_os_real.now();
	shoal_resolve_free(r);
	r = NULL;
	assert_true(shoal_os_real.now() - start < SHOAL_S(2));
	held = 0;
	usleep(50000); /* the orphan ends; a sanitizer would see it touch what is gone, or leak */
	assert_int_equal(lookups, 2);
}

static int no_thread(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	(void)thread, (void)run, (void)arg;
	errno = EAGAIN;
	return -1;
}
static int no_eventfd(unsigned start, int flags)
{
	(void)start, (void)flags;
	errno = EMFILE;
	return -1;
}

static void shortages_are_told(void **state)
{
	static struct shoal_os_ops poor;
	(void)state;
	poor = shoal_os_real;
	poor.thread_start = no_thread;
	tear_down(NULL);
	assert_int_equal(shoal_resolve_new(&r, &poor, lookup), 0);
	assert_int_equal(ask("v4", 1, 0, 0), SHOAL_ERR_NOMEM);
	poor.thread_start = shoal_os_real.thread_start;
	assert_int_equal(ask("v4", 1, 7, 0), 0); /* and it can be tried again */
	assert_int_equal(next().asker.torrent, 7);
	tear_down(NULL);
	poor.eventfd = no_eventfd;
	assert_int_equal(shoal_resolve_new(&r, &poor, lookup), SHOAL_ERR_IO);
	assert_null(r);
}

static void the_system_knows_localhost(void **state)
{
	bool loopback = false;
	(void)state;
	tear_down(NULL);
	assert_int_equal(shoal_resolve_new(&r, &shoal_os_real, NULL), 0);
	assert_int_equal(ask("localhost", 6881, 0, 0), 0);
	struct shoal_resolve_done done = next();
	assert_int_equal(done.err, 0);
	for (size_t i = 0; i < done.count; i++) {
		loopback |= shoal_addr_is_loopback(&done.addr[i]);
		assert_int_equal(done.addr[i].port, 6881);
		for (size_t k = 0; k < i; k++)
			assert_true(memcmp(&done.addr[i], &done.addr[k], sizeof done.addr[i]) != 0);
	}
	assert_true(loopback);
	assert_int_equal(ask("127.1", 6881, 0, 0), 0);
	done = next();
	assert_true(done.err == 0 && done.count == 1 && shoal_addr_is_loopback(&done.addr[0]));
	assert_int_equal(ask("no.such.name.invalid", 6881, 0, 0), 0);
	assert_true(next().err < 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(answers_have_their_port_and_their_asker),
		CASE(a_slow_name_holds_up_no_other),
		CASE(the_queue_has_its_bound),
		CASE(freeing_waits_for_no_lookup),
		CASE(shortages_are_told),
		CASE(the_system_knows_localhost),
	};
	own_net(); /* a name the machine does not know is asked of nobody */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
