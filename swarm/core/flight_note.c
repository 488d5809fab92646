/* swarm/core/flight_note.c - the terms of each decision, gathered where they are known. */
#include "swarm/core/flight_note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/text.h"
#include "swarm/core/node_room.h"
#include "swarm/core/vet.h"

/* ---- the desk ------------------------------------------------------------------------------- */

int shoal_flights_new(struct shoal_node *n)
{
	size_t bytes = sizeof *n->flights + SHOAL_FLIGHT_RING;
	if (!shoal_node_charge(n, bytes))
		return SHOAL_ERR_NOMEM;
	n->flights = calloc(1, sizeof *n->flights);
	if (n->flights == NULL || shoal_flight_ring_init(&n->flights->ring, SHOAL_FLIGHT_RING) < 0) {
		free(n->flights);
		n->flights = NULL;
		shoal_budget_give(n->budget, bytes);
		return SHOAL_ERR_NOMEM;
	}
	return 0;
}

void shoal_flights_free(struct shoal_node *n)
{
	if (n->flights == NULL)
		return;
	shoal_flight_ring_fini(&n->flights->ring);
	free(n->flights);
	n->flights = NULL;
	shoal_budget_give(n->budget, sizeof *n->flights + SHOAL_FLIGHT_RING);
}

void shoal_flights_tell(struct shoal_node *n, bool all, shoal_us now)
{
	struct shoal_flights *f = n->flights;
	if (f == NULL || (!all && f->ring.used < SHOAL_FLIGHT_BATCH && f->told_at + SHOAL_S(1) > now))
		return;
	f->told_at = now;
	/* Whoever does not read them loses the oldest in the ring, not the memory that peers need. */
	while (all || n->events.count < SHOAL_FLIGHT_EVENTS) {
		size_t len = shoal_flight_ring_take(&f->ring, (struct shoal_space){ f->batch, sizeof f->batch });
		if (len == 0)
			break;
		struct shoal_event ev = { .kind = SHOAL_EV_FLIGHT, .t = now, .data = shoal_bytes(f->batch, len) };
		uint64_t dropped = n->events.dropped;
		shoal_events_push(&n->events, &ev);
		if (n->events.dropped == dropped)
			continue;
		struct shoal_flight gone;
		ptrdiff_t step;
		for (size_t at = 0; at < len; at += (size_t)step, f->ring.lost++)
			if ((step = shoal_flight_decode(shoal_bytes(f->batch + at, len - at), &gone)) <= 0)
				break;
		f->ring.lost_at = now;
		break;
	}
}

static void put(struct shoal_swarm *s, struct shoal_flight *f, shoal_us now)
{
	f->at = now;
	f->torrent = s->handle;
	shoal_flight_ring_put(&s->node->flights->ring, f);
}

static uint64_t ppm(double x)
{
	return x <= 0 ? 0 : x >= 1 ? 1000000 : (uint64_t)(x * 1e6 + 0.5);
}

static uint64_t reliability(const struct shoal_peer *p)
{
	const struct shoal_rep *r = shoal_peer_standing(p);
	return r != NULL ? ppm(shoal_rep_bound(r->kept, r->missed)) : 0;
}

static uint64_t integrity(const struct shoal_peer *p)
{
	const struct shoal_rep *r = shoal_peer_standing(p);
	return r != NULL ? ppm(shoal_rep_integrity(r)) : 0;
}

static uint64_t standing(const struct shoal_peer *p)
{
	const struct shoal_rep *r = shoal_peer_standing(p);
	return r != NULL ? r->state : SHOAL_REP_NEW;
}

/* ---- who ---------------------------------------------------------------------------------------- */

void shoal_note_torrent(struct shoal_swarm *s, shoal_us now)
{
	char text[SHOAL_FLIGHT_TEXT_MAX + 1];
	static const char digit[] = "0123456789abcdef";
	size_t n = 0;
	if (s->node->flights == NULL)
		return;
	const uint8_t *hash = s->has_v1 ? s->v1.b : s->v2.b;
	for (size_t i = 0; i < (s->has_v1 ? sizeof s->v1.b : sizeof s->v2.b); i++) {
		text[n++] = digit[hash[i] >> 4];
		text[n++] = digit[hash[i] & 15];
	}
	struct shoal_bytes name = shoal_metainfo_name(s->mi);
	text[n++] = ' ';
	size_t room = SHOAL_FLIGHT_TEXT_MAX - n;
	name.len = name.len < room ? name.len : room;
	if (name.len > 0)
		memcpy(text + n, name.at, name.len);
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_TORRENT,
				  .piece = SHOAL_FLIGHT_NONE,
				  .term = { shoal_metainfo_piece_count(s->mi), shoal_metainfo_piece_size(s->mi),
					    s->has_v2 },
				  .text = shoal_bytes(text, n + name.len) };
	put(s, &f, now);
}

