/* svg.c - see svg.h. */
#include "tools/lab/svg.h"

#include <math.h>
#include <stdlib.h>
#include "tools/human.h"
#include "tools/lab/rank.h"
#include "tools/lab/tell.h"

#define TICKS_MAX 20 /* of an axis: there are about five */
#define WIDTH 1160
#define HEIGHT 700
#define CURVES_MAX 7 /* groups that have a colour of their own */

/* Okabe and Ito's: told apart by everybody. */
static const char *const colors[CURVES_MAX] = { "#0072b2", "#d55e00", "#009e73", "#cc79a7",
						"#e69f00", "#56b4e9", "#555555" };

struct box {
	double x, y, w, h;
	double t_max, v_max; /* what its right and upper edges stand for */
};

static double at_x(const struct box *b, double t)
{
	return b->x + b->w * fmin(fmax(t / b->t_max, 0), 1);
}

static double at_y(const struct box *b, double v)
{
	return b->y + b->h - b->h * fmin(fmax(v / b->v_max, 0), 1);
}

/* Text of the scenario's author: nothing in it is markup. */
static void put_text(FILE *to, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&': fputs("&amp;", to); break;
		case '<': fputs("&lt;", to); break;
		case '>': fputs("&gt;", to); break;
		default:
			if ((unsigned char)*text >= ' ')
				fputc(*text, to);
		}
	}
}

static void label(FILE *to, double x, double y, const char *anchor, const char *style, const char *text)
{
	fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor, style);
	put_text(to, text);
	fputs("</text>\n", to);
}

/* 1, 2 or 5 times a power of ten, so that there are about five steps to `most`. */
static double step_for(double most)
{
	double raw = most / 5, power = pow(10, floor(log10(raw)));
	return raw <= power ? power : raw <= 2 * power ? 2 * power : raw <= 5 * power ? 5 * power : 10 * power;
}

/* How many such steps there are up to `most`. */
static unsigned ticks(double step, double most)
{
	return step > 0 && most / step < TICKS_MAX ? (unsigned)(most * 1.0001 / step) : 0;
}

static void axes(FILE *to, const struct box *b, const char *title, bool percent)
{
	char text[48];
	label(to, b->x, b->y - 14, "start", "head", title);
	double step = percent ? 0.25 : step_for(b->v_max);
	for (unsigned i = 0; i <= ticks(step, b->v_max); i++) {
		double v = i * step;
		fprintf(to, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n", b->x,
			at_y(b, v), b->x + b->w, at_y(b, v));
		snprintf(text, sizeof text, percent ? "%.0f %%" : "%.4g", percent ? v * 100 : v);
		label(to, b->x - 8, at_y(b, v) + 4, "end", "tick", text);
	}
	step = step_for(b->t_max);
	for (unsigned i = 0; i <= ticks(step, b->t_max); i++) {
		double t = i * step;
		fprintf(to, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"axis\"/>\n", at_x(b, t),
			b->y + b->h, at_x(b, t), b->y + b->h + 5);
		snprintf(text, sizeof text, "%.4g s", t);
		label(to, at_x(b, t), b->y + b->h + 19, "middle", "tick", text);
	}
	fprintf(to, "<polyline points=\"%.1f,%.1f %.1f,%.1f %.1f,%.1f\" class=\"axis\"/>\n", b->x, b->y, b->x,
		b->y + b->h, b->x + b->w, b->y + b->h);
}

/* Where the next row of a legend goes, and its mark. */
static void legend(FILE *to, double x, double *y, const char *color, const char *dash, const char *text)
{
	fprintf(to,
		"<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"2.5\"%s%s%s/>\n", x,
		*y - 4, x + 22, *y - 4, color, dash ? " stroke-dasharray=\"" : "", dash ? dash : "", dash ? "\"" : "");
	label(to, x + 30, *y, "start", "tick", text);
	*y += 17;
}

/* The share of a group's leeches that were complete, as stairs. */
static void completion(FILE *to, const struct box *b, const struct lab_result *r, unsigned group, const char *color)
{
	double *when = malloc(((size_t)r->nodes + 1) * sizeof *when);
	size_t done = 0, all = 0;
	if (when == NULL)
		return;
	for (unsigned i = 0; i < r->nodes; i++) {
		if (r->node[i].group != group || !r->node[i].wants)
			continue;
		all++;
		if (isfinite(r->node[i].complete))
			when[done++] = r->node[i].complete;
	}
	lab_rank(when, done);
	fprintf(to, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2.5\" points=\"%.1f,%.1f", color, at_x(b, 0),
		at_y(b, 0));
	for (size_t i = 0; i < done; i++)
		fprintf(to, " %.1f,%.1f %.1f,%.1f", at_x(b, when[i]), at_y(b, (double)i / (double)all),
			at_x(b, when[i]), at_y(b, (double)(i + 1) / (double)all));
	fprintf(to, " %.1f,%.1f\"/>\n", at_x(b, r->end), at_y(b, all > 0 ? (double)done / (double)all : 0));
	free(when);
}

