/* swarm/core/urgent.c - see urgent.h. */
#include "swarm/core/urgent.h"

#include "swarm/core/node_room.h"

#define STALL SHOAL_S(4)
#define SILENT SHOAL_MS(500) /* and three times what a block takes it: it stalls, most likely */
#define AHEAD SHOAL_MS(500)  /* twice its time and so much before it is due: it may begin a piece */
#define ASKERS_MAX 3u	     /* of one block */
#define FASTER_MAX 32u	     /* peers that are looked at, for thousands of pieces perhaps */

/* ---- when a peer would answer ------------------------------------------------------------ */

/* Nothing came for much longer than its blocks take. */
static shoal_us silence(const struct shoal_peer *q, shoal_us each, shoal_us now)
{
	if (q->ask_count == 0)
		return 0;
	shoal_us since = shoal_max_u64(shoal_peer_ask(q, 0)->at, q->flow.last_block);
	return since + 3 * each + shoal_flow_delay(&q->flow) + SILENT < now ? STALL : 0;
}

/* Ask number `i` of a peer is answered after `wait`, and `each` for it and for each before it. */
struct pace {
	shoal_us wait, each;
};

static struct pace pace_of(struct shoal_peer *q, shoal_us now)
{
	uint64_t rate = shoal_rate_now(&q->flow.down, now);
	if (q->snubbed || q->choking_us || rate < SHOAL_BLOCK / 4)
		return (struct pace){ .wait = STALL };
	shoal_us each = SHOAL_BLOCK * SHOAL_S(1) / rate;
	return (struct pace){ .wait = silence(q, each, now), .each = each };
}

static shoal_us left_of(struct pace pace, uint32_t i)
{
	return pace.wait + (i + 1) * pace.each;
}

shoal_us shoal_peer_time_left(struct shoal_peer *q, uint32_t i, shoal_us now)
{
	return left_of(pace_of(q, now), i);
}

shoal_us shoal_peer_own_time(struct shoal_peer *p, shoal_us now)
{
	uint64_t rate = shoal_flow_rate(&p->flow);
	if (rate == 0)
		rate = shoal_rate_now(&p->flow.down, now);
	if (p->snubbed || rate < SHOAL_BLOCK / 4)
		return STALL / 4;
	shoal_us each = SHOAL_BLOCK * SHOAL_S(1) / rate;
	return (p->ask_count + 1) * each + shoal_flow_delay(&p->flow) + silence(p, each, now);
}

/* ---- who is asked ---------------------------------------------------------------------------- */

/* Those who answer in half the time. The first that are found will do. */
struct faster {
	bool known;
	uint32_t count;
	const struct shoal_peer *peer[FASTER_MAX];
};

static void faster_find(struct faster *f, const struct shoal_peer *p, shoal_us own, shoal_us now)
{
	f->known = true;
	f->count = 0;
	for (struct shoal_peer *q = p->swarm->peers; q != NULL && f->count < FASTER_MAX; q = q->in_swarm)
		if (q != p && !q->choking_us && !q->snubbed && !q->closing && shoal_peer_own_time(q, now) < own / 2)
			f->peer[f->count++] = q;
}

static bool faster_has(const struct faster *f, uint32_t piece)
{
	uint32_t i = 0;
	while (i < f->count && !shoal_bits_get(&f->peer[i]->have, piece))
		i++;
	return i < f->count;
}

struct shoal_open *shoal_urgent_open(struct shoal_peer *p, bool help, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	shoal_us own = shoal_peer_own_time(p, now);
	uint32_t at = 0, piece;
	struct faster faster;
	faster.known = false;
	faster.count = 0;
	while ((piece = shoal_select_urgent(s, p, &at)) != SHOAL_PIECE_NONE) {
		struct shoal_open *open = shoal_landing_find(&s->landing, piece);
		shoal_us due = s->select.deadline[at - 1].at;
		if (open == NULL ? shoal_picker_is_taken(s->picker, piece)
				 : !shoal_peer_may_join(p, open, true, now) || shoal_open_unasked(open) == UINT32_MAX)
			continue;
		bool tight = !help && now + 2 * own + AHEAD > due;
		if (tight && !faster.known)
			faster_find(&faster, p, own, now);
		if (tight && faster_has(&faster, piece))
			continue;
		if (open == NULL)
			open = shoal_swarm_open_piece(s, piece, p->serial, now);
		if (open != NULL && shoal_open_unasked(open) != UINT32_MAX)
			return open;
	}
	return NULL;
}

/* Whether an answer that comes `left` from now is late for what is due `when`, and one that comes after `own` clearly sooner. */
static bool helps(shoal_us left, shoal_us own, shoal_us when, shoal_us now)
{
	return now + left + AHEAD > when && own <= left / 10 * 7;
}

bool shoal_urgent_twice(struct shoal_peer *p, struct shoal_open **piece, uint32_t *block, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	const struct shoal_policy *policy = p->node->policy;
	shoal_us own = shoal_peer_own_time(p, now), soonest = SHOAL_NEVER;
	if (s->hedges < SHOAL_SWARM_HEDGE_UNIT || s->select.deadlines == 0)
		return false;
	shoal_us first = s->select.deadline[0].at; /* nothing is due before */
	for (struct shoal_peer *q = s->peers; q != NULL; q = q->in_swarm) {
		if (q == p || q->ask_count == 0)
			continue;
		/* While all goes well not even its last answer is late: nothing is looked up for each request. */
		struct pace pace = pace_of(q, now);
		if (!helps(left_of(pace, q->ask_count - 1), own, first, now))
			continue;
		for (uint32_t i = 0; i < q->ask_count; i++) {
			const struct shoal_ask *a = shoal_peer_ask(q, i);
			shoal_us left = left_of(pace, i);
			if (!helps(left, own, first, now))
				continue;
			struct shoal_open *open = shoal_landing_find(&s->landing, a->piece);
			if (open == NULL || open->due >= soonest || !helps(left, own, open->due, now))
				continue;
			if (open->asked[a->block] >= ASKERS_MAX || !shoal_bits_get(&p->have, a->piece) ||
			    shoal_peer_ask_for(p, a->piece, a->block) != UINT32_MAX ||
			    (policy->may_double != NULL && !policy->may_double(p, open, q, now)))
				continue;
			soonest = open->due;
			*piece = open;
			*block = a->block;
		}
	}
	if (soonest == SHOAL_NEVER)
		return false;
	s->hedges -= SHOAL_SWARM_HEDGE_UNIT;
	return true;
}
