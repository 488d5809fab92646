/* metric.c - see metric.h. */
#include "tools/lab/metric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/lab/fluid.h"
#include "tools/lab/rank.h"

/* ---- who is meant ------------------------------------------------------------------------ */

static bool meant(const struct lab_result_node *n, int group)
{
	return group < 0 ? n->honest : n->group == (unsigned)group;
}

static bool leech(const struct lab_result_node *n, int group)
{
	return meant(n, group) && n->wants && isfinite(n->joined);
}

/* It was meant to end: not one that gave up, or was gone for good, before it had all. */
static bool stayed(const struct lab_result_node *n)
{
	return isfinite(n->complete) || !isfinite(n->left);
}

/* The value below which a share `q` of them lies (the nearest rank). */
static double quantile(double *v, size_t count, double q)
{
	if (count == 0)
		return NAN;
	lab_rank(v, count);
	size_t rank = (size_t)ceil(q * (double)count);
	return v[rank > 0 ? rank - 1 : 0];
}

/* Of a figure of each leech that stayed. */
static double over_leeches(const struct lab_result *r, int group, double q,
			   double (*figure)(const struct lab_result *r, const struct lab_result_node *n))
{
	double *v = malloc((r->nodes + 1) * sizeof *v), sum = 0;
	size_t count = 0;
	if (v == NULL)
		return NAN;
	for (unsigned i = 0; i < r->nodes; i++) {
		if (!leech(&r->node[i], group) || !stayed(&r->node[i]))
			continue;
		v[count] = figure(r, &r->node[i]);
		sum += v[count++];
	}
	double out = q < 0 ? (count > 0 ? sum / (double)count : NAN) : quantile(v, count, q);
	free(v);
	return out;
}

static double took(const struct lab_result *r, const struct lab_result_node *n)
{
	(void)r;
	return n->complete - n->joined;
}

static double rate_of(const struct lab_result *r, const struct lab_result_node *n)
{
	double end = fmin(fmin(n->complete, n->left), r->end);
	return end > n->joined ? (double)(n->down - n->wasted) / (end - n->joined) : NAN;
}

/* ---- the metrics --------------------------------------------------------------------------- */

static double t50(const struct lab_result *r, int g)
{
	return over_leeches(r, g, 0.5, took);
}
static double t95(const struct lab_result *r, int g)
{
	return over_leeches(r, g, 0.95, took);
}
static double tmax(const struct lab_result *r, int g)
{
	return over_leeches(r, g, 1, took);
}
static double tmean(const struct lab_result *r, int g)
{
	return over_leeches(r, g, -1, took);
}
static double rate(const struct lab_result *r, int g)
{
	return over_leeches(r, g, -1, rate_of);
}
static double bound(const struct lab_result *r, int g)
{
	(void)g;
	return r->bound;
}

static double fair_bound(const struct lab_result *r, int g)
{
	double seeds = 0, worst = NAN;
	size_t leeches = 0;
	for (unsigned i = 0; i < r->nodes; i++) {
		if (r->node[i].honest && !r->node[i].wants)
			seeds += r->node[i].up_rate;
		leeches += leech(&r->node[i], -1);
	}
	for (unsigned i = 0; i < r->nodes; i++)
		if (leech(&r->node[i], g))
			worst = fmax(worst, lab_fluid_fair(r->node[i].up_rate, r->node[i].down_rate, seeds, leeches,
							   r->s->content.size.v));
	return worst;
}

/* Of the group whose nodes give up by dice. */
static double churn_bound(const struct lab_result *r, int g)
{
	for (unsigned i = 0; i < r->s->nodes_count; i++) {
		const struct lab_group *group = &r->s->nodes[i];
		if (g >= 0 ? i != (unsigned)g : group->life.v.kind != LAB_SPREAD_EXPONENTIAL)
			continue;
		return lab_fluid_churn(group->up.v.value[0], group->down.v.value[0], 1 / group->life.v.value[0],
				       1 / group->leave.v.value[0], r->s->content.size.v);
	}
	return NAN;
}

