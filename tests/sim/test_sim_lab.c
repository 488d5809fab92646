/*
 * test_sim_lab.c - whole scenarios by tools/lab, and that their digests are the same whatever compiled them.
 *
 * Each build of this tree leaves what it made of the scenarios in build/digests/, under a digest of the sources it was built
 * from, and is held against what the others have left there. tools/check runs this with gcc first (release) and then with
 * clang under ASan, so it is there that two compilers meet; a build that is alone says so.
 */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/digest.h"
#include "tools/lab/suite.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* All that reckons with fractions, and all that draws dice: blame, priors, trust, trials; loss, jitter, flips, crashes. */
static const struct {
	const char *name, *text;
} scenes[] = {
	{ "liars",
	  "name: liars\n"
	  "summary: blame by odds\n"
	  "content: { size: 2M, piece: 128K, format: v1 }\n"
	  "nodes:\n"
	  "  - { name: seed, has: all, up: 20Mbit, rtt: 40ms }\n"
	  "  - { name: honest, count: 7, up: 5Mbit, down: 50Mbit, rtt: \"loguniform(20ms, 200ms)\", jitter: 5ms,\n"
	  "      loss: 0.1%, disk: { flips: 0.1% } }\n"
	  "  - { name: polluters, count: 3, has: all, up: 5Mbit, adversary: { kind: polluter, rate: 20% } }\n"
	  "  - { name: washer, has: all, up: 5Mbit, adversary: { kind: whitewasher, rate: 100%, after: 2s } }\n"
	  "  - { name: rider, up: 5Mbit, down: 50Mbit, adversary: { kind: free-rider } }\n"
	  "events:\n"
	  "  - { at: 50%, kind: crash, how: power, who: 2 of honest, for: 2s }\n"
	  "must_hold: [always completed == 100%, always rules_broken == 0, always same_twice == 1]\n" },
	{ "leaves",
	  "name: leaves\n"
	  "summary: blame by leaves, and other rules\n"
	  "content: { size: 3M, piece: 64K, format: hybrid, files: 3 }\n"
	  "nodes:\n"
	  "  - { name: seed, has: all, up: 10Mbit, rtt: 40ms }\n"
	  "  - { name: honest, count: 9, up: \"lognormal(5Mbit, 0.6)\", down: 50Mbit, rtt: \"uniform(20ms, 200ms)\",\n"
	  "      join: \"poisson(500ms)\", leave: 5s }\n"
	  "  - { name: traitors, count: 2, has: all, up: 5Mbit, adversary: { kind: traitor, good: 20, bad: 10, rate: "
	  "50% } }\n"
	  "  - { name: fakers, count: 2, up: 5Mbit, adversary: { kind: fake-haver } }\n"
	  "  - { name: slow, has: all, up: 5Mbit, adversary: { kind: slow-loris } }\n"
	  "must_hold: [always completed == 100%, always rules_broken == 0, always same_twice == 1,\n"
	  "            always completed(lt) == 100%, always completed(off) == 100%]\n" },
};
#define SCENES (sizeof scenes / sizeof *scenes)

/* Of each scenario: what came of it under our rules, libtorrent's and plain ones, in one number. */
static uint64_t digest[SCENES];

static void note(void *to, const struct lab_result *r, const char *run)
{
	(void)run;
	uint64_t *sum = to;
	*sum = (*sum ^ r->state ^ r->steps << 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static void scenarios_hold_and_repeat(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCENES; i++) {
		struct lab_suite suite;
		struct lab_fault fault;
		const struct lab_suite_options o = {
			.has_seeds = true, .first = 1, .last = 1, .ended = note, .to = &digest[i]
		};
		int rc = lab_suite_open(&suite, shoal_bytes((const uint8_t *)scenes[i].text, strlen(scenes[i].text)),
					&o, &fault);
		if (rc < 0)
			fail_msg("%s: %s", scenes[i].name, fault.what);
		lab_suite_judge(&suite);
		for (unsigned k = 0; k < suite.lines; k++)
			if (suite.line[k].verdict != LAB_HELD)
				fail_msg("%s: %s: %s", scenes[i].name, suite.line[k].text,
					 lab_verdict_text(suite.line[k].verdict));
		assert_int_equal(suite.verdict, LAB_HELD);
		print_message("%s: %016llx\n", scenes[i].name, (unsigned long long)digest[i]);
		lab_suite_fini(&suite);
	}
}

/* ---- other builds ------------------------------------------------------------------------------- */

static struct sources {
	uint64_t sum; /* order does not matter: a sum of each file's digest */
	size_t files;
	struct timespec newest;
} sources;

static bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

static int take_source(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	size_t len = strlen(path);
	(void)ftw;
	if (type != FTW_F || len < 2 || path[len - 2] != '.' || (path[len - 1] != 'c' && path[len - 1] != 'h'))
		return 0;
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc((size_t)st->st_size + 1), whole[32];
	assert_non_null(file);
	assert_non_null(bytes);
	size_t n = fread(bytes, 1, (size_t)st->st_size, file);
	fclose(file);
	shoal_sha256(shoal_bytes(bytes, n), whole);
	free(bytes);
	uint64_t part;
	memcpy(&part, whole, sizeof part);
	sources.sum += part;
	sources.files++;
	if (later(st->st_mtim, sources.newest))
		sources.newest = st->st_mtim;
	return 0;
}

/* What is linked into a run of the lab. */
static void take_sources(const char *tree)
{
	static const char *const rooms[] = { "include",	     "proto",	   "dht",	"swarm/peers",
					     "swarm/pieces", "swarm/core", "tools/lab", "tests/sim" };
	for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
		char path[4096];
		assert_true((size_t)snprintf(path, sizeof path, "%s/%s", tree, rooms[i]) < sizeof path);
		assert_int_equal(nftw(path, take_source, 16, FTW_PHYS), 0);
	}
	assert_true(sources.files > 100);
}

