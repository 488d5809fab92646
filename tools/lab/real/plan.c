/* plan.c - see plan.h. */
#include "tools/lab/real/plan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "tools/lab/attack.h"
#include "tools/lab/where.h"

#define LONGEST_S 86400.0

/* ---- what cannot be had -------------------------------------------------------------------------- */

struct checking {
	const struct lab_scenario *s;
	struct lab_where *where;
	struct lab_fault *fault;
	bool found;
};

/* What stands at `path` cannot be had; the first such thing is told. */
__attribute__((format(printf, 3, 4))) static void refuse(struct checking *c, const char *path, const char *format, ...)
{
	va_list args;
	if (c->found)
		return;
	c->found = true;
	if (c->where != NULL)
		lab_where_find(c->where, path, false, c->fault);
	va_start(args, format);
	vsnprintf(c->fault->what, sizeof c->fault->what, format, args);
	va_end(args);
}

/* What tools/hostile plays, against whoever dials it. */
static const enum sim_adversary_kind played[] = { SIM_POLLUTER, SIM_LORIS, SIM_FAKE_HAVER, SIM_TRAITOR };
/* ... and the one whom our own program plays, by keeping its upload for itself (command.c). */
#define OURS SIM_FREE_RIDER

static bool is_played(const struct lab_adversary *a, char names[120])
{
	bool found = lab_attack_kind(a) == OURS || lab_attack_case(a) != NULL;
	size_t n = (size_t)snprintf(names, 120, "%s, ", sim_adversary_table[OURS].name);
	for (size_t i = 0; i < sizeof played / sizeof *played; i++) {
		found |= lab_attack_kind(a) == played[i];
		n += (size_t)snprintf(names + n, 120 - n, "%s%s", i > 0 ? ", " : "",
				      sim_adversary_table[played[i]].name);
	}
	return found;
}

static void check_disk(struct checking *c, const struct lab_group *g, const char *path)
{
	char at[100];
	const struct {
		const char *key, *text;
	} field[] = { { "latency", g->disk.latency.text },
		      { "rate", g->disk.rate.text },
		      { "room", g->disk.room.text },
		      { "flips", g->disk.flips.text } };
	for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
		snprintf(at, sizeof at, "%s.disk.%s", path, field[i].key);
		if (field[i].text != NULL)
			refuse(c, at, "a real run leaves disks as they are");
	}
}

/* A program of somebody else: what it is not told, or does not know. */
static void check_foreign(struct checking *c, const struct lab_group *g, const char *path)
{
	enum lab_kind kind = (enum lab_kind)g->kind.v;
	char at[100];
	const struct {
		const char *key, *text;
	} field[] = { { "memory", g->memory.text },
		      { "limit_up", kind == LAB_KIND_LIBTORRENT ? NULL : g->limit_up.text },
		      { "limit_down", kind == LAB_KIND_LIBTORRENT ? NULL : g->limit_down.text } };
	if (g->adversary.kind != NULL && kind != LAB_KIND_NATIVE) {
		snprintf(at, sizeof at, "%s.kind", path);
		refuse(c, at, "adversaries are no %s: leave the kind away", lab_kind_name(kind));
	}
	if (kind == LAB_KIND_LIBTORRENT && c->s->meet.v == LAB_MEET_DHT) {
		snprintf(at, sizeof at, "%s.kind", path);
		refuse(c, at, "libtorrent finds nobody in a DHT of one network, which this is (meet: dht)");
	}
	if (kind == LAB_KIND_NATIVE || kind == LAB_KIND_COMMAND) /* which reads all of it in its environment */
		return;
	for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
		snprintf(at, sizeof at, "%s.%s", path, field[i].key);
		if (field[i].text != NULL)
			refuse(c, at, "nodes of the kind %s are not told of it", lab_kind_name(kind));
	}
	snprintf(at, sizeof at, "%s.kind", path);
	if (kind != LAB_KIND_LIBTORRENT && c->s->content.format.v != SHOAL_FORMAT_V1)
		refuse(c, at, "%s knows torrents of v1 alone: say so (content: { format: v1 })", lab_kind_name(kind));
}

