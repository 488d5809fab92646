/* test_loop.c - pipes, deadlines, edges and wakes; watches that end in the middle of a round. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>
#include "swarm/io/loop.h"

static struct shoal_loop *loop;

static int set_up(void **state)
{
	(void)state;
	return shoal_loop_new(&loop, &shoal_os_real);
}

static int tear_down(void **state)
{
	(void)state;
	shoal_loop_free(loop);
	loop = NULL;
	return 0;
}

/* A pipe's reading end under watch, which counts what it is told. */
struct end {
	struct shoal_watch watch;
	int in, out;
	unsigned told;
	struct end *kills;
};

static void end_ready(void *to, unsigned what)
{
	struct end *end = to;
	assert_true(what == SHOAL_LOOP_READ || what == SHOAL_LOOP_WRITE);
	end->told++;
	if (end->kills != NULL)
		shoal_watch_fini(&end->kills->watch);
}

static void end_open(struct end *end)
{
	int fd[2];
	assert_int_equal(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
	*end = (struct end){ .in = fd[0], .out = fd[1] };
	shoal_watch_init(&end->watch, loop, end->in, end_ready, end);
}

static void end_close(struct end *end)
{
	shoal_watch_fini(&end->watch);
	close(end->in);
	close(end->out);
}

static void round_now(void)
{
	assert_int_equal(shoal_loop_run(loop, 0), 0);
}

static void readiness_is_told_while_it_lasts_and_is_wanted(void **state)
{
	struct end end;
	char byte = 'x';
	(void)state;
	end_open(&end);
	assert_int_equal(shoal_watch_set(&end.watch, SHOAL_LOOP_READ), 0);
	round_now();
	assert_int_equal(end.told, 0);
	assert_int_equal(write(end.out, &byte, 1), 1);
	round_now();
	round_now();
	assert_int_equal(end.told, 2); /* level triggered */
	assert_int_equal(shoal_watch_set(&end.watch, 0), 0);
	round_now();
	assert_int_equal(end.told, 2);
	/* To and fro within a round ends where it ends. */
	for (int i = 0; i < 1001; i++)
		assert_int_equal(shoal_watch_set(&end.watch, i % 2 == 0 ? SHOAL_LOOP_READ : 0), 0);
	round_now();
	assert_int_equal(end.told, 3);
	assert_int_equal(read(end.in, &byte, 1), 1);
	round_now();
	assert_int_equal(end.told, 3);
	close(end.out); /* a hang-up is told as readiness */
	end.out = -1;
	round_now();
	assert_int_equal(end.told, 4);
	end_close(&end);
}

static void writing_is_told(void **state)
{
	int fd[2];
	struct end end = { .in = -1 };
	(void)state;
	assert_int_equal(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
	shoal_watch_init(&end.watch, loop, fd[1], end_ready, &end);
	assert_int_equal(shoal_watch_set(&end.watch, SHOAL_LOOP_WRITE), 0);
	round_now();
	assert_int_equal(end.told, 1);
	char full[65536] = { 0 };
	while (write(fd[1], full, sizeof full) > 0)
		;
	round_now();
	assert_int_equal(end.told, 1);
	shoal_watch_fini(&end.watch);
	shoal_watch_fini(&end.watch);
	close(fd[0]);
	close(fd[1]);
}

static void a_watch_that_another_ends_is_told_nothing(void **state)
{
	struct end a, b;
	char byte = 'x';
	(void)state;
	end_open(&a);
	end_open(&b);
	a.kills = &b;
	b.kills = &a;
	assert_int_equal(shoal_watch_set(&a.watch, SHOAL_LOOP_READ), 0);
	assert_int_equal(shoal_watch_set(&b.watch, SHOAL_LOOP_READ), 0);
	assert_int_equal(write(a.out, &byte, 1), 1);
	assert_int_equal(write(b.out, &byte, 1), 1);
	round_now();
	assert_int_equal(a.told + b.told, 1); /* both were ready; one ended the other */
	round_now();
	assert_int_equal(a.told + b.told, 2);
	end_close(&a);
	end_close(&b);
}

static void a_descriptor_used_anew_is_watched_anew(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		struct end end;
		char byte = 'x';
		end_open(&end);
		assert_int_equal(shoal_watch_set(&end.watch, SHOAL_LOOP_READ), 0);
		assert_int_equal(write(end.out, &byte, 1), 1);
		if (i % 3 != 0) { /* the others end before the kernel ever heard of them */
			round_now();
			assert_int_equal(end.told, 1);
		}
		end_close(&end);
	}
}

static void an_edge_is_told_once(void **state)
{
	struct end end = { .out = -1 };
	uint64_t one = 1;
	(void)state;
	end.in = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(end.in >= 0);
	shoal_watch_init(&end.watch, loop, end.in, end_ready, &end);
	assert_int_equal(shoal_watch_set(&end.watch, SHOAL_LOOP_READ | SHOAL_LOOP_EDGE), 0);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(write(end.in, &one, sizeof one), sizeof one);
		round_now();
		round_now();
		assert_int_equal(end.told, i); /* though nobody has read it */
	}
	shoal_watch_fini(&end.watch);
	close(end.in);
}

