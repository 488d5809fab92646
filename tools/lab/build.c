/* build.c - see build.h. */
#include "tools/lab/build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/lab/attack.h"
#include "tools/lab/draw.h"
#include "tools/lab/fluid.h"
#include "tools/lab/world/must.h"

#define CONTENT_SEED 1 /* all runs share the same bytes */

/* ---- what is missing ------------------------------------------------------------------------ */

static void lack(char *what, size_t size, unsigned *count, const char *of, const char *name)
{
	char one[80];
	snprintf(one, sizeof one, "%s%s", of, name);
	if (strstr(what, one) != NULL)
		return;
	size_t n = strlen(what);
	if (n < size)
		snprintf(what + n, size - n, "%s%s", n > 0 ? ", " : "", one);
	++*count;
}

/* What only real processes have; told once, of the first such thing. */
static void lack_real(char *what, size_t size, unsigned *count, const char *of, const char *name)
{
	char one[80];
	snprintf(one, sizeof one, "%s%s)", of, name);
	if (strstr(what, LAB_BUILD_REAL) == NULL)
		lack(what, size, count, LAB_BUILD_REAL, one);
}

unsigned lab_build_lacks(const struct lab_scenario *s, char *what, size_t size)
{
	unsigned count = 0;
	what[0] = 0;
	for (unsigned i = 0; i < s->needs.count; i++)
		lack(what, size, &count, "", s->needs.at[i]);
	for (unsigned i = 0; i < s->nodes_count; i++) {
		const struct lab_group *g = &s->nodes[i];
		const char *attack = g->count.v > 0 ? g->adversary.kind : NULL;
		if (attack != NULL && lab_attack_case(&g->adversary) != NULL)
			lack_real(what, size, &count, "adversaries of the kind ", attack);
		else if (attack != NULL && lab_attack_kind(&g->adversary) == SIM_ADVERSARY_KINDS)
			lack(what, size, &count, "adversaries of the kind ", attack);
		if (g->count.v > 0 && g->kind.v != LAB_KIND_NATIVE)
			lack_real(what, size, &count, "nodes of the kind ", lab_kind_name((enum lab_kind)g->kind.v));
		if (g->count.v > 0 && g->reorder.v > 0)
			lack_real(what, size, &count, "", "lines that reorder");
	}
	if (s->meet.v == LAB_MEET_DHT)
		lack_real(what, size, &count, "", "a DHT");
	if (s->links_count > 0)
		lack(what, size, &count, "", "links between groups");
	for (unsigned i = 0; i < s->events_count; i++) {
		enum lab_event_kind kind = (enum lab_event_kind)s->events[i].kind.v;
		if (kind == LAB_EVENT_PAUSE)
			lack_real(what, size, &count, "events of the kind ", lab_event_name(kind));
	}
	return count;
}

/* ---- content ----------------------------------------------------------------------------------- */

void lab_build_content(const struct lab_scenario *s, struct sim_content *content)
{
	const struct lab_content *c = &s->content;
	size_t files = (size_t)c->files.v;
	uint64_t size = (uint64_t)c->size.v;
	uint64_t each = size / files / SHOAL_BLOCK * SHOAL_BLOCK; /* files begin on blocks */
	struct sim_file_spec *file = sim_must(calloc(files, sizeof *file));
	char(*name)[16] = sim_must(calloc(files, sizeof *name));
	for (size_t i = 0; i < files; i++) {
		snprintf(name[i], sizeof name[i], "%06u", (unsigned)i);
		file[i] = (struct sim_file_spec){ name[i], i + 1 < files ? each : size - each * (files - 1) };
	}
	sim_content_init(content, &(struct sim_content_spec){ .seed = CONTENT_SEED,
							      .format = (enum shoal_format)c->format.v,
							      .piece_size = (uint32_t)c->piece.v,
							      .file = file,
							      .file_count = files,
							      .single = files == 1 });
	free(name);
	free(file);
}

/* ---- nodes --------------------------------------------------------------------------------------- */

static shoal_us us(double seconds)
{
	return seconds < 1e12 ? (shoal_us)llround(seconds * 1e6) : SHOAL_NEVER;
}

/* Something of the scenario makes its own bytes bad: it cannot be held to what it sends. */
static bool may_err(const struct lab_scenario *s, unsigned group)
{
	for (unsigned i = 0; i < s->events_count; i++)
		if (s->events[i].who.group == group && s->events[i].kind.v == LAB_EVENT_ROT)
			return true;
	return s->nodes[group].disk.flips.v > 0;
}

static void give(const struct lab_group *g, struct sim_node *n, struct shoal_rng *dice)
{
	const struct shoal_metainfo *mi = n->witness.content->mi;
	uint32_t pieces = shoal_metainfo_piece_count(mi);
	if (llround(g->has.v * pieces) >= pieces)
		return sim_disk_fill(n->disk, SIM_FOLDER, mi);
	bool *has = sim_must(calloc((size_t)pieces + 1, sizeof *has));
	lab_draw_pieces(g, dice, has, pieces);
	for (uint32_t i = 0; i < pieces; i++)
		if (has[i])
			sim_disk_fill_piece(n->disk, SIM_FOLDER, mi, i);
	free(has);
}

