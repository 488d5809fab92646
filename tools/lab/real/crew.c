/* crew.c - see crew.h. */
#include "tools/lab/real/crew.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "proto/base/bytes.h"
#include "proto/text.h"

#define CHILDREN_MAX 16 /* of a node, whose memory is counted */

/* ---- what it says ------------------------------------------------------------------------------- */

/* Once, into its log: there whoever wrote the program looks why it is not heard. */
static void note_noise(struct lab_crew *crew, unsigned i, struct shoal_bytes line)
{
	char path[LAB_STAGE_PATH_MAX], shown[200];
	FILE *log = crew->node[i].noisy ? NULL : fopen(lab_stage_path(crew->stage, i, "log", path), "ae");
	crew->node[i].noisy = true;
	if (log == NULL)
		return;
	shoal_text_escape(line, (struct shoal_space){ (uint8_t *)shown, sizeof shown });
	fprintf(log, "shoal lab: said, and passed over, as are all lines that are no JSON: %s\n", shown);
	fclose(log);
}

static void hear_line(struct lab_crew *crew, unsigned i, const char *line, size_t len)
{
	struct lab_crew_node *n = &crew->node[i];
	struct lab_heard heard;
	lab_hear(shoal_bytes(line, len), &heard);
	if (heard.kind == LAB_HEARD_NOISE)
		note_noise(crew, i, shoal_bytes(line, len));
	if (heard.kind == LAB_HEARD_NOTHING || heard.kind == LAB_HEARD_NOISE)
		return;
	if (heard.kind == LAB_HEARD_PROGRESS)
		n->done = heard.done;
	if (heard.kind == LAB_HEARD_COMPLETE || heard.kind == LAB_HEARD_FIGURES)
		n->wasted_now = shoal_max_u64(n->wasted_now, heard.wasted);
	crew->heard(crew->to, i, &heard);
}

struct listening {
	struct lab_crew *crew;
	unsigned node;
};

static void hear_all(struct lab_crew *crew, unsigned i)
{
	struct lab_crew_node *n = &crew->node[i];
	char *line;
	size_t len;
	/* Not for as long as somebody writes: what is left is read next time. */
	for (size_t before = evbuffer_get_length(n->said);
	     evbuffer_get_length(n->said) < before + LAB_HEAR_LINE_MAX && evbuffer_read(n->said, n->pipe, -1) > 0;)
		;
	while ((line = evbuffer_readln(n->said, &len, EVBUFFER_EOL_LF)) != NULL) {
		hear_line(crew, i, line, len);
		free(line);
	}
	if (evbuffer_get_length(n->said) > LAB_HEAR_LINE_MAX)
		evbuffer_drain(n->said, evbuffer_get_length(n->said));
}

static void on_said(evutil_socket_t fd, short what, void *arg)
{
	struct listening *l = arg;
	(void)fd;
	(void)what;
	hear_all(l->crew, l->node);
}

