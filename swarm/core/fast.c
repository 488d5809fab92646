/* swarm/core/fast.c - small lists of pieces at each peer (BEP 6). */
#include "swarm/core/fast.h"

#include <string.h>
#include "swarm/core/node_room.h"

/* ---- what we give ----------------------------------------------------------------------- */

void shoal_fast_offer(struct shoal_peer *p, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	struct shoal_fast *f = &p->fasts;
	uint32_t count = SHOAL_FAST_BYTES / shoal_metainfo_piece_size(s->mi);
	uint32_t set[SHOAL_FAST_SET_MAX];
	if (f->offered || !p->fast || !p->choked || !p->interested || p->have.ones >= SHOAL_FAST_SET_MAX ||
	    shoal_super_masked(p))
		return;
	f->offered = true;
	uint32_t n = shoal_fast_set(set, count > 0 ? count : 1, s->claimed.count, p->v2 ? &s->v2_short : &s->v1,
				    &p->addr);
	for (uint32_t i = 0; i < n && !p->closing; i++) {
		if (!shoal_bits_get(&s->claimed, set[i]) || shoal_bits_get(&p->have, set[i]))
			continue;
		/* Twice, for a block may get lost on the way to a piece that fails. */
		f->left[f->given_count] = 2 * (uint64_t)shoal_metainfo_piece_bytes(s->mi, set[i]);
		f->given[f->given_count++] = set[i];
		struct shoal_wire_msg msg = { .id = SHOAL_WIRE_ALLOWED_FAST, .index = set[i] };
		shoal_peer_say(p, &msg, now);
	}
}

static uint32_t find(const struct shoal_fast *f, uint32_t piece)
{
	uint32_t i = 0;
	while (i < f->given_count && f->given[i] != piece)
		i++;
	return i;
}

bool shoal_fast_given(const struct shoal_peer *p, uint32_t piece)
{
	return find(&p->fasts, piece) < p->fasts.given_count;
}

bool shoal_fast_take(struct shoal_peer *p, uint32_t piece, uint32_t bytes)
{
	struct shoal_fast *f = &p->fasts;
	uint32_t i = find(f, piece);
	if (i == f->given_count || f->left[i] < bytes)
		return false;
	f->left[i] -= bytes;
	return true;
}

/* ---- what we are given ------------------------------------------------------------------- */

int shoal_fast_said(struct shoal_peer *p, const struct shoal_wire_msg *msg)
{
	struct shoal_fast *f = &p->fasts;
	bool hint = msg->id == SHOAL_WIRE_SUGGEST;
	uint32_t *list = hint ? f->hint : f->allowed;
	uint32_t *count = hint ? &f->hint_count : &f->allowed_count;
	uint32_t most = hint ? SHOAL_FAST_HINTS_MAX : SHOAL_FAST_ALLOWED_MAX;
	uint32_t pieces = p->swarm->mi != NULL ? shoal_metainfo_piece_count(p->swarm->mi) : SHOAL_PIECES_MAX;
	if (msg->index >= pieces)
		return SHOAL_ERR_RANGE;
	for (uint32_t i = 0; i < *count; i++)
		if (list[i] == msg->index)
			return 1;
	if (*count == most)
		return 1;
	list[(*count)++] = msg->index;
	shoal_peer_stir_in(p);
	return 0;
}

static void drop(uint32_t list[], uint32_t *count, uint32_t i)
{
	memmove(list + i, list + i + 1, (--*count - i) * sizeof *list);
}

void shoal_fast_refused(struct shoal_peer *p, uint32_t piece)
{
	struct shoal_fast *f = &p->fasts;
	for (uint32_t i = f->allowed_count; i-- > 0;)
		if (f->allowed[i] == piece)
			drop(f->allowed, &f->allowed_count, i);
}

uint32_t shoal_fast_next_allowed(struct shoal_peer *p, uint32_t *at)
{
	const struct shoal_fast *f = &p->fasts;
	while (*at < f->allowed_count) {
		uint32_t piece = f->allowed[(*at)++];
		if (shoal_bits_get(&p->have, piece) && !shoal_picker_is_done(p->swarm->picker, piece))
			return piece;
	}
	return SHOAL_PIECE_NONE;
}

uint32_t shoal_fast_next_hint(struct shoal_peer *p)
{
	struct shoal_fast *f = &p->fasts;
	while (f->hint_count > 0) {
		uint32_t piece = f->hint[0];
		drop(f->hint, &f->hint_count, 0);
		if (shoal_bits_get(&p->have, piece) && shoal_picker_is_untouched(p->swarm->picker, piece))
			return piece;
	}
	return SHOAL_PIECE_NONE;
}
