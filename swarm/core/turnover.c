/* swarm/core/turnover.c - see turnover.h. */
#include "swarm/core/turnover.h"

#include <stdio.h>
#include <string.h>
#include "proto/reach.h"
#include "proto/transport_rc4.h"
#include "swarm/core/gossip.h"
#include "swarm/core/node_room.h"
#include "swarm/core/parted.h"

#define SERVING_SLOTS 4u
#define SCAN_AGAIN SHOAL_MS(100) /* nobody could go: not looked at again for every connection of a flood */

/* ---- what they cost ---------------------------------------------------------------------- */

static size_t beyond(const struct shoal_node *n, size_t used)
{
	return used > n->purse ? used - n->purse : 0;
}

void shoal_node_purse(struct shoal_node *n)
{
	size_t part = n->budget->limit / 16;
	part = shoal_max_u64(part, shoal_min_u64(n->budget->limit / 4, SHOAL_PEERS_PURSE_MIN));
	part = shoal_min_u64(part, SHOAL_PEERS_PURSE_MAX);
	n->purse = shoal_budget_take(n->budget, part) ? part : 0;
}

bool shoal_node_peers_take(struct shoal_node *n, size_t bytes)
{
	size_t more = beyond(n, n->peers_used + bytes) - beyond(n, n->peers_used);
	/* Blocks to serve from are left, or two whose memory is full would wait for each other for ever. */
	if (more > 0 && shoal_slots_spare(n->slots) < SERVING_SLOTS + more / SHOAL_BLOCK + 1)
		return false;
	if (more > 0 && !shoal_node_charge(n, more))
		return false;
	n->peers_used += bytes;
	return true;
}

void shoal_node_peers_give(struct shoal_node *n, size_t bytes)
{
	shoal_budget_give(n->budget, beyond(n, n->peers_used) - beyond(n, n->peers_used - bytes));
	n->peers_used -= bytes;
}

static size_t cost_of(const struct shoal_peer *p)
{
	size_t reads = 0;
	for (unsigned i = 0; i < SHOAL_PEER_READS; i++)
		reads += p->read[i] != NULL;
	/* What a message takes that is long and not whole yet is charged by itself (crowd.c). */
	size_t hidden = (p->mse != NULL ? shoal_mse_bytes() : 0) + (p->t != p->below ? shoal_transport_rc4_bytes() : 0);
	return sizeof *p + hidden + shoal_pw_bytes(p->pw) - shoal_pw_long(p->pw) + p->ask_room * sizeof *p->ask +
	       p->wanted_room * sizeof *p->wanted + p->told_room * sizeof *p->told + shoal_owed_bytes(&p->owed) +
	       reads * sizeof **p->read + (p->acquaintance != NULL ? sizeof *p->acquaintance : 0) +
	       (p->early_have != NULL ? SHOAL_PEER_EARLY_HAVES * sizeof *p->early_have : 0);
}

bool shoal_peer_grow(struct shoal_peer *p, size_t bytes)
{
	if (!shoal_node_peers_take(p->node, bytes))
		return false;
	p->charged += bytes;
	return true;
}

int shoal_peer_settle(struct shoal_peer *p)
{
	size_t cost = cost_of(p);
	if (cost < p->charged)
		shoal_node_peers_give(p->node, p->charged - cost);
	else if (cost > p->charged && !shoal_node_peers_take(p->node, cost - p->charged))
		return SHOAL_ERR_NOMEM;
	p->charged = cost;
	return 0;
}

/* ---- two that need nothing ---------------------------------------------------------------- */

bool shoal_swarm_uploads_only(const struct shoal_swarm *s)
{
	return shoal_swarm_seeding(s) || (s->read_only && s->mi != NULL && shoal_swarm_running(s));
}

static bool gives_only(const struct shoal_peer *p)
{
	return p->upload_only || shoal_peer_is_seed(p);
}

static bool both_give_only(const struct shoal_peer *p)
{
	/* It is told first, if it does not know that we have all: so it knows that it is not alone. */
	return p->known && gives_only(p) && shoal_swarm_uploads_only(p->swarm) && !shoal_super_masked(p);
}

bool shoal_peer_part(struct shoal_peer *p, shoal_us now)
{
	if (p->contact != NULL && p->known)
		p->contact->uploads_only = gives_only(p);
	if (p->closing || !both_give_only(p))
		return false;
	shoal_parted_note(p);
	shoal_peer_close(p, SHOAL_ERR_GONE, now);
	return true;
}

void shoal_swarm_turnover(struct shoal_swarm *s, shoal_us now)
{
	bool only = s->mi != NULL && shoal_swarm_uploads_only(s);
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		if (p->interested || p->interesting)
			p->useful_at = now;
		p->snubbed_at = !p->snubbed ? 0 : p->snubbed_at == 0 ? now : p->snubbed_at;
		/* Nobody goes while what it has, or may want, is not known yet. */
		if (p->got_bitfield && shoal_peer_part(p, now))
			continue;
		if (p->ext_said && p->said_uploads_only != (only && !shoal_super_masked(p)))
			shoal_peer_say_ext_handshake(p, now);
	}
}

/* ---- making room --------------------------------------------------------------------------- */

/* The later, the sooner it goes; all up to OF_USE stay. */
enum use { SERVES, OF_USE, IDLE, SNUBBED, USELESS, CROWDS, GIVES_ONLY, SILENT };