/* As a leech, whether it came to an end or not: but for those that had not left when the run ended. */
static double stay(const struct lab_result *r, int g)
{
	double sum = 0, count = 0;
	for (unsigned i = 0; i < r->nodes; i++) {
		const struct lab_result_node *n = &r->node[i];
		double end = fmin(n->complete, n->left);
		if (!leech(n, g) || !isfinite(end))
			continue;
		sum += end - n->joined;
		count++;
	}
	return sum / count;
}

static double completed(const struct lab_result *r, int g)
{
	double done = 0, all = 0;
	for (unsigned i = 0; i < r->nodes; i++) {
		if (!leech(&r->node[i], g) || !stayed(&r->node[i]))
			continue;
		done += isfinite(r->node[i].complete);
		all++;
	}
	return all > 0 ? done / all : 1;
}

static double sum_of(const struct lab_result *r, int g, size_t field)
{
	double sum = 0;
	for (unsigned i = 0; i < r->nodes; i++) {
		uint64_t v;
		memcpy(&v, (const char *)&r->node[i] + field, sizeof v);
		sum += meant(&r->node[i], g) ? (double)v : 0;
	}
	return sum;
}
#define SUM(r, g, field) sum_of(r, g, offsetof(struct lab_result_node, field))

/* Its program says what it wasted; and it is no real seed, which has nothing to waste. */
static bool says(const struct lab_result *r, const struct lab_result_node *n, int group)
{
	return meant(n, group) && !n->silent && (n->wants || !r->real);
}

static double waste(const struct lab_result *r, int g)
{
	double wasted = 0, down = 0;
	bool said = false;
	for (unsigned i = 0; i < r->nodes; i++) {
		const struct lab_result_node *n = &r->node[i];
		if (!says(r, n, g))
			continue;
		said = true;
		wasted += (double)n->wasted;
		down += (double)n->down;
	}
	return !said ? NAN : down > wasted ? wasted / (down - wasted) : 0;
}
static double wasted(const struct lab_result *r, int g)
{
	bool said = false;
	for (unsigned i = 0; i < r->nodes; i++)
		said |= says(r, &r->node[i], g);
	return said ? SUM(r, g, wasted) : NAN;
}
static double uploaded(const struct lab_result *r, int g)
{
	return SUM(r, g, up);
}
static double downloaded(const struct lab_result *r, int g)
{
	return SUM(r, g, down);
}

static double banned(const struct lab_result *r, int g, bool honest)
{
	double hit = 0, all = 0;
	bool said = false;
	for (unsigned i = 0; i < r->nodes; i++)
		said |= r->node[i].honest && !r->node[i].silent;
	if (!said)
		return NAN;
	for (unsigned i = 0; i < r->nodes; i++) {
		if (r->node[i].honest != honest || (g >= 0 && r->node[i].group != (unsigned)g) ||
		    !isfinite(r->node[i].joined))
			continue;
		hit += r->node[i].banned_by > 0;
		all++;
	}
	return all > 0 ? hit / all : 0;
}
static double false_bans(const struct lab_result *r, int g)
{
	return banned(r, g, true);
}
static double bans(const struct lab_result *r, int g)
{
	return banned(r, g, false);
}

static double bad_blocks(const struct lab_result *r, int g)
{
	double *v = malloc((r->pairs + 1) * sizeof *v);
	size_t count = 0;
	if (v == NULL)
		return NAN;
	for (size_t i = 0; i < r->pairs; i++)
		if (r->pair[i].spoiled > 0 && (g < 0 || r->node[r->pair[i].attacker].group == (unsigned)g))
			v[count++] = r->pair[i].spoiled;
	double out = count > 0 ? quantile(v, count, 0.95) : 0;
	free(v);
	return out;
}