/* Runs rounds until `until`, and says how late the last one was over. */
static int64_t late(shoal_us until)
{
	for (int rounds = 0; rounds < 100; rounds++) {
		assert_int_equal(shoal_loop_run(loop, until), 0);
		shoal_us now = shoal_os_real.now();
		if (now >= until)
			return (int64_t)(now - until);
	}
	fail_msg("the timer rings all the time");
	return 0;
}

static void deadlines_are_met(void **state)
{
	static const shoal_us waits[] = { 1000, 20000, 300, 5000, 1, 40000 };
	(void)state;
	int64_t best = INT64_MAX;
	for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
		int64_t l = late(shoal_os_real.now() + waits[i]);
		assert_true(l < 2000000); /* a busy machine may be late; never early, never for ever */
		best = l < best ? l : best;
	}
	assert_true(best < 1000); /* libevent's own clock steps by 4 ms */
	/* One that lies nearer than the one before, and one that is taken back. */
	shoal_us far = shoal_os_real.now() + SHOAL_MS(200);
	assert_int_equal(shoal_loop_run(loop, 0), 0);
	late(shoal_os_real.now() + SHOAL_MS(1));
	assert_true(shoal_os_real.now() < far + SHOAL_S(1));
	late(far);
}

static void the_clock_is_read_once_a_round(void **state)
{
	(void)state;
	round_now();
	shoal_us first = shoal_loop_now(loop);
	usleep(2000);
	assert_true(shoal_loop_now(loop) == first);
	round_now();
	assert_true(shoal_loop_now(loop) >= first + 2000);
	first = shoal_loop_now(loop);
	usleep(2000);
	shoal_loop_refresh(loop);
	assert_true(shoal_loop_now(loop) >= first + 2000);
}

static void *wake_soon(void *arg)
{
	(void)arg;
	usleep(10000);
	shoal_loop_wake(loop);
	return NULL;
}

static void a_wake_from_another_thread_ends_the_wait(void **state)
{
	pthread_t thread;
	(void)state;
	assert_false(shoal_loop_woken(loop));
	for (int i = 0; i < 5; i++) {
		shoal_us start = shoal_os_real.now();
		assert_int_equal(pthread_create(&thread, NULL, wake_soon, NULL), 0);
		while (!shoal_loop_woken(loop)) {
			assert_int_equal(shoal_loop_run(loop, start + SHOAL_S(20)), 0);
			assert_true(shoal_os_real.now() < start + SHOAL_S(20));
		}
		pthread_join(thread, NULL);
	}
	/* One that came before the wait counts too; many are one. */
	for (int i = 0; i < 1000; i++)
		shoal_loop_wake(loop);
	assert_int_equal(shoal_loop_run(loop, SHOAL_NEVER), 0);
	assert_true(shoal_loop_woken(loop));
	assert_false(shoal_loop_woken(loop));
}

static void on_alarm(int signal)
{
	(void)signal;
	shoal_loop_wake(loop);
}

static void a_wake_from_a_signal_handler_ends_the_wait(void **state)
{
	struct sigaction act = { .sa_handler = on_alarm }, before;
	struct itimerval soon = { .it_value = { 0, 10000 } };
	(void)state;
	assert_int_equal(sigaction(SIGALRM, &act, &before), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	shoal_us limit = shoal_os_real.now() + SHOAL_S(20);
	while (!shoal_loop_woken(loop)) {
		assert_int_equal(shoal_loop_run(loop, limit), 0);
		assert_true(shoal_os_real.now() < limit);
	}
	sigaction(SIGALRM, &before, NULL);
}

static int no_eventfd(unsigned start, int flags)
{
	(void)start, (void)flags;
	errno = EMFILE;
	return -1;
}

static void without_descriptors_there_is_no_loop(void **state)
{
	struct shoal_os_ops poor = shoal_os_real;
	struct shoal_loop *none = NULL;
	(void)state;
	poor.eventfd = no_eventfd;
	assert_int_equal(shoal_loop_new(&none, &poor), SHOAL_ERR_IO);
	assert_null(none);
	shoal_loop_free(NULL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(readiness_is_told_while_it_lasts_and_is_wanted),
		CASE(writing_is_told),
		CASE(a_watch_that_another_ends_is_told_nothing),
		CASE(a_descriptor_used_anew_is_watched_anew),
		CASE(an_edge_is_told_once),
		CASE(deadlines_are_met),
		CASE(the_clock_is_read_once_a_round),
		CASE(a_wake_from_another_thread_ends_the_wait),
		CASE(a_wake_from_a_signal_handler_ends_the_wait),
		CASE(without_descriptors_there_is_no_loop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
