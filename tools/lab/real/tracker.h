/*
 * tools/lab/real/tracker.h - the tracker of a closed place: who is there, told by HTTP (BEP 3, 23).
 *
 * One torrent, and nodes that are told apart by the address they ask from. As in the virtual world, a node is told of
 * some of those that are there, drawn. Requests in, answers out: the socket is the caller's.
 */
#ifndef LAB_TRACKER_H
#define LAB_TRACKER_H

#include <shoal/types.h>
#include "proto/base/rng.h"

#define LAB_TRACKER_REQUEST_MAX 4096 /* bytes of a request; who sends more is no client */
#define LAB_TRACKER_ANSWER_MAX 8192
#define LAB_TRACKER_INTERVAL_S 30 /* between two announces: runs are short */

struct lab_tracker_node {
	uint16_t port; /* 0: it is not there */
	bool seed;
};
struct lab_tracker {
	struct lab_tracker_node *node;
	unsigned nodes, told_max; /* of how many others one is told */
	struct shoal_rng dice;
};
/* What an announce says of the one that made it. */
enum lab_tracker_news { LAB_TRACKER_NONE, LAB_TRACKER_HERE, LAB_TRACKER_SEEDS, LAB_TRACKER_LEFT };

SHOAL_MUST int lab_tracker_init(struct lab_tracker *t, unsigned nodes, unsigned told_max, uint64_t seed); /* NOMEM */
void lab_tracker_fini(struct lab_tracker *t);
/* It is gone without a word. */
void lab_tracker_forget(struct lab_tracker *t, unsigned node);
/*
 * Answers an HTTP request that node `from` sent. 0: not all of it is here yet; else the length of the answer, after
 * which the connection ends. What is no announce is answered with an error.
 */
size_t lab_tracker_answer(struct lab_tracker *t, unsigned from, struct shoal_bytes request,
			  uint8_t out[LAB_TRACKER_ANSWER_MAX], enum lab_tracker_news *news);

#endif
