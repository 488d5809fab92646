/*
 * tests/fault/pair.h - two whole engines in one process, one that has a torrent and one that fetches it over loopback.
 */
#ifndef FAULT_PAIR_H
#define FAULT_PAIR_H

#include <shoal/engine.h>
#include "swarm/io/os.h"
#include "tools/lab/world/content.h"

struct pair_content {
	struct sim_content content;
	uint8_t *stream;
	char root[64];	 /* a folder of its own; below it: */
	char source[96]; /* what the seed serves */
	char copy[96], state[2][96];
};
/* `format` decides the shape too. The source is on disk then. */
void pair_content_make(struct pair_content *c, enum shoal_format format);
void pair_content_free(struct pair_content *c);
/* Nothing fetched, nothing remembered. */
void pair_content_wipe(struct pair_content *c);
/* Files that are whole and right. */
bool pair_copy_right(const struct pair_content *c);
/* What the fetching side's state claims is true. */
bool pair_claims_true(const struct pair_content *c, char why[200]);

enum pair_end {
	PAIR_COMPLETE,
	PAIR_REFUSED, /* an engine does not open, or the torrent is not taken: what[] says why */
	PAIR_ENDED,   /* an ERROR event: what[] */
	PAIR_PAUSED,  /* and it was not waited for */
	PAIR_NOTHING, /* time is up: the fault is silent and fatal */
};
struct pair_result {
	enum pair_end end;
	int err;
	unsigned who; /* 0 the seed, 1 the one who fetches */
	char what[300];
};
/* Runs both until the one who fetches is complete, or something is said; closes both. A `magnet`: it has no torrent. */
void pair_run(struct pair_content *c, const struct shoal_os_ops *const os[2], bool magnet, unsigned patience_ms,
	      struct pair_result *r);

#endif
