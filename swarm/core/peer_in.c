/* swarm/core/peer_in.c - what one peer says: its handshake, what it has, its messages; and how they are read. */
#include "swarm/core/peer.h"

#include <stdlib.h>
#include <string.h>
#include "swarm/core/node_room.h"
#include "swarm/core/parted.h"
#include "swarm/core/turnover.h"

/* ---- handshake ---------------------------------------------------------------------- */

static void join_swarm(struct shoal_peer *p)
{
	struct shoal_swarm *s = p->swarm;
	p->in_swarm = s->peers;
	if (s->peers != NULL)
		s->peers->in_swarm_at = &p->in_swarm;
	s->peers = p;
	p->in_swarm_at = &s->peers;
	s->peer_count++;
	shoal_node_wake(s);
}

static int on_info_hash(struct shoal_peer *p, const struct shoal_wire_handshake *hs, shoal_us now)
{
	bool by_v2 = false;
	struct shoal_swarm *s = shoal_node_swarm(p->node, &hs->info_hash, &by_v2);
	if (s == NULL || (p->swarm != NULL && s != p->swarm) || s->state == SHOAL_SWARM_ENDED)
		return SHOAL_ERR_GONE;
	p->can = hs->can;
	p->fast = hs->can & SHOAL_CAN_FAST;
	p->extended = hs->can & SHOAL_CAN_EXTENDED;
	p->dht = hs->can & SHOAL_CAN_DHT;
	if (p->incoming) {
		if (!shoal_swarm_running(s) && s->state != SHOAL_SWARM_METADATA)
			return SHOAL_ERR_BUSY; /* not ready: it will try again */
		if (shoal_swarm_crowded(s, &p->addr, now))
			return SHOAL_ERR_BUSY;
		p->swarm = s;
		/* A hybrid answers a v1 greeting that can v2 with its v2 hash: the upgrade (BEP 52). */
		bool upgrade = !by_v2 && s->has_v2 && (hs->can & SHOAL_CAN_V2);
		p->v2 = by_v2 || upgrade;
		shoal_peer_greet(p, p->v2 ? &s->v2_short : &s->v1, now);
	} else {
		p->v2 = by_v2; /* the hash it answers with says it; the bit may be missing (libtorrent without metadata) */
	}
	return 0;
}

/* Of two connections with one peer the one dialled by the higher id stays; both sides come to the same end. */
static bool duplicate(struct shoal_peer *p, shoal_us now)
{
	for (struct shoal_peer *q = p->swarm->peers; q != NULL; q = q->in_swarm) {
		if (memcmp(q->id.b, p->id.b, 20) != 0)
			continue;
		/* A peer id is no secret: from elsewhere it may be a thief, who shall not push out its owner. Or it is the
		 * owner, in another network now; then the old connection has fallen silent. */
		if (q->addr.is_v4 == p->addr.is_v4 && memcmp(q->addr.ip, p->addr.ip, p->addr.is_v4 ? 4 : 16) != 0) {
			if (shoal_pw_heard(q->pw) + SHOAL_PEER_AWAY > now)
				return true;
			shoal_peer_close(q, SHOAL_ERR_EXISTS, now);
			return false;
		}
		bool ours_higher = memcmp(p->swarm->peer_id.b, p->id.b, 20) > 0;
		bool keep_new = p->incoming != q->incoming && (p->incoming ? !ours_higher : ours_higher);
		if (q->addr.is_v4 != p->addr.is_v4)
			shoal_parted_note(keep_new ? q : p);
		if (!keep_new)
			return true;
		if (p->contact != NULL && q->contact == NULL)
			shoal_account_join(p->swarm, p->contact->account, q);
		shoal_peer_close(q, SHOAL_ERR_EXISTS, now);
		return false;
	}
	return false;
}

