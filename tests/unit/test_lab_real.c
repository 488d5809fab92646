/* test_lab_real.c - real processes, as far as they are decided without any: what is heard, plans, the calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "tools/lab/real/calendar.h"
#include "tools/lab/real/command.h"
#include "tools/lab/real/hear.h"

#define MS 1000000u /* nanoseconds */

/* ---- what is heard -------------------------------------------------------------------------------- */

static struct lab_heard heard(const char *line)
{
	struct lab_heard h;
	lab_hear(shoal_bytes(line, strlen(line)), &h);
	return h;
}

static void lines_are_heard(void **state)
{
	(void)state;
	struct lab_heard h = heard("{\"t\": 1.5, \"event\": \"progress\", \"done\": 5, \"total\": 9, \"eta\": null}");
	assert_int_equal(h.kind, LAB_HEARD_PROGRESS);
	assert_int_equal(h.done, 5);
	assert_int_equal(h.total, 9);
	h = heard("{\"event\": \"peer_banned\", \"addr\": \"10.77.0.3:6881\"}");
	assert_int_equal(h.kind, LAB_HEARD_BANNED);
	assert_int_equal(h.address, lab_wires_address(2));
	h = heard("{\"event\": \"peer_banned\", \"addr\": \"example.org\"}");
	assert_int_equal(h.address, 0);
	h = heard("{\"event\": \"peer_banned\", \"addr\": 7}");
	assert_int_equal(h.address, 0);
	assert_int_equal(heard("{\"event\": \"complete\", \"wasted\": 16384}").wasted, 16384);
	assert_int_equal(heard("{\"event\": \"complete\", \"wasted\": -4}").wasted, 0);
	assert_string_equal(heard("{\"event\": \"error\", \"what\": \"no room\"}").what, "no room");
	static const char *const nothing[] = { "", "{\"event\": 5}", "{\"event\": \"dance\"}", "{\"done\": 5}" };
	static const char *const noise[] = { "{", "[]", "null", "11/30 [NOTICE] Download complete", "{{{{{{" };
	for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
		assert_int_equal(heard(nothing[i]).kind, LAB_HEARD_NOTHING);
	for (size_t i = 0; i < sizeof noise / sizeof *noise; i++)
		assert_int_equal(heard(noise[i]).kind, LAB_HEARD_NOISE);
}

/* ---- plans ------------------------------------------------------------------------------------------ */

#define HEAD "name: x\nsummary: y\ncontent: { size: 1M, piece: 64K, format: v1 }\n"

static struct lab_scenario *parsed(const char *text)
{
	struct lab_scenario *s = NULL;
	struct lab_fault fault;
	if (lab_scenario_parse(&s, shoal_bytes(text, strlen(text)), NULL, 0, &fault) < 0)
		fail_msg("%u:%u: %s\n%s", fault.line, fault.column, fault.what, text);
	return s;
}

