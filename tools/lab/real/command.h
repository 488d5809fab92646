/*
 * tools/lab/real/command.h - how each kind of node is started: words of a command line, and the files it reads.
 *
 * Texts in, texts out. A node runs in a folder of its own, and its command names what lies there by relative paths:
 *
 *     ../set.torrent   the torrent, its tracker in it
 *     data             where the content is, or goes
 *     state, ...       what the program keeps
 *     said             a FIFO: lines of JSON, as hear.h reads them (LAB_SAID in the environment is its whole path)
 *
 * No program may look for peers by itself: the tracker of the closed place and PEX are the only ways. TCP alone.
 */
#ifndef LAB_COMMAND_H
#define LAB_COMMAND_H

#include "tools/lab/real/plan.h"

#define LAB_COMMAND_WORDS_MAX 64
#define LAB_COMMAND_FILES_MAX 4

struct lab_command_file {
	const char *path; /* below the node's folder; "x/y" makes the folder x */
	char *text;	  /* NULL: a copy of the torrent */
	bool program;	  /* it may be run */
};
struct lab_command {
	char *word[LAB_COMMAND_WORDS_MAX + 1]; /* NULL behind the last */
	unsigned words;
	struct lab_command_file file[LAB_COMMAND_FILES_MAX];
	unsigned files;
};
struct lab_command_place {
	const char *shoal;   /* this program */
	const char *hostile; /* tools/hostile */
	const char *tracker; /* URL */
};

/* 0 or NOMEM. The command of node `i`; to be freed. */
SHOAL_MUST int lab_command_make(struct lab_command *c, const struct lab_scenario *s, const struct lab_plan *plan,
				unsigned i, const struct lab_command_place *place);
void lab_command_free(struct lab_command *c);
/* The program that must be installed for a kind of node, and what to install for it; NULL: none. */
const char *lab_command_program(enum lab_kind kind);
const char *lab_command_package(enum lab_kind kind);

#endif
