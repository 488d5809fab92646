/*
 * swarm/peers/choker.h - who is served: tit for tat on verified bytes, one optimistic try, fair seeding.
 *
 * A pure decision over a table of views; the swarm calls it every ten
 * seconds (and when a served peer leaves or loses interest) and sends the
 * differences.
 *
 * Leeching: the regular slots go to those who give us most (verified bytes of the
 * last half a minute: credit.h), not snubbed, with an eighth in favour of who has
 * one already; a quarter of an equal share is the least that earns one. Slots that
 * nobody earns go round in turns. One more is a trial (BEP 3's optimistic unchoke):
 * it moves every 30 s, after 20 if the one on trial does not serve us by then, to
 * whoever draws the highest number, where each draws from
 * Beta(1 + what it gave us, 1 + what we gave it) (Thompson sampling; both in
 * units of a tenth of a second of our line). So who gave for what it got is tried
 * again, who never got anything has even odds, and who took and gave nothing hardly
 * any. Without records it goes by dice, three times as likely to one never served.
 * A trial takes no more of our line than others' slots do (shoal_choker_sated()).
 * Seeding: all slots, the one for trials too, go round in turns: whoever
 * has waited longest is next, the fastest among those of the same ten
 * seconds. A turn that is over ends only when somebody waits for it. Who was
 * seen to pass on little of what it got waits longer, for shorter turns, and of
 * those who pass on less than half one is served at a time while others want
 * something: so our line goes where it is multiplied.
 */
#ifndef SHOAL_CHOKER_H
#define SHOAL_CHOKER_H

#include <shoal/types.h>
#include "proto/base/rng.h"

#define SHOAL_CHOKER_ROUND SHOAL_S(10)
#define SHOAL_CHOKER_OPTIMISTIC SHOAL_S(30)
#define SHOAL_CHOKER_ANSWER SHOAL_S(20) /* of those, for one that does not serve us by then */
#define SHOAL_CHOKER_FREE 4u
#define SHOAL_CHOKER_SLOTS 8 /* regular ones, when no other number is set */
/* A turn: a served peer keeps its slot for this many bytes or this long, though never less than a round. */
#define SHOAL_CHOKER_QUOTA_PIECES 20
#define SHOAL_CHOKER_TURN SHOAL_S(60)
#define SHOAL_CHOKER_ONWARD 1024u

/* What a round is told of the swarm. */
struct shoal_choke_terms {
	unsigned slots;	     /* regular ones */
	bool seeding;	     /* we need nothing */
	bool round;	     /* its time has come; else somebody came or went */
	bool by_onward;	     /* turns go by what was passed on */
	bool by_record;	     /* trials go by what came of the earlier ones */
	uint64_t turn_bytes; /* > 0 */
	uint64_t unit;	     /* > 0; bytes in which trade is counted: by_record */
};
/* Why a peer is served, or is not. */
enum shoal_choke_why {
	SHOAL_CHOKE_UNTOLD, /* by a policy that does not say */
	SHOAL_CHOKE_ALL,    /* served: there is room for all who want something */
	SHOAL_CHOKE_EARNED, /* for what it gives us */
	SHOAL_CHOKE_TURN,   /* it is its turn */
	SHOAL_CHOKE_TRIAL,
	SHOAL_CHOKE_UNWANTED, /* not served: it wants nothing, or takes nothing of what it asked for */
	SHOAL_CHOKE_SEED,     /* it has everything */
	SHOAL_CHOKE_OUTBID,   /* others give us more */
	SHOAL_CHOKE_SNUBBED,  /* it owes us blocks for long */
	SHOAL_CHOKE_WAITS,    /* for its turn */
	SHOAL_CHOKE_OVER,     /* its turn is over, and somebody waited for it */
};
struct shoal_choker_view {
	uint32_t peer;	 /* the caller's serial: ties break by it */
	bool interested; /* it wants something of ours */
	bool snubbed;	 /* it owes us blocks for long */
	bool denies;	 /* it has something we want, and does not serve us */
	bool seed;	 /* it needs nothing */
	bool unchoked;	 /* in: served now; out: the decision */
	bool optimistic; /* in, out: served on trial */
	uint64_t got;	 /* verified bytes a second from it, of late */
	uint64_t gave;	 /* bytes a second to it */
	uint32_t
		onward; /* seeding: how much of what we gave it it passed on, of SHOAL_CHOKER_ONWARD; that is at first */
	uint64_t got_ever, gave_ever;	/* verified bytes from it, and bytes to it, in all its connections */
	uint64_t gave_turn;		/* bytes to it since it was last unchoked */
	uint64_t got_round, gave_round; /* bytes since the last round */
	shoal_us unchoked_at;		/* when that was; 0 never */
	shoal_us choked_at;		/* when its last turn ended; 0 never, or not known */
	shoal_us joined_at;
	shoal_us tried_at; /* in, out: when it was last served on trial; 0 never */
	uint32_t order;	   /* the choker's scratch */
	uint8_t verdict;   /* the same */
	uint8_t why;	   /* out: enum shoal_choke_why */
};
struct shoal_choker {
	shoal_us optimistic_at; /* when the optimistic slot last moved */
	/* Of the trial under way. */
	uint64_t trial_before;	/* what it had been given in this turn when it began */
	uint64_t regular_bytes; /* to those served otherwise, since then */
	uint64_t line_bytes;	/* to all */
	uint32_t regulars;	/* how many are served otherwise */
	bool trial_free;	/* it takes what it can */
	/* Bytes a second to all, in the last trial that was free and in the last that was not; trials so far. */
	uint64_t free_rate, held_rate;
	uint32_t trials;
};

/* `bytes` went to somebody; `regular`: to one of those who are served, and not on trial. Blocks of a fast set (BEP 6) take
 * of our line, but are no measure of what a slot gets. */
static inline void shoal_choker_gave(struct shoal_choker *c, bool regular, uint64_t bytes)
{
	c->line_bytes += bytes;
	c->regular_bytes += regular ? bytes : 0;
}
/*
 * Whether the one on trial, given `gave_turn` bytes since it was unchoked, has had as much of our line as the mean of those
 * who are served otherwise, and `ahead` bytes more: something to answer with. TCP would share by who asks for more, and that
 * is who gives nothing and so has nobody else to ask. One trial in SHOAL_CHOKER_FREE is not held to that, nor is any
 * while such a one has shown that our line can carry more than those others take.
 */
bool shoal_choker_sated(const struct shoal_choker *c, uint64_t gave_turn, uint64_t ahead);

/* Decides views[].unchoked and .optimistic for `n` peers. One optimistic slot comes on top of terms->slots. Seeding, turns
 * go round by quota instead of by what we get.
 * When every interested peer fits, all are served. */
void shoal_choker_round(struct shoal_choker *c, struct shoal_choker_view views[], size_t n,
			const struct shoal_choke_terms *terms, struct shoal_rng *rng, shoal_us now);

#endif
