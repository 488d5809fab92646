/* tools/lab.c - shoal lab: test swarms under virtual time, and both engines side by side. */
#include "tools/lab_inner.h"

#include "tools/commands.h"
#include "tools/lab/attack.h"
#include "tools/lab/compare/compare.h"
#include "tools/lab/fields.h"
#include "tools/lab/metric.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ------------------------------------------------------------------------------- */

int lab_bad_arg(struct shoal_tool *tool, const char *arg, int rc)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	if (rc == SHOAL_ERR_GONE)
		return shoal_say_fail_as(tool, SHOAL_EXIT_INPUT, rc, "%s: no such file, folder or shipped scenario",
					 shoal_say_cstr(arg, shown));
	return shoal_say_fail(tool, rc, "%s: %s", shoal_say_cstr(arg, shown),
			      rc == SHOAL_ERR_IO ? strerror(errno) : shoal_err_name(rc));
}

int lab_fault_at(struct lab *lab, const char *path, const struct lab_fault *fault, int code, int err)
{
	char shown[SHOAL_SAY_TEXT_MAX], what[SHOAL_SAY_TEXT_MAX];
	shoal_say_cstr(path, shown);
	shoal_say_cstr(fault->what, what);
	if (fault->line > 0)
		return shoal_say_fail_as(lab->tool, code, err, "%s:%u:%u: %s", shown, fault->line, fault->column, what);
	return shoal_say_fail_as(lab->tool, code, err, "%s: %s", shown, what);
}

int lab_open_suite(struct lab *lab, struct lab_suite *suite, const char *path, const struct lab_suite_options *o,
		   struct shoal_space *text)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	struct lab_fault fault = { 0 };
	int rc = lab_file_read(path, text), code;
	if (rc == SHOAL_ERR_TOO_LONG) {
		code = shoal_say_fail(lab->tool, rc, "%s: more than %u KiB: no scenario is that long",
				      shoal_say_cstr(path, shown), LAB_FILE_MAX >> 10);
	} else if (rc < 0) {
		code = lab_bad_arg(lab->tool, path, rc);
	} else if ((rc = lab_suite_open(suite, (struct shoal_bytes){ text->at, text->len }, o, &fault)) == 0) {
		return 0;
	} else {
		free(text->at);
		*text = (struct shoal_space){ 0 };
		if (rc != SHOAL_ERR_MALFORMED)
			snprintf(fault.what, sizeof fault.what, "%s", shoal_err_name(rc));
		code = lab_fault_at(lab, path, &fault, shoal_exit_of(rc), rc);
	}
	assert(code != SHOAL_EXIT_GOOD);
	return code;
}

int lab_read_all(struct lab *lab, const struct lab_files *files, const struct lab_suite_options *o)
{
	int code = 0;
	for (size_t i = 0; code == 0 && i < files->count; i++) {
		struct lab_suite suite;
		struct shoal_space text = { 0 };
		code = lab_open_suite(lab, &suite, files->at[i], o, &text);
		if (code == 0)
			lab_suite_fini(&suite);
		free(text.at);
	}
	return code;
}

/* It is like an option that is not built yet: exit 2, and it names what it needs. */
int lab_not_runnable(struct lab *lab, const struct lab_suite *suite)
{
	return shoal_say_fail(lab->tool, SHOAL_ERR_USAGE, "%s: %s %s", suite->s->name, lab_suite_cannot(suite),
			      lab_suite_lacks(suite));
}

int lab_with_file(struct lab *lab, struct lab_suite_options *o, const char *arg,
		  int (*what)(struct lab *lab, struct lab_suite_options *o, const char *path))
{
	struct lab_files files = { 0 };
	int rc = lab_files_add(&files, arg), code;
	if (rc < 0)
		code = lab_bad_arg(lab->tool, arg, rc);
	else if (files.count != 1)
		code = shoal_say_fail(lab->tool, SHOAL_ERR_USAGE,
				      "one FILE is needed; folders are for shoal lab check");
	else
		code = what(lab, o, files.at[0]);
	lab_files_fini(&files);
	return code;
}

