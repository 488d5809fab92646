/* test_syscalls.c - each call into the system fails, one at a time, while one engine fetches from another. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/fault/faulty.h"
#include "tests/fault/pair.h"
#include "tests/unit/own_net.h"

#define PATIENCE_MS 20000
#define CASES_MAX 8000
#define CHILDREN 8

static unsigned descriptors(void)
{
	unsigned n = 0;
	DIR *dir = opendir("/proc/self/fd");
	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

struct sums {
	unsigned runs, ends[5], silent, failures;
};
static const char *const end_name[] = { "complete", "refused", "ended", "paused", "nothing" };

struct a_case {
	unsigned party, entry, nth;
	int os;
	bool magnet;
};

/* One run with a fault; then one without, on what it left. */
static void one(struct pair_content *c, const struct a_case *k, struct sums *sums)
{
	const struct shoal_os_ops *const table[2] = { faulty_table(0), faulty_table(1) };
	struct pair_result r, again;
	char why[200];
	unsigned before = descriptors();
	faulty_arm(!k->party, 0, 0, 0);
	faulty_arm(k->party, k->entry, k->nth, k->os);
	pair_run(c, table, k->magnet, PATIENCE_MS, &r);
	bool happened = faulty_happened(k->party);
	faulty_arm(k->party, 0, 0, 0);
	bool good = r.end == PAIR_COMPLETE ? pair_copy_right(c)
					   : r.end == PAIR_PAUSED || (r.end != PAIR_NOTHING && r.what[0]);
	bool claims = pair_claims_true(c, why);
	pair_run(c, table, k->magnet, PATIENCE_MS, &again);
	bool mended = again.end == PAIR_COMPLETE && pair_copy_right(c);
	unsigned after = descriptors();
	sums->runs++;
	sums->ends[r.end]++;
	sums->silent += !happened;
	if (!good || !claims || !mended || after != before || (!happened && r.end != PAIR_COMPLETE)) {
		sums->failures++;
		fprintf(stderr,
			"%s, call %u of %s fails with %s: %s '%s'%s%s; afterwards %s '%s', %d descriptors more\n",
			k->party ? "the one who fetches" : "the seed", k->nth, faulty_name(k->entry),
			strerrorname_np(k->os), end_name[r.end], r.what, claims ? "" : ", ", why, end_name[again.end],
			again.what, (int)(after - before));
	}
	pair_content_wipe(c);
}

/* How often each is called when all goes well. */
static void count_calls(struct pair_content *c, bool magnet, unsigned calls[2][64])
{
	const struct shoal_os_ops *const table[2] = { faulty_table(0), faulty_table(1) };
	struct pair_result r;
	faulty_arm(0, 0, 0, 0);
	faulty_arm(1, 0, 0, 0);
	pair_run(c, table, magnet, PATIENCE_MS, &r);
	if (r.end != PAIR_COMPLETE || !pair_copy_right(c))
		fail_msg("without any fault: %s '%s'", end_name[r.end], r.what);
	for (unsigned p = 0; p < 2; p++)
		for (unsigned e = 0; faulty_name(e) != NULL; e++)
			calls[p][e] = faulty_calls(p, e);
	pair_content_wipe(c);
}

/* The first call of each kind, one in the middle, the last, each with an error of its own; when there is time, every
 * call with every error. */
static size_t cases_make(unsigned calls[2][64], bool magnet, struct a_case out[CASES_MAX])
{
	static const int errors[] = { EIO, ENOSPC, EMFILE, EINTR },
			 net_errors[] = { ECONNRESET, ENOMEM, EMFILE, EINTR };
	bool every = getenv("SHOAL_LONG") != NULL, few = getenv("SHOAL_SHORT") != NULL;
	size_t n = 0;
	for (unsigned p = 0; p < 2; p++) {
		for (unsigned e = 0; faulty_name(e) != NULL; e++) {
			unsigned errs = faulty_moves(e) ? 4 : 3, last = 0;
			for (unsigned i = 0; i < (every ? calls[p][e] * errs : few ? 1 : errs); i++) {
				unsigned nth = every	       ? i / errs + 1
					       : i == 0	       ? 1
					       : i == errs - 1 ? calls[p][e]
							       : 1 + calls[p][e] * i / errs;
				if (nth > calls[p][e] || (!every && nth == last) || n == CASES_MAX)
					continue;
				last = nth;
				int os = faulty_is_net(e) ? net_errors[i % errs] : errors[i % errs];
				out[n++] = (struct a_case){ p, e, nth, os, magnet };
			}
		}
	}
	return n;
}

/* Most of a run is waiting, so several go side by side, each in a process and folders of its own. */
static void all_of(enum shoal_format format, bool magnet)
{
	static struct a_case list[CASES_MAX];
	unsigned calls[2][64] = { 0 };
	struct pair_content c;
	struct sums sums = { 0 };
	int pipe_fd[2];
	pid_t child[CHILDREN];
	pair_content_make(&c, format);
	count_calls(&c, magnet, calls);
	pair_content_free(&c);
	size_t n = cases_make(calls, magnet, list);
	assert_int_equal(pipe(pipe_fd), 0);
	fflush(NULL);
	for (unsigned i = 0; i < CHILDREN; i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (child[i] > 0)
			continue;
		struct sums mine = { 0 };
		pair_content_make(&c, format);
		for (size_t k = i; k < n; k += CHILDREN)
			one(&c, &list[k], &mine);
		pair_content_free(&c);
		_exit(write(pipe_fd[1], &mine, sizeof mine) == sizeof mine ? 0 : 1);
	}
	for (unsigned i = 0; i < CHILDREN; i++) {
		int status = 1;
		struct sums his = { 0 };
		assert_true(waitpid(child[i], &status, 0) == child[i]);
		if (status == 0)
			assert_int_equal(read(pipe_fd[0], &his, sizeof his), sizeof his);
		else
			fprintf(stderr, "a process ended with status 0x%x\n", (unsigned)status);
		sums.failures += his.failures + (status != 0);
		sums.runs += his.runs;
		sums.silent += his.silent;
		for (unsigned k = 0; k < 5; k++)
			sums.ends[k] += his.ends[k];
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	print_message("%u runs:", sums.runs);
	for (unsigned i = 0; i < 5; i++)
		print_message(" %u %s,", sums.ends[i], end_name[i]);
	print_message(" %u without the call; each was complete when run again\n", sums.silent);
	assert_int_equal(sums.failures, 0);
	assert_true(sums.runs > 30);
}

static void files_by_torrent(void **state)
{
	(void)state;
	all_of(SHOAL_FORMAT_V1, false);
}
static void one_file_by_magnet(void **state)
{
	(void)state;
	all_of(SHOAL_FORMAT_V2, true);
}

int main(void)
{
	own_net();
	const struct CMUnitTest tests[] = { cmocka_unit_test(files_by_torrent), cmocka_unit_test(one_file_by_magnet) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
