/*
 * tools/lab/world/check.h - rules that hold in every world, held against what an observer outside the nodes sees.
 *
 * watch.h holds what a node says against its disk. Here is what needs both
 * sides of a connection, or time:
 *   - nobody asks another for a block that it has asked it for already, and that was neither given, rejected nor cancelled;
 *   - no piece lies idle while somebody who would serve it does too (S18): a node lacks a piece, has asked nobody for it
 *     and got none of it for SIM_CHECK_IDLE, and an honest node that announced it has had it unchoked for as long in all,
 *     and was asked for nothing;
 *   - bytes are conserved: nobody takes in what nobody said, and what a node says it gave and got is what went by;
 *   - memory: the budget and the slots within it are kept, and no node spins.
 * In large worlds (sim_options.brief) one node in SIM_CHECK_SAMPLE is looked at so; memory, of all.
 * A breach is told to the world (sim_breach()), which ends the run.
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "proto/wire.h"
#include "tools/lab/world/clock.h"

#define SIM_CHECK_IDLE SHOAL_S(15)
#define SIM_CHECK_SAMPLE 16u
#define SIM_CHECK_EVERY SHOAL_S(1) /* between two looks for idle pieces */

struct sim;
struct sim_node;
struct sim_talk_event;

/* What one node says to another on one connection, and what it was told there. */
struct sim_talk {
	/* what every parcel touches */
	uint64_t said, took;   /* bytes; taken in by the other */
	struct sim_talk *back; /* the other direction; NULL: nothing was said in it yet */
	struct sim_node *who, *to;
	bool sampled;	     /* `who` is looked at */
	bool fast, unchoked; /* both speak BEP 6; `who` may ask */
	uint32_t strays;     /* answers to what was asked for no more */
	uint32_t events, event_head, event_room;
	struct sim_talk_event *event; /* on their way: a ring */

	struct sim_talk *next, **at;  /* of the node's */
	struct shoal_bits *announced; /* by `who`; the watch's */
	shoal_us idle;		      /* for so long it might have asked, since it last did */
	uint64_t *asked; /* blocks that `who` has asked for: a hash table of piece << 32 | begin, plus one */
	uint32_t asked_count, asked_room;
};
void sim_talk_begin(struct sim_talk *t, struct sim_node *who, struct sim_node *to, struct sim_talk *back);
void sim_talk_end(struct sim_talk *t);
/* A message that ends after `end` bytes of the stream. A block (PIECE) only by its place: msg->len bytes. */
void sim_talk_said(struct sim_talk *t, const struct shoal_wire_msg *msg, uint64_t end);
/* The other has taken in `n` bytes more. */
void sim_talk_took(struct sim_talk *t, size_t n);

/* What is known of a node by its talk, in this life. */
struct sim_account {
	struct sim_talk *talks;
	uint32_t *touched; /* by piece: the second in which it was last asked for or came in, 0 never */
	uint32_t pieces;
	uint64_t gave, got; /* payload bytes of whole blocks that went out, that came in */
	shoal_us got_at;    /* the last */
	shoal_us tick_ms;   /* for finding a node that spins */
	unsigned ticks_in_ms;
};
void sim_account_reborn(struct sim_node *n);
void sim_account_fini(struct sim_account *a);

/* Memory and time of a node that has just had its turn. */
void sim_check_node(struct sim_node *n);
/* n->stats are of this instant: whether they are what went by. */
void sim_check_stats(struct sim_node *n);
/* Idle pieces, in the whole world. */
void sim_check_idle(struct sim *sim);

#endif