/* The FIFO is open at both ends here, so that it never ends, whoever writes to it. */
static int listen_to(struct lab_crew *crew, unsigned i, struct listening *l)
{
	struct lab_crew_node *n = &crew->node[i];
	char path[LAB_STAGE_PATH_MAX];
	*l = (struct listening){ crew, i };
	n->pipe = open(lab_stage_path(crew->stage, i, "said", path), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	n->said = evbuffer_new();
	if (n->pipe < 0 || n->said == NULL)
		return n->pipe < 0 ? SHOAL_ERR_IO : SHOAL_ERR_NOMEM;
	n->event = event_new(crew->loop, n->pipe, EV_READ | EV_PERSIST, on_said, l);
	return n->event != NULL && event_add(n->event, NULL) == 0 ? 0 : SHOAL_ERR_NOMEM;
}

/* ---- starting ------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void set(const char *name, const char *format, ...)
{
	char text[LAB_STAGE_PATH_MAX + 100];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	setenv(name, text, 1);
}

/* What a program of anybody's can ask for (README.md, test your own client); ours have it in their command lines. */
static void set_environment(const struct lab_stage *stage, unsigned i)
{
	const struct lab_plan_node *n = &stage->plan.node[i];
	const struct lab_group *g = &stage->s->nodes[n->group];
	static const char *const unset[] = { "http_proxy",     "https_proxy",	  "all_proxy",	    "no_proxy",
					     "HTTP_PROXY",     "HTTPS_PROXY",	  "ALL_PROXY",	    "NO_PROXY",
					     "XDG_DATA_HOME",  "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME",
					     "XDG_RUNTIME_DIR" };
	char folder[LAB_STAGE_PATH_MAX];
	char address[16];
	for (size_t k = 0; k < sizeof unset / sizeof *unset; k++)
		unsetenv(unset[k]);
	lab_stage_path(stage, i, NULL, folder);
	set("HOME", "%s", folder);
	set("TERM", "dumb");
	set("LAB_NODE", "%s", n->name);
	set("LAB_SAID", "%s/said", folder);
	set("LAB_DATA", "%s/data", folder);
	set("LAB_TORRENT", "%s/set.torrent", stage->root);
	set("LAB_TRACKER", "%s", stage->tracker);
	set("LAB_ADDRESS", "%s", lab_wires_dotted(i, address));
	set("LAB_PORT", "%u", LAB_PLAN_PORT);
	int entry = stage->s->meet.v == LAB_MEET_DHT ? lab_plan_dht_entry(&stage->plan, i) : -1;
	unsetenv("LAB_DHT_NODE");
	if (entry >= 0)
		set("LAB_DHT_NODE", "%s:%u", lab_wires_dotted((unsigned)entry, address), LAB_PLAN_PORT);
	set("LAB_HAS", n->seed ? "all" : n->has != NULL ? "some" : "nothing");
	set("LAB_MAX_PEERS", "%.0f", g->max_peers.v);
	set("LAB_MEMORY", "%.0f", g->memory.v);
	set("LAB_LIMIT_UP", "%.0f", g->limit_up.v);
	set("LAB_LIMIT_DOWN", "%.0f", g->limit_down.v);
}

static _Noreturn void become(const struct lab_crew *crew, unsigned i)
{
	const struct lab_stage *stage = crew->stage;
	bool speaks = stage->plan.node[i].kind <= LAB_KIND_LIBTORRENT && !stage->plan.node[i].played;
	char folder[LAB_STAGE_PATH_MAX];
	sigset_t none;
	setsid(); /* what the keyboard says is for us alone; and one kill() reaches all that it starts */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	set_environment(stage, i);
	lab_stage_path(stage, i, NULL, folder);
	int in = open("/dev/null", O_RDONLY), log = -1;
	if (chdir(folder) == 0)
		log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0644);
	int out = speaks ? open("said", O_WRONLY) : log;
	if (in < 0 || log < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(log, 2) < 0)
		_exit(126);
	if (lab_space_enter(stage->space[i].net) < 0) {
		dprintf(2, "no way into its network namespace: %s\n", strerror(errno));
		_exit(126);
	}
	close_range(3, ~0u, 0);
	execvp(stage->command[i].word[0], stage->command[i].word);
	dprintf(2, "%s cannot be started: %s\n", stage->command[i].word[0], strerror(errno));
	_exit(127);
}

int lab_crew_start(struct lab_crew *crew, unsigned i)
{
	struct lab_crew_node *n = &crew->node[i];
	if (n->state != LAB_CREW_DOWN)
		return SHOAL_ERR_EXISTS;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		become(crew, i);
	if (pid < 0)
		return SHOAL_ERR_IO;
	n->pid = pid;
	n->state = LAB_CREW_RUNS;
	n->starts++;
	crew->up++;
	return 0;
}

/* ---- ending ----------------------------------------------------------------------------------------- */

static uint64_t high_water(pid_t pid)
{
	char path[64], line[200];
	unsigned long long kib = 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kib = strtoull(line + 6, NULL, 10);
	if (f != NULL)
		fclose(f);
	return kib << 10;
}

/* CPU seconds of a process so far: fields 14 and 15 of its stat, behind a name in brackets that may hold anything. */
static double cpu_of(pid_t pid)
{
	char path[64], line[600];
	unsigned long long user = 0, kernel = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	char *at = f != NULL && fgets(line, sizeof line, f) != NULL ? strrchr(line, ')') : NULL;
	for (unsigned field = 2; at != NULL && field < 14; field++)
		if ((at = strchr(at + 1, ' ')) == NULL)
			break;
	if (at != NULL) {
		user = strtoull(at, &at, 10);
		kernel = strtoull(at, &at, 10);
	}
	if (f != NULL)
		fclose(f);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* Of the process and those it has started itself. */
static void measure(struct lab_crew *crew, unsigned i)
{
	struct lab_crew_node *n = &crew->node[i];
	char path[64], line[400], *at = line;
	if (!crew->sees_memory || n->pid <= 0)
		return;
	uint64_t all = high_water(n->pid);
	double cpu = cpu_of(n->pid);
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)n->pid, (int)n->pid);
	FILE *f = fopen(path, "re");
	if (f != NULL && fgets(line, sizeof line, f) != NULL) {
		for (unsigned k = 0; k < CHILDREN_MAX; k++) {
			long pid = strtol(at, &at, 10);
			if (pid <= 0)
				break;
			all += high_water((pid_t)pid);
			cpu += cpu_of((pid_t)pid);
		}
	}
	if (f != NULL)
		fclose(f);
	n->rss_peak = shoal_max_u64(n->rss_peak, all);
	n->cpu_now = cpu;
}

void lab_crew_measure(struct lab_crew *crew)
{
	for (unsigned i = 0; i < crew->nodes; i++)
		if (crew->node[i].state != LAB_CREW_DOWN)
			measure(crew, i);
}

