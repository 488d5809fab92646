/* tools/progress.c - draws rows in place on a terminal, and seldom elsewhere. */
#include "tools/progress.h"

#include "tools/human.h"
#include "tools/say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_MIN 24
#define NAME_COLUMNS 8	      /* of a name are shown at least */
#define COLUMNS_ELSEWHERE 200 /* in a log nothing needs to be cut */

void shoal_progress_init(struct shoal_progress *p, struct shoal_tool *tool)
{
	*p = (struct shoal_progress){ .fd = STDERR_FILENO, .tty = tool->tty, .off = tool->json || tool->quiet };
	tool->progress = p;
}

bool shoal_progress_due(const struct shoal_progress *p, shoal_us now)
{
	return !p->off && now - p->last >= (p->tty ? SHOAL_PROGRESS_DRAW_US : SHOAL_PROGRESS_PLAIN_US);
}

static size_t columns_of(const struct shoal_progress *p)
{
	struct winsize ws;
	if (!p->tty)
		return COLUMNS_ELSEWHERE;
	size_t columns = ioctl(p->fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : 80;
	/* The last column is left free: some terminals wrap as soon as it is written. */
	return columns > COLUMNS_MIN ? columns - 1 : COLUMNS_MIN;
}

void shoal_progress_row(struct shoal_progress *p, size_t row, const char *name, const char *numbers, const char *brief)
{
	char fit[SHOAL_PROGRESS_TEXT_MAX];
	if (p->off || row >= SHOAL_PROGRESS_ROWS_MAX)
		return;
	size_t columns = columns_of(p), right = shoal_human_columns(numbers);
	if (brief != NULL && columns < NAME_COLUMNS + 2 + right) {
		numbers = brief;
		right = shoal_human_columns(brief);
	}
	size_t left = columns > right + 2 + NAME_COLUMNS ? columns - right - 2 : NAME_COLUMNS;
	shoal_human_fit(name, left, fit, sizeof fit / 2);
	size_t n = strlen(fit);
	snprintf(fit + n, sizeof fit - n, "  %s", numbers);
	/* A terminal narrower than the numbers cuts them too. */
	shoal_human_fit(fit, columns, p->text[row], sizeof p->text[row]);
	if (row >= p->rows)
		p->rows = row + 1;
}

void shoal_progress_drop(struct shoal_progress *p, size_t row)
{
	if (row < p->rows)
		p->text[row][0] = '\0';
}

static void emit(const struct shoal_progress *p, const char *at, size_t n)
{
	while (n > 0) {
		ssize_t done = write(p->fd, at, n);
		if (done <= 0)
			return; /* nobody reads our progress: no reason to stop */
		at += done;
		n -= (size_t)done;
	}
}

void shoal_progress_clear(struct shoal_progress *p)
{
	char out[SHOAL_PROGRESS_ROWS_MAX * 8];
	size_t n = 0;
	if (!p->tty || p->drawn == 0)
		return;
	/* The cursor rests at the end of the last row. */
	for (size_t i = 0; i < p->drawn; i++)
		n += (size_t)snprintf(out + n, sizeof out - n, "%s\r\x1b[K", i ? "\x1b[A" : "");
	emit(p, out, n);
	p->drawn = 0;
}

void shoal_progress_draw(struct shoal_progress *p, shoal_us now)
{
	char out[SHOAL_PROGRESS_ROWS_MAX * (SHOAL_PROGRESS_TEXT_MAX + 8)];
	size_t n = 0, drawn = 0;
	p->last = now;
	if (p->off || p->rows == 0)
		return;
	shoal_progress_clear(p);
	for (size_t i = 0; i < p->rows; i++) {
		if (p->text[i][0] == '\0')
			continue;
		n += (size_t)snprintf(out + n, sizeof out - n, "%s%s", p->tty && drawn++ > 0 ? "\n" : "", p->text[i]);
		if (!p->tty)
			out[n++] = '\n';
	}
	emit(p, out, n);
	p->drawn = drawn;
}
