/* swarm/core/super.c - pieces dealt out one by one; see super.h. */
#include "swarm/core/super.h"

#include <assert.h>
#include <stdlib.h>
#include "swarm/core/node_room.h"

#define LOOK SHOAL_MS(250)
#define TELL_AGAIN SHOAL_MS(20)
#define HELD_FREE 4u /* pieces a peer may hold alone before it matters whether it passes them on */

/* ---- whose word counts ------------------------------------------------------------------- */

/*
 * That one has all is easily said, and a liar who says it would have us send each piece many times over. So it is
 * another full copy once somebody came by a piece that we had shown nobody; and what one has counts once it has wanted
 * something of us, as a liar who says it has all does not.
 */
static bool full_copy(const struct shoal_swarm *s, const struct shoal_peer *q)
{
	return s->super.elsewhere && shoal_peer_is_seed(q);
}

/* What nobody who counts has, and of that what nobody was shown. */
static void look_around(struct shoal_swarm *s)
{
	struct shoal_super *u = &s->super;
	shoal_bits_fill(&u->unseen);
	for (const struct shoal_peer *q = s->peers; q != NULL; q = q->in_swarm)
		if (q->takes)
			shoal_bits_remove(&u->unseen, &q->have);
	shoal_bits_copy(&u->fresh, &u->unseen);
	for (uint32_t i = 0; i < u->fresh.count; i++)
		if (u->owner[i] != 0)
			shoal_bits_clear(&u->fresh, i);
}

/* ---- beginning and ending -------------------------------------------------------------- */

static void state_free(struct shoal_swarm *s)
{
	struct shoal_super *u = &s->super;
	shoal_bits_fini(&u->unseen);
	shoal_bits_fini(&u->fresh);
	free(u->owner);
	shoal_budget_give(s->node->budget, u->charged);
	uint32_t telling = u->telling;
	*u = (struct shoal_super){ .elsewhere = u->elsewhere, .telling = telling, .dirty = telling > 0 };
}

static void peer_free(struct shoal_peer *p)
{
	struct shoal_super_peer *x = p->super;
	if (x == NULL)
		return;
	if (x->mode == SHOAL_SUPER_TELLING)
		p->swarm->super.telling--;
	shoal_bits_fini(&x->told);
	shoal_budget_give(p->node->budget, x->charged);
	free(x);
	p->super = NULL;
}

static struct shoal_super_peer *peer_new(struct shoal_peer *p, enum shoal_super_mode mode, shoal_us now)
{
	uint32_t pieces = p->swarm->claimed.count;
	size_t need = sizeof(struct shoal_super_peer) + (mode == SHOAL_SUPER_MASKED ? shoal_bits_bytes(pieces) : 0);
	if (!shoal_node_charge(p->node, need))
		return NULL;
	struct shoal_super_peer *x = calloc(1, sizeof *x);
	if (x == NULL || (mode == SHOAL_SUPER_MASKED && shoal_bits_init(&x->told, pieces) < 0)) {
		free(x);
		shoal_budget_give(p->node->budget, need);
		return NULL;
	}
	x->mode = mode;
	x->bait = x->given = SHOAL_PIECE_NONE;
	x->busy = x->gave = now;
	x->charged = need;
	p->super = x;
	return x;
}

/* It was told everything, and others are not: from now on it is one of those that are told what would be best. */
static void peer_knows(struct shoal_peer *p)
{
	struct shoal_super_peer *x = p->super;
	size_t room = shoal_bits_bytes(x->told.count);
	shoal_bits_fini(&x->told);
	shoal_budget_give(p->node->budget, room);
	x->charged -= room;
	x->mode = SHOAL_SUPER_KNOWS;
	x->dirty = p->swarm->super.dirty = true;
	p->swarm->super.telling--;
}

