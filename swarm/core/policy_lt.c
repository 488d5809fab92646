/* swarm/core/policy_lt.c - libtorrent's rules (069017e), as far as they are policy; see policy.h. */
#include <stdlib.h>
#include "swarm/core/node_room.h"

#define TRUST_MIN (-7)
#define TRUST_MAX 8
#define QUEUE_TIME SHOAL_S(3)
#define QUEUE_MIN 2u
#define QUEUE_MAX 500u
#define SLOW_START_GAIN 5000u	      /* bytes a second more each second, or slow start is over */
#define WHOLE_PIECES_TIME SHOAL_S(20) /* who does a piece in that time does it alone */
#define RUN_BYTES (8u << 20)
#define CHOKE_ROUND SHOAL_S(15)
#define OPTIMISTIC_ROUND SHOAL_S(30)
#define OPTIMISTIC_SHARE 5u
#define TURN SHOAL_S(60)

/* ---- asking ---------------------------------------------------------------------------------- */

static uint32_t lt_depth(struct shoal_peer *p, shoal_us now)
{
	struct shoal_lt *lt = &p->lt;
	uint64_t rate = shoal_rate_now(&p->flow.down, now);
	if (p->snubbed)
		return 1;
	if (lt->rate_at == 0) {
		*lt = (struct shoal_lt){
			.trust = lt->trust, .parole = lt->parole, .fast_start = true, .depth = QUEUE_MIN, .rate_at = now
		};
	} else if (lt->rate_at + SHOAL_S(1) <= now) {
		/* As there: the queue has to have been used for the gain to mean anything. */
		if (p->flow.last_block != 0 && rate < lt->rate + SLOW_START_GAIN)
			lt->fast_start = false;
		lt->rate = rate;
		lt->rate_at = now;
	}
	uint64_t depth = lt->fast_start ? lt->depth : rate * QUEUE_TIME / SHOAL_S(1) / SHOAL_BLOCK;
	depth = shoal_max_u64(QUEUE_MIN, shoal_min_u64(depth, QUEUE_MAX));
	return (uint32_t)shoal_min_u64(depth, p->reqq != 0 ? p->reqq : SHOAL_FLOW_PEER_MAX);
}

static void lt_landed(struct shoal_peer *p, shoal_us asked, shoal_us now)
{
	struct shoal_lt *lt = &p->lt;
	shoal_us took = now - shoal_max_u64(asked, lt->last);
	shoal_us off = took > lt->mean ? took - lt->mean : lt->mean - took;
	if (lt->fast_start && lt->depth < QUEUE_MAX)
		lt->depth++;
	if (lt->last == 0) {
		lt->mean = took;
	} else {
		lt->mean = took > lt->mean ? lt->mean + off / 8 : lt->mean - off / 8;
		lt->deviation = off > lt->deviation ? lt->deviation + (off - lt->deviation) / 8
						    : lt->deviation - (lt->deviation - off) / 8;
	}
	lt->last = now;
}

static shoal_us lt_patience(const struct shoal_peer *p, shoal_us since, shoal_us now)
{
	(void)since;
	(void)now;
	if (p->lt.last == 0)
		return SHOAL_S(60);
	return shoal_max_u64(SHOAL_S(2), shoal_min_u64(p->lt.mean + 4 * p->lt.deviation, SHOAL_S(60)));
}

static bool all_its_own(const struct shoal_peer *p, const struct shoal_open *open)
{
	for (uint32_t i = 0; i < open->blocks; i++)
		if (open->asked[i] == SHOAL_BLOCK_LANDED && open->source[i] != p->source)
			return false;
	return open->owner == p->serial || open->here == 0;
}

static bool lt_may_join(const struct shoal_peer *p, const struct shoal_open *open, bool help, shoal_us now)
{
	struct shoal_rate down = p->flow.down; /* a copy: nothing about it changes here */
	uint64_t rate = shoal_rate_now(&down, now);
	if (p->lt.parole)
		return all_its_own(p, open);
	if (open->owner == 0 || open->owner == p->serial || help)
		return true;
	return (uint64_t)open->bytes * 1000000 > rate * WHOLE_PIECES_TIME;
}

static enum shoal_pick_order lt_order(const struct shoal_peer *p)
{
	return p->snubbed ? SHOAL_PICK_COMMON : SHOAL_PICK_RAREST;
}

static bool may_begin(const struct shoal_peer *p, uint32_t piece)
{
	return shoal_picker_is_untouched(p->swarm->picker, piece) && shoal_bits_get(&p->have, piece);
}

/* As many pieces as it brings in 20 s (8 MiB at most) are chosen at once: the rarest, and those that lie around it,
 * whatever their rarity; by the time the last of them is asked for, others have it. */
static uint32_t lt_beside(struct shoal_peer *p, uint32_t found, shoal_us now)
{
	struct shoal_lt *lt = &p->lt;
	uint32_t pieces = p->have.count;
	if (p->choking_us || p->snubbed)
		lt->run = lt->run_end = 0;
	while (found == SHOAL_PIECE_NONE && lt->run < lt->run_end)
		if (may_begin(p, lt->run++))
			return lt->run - 1;
	if (found == SHOAL_PIECE_NONE)
		return SHOAL_PIECE_NONE;
	uint64_t most = shoal_min_u64(shoal_rate_now(&p->flow.down, now) * WHOLE_PIECES_TIME / SHOAL_S(1), RUN_BYTES);
	uint32_t n = (uint32_t)(most / shoal_metainfo_piece_size(p->swarm->mi));
	uint32_t first = found;
	while (first > 0 && found - first + 1 < n && may_begin(p, first - 1))
		first--;
	lt->run = first + 1;
	lt->run_end = found + 1;
	while (lt->run_end < pieces && lt->run_end - first < n && may_begin(p, lt->run_end))
		lt->run_end++;
	return first;
}

