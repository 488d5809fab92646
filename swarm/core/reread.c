/* swarm/core/reread.c - see reread.h. */
#include "swarm/core/reread.h"

#include "swarm/core/node_room.h"

void shoal_reread_later(struct shoal_swarm *s, uint32_t piece, shoal_us now)
{
	struct shoal_reread *r = &s->reread;
	if (r->piece.word == NULL) {
		size_t cost = shoal_bits_bytes(s->claimed.count);
		if (!shoal_node_charge(s->node, cost))
			return;
		if (shoal_bits_init(&r->piece, s->claimed.count) < 0) {
			shoal_budget_give(s->node->budget, cost);
			return;
		}
		r->wait = SHOAL_REREAD_FIRST;
	}
	if (r->piece.ones == 0)
		r->at = now + r->wait;
	shoal_bits_set(&r->piece, piece);
}

void shoal_reread_tick(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_reread *r = &s->reread;
	if (r->piece.ones == 0 || r->at > now || s->stopping)
		return;
	r->wait = shoal_min_u64(2 * r->wait, SHOAL_REREAD_MOST);
	r->at = now + r->wait;
	for (uint32_t p = shoal_bits_next(&r->piece, 0); p < r->piece.count; p = shoal_bits_next(&r->piece, p + 1)) {
		bool free = shoal_picker_is_untouched(s->picker, p);
		if (!free && !shoal_picker_is_done(s->picker, p))
			continue; /* it is being fetched, or is not wanted now */
		shoal_bits_clear(&r->piece, p);
		if (!free)
			continue;
		shoal_picker_open(s->picker, p); /* not to be fetched before it has been looked at */
		shoal_bits_set(&s->to_check, p);
	}
}

shoal_us shoal_reread_deadline(const struct shoal_swarm *s)
{
	return s->reread.piece.ones > 0 && !s->stopping ? s->reread.at : SHOAL_NEVER;
}

void shoal_reread_fini(struct shoal_swarm *s)
{
	if (s->reread.piece.word != NULL)
		shoal_budget_give(s->node->budget, shoal_bits_bytes(s->reread.piece.count));
	shoal_bits_fini(&s->reread.piece);
}