static bool serves_us(const struct shoal_peer *p, shoal_us now)
{
	return p->flow.last_block != 0 && p->flow.last_block + SHOAL_TURNOVER_SERVED > now;
}

static enum use use_of(const struct shoal_peer *p, shoal_us now)
{
	if (p->closing || p->born + SHOAL_TURNOVER_SETTLED > now)
		return SERVES;
	if (!p->known) /* has not even finished its handshake */
		return p->incoming ? SILENT : OF_USE;
	if (both_give_only(p))
		return GIVES_ONLY;
	if ((p->contact != NULL && p->contact->trusted) || serves_us(p, now))
		return SERVES;
	if (p->place == SHOAL_GUARD_STRANGER &&
	    shoal_guard_crowds(&p->node->guard, &p->addr, p->node->swarm_count, now))
		return CROWDS;
	if (p->swarm->mi == NULL) /* who wants what is not known yet */
		return OF_USE;
	if (p->useful_at + SHOAL_TURNOVER_USELESS <= now)
		return USELESS;
	/* It owes us for long, and takes nothing that we give, either. */
	if (p->snubbed_at != 0 && p->snubbed_at + SHOAL_TURNOVER_SNUBBED <= now && p->up.total == p->up_seen)
		return SNUBBED;
	return p->interested || p->interesting ? OF_USE : IDLE;
}

static bool far(const struct shoal_addr *addr)
{
	return shoal_reach_of(addr) == SHOAL_REACH_GLOBAL;
}

/* A few in a hundred a minute. */
static bool allowance(struct shoal_node *n, shoal_us now)
{
	uint32_t most = n->max_peers * SHOAL_TURNOVER_PERCENT / 100;
	if (n->turned_since + SHOAL_S(60) <= now) {
		n->turned_since = now;
		n->turned = 0;
	}
	if (n->turned >= (most > 0 ? most : 1))
		return false;
	n->turned++;
	return true;
}

static enum shoal_regard regard_of(const struct shoal_peer *p)
{
	return shoal_rep_regard(p->node->policy->scores ? shoal_peer_standing(p) : NULL);
}

static enum shoal_regard regard_at(const struct shoal_node *n, const struct shoal_addr *addr)
{
	const struct shoal_repute_entry *e = n->policy->scores ? shoal_repute_find(&n->repute, addr) : NULL;
	return shoal_rep_regard(e != NULL ? &e->rep : NULL);
}

/* All are of use. One with a bad record goes for anybody without; else it is by canonical priority (BEP 40), on which the
 * newcomer's side agrees with us. */
static bool gives_way(struct shoal_node *n, const struct shoal_peer *low, const struct shoal_addr *addr)
{
	if (regard_at(n, addr) == SHOAL_REGARD_BAD || !far(addr))
		return false;
	return regard_of(low) == SHOAL_REGARD_BAD || shoal_node_priority(n, addr) > shoal_node_priority(n, &low->addr);
}

bool shoal_node_make_room(struct shoal_node *n, const struct shoal_addr *addr, shoal_us now)
{
	struct shoal_peer *go = NULL, *low = NULL;
	enum use worst = OF_USE;
	uint64_t lowest = UINT64_MAX;
	if (n->full_until > now || (addr != NULL && shoal_guard_crowds(&n->guard, addr, n->swarm_count, now)))
		return false;
	for (struct shoal_peer *p = n->peers; p != NULL; p = p->next) {
		enum use use = use_of(p, now);
		enum shoal_regard regard = regard_of(p);
		bool sooner = go != NULL && use == worst &&
			      (regard != regard_of(go) ? regard > regard_of(go) : p->born < go->born);
		if (use > worst || sooner) {
			worst = use;
			go = p;
		}
		if (use != OF_USE || !p->known || !far(&p->addr))
			continue;
		uint64_t rank = (uint64_t)(SHOAL_REGARD_BAD - regard) << 32 | shoal_node_priority(n, &p->addr);
		if (rank < lowest) {
			lowest = rank;
			low = p;
		}
	}
	if (go == NULL && low != NULL && addr != NULL && gives_way(n, low, addr) && allowance(n, now))
		go = low;
	if (go == NULL) {
		n->full_until = now + SCAN_AGAIN;
		return false;
	}
	if (go->known)
		shoal_parted_note(go);
	shoal_peer_close(go, SHOAL_ERR_BUSY, now);
	return true;
}

/* Those of `s` who are of no use, while others wait to be dialled. */
static void clear_out(struct shoal_swarm *s, shoal_us now)
{
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		if (use_of(p, now) > IDLE && allowance(s->node, now)) {
			if (p->known)
				shoal_parted_note(p);
			shoal_peer_close(p, SHOAL_ERR_BUSY, now);
		}
	}
}

void shoal_node_turnover(struct shoal_node *n, shoal_us now)
{
	if (n->turnover_at > now)
		return;
	n->turnover_at = now + SHOAL_TURNOVER_EVERY;
	bool full = n->peer_count + n->peer_count / 20 >= n->max_peers;
	for (struct shoal_swarm *s = n->awake; s != NULL; s = s->awake_next)
		if (shoal_contacts_waiting(s) && (full || s->peer_count >= SHOAL_DIAL_PEERS))
			clear_out(s, now);
	for (struct shoal_peer *p = n->peers; p != NULL; p = p->next)
		p->up_seen = p->up.total;
}
