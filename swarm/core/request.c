/* swarm/core/request.c - what to ask of one peer, and what becomes of the answers. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "swarm/core/evidence_room.h"
#include "swarm/core/node_room.h"
#include "swarm/core/offered.h"
#include "swarm/core/turnover.h"
#include "swarm/core/urgent.h"
#include "swarm/core/vet.h"

#define ASK_ROOM_START 32u
#define DUPLICATES_MAX 2	/* end game: askers of one block */
#define HEDGE_ANYWAY SHOAL_S(3) /* what takes longer is asked for twice whatever the budget says */
#define IN_VAIN_MOST 3		/* the longest wait is 8^3 s: who claims, and never gives, costs few requests */
#define DUPLICATE_BLOCKS 64	/* end game: blocks one peer may have asked that others were asked for too */

/* ---- the ring of asks ---------------------------------------------------------------- */

static bool ask_push(struct shoal_peer *p, struct shoal_ask ask)
{
	if (p->ask_count == p->ask_room) {
		uint32_t room = p->ask_room ? p->ask_room * 2 : ASK_ROOM_START;
		struct shoal_ask *ring = shoal_peer_grow(p, room * sizeof *ring) ? malloc(room * sizeof *ring) : NULL;
		if (ring == NULL)
			return false;
		for (uint32_t i = 0; i < p->ask_count; i++)
			ring[i] = *shoal_peer_ask(p, i);
		free(p->ask);
		p->ask = ring;
		p->ask_room = room;
		p->ask_head = 0;
	}
	p->ask_count++;
	*shoal_peer_ask(p, p->ask_count - 1) = ask;
	p->foretold = false;
	return true;
}

uint32_t shoal_peer_ask_for(const struct shoal_peer *p, uint32_t piece, uint32_t block)
{
	for (uint32_t i = 0; i < p->ask_count; i++) {
		const struct shoal_ask *a = shoal_peer_ask(p, i);
		if (a->piece == piece && a->block == block)
			return i;
	}
	return UINT32_MAX;
}

/* Takes ask number i out; those before it move up (answers come mostly in order, so there are few). */
static struct shoal_ask ask_take(struct shoal_peer *p, uint32_t i)
{
	struct shoal_ask taken = *shoal_peer_ask(p, i);
	p->foretold = false;
	for (; i > 0; i--)
		*shoal_peer_ask(p, i) = *shoal_peer_ask(p, i - 1);
	p->ask_head = (p->ask_head + 1) & (p->ask_room - 1);
	p->ask_count--;
	return taken;
}

static void ask_return(struct shoal_peer *p, const struct shoal_ask *ask)
{
	struct shoal_open *open = shoal_landing_find(&p->swarm->landing, ask->piece);
	assert(open != NULL); /* a piece closes only when nobody is asked for any of it */
	if (ask->slot != NULL)
		shoal_pw_unland(p->pw, ask->slot->at);
	shoal_open_unask(&p->swarm->landing, open, ask->block, ask->weak, ask->slot);
	if (open->owner == p->serial)
		open->owner = 0;
}

void shoal_peer_unask_all(struct shoal_peer *p, shoal_us now)
{
	(void)now;
	if (p->ask_count > 0) /* others may be asked for them */
		p->swarm->dirty_fill = true;
	shoal_patience_forgive(&p->unasked, p->ask_count); /* some may be on their way */
	p->foretold = false;
	while (p->ask_count > 0) {
		struct shoal_ask ask = *shoal_peer_ask(p, --p->ask_count);
		ask_return(p, &ask);
	}
	p->piece = SHOAL_PIECE_NONE;
}

static void say_cancel(struct shoal_peer *p, const struct shoal_ask *ask, uint32_t len, shoal_us now)
{
	struct shoal_wire_msg msg = {
		.id = SHOAL_WIRE_CANCEL, .index = ask->piece, .begin = ask->block * SHOAL_BLOCK, .len = len
	};
	shoal_patience_forgive(&p->unasked, 1);
	shoal_peer_say(p, &msg, now);
}

/* It is not asked for that any more, and owes an answer all the same. */
static void take_back(struct shoal_peer *p, const struct shoal_ask *ask, uint32_t len, shoal_us now)
{
	shoal_owed_add(p, ask->piece, ask->block, now);
	say_cancel(p, ask, len, now);
}

