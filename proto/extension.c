/*
 * proto/extension.c - BEP 10 handshakes (with BEP 9's and 21's keys) and ut_metadata.
 *
 * A handshake is a stranger's self-description: what is not usable in it is
 * taken as not said, and only what is no dictionary at all is an error.
 */
#include "proto/base/bytes.h"
#include "proto/bencode.h"
#include "proto/extension.h"

#define VERSION_MAX 128 /* bytes of `v` */
#define REQQ_MAX 5000

static size_t name_len(const struct shoal_ext_name *name)
{
	return strnlen(name->name, sizeof name->name);
}

/* The names of `m` that can be ours: shorter than a slot, without NUL, with an id of one byte. */
static int decode_names(struct shoal_bytes raw, struct shoal_ext_handshake *out)
{
	struct shoal_ben b = shoal_ben(raw, SHOAL_BEN_DEPTH_SMALL);
	struct shoal_ben_value key, id;

	int rc = shoal_ben_open(&b, SHOAL_BEN_DICT);
	while (rc >= 0 && out->m_count < SHOAL_EXT_NAMES_MAX && (rc = shoal_ben_entry(&b, &key, &id)) > 0) {
		if (id.kind != SHOAL_BEN_INT || id.num < 0 || id.num > UINT8_MAX)
			continue;
		if (key.str.len == 0 || key.str.len >= SHOAL_EXT_NAME_BYTES || memchr(key.str.at, 0, key.str.len))
			continue;
		struct shoal_ext_name *name = &out->m[out->m_count++];
		memcpy(name->name, key.str.at, key.str.len);
		name->id = (uint8_t)id.num;
	}
	return rc < 0 ? rc : SHOAL_OK;
}

/* An integer that must lie in [min, max]; 0 when it is absent or does not. */
static int64_t int_within(const struct shoal_ben_value *v, int64_t min, int64_t max)
{
	return v->kind == SHOAL_BEN_INT && v->num >= min && v->num <= max ? v->num : 0;
}

int shoal_ext_handshake_decode(struct shoal_bytes in, struct shoal_ext_handshake *out)
{
	enum { M, METADATA_SIZE, P, REQQ, UPLOAD_ONLY, V, YOURIP, FIELDS };
	struct shoal_ben_field f[FIELDS] = {
		{ .key = "m" }, { .key = "metadata_size" }, { .key = "p" }, { .key = "reqq" }, { .key = "upload_only" },
		{ .key = "v" }, { .key = "yourip" },
	};

	memset(out, 0, sizeof *out);
	ptrdiff_t n = shoal_ben_pick(in, SHOAL_BEN_DEPTH_SMALL, f, FIELDS);
	if (n < 0)
		return (int)n;
	if (f[M].v.kind == SHOAL_BEN_DICT) {
		int rc = decode_names(f[M].v.raw, out);
		if (rc < 0)
			return rc;
	}
	out->metadata_size = (uint64_t)int_within(&f[METADATA_SIZE].v, 0, INT64_MAX);
	out->port = (uint16_t)int_within(&f[P].v, 1, UINT16_MAX);
	if (f[REQQ].v.kind == SHOAL_BEN_INT) {
		int64_t reqq = f[REQQ].v.num;
		out->reqq = reqq < 1 ? 1 : reqq > REQQ_MAX ? REQQ_MAX : (uint32_t)reqq;
	}
	out->upload_only = f[UPLOAD_ONLY].v.kind == SHOAL_BEN_INT && f[UPLOAD_ONLY].v.num != 0;
	if (f[V].v.kind == SHOAL_BEN_STR) {
		out->v = f[V].v.str;
		if (out->v.len > VERSION_MAX)
			out->v.len = VERSION_MAX;
	}
	struct shoal_bytes ip = f[YOURIP].v.str;
	if (f[YOURIP].v.kind == SHOAL_BEN_STR && (ip.len == 4 || ip.len == 16)) {
		memcpy(out->yourip.ip, ip.at, ip.len);
		out->yourip.is_v4 = ip.len == 4;
		out->has_yourip = true;
	}
	return SHOAL_OK;
}

/* `m` in the order bencoding wants; USAGE for a name that is empty, unended or there twice. */
static int encode_names(struct shoal_ben_wr *w, const struct shoal_ext_handshake *hs)
{
	const struct shoal_ext_name *sorted[SHOAL_EXT_NAMES_MAX];

	if (hs->m_count > SHOAL_EXT_NAMES_MAX)
		return SHOAL_ERR_USAGE;
	for (size_t i = 0; i < hs->m_count; i++) {
		const struct shoal_ext_name *name = &hs->m[i];
		size_t len = name_len(name), to = i;
		if (len == 0 || len == SHOAL_EXT_NAME_BYTES)
			return SHOAL_ERR_USAGE;
		for (; to > 0 && strcmp(sorted[to - 1]->name, name->name) >= 0; to--) {
			if (strcmp(sorted[to - 1]->name, name->name) == 0)
				return SHOAL_ERR_USAGE;
			sorted[to] = sorted[to - 1];
		}
		sorted[to] = name;
	}
	shoal_ben_wr_key(w, SHOAL_LIT("m"));
	shoal_ben_wr_dict(w);
	for (size_t i = 0; i < hs->m_count; i++)
		shoal_ben_wr_pair_int(w, sorted[i]->name, sorted[i]->id);
	shoal_ben_wr_end(w);
	return SHOAL_OK;
}