static void check_group(struct checking *c, const struct lab_group *g, unsigned i)
{
	char path[40], at[100];
	snprintf(path, sizeof path, "nodes[%u]", i);
	if (g->count.v == 0)
		return;
#define IF(condition, key, ...)                              \
	do {                                                 \
		snprintf(at, sizeof at, "%s.%s", path, key); \
		if (condition)                               \
			refuse(c, at, __VA_ARGS__);          \
	} while (0)
	IF(g->nat.v != LAB_NAT_NONE, "nat", "a real run has no NAT");
	IF(g->behind != NULL, "behind", "real nodes have an address each");
	IF(g->keys.v > 0, "keys", "real nodes show theirs as they do: on private networks");
	IF(g->play.v > 0, "play", "no program is told when a piece is due");
	IF(g->slots.v > 0, "slots", "no program is told how many peers it may serve");
	IF(g->policy.text != NULL && g->policy.v != LAB_POLICY_FULL, "policy",
	   "a real node chooses as its program does; for libtorrent's rules: kind: libtorrent");
	if (g->adversary.kind != NULL) {
		char names[120];
		IF(!is_played(&g->adversary, names), "adversary.kind", "no real program plays a %s; there are: %s",
		   g->adversary.kind, names);
		IF(lab_attack_kind(&g->adversary) < SIM_ADVERSARY_KINDS && lab_attack_spec(&g->adversary).view > 0,
		   "adversary.view", "an adversary's program waits until it is dialled");
		bool ours = lab_attack_kind(&g->adversary) == OURS;
		IF(!ours && c->s->meet.v == LAB_MEET_DHT, "adversary.kind",
		   "an adversary's program hears of others from a tracker alone, and this swarm has a DHT (meet)");
		IF(!ours && g->memory.text != NULL, "memory", "an adversary's program has no budget");
		IF(!ours && g->max_peers.text != NULL, "max_peers", "an adversary's program takes whoever comes");
		IF(ours ? g->limit_up.text != NULL : g->limit_up.text != NULL || g->limit_down.text != NULL,
		   g->limit_up.text != NULL ? "limit_up" : "limit_down",
		   "an adversary's program has no limit of its own; its line has (up, down)");
		IF(g->has.v < 1 && !ours && lab_attack_kind(&g->adversary) != SIM_FAKE_HAVER, "has",
		   "a real %s has all of it: say so (has: all)", g->adversary.kind);
		IF(!ours && c->s->content.files.v > 1, "adversary.kind",
		   "an adversary's program knows torrents of one file alone");
	}
#undef IF
	check_disk(c, g, path);
	check_foreign(c, g, path);
}

static void check_events(struct checking *c)
{
	char at[60];
	for (unsigned i = 0; i < c->s->events_count; i++) {
		const struct lab_event *e = &c->s->events[i];
		snprintf(at, sizeof at, "events[%u].kind", i);
		switch ((enum lab_event_kind)e->kind.v) {
		case LAB_EVENT_START:
		case LAB_EVENT_STOP:
		case LAB_EVENT_PAUSE:
		case LAB_EVENT_CUT:
		case LAB_EVENT_SPLIT:
		case LAB_EVENT_HEAL:
		case LAB_EVENT_LINE: break;
		case LAB_EVENT_CRASH:
			snprintf(at, sizeof at, "events[%u].how", i);
			if (e->how.v == LAB_CRASH_POWER)
				refuse(c, at, "a real process can be killed; its machine's power stays on");
			break;
		case LAB_EVENT_RESET:
		case LAB_EVENT_SLOW_DISK:
		case LAB_EVENT_FULL_DISK:
		case LAB_EVENT_ROT:
			refuse(c, at,
			       "real nodes know no '%s'; they know start, stop, crash, pause, cut, split, heal, line",
			       lab_event_name((enum lab_event_kind)e->kind.v));
		}
	}
}

int lab_plan_check(const struct lab_scenario *s, struct shoal_bytes text, struct lab_fault *fault)
{
	struct checking c = { .s = s, .fault = fault };
	*fault = (struct lab_fault){ 0 };
	int rc = text.at != NULL ? lab_where_open(&c.where, text, fault) : 0;
	if (rc < 0)
		return rc;
	if (lab_scenario_nodes(s) > LAB_PLAN_NODES_MAX)
		refuse(&c, "nodes", "%u nodes: a real run has at most %u", lab_scenario_nodes(s), LAB_PLAN_NODES_MAX);
	if (s->policy.text != NULL && s->policy.v != LAB_POLICY_FULL)
		refuse(&c, "policy", "a real node chooses as its program does");
	if (s->leaves_out != 0)
		refuse(&c, "without", "a real node leaves nothing out");
	if (s->tcp.text != NULL && s->tcp.v != LAB_TCP_COMMON)
		refuse(&c, "tcp", "a real run has the kernel's TCP");
	for (unsigned i = 0; i < s->nodes_count; i++)
		check_group(&c, &s->nodes[i], i);
	if (s->links_count > 0)
		refuse(&c, "links[0]", "a real run has a line for each node, and no others");
	check_events(&c);
	lab_where_free(c.where);
	return c.found ? SHOAL_ERR_UNSUPPORTED : 0;
}