void shoal_note_webseed(struct shoal_swarm *s, uint32_t source, struct shoal_bytes host, shoal_us now)
{
	if (s->node->flights == NULL)
		return;
	struct shoal_flight f = {
		.kind = SHOAL_FLIGHT_WEBSEED, .peer = source, .piece = SHOAL_FLIGHT_NONE, .text = host
	};
	put(s, &f, now);
}

void shoal_note_peer(struct shoal_peer *p, shoal_us now)
{
	if (p->node->flights == NULL)
		return;
	struct shoal_addr addr = p->addr;
	if (p->incoming && p->listen_port != 0)
		addr.port = p->listen_port;
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_PEER, .peer = p->source, .piece = SHOAL_FLIGHT_NONE };
	const struct shoal_rep *r = shoal_peer_standing(p);
	f.term[0] = addr.is_v4;
	f.term[1] = addr.is_v4 ? 0 : shoal_get_u64(addr.ip);
	f.term[2] = addr.is_v4 ? shoal_get_u32(addr.ip) : shoal_get_u64(addr.ip + 8);
	f.term[3] = addr.port;
	f.term[4] = p->incoming;
	f.term[5] = standing(p);
	f.term[6] = integrity(p);
	f.term[7] = r != NULL ? ppm((double)r->expect_wrong) : 0;
	f.term[8] = r != NULL ? r->blocks : 0;
	f.term[9] = r != NULL ? r->false_blocks : 0;
	put(p->swarm, &f, now);
	p->noted.stance = 0;
	shoal_note_stance(p, now);
}

void shoal_note_client(struct shoal_peer *p, shoal_us now)
{
	if (p->node->flights == NULL || p->client[0] == '\0')
		return;
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_CLIENT,
				  .peer = p->source,
				  .piece = SHOAL_FLIGHT_NONE,
				  .text = shoal_bytes(p->client, strlen(p->client)) };
	put(p->swarm, &f, now);
}

void shoal_note_key(struct shoal_peer *p, shoal_us now)
{
	char hex[2 * SHOAL_KEY_BYTES + 1];
	if (p->node->flights == NULL || p->known_by == NULL)
		return;
	const struct shoal_rep *r = &p->known_by->rep;
	shoal_hex_encode(shoal_bytes(p->known_by->who.key, SHOAL_KEY_BYTES), hex);
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_KEY,
				  .peer = p->source,
				  .piece = SHOAL_FLIGHT_NONE,
				  .term = { p->bound, r->state, r->blocks, r->false_blocks },
				  .text = shoal_bytes(hex, sizeof hex - 1) };
	put(p->swarm, &f, now);
}

void shoal_note_left(struct shoal_peer *p, shoal_us now)
{
	if (p->node->flights == NULL)
		return;
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_LEFT, .peer = p->source, .piece = SHOAL_FLIGHT_NONE };
	f.term[0] = (uint64_t)-p->closing;
	f.term[1] = shoal_sums_of(p)->got;
	f.term[2] = shoal_sums_of(p)->gave;
	put(p->swarm, &f, now);
	if (p->swarm->peer_count == 0 &&
	    !p->swarm->stopping) /* else it is we who leave, and it waits for nothing now */
		shoal_note_state(p->swarm, now);
}

void shoal_note_stance(struct shoal_peer *p, shoal_us now)
{
	if (p->node->flights == NULL || p->in_swarm_at == NULL)
		return;
	/* How many pieces it has is told along, and is no news by itself; that it has none, or all, is. */
	uint64_t amount = p->have.ones == 0 ? 0 : shoal_peer_is_seed(p) ? 2 : 1;
	uint64_t stance = 1 | (uint64_t)p->choking_us << 1 | (uint64_t)p->interesting << 2 |
			  (uint64_t)p->interested << 3 | amount << 4;
	if (stance == p->noted.stance)
		return;
	p->noted.stance = stance;
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_STANCE,
				  .peer = p->source,
				  .piece = SHOAL_FLIGHT_NONE,
				  .term = { p->choking_us, p->interesting, p->interested, p->have.ones } };
	put(p->swarm, &f, now);
}

