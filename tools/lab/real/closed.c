/* closed.c - see closed.h. */
#include "tools/lab/real/closed.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tools/lab/unshare.h"

#define FOLDERS_OPEN 32

/* What the keeper tells the outside when it cannot make the place. */
struct trouble {
	int os;
	char step[80];
};

static int remove_one(const char *path, const struct stat *st, int what, struct FTW *at)
{
	(void)st;
	(void)what;
	(void)at;
	remove(path);
	return 0;
}

void lab_closed_remove(const char *folder)
{
	nftw(folder, remove_one, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS);
}

/* ---- waiting ---------------------------------------------------------------------------------- */

static void blocked(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

/* Until that child has ended; who tells us to end tells it. When `parent` is no longer ours (0: whoever), it ends at once. */
static int wait_for(pid_t child, pid_t parent)
{
	sigset_t set;
	int status, sig;
	blocked(&set);
	for (;;) {
		if (waitpid(child, &status, WNOHANG) == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (sigwait(&set, &sig) != 0 || sig == SIGCHLD)
			continue;
		kill(child, parent != 0 && getppid() != parent ? SIGKILL : SIGTERM);
	}
}

bool lab_closed_told(void)
{
	sigset_t set;
	return sigpending(&set) == 0 &&
	       (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) || sigismember(&set, SIGHUP));
}

/* ---- the keeper, and the inside ----------------------------------------------------------------- */

/* As the first process of the place. Dies with the keeper, whose end of `alive` is its only one. */
static void settle(int alive)
{
	struct pollfd look = { .fd = alive, .events = POLLIN };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&look, 1, 0) != 0)
		_exit(1); /* it has died already */
	close(alive);
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	/* Where that is forbidden, processes are called otherwise there: only figures of memory are lost. */
	(void)!mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* Returns in the inside alone. */
static void keep_place(const char *scratch, bool keep, int told, pid_t outside)
{
	struct trouble t = { .step = "" };
	int alive[2];
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_NAME, "lab-keeper");
	bool good = getppid() == outside;
	const char *lacks = good ? lab_unshare(CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS) : NULL;
	if (good && lacks == NULL && pipe2(alive, O_CLOEXEC) < 0)
		lacks = "a pipe";
	if (lacks != NULL) {
		good = false;
		t.os = errno;
		snprintf(t.step, sizeof t.step, "%s", lacks);
	}
	pid_t child = good ? fork() : -1;
	if (child == 0) {
		close(alive[1]);
		close(told);
		settle(alive[0]);
		return;
	}
	if (good && child < 0)
		t = (struct trouble){ errno, "a process" };
	if (child < 0) {
		(void)!write(told, &t, sizeof t);
		_exit(1);
	}
	close(told);
	close(alive[0]);
	int code = wait_for(child, outside);
	if (!keep)
		lab_closed_remove(scratch);
	_exit(code);
}

int lab_closed_enter(const char *parent, bool keep, char scratch[LAB_CLOSED_PATH_MAX], int *code,
		     char why[LAB_CLOSED_WHY_MAX])
{
	struct trouble t;
	sigset_t set, before;
	int told[2];
	char real[PATH_MAX];
	why[0] = 0;
	if (realpath(parent, real) == NULL ||
	    snprintf(scratch, LAB_CLOSED_PATH_MAX, "%s/shoal-lab-XXXXXX", real) >= LAB_CLOSED_PATH_MAX ||
	    mkdtemp(scratch) == NULL) {
		snprintf(why, LAB_CLOSED_WHY_MAX, "no folder can be made in %.200s: %s", parent, strerror(errno));
		return SHOAL_ERR_IO;
	}
	if (pipe2(told, O_CLOEXEC) < 0)
		goto failed;
	blocked(&set);
	sigprocmask(SIG_BLOCK, &set, &before);
	fflush(NULL);
	pid_t outside = getpid(), keeper = fork();
	if (keeper == 0) {
		close(told[0]);
		keep_place(scratch, keep, told[1], outside);
		return 0;
	}
	close(told[1]);
	ssize_t n = keeper > 0 ? read(told[0], &t, sizeof t) : -1;
	close(told[0]);
	*code = keeper > 0 ? wait_for(keeper, 0) : 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (keeper < 0)
		goto failed;
	/* Of a keeper that was killed, this is left to us; of one that did its work, nothing is. */
	if (!keep || n == sizeof t)
		lab_closed_remove(scratch);
	if (n != sizeof t)
		return 1;
	snprintf(
		why, LAB_CLOSED_WHY_MAX,
		"real programs run in namespaces of their own, and there are none to be had here (%s: %s): be root, or "
		"allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone)",
		t.step, strerror(t.os));
	return SHOAL_ERR_DENIED;
failed:
	snprintf(why, LAB_CLOSED_WHY_MAX, "no process can be started: %s", strerror(errno));
	lab_closed_remove(scratch);
	return SHOAL_ERR_IO;
}
