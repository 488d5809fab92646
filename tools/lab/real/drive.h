/*
 * tools/lab/real/drive.h - a run of real processes over time: who comes, what happens, when it is over, what it came to.
 */
#ifndef LAB_DRIVE_H
#define LAB_DRIVE_H

#include "tools/lab/real/stage.h"
#include "tools/lab/run.h"

/*
 * Runs an open stage to its end and fills `r` (fresh; the caller frees it). The clock starts when all that have the
 * content, and are there from the start, serve it. Signals must be blocked as lab_closed_enter() leaves them. r->before is that moment, of
 * CLOCK_MONOTONIC, and r->wall the caller's to set.
 * 1: it is over; 0: it was told to end; NOMEM, IO.
 */
SHOAL_MUST int lab_drive(struct lab_stage *stage, const struct lab_run_options *o, struct lab_result *r);

#endif
