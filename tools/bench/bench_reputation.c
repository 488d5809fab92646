/*
 * bench_reputation - what a peer's record costs.
 *
 *     bench/bench_reputation
 *
 * Evidence is folded in once a stretch of blocks of one sender (a piece of 16 here), a bound of the window is asked for
 * at each refill of a queue (one in four blocks, at the least), blame is shared when a piece fails. Prints nanoseconds, one
 * JSON object per line, and the share of a core all of it takes at 100,000 blocks a second, the picker aside
 * (bench_picker).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "swarm/peers/repute.h"
#include "tools/bench/clock.h"

#define PEERS 1000u
#define ROUNDS 2000000u
#define BLOCKS_A_SECOND 100000.0
#define PIECE 16u

static double tell(const char *what, double began, double times)
{
	double ns = (bench_now_ns() - began) / times;
	printf("{\"what\": \"%s\", \"ns\": %.1f}\n", what, ns);
	return ns;
}

int main(void)
{
	static struct shoal_rep peer[PEERS];
	struct shoal_rng rng = shoal_rng_split(1, 1);
	double memory = shoal_rep_memory(0), sum = 0;
	uint64_t windows = 0;
	for (uint32_t i = 0; i < PEERS; i++)
		shoal_rep_init(&peer[i], 0.005, 0);
	double began = bench_now_ns();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct shoal_rep *r = &peer[shoal_rng_below(&rng, PEERS)];
		shoal_rep_verified(r, memory, PIECE, i / 100000);
		shoal_rep_answered(r, PIECE);
		shoal_rep_claimed(r, true);
	}
	double fold = tell("a piece verified", began, ROUNDS);
	began = bench_now_ns();
	for (uint32_t i = 0; i < ROUNDS; i++)
		windows += shoal_rep_window(&peer[shoal_rng_below(&rng, PEERS)]);
	double window = tell("a window", began, ROUNDS);
	began = bench_now_ns();
	for (uint32_t i = 0; i < ROUNDS; i++)
		sum += shoal_rep_draw(1 + i % 50, 1 + i % 7, &rng);
	(void)tell("a trial's draw", began, ROUNDS);
	double expect[PIECE], share[PIECE];
	uint32_t blocks[PIECE];
	for (uint32_t i = 0; i < PIECE; i++) {
		expect[i] = 0.001 * (i + 1);
		blocks[i] = 1 + i;
	}
	began = bench_now_ns();
	for (uint32_t i = 0; i < ROUNDS / 100; i++) {
		shoal_rep_share(expect, blocks, share, PIECE);
		sum += share[i % PIECE];
	}
	(void)tell("blame shared by sixteen", began, ROUNDS / 100);
	printf("{\"what\": \"of a core at 100000 blocks/s\", \"percent\": %.3f, \"check\": %.0f}\n",
	       BLOCKS_A_SECOND * (fold / PIECE + window / 4) / 1e7, sum + (double)windows);
	return 0;
}
