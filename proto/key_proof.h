/*
 * proto/key_proof.h - two peers show each other that they hold the keys they are known by (ed25519); our own extension.
 *
 * The BEP 10 message "sh_key", version 1, once the handshake of either names it:
 *
 *   HELLO  1, 1, key (32), nonce (32)     who I say I am, and a number by dice, new on each connection
 *   PROOF  2, 1, signature (64)           answers a HELLO; by that key, over shoal_key_proof_text()
 *
 * The text names both sides, the signer first: peer ids, keys and nonces; the
 * torrent; and what binds it to this stream and no other (shoal_mse_binding), where
 * there is such a thing. So a proof is worth nothing on another connection (the
 * other's nonce), in another torrent, sent back to its maker (the order), or
 * carried on by one in the middle of an encrypted stream, whose two streams have
 * two bindings. In a stream that is not encrypted one in the middle can carry a
 * proof on, and then put false blocks behind it: what is proven there
 * may speak for a key, and never against it.
 *
 * Pure: no dice, no signatures, no clock. Spans in a decoded message borrow the input.
 */
#ifndef SHOAL_KEY_PROOF_H
#define SHOAL_KEY_PROOF_H

#include <shoal/types.h>

#define SHOAL_KEY_PROOF_NAME "sh_key"
#define SHOAL_KEY_BYTES 32u
#define SHOAL_KEY_NONCE 32u
#define SHOAL_KEY_SIG 64u
#define SHOAL_KEY_MSG 66u /* bytes of either message */
#define SHOAL_KEY_TEXT 239u

enum shoal_key_kind { SHOAL_KEY_HELLO = 1, SHOAL_KEY_PROOF = 2 };
struct shoal_key_msg {
	enum shoal_key_kind kind;
	const uint8_t *key, *nonce; /* HELLO */
	const uint8_t *sig;	    /* PROOF */
};
/* MALFORMED: no message of ours; UNSUPPORTED: of another version or kind, to be ignored. */
SHOAL_MUST int shoal_key_msg_decode(struct shoal_bytes in, struct shoal_key_msg *out);
void shoal_key_msg_encode(const struct shoal_key_msg *msg, uint8_t out[SHOAL_KEY_MSG]);

struct shoal_key_side {
	struct shoal_id20 peer_id; /* of the BEP 3 handshake */
	uint8_t key[SHOAL_KEY_BYTES], nonce[SHOAL_KEY_NONCE];
};
/* What `signer` signs for `other`. `info_hash`: the one the responder's handshake named; `binding` NULL: there is none. */
void shoal_key_proof_text(const struct shoal_key_side *signer, const struct shoal_key_side *other,
			  const struct shoal_id20 *info_hash, const struct shoal_id32 *binding,
			  uint8_t out[SHOAL_KEY_TEXT]);

#endif