static int on_peer_id(struct shoal_peer *p, const struct shoal_wire_handshake *hs, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	p->id = hs->peer_id;
	if (memcmp(p->id.b, s->peer_id.b, 20) == 0) {
		if (p->contact != NULL)
			p->contact->self = true;
		return SHOAL_ERR_REFUSED;
	}
	if (duplicate(p, now))
		return SHOAL_ERR_EXISTS;
	p->known = true;
	shoal_pw_terms(p->pw, s->mi != NULL ? shoal_metainfo_piece_count(s->mi) : 0, p->fast, p->extended, p->v2);
	if (s->mi != NULL) {
		uint32_t pieces = shoal_metainfo_piece_count(s->mi);
		if (!shoal_node_charge(p->node, shoal_bits_bytes(pieces)))
			return SHOAL_ERR_NOMEM;
		if (shoal_bits_init(&p->have, pieces) < 0) {
			shoal_budget_give(p->node->budget, shoal_bits_bytes(pieces));
			return SHOAL_ERR_NOMEM;
		}
	}
	uint32_t now_s = shoal_node_seconds(p->node, now);
	p->repute = shoal_repute_take(&p->node->repute, &p->addr, now_s);
	if (p->repute == NULL)
		return SHOAL_ERR_NOMEM;
	if (p->contact != NULL)
		p->repute->listens = true;
	if (p->node->policy->scores && p->repute->rep.state == SHOAL_REP_BANNED)
		return SHOAL_ERR_REFUSED;
	join_swarm(p);
	shoal_note_peer(p, now);
	struct shoal_event ev = { .kind = SHOAL_EV_PEER_JOINED, .peer = p->serial, .addr = p->addr };
	shoal_swarm_say(s, &ev, now);
	shoal_peer_introduce(p, now);
	return 0;
}

/* ---- what it has --------------------------------------------------------------------- */

static void count_in(struct shoal_peer *p)
{
	if (!p->counted && p->swarm->picker != NULL) {
		shoal_picker_peer_joined(p->swarm->picker, &p->have);
		p->counted = true;
	}
}

static int on_have(struct shoal_peer *p, uint32_t piece, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	p->got_bitfield = true;
	if (s->mi == NULL) {
		if (piece >= SHOAL_PIECES_MAX || p->early_have_count == SHOAL_PEER_EARLY_HAVES)
			return SHOAL_ERR_RANGE;
		if (p->early_have == NULL)
			p->early_have = shoal_peer_grow(p, SHOAL_PEER_EARLY_HAVES * sizeof *p->early_have)
						? malloc(SHOAL_PEER_EARLY_HAVES * sizeof *p->early_have)
						: NULL;
		if (p->early_have == NULL)
			return SHOAL_ERR_NOMEM;
		p->early_have[p->early_have_count++] = piece;
		return 0;
	}
	if (piece >= p->have.count)
		return SHOAL_ERR_RANGE;
	count_in(p);
	if (!shoal_bits_set(&p->have, piece))
		return shoal_peer_idle_talk(p, now);
	shoal_picker_peer_has(s->picker, piece);
	if (shoal_bits_full(&p->have) && !p->one_by_one)
		shoal_picker_peer_full(s->picker, &p->have);
	shoal_note_stance(p, now);
	shoal_super_has(p, piece, now);
	if (p->needs == SHOAL_PIECE_NONE && !shoal_picker_is_done(s->picker, piece))
		shoal_peer_interest(p, now);
	shoal_peer_stir_in(p);
	return 0;
}

/*
 * BEP 3 has one bitfield, before any HAVE. But aria2 says a bitfield where it has twenty HAVEs or more to say at once, and
 * all it says is counted for so many HAVEs. What it had, it keeps: only lt_donthave takes a piece back.
 */
