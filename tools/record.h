/*
 * tools/record.h - a flight record on its way into a file (--record FILE).
 *
 * The engine says what it decided in FLIGHT events (swarm/core/flight.h);
 * they are written as they come, so that a process that dies leaves all but
 * its last second. At SHOAL_RECORD_FILE_MAX the file is closed with a record
 * that says so: what comes later is not in it. Peers' addresses are: only the user may read the file.
 */
#ifndef SHOAL_TOOLS_RECORD_H
#define SHOAL_TOOLS_RECORD_H

#include "swarm/core/flight.h"

#define SHOAL_RECORD_FILE_MAX (64u << 20)

struct shoal_tool;

struct shoal_record {
	int fd; /* -1: none */
	uint64_t bytes, most;
	bool over; /* it is full, or could not be written; said once */
};
/* Creates FILE, or begins it anew when it is a flight record or empty: nothing else is ever replaced. 0, or the exit
 * code after saying why. */
SHOAL_MUST int shoal_record_open(struct shoal_tool *tool, struct shoal_record *r, const char *path,
				 const struct shoal_flight_head *head);
/* Whole records. */
void shoal_record_add(struct shoal_tool *tool, struct shoal_record *r, struct shoal_bytes records, shoal_us now);
/* Says that it ends here, and closes it. Fine when there is none. */
void shoal_record_close(struct shoal_record *r, shoal_us now);

#endif
