/*
 * swarm/core/choker.h - who is served: tit for tat on verified bytes, one optimistic try, fair seeding.
 *
 * A pure decision over a table of views; the swarm calls it every ten
 * seconds (and when a served peer leaves or loses interest) and sends the
 * differences.
 *
 * Leeching: the regular slots go to those who give us most, not snubbed,
 * with an eighth in favour of who has one already. Slots that nobody earns
 * go round in turns. One more is a trial (BEP 3's optimistic unchoke): it
 * moves every 30 s, by dice, three times as likely to one never served.
 * Seeding: all slots, the one for trials too, go round in turns: whoever
 * has waited longest is next, the fastest among those of the same ten
 * seconds. A turn that is over ends only when somebody waits for it.
 */
#ifndef SHOAL_CHOKER_H
#define SHOAL_CHOKER_H

#include <shoal/types.h>
#include "proto/base/rng.h"

#define SHOAL_CHOKER_ROUND SHOAL_S(10)
#define SHOAL_CHOKER_OPTIMISTIC SHOAL_S(30)
#define SHOAL_CHOKER_SLOTS 8 /* regular ones, when no other number is set */
/* A turn: a served peer keeps its slot for this many bytes or this long, though never less than a round. */
#define SHOAL_CHOKER_QUOTA_PIECES 20
#define SHOAL_CHOKER_TURN SHOAL_S(60)

/* What a round is told of the swarm. */
struct shoal_choke_terms {
	unsigned slots; /* regular ones */
	bool seeding;	/* we need nothing */
	bool round;	/* its time has come; else somebody came or went */
	uint64_t turn_bytes;
};
struct shoal_choker_view {
	uint32_t peer;			/* the caller's serial: ties break by it */
	bool interested;		/* it wants something of ours */
	bool snubbed;			/* it owes us blocks for long */
	bool seed;			/* it needs nothing */
	bool unchoked;			/* in: served now; out: the decision */
	bool optimistic;		/* in, out: served on trial */
	uint64_t got;			/* verified bytes a second from it */
	uint64_t gave;			/* bytes a second to it */
	uint64_t gave_turn;		/* bytes to it since it was last unchoked */
	uint64_t got_round, gave_round; /* bytes since the last round */
	shoal_us unchoked_at;		/* when that was; 0 never */
	shoal_us choked_at;		/* when its last turn ended; 0 never, or not known */
	shoal_us joined_at;
	shoal_us tried_at; /* in, out: when it was last served on trial; 0 never */
	uint32_t order;	   /* the choker's scratch */
	uint8_t verdict;   /* the same */
};
struct shoal_choker {
	shoal_us optimistic_at; /* when the optimistic slot last moved */
};

/* Decides views[].unchoked and .optimistic for `n` peers. `slots`: regular slots; one optimistic comes on top of
 * them. `seeding`: we need nothing, so turns go round by quota instead of by what we get. `turn_bytes` > 0.
 * When every interested peer fits, all are served. */
void shoal_choker_round(struct shoal_choker *c, struct shoal_choker_view views[], size_t n, unsigned slots,
			bool seeding, uint64_t turn_bytes, struct shoal_rng *rng, shoal_us now);

#endif
