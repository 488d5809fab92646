/* swarm/core/parted.c - two rings of cards; see parted.h. */
#include "swarm/core/parted.h"

#include <stdlib.h>
#include "swarm/core/gossip.h"
#include "swarm/core/node_room.h"
#include "swarm/core/turnover.h"

void shoal_parted_note(const struct shoal_peer *p)
{
	struct shoal_swarm *s = p->swarm;
	struct shoal_card card;
	if (s == NULL || s->stopping || !shoal_swarm_gossips(s) || !shoal_peer_card(p, &card))
		return;
	if (s->parted == NULL) {
		if (!shoal_node_peers_take(s->node, sizeof *s->parted))
			return;
		s->parted = calloc(1, sizeof *s->parted);
		if (s->parted == NULL)
			return shoal_node_peers_give(s->node, sizeof *s->parted);
	}
	bool v4 = card.addr.is_v4;
	s->parted->card[v4][s->parted->count[v4]++ % SHOAL_PARTED_MAX] = card;
}

void shoal_parted_free(struct shoal_swarm *s)
{
	if (s->parted == NULL)
		return;
	shoal_node_peers_give(s->node, sizeof *s->parted);
	free(s->parted);
	s->parted = NULL;
}
