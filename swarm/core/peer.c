/* swarm/core/peer.c - one connection: how it comes and goes, what is said to it, time-outs. */
#include "swarm/core/peer.h"

#include <stdlib.h>
#include "swarm/core/node_room.h"
#include "swarm/core/turnover.h"

#define SPARE (16u * 1024) /* of what may wait to be said: long answers leave it to other messages */

/* ---- coming and going ------------------------------------------------------------- */

void shoal_peer_greet(struct shoal_peer *p, const struct shoal_id20 *hash, shoal_us now)
{
	struct shoal_wire_handshake hs = { .info_hash = *hash,
					   .peer_id = p->swarm->peer_id,
					   .can = SHOAL_CAN_EXTENDED | SHOAL_CAN_FAST };
	if (p->swarm->has_v2) /* never on a v1-only torrent: others drop us for it */
		hs.can |= SHOAL_CAN_V2;
	if (shoal_finder_serves(p->swarm))
		hs.can |= SHOAL_CAN_DHT;
	p->greeted = true;
	if (shoal_pw_greet(p->pw, &hs) < 0)
		shoal_peer_close(p, SHOAL_ERR_NOMEM, now);
	shoal_peer_stir_out(p);
}

struct shoal_peer *shoal_peer_new(struct shoal_node *node, struct shoal_transport *t, const struct shoal_addr *addr,
				  struct shoal_swarm *swarm, struct shoal_contact *contact, shoal_us now)
{
	struct shoal_peer *p = calloc(1, sizeof *p);
	if (node->bounce == NULL)
		node->bounce = malloc(SHOAL_PW_BOUNCE);
	if (p == NULL || node->bounce == NULL || shoal_pw_new(&p->pw, now) < 0) {
		free(p);
		t->ops->close(t);
		return NULL;
	}
	shoal_pw_heads(p->pw, shoal_slots_head(node->slots));
	p->node = node;
	p->swarm = swarm;
	p->serial = p->source = ++node->next_serial;
	if (shoal_peer_settle(p) < 0 || (contact != NULL && !shoal_contact_meet(swarm, contact, p))) {
		shoal_node_peers_give(node, p->charged);
		shoal_pw_free(p->pw);
		free(p);
		t->ops->close(t);
		return NULL;
	}
	p->t = p->below = t;
	p->addr = *addr;
	p->by = (uint8_t)shoal_carrier_of(t);
	p->born = p->useful_at = now;
	p->incoming = contact == NULL;
	p->choking_us = p->choked = true;
	p->needs = p->piece = SHOAL_PIECE_NONE;
	p->reqq = SHOAL_PEER_REQQ_SILENT;
	p->laid = SHOAL_PEER_LAID_MIN;
	shoal_flow_init(&p->flow, now);
	t->node_peer = p;

	p->prev = node->peers_last;
	*(node->peers_last != NULL ? &node->peers_last->next : &node->peers) = p;
	node->peers_last = p;
	node->peer_count++;
	p->wants = SHOAL_WANT_READ;
	t->ops->want(t, p->wants);
	/* Last: both close the peer, and its transport with it, when memory is short. */
	if (swarm != NULL)
		shoal_peer_greet(p, swarm->has_v1 ? &swarm->v1 : &swarm->v2_short, now);
	int rc = p->closing ? 0 : shoal_peer_mse_begin(p);
	if (rc < 0)
		shoal_peer_close(p, rc, now);
	return p;
}

/* What it has counts no more for what is rare. */
static void uncount(struct shoal_peer *p)
{
	if (p->counted && p->one_by_one)
		shoal_picker_peer_uncount(p->swarm->picker, &p->have);
	else if (p->counted)
		shoal_picker_peer_gone(p->swarm->picker, &p->have);
}

static void leave_swarm(struct shoal_peer *p, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	if (p->in_swarm_at == NULL)
		return;
	*p->in_swarm_at = p->in_swarm;
	if (p->in_swarm != NULL)
		p->in_swarm->in_swarm_at = p->in_swarm_at;
	p->in_swarm_at = NULL;
	s->peer_count--;
	uncount(p);
	p->counted = false;
	shoal_super_left(p, now);
	for (int way = SHOAL_UP; way <= SHOAL_DOWN; way++)
		if (s->turn[way] == p)
			s->turn[way] = p->in_swarm;
	if (!p->choked)
		s->rechoke = true;
	shoal_note_left(p, now);
	struct shoal_event ev = { .kind = SHOAL_EV_PEER_LEFT, .peer = p->serial, .addr = p->addr, .err = p->closing };
	shoal_swarm_say(s, &ev, now);
}

