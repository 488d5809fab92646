/* swarm/core/punch.c - holepunch: asking for a rendezvous, giving one, and answering one. */
#include "swarm/core/punch.h"

#include <stdio.h>
#include "proto/compact.h"
#include "proto/holepunch.h"
#include "swarm/core/gossip.h"
#include "swarm/core/node_room.h"

bool shoal_node_punches(const struct shoal_node *n)
{
	return n->carriers.utp != NULL;
}

static void say(struct shoal_peer *p, const struct shoal_holepunch *h, shoal_us now)
{
	uint8_t raw[SHOAL_HOLEPUNCH_BYTES];
	shoal_peer_say_ext(p, p->ext_punch, (struct shoal_bytes){ raw, shoal_holepunch_encode(h, raw) }, now);
}

void shoal_punch_ask(struct shoal_swarm *s, struct shoal_contact *c, shoal_us now)
{
	struct shoal_peer *via = c->via != 0 ? shoal_node_peer(s->node, c->via) : NULL;
	if (via == NULL || via->swarm != s || via->ext_punch == 0 || c->punches >= SHOAL_PUNCH_TRIES ||
	    !shoal_node_punches(s->node))
		return;
	c->punches++;
	say(via, &(struct shoal_holepunch){ SHOAL_HOLEPUNCH_RENDEZVOUS, c->addr, 0 }, now);
}

void shoal_punch_failed(struct shoal_swarm *s, const struct shoal_contact *c, shoal_us now)
{
	char addr[SHOAL_ADDR_TEXT], text[SHOAL_ADDR_TEXT + 160];
	/* What a stranger has us do unasked proves nothing. */
	if (s->punch_told || s->complete_said || c->punches == 0)
		return;
	s->punch_told = true;
	shoal_addr_format(&c->addr, addr);
	snprintf(text, sizeof text,
		 "%s is behind a router, as we seem to be, and no way between the two was found; it is enough that one "
		 "of them opens its port",
		 addr);
	shoal_swarm_warn(s, text, now);
}

/* The peer others know by this address: as it is seen, or where it says it listens. */
static struct shoal_peer *known_at(struct shoal_swarm *s, const struct shoal_addr *addr)
{
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm)
		if (!p->closing && shoal_addr_equal(&p->addr, addr))
			return p;
	return NULL;
}

static void introduce(struct shoal_peer *p, const struct shoal_holepunch *asked, shoal_us now)
{
	struct shoal_peer *other = known_at(p->swarm, &asked->addr);
	uint32_t err = other == NULL	       ? SHOAL_HOLEPUNCH_NOT_CONNECTED
		       : other == p	       ? SHOAL_HOLEPUNCH_NO_SELF
		       : other->ext_punch == 0 ? SHOAL_HOLEPUNCH_NO_SUPPORT
					       : 0;
	if (err != 0)
		return say(p, &(struct shoal_holepunch){ SHOAL_HOLEPUNCH_ERROR, asked->addr, err }, now);
	/* The other did not ask for this, and has a patience with us of its own. */
	if (!shoal_patience_charge(&p->introduced, SHOAL_PATIENCE_INTRODUCED, SHOAL_PATIENCE_INTRODUCED_MINUTE, now))
		return;
	say(other, &(struct shoal_holepunch){ SHOAL_HOLEPUNCH_CONNECT, p->addr, 0 }, now);
	say(p, &(struct shoal_holepunch){ SHOAL_HOLEPUNCH_CONNECT, other->addr, 0 }, now);
}

int shoal_peer_holepunch(struct shoal_peer *p, struct shoal_bytes body, shoal_us now)
{
	struct shoal_holepunch h;
	if (p->ext_punch == 0 || !shoal_node_punches(p->node))
		return shoal_peer_idle_talk(p, now); /* BEP 55: in silence */
	if (shoal_holepunch_decode(body, &h) < 0)
		return SHOAL_ERR_MALFORMED;
	if (h.kind == SHOAL_HOLEPUNCH_RENDEZVOUS)
		introduce(p, &h, now);
	else if (h.kind == SHOAL_HOLEPUNCH_CONNECT)
		shoal_gossip_connect(p, &h.addr, now);
	return shoal_peer_idle_talk(p, now); /* each of them costs patience: no flood makes us a tool */
}