static double isolation(const struct lab_result *r, int g)
{
	double *v = malloc((r->pairs + 1) * sizeof *v);
	size_t count = 0;
	if (v == NULL)
		return NAN;
	for (size_t i = 0; i < r->pairs; i++)
		if (g < 0 || r->node[r->pair[i].attacker].group == (unsigned)g)
			v[count++] = r->pair[i].exposed;
	double out = count > 0 ? quantile(v, count, 0.95) : 0;
	free(v);
	return out;
}

static double asked_each(const struct lab_result *r, int g)
{
	double asked = 0, attackers = 0, honest = 0;
	for (unsigned i = 0; i < r->nodes; i++) {
		honest += r->node[i].honest && r->node[i].wants;
		if (r->node[i].honest || (g >= 0 && r->node[i].group != (unsigned)g))
			continue;
		attackers++;
		asked += (double)r->node[i].asked;
	}
	return attackers * honest > 0 ? asked / attackers / honest : 0;
}

static double waste_each(const struct lab_result *r, int g)
{
	double attackers = 0;
	(void)g;
	for (unsigned i = 0; i < r->nodes; i++)
		attackers += !r->node[i].honest;
	return attackers > 0 ? wasted(r, -1) / attackers : 0;
}

static double attack_share(const struct lab_result *r, int g)
{
	double up = SUM(r, g, up);
	return up > 0 ? SUM(r, g, to_attackers) / up : 0;
}

static double seed_copies(const struct lab_result *r, int g)
{
	double up = 0;
	for (unsigned i = 0; i < r->nodes; i++)
		if (meant(&r->node[i], g) && !r->node[i].wants)
			up += (double)r->node[i].up;
	return up / r->s->content.size.v;
}
static double copies_out(const struct lab_result *r, int g)
{
	(void)g;
	return r->copies_out / r->s->content.size.v;
}
static double copies_least(const struct lab_result *r, int g)
{
	(void)g;
	return r->points > 0 ? r->point[r->points - 1].copies_least : NAN;
}

/* Ranks of v, the mean of them where some are equal. */
static void ranks(const double *v, size_t count, double *rank)
{
	for (size_t i = 0; i < count; i++) {
		double below = 0, same = 0;
		for (size_t k = 0; k < count; k++) {
			below += v[k] < v[i];
			same += v[k] == v[i];
		}
		rank[i] = below + (same + 1) / 2;
	}
}

/* Spearman's: by how much those get more that give more. */
static double fairness(const struct lab_result *r, int g)
{
	double *v = calloc(4 * ((size_t)r->nodes + 1), sizeof *v), out = NAN;
	if (v == NULL)
		return NAN;
	double *gave = v, *got = v + r->nodes, *a = got + r->nodes, *b = a + r->nodes;
	size_t n = 0;
	for (unsigned i = 0; i < r->nodes; i++) {
		const struct lab_result_node *node = &r->node[i];
		if (!leech(node, g) || !stayed(node))
			continue;
		gave[n] = (double)node->up;
		got[n++] = rate_of(r, node);
	}
	ranks(gave, n, a);
	ranks(got, n, b);
	double ab = 0, aa = 0, bb = 0, mean = ((double)n + 1) / 2;
	for (size_t i = 0; i < n; i++) {
		ab += (a[i] - mean) * (b[i] - mean);
		aa += (a[i] - mean) * (a[i] - mean);
		bb += (b[i] - mean) * (b[i] - mean);
	}
	if (aa > 0 && bb > 0)
		out = ab / sqrt(aa * bb);
	free(v);
	return out;
}

static double memory(const struct lab_result *r, int g)
{
	double most = 0;
	for (unsigned i = 0; i < r->nodes; i++)
		if (meant(&r->node[i], g))
			most = fmax(most, (double)r->node[i].memory_peak);
	return most;
}

static double victims_moved(const struct lab_result *r, int g)
{
	double most = 0;
	for (unsigned i = 0; i < r->nodes; i++)
		if (meant(&r->node[i], g))
			most = fmax(most, r->node[i].held);
	return most;
}

