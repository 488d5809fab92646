/*
 * tools/lab/tell.h - what runs came to, for people (tables) and for programs (JSON lines).
 */
#ifndef LAB_TELL_H
#define LAB_TELL_H

#include "tools/lab/metric.h"
#include "tools/lab/suite.h"
#include "tools/say.h"

#define LAB_SHOWN_MAX 40

/* "31 s", "0.42 %", "1.13"; "never" and "-" for what is not finite. Returns `out`. */
const char *lab_tell_value(double v, enum lab_show show, char out[LAB_SHOWN_MAX]);

/* A run of `lab run`: its head, the groups, who served whom, the lines of must_hold. */
void lab_tell_run(struct shoal_tool *tool, const struct lab_suite *suite, const struct lab_result *r);
/* The same as events: run, group..., served..., hold... */
void lab_tell_run_json(struct shoal_tool *tool, const struct lab_suite *suite, const struct lab_result *r);
/* A real run beside the virtual one of the same scenario and seed: times of each group of leeches, and how far the
 * virtual ones are off; as events with --json. */
void lab_tell_beside(struct shoal_tool *tool, const struct lab_result *real, const struct lab_result *world);
/* A scenario of `lab check`: one line, and the lines of must_hold that are worth one. */
void lab_tell_verdict(struct shoal_tool *tool, const struct lab_suite *suite, const char *path);
/* Why a scenario missed: the broken rule or the last moments of who was last, and how to see it again. `kept`: the logs of
 * real processes are. */
void lab_tell_reason(struct shoal_tool *tool, const struct lab_suite *suite, const char *path, bool kept);

#endif
