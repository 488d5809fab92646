/*
 * tests/unit/own_torn_vfs.h - an SQLite VFS that remembers what was written and what was synced, in what order.
 *
 * Files are real; besides, every write, truncation, deletion and sync goes
 * into a log, from which the files can be made as a power cut at any moment
 * could have left them: what was synced, and of the rest some, torn at 512 bytes.
 */
#ifndef SHOAL_OWN_TORN_VFS_H
#define SHOAL_OWN_TORN_VFS_H

#include "proto/base/rng.h"

#define OWN_TORN_VFS "own-torn"

/* Registers it (once) and empties the log. */
void own_torn_begin(void);
/* A word of the test's own in the log: what it has been promised by now. */
void own_torn_note(unsigned word);
/* Entries so far. */
unsigned own_torn_count(void);
/* A cut after `at` entries: writes the files into folder `to`. The greatest word noted before it (0: none). */
unsigned own_torn_cut(unsigned at, struct shoal_rng *rng, const char *to);
/* The `nth` call from now on (1: the next) to xWrite or xSync fails with an I/O error, `full`: with a full disk; 0: none. */
void own_torn_fail(unsigned nth, bool full);
/* Writes and syncs since then. */
unsigned own_torn_calls(void);

#endif
