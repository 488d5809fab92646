/* test_lab_unshare.c - namespaces of one's own, as whoever runs the test and as nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/lab/unshare.h"

#define NOBODY 65534
#define NONE_HERE 77

static bool is_up(const char *interface)
{
	struct ifreq r = { .ifr_flags = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", interface);
	bool up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_UP);
	close(fd);
	return up;
}

/* The exit code of the process that does it: 0, NONE_HERE, or the step at which it went wrong. */
static int inside(bool as_nobody)
{
	struct stat st;
	uid_t uid = geteuid();
	if (as_nobody && uid == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
		    setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
			return 1;
	}
	if (lab_unshare(CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS) != NULL)
		return errno != EINVAL && errno != EBADF ? NONE_HERE : 2;
	if (geteuid() != 0 || getegid() != 0)
		return 3;
	if (is_up("lo") || !lab_unshare_up("lo") || !is_up("lo"))
		return 4;
	if (lab_unshare_up("nothing") || errno != ENODEV)
		return 5;
	/* What is ours is ours there, too. */
	if (stat("/proc/self", &st) < 0 || st.st_uid != 0)
		return 6;
	/* And once more: that of before is left. */
	if (lab_unshare(CLONE_NEWNET) != NULL || is_up("lo"))
		return 7;
	return 0;
}

static void run(bool as_nobody)
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(inside(as_nobody));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NONE_HERE) {
		fprintf(stderr, "SKIPPED, NOT TESTED: no namespaces for %s here\n", as_nobody ? "nobody" : "us");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void whoever_we_are_has_namespaces(void **state)
{
	(void)state;
	run(false);
}

static void nobody_is_root_in_one_of_users(void **state)
{
	(void)state;
	run(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_we_are_has_namespaces),
		cmocka_unit_test(nobody_is_root_in_one_of_users),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