/* ---- replay -------------------------------------------------------------------------------------------------- */

static const struct shoal_opt_page replay_page = {
	"FILE SEED@STEP [--policy off|lt|full] [--quick]",
	"Runs a scenario again with that seed up to that step (an instant at which something happened), and\n"
	"prints every node as it is then, and what was said before. A check that fails names SEED@STEP.",
	"  shoal lab replay S18 7@120000 --quick",
};

static int replay_file(struct lab *lab, struct lab_suite_options *o, const char *path)
{
	struct lab_suite suite;
	struct shoal_space text = { 0 };
	int code = lab_open_suite(lab, &suite, path, o, &text);
	if (code != 0)
		return code;
	if (lab_suite_lacks(&suite)[0]) {
		code = lab_not_runnable(lab, &suite);
	} else {
		const struct lab_result *r = lab_suite_result(&suite, o->first);
		if (r != NULL && r->wrong[0] != 0)
			code = shoal_say_fail_as(lab->tool, SHOAL_EXIT_DATA, SHOAL_ERR_HASH, "a rule was broken: %s",
						 r->wrong);
		else if (r != NULL && r->steps < o->stop_at)
			code = shoal_say_fail_as(lab->tool, SHOAL_EXIT_DATA, SHOAL_ERR_RANGE,
						 "it was over at step %llu", (unsigned long long)r->steps);
	}
	lab_suite_fini(&suite);
	free(text.at);
	return code;
}

static int replay_main(struct lab *lab, int argc, char **argv)
{
	struct shoal_opt_list args = { 0 };
	struct lab_suite_options o;
	const struct shoal_opt own[] = { { .kind = SHOAL_OPT_END } };
	int rc = lab_parse(lab, &replay_page, own, LAB_OPTIONS_FILE | LAB_OPTIONS_WORLD, argc, argv, &args);
	int code = rc < 0 ? shoal_exit_of(rc) : 0;
	if (rc == 0 && (code = lab_read_options(lab, &o)) == 0) {
		char *end = NULL;
		const char *at = args.count == 2 ? strchr(args.at[1], '@') : NULL;
		char seed[32];
		if (at != NULL) {
			snprintf(seed, sizeof seed, "%.*s", (int)(at - args.at[1]), args.at[1]);
			o.stop_at = strtoull(at + 1, &end, 10);
		}
		if (end == NULL || *end != 0 || o.stop_at == 0 || lab_seeds_parse(seed, &o.first, &o.last) < 0 ||
		    o.first != o.last) {
			code = shoal_say_fail(lab->tool, SHOAL_ERR_USAGE,
					      "FILE and SEED@STEP are needed; see shoal lab replay --help");
		} else {
			o.has_seeds = true;
			o.dump = stdout;
			code = lab_with_file(lab, &o, args.at[0], replay_file);
		}
	}
	shoal_opt_list_fini(&args);
	return code;
}

/* ---- list ------------------------------------------------------------------------------------------------------ */

static const struct shoal_opt_page list_page = {
	"[DIR|FILE]...",
	"Names scenarios, and says of each what it is about and whether it can be run (without arguments: those\n"
	"that are shipped).",
	NULL,
};