/* ---- who there is ---------------------------------------------------------------------------------- */

/* A time of a line; the longest is as good as never. */
static uint64_t ns(double seconds)
{
	return (uint64_t)llround(fmin(seconds, LONGEST_S) * 1e9);
}

static bool counts_packets(const struct lab_plan *plan, const struct lab_scenario *s)
{
	for (unsigned i = 0; i < plan->nodes; i++) {
		const struct lab_wire *l = &plan->node[i].line;
		if (l->up > 0 || l->down > 0 || l->loss_ppm > 0 || l->reorder_ppm > 0)
			return true;
	}
	for (unsigned i = 0; i < s->events_count; i++)
		if (s->events[i].kind.v == LAB_EVENT_LINE)
			return true;
	return false;
}

int lab_plan_make(struct lab_plan *plan, const struct lab_scenario *s, uint32_t pieces, uint64_t seed)
{
	unsigned first = 0;
	*plan = (struct lab_plan){ .nodes = lab_scenario_nodes(s) };
	plan->node = calloc((size_t)plan->nodes + 1, sizeof *plan->node);
	struct lab_drawn *drawn = calloc((size_t)plan->nodes + 1, sizeof *drawn);
	if (plan->node == NULL || drawn == NULL) {
		free(drawn);
		lab_plan_fini(plan);
		return SHOAL_ERR_NOMEM;
	}
	for (unsigned i = 0; i < s->nodes_count; i++) {
		const struct lab_group *g = &s->nodes[i];
		unsigned count = (unsigned)g->count.v;
		struct shoal_rng dice = lab_draw_dice(seed, i);
		lab_draw_group(g, &dice, drawn);
		for (unsigned k = 0; k < count; k++) {
			struct lab_plan_node *n = &plan->node[first + k];
			*n = (struct lab_plan_node){ .group = i,
						     .kind = (enum lab_kind)g->kind.v,
						     .hostile = g->adversary.kind != NULL,
						     .played = g->adversary.kind != NULL &&
							       lab_attack_kind(&g->adversary) != OURS,
						     .seed = g->has.v >= 1,
						     .drawn = drawn[k] };
			n->line = (struct lab_wire){ .up = (uint64_t)drawn[k].up,
						     .down = (uint64_t)drawn[k].down,
						     .delay_ns = ns(drawn[k].rtt /
								    4), /* passed four times, there and back */
						     .jitter_ns = ns(drawn[k].jitter),
						     .queue_ns = ns(g->queue.v),
						     .loss_ppm = (uint32_t)llround(g->loss.v * 1e6),
						     .reorder_ppm = (uint32_t)llround(g->reorder.v * 1e6) };
			if (g->has.v > 0 && g->has.v < 1) {
				n->has = calloc(pieces, sizeof *n->has);
				if (n->has == NULL) {
					free(drawn);
					lab_plan_fini(plan);
					return SHOAL_ERR_NOMEM;
				}
				lab_draw_pieces(g, &dice, n->has, pieces);
			}
			if (count > 1)
				snprintf(n->name, sizeof n->name, "%s.%u", g->name, k + 1);
			else
				snprintf(n->name, sizeof n->name, "%s", g->name);
		}
		first += count;
	}
	plan->wide = !counts_packets(plan, s);
	free(drawn);
	return 0;
}

int lab_plan_dht_entry(const struct lab_plan *plan, unsigned i)
{
	for (unsigned k = 0; k < plan->nodes; k++)
		if (k != i && !plan->node[k].played && plan->node[k].kind != LAB_KIND_COMMAND)
			return (int)k;
	return -1;
}

void lab_plan_fini(struct lab_plan *plan)
{
	for (unsigned i = 0; plan->node != NULL && i < plan->nodes; i++)
		free(plan->node[i].has);
	free(plan->node);
	*plan = (struct lab_plan){ 0 };
}
