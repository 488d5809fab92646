/*
 * swarm/core/crowd.c - who goes when there is no room: connections at their bound, memory held by messages that do not end.
 *
 * A place is worth what its peer does with it. Whoever takes places or memory and does nothing goes first, the longest
 * idle of them; nobody who is served, serves us or may come to is touched.
 */
#include "swarm/core/node_room.h"

#define SETTLED SHOAL_S(1)    /* a newcomer has so long to say what it is here for */
#define LONG_SHARE 8u	      /* of the memory may lie in messages that are not whole yet ... */
#define LONG_LEAST (2u << 20) /* ... though never less than this */

/* 0: it stays. The more, the sooner it goes. */
static unsigned useless(const struct shoal_peer *p, shoal_us now)
{
	if (p->closing || p->born + SETTLED > now)
		return 0;
	if (!p->known)
		return 4; /* has not even finished its handshake */
	if (p->in_swarm_at == NULL || p->swarm->mi == NULL)
		return 0;
	if (shoal_swarm_seeding(p->swarm) && shoal_peer_is_seed(p))
		return 3; /* two who need nothing of each other */
	if (!p->interested && !p->interesting)
		return 2;
	return 0;
}

bool shoal_node_make_room(struct shoal_node *n, shoal_us now)
{
	struct shoal_peer *worst = NULL;
	unsigned most = 0;
	for (struct shoal_peer *p = n->peers; p != NULL; p = p->next) {
		unsigned u = useless(p, now);
		if (u > most || (u > 0 && u == most && p->born < worst->born)) {
			most = u;
			worst = p;
		}
	}
	if (worst == NULL)
		return false;
	shoal_peer_close(worst, SHOAL_ERR_BUSY, now);
	return true;
}

static struct shoal_peer *longest_half(const struct shoal_node *n)
{
	struct shoal_peer *found = NULL;
	for (struct shoal_peer *p = n->peers; p != NULL; p = p->next)
		if (!p->closing && p->long_bytes > 0 &&
		    (found == NULL || shoal_pw_partial_since(p->pw) < shoal_pw_partial_since(found->pw)))
			found = p;
	return found;
}

void shoal_peer_long_message(struct shoal_peer *p, shoal_us now)
{
	struct shoal_node *n = p->node;
	size_t bytes = p->closing ? 0 : shoal_pw_long(p->pw);
	size_t share = n->budget->limit / LONG_SHARE > LONG_LEAST ? n->budget->limit / LONG_SHARE : LONG_LEAST;
	shoal_budget_give(n->budget, p->long_bytes);
	n->long_bytes -= p->long_bytes;
	p->long_bytes = 0;
	/* Whoever has kept us waiting the longest makes way; an honest one is done within moments. */
	while (bytes > 0 && (n->long_bytes + bytes > share || !shoal_node_charge(n, bytes))) {
		struct shoal_peer *other = longest_half(n);
		shoal_peer_close(other != NULL ? other : p, SHOAL_ERR_NOMEM, now);
		if (other == NULL)
			return;
	}
	p->long_bytes = bytes;
	n->long_bytes += bytes;
}