bool shoal_peer_unask(struct shoal_peer *p, uint32_t piece, uint32_t block, bool cancel, shoal_us now)
{
	uint32_t i = shoal_peer_ask_for(p, piece, block);
	if (i == UINT32_MAX)
		return false;
	struct shoal_ask ask = ask_take(p, i);
	struct shoal_open *open = shoal_landing_find(&p->swarm->landing, piece);
	uint32_t len = open != NULL ? shoal_open_block_len(open, block) : 0;
	ask_return(p, &ask);
	if (cancel)
		take_back(p, &ask, len, now);
	shoal_peer_stir_in(p);
	return true;
}

/* ---- interest -------------------------------------------------------------------------- */

void shoal_peer_interest(struct shoal_peer *p, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	if (s->picker == NULL || p->have.word == NULL)
		return;
	if (p->needs == SHOAL_PIECE_NONE || shoal_picker_is_done(s->picker, p->needs) ||
	    !shoal_picker_wants(s->picker, p->needs) || !shoal_bits_get(&p->have, p->needs))
		p->needs = shoal_picker_needs(s->picker, &p->have, p->needs == SHOAL_PIECE_NONE ? 0 : p->needs);
	bool interesting = p->needs != SHOAL_PIECE_NONE && !s->read_only;
	if (interesting != p->interesting) {
		p->interesting = interesting;
		shoal_peer_say_id(p, interesting ? SHOAL_WIRE_INTERESTED : SHOAL_WIRE_NOT_INTERESTED, now);
		shoal_note_stance(p, now);
	}
	shoal_peer_stir_in(p);
}

/* ---- which block next -------------------------------------------------------------------- */

bool shoal_peer_may_join(const struct shoal_peer *p, const struct shoal_open *open, bool help, shoal_us now)
{
	return open->state == SHOAL_OPEN_FETCHING && open->unasked > 0 && shoal_bits_get(&p->have, open->piece) &&
	       p->node->policy->may_join(p, open, help, now);
}

static struct shoal_open *join_open(struct shoal_peer *p, bool help, shoal_us now)
{
	for (struct shoal_open *o = p->swarm->landing.head; o != NULL; o = o->next)
		if (shoal_peer_may_join(p, o, help, now) && shoal_open_unasked(o) != UINT32_MAX)
			return o;
	return NULL;
}

struct shoal_open *shoal_swarm_open_piece(struct shoal_swarm *s, uint32_t piece, uint32_t owner, shoal_us now)
{
	struct shoal_open *open;
	if (s->landing.full_bytes > SHOAL_LANDING_BACKLOG || shoal_offered_busy(s, piece))
		return NULL; /* the disk is behind: its turn */
	uint32_t bytes = shoal_metainfo_piece_bytes(s->mi, piece);
	int rc = shoal_landing_open(&s->landing, piece, bytes, s->has_v2, &open, now);
	if (rc == SHOAL_ERR_BUSY && shoal_swarm_make_room(s, now))
		rc = shoal_landing_open(&s->landing, piece, bytes, s->has_v2, &open, now);
	if (rc < 0)
		return NULL; /* memory: the pieces under way come first */
	if (shoal_swarm_piece_expect(s, piece, &open->hash) < 0) {
		shoal_landing_close(&s->landing, open);
		return NULL;
	}
	shoal_picker_open(s->picker, piece);
	open->owner = owner;
	open->due = shoal_select_due(s, piece);
	open->job.owner = open;
	shoal_offered_fill(s, open, now);
	if (open->unasked == 0) /* there is nothing in it to be anybody's */
		open->owner = 0;
	return open;
}

