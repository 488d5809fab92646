/* tell.c - see tell.h. */
#include "tools/lab/tell.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "tools/human.h"

#define GROUPS_SHOWN 10

const char *lab_tell_value(double v, enum lab_show show, char out[LAB_SHOWN_MAX])
{
	char human[SHOAL_HUMAN_MAX];
	if (isnan(v))
		return snprintf(out, LAB_SHOWN_MAX, "-"), out;
	if (isinf(v))
		return snprintf(out, LAB_SHOWN_MAX, show == LAB_SHOW_TIME ? "never" : "endless"), out;
	switch (show) {
	case LAB_SHOW_TIME:
		if (v < 0 || v >= 100)
			snprintf(out, LAB_SHOWN_MAX, "%.0f s", v);
		else
			snprintf(out, LAB_SHOWN_MAX, "%.3g s", v);
		break;
	case LAB_SHOW_SIZE: snprintf(out, LAB_SHOWN_MAX, "%s", shoal_human_size((uint64_t)fmax(v, 0), human)); break;
	case LAB_SHOW_RATE: snprintf(out, LAB_SHOWN_MAX, "%s", shoal_human_rate((uint64_t)fmax(v, 0), human)); break;
	case LAB_SHOW_SHARE: snprintf(out, LAB_SHOWN_MAX, "%.3g %%", v * 100); break;
	case LAB_SHOW_PLAIN: snprintf(out, LAB_SHOWN_MAX, "%.4g", v); break;
	}
	return out;
}

/* What a side of a line is measured in: that of its metric, when it is a plain one. */
static enum lab_show show_of(const struct lab_hold *h)
{
	for (unsigned i = 0; i < h->steps; i++)
		if (h->step[i].op == '/')
			return LAB_SHOW_PLAIN;
	for (unsigned i = 0; i < h->steps; i++)
		if (h->step[i].op == 'm')
			return lab_metric_at(h->step[i].metric)->show;
	return LAB_SHOW_PLAIN;
}

static double metric(const struct lab_result *r, const char *name, int group)
{
	return lab_metric_value((unsigned)lab_metric_of(name), r, group);
}

/* ---- a run ------------------------------------------------------------------------------------ */

static void tell_real(struct shoal_tool *tool, const struct lab_result *r)
{
	char bound[LAB_SHOWN_MAX], end[LAB_SHOWN_MAX], first[64] = "nobody got a byte";
	if (isfinite(r->first))
		snprintf(first, sizeof first, "first bytes %.1f s after it was asked for", r->before + r->first);
	shoal_say(tool, "  %s after %s; %.1f s in all, %s", r->in_time ? "over" : "ended",
		  lab_tell_value(r->end, LAB_SHOW_TIME, end), r->wall, first);
	shoal_say(tool, "  fluid bound %s", lab_tell_value(r->bound, LAB_SHOW_TIME, bound));
}

/* What each group's programs took of the machine. */
static void tell_cost(struct shoal_tool *tool, const struct lab_result *r)
{
	shoal_say(tool, "\n  %-14s %-13s %12s %12s %12s", "group", "program", "memory", "at most", "CPU each");
	for (unsigned g = 0; g < r->groups; g++) {
		char mean[SHOAL_HUMAN_MAX], most[SHOAL_HUMAN_MAX], cpu[LAB_SHOWN_MAX];
		uint64_t rss = 0, rss_most = 0;
		double seconds = 0;
		unsigned nodes = 0;
		for (unsigned i = 0; i < r->nodes; i++) {
			const struct lab_result_node *n = &r->node[i];
			if (n->group != g || n->starts == 0)
				continue;
			nodes++;
			rss += n->rss;
			rss_most = n->rss > rss_most ? n->rss : rss_most;
			seconds += n->cpu;
		}
		if (nodes == 0)
			continue;
		const struct lab_group *group = &r->s->nodes[g];
		shoal_say(tool, "  %-14.14s %-13s %12s %12s %12s", group->name,
			  group->adversary.kind != NULL ? group->adversary.kind
							: lab_kind_name((enum lab_kind)group->kind.v),
			  rss > 0 ? shoal_human_size(rss / nodes, mean) : "-",
			  rss > 0 ? shoal_human_size(rss_most, most) : "-",
			  lab_tell_value(seconds / nodes, LAB_SHOW_TIME, cpu));
	}
}

