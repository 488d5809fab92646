/*
 * tools/lab/diary.h - what the nodes of a run said, in plain words: the last of it in memory, all of it in a file.
 */
#ifndef LAB_DIARY_H
#define LAB_DIARY_H

#include <stdio.h>
#include "tools/json.h"
#include "tools/lab/world/world.h"

#define LAB_DIARY_LINES 4096 /* kept */

struct lab_entry {
	double t;
	uint64_t step;
	unsigned node;
	int other; /* the peer it is about, by number; -1: none, or a stranger */
	enum shoal_event_kind kind;
	uint32_t index;
	int err;
	char text[96];
};
struct lab_diary {
	struct lab_entry *line; /* a ring */
	uint64_t written;
	FILE *trace;
	struct shoal_json json;
};

void lab_diary_init(struct lab_diary *d, FILE *trace);
void lab_diary_fini(struct lab_diary *d);
void lab_diary_event(struct lab_diary *d, const struct sim_node *n, int other, const struct shoal_event *ev, double t,
		     uint64_t step);
/* Something that happened to it, told by the scenario. */
void lab_diary_note(struct lab_diary *d, const struct sim_node *n, const char *text, double t, uint64_t step);
/* The last `count` lines that are about `node` (or, below 0, about anybody). */
void lab_diary_print(const struct lab_diary *d, FILE *to, int node, unsigned count);

#endif
