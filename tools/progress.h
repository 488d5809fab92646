/*
 * tools/progress.h - calm lines that say how far things are.
 *
 * On a terminal: one line a row, redrawn in place a few times a second, as
 * wide as the terminal and no wider. Elsewhere: a plain line now and
 * then. Other output must clear() first; the next draw() puts the rows back.
 */
#ifndef SHOAL_TOOLS_PROGRESS_H
#define SHOAL_TOOLS_PROGRESS_H

#include <shoal/types.h>

#define SHOAL_PROGRESS_ROWS_MAX 16 /* the rest is summed up by the caller */
#define SHOAL_PROGRESS_TEXT_MAX 512
#define SHOAL_PROGRESS_DRAW_US SHOAL_MS(200)
#define SHOAL_PROGRESS_PLAIN_US SHOAL_S(10)

struct shoal_progress {
	int fd;
	bool tty, off;
	size_t rows, drawn; /* drawn: lines on the screen now */
	shoal_us last;
	char text[SHOAL_PROGRESS_ROWS_MAX][SHOAL_PROGRESS_TEXT_MAX];
};

struct shoal_tool;
/* Rows go to stderr; none at all with --json or --quiet. Makes itself known to `tool`. */
void shoal_progress_init(struct shoal_progress *p, struct shoal_tool *tool);
/* Whether it is time for new rows: drawing is the only thing they are made for. */
bool shoal_progress_due(const struct shoal_progress *p, shoal_us now);
/* A row: `name` (made safe already) gets the columns that `numbers` leaves; `brief` (NULL: there is none) stands for the
 * numbers on a terminal that is too narrow for them. */
void shoal_progress_row(struct shoal_progress *p, size_t row, const char *name, const char *numbers, const char *brief);
/* A row that says nothing more: the others close up. */
void shoal_progress_drop(struct shoal_progress *p, size_t row);
void shoal_progress_draw(struct shoal_progress *p, shoal_us now);
void shoal_progress_clear(struct shoal_progress *p);

#endif
