/*
 * proto/wire.c - the table of peer messages, and the two loops that walk it.
 *
 * A message is its length, its id, the fields its shape names (always in the
 * order of enum field, which is the order BEP 3, 6, 10 and 52 give them), and
 * a body. A new message is one more line in the table.
 */
#include "proto/wire.h"

enum field {
	INDEX = 1,
	BEGIN = 2,
	LEN = 4,
	PORT = 8,
	EXT = 16,
	RANGE = 32,
	BODY = 64,
};

#define RANGE_BYTES 48u
#define PROTOCOL_LEN (sizeof SHOAL_WIRE_PROTOCOL - 1)
#define UNKNOWN 256u /* its line serves every id without one; no id on the wire is 256 */

static const struct wire_shape {
	const char *name;
	uint8_t fields;		     /* enum field */
	uint8_t fixed;		     /* bytes of the fields before the body */
	uint8_t unit;		     /* a body is a multiple of this */
	uint32_t body_min, body_max; /* bytes */
} shapes[] = {
	[SHOAL_WIRE_CHOKE] = { "choke", 0, 0, 1, 0, 0 },
	[SHOAL_WIRE_UNCHOKE] = { "unchoke", 0, 0, 1, 0, 0 },
	[SHOAL_WIRE_INTERESTED] = { "interested", 0, 0, 1, 0, 0 },
	[SHOAL_WIRE_NOT_INTERESTED] = { "not interested", 0, 0, 1, 0, 0 },
	[SHOAL_WIRE_HAVE] = { "have", INDEX, 4, 1, 0, 0 },
	[SHOAL_WIRE_BITFIELD] = { "bitfield", BODY, 0, 1, 1, SHOAL_WIRE_BITFIELD_MAX },
	[SHOAL_WIRE_REQUEST] = { "request", INDEX | BEGIN | LEN, 12, 1, 0, 0 },
	[SHOAL_WIRE_PIECE] = { "piece", INDEX | BEGIN | BODY, 8, 1, 1, SHOAL_WIRE_BLOCK_MAX },
	[SHOAL_WIRE_CANCEL] = { "cancel", INDEX | BEGIN | LEN, 12, 1, 0, 0 },
	[SHOAL_WIRE_PORT] = { "port", PORT, 2, 1, 0, 0 },
	[SHOAL_WIRE_SUGGEST] = { "suggest", INDEX, 4, 1, 0, 0 },
	[SHOAL_WIRE_HAVE_ALL] = { "have all", 0, 0, 1, 0, 0 },
	[SHOAL_WIRE_HAVE_NONE] = { "have none", 0, 0, 1, 0, 0 },
	[SHOAL_WIRE_REJECT] = { "reject", INDEX | BEGIN | LEN, 12, 1, 0, 0 },
	[SHOAL_WIRE_ALLOWED_FAST] = { "allowed fast", INDEX, 4, 1, 0, 0 },
	[SHOAL_WIRE_EXTENDED] = { "extended", EXT | BODY, 1, 1, 0, SHOAL_WIRE_EXT_MAX },
	[SHOAL_WIRE_HASH_REQUEST] = { "hash request", RANGE, RANGE_BYTES, 1, 0, 0 },
	[SHOAL_WIRE_HASHES] = { "hashes", RANGE | BODY, RANGE_BYTES, 32, 32, SHOAL_WIRE_HASHES_MAX - RANGE_BYTES },
	[SHOAL_WIRE_HASH_REJECT] = { "hash reject", RANGE, RANGE_BYTES, 1, 0, 0 },
	[UNKNOWN] = { "unknown", BODY, 0, 1, 0, SHOAL_WIRE_EXT_MAX },
};

/* `id` is one from the wire: below 256. */
static const struct wire_shape *shape_of(uint16_t id)
{
	return shapes[id].name != NULL ? &shapes[id] : &shapes[UNKNOWN];
}

/* The whole law of lengths, for both directions. `len` counts the id. */
static int check_length(const struct wire_shape *shape, size_t len)
{
	size_t fixed = 1u + shape->fixed;
	if (len < fixed || len - fixed < shape->body_min)
		return SHOAL_ERR_MALFORMED;
	if (len - fixed > shape->body_max)
		return shape->fields & BODY ? SHOAL_ERR_TOO_LONG : SHOAL_ERR_MALFORMED;
	return (len - fixed) % shape->unit ? SHOAL_ERR_MALFORMED : SHOAL_OK;
}

static void get_range(struct shoal_rd *r, struct shoal_wire_hash_range *range)
{
	struct shoal_bytes root = shoal_rd_take(r, sizeof range->root);
	if (root.at != NULL)
		memcpy(range->root, root.at, sizeof range->root);
	range->base = shoal_rd_u32(r);
	range->index = shoal_rd_u32(r);
	range->length = shoal_rd_u32(r);
	range->proof = shoal_rd_u32(r);
}

