/*
 * dht/lookup.h - one iterative search for the nodes closest to an id: whom to ask next, and when it is over.
 *
 * Sends nothing: the owner asks whom next() names and tells what became of
 * it. Up to SHOAL_LOOKUP_ALPHA questions are waited for; who is late for a
 * second is waited for no more (but heard when he answers), and the next
 * closest is asked in his place. It ends when the eight closest of those who
 * answer have answered.
 *
 * Against liars: ids that an address has not earned (BEP 42) do not count
 * among the eight, though eight of them are asked too; a host, and a /24, is
 * asked once; and who names nodes that turn out not to be there loses his
 * credit, so that the rest of what he named is asked last.
 */
#ifndef SHOAL_DHT_LOOKUP_H
#define SHOAL_DHT_LOOKUP_H

#include <shoal/types.h>
#include "dht/krpc.h"

#define SHOAL_LOOKUP_K 8u
#define SHOAL_LOOKUP_ALPHA 4u
#define SHOAL_LOOKUP_SEEN 64u	  /* candidates kept */
#define SHOAL_LOOKUP_QUERIES 100u /* questions in all */
#define SHOAL_LOOKUP_CREDIT 2u	  /* named nodes that may be dead before one's word counts less */
#define SHOAL_LOOKUP_REPLY 16u	  /* nodes taken from one answer */

enum shoal_seen_state {
	SHOAL_SEEN_NEW,
	SHOAL_SEEN_ASKED,
	SHOAL_SEEN_SLOW, /* asked, and no longer waited for */
	SHOAL_SEEN_ANSWERED,
	SHOAL_SEEN_DEAD,
};
struct shoal_lookup_seen {
	struct shoal_krpc_node node;
	uint8_t state; /* enum shoal_seen_state */
	bool fits;
	uint8_t from;	     /* the slot of who named it; its own: our table did */
	uint8_t depth;	     /* hops from our table */
	uint8_t alive, dead; /* of those it named */
	uint8_t token_len;
	uint8_t token[SHOAL_KRPC_TOKEN_MAX];
};
struct shoal_lookup {
	struct shoal_id20 target;
	struct shoal_lookup_seen seen[SHOAL_LOOKUP_SEEN]; /* slots stay where they are */
	uint8_t order[SHOAL_LOOKUP_SEEN];		  /* slots by distance */
	uint8_t count;
	uint8_t waiting; /* ASKED */
	uint16_t queries, answers;
	uint8_t hops;	    /* depth of the deepest that answered */
	bool nobody_proves; /* BEP 42 is not looked at (for comparison) */
};

void shoal_lookup_init(struct shoal_lookup *l, const struct shoal_id20 *target);
/* Somebody to ask perhaps: named by slot `from`, or (< 0) known to us. Its slot; < 0: not wanted. */
int shoal_lookup_add(struct shoal_lookup *l, const struct shoal_krpc_node *node, int from);
/* The slot that its host or network has already, by which what it names is judged; < 0: none. */
int shoal_lookup_slot_of(const struct shoal_lookup *l, const struct shoal_krpc_node *node);
/* The slot of who is to be asked now, who counts as asked from here on; < 0: nobody. */
int shoal_lookup_next(struct shoal_lookup *l);
/* It was asked, without next() naming it. */
void shoal_lookup_asked(struct shoal_lookup *l, unsigned slot);
void shoal_lookup_slow(struct shoal_lookup *l, unsigned slot);
void shoal_lookup_dead(struct shoal_lookup *l, unsigned slot);
/* It is about to be told of as one that answered: under another id than it was named by. */
void shoal_lookup_renamed(struct shoal_lookup *l, unsigned slot, const struct shoal_id20 *id);
/* It answered, perhaps with a token; what it named is add()ed after this. */
void shoal_lookup_answered(struct shoal_lookup *l, unsigned slot, struct shoal_bytes token);
bool shoal_lookup_done(const struct shoal_lookup *l);
/* How many of those who count among the eight have answered, and (`*late`) how many nearer than the last of these may yet. */
unsigned shoal_lookup_good(const struct shoal_lookup *l, unsigned *late);
/* Where to write: the closest that gave a token, those with an earned id first; up to `max`, and as many
 * others as are closer than the last of these. How many slots. */
size_t shoal_lookup_closest(const struct shoal_lookup *l, uint8_t slot[SHOAL_LOOKUP_SEEN], size_t max, bool tokens);

#endif
