/*
 * tools/bench/clock.h - the clocks that the benches read.
 */
#ifndef SHOAL_BENCH_CLOCK_H
#define SHOAL_BENCH_CLOCK_H

#include <time.h>

static inline double bench_seconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
/* Time that passes. */
static inline double bench_now(void)
{
	return bench_seconds(CLOCK_MONOTONIC);
}
static inline double bench_now_ns(void)
{
	return bench_now() * 1e9;
}
/* What all threads have used, user and system. */
static inline double bench_cpu(void)
{
	return bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
}

#endif