static struct shoal_open *open_new(struct shoal_peer *p, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	s->landing.busy = false;
	if (s->landing.full_bytes > SHOAL_LANDING_BACKLOG)
		return NULL;
	const struct shoal_policy *policy = p->node->policy;
	bool in_order = s->flags & SHOAL_ADD_SEQUENTIAL;
	uint32_t piece = in_order ? SHOAL_PIECE_NONE : shoal_fast_next_hint(p);
	enum shoal_flight_how how = SHOAL_FLIGHT_HOW_OTHER;
	bool beside = piece == SHOAL_PIECE_NONE && !in_order && policy->beside != NULL;
	if (beside)
		piece = policy->beside(p, SHOAL_PIECE_NONE, now);
	if (piece == SHOAL_PIECE_NONE) {
		enum shoal_pick_order order = in_order ? SHOAL_PICK_IN_ORDER : policy->order(p);
		piece = shoal_picker_pick(s->picker, &p->have, order);
		if (in_order)
			how = SHOAL_FLIGHT_HOW_IN_ORDER;
		else if (shoal_picker_have(s->picker)->ones < SHOAL_PICKER_RANDOM_FIRST)
			how = SHOAL_FLIGHT_HOW_FIRST;
		else if (order == SHOAL_PICK_RAREST)
			how = SHOAL_FLIGHT_HOW_RAREST;
		if (beside && piece != SHOAL_PIECE_NONE)
			piece = policy->beside(p, piece, now);
	}
	struct shoal_open *open = piece != SHOAL_PIECE_NONE ? shoal_swarm_open_piece(s, piece, p->serial, now) : NULL;
	if (open != NULL)
		open->how = (uint8_t)how;
	return open;
}

static struct shoal_open *next_open(struct shoal_peer *p, shoal_us now)
{
	struct shoal_open *open = NULL;
	if (p->piece != SHOAL_PIECE_NONE)
		open = shoal_landing_find(&p->swarm->landing, p->piece);
	if (open == NULL || !shoal_peer_may_join(p, open, true, now) || shoal_open_unasked(open) == UINT32_MAX)
		open = join_open(p, false, now);
	if (open == NULL)
		open = open_new(p, now);
	while (open != NULL && open->unasked == 0) /* all of it lies here, and is being read */
		open = open_new(p, now);
	if (open == NULL)
		open = join_open(p, true, now);
	if (open == NULL)
		return NULL;
	p->piece = open->piece;
	if (open->attempts > 0 && open->owner == 0 && !open->repaired)
		open->owner = p->serial;
	return open;
}

/* While it chokes us: a piece it gives all the same. */
static struct shoal_open *next_allowed(struct shoal_peer *p, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	uint32_t at = 0;
	uint32_t piece;
	while ((piece = shoal_fast_next_allowed(p, &at)) != SHOAL_PIECE_NONE) {
		struct shoal_open *open = shoal_landing_find(&s->landing, piece);
		if (open == NULL && shoal_picker_is_untouched(s->picker, piece))
			return shoal_swarm_open_piece(s, piece, p->serial, now);
		if (open != NULL && shoal_peer_may_join(p, open, true, now) && shoal_open_unasked(open) != UINT32_MAX)
			return open;
	}
	return NULL;
}

/* End game: a block that others were asked for and that has not come, for a peer with nothing else to do. */
static bool duplicate_block(struct shoal_peer *p, struct shoal_open **piece, uint32_t *block, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	shoal_us patience = 2 * p->flow.delay_mean + SHOAL_MS(50);
	/* Or no other piece can be begun: a window may stand behind the one block that does not come. */
	const struct shoal_policy *policy = p->node->policy;
	bool hedge = shoal_node_uses(p->node, SHOAL_WITHOUT_HEDGE);
	shoal_us gain = 0, own = hedge ? shoal_peer_own_time(p, now) : 0;
	uint32_t most = policy->strict_double ? 1 : DUPLICATE_BLOCKS;
	if ((shoal_picker_untouched(s->picker) > 0 && !s->landing.busy) || p->ask_count >= most)
		return false;
	for (struct shoal_peer *q = s->peers; q != NULL; q = q->in_swarm) {
		if (q == p)
			continue;
		for (uint32_t i = 0; i < q->ask_count; i++) {
			const struct shoal_ask *a = shoal_peer_ask(q, i);
			struct shoal_open *open;
			if (a->at + patience > now || !shoal_bits_get(&p->have, a->piece))
				continue;
			open = shoal_landing_find(&s->landing, a->piece);
			if (policy->may_double != NULL && !policy->may_double(p, open, q, now))
				continue;
			if (open->asked[a->block] >= DUPLICATES_MAX ||
			    shoal_peer_ask_for(p, a->piece, a->block) != UINT32_MAX)
				continue;
			if (hedge) {
				shoal_us left = shoal_peer_time_left(q, i, now);
				if (own > left / 10 * 7 || left - own <= gain ||
				    (s->hedges < SHOAL_SWARM_HEDGE_UNIT && left < HEDGE_ANYWAY))
					continue;
				gain = left - own;
			}
			*piece = open;
			*block = a->block;
			if (!hedge)
				return true;
		}
	}
	if (gain > 0) {
		s->hedges -= s->hedges < SHOAL_SWARM_HEDGE_UNIT ? s->hedges : SHOAL_SWARM_HEDGE_UNIT;
		return true;
	}
	return shoal_webseeds_spare(s, p, piece, block, now);
}

