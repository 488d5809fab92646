/*
 * swarm/peers/flow.h - one peer's speed and delay, and how many blocks to keep asked of it.
 *
 * Depth is bandwidth times delay: the rate the peer delivers at times the
 * shortest recent time from request to block, doubled, plus a little for
 * our own jitter, at least a few blocks. The shortest time and not the mean, since our
 * own queue at the peer is what makes the mean long.
 *
 * Two things that formula cannot know are found by trying, as BBR does:
 * whether a deeper queue would bring more (a peer with a slow disk, a
 * jittery path; else the depth would follow the falling rate down), and,
 * once in a while, by draining the queue, how short the delay truly is.
 */
#ifndef SHOAL_FLOW_H
#define SHOAL_FLOW_H

#include <shoal/types.h>

#define SHOAL_FLOW_DEPTH_MIN 4
#define SHOAL_FLOW_DEPTH_START 16
#define SHOAL_FLOW_DEPTH_MAX 4000
#define SHOAL_FLOW_PEER_MAX 250 /* requests we take a peer to queue that does not say */

struct shoal_rate {	 /* bytes a second over about the last two seconds */
	uint64_t total;	 /* bytes ever */
	uint64_t window; /* bytes in the current tenth */
	shoal_us since;	 /* when the current tenth began */
	uint64_t
		smooth; /* bytes a second, as of the last tenth there was news: shoal_rate_now() brings it up to date */
	uint32_t age;	/* tenths seen, up to a few */
};
void shoal_rate_add(struct shoal_rate *r, uint64_t bytes, shoal_us now);
uint64_t shoal_rate_now(struct shoal_rate *r, shoal_us now);

enum shoal_flow_phase {
	SHOAL_FLOW_START,  /* the target doubles each round trip until the rate stops growing */
	SHOAL_FLOW_CRUISE, /* the target follows rate and delay */
	SHOAL_FLOW_PROBE,  /* for two rounds twice as deep, and on while the rate grows */
	SHOAL_FLOW_DRAIN,  /* for a round trip or a few shallow, to see the delay without our own queue */
};

/* From one landing until a block lands that was asked for after it: a round trip, and what came in it. */
struct shoal_flow_round {
	shoal_us since, end; /* end: 0 while it lasts */
	uint64_t bytes;
	shoal_us delays; /* sum over its blocks */
	uint32_t blocks;
};

struct shoal_flow {
	struct shoal_rate down;
	shoal_us delay_min[2]; /* shortest request-to-block time in the current and the last 10 s window; 0 unknown */
	shoal_us delay_mean;   /* smoothed */
	shoal_us window_at;
	shoal_us last_block; /* when one last landed, 0 never */
	uint32_t depth;	     /* current target, blocks */
	uint8_t phase;	     /* enum shoal_flow_phase */
	bool drained;	     /* in this window, so that its shortest time can be believed */
	uint8_t flat;	     /* START, PROBE: rounds in a row that brought no more */
	bool grew;	     /* PROBE: some round did */
	uint32_t ceiling;    /* START, PROBE: the depth not to pass before a round has brought more */
	uint64_t fast_rate;  /* START, PROBE: the rate to beat */
	struct shoal_flow_round round;
	uint64_t rate_max[2]; /* fastest round in the current and the last second, bytes a second */
	shoal_us rate_at;
	uint64_t rate_mean;  /* smoothed over rounds, probes and drains aside: what a probe has to beat */
	uint64_t probe_rate; /* shoal_flow_rate() after the last probe: well below it, the next one is due at once */
	shoal_us slack;	     /* on top of twice the shortest delay */
	shoal_us probe_at, probe_wait;	/* when the last probe ended, and how long until the next */
	shoal_us drain_at, drain_delay; /* when this round of it began; the delay to undercut */
};
void shoal_flow_init(struct shoal_flow *f, shoal_us now);
/* A block landed that was asked for at `asked`. */
void shoal_flow_block(struct shoal_flow *f, uint32_t bytes, shoal_us asked, shoal_us now);
/* Blocks to keep asked; `peer_max` is the peer's reqq (0 unknown: 250), never passed. Below DEPTH_MIN for a round trip
 * now and then (DRAIN). */
uint32_t shoal_flow_depth(struct shoal_flow *f, uint32_t peer_max, shoal_us now);
/* The shortest time from request to block of the last ten seconds or so; 0 unknown. */
shoal_us shoal_flow_delay(const struct shoal_flow *f);
/* The rate its depth is reckoned from: the fastest round trip of the last second or two, bytes a second; 0 unknown. */
uint64_t shoal_flow_rate(const struct shoal_flow *f);
/* How long the next block may reasonably take, from its request or the block before, until the peer counts as
 * stalling: 2..60 s. */
shoal_us shoal_flow_patience(const struct shoal_flow *f);

#endif
