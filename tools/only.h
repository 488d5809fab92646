/*
 * tools/only.h - get --only and --list: which files of a torrent the user means.
 *
 * Each --only names files by a glob over their paths (proto/choose.h: with
 * the torrent's own folder in front or without it), or, as @1-3,7, by the
 * numbers that show --files and get --list print, from 1 on. All of them
 * together are chosen. One that names no file is a mistake, and ends the run
 * with exit code 2 before anything is written.
 *
 * Asks an engine through shoal/engine.h, a few thousand files at a time, so
 * that a magnet link can be chosen from once its metadata has come.
 */
#ifndef SHOAL_TOOLS_ONLY_H
#define SHOAL_TOOLS_ONLY_H

#include "proto/choose.h"
#include "tools/options.h"

#include <shoal/engine.h>

struct shoal_tool;

struct shoal_only_word {
	const char *text;
	struct shoal_glob glob;	   /* unless it is numbers */
	struct shoal_bytes number; /* "1-3,7"; len 0: a glob */
	bool fits;		   /* some file */
};
struct shoal_only {
	struct shoal_only_word *word;
	size_t count;
	uint8_t *files; /* priorities, as far as they are known */
	uint64_t total, known;
	bool list; /* print them, and fetch nothing */
	uint64_t chosen, bytes;
};

/* Reads the words: 0, or the exit code after saying why. Good to fini in any case. */
SHOAL_MUST int shoal_only_init(struct shoal_only *o, struct shoal_tool *tool, const struct shoal_opt_list *words,
			       bool list);
void shoal_only_fini(struct shoal_only *o);
/* Whether there is anything to choose, or to list. */
bool shoal_only_asked(const struct shoal_only *o);
/* The next question for the engine, about `torrent`. */
struct shoal_op shoal_only_question(const struct shoal_only *o, uint32_t torrent);
/*
 * FILES came: prints them when they are to be listed. 1: ask again; 0: all are known, and *answer is what to tell the engine;
 * < 0: minus the exit code, after saying why.
 */
SHOAL_MUST int shoal_only_answer(struct shoal_only *o, struct shoal_tool *tool, const struct shoal_event *ev,
				 struct shoal_op *answer);

#endif
