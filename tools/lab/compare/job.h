/*
 * tools/lab/compare/job.h - what an engine is asked to do with a torrent, through shoal/engine.h alone.
 *
 * Each of these opens an engine, does one job and closes it; meant for a process of its own (child.h). No trackers,
 * DHT, web of any kind is used but the one peer that is named.
 */
#ifndef LAB_COMPARE_JOB_H
#define LAB_COMPARE_JOB_H

#include "tools/lab/compare/result.h"

struct lab_cmp_task {
	const struct shoal_engine_ops *engine;
	struct shoal_bytes torrent;
	const char *folder; /* where the content is, or goes; absolute */
	struct shoal_addr listen, peer;
};

/* Adds it to be checked, and takes down all it says; with `content`, piece states too. `raw`: the names as the torrent has
 * them, by our own parser. */
void lab_cmp_do_look(const struct lab_cmp_task *t, bool content, bool raw, struct lab_cmp_look *out);
/* Fetches all of it from the peer. */
void lab_cmp_do_get(const struct lab_cmp_task *t, struct lab_cmp_get *out);
/* Serves it until `stop` reads as closed; writes one byte to `ready` once peers can connect, none when it cannot seed it. */
void lab_cmp_do_seed(const struct lab_cmp_task *t, int ready, int stop);

#endif