static void completions(FILE *to, const struct box *b, const struct lab_result *r)
{
	char text[80], time[LAB_SHOWN_MAX];
	double y = b->y + 14;
	unsigned color = 0;
	axes(to, b, "complete, of each group's leeches", true);
	if (isfinite(r->bound) && r->bound > 0 && r->bound <= b->t_max) {
		fprintf(to,
			"<polyline points=\"%.1f,%.1f %.1f,%.1f\" fill=\"none\" stroke=\"#888888\" "
			"stroke-width=\"1.5\" "
			"stroke-dasharray=\"6 4\"/>\n"
			"<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#888888\" stroke-width=\"1.5\" "
			"stroke-dasharray=\"6 4\"/>\n",
			at_x(b, 0), at_y(b, 0), at_x(b, r->bound), at_y(b, 1), at_x(b, r->bound), b->y,
			at_x(b, r->bound), b->y + b->h);
		snprintf(text, sizeof text, "fluid bound, %s", lab_tell_value(r->bound, LAB_SHOW_TIME, time));
		legend(to, b->x + b->w + 16, &y, "#888888", "6 4", text);
	}
	fprintf(to,
		"<polyline fill=\"none\" stroke=\"#222222\" stroke-width=\"1.5\" stroke-dasharray=\"2 3\" points=\"");
	for (size_t i = 0; i < r->points; i++)
		fprintf(to, "%.1f,%.1f ", at_x(b, r->point[i].t), at_y(b, r->point[i].have));
	fputs("\"/>\n", to);
	legend(to, b->x + b->w + 16, &y, "#222222", "2 3", "bytes that the honest have");
	for (unsigned g = 0; g < r->groups; g++) {
		unsigned leeches = 0;
		double last = 0;
		for (unsigned i = 0; i < r->nodes; i++) {
			if (r->node[i].group != g || !r->node[i].wants)
				continue;
			leeches++;
			last = fmax(last, r->node[i].complete - r->node[i].joined);
		}
		if (leeches == 0)
			continue;
		const char *paint = colors[color < CURVES_MAX ? color : CURVES_MAX - 1];
		color++;
		completion(to, b, r, g, paint);
		if (isfinite(last) && isfinite(r->bound) && r->bound > 0)
			snprintf(text, sizeof text, "%.24s (%u), last %.2fx", lab_result_group(r, g), leeches,
				 last / r->bound);
		else
			snprintf(text, sizeof text, "%.24s (%u)", lab_result_group(r, g), leeches);
		legend(to, b->x + b->w + 16, &y, paint, NULL, text);
	}
}

static void copies(FILE *to, const struct box *b, const struct lab_result *r)
{
	double y = b->y + 14;
	axes(to, b, "copies of a piece, with honest nodes that run", false);
	/* (No one sees single pieces of real processes.) */
	for (int k = 0; k < (r->real ? 1 : 2); k++) {
		fprintf(to, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2.5\" points=\"", colors[k]);
		for (size_t i = 0; i < r->points; i++)
			fprintf(to, "%.1f,%.1f ", at_x(b, r->point[i].t),
				at_y(b, k ? r->point[i].copies_least : r->point[i].copies));
		fputs("\"/>\n", to);
		legend(to, b->x + b->w + 16, &y, colors[k], NULL, k ? "of the rarest piece" : "on average");
	}
	if (r->real)
		return;
	char text[80], out[LAB_SHOWN_MAX];
	snprintf(text, sizeof text, "seeds had sent %s",
		 lab_tell_value(r->copies_out / r->s->content.size.v, LAB_SHOW_PLAIN, out));
	y += 8;
	label(to, b->x + b->w + 16, y, "start", "tick", text);
	label(to, b->x + b->w + 16, y + 15, "start", "tick", "copies when all were out");
}

/* White to dark blue, by the root: small shares are to be seen too. */
static void shade(uint64_t v, uint64_t most, char out[8])
{
	double f = most > 0 ? sqrt((double)v / (double)most) : 0;
	snprintf(out, 8, "#%02x%02x%02x", (unsigned)(247 - f * 239), (unsigned)(250 - f * 202),
		 (unsigned)(252 - f * 145));
}

