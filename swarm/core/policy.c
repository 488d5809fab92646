/* swarm/core/policy.c - our own way, and what others share with it. */
#include "swarm/core/policy.h"

#include "swarm/core/node_room.h"
#include "swarm/core/vet.h"

#define SLOW_ALONE SHOAL_S(30)	 /* of a piece that failed before */
#define TRUST_WAIT SHOAL_S(10)	 /* a suspect idles for so long, when somebody better may come to serve us */
#define DEPTH_UNTRIED 4u	 /* blocks asked of one that has given none yet */
#define UNPROVEN_TIME SHOAL_S(5) /* for the first block of a peer, while others deliver */

const struct shoal_policy *shoal_policy_of(enum shoal_rules rules)
{
	switch (rules) {
	case SHOAL_RULES_FULL: return &shoal_policy_full;
	case SHOAL_RULES_OFF: return &shoal_policy_off;
	case SHOAL_RULES_LT: return &shoal_policy_lt;
	}
	return NULL;
}

/* ---- shared ------------------------------------------------------------------------------- */

bool shoal_policy_owner_slow(const struct shoal_peer *p, const struct shoal_open *open, shoal_us most, shoal_us now)
{
	uint64_t rate = 0;
	struct shoal_peer *q = p->swarm->peers;
	while (q != NULL && q->serial != open->owner)
		q = q->in_swarm;
	if (q != NULL && !q->choking_us && !q->snubbed)
		rate = shoal_rate_now(&q->flow.down, now);
	else if (q == NULL && !shoal_webseeds_owner(p->swarm, open->owner, &rate, now))
		return true;
	return rate == 0 || (uint64_t)open->unasked * SHOAL_BLOCK * 1000000 / rate > most;
}

uint32_t shoal_policy_flow_depth(struct shoal_peer *p, shoal_us now)
{
	return p->snubbed ? 1 : shoal_flow_depth(&p->flow, p->reqq, now);
}

/* A stranger may have to spin up a disk. But where others deliver, those who only promise must not hold up the rest. */
shoal_us shoal_policy_flow_patience(const struct shoal_peer *p, shoal_us since, shoal_us now)
{
	shoal_us patience = shoal_flow_patience(&p->flow);
	if (p->flow.last_block != 0 || since + UNPROVEN_TIME > now)
		return patience;
	for (const struct shoal_peer *q = p->swarm->peers; q != NULL; q = q->in_swarm)
		if (q->flow.last_block != 0 && !q->snubbed)
			return UNPROVEN_TIME;
	return patience;
}

/* ---- ours ----------------------------------------------------------------------------------- */

/* In no good standing: a newcomer where newcomers misbehave, or one that has sent a false block. */
static bool stranger(const struct shoal_peer *p)
{
	const struct shoal_rep *rep = shoal_peer_standing(p);
	return rep != NULL && (rep->state == SHOAL_REP_NEW || rep->state >= SHOAL_REP_PAROLE);
}

/* No more than bandwidth and delay ask for, nor than we would lose to it if it were what it may be. */
static uint32_t full_depth(struct shoal_peer *p, shoal_us now)
{
	uint32_t depth = shoal_policy_flow_depth(p, now);
	const struct shoal_rep *rep = shoal_node_uses(p->node, SHOAL_WITHOUT_WINDOW) ? shoal_peer_standing(p) : NULL;
	uint32_t worth = rep != NULL ? shoal_rep_window(rep) : UINT32_MAX;
	if (p->in_vain > 0)
		depth = 1;
	else if (p->flow.last_block == 0 && depth > DEPTH_UNTRIED)
		depth = DEPTH_UNTRIED;
	depth = shoal_vet_depth(p, depth, now);
	return depth < worth ? depth : worth;
}

/* Standing first, then failures it had a part in: who comes back under a new name has no failures, and is not the one to
 * trust for that. */
