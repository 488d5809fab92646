/* swarm/core/policy_off.c - plain BitTorrent, as Cohen wrote it down: what all the rest is measured against. */
#include <stdlib.h>
#include "swarm/pieces/landing.h"
#include "swarm/core/peer.h"
#include "swarm/core/policy.h"

static bool off_may_join(const struct shoal_peer *p, const struct shoal_open *open, bool help, shoal_us now)
{
	return open->owner == 0 || open->owner == p->serial || help ||
	       shoal_policy_owner_slow(p, open, SHOAL_POLICY_SLOW_PIECE, now);
}

static enum shoal_pick_order off_order(const struct shoal_peer *p)
{
	(void)p;
	return SHOAL_PICK_RAREST;
}

/* ---- who is served: the fastest, and one by dice ------------------------------------------- */

static int gives_more(const void *x, const void *y)
{
	const struct shoal_choker_view *a = *(struct shoal_choker_view *const *)x;
	const struct shoal_choker_view *b = *(struct shoal_choker_view *const *)y;
	uint64_t got_a = a->snubbed ? 0 : a->got, got_b = b->snubbed ? 0 : b->got;
	if (got_a != got_b)
		return got_a > got_b ? -1 : 1;
	return a->peer < b->peer ? -1 : a->peer > b->peer;
}

static int takes_more(const void *x, const void *y)
{
	const struct shoal_choker_view *a = *(struct shoal_choker_view *const *)x;
	const struct shoal_choker_view *b = *(struct shoal_choker_view *const *)y;
	if (a->gave != b->gave)
		return a->gave > b->gave ? -1 : 1;
	return a->peer < b->peer ? -1 : a->peer > b->peer;
}

void shoal_off_choke(struct shoal_choker *c, struct shoal_choker_view views[], size_t n,
		     const struct shoal_choke_terms *terms, struct shoal_rng *rng, shoal_us now)
{
	struct shoal_choker_view **all = calloc(n ? n : 1, sizeof *all);
	struct shoal_choker_view *trial = NULL;
	size_t count = 0, given = 0;
	if (all == NULL)
		return; /* all stays as it is */
	for (size_t i = 0; i < n; i++) {
		if (views[i].unchoked && views[i].optimistic)
			trial = &views[i];
		views[i].unchoked = views[i].optimistic = false;
		if (views[i].interested && !views[i].seed)
			all[count++] = &views[i];
	}
	qsort(all, count, sizeof(struct shoal_choker_view *), terms->seeding ? takes_more : gives_more);
	for (; given < count && given < terms->slots; given++)
		all[given]->unchoked = true;
	bool stays = trial != NULL && trial->interested && !trial->seed && !trial->unchoked &&
		     now < c->optimistic_at + SHOAL_CHOKER_OPTIMISTIC;
	if (!stays && given < count) {
		trial = all[given + shoal_rng_below(rng, (uint32_t)(count - given))];
		c->optimistic_at = now;
		stays = true;
	}
	if (stays)
		trial->unchoked = trial->optimistic = true;
	free(all);
}

const struct shoal_policy shoal_policy_off = {
	.name = "off",
	.choke_round = SHOAL_CHOKER_ROUND,
	.depth = shoal_policy_flow_depth,
	.patience = shoal_policy_flow_patience,
	.may_join = off_may_join,
	.order = off_order,
	.choke = shoal_off_choke,
};