/* Not once more what it sent false, while there is something else: the same again says nothing new (a bit flipped on a
 * disk stays so), another block tells a liar from that. */
static uint32_t unasked_of(const struct shoal_peer *p, struct shoal_open *open)
{
	uint32_t first = shoal_open_unasked(open), block = first;
	if (p->repute == NULL || p->repute->rep.false_blocks == 0)
		return first;
	while (block != UINT32_MAX && shoal_rep_sent_false(&p->repute->rep, open->piece, block))
		block = shoal_open_unasked_after(open, block);
	return block != UINT32_MAX ? block : first;
}

static uint32_t next_block(struct shoal_peer *p, struct shoal_open **open, shoal_us now)
{
	uint32_t block = UINT32_MAX;
	if (p->choking_us) {
		*open = next_allowed(p, now);
		return *open != NULL ? unasked_of(p, *open) : UINT32_MAX;
	}
	if (p->swarm->select.deadlines > 0) {
		if (shoal_urgent_twice(p, open, &block, now))
			return block;
		*open = shoal_urgent_open(p, false, now);
		if (*open != NULL)
			return unasked_of(p, *open);
	}
	*open = next_open(p, now);
	if (*open == NULL && p->swarm->select.deadlines > 0)
		*open = shoal_urgent_open(p, true, now);
	if (*open != NULL)
		block = unasked_of(p, *open);
	if (block == UINT32_MAX)
		(void)duplicate_block(p, open, &block, now);
	return block;
}

/* For the record: what it is asked for, and who was before it. */
static void note_ask(struct shoal_peer *p, const struct shoal_open *open, uint32_t block, shoal_us now)
{
	struct shoal_peer *q = open->asked[block] > 0 ? p->swarm->peers : NULL;
	for (uint32_t i; q != NULL; q = q->in_swarm) {
		if (q == p || (i = shoal_peer_ask_for(q, open->piece, block)) == UINT32_MAX)
			continue;
		return shoal_note_twice(p, open, block, q, now - shoal_peer_ask(q, i)->at, now);
	}
	shoal_note_ask(p, open, now);
}

static bool ask_block(struct shoal_peer *p, struct shoal_open *open, uint32_t block, shoal_us now)
{
	uint32_t len = shoal_open_block_len(open, block);
	shoal_vet_asked(p, open, now); /* what it is held to, before it */
	if (p->node->flights != NULL)
		note_ask(p, open, block, now);
	if (!ask_push(p, (struct shoal_ask){ .piece = open->piece, .block = block, .at = now, .weak = p->snubbed }))
		return false;
	if (p->snubbed)
		shoal_open_ask_weak(open);
	else
		shoal_open_ask(open, block);
	shoal_pace_took(p->swarm, SHOAL_DOWN, len);
	struct shoal_wire_msg msg = {
		.id = SHOAL_WIRE_REQUEST, .index = open->piece, .begin = block * SHOAL_BLOCK, .len = len
	};
	shoal_peer_say(p, &msg, now);
	return !p->closing;
}

uint32_t shoal_peer_fill(struct shoal_peer *p, uint32_t most, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	uint32_t asked = 0;
	p->in_dirty = false;
	if (p->closing || s == NULL || s->state != SHOAL_SWARM_RUN || s->stopping || s->read_only ||
	    (p->choking_us && p->fasts.allowed_count == 0) || !p->counted || !p->interesting || p->ask_after > now)
		return 0;
	uint32_t depth = p->node->policy->depth(p, now);
	if (p->choking_us && depth > SHOAL_FAST_DEPTH)
		depth = SHOAL_FAST_DEPTH;
	p->noted.window = depth;
	/* In batches, so that requests share a packet; under a limit they are few, and come when they may. */
	if (p->ask_count > 0 && p->ask_count > depth - depth / 4 && most == UINT32_MAX)
		return 0;
	while (p->ask_count < depth) {
		if (asked == most || !shoal_pace_allows(s, SHOAL_DOWN, now)) {
			shoal_peer_stir_in(p);
			break;
		}
		struct shoal_open *open;
		uint32_t block = next_block(p, &open, now);
		if (block == UINT32_MAX) {
			if (p->node->flights != NULL)
				shoal_note_idle(p, now);
			break;
		}
		if (!ask_block(p, open, block, now))
			break;
		asked++;
	}
	return asked;
}

