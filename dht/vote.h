/*
 * dht/vote.h - our own address, as a majority of others sees it (BEP 42).
 *
 * One voice a network (/16, IPv6: /32), so that one liar with many addresses
 * is one liar.
 */
#ifndef SHOAL_DHT_VOTE_H
#define SHOAL_DHT_VOTE_H

#include <shoal/types.h>

#define SHOAL_VOTE_VOICES 16u /* the last ones count */
#define SHOAL_VOTE_QUORUM 5u

struct shoal_vote {
	struct {
		uint8_t voter[4]; /* its network */
		struct shoal_addr ours;
	} voice[SHOAL_VOTE_VOICES];
	unsigned count, next;
};

/* `voter` says that we are `ours`. True when three in five of at least five agree on it: then it is our address. */
bool shoal_vote_cast(struct shoal_vote *v, const struct shoal_addr *voter, const struct shoal_addr *ours);

#endif