static const struct {
	const char *text;
	const char *where; /* what cannot be had begins there, where it is first in the text; NULL: all can be had */
} asked[] = {
	{ HEAD "nodes: [{ name: a, has: all }]\n", NULL },
	{ HEAD "nodes: [{ name: a, rtt: 50ms, jitter: 5ms, loss: 1%, queue: 50ms, up: 1M, down: 2M }]\n", NULL },
	{ HEAD "nodes: [{ name: a, kind: aria2, max_peers: 20 }, { name: b, kind: libtorrent, limit_up: 1M }]\n",
	  NULL },
	{ HEAD "nodes: [{ name: a, has: 30% }]\n", NULL },
	{ HEAD "nodes: [{ name: a, adversary: { kind: free-rider }, memory: 8M }]\n", NULL },
	{ HEAD "nodes: [{ name: a, adversary: { kind: free-rider }, limit_up: 8M }]\n", "8M" },
	{ HEAD "nodes: [{ name: a, nat: cone }]\n", "cone" },
	{ HEAD "nodes: [{ name: a, slots: 4 }]\n", "4 }" },
	{ HEAD "nodes: [{ name: a, policy: off }]\n", "off" },
	{ HEAD "nodes: [{ name: a, disk: { rate: 1M } }]\n", "1M }" },
	{ HEAD "nodes: [{ name: a, kind: aria2, memory: 8M }]\n", "8M" },
	{ HEAD "nodes: [{ name: a, kind: transmission, limit_up: 8M }]\n", "8M" },
	{ HEAD "nodes: [{ name: a, adversary: { kind: polluter } }]\n", "{ name: a" }, /* it has nothing */
	{ HEAD "nodes: [{ name: a, has: all, adversary: { kind: polluter } }]\n", NULL },
	{ HEAD "nodes: [{ name: a, has: all, adversary: { kind: polluter, view: 3 } }]\n", "3 }" },
	{ HEAD "nodes: [{ name: a, adversary: { kind: fake-haver, answer: reject } }]\n", NULL },
	{ HEAD "nodes: [{ name: a, has: all, adversary: { kind: sybil } }]\n", "sybil" },
	{ HEAD "nodes: [{ name: a, has: all, kind: aria2, adversary: { kind: traitor } }]\n", "aria2" },
	{ HEAD "nodes: [{ name: a, has: all, adversary: { kind: hostile:W06f } }]\n", NULL },
	{ HEAD "nodes: [{ name: a, adversary: { kind: hostile:W06f } }]\n", "{ name: a" }, /* it has nothing */
	{ HEAD "nodes: [{ name: a, reorder: 1% }, { name: b, kind: aria2 }]\nmeet: dht\n", NULL },
	{ HEAD "nodes: [{ name: a }, { name: b, kind: libtorrent }]\nmeet: dht\n", "libtorrent" },
	{ HEAD "nodes: [{ name: a }, { name: b, has: all, adversary: { kind: polluter } }]\nmeet: dht\n", "polluter" },
	{ HEAD "nodes: [{ name: a }, { name: b, adversary: { kind: free-rider } }]\nmeet: dht\n", NULL },
	{ HEAD "policy: lt\nnodes: [{ name: a }]\n", "lt\n" },
	{ HEAD "tcp: ideal\nnodes: [{ name: a }]\n", "ideal" },
	{ HEAD "nodes: [{ name: a }]\nlinks: [{ from: a, to: a, rate: 1M }]\n", "{ from" },
	{ HEAD "nodes: [{ name: a }]\nevents: [{ at: 1s, kind: rot, who: a }]\n", "rot," },
	{ HEAD "nodes: [{ name: a }]\nevents: [{ at: 1s, kind: crash, how: power, who: a }]\n", "power" },
	{ HEAD "nodes: [{ name: a }]\nevents: [{ at: 1s, kind: pause, for: 1s, who: a }]\n", NULL },
	{ HEAD "nodes: [{ name: a, count: 1001 }]\n", "[{ name" },
	{ "name: x\nsummary: y\ncontent: { size: 1M }\nnodes: [{ name: a, kind: rtorrent }]\n", "rtorrent" },
	{ "name: x\nsummary: y\ncontent: { size: 1M }\nnodes: [{ name: a, kind: libtorrent }]\n", NULL },
	{ "name: x\nsummary: y\ncontent: { size: 1M, files: 3 }\nnodes:\n - { name: a, has: all,\n"
	  "     adversary: { kind: polluter } }\n",
	  "polluter" },
};

static void what_cannot_be_had_is_told_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		struct lab_scenario *s = parsed(asked[i].text);
		struct lab_fault fault;
		unsigned line = 0, column = 0;
		const char *where = asked[i].where != NULL ? strstr(asked[i].text, asked[i].where) : NULL;
		for (const char *at = asked[i].text; where != NULL && at <= where; at++) {
			line += at == asked[i].text || at[-1] == '\n';
			column = at == asked[i].text || at[-1] == '\n' ? 1 : column + 1;
		}
		int rc = lab_plan_check(s, shoal_bytes(asked[i].text, strlen(asked[i].text)), &fault);
		if (rc != (where != NULL ? SHOAL_ERR_UNSUPPORTED : 0) || fault.line != line || fault.column != column)
			fail_msg("%d, %u:%u: %s\n%s", rc, fault.line, fault.column, fault.what, asked[i].text);
		lab_scenario_free(s);
	}
}