/* ---- asking ---------------------------------------------------------------------------------------- */

static enum shoal_flight_limit limit_of(const struct shoal_peer *p, uint64_t worth, shoal_us now)
{
	if (p->choking_us)
		return SHOAL_FLIGHT_LIMIT_CHOKED;
	if (p->snubbed)
		return SHOAL_FLIGHT_LIMIT_STALL;
	if (p->noted.window == worth)
		return SHOAL_FLIGHT_LIMIT_TRUST;
	if (shoal_vet_depth(p, UINT32_MAX, now) == p->noted.window)
		return SHOAL_FLIGHT_LIMIT_VET;
	if (p->in_vain > 0)
		return SHOAL_FLIGHT_LIMIT_CLAIMS;
	return p->noted.window == p->reqq ? SHOAL_FLIGHT_LIMIT_REQQ : SHOAL_FLIGHT_LIMIT_LINE;
}

static enum shoal_flight_not not_of(const struct shoal_peer *q, bool has, shoal_us now)
{
	if (!has)
		return SHOAL_FLIGHT_NOT_LACKS;
	if (q->choking_us)
		return SHOAL_FLIGHT_NOT_CHOKES;
	if (q->snubbed)
		return SHOAL_FLIGHT_NOT_STALLS;
	if (q->ask_after > now)
		return q->repute != NULL && q->repute->rep.blocks == 0 && q->repute->rep.false_blocks > 0
			       ? SHOAL_FLIGHT_NOT_LIED
			       : SHOAL_FLIGHT_NOT_RESTING;
	return q->ask_count > 0 && q->ask_count >= q->noted.window ? SHOAL_FLIGHT_NOT_FULL : SHOAL_FLIGHT_NOT_TURN;
}

/* Those who have it, and then those who have not, while there is room to name them. */
static void note_others(struct shoal_peer *p, uint32_t piece, shoal_us now)
{
	uint32_t left = SHOAL_FLIGHT_OTHERS;
	for (int has = 1; has >= 0; has--) {
		for (struct shoal_peer *q = p->swarm->peers; q != NULL && left > 0; q = q->in_swarm) {
			if (q == p || q->closing || q->have.word == NULL ||
			    shoal_bits_get(&q->have, piece) != (bool)has)
				continue;
			struct shoal_flight f = { .kind = SHOAL_FLIGHT_NOT, .peer = q->source, .piece = piece };
			f.term[0] = not_of(q, has, now);
			f.term[1] = q->ask_count;
			f.term[2] = q->noted.window;
			f.term[3] = standing(q);
			put(p->swarm, &f, now);
			left--;
		}
	}
}

void shoal_note_ask(struct shoal_peer *p, const struct shoal_open *open, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	if (s->node->flights == NULL || p->noted.piece == open->piece + 1)
		return;
	p->noted.piece = open->piece + 1;
	bool begun = open->here == 0 && open->unasked == open->blocks;
	const struct shoal_rep *r = shoal_peer_standing(p);
	uint64_t worth = r != NULL && shoal_node_uses(p->node, SHOAL_WITHOUT_WINDOW) ? shoal_rep_window(r) : UINT32_MAX;
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_ASK, .peer = p->source, .piece = open->piece };
	f.term[0] = p->choking_us	       ? SHOAL_FLIGHT_HOW_ALLOWED
		    : open->due != SHOAL_NEVER ? SHOAL_FLIGHT_HOW_URGENT
		    : open->attempts > 0       ? SHOAL_FLIGHT_HOW_REPAIR
		    : begun		       ? open->how
					       : SHOAL_FLIGHT_HOW_JOINED;
	f.term[1] = shoal_picker_copies(s->picker, open->piece);
	f.term[2] = p->noted.window;
	f.term[3] = limit_of(p, worth, now);
	f.term[4] = worth;
	f.term[5] = shoal_flow_rate(&p->flow);
	f.term[6] = shoal_flow_delay(&p->flow);
	f.term[7] = standing(p);
	f.term[8] = integrity(p);
	f.term[9] = reliability(p);
	f.term[10] = p->ask_count;
	f.term[11] = shoal_picker_untouched(s->picker);
	put(s, &f, now);
	if (begun)
		note_others(p, open->piece, now);
}