static int on_bitfield_again(struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now)
{
	uint32_t had = p->have.ones;
	if (p->swarm->mi == NULL || msg->id == SHOAL_WIRE_HAVE_NONE)
		return SHOAL_ERR_MALFORMED;
	bool all = msg->id == SHOAL_WIRE_HAVE_ALL;
	if (!all && msg->body.len != ((size_t)p->have.count + 7) / 8)
		return SHOAL_ERR_MALFORMED;
	for (uint32_t i = shoal_bits_next_clear(&p->have, 0); i < p->have.count;
	     i = shoal_bits_next_clear(&p->have, i + 1)) {
		int rc = all || (msg->body.at[i / 8] >> (7 - i % 8) & 1) ? on_have(p, i, now) : 0;
		if (rc < 0 || p->closing)
			return rc;
	}
	return p->have.ones > had ? 0 : shoal_peer_idle_talk(p, now);
}

static int on_bitfield(struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	if (p->got_bitfield)
		return on_bitfield_again(p, msg, now);
	p->got_bitfield = true;
	if (s->mi == NULL) {
		if (msg->id == SHOAL_WIRE_HAVE_ALL)
			p->have_all = true;
		if (msg->id != SHOAL_WIRE_BITFIELD)
			return 0;
		if (!shoal_node_charge(p->node, msg->body.len))
			return SHOAL_ERR_NOMEM;
		p->early_bits = malloc(msg->body.len);
		p->early_bits_len = msg->body.len;
		if (p->early_bits == NULL)
			return SHOAL_ERR_NOMEM;
		memcpy(p->early_bits, msg->body.at, msg->body.len);
		return 0;
	}
	if (msg->id == SHOAL_WIRE_HAVE_ALL)
		shoal_bits_fill(&p->have);
	else if (msg->id == SHOAL_WIRE_BITFIELD && shoal_bits_load(&p->have, msg->body, true) < 0)
		return SHOAL_ERR_MALFORMED;
	count_in(p);
	shoal_super_joined(p, now);
	shoal_peer_interest(p, now);
	shoal_note_stance(p, now);
	(void)shoal_peer_part(p, now);
	return 0;
}

int shoal_peer_metadata(struct shoal_peer *p, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	uint32_t pieces = shoal_metainfo_piece_count(s->mi);
	if (!p->known)
		return 0;
	if (!shoal_node_charge(p->node, shoal_bits_bytes(pieces)))
		return SHOAL_ERR_NOMEM;
	if (shoal_bits_init(&p->have, pieces) < 0) {
		shoal_budget_give(p->node->budget, shoal_bits_bytes(pieces));
		return SHOAL_ERR_NOMEM;
	}
	if (p->have_all)
		shoal_bits_fill(&p->have);
	if (p->early_bits != NULL && shoal_bits_load(&p->have, shoal_bytes(p->early_bits, p->early_bits_len), true) < 0)
		return SHOAL_ERR_MALFORMED;
	for (uint32_t i = 0; i < p->early_have_count; i++) {
		if (p->early_have[i] >= pieces)
			return SHOAL_ERR_RANGE;
		shoal_bits_set(&p->have, p->early_have[i]);
	}
	p->have_all = false;
	shoal_budget_give(p->node->budget, p->early_bits_len);
	free(p->early_bits);
	free(p->early_have);
	p->early_bits = NULL;
	p->early_have = NULL;
	p->early_bits_len = 0;
	p->early_have_count = 0;
	shoal_pw_terms(p->pw, pieces, p->fast, p->extended, p->v2);
	if (p->got_bitfield)
		count_in(p);
	shoal_peer_interest(p, now);
	shoal_note_stance(p, now);
	if (p->ext_said) /* tell the size now that we know it */
		shoal_peer_say_ext_handshake(p, now);
	return 0;
}

/* ---- messages -------------------------------------------------------------------------- */

static void on_choke(struct shoal_peer *p, bool choked, shoal_us now)
{
	p->choking_us = choked;
	if (p->in_vain > 0 && p->ask_after > now + SHOAL_PEER_IN_VAIN_FIRST)
		p->ask_after =
			now +
			SHOAL_PEER_IN_VAIN_FIRST; /* not of one that lied: it says that things have changed, so one more try */
	if (choked && !p->fast)			  /* a fast peer rejects what it will not send (BEP 6) */
		shoal_peer_unask_all(p, now);
	shoal_peer_recovered(p, now);
	shoal_note_stance(p, now);
	shoal_peer_stir_in(p);
}