/* ---- answers -------------------------------------------------------------------------------- */

/* Where the block will land; the slot is got when it first has to be known. */
static uint8_t *slot_for(struct shoal_peer *p, struct shoal_ask *ask)
{
	if (ask->slot == NULL) {
		struct shoal_open *open = shoal_landing_find(&p->swarm->landing, ask->piece);
		if (open != NULL)
			ask->slot = shoal_open_slot(&p->swarm->landing, open);
	}
	return ask->slot != NULL ? ask->slot->at : NULL;
}

void shoal_peer_forecast(struct shoal_peer *p)
{
	struct shoal_pw_expect want[SHOAL_PW_FORECAST];
	size_t n = 0;
	if (p->foretold) /* what is asked of it has not changed since */
		return;
	p->foretold = true;
	/* One more than are laid out for a read: the wire sees that they are not all. */
	size_t most = p->laid < SHOAL_PW_FORECAST ? p->laid + 1u : SHOAL_PW_FORECAST;
	const struct shoal_open *open = NULL;
	while (n < most && n < p->ask_count) {
		struct shoal_ask *a = shoal_peer_ask(p, (uint32_t)n);
		uint8_t *at = slot_for(p, a);
		if (at == NULL) { /* until a slot comes free */
			p->foretold = false;
			break;
		}
		if (open == NULL || open->piece != a->piece)
			open = shoal_landing_find(&p->swarm->landing, a->piece);
		want[n++] = (struct shoal_pw_expect){ a->piece, a->block * SHOAL_BLOCK,
						      shoal_open_block_len(open, a->block), at };
	}
	shoal_pw_forecast(p->pw, want, n);
}

uint8_t *shoal_peer_place(struct shoal_peer *p, uint32_t piece, uint32_t begin, uint32_t len)
{
	uint32_t i = begin % SHOAL_BLOCK == 0 ? shoal_peer_ask_for(p, piece, begin / SHOAL_BLOCK) : UINT32_MAX;
	if (i == UINT32_MAX)
		return NULL;
	struct shoal_ask *ask = shoal_peer_ask(p, i);
	struct shoal_open *open = shoal_landing_find(&p->swarm->landing, piece);
	/* Of another length than was asked for, it is an answer all the same, and a wrong one. */
	bool fits = open != NULL && shoal_open_block_len(open, ask->block) == len;
	uint8_t *at = fits ? slot_for(p, ask) : NULL;
	ask->missed = at == NULL;
	return at;
}

static void wasted(struct shoal_peer *p, uint32_t len)
{
	p->swarm->wasted += len;
	shoal_sums_of(p)->wasted += len;
}

/* A block we had not asked for, or not so long or so short. */
static void unasked(struct shoal_peer *p, uint32_t len, shoal_us now)
{
	wasted(p, len);
	if (!shoal_patience_charge(&p->unasked, SHOAL_PATIENCE_UNASKED, SHOAL_PATIENCE_UNASKED_MINUTE, now))
		shoal_peer_close(p, SHOAL_ERR_REFUSED, now);
}

