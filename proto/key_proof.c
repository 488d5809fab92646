/* proto/key_proof.c - the messages, and the text under the signature. */
#include "proto/key_proof.h"

#include <string.h>
#include "proto/base/bytes.h"

#define VERSION 1

int shoal_key_msg_decode(struct shoal_bytes in, struct shoal_key_msg *out)
{
	if (in.len < 2)
		return SHOAL_ERR_MALFORMED;
	if (in.at[1] != VERSION || (in.at[0] != SHOAL_KEY_HELLO && in.at[0] != SHOAL_KEY_PROOF))
		return SHOAL_ERR_UNSUPPORTED;
	if (in.len != SHOAL_KEY_MSG)
		return SHOAL_ERR_MALFORMED;
	*out = (struct shoal_key_msg){ .kind = (enum shoal_key_kind)in.at[0] };
	if (out->kind == SHOAL_KEY_HELLO) {
		out->key = in.at + 2;
		out->nonce = in.at + 2 + SHOAL_KEY_BYTES;
	} else {
		out->sig = in.at + 2;
	}
	return 0;
}

void shoal_key_msg_encode(const struct shoal_key_msg *msg, uint8_t out[SHOAL_KEY_MSG])
{
	out[0] = (uint8_t)msg->kind;
	out[1] = VERSION;
	if (msg->kind == SHOAL_KEY_HELLO) {
		memcpy(out + 2, msg->key, SHOAL_KEY_BYTES);
		memcpy(out + 2 + SHOAL_KEY_BYTES, msg->nonce, SHOAL_KEY_NONCE);
	} else {
		memcpy(out + 2, msg->sig, SHOAL_KEY_SIG);
	}
}

void shoal_key_proof_text(const struct shoal_key_side *signer, const struct shoal_key_side *other,
			  const struct shoal_id20 *info_hash, const struct shoal_id32 *binding,
			  uint8_t out[SHOAL_KEY_TEXT])
{
	static const char label[] = "shoal key proof 1"; /* with its NUL: no other text begins so */
	struct shoal_wr w = shoal_wr((struct shoal_space){ out, SHOAL_KEY_TEXT });
	static const struct shoal_id32 none;
	shoal_wr_put(&w, shoal_bytes(label, sizeof label));
	shoal_wr_put(&w, shoal_bytes(info_hash->b, sizeof info_hash->b));
	shoal_wr_put(&w, shoal_bytes(signer->peer_id.b, sizeof signer->peer_id.b));
	shoal_wr_put(&w, shoal_bytes(other->peer_id.b, sizeof other->peer_id.b));
	shoal_wr_put(&w, shoal_bytes(signer->key, SHOAL_KEY_BYTES));
	shoal_wr_put(&w, shoal_bytes(other->key, SHOAL_KEY_BYTES));
	shoal_wr_put(&w, shoal_bytes(signer->nonce, SHOAL_KEY_NONCE));
	shoal_wr_put(&w, shoal_bytes(other->nonce, SHOAL_KEY_NONCE));
	shoal_wr_u8(&w, binding != NULL);
	shoal_wr_put(&w, shoal_bytes(binding != NULL ? binding->b : none.b, sizeof none.b));
}
