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
	unsigned held, missed, open, not_runnable;
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
	if (lab_suite_lacks(&suite)[0])
		tally->not_runnable++;
	else if (suite.verdict == LAB_MISSED)
		tally->missed++;
	else if (suite.verdict == LAB_OPEN)
		tally->open++;
	else
		tally->held++;
	if (suite.verdict == LAB_MISSED)
		lab_tell_reason(lab->tool, &suite, path);
out:
	lab_suite_fini(&suite);
	free(text.at);
	return code;
}

static int check_files(struct lab *lab, const struct lab_suite_options *options, const struct lab_files *files)
{
	struct tally tally = { 0 };
	struct lab_real real;
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
	shoal_say(lab->tool, "\n%u held, %u missed, %u held as far as can be told, %u not %srunnable", tally.held,
		  tally.missed, tally.open, tally.not_runnable, lab->real ? "" : "yet ");
	if (tally.missed > 0)
		return SHOAL_EXIT_DATA;
	return tally.held + tally.open > 0 ? SHOAL_EXIT_GOOD : SHOAL_EXIT_USAGE;
}

/* Options that are of one world alone. */
static int check_options(struct lab *lab, struct lab_suite_options *o)
{
	if (lab->real && (lab->policy != NULL || lab->real_bytes))
		return shoal_say_fail(lab->tool, SHOAL_ERR_USAGE, "%s is of runs in virtual time: not with --real",
				      lab->policy != NULL ? "--policy" : "--real-bytes");
	if (lab->real) {
		lab_real_options(o);
		if (!o->has_seeds) {
			o->has_seeds = true;
			o->first = o->last = 1;
		}
	}
	return lab_real_only(lab);
}

int lab_check_main(struct lab *lab, int argc, char **argv)
{
	struct shoal_opt_list args = { 0 };
	struct lab_suite_options o;
	struct lab_files files = { 0 };
	/* clang-format off */
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_FLAG, "quick", 0, &lab->quick, NULL, NULL, "the small form of those that have one, with its slack" },
		{ SHOAL_OPT_TEXT, "seeds", 0, &lab->seeds, "A..B", NULL, "instead of the scenario's own" },
		{ SHOAL_OPT_TEXT, "policy", 'p', &lab->policy, "off|lt|full", NULL, "how nodes choose, instead of what the file says" },
		{ SHOAL_OPT_LIST, "set", 0, &lab->set, "FIELD=VALUE", NULL, "a field of the file that is otherwise (leeches.count=40); more than once" },
		{ SHOAL_OPT_FLAG, "real-bytes", 0, &lab->real_bytes, NULL, NULL, "move and hash every byte: the same runs, slower" },
		{ SHOAL_OPT_FLAG, "real", 0, &lab->real, NULL, NULL, "by real processes in namespaces, in real time" },
		{ SHOAL_OPT_TEXT, "scratch", 0, &lab->scratch, "DIR", NULL, "--real: where the copies go meanwhile; default: $TMPDIR or /tmp" },
		{ SHOAL_OPT_FLAG, "keep", 0, &lab->keep, NULL, NULL, "--real: leave the nodes' folders and logs there" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	int rc = lab_parse(lab, &page, own, argc, argv, &args), code = rc < 0 ? shoal_exit_of(rc) : 0;
	if (rc == 0 && (code = lab_read_options(lab, &o)) == 0 && (code = check_options(lab, &o)) == 0) {
		for (size_t i = 0; code == 0 && i < args.count; i++)
			if ((rc = lab_files_add(&files, args.at[i])) < 0)
				code = lab_bad_arg(lab->tool, args.at[i], rc);
		if (args.count == 0 && (rc = lab_files_shipped(&files)) < 0)
			code = lab_bad_arg(lab->tool, "the shipped scenarios", rc);
		if (code == 0)
			code = check_files(lab, &o, &files);
	}
	lab_files_fini(&files);
	shoal_opt_list_fini(&args);
	return code;
}
