/* swarm/core/node_outside.c - answers of the world, each to the room of the node that asked. */
#include <string.h>
#include "swarm/core/gossip.h"
#include "swarm/core/node_room.h"

void shoal_node_mapped(struct shoal_node *n, const struct shoal_addr *outside)
{
	if (n->port != 0 && outside->port != 0)
		n->port = outside->port;
	for (unsigned i = 0; i < 2; i++) /* as good as two peers who say so */
		shoal_node_seen_as(n, outside);
}

void shoal_node_moved(struct shoal_node *n, shoal_us now)
{
	n->now = now;
	memset(n->seen_as, 0, sizeof n->seen_as); /* what others saw was the last address */
	shoal_guard_moved(&n->guard);
	for (struct shoal_swarm *s = n->swarms; s != NULL; s = s->next)
		shoal_contacts_moved(s, now);
}

bool shoal_node_public(const struct shoal_node *n)
{
	for (const struct shoal_swarm *s = n->swarms; s != NULL; s = s->next)
		if (s->mi != NULL && !shoal_metainfo_private(s->mi) && !(s->flags & SHOAL_ADD_CHECK_ONLY))
			return true;
	return false;
}

uint64_t shoal_node_cookie(struct shoal_node *n, enum shoal_cookie_kind kind)
{
	return (uint64_t)kind << SHOAL_COOKIE_SHIFT | ++n->next_cookie;
}

static enum shoal_cookie_kind kind_of(uint64_t cookie)
{
	return (enum shoal_cookie_kind)(cookie >> SHOAL_COOKIE_SHIFT);
}

void shoal_node_fetch_data(struct shoal_node *n, uint64_t cookie, uint64_t at, struct shoal_bytes data, shoal_us now)
{
	n->now = now;
	(void)at; /* in order, and from where it was asked */
	switch (kind_of(cookie)) {
	case SHOAL_COOKIE_WEBSEED: shoal_webseed_data(n, cookie, data, now); break;
	case SHOAL_COOKIE_TRACKER: shoal_announcer_fetch_data(n, cookie, data); break;
	default: break;
	}
}

void shoal_node_fetch_end(struct shoal_node *n, uint64_t cookie, const struct shoal_fetched *how, shoal_us now)
{
	n->now = now;
	switch (kind_of(cookie)) {
	case SHOAL_COOKIE_WEBSEED: shoal_webseed_end(n, cookie, how, now); break;
	case SHOAL_COOKIE_TRACKER: shoal_announcer_fetch_end(n, cookie, how, now); break;
	default: break;
	}
}

void shoal_node_resolved(struct shoal_node *n, uint64_t cookie, const struct shoal_addr *addr, size_t count, int err,
			 shoal_us now)
{
	n->now = now;
	switch (kind_of(cookie)) {
	case SHOAL_COOKIE_TRACKER: shoal_announcer_resolved(n, cookie, addr, count, err, now); break;
	default: break;
	}
}

void shoal_node_datagram(struct shoal_node *n, const struct shoal_addr *from, struct shoal_bytes data, bool local,
			 shoal_us now)
{
	n->now = now;
	if (local)
		shoal_node_overheard(n, from, data, now);
	else if (!shoal_finder_datagram(n, from, data, now) && /* KRPC begins with 'd', which nobody else's does */
		 !shoal_carriers_datagram(n, from, data, now))
		(void)shoal_announcer_datagram(n, from, data, now);
}
