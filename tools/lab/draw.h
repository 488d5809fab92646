/*
 * tools/lab/draw.h - the dice of a run: what each node of a scenario is given, and whom an event meets.
 *
 * The same for a virtual run and a real one of the same seed. What a group draws depends on the seed and on its place
 * in the list alone, so that a group more, or one that is larger, moves nobody else's dice.
 */
#ifndef LAB_DRAW_H
#define LAB_DRAW_H

#include "tools/lab/scenario.h"

/* Of one node: bytes a second (0: no limit), and seconds (INFINITY: never). */
struct lab_drawn {
	double up, down, rtt, jitter, join, leave, life, latency;
};

/* The dice of the group of that number. */
struct shoal_rng lab_draw_dice(uint64_t seed, unsigned group);
/* One for each node of the group, into `out`. Aborts when memory is short. */
void lab_draw_group(const struct lab_group *g, struct shoal_rng *dice, struct lab_drawn *out);

/* Which of the pieces the next node of the group begins with: `has`, one for each. Draws but for all, nothing, `first`. */
void lab_draw_pieces(const struct lab_group *g, struct shoal_rng *dice, bool *has, uint32_t pieces);

/* The dice of what happens in the run: whom an event meets, who is told of whom. */
struct shoal_rng lab_draw_run_dice(uint64_t seed);
/* Those that `who` names, by their number in the scenario: on the heap, `*count` of them. Aborts when memory is short. */
unsigned *lab_draw_who(const struct lab_scenario *s, const struct lab_who *who, struct shoal_rng *dice,
		       unsigned *count);

#endif