void shoal_note_twice(struct shoal_peer *p, const struct shoal_open *open, uint32_t block,
		      const struct shoal_peer *other, shoal_us waited, shoal_us now)
{
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_TWICE,
				  .peer = p->source,
				  .piece = open->piece,
				  .term = { block, other->source, waited, other->snubbed } };
	put(p->swarm, &f, now);
}

void shoal_note_idle(struct shoal_peer *p, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	const struct shoal_policy *policy = p->node->policy;
	uint64_t held[SHOAL_HOLD_OWNED + 1] = { 0 }, open = 0;
	if (p->noted.idle_at != 0 && p->noted.idle_at + SHOAL_FLIGHT_IDLE_EVERY > now)
		return;
	for (struct shoal_open *o = s->landing.head; o != NULL && policy->hold != NULL; o = o->next) {
		if (o->state != SHOAL_OPEN_FETCHING || o->unasked == 0 || !shoal_bits_get(&p->have, o->piece))
			continue;
		open++;
		held[policy->hold(p, o, true, now)]++;
	}
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_IDLE, .peer = p->source, .piece = SHOAL_FLIGHT_NONE };
	f.term[0] = p->needs != SHOAL_PIECE_NONE;
	f.term[1] = open;
	f.term[2] = held[SHOAL_HOLD_DOUBT];
	f.term[4] = held[SHOAL_HOLD_ALONE];
	f.term[5] = held[SHOAL_HOLD_OWNED];
	f.term[6] = s->landing.busy || s->landing.full_bytes > SHOAL_LANDING_BACKLOG;
	f.term[7] = p->doubt;
	uint64_t idle = 1 | f.term[0] << 1 | (uint64_t)(held[SHOAL_HOLD_DOUBT] > 0) << 2 |
			(uint64_t)(held[SHOAL_HOLD_ALONE] > 0) << 4 | (uint64_t)(held[SHOAL_HOLD_OWNED] > 0) << 5 |
			f.term[6] << 6;
	if (idle == p->noted.idle)
		return;
	p->noted.idle = idle;
	p->noted.idle_at = now;
	put(s, &f, now);
}

void shoal_note_stall(struct shoal_peer *p, shoal_us waited, shoal_us patience, shoal_us now)
{
	if (p->node->flights == NULL)
		return;
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_STALL,
				  .peer = p->source,
				  .piece = SHOAL_FLIGHT_NONE,
				  .term = { waited, patience, p->ask_count, reliability(p) } };
	put(p->swarm, &f, now);
}

void shoal_note_back(struct shoal_peer *p, shoal_us now)
{
	if (p->node->flights == NULL)
		return;
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_BACK, .peer = p->source, .piece = SHOAL_FLIGHT_NONE };
	put(p->swarm, &f, now);
}

void shoal_note_refused(struct shoal_peer *p, uint32_t piece, shoal_us now)
{
	const struct shoal_rep *r = shoal_peer_standing(p);
	if (p->node->flights == NULL || r == NULL)
		return;
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_REFUSED, .peer = p->source, .piece = piece };
	f.term[0] = ppm(shoal_rep_bound(r->true_claim, r->no_claim));
	f.term[1] = true; /* earlier versions counted them no more at some point */
	put(p->swarm, &f, now);
}

/* ---- serving ------------------------------------------------------------------------------------------ */

