/* child.c - see child.h. */
#include "tools/lab/compare/child.h"

#include "proto/base/bytes.h"
#include "tools/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_US SHOAL_S(6) /* for a seed to leave by itself */

enum what { LOOK, GET, SEED };

struct order {
	enum what what;
	const struct lab_cmp_task *task;
	bool content, raw;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- inside ---------------------------------------------------------------------------------------- */

/* Never returns. `life` and `stop` are this side's ends. */
static void work(const struct order *o, const struct lab_cmp_child *c, int life, int stop, int parent)
{
	struct sigaction act = { .sa_handler = SIG_DFL };
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || dup2(c->said, STDERR_FILENO) < 0)
		_exit(1);
	FILE *to = fdopen(dup(c->out), "wb");
	if (to == NULL)
		_exit(1);
	if (o->what == SEED) {
		lab_cmp_do_seed(o->task, life, stop);
	} else if (o->what == GET) {
		struct lab_cmp_get g;
		lab_cmp_do_get(o->task, &g);
		lab_cmp_get_write(&g, to);
	} else {
		struct lab_cmp_look l;
		lab_cmp_do_look(o->task, o->content, o->raw, &l);
		lab_cmp_look_write(&l, to);
		lab_cmp_look_fini(&l);
	}
	_exit(ferror(to) || fclose(to) != 0 ? 1 : 0);
}

/* ---- outside --------------------------------------------------------------------------------------- */

static int begin(struct lab_cmp_child *c, const struct order *o)
{
	int life[2] = { -1, -1 }, stop[2] = { -1, -1 }, rc = SHOAL_ERR_IO;
	int parent = getpid();
	*c = (struct lab_cmp_child){ .out = -1, .said = -1, .life = -1, .stop = -1 };
	c->out = memfd_create("shoal-compare", MFD_CLOEXEC);
	c->said = memfd_create("shoal-compare-said", MFD_CLOEXEC);
	if (c->out < 0 || c->said < 0 || pipe2(life, O_CLOEXEC) < 0 || pipe2(stop, O_CLOEXEC) < 0)
		goto out;
	fflush(NULL);
	c->pid = fork();
	if (c->pid == 0) {
		close(life[0]);
		close(stop[1]);
		work(o, c, life[1], stop[0], parent);
	}
	if (c->pid < 0) {
		c->pid = 0;
		goto out;
	}
	c->life = life[0];
	c->stop = stop[1];
	life[0] = stop[1] = -1;
	rc = 0;
out:
	for (int i = 0; i < 2; i++) {
		close_fd(&life[i]);
		close_fd(&stop[i]);
	}
	if (rc < 0) {
		close_fd(&c->out);
		close_fd(&c->said);
	}
	return rc;
}

enum came { CAME_BYTE, CAME_END, CAME_LATE, CAME_SIGNAL };

static enum came await(const struct lab_cmp_child *c, shoal_us until)
{
	for (;;) {
		struct pollfd p = { c->life, POLLIN, 0 };
		shoal_us now = shoal_signals_now();
		char byte;
		if (shoal_signals_came())
			return CAME_SIGNAL;
		if (now >= until)
			return CAME_LATE;
		shoal_us left = (until - now) / 1000 + 1;
		if (poll(&p, 1, left > 500 ? 500 : (int)left) > 0)
			return read(c->life, &byte, 1) == 1 ? CAME_BYTE : CAME_END;
	}
}

/* Waits for it to be gone; its status, and what it took. */
static int reap(struct lab_cmp_child *c, bool kill_it, struct lab_cmp_cost *cost)
{
	struct rusage use;
	int status = 0;
	if (kill_it)
		kill(c->pid, SIGKILL);
	while (wait4(c->pid, &status, 0, &use) < 0)
		if (errno != EINTR)
			return 0;
	if (cost != NULL) {
		cost->cpu = (shoal_us)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000 +
			    (shoal_us)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
		cost->rss = (uint64_t)use.ru_maxrss << 10;
	}
	c->pid = 0;
	return status;
}

/* The last line it wrote to stderr. */
static void last_words(const struct lab_cmp_child *c, char out[LAB_CMP_TEXT_MAX])
{
	char said[4096];
	off_t len = lseek(c->said, 0, SEEK_END);
	size_t want = len > (off_t)sizeof said - 1 ? sizeof said - 1 : len > 0 ? (size_t)len : 0;
	ssize_t n = want > 0 ? pread(c->said, said, want, len - (off_t)want) : 0;
	out[0] = '\0';
	if (n <= 0)
		return;
	while (n > 0 && said[n - 1] == '\n')
		n--;
	said[n] = '\0';
	const char *line = strrchr(said, '\n');
	snprintf(out, LAB_CMP_TEXT_MAX, "%.*s", (int)LAB_CMP_TEXT_MAX - 1, line != NULL ? line + 1 : said);
}

