/*
 * tools/lab/world/line.h - a machine's access line: what passes over it, when, and in which order.
 *
 * Each way of it is a rate and a queue in front of that rate, bounded in time.
 * What leaves: the streams over the line take turns, a quantum of bytes each
 * (deficit round robin), at putting something into the queue, as long as it
 * has room; so they share the line, and none waits behind all that another
 * has to say. What comes in waits in the order in which it came.
 */
#ifndef SIM_LINE_H
#define SIM_LINE_H

#include "proto/base/rng.h"
#include "tools/lab/world/clock.h"

struct sim_end;
struct sim_lane;

struct sim_line {
	uint64_t up, down; /* bytes a second, headers included; 0: no limit */
	shoal_us delay;	   /* its half of the way */
	shoal_us jitter;   /* each way over it is longer by up to this; nothing overtakes within a stream */
	uint32_t loss_ppm; /* of packets, each way */
	shoal_us phase;	   /* of its machine's event loop: less than a turn (pipe.h) */
	shoal_us queue;	   /* the longest wait in front of either rate, above which packets are dropped; 0: 1 s */
	unsigned side;	   /* lines of different sides are cut from each other: a partition */
	bool cut;	   /* nothing passes: bytes wait until it is whole again */
	bool dead;	   /* its machine has died: what it closes is reset, and nothing more comes out */
	/* the model's */
	shoal_us up_free, down_free;	    /* when the last byte is through */
	struct sim_end *ends;		    /* of streams over it */
	struct sim_lane *turn, **turn_tail; /* streams that have something to send, and may; whose turn it is first */
	struct sim_alarm room;		    /* the queue up has some again */
	shoal_us calm;			    /* that it is full counts as a loss once until then */
};

/* Nothing passes between the two now. */
static inline bool sim_line_apart(const struct sim_line *a, const struct sim_line *b)
{
	return a->cut || b->cut || a->side != b->side;
}
/* The first round of its machine's event loop at or after `at`. */
static inline shoal_us sim_line_round(const struct sim_line *line, shoal_us at, shoal_us round)
{
	shoal_us over = (at - line->phase) % round;
	return over > 0 ? at + round - over : at;
}
static inline shoal_us sim_line_queue(const struct sim_line *line)
{
	return line->queue > 0 ? line->queue : SHOAL_S(1);
}
/* How long what comes now waits for a rate that is free at `free_at`. */
static inline shoal_us sim_line_wait(shoal_us free_at, shoal_us now)
{
	return free_at > now ? free_at - now : 0;
}
/* `bytes` take their place behind a rate: when the last of them is through. */
static inline shoal_us sim_line_pass(shoal_us *free_at, uint64_t rate, uint64_t bytes, shoal_us now)
{
	if (rate == 0)
		return now;
	*free_at = (*free_at > now ? *free_at : now) + bytes * 1000000 / rate;
	return *free_at;
}
static inline shoal_us sim_line_way(const struct sim_line *line, struct shoal_rng *rng)
{
	return line->delay + (line->jitter > 0 ? shoal_rng_below(rng, (uint32_t)line->jitter + 1) : 0);
}
static inline bool sim_line_loses(const struct sim_line *line, struct shoal_rng *rng)
{
	return line->loss_ppm > 0 && shoal_rng_below(rng, 1000000) < line->loss_ppm;
}

#endif
