/*
 * proto/metainfo_layers.c - piece layers (BEP 52): proven against their root, or not there.
 */
#include "proto/merkle.h"
#include "proto/metainfo_impl.h"

#include <assert.h>
#include <stdlib.h>

static uint32_t pieces_of(const struct shoal_metainfo *mi, uint32_t file)
{
	return (uint32_t)((mi_size(&mi->file[file]) + mi->piece_size - 1) / mi->piece_size);
}

static bool has_layer(const struct shoal_metainfo *mi, uint32_t file)
{
	const struct mi_file *f = &mi->file[file];
	return mi_size(f) > mi->piece_size && !(mi_flags(f) & SHOAL_FILE_PAD);
}

int mi_layers_init(struct mi_parse *p)
{
	struct shoal_metainfo *mi = p->mi;
	uint32_t count = 0;
	if (!mi->has_v2)
		return 0;
	for (uint32_t i = 0; i < mi->file_count; i++)
		count += has_layer(mi, i);
	if (count == 0)
		return 0;
	mi->layer = calloc(count, sizeof *mi->layer);
	if (mi->layer == NULL)
		return SHOAL_ERR_NOMEM;
	for (uint32_t i = 0; i < mi->file_count; i++)
		if (has_layer(mi, i))
			mi->layer[mi->layer_count++].file = i;
	return 0;
}

/* 0 when `hashes` is the piece layer of `file`. */
static int prove(const struct shoal_metainfo *mi, uint32_t file, struct shoal_bytes hashes)
{
	uint32_t count = pieces_of(mi, file);
	shoal_hash32 root;
	if (hashes.len != (size_t)count * 32)
		return SHOAL_ERR_RANGE;
	shoal_merkle_root_of((const void *)hashes.at, count, shoal_merkle_width(count),
			     shoal_merkle_height(mi->piece_size / MI_BLOCK), root);
	return memcmp(root, mi->info + mi->file[file].root, 32) == 0 ? 0 : SHOAL_ERR_HASH;
}

/* Files by root, so that a layer finds them: a table of chains, for many files may share a root. */
struct by_root {
	uint32_t *slot; /* layer + 1 of a root's first file */
	uint32_t *next; /* layer + 1 of the next file with the same root */
	uint32_t mask;
};

static uint32_t *root_place(const struct mi_parse *p, const struct by_root *t, const uint8_t *root)
{
	const struct shoal_metainfo *mi = p->mi;
	uint32_t s = (uint32_t)shoal_siphash(p->sip, 0, shoal_bytes(root, 32)) & t->mask;
	for (;; s = (s + 1) & t->mask) {
		uint32_t there = t->slot[s];
		if (there == 0 || memcmp(mi->info + mi->file[mi->layer[there - 1].file].root, root, 32) == 0)
			return &t->slot[s];
	}
}

static int by_root_init(const struct mi_parse *p, struct by_root *t)
{
	const struct shoal_metainfo *mi = p->mi;
	uint32_t width = shoal_merkle_width(mi->layer_count + mi->layer_count / 2 + 2);
	t->mask = width - 1;
	t->slot = calloc(width, sizeof *t->slot);
	t->next = calloc(mi->layer_count + 1u, sizeof *t->next);
	if (t->slot == NULL || t->next == NULL)
		return SHOAL_ERR_NOMEM;
	for (uint32_t i = mi->layer_count; i-- > 0;) {
		uint32_t *slot = root_place(p, t, mi->info + mi->file[mi->layer[i].file].root);
		t->next[i] = *slot;
		*slot = i + 1;
	}
	return 0;
}

/* One key and value of the dictionary. The layer is proven for the root's first file, then shared. */
static int take_layer(struct mi_parse *p, const struct by_root *t, const struct shoal_ben_value *key,
		      const struct shoal_ben_value *v, size_t base)
{
	struct shoal_metainfo *mi = p->mi;
	size_t at = base + key->at;
	if (key->str.len != 32)
		return mi_fail(p, SHOAL_ERR_MALFORMED, at, "piece layers: a key of %zu bytes, not 32", key->str.len);
	if (v->kind != SHOAL_BEN_STR || v->str.len % 32 != 0)
		return mi_fail(p, SHOAL_ERR_MALFORMED, at, "piece layers: a value that is no row of hashes");
	uint32_t i = *root_place(p, t, key->str.at);
	if (i == 0)
		return 0; /* no file needs it: some makers list small files too */
	uint32_t file = mi->layer[i - 1].file;
	int rc = prove(mi, file, v->str);
	if (rc == SHOAL_ERR_RANGE)
		return mi_fail(p, SHOAL_ERR_MALFORMED, at, "piece layers: %zu hashes for the %u pieces of file %u",
			       v->str.len / 32, pieces_of(mi, file), file);
	if (rc < 0)
		return mi_fail(p, SHOAL_ERR_MALFORMED, at, "piece layers: the layer of file %u does not match its root",
			       file);
	uint8_t *hashes = mi->layer_arena + mi->layer_arena_len;
	memcpy(hashes, v->str.at, v->str.len);
	mi->layer_arena_len += v->str.len;
	for (; i != 0; i = t->next[i - 1]) {
		uint32_t other = mi->layer[i - 1].file;
		if (pieces_of(mi, other) != v->str.len / 32)
			return mi_fail(p, SHOAL_ERR_MALFORMED, at, "files %u and %u have one root and unlike lengths",
				       file, other);
		mi->layer[i - 1].hashes = hashes;
		mi->layers_known++;
	}
	return 0;
}

