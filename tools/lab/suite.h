/*
 * tools/lab/suite.h - a scenario held against its must_hold: which runs that takes, over which seeds, and the verdict.
 *
 * A run is made when the first line asks for it, and kept: lines about the same run share it.
 */
#ifndef LAB_SUITE_H
#define LAB_SUITE_H

#include "tools/lab/hold.h"
#include "tools/lab/run.h"

enum lab_verdict {
	LAB_HELD,
	LAB_MISSED,
	LAB_OPEN, /* the lab cannot tell yet: it lacks something */
};
struct lab_line {
	const char *text;
	const struct lab_hold *hold;
	enum lab_verdict verdict;
	char lacks[160];	    /* OPEN: what the lab does not have, or why that is not measured for real */
	double left, right, margin; /* to show; margin as a share of the limit */
	uint64_t worst_seed;
	double worst_left, worst_right;
};
/* The scenario, or one of its runs. */
struct lab_case {
	struct lab_scenario *s;
	struct sim_content content;
	bool has_content;
	char lacks[200];
	bool for_real;		   /* and with --real it lacks nothing */
	struct lab_result *result; /* by seed, from the first; .node NULL: not run yet */
};
struct lab_suite_options {
	bool quick;		/* the small form, if there is one */
	const char *policy;	/* instead of the scenario's; NULL: as it says */
	const char *const *set; /* fields that are otherwise, in every run */
	size_t set_count;	/* at most LAB_SETS_MAX */
	bool has_seeds;
	uint64_t first, last; /* instead of its own */
	bool alone;	      /* the main run alone: lines that need others stay open */
	bool real_bytes;      /* of lab_run(), as the next three */
	FILE *trace, *dump;
	void (*recorded)(void *to, struct shoal_bytes records, shoal_us now); /* of lab_run_options */
	void *recorded_to;
	unsigned record;
	uint64_t stop_at;
	/* Makes a run instead of lab_run(), and says what it lacks instead of lab_build_lacks(); NULL: those. */
	bool (*make)(void *make_to, const struct lab_scenario *s, const struct lab_run_options *o,
		     struct lab_result *r);
	void *make_to;
	unsigned (*lacking)(const struct lab_scenario *s, char *what, size_t size);
	bool (*progress)(void *to, const struct lab_progress *p);
	/* A run begins: of the seed, under that name (NULL: the scenario itself). */
	void (*begins)(void *to, const struct lab_scenario *s, const char *run, uint64_t seed);
	/* A run has ended; its result stays where it is until the suite goes. */
	void (*ended)(void *to, const struct lab_result *r, const char *run);
	void *to;
};
struct lab_suite {
	struct lab_suite_options o;
	struct shoal_bytes text; /* of the file: borrowed */
	struct lab_scenario *s;	 /* the scenario itself, in the form asked for */
	uint64_t from, to;
	double slack;
	struct lab_case *cases; /* the scenario, its `runs`, then the policies */
	struct lab_line *line;
	unsigned lines;
	enum lab_verdict verdict;
	const struct lab_result *broken; /* a run in which a rule was broken */
	bool stopped;			 /* progress() said so */
};

/* Reads the scenario. 0; MALFORMED with `fault`; NOMEM. */
SHOAL_MUST int lab_suite_open(struct lab_suite *suite, struct shoal_bytes text, const struct lab_suite_options *o,
			      struct lab_fault *fault);
/* What the scenario itself needs and the lab lacks; "" when it can be run. */
const char *lab_suite_lacks(const struct lab_suite *suite);
/* That is --real, and no more. */
bool lab_suite_for_real(const struct lab_suite *suite);
/* The words to put between its name and what it lacks. */
const char *lab_suite_cannot(const struct lab_suite *suite);
/* Runs what is needed and judges. */
void lab_suite_judge(struct lab_suite *suite);
/* The main run of that seed, made now if it was not. NULL: stopped. */
const struct lab_result *lab_suite_result(struct lab_suite *suite, uint64_t seed);
/* The scenario is case 0 (NULL), then come its `runs` and the policies, by name. */
unsigned lab_suite_case_count(const struct lab_suite *suite);
const char *lab_suite_case_name(const struct lab_suite *suite, unsigned i);
/* Of a case, over the seeds that were run: the median of a metric. NAN: none was, or it has no value. */
double lab_suite_median(const struct lab_suite *suite, unsigned i, const char *metric, int group);
void lab_suite_fini(struct lab_suite *suite);
const char *lab_verdict_text(enum lab_verdict verdict);

#endif
