/* tools/signals.c - what a signal handler may do, and no more. */
#include "tools/signals.h"

#include "tools/exit.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SAME_US SHOAL_MS(250) /* timeout(1), for one, signals us and then our group: that is one signal, not two */

/* What a signal handler may touch. */
static volatile sig_atomic_t signals;
static struct shoal_engine *volatile signalled;
static volatile shoal_us signalled_at;

shoal_us shoal_signals_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (shoal_us)ts.tv_sec * 1000000 + (shoal_us)ts.tv_nsec / 1000;
}

static void on_signal(int signal)
{
	shoal_us now = shoal_signals_now();
	(void)signal;
	if (signals == 0)
		signalled_at = now;
	else if (now - signalled_at >= SAME_US)
		_exit(SHOAL_EXIT_INTERRUPTED);
	signals = 1;
	if (signalled)
		signalled->ops->wake(signalled);
}

static void set(int signal, void (*handler)(int))
{
	struct sigaction act = { .sa_handler = handler };
	sigemptyset(&act.sa_mask);
	sigaction(signal, &act, NULL);
}

void shoal_signals_heed(void)
{
	struct sigaction was;
	set(SIGINT, on_signal);
	set(SIGTERM, on_signal);
	if (sigaction(SIGHUP, NULL, &was) == 0 && was.sa_handler != SIG_IGN) /* nohup(1) */
		set(SIGHUP, on_signal);
}

void shoal_signals_catch(void)
{
	shoal_signals_heed();
	set(SIGPIPE, SIG_IGN);
}

void shoal_signals_wake(struct shoal_engine *engine)
{
	signalled = engine;
}

bool shoal_signals_came(void)
{
	return signals != 0;
}