int mi_layers_load(struct mi_parse *p, const struct shoal_ben_value *layers)
{
	struct shoal_metainfo *mi = p->mi;
	struct by_root t = { NULL, NULL, 0 };
	struct shoal_ben b = shoal_ben(layers->raw, 2);
	struct shoal_ben_value key, v;
	int rc = by_root_init(p, &t);
	if (rc < 0)
		goto out;
	/* No more than what the dictionary holds: declared sizes alone buy no memory. */
	mi->layer_arena = malloc(layers->raw.len);
	if (mi->layer_arena == NULL) {
		rc = SHOAL_ERR_NOMEM;
		goto out;
	}
	rc = shoal_ben_open(&b, SHOAL_BEN_DICT);
	while (rc >= 0 && (rc = shoal_ben_entry(&b, &key, &v)) > 0)
		if ((rc = take_layer(p, &t, &key, &v, layers->at)) < 0)
			goto out;
	if (rc < 0)
		rc = mi_fail(p, rc, layers->at + b.pos, "piece layers cannot be read");
	if (rc >= 0 && mi->layer_arena_len > 0) {
		/* the pointers into it are moved along, should it move when it shrinks */
		uint8_t *before = mi->layer_arena, *less = malloc(mi->layer_arena_len);
		if (less != NULL) {
			memcpy(less, before, mi->layer_arena_len);
			for (uint32_t i = 0; i < mi->layer_count; i++)
				if (mi->layer[i].hashes != NULL)
					mi->layer[i].hashes = less + (mi->layer[i].hashes - before);
			mi->layer_arena = less;
			free(before);
		}
	}
out:
	free(t.slot);
	free(t.next);
	return rc;
}

/* ---- the public face -------------------------------------------------------------- */

uint32_t shoal_metainfo_layer_count(const struct shoal_metainfo *mi)
{
	return mi->layer_count;
}

uint32_t shoal_metainfo_layer_file(const struct shoal_metainfo *mi, uint32_t i)
{
	assert(i < mi->layer_count);
	return mi->layer[i].file;
}

/* They stand in the order of their files. */
static struct mi_layer *layer_of(const struct shoal_metainfo *mi, uint32_t file)
{
	assert(file < mi->file_count);
	uint32_t low = 0, high = mi->layer_count;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (mi->layer[mid].file < file)
			low = mid + 1;
		else
			high = mid;
	}
	return low < mi->layer_count && mi->layer[low].file == file ? &mi->layer[low] : NULL;
}

uint32_t shoal_metainfo_layer_length(const struct shoal_metainfo *mi, uint32_t file)
{
	return layer_of(mi, file) ? pieces_of(mi, file) : 0;
}

int shoal_metainfo_layer_set(struct shoal_metainfo *mi, uint32_t file, struct shoal_bytes hashes)
{
	struct mi_layer *l = file < mi->file_count ? layer_of(mi, file) : NULL;
	if (l == NULL)
		return SHOAL_ERR_RANGE;
	int rc = prove(mi, file, hashes);
	if (rc < 0 || l->hashes != NULL)
		return rc;
	uint8_t *copy = malloc(hashes.len);
	if (copy == NULL)
		return SHOAL_ERR_NOMEM;
	memcpy(copy, hashes.at, hashes.len);
	l->hashes = copy;
	l->owned = true;
	mi->layer_owned += hashes.len;
	mi->layers_known++;
	return 0;
}

bool shoal_metainfo_layer_known(const struct shoal_metainfo *mi, uint32_t file)
{
	const struct mi_layer *l = layer_of(mi, file);
	return l != NULL && l->hashes != NULL;
}

bool shoal_metainfo_layers_complete(const struct shoal_metainfo *mi)
{
	return mi->layers_known == mi->layer_count;
}

struct shoal_bytes shoal_metainfo_layer(const struct shoal_metainfo *mi, uint32_t file)
{
	const struct mi_layer *l = layer_of(mi, file);
	if (l == NULL || l->hashes == NULL)
		return (struct shoal_bytes){ NULL, 0 };
	return shoal_bytes(l->hashes, (size_t)pieces_of(mi, file) * 32);
}

const uint8_t *shoal_metainfo_piece_root(const struct shoal_metainfo *mi, uint32_t piece, uint32_t *leaves)
{
	assert(piece < mi->piece_count);
	if (!mi->has_v2)
		return NULL;
	uint64_t at = (uint64_t)piece * mi->piece_size;
	uint32_t file = shoal_metainfo_file_at(mi, at);
	const struct mi_file *f = &mi->file[file];
	const struct mi_layer *l = layer_of(mi, file);
	if (l == NULL) {
		*leaves = shoal_merkle_width((uint32_t)((mi_size(f) + MI_BLOCK - 1) / MI_BLOCK));
		return mi->info + f->root;
	}
	*leaves = mi->piece_size / MI_BLOCK;
	return l->hashes ? l->hashes + (at - mi_offset(f)) / mi->piece_size * 32 : NULL;
}
