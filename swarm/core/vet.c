/* swarm/core/vet.c - whose blocks are looked at one by one, and what of them is false. */
#include "swarm/core/vet.h"

#include <string.h>
#include "swarm/core/evidence_room.h"
#include "swarm/core/node_room.h"

static bool newcomer(const struct shoal_rep *r)
{
	return r->state == SHOAL_REP_NEW || r->state == SHOAL_REP_PAROLE;
}

static bool watched(const struct shoal_peer *p)
{
	const struct shoal_rep *r = shoal_peer_standing(p);
	return r != NULL && (newcomer(r) || r->blocks < SHOAL_VET_BLOCKS);
}

/* In pure v2. A hybrid may contradict itself, which a whole piece alone can tell: by its leaves whoever sends what v1 names
 * would be a liar. */
static bool vets(const struct shoal_swarm *s)
{
	return s->has_v2 && !s->has_v1 && s->node->policy->names_liars &&
	       shoal_node_uses(s->node, SHOAL_WITHOUT_VETTING);
}

void shoal_vet_asked(struct shoal_peer *p, struct shoal_open *open, shoal_us now)
{
	/* A block alone is its file's root: its verdict comes as soon. */
	if (open->truth != NULL || open->blocks < 2 || open->leaves_tries >= SHOAL_VET_TRIES ||
	    open->leaves_until > now || !vets(p->swarm) || !watched(p))
		return;
	if (shoal_swarm_leaves_wanted(p->swarm, open->piece, open->leaves_tries == 0 ? p : NULL, now))
		open->leaves_until = now + SHOAL_VET_WAIT;
	open->leaves_tries++;
}

/* How many of `depth`, until a block of it is known to be right, or may be by now. */
static uint32_t few(const struct shoal_peer *p, uint32_t depth, shoal_us now)
{
	const struct shoal_open *open = NULL;
	bool gave = p->flow.last_block != 0;
	if (p->vetted || !watched(p))
		return depth;
	if (p->piece != SHOAL_PIECE_NONE)
		open = shoal_landing_find(&p->swarm->landing, p->piece);
	bool awaited = open != NULL && open->truth == NULL && open->leaves_until > now;
	if (open != NULL ? open->truth == NULL && !awaited : gave)
		return depth;
	if (!newcomer(shoal_peer_standing(p)))
		return SHOAL_VET_UNTRIED;
	return awaited && gave ? 0 : 1; /* what it gave will be looked at in a moment */
}

uint32_t shoal_vet_depth(const struct shoal_peer *p, uint32_t depth, shoal_us now)
{
	return vets(p->swarm) ? (uint32_t)shoal_min_u64(depth, few(p, depth, now)) : depth;
}

/* Hashed twice, if need be: our own memory may err, and that is nobody's fault. */
static bool right(const struct shoal_swarm *s, const struct shoal_open *open, uint32_t block,
		  const struct shoal_slot *slot)
{
	uint8_t digest[32];
	for (int i = 0; i < 2; i++) {
		shoal_evidence_digest(s, open->piece, block, slot, digest);
		if (memcmp(digest, open->truth[block], 32) == 0)
			return true;
	}
	return false;
}

bool shoal_vet_passes(struct shoal_peer *p, const struct shoal_open *open, uint32_t block,
		      const struct shoal_slot *slot)
{
	if (open->truth == NULL || !watched(p))
		return true;
	if (!right(p->swarm, open, block, slot))
		return false;
	p->vetted = true;
	return true;
}

void shoal_vet_leaves(struct shoal_swarm *s, struct shoal_open *open, const uint8_t (*leaf)[32], shoal_us now)
{
	if (open->truth != NULL || !shoal_open_know(&s->landing, open, leaf))
		return;
	s->dirty_fill = true; /* more may be asked for now */
	if (!open->whole || open->job_out || (open->state != SHOAL_OPEN_FETCHING && open->state != SHOAL_OPEN_READY))
		return; /* it has its verdict soon, and by these very leaves */
	for (uint32_t b = 0; b < open->blocks; b++) {
		uint32_t source = open->source[b];
		if (open->asked[b] != SHOAL_BLOCK_LANDED || source == SHOAL_SOURCE_HERE)
			continue;
		struct shoal_peer *p = shoal_evidence_peer(s, source);
		if (p != NULL && !watched(p))
			continue;
		if (right(s, open, b, open->slot[b])) {
			if (p != NULL)
				p->vetted = true;
			continue;
		}
		s->wasted += shoal_open_block_len(open, b);
		shoal_open_drop(&s->landing, open, b);
		shoal_evidence_false(s, source, open->piece, b, SHOAL_REP_WHY_FALSE_LEAF, now);
	}
}

void shoal_vet_lied(struct shoal_peer *p, shoal_us now)
{
	/* Others will give that block. Were it banned at once, it would be back at once, as somebody else. */
	if (p->repute != NULL && p->repute->rep.state == SHOAL_REP_NEW && p->repute->rep.blocks == 0)
		p->ask_after = shoal_max_u64(p->ask_after, now + SHOAL_VET_LIED);
}

void shoal_vet_refused(struct shoal_open *open)
{
	open->leaves_until = 0;
}