static void a_plan_has_what_the_virtual_world_draws(void **state)
{
	static const char text[] = HEAD
		"nodes:\n"
		" - { name: seed, has: all, up: 1M, rtt: 40ms, loss: 1% }\n"
		" - { name: l, count: 3, up: \"uniform(1M, 2M)\", rtt: \"uniform(20ms, 100ms)\","
		" join: every(2s), queue: 50ms }\n";
	struct lab_scenario *s = parsed(text);
	struct lab_plan plan, again;
	struct lab_drawn drawn[3];
	struct shoal_rng dice = lab_draw_dice(9, 1);
	(void)state;
	assert_int_equal(lab_plan_make(&plan, s, 16, 9), 0);
	assert_int_equal(plan.nodes, 4);
	assert_string_equal(plan.node[0].name, "seed");
	assert_string_equal(plan.node[3].name, "l.3");
	assert_true(plan.node[0].seed && !plan.node[1].seed);
	assert_int_equal(plan.node[0].line.delay_ns, 10 * MS);
	assert_int_equal(plan.node[0].line.loss_ppm, 10000);
	assert_int_equal(plan.node[1].line.queue_ns, 50 * MS);
	assert_false(plan.wide);
	lab_draw_group(&s->nodes[1], &dice, drawn);
	for (unsigned k = 0; k < 3; k++) {
		assert_int_equal(plan.node[1 + k].line.up, (uint64_t)drawn[k].up);
		assert_in_range(plan.node[1 + k].line.delay_ns, 5 * MS, 25 * MS);
		assert_true(plan.node[1 + k].drawn.join == drawn[k].join);
	}
	assert_int_equal(lab_plan_make(&again, s, 16, 10), 0);
	assert_int_not_equal(again.node[1].line.up, plan.node[1].line.up);
	lab_plan_fini(&again);
	lab_plan_fini(&plan);
	lab_scenario_free(s);
}

/* A scenario, and a plan of it. */
struct planned {
	struct lab_scenario *s;
	struct lab_plan plan;
};

static struct planned planned(const char *text)
{
	struct planned p = { .s = parsed(text) };
	assert_int_equal(lab_plan_make(&p.plan, p.s, 16, 1), 0);
	return p;
}

static void planned_fini(struct planned *p)
{
	lab_plan_fini(&p->plan);
	lab_scenario_free(p->s);
}

static struct lab_command command_of(const struct planned *p, unsigned node)
{
	static const struct lab_command_place place = { "/bin/shoal", "/bin/hostile",
							"http://10.77.0.8:6969/announce" };
	struct lab_command c;
	assert_int_equal(lab_command_make(&c, p->s, &p->plan, node, &place), 0);
	return c;
}

static bool has_word(const struct lab_command *c, const char *word)
{
	for (unsigned i = 0; i < c->words; i++)
		if (strcmp(c->word[i], word) == 0)
			return true;
	return false;
}

