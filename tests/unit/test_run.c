/* test_run.c - a scripted engine plays a session; the JSON that comes out, the operations that went in, the exit code. */
#include "tools/run.h"

#include "proto/base/bytes.h"
#include "tests/unit/own_net.h"
#include "tools/say.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the engine ------------------------------------------------------------------------ */
struct line {
	enum shoal_event_kind kind;
	int err;
	uint64_t done, total;
	const char *text;
	int signal; /* raised instead of an event */
};
static struct {
	struct shoal_engine engine;
	const struct line *script;
	size_t next;
	uint64_t add_ticket, peers_ticket;
	bool stop_asked, stop_answered, stats_asked, peer_told, deaf; /* deaf: never says STOPPED */
	int open_err, opens, refuse_ports;
	char ops[512]; /* kinds in order, as letters */
	struct shoal_config config;
	shoal_us t;
} fake;

static void note(char op)
{
	size_t n = strlen(fake.ops);
	if (n + 1 < sizeof fake.ops)
		fake.ops[n] = op;
}

static int fake_open(struct shoal_engine **out, const struct shoal_config *config, char what[160])
{
	fake.opens++;
	fake.config = *config;
	snprintf(what, 160, "no luck");
	if (fake.opens <= fake.refuse_ports)
		return SHOAL_ERR_NET;
	if (fake.open_err)
		return fake.open_err;
	*out = &fake.engine;
	return 0;
}

static int fake_do(struct shoal_engine *e, const struct shoal_op *op)
{
	static const char letters[] = "?AR+LSPCRVXEQWTFD"; /* by enum shoal_op_kind */
	(void)e;
	note(op->kind == SHOAL_OP_PEER && op->flags & SHOAL_PEER_FROM_LINK ? '*' : letters[op->kind]);
	if (op->kind == SHOAL_OP_ADD)
		fake.add_ticket = op->ticket;
	if (op->kind == SHOAL_OP_PEERS)
		fake.peers_ticket = op->ticket;
	if (op->kind == SHOAL_OP_STATS)
		fake.stats_asked = true;
	if (op->kind == SHOAL_OP_STOP)
		fake.stop_asked = true;
	return 0;
}

static void fill(struct shoal_event *ev)
{
	ev->t = fake.t += 1000;
	ev->torrent = 7;
	ev->has_v1 = true;
	memset(ev->hash_v1.b, 0xab, 20);
}

static int fake_poll(struct shoal_engine *e, struct shoal_event *ev, int wait_ms)
{
	(void)e;
	*ev = (struct shoal_event){ 0 };
	fill(ev);
	if (fake.stop_asked && !fake.stop_answered && !fake.deaf) {
		fake.stop_answered = true;
		ev->kind = SHOAL_EV_STOPPED;
		return 1;
	}
	if (fake.stats_asked) {
		fake.stats_asked = false;
		ev->kind = SHOAL_EV_STATS;
		ev->stats = (struct shoal_stats){ .size = 1000,
						  .verified = 500,
						  .done = 400,
						  .downloaded = 600,
						  .wasted = 7,
						  .down_rate = 100,
						  .metadata = true };
		return 1;
	}
	if (fake.peers_ticket) {
		bool last = fake.peer_told;
		fake.peer_told = true;
		ev->ticket = fake.peers_ticket;
		ev->kind = last ? SHOAL_EV_DONE : SHOAL_EV_PEER;
		ev->info = (struct shoal_peer_info){ .got = 500, .gave = 20 };
		ev->info.addr = (struct shoal_addr){ .ip = { 192, 0, 2, 1 }, .port = 80, .is_v4 = 1 };
		ev->text = shoal_bytes("evil\x1b[2J", 8);
		if (last)
			fake.peers_ticket = 0;
		return 1;
	}
	const struct line *l = &fake.script[fake.next];
	if (l->kind == 0 && l->signal == 0) {
		struct timespec nap = { 0, (wait_ms > 20 ? 20 : wait_ms) * 1000000L };
		nanosleep(&nap, NULL);
		return 0;
	}
	fake.next++;
	if (l->signal) {
		raise(l->signal);
		raise(l->signal); /* as timeout(1) does: still one signal */
		return 0;
	}
	ev->kind = l->kind;
	ev->err = l->err;
	ev->done = l->done;
	ev->total = l->total;
	ev->ticket = l->kind == SHOAL_EV_ADDED ? fake.add_ticket : 0;
	if (l->text)
		ev->text = shoal_bytes(l->text, strlen(l->text));
	if (l->total)
		ev->name = shoal_bytes("na\x1bme", 5);
	ev->addr = (struct shoal_addr){ .ip = { 127, 0, 0, 1 }, .port = 6881, .is_v4 = 1 };
	return 1;
}