static int list_file(struct lab *lab, const struct lab_suite_options *o, const char *path)
{
	struct lab_suite suite;
	struct shoal_space text = { 0 };
	int code = lab_open_suite(lab, &suite, path, o, &text);
	if (code != 0)
		return code;
	const char *lacks = lab_suite_lacks(&suite);
	if (lab->tool->json) {
		struct shoal_json *j = shoal_say_event(lab->tool, "scenario", 0);
		shoal_json_text(j, "scenario", suite.s->name);
		shoal_json_text(j, "summary", suite.s->summary);
		shoal_json_text(j, "file", path);
		shoal_json_u64(j, "nodes", lab_scenario_nodes(suite.s));
		shoal_json_bool(j, "runnable", lacks[0] == 0);
		shoal_json_text(j, "needs", lacks[0] ? lacks : NULL);
		shoal_say_event_end(lab->tool);
	} else {
		shoal_say(lab->tool, "%-20s %s", suite.s->name, suite.s->summary);
		if (lacks[0])
			shoal_say(lab->tool, "%-20s %s %s", "", lab_suite_cannot(&suite), lacks);
	}
	lab_suite_fini(&suite);
	free(text.at);
	return 0;
}

static int list_main(struct lab *lab, int argc, char **argv)
{
	struct shoal_opt_list args = { 0 };
	struct lab_suite_options o = { 0 };
	struct lab_files files = { 0 };
	const struct shoal_opt own[] = { { .kind = SHOAL_OPT_END } };
	int rc = lab_parse(lab, &list_page, own, 0, argc, argv, &args), code = rc < 0 ? shoal_exit_of(rc) : 0;
	if (rc == 0) {
		code = lab_read_files(lab, &files, args.at, args.count);
		for (size_t i = 0; code == 0 && i < files.count; i++)
			code = list_file(lab, &o, files.at[i]);
	}
	lab_files_fini(&files);
	shoal_opt_list_fini(&args);
	return code;
}

/* ---- example ----------------------------------------------------------------------------------------------------- */

static const struct shoal_opt_page example_page = {
	"[--fields|--adversaries|--metrics]",
	"Prints a small scenario to begin with; or every field a scenario can have, every kind of adversary, every\n"
	"metric that must_hold can name.",
	"  shoal lab example > first.yaml\n"
	"  shoal lab run first.yaml",
};

static const char example[] =
	"# A seed and twenty leeches, one of whom serves rubbish.\n"
	"name: first\n"
	"summary: twenty leeches and one who lies\n"
	"content: { size: 8M, piece: 64K }\n"
	"nodes:\n"
	"  - { name: seed, has: all, up: 20Mbit, rtt: 40ms }\n"
	"  - { name: leeches, count: 20, up: 5Mbit, down: 50Mbit, rtt: \"uniform(20ms, 100ms)\" }\n"
	"  - { name: liar, has: all, up: 5Mbit, adversary: { kind: polluter, rate: 50% } }\n"
	"events:\n"
	"  - { at: 50%, kind: crash, who: 3 of leeches, for: 2s }\n"
	"must_hold:\n"
	"  - always completed == 100%\n"
	"  - t95 / bound <= 2\n"
	"  - always false_bans == 0\n";

static void print_fields(const struct lab_field *table, unsigned deep)
{
	for (const struct lab_field *f = table; f->type != LAB_FIELD_END; f++) {
		char key[64];
		snprintf(key, sizeof key, "%*s%s%s", (int)(2 * deep), "", f->key,
			 f->type == LAB_FIELD_LIST ? ": -" : ":");
		printf("%-20s %s", key, f->help);
		if (f->choices != NULL)
			for (size_t i = 0; f->choices[i] != NULL; i++)
				printf("%s%s", i ? "|" : " [", f->choices[i]);
		printf("%s", f->choices != NULL ? "]" : "");
		if (f->dflt == NULL)
			printf(" (needed)");
		else if (f->dflt[0] != 0)
			printf(" (%s)", f->dflt);
		printf("\n");
		if (f->entries != NULL && f->entries != lab_adversary_fields)
			print_fields(f->entries, deep + 1);
	}
}

static void print_adversaries(void)
{
	for (int kind = SIM_HONEST + 1; kind < SIM_ADVERSARY_KINDS; kind++) {
		printf("%s%s: %s\n", kind > SIM_HONEST + 1 ? "\n" : "", sim_adversary_table[kind].name,
		       sim_adversary_table[kind].summary);
		for (const struct sim_adversary_param *p = sim_adversary_table[kind].param; p->name != NULL; p++)
			printf("  %-14s %s\n", p->name, p->summary);
	}
}

