/*
 * swarm/peers/repute.h - the records of all peers a node has met, and what strangers are like at the time.
 *
 * A record (reputation.h) is kept under the address a peer
 * listens at; until it has said where that is, under the one it came from. One that
 * has proven a key (swarm/core/identity.h) has a second one, under that.
 * Records outlive connections, as many as a share of the budget takes: of those
 * nobody is connected under, the one with the least evidence is forgotten first.
 *
 * Strangers are met with what is known of strangers: how many of those met in
 * the last hours turned out bad, here and in the newcomer's own host and
 * network, and how much of what such ones send is false. In a clean swarm that is
 * next to nothing, and newcomers are free; under attack they have less asked
 * of them until they have shown what they are. A host or network by itself
 * condemns nobody, and those of private ranges are not grouped at all.
 */
#ifndef SHOAL_REPUTE_H
#define SHOAL_REPUTE_H

#include <shoal/types.h>
#include "proto/base/rng.h"
#include "proto/base/slots.h"
#include "proto/siphash.h"
#include "swarm/peers/rep_record.h"
#include "swarm/peers/reputation.h"

#define SHOAL_REPUTE_MOST 65536u
#define SHOAL_REPUTE_LEAST 64u
#define SHOAL_REPUTE_SHARE 64u	   /* of the budget: one part in so many */
#define SHOAL_REPUTE_GROUPS 16384u /* hosts and networks */
#define SHOAL_REPUTE_JUDGED 64u	   /* good blocks after which a newcomer counts as one of the good */

struct shoal_repute_entry {
	struct shoal_rep rep;
	struct shoal_rep_name who;
	uint32_t uses;	 /* connections under it */
	uint32_t seen_s; /* last heard of */
	bool listens;	 /* at that address: it can be met there again */
	bool changed;	 /* since it was last recorded (swarm/core/recall.h) */
	bool saving;	 /* its commit is under way */
	uint8_t saved;	 /* its state as recorded */
};

/* How strangers turned out: those judged, and of those the bad. Halves in an hour. */
struct shoal_repute_crowd {
	float judged, bad;
	uint32_t faded_s;
};
struct shoal_repute_group;
struct shoal_repute {
	bool changed;			  /* some record is */
	bool grave;			  /* and some of them was banned since, or let out on parole */
	bool blind;			  /* strangers are met alike, whatever the last ones were */
	struct shoal_repute_entry **slot; /* open addressing */
	uint32_t room, count, most;
	struct shoal_repute_group *group;
	uint32_t group_room, groups;
	struct shoal_repute_crowd strangers;
	float bad_blocks, bad_false; /* of those judged bad: verified or false; false */
	struct shoal_budget *budget; /* charged; NULL: nothing is */
	struct shoal_sipkey key;
	struct shoal_rng rng;
};

void shoal_repute_init(struct shoal_repute *t, struct shoal_budget *budget, struct shoal_sipkey key,
		       struct shoal_rng rng);
void shoal_repute_fini(struct shoal_repute *t);
/* The record of `addr`, made when there is none, held until give(). NULL: no memory. */
struct shoal_repute_entry *shoal_repute_take(struct shoal_repute *t, const struct shoal_addr *addr, uint32_t now_s);
void shoal_repute_give(struct shoal_repute *t, struct shoal_repute_entry *e);
/* The record of `key`, which was met at `addr`; as take(). */
struct shoal_repute_entry *shoal_repute_take_key(struct shoal_repute *t, const uint8_t key[SHOAL_KEY_BYTES],
						 const struct shoal_addr *addr, uint32_t now_s);
/* It listens at `addr`: `e`, held once, becomes part of what is known of that; the one to hold from now on. */
struct shoal_repute_entry *shoal_repute_listens(struct shoal_repute *t, struct shoal_repute_entry *e,
						const struct shoal_addr *addr, uint32_t now_s);
struct shoal_repute_entry *shoal_repute_find(const struct shoal_repute *t, const struct shoal_addr *addr);
struct shoal_repute_entry *shoal_repute_find_key(const struct shoal_repute *t, const uint8_t key[SHOAL_KEY_BYTES]);
/* What to expect of a stranger there: the share of its blocks that will be false. */
double shoal_repute_expect(struct shoal_repute *t, const struct shoal_addr *addr, uint32_t now_s);
/* Of whom nothing is known yet but what strangers were like when it was met: what they are like by now. */
void shoal_repute_again(struct shoal_repute *t, struct shoal_repute_entry *e, uint32_t now_s);
/* After new evidence: once, what it turned out to be counts for strangers to come. */
void shoal_repute_judge(struct shoal_repute *t, struct shoal_repute_entry *e, uint32_t now_s);
/* Something was noted in it: it is to be recorded. (judge() says so itself.) */
void shoal_repute_changed(struct shoal_repute *t, struct shoal_repute_entry *e, uint32_t now_s);
/* What was known of `who` in an earlier life. NULL: there is no room, or it is known already. */
struct shoal_repute_entry *shoal_repute_recall(struct shoal_repute *t, const struct shoal_rep_name *who,
					       const struct shoal_rep *rep, uint32_t seen_s);
/* All of them: from 0; `*at` moves on. NULL: no more. The table must not change meanwhile. */
struct shoal_repute_entry *shoal_repute_next(const struct shoal_repute *t, uint32_t *at);

#endif