/* Of a node behind the word of `group`: the same host, in the open network, for all of them, and the next port. */
static struct shoal_addr shared(const struct lab_scenario *s, unsigned group, unsigned in_group)
{
	struct shoal_addr addr = { .ip = { 93, 184 }, .is_v4 = 1 };
	unsigned first = group, before = 0;
	for (unsigned i = group; i-- > 0;) {
		if (s->nodes[i].behind == NULL || strcmp(s->nodes[i].behind, s->nodes[group].behind) != 0)
			continue;
		first = i;
		before += (unsigned)s->nodes[i].count.v;
	}
	addr.ip[3] = (uint8_t)(1 + first);
	addr.port = (uint16_t)(SIM_PORT + before + in_group);
	return addr;
}

static const enum sim_nat nats[] = {
	[LAB_NAT_NONE] = SIM_NAT_NONE,
	[LAB_NAT_CONE] = SIM_NAT_OPEN,
	[LAB_NAT_ADDRESS] = SIM_NAT_ADDRESS,
	[LAB_NAT_SYMMETRIC] = SIM_NAT_SYMMETRIC,
};
static const enum shoal_rules rules[] = {
	[LAB_POLICY_OFF] = SHOAL_RULES_OFF,
	[LAB_POLICY_LT] = SHOAL_RULES_LT,
	[LAB_POLICY_FULL] = SHOAL_RULES_FULL,
};

void lab_build_nodes(const struct lab_scenario *s, struct sim *sim, uint64_t seed, struct lab_result_node *node,
		     struct lab_times *times)
{
	unsigned first = 0;
	for (unsigned i = 0; i < s->nodes_count; i++) {
		const struct lab_group *g = &s->nodes[i];
		unsigned count = (unsigned)g->count.v;
		struct shoal_rng dice = lab_draw_dice(seed, i);
		struct lab_drawn *drawn = sim_must(calloc((size_t)count + 1, sizeof *drawn));
		lab_draw_group(g, &dice, drawn);
		for (unsigned k = 0; k < count; k++) {
			const struct lab_drawn *d = &drawn[k];
			shoal_us latency = us(d->latency);
			struct sim_node_options o = {
				.memory = (size_t)g->memory.v,
				.up = (uint64_t)d->up,
				.down = (uint64_t)d->down,
				.delay = us(d->rtt / 4), /* it is passed four times on the way there and back */
				.jitter = us(d->jitter),
				.loss_ppm = (uint32_t)llround(g->loss.v * 1e6),
				.queue = us(g->queue.v),
				.nat = nats[g->nat.v],
				.limit_up = (uint64_t)g->limit_up.v,
				.limit_down = (uint64_t)g->limit_down.v,
				.max_peers = (uint32_t)g->max_peers.v,
				.upload_slots = (uint32_t)g->slots.v,
				.latency = { latency / 2, latency + latency / 2 },
				.disk_rate = (uint64_t)g->disk.rate.v,
				.liar = may_err(s, i),
				.rules = rules[g->policy.text != NULL ? g->policy.v : s->policy.v],
				.without = s->leaves_out,
			};
			o.delay = o.delay > 0 ? o.delay : 1;
			o.keyed = g->keys.v > 0;
			if (g->behind != NULL) {
				o.addr = shared(s, i, k);
				o.stranger = true;
			}
			if (g->adversary.kind != NULL)
				o.adversary = lab_attack_spec(&g->adversary);
			struct sim_node *n = sim_node_new(sim, &o);
			give(g, n, &dice);
			if (g->disk.room.v < 0x1p40)
				sim_disk_room(n->disk, (uint64_t)g->disk.room.v);
			if (g->disk.flips.v > 0)
				sim_disk_poison(n->disk, (uint32_t)llround(g->disk.flips.v * 1e6));
			node[first + k] = (struct lab_result_node){ .group = i,
								    .honest = g->adversary.kind == NULL,
								    .wants = g->has.v < 1,
								    .up_rate = d->up,
								    .down_rate = d->down,
								    .joined = INFINITY,
								    .complete = INFINITY,
								    .left = INFINITY };
			times[first + k] = (struct lab_times){ d->join, d->leave, d->life };
		}
		free(drawn);
		first += count;
	}
}

double lab_build_bound(const struct lab_scenario *s, const struct lab_result_node *node, unsigned nodes)
{
	struct lab_fluid_node *fluid = sim_must(calloc((size_t)nodes + 1, sizeof *fluid));
	size_t count = 0;
	for (unsigned i = 0; i < nodes; i++)
		if (node[i].honest)
			fluid[count++] = (struct lab_fluid_node){ node[i].up_rate, node[i].down_rate, !node[i].wants };
	double bound = lab_fluid_bound(fluid, count, s->content.size.v);
	free(fluid);
	return bound;
}