static void tell_head(struct shoal_tool *tool, const struct lab_result *r)
{
	char size[SHOAL_HUMAN_MAX], piece[SHOAL_HUMAN_MAX], steps[SHOAL_HUMAN_MAX * 2], bound[LAB_SHOWN_MAX],
		end[LAB_SHOWN_MAX];
	static const char *const formats[] = { "hybrid", "v2", "v1" };
	const struct lab_scenario *s = r->s;
	shoal_say(tool, "%s: %s", s->name, s->summary);
	bool whole = r->real || s->leaves_out == 0;
	shoal_say(tool, "  %u %s, %s (%s, pieces of %s), %s%s%s%.80s%sseed %llu", r->nodes,
		  r->real ? "processes" : "nodes", shoal_human_size((uint64_t)s->content.size.v, size),
		  formats[s->content.format.v], shoal_human_size((uint64_t)s->content.piece.v, piece),
		  r->real ? "" : "policy ", r->real ? "" : lab_policy_name((enum lab_policy)s->policy.v),
		  whole ? "" : " without ", whole ? "" : s->without, r->real ? "" : ", ", (unsigned long long)r->seed);
	if (r->real) {
		tell_real(tool, r);
		return;
	}
	shoal_say(tool, "  %s after %s of virtual time; %.2f s here, %s, digest %016llx", r->in_time ? "over" : "ended",
		  lab_tell_value(r->end, LAB_SHOW_TIME, end), r->wall,
		  shoal_human_count(r->steps, "step", "steps", steps), (unsigned long long)r->state);
	shoal_say(tool, "  fluid bound %s", lab_tell_value(r->bound, LAB_SHOW_TIME, bound));
}

/* "31 s  1.21x" */
static const char *against(double t, double bound, char out[LAB_SHOWN_MAX])
{
	char time[LAB_SHOWN_MAX];
	lab_tell_value(t, LAB_SHOW_TIME, time);
	if (isfinite(t) && isfinite(bound) && bound > 0)
		snprintf(out, LAB_SHOWN_MAX, "%.12s %5.2fx", time, t / bound);
	else
		snprintf(out, LAB_SHOWN_MAX, "%.12s", time);
	return out;
}

static void tell_groups(struct shoal_tool *tool, const struct lab_result *r)
{
	char a[LAB_SHOWN_MAX], b[LAB_SHOWN_MAX], c[LAB_SHOWN_MAX], up[LAB_SHOWN_MAX], down[LAB_SHOWN_MAX],
		waste[LAB_SHOWN_MAX];
	shoal_say(tool, "\n  %-14s %6s %6s  %-15s %-15s %-15s %9s %9s %8s", "group", "nodes", "done", "t50", "t95",
		  "tmax", "sent", "received", "waste");
	for (unsigned g = 0; g < r->groups; g++) {
		unsigned nodes = 0, done = 0, wants = 0;
		for (unsigned i = 0; i < r->nodes; i++) {
			if (r->node[i].group != g)
				continue;
			nodes++;
			wants += r->node[i].wants;
			done += isfinite(r->node[i].complete);
		}
		if (nodes == 0)
			continue;
		bool leech = wants > 0;
		lab_tell_value(metric(r, "uploaded", (int)g), LAB_SHOW_SIZE, up);
		lab_tell_value(metric(r, "downloaded", (int)g), LAB_SHOW_SIZE, down);
		lab_tell_value(metric(r, "waste", (int)g), LAB_SHOW_SHARE, waste);
		shoal_say(tool, "  %-14.14s %6u %6u  %-15s %-15s %-15s %9s %9s %8s", lab_result_group(r, g), nodes,
			  done, leech ? against(metric(r, "t50", (int)g), r->bound, a) : "",
			  leech ? against(metric(r, "t95", (int)g), r->bound, b) : "",
			  leech ? against(metric(r, "tmax", (int)g), r->bound, c) : "", up, leech ? down : "",
			  leech ? waste : "");
	}
}