static int on_reject(struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now)
{
	if (p->swarm->mi == NULL || msg->begin % SHOAL_BLOCK != 0)
		return shoal_peer_idle_talk(p, now);
	if (shoal_owed_paid(p, msg->index, msg->begin / SHOAL_BLOCK, now))
		return 0; /* the answer to a cancel; it may have been asked for again: that is yet to be answered */
	if (!shoal_peer_unask(p, msg->index, msg->begin / SHOAL_BLOCK, false, now))
		return shoal_peer_idle_talk(p, now);
	shoal_pace_spared(p->swarm, msg->len < SHOAL_BLOCK ? msg->len : SHOAL_BLOCK);
	p->swarm->dirty_fill = true; /* others may have it */
	if (!p->choking_us)
		shoal_evidence_refused(p, msg->index, now);
	if (p->choking_us)
		shoal_fast_refused(p, msg->index);
	else /* asked again at once, it would say the same again, for ever */
		shoal_peer_in_vain(p, true, now);
	return 0;
}

static int on_message(struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now)
{
	int rc;
	switch (msg->id) {
	case SHOAL_WIRE_KEEPALIVE: return shoal_peer_idle_talk(p, now);
	case SHOAL_WIRE_CHOKE:
	case SHOAL_WIRE_UNCHOKE: on_choke(p, msg->id == SHOAL_WIRE_CHOKE, now); return shoal_peer_idle_talk(p, now);
	case SHOAL_WIRE_INTERESTED:
	case SHOAL_WIRE_NOT_INTERESTED:
		p->interested = msg->id == SHOAL_WIRE_INTERESTED;
		p->swarm->rechoke = true;
		shoal_super_wants(p, now);
		shoal_note_stance(p, now);
		return shoal_peer_idle_talk(p, now);
	case SHOAL_WIRE_HAVE: return on_have(p, msg->index, now);
	case SHOAL_WIRE_BITFIELD:
	case SHOAL_WIRE_HAVE_ALL:
	case SHOAL_WIRE_HAVE_NONE: return on_bitfield(p, msg, now);
	case SHOAL_WIRE_REQUEST: shoal_peer_wants(p, msg, now); return 0;
	case SHOAL_WIRE_CANCEL: shoal_peer_cancels(p, msg, now); return 0;
	case SHOAL_WIRE_REJECT: return on_reject(p, msg, now);
	case SHOAL_WIRE_EXTENDED: return shoal_peer_extended(p, msg, now);
	case SHOAL_WIRE_HASH_REQUEST: shoal_swarm_hash_request(p->swarm, p, &msg->range, now); return 0;
	case SHOAL_WIRE_HASHES: shoal_swarm_hashes(p->swarm, p, msg, now); return 0;
	case SHOAL_WIRE_HASH_REJECT: shoal_swarm_hash_rejected(p->swarm, p, &msg->range, now); return 0;
	case SHOAL_WIRE_SUGGEST:
	case SHOAL_WIRE_ALLOWED_FAST: rc = shoal_fast_said(p, msg); return rc > 0 ? shoal_peer_idle_talk(p, now) : rc;
	case SHOAL_WIRE_PORT: /* BEP 5: it has a DHT node there */
		if (shoal_finder_serves(p->swarm)) {
			struct shoal_addr node = p->addr;
			node.port = msg->port;
			shoal_finder_heard_of(p->node, &node, now);
		}
		return shoal_peer_idle_talk(p, now);
	default: /* suggest, allowed fast, and what we do not know: advice we do not take */
		return shoal_peer_idle_talk(p, now);
	}
}

