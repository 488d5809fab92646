/* swarm/core/gossip.c - PEX with peers, LSD with the neighbourhood; see gossip.h. */
#include "swarm/core/gossip.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/lsd.h"
#include "proto/pex.h"
#include "proto/reach.h"
#include "proto/text.h"
#include "swarm/core/node_room.h"
#include "swarm/core/parted.h"
#include "swarm/core/turnover.h"

static bool is_private(const struct shoal_swarm *s)
{
	return s->mi != NULL && shoal_metainfo_private(s->mi);
}

bool shoal_swarm_gossips(const struct shoal_swarm *s)
{
	return !(s->node->quiet & SHOAL_QUIET_PEX) && !is_private(s);
}

/* ---- telling ----------------------------------------------------------------------------- */

/* Where others could dial it; false: we do not know. */
static bool listens_at(const struct shoal_peer *p, struct shoal_addr *at)
{
	*at = p->addr;
	/* uTP comes from the port it listens on; or from what a NAT has made of that, which is the one to be dialled. */
	if (p->incoming && p->by != SHOAL_BY_UTP)
		at->port = p->listen_port;
	return at->port != 0;
}

/* Places inside our networks are nobody's business outside of them, and mean nothing there. */
static bool fit_for(const struct shoal_addr *addr, const struct shoal_addr *listener)
{
	enum shoal_reach who = shoal_reach_of(addr), to = shoal_reach_of(listener);
	if (who == SHOAL_REACH_NOWHERE)
		return false;
	return who == SHOAL_REACH_GLOBAL || who == to || (who != SHOAL_REACH_LOOPBACK && to != SHOAL_REACH_GLOBAL);
}

bool shoal_peer_card(const struct shoal_peer *p, struct shoal_card *card)
{
	if (!listens_at(p, &card->addr))
		return false;
	card->serial = p->serial;
	card->flags = (uint8_t)((p->upload_only || shoal_peer_is_seed(p) ? SHOAL_PEX_SEED : 0) |
				(p->incoming ? 0 : SHOAL_PEX_REACHABLE) | (p->by == SHOAL_BY_UTP ? SHOAL_PEX_UTP : 0) |
				(p->ext_punch != 0 ? SHOAL_PEX_HOLEPUNCH : 0));
	return true;
}

static int by_serial(const void *a, const void *b)
{
	uint32_t x = ((const struct shoal_card *)a)->serial, y = ((const struct shoal_card *)b)->serial;
	return (x > y) - (x < y);
}

/* Whether `p` has a use for it. Two seeds have nothing for each other. */
static bool fits(const struct shoal_peer *p, const struct shoal_card *card)
{
	bool seed = p->upload_only || shoal_peer_is_seed(p);
	return fit_for(&card->addr, &p->addr) && !(seed && card->flags & SHOAL_PEX_SEED);
}

/* Everybody connected that `p` might be told of, by serial. */
static size_t look_around(const struct shoal_peer *p, struct shoal_card *live)
{
	size_t n = 0;
	for (const struct shoal_peer *q = p->swarm->peers; q != NULL; q = q->in_swarm)
		if (q != p && q->known && shoal_peer_card(q, &live[n]) && fits(p, &live[n]))
			n++;
	qsort(live, n, sizeof *live, by_serial);
	return n;
}

static bool told_of(const struct shoal_peer *p, const struct shoal_addr *addr)
{
	for (uint32_t i = 0; i < p->told_count; i++)
		if (shoal_addr_equal(&p->told[i].addr, addr))
			return true;
	return false;
}

/* Those it was told of who have gone. One that came back at the same address is told of neither time. */
static void pick_dropped(struct shoal_peer *p, const struct shoal_card *live, size_t n, struct shoal_pex *pex)
{
	uint32_t kept = 0;
	size_t k = 0;
	for (uint32_t i = 0; i < p->told_count; i++) {
		struct shoal_told told = p->told[i];
		while (k < n && live[k].serial < told.serial)
			k++;
		bool there = k < n && live[k].serial == told.serial;
		for (size_t j = 0; j < n && !there; j++)
			there = shoal_addr_equal(&live[j].addr, &told.addr);
		if (!there && pex->dropped_count < SHOAL_PEX_BATCH)
			pex->dropped[pex->dropped_count++].addr = told.addr;
		else
			p->told[kept++] = told;
	}
	p->told_count = kept;
}

