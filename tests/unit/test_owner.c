/* test_owner.c - two processes, two names of one folder, a killed owner, a race of many, and each call failing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "swarm/io/owner.h"
#include "tests/unit/own_faults.h"
#include "tests/unit/own_torrent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[256], state_dir[300], data[300];
static const struct shoal_id32 id_a = { { 1, 2, 3 } }, id_b = { { 1, 2, 4 } };

static int setup(void **state)
{
	(void)state;
	own_faults_arm(0, 0, 0);
	own_faults_only(NULL);
	own_folder(folder, sizeof folder);
	snprintf(state_dir, sizeof state_dir, "%s/deep/state", folder);
	snprintf(data, sizeof data, "%s/data", folder);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	own_folder_end(folder);
	return 0;
}

static int take(struct shoal_owner *o, const struct shoal_id32 *id, const char *where, long *pid)
{
	return shoal_owner_take(o, &own_faults, state_dir, id, where, pid);
}

static void one_owner_at_a_time(void **state)
{
	(void)state;
	struct shoal_owner one, two, three;
	struct stat st;
	long pid;
	char other[320];
	assert_int_equal(take(&one, &id_a, data, &pid), 0);
	assert_int_equal(stat(state_dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(take(&two, &id_a, data, &pid), SHOAL_ERR_OWNED);
	assert_int_equal(pid, getpid());
	shoal_owner_drop(&two);				    /* holds nothing: no harm */
	assert_int_equal(take(&two, &id_b, data, &pid), 0); /* another torrent */
	snprintf(other, sizeof other, "%s2", data);
	assert_int_equal(take(&three, &id_a, other, &pid), 0); /* another folder */
	shoal_owner_drop(&one);
	shoal_owner_drop(&one);
	assert_int_equal(take(&one, &id_a, data, &pid), 0);
	shoal_owner_drop(&one);
	shoal_owner_drop(&two);
	shoal_owner_drop(&three);
	char locks[320];
	snprintf(locks, sizeof locks, "%s/locks", state_dir);
	assert_int_equal(rmdir(locks), 0); /* nothing stays behind */
	assert_int_equal(own_faults_open(), 0);
}

static void a_folder_has_one_name(void **state)
{
	(void)state;
	struct shoal_owner one, two;
	char link_to[600], again[600];
	long pid;
	assert_int_equal(mkdir(data, 0777), 0);
	snprintf(link_to, sizeof link_to, "%s/link", folder);
	assert_int_equal(symlink(data, link_to), 0);
	const char *forms[] = { "data", "data/", "link", "./data/../link//" };
	const char *deeper[] = { "data/not/yet", "data/not/yet//", "link/not/yet" };
	for (size_t set = 0; set < 2; set++) {
		const char **form = set ? deeper : forms;
		size_t count = set ? 3 : 4;
		snprintf(again, sizeof again, "%s/data%s", folder, set ? "/not/yet" : "");
		assert_int_equal(take(&one, &id_a, again, &pid), 0);
		for (size_t i = 0; i < count; i++) {
			snprintf(again, sizeof again, "%s/%s", folder, form[i]);
			assert_int_equal(take(&two, &id_a, again, &pid), SHOAL_ERR_OWNED);
		}
		shoal_owner_drop(&one);
	}
}

static void a_killed_owner_leaves_no_lock(void **state)
{
	(void)state;
	struct shoal_owner one;
	long pid;
	int ready[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int rc = take(&one, &id_a, data, &pid);
		if (write(ready[1], rc == 0 ? "y" : "n", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(take(&one, &id_a, data, &pid), SHOAL_ERR_OWNED);
	assert_int_equal(pid, child);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(take(&one, &id_a, data, &pid), 0);
	shoal_owner_drop(&one);
	close(ready[0]);
	close(ready[1]);
}

/* Owners that come and go, the name with them: never two at once. The counter is a file that only an owner may touch. */
static void many_take_turns(void **state)
{
	(void)state;
	enum { CHILDREN = 6, TURNS = 60 };
	pid_t child[CHILDREN];
	char path[600];
	own_write(folder, "count", "0", 1);
	snprintf(path, sizeof path, "%s/inside", folder);
	for (int c = 0; c < CHILDREN; c++) {
		child[c] = fork();
		assert_true(child[c] >= 0);
		if (child[c])
			continue;
		struct shoal_owner one;
		long pid;
		int turns = 0;
		for (int tries = 0; turns < TURNS && tries < 200000; tries++) {
			int rc = shoal_owner_take(&one, &shoal_os_real, state_dir, &id_a, data, &pid);
			if (rc == SHOAL_ERR_OWNED || rc == SHOAL_ERR_BUSY) {
				usleep(50);
				continue;
			}
			if (rc < 0)
				_exit(2);
			if (mkdir(path, 0777) < 0) /* somebody else is inside */
				_exit(3);
			if (rmdir(path) < 0)
				_exit(4);
			shoal_owner_drop(&one);
			turns++;
		}
		_exit(turns == TURNS ? 0 : 5);
	}
	for (int c = 0; c < CHILDREN; c++) {
		int status;
		assert_int_equal(waitpid(child[c], &status, 0), child[c]);
		assert_int_equal(status, 0);
	}
}

static void every_call_may_fail(void **state)
{
	(void)state;
	struct shoal_owner one;
	long pid;
	own_faults_arm(0, 0, 0);
	assert_int_equal(take(&one, &id_a, data, &pid), 0);
	unsigned calls = own_faults_calls();
	shoal_owner_drop(&one);
	assert_true(calls > 5);
	for (unsigned n = 1; n <= calls; n++) {
		own_faults_arm(n, EIO, 0);
		int rc = take(&one, &id_a, data, &pid);
		assert_true(rc == 0 || rc == SHOAL_ERR_IO);
		shoal_owner_drop(&one);
		assert_int_equal(own_faults_open(), 0);
	}
	own_faults_arm(0, 0, 0);
	/* A place that cannot be written to. */
	own_write(folder, "file", "x", 1);
	snprintf(state_dir, sizeof state_dir, "%s/file/state", folder);
	assert_true(take(&one, &id_a, data, &pid) < 0);
	snprintf(state_dir, sizeof state_dir, "%s/file", folder);
	assert_true(take(&one, &id_a, data, &pid) < 0);
	assert_int_equal(own_faults_open(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_owner_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_folder_has_one_name, setup, teardown),
		cmocka_unit_test_setup_teardown(a_killed_owner_leaves_no_lock, setup, teardown),
		cmocka_unit_test_setup_teardown(many_take_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(every_call_may_fail, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
