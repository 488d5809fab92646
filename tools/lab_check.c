/* tools/lab_check.c - shoal lab check: scenarios over their seeds, in virtual time or by real processes, and verdicts. */
#include "tools/lab_inner.h"

#include "tools/lab/real/real.h"
#include "tools/lab/tell.h"

#include <stdlib.h>

static const struct shoal_opt_page page = {
	"[DIR|FILE]... [--quick] [--seeds A..B] [--real]",
	"Runs every scenario over its seeds, and the other runs its lines refer to, and compares the results with\n"
	"what it says must hold (without arguments: those that are shipped). A line is held or missed, with the\n"
	"margin to its limit, or open: the lab lacks something that it needs. A scenario whose mechanism does\n"
	"not exist is not yet runnable, and never counts as held.\n"
	"With --real all of those runs are made by real processes (see shoal lab run --help), one after the other\n"
	"in real time, and are shown side by side. Lines that ask for what only the virtual world sees are not\n"
	"measured then, and say so; a scenario that cannot be had for real is not runnable. One run of each unless\n"
	"--seeds says more: real ones take their time.\n"
	"Exit code 1 when a line was missed or a rule was broken; 2 when nothing could be run.",
	"  shoal lab check --quick          everything shipped, in its small form\n"
	"  shoal lab check S10 --seeds 101..120\n"
	"  shoal lab check --real C4 C5     the same files by real processes",
};

struct tally {
	unsigned held, missed, open, not_runnable, for_real;
};

/* `real`: what makes the runs, and says why it could not; NULL: the virtual world. */
static int check_file(struct lab *lab, const struct lab_suite_options *o, const struct lab_real *real, const char *path,
		      struct tally *tally)
{
	struct lab_suite suite;
	struct shoal_space text = { 0 };
	int code = lab_open_suite(lab, &suite, path, o, &text);
	if (code != 0)
		return code;
	lab_suite_judge(&suite);
	shoal_progress_clear(&lab->progress);
	if (real != NULL && suite.stopped) {
		code = real->err < 0 ? lab_real_failed(lab, real) : SHOAL_EXIT_INTERRUPTED;
		goto out;
	}
	lab_tell_verdict(lab->tool, &suite, path);
	if (lab_suite_for_real(&suite))
		tally->for_real++;
	else if (lab_suite_lacks(&suite)[0])
		tally->not_runnable++;
	else if (suite.verdict == LAB_MISSED)
		tally->missed++;
	else if (suite.verdict == LAB_OPEN)
		tally->open++;
	else
		tally->held++;
	if (suite.verdict == LAB_MISSED)
		lab_tell_reason(lab->tool, &suite, path, lab->keep);
out:
	lab_suite_fini(&suite);
	free(text.at);
	return code;
}

static int check_files(struct lab *lab, const struct lab_suite_options *options, const struct lab_files *files)
{
	struct tally tally = { 0 };
	struct lab_real real = { 0 };
	struct lab_suite_options o = *options;
	int code = lab_read_all(lab, files, &o);
	if (code == 0 && lab->real) {
		if (lab_real_enter(lab, &real, &code) > 0)
			return code;
		o.make_to = &real;
	}
	for (size_t i = 0; code == 0 && i < files->count; i++)
		code = check_file(lab, &o, lab->real ? &real : NULL, files->at[i], &tally);
	if (code != 0)
		return code;
	char for_real[40] = "";
	if (tally.for_real > 0)
		snprintf(for_real, sizeof for_real, ", %u for --real", tally.for_real);
	shoal_say_result(lab->tool, "\n%u held, %u missed, %u held as far as can be told, %u not %srunnable%s",
			 tally.held, tally.missed, tally.open, tally.not_runnable, lab->real ? "" : "yet ", for_real);
	if (tally.missed > 0)
		return SHOAL_EXIT_DATA;
	return tally.held + tally.open > 0 ? SHOAL_EXIT_GOOD : SHOAL_EXIT_USAGE;
}

int lab_check_main(struct lab *lab, int argc, char **argv)
{
	struct shoal_opt_list args = { 0 };
	struct lab_suite_options o;
	struct lab_files files = { 0 };
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_TEXT, "seeds", 0, &lab->seeds, "A..B", NULL, "instead of the scenario's own" },
		{ .kind = SHOAL_OPT_END },
	};
	int rc = lab_parse(lab, &page, own, LAB_OPTIONS_ALL, argc, argv, &args), code = rc < 0 ? shoal_exit_of(rc) : 0;
	if (rc == 0 && (code = lab_read_options(lab, &o)) == 0) {
		if (lab->real)
			lab_default_seeds(&o, 1, 1);
		if ((code = lab_read_files(lab, &files, args.at, args.count)) == 0)
			code = check_files(lab, &o, &files);
	}
	lab_files_fini(&files);
	shoal_opt_list_fini(&args);
	return code;
}