static int state_new(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_super *u = &s->super;
	uint32_t pieces = s->claimed.count;
	size_t need = 2 * shoal_bits_bytes(pieces) + (size_t)pieces * sizeof *u->owner;
	if (!shoal_node_charge(s->node, need))
		return SHOAL_ERR_NOMEM;
	u->charged = need;
	u->owner = calloc(pieces, sizeof *u->owner);
	if (u->owner == NULL || shoal_bits_init(&u->unseen, pieces) < 0 || shoal_bits_init(&u->fresh, pieces) < 0) {
		state_free(s);
		return SHOAL_ERR_NOMEM;
	}
	look_around(s);
	u->cursor = shoal_rng_below(&s->rng, pieces); /* a seed that starts anew does not begin where it did */
	u->moved = u->looked = now;
	u->on = true;
	return 0;
}

/* Whether to begin, or to go on: nobody else has all, and `others` besides `p` are fetching. */
static bool called_for(const struct shoal_swarm *s, const struct shoal_peer *p, unsigned others)
{
	unsigned fetching = 0;
	if (!s->node->policy->super_seeds || s->state != SHOAL_SWARM_RUN || s->stopping ||
	    !shoal_bits_full(&s->claimed) || s->claimed.count < SHOAL_SUPER_PIECES_MIN)
		return false;
	for (const struct shoal_peer *q = s->peers; q != NULL; q = q->in_swarm) {
		if (q == p)
			continue;
		if (full_copy(s, q))
			return false;
		fetching += !q->upload_only && !shoal_peer_is_seed(q);
	}
	return fetching >= others;
}

void shoal_super_greet(struct shoal_peer *p, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	if (!called_for(s, p, 1))
		return;
	if (!s->super.on) {
		if (state_new(s, now) < 0)
			return;
		if (s->super.unseen.ones == 0)
			return state_free(s);
		/* Who came before knows everything, and is told what would be best. */
		for (struct shoal_peer *q = s->peers; q != NULL; q = q->in_swarm)
			if (q != p && q->super == NULL)
				(void)peer_new(q, SHOAL_SUPER_KNOWS, now);
	}
	(void)peer_new(p, SHOAL_SUPER_MASKED, now); /* without the memory it knows, like the first one */
}

bool shoal_super_masked(const struct shoal_peer *p)
{
	return p->super != NULL && p->super->mode != SHOAL_SUPER_KNOWS;
}

static void tell_all(struct shoal_peer *p)
{
	struct shoal_super_peer *x = p->super;
	if (x == NULL || x->mode != SHOAL_SUPER_MASKED)
		return;
	x->mode = SHOAL_SUPER_TELLING;
	x->dirty = p->swarm->super.dirty = true;
	p->swarm->super.telling++;
}

void shoal_super_end(struct shoal_swarm *s, shoal_us now)
{
	(void)now;
	if (!s->super.on)
		return;
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm) {
		if (p->super != NULL && p->super->mode == SHOAL_SUPER_KNOWS)
			peer_free(p);
		else
			tell_all(p);
	}
	state_free(s);
	s->super.dirty = s->super.telling > 0;
}

void shoal_super_fini(struct shoal_swarm *s)
{
	state_free(s);
}

/* ---- who owns what ------------------------------------------------------------------------ */

static void owned(struct shoal_swarm *s, struct shoal_peer *p, uint32_t piece)
{
	struct shoal_super *u = &s->super;
	shoal_bits_clear(&u->fresh, piece);
	if (u->owner[piece] != 0)
		return;
	u->owner[piece] = p->serial;
	u->held++;
	p->super->held++;
}

static void disowned(struct shoal_swarm *s, uint32_t piece)
{
	struct shoal_super *u = &s->super;
	if (u->owner[piece] == 0)
		return;
	for (struct shoal_peer *q = s->peers; q != NULL; q = q->in_swarm) {
		if (q->serial != u->owner[piece] || q->super == NULL)
			continue;
		q->super->held--;
		q->super->dirty = u->dirty = true;
		break;
	}
	u->owner[piece] = 0;
	u->held--;
}

