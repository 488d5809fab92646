/*
 * proto/bencode.c - the pull parser: one switch on the next byte.
 *
 * What is open is a stack of bits (list or dict); whether a key is due is
 * one flag, because a parent dictionary always waits for a value while its
 * child is open. So the state is 80 bytes whatever the input.
 */
#include "proto/bencode.h"
#include "proto/base/bytes.h"

#include <assert.h>
#include <string.h>

struct shoal_ben shoal_ben(struct shoal_bytes in, uint32_t depth_max)
{
	assert(depth_max <= SHOAL_BEN_DEPTH_MAX);
	return (struct shoal_ben){ .in = in, .depth_max = depth_max };
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool in_dict(const struct shoal_ben *b)
{
	return b->depth > 0 && (b->dict[(b->depth - 1) / 64] >> ((b->depth - 1) % 64) & 1);
}

static int fail(struct shoal_ben *b, size_t at, int err)
{
	b->pos = at;
	b->bad = err;
	return err;
}

/* A value (a key too) has ended: what is due next? */
static void value_over(struct shoal_ben *b)
{
	if (b->depth == 0)
		b->done = true;
	else if (in_dict(b))
		b->key_next = !b->key_next;
}

static int read_int(struct shoal_ben *b, struct shoal_ben_value *out)
{
	size_t pos = b->pos + 1;
	bool minus = pos < b->in.len && b->in.at[pos] == '-';
	if (minus)
		pos++;
	size_t first = pos;
	int64_t num = 0; /* gathered below zero, where there is room for one more */
	for (; pos < b->in.len && is_digit(b->in.at[pos]); pos++)
		if (__builtin_mul_overflow(num, 10, &num) || __builtin_sub_overflow(num, b->in.at[pos] - '0', &num))
			return fail(b, first, SHOAL_ERR_MALFORMED);
	if (pos == first || pos >= b->in.len || b->in.at[pos] != 'e')
		return fail(b, pos, SHOAL_ERR_MALFORMED);
	if (b->in.at[first] == '0' && (pos - first > 1 || minus))
		return fail(b, first, SHOAL_ERR_MALFORMED);
	if (!minus && __builtin_sub_overflow(INT64_C(0), num, &num))
		return fail(b, first, SHOAL_ERR_MALFORMED);
	out->kind = SHOAL_BEN_INT;
	out->num = num;
	b->pos = pos + 1;
	return 1;
}

static int read_str(struct shoal_ben *b, struct shoal_ben_value *out)
{
	size_t pos = b->pos, len = 0;
	for (; pos < b->in.len && is_digit(b->in.at[pos]); pos++)
		if (!shoal_mul_size(len, 10, &len) || !shoal_add_size(len, (size_t)(b->in.at[pos] - '0'), &len))
			return fail(b, b->pos, SHOAL_ERR_MALFORMED);
	if (pos >= b->in.len || b->in.at[pos] != ':')
		return fail(b, pos, SHOAL_ERR_MALFORMED);
	if (b->in.at[b->pos] == '0' && pos - b->pos > 1)
		return fail(b, b->pos, SHOAL_ERR_MALFORMED);
	pos++;
	if (len > b->in.len - pos)
		return fail(b, b->pos, SHOAL_ERR_MALFORMED);
	out->kind = SHOAL_BEN_STR;
	out->str = shoal_bytes(b->in.at + pos, len);
	out->is_key = b->key_next;
	b->pos = pos + len;
	return 1;
}

static int read_begin(struct shoal_ben *b, struct shoal_ben_value *out, bool dict)
{
	if (b->depth == b->depth_max)
		return fail(b, b->pos, SHOAL_ERR_TOO_LONG);
	uint64_t bit = UINT64_C(1) << (b->depth % 64);
	if (dict)
		b->dict[b->depth / 64] |= bit;
	else
		b->dict[b->depth / 64] &= ~bit;
	b->depth++;
	b->key_next = dict;
	b->pos++;
	out->kind = dict ? SHOAL_BEN_DICT : SHOAL_BEN_LIST;
	return 1;
}

/* Inlined for the sake of skip(), which wants to know where a token ends and nothing else of it. */
__attribute__((always_inline)) static inline int next(struct shoal_ben *b, struct shoal_ben_value *out)
{
	if (b->bad < 0)
		return b->bad;
	if (b->done)
		return 0;
	if (b->pos >= b->in.len)
		return fail(b, b->in.len, SHOAL_ERR_MALFORMED);
	uint8_t c = b->in.at[b->pos];
	struct shoal_ben_value v = { .at = b->pos };
	int rc;
	if (c == 'e') {
		/* a dictionary ends where a key is due; the top level has nothing to end */
		if (b->depth == 0 || (in_dict(b) && !b->key_next))
			return fail(b, b->pos, SHOAL_ERR_MALFORMED);
		b->depth--;
		b->key_next = false;
		b->pos++;
		v.kind = SHOAL_BEN_END;
		value_over(b);
		rc = 1;
	} else if (is_digit(c)) {
		if ((rc = read_str(b, &v)) > 0)
			value_over(b);
	} else if (b->key_next) {
		return fail(b, b->pos, SHOAL_ERR_MALFORMED);
	} else if (c == 'i') {
		if ((rc = read_int(b, &v)) > 0)
			value_over(b);
	} else if (c == 'l' || c == 'd') {
		rc = read_begin(b, &v, c == 'd');
	} else {
		return fail(b, b->pos, SHOAL_ERR_MALFORMED);
	}
	if (rc > 0) {
		v.raw = shoal_bytes(b->in.at + v.at, b->pos - v.at);
		*out = v;
	}
	return rc;
}

int shoal_ben_next(struct shoal_ben *b, struct shoal_ben_value *out)
{
	return next(b, out);
}

int shoal_ben_skip(struct shoal_ben *b, struct shoal_ben_value *v)
{
	if (v->kind != SHOAL_BEN_LIST && v->kind != SHOAL_BEN_DICT)
		return b->bad;
	struct shoal_ben_value t;
	uint32_t outside = b->depth - 1;
	while (b->depth > outside) {
		int rc = next(b, &t);
		if (rc < 0)
			return rc;
	}
	v->raw.len = b->pos - v->at;
	return 0;
}

int shoal_ben_item(struct shoal_ben *b, struct shoal_ben_value *v)
{
	int rc = shoal_ben_next(b, v);
	if (rc <= 0)
		return rc;
	if (v->kind == SHOAL_BEN_END)
		return 0;
	rc = shoal_ben_skip(b, v);
	return rc < 0 ? rc : 1;
}

int shoal_ben_entry(struct shoal_ben *b, struct shoal_ben_value *key, struct shoal_ben_value *v)
{
	int rc = shoal_ben_next(b, key);
	if (rc <= 0)
		return rc;
	if (key->kind == SHOAL_BEN_END)
		return 0;
	if (!key->is_key)
		return fail(b, key->at, SHOAL_ERR_MALFORMED);
	rc = shoal_ben_item(b, v);
	/* a dictionary cannot end after a key: next() sees to it */
	return rc < 0 ? rc : 1;
}

int shoal_ben_open(struct shoal_ben *b, enum shoal_ben_kind kind)
{
	struct shoal_ben_value v;
	size_t at = b->pos;
	int rc = shoal_ben_next(b, &v);
	if (rc < 0)
		return rc;
	if (rc == 0 || v.kind != kind)
		return fail(b, at, SHOAL_ERR_MALFORMED);
	return 0;
}

static void forget(struct shoal_ben_field *field, size_t count)
{
	for (size_t i = 0; i < count; i++)
		field[i].v = (struct shoal_ben_value){ .kind = SHOAL_BEN_NONE };
}

ptrdiff_t shoal_ben_pick(struct shoal_bytes in, uint32_t depth_max, struct shoal_ben_field *field, size_t count)
{
	struct shoal_ben b = shoal_ben(in, depth_max);
	struct shoal_ben_value key, v;
	struct shoal_bytes last = { NULL, 0 };
	forget(field, count);
	int rc = shoal_ben_open(&b, SHOAL_BEN_DICT);
	while (rc >= 0 && (rc = shoal_ben_entry(&b, &key, &v)) > 0) {
		if (last.at != NULL && shoal_bytes_equal(last, key.str)) {
			rc = SHOAL_ERR_MALFORMED;
			break;
		}
		last = key.str;
		for (size_t i = 0; i < count; i++) {
			if (key.str.len > 0 && (uint8_t)field[i].key[0] != key.str.at[0])
				continue;
			size_t len = strlen(field[i].key);
			if (!shoal_bytes_equal(key.str, shoal_bytes(field[i].key, len)))
				continue;
			if (field[i].v.kind != SHOAL_BEN_NONE)
				rc = SHOAL_ERR_MALFORMED;
			field[i].v = v;
			break;
		}
	}
	if (rc < 0) {
		forget(field, count);
		return rc;
	}
	return (ptrdiff_t)b.pos;
}