ptrdiff_t shoal_ext_handshake_encode(const struct shoal_ext_handshake *hs, struct shoal_space out)
{
	struct shoal_ben_wr w;

	if (hs->metadata_size > INT64_MAX)
		return SHOAL_ERR_USAGE;
	shoal_ben_wr_init(&w, out);
	shoal_ben_wr_dict(&w);
	if (hs->m_count > 0) {
		int rc = encode_names(&w, hs);
		if (rc < 0)
			return rc;
	}
	if (hs->metadata_size > 0)
		shoal_ben_wr_pair_int(&w, "metadata_size", (int64_t)hs->metadata_size);
	if (hs->port > 0)
		shoal_ben_wr_pair_int(&w, "p", hs->port);
	if (hs->reqq > 0)
		shoal_ben_wr_pair_int(&w, "reqq", hs->reqq);
	if (hs->upload_only || hs->says_not_only)
		shoal_ben_wr_pair_int(&w, "upload_only", hs->upload_only);
	if (hs->v.len > 0)
		shoal_ben_wr_pair_str(&w, "v", hs->v);
	if (hs->has_yourip)
		shoal_ben_wr_pair_str(&w, "yourip", shoal_bytes(hs->yourip.ip, hs->yourip.is_v4 ? 4 : 16));
	shoal_ben_wr_end(&w);
	return shoal_ben_wr_done(&w);
}

/* ---- ut_metadata (BEP 9) ---- */

int shoal_metadata_decode(struct shoal_bytes in, struct shoal_metadata_msg *out)
{
	enum { MSG_TYPE, PIECE, TOTAL_SIZE, FIELDS };
	struct shoal_ben_field f[FIELDS] = {
		{ .key = "msg_type" },
		{ .key = "piece" },
		{ .key = "total_size" },
	};

	memset(out, 0, sizeof *out);
	ptrdiff_t n = shoal_ben_pick(in, SHOAL_BEN_DEPTH_SMALL, f, FIELDS);
	if (n < 0)
		return (int)n;
	const struct shoal_ben_value *kind = &f[MSG_TYPE].v, *piece = &f[PIECE].v;
	if (kind->kind != SHOAL_BEN_INT || kind->num < 0 || kind->num > UINT32_MAX)
		return SHOAL_ERR_MALFORMED;
	out->kind = (uint32_t)kind->num;
	if (out->kind > SHOAL_METADATA_REJECT)
		return SHOAL_OK; /* some later kind: what its other keys mean is not ours to say */
	if (piece->kind != SHOAL_BEN_INT || piece->num < 0 || piece->num > UINT32_MAX)
		return SHOAL_ERR_MALFORMED;
	out->piece = (uint32_t)piece->num;
	if (out->kind != SHOAL_METADATA_DATA)
		return SHOAL_OK;
	out->total_size = (uint64_t)int_within(&f[TOTAL_SIZE].v, 0, INT64_MAX);
	out->data = shoal_bytes(in.at + n, in.len - (size_t)n);
	return out->data.len > 0 && out->data.len <= SHOAL_METADATA_BLOCK ? SHOAL_OK : SHOAL_ERR_MALFORMED;
}

ptrdiff_t shoal_metadata_encode(const struct shoal_metadata_msg *msg, struct shoal_space out)
{
	struct shoal_ben_wr w;
	bool is_data = msg->kind == SHOAL_METADATA_DATA;

	if (msg->total_size > INT64_MAX || is_data != (msg->data.len > 0) || msg->data.len > SHOAL_METADATA_BLOCK)
		return SHOAL_ERR_USAGE;
	shoal_ben_wr_init(&w, out);
	shoal_ben_wr_dict(&w);
	shoal_ben_wr_pair_int(&w, "msg_type", msg->kind);
	shoal_ben_wr_pair_int(&w, "piece", msg->piece);
	if (is_data && msg->total_size > 0)
		shoal_ben_wr_pair_int(&w, "total_size", (int64_t)msg->total_size);
	shoal_ben_wr_end(&w);
	ptrdiff_t n = shoal_ben_wr_done(&w);
	if (n < 0)
		return n;
	if (msg->data.len > out.len - (size_t)n)
		return SHOAL_ERR_TOO_LONG;
	if (is_data)
		memcpy(out.at + n, msg->data.at, msg->data.len);
	return n + (ptrdiff_t)msg->data.len;
}
