/*
 * proto/base/rng.h - pcg32: order, jitter and picks; never a secret.
 *
 * Every machine that needs dice is handed a stream of its own, split from
 * one seed, so that a virtual world replays. M. O'Neill, "PCG", 2014.
 */
#ifndef SHOAL_RNG_H
#define SHOAL_RNG_H

#include <shoal/types.h>

struct shoal_rng {
	uint64_t state, inc;
};

static inline uint32_t shoal_rng_next(struct shoal_rng *rng)
{
	uint64_t old = rng->state;
	rng->state = old * 6364136223846793005ULL + rng->inc;
	uint32_t mixed = (uint32_t)(((old >> 18) ^ old) >> 27);
	uint32_t turn = (uint32_t)(old >> 59);
	return mixed >> turn | mixed << (-turn & 31);
}
/* Stream number `stream` (its low 63 bits) of `seed`; different streams never meet. */
static inline struct shoal_rng shoal_rng_split(uint64_t seed, uint64_t stream)
{
	struct shoal_rng rng = { 0, stream << 1 | 1 };
	shoal_rng_next(&rng);
	rng.state += seed;
	shoal_rng_next(&rng);
	return rng;
}
/* Even over [0, bound); 0 for a bound of 0. */
static inline uint32_t shoal_rng_below(struct shoal_rng *rng, uint32_t bound)
{
	if (bound == 0)
		return 0;
	uint32_t floor = -bound % bound;
	uint32_t dice;
	do
		dice = shoal_rng_next(rng);
	while (dice < floor);
	return dice % bound;
}
static inline uint64_t shoal_rng_u64(struct shoal_rng *rng)
{
	uint64_t high = shoal_rng_next(rng);
	return high << 32 | shoal_rng_next(rng);
}

#endif
