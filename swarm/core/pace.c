/* swarm/core/pace.c - two limits on each way of a torrent, and turns for whoever they hold back. */
#include "swarm/core/pace.h"

#include "swarm/core/node_room.h"

/* Blocks dealt at a time: one, but where thousands a second go, more, for the sake of the processor. */
#define DEAL_RATE (16u << 20)
#define DEAL_MAX 16u

static struct shoal_limiter *of_node(struct shoal_node *n, enum shoal_way way)
{
	return way == SHOAL_UP ? &n->up : &n->down;
}

static struct shoal_limiter *of_swarm(struct shoal_swarm *s, enum shoal_way way)
{
	return way == SHOAL_UP ? &s->up_limit : &s->down_limit;
}

bool shoal_pace_limited(const struct shoal_swarm *s, enum shoal_way way)
{
	return way == SHOAL_UP ? s->node->up.rate != 0 || s->up_limit.rate != 0
			       : s->node->down.rate != 0 || s->down_limit.rate != 0;
}

bool shoal_pace_allows(struct shoal_swarm *s, enum shoal_way way, shoal_us now)
{
	if (shoal_limiter_allows(of_node(s->node, way), SHOAL_BLOCK, now) > 0 &&
	    shoal_limiter_allows(of_swarm(s, way), SHOAL_BLOCK, now) > 0)
		return true;
	s->held[way] = true;
	return false;
}

void shoal_pace_took(struct shoal_swarm *s, enum shoal_way way, uint64_t bytes)
{
	shoal_limiter_took(of_node(s->node, way), bytes);
	shoal_limiter_took(of_swarm(s, way), bytes);
}

void shoal_pace_spared(struct shoal_swarm *s, uint64_t bytes)
{
	shoal_limiter_back(&s->node->down, bytes);
	shoal_limiter_back(&s->down_limit, bytes);
}

/* ---- turns ------------------------------------------------------------------------------ */

static uint32_t blocks_a_turn(uint64_t rate)
{
	uint64_t blocks = 1 + rate / DEAL_RATE;
	return blocks < DEAL_MAX ? (uint32_t)blocks : DEAL_MAX;
}

static bool hungry(const struct shoal_peer *p, enum shoal_way way)
{
	if (p->closing)
		return false;
	if (way == SHOAL_UP)
		return p->wanted_count > 0 && shoal_pw_queued(p->pw) < SHOAL_PEER_OUT_LOW;
	return p->in_dirty && p->known;
}

static uint32_t take(struct shoal_peer *p, enum shoal_way way, uint32_t blocks, shoal_us now)
{
	if (way == SHOAL_DOWN)
		return shoal_peer_fill(p, blocks, now);
	uint32_t served = shoal_peer_serve(p, blocks, now);
	if (served > 0)
		shoal_peer_stir_out(p);
	return served;
}

/* The next peer of the torrent that takes something takes it; 0: nobody did. */
static uint32_t deal_one(struct shoal_swarm *s, enum shoal_way way, uint32_t blocks, shoal_us now)
{
	for (uint32_t i = s->peer_count; i > 0; i--) {
		struct shoal_peer *p = s->turn[way] != NULL ? s->turn[way] : s->peers;
		if (p == NULL)
			return 0; /* the last of them left meanwhile */
		s->turn[way] = p->in_swarm;
		if (!hungry(p, way))
			continue;
		if (!shoal_pace_allows(s, way, now)) {
			s->turn[way] = p; /* it is still its turn */
			return 0;
		}
		uint32_t took = take(p, way, blocks, now);
		if (took > 0)
			return took;
	}
	return 0;
}

/* The torrents a limit concerns, in a ring that starts one further each time. */
static struct shoal_swarm *concerned(struct shoal_node *n, enum shoal_way way)
{
	struct shoal_swarm *head = NULL, **tail = &head, *early = NULL, **early_tail = &early;
	for (struct shoal_swarm *s = n->awake; s != NULL; s = s->awake_next) {
		if (s->peer_count == 0 || !shoal_pace_limited(s, way))
			continue;
		s->pace_next = NULL;
		struct shoal_swarm ***at = s->handle > n->dealt[way] ? &tail : &early_tail;
		**at = s;
		*at = &s->pace_next;
	}
	*tail = early;
	return head;
}

static bool deal(struct shoal_node *n, enum shoal_way way, shoal_us now)
{
	struct shoal_swarm *left = concerned(n, way);
	bool any = false;
	while (left != NULL) {
		for (struct shoal_swarm **at = &left, *s; (s = *at) != NULL;) {
			uint64_t rate = shoal_max_u64(of_node(n, way)->rate, of_swarm(s, way)->rate);
			if (deal_one(s, way, blocks_a_turn(rate), now) > 0) {
				n->dealt[way] = s->handle;
				any = true;
				at = &s->pace_next;
			} else {
				*at = s->pace_next; /* it has had enough, or must wait */
			}
		}
	}
	return any;
}

bool shoal_pace_deal(struct shoal_node *n, shoal_us now)
{
	bool up = deal(n, SHOAL_UP, now);
	return deal(n, SHOAL_DOWN, now) || up;
}

bool shoal_pace_more(struct shoal_peer *p, shoal_us now)
{
	return hungry(p, SHOAL_UP) && shoal_pace_limited(p->swarm, SHOAL_UP) &&
	       shoal_pace_allows(p->swarm, SHOAL_UP, now);
}

shoal_us shoal_pace_ready(struct shoal_node *n, shoal_us now)
{
	shoal_us at = SHOAL_NEVER;
	for (struct shoal_swarm *s = n->awake; s != NULL; s = s->awake_next) {
		for (enum shoal_way way = SHOAL_UP; way <= SHOAL_DOWN; way++) {
			if (!s->held[way])
				continue;
			s->held[way] = false;
			shoal_us both = shoal_max_u64(shoal_limiter_ready(of_node(n, way), SHOAL_BLOCK, now),
						      shoal_limiter_ready(of_swarm(s, way), SHOAL_BLOCK, now));
			at = shoal_min_u64(at, both);
		}
	}
	return at;
}
