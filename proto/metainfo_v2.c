/*
 * proto/metainfo_v2.c - the file tree (BEP 52), alone or held against the v1 list of a hybrid.
 *
 * The tree is walked token by token with a stack of folder numbers. A node
 * is a file when its dictionary has the empty key, and then nothing else.
 * In a hybrid the v1 list has made the files already; each leaf of the tree
 * must be the next of them that is no padding, and only leaves its root.
 */
#include "proto/metainfo_impl.h"

#include <stdio.h>
#include <stdlib.h>

struct walk {
	struct mi_parse *p;
	size_t base; /* of the tree in info */
	bool hybrid;
	uint32_t next;	 /* hybrid: the v1 file to compare next */
	uint32_t leaves; /* files in the tree so far */
	uint32_t top;	 /* entries of its root */
	uint64_t stream; /* where the last file ends */
	bool single;	 /* v2 alone: the only file so far lies at the root */
};

static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

struct leaf {
	uint64_t size;
	unsigned flags;
	uint32_t root;
};

/* The properties of a file: the dictionary under the empty key. */
static int read_leaf(struct walk *w, const struct shoal_ben_value *v, struct leaf *out)
{
	enum { LENGTH, ROOT, ATTR, TARGET, COUNT };
	struct shoal_ben_field f[COUNT] = { [LENGTH] = { .key = "length" },
					    [ROOT] = { .key = "pieces root" },
					    [ATTR] = { .key = "attr" },
					    [TARGET] = { .key = "symlink path" } };
	struct mi_parse *p = w->p;
	size_t at = w->base + v->at;
	uint32_t i = w->leaves;
	char where[40];
	int rc;
	if (v->kind != SHOAL_BEN_DICT)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "file %u of the tree is no dictionary", i);
	if (shoal_ben_pick(v->raw, SHOAL_BEN_DEPTH_MAX, f, COUNT) < 0)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "file %u of the tree cannot be read", i);
	snprintf(where, sizeof where, "of file %u of the tree", i);
	if ((rc = mi_kind(p, &f[LENGTH], SHOAL_BEN_INT, at, where)) < 0 ||
	    (rc = mi_kind(p, &f[ROOT], SHOAL_BEN_STR, at, where)) < 0 ||
	    (rc = mi_kind(p, &f[ATTR], SHOAL_BEN_STR, at, where)) < 0 ||
	    (rc = mi_kind(p, &f[TARGET], SHOAL_BEN_LIST, at, where)) < 0)
		return rc;
	out->flags = mi_attr_flags(&f[ATTR].v);
	out->root = MI_NONE;
	if (out->flags & SHOAL_FILE_PAD)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "file %u of the tree is padding", i);
	bool link = out->flags & SHOAL_FILE_SYMLINK;
	if (f[LENGTH].v.kind == SHOAL_BEN_NONE && !link)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "file %u of the tree has no length", i);
	int64_t size = f[LENGTH].v.num;
	if (size < 0 || (link && size > 0))
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "%s %u of the tree has the length %lld",
				    link ? "symlink" : "file", i, (long long)size);
	if ((uint64_t)size > SHOAL_TOTAL_SIZE_MAX)
		return mi_fail_info(p, SHOAL_ERR_RANGE, at, "file %u of the tree has more than 2^47 bytes", i);
	out->size = (uint64_t)size;
	if (size == 0 && f[ROOT].v.kind != SHOAL_BEN_NONE)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "file %u of the tree is empty and has a root", i);
	if (size > 0) {
		static const uint8_t zero[32];
		if (f[ROOT].v.kind == SHOAL_BEN_NONE)
			return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "file %u of the tree has no root", i);
		if (f[ROOT].v.str.len != 32 || memcmp(f[ROOT].v.str.at, zero, 32) == 0)
			return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "the root of file %u of the tree is no hash",
					    i);
		out->root = (uint32_t)(f[ROOT].v.str.at - p->mi->info);
	}
	return 0;
}

/* v2 alone: the leaf becomes a file, on a piece of its own. */
static int add_leaf(struct walk *w, uint32_t folder, uint32_t name_at, const struct leaf *leaf)
{
	struct shoal_metainfo *mi = w->p->mi;
	uint64_t start = round_up(w->stream, mi->piece_size);
	if (leaf->size > SHOAL_TOTAL_SIZE_MAX - start)
		return mi_fail_info(w->p, SHOAL_ERR_RANGE, name_at,
				    "the files up to number %u have more than 2^47 bytes", w->leaves);
	struct mi_file file = { .name = name_at, .flags_folder = folder, .root = leaf->root };
	mi_place(&file, start, leaf->size);
	mi_add_flags(&file, leaf->flags);
	if (leaf->size > 0)
		w->stream = start + leaf->size;
	mi->size += leaf->size;
	w->single = folder == 0;
	return mi_file_add(w->p, &file, name_at);
}