static void fake_wake(struct shoal_engine *e)
{
	(void)e;
}
static void fake_close(struct shoal_engine *e)
{
	(void)e;
	note('Z');
}
static const struct shoal_engine_ops fake_ops = { "fake", fake_open, fake_do, fake_poll, fake_wake, fake_close };

/* ---- a session ------------------------------------------------------------------------- */
static char state_dir[64], events[2048], out_text[16384];

/* The names of the events on stdout, in order; progress left out, for it depends on the clock. */
static void read_events(const char *path)
{
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	size_t n = fread(out_text, 1, sizeof out_text - 1, f);
	out_text[n] = '\0';
	fclose(f);
	events[0] = '\0';
	for (const char *p = out_text; (p = strstr(p, "\"event\":\"")) != NULL;) {
		p += 9;
		size_t len = strcspn(p, "\"");
		if (strncmp(p, "progress", len) != 0)
			snprintf(events + strlen(events), sizeof events - strlen(events), "%s%.*s",
				 events[0] ? " " : "", (int)len, p);
	}
	for (const char *p = out_text; *p; p++)
		assert_true(*p != '\x1b'); /* nothing a stranger said moves a cursor */
}

struct setting {
	bool magnet, seeding, stay, deaf;
	shoal_us timeout;
	int open_err, refuse_ports;
	const char *record;
	bool unheard; /* stdout takes nothing */
	bool plain;   /* text, no JSON */
};

