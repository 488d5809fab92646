/*
 * tools/lab/play.h - who watches while it comes: each piece is due at its time, in order, and one that is late is waited for.
 *
 * It begins `lead` after the node has joined. What is due within LAB_PLAY_AHEAD has a deadline at the engine
 * (SHOAL_OP_DEADLINE); the rest comes as it likes. A piece that is not there when it is due is a stall: the player waits
 * until it is, and all after it are due as much later.
 */
#ifndef LAB_PLAY_H
#define LAB_PLAY_H

#include "tools/lab/world/world.h"

#define LAB_PLAY_AHEAD SHOAL_S(10)
#define LAB_PLAY_LOOK SHOAL_MS(5) /* while it waits */

struct lab_play {
	struct sim_node *node;
	shoal_us each; /* what a piece takes to play */
	shoal_us due;  /* of `next` */
	uint32_t next, pieces;
	uint32_t told; /* those before it have been given deadlines */
	bool waits;
	unsigned stalls;
	shoal_us rebuffer;
};

/* The node has just been started: `rate` bytes a second are played from `lead` on. */
void lab_play_begin(struct lab_play *p, struct sim_node *n, double rate, shoal_us lead);
/* Plays what is due. When to call again; SHOAL_NEVER: all has been played, or the node runs no more. */
shoal_us lab_play_on(struct lab_play *p);

#endif