static bool less_suspect(const struct shoal_peer *q, const struct shoal_peer *p)
{
	bool strange = stranger(p);
	return stranger(q) == strange ? q->doubt < p->doubt : strange;
}

/* A piece that has failed is for those least suspected of it, as long as they may come to serve us. */
static bool trusted_with(const struct shoal_peer *p, const struct shoal_open *open, shoal_us now)
{
	if (open->attempts == 0 || open->opened + TRUST_WAIT <= now)
		return true;
	for (const struct shoal_peer *q = p->swarm->peers; q != NULL; q = q->in_swarm)
		if (!q->snubbed && shoal_bits_get(&q->have, open->piece) && less_suspect(q, p))
			return false;
	return p->doubt == 0 || !shoal_webseeds_less(p->swarm, open->piece, p->doubt);
}

/* The owner of a piece that failed before: it fills it alone, unless it does not get on. */
static bool alone_fails(const struct shoal_peer *p, const struct shoal_open *open, shoal_us now)
{
	/* It has no rate yet. (Nor has one that sends a block now and then: that shows in time.) */
	for (struct shoal_peer *q = p->swarm->peers; q != NULL && open->opened + SLOW_ALONE > now; q = q->in_swarm)
		if (q->serial == open->owner && !q->choking_us && !q->snubbed &&
		    shoal_rate_now(&q->flow.down, now) == 0)
			return false;
	return shoal_policy_owner_slow(p, open, SLOW_ALONE, now);
}

static enum shoal_hold full_hold(const struct shoal_peer *p, const struct shoal_open *open, bool help, shoal_us now)
{
	if (!trusted_with(p, open, now))
		return SHOAL_HOLD_DOUBT;
	if (open->owner == 0 || open->owner == p->serial)
		return SHOAL_HOLD_NONE;
	/* One of the peers that filled this piece lied, and BEP 3 cannot say which. Until one of them is cleared, each
	 * fills it alone, so that the next bad one has a name. */
	if (open->attempts > 0 && !open->repaired)
		return alone_fails(p, open, now) ? SHOAL_HOLD_NONE : SHOAL_HOLD_ALONE;
	bool joins = help || shoal_policy_owner_slow(p, open, SHOAL_POLICY_SLOW_PIECE, now);
	return joins ? SHOAL_HOLD_NONE : SHOAL_HOLD_OWNED;
}

static bool full_may_join(const struct shoal_peer *p, const struct shoal_open *open, bool help, shoal_us now)
{
	return full_hold(p, open, help, now) == SHOAL_HOLD_NONE;
}

/* What it still owes would take too long, of a piece that has taken too long. */
static bool creeps(struct shoal_peer *asker, const struct shoal_open *open, shoal_us now)
{
	uint64_t rate = shoal_rate_now(&asker->flow.down, now);
	return open->opened + SLOW_ALONE <= now &&
	       (rate == 0 || (uint64_t)asker->ask_count * SHOAL_BLOCK * 1000000 / rate > SLOW_ALONE);
}

/* A piece that is being filled by one alone, to see whether that one lies, stays its, as long as it gets on. */
static bool full_may_double(const struct shoal_peer *p, const struct shoal_open *open, struct shoal_peer *asker,
			    shoal_us now)
{
	return open->attempts == 0 || open->repaired ||
	       ((asker->snubbed || asker->choking_us || creeps(asker, open, now)) && trusted_with(p, open, now));
}

static enum shoal_pick_order full_order(const struct shoal_peer *p)
{
	(void)p;
	return SHOAL_PICK_RAREST;
}

const struct shoal_policy shoal_policy_full = {
	.name = "full",
	.super_seeds = true,
	.scores = true,
	.names_liars = true,
	.choke_round = SHOAL_CHOKER_ROUND,
	.depth = full_depth,
	.patience = shoal_policy_flow_patience,
	.may_join = full_may_join,
	.hold = full_hold,
	.may_double = full_may_double,
	.order = full_order,
	.choke = shoal_choker_round,
};
