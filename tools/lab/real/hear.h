/*
 * tools/lab/real/hear.h - what a node's program says of itself: the lines of `shoal --json`, and of our hooks in others.
 */
#ifndef LAB_HEAR_H
#define LAB_HEAR_H

#include <shoal/types.h>

#define LAB_HEAR_LINE_MAX (256u << 10) /* bytes of a line; a longer one is passed over */
#define LAB_HEAR_WHAT_MAX 200

enum lab_heard_kind {
	LAB_HEARD_NOTHING,  /* what does not concern us */
	LAB_HEARD_NOISE,    /* no JSON object: whoever wrote it will want to know */
	LAB_HEARD_PROGRESS, /* done, total */
	LAB_HEARD_COMPLETE,
	LAB_HEARD_BANNED,  /* address */
	LAB_HEARD_FIGURES, /* wasted: of `complete`, and of the `summary` at its end */
	LAB_HEARD_ERROR,   /* what */
};
struct lab_heard {
	enum lab_heard_kind kind;
	uint64_t done, total, wasted;
	uint32_t address; /* IPv4, host order; 0: none */
	char what[LAB_HEAR_WHAT_MAX];
};

/* `line` without its end. */
void lab_hear(struct shoal_bytes line, struct lab_heard *out);

#endif
