/*
 * proto/dh768.h - Diffie-Hellman in the 768-bit group of message stream encryption (proto/mse.h).
 *
 * Generator 2, a safe prime; numbers are 96 bytes, big-endian, with their
 * leading zeros. No heap, and no step depends on the secret. An exchange (a
 * public key and a shared secret) takes some 0.1 ms: bound how many strangers
 * may ask for.
 */
#ifndef SHOAL_DH768_H
#define SHOAL_DH768_H

#include <shoal/types.h>

#define SHOAL_DH768_BYTES 96
#define SHOAL_DH768_SECRET 20 /* bytes of a private key: random ones */

/* The public key of `secret`. */
void shoal_dh768_public(const uint8_t secret[SHOAL_DH768_SECRET], uint8_t out[SHOAL_DH768_BYTES]);
/* What both come to. MALFORMED: `theirs` is 0, 1, p - 1 or no number below p, and the result could be guessed. */
SHOAL_MUST int shoal_dh768_shared(const uint8_t secret[SHOAL_DH768_SECRET], const uint8_t theirs[SHOAL_DH768_BYTES],
				  uint8_t out[SHOAL_DH768_BYTES]);

#endif