/* In a process of its own, as signals and _exit() are part of what is tested. */
static int session(const struct line *script, const struct setting *s)
{
	char path[128];
	snprintf(path, sizeof path, "%s/out", state_dir);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		struct shoal_tool tool = { .command = "test", .json = !s->plain, .log = SHOAL_LOG_ERROR };
		struct shoal_net net = { .state = state_dir, .record = s->record };
		struct shoal_run_torrent t = { .folder = strdup("/tmp") };
		struct shoal_run r = { .tool = &tool,
				       .ops = &fake_ops,
				       .net = &net,
				       .torrent = &t,
				       .count = 1,
				       .seeding = s->seeding,
				       .stay = s->stay || s->seeding,
				       .timeout = s->timeout };
		dup2(s->unheard ? open("/dev/full", O_WRONLY) : fd, STDOUT_FILENO);
		int heard = fd;
		fd = open("/dev/null", O_WRONLY);
		dup2(fd, STDERR_FILENO);
		alarm(20);
		memset(&fake, 0, sizeof fake);
		fake.engine.ops = &fake_ops;
		fake.script = script;
		fake.t = SHOAL_S(5);
		fake.deaf = s->deaf;
		fake.open_err = s->open_err;
		fake.refuse_ports = s->refuse_ports;
		if (shoal_opt_list_add(&net.peer, "127.0.0.1:1") < 0)
			_exit(97);
		if (s->magnet) {
			static const char link[] = "magnet:?xt=urn:btih:abababababababababababababababababababab"
						   "&x.pe=192.0.2.1:7000";
			if (shoal_source_open(&tool, &t.source, link, true) != 0)
				_exit(99);
		} else {
			/* {"info": {"length": 1000, "name": "n", "piece length": 16384, "pieces": 20 bytes}} */
			static const char torrent[] = "d4:infod6:lengthi1000e4:name1:n12:piece lengthi16384e6:pieces20:"
						      "aaaaaaaaaaaaaaaaaaaaee";
			t.source.arg = "x.torrent";
			t.source.torrent = shoal_bytes(strdup(torrent), sizeof torrent - 1);
			if (shoal_metainfo_parse(&t.source.mi, t.source.torrent, NULL) != 0)
				_exit(98);
		}
		int code = shoal_run(&r);
		dup2(heard, STDOUT_FILENO);
		fprintf(stdout, "\nops %s port %u count %zu\n", fake.ops, fake.config.listen[0].port,
			fake.config.listen_count);
		fflush(stdout);
		shoal_run_torrent_fini(&t);
		shoal_net_fini(&net);
		shoal_say_fini(&tool);
		exit(code);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	read_events(path);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define LISTENING                          \
	{                                  \
		.kind = SHOAL_EV_LISTENING \
	}
#define ADDED                                         \
	{                                             \
		.kind = SHOAL_EV_ADDED, .total = 1000 \
	}
#define CHECKED(n)                                                 \
	{                                                          \
		.kind = SHOAL_EV_CHECKED, .done = n, .total = 1000 \
	}
#define COMPLETE                                                       \
	{                                                              \
		.kind = SHOAL_EV_COMPLETE, .done = 1000, .total = 1000 \
	}
#define JOINED                                            \
	{                                                 \
		.kind = SHOAL_EV_PEER_JOINED, .text = "x" \
	}
#define END       \
	{         \
		0 \
	}

static void get_ends_when_complete(void **state)
{
	static const struct line script[] = { LISTENING, ADDED, CHECKED(0), JOINED, { .kind = SHOAL_EV_FIRST_PIECE },
					      COMPLETE,	 END };
	(void)state;
	assert_int_equal(session(script, &(struct setting){ 0 }), SHOAL_EXIT_GOOD);
	assert_string_equal(events, "checked started first_piece complete summary");
	assert_non_null(strstr(out_text, "\"listen\":[\"127.0.0.1:6881\"]"));
	assert_non_null(strstr(out_text, "\"torrent\":\"abababababababababababababababababababab\""));
	assert_non_null(strstr(out_text, "\"name\":\"na\\u001bme\",\"size\":1000"));
	assert_non_null(strstr(out_text, "{\"t\":5.0"));
	assert_non_null(strstr(out_text, "\"downloaded\":600"));
	assert_non_null(strstr(out_text, "{\"addr\":\"192.0.2.1:80\",\"client\":\"evil\\\\x1b[2J\",\"got\":500"));
	assert_non_null(strstr(out_text, "\"standing\":\"-\",\"verdict\":\"gave\""));
	assert_non_null(strstr(out_text, "\nops A+SPQZ "));
}

static void a_magnet_is_started_before_its_metadata(void **state)
{
	static const struct line script[] = { LISTENING,
					      { .kind = SHOAL_EV_ADDED },
					      { .kind = SHOAL_EV_METADATA, .total = 1000 },
					      CHECKED(0),
					      COMPLETE,
					      END };
	(void)state;
	assert_int_equal(session(script, &(struct setting){ .magnet = true }), SHOAL_EXIT_GOOD);
	assert_string_equal(events, "started metadata checked complete summary");
	assert_non_null(strstr(out_text, "\"name\":null,\"size\":null"));
	assert_non_null(strstr(out_text, "\nops A+*")); /* whom the link names is not whom the user does */
}

static void time_runs_out(void **state)
{
	static const struct line alone[] = { ADDED, CHECKED(0), END };
	static const struct line with[] = { ADDED, CHECKED(0), JOINED, END };
	const struct setting s = { .timeout = SHOAL_MS(100) };
	(void)state;
	assert_int_equal(session(alone, &s), SHOAL_EXIT_NET);
	assert_string_equal(events, "checked started error summary");
	assert_int_equal(session(with, &s), SHOAL_EXIT_DATA);
	/* Complete in time, and staying to seed: the limit is over. */
	static const struct line done[] = { ADDED, CHECKED(0), COMPLETE, END, END };
	assert_int_equal(session(done, &(struct setting){ .timeout = SHOAL_S(15) }), SHOAL_EXIT_GOOD);
}

static void failures_name_the_exit_code(void **state)
{
	static const struct line denied[] = { ADDED,
					      { .kind = SHOAL_EV_ERROR, .err = SHOAL_ERR_DENIED, .text = "no\nway" },
					      END };
	static const struct line refused[] = { { .kind = SHOAL_EV_ADDED, .err = SHOAL_ERR_MALFORMED, .text = "bad" },
					       END };
	static const struct line twice[] = { { .kind = SHOAL_EV_ADDED, .err = SHOAL_ERR_EXISTS, .text = "twice" },
					     END };
	static const struct line spoilt[] = {
		ADDED, CHECKED(10), { .kind = SHOAL_EV_ERROR, .err = SHOAL_ERR_HASH, .text = "x" }, END
	};
	static const struct line nothing[] = {
		ADDED, CHECKED(0), { .kind = SHOAL_EV_ERROR, .err = SHOAL_ERR_HASH, .text = "x" }, END
	};
	static const struct line none[] = { END };
	(void)state;
	assert_int_equal(session(denied, &(struct setting){ 0 }), SHOAL_EXIT_STORAGE);
	assert_string_equal(events, "error summary");
	assert_non_null(strstr(out_text, "\"code\":\"permission denied\",\"exit\":4"));
	assert_int_equal(session(refused, &(struct setting){ 0 }), SHOAL_EXIT_INPUT);
	assert_int_equal(session(twice, &(struct setting){ 0 }), SHOAL_EXIT_USAGE);
	/* A seed that lacks data never says that it has started. */
	assert_int_equal(session(spoilt, &(struct setting){ .seeding = true }), SHOAL_EXIT_DATA);
	assert_string_equal(events, "checked error summary");
	assert_null(strstr(out_text, "-d names"));
	assert_int_equal(session(nothing, &(struct setting){ .seeding = true }), SHOAL_EXIT_DATA);
	assert_non_null(strstr(out_text, "x; nothing of it lies in /tmp: -d names"));
	assert_int_equal(session(none, &(struct setting){ .open_err = SHOAL_ERR_OWNED }), SHOAL_EXIT_STORAGE);
	assert_int_equal(session(none, &(struct setting){ .open_err = SHOAL_ERR_UNSUPPORTED }), SHOAL_EXIT_STORAGE);
	assert_int_equal(session(none, &(struct setting){ .open_err = SHOAL_ERR_NET }), SHOAL_EXIT_NET);
}

/* Whoever comes back to it learns that it was the storage, and not that nobody was there. */
static void what_ails_the_storage_is_not_the_networks(void **state)
{
	static const struct line paused = { .kind = SHOAL_EV_PAUSED, .err = SHOAL_ERR_DENIED, .text = "no\x1bway" };
	static const struct line full = { .kind = SHOAL_EV_PAUSED, .err = SHOAL_ERR_NO_SPACE, .text = "full" };
	static const struct line again = { .kind = SHOAL_EV_RESUMED };
	const struct {
		struct line script[8];
		int code;
	} cases[] = {
		{ { ADDED, CHECKED(0), paused, END }, SHOAL_EXIT_STORAGE },
		{ { ADDED, CHECKED(0), JOINED, full, END }, SHOAL_EXIT_STORAGE },
		{ { ADDED, CHECKED(0), JOINED, full, again, END }, SHOAL_EXIT_DATA },
		{ { ADDED, CHECKED(0), JOINED, paused, again, END }, SHOAL_EXIT_DATA },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(session(cases[i].script, &(struct setting){ .timeout = SHOAL_MS(100) }),
				 cases[i].code);
	assert_int_equal(session(cases[0].script, &(struct setting){ .timeout = SHOAL_MS(100) }), SHOAL_EXIT_STORAGE);
	assert_non_null(strstr(out_text, "not complete in time: no\\\\x1bway; run it again once that is mended"));
}

/* Nobody hears what it says: it leaves, and in good order all the same. */
static void an_end_of_stdout_is_no_crash(void **state)
{
	static const struct line script[] = { ADDED, CHECKED(0), JOINED, END };
	static const struct line done[] = { ADDED, CHECKED(0), COMPLETE, END };
	(void)state;
	assert_int_equal(session(script, &(struct setting){ .unheard = true }), SHOAL_EXIT_STORAGE);
	assert_non_null(strstr(out_text, "\nops A+SPQZ "));
	assert_int_equal(session(done, &(struct setting){ .unheard = true }), SHOAL_EXIT_STORAGE);
	assert_non_null(strstr(out_text, "QZ "));
	assert_int_equal(session(script, &(struct setting){ .unheard = true, .plain = true }), SHOAL_EXIT_STORAGE);
	assert_non_null(strstr(out_text, "\nops A+SPQZ "));
}

static long size_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

/* A run that cannot begin leaves the flight record of the last one as it was. */
static void a_record_is_replaced_by_a_run(void **state)
{
	static const struct line script[] = { ADDED, CHECKED(0), COMPLETE, END };
	char path[128];
	(void)state;
	snprintf(path, sizeof path, "%s/record", state_dir);
	struct setting s = { .record = path };
	assert_int_equal(session(script, &s), SHOAL_EXIT_GOOD);
	long was = size_of(path);
	assert_true(was > 0);
	s.open_err = SHOAL_ERR_NET;
	assert_int_equal(session(script, &s), SHOAL_EXIT_NET);
	assert_int_equal(size_of(path), was);
	s = (struct setting){ .record = state_dir };
	assert_int_equal(session(script, &s), SHOAL_EXIT_STORAGE);
	assert_non_null(strstr(out_text, "\nops Z ")); /* and the engine was closed */
	unlink(path);
}

static void ports_are_tried_in_turn(void **state)
{
	static const struct line script[] = { ADDED, CHECKED(0), COMPLETE, END };
	(void)state;
	assert_int_equal(session(script, &(struct setting){ .refuse_ports = 2 }), SHOAL_EXIT_GOOD);
	assert_non_null(strstr(out_text, " port 6883 count 2\n"));
	assert_int_equal(session(script, &(struct setting){ .refuse_ports = 9 }), SHOAL_EXIT_GOOD);
	assert_non_null(strstr(out_text, " port 0 count 2\n"));
	assert_int_equal(session(script, &(struct setting){ .refuse_ports = 10 }), SHOAL_EXIT_GOOD);
	assert_non_null(strstr(out_text, " port 6881 count 1\n")); /* a host without IPv6 */
}

static void signals_stop_it(void **state)
{
	static const struct line early[] = { ADDED, CHECKED(0), { .signal = SIGINT }, END };
	static const struct line late[] = { ADDED, CHECKED(0), COMPLETE, { .signal = SIGTERM }, END };
	static const struct line seed[] = { ADDED, CHECKED(1000), COMPLETE, { .signal = SIGTERM }, END };
	static const struct line twice[] = { ADDED, { .signal = SIGINT }, END };
	(void)state;
	assert_int_equal(session(early, &(struct setting){ 0 }), SHOAL_EXIT_INTERRUPTED);
	assert_string_equal(events, "checked started summary");
	assert_int_equal(session(late, &(struct setting){ .stay = true }), SHOAL_EXIT_GOOD);
	assert_string_equal(events, "checked started complete summary");
	assert_int_equal(session(seed, &(struct setting){ .seeding = true }), SHOAL_EXIT_GOOD);
	assert_string_equal(events, "checked started summary"); /* a seed completes nothing */
	/* A disk that does not answer holds nobody: under two seconds, and no close(). */
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(session(twice, &(struct setting){ .deaf = true }), SHOAL_EXIT_INTERRUPTED);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true(b.tv_sec - a.tv_sec <= 3);
	assert_null(strstr(out_text, "ops "));
}

static int make_dir(void **state)
{
	(void)state;
	snprintf(state_dir, sizeof state_dir, "/tmp/shoal-run-XXXXXX");
	return mkdtemp(state_dir) ? 0 : -1;
}
static int drop_dir(void **state)
{
	char path[128];
	(void)state;
	snprintf(path, sizeof path, "%s/out", state_dir);
	unlink(path);
	return rmdir(state_dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_ends_when_complete),
		cmocka_unit_test(a_magnet_is_started_before_its_metadata),
		cmocka_unit_test(time_runs_out),
		cmocka_unit_test(failures_name_the_exit_code),
		cmocka_unit_test(ports_are_tried_in_turn),
		cmocka_unit_test(signals_stop_it),
		cmocka_unit_test(what_ails_the_storage_is_not_the_networks),
		cmocka_unit_test(a_record_is_replaced_by_a_run),
		cmocka_unit_test(an_end_of_stdout_is_no_crash),
	};
	own_net(); /* what the machine's own network offers would be told to the engine */
	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
