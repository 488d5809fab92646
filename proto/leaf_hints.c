/* proto/leaf_hints.c - see leaf_hints.h. */
#include "proto/leaf_hints.h"

#include <string.h>
#include "proto/base/bytes.h"

#define VERSION 1

int shoal_hint_decode(struct shoal_bytes in, struct shoal_hint_msg *out)
{
	if (in.len < 2)
		return SHOAL_ERR_MALFORMED;
	if (in.at[1] != VERSION || in.at[0] < SHOAL_HINT_ASK || in.at[0] > SHOAL_HINT_NONE)
		return SHOAL_ERR_UNSUPPORTED;
	if (in.len < SHOAL_HINT_HEAD)
		return SHOAL_ERR_MALFORMED;
	size_t digests = in.len - SHOAL_HINT_HEAD;
	bool tells = in.at[0] == SHOAL_HINT_TELL;
	if (tells ? digests == 0 || digests % 32 != 0 || digests / 32 > SHOAL_HINT_BLOCKS : digests != 0)
		return SHOAL_ERR_MALFORMED;
	*out = (struct shoal_hint_msg){ .kind = (enum shoal_hint_kind)in.at[0], .piece = shoal_get_u32(in.at + 2) };
	if (tells) {
		out->blocks = (uint32_t)(digests / 32);
		out->digest = (const void *)(in.at + SHOAL_HINT_HEAD);
	}
	return 0;
}

ptrdiff_t shoal_hint_encode(const struct shoal_hint_msg *msg, struct shoal_space to)
{
	size_t digests = msg->kind == SHOAL_HINT_TELL ? (size_t)msg->blocks * 32 : 0;
	if (digests / 32 > SHOAL_HINT_BLOCKS || to.len < SHOAL_HINT_HEAD + digests)
		return SHOAL_ERR_RANGE;
	to.at[0] = (uint8_t)msg->kind;
	to.at[1] = VERSION;
	shoal_put_u32(to.at + 2, msg->piece);
	if (digests > 0)
		memcpy(to.at + SHOAL_HINT_HEAD, msg->digest, digests);
	return (ptrdiff_t)(SHOAL_HINT_HEAD + digests);
}
