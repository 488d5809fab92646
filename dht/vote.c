/*
 * dht/vote.c - a ring of voices.
 */
#include "dht/vote.h"

#include <string.h>
#include "proto/reach.h"

bool shoal_vote_cast(struct shoal_vote *v, const struct shoal_addr *voter, const struct shoal_addr *ours)
{
	uint8_t net[4] = { 0 };
	unsigned same = 0, at;
	/* Who is near us sees the address we have there, and not the one the world sees. */
	if (shoal_reach_of(voter) != SHOAL_REACH_GLOBAL || shoal_reach_of(ours) != SHOAL_REACH_GLOBAL ||
	    !voter->is_v4 != !ours->is_v4)
		return false;
	memcpy(net, voter->ip, voter->is_v4 ? 2 : 4);
	for (at = 0; at < v->count && memcmp(v->voice[at].voter, net, sizeof net) != 0;)
		at++;
	if (at == v->count) {
		at = v->next;
		v->next = (v->next + 1) % SHOAL_VOTE_VOICES;
		v->count += v->count < SHOAL_VOTE_VOICES;
	}
	memcpy(v->voice[at].voter, net, sizeof net);
	v->voice[at].ours = *ours;
	for (unsigned i = 0; i < v->count; i++)
		same += shoal_addr_same_net(&v->voice[i].ours, ours, 0);
	return v->count >= SHOAL_VOTE_QUORUM && same * 5 >= v->count * 3;
}
