/*
 * proto/bencode_check.c - is it one value, and does no key come twice?
 *
 * Sorted dictionaries, which is nearly all there are, cost one comparison a
 * key and no memory. When one turns out unsorted the whole input is read
 * again, the keys of all open dictionaries on a stack; at the end of an
 * unsorted one its keys go through a hash table keyed by the input's own
 * digest, so equal slots cannot be arranged beforehand.
 */
#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/bencode.h"
#include "proto/siphash.h"

#include <stdlib.h>
#include <string.h>

struct level {
	struct shoal_bytes key; /* the last one */
	size_t base;		/* where this dictionary's keys begin on the stack */
	bool any, unsorted;
};

struct check {
	struct shoal_bytes in;
	struct level level[SHOAL_BEN_DEPTH_MAX + 1];
	bool collect;
	uint32_t *key; /* offsets of key tokens, of the open dictionaries */
	size_t count, room;
	uint64_t *slot; /* hash tag << 32 | offset + 1; 0: free */
	size_t slots_room;
	struct shoal_sipkey sip;
	size_t at;
};

static struct shoal_bytes key_at(const struct check *c, uint32_t offset)
{
	size_t len = 0, pos = offset; /* the parser has seen it: no need to look twice */
	while (c->in.at[pos] != ':')
		len = len * 10 + (size_t)(c->in.at[pos++] - '0');
	return shoal_bytes(c->in.at + pos + 1, len);
}

static int push_key(struct check *c, size_t at)
{
	if (c->count == c->room) {
		size_t room = c->room ? c->room + c->room / 2 : 256;
		uint32_t *more = realloc(c->key, room * sizeof *more);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		c->key = more;
		c->room = room;
	}
	c->key[c->count++] = (uint32_t)at;
	return 0;
}

/* EXISTS when two of key[base, count) are equal. */
static int find_twins(struct check *c, size_t base)
{
	size_t n = c->count - base, width = 16;
	while (width < n + n / 2)
		width *= 2;
	if (c->slots_room < width) {
		free(c->slot);
		c->slot = malloc(width * sizeof *c->slot);
		c->slots_room = c->slot ? width : 0;
		if (c->slot == NULL)
			return SHOAL_ERR_NOMEM;
	}
	memset(c->slot, 0, width * sizeof *c->slot);
	for (size_t i = base; i < c->count; i++) {
		struct shoal_bytes key = key_at(c, c->key[i]);
		uint64_t hash = shoal_siphash(c->sip, 0, key);
		uint64_t mine = hash >> 32 << 32 | (c->key[i] + UINT64_C(1));
		for (size_t s = (size_t)hash & (width - 1);; s = (s + 1) & (width - 1)) {
			uint64_t there = c->slot[s];
			if (there == 0) {
				c->slot[s] = mine;
				break;
			}
			if (there >> 32 == mine >> 32 && shoal_bytes_equal(key, key_at(c, (uint32_t)there - 1))) {
				c->at = c->key[i];
				return SHOAL_ERR_EXISTS;
			}
		}
	}
	return 0;
}

static int see_key(struct check *c, uint32_t depth, const struct shoal_ben_value *key)
{
	struct level *l = &c->level[depth];
	int order = l->any ? shoal_bytes_order(l->key, key->str) : -1;
	if (order == 0) {
		c->at = key->at;
		return SHOAL_ERR_EXISTS;
	}
	l->unsorted |= order > 0;
	l->any = true;
	l->key = key->str;
	return c->collect ? push_key(c, key->at) : 0;
}

/* One reading. 1 when an unsorted dictionary was met and the keys were not being collected. */
static int read_through(struct check *c, uint32_t depth_max, struct shoal_bytes deep)
{
	struct shoal_ben b = shoal_ben(c->in, SHOAL_BEN_DEPTH_MAX);
	struct shoal_ben_value t;
	bool unsorted = false;
	int rc;
	while ((rc = shoal_ben_next(&b, &t)) > 0) {
		c->at = t.at;
		if (t.kind == SHOAL_BEN_DICT || t.kind == SHOAL_BEN_LIST) {
			bool exempt = deep.len && c->in.at + t.at >= deep.at &&
				      (size_t)(c->in.at + t.at - deep.at) < deep.len;
			if (b.depth > depth_max && !exempt)
				return SHOAL_ERR_TOO_LONG;
			c->level[b.depth] = (struct level){ .base = c->count };
		} else if (t.kind == SHOAL_BEN_END) {
			struct level *l = &c->level[b.depth + 1];
			unsorted |= l->unsorted;
			if (c->collect) {
				rc = l->unsorted ? find_twins(c, l->base) : 0;
				c->count = l->base;
			}
		} else if (t.is_key) {
			rc = see_key(c, b.depth, &t);
		}
		if (rc < 0)
			return rc;
	}
	c->at = b.pos;
	if (rc < 0)
		return rc;
	if (b.pos != c->in.len)
		return SHOAL_ERR_MALFORMED;
	return unsorted && !c->collect;
}

int shoal_ben_check(struct shoal_bytes in, uint32_t depth_max, struct shoal_bytes deep, size_t *at)
{
	struct check c = { .in = in };
	int rc = SHOAL_ERR_TOO_LONG;
	if (in.len < UINT32_MAX) /* offsets are kept in 32 bits */
		rc = read_through(&c, depth_max, deep);
	if (rc == 1) {
		uint8_t digest[32];
		shoal_sha256(in, digest);
		c.sip = shoal_sipkey(digest);
		c.collect = true;
		rc = read_through(&c, depth_max, deep);
	}
	free(c.key);
	free(c.slot);
	if (at != NULL)
		*at = c.at;
	return rc;
}
