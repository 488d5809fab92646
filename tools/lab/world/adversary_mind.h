/*
 * tools/lab/world/adversary_mind.h - what each kind of adversary does with the messages that pass through its hands.
 *
 * Internal to the adversaries.
 */
#ifndef SIM_ADVERSARY_MIND_H
#define SIM_ADVERSARY_MIND_H

#include "proto/base/rng.h"
#include "tools/lab/world/adversary.h"
#include "tools/lab/world/adversary_guise.h"

struct sim_adversary {
	struct sim_node *node;
	struct sim_adversary_spec spec;
	struct sim_adversary_deeds deeds;
	struct shoal_rng rng;
	struct sim_alarm look, rebirth;
	unsigned met;	   /* nodes looked at, by index ... */
	uint64_t view;	   /* ... and made known to it */
	uint64_t spoiling; /* blocks left of a burst */
};

/* By kind; SIM_HONEST has none. */
extern const struct sim_guise_ops *const sim_mind_ops[SIM_ADVERSARY_KINDS];

#endif
