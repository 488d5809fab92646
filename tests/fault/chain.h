/*
 * tests/fault/chain.h - lives one after the other on one disk, each ended by a crash, and every crash looked at.
 */
#ifndef FAULT_CHAIN_H
#define FAULT_CHAIN_H

#include "tests/fault/life.h"

struct chain_sums {
	uint64_t states, kills, lives, chains, completed, ops;
	uint64_t faulty;   /* states with a fault */
	unsigned faults;   /* of all of them */
	uint64_t by[9];	   /* by fault: states */
	uint64_t claims;   /* pieces that had been told to be durable, over all states */
	uint64_t rehashed; /* of them, by a record whose times the crash had lost */
	uint64_t pauses;
	uint64_t failed_syncs;
	uint64_t barrier[MODEL_BARRIERS];
};
struct chain_options {
	uint64_t seed;
	unsigned lost;	 /* barriers that do nothing */
	uint32_t lives;	 /* at most */
	uint32_t states; /* looked at in each */
	bool threads;	 /* workers run as the system likes; else all is the seed's */
	bool many;	 /* many files */
	bool faults;	 /* one sync in a life fails */
	bool quiet;	 /* faults are counted, not told */
};
/* Adds to *sums. Ends early at the first fault. */
void chain_run(const struct chain_options *options, struct chain_sums *sums);

#endif
