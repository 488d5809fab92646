/*
 * swarm/core/policy.h - the decisions in which ways of sharing differ, and nothing else.
 *
 * Internal to swarm/core. One core moves blocks, keeps claims and speaks the
 * wire; a policy says who is asked for what and how deep, how long one waits for an
 * answer, who is served, and what a failed piece means for those who sent it.
 *
 *   full  ours.
 *   off   plain BitTorrent (Cohen 2003): tit for tat on bytes as they come, a seed serves the fastest, rarest first,
 *         no score; a failed piece is fetched again, and only who sent all of one is sent away.
 *   lt    libtorrent's rules as of 069017e, without the overflow of its trust points: +1 for a good piece and -2 for
 *         a bad one to each who sent a part of it, a ban at -7 or on exact blame, parole, a choke round every 15 s in
 *         which a fifth of the slots are optimistic, seeding in turns of 20 pieces, a queue of 3 s, and of each peer
 *         as many neighbouring pieces at a time as it brings in 20 s.
 *
 * `off` and `lt` are there to be compared with, in one and the same engine
 * (tools/lab). What libtorrent does that is no decision of this kind (its
 * disk, its uTP, its choice of whom to connect to) they share with ours.
 */
#ifndef SHOAL_POLICY_H
#define SHOAL_POLICY_H

#include <shoal/engine.h>
#include "proto/base/rng.h"
#include "swarm/peers/choker.h"
#include "swarm/pieces/picker.h"

struct shoal_open;
struct shoal_peer;
struct shoal_swarm;

/* Somebody who owns a piece and needs longer for the rest of it gets help. */
#define SHOAL_POLICY_SLOW_PIECE SHOAL_S(5)

/* Why a peer may not take blocks of a piece under way. */
enum shoal_hold {
	SHOAL_HOLD_NONE,
	SHOAL_HOLD_DOUBT, /* the piece has failed, and others are less suspected of that */
	SHOAL_HOLD_ALONE, /* it has failed, and one fills it alone to see whether that one lies */
	SHOAL_HOLD_OWNED, /* one fills it, and is fast enough */
};

struct shoal_policy {
	const char *name;
	bool super_seeds;   /* the only full copy deals its pieces out (super.h) */
	bool scores;	    /* peers have records, and what is done follows them (evidence.h) */
	bool names_liars;   /* failed pieces' digests are kept, and leaf hashes asked for (swarm/peers/blame.h) */
	bool strict_double; /* the end game asks for a block twice only of one who has nothing else to do */
	bool keeps_rounds;  /* who comes and goes in between does not put off the next choke round */
	shoal_us choke_round;

	/* Blocks to keep asked of it. */
	uint32_t (*depth)(struct shoal_peer *p, shoal_us now);
	/* How long its next block may take, since it was asked for or the last one came, before it counts as stalling. */
	shoal_us (*patience)(const struct shoal_peer *p, shoal_us since, shoal_us now);
	/* Whether it may take blocks of a piece under way that has some for it. `help`: it has nothing else to do. */
	bool (*may_join)(const struct shoal_peer *p, const struct shoal_open *open, bool help, shoal_us now);
	/* The same, and why not: for who explains it. NULL: not told. */
	enum shoal_hold (*hold)(const struct shoal_peer *p, const struct shoal_open *open, bool help, shoal_us now);
	/* Whether it may be asked for a block that `asker` was asked for and that does not come. NULL: yes. */
	bool (*may_double)(const struct shoal_peer *p, const struct shoal_open *open, struct shoal_peer *asker,
			   shoal_us now);
	/* Which kind of piece it is to begin. */
	enum shoal_pick_order (*order)(const struct shoal_peer *p);
	/* A piece that it is to begin before any other: SHOAL_PIECE_NONE, or one that is untouched, and that it has. `found`
	 * is what order() led to; asked again with SHOAL_PIECE_NONE before that is looked for. NULL: none. */
	uint32_t (*beside)(struct shoal_peer *p, uint32_t found, shoal_us now);
	/* A block of it landed, asked for at `asked`; called before its flow hears of it. NULL: nothing. */
	void (*landed)(struct shoal_peer *p, shoal_us asked, shoal_us now);
	/* A piece came good, or, of several senders, did not (one who sent all of it needs no policy); its blocks still know
	 * who sent them. NULL: nothing. */
	void (*passed)(struct shoal_swarm *s, const struct shoal_open *open, shoal_us now);
	void (*failed)(struct shoal_swarm *s, const struct shoal_open *open, shoal_us now);
	/* Who is served from now on. */
	void (*choke)(struct shoal_choker *c, struct shoal_choker_view views[], size_t n,
		      const struct shoal_choke_terms *terms, struct shoal_rng *rng, shoal_us now);
};

extern const struct shoal_policy shoal_policy_full, shoal_policy_off, shoal_policy_lt;
/* NULL: no such. */
const struct shoal_policy *shoal_policy_of(enum shoal_rules rules);

/* What several of them share. */
/* The owner of the piece stalls, has left, or needs longer than `most` for what nobody was asked for yet. */
bool shoal_policy_owner_slow(const struct shoal_peer *p, const struct shoal_open *open, shoal_us most, shoal_us now);
/* Depth by bandwidth and delay (swarm/peers/flow.h), and patience by it. */
uint32_t shoal_policy_flow_depth(struct shoal_peer *p, shoal_us now);
shoal_us shoal_policy_flow_patience(const struct shoal_peer *p, shoal_us since, shoal_us now);

/* Of `lt`, for one peer. */
struct shoal_lt {
	int8_t trust; /* -7 .. 8 */
	bool parole, fast_start;
	uint32_t depth;
	shoal_us last, mean, deviation; /* between its blocks */
	shoal_us rate_at;
	uint64_t rate;
	uint32_t run, run_end; /* pieces it will be asked for next, chosen together: [run, run_end) */
};
void shoal_off_choke(struct shoal_choker *c, struct shoal_choker_view views[], size_t n,
		     const struct shoal_choke_terms *terms, struct shoal_rng *rng, shoal_us now);
void shoal_lt_choke(struct shoal_choker *c, struct shoal_choker_view views[], size_t n,
		    const struct shoal_choke_terms *terms, struct shoal_rng *rng, shoal_us now);

#endif