void shoal_note_serve(struct shoal_swarm *s, const struct shoal_choker_view *views, size_t n,
		      const struct shoal_choke_terms *terms, shoal_us now)
{
	uint64_t bar = UINT64_MAX, waiting = 0;
	size_t i = 0;
	if (s->node->flights == NULL)
		return;
	for (i = 0; i < n; i++) {
		if (views[i].unchoked && views[i].why == SHOAL_CHOKE_EARNED && views[i].got < bar)
			bar = views[i].got;
		waiting += views[i].interested && !views[i].seed && !views[i].unchoked;
	}
	i = 0;
	for (struct shoal_peer *p = s->peers; p != NULL && i < n; p = p->in_swarm, i++) {
		const struct shoal_choker_view *v = &views[i];
		uint32_t served = !v->unchoked ? 0u : v->optimistic ? 2u : 1u;
		uint32_t said = 1u + served + 4u * v->why;
		if (said == p->noted.serve)
			continue;
		p->noted.serve = said;
		struct shoal_flight f = { .kind = SHOAL_FLIGHT_SERVE, .peer = p->source, .piece = SHOAL_FLIGHT_NONE };
		f.term[0] = served;
		f.term[1] = v->why;
		f.term[2] = v->got;
		f.term[3] = bar == UINT64_MAX ? 0 : bar;
		f.term[4] = v->gave;
		f.term[5] = v->got_ever;
		f.term[6] = v->gave_ever;
		f.term[7] = v->onward;
		f.term[8] = waiting;
		f.term[9] = terms->slots;
		f.term[10] = terms->seeding;
		f.term[11] = terms->turn_bytes;
		put(s, &f, now);
	}
}

/* ---- verdicts ------------------------------------------------------------------------------------------ */

void shoal_note_good(struct shoal_swarm *s, const struct shoal_open *open, shoal_us now)
{
	uint32_t source[SHOAL_EVIDENCE_SENDERS], blocks[SHOAL_EVIDENCE_SENDERS];
	size_t n = 0;
	if (s->node->flights == NULL)
		return;
	for (uint32_t b = 0; b < open->blocks; b++) {
		size_t i = 0;
		while (i < n && source[i] != open->source[b])
			i++;
		if ((i == n && n == SHOAL_EVIDENCE_SENDERS) || open->source[b] == SHOAL_SOURCE_HERE)
			continue;
		if (i == n) {
			source[n] = open->source[b];
			blocks[n++] = 0;
		}
		blocks[i]++;
	}
	for (size_t i = 0; i < n; i++) {
		struct shoal_flight part = { .kind = SHOAL_FLIGHT_PART,
					     .peer = source[i],
					     .piece = open->piece,
					     .term = { blocks[i], open->blocks } };
		put(s, &part, now);
	}
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_GOOD,
				  .piece = open->piece,
				  .term = { now - open->opened, n, open->attempts } };
	put(s, &f, now);
}

void shoal_note_bad(struct shoal_swarm *s, const struct shoal_open *open, size_t senders, shoal_us now)
{
	if (s->node->flights == NULL)
		return;
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_BAD, .piece = open->piece, .term = { senders, open->attempts } };
	put(s, &f, now);
}

void shoal_note_own(struct shoal_swarm *s, uint32_t piece, shoal_us now)
{
	if (s->node->flights == NULL)
		return;
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_OWN, .piece = piece };
	put(s, &f, now);
}

void shoal_note_suspect(struct shoal_swarm *s, const struct shoal_note_blame *b, const struct shoal_rep *r,
			shoal_us now)
{
	if (s->node->flights == NULL)
		return;
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_SUSPECT, .peer = b->source, .piece = b->piece };
	f.term[0] = ppm(b->share);
	f.term[1] = b->blocks;
	f.term[2] = b->of;
	f.term[3] = ppm(b->expect);
	f.term[4] = r != NULL ? ppm(shoal_rep_integrity(r)) : 0;
	put(s, &f, now);
}

void shoal_note_false(struct shoal_swarm *s, const struct shoal_note_blame *b, const struct shoal_rep *r, shoal_us now)
{
	if (s->node->flights == NULL)
		return;
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_FALSE, .peer = b->source, .piece = b->piece };
	f.term[0] = b->block;
	f.term[1] = b->why;
	f.term[2] = b->standing_before;
	f.term[3] = r->state;
	f.term[4] = ppm(b->integrity_before);
	f.term[5] = ppm(shoal_rep_integrity(r));
	f.term[6] = (uint64_t)((double)r->cusum * 1000 + 0.5);
	f.term[7] = r->false_blocks;
	f.term[8] = r->blocks;
	put(s, &f, now);
}

void shoal_note_cleared(struct shoal_swarm *s, const struct shoal_note_blame *b, shoal_us now)
{
	if (s->node->flights == NULL)
		return;
	struct shoal_flight f = {
		.kind = SHOAL_FLIGHT_CLEARED, .peer = b->source, .piece = b->piece, .term = { ppm(b->share) }
	};
	put(s, &f, now);
}