void shoal_peer_block(struct shoal_peer *p, const struct shoal_pw_event *ev, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	uint32_t block = ev->msg.begin / SHOAL_BLOCK;
	uint32_t i = ev->msg.begin % SHOAL_BLOCK == 0 ? shoal_peer_ask_for(p, ev->msg.index, block) : UINT32_MAX;
	s->downloaded += ev->len;
	shoal_rate_add(&s->down, ev->len, now);
	/* Late after a cancel, or never asked; it may have been asked for again since it began: that is yet to be answered. */
	if (i == UINT32_MAX || (ev->at == NULL && !shoal_peer_ask(p, i)->missed)) {
		if (ev->msg.begin % SHOAL_BLOCK == 0)
			(void)shoal_owed_paid(p, ev->msg.index, block, now);
		return unasked(p, ev->len, now);
	}
	struct shoal_ask ask = ask_take(p, i);
	if (ev->at == NULL || ask.slot == NULL || ev->at != ask.slot->at) {
		ask_return(p, &ask);
		return unasked(p, ev->len, now);
	}
	s->hedges += s->hedges < SHOAL_SWARM_HEDGE_BURST;
	if (p->in_vain > 1)
		p->ask_after = now;
	p->in_vain = 0;
	if (p->node->policy->landed != NULL)
		p->node->policy->landed(p, ask.at, now);
	shoal_flow_block(&p->flow, ev->len, ask.at, now);
	shoal_peer_recovered(p, now);
	struct shoal_open *open = shoal_landing_find(&s->landing, ask.piece);
	ask.slot->len = shoal_open_block_len(open, block); /* so much of it is hashed */
	if (!shoal_vet_passes(p, open, block, ask.slot)) {
		shoal_open_unask(&s->landing, open, block, ask.weak, ask.slot);
		if (open->owner == p->serial)
			open->owner = 0;
		wasted(p, ev->len);
		s->dirty_fill = true;
		return shoal_evidence_false(s, p->source, ask.piece, block, SHOAL_REP_WHY_FALSE_LEAF, now);
	}
	if (ask.weak)
		open->weak--;
	bool shared = open->asked[block] > !ask.weak || open->weak > 0;
	shoal_open_landed(&s->landing, open, block, ask.slot, p->source, now);
	if (shared) {
		for (struct shoal_peer *q = s->peers; q != NULL; q = q->in_swarm)
			if (q != p)
				shoal_peer_unask(q, ask.piece, block, true, now);
		shoal_webseeds_unask(s, ask.piece, block);
	}
	/* It was the answer to an older ask: this one need not be answered any more. */
	if (shoal_owed_has(p, ask.piece, block, now))
		say_cancel(p, &ask, ev->len, now);
	if (!open->whole || open->state == SHOAL_OPEN_READY)
		s->pieces_dirty = true;
}

void shoal_peer_in_vain(struct shoal_peer *p, bool refused, shoal_us now)
{
	if (p->ask_after > now) /* of the same round */
		return;
	p->ask_after = now + (SHOAL_PEER_IN_VAIN_FIRST << 3 * p->in_vain);
	/* Who stalls may be cut off, and one that has given something may be slow: neither is left idle for long. */
	unsigned most = refused && p->flow.last_block == 0 ? IN_VAIN_MOST : 1;
	p->in_vain += p->node->policy->scores && p->in_vain < most;
}

void shoal_peer_recovered(struct shoal_peer *p, shoal_us now)
{
	if (!p->snubbed) /* as after nearly every block: then no ask of it is a weak one */
		return;
	p->snubbed = false;
	shoal_note_back(p, now);
	for (uint32_t i = 0; i < p->ask_count; i++) {
		struct shoal_ask *a = shoal_peer_ask(p, i);
		struct shoal_open *open = a->weak ? shoal_landing_find(&p->swarm->landing, a->piece) : NULL;
		if (open == NULL)
			continue;
		a->weak = false;
		open->weak--;
		shoal_open_ask(open, a->block);
	}
}

void shoal_peer_asks_overdue(struct shoal_peer *p, shoal_us now)
{
	if (p->ask_count == 0)
		return;
	shoal_us since = shoal_max_u64(shoal_peer_ask(p, 0)->at, p->flow.last_block);
	shoal_us patience = p->node->policy->patience(p, since, now);
	if (since + patience > now)
		return;
	/* It stalls. What it owes us is free for others, but not called back: much of it may be on its way, and whoever
	 * brings a block first has the other's cancelled. Until one comes it is asked for nothing more. */
	bool stalled = p->snubbed;
	p->snubbed = true;
	p->foretold = false;
	if (p->node->policy->scores)
		shoal_peer_in_vain(p, false, now);
	shoal_evidence_missed(p, 1, now);
	if (!stalled)
		shoal_note_stall(p, now - since, patience, now);
	for (uint32_t i = 0; i < p->ask_count; i++) {
		struct shoal_ask *a = shoal_peer_ask(p, i);
		struct shoal_open *open = shoal_landing_find(&p->swarm->landing, a->piece);
		if (open->owner == p->serial)
			open->owner = 0;
		if (a->weak)
			continue;
		a->weak = true;
		shoal_open_weaken(open, a->block);
	}
	p->swarm->dirty_fill = true;
}