/* Of those that play. */
static double of_players(const struct lab_result *r, int g, size_t field)
{
	double sum = 0, players = 0, v;
	for (unsigned i = 0; i < r->nodes; i++) {
		if (!leech(&r->node[i], g) || r->s->nodes[r->node[i].group].play.v <= 0)
			continue;
		memcpy(&v, (const char *)&r->node[i] + field, sizeof v);
		sum += v;
		players++;
	}
	return players > 0 ? sum / players : NAN;
}
static double stalls(const struct lab_result *r, int g)
{
	double pieces = ceil(r->s->content.size.v / r->s->content.piece.v);
	return of_players(r, g, offsetof(struct lab_result_node, stalls)) / pieces * 300;
}
static double rebuffer(const struct lab_result *r, int g)
{
	return of_players(r, g, offsetof(struct lab_result_node, rebuffer));
}

static double rules_broken(const struct lab_result *r, int g)
{
	(void)g;
	return r->wrong[0] != 0;
}

static double idle(const struct lab_result *r, int g)
{
	(void)g;
	return r->idle;
}

static double virtual_time(const struct lab_result *r, int g)
{
	(void)g;
	return r->end;
}

/* clang-format off */
static const struct lab_metric metrics[] = {
	{ "t50", LAB_SHOW_TIME, t50, NULL, "from joining to having all: the median leech" },
	{ "t95", LAB_SHOW_TIME, t95, NULL, "95 of 100 are faster" },
	{ "tmax", LAB_SHOW_TIME, tmax, NULL, "the last one" },
	{ "tmean", LAB_SHOW_TIME, tmean, NULL, "the mean" },
	{ "bound", LAB_SHOW_TIME, bound, NULL, "no swarm of these honest nodes can end sooner (Kumar and Ross)" },
	{ "fair_bound", LAB_SHOW_TIME, fair_bound, NULL, "of a leech that gets what it gives, and its share of the seeds'" },
	{ "churn_bound", LAB_SHOW_TIME, churn_bound, NULL, "mean stay where leeches come and go (Qiu and Srikant, eta 1)" },
	{ "stay", LAB_SHOW_TIME, stay, NULL, "mean time as a leech, those that gave up among them" },
	{ "completed", LAB_SHOW_SHARE, completed, NULL, "of the leeches that stayed" },
	{ "rate", LAB_SHOW_RATE, rate, NULL, "useful bytes a second of a leech: the mean" },
	{ "waste", LAB_SHOW_SHARE, waste, NULL, "bytes received for nothing, of the useful ones" },
	{ "wasted", LAB_SHOW_SIZE, wasted, NULL, "those bytes" },
	{ "waste_each", LAB_SHOW_SIZE, waste_each, NULL, "those bytes for each attacker" },
	{ "uploaded", LAB_SHOW_SIZE, uploaded, NULL, "payload sent" },
	{ "downloaded", LAB_SHOW_SIZE, downloaded, NULL, "payload received" },
	{ "false_bans", LAB_SHOW_SHARE, false_bans, NULL, "of the honest nodes, those that an honest node banned" },
	{ "bans", LAB_SHOW_SHARE, bans, NULL, "of the attackers, those that an honest node banned" },
	{ "bad_blocks", LAB_SHOW_PLAIN, bad_blocks, NULL,
	  "bad blocks that one attacker sent to one honest node: 95 of 100 pairs had fewer" },
	{ "attack_share", LAB_SHOW_SHARE, attack_share, NULL, "of what honest nodes sent, what went to attackers" },
	{ "seed_copies", LAB_SHOW_PLAIN, seed_copies, NULL, "sizes of the content that the seeds sent in all" },
	{ "copies_out", LAB_SHOW_PLAIN, copies_out, NULL, "the same until every piece was with somebody else" },
	{ "copies_least", LAB_SHOW_PLAIN, copies_least, NULL, "of the rarest piece at the end" },
	{ "fairness", LAB_SHOW_PLAIN, fairness, NULL, "rank correlation of what leeches gave and how fast they got (Spearman)" },
	{ "memory", LAB_SHOW_SIZE, memory, NULL, "of its budget, what a node used at most" },
	{ "rules_broken", LAB_SHOW_PLAIN, rules_broken, NULL, "1 if a checker found one" },
	{ "end", LAB_SHOW_TIME, virtual_time, NULL, "when the run was over" },
	{ "isolation", LAB_SHOW_TIME, isolation, NULL,
	  "from an attacker's first bad block to its last block of any kind, to one honest node: 95 of 100 pairs were faster" },
	{ "asked_each", LAB_SHOW_PLAIN, asked_each, NULL, "requests that an attacker got from one honest node: the mean" },
	{ "idle", LAB_SHOW_TIME, idle, NULL, "the longest that a piece lay, and somebody who would serve it was idle" },
	{ "same_twice", LAB_SHOW_PLAIN, NULL, NULL, "1 if the same seed gave the same digest again" },
	{ "have_share", LAB_SHOW_SHARE, NULL, "a profile", "CPU time spent on HAVE messages" },
	{ "evidence", LAB_SHOW_SIZE, NULL, "the evidence table", "bytes of a node's evidence table at most" },
	{ "victims_moved", LAB_SHOW_PLAIN, victims_moved, NULL,
	  "the most that an honest node came to hold against another one, under its address or its key: false blocks' worth" },
	{ "stalls", LAB_SHOW_PLAIN, stalls, NULL, "pieces not there when they were to be played, per 300" },
	{ "rebuffer", LAB_SHOW_TIME, rebuffer, NULL, "time spent waiting for them" },
	{ "credit", LAB_SHOW_SIZE, NULL, "receipts", "credit granted to the Sybils together" },
	{ "worth", LAB_SHOW_SIZE, NULL, "receipts", "what their one worker gave" },
	{ "caught", LAB_SHOW_TIME, NULL, "replicas", "until a holder that cheats is found out" },
	{ "lost", LAB_SHOW_PLAIN, NULL, "replicas", "pieces that nobody has any more" },
	{ "repair", LAB_SHOW_PLAIN, NULL, "replicas", "repair traffic over what was needed" },
};
/* clang-format on */