static int on_event(struct shoal_peer *p, const struct shoal_pw_event *ev, shoal_us now)
{
	switch (ev->kind) {
	case SHOAL_PW_HANDSHAKE: return on_info_hash(p, &ev->handshake, now);
	case SHOAL_PW_PEER_ID: return on_peer_id(p, &ev->handshake, now);
	case SHOAL_PW_MESSAGE: return on_message(p, &ev->msg, now);
	case SHOAL_PW_BLOCK_BEGIN:
		shoal_pw_land(p->pw, shoal_peer_place(p, ev->msg.index, ev->msg.begin, ev->len));
		return 0;
	case SHOAL_PW_BLOCK: shoal_peer_block(p, ev, now); return 0;
	}
	return SHOAL_ERR_MALFORMED;
}

/* `n` bytes lie in the spans: what they say. false: the peer has been closed. */
static bool landed(struct shoal_peer *p, size_t n, shoal_us now)
{
	struct shoal_pw_event ev;
	int rc;
	shoal_pw_filled(p->pw, n, p->node->bounce, now);
	while ((rc = shoal_pw_poll(p->pw, &ev)) > 0) {
		rc = on_event(p, &ev, now);
		if (p->closing)
			return false;
		if (rc < 0)
			break;
	}
	if (rc == 0)
		rc = shoal_peer_settle(p);
	if (rc < 0)
		shoal_peer_close(p, rc, now);
	else if (p->long_bytes != shoal_pw_long(p->pw))
		shoal_peer_long_message(p, now);
	return !p->closing;
}

void shoal_peer_feed(struct shoal_peer *p, struct shoal_bytes in, shoal_us now)
{
	struct shoal_space to[SHOAL_PW_SPANS];
	while (in.len > 0) {
		shoal_peer_forecast(p);
		size_t n = shoal_pw_space(p->pw, to, SHOAL_PW_SPANS);
		size_t put = 0;
		for (size_t i = 0; i < n && put < in.len; i++) {
			size_t here = to[i].len < in.len - put ? to[i].len : in.len - put;
			memcpy(to[i].at, in.at + put, here);
			put += here;
		}
		if (!landed(p, put, now))
			return;
		in = shoal_bytes(in.at + put, in.len - put);
	}
	shoal_peer_stir_in(p);
}

/* A read brought `n` bytes of the `room` laid out. A place for each block that could come costs time, in us and in the
 * kernel; of most peers one comes at a time, of a fast one as many as there is room for. */
static void laid_learn(struct shoal_peer *p, size_t n, size_t room)
{
	if (n == room && p->laid < SHOAL_PW_FORECAST) {
		p->laid = p->laid < SHOAL_PW_FORECAST / 2 ? 2 * p->laid : SHOAL_PW_FORECAST;
		p->foretold = false;
	} else if (n < room / 4 && p->laid > SHOAL_PEER_LAID_MIN) {
		p->laid--;
	}
}

void shoal_peer_readable(struct shoal_peer *p, shoal_us now)
{
	struct shoal_space to[SHOAL_PW_SPANS];
	size_t budget = SHOAL_NODE_READ_BUDGET;
	if (p->mse != NULL && !shoal_peer_mse_readable(p, now))
		return;
	while (!p->closing && !shoal_peer_sated(p)) {
		shoal_peer_forecast(p);
		size_t n = shoal_pw_space(p->pw, to, 2 * (size_t)p->laid + 1);
		size_t room = 0;
		for (size_t i = 0; i < n; i++)
			room += to[i].len;
		ptrdiff_t got = p->t->ops->recv(p->t, to, n);
		if (got == 0)
			return;
		if (got < 0)
			return shoal_peer_close(p, (int)got, now);
		laid_learn(p, (size_t)got, room);
		if (!landed(p, (size_t)got, now))
			return;
		shoal_peer_stir_in(p);
		if ((size_t)got < room || (size_t)got >= budget)
			return; /* nothing more for now, or others' turn: readiness is level triggered */
		budget -= (size_t)got;
	}
}