static void tell_served(struct shoal_tool *tool, const struct lab_result *r)
{
	char line[400];
	unsigned shown = r->groups < GROUPS_SHOWN ? r->groups : GROUPS_SHOWN;
	if (r->groups < 2)
		return;
	size_t n = (size_t)snprintf(line, sizeof line, "\n  who served whom ");
	for (unsigned to = 0; to < shown; to++)
		n += (size_t)snprintf(line + n, sizeof line - n, "%12.11s", lab_result_group(r, to));
	shoal_say(tool, "%s", line);
	for (unsigned from = 0; from < shown; from++) {
		char size[SHOAL_HUMAN_MAX];
		n = (size_t)snprintf(line, sizeof line, "  %-15.15s", lab_result_group(r, from));
		for (unsigned to = 0; to < shown; to++) {
			uint64_t sent = r->sent[from * r->groups + to];
			n += (size_t)snprintf(line + n, sizeof line - n, "%12s",
					      sent > 0 ? shoal_human_size(sent, size) : ".");
		}
		shoal_say(tool, "%s", line);
	}
}

static void tell_line(struct shoal_tool *tool, const struct lab_suite *suite, const struct lab_line *line)
{
	char left[LAB_SHOWN_MAX], right[LAB_SHOWN_MAX], worst[LAB_SHOWN_MAX];
	enum lab_show show = show_of(line->hold);
	if (line->verdict == LAB_OPEN) {
		shoal_say_result(tool, "  open    %-46s %s: %s", line->text,
				 suite->o.make != NULL ? "not measured for real" : "needs", line->lacks);
		return;
	}
	lab_tell_value(line->left, show, left);
	lab_tell_value(line->right, show, right);
	char more[100] = "";
	if (suite->to > suite->from && line->verdict == LAB_MISSED)
		snprintf(more, sizeof more, ", seed %llu: %s", (unsigned long long)line->worst_seed,
			 lab_tell_value(line->worst_left, show, worst));
	else if (line->verdict == LAB_HELD && line->margin < 0)
		snprintf(more, sizeof more, ", within the slack of %.0f %%", suite->slack * 100);
	char margin[48];
	snprintf(margin, sizeof margin, line->margin == 0 ? "0 %%" : "%+.1f %%", line->margin * 100);
	shoal_say_result(tool, "  %-7s %-46s %s %s %s  margin %s%s", lab_verdict_text(line->verdict), line->text, left,
			 lab_cmp_text(line->hold->cmp), right, isfinite(line->margin) ? margin : "-", more);
}

void lab_tell_run(struct shoal_tool *tool, const struct lab_suite *suite, const struct lab_result *r)
{
	char a[LAB_SHOWN_MAX], b[LAB_SHOWN_MAX], c[LAB_SHOWN_MAX];
	tell_head(tool, r);
	tell_groups(tool, r);
	tell_served(tool, r);
	if (r->real) {
		tell_cost(tool, r);
		shoal_say(tool, "\n  copies the seeds sent: %s in all",
			  lab_tell_value(metric(r, "seed_copies", -1), LAB_SHOW_PLAIN, a));
	} else {
		shoal_say(tool,
			  "\n  copies the seeds sent: %s in all, %s until every piece was out; rarest piece at the "
			  "end: %s",
			  lab_tell_value(metric(r, "seed_copies", -1), LAB_SHOW_PLAIN, a),
			  lab_tell_value(metric(r, "copies_out", -1), LAB_SHOW_PLAIN, b),
			  lab_tell_value(metric(r, "copies_least", -1), LAB_SHOW_PLAIN, c));
	}
	unsigned attackers = 0;
	for (unsigned i = 0; i < r->nodes; i++)
		attackers += !r->node[i].honest;
	if (attackers > 0 || metric(r, "false_bans", -1) > 0)
		shoal_say(tool, "  banned: %s of the attackers, %s of the honest; upload that went to attackers: %s",
			  lab_tell_value(metric(r, "bans", -1), LAB_SHOW_SHARE, a),
			  lab_tell_value(metric(r, "false_bans", -1), LAB_SHOW_SHARE, b),
			  lab_tell_value(metric(r, "attack_share", -1), LAB_SHOW_SHARE, c));
	if (suite->lines > 0)
		shoal_say(tool, "\n  must hold");
	for (unsigned i = 0; i < suite->lines; i++)
		tell_line(tool, suite, &suite->line[i]);
}

