/* test_store_sqlite.c - what was committed is there, whole and in order; alone, and next to others. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "swarm/io/store_sqlite.h"
#include "tests/unit/own_place.h"
#include "tests/unit/own_store.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void records_come_back(void **state)
{
	(void)state;
	struct stat st;
	struct shoal_store_sqlite *s = own_store_opened();
	assert_null(own_store_get(s, SHOAL_STORE_FILE, "a"));
	own_store_put(s, SHOAL_STORE_FILE, "a", "one");
	own_store_put(s, SHOAL_STORE_FILE, "", "no key");
	own_store_put(s, SHOAL_STORE_TORRENT, "a", "other kind");
	own_store_put(s, SHOAL_STORE_FILE, "b", "");
	assert_null(own_store_get(s, SHOAL_STORE_FILE, "a")); /* not committed, not seen */
	assert_int_equal(own_store_commit(s, 7), 0);
	assert_string_equal(own_store_get(s, SHOAL_STORE_FILE, "a"), "one");
	assert_string_equal(own_store_get(s, SHOAL_STORE_FILE, ""), "no key");
	assert_string_equal(own_store_get(s, SHOAL_STORE_FILE, "b"), "");
	assert_string_equal(own_store_get(s, SHOAL_STORE_TORRENT, "a"), "other kind");
	own_store_put(s, SHOAL_STORE_FILE, "a", "two");
	own_store_put(s, SHOAL_STORE_FILE, "a", "three"); /* the last of a batch holds */
	own_store_drop(s, SHOAL_STORE_FILE, "b");
	own_store_drop(s, SHOAL_STORE_FILE, "never was");
	own_store_drop(s, SHOAL_STORE_FILE,
		       "back"); /* records of a batch are written in the order of keys; those of one key in theirs */
	own_store_put(s, SHOAL_STORE_FILE, "bac", "a shorter key");
	own_store_put(s, SHOAL_STORE_FILE, "gone", "for a moment");
	own_store_put(s, SHOAL_STORE_FILE, "back", "again");
	own_store_drop(s, SHOAL_STORE_FILE, "gone");
	assert_int_equal(own_store_commit(s, 8), 0);
	own_store_put(s, SHOAL_STORE_FILE, "lost", "no commit follows");
	shoal_store_sqlite_close(s);
	assert_int_equal(stat(own_store_dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(own_store_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_false(own_exists(own_store_dir, "shoal.db-wal"));

	s = own_store_opened();
	assert_string_equal(own_store_get(s, SHOAL_STORE_FILE, "a"), "three");
	assert_null(own_store_get(s, SHOAL_STORE_FILE, "b"));
	assert_null(own_store_get(s, SHOAL_STORE_FILE, "lost"));
	assert_null(own_store_get(s, SHOAL_STORE_FILE, "gone"));
	assert_string_equal(own_store_get(s, SHOAL_STORE_FILE, "back"), "again");
	assert_string_equal(own_store_get(s, SHOAL_STORE_FILE, "bac"), "a shorter key");
	assert_int_equal(own_store_commit(s, 9), 0); /* an empty one is answered too */
	shoal_store_sqlite_close(s);
	assert_int_equal(own_faults_open(), 0);
}

static void what_is_held_is_of_one_moment(void **state)
{
	(void)state;
	struct shoal_store_sqlite *s = own_store_opened();
	struct shoal_store st = shoal_store_sqlite_store(s);
	own_store_put(s, SHOAL_STORE_FILE, "a", "before");
	assert_int_equal(own_store_commit(s, 1), 0);
	st.ops->hold(st.s, true);
	assert_string_equal(own_store_get(s, SHOAL_STORE_FILE, "a"), "before");
	own_store_put(s, SHOAL_STORE_FILE, "a", "after");
	own_store_put(s, SHOAL_STORE_FILE, "b", "new");
	assert_int_equal(own_store_commit(s, 2), 0); /* nobody is kept from writing */
	assert_string_equal(own_store_get(s, SHOAL_STORE_FILE, "a"), "before");
	assert_string_equal(own_store_scan(s, SHOAL_STORE_FILE, "", 0), "a=before ");
	st.ops->hold(st.s, true); /* once more changes nothing */
	assert_null(own_store_get(s, SHOAL_STORE_FILE, "b"));
	st.ops->hold(st.s, false);
	assert_string_equal(own_store_get(s, SHOAL_STORE_FILE, "a"), "after");
	assert_string_equal(own_store_get(s, SHOAL_STORE_FILE, "b"), "new");
	st.ops->hold(st.s, false);
	assert_string_equal(own_store_get(s, SHOAL_STORE_FILE, "a"), "after");
	shoal_store_sqlite_close(s);
	assert_int_equal(own_faults_open(), 0);
}

static void scans_are_in_order_and_by_prefix(void **state)
{
	(void)state;
	struct shoal_store_sqlite *s = own_store_opened();
	static const char *const keys[] = { "b", "a", "ab", "aa", "b\xff", "b\xff\xff", "c", "\xff", "\xff\xff" };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		own_store_put(s, 1, keys[i], "v");
	own_store_put(s, 2, "ax", "w");
	assert_int_equal(own_store_commit(s, 1), 0);
	assert_string_equal(own_store_scan(s, 1, "a", 0), "a=v aa=v ab=v ");
	assert_string_equal(own_store_scan(s, 1, "b\xff", 0), "b\xff=v b\xff\xff=v ");
	assert_string_equal(own_store_scan(s, 1, "\xff", 0), "\xff=v \xff\xff=v ");
	assert_string_equal(own_store_scan(s, 1, "", 2), "a=v aa=v ");
	assert_string_equal(own_store_scan(s, 1, "x", 0), "");
	assert_string_equal(own_store_scan(s, 2, "", 0), "ax=w ");
	assert_string_equal(own_store_scan(s, 3, "", 0), "");
	shoal_store_sqlite_close(s);
}

static void limits_hold(void **state)
{
	(void)state;
	struct shoal_store_sqlite *s = own_store_opened();
	struct shoal_store st = shoal_store_sqlite_store(s);
	uint8_t key[SHOAL_STORE_KEY_MAX + 1] = { 0 };
	uint8_t *big = calloc(1, 1 << 20);
	uint64_t cookie;
	assert_non_null(big);
	assert_int_equal(st.ops->put(st.s, 1, shoal_bytes(key, sizeof key), shoal_bytes(NULL, 0)), SHOAL_ERR_RANGE);
	assert_int_equal(st.ops->put(st.s, 1, shoal_bytes(key, 4), shoal_bytes(big, SHOAL_STORE_VALUE_MAX + 1)),
			 SHOAL_ERR_RANGE);
	assert_int_equal(st.ops->get(st.s, 1, shoal_bytes(key, sizeof key), own_store_on_value, NULL), SHOAL_ERR_RANGE);
	assert_int_equal(st.ops->put(st.s, 1, shoal_bytes(key, sizeof key - 1), shoal_bytes(big, 1 << 20)), 0);
	unsigned n = 0, puts = 0;
	while (st.ops->put(st.s, 1, shoal_bytes(key, 1), shoal_bytes(big, 1 << 20)) == 0)
		assert_true(++puts < 300);
	assert_int_equal(st.ops->put(st.s, 1, shoal_bytes(key, 1), shoal_bytes(big, 1 << 20)), SHOAL_ERR_BUSY);
	assert_int_equal(own_store_commit(s, 0), 0);
	assert_int_equal(st.ops->put(st.s, 1, shoal_bytes(key, 1), shoal_bytes(big, 1 << 20)), 0); /* room again */
	while (n < SHOAL_STORE_COMMITS_MAX && st.ops->commit(st.s, n) == 0)
		n++;
	assert_int_equal(n, SHOAL_STORE_COMMITS_MAX);
	assert_int_equal(st.ops->commit(st.s, n), SHOAL_ERR_BUSY);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(own_store_reap(s, &cookie), 0);
		assert_int_equal(cookie, i);
	}
	struct pollfd p = { .fd = shoal_store_sqlite_fd(s), .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 0);
	shoal_store_sqlite_close(s);
	free(big);
}

static void opening_is_quick(void **state)
{
	(void)state;
	shoal_us best_new = SHOAL_NEVER, best_old = SHOAL_NEVER;
	for (int i = 0; i < 10; i++) {
		char rm[600];
		shoal_us from = shoal_os_real.now();
		struct shoal_store_sqlite *s = own_store_opened();
		assert_null(own_store_get(s, 1, "x"));
		shoal_us took = shoal_os_real.now() - from;
		best_new = took < best_new ? took : best_new;
		own_store_put(s, 1, "k", "v");
		assert_int_equal(own_store_commit(s, 1), 0);
		shoal_store_sqlite_close(s);
		from = shoal_os_real.now();
		s = own_store_opened();
		assert_null(own_store_get(s, 1, "x"));
		took = shoal_os_real.now() - from;
		best_old = took < best_old ? took : best_old;
		shoal_store_sqlite_close(s);
		snprintf(rm, sizeof rm, "%s", own_store_dir);
		own_folder_end(rm);
	}
	print_message("new %u us, again %u us\n", (unsigned)best_new, (unsigned)best_old);
	assert_true(best_new < 100000 && best_old < 100000); /* ours is 5 ms; a sanitizer on a busy machine is slower */
}

/* ---- several processes ----------------------------------------------------------------------------------- */

static void processes_share_the_file(void **state)
{
	(void)state;
	enum { CHILDREN = 4, COMMITS = 25 };
	pid_t child[CHILDREN];
	for (int c = 0; c < CHILDREN; c++) {
		child[c] = fork();
		assert_true(child[c] >= 0);
		if (child[c])
			continue;
		struct shoal_store_options options = { .os = &shoal_os_real, .state = own_store_dir, .vfs = NULL };
		struct shoal_store_sqlite *s;
		if (shoal_store_sqlite_open(&s, &options, NULL) < 0)
			_exit(2);
		for (int i = 0; i < COMMITS; i++) {
			char key[32];
			snprintf(key, sizeof key, "%d-%02d", c, i);
			own_store_put(s, 1, key, "v");
			if (own_store_commit(s, (uint64_t)i) < 0)
				_exit(3);
		}
		if (c == 0)
			kill(getpid(), SIGKILL); /* one dies, the others do not care */
		shoal_store_sqlite_close(s);
		_exit(0);
	}
	for (int c = 0; c < CHILDREN; c++) {
		int status;
		assert_int_equal(waitpid(child[c], &status, 0), child[c]);
		if (c == 0)
			assert_true(WIFSIGNALED(status));
		else
			assert_int_equal(status, 0);
	}
	struct shoal_store_sqlite *s = own_store_opened();
	struct shoal_store st = shoal_store_sqlite_store(s);
	struct own_store_got g = { .rows = 0 };
	assert_int_equal(st.ops->scan(st.s, 1, shoal_bytes(NULL, 0), own_store_on_row, &g), 0);
	assert_int_equal(g.rows, CHILDREN * COMMITS);
	/* Two at work in one process as well; neither takes the other's locks away. */
	struct shoal_store_sqlite *two = own_store_opened();
	own_store_put(s, 2, "from", "one");
	assert_int_equal(own_store_commit(s, 1), 0);
	assert_string_equal(own_store_get(two, 2, "from"), "one");
	shoal_store_sqlite_close(s);
	own_store_put(two, 2, "from", "two");
	assert_int_equal(own_store_commit(two, 1), 0);
	shoal_store_sqlite_close(two);
	s = own_store_opened();
	assert_string_equal(own_store_get(s, 2, "from"), "two");
	shoal_store_sqlite_close(s);
}

/* Who wants it alone gets it alone, and nobody else while he has it. */
static void one_alone(void **state)
{
	struct shoal_store_options options = { .os = &own_faults, .state = own_store_dir, .exclusive = true };
	struct shoal_store_sqlite *s = own_store_opened(), *t = NULL, *u = NULL;
	char what[160];
	(void)state;
	assert_true(shoal_store_sqlite_alone(s));
	t = own_store_opened(); /* others may share it */
	assert_false(shoal_store_sqlite_alone(t));
	shoal_store_sqlite_close(s);
	assert_int_equal(shoal_store_sqlite_open(&u, &options, what), SHOAL_ERR_BUSY);
	assert_non_null(strstr(what, "at work"));
	shoal_store_sqlite_close(t);
	assert_int_equal(shoal_store_sqlite_open(&u, &options, what), 0);
	own_store_put(u, SHOAL_STORE_META, "k", "v");
	assert_int_equal(own_store_commit(u, 3), 0);
	options.exclusive = false;
	assert_int_equal(shoal_store_sqlite_open(&t, &options, what), SHOAL_ERR_BUSY);
	shoal_store_sqlite_close(u);
	shoal_store_sqlite_close(own_store_opened());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own_store_test(records_come_back),
		own_store_test(what_is_held_is_of_one_moment),
		own_store_test(scans_are_in_order_and_by_prefix),
		own_store_test(limits_hold),
		own_store_test(opening_is_quick),
		own_store_test(processes_share_the_file),
		own_store_test(one_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