/* Rows serve columns: nodes, or groups when there are too many nodes. */
static void matrix(FILE *to, double x, double y, double side, const struct lab_result *r)
{
	bool by_node = r->sent_by_node != NULL;
	unsigned n = by_node ? r->nodes : r->groups;
	const uint64_t *sent = by_node ? r->sent_by_node : r->sent;
	double cell = side / n;
	uint64_t most = 0;
	char fill[8], text[80], size[SHOAL_HUMAN_MAX];
	for (size_t i = 0; i < (size_t)n * n; i++)
		most = sent[i] > most ? sent[i] : most;
	snprintf(text, sizeof text, "who served whom (%s to %s)", by_node ? "node" : "group",
		 by_node ? "node" : "group");
	label(to, x, y - 14, "start", "head", text);
	fprintf(to,
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#f7fafc\" stroke=\"#999999\"/>\n", x,
		y, side, side);
	for (unsigned from = 0; from < n; from++) {
		for (unsigned dest = 0; dest < n; dest++) {
			if (sent[(size_t)from * n + dest] == 0)
				continue;
			shade(sent[(size_t)from * n + dest], most, fill);
			fprintf(to, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n",
				x + dest * cell, y + from * cell, cell + 0.05, cell + 0.05, fill);
		}
	}
	/* Where the groups begin, and their names when there is room. */
	for (unsigned g = 0, first = 0; g < r->groups; g++) {
		unsigned count = 0;
		for (unsigned i = 0; by_node && i < r->nodes; i++)
			count += r->node[i].group == g;
		count = by_node ? count : 1;
		if (count == 0)
			continue;
		double begin = y + first * cell, middle = begin + count * cell / 2;
		if (first > 0)
			fprintf(to,
				"<path d=\"M%.1f %.1fH%.1fM%.1f %.1fV%.1f\" stroke=\"#999999\" stroke-width=\"0.7\" "
				"fill=\"none\"/>\n",
				x, begin, x + side, x + first * cell, y, y + side);
		if (count * cell >= 11 || g == 0)
			label(to, x - 6, fmax(middle + 4, y + 8), "end", "tick", lab_result_group(r, g));
		first += count;
	}
	snprintf(text, sizeof text, "rows serve columns; darkest: %s", shoal_human_size(most, size));
	label(to, x, y + side + 19, "start", "tick", text);
}

void lab_svg_write(const struct lab_result *r, FILE *to)
{
	const struct lab_scenario *s = r->s;
	char text[200], size[SHOAL_HUMAN_MAX], end[LAB_SHOWN_MAX];
	double t_max = fmax(r->end, isfinite(r->bound) ? r->bound : 0) * 1.02, most = 1;
	for (size_t i = 0; i < r->points; i++)
		most = fmax(most, r->point[i].copies);
	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n"
		"<style>text{font-family:sans-serif;fill:#222}.title{font-size:20px;font-weight:bold}.sub{font-size:"
		"13px;fill:#555}"
		".head{font-size:14px;font-weight:bold}.tick{font-size:12px;fill:#444}.grid{stroke:#e4e4e4}"
		".axis{stroke:#444;fill:none}</style>\n"
		"<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
		WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
	snprintf(text, sizeof text, "%s: %.140s", s->name, s->summary);
	label(to, 24, 34, "start", "title", text);
	lab_tell_value(r->end, LAB_SHOW_TIME, end);
	shoal_human_size((uint64_t)s->content.size.v, size);
	if (r->real)
		snprintf(text, sizeof text, "%u real processes, %s, seed %llu; over after %s%s", r->nodes, size,
			 (unsigned long long)r->seed, end, r->in_time ? "" : " (not all complete)");
	else
		snprintf(text, sizeof text, "%u nodes, %s, policy %s, seed %llu; over after %s of virtual time%s",
			 r->nodes, size, lab_policy_name((enum lab_policy)s->policy.v), (unsigned long long)r->seed,
			 end, r->in_time ? "" : " (not all complete)");
	label(to, 24, 56, "start", "sub", text);
	completions(to, &(struct box){ 64, 112, 380, 240, t_max, 1 }, r);
	copies(to, &(struct box){ 64, 436, 380, 190, t_max, most * 1.05 }, r);
	matrix(to, 740, 112, 390, r);
	label(to, WIDTH - 24, HEIGHT - 14, "end", "sub", "shoal lab");
	fputs("</svg>\n", to);
}