/* ---- the same for programs ------------------------------------------------------------------------ */

static void metrics_json(struct shoal_json *j, const struct lab_result *r, int group)
{
	const struct lab_metric *m;
	for (unsigned i = 0; (m = lab_metric_at(i)) != NULL; i++)
		if (m->of != NULL)
			shoal_json_real(j, m->name, lab_metric_value(i, r, group));
}

static void run_json(struct shoal_tool *tool, const struct lab_result *r)
{
	struct shoal_json *j = shoal_say_event(tool, "run", 0);
	char digest[20];
	snprintf(digest, sizeof digest, "%016llx", (unsigned long long)r->state);
	shoal_json_text(j, "scenario", r->s->name);
	shoal_json_u64(j, "seed", r->seed);
	shoal_json_text(j, "policy", lab_policy_name((enum lab_policy)r->s->policy.v));
	shoal_json_text(j, "without", r->s->leaves_out != 0 ? r->s->without : NULL);
	shoal_json_u64(j, "nodes", r->nodes);
	shoal_json_bool(j, "in_time", r->in_time);
	shoal_json_bool(j, "real", r->real);
	if (r->real) {
		shoal_json_real(j, "before", r->before);
		shoal_json_real(j, "first", r->first);
	} else {
		shoal_json_u64(j, "steps", r->steps);
		shoal_json_text(j, "digest", digest);
	}
	shoal_json_real(j, "wall", r->wall);
	shoal_json_real(j, "cpu", r->cpu_ms / 1e3);
	shoal_json_text(j, "wrong", r->wrong[0] ? r->wrong : NULL);
	metrics_json(j, r, -1);
	shoal_say_event_end(tool);
}

static void lines_json(struct shoal_tool *tool, const struct lab_suite *suite)
{
	static const char *const verdicts[] = { "held", "missed", "open" };
	for (unsigned i = 0; i < suite->lines; i++) {
		const struct lab_line *line = &suite->line[i];
		struct shoal_json *j = shoal_say_event(tool, "hold", 0);
		shoal_json_text(j, "scenario", suite->s->name);
		shoal_json_text(j, "line", line->text);
		shoal_json_text(j, "verdict", verdicts[line->verdict]);
		if (line->verdict == LAB_OPEN) {
			shoal_json_text(j, "needs", line->lacks);
		} else {
			shoal_json_real(j, "left", line->left);
			shoal_json_real(j, "right", line->right);
			shoal_json_real(j, "margin", line->margin);
			shoal_json_u64(j, "worst_seed", line->worst_seed);
		}
		shoal_say_event_end(tool);
	}
}

