/* held.c - see held.h. */
#include "tools/lab/world/held.h"

#include "swarm/core/node_room.h"
#include "tools/lab/world/world.h"

#define NOTHING 1e-3 /* what floats lose of a prior while it fades */

void sim_node_held(const struct sim_node *n, void (*tell)(void *to, const struct sim_node *other, double blocks),
		   void *to)
{
	const struct shoal_repute_entry *e;
	uint32_t at = 0;
	while ((e = shoal_repute_next(&n->node->repute, &at)) != NULL) {
		double blocks = (double)e->rep.wrong - SHOAL_REP_STRENGTH * (double)e->rep.expect_wrong;
		if (blocks <= NOTHING)
			continue;
		const struct sim_node *other = e->who.keyed ? sim_key_owner(n->sim, e->who.key)
							    : sim_node_at(n->sim, &e->who.addr);
		if (other != NULL)
			tell(to, other, blocks);
	}
}