static void each_kind_has_its_command(void **state)
{
	static const char text[] = HEAD
		"nodes:\n - { name: seed, has: all, memory: 8M }\n - { name: lt, kind: libtorrent }\n"
		" - { name: tr, kind: transmission }\n - { name: ar, kind: aria2 }\n - { name: rt, kind: rtorrent }\n"
		" - { name: foe, has: all, adversary: { kind: polluter, rate: 50%, burst: 3 } }\n"
		" - { name: case, has: all, adversary: { kind: hostile:W06f } }\n";
	static const struct {
		const char *program, *words[3];
	} want[] = { { "/bin/shoal", { "seed", "8388608", "10.77.0.1:6881" } },
		     { "/bin/shoal", { "get", "libtorrent", "10.77.0.2:6881" } },
		     { "transmission-daemon", { "-f", "config" } },
		     { "aria2c", { "--interface=10.77.0.4", "--enable-dht=false", "--bt-enable-lpd=false" } },
		     { "rtorrent", { "import=rc" } },
		     { "/bin/hostile", { "polluter", "rate=500000", "burst=3" } },
		     { "/bin/hostile", { "play", "W06f", "10.77.0.7:6881" } } };
	struct planned p = planned(text);
	(void)state;
	for (unsigned i = 0; i < p.plan.nodes; i++) {
		struct lab_command c = command_of(&p, i);
		assert_string_equal(c.word[0], want[i].program);
		assert_null(c.word[c.words]);
		for (size_t k = 0; k < 3 && want[i].words[k] != NULL; k++)
			if (!has_word(&c, want[i].words[k]))
				fail_msg("node %u has no '%s'", i, want[i].words[k]);
		if (p.plan.node[i].kind <= LAB_KIND_LIBTORRENT && !p.plan.node[i].hostile)
			assert_true(has_word(&c, "--no-dht") && has_word(&c, "--no-lsd") &&
				    has_word(&c, "--no-portmap"));
		lab_command_free(&c);
	}
	planned_fini(&p);
}

/* Somewhere in its words or in the text of its files. */
static bool speaks_of(const struct lab_command *c, const char *what)
{
	for (unsigned i = 0; i < c->words; i++)
		if (strstr(c->word[i], what) != NULL)
			return true;
	for (unsigned i = 0; i < c->files; i++)
		if (c->file[i].text != NULL && strstr(c->file[i].text, what) != NULL)
			return true;
	return false;
}

static void in_a_dht_each_kind_enters_at_the_first(void **state)
{
	static const char text[] = HEAD
		"meet: dht\nnodes:\n - { name: own, kind: command, command: x }\n - { name: seed, has: all }\n"
		" - { name: lt, kind: libtorrent }\n - { name: tr, kind: transmission }\n"
		" - { name: ar, kind: aria2 }\n - { name: rt, kind: rtorrent }\n";
	struct planned p = planned(text);
	(void)state;
	for (unsigned i = 0; i < p.plan.nodes; i++) {
		struct lab_command c = command_of(&p, i);
		assert_int_equal(lab_plan_dht_entry(&p.plan, i), i == 1 ? 2 : 1);
		assert_int_equal(has_word(&c, "--no-dht"), false);
		if (i > 0 && !speaks_of(&c, i == 1 ? "10.77.0.3:6881" : i == 3 ? "10.77.0.2 6881" : "10.77.0.2:6881"))
			fail_msg("node %u knows no way into the DHT", i);
		lab_command_free(&c);
	}
	planned_fini(&p);
}

static void the_calendar_keeps_its_order(void **state)
{
	static const double at[] = { 3, 1, 2, 1, 0, 2 };
	static const unsigned order[] = { 4, 1, 3, 2, 5, 0 };
	struct lab_calendar c = { 0 };
	(void)state;
	assert_true(isinf(lab_calendar_next(&c)));
	for (unsigned i = 0; i < 6; i++)
		assert_non_null(lab_calendar_add(&c, at[i], LAB_TASK_JOIN, i));
	for (unsigned i = 0; i < 6; i++) {
		assert_null(lab_calendar_take(&c, at[order[i]] - 0.5));
		struct lab_task *task = lab_calendar_take(&c, 10);
		assert_int_equal(task->node, order[i]);
		lab_task_free(task);
	}
	assert_non_null(lab_calendar_add(&c, 1, LAB_TASK_JOIN, 0));
	lab_calendar_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_heard),
		cmocka_unit_test(what_cannot_be_had_is_told_with_its_place),
		cmocka_unit_test(a_plan_has_what_the_virtual_world_draws),
		cmocka_unit_test(each_kind_has_its_command),
		cmocka_unit_test(in_a_dht_each_kind_enters_at_the_first),
		cmocka_unit_test(the_calendar_keeps_its_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