static bool room_to_tell(struct shoal_peer *p)
{
	if (p->told_count < p->told_room)
		return true;
	size_t more = SHOAL_PEX_BATCH * sizeof *p->told;
	if (p->told_room >= SHOAL_PEX_TOLD || !shoal_peer_grow(p, more))
		return false;
	struct shoal_told *wider = realloc(p->told, p->told_room * sizeof *p->told + more);
	if (wider == NULL)
		return false;
	p->told = wider;
	p->told_room += SHOAL_PEX_BATCH;
	return true;
}

static int told_by_serial(const void *a, const void *b)
{
	uint32_t x = ((const struct shoal_told *)a)->serial, y = ((const struct shoal_told *)b)->serial;
	return (x > y) - (x < y);
}

/* false: it knows of that address, or hears that it is gone in the same message; or there is no room. */
static bool add(struct shoal_peer *p, const struct shoal_card *card, struct shoal_pex *pex)
{
	for (size_t k = 0; k < pex->dropped_count; k++)
		if (shoal_addr_equal(&pex->dropped[k].addr, &card->addr))
			return false;
	if (pex->added_count == SHOAL_PEX_BATCH || told_of(p, &card->addr) || !room_to_tell(p))
		return false;
	p->told[p->told_count++] = (struct shoal_told){ card->serial, card->addr };
	pex->added[pex->added_count++] = (struct shoal_pex_peer){ card->addr, card->flags };
	return true;
}

/* From a place chosen by dice on, so that not all hear of the same few first. */
static void pick_added(struct shoal_peer *p, const struct shoal_card *live, size_t n, struct shoal_pex *pex)
{
	size_t from = shoal_rng_below(&p->swarm->rng, (uint32_t)n);
	for (size_t i = 0; i < n && pex->added_count < SHOAL_PEX_BATCH; i++)
		(void)add(p, &live[(from + i) % n], pex);
}

/* Where few are connected, those who were sent away lately, whom it has not heard of. They are not there: the next message
 * says so. */
static void pick_parted(struct shoal_peer *p, struct shoal_pex *pex)
{
	const struct shoal_swarm *s = p->swarm;
	for (int v4 = 0; s->parted != NULL && v4 < 2; v4++) {
		uint32_t connected = 0, count = s->parted->count[v4], k = p->parted_upto[v4];
		for (const struct shoal_peer *q = s->peers; q != NULL; q = q->in_swarm)
			connected += q->known && q->addr.is_v4 == v4;
		if (connected >= SHOAL_PARTED_MAX)
			continue;
		if (count - k > SHOAL_PARTED_MAX)
			k = count - SHOAL_PARTED_MAX;
		for (; k < count && pex->added_count < SHOAL_PEX_BATCH; k++) {
			const struct shoal_card *card = &s->parted->card[v4][k % SHOAL_PARTED_MAX];
			struct shoal_addr own;
			if (fits(p, card) && !(listens_at(p, &own) && shoal_addr_equal(&own, &card->addr)))
				(void)add(p, card, pex);
		}
		p->parted_upto[v4] = k;
	}
}

void shoal_peer_gossip(struct shoal_peer *p, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	if (p->ext_pex == 0 || p->pex_at > now || !shoal_swarm_gossips(s))
		return;
	/* A little later each time, by dice: TCP may bunch two that left a minute apart. */
	p->pex_at = now + SHOAL_PEX_EVERY + SHOAL_MS(shoal_rng_below(&s->rng, 10000));
	struct shoal_card *live = malloc((s->peer_count + 1) * sizeof *live);
	struct shoal_pex *pex = malloc(sizeof *pex);
	uint8_t raw[SHOAL_PEX_BYTES];
	if (live != NULL && pex != NULL) {
		pex->added_count = pex->dropped_count = 0;
		size_t n = look_around(p, live);
		pick_dropped(p, live, n, pex);
		pick_added(p, live, n, pex);
		pick_parted(p, pex);
		if (p->told_count > 0)
			qsort(p->told, p->told_count, sizeof *p->told, told_by_serial);
		ptrdiff_t len = shoal_pex_encode(pex, (struct shoal_space){ raw, sizeof raw });
		if (len > 0 && pex->added_count + pex->dropped_count > 0)
			shoal_peer_say_ext(p, p->ext_pex, shoal_bytes(raw, (size_t)len), now);
	}
	free(live);
	free(pex);
}

