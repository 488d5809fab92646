/*
 * swarm/peers/reputation.h - what we have seen of one peer, and what may be concluded.
 *
 * Only what this node observed itself counts. Kept apart are integrity (are
 * its blocks right?), reliability (does it answer?) and claims (does it have
 * what it says?); each is a Beta distribution whose evidence fades with time,
 * and decisions go by its lower confidence bound, so that one who was seen once
 * and one who was seen a thousand times do not look alike. Claims are noted and
 * shown; no decision was the better for them.
 *
 * Blame is exact when a hash says which block was false; else it is a weight
 * among those who may have sent it (shoal_rep_share()). Weights steer;
 * exact blame alone bans. Whether it does is a CUSUM test between an honest
 * peer with bad memory (one false block in 10,000) and a polluter: what was
 * good before buys one false block more and not two, and one flipped bit is forgiven.
 *
 * Pure: no clock, no heap, no libm. Times are seconds (of any origin, the same for all calls), evidence is blocks of
 * 16 KiB. The figures are those of the tests.
 */
#ifndef SHOAL_REPUTATION_H
#define SHOAL_REPUTATION_H

#include <shoal/types.h>
#include "proto/base/rng.h"

#define SHOAL_REP_STRENGTH 4.0	 /* blocks a prior is worth */
#define SHOAL_REP_FALSE 4.0	 /* blocks a false one weighs */
#define SHOAL_REP_CAP 256.0	 /* blocks all evidence of integrity is worth at most */
#define SHOAL_REP_CUSUM_MAX 16.0 /* far above any ban */
#define SHOAL_REP_OK 0.90	 /* lower bound of integrity of one in good standing */
#define SHOAL_REP_TRUSTED 0.97	 /* and of one to be trusted with what is rare */
#define SHOAL_REP_TRUSTED_BLOCKS 64
#define SHOAL_REP_HEARSAY 4.0	    /* what others saw weighs so many times less */
#define SHOAL_REP_HEARSAY_GOOD 16.0 /* blocks, and no more */
#define SHOAL_REP_HEARSAY_BAD 4.0
#define SHOAL_REP_WASTE 4.0 /* blocks we are willing to lose to one peer before we know better */
#define SHOAL_REP_PAROLE_WINDOW 16
#define SHOAL_REP_REASONS 8
#define SHOAL_REP_CUSUM_BAN 1.9 /* two false blocks in short order, or three in a little more */
/* From so many right blocks on it takes one more: two within a hundred come of bad memory by chance, in one swarm of 40 in 14. */
#define SHOAL_REP_PROVEN 32u
/* What the same false block weighs when it comes once more: a bit that is flipped on somebody's disk stays flipped, and says
 * nothing new of its owner. But who goes on with it is banned in the end, for it costs us the line. */
#define SHOAL_REP_AGAIN 0.25
#define SHOAL_REP_BAN_S 3600u /* the first time; four times as long each time in a month */
#define SHOAL_REP_BAN_MAX_S (30u * 86400)
#define SHOAL_REP_MONTH_S (30u * 86400)

enum shoal_rep_state {
	SHOAL_REP_NEW, /* nothing is known but what strangers here are like */
	SHOAL_REP_GOOD,
	SHOAL_REP_TRUST,
	SHOAL_REP_PAROLE, /* it has sent a false block, and not enough good ones since */
	SHOAL_REP_BANNED,
};
enum shoal_rep_why {
	SHOAL_REP_WHY_NONE,
	SHOAL_REP_WHY_MET,	  /* first contact; `value`: the share of false blocks strangers are expected to send */
	SHOAL_REP_WHY_FALSE_LEAF, /* its block is not the one in the torrent (BEP 52) */
	SHOAL_REP_WHY_FALSE_DIFF, /* its block differs from the one that came good */
	SHOAL_REP_WHY_TWO_FACED,  /* it sent two different blocks for one place */
	SHOAL_REP_WHY_SOLE,	  /* it sent all of a piece that is false */
	SHOAL_REP_WHY_SUSPECT,	  /* it had a part in a false piece; `value`: its share of the blame */
	SHOAL_REP_WHY_CLEARED,	  /* and was not the one */
	SHOAL_REP_WHY_OWN_FAULT,  /* our own memory or disk was; nothing is held against anybody */
	SHOAL_REP_WHY_HASHES,	  /* hashes it sent do not fit the torrent */
	SHOAL_REP_WHY_STATE,	  /* `value`: the state before */
	SHOAL_REP_WHY_TOLD,	  /* others saw it, and the user imported that; `value`: blocks in its favour */
};

enum shoal_regard {
	SHOAL_REGARD_GOOD, /* in good standing, with 64 right blocks from it, and it mostly answers */
	SHOAL_REGARD_NONE, /* nothing is known that matters */
	SHOAL_REGARD_BAD,  /* on parole, banned, or it hardly ever answers */
};

