/* tools/lab_calibrate.c - shoal lab calibrate: the same scenarios for real and in virtual time, and how far that is off. */
#include "tools/lab_inner.h"

#include "tools/lab/calibration.h"
#include "tools/lab/real/real.h"
#include "tools/lab/tell.h"

#include <math.h>
#include <stdlib.h>

#define BAR "10%"

static const struct shoal_opt_page page = {
	"[FILE]... [--seeds A..B] [--bar SHARE]",
	"Runs scenarios by real processes and in virtual time, with the same seeds, and compares how long the\n"
	"median leech and the last one took: the medians over the seeds. Without arguments: C1 to C5, which were\n"
	"chosen for this before they were run. The scenarios' own lines of must_hold play no part; shoal lab check\n"
	"--real is for those. Needs a quiet machine: what is slow here for other reasons is taken for a fault of the\n"
	"virtual world.\n"
	"Exit code 1 when a time was off by more than the bar, when somebody was not complete, or a rule was broken;\n"
	"else as shoal lab run --real.",
	"  shoal lab calibrate                       the five, three seeds each: some five minutes\n"
	"  shoal lab calibrate C4 --seeds 1..5 --bar 15%",
};

/* Named before measuring (tools/lab/calibration.md). */
static const char *const named[] = { "C1", "C2", "C3", "C4", "C5" };

struct tally {
	unsigned held, missed;
	double bar;
};

static void tell_head(struct lab *lab)
{
	shoal_say(lab->tool, "%-20s %9s %9s %9s   %9s %9s %9s", "", "t50 real", "virtual", "off by", "last real",
		  "virtual", "off by");
}

static void tell(struct lab *lab, const struct lab_suite *suite, const struct lab_calibration *c, bool held)
{
	char text[2 * LAB_CALIBRATION_TIMES][LAB_SHOWN_MAX];
	struct lab_off off[LAB_CALIBRATION_TIMES];
	struct shoal_json *j = lab->tool->json ? shoal_say_event(lab->tool, "calibration", 0) : NULL;
	if (j != NULL) {
		shoal_json_text(j, "scenario", suite->s->name);
		shoal_json_u64(j, "runs", c->runs);
		shoal_json_bool(j, "held", held);
	}
	for (unsigned t = 0; t < LAB_CALIBRATION_TIMES; t++) {
		off[t] = lab_calibration_off(c, t);
		lab_tell_value(off[t].real, LAB_SHOW_TIME, text[2 * t]);
		lab_tell_value(off[t].world, LAB_SHOW_TIME, text[2 * t + 1]);
		if (j == NULL)
			continue;
		shoal_json_object(j, lab_calibration_times[t]);
		shoal_json_real(j, "real", off[t].real);
		shoal_json_real(j, "virtual", off[t].world);
		shoal_json_real(j, "off", off[t].off);
		shoal_json_end(j);
	}
	if (j != NULL)
		shoal_say_event_end(lab->tool);
	shoal_say(lab->tool, "%-20s %9s %9s %+7.1f %%   %9s %9s %+7.1f %%  %s", suite->s->name, text[0], text[1],
		  off[0].off * 100, text[2], text[3], off[1].off * 100, held ? "held" : "MISSED");
}

/* Both runs of every seed. 0, or an exit code. */
static int run_both(struct lab *lab, struct lab_suite *suite, const struct lab_real *real, struct lab_calibration *c)
{
	for (uint64_t seed = suite->from; seed <= suite->to; seed++) {
		const struct lab_result *r = lab_suite_result(suite, seed);
		struct lab_result world;
		const struct lab_run_options o = { .seed = seed, .content = &suite->cases[0].content };
		if (r == NULL)
			return real->err < 0 ? lab_real_failed(lab, real) : SHOAL_EXIT_INTERRUPTED;
		bool over = lab_run(suite->s, &o, &world);
		if (over)
			lab_calibration_add(c, r, &world);
		if (over && world.wrong[0] != 0 && suite->broken == NULL)
			shoal_say_log(lab->tool, SHOAL_LOG_WARN, "%s, in virtual time: a rule was broken: %s",
				      suite->s->name, world.wrong);
		lab_result_free(&world);
		if (!over)
			return SHOAL_EXIT_INTERRUPTED;
	}
	return 0;
}