void shoal_peer_close(struct shoal_peer *p, int why, shoal_us now)
{
	if (p->closing)
		return;
	p->closing = why < 0 ? why : SHOAL_ERR_CLOSED;
	p->node->closings++;
	if (p->swarm != NULL) {
		shoal_evidence_missed(p, 0.25 * p->ask_count, now);
		shoal_peer_unask_all(p, now);
		p->hash_asked = 0;
		shoal_swarm_hashes_gone(p->swarm, p);
		if (p->swarm->mi == NULL)
			shoal_metadata_gone(&p->swarm->metadata, p->serial);
		leave_swarm(p, now);
	}
	shoal_peer_uploads_end(p);
	shoal_peer_long_message(p, now);
	if (p->contact != NULL) {
		shoal_evidence_left(p);
		shoal_contact_gone(p->swarm, p->contact, p->closing, now);
		p->contact = NULL;
	} else if (p->swarm != NULL) {
		shoal_account_left(p->swarm, p);
	}
	shoal_peer_mse_end(p);
	p->below->node_peer = NULL;
	p->t->ops->close(p->t);
	p->t = p->below = NULL;
}

static void stir(struct shoal_peer *p)
{
	struct shoal_node *n = p->node;
	if (p->stir_at != NULL)
		return;
	p->stir_next = NULL;
	p->stir_at = n->stirred_to;
	*n->stirred_to = p;
	n->stirred_to = &p->stir_next;
}

void shoal_peer_stir_in(struct shoal_peer *p)
{
	p->in_dirty = true;
	stir(p);
}

void shoal_peer_stir_out(struct shoal_peer *p)
{
	p->out_dirty = true;
	stir(p);
}

void shoal_peer_calm(struct shoal_peer *p)
{
	if (p->stir_at == NULL)
		return;
	*p->stir_at = p->stir_next;
	*(p->stir_next != NULL ? &p->stir_next->stir_at : &p->node->stirred_to) = p->stir_at;
	p->stir_at = NULL;
}

void shoal_peer_free(struct shoal_peer *p)
{
	struct shoal_node *node = p->node;
	shoal_peer_calm(p);
	node->closings--;
	*(p->prev != NULL ? &p->prev->next : &node->peers) = p->next;
	*(p->next != NULL ? &p->next->prev : &node->peers_last) = p->prev;
	node->peer_count--;
	if (p->have.word != NULL)
		shoal_budget_give(node->budget, shoal_bits_bytes(p->have.count));
	shoal_budget_give(node->budget, p->early_bits_len);
	shoal_bits_fini(&p->have);
	free(p->early_bits);
	free(p->early_have);
	free(p->ask);
	shoal_owed_fini(&p->owed);
	free(p->wanted);
	free(p->told);
	shoal_identity_end(p);
	shoal_repute_give(&node->repute, p->repute);
	shoal_guard_leave(&node->guard, &p->addr, (enum shoal_guard_place)p->place, node->now);
	shoal_node_peers_give(node, p->charged);
	shoal_pw_free(p->pw);
	free(p);
}

int shoal_peer_idle_talk(struct shoal_peer *p, shoal_us now)
{
	if (shoal_patience_charge(&p->talk, SHOAL_PATIENCE_TALK, SHOAL_PATIENCE_TALK_MINUTE, now))
		return 0;
	return SHOAL_ERR_REFUSED;
}

bool shoal_peer_deaf(const struct shoal_peer *p, shoal_us now)
{
	if (p->blocked_since != 0)
		return p->blocked_since + SHOAL_PEER_DEAF_TIME <= now;
	return !p->choked && p->gave_turn == 0 && p->wanted_count == 0 && p->unchoked_at + SHOAL_PEER_MUTE_TIME <= now;
}

bool shoal_peer_is_seed(const struct shoal_peer *p)
{
	return p->have_all || (p->have.count > 0 && shoal_bits_full(&p->have));
}

/* ---- saying ------------------------------------------------------------------------ */

void shoal_peer_say(struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now)
{
	if (p->closing)
		return;
	int rc = shoal_pw_say(p->pw, msg);
	if (rc < 0)
		shoal_peer_close(p, rc, now);
	shoal_peer_stir_out(p);
}