static int example_main(struct lab *lab, int argc, char **argv)
{
	struct shoal_opt_list args = { 0 };
	const struct lab_metric *m;
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_FLAG, "fields", 0, &lab->fields, NULL, NULL, "what a scenario can say" },
		{ SHOAL_OPT_FLAG, "adversaries", 0, &lab->adversaries, NULL, NULL, "their kinds and parameters" },
		{ SHOAL_OPT_FLAG, "metrics", 0, &lab->metrics, NULL, NULL, "what must_hold can ask for" },
		{ .kind = SHOAL_OPT_END },
	};
	int rc = lab_parse(lab, &example_page, own, 0, argc, argv, &args), code = rc < 0 ? shoal_exit_of(rc) : 0;
	if (rc == 0 && args.count > 0)
		code = shoal_say_fail(lab->tool, SHOAL_ERR_USAGE,
				      "it takes no arguments; see shoal lab example --help");
	else if (rc == 0 && lab->fields)
		print_fields(lab_scenario_fields, 0);
	else if (rc == 0 && lab->adversaries)
		print_adversaries();
	else if (rc == 0 && lab->metrics)
		for (unsigned i = 0; (m = lab_metric_at(i)) != NULL; i++)
			printf("%-14s %s%s%s%s\n", m->name, m->help, m->needs ? " (not yet: needs " : "",
			       m->needs ? m->needs : "", m->needs ? ")" : "");
	else if (rc == 0)
		fputs(example, stdout);
	shoal_opt_list_fini(&args);
	return code;
}

/* ---- compare: no scenario, and no virtual time ------------------------------------------------------------------------- */

static int compare_main(struct lab *lab, int argc, char **argv)
{
	return lab_compare_main(lab->tool, argc, argv);
}

/* ---- which of them --------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name, *command; /* as its messages have it */
	int (*main)(struct lab *lab, int argc, char **argv);
	const char *about;
} commands[] = {
	{ "run", "lab run", lab_run_main, "run a scenario once, and show what came of it" },
	{ "check", "lab check", lab_check_main, "run scenarios over their seeds, and say whether what must hold does" },
	{ "calibrate", "lab calibrate", lab_calibrate_main,
	  "run them for real and in virtual time: how far is the world off?" },
	{ "replay", "lab replay", replay_main, "look at one instant of a run again" },
	{ "list", "lab list", list_main, "the scenarios that are shipped" },
	{ "compare", "lab compare", compare_main, "the same torrents through both engines, and what differs" },
	{ "example", "lab example", example_main, "a scenario to begin with; all fields, adversaries, metrics" },
};

static void usage(FILE *to)
{
	fputs("usage: shoal lab COMMAND [OPTIONS]\n\n"
	      "Test swarms: thousands of real nodes in one process under virtual time, as a scenario file "
	      "says; and one engine held against the other.\n\ncommands:\n",
	      to);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(to, "  %-9s  %s\n", commands[i].name, commands[i].about);
	fputs("\nshoal lab COMMAND --help tells more of each.\n", to);
}

int shoal_lab_main(struct shoal_tool *tool, int argc, char **argv)
{
	struct lab lab = { .tool = tool };
	char shown[SHOAL_SAY_TEXT_MAX];
	if (argc < 2) {
		usage(stderr);
		return SHOAL_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return SHOAL_EXIT_GOOD;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		tool->command = commands[i].command;
		int code = commands[i].main(&lab, argc - 1, argv + 1);
		shoal_opt_list_fini(&lab.set);
		return code;
	}
	return shoal_say_fail(tool, SHOAL_ERR_USAGE, "unknown lab command %s; see shoal lab --help",
			      shoal_say_cstr(argv[1], shown));
}