void lab_crew_pause(struct lab_crew *crew, unsigned i, bool pause)
{
	struct lab_crew_node *n = &crew->node[i];
	if (n->state != (pause ? LAB_CREW_RUNS : LAB_CREW_PAUSED))
		return;
	kill(-n->pid, pause ? SIGSTOP : SIGCONT);
	n->state = pause ? LAB_CREW_PAUSED : LAB_CREW_RUNS;
}

void lab_crew_stop(struct lab_crew *crew, unsigned i)
{
	struct lab_crew_node *n = &crew->node[i];
	if (n->state == LAB_CREW_DOWN || n->state == LAB_CREW_STOPS)
		return;
	measure(crew, i);
	/* (What a shell has started is told with it.) */
	bool shell = crew->stage->plan.node[i].kind == LAB_KIND_COMMAND;
	kill(shell ? -n->pid : n->pid, SIGTERM);
	if (n->state == LAB_CREW_PAUSED)
		kill(-n->pid, SIGCONT);
	n->state = LAB_CREW_STOPS;
}

void lab_crew_kill(struct lab_crew *crew, unsigned i)
{
	struct lab_crew_node *n = &crew->node[i];
	if (n->state == LAB_CREW_DOWN)
		return;
	measure(crew, i);
	/* Before setsid() there is no such group yet. */
	if (kill(-n->pid, SIGKILL) < 0)
		kill(n->pid, SIGKILL);
	n->state = LAB_CREW_STOPS;
}

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

void lab_crew_reap(struct lab_crew *crew, pid_t relay, bool *relay_gone)
{
	struct rusage used;
	int status;
	for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &used)) > 0;) {
		*relay_gone |= pid == relay;
		/* (An orphan that has come to us, the first process here, is nobody's.) */
		for (unsigned i = 0; i < crew->nodes; i++) {
			struct lab_crew_node *n = &crew->node[i];
			if (n->pid != pid || n->state == LAB_CREW_DOWN)
				continue;
			bool expected = n->state == LAB_CREW_STOPS;
			hear_all(crew, i);
			kill(-pid, SIGKILL); /* whatever it has left behind */
			/* What it has started, and not waited for, is in what was seen last alone. */
			double cpu = seconds(&used.ru_utime) + seconds(&used.ru_stime);
			n->cpu += cpu > n->cpu_now ? cpu : n->cpu_now;
			n->cpu_now = 0;
			n->wasted += n->wasted_now;
			n->wasted_now = 0;
			n->state = LAB_CREW_DOWN;
			n->pid = 0;
			crew->up--;
			crew->ended(crew->to, i, status, expected);
			break;
		}
	}
}

void lab_crew_last_words(const struct lab_crew *crew, unsigned i, char *out, size_t size)
{
	char path[LAB_STAGE_PATH_MAX], text[2048];
	FILE *f = fopen(lab_stage_path(crew->stage, i, "log", path), "re");
	out[0] = 0;
	if (f == NULL)
		return;
	if (fseek(f, -(long)(sizeof text - 1), SEEK_END) < 0)
		rewind(f);
	size_t n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = 0;
	const char *line = strrchr(text, '\n');
	snprintf(out, size, "%s", line != NULL ? line + 1 : text);
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

/* The listeners lie behind the nodes: one allocation, one life. */
static struct listening *listeners(struct lab_crew *crew)
{
	return (struct listening *)(void *)(crew->node + crew->nodes);
}

int lab_crew_init(struct lab_crew *crew, const struct lab_stage *stage, struct event_base *loop)
{
	char own[32] = "";
	*crew = (struct lab_crew){ .stage = stage, .loop = loop, .nodes = stage->plan.nodes };
	crew->node = calloc(crew->nodes, sizeof *crew->node + sizeof(struct listening));
	if (crew->node == NULL)
		return SHOAL_ERR_NOMEM;
	for (unsigned i = 0; i < crew->nodes; i++)
		crew->node[i].pipe = -1;
	/* A /proc of another PID namespace would show strangers. */
	ssize_t n = readlink("/proc/self", own, sizeof own - 1);
	crew->sees_memory = n > 0 && strtol(own, NULL, 10) == (long)getpid();
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < crew->nodes; i++)
		rc = listen_to(crew, i, &listeners(crew)[i]);
	return rc;
}

void lab_crew_fini(struct lab_crew *crew)
{
	for (unsigned i = 0; crew->node != NULL && i < crew->nodes; i++) {
		struct lab_crew_node *n = &crew->node[i];
		if (n->state != LAB_CREW_DOWN) {
			if (kill(-n->pid, SIGKILL) < 0)
				kill(n->pid, SIGKILL);
			while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
				;
		}
		if (n->event != NULL)
			event_free(n->event);
		if (n->said != NULL)
			evbuffer_free(n->said);
		if (n->pipe >= 0)
			close(n->pipe);
	}
	free(crew->node);
	*crew = (struct lab_crew){ 0 };
}