static struct shoal_super_shown *find(struct shoal_super_peer *x, uint32_t piece)
{
	for (uint32_t i = 0; i < x->count; i++)
		if (x->shown[i].piece == piece)
			return &x->shown[i];
	return NULL;
}

static void drop(struct shoal_super_peer *x, struct shoal_super_shown *e)
{
	x->unsent -= e->left;
	*e = x->shown[--x->count];
	x->dirty = true;
}

/* It will not come of this peer: another's turn. */
static void lapse(struct shoal_swarm *s, struct shoal_peer *p, struct shoal_super_shown *e)
{
	uint32_t piece = e->piece;
	drop(p->super, e);
	if (s->super.owner[piece] == p->serial)
		disowned(s, piece);
	if (shoal_bits_get(&s->super.unseen, piece))
		shoal_bits_set(&s->super.fresh, piece);
	s->super.dirty = true;
}

/* ---- showing ------------------------------------------------------------------------------ */

static void show(struct shoal_peer *p, uint32_t piece, shoal_us now)
{
	struct shoal_super_peer *x = p->super;
	struct shoal_wire_msg msg = { .id = x->mode == SHOAL_SUPER_MASKED ? SHOAL_WIRE_HAVE : SHOAL_WIRE_SUGGEST,
				      .index = piece };
	if (x->mode == SHOAL_SUPER_MASKED)
		shoal_bits_set(&x->told, piece);
	shoal_peer_say(p, &msg, now); /* the last line that may end it: `x` may be gone */
}

/* From now on it is looked after whether that gets there. */
static void take_down(struct shoal_peer *p, uint32_t piece, shoal_us now)
{
	struct shoal_super_peer *x = p->super;
	uint32_t bytes = shoal_metainfo_piece_bytes(p->swarm->mi, piece);
	assert(x->count < SHOAL_SUPER_SHOWN_MAX);
	x->shown[x->count++] = (struct shoal_super_shown){ .piece = piece, .left = bytes, .at = now };
	x->unsent += bytes;
	owned(p->swarm, p, piece);
}

static void show_fresh(struct shoal_peer *p, uint32_t piece, shoal_us now)
{
	take_down(p, piece, now);
	show(p, piece, now);
}

static uint32_t next_fresh(struct shoal_super *u)
{
	uint32_t piece = shoal_bits_next(&u->fresh, u->cursor);
	if (piece == u->fresh.count)
		piece = shoal_bits_next(&u->fresh, 0);
	u->cursor = piece + 1;
	return piece < u->fresh.count ? piece : SHOAL_PIECE_NONE;
}

/* So that the choker knows of its interest: one that is out already, and it will find elsewhere, too. */
static void bait(struct shoal_peer *p, shoal_us now)
{
	struct shoal_super *u = &p->swarm->super;
	uint32_t served = 0;
	for (const struct shoal_peer *q = p->swarm->peers; q != NULL; q = q->in_swarm)
		served += !q->choked;
	uint32_t piece = shoal_bits_next_clear(&u->fresh, shoal_rng_below(&p->swarm->rng, u->fresh.count));
	bool soon = served <= p->node->upload_slots; /* there is a place for it */
	bool fresh = soon || piece == u->fresh.count || shoal_bits_get(&p->have, piece);
	if (fresh)
		piece = next_fresh(u);
	if (piece == SHOAL_PIECE_NONE)
		return;
	p->super->bait = piece;
	if (fresh)
		show_fresh(p, piece, now);
	else
		show(p, piece, now);
}

/* What keeps its connection busy until we hear of it again. */
static bool has_enough(struct shoal_peer *p, shoal_us now)
{
	const struct shoal_super_peer *x = p->super;
	uint64_t window = (uint64_t)SHOAL_SUPER_SHOWN_MIN * shoal_metainfo_piece_size(p->swarm->mi);
	window = shoal_max_u64(window, shoal_rate_now(&p->up, now) / 2);
	return x->count == SHOAL_SUPER_SHOWN_MAX || x->unsent >= window;
}