static int calibrate_file(struct lab *lab, const struct lab_suite_options *o, const struct lab_real *real,
			  const char *path, struct tally *tally)
{
	struct lab_suite suite;
	struct shoal_space text = { 0 };
	struct lab_calibration c = { 0 };
	int code = lab_open_suite(lab, &suite, path, o, &text);
	if (code != 0)
		return code;
	code = run_both(lab, &suite, real, &c);
	shoal_progress_clear(&lab->progress);
	if (code == 0) {
		bool held = lab_calibration_holds(&c, tally->bar) && suite.broken == NULL;
		tell(lab, &suite, &c, held);
		if (suite.broken != NULL)
			lab_tell_reason(lab->tool, &suite, path, lab->keep);
		tally->held += held;
		tally->missed += !held;
	}
	lab_suite_fini(&suite);
	free(text.at);
	return code;
}

/* Each must be there in both worlds. */
static int check_both(struct lab *lab, const struct lab_suite_options *o, const struct lab_files *files)
{
	char lacks[200];
	int code = 0;
	for (size_t i = 0; code == 0 && i < files->count; i++) {
		struct lab_suite suite;
		struct shoal_space text = { 0 };
		code = lab_open_suite(lab, &suite, files->at[i], o, &text);
		if (code != 0)
			return code;
		if (lab_suite_lacks(&suite)[0])
			code = lab_not_runnable(lab, &suite);
		else if (lab_build_lacks(suite.s, lacks, sizeof lacks) > 0)
			code = shoal_say_fail(lab->tool, SHOAL_ERR_USAGE, "there is no virtual run of %s, it needs: %s",
					      suite.s->name, lacks);
		lab_suite_fini(&suite);
		free(text.at);
	}
	return code;
}

static int calibrate_files(struct lab *lab, const struct lab_suite_options *options, const struct lab_files *files,
			   double bar)
{
	struct lab_real real;
	struct tally tally = { .bar = bar };
	struct lab_suite_options o = *options;
	int code = check_both(lab, &o, files);
	if (code != 0 || lab_real_enter(lab, &real, &code) > 0)
		return code;
	o.make_to = &real;
	tell_head(lab);
	for (size_t i = 0; code == 0 && i < files->count; i++)
		code = calibrate_file(lab, &o, &real, files->at[i], &tally);
	if (code != 0)
		return code;
	shoal_say(lab->tool, "\n%u within %.3g %%, %u not", tally.held, bar * 100, tally.missed);
	return tally.missed > 0 ? SHOAL_EXIT_DATA : SHOAL_EXIT_GOOD;
}

static int calibrate_options(struct lab *lab, struct lab_suite_options *o, double *bar)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	const char *text = lab->bar != NULL ? lab->bar : BAR;
	int code = lab_read_options(lab, o);
	if (code != 0)
		return code;
	if (lab_quantity(text, LAB_SHARE, bar) < 0 || !(*bar >= 0))
		return shoal_say_fail(lab->tool, SHOAL_ERR_USAGE, "--bar %s: a share is expected, as 10%%",
				      shoal_say_cstr(text, shown));
	lab_default_seeds(o, 1, 3);
	if (o->last - o->first >= LAB_CALIBRATION_RUNS_MAX)
		return shoal_say_fail(lab->tool, SHOAL_ERR_USAGE, "more than %u seeds", LAB_CALIBRATION_RUNS_MAX);
	o->alone = true;
	return 0;
}

int lab_calibrate_main(struct lab *lab, int argc, char **argv)
{
	struct shoal_opt_list args = { 0 };
	struct lab_suite_options o;
	struct lab_files files = { 0 };
	double bar;
	/* clang-format off */
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_TEXT, "seeds", 0, &lab->seeds, "A..B", NULL, "which runs, in both worlds (1..3)" },
		{ SHOAL_OPT_TEXT, "bar", 0, &lab->bar, "SHARE", NULL, "by which a time may be off, either way (" BAR ")" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	lab->real = true;
	int rc = lab_parse(lab, &page, own, LAB_OPTIONS_FILE | LAB_OPTIONS_PLACE, argc, argv, &args);
	int code = rc < 0 ? shoal_exit_of(rc) : 0;
	if (rc == 0 && (code = calibrate_options(lab, &o, &bar)) == 0) {
		if (args.count > 0)
			code = lab_read_files(lab, &files, args.at, args.count);
		else
			code = lab_read_files(lab, &files, named, sizeof named / sizeof *named);
		if (code == 0)
			code = calibrate_files(lab, &o, &files, bar);
	}
	lab_files_fini(&files);
	shoal_opt_list_fini(&args);
	return code;
}
