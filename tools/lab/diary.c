/* diary.c - see diary.h. */
#include "tools/lab/diary.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/text.h"

/* What a run is told of; the rest answers questions of ours. NULL: not told. */
static const char *const names[] = {
	[SHOAL_EV_ADDED] = "added",
	[SHOAL_EV_CHECKED] = "checked",
	[SHOAL_EV_FIRST_PIECE] = "first_piece",
	[SHOAL_EV_PIECE] = "piece",
	[SHOAL_EV_COMPLETE] = "complete",
	[SHOAL_EV_PEER_JOINED] = "peer_joined",
	[SHOAL_EV_PEER_LEFT] = "peer_left",
	[SHOAL_EV_PEER_BANNED] = "peer_banned",
	[SHOAL_EV_HASH_FAILED] = "hash_failed",
	[SHOAL_EV_PAUSED] = "paused",
	[SHOAL_EV_RESUMED] = "resumed",
	[SHOAL_EV_WARNING] = "warning",
	[SHOAL_EV_ERROR] = "error",
	[SHOAL_EV_STOPPED] = "stopped",
};
#define NOTE 0 /* a kind that no event has */

static const char *name_of(enum shoal_event_kind kind)
{
	if (kind == NOTE)
		return "happens";
	return (size_t)kind < sizeof names / sizeof *names ? names[kind] : NULL;
}

void lab_diary_init(struct lab_diary *d, FILE *trace)
{
	*d = (struct lab_diary){ .line = calloc(LAB_DIARY_LINES, sizeof *d->line), .trace = trace };
	if (d->line == NULL)
		abort();
}

void lab_diary_fini(struct lab_diary *d)
{
	free(d->line);
	shoal_json_fini(&d->json);
}

static void write_line(struct lab_diary *d, const struct lab_entry *e)
{
	struct shoal_json *j = &d->json;
	shoal_json_begin(j);
	shoal_json_us(j, "t", (shoal_us)(e->t * 1e6 + 0.5));
	shoal_json_u64(j, "step", e->step);
	shoal_json_u64(j, "node", e->node);
	shoal_json_text(j, "event", name_of(e->kind));
	if (e->other >= 0)
		shoal_json_int(j, "peer", e->other);
	if (e->kind == SHOAL_EV_PIECE || e->kind == SHOAL_EV_HASH_FAILED || e->kind == SHOAL_EV_PEER_BANNED)
		shoal_json_u64(j, "piece", e->index);
	if (e->err < 0)
		shoal_json_text(j, "why", shoal_err_name(e->err));
	if (e->text[0] != 0)
		shoal_json_text(j, "text", e->text);
	if (shoal_json_done(j) == 0)
		fwrite(j->at, 1, j->len, d->trace);
}

static void write_entry(struct lab_diary *d, const struct lab_entry *e)
{
	if (e->kind != SHOAL_EV_PIECE) /* they would leave no room for anything else */
		d->line[d->written++ % LAB_DIARY_LINES] = *e;
	if (d->trace != NULL)
		write_line(d, e);
}

void lab_diary_event(struct lab_diary *d, const struct sim_node *n, int other, const struct shoal_event *ev, double t,
		     uint64_t step)
{
	struct lab_entry e = { .t = t,
			       .step = step,
			       .node = n->index,
			       .other = other,
			       .kind = ev->kind,
			       .index = ev->index,
			       .err = ev->err };
	if (name_of(ev->kind) == NULL)
		return;
	shoal_text_escape(ev->text, (struct shoal_space){ (uint8_t *)e.text, sizeof e.text });
	write_entry(d, &e);
}

void lab_diary_note(struct lab_diary *d, const struct sim_node *n, const char *text, double t, uint64_t step)
{
	struct lab_entry e = { .t = t, .step = step, .node = n->index, .other = -1, .kind = NOTE };
	snprintf(e.text, sizeof e.text, "%s", text);
	write_entry(d, &e);
}

void lab_diary_print(const struct lab_diary *d, FILE *to, int node, unsigned count)
{
	uint64_t first = d->written > LAB_DIARY_LINES ? d->written - LAB_DIARY_LINES : 0, at = d->written;
	unsigned found = 0;
	while (at > first && found < count) {
		const struct lab_entry *e = &d->line[--at % LAB_DIARY_LINES];
		found += node < 0 || e->node == (unsigned)node || e->other == node;
	}
	for (; at < d->written; at++) {
		const struct lab_entry *e = &d->line[at % LAB_DIARY_LINES];
		if (node >= 0 && e->node != (unsigned)node && e->other != node)
			continue;
		fprintf(to, "  %10.3f s  step %-9llu node %-4u %-12s", e->t, (unsigned long long)e->step, e->node,
			name_of(e->kind));
		if (e->other >= 0)
			fprintf(to, " node %d", e->other);
		if (e->kind == SHOAL_EV_PIECE || e->kind == SHOAL_EV_HASH_FAILED || e->kind == SHOAL_EV_PEER_BANNED)
			fprintf(to, " piece %u", e->index);
		if (e->err < 0)
			fprintf(to, " (%s)", shoal_err_name(e->err));
		fprintf(to, "%s%s\n", e->text[0] ? " " : "", e->text);
	}
}