void lab_tell_run_json(struct shoal_tool *tool, const struct lab_suite *suite, const struct lab_result *r)
{
	run_json(tool, r);
	for (unsigned g = 0; g < r->groups; g++) {
		struct shoal_json *j = shoal_say_event(tool, "group", 0);
		shoal_json_text(j, "scenario", r->s->name);
		shoal_json_u64(j, "seed", r->seed);
		shoal_json_text(j, "group", lab_result_group(r, g));
		metrics_json(j, r, (int)g);
		shoal_json_object(j, "served");
		for (unsigned to = 0; to < r->groups; to++)
			shoal_json_u64(j, lab_result_group(r, to), r->sent[g * r->groups + to]);
		shoal_say_event_end(tool);
	}
	for (unsigned i = 0; i < r->nodes; i++) {
		const struct lab_result_node *n = &r->node[i];
		struct shoal_json *j = shoal_say_event(tool, "node", 0);
		shoal_json_u64(j, "node", i);
		shoal_json_text(j, "group", lab_result_group(r, n->group));
		shoal_json_real(j, "joined", n->joined);
		shoal_json_real(j, "complete", n->complete);
		shoal_json_real(j, "left", n->left);
		shoal_json_u64(j, "up", n->up);
		shoal_json_u64(j, "down", n->down);
		shoal_json_u64(j, "wasted", n->wasted);
		shoal_json_u64(j, "banned_by", n->banned_by);
		shoal_json_u64(j, "starts", n->starts);
		if (r->real) {
			shoal_json_text(j, "program",
					r->s->nodes[n->group].adversary.kind != NULL
						? r->s->nodes[n->group].adversary.kind
						: lab_kind_name((enum lab_kind)r->s->nodes[n->group].kind.v));
			shoal_json_u64(j, "rss", n->rss);
			shoal_json_real(j, "cpu", n->cpu);
		}
		shoal_say_event_end(tool);
	}
	for (size_t i = 0; i < r->points; i++) {
		const struct lab_point *p = &r->point[i];
		struct shoal_json *j = shoal_say_event(tool, "point", 0);
		shoal_json_real(j, "at", p->t);
		shoal_json_real(j, "have", p->have);
		shoal_json_u64(j, "complete", p->complete);
		shoal_json_u64(j, "running", p->running);
		shoal_json_real(j, "copies", p->copies);
		shoal_json_real(j, "copies_least", p->copies_least);
		shoal_say_event_end(tool);
	}
	lines_json(tool, suite);
}

/* ---- two worlds ------------------------------------------------------------------------------------- */

static bool has_leeches(const struct lab_result *r, unsigned group)
{
	for (unsigned i = 0; i < r->nodes; i++)
		if (r->node[i].group == group && r->node[i].honest && r->node[i].wants)
			return true;
	return false;
}

void lab_tell_beside(struct shoal_tool *tool, const struct lab_result *real, const struct lab_result *world)
{
	static const char *const times[] = { "t50", "t95", "tmax" };
	char v[LAB_SHOWN_MAX], t[LAB_SHOWN_MAX];
	shoal_say(tool, "\n  beside the virtual run of this seed\n  %-14s %-6s %10s %10s %9s", "group", "", "real",
		  "virtual", "off by");
	for (unsigned g = 0; g < real->groups; g++) {
		struct shoal_json *j = NULL;
		if (!has_leeches(real, g))
			continue;
		if (tool->json) {
			j = shoal_say_event(tool, "beside", 0);
			shoal_json_text(j, "scenario", real->s->name);
			shoal_json_u64(j, "seed", real->seed);
			shoal_json_text(j, "group", lab_result_group(real, g));
		}
		for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
			double is = metric(real, times[i], (int)g), was = metric(world, times[i], (int)g),
			       off = was / is - 1;
			shoal_say(tool, "  %-14.14s %-6s %10s %10s %+8.1f %%", i == 0 ? lab_result_group(real, g) : "",
				  times[i], lab_tell_value(is, LAB_SHOW_TIME, t), lab_tell_value(was, LAB_SHOW_TIME, v),
				  off * 100);
			if (j == NULL)
				continue;
			shoal_json_object(j, times[i]);
			shoal_json_real(j, "real", is);
			shoal_json_real(j, "virtual", was);
			shoal_json_real(j, "off", off);
			shoal_json_end(j);
		}
		if (j != NULL)
			shoal_say_event_end(tool);
	}
}

/* ---- runs side by side ------------------------------------------------------------------------------- */

struct shown_case {
	const char *name;
	unsigned runs, done, wanting;
	double rss, cpu; /* of each honest node that wanted it: means */
};