void shoal_peer_say_id(struct shoal_peer *p, enum shoal_wire_id id, shoal_us now)
{
	struct shoal_wire_msg msg = { .id = (uint16_t)id };
	shoal_peer_say(p, &msg, now);
}

void shoal_peer_say_ext(struct shoal_peer *p, uint8_t ext, struct shoal_bytes body, shoal_us now)
{
	struct shoal_wire_msg msg = { .id = SHOAL_WIRE_EXTENDED, .ext = ext, .body = body };
	shoal_peer_say(p, &msg, now);
}

bool shoal_peer_has_room(const struct shoal_peer *p, size_t bytes)
{
	return !p->closing && bytes + SPARE <= shoal_pw_room(p->pw);
}

/* What we have, in the shortest words. */
static void say_have(struct shoal_peer *p, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	/* Until the scan has ended `claimed` is what it could still come to, not what is so; run() tells the rest. */
	bool none = !shoal_swarm_running(s) || s->claimed.ones == 0;
	if (s->mi == NULL || none || shoal_super_masked(p)) {
		if (p->fast)
			shoal_peer_say_id(p, SHOAL_WIRE_HAVE_NONE, now);
		return;
	}
	if (p->fast && shoal_bits_full(&s->claimed))
		return shoal_peer_say_id(p, SHOAL_WIRE_HAVE_ALL, now);
	size_t len = ((size_t)s->claimed.count + 7) / 8;
	uint8_t *bits = malloc(len);
	if (bits == NULL)
		return shoal_peer_close(p, SHOAL_ERR_NOMEM, now);
	shoal_bits_store(&s->claimed, (struct shoal_space){ bits, len });
	struct shoal_wire_msg msg = { .id = SHOAL_WIRE_BITFIELD, .body = { bits, len } };
	shoal_peer_say(p, &msg, now);
	free(bits);
}

void shoal_peer_introduce(struct shoal_peer *p, shoal_us now)
{
	shoal_super_greet(p, now);
	if (p->extended) {
		p->ext_said = true;
		shoal_peer_say_ext_handshake(p, now);
	}
	if (!p->closing)
		say_have(p, now);
	if (!p->closing && p->dht && shoal_finder_port(p->node) != 0 && shoal_finder_serves(p->swarm)) {
		struct shoal_wire_msg port = { .id = SHOAL_WIRE_PORT, .port = p->node->port };
		shoal_peer_say(p, &port, now);
	}
}

/* ---- time ---------------------------------------------------------------------------------- */

void shoal_peer_tick(struct shoal_peer *p, shoal_us now)
{
	if (shoal_peer_sated(p))
		p->sated_at = now;
	/* What we do not read is not its silence. */
	shoal_us heard = shoal_max_u64(shoal_pw_heard(p->pw), p->sated_at);
	shoal_us partial = shoal_pw_partial_since(p->pw);
	if (partial != 0)
		partial = shoal_max_u64(partial, p->sated_at);
	if (!p->known) {
		if (p->born + SHOAL_PEER_HANDSHAKE_TIME <= now)
			shoal_peer_close(p, SHOAL_ERR_TIMEOUT, now);
		return;
	}
	if (heard + SHOAL_PEER_IDLE_TIME <= now || (partial != 0 && partial + SHOAL_PEER_PARTIAL_TIME <= now))
		return shoal_peer_close(p, SHOAL_ERR_TIMEOUT, now);
	if (!p->choked && shoal_peer_deaf(p, now))
		p->swarm->rechoke = true;
	if (p->optimistic && p->wanted_count > 0) /* held back, perhaps, until others have had their part */
		shoal_peer_stir_out(p);
	if (p->blocked_since != 0 && p->blocked_since + SHOAL_PEER_BLOCKED_TIME <= now)
		return shoal_peer_close(p, SHOAL_ERR_TIMEOUT, now);
	if (shoal_pw_spoke(p->pw) + SHOAL_PEER_KEEPALIVE <= now && shoal_pw_queued(p->pw) == 0)
		shoal_peer_say_id(p, SHOAL_WIRE_KEEPALIVE, now);
	if (!p->closing)
		shoal_peer_asks_overdue(p, now);
	if (!p->closing)
		shoal_peer_gossip(p, now);
}