void shoal_note_ban(struct shoal_swarm *s, uint32_t source, uint32_t piece, const struct shoal_rep *r, shoal_us lasts,
		    const char *evidence, shoal_us now)
{
	if (s->node->flights == NULL)
		return;
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_BAN,
				  .peer = source,
				  .piece = piece,
				  .text = shoal_bytes(evidence, strlen(evidence)) };
	f.term[0] = lasts;
	f.term[1] = r != NULL ? (uint64_t)((double)r->cusum * 1000 + 0.5) : 0;
	f.term[2] = r != NULL ? r->false_blocks : 0;
	f.term[3] = r != NULL ? r->blocks : 0;
	put(s, &f, now);
}

/* ---- once a second --------------------------------------------------------------------------------------- */

/* Of the blocks that were asked for and have not come, the one that waits longest: who owes it. */
static struct shoal_peer *slowest(const struct shoal_swarm *s, uint32_t piece, shoal_us *since, uint32_t *holders,
				  uint32_t *choking)
{
	struct shoal_peer *slow = NULL;
	*since = SHOAL_NEVER;
	*holders = *choking = 0;
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm) {
		if (p->closing || p->have.word == NULL || !shoal_bits_get(&p->have, piece))
			continue;
		(*holders)++;
		*choking += p->choking_us;
		for (uint32_t i = 0; i < p->ask_count; i++) {
			const struct shoal_ask *a = shoal_peer_ask(p, i);
			if (a->piece != piece || a->at >= *since)
				continue;
			*since = a->at;
			slow = p;
		}
	}
	return slow;
}

static bool note_wait(struct shoal_swarm *s, const struct shoal_open *open, shoal_us now)
{
	shoal_us since;
	uint32_t holders, choking;
	if (open->opened + SHOAL_FLIGHT_WAIT_AFTER > now)
		return false;
	struct shoal_peer *p = slowest(s, open->piece, &since, &holders, &choking);
	if (open->state == SHOAL_OPEN_FETCHING && p != NULL && since + SHOAL_FLIGHT_WAIT_AFTER > now)
		return false; /* what it waits for was asked for a moment ago */
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_WAIT, .piece = open->piece };
	f.term[0] = open->state;
	f.term[1] = open->blocks - open->here;
	f.term[2] = open->unasked;
	f.term[3] = now - open->opened;
	f.term[4] = p != NULL ? p->source : 0;
	f.term[5] = p != NULL ? now - since : 0;
	f.term[6] = p != NULL && p->snubbed;
	f.term[7] = holders;
	f.term[8] = choking;
	put(s, &f, now);
	return true;
}

void shoal_note_state(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_STATE, .piece = SHOAL_FLIGHT_NONE };
	uint32_t waits = 0;
	if (s->node->flights == NULL || s->picker == NULL || s->state != SHOAL_SWARM_RUN)
		return;
	for (const struct shoal_open *o = s->landing.head; o != NULL && waits < SHOAL_FLIGHT_WAITS; o = o->next)
		waits += note_wait(s, o, now);
	bool done = shoal_picker_left(s->picker) == 0, late = s->flight_state_at + SHOAL_FLIGHT_STATE_EVERY <= now;
	/* The end is written at once, and once: who waits for nothing any more may be gone soon. */
	if (done ? s->flight_done : s->flight_state_at != 0 && !late && s->peer_count > 0)
		return;
	s->flight_done = done;
	s->flight_state_at = now;
	f.term[0] = shoal_picker_left(s->picker);
	f.term[1] = shoal_picker_untouched(s->picker);
	f.term[2] = shoal_picker_missing(s->picker);
	f.term[3] = s->peer_count;
	for (const struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm) {
		f.term[4] += !p->choking_us && p->interesting;
		f.term[5] += p->snubbed;
		f.term[9] += p->interesting;
	}
	f.term[6] = s->landing.busy;
	f.term[7] = s->landing.full_bytes > SHOAL_LANDING_BACKLOG;
	f.term[8] = s->held[SHOAL_DOWN];
	f.term[10] = shoal_rate_now(&s->down, now);
	put(s, &f, now);
}