/* Of all its runs together. */
static struct shown_case case_of(const struct lab_suite *suite, unsigned i)
{
	const struct lab_case *c = &suite->cases[i];
	struct shown_case shown = { .name = lab_suite_case_name(suite, i) };
	shown.name = shown.name != NULL ? shown.name : suite->s->name;
	for (uint64_t k = 0; c->result != NULL && k <= suite->to - suite->from; k++) {
		const struct lab_result *r = &c->result[k];
		shown.runs += r->node != NULL;
		for (unsigned n = 0; r->node != NULL && n < r->nodes; n++) {
			if (!r->node[n].honest || !r->node[n].wants)
				continue;
			shown.wanting++;
			shown.done += isfinite(r->node[n].complete);
			shown.rss += (double)r->node[n].rss;
			shown.cpu += r->node[n].cpu;
		}
	}
	if (shown.wanting > 0) {
		shown.rss /= shown.wanting;
		shown.cpu /= shown.wanting;
	}
	return shown;
}

static void tell_case(struct shoal_tool *tool, const struct lab_suite *suite, unsigned i, const struct shown_case *c)
{
	char done[40], a[LAB_SHOWN_MAX], b[LAB_SHOWN_MAX], copies[LAB_SHOWN_MAX], waste[LAB_SHOWN_MAX],
		cpu[LAB_SHOWN_MAX], memory[LAB_SHOWN_MAX];
	double bound = lab_suite_median(suite, i, "bound", -1);
	snprintf(done, sizeof done, "%u of %u", c->done, c->wanting);
	shoal_say(tool, "  %-20.20s %9s  %-15s %-15s %8s %8s %9s %9s", c->name, done,
		  against(lab_suite_median(suite, i, "t50", -1), bound, a),
		  against(lab_suite_median(suite, i, "tmax", -1), bound, b),
		  lab_tell_value(lab_suite_median(suite, i, "seed_copies", -1), LAB_SHOW_PLAIN, copies),
		  lab_tell_value(lab_suite_median(suite, i, "waste", -1), LAB_SHOW_SHARE, waste),
		  lab_tell_value(c->cpu, LAB_SHOW_TIME, cpu), lab_tell_value(c->rss, LAB_SHOW_SIZE, memory));
}

static void case_json(struct shoal_tool *tool, const struct lab_suite *suite, unsigned i, const struct shown_case *c)
{
	static const char *const figures[] = { "bound", "t50", "t95", "tmax", "seed_copies", "waste" };
	struct shoal_json *j = shoal_say_event(tool, "case", 0);
	shoal_json_text(j, "scenario", suite->s->name);
	shoal_json_text(j, "run", lab_suite_case_name(suite, i));
	shoal_json_u64(j, "runs", c->runs);
	shoal_json_u64(j, "done", c->done);
	shoal_json_u64(j, "wanting", c->wanting);
	for (size_t k = 0; k < sizeof figures / sizeof *figures; k++)
		shoal_json_real(j, figures[k], lab_suite_median(suite, i, figures[k], -1));
	shoal_json_real(j, "rss", c->rss);
	shoal_json_real(j, "cpu", c->cpu);
	shoal_say_event_end(tool);
}

/* What real runs came to; medians over the seeds. */
static void tell_cases(struct shoal_tool *tool, const struct lab_suite *suite)
{
	bool begun = false;
	for (unsigned i = 0; i < lab_suite_case_count(suite); i++) {
		const struct shown_case c = case_of(suite, i);
		if (c.runs == 0)
			continue;
		if (tool->json)
			case_json(tool, suite, i, &c);
		else if (!begun)
			shoal_say(tool, "  %-20s %9s  %-15s %-15s %8s %8s %9s %9s", "run", "done", "t50",
				  "last / bound", "copies", "waste", "CPU each", "memory");
		begun = true;
		if (!tool->json)
			tell_case(tool, suite, i, &c);
	}
}

/* ---- a verdict ---------------------------------------------------------------------------------------- */

