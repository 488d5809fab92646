/*
 * dht/token.c - see the header.
 */
#include "dht/token.h"

#include "proto/base/bytes.h"

static void make(struct shoal_sipkey secret, const struct shoal_addr *who, const struct shoal_id20 *what, uint64_t turn,
		 uint8_t out[SHOAL_TOKEN_BYTES])
{
	uint8_t said[16 + 20];
	memcpy(said, who->ip, 16); /* not the port: a NAT may choose another */
	memcpy(said + 16, what->b, 20);
	shoal_put_u64(out, shoal_siphash(secret, turn, shoal_bytes(said, sizeof said)));
}

void shoal_token_make(struct shoal_sipkey secret, const struct shoal_addr *who, const struct shoal_id20 *what,
		      shoal_us now, uint8_t out[SHOAL_TOKEN_BYTES])
{
	make(secret, who, what, now / SHOAL_TOKEN_TURN + 1, out);
}

bool shoal_token_good(struct shoal_sipkey secret, const struct shoal_addr *who, const struct shoal_id20 *what,
		      shoal_us now, struct shoal_bytes token)
{
	if (token.len != SHOAL_TOKEN_BYTES)
		return false;
	for (uint64_t turn = now / SHOAL_TOKEN_TURN, i = 0; i < 2; i++) {
		uint8_t want[SHOAL_TOKEN_BYTES], differ = 0;
		make(secret, who, what, turn + 1 - i, want);
		for (size_t k = 0; k < SHOAL_TOKEN_BYTES; k++) /* in the same time, however much is right */
			differ |= want[k] ^ token.at[k];
		if (differ == 0)
			return true;
	}
	return false;
}
