/*
 * proto/bencode_write.c - the canonical writer.
 */
#include "proto/base/bytes.h"
#include "proto/bencode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GROW_MIN 1024u

void shoal_ben_wr_init(struct shoal_ben_wr *w, struct shoal_space out)
{
	*w = (struct shoal_ben_wr){ .at = out.at, .room = out.len, .size_max = out.len };
}

void shoal_ben_wr_init_heap(struct shoal_ben_wr *w, size_t size_max)
{
	*w = (struct shoal_ben_wr){ .heap = true, .size_max = size_max };
}

void shoal_ben_wr_fini(struct shoal_ben_wr *w)
{
	if (w->heap)
		free(w->at);
	w->at = NULL;
	w->len = w->room = 0;
}

/* Room for n more bytes, or a sticky error. */
static bool want(struct shoal_ben_wr *w, size_t n)
{
	size_t need;
	if (w->err < 0)
		return false;
	if (!shoal_add_size(w->len, n, &need) || need > w->size_max) {
		w->err = SHOAL_ERR_TOO_LONG;
		return false;
	}
	if (need <= w->room)
		return true;
	size_t room = w->room < GROW_MIN ? GROW_MIN : w->room + w->room / 2;
	if (room < need)
		room = need;
	if (room > w->size_max)
		room = w->size_max;
	uint8_t *more = realloc(w->at, room);
	if (more == NULL) {
		w->err = SHOAL_ERR_NOMEM;
		return false;
	}
	w->at = more;
	w->room = room;
	return true;
}

static void put(struct shoal_ben_wr *w, const void *at, size_t n)
{
	if (want(w, n) && n > 0) {
		memcpy(w->at + w->len, at, n);
		w->len += n;
	}
}

static bool in_dict(const struct shoal_ben_wr *w)
{
	return w->depth > 0 && (w->dict[(w->depth - 1) / 64] >> ((w->depth - 1) % 64) & 1);
}

/* Every value passes here before its bytes are written. */
static void value_begins(struct shoal_ben_wr *w)
{
	assert(!w->key_next);
	assert(w->depth > 0 || w->len == 0 || w->err < 0);
	w->key_next = in_dict(w);
}

static void begin(struct shoal_ben_wr *w, char c)
{
	value_begins(w);
	assert(w->depth < SHOAL_BEN_DEPTH_MAX);
	uint64_t bit = UINT64_C(1) << (w->depth % 64);
	if (c == 'd')
		w->dict[w->depth / 64] |= bit;
	else
		w->dict[w->depth / 64] &= ~bit;
	w->prev_key[w->depth] = 0;
	w->depth++;
	w->key_next = c == 'd';
	put(w, &c, 1);
}

void shoal_ben_wr_dict(struct shoal_ben_wr *w)
{
	begin(w, 'd');
}

void shoal_ben_wr_list(struct shoal_ben_wr *w)
{
	begin(w, 'l');
}

void shoal_ben_wr_end(struct shoal_ben_wr *w)
{
	assert(w->depth > 0 && w->key_next == in_dict(w));
	w->depth--;
	w->key_next = in_dict(w);
	put(w, "e", 1);
}

/* Decimal digits of v, then `after`; at most 21 bytes. */
static void put_number(struct shoal_ben_wr *w, uint64_t v, bool minus, char after)
{
	char text[24];
	size_t at = sizeof text;
	text[--at] = after;
	do
		text[--at] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	if (minus)
		text[--at] = '-';
	put(w, text + at, sizeof text - at);
}

static void put_str(struct shoal_ben_wr *w, struct shoal_bytes str)
{
	put_number(w, str.len, false, ':');
	put(w, str.at, str.len);
}

void shoal_ben_wr_key(struct shoal_ben_wr *w, struct shoal_bytes key)
{
	assert(in_dict(w) && w->key_next);
	uint32_t level = w->depth - 1;
	if (w->err < 0) {
		w->key_next = false;
		return;
	}
	if (w->prev_key[level] != 0)
		assert(shoal_bytes_order(shoal_bytes(w->at + w->prev_key[level] - 1, w->prev_len[level]), key) < 0);
	put_str(w, key);
	w->prev_key[level] = w->len - key.len + 1;
	w->prev_len[level] = key.len;
	w->key_next = false;
}

void shoal_ben_wr_int(struct shoal_ben_wr *w, int64_t num)
{
	value_begins(w);
	put(w, "i", 1);
	put_number(w, num < 0 ? 0 - (uint64_t)num : (uint64_t)num, num < 0, 'e');
}

void shoal_ben_wr_str(struct shoal_ben_wr *w, struct shoal_bytes str)
{
	value_begins(w);
	put_str(w, str);
}

void shoal_ben_wr_raw(struct shoal_ben_wr *w, struct shoal_bytes raw)
{
	assert(raw.len > 0);
	value_begins(w);
	put(w, raw.at, raw.len);
}

ptrdiff_t shoal_ben_wr_done(const struct shoal_ben_wr *w)
{
	assert(w->depth == 0);
	return w->err < 0 ? w->err : (ptrdiff_t)w->len;
}

void shoal_ben_wr_pair_int(struct shoal_ben_wr *w, const char *key, int64_t num)
{
	shoal_ben_wr_key(w, shoal_bytes(key, strlen(key)));
	shoal_ben_wr_int(w, num);
}

void shoal_ben_wr_pair_str(struct shoal_ben_wr *w, const char *key, struct shoal_bytes str)
{
	shoal_ben_wr_key(w, shoal_bytes(key, strlen(key)));
	shoal_ben_wr_str(w, str);
}
