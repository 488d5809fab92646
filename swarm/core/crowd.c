/*
 * swarm/core/crowd.c - memory held by messages that do not end.
 *
 * Whoever takes it and does nothing goes first, the longest idle of them. Who has to go for want of places, turnover.h
 * says.
 */
#include "swarm/core/node_room.h"

#define LONG_SHARE 8u	      /* of the memory may lie in messages that are not whole yet ... */
#define LONG_LEAST (2u << 20) /* ... though never less than this */

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
