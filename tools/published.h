/*
 * tools/published.h - the numbers of signed values (BEP 44): what this state signed last under a key and salt, and which comes next.
 *
 * The DHT forgets: a value is gone two hours after it was last put, sooner where the few nodes that keep it leave, and a question
 * may miss all of them. A number that begins again is then refused by whoever still has the old value, and two values under one number
 * are worse: nobody can say which is the newer. So a number is remembered before anybody is told of it.
 */
#ifndef SHOAL_TOOLS_PUBLISHED_H
#define SHOAL_TOOLS_PUBLISHED_H

#include "dht/krpc.h"

#include <shoal/types.h>

struct shoal_dht_value;

struct shoal_published {
	bool known;    /* a value was signed here: the rest is its */
	bool key_made; /* in this state: whatever is not known was not signed, unless the key went elsewhere */
	int64_t seq;
	uint8_t v[SHOAL_KRPC_VALUE_MAX]; /* bencoded */
	size_t len;
};

/*
 * The number to sign `v` with, > 0, or that of the same value, >= 0, which is then renewed: one more than the newest of what we signed
 * and what the DHT has. GONE: neither knows of any, so it is 1, if that can be believed. RANGE: there is no higher number.
 */
int64_t shoal_published_next(const struct shoal_published *ours, const struct shoal_dht_value *theirs,
			     struct shoal_bytes v);

/* The three work on the state folder `state`, which exists; NULL: nothing is remembered, and that is good. What the store says, < 0. */
SHOAL_MUST int shoal_published_recall(const char *state, const uint8_t key[32], struct shoal_bytes salt,
				      struct shoal_published *out);
/* Durable when it returns 0. `salt` and `v` within BEP 44's bounds. */
SHOAL_MUST int shoal_published_remember(const char *state, const uint8_t key[32], struct shoal_bytes salt, int64_t seq,
					struct shoal_bytes v);
SHOAL_MUST int shoal_published_key_made(const char *state, const uint8_t key[32]);

#endif