/* It sits on what it got, and others do not: theirs is the next. Not for ever, for they may be all there is. */
static bool hoards(const struct shoal_peer *p, shoal_us now)
{
	const struct shoal_super *u = &p->swarm->super;
	const struct shoal_super_peer *x = p->super;
	uint32_t free = HELD_FREE + x->count;
	if (x->held <= free || now - x->busy > SHOAL_SUPER_TRUTH / 2)
		return false;
	return (uint64_t)x->held * p->swarm->peer_count > 2 * (uint64_t)u->held;
}

/*
 * Nothing of ours is of interest to it, as far as it knows. It may have come by the last bait at another's before it was
 * served, and would stand aside until it is told the truth, while all we send goes to the others. Where there are more than
 * can be served at a time nothing is lost by that, and each piece it would be shown were one more begun at once.
 */
static bool wants_bait(struct shoal_peer *p, shoal_us now)
{
	const struct shoal_super_peer *x = p->super;
	if (x->mode != SHOAL_SUPER_MASKED || x->count == SHOAL_SUPER_SHOWN_MAX)
		return false; /* knows all; or has chosen so many by itself that there is no room */
	if (x->bait == SHOAL_PIECE_NONE)
		return x->told.ones == 0;
	return p->swarm->peer_count <= p->node->upload_slots + 1u && shoal_bits_get(&p->have, x->bait) &&
	       !has_enough(p, now); /* what it was shown and not sent stays shown: there is room for so many */
}

static void feed(struct shoal_peer *p, shoal_us now)
{
	struct shoal_super *u = &p->swarm->super;
	if ((!p->counted && p->born + SHOAL_MS(500) > now) || (p->super->mode == SHOAL_SUPER_KNOWS && !p->fast))
		return;
	if (p->choked || !p->interested) {
		if (wants_bait(p, now))
			bait(p, now);
		return;
	}
	while (!p->closing && !has_enough(p, now) && !hoards(p, now)) {
		uint32_t piece = next_fresh(u);
		if (piece == SHOAL_PIECE_NONE)
			return;
		show_fresh(p, piece, now);
	}
}

/* As much of the truth as the queue takes. */
static void tell(struct shoal_peer *p, shoal_us now)
{
	struct shoal_super_peer *x = p->super;
	size_t blocks = shoal_pw_queued_blocks(p->pw) * (SHOAL_BLOCK + SHOAL_WIRE_PIECE_HEAD);
	size_t small = shoal_pw_queued(p->pw) > blocks ? shoal_pw_queued(p->pw) - blocks : 0;
	uint32_t room = small < SHOAL_PW_OUT_MAX / 2 ? SHOAL_SUPER_TELL : 0;
	/* Without the metadata it can keep only so many. Who offers it, or has a piece, has it: that one may want nothing of
	 * what it knows of just because it has all of that. */
	bool blind = !p->interested && p->early_metadata_size == 0 && p->have.ones == 0;
	if (blind && x->told.ones + room > SHOAL_PEER_EARLY_HAVES)
		room = x->told.ones < SHOAL_PEER_EARLY_HAVES ? SHOAL_PEER_EARLY_HAVES - x->told.ones : 0;
	while (!p->closing && room > 0 && x->cursor < x->told.count) {
		uint32_t piece = x->cursor++;
		if (shoal_bits_get(&x->told, piece) || !shoal_bits_get(&p->swarm->claimed, piece))
			continue;
		struct shoal_wire_msg have = { .id = SHOAL_WIRE_HAVE, .index = piece };
		shoal_bits_set(&x->told, piece);
		shoal_peer_say(p, &have, now);
		room--;
	}
	if (p->closing || x->cursor < x->told.count)
		return;
	if (p->swarm->super.on)
		peer_knows(p);
	else
		peer_free(p);
	if (p->ext_said) /* and that we only give */
		shoal_peer_say_ext_handshake(p, now);
}

