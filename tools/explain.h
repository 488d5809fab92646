/*
 * tools/explain.h - what shoal explain is asked, and how it answers.
 *
 * explain.c is the command and the summary; explain_story.c tells of one
 * peer, of one piece, and of a stretch of time.
 */
#ifndef SHOAL_TOOLS_EXPLAIN_H
#define SHOAL_TOOLS_EXPLAIN_H

#include "tools/explain_book.h"
#include "tools/say.h"

#define SHOAL_EXPLAIN_LINES_MAX 100u /* of a story; the rest is counted */

struct shoal_explain {
	struct shoal_tool *tool;
	struct shoal_explain_book *book;
	const char *peer; /* "10.0.0.2:6881", "10.0.0.2": any port, a web seed's host, or a key; NULL: any */
	bool by_key;	  /* a key it is: those the book says are meant */
	uint32_t piece;	  /* SHOAL_FLIGHT_NONE: any */
	bool timed;
	shoal_us from, to; /* since the record began */
};

/* Whether the question is about it. */
bool shoal_explain_is_peer(const struct shoal_explain *e, const struct shoal_explain_peer *p);
shoal_us shoal_explain_since(const struct shoal_explain *e, shoal_us at);
/* "  12.345 s  words", in lines of a bearable length; `label` instead of the time when it is not NULL. */
void shoal_explain_line(const struct shoal_explain *e, const char *label, shoal_us at, const char *words);
/* One record as a line, or as JSON. */
void shoal_explain_record(const struct shoal_explain *e, const struct shoal_flight *f);

/* Each tells what there is; how many records, or peers, it was. */
size_t shoal_explain_peers(const struct shoal_explain *e);
size_t shoal_explain_piece(const struct shoal_explain *e);
size_t shoal_explain_time(const struct shoal_explain *e);

#endif