/* A hybrid: the leaf must be the list's next file. */
static int match_leaf(struct walk *w, uint32_t folder, uint32_t name_at, const struct leaf *leaf)
{
	struct shoal_metainfo *mi = w->p->mi;
	while (w->next < mi->file_count && (mi_flags(&mi->file[w->next]) & SHOAL_FILE_PAD))
		w->next++;
	if (w->next == mi->file_count)
		return mi_fail_info(w->p, SHOAL_ERR_MALFORMED, name_at,
				    "hybrid: file %u of the tree is not in the list", w->leaves);
	struct mi_file *f = &mi->file[w->next];
	const char *what = NULL;
	if (mi_folder_of(f) != folder || !shoal_bytes_equal(mi_raw_at(mi, f->name), mi_raw_at(mi, name_at)))
		what = "name";
	else if (mi_size(f) != leaf->size)
		what = "length";
	else if ((mi_flags(f) ^ leaf->flags) & SHOAL_FILE_SYMLINK)
		what = "kind";
	if (what != NULL)
		return mi_fail_info(w->p, SHOAL_ERR_MALFORMED, name_at,
				    "hybrid: file %u of the list and file %u of the tree differ in %s", w->next,
				    w->leaves, what);
	if (leaf->size > 0) {
		if (mi_offset(f) != round_up(w->stream, mi->piece_size))
			return mi_fail_info(w->p, SHOAL_ERR_MALFORMED, name_at,
					    "hybrid: file %u of the list does not begin on its piece", w->next);
		w->stream = mi_offset(f) + leaf->size;
	}
	f->root = leaf->root;
	mi_add_flags(f, leaf->flags);
	w->next++;
	return 0;
}

static int take_leaf(struct walk *w, uint32_t folder, uint32_t name_at, const struct shoal_ben_value *v)
{
	struct leaf leaf = { .root = MI_NONE };
	int rc = read_leaf(w, v, &leaf);
	if (rc >= 0)
		rc = w->hybrid ? match_leaf(w, folder, name_at, &leaf) : add_leaf(w, folder, name_at, &leaf);
	w->leaves++;
	return rc;
}

static int take_folder(struct walk *w, uint32_t parent, const struct shoal_ben_value *key, uint32_t *out)
{
	if (!w->hybrid)
		return mi_folder_add(w->p, parent, (uint32_t)(w->base + key->at), out);
	/* A folder that the list lacks is a difference only when there is a file in it. */
	*out = parent == MI_NONE ? MI_NONE : mi_folder_find(w->p, parent, key->str);
	return 0;
}

static int walk_tree(struct walk *w, struct shoal_bytes tree)
{
	uint32_t stack[SHOAL_BEN_DEPTH_MAX + 1] = { 0 }; /* stack[d]: the folder whose dictionary is at depth d */
	struct shoal_ben b = shoal_ben(tree, SHOAL_BEN_DEPTH_MAX);
	struct shoal_ben_value key, v;
	int rc = shoal_ben_open(&b, SHOAL_BEN_DICT);
	stack[1] = 0;
	while (rc >= 0 && (rc = shoal_ben_next(&b, &key)) > 0) {
		if (key.kind == SHOAL_BEN_END)
			continue;
		size_t at = w->base + key.at;
		uint32_t folder = stack[b.depth];
		if (key.str.len == 0)
			return mi_fail_info(w->p, SHOAL_ERR_MALFORMED, at,
					    "the file tree has a node that is file and folder");
		if (b.depth == 1)
			w->top++;
		if ((rc = shoal_ben_next(&b, &v)) < 0)
			break;
		if (v.kind != SHOAL_BEN_DICT)
			return mi_fail_info(w->p, SHOAL_ERR_MALFORMED, at,
					    "the file tree has a node that is no dictionary");
		struct shoal_ben inside = b;
		if ((rc = shoal_ben_next(&inside, &v)) < 0)
			break;
		if (!v.is_key || v.str.len > 0) {
			if ((rc = take_folder(w, folder, &key, &stack[b.depth])) < 0)
				return rc;
			continue;
		}
		if ((rc = shoal_ben_item(&inside, &v)) < 0)
			break;
		struct shoal_ben_value end;
		if ((rc = shoal_ben_next(&inside, &end)) < 0)
			break;
		if (end.kind != SHOAL_BEN_END)
			return mi_fail_info(w->p, SHOAL_ERR_MALFORMED, at,
					    "the file tree has a node that is file and folder");
		b = inside;
		if ((rc = take_leaf(w, folder, (uint32_t)at, &v)) < 0)
			return rc;
	}
	return rc < 0 ? mi_fail_info(w->p, rc, w->base + b.pos, "the file tree cannot be read") : 0;
}

/* What the list has after its last file that matched may only be the padding of the last piece. */
static int end_hybrid(struct walk *w)
{
	struct shoal_metainfo *mi = w->p->mi;
	for (; w->next < mi->file_count; w->next++)
		if (!(mi_flags(&mi->file[w->next]) & SHOAL_FILE_PAD))
			return mi_fail(w->p, SHOAL_ERR_MALFORMED, w->p->info_at,
				       "hybrid: file %u of the list is not in the tree", w->next);
	if (mi->stream != w->stream && mi->stream != round_up(w->stream, mi->piece_size))
		return mi_fail(w->p, SHOAL_ERR_MALFORMED, w->p->info_at,
			       "hybrid: the padding after the last file does not end with its piece");
	return 0;
}

int mi_v2_tree(struct mi_parse *p, struct shoal_bytes tree)
{
	struct shoal_metainfo *mi = p->mi;
	struct walk w = { .p = p, .base = (size_t)(tree.at - mi->info), .hybrid = mi->has_v1 };
	int rc = walk_tree(&w, tree);
	if (rc < 0)
		return rc;
	if (w.leaves == 0)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, w.base, "no files in the file tree");
	if (w.hybrid)
		return end_hybrid(&w);
	/* One file and nothing beside it needs no folder around it; its key is its name. */
	mi->single = w.single && w.leaves == 1 && w.top == 1;
	mi->stream = w.stream;
	uint64_t pieces = round_up(w.stream, mi->piece_size) / mi->piece_size;
	if (pieces > SHOAL_PIECES_MAX)
		return mi_fail_info(p, SHOAL_ERR_TOO_LONG, w.base, "%llu pieces (at most %u)",
				    (unsigned long long)pieces, SHOAL_PIECES_MAX);
	mi->piece_count = (uint32_t)pieces;
	return 0;
}