/* ---- what peers do ------------------------------------------------------------------------- */

static void passed_on(struct shoal_swarm *s, uint32_t owner)
{
	for (struct shoal_peer *q = s->peers; q != NULL && owner != 0; q = q->in_swarm)
		q->passed_on += q->serial == owner;
}

static void seen(struct shoal_swarm *s, const struct shoal_peer *p, uint32_t piece, shoal_us now)
{
	struct shoal_super *u = &s->super;
	if (p->takes) {
		if (shoal_bits_clear(&u->unseen, piece))
			u->moved = now;
		shoal_bits_clear(&u->fresh, piece);
		if (u->owner[piece] != p->serial) {
			passed_on(s, u->owner[piece]);
			disowned(s, piece);
		}
	}
	struct shoal_super_shown *e = p->super != NULL ? find(p->super, piece) : NULL;
	if (e != NULL) { /* it has come by it, whoever sent it */
		drop(p->super, e);
		u->dirty = true;
	}
}

void shoal_super_has(struct shoal_peer *p, uint32_t piece, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	if (!s->super.on)
		return;
	if (p->takes && shoal_bits_get(&s->super.fresh, piece))
		s->super.elsewhere = true;
	seen(s, p, piece, now);
	if (s->super.unseen.ones == 0 || full_copy(s, p))
		shoal_super_end(s, now);
}

void shoal_super_joined(struct shoal_peer *p, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	if (!s->super.on)
		return;
	if (full_copy(s, p))
		return shoal_super_end(s, now);
	for (uint32_t i = shoal_bits_next(&p->have, 0); i < p->have.count; i = shoal_bits_next(&p->have, i + 1))
		seen(s, p, i, now);
	shoal_super_woke(p);
	if (s->super.unseen.ones == 0)
		shoal_super_end(s, now);
}

void shoal_super_wants(struct shoal_peer *p, shoal_us now)
{
	shoal_super_woke(p);
	if (!p->interested || p->takes || shoal_peer_is_seed(p)) /* one that has all wants nothing, or lies */
		return;
	p->takes = true;
	shoal_super_joined(p, now); /* what it has counts from now on */
}

void shoal_super_asked(struct shoal_peer *p, uint32_t piece, shoal_us now)
{
	struct shoal_super_peer *x = p->super;
	if (x == NULL || !p->swarm->super.on)
		return;
	struct shoal_super_shown *e = find(x, piece);
	x->busy = now;
	if (e != NULL)
		e->at = now;
	else if (x->count < SHOAL_SUPER_SHOWN_MAX && shoal_bits_get(&p->swarm->super.fresh, piece))
		take_down(p, piece, now); /* it chose by itself, and may not get there either */
}

void shoal_super_gave(struct shoal_peer *p, uint32_t piece, uint32_t bytes, shoal_us now)
{
	struct shoal_super_peer *x = p->super;
	struct shoal_super *u = &p->swarm->super;
	if (x == NULL || !u->on)
		return;
	u->moved = x->gave = now;
	struct shoal_super_shown *e = find(x, piece);
	if (e == NULL)
		return;
	uint32_t part = bytes < e->left ? bytes : e->left;
	e->at = now;
	e->left -= part;
	x->unsent -= part;
	if (e->left == 0) {
		p->given_alone++;
		x->given = piece;
		drop(x, e);
	}
	x->dirty = u->dirty = true;
}

uint32_t shoal_super_onward(const struct shoal_peer *p)
{
	uint32_t share = (1 + p->passed_on) * 2 * SHOAL_CHOKER_ONWARD / (2 + p->given_alone);
	return share < SHOAL_CHOKER_ONWARD ? share : SHOAL_CHOKER_ONWARD;
}

