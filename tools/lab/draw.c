/* draw.c - see draw.h. */
#include "tools/lab/draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "tools/lab/world/must.h"

#define DICE_OF_GROUPS 1000000 /* streams of a run's seed that no node has */
#define DICE_OF_RUN 999999     /* and one that no group has */

struct shoal_rng lab_draw_dice(uint64_t seed, unsigned group)
{
	return shoal_rng_split(seed, DICE_OF_GROUPS + group);
}

struct shoal_rng lab_draw_run_dice(uint64_t seed)
{
	return shoal_rng_split(seed, DICE_OF_RUN);
}

void lab_draw_group(const struct lab_group *g, struct shoal_rng *dice, struct lab_drawn *out)
{
	static const size_t at[] = { offsetof(struct lab_drawn, up),   offsetof(struct lab_drawn, down),
				     offsetof(struct lab_drawn, rtt),  offsetof(struct lab_drawn, jitter),
				     offsetof(struct lab_drawn, join), offsetof(struct lab_drawn, leave),
				     offsetof(struct lab_drawn, life), offsetof(struct lab_drawn, latency) };
	const struct lab_spread *spread[] = { &g->up.v,	  &g->down.v,  &g->rtt.v,  &g->jitter.v,
					      &g->join.v, &g->leave.v, &g->life.v, &g->disk.latency.v };
	unsigned count = (unsigned)g->count.v;
	double *drawn = sim_must(calloc((size_t)count + 1, sizeof *drawn));
	for (size_t d = 0; d < sizeof at / sizeof *at; d++) {
		lab_spread_draw(spread[d], dice, drawn, count);
		for (unsigned k = 0; k < count; k++)
			*(double *)(void *)((char *)&out[k] + at[d]) = drawn[k];
	}
	free(drawn);
}

void lab_draw_pieces(const struct lab_group *g, struct shoal_rng *dice, bool *has, uint32_t pieces)
{
	uint32_t some = (uint32_t)llround(g->has.v * pieces);
	if (some >= pieces) {
		memset(has, 1, pieces);
		return;
	}
	memset(has, 0, pieces);
	/* Without `first`: exactly so many, every choice of them equally likely. */
	for (uint32_t i = 0, left = some; i < pieces && left > 0; i++) {
		if (!g->has_first && shoal_rng_below(dice, pieces - i) >= left)
			continue;
		has[i] = true;
		left--;
	}
}

unsigned *lab_draw_who(const struct lab_scenario *s, const struct lab_who *who, struct shoal_rng *dice, unsigned *met)
{
	unsigned first = 0, count = (unsigned)s->nodes[who->group].count.v;
	for (unsigned g = 0; g < who->group; g++)
		first += (unsigned)s->nodes[g].count.v;
	unsigned *out = sim_must(calloc((size_t)count + 1, sizeof *out));
	if (who->one) {
		out[0] = first + who->index;
		*met = 1;
		return out;
	}
	for (unsigned i = 0; i < count; i++)
		out[i] = first + i;
	*met = count;
	if (!who->some)
		return out;
	unsigned wanted = who->count > 0 ? who->count : (unsigned)llround(who->share * count);
	for (unsigned i = 0; i < count && i < wanted; i++) {
		unsigned pick = i + shoal_rng_below(dice, count - i), other = out[pick];
		out[pick] = out[i];
		out[i] = other;
	}
	*met = wanted < count ? wanted : count;
	return out;
}
