/*
 * swarm/core/flow.h - one peer's speed and delay, and how many blocks to keep asked of it.
 *
 * Depth is bandwidth times delay: the rate the peer delivers at times the
 * shortest recent time from request to block, doubled, plus a little for
 * our own jitter, at least a few blocks. The shortest time and not the mean, since our
 * own queue at the peer is what makes the mean long.
 */
#ifndef SHOAL_FLOW_H
#define SHOAL_FLOW_H

#include <shoal/types.h>

#define SHOAL_FLOW_DEPTH_MIN 4
#define SHOAL_FLOW_DEPTH_START 16
#define SHOAL_FLOW_DEPTH_MAX 4000

struct shoal_rate { /* bytes a second over about the last few seconds */
	uint64_t total;	   /* bytes ever */
	uint64_t window;   /* bytes in the current tenth */
	shoal_us since;	   /* when the current tenth began */
	uint64_t smooth;   /* bytes a second */
};
void shoal_rate_add(struct shoal_rate *r, uint64_t bytes, shoal_us now);
uint64_t shoal_rate_now(struct shoal_rate *r, shoal_us now);

struct shoal_flow {
	struct shoal_rate down;
	shoal_us delay_min[2]; /* shortest request-to-block time in the current and the last 10 s window; 0 unknown */
	shoal_us delay_mean;   /* smoothed */
	shoal_us window_at;
	uint32_t depth;	       /* current target, blocks */
	shoal_us last_block;   /* when one last landed, 0 never */
	shoal_us fast_since;   /* start-up: the target doubles each round trip until the rate stops growing */
	uint64_t fast_rate;
	bool starting;
};
void shoal_flow_init(struct shoal_flow *f, shoal_us now);
/* A block landed that was asked for at `asked`. */
void shoal_flow_block(struct shoal_flow *f, uint32_t bytes, shoal_us asked, shoal_us now);
/* Blocks to keep asked; `peer_max` is the peer's reqq (0 unknown: 250). */
uint32_t shoal_flow_depth(struct shoal_flow *f, uint32_t peer_max, shoal_us now);
/* How long a block may reasonably take now before the peer counts as stalling: 2..60 s. */
shoal_us shoal_flow_patience(const struct shoal_flow *f);

#endif