void shoal_super_woke(struct shoal_peer *p)
{
	if (p->super != NULL)
		p->super->dirty = p->swarm->super.dirty = true;
}

void shoal_super_left(struct shoal_peer *p, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	if (s->super.on) {
		while (p->super != NULL && p->super->count > 0)
			lapse(s, p, &p->super->shown[0]);
		for (uint32_t i = 0; i < s->claimed.count; i++)
			if (s->super.owner[i] == p->serial) {
				s->super.owner[i] = 0;
				s->super.held--;
			}
		look_around(s); /* what it alone had is nobody's again */
		for (struct shoal_peer *q = s->peers; q != NULL; q = q->in_swarm)
			shoal_super_woke(q);
	}
	peer_free(p);
	if (s->super.on && !called_for(s, NULL, 2))
		shoal_super_end(s, now);
}

/* ---- time ------------------------------------------------------------------------------------ */

/* What it has asked for is still with us, or on its way: not all of a piece was sent, or it has not announced the last that
 * was. Until that is there it may have no room to ask for more. */
static bool waits_for_us(const struct shoal_peer *p, shoal_us now)
{
	const struct shoal_super_peer *x = p->super;
	if (x->gave + SHOAL_SUPER_ON_ITS_WAY <= now)
		return false;
	if (p->wanted_count > 0)
		return true;
	for (uint32_t i = 0; i < x->count; i++)
		if (x->shown[i].left < shoal_metainfo_piece_bytes(p->swarm->mi, x->shown[i].piece))
			return true;
	return x->given != SHOAL_PIECE_NONE && !shoal_bits_get(&p->have, x->given);
}

static void look_at(struct shoal_peer *p, shoal_us now)
{
	struct shoal_super_peer *x = p->super;
	struct shoal_swarm *s = p->swarm;
	bool waits = !p->choked && waits_for_us(p, now);
	for (uint32_t i = x->count; i-- > 0 && !waits;)
		if (x->shown[i].at + SHOAL_SUPER_LAPSE <= now)
			lapse(s, p, &x->shown[i]);
	if (waits || (p->interested && p->choked))
		x->busy = now; /* for that, or for its turn, and for nothing else */
	shoal_us patience = p->interested && !p->choked ? SHOAL_SUPER_LAPSE : SHOAL_SUPER_TRUTH;
	if (x->mode == SHOAL_SUPER_MASKED && x->busy + patience <= now && s->super.fresh.ones > 0) {
		while (x->count > 0)
			lapse(s, p, &x->shown[0]);
		tell_all(p);
	}
	x->dirty = true;
}

void shoal_super_tick(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_super *u = &s->super;
	if (u->on && u->looked + LOOK <= now) {
		u->looked = now;
		u->dirty = true;
		if (!called_for(s, NULL, 2) || u->moved + SHOAL_SUPER_STALL <= now)
			shoal_super_end(s, now);
		for (struct shoal_peer *p = s->peers; p != NULL && u->on; p = p->in_swarm)
			if (p->super != NULL && p->super->mode != SHOAL_SUPER_TELLING)
				look_at(p, now);
	}
	if (!u->dirty && (u->telling == 0 || u->tell_at > now))
		return;
	u->dirty = false;
	u->tell_at = now + TELL_AGAIN;
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		if (p->super == NULL)
			continue;
		if (p->super->mode == SHOAL_SUPER_TELLING) {
			tell(p, now);
		} else if (p->super->dirty && u->on) {
			p->super->dirty = false;
			feed(p, now);
		}
	}
}

shoal_us shoal_super_deadline(const struct shoal_swarm *s)
{
	if (s->super.dirty)
		return 0;
	shoal_us at = s->super.telling > 0 ? s->super.tell_at : SHOAL_NEVER;
	return s->super.on ? shoal_min_u64(at, s->super.looked + LOOK) : at;
}
