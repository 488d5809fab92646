/*
 * proto/rc4.h - RC4, as message stream encryption has it (proto/mse.h).
 *
 * It hides what kind of stream this is; it is no secrecy to rely on (RFC
 * 7465). Debian's OpenSSL has it only in a provider that is not loaded, and
 * at half this speed.
 *
 * The cipher also runs backwards: what was enciphered and then not sent can
 * be taken back, so a sender need not keep it.
 */
#ifndef SHOAL_RC4_H
#define SHOAL_RC4_H

#include <shoal/types.h>

struct shoal_rc4 {
	uint8_t i, j, s[256];
};

/* `key` has 1 to 256 bytes. */
void shoal_rc4_init(struct shoal_rc4 *rc4, struct shoal_bytes key);
/* out[k] = in[k] xor the next `n` bytes of its stream. `out` may be `in`; else they must not overlap. */
void shoal_rc4_xor(struct shoal_rc4 *rc4, uint8_t *out, const uint8_t *in, size_t n);
/* Throws away the next `n` bytes of the stream. */
void shoal_rc4_skip(struct shoal_rc4 *rc4, size_t n);
/* The last `n` bytes of the stream come again. */
void shoal_rc4_back(struct shoal_rc4 *rc4, size_t n);

#endif
