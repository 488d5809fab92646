/* tools/lab_progress.c - what `run`, `check` and `calibrate` show while they run: a line, or a real run's live table. */
#include "tools/lab_inner.h"

#include "tools/human.h"

#include <stdio.h>
#include <time.h>

static shoal_us now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (shoal_us)ts.tv_sec * 1000000 + (shoal_us)ts.tv_nsec / 1000;
}

static void on_begin(void *to, const struct lab_scenario *s, const char *run, uint64_t seed)
{
	struct lab *lab = to;
	snprintf(lab->label, sizeof lab->label, "%s%s%s%s seed %llu", s->name, run ? " (" : "", run ? run : "",
		 run ? ")" : "", (unsigned long long)seed);
}

/* A row of the live table of a real run. */
static void show_group(struct lab *lab, size_t row, const struct lab_progress_group *g)
{
	char numbers[160], brief[80] = "", name[64], up[SHOAL_HUMAN_MAX], down[SHOAL_HUMAN_MAX], done[48] = "";
	if (g->wanting > 0) {
		snprintf(done, sizeof done, "%5.1f%%  %u of %u complete", 100 * g->have, g->complete, g->wanting);
		snprintf(brief, sizeof brief, "%5.1f%%  %u of %u", 100 * g->have, g->complete, g->wanting);
	}
	snprintf(numbers, sizeof numbers, "%-26s  %3u running  down %9s  up %9s", done, g->running,
		 shoal_human_rate(g->down, down), shoal_human_rate(g->up, up));
	snprintf(name, sizeof name, "  %.60s", g->name);
	shoal_progress_row(&lab->progress, row, name, numbers, brief);
}

static bool on_progress(void *to, const struct lab_progress *p)
{
	struct lab *lab = to;
	char numbers[160], brief[80];
	shoal_us now = now_us();
	if (!shoal_progress_due(&lab->progress, now))
		return true;
	if (lab->real)
		snprintf(numbers, sizeof numbers, "%5.1f%%  %u of %u complete  %u running  %.1f s", 100 * p->have,
			 p->complete, p->wanting, p->running, p->t);
	else
		snprintf(numbers, sizeof numbers, "%5.1f%%  %u of %u complete  %u running  %.1f s virtual, %.1f s here",
			 100 * p->have, p->complete, p->wanting, p->running, p->t, p->wall);
	snprintf(brief, sizeof brief, "%5.1f%%  %u of %u  %.1f s", 100 * p->have, p->complete, p->wanting, p->t);
	shoal_progress_row(&lab->progress, 0, lab->label, numbers, brief);
	for (unsigned g = 0; lab->progress.tty && g < p->groups && g + 1 < SHOAL_PROGRESS_ROWS_MAX; g++)
		show_group(lab, g + 1, &p->group[g]);
	shoal_progress_draw(&lab->progress, now);
	return true;
}

void lab_show_progress(struct lab *lab, struct lab_suite_options *o)
{
	shoal_progress_init(&lab->progress, lab->tool);
	lab->progress.last = lab->tool->tty ? 0 : now_us(); /* in a log, only what takes long is worth a line */
	o->progress = on_progress;
	o->begins = on_begin;
	o->to = lab;
}
