/*
 * dht/token.h - write tokens: proof that who writes has asked from the same address a short while ago (BEP 5).
 *
 * Nothing is kept: a token is a keyed hash of the address, what it is for,
 * and the five minutes it was given in. It is good in those and the next.
 */
#ifndef SHOAL_DHT_TOKEN_H
#define SHOAL_DHT_TOKEN_H

#include <shoal/types.h>
#include "proto/siphash.h"

#define SHOAL_TOKEN_BYTES 8u
#define SHOAL_TOKEN_TURN SHOAL_S(300)

void shoal_token_make(struct shoal_sipkey secret, const struct shoal_addr *who, const struct shoal_id20 *what,
		      shoal_us now, uint8_t out[SHOAL_TOKEN_BYTES]);
bool shoal_token_good(struct shoal_sipkey secret, const struct shoal_addr *who, const struct shoal_id20 *what,
		      shoal_us now, struct shoal_bytes token);

#endif