struct shoal_rep_reason {
	uint32_t at_s, piece;
	float value;
	uint16_t block;
	uint8_t why, state; /* enum shoal_rep_why; the state after it */
};
struct shoal_rep {
	float right, wrong;	    /* integrity, the prior included */
	float kept, missed;	    /* reliability: asks answered in time, and not */
	float true_claim, no_claim; /* claims: pieces it said it has and gave, and did not */
	float cusum;
	float expect_wrong;	       /* the prior: what strangers were like when we met */
	uint32_t faded_s;	       /* up to when its evidence has faded */
	uint32_t blocks, false_blocks; /* verified; exactly blamed: ever */
	uint32_t banned_until_s, banned_at_s;
	uint8_t state, bans; /* enum shoal_rep_state; in the last month */
	uint8_t reasons;     /* ever, modulo 256: the newest is reason[(reasons - 1) % SHOAL_REP_REASONS] */
	bool judged;	     /* it has told us something about strangers */
	struct shoal_rep_reason reason[SHOAL_REP_REASONS];
};

/*
 * The CUSUM is kept in units of what one false block adds to it: ln(p / 1e-4), where p is the polluter to be caught, 0.02,
 * or in v1 (`blocks` of a piece) one false block a piece if that is less. This many good blocks take one away
 * again: 264 in v2 (`blocks` 0), 963 in v1 with 256 blocks to a piece. From 1 on there is parole, from 1.9 on (2.9 with
 * SHOAL_REP_PROVEN right blocks) a ban.
 */
double shoal_rep_memory(uint32_t blocks);
/* From where on one that has given so many right blocks is banned. */
double shoal_rep_ban_from(uint64_t right);

/* A stranger of whom `expect_wrong` of its blocks are expected to be false (0.002 to 0.9: it is clamped). */
void shoal_rep_init(struct shoal_rep *r, double expect_wrong, uint32_t now_s);
/* Strangers turn out otherwise than they were when it was met, and it has shown nothing yet: what to expect of it now. */
void shoal_rep_expect(struct shoal_rep *r, double expect_wrong);
/* Lets evidence fade up to now: half of what is bad in 7 days, of what is good in 30, of reliability in one. Ends a ban
 * that is over. */
void shoal_rep_fade(struct shoal_rep *r, uint32_t now_s);

/* Whether that very block was called false lately, by a hash of its own: then the same once more says little that is new,
 * and another block is the one to ask for. */
bool shoal_rep_sent_false(const struct shoal_rep *r, uint32_t piece, uint32_t block);

/* Each returns true when the state has changed. */
bool shoal_rep_verified(struct shoal_rep *r, double memory, uint32_t blocks, uint32_t now_s);
/* Exact blame. */
bool shoal_rep_false(struct shoal_rep *r, enum shoal_rep_why why, uint32_t piece, uint32_t block, uint32_t now_s);
/* A share of the blame for a piece; it may be taken back. */
bool shoal_rep_suspect(struct shoal_rep *r, double share, uint32_t piece, uint32_t now_s);
bool shoal_rep_cleared(struct shoal_rep *r, double share, uint32_t piece, uint32_t now_s);
void shoal_rep_note(struct shoal_rep *r, enum shoal_rep_why why, uint32_t piece, uint32_t block, double value,
		    uint32_t now_s);
void shoal_rep_answered(struct shoal_rep *r, uint32_t blocks);
void shoal_rep_missed(struct shoal_rep *r, double weight);
void shoal_rep_claimed(struct shoal_rep *r, bool gave);
/* What is known of `from`, the same peer, is added to `to`. */
void shoal_rep_merge(struct shoal_rep *to, const struct shoal_rep *from, uint32_t now_s);
/* `from` is of the same peer, by somebody who saw part of what we saw (another process over the same state): the larger of
 * each counts, so that nothing counts twice; what is bad only when it knows of more that is false. */
void shoal_rep_heed(struct shoal_rep *to, const struct shoal_rep *from, uint32_t now_s);
/*
 * What somebody else says he saw, whom the user believes: blocks for and against, a quarter of them and few at most. It
 * makes nobody trusted and bans nobody, but where the user wants it so: until `banned_until_s` (0: not), an hour at most.
 */
void shoal_rep_hearsay(struct shoal_rep *r, double good, double bad, uint32_t banned_until_s, uint32_t now_s);

/* ---- conclusions --------------------------------------------------------------------------- */

double shoal_rep_mean(float good, float bad);
/* m - 1.645 sqrt(m (1 - m) / (good + bad + 1)) */
double shoal_rep_bound(float good, float bad);
static inline double shoal_rep_integrity(const struct shoal_rep *r)
{
	return shoal_rep_bound(r->right, r->wrong);
}
/* Blocks that may be under way at it, for all its integrity is worth: 400 at 0.99, 79 at 0.95, 8 at 0.5. */
uint32_t shoal_rep_window(const struct shoal_rep *r);
/* The posterior that each of `n` peers sent at least one false block of a piece that is false: peer i sent blocks[i],
 * of which expect[i] are expected to be. */
void shoal_rep_share(const double expect[], const uint32_t blocks[], double share[], size_t n);
/* A draw from Beta(a, b), a, b >= 1, by the normal with its mean and deviation, kept within [0, 1]. */
double shoal_rep_draw(double a, double b, struct shoal_rng *rng);
/* For whom to connect to, and who stays where places are short: a preference and never a bar. `r`: may be NULL. */
enum shoal_regard shoal_rep_regard(const struct shoal_rep *r);
const char *shoal_rep_state_name(enum shoal_rep_state state);

#endif