/* ---- trust ------------------------------------------------------------------------------------- */

static void lt_passed(struct shoal_swarm *s, const struct shoal_open *open, shoal_us now)
{
	(void)now;
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm) {
		if (!shoal_open_has_source(open, p->source))
			continue;
		p->lt.trust += p->lt.trust < TRUST_MAX;
		p->lt.parole = false;
	}
}

static void lt_failed(struct shoal_swarm *s, const struct shoal_open *open, shoal_us now)
{
	if (open->hash.has_v2 && open->blocks > 1)
		return; /* its leaf hashes are asked for, and name who it was */
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		if (!shoal_open_has_source(open, p->source))
			continue;
		p->lt.trust = (int8_t)(p->lt.trust - 2 < TRUST_MIN ? TRUST_MIN : p->lt.trust - 2);
		p->lt.parole = true;
		if (p->lt.trust == TRUST_MIN)
			shoal_swarm_ban(s, p->source, open->piece, "too many pieces it had a part in were false", now);
	}
}

/* ---- who is served ------------------------------------------------------------------------------- */

struct candidate {
	struct shoal_choker_view *view;
	bool spent; /* it has had its turn */
};

static int first_served(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;
	const struct shoal_choker_view *u = a->view, *v = b->view;
	if (u->got_round != v->got_round)
		return u->got_round > v->got_round ? -1 : 1;
	if (a->spent != b->spent)
		return a->spent ? 1 : -1;
	uint64_t gave_u = u->unchoked ? u->gave_round : 0, gave_v = v->unchoked ? v->gave_round : 0;
	if (gave_u != gave_v)
		return gave_u > gave_v ? -1 : 1;
	if (u->unchoked_at != v->unchoked_at) /* whoever has waited longest */
		return u->unchoked_at < v->unchoked_at ? -1 : 1;
	return u->peer < v->peer ? -1 : u->peer > v->peer;
}

static struct shoal_choker_view *longest_untried(struct candidate all[], size_t count, const bool served[])
{
	struct shoal_choker_view *found = NULL;
	for (size_t i = 0; i < count; i++)
		if (!served[i] && (found == NULL || all[i].view->tried_at < found->tried_at))
			found = all[i].view;
	return found;
}

/* Slots that are free are filled at once; who has one keeps it until the round. */
static void fill_free(struct shoal_choker_view views[], size_t n, unsigned slots)
{
	unsigned used = 0;
	for (size_t i = 0; i < n; i++) {
		views[i].unchoked = views[i].unchoked && views[i].interested && !views[i].seed;
		views[i].optimistic = views[i].optimistic && views[i].unchoked;
		used += views[i].unchoked;
	}
	for (size_t i = 0; i < n && used < slots; i++) {
		if (views[i].unchoked || !views[i].interested || views[i].seed)
			continue;
		views[i].unchoked = true;
		used++;
	}
}

void shoal_lt_choke(struct shoal_choker *c, struct shoal_choker_view views[], size_t n,
		    const struct shoal_choke_terms *terms, struct shoal_rng *rng, shoal_us now)
{
	(void)rng;
	if (!terms->round)
		return fill_free(views, n, terms->slots);
	struct candidate *all = calloc(n ? n : 1, sizeof *all);
	bool *served = calloc(n ? n : 1, sizeof *served);
	if (all == NULL || served == NULL) {
		free(all);
		free(served);
		return;
	}
	size_t count = 0;
	unsigned tries = terms->slots / OPTIMISTIC_SHARE > 0 ? terms->slots / OPTIMISTIC_SHARE : 1;
	unsigned regular = terms->slots > tries ? terms->slots - tries : 0;
	for (size_t i = 0; i < n; i++) {
		struct shoal_choker_view *v = &views[i];
		if (v->interested && !v->seed && !v->snubbed)
			all[count++] = (struct candidate){ v, v->unchoked && v->gave_turn > terms->turn_bytes &&
								      v->unchoked_at + TURN <= now };
		else
			v->unchoked = v->optimistic = false;
	}
	qsort(all, count, sizeof *all, first_served);
	bool move = c->optimistic_at + OPTIMISTIC_ROUND <= now;
	for (size_t i = 0; i < count; i++)
		served[i] = i < regular;
	unsigned kept = 0;
	for (size_t i = regular; i < count && !move; i++)
		if (all[i].view->optimistic && kept < tries)
			served[i] = ++kept;
	for (size_t i = 0; i < count; i++)
		all[i].view->optimistic = !move && all[i].view->optimistic && served[i] && i >= regular;
	if (move)
		c->optimistic_at = now;
	for (struct shoal_choker_view *v; kept < tries && (v = longest_untried(all, count, served)) != NULL; kept++) {
		v->optimistic = true;
		v->tried_at = now;
		for (size_t i = 0; i < count; i++)
			served[i] = served[i] || all[i].view == v;
	}
	for (size_t i = 0; i < count; i++)
		all[i].view->unchoked = served[i];
	free(all);
	free(served);
}

const struct shoal_policy shoal_policy_lt = {
	.name = "lt",
	.names_liars = true,
	.strict_double = true,
	.keeps_rounds = true,
	.choke_round = CHOKE_ROUND,
	.depth = lt_depth,
	.patience = lt_patience,
	.may_join = lt_may_join,
	.order = lt_order,
	.beside = lt_beside,
	.landed = lt_landed,
	.passed = lt_passed,
	.failed = lt_failed,
	.choke = shoal_lt_choke,
};
