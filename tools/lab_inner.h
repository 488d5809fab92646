/*
 * tools/lab_inner.h - what the subcommands of `shoal lab` share: lab.c and lab_*.c.
 */
#ifndef SHOAL_TOOLS_LAB_INNER_H
#define SHOAL_TOOLS_LAB_INNER_H

#include "tools/lab/file.h"
#include "tools/lab/suite.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/record.h"
#include "tools/say.h"

struct lab_real;

/* What the options of all of them come to. */
struct lab {
	struct shoal_tool *tool;
	const char *seed, *seeds, *policy, *svg, *trace, *record, *scratch, *bar;
	struct shoal_record file; /* of --record */
	shoal_us recorded;	  /* when something was last written to it */
	bool real_bytes, quick, fields, adversaries, metrics, real, keep, beside;
	struct shoal_opt_list set;
	struct shoal_progress progress;
	char label[160];
};

/* ---- options (lab_options.c) ---- */

/* What several of them take, beside what is their own. */
enum lab_options {
	LAB_OPTIONS_FILE = 1,  /* of what the file says: --set, --quick */
	LAB_OPTIONS_WORLD = 2, /* of virtual time: --policy, --real-bytes */
	LAB_OPTIONS_REAL = 4,  /* --real */
	LAB_OPTIONS_PLACE = 8, /* of real processes: --scratch, --keep */
	LAB_OPTIONS_ALL = 15,
};

/* As shoal_say_parse(); `shared` of enum lab_options. */
int lab_parse(struct lab *lab, const struct shoal_opt_page *page, const struct shoal_opt *own, unsigned shared,
	      int argc, char **argv, struct shoal_opt_list *args);

/* From here on each returns 0, or the exit code after saying why. */

/* What was parsed: `o` as a suite takes it, and refused what is of the other world. */
int lab_read_options(struct lab *lab, struct lab_suite_options *o);
/* Where no seeds were asked for. */
void lab_default_seeds(struct lab_suite_options *o, uint64_t first, uint64_t last);
/* The scenarios that are named so, and with none those that are shipped. */
int lab_read_files(struct lab *lab, struct lab_files *files, const char *const *at, size_t count);

/* Shows `o`'s runs while they last (lab_progress.c). */
void lab_show_progress(struct lab *lab, struct lab_suite_options *o);

/* ---- files (lab.c) ---- */

/* Reads and checks one file; its text stays in `text` for as long as the suite, and is then to be freed. */
int lab_open_suite(struct lab *lab, struct lab_suite *suite, const char *path, const struct lab_suite_options *o,
		   struct shoal_space *text);
/* Says what a scenario needs that is not there, and gives the exit code for that. */
int lab_not_runnable(struct lab *lab, const struct lab_suite *suite);
/* The one scenario that `arg` names. */
int lab_with_file(struct lab *lab, struct lab_suite_options *o, const char *arg,
		  int (*what)(struct lab *lab, struct lab_suite_options *o, const char *path));
/* What is wrong with a scenario, where. The exit code is `code`. */
int lab_fault_at(struct lab *lab, const char *path, const struct lab_fault *fault, int code, int err);

/* `arg` is no scenario, for the reason `rc`. */
int lab_bad_arg(struct shoal_tool *tool, const char *arg, int rc);
/* Reads and checks all of them before any is run: a typing error must not wait for an hour of runs. */
int lab_read_all(struct lab *lab, const struct lab_files *files, const struct lab_suite_options *o);

/* ---- by real processes (lab_real.c) ---- */

/* Options of --real: sets what makes runs. */
void lab_real_options(struct lab_suite_options *o);
/*
 * Goes on in a closed place (real/closed.h). 0: inside, with `real` ready for the suite's `make_to`. 1: outside, and all
 * is over, or it cannot be: `*code` is the exit code, and it is said why.
 */
int lab_real_enter(struct lab *lab, struct lab_real *real, int *code);
/* 0, or the exit code after saying why a real run could not be made. */
int lab_real_failed(struct lab *lab, const struct lab_real *real);

int lab_run_main(struct lab *lab, int argc, char **argv);
int lab_check_main(struct lab *lab, int argc, char **argv);
int lab_calibrate_main(struct lab *lab, int argc, char **argv);

#endif
