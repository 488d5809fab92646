/*
 * tests/unit/own_crowd.h - a swarm as its choker sees it, for simulated hours of rounds.
 *
 * The owner's part of the views is kept as swarm.c would; each decision is held to what must be true of any.
 */
#ifndef OWN_CROWD_H
#define OWN_CROWD_H

#include "proto/base/rng.h"
#include "swarm/peers/choker.h"

#define CROWD_PEERS 64
#define CROWD_START SHOAL_S(5000)
#define CROWD_UNIT (256u * 1024)
#define MIB (1024u * 1024)

struct crowd {
	struct shoal_choker choker;
	struct shoal_choker_view v[CROWD_PEERS];
	struct shoal_rng rng;
	size_t n;
	unsigned slots;
	bool seeding, by_record, by_onward;
	uint64_t turn_bytes, speed[CROWD_PEERS]; /* bytes a second it can take from us */
	shoal_us now;
	/* seen */
	shoal_us served[CROWD_PEERS], waiting_since[CROWD_PEERS], longest_wait[CROWD_PEERS];
	unsigned regular_rounds[CROWD_PEERS], trial_rounds[CROWD_PEERS], trials[CROWD_PEERS];
	unsigned changes; /* of the last round */
};

/* `n` peers that want something, <= CROWD_PEERS. */
void crowd_init(struct crowd *c, size_t n, uint64_t seed);
/* One round, now. */
void crowd_decide(struct crowd *c);
/* One round, and what is given until the next. */
void crowd_step(struct crowd *c);
size_t crowd_served(const struct crowd *c);
size_t crowd_on_trial(const struct crowd *c);

#endif
