/* test_lab_scenario.c - what a scenario file means; each wrong one with line, column and what was expected there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <shoal/engine.h>
#include "tools/lab/attack.h"
#include "tools/lab/fields.h"
#include "tools/lab/hold.h"
#include "tools/lab/metric.h"
#include "tools/lab/scenario.h"

#define GOOD                                        \
	"name: small\n"                             \
	"summary: a seed and three leeches\n"       \
	"content: { size: 4M, piece: 64K }\n"       \
	"nodes:\n"                                  \
	"  - { name: seed, has: all, up: 8Mbit }\n" \
	"  - { name: leeches, count: 3, up: \"each(1M, 2M)\" }\n"

static int parse(struct lab_scenario **s, const char *text, struct lab_fault *fault)
{
	return lab_scenario_parse(s, (struct shoal_bytes){ (const uint8_t *)text, strlen(text) }, NULL, 0, fault);
}

static void a_small_one_and_its_defaults(void **state)
{
	struct lab_scenario *s = NULL;
	struct lab_fault fault;
	(void)state;
	if (parse(&s, GOOD, &fault) < 0)
		fail_msg("%u:%u: %s", fault.line, fault.column, fault.what);
	assert_string_equal(s->name, "small");
	assert_int_equal(s->nodes_count, 2);
	assert_int_equal(lab_scenario_nodes(s), 4);
	assert_true(s->content.size.v == 4 << 20);
	assert_int_equal(s->content.format.v, SHOAL_FORMAT_V2);
	assert_true(s->nodes[0].has.v == 1 && s->nodes[1].has.v == 0);
	assert_true(s->nodes[0].up.v.value[0] == 1e6);
	assert_int_equal(s->nodes[1].up.v.kind, LAB_SPREAD_EACH);
	assert_true(isinf(s->nodes[1].leave.v.value[0]));
	assert_int_equal(s->policy.v, LAB_POLICY_FULL);
	assert_true(s->seeds.from == 1 && s->seeds.to == 3);
	assert_null(s->nodes[0].adversary.kind);
	lab_scenario_free(s);
}

static void settings_change_fields(void **state)
{
	static const char *const set[] = { "leeches.count = 9", "content.size=1G", "policy = off",
					   "seed.disk.rate = 1M", "without = hedge,repair" };
	struct lab_scenario *s = NULL;
	struct lab_fault fault;
	(void)state;
	assert_int_equal(
		lab_scenario_parse(&s, (struct shoal_bytes){ (const uint8_t *)GOOD, sizeof GOOD - 1 }, set, 5, &fault),
		0);
	assert_int_equal(lab_scenario_nodes(s), 10);
	assert_true(s->content.size.v == 1 << 30);
	assert_int_equal(s->policy.v, LAB_POLICY_OFF);
	assert_true(s->nodes[0].disk.rate.v == 1 << 20);
	assert_int_equal(s->leaves_out, SHOAL_WITHOUT_HEDGE | SHOAL_WITHOUT_REPAIR);
	lab_scenario_free(s);
}

static const struct {
	const char *text; /* behind a good one, or by itself when it begins with "!" */
	unsigned line, column;
	const char *what;
} wrong[] = {
	/* no YAML at all */
	{ "! name: [a\n", 2, 1, "not YAML: did not find expected ',' or ']'" },
	{ "!\tname: a\n", 1, 1, "not YAML: found character that cannot start any token" },
	{ "!", 1, 1, "the file is empty" },
	{ "!- a\n", 1, 1, "expected fields (key: value)" },
	{ "!just words\n", 1, 1, "expected fields (key: value)" },
	/* shape */
	{ "polizy: off\n", 7, 1, "unknown field 'polizy'; here belong: name, summary" },
	{ "name: again\n", 7, 1, "field 'name' is there twice" },
	{ "seeds: [1, 2]\n", 7, 8, "expected a single value" },
	{ "events: 5\n", 7, 9, "expected a list" },
	{ "events: [5]\n", 7, 10, "expected fields" },
	{ "policy:\n", 7, 8, "expected a value, found nothing" },
	{ "about: &a x\nneeds: [*a]\n", 8, 8, "aliases" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\n", 1, 1, "field 'nodes' is missing: groups of nodes" },
	{ "!name: a\nsummary: b\nnodes:\n  - name: x\n", 1, 1, "field 'content' is missing" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes: []\n", 4, 8, "at least one entry" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: x\n    cuont: 3\n", 6, 5,
	  "unknown field 'cuont'; here belong: name, count, has" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - count: 3\n", 5, 5, "field 'name' is missing" },
	/* values */
	{ "without: hedge, hedges\n", 7, 10, "'hedges' is no part of it: expected some of forgiving, prior, " },
	{ "policy: maybe\n", 7, 9, "'maybe' is none of off, lt, full" },
	{ "limit: 5 parsecs\n", 7, 8, "'5 parsecs' is not a time" },
	{ "seeds: 5..2\n", 7, 8, "no range" },
	{ "peers: 3x\n", 7, 8, "'3x' is not a whole number" },
	{ "peers: 5000\n", 7, 8, "too big: expected at most 1000" },
	{ "!name: a b\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: x\n", 1, 7, "'a b' is no name" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M, piece: 100K }\nnodes:\n  - name: x\n", 3, 29, "no power of two" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M, piece: 1K }\nnodes:\n  - name: x\n", 3, 29, "too small" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - { name: x, adversary: { kind: \"hostile:\" } }\n",
	  5, 35, "there are: " },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: x\n    adversary: { kind: hostile:W6-f }\n",
	  6, 24, "'hostile:W6-f' is no kind of adversary" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: x\n"
	  "    adversary: { kind: hostile:W06f, rate: 5% }\n",
	  6, 44, "a case of tools/hostile is as it is: it has no 'rate'" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: x\n    up: fast\n", 6, 9, "expected a rate" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: x\n    up: uniform(2M, 1M)\n", 6, 9,
	  "A <= B" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: x\n    up: normal(2M, 1M)\n", 6, 9,
	  "no such spread" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: x\n    has: some\n", 6, 10,
	  "none of all, nothing" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: x\n  - name: x\n", 6, 11, "two groups" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: content\n", 5, 11, "a field's name" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: x\n    count: 30000\n", 6, 12, "too big" },
	/* what refers to something else */
	{ "links: [{ from: seed, to: nobody }]\n", 7, 27, "'nobody' names no group" },
	{ "events: [{ at: 5s, kind: stop, who: nobody }]\n", 7, 37, "names no group" },
	{ "events: [{ at: 5s, kind: stop, who: \"leeches[3]\" }]\n", 7, 37, "from 0 to 2" },
	{ "events: [{ at: 5s, kind: explode, who: seed }]\n", 7, 26, "none of start, stop, crash" },
	{ "events: [{ at: soon, kind: stop, who: seed }]\n", 7, 16, "neither a time (90s) nor a share" },
	{ "events: [{ at: 5s, kind: stop, who: many of leeches }]\n", 7, 37, "a number or a share before 'of'" },
	{ "runs: [{ name: off, set: [] }]\n", 7, 16, "or a policy's" },
	{ "runs: [{ name: big, set: [\"leeches.cuont = 4\"] }]\n", 7, 27, "cannot be set" },
	{ "runs: [{ name: big, set: [\"leeches.count = four\"] }]\n", 7, 27, "'four' is not a whole number" },
	{ "runs: [{ name: big, set: [], quick: [\"leeches.count = four\"] }]\n", 7, 38,
	  "'four' is not a whole number" },
	{ "quick: { set: [\"nodes = 4\"] }\n", 7, 16, "cannot be set" },
	{ "quick: { set: [\"leeches.count 4\"] }\n", 7, 16, "expected FIELD = VALUE" },
	{ "must_hold: [speed > 3]\n", 7, 13, "'speed' is no metric; there are: t50" },
	{ "must_hold: [\"tmax[nobody] < 3\"]\n", 7, 13, "the name of a group and ] at nobody" },
	{ "must_hold: [tmax(fast) < 3]\n", 7, 13, "the name of a policy or of one of `runs`" },
	{ "must_hold: [tmax]\n", 7, 13, "expected one of <= < >= > == at the end" },
	{ "must_hold: [tmax < 3 4]\n", 7, 13, "expected nothing more at 4" },
	{ "must_hold: [tmax < 3 furlong]\n", 7, 13, "expected nothing more at furlong" },
	/* adversaries, as the world has them */
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: x\n    adversary: { kind: liar }\n", 6, 24,
	  "'liar' is no kind of adversary; there are: polluter" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: x\n    adversary: { kind: polluter, quick: 3 "
	  "}\n",
	  6, 41, "a polluter has no 'quick'; it has: rate" },
	{ "!name: a\nsummary: b\ncontent: { size: 1M }\nnodes:\n  - name: x\n    adversary: { kind: polluter, rate: 3 "
	  "}\n",
	  6, 40, "expected a share" },
};

static void a_wrong_file_is_told_where_and_what(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char text[1000];
		struct lab_scenario *s = NULL;
		struct lab_fault fault;
		bool alone = wrong[i].text[0] == '!';
		snprintf(text, sizeof text, "%s%s", alone ? "" : GOOD, wrong[i].text + alone);
		assert_int_equal(parse(&s, text, &fault), SHOAL_ERR_MALFORMED);
		if (fault.line != wrong[i].line || fault.column != wrong[i].column ||
		    strstr(fault.what, wrong[i].what) == NULL)
			fail_msg("%s\nwanted %u:%u: %s\ngot    %u:%u: %s", wrong[i].text, wrong[i].line,
				 wrong[i].column, wrong[i].what, fault.line, fault.column, fault.what);
	}
}

/* Every prefix of a good file, and every file with a byte changed, is good or told of: nothing else happens. */
static void damaged_files_are_told_of(void **state)
{
	char text[sizeof GOOD];
	(void)state;
	for (size_t cut = 0; cut < sizeof GOOD; cut++) {
		struct lab_scenario *s = NULL;
		struct lab_fault fault;
		memcpy(text, GOOD, cut);
		int rc = lab_scenario_parse(&s, (struct shoal_bytes){ (const uint8_t *)text, cut }, NULL, 0, &fault);
		assert_true(rc == 0 ? s != NULL : fault.what[0] != 0);
		lab_scenario_free(s);
		s = NULL;
		memcpy(text, GOOD, sizeof GOOD);
		text[cut] = "{[*&:\0\xff"[cut % 7];
		rc = lab_scenario_parse(&s, (struct shoal_bytes){ (const uint8_t *)text, sizeof GOOD - 1 }, NULL, 0,
					&fault);
		assert_true(rc == 0 ? s != NULL : fault.what[0] != 0);
		lab_scenario_free(s);
	}
}

/* The small form is that in all of its runs: none of them has more nodes than it. */
static void runs_are_small_too(const struct lab_scenario *s, struct shoal_bytes text, unsigned nodes)
{
	for (unsigned i = 0; s->quick.set.count > 0 && i < s->runs_count; i++) {
		const struct lab_list *const lists[] = { &s->quick.set, &s->runs[i].set, &s->runs[i].quick };
		const char *set[3 * LAB_SETS_MAX];
		struct lab_scenario *run = NULL;
		struct lab_fault fault;
		size_t n = 0;
		for (unsigned k = 0; k < sizeof lists / sizeof *lists; k++)
			for (unsigned j = 0; j < lists[k]->count; j++)
				set[n++] = lists[k]->at[j];
		if (lab_scenario_parse(&run, text, set, n, &fault) < 0)
			fail_msg("%s, the quick form of '%s': %s", s->name, s->runs[i].name, fault.what);
		if (lab_scenario_nodes(run) > nodes)
			fail_msg("%s, the quick form of '%s' has %u nodes", s->name, s->runs[i].name,
				 lab_scenario_nodes(run));
		lab_scenario_free(run);
	}
}

static void every_shipped_scenario_is_good(void **state)
{
	char path[600], text[LAB_FILE_MAX];
	const char *tree = getenv("SHOAL_TREE");
	unsigned count = 0;
	(void)state;
	snprintf(path, sizeof path, "%s/tools/lab/scenarios", tree != NULL ? tree : ".");
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *d; (d = readdir(dir)) != NULL;) {
		struct lab_scenario *s = NULL, *quick = NULL;
		struct lab_fault fault;
		if (strstr(d->d_name, ".yaml") == NULL)
			continue;
		snprintf(path, sizeof path, "%s/tools/lab/scenarios/%s", tree != NULL ? tree : ".", d->d_name);
		FILE *file = fopen(path, "rb");
		assert_non_null(file);
		size_t len = fread(text, 1, sizeof text, file);
		fclose(file);
		struct shoal_bytes bytes = { (const uint8_t *)text, len };
		if (lab_scenario_parse(&s, bytes, NULL, 0, &fault) < 0)
			fail_msg("%s:%u:%u: %s", d->d_name, fault.line, fault.column, fault.what);
		assert_true(s->must_hold.count > 0);
		assert_memory_equal(s->name, d->d_name, strlen(s->name));
		if (lab_scenario_parse(&quick, bytes, (const char *const *)s->quick.set.at, s->quick.set.count,
				       &fault) < 0)
			fail_msg("%s, the quick form: %s", d->d_name, fault.what);
		assert_true(lab_scenario_nodes(quick) <= lab_scenario_nodes(s));
		runs_are_small_too(s, bytes, lab_scenario_nodes(quick));
		lab_scenario_free(quick);
		lab_scenario_free(s);
		count++;
	}
	closedir(dir);
	assert_true(count >= 18);
}

/* Whatever an adversary of the world can be told, a scenario can tell it. */
static void the_language_has_all_parameters(void **state)
{
	(void)state;
	for (int kind = 0; kind < SIM_ADVERSARY_KINDS; kind++) {
		for (const struct sim_adversary_param *p = sim_adversary_table[kind].param; p->name != NULL; p++) {
			const struct lab_field *f = lab_adversary_fields;
			while (f->type != LAB_FIELD_END && strcmp(f->key, p->name) != 0)
				f++;
			if (f->type == LAB_FIELD_END)
				fail_msg("lab_adversary_fields has no '%s' of %s", p->name,
					 sim_adversary_table[kind].name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_one_and_its_defaults),
		cmocka_unit_test(settings_change_fields),
		cmocka_unit_test(a_wrong_file_is_told_where_and_what),
		cmocka_unit_test(damaged_files_are_told_of),
		cmocka_unit_test(every_shipped_scenario_is_good),
		cmocka_unit_test(the_language_has_all_parameters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
