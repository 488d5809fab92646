/* test_store_cuts.c - power cuts, failing disks, and each OS call failing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proto/base/rng.h"
#include "swarm/io/store_sqlite.h"
#include "tests/unit/own_place.h"
#include "tests/unit/own_store.h"
#include "tests/unit/own_torn_vfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CUT_KEYS = 5, CUT_BATCHES = 40 };

/* Batch n sets all keys to n; so what is found must be one number, and none below what was promised. */
static void batches(struct shoal_store_sqlite *s, unsigned from, unsigned to)
{
	char key[16], value[3000];
	for (unsigned n = from; n <= to; n++) {
		for (int k = 0; k < CUT_KEYS; k++) {
			snprintf(key, sizeof key, "k%d", k);
			memset(value, 'x', sizeof value);
			value[snprintf(value, sizeof value, "%08u", n)] = ' ';
			value[sizeof value - 1 - n % 7] = '\0';
			own_store_put(s, 1, key, value);
		}
		if (own_store_commit(s, n) == 0)
			own_torn_note(n);
	}
}
static unsigned found(struct shoal_store_sqlite *s)
{
	unsigned all = 0;
	for (int k = 0; k < CUT_KEYS; k++) {
		char key[16];
		snprintf(key, sizeof key, "k%d", k);
		const char *value = own_store_get(s, 1, key);
		unsigned n = value ? (unsigned)strtoul(value, NULL, 10) : 0;
		if (k == 0)
			all = n;
		assert_int_equal(n, all);
	}
	return all;
}

static void a_power_cut_loses_no_promise(void **state)
{
	(void)state;
	struct shoal_rng rng = shoal_rng_split(11, 11);
	char at_work[300];
	struct shoal_store_sqlite *s = own_store_opened_with(OWN_TORN_VFS, NULL);
	batches(s, 1, CUT_BATCHES / 2);
	shoal_store_sqlite_close(s); /* folds the log in: cuts in there as well */
	s = own_store_opened_with(OWN_TORN_VFS, NULL);
	batches(s, CUT_BATCHES / 2 + 1, CUT_BATCHES);
	shoal_store_sqlite_close(s);
	memcpy(at_work, own_store_dir, sizeof at_work);
	unsigned count = own_torn_count(), aside = 0;
	for (unsigned at = 0; at <= count; at += 1 + shoal_rng_below(&rng, 3)) {
		for (int again = 0; again < 2; again++) {
			snprintf(own_store_dir, sizeof own_store_dir, "%s/cut", own_place);
			assert_int_equal(mkdir(own_store_dir, 0700), 0);
			unsigned promised = own_torn_cut(at, &rng, own_store_dir);
			struct shoal_store_options options = { .os = &own_faults, .state = own_store_dir, .vfs = NULL };
			char what[160];
			int rc = shoal_store_sqlite_open(&s, &options, what);
			if (rc < 0)
				fail_msg("cut %u: %d %s", at, rc, what);
			unsigned is = found(s);
			if (is < promised || is > promised + 1)
				fail_msg("cut %u of %u: %u was promised, %u is there; %s", at, count, promised, is,
					 what);
			aside += what[0] != '\0'; /* only a newborn may be in pieces, and then nothing was promised */
			shoal_store_sqlite_close(s);
			own_folder_end(own_store_dir);
		}
	}
	print_message("%u log entries, %u newborns in pieces\n", count, aside);
	memcpy(own_store_dir, at_work, sizeof own_store_dir);
}

static void a_failing_disk_fails_commits_and_no_more(void **state)
{
	(void)state;
	struct shoal_store_sqlite *s = own_store_opened_with(OWN_TORN_VFS, NULL);
	batches(s, 1, 3);
	own_torn_fail(0, false);
	batches(s, 4, 5);
	unsigned calls = own_torn_calls();
	assert_true(calls > 0);
	unsigned promised = 5, n = 6, failures = 0;
	for (int full = 0; full < 2; full++) {
		for (unsigned at = 1; at <= calls; at++, n++) {
			char key[16], value[3000];
			for (int k = 0; k < CUT_KEYS; k++) {
				snprintf(key, sizeof key, "k%d", k);
				memset(value, 'y', sizeof value);
				value[snprintf(value, sizeof value, "%08u", n)] = ' ';
				value[sizeof value - 1] = '\0';
				own_store_put(s, 1, key, value);
			}
			own_torn_fail(at, full);
			int err = own_store_commit(s, n);
			own_torn_fail(0, false);
			assert_true(err == 0 || err == SHOAL_ERR_IO || err == SHOAL_ERR_NO_SPACE);
			failures += err < 0;
			if (err == 0)
				promised = n;
			assert_int_equal(found(s), promised);
		}
	}
	assert_true(failures > 0);
	shoal_store_sqlite_close(s);
	s = own_store_opened();
	assert_int_equal(found(s), promised);
	shoal_store_sqlite_close(s);
}

static void every_call_may_fail(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct shoal_store_options options = { .os = &own_faults, .state = own_store_dir, .vfs = NULL };
		struct shoal_store_sqlite *s = NULL;
		struct shoal_store_done done;
		own_faults_arm(n, EIO, 0);
		int rc = shoal_store_sqlite_open(&s, &options, NULL);
		if (rc == 0) {
			struct shoal_store st = shoal_store_sqlite_store(s);
			own_store_put(s, 1, "a", "b");
			assert_int_equal(st.ops->commit(st.s, 1), 0);
			for (int ms = 0; st.ops->reap(st.s, &done, 1) == 0; ms++) {
				assert_true(ms < 20000);
				usleep(1000);
			}
			if (done.err == 0)
				assert_string_equal(own_store_get(s, 1, "a"), "b");
			else
				assert_null(own_store_get(s, 1, "a"));
		}
		shoal_store_sqlite_close(s);
		unsigned calls = own_faults_calls();
		own_faults_arm(0, 0, 0);
		assert_int_equal(own_faults_open(), 0);
		if (own_exists(own_place, "state"))
			own_folder_end(own_store_dir);
		if (n > calls)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own_store_test(a_power_cut_loses_no_promise),
		own_store_test(a_failing_disk_fails_commits_and_no_more),
		own_store_test(every_call_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