void lab_tell_verdict(struct shoal_tool *tool, const struct lab_suite *suite, const char *path)
{
	const struct lab_scenario *s = suite->s;
	const char *lacks = lab_suite_lacks(suite);
	unsigned count[3] = { 0 };
	for (unsigned i = 0; i < suite->lines; i++)
		count[suite->line[i].verdict]++;
	if (tool->json) {
		static const char *const verdicts[] = { "held", "missed", "open" };
		if (lacks[0] == 0)
			lines_json(tool, suite);
		if (lacks[0] == 0 && suite->o.make != NULL)
			tell_cases(tool, suite);
		struct shoal_json *j = shoal_say_event(tool, "scenario", 0);
		shoal_json_text(j, "scenario", s->name);
		shoal_json_text(j, "file", path);
		shoal_json_text(j, "verdict", lacks[0] ? "not_runnable" : verdicts[suite->verdict]);
		shoal_json_text(j, "needs", lacks[0] ? lacks : NULL);
		shoal_json_u64(j, "held", lacks[0] ? 0 : count[LAB_HELD]);
		shoal_json_u64(j, "missed", lacks[0] ? 0 : count[LAB_MISSED]);
		shoal_json_u64(j, "open", lacks[0] ? suite->lines : count[LAB_OPEN]);
		shoal_say_event_end(tool);
		return;
	}
	if (lacks[0] != 0) {
		shoal_say_result(tool, "%-20s %s %s", s->name, lab_suite_cannot(suite), lacks);
		return;
	}
	char size[SHOAL_HUMAN_MAX], nodes[SHOAL_HUMAN_MAX * 2], open[60] = "", seeds[60];
	int n = snprintf(seeds, sizeof seeds, "seed %llu", (unsigned long long)suite->from);
	if (suite->to > suite->from)
		snprintf(seeds + n, sizeof seeds - (size_t)n, "..%llu", (unsigned long long)suite->to);
	if (count[LAB_OPEN] > 0)
		snprintf(open, sizeof open, ", %u open", count[LAB_OPEN]);
	shoal_say_result(tool, "%-20s %s: %u held, %u missed%s; %s, %s, %s", s->name, lab_verdict_text(suite->verdict),
			 count[LAB_HELD], count[LAB_MISSED], open,
			 shoal_human_count(lab_scenario_nodes(s), "node", "nodes", nodes),
			 shoal_human_size((uint64_t)s->content.size.v, size), seeds);
	if (suite->o.make != NULL)
		tell_cases(tool, suite);
	for (unsigned i = 0; i < suite->lines; i++)
		tell_line(tool, suite, &suite->line[i]);
}

void lab_tell_reason(struct shoal_tool *tool, const struct lab_suite *suite, const char *path, bool kept)
{
	const struct lab_result *r = suite->broken;
	for (unsigned i = 0; r == NULL && i < suite->lines; i++)
		if (suite->line[i].verdict == LAB_MISSED)
			r = &suite->cases[0].result[suite->line[i].worst_seed - suite->from];
	if (r == NULL || r->reason == NULL)
		return;
	if (r->real) {
		if (r->wrong[0] != 0)
			shoal_say(tool, "  a rule was broken: %s", r->wrong);
		shoal_say(tool, "  %s, by its own last words:", r->wrong[0] != 0 ? "who" : "who was last");
		shoal_say(tool, "%s  %s", r->reason,
			  kept ? "all of them are in the logs that were kept" : "all of them: once more with --keep");
		return;
	}
	if (r->wrong[0] != 0)
		shoal_say(tool, "  a rule was broken at step %llu: %s", (unsigned long long)r->steps, r->wrong);
	shoal_say(tool, "  %s, seed %llu:", r->wrong[0] != 0 ? "before that" : "who was last",
		  (unsigned long long)r->seed);
	char set[400] = "";
	size_t n = 0;
	for (size_t i = 0; i < suite->o.set_count && n < sizeof set; i++)
		n += (size_t)snprintf(set + n, sizeof set - n, " --set '%s'", suite->o.set[i]);
	shoal_say(tool, "%s  again: shoal lab replay %s %llu@%llu%s%s%s%s", r->reason, path,
		  (unsigned long long)r->seed, (unsigned long long)r->steps, suite->o.quick ? " --quick" : "",
		  suite->o.policy != NULL ? " --policy " : "", suite->o.policy != NULL ? suite->o.policy : "", set);
}