/* ---- hearing ----------------------------------------------------------------------------- */

static int fault(struct shoal_peer *p)
{
	return ++p->pex_faults >= SHOAL_PEX_FAULTS ? SHOAL_ERR_REFUSED : 0;
}

static void believe(struct shoal_peer *p, const struct shoal_pex *pex, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	bool near = shoal_reach_of(&p->addr) != SHOAL_REACH_GLOBAL;
	size_t most = pex->added_count < SHOAL_PEX_BATCH ? pex->added_count : SHOAL_PEX_BATCH;
	for (size_t i = 0; i < most; i++) {
		const struct shoal_pex_peer *a = &pex->added[i];
		bool again = false; /* one host, many ports (BEP 11): the first counts */
		for (size_t k = 0; k < i && shoal_reach_of(&a->addr) == SHOAL_REACH_GLOBAL; k++)
			again = again || shoal_guard_same_host(&pex->added[k].addr, &a->addr);
		if (again || !fit_for(&a->addr, &p->addr))
			continue;
		if (shoal_contact_known(s, &a->addr)) {
			if (a->flags & SHOAL_PEX_HOLEPUNCH && p->ext_punch != 0)
				shoal_contact_via(s, &a->addr, p->serial);
			continue;
		}
		if (!shoal_guard_names(&s->node->guard, &p->addr, now))
			return;
		struct shoal_contact *c = shoal_swarm_contact(
			s, &a->addr, SHOAL_FROM_PEX | (near ? (unsigned)SHOAL_FROM_NEAR : 0u), now);
		if (c == NULL)
			continue;
		c->uploads_only = a->flags & SHOAL_PEX_SEED;
		c->via = a->flags & SHOAL_PEX_HOLEPUNCH ? p->serial : 0;
	}
}

void shoal_gossip_connect(struct shoal_peer *p, const struct shoal_addr *addr, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	bool near = shoal_reach_of(&p->addr) != SHOAL_REACH_GLOBAL;
	if (!shoal_swarm_gossips(s) || !fit_for(addr, &p->addr))
		return;
	if (!shoal_contact_known(s, addr) && !shoal_guard_names(&s->node->guard, &p->addr, now))
		return;
	struct shoal_contact *c = shoal_swarm_contact(s, addr, SHOAL_FROM_PEX | (near ? (unsigned)SHOAL_FROM_NEAR : 0u),
						      now);
	if (c != NULL)
		shoal_contact_punch(s, c, now);
}

int shoal_peer_pex(struct shoal_peer *p, struct shoal_bytes body, shoal_us now)
{
	if (!shoal_swarm_gossips(p->swarm))
		return 0; /* not asked for: what it says is not listened to */
	if (p->pex_heard != 0 && p->pex_heard + SHOAL_PEX_LEAST > now)
		return fault(p);
	struct shoal_pex *pex = malloc(sizeof *pex);
	if (pex == NULL)
		return 0;
	p->pex_heard = now;
	int rc = shoal_pex_decode(body, pex);
	if (rc == 0) {
		p->pex_faults -= p->pex_faults > 0;
		believe(p, pex, now);
	}
	free(pex);
	return rc < 0 ? fault(p) : 0;
}

/* ---- the neighbourhood --------------------------------------------------------------------- */

static bool shouts(const struct shoal_swarm *s)
{
	return !s->stopping && !is_private(s) && !(s->flags & SHOAL_ADD_CHECK_ONLY) &&
	       (s->state == SHOAL_SWARM_METADATA || shoal_swarm_running(s));
}