static void record_name(char *to, size_t size, const char *folder, const char *build)
{
	const char *last = strrchr(build, '/');
	int n = snprintf(to, size, "%s/%016llx-%s", folder, (unsigned long long)sources.sum,
			 last != NULL ? last + 1 : build);
	assert_true(n > 0 && (size_t)n < size);
}

static void put_record(const char *name)
{
	char temporary[4200];
	snprintf(temporary, sizeof temporary, "%s.%ld", name, (long)getpid());
	FILE *file = fopen(temporary, "w");
	assert_non_null(file);
	fprintf(file, "%s\n", COMPILER);
	for (size_t i = 0; i < SCENES; i++)
		fprintf(file, "%s %016llx\n", scenes[i].name, (unsigned long long)digest[i]);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(temporary, name), 0);
}

/* The number of scenarios on which that build and this one do not agree. */
static unsigned hold_against(const char *path)
{
	char compiler[256] = "?", line[64];
	unsigned differ = 0, seen = 0;
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	if (fgets(compiler, sizeof compiler, file) != NULL)
		compiler[strcspn(compiler, "\n")] = 0;
	while (fgets(line, sizeof line, file) != NULL)
		for (size_t i = 0; i < SCENES; i++) {
			size_t len = strlen(scenes[i].name);
			if (strncmp(line, scenes[i].name, len) != 0 || line[len] != ' ')
				continue;
			unsigned long long was = strtoull(line + len, NULL, 16);
			seen++;
			if (was == digest[i])
				continue;
			differ++;
			print_error("%s, seed 1: %016llx by " COMPILER ", %016llx by %s (%s)\n", scenes[i].name,
				    (unsigned long long)digest[i], was, compiler, path);
		}
	fclose(file);
	assert_int_equal(seen, SCENES);
	print_message("held against %s\n", compiler);
	return differ;
}

static void every_compiler_makes_the_same_of_them(void **state)
{
	const char *tree = getenv("SHOAL_TREE"), *build = getenv("SHOAL_BUILD");
	char folder[4000], mine[4100], other[4400];
	struct stat program;
	unsigned differ = 0, others = 0;
	(void)state;
	if (tree == NULL || build == NULL)
		skip();		     /* by hand: ctest says where they are */
	assert_true(digest[0] != 0); /* or the test before has failed */
	take_sources(tree);
	assert_int_equal(stat("/proc/self/exe", &program), 0);
	if (later(sources.newest, program.st_mtim)) {
		print_message("the sources are newer than this program: build first\n");
		return;
	}
	assert_true((size_t)snprintf(folder, sizeof folder, "%s/build/digests", tree) < sizeof folder);
	if (mkdir(folder, 0777) < 0 && errno != EEXIST) {
		print_message("%s: %s; held against no other build\n", folder, strerror(errno));
		return;
	}
	record_name(mine, sizeof mine, folder, build);
	put_record(mine);
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
		snprintf(other, sizeof other, "%s/%s", folder, e->d_name);
		if (e->d_name[0] == '.' || strcmp(other, mine) == 0 || strchr(e->d_name, '.') != NULL)
			continue;
		if (strncmp(other, mine, strlen(folder) + 1 + 16) != 0) {
			unlink(other); /* of sources that are no more */
			continue;
		}
		differ += hold_against(other);
		others++;
	}
	closedir(dir);
	if (others == 0)
		print_message("no other build of these sources has run yet\n");
	assert_int_equal(differ, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scenarios_hold_and_repeat),
		cmocka_unit_test(every_compiler_makes_the_same_of_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