static void free_fds(struct lab_cmp_child *c)
{
	close_fd(&c->out);
	close_fd(&c->said);
	close_fd(&c->life);
	close_fd(&c->stop);
}

/* The file in memory, mapped; unmap() it. */
static struct shoal_bytes found(const struct lab_cmp_child *c)
{
	off_t len = lseek(c->out, 0, SEEK_END);
	void *at = len > 0 ? mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, c->out, 0) : MAP_FAILED;
	return at == MAP_FAILED ? (struct shoal_bytes){ 0 } : shoal_bytes(at, (size_t)len);
}

static void unmap(struct shoal_bytes b)
{
	if (b.at != NULL)
		munmap((void *)(uintptr_t)b.at, b.len);
}

static void died(const struct lab_cmp_child *c, int status, char out[LAB_CMP_TEXT_MAX])
{
	char words[LAB_CMP_TEXT_MAX];
	last_words(c, words);
	if (WIFSIGNALED(status))
		snprintf(out, LAB_CMP_TEXT_MAX, "signal %d%s%.160s", WTERMSIG(status), words[0] ? ": " : "", words);
	else
		snprintf(out, LAB_CMP_TEXT_MAX, "exit code %d%s%.160s", WEXITSTATUS(status), words[0] ? ": " : "",
			 words);
}

/* Runs an order to its end. 1: what it found can be read; 0: `end` and `text` say how it ended; CLOSED, IO. */
static int run(struct lab_cmp_child *c, const struct order *o, shoal_us until, struct lab_cmp_cost *cost,
	       enum lab_cmp_end *end, char text[LAB_CMP_TEXT_MAX])
{
	int rc = begin(c, o);
	if (rc < 0)
		return rc;
	enum came came = await(c, until);
	int status = reap(c, came != CAME_END, cost);
	if (came == CAME_SIGNAL)
		return SHOAL_ERR_CLOSED;
	if (came == CAME_LATE) {
		*end = LAB_CMP_SLOW;
		snprintf(text, LAB_CMP_TEXT_MAX, "not done in time");
		return 0;
	}
	if (status == 0)
		return 1;
	*end = LAB_CMP_DIED;
	died(c, status, text);
	return 0;
}

int lab_cmp_child_look(const struct lab_cmp_task *t, bool content, bool raw, shoal_us until, struct lab_cmp_look *out)
{
	struct lab_cmp_child c;
	struct order o = { LOOK, t, content, raw };
	struct lab_cmp_look l = { 0 };
	int rc = run(&c, &o, until, &l.cost, &l.end, l.text);
	if (rc > 0) {
		struct shoal_bytes in = found(&c);
		struct lab_cmp_cost cost = l.cost;
		rc = lab_cmp_look_read(&l, in);
		unmap(in);
		l.cost.cpu = cost.cpu;
		l.cost.rss = cost.rss;
	}
	free_fds(&c);
	*out = l;
	return rc < 0 ? rc : 0;
}

int lab_cmp_child_get(const struct lab_cmp_task *t, shoal_us until, struct lab_cmp_get *out)
{
	struct lab_cmp_child c;
	struct order o = { .what = GET, .task = t };
	struct lab_cmp_get g = { 0 };
	int rc = run(&c, &o, until, &g.cost, &g.end, g.text);
	if (rc > 0) {
		struct shoal_bytes in = found(&c);
		struct lab_cmp_cost cost = g.cost;
		rc = lab_cmp_get_read(&g, in);
		unmap(in);
		g.cost.cpu = cost.cpu;
		g.cost.rss = cost.rss;
	}
	free_fds(&c);
	*out = g;
	return rc < 0 ? rc : 0;
}

int lab_cmp_child_seed(struct lab_cmp_child *c, const struct lab_cmp_task *t, shoal_us until,
		       char why[LAB_CMP_TEXT_MAX])
{
	struct order o = { .what = SEED, .task = t };
	int rc = begin(c, &o);
	why[0] = '\0';
	if (rc < 0)
		return rc;
	enum came came = await(c, until);
	if (came == CAME_BYTE)
		return 0;
	int status = reap(c, came != CAME_END, NULL);
	if (came == CAME_END && status != 0)
		died(c, status, why);
	free_fds(c);
	return came == CAME_SIGNAL ? SHOAL_ERR_CLOSED : came == CAME_LATE ? SHOAL_ERR_TIMEOUT : SHOAL_ERR_GONE;
}

void lab_cmp_child_end(struct lab_cmp_child *c, struct lab_cmp_cost *cost)
{
	if (c->pid <= 0)
		return;
	close_fd(&c->stop);
	enum came came = await(c, shoal_signals_now() + END_US);
	(void)reap(c, came != CAME_END, cost);
	free_fds(c);
}
