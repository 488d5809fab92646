/*
 * swarm/core/world.h - the rest of what a node asks of the outside.
 */
#ifndef SHOAL_WORLD_H
#define SHOAL_WORLD_H

#include <shoal/types.h>
#include "proto/transport.h"

struct shoal_world_ops {
	/* Fills `out` with bytes nobody can guess (a seeded stream in a virtual world). */
	void (*secret)(void *w, struct shoal_space out);
	/* Opens a stream to `to`; the answer comes as shoal_node_dialed(cookie). < 0: not even tried. */
	int (*dial)(void *w, const struct shoal_addr *to, uint64_t cookie);
	/* Call shoal_node_tick() at (or soon after) `at`; replaces the call asked for before. */
	void (*wake_at)(void *w, shoal_us at);
	/* Seconds since 1970, for records and people alone. */
	int64_t (*unix_s)(void *w);
};
struct shoal_world {
	const struct shoal_world_ops *ops;
	void *w;
};

#endif