ptrdiff_t shoal_wire_decode(struct shoal_bytes in, size_t len_max, struct shoal_wire_msg *out)
{
	if (in.len < 4)
		return 0;
	uint32_t len = shoal_get_u32(in.at);
	if (len == 0) {
		*out = (struct shoal_wire_msg){ .id = SHOAL_WIRE_KEEPALIVE };
		return 4;
	}
	/* Nothing is longer than an extension message: say so before its id is even here. */
	if (len > len_max || len > 2 + SHOAL_WIRE_EXT_MAX)
		return SHOAL_ERR_TOO_LONG;
	if (in.len < 5)
		return 0;
	const struct wire_shape *shape = shape_of(in.at[4]);
	int rc = check_length(shape, len);
	if (rc < 0)
		return rc;
	if (in.len - 4 < len)
		return 0;

	struct shoal_rd r = shoal_rd(shoal_bytes(in.at + 5, len - 1));
	*out = (struct shoal_wire_msg){ .id = in.at[4] };
	if (shape->fields & INDEX)
		out->index = shoal_rd_u32(&r);
	if (shape->fields & BEGIN)
		out->begin = shoal_rd_u32(&r);
	if (shape->fields & LEN)
		out->len = shoal_rd_u32(&r);
	if (shape->fields & PORT)
		out->port = shoal_rd_u16(&r);
	if (shape->fields & EXT)
		out->ext = shoal_rd_u8(&r);
	if (shape->fields & RANGE)
		get_range(&r, &out->range);
	if (shape->fields & BODY)
		out->body = shoal_rd_take(&r, shoal_rd_left(&r));
	return 4 + (ptrdiff_t)len;
}

ptrdiff_t shoal_wire_encode(const struct shoal_wire_msg *msg, struct shoal_space out)
{
	struct shoal_wr w = { out, 0, false };

	if (msg->id == SHOAL_WIRE_KEEPALIVE) {
		shoal_wr_u32(&w, 0);
		return w.bad ? SHOAL_ERR_TOO_LONG : 4;
	}
	if (msg->id > UINT8_MAX || msg->body.len > SHOAL_WIRE_EXT_MAX)
		return SHOAL_ERR_USAGE;
	const struct wire_shape *shape = shape_of(msg->id);
	size_t len = 1u + shape->fixed + msg->body.len;
	if (check_length(shape, len) < 0)
		return SHOAL_ERR_USAGE;

	shoal_wr_u32(&w, (uint32_t)len);
	shoal_wr_u8(&w, (uint8_t)msg->id);
	if (shape->fields & INDEX)
		shoal_wr_u32(&w, msg->index);
	if (shape->fields & BEGIN)
		shoal_wr_u32(&w, msg->begin);
	if (shape->fields & LEN)
		shoal_wr_u32(&w, msg->len);
	if (shape->fields & PORT)
		shoal_wr_u16(&w, msg->port);
	if (shape->fields & EXT)
		shoal_wr_u8(&w, msg->ext);
	if (shape->fields & RANGE) {
		shoal_wr_put(&w, shoal_bytes(msg->range.root, sizeof msg->range.root));
		shoal_wr_u32(&w, msg->range.base);
		shoal_wr_u32(&w, msg->range.index);
		shoal_wr_u32(&w, msg->range.length);
		shoal_wr_u32(&w, msg->range.proof);
	}
	shoal_wr_put(&w, msg->body);
	return w.bad ? SHOAL_ERR_TOO_LONG : (ptrdiff_t)w.pos;
}

void shoal_wire_piece_head(uint8_t out[SHOAL_WIRE_PIECE_HEAD], uint32_t piece, uint32_t begin, uint32_t len)
{
	shoal_put_u32(out, 9 + len);
	out[4] = SHOAL_WIRE_PIECE;
	shoal_put_u32(out + 5, piece);
	shoal_put_u32(out + 9, begin);
}

const char *shoal_wire_name(uint16_t id)
{
	if (id == SHOAL_WIRE_KEEPALIVE)
		return "keep-alive";
	return id > UINT8_MAX ? shapes[UNKNOWN].name : shape_of(id)->name;
}

/* ---- the handshake ---- */

/* Reserved bits (BEP 4, 5, 6, 10, 52): which byte, which bit, what it means. */
static const struct {
	uint8_t byte, bit;
	enum shoal_wire_can can;
} reserved[] = {
	{ 5, 0x10, SHOAL_CAN_EXTENDED },
	{ 7, 0x01, SHOAL_CAN_DHT },
	{ 7, 0x04, SHOAL_CAN_FAST },
	{ 7, 0x10, SHOAL_CAN_V2 },
};

int shoal_wire_handshake_decode(struct shoal_bytes in, struct shoal_wire_handshake *out)
{
	if (in.len < SHOAL_WIRE_HANDSHAKE_HEAD || memcmp(in.at, SHOAL_WIRE_PROTOCOL, PROTOCOL_LEN) != 0)
		return SHOAL_ERR_MALFORMED;
	struct shoal_wire_handshake hs = { .can = 0 };
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (in.at[PROTOCOL_LEN + reserved[i].byte] & reserved[i].bit)
			hs.can |= reserved[i].can;
	memcpy(hs.info_hash.b, in.at + 28, sizeof hs.info_hash.b);
	if (in.len >= SHOAL_WIRE_HANDSHAKE_LEN)
		memcpy(hs.peer_id.b, in.at + SHOAL_WIRE_HANDSHAKE_HEAD, sizeof hs.peer_id.b);
	*out = hs;
	return SHOAL_OK;
}

void shoal_wire_handshake_encode(const struct shoal_wire_handshake *hs, uint8_t out[SHOAL_WIRE_HANDSHAKE_LEN])
{
	memcpy(out, SHOAL_WIRE_PROTOCOL, PROTOCOL_LEN);
	memset(out + PROTOCOL_LEN, 0, 8);
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (hs->can & (unsigned)reserved[i].can)
			out[PROTOCOL_LEN + reserved[i].byte] |= reserved[i].bit;
	memcpy(out + 28, hs->info_hash.b, sizeof hs->info_hash.b);
	memcpy(out + SHOAL_WIRE_HANDSHAKE_HEAD, hs->peer_id.b, sizeof hs->peer_id.b);
}