bool lab_metric_virtual_only(unsigned index)
{
	static const char *const name[] = { "bad_blocks", "copies_out", "copies_least", "memory",
					    "isolation",  "asked_each", "idle",		"same_twice",
					    "stalls",	  "rebuffer",	"victims_moved" };
	for (size_t i = 0; i < sizeof name / sizeof *name; i++)
		if (strcmp(metrics[index].name, name[i]) == 0)
			return true;
	return false;
}

enum lab_saying lab_metric_saying(unsigned index)
{
	static const struct {
		const char *name;
		enum lab_saying by;
	} said[] = { { "waste", LAB_SAID_BY_EACH },
		     { "wasted", LAB_SAID_BY_EACH },
		     { "waste_each", LAB_SAID_BY_EACH },
		     { "false_bans", LAB_SAID_BY_ANY },
		     { "bans", LAB_SAID_BY_ANY } };
	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		if (strcmp(metrics[index].name, said[i].name) == 0)
			return said[i].by;
	return LAB_SAID_BY_NOBODY;
}

const struct lab_metric *lab_metric_at(unsigned index)
{
	return index < sizeof metrics / sizeof *metrics ? &metrics[index] : NULL;
}

int lab_metric_of(const char *name)
{
	for (unsigned i = 0; i < sizeof metrics / sizeof *metrics; i++)
		if (strcmp(metrics[i].name, name) == 0)
			return (int)i;
	return -1;
}

void lab_metric_names(char *to, size_t size)
{
	size_t n = 0;
	to[0] = 0;
	for (unsigned i = 0; i < sizeof metrics / sizeof *metrics && n < size; i++)
		n += (size_t)snprintf(to + n, size - n, "%s%s", i ? ", " : "", metrics[i].name);
}

double lab_metric_value(unsigned index, const struct lab_result *r, int group)
{
	const struct lab_metric *m = &metrics[index];
	return m->of != NULL && !(r->real && lab_metric_virtual_only(index)) ? m->of(r, group) : NAN;
}
