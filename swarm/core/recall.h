/*
 * swarm/core/recall.h - what is known of peers outlives the process: the node's records (swarm/peers/repute.h) in its store.
 *
 * Internal to swarm/core. Kept is who listens at an address and has sent
 * something: its address, when it was last heard of, and the evidence; never
 * which torrent it was about. Records are written in batches, half a minute
 * after something was learned, a second after somebody was banned or let out
 * on parole, and when the node stops; a kill loses what came since. Nothing
 * waits for it.
 *
 * They are read when the first torrent joins, faded up to then by the wall
 * clock, as many as half the table takes, those with most to tell first. Who was not heard of for a month, and is not banned, is
 * forgotten; of more than SHOAL_RECALL_ROWS, who has told the least.
 *
 * Several processes may share a store. Before a record is written, what
 * another has written meanwhile is heeded (shoal_rep_heed).
 */
#ifndef SHOAL_RECALL_H
#define SHOAL_RECALL_H

#include <shoal/types.h>

#define SHOAL_RECALL_ROWS 8192u	 /* some 2 MiB of the store; 30 ms at the start */
#define SHOAL_RECALL_SPARE 1024u /* more than that before it is tidied again */
#define SHOAL_RECALL_KEEP_S (30u * 86400)
#define SHOAL_RECALL_EVERY SHOAL_S(30)
#define SHOAL_RECALL_GRAVE SHOAL_S(1)
#define SHOAL_RECALL_BATCH 256u			/* records written at a time */
#define SHOAL_RECALL_COOKIE (UINT64_C(1) << 32) /* of its commits: no torrent has it */

struct shoal_node;

struct shoal_recall {
	shoal_us due;	 /* the next batch; 0: nothing to write */
	uint64_t writer; /* who we are, among those who share the store */
	uint32_t rows;	 /* in the store, about */
	bool loaded;
	bool out; /* a batch is on its way */
};

/* Once, before the first torrent meets anybody. Without a store, or where no score is kept, nothing is done. */
void shoal_recall_load(struct shoal_node *n, shoal_us now);
void shoal_recall_tick(struct shoal_node *n, shoal_us now);
/* Its commit has been reaped: what was not written is written again. */
void shoal_recall_done(struct shoal_node *n, int err, shoal_us now);
/* All that is not written yet, now: the node stops. */
void shoal_recall_stop(struct shoal_node *n, shoal_us now);
shoal_us shoal_recall_deadline(const struct shoal_node *n);

/* Whether a record that was last heard of at `seen_s` is too old to keep. */
bool shoal_recall_stale(uint32_t seen_s, uint32_t banned_until_s, uint32_t now_s);

#endif