shoal_us shoal_node_shout(struct shoal_node *n, shoal_us now)
{
	struct shoal_lsd lsd = { .port = n->port };
	shoal_us next = SHOAL_NEVER, gap = SHOAL_LSD_GAP;
	bool fresh = false;
	if (n->world.ops->shout == NULL || n->port == 0 || n->stopping || n->quiet & SHOAL_QUIET_LSD)
		return SHOAL_NEVER;
	/* Whoever is new is awake: of the others it is known when the first is due. */
	for (const struct shoal_swarm *s = n->awake; s != NULL && !fresh; s = s->awake_next)
		fresh = shouts(s) && s->shout_at == 0;
	if (fresh && n->shouted != 0 && n->shouted + SHOAL_LSD_GAP_NEW > now)
		return n->shout_due = shoal_min_u64(n->shout_due, n->shouted + SHOAL_LSD_GAP_NEW);
	if (!fresh && n->shout_due > now)
		return n->shout_due;
	fresh = false;
	for (const struct shoal_swarm *s = n->swarms; s != NULL; s = s->next) {
		fresh = fresh || (shouts(s) && s->shout_at == 0);
		if (shouts(s))
			next = shoal_min_u64(next, s->shout_at);
	}
	if (fresh)
		gap = SHOAL_LSD_GAP_NEW;
	n->shout_due = next;
	if (next == SHOAL_NEVER)
		return next;
	if (n->shouted != 0 && n->shouted + gap > now)
		return n->shout_due = shoal_max_u64(next, n->shouted + gap);
	if (next > now)
		return next;
	/* The new ones first, then in turns, from the one after the last that was shouted about. */
	uint32_t last = n->shout_handle;
	for (int round = 0; round < 3; round++) {
		for (struct shoal_swarm *s = n->swarms; s != NULL; s = s->next) {
			size_t hashes = (size_t)s->has_v1 + s->has_v2;
			int turn = s->shout_at == 0 ? 0 : s->handle > last ? 1 : 2;
			if (!shouts(s) || s->shout_at > now || round != turn || lsd.count + hashes > SHOAL_LSD_HASHES)
				continue;
			n->shout_handle = round > 0 ? s->handle : n->shout_handle;
			if (s->has_v1)
				lsd.hash[lsd.count++] = s->v1;
			if (s->has_v2)
				lsd.hash[lsd.count++] = s->v2_short;
			s->shout_at = now + SHOAL_LSD_EVERY;
		}
	}
	uint8_t raw[SHOAL_LSD_BYTES];
	char cookie[SHOAL_LSD_COOKIE + 1];
	shoal_hex_encode(shoal_bytes(&n->lsd_cookie, SHOAL_LSD_COOKIE / 2), cookie);
	lsd.cookie = shoal_bytes(cookie, SHOAL_LSD_COOKIE);
	n->shouted = now;
	for (int v4 = 0; v4 < 2; v4++) {
		ptrdiff_t len = shoal_lsd_encode(&lsd, v4, (struct shoal_space){ raw, sizeof raw });
		if (len > 0) /* nobody has to hear it */
			(void)n->world.ops->shout(n->world.w, v4, shoal_bytes(raw, (size_t)len));
	}
	return n->shout_due = now + SHOAL_LSD_GAP_NEW;
}

void shoal_node_overheard(struct shoal_node *n, const struct shoal_addr *from, struct shoal_bytes data, shoal_us now)
{
	struct shoal_lsd lsd;
	char cookie[SHOAL_LSD_COOKIE + 1];
	if (n->quiet & SHOAL_QUIET_LSD || n->stopping)
		return;
	if (n->heard_since + SHOAL_S(1) <= now) {
		n->heard_since = now;
		n->heard = 0;
	}
	if (++n->heard > SHOAL_LSD_HEARD || shoal_lsd_decode(data, &lsd) < 0)
		return;
	shoal_hex_encode(shoal_bytes(&n->lsd_cookie, SHOAL_LSD_COOKIE / 2), cookie);
	if (shoal_bytes_equal(lsd.cookie, shoal_bytes(cookie, SHOAL_LSD_COOKIE)))
		return; /* our own voice */
	struct shoal_addr at = *from;
	at.port = lsd.port;
	for (size_t i = 0; i < lsd.count; i++) {
		bool by_v2;
		struct shoal_swarm *s = shoal_node_swarm(n, &lsd.hash[i], &by_v2);
		if (s != NULL && shouts(s))
			(void)shoal_swarm_contact(s, &at, SHOAL_FROM_LSD, now);
	}
}
