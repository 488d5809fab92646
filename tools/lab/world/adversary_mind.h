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

struct sim_guest_ops;
struct sim_relayed; /* of a relay: one connection that it passes on (adversary_relay.c) */

struct sim_adversary {
	struct sim_node *node;
	struct sim_adversary_spec spec;
	struct sim_adversary_deeds deeds;
	struct shoal_rng rng;
	struct sim_alarm look, rebirth;
	unsigned met;	   /* nodes looked at, by index ... */
	uint64_t view;	   /* ... and made known to it */
	uint64_t spoiling; /* blocks left of a burst */
	struct sim_relayed *relayed;
};

bool sim_mind_chance(struct sim_adversary *a, uint64_t ppm);
/* One bit of the block that ends `raw` turns. */
void sim_mind_spoil(struct sim_adversary *a, const struct shoal_wire_msg *msg, struct shoal_space raw);

/* A relay is no node with a hand over its mouth, but a machine of its own; `g` is its struct sim_adversary. */
extern const struct sim_guest_ops sim_relay_guest;

/* By kind; SIM_HONEST and SIM_RELAY have none. */
extern const struct sim_guise_ops *const sim_mind_ops[SIM_ADVERSARY_KINDS];

#endif
