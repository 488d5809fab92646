/*
 * proto/metainfo_parse.c - a .torrent or an info dictionary, from bytes to the object.
 *
 * First the info dictionary is found and copied, and the whole input checked as
 * bencode: depth, duplicate keys, nothing behind it. What is read is the copy, so
 * that every offset the object keeps is one into memory of its own, or into what was lent.
 */
#include "proto/base/digest.h"
#include "proto/metainfo_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int mi_fail(struct mi_parse *p, int err, size_t at, const char *format, ...)
{
	if (p->why != NULL) {
		va_list args;
		va_start(args, format);
		p->why->err = err;
		p->why->at = at;
		vsnprintf(p->why->what, sizeof p->why->what, format, args);
		va_end(args);
	}
	return err;
}

static const char *kind_name(enum shoal_ben_kind kind)
{
	static const char *const names[] = {
		[SHOAL_BEN_NONE] = "nothing", [SHOAL_BEN_INT] = "a number",	 [SHOAL_BEN_STR] = "a string",
		[SHOAL_BEN_LIST] = "a list",  [SHOAL_BEN_DICT] = "a dictionary", [SHOAL_BEN_END] = "an end"
	};
	return names[kind];
}

int mi_kind(struct mi_parse *p, const struct shoal_ben_field *field, enum shoal_ben_kind kind, size_t base,
	    const char *where)
{
	if (field->v.kind == SHOAL_BEN_NONE || field->v.kind == kind)
		return 0;
	return mi_fail_info(p, SHOAL_ERR_MALFORMED, base + field->v.at, "%s %s is %s, not %s", field->key, where,
			    kind_name(field->v.kind), kind_name(kind));
}

/* ---- the info dictionary ---------------------------------------------------------- */

/* clang-format off */
enum { NAME, NAME8, PIECE_LENGTH, PIECES, LENGTH, FILES, ATTR, META_VERSION, FILE_TREE, PRIVATE, SOURCE, SIMILAR, COLLECTIONS,
       INFO_COUNT };
/* clang-format on */

/* All that is wanted of it, found in one pass: a million files are 75 MiB to read. */
struct info_fields {
	struct shoal_ben_field f[INFO_COUNT];
	ptrdiff_t found; /* bytes of the dictionary; < 0: it cannot be read */
};

static const struct info_shape {
	const char *key;
	enum shoal_ben_kind kind;
} info_shapes[INFO_COUNT] = {
	[NAME] = { "name", SHOAL_BEN_STR },
	[NAME8] = { "name.utf-8", SHOAL_BEN_STR },
	[PIECE_LENGTH] = { "piece length", SHOAL_BEN_INT },
	[PIECES] = { "pieces", SHOAL_BEN_STR },
	[LENGTH] = { "length", SHOAL_BEN_INT },
	[FILES] = { "files", SHOAL_BEN_LIST },
	[ATTR] = { "attr", SHOAL_BEN_STR },
	[META_VERSION] = { "meta version", SHOAL_BEN_INT },
	[FILE_TREE] = { "file tree", SHOAL_BEN_DICT },
	[PRIVATE] = { "private", SHOAL_BEN_INT },
	[SOURCE] = { "source", SHOAL_BEN_STR },
	[SIMILAR] = { "similar", SHOAL_BEN_NONE }, /* hints are not worth a fault */
	[COLLECTIONS] = { "collections", SHOAL_BEN_NONE },
};

/* What the dictionary says it is: v1, v2 or both; and the size of its pieces. */
static int take_version(struct mi_parse *p, const struct info_fields *in)
{
	struct shoal_metainfo *mi = p->mi;
	const struct shoal_ben_value *version = &in->f[META_VERSION].v, *ps = &in->f[PIECE_LENGTH].v;
	/* BEP 52: first of all, and apart from what else may look wrong to us in it */
	if (version->kind != SHOAL_BEN_NONE && version->num != 2)
		return mi_fail_info(p, SHOAL_ERR_UNSUPPORTED, version->at, "meta version %lld",
				    (long long)version->num);
	mi->has_v2 = version->kind != SHOAL_BEN_NONE;
	mi->has_v1 = in->f[PIECES].v.kind != SHOAL_BEN_NONE;
	if (mi->has_v2 != (in->f[FILE_TREE].v.kind != SHOAL_BEN_NONE))
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, 0,
				    mi->has_v2 ? "meta version 2 without a file tree"
					       : "a file tree without meta version");
	if (!mi->has_v1 && !mi->has_v2)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, 0, "neither pieces nor a file tree");
	if (!mi->has_v1 && (in->f[FILES].v.kind || in->f[LENGTH].v.kind))
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, 0, "a v1 file list without pieces");
	if (ps->kind == SHOAL_BEN_NONE)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, 0, "no piece length");
	if (mi->has_v2 &&
	    (ps->num < SHOAL_PIECE_SIZE_MIN || ps->num > SHOAL_PIECE_SIZE_MAX || (ps->num & (ps->num - 1))))
		return mi_fail_info(p, SHOAL_ERR_RANGE, ps->at,
				    "piece length %lld (must be a power of two, 16 KiB to 64 MiB)", (long long)ps->num);
	if (ps->num < SHOAL_PIECE_SIZE_MIN_V1 || ps->num > SHOAL_PIECE_SIZE_MAX)
		return mi_fail_info(p, SHOAL_ERR_RANGE, ps->at, "piece length %lld (must be 1 KiB to 64 MiB)",
				    (long long)ps->num);
	mi->piece_size = (uint32_t)ps->num;
	return 0;
}

static void take_hashes(struct mi_parse *p)
{
	struct shoal_metainfo *mi = p->mi;
	struct shoal_bytes raw = shoal_bytes(mi->info, mi->info_len);
	if (mi->has_v1) {
		shoal_sha1(raw, mi->hash_v1.b);
		p->sip = shoal_sipkey(mi->hash_v1.b);
	}
	if (mi->has_v2) {
		shoal_sha256(raw, mi->hash_v2.b);
		p->sip = shoal_sipkey(mi->hash_v2.b);
	}
}

/* Gives back what the growing left over; a failure to shrink is no failure. */
static void trim(struct shoal_metainfo *mi)
{
	struct mi_file *file = realloc(mi->file, mi->file_count * sizeof *file);
	if (file != NULL)
		mi->file = file;
	struct mi_folder *folder = realloc(mi->folder, mi->folder_count * sizeof *folder);
	if (folder != NULL)
		mi->folder = folder;
	if (mi->made_len > 0) {
		uint8_t *made = realloc(mi->made, mi->made_len);
		if (made != NULL)
			mi->made = made;
	}
}

/* Makes `raw` the object's info, and finds its fields; whether it is sound is not known yet. */
static int info_begin(struct mi_parse *p, struct shoal_bytes raw, struct info_fields *in)
{
	struct shoal_metainfo *mi = p->mi;
	mi->info = raw.at;
	if (!p->lent) {
		mi->info = mi->info_own = malloc(raw.len + 1);
		if (mi->info_own == NULL)
			return SHOAL_ERR_NOMEM;
		if (raw.len > 0)
			memcpy(mi->info_own, raw.at, raw.len);
	}
	mi->info_len = raw.len;
	for (size_t i = 0; i < INFO_COUNT; i++)
		in->f[i].key = info_shapes[i].key;
	in->found = shoal_ben_pick(shoal_bytes(mi->info, mi->info_len), SHOAL_BEN_DEPTH_MAX, in->f, INFO_COUNT);
	return 0;
}

static int take_info(struct mi_parse *p, const struct info_fields *in)
{
	struct shoal_metainfo *mi = p->mi;
	uint32_t root;
	int rc;
	if (in->found < 0)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, 0, "info cannot be read");
	if ((rc = mi_kind(p, &in->f[META_VERSION], SHOAL_BEN_INT, 0, "in info")) < 0)
		return rc;
	if (in->f[META_VERSION].v.kind == SHOAL_BEN_NONE || in->f[META_VERSION].v.num == 2)
		for (size_t i = 0; i < INFO_COUNT; i++)
			if (info_shapes[i].kind && (rc = mi_kind(p, &in->f[i], info_shapes[i].kind, 0, "in info")) < 0)
				return rc;
	if ((rc = take_version(p, in)) < 0)
		return rc;
	/* name.utf-8 first, as for paths */
	const struct shoal_ben_value *name = in->f[NAME8].v.kind && in->f[NAME8].v.str.len ? &in->f[NAME8].v
											   : &in->f[NAME].v;
	if (name->kind == SHOAL_BEN_NONE)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, 0, "no name");
	mi->name_at = (uint32_t)name->at;
	mi->is_private = in->f[PRIVATE].v.kind && in->f[PRIVATE].v.num != 0;
	mi->source = in->f[SOURCE].v.str;
	take_hashes(p);
	if ((rc = mi_folder_add(p, MI_NONE, mi->name_at, &root)) < 0)
		return rc;
	if (mi->has_v1 && ((rc = mi_v1_files(p, &in->f[FILES].v, &in->f[LENGTH].v, &in->f[ATTR].v)) < 0 ||
			   (rc = mi_v1_pieces(p, &in->f[PIECES].v)) < 0))
		return rc;
	if (mi->has_v2 && (rc = mi_v2_tree(p, in->f[FILE_TREE].v.raw)) < 0)
		return rc;
	if ((rc = mi_names_settle(p)) < 0 || (rc = mi_layers_init(p)) < 0 ||
	    (rc = mi_hints(p, &in->f[SIMILAR].v, &in->f[COLLECTIONS].v)) < 0)
		return rc;
	trim(mi);
	return 0;
}

/* ---- the whole -------------------------------------------------------------------- */

/* `info_at`: where info begins in `in`. Its file tree alone may nest deep. */
static int check_bencode(struct mi_parse *p, struct shoal_bytes in, size_t info_at, const struct info_fields *info)
{
	const struct shoal_ben_value *tree = &info->f[FILE_TREE].v;
	struct shoal_bytes deep = { NULL, 0 };
	size_t at;
	if (tree->kind != SHOAL_BEN_NONE)
		deep = shoal_bytes(in.at + info_at + tree->at, tree->raw.len);
	int rc = shoal_ben_check(in, SHOAL_METAINFO_DEPTH_MAX, deep, &at);
	switch (rc) {
	case SHOAL_ERR_EXISTS: return mi_fail(p, SHOAL_ERR_MALFORMED, at, "a key comes twice in one dictionary");
	case SHOAL_ERR_TOO_LONG: return mi_fail(p, rc, at, "nested deeper than %d", SHOAL_METAINFO_DEPTH_MAX);
	case SHOAL_ERR_MALFORMED: return mi_fail(p, rc, at, "not bencoded as it must be");
	default: return rc;
	}
}

static int take_torrent(struct mi_parse *p, struct shoal_bytes torrent)
{
	struct mi_outer_fields outer;
	const struct shoal_ben_field *info = &outer.f[MI_OUTER_INFO], *layers = &outer.f[MI_OUTER_LAYERS];
	struct info_fields in = { .found = SHOAL_ERR_MALFORMED };
	int rc;
	if (torrent.len > 0 && torrent.at[torrent.len - 1] == '\n')
		torrent.len--; /* editors and scripts add one */
	mi_outer_pick(torrent, &outer);
	if (info->v.kind == SHOAL_BEN_DICT && (rc = info_begin(p, info->v.raw, &in)) < 0)
		return rc;
	if ((rc = check_bencode(p, torrent, info->v.at, &in)) < 0)
		return rc;
	if (torrent.at[0] != 'd')
		return mi_fail(p, SHOAL_ERR_MALFORMED, 0, "a torrent is a dictionary");
	if (info->v.kind == SHOAL_BEN_NONE)
		return mi_fail(p, SHOAL_ERR_MALFORMED, 0, "no info dictionary");
	if ((rc = mi_kind(p, info, SHOAL_BEN_DICT, 0, "in the torrent")) < 0 ||
	    (rc = mi_kind(p, layers, SHOAL_BEN_DICT, 0, "in the torrent")) < 0)
		return rc;
	p->info_at = info->v.at;
	if ((rc = take_info(p, &in)) < 0)
		return rc;
	if (p->mi->has_v2 && layers->v.kind && (rc = mi_layers_load(p, &layers->v)) < 0)
		return rc;
	return mi_outer(p, &outer);
}

static int take_bare_info(struct mi_parse *p, struct shoal_bytes info)
{
	struct info_fields in;
	int rc = info_begin(p, info, &in);
	if (rc < 0 || (rc = check_bencode(p, info, 0, &in)) < 0)
		return rc;
	if (info.at[0] != 'd')
		return mi_fail(p, SHOAL_ERR_MALFORMED, 0, "an info dictionary is a dictionary");
	return take_info(p, &in);
}

static int parse(struct shoal_metainfo **out, struct shoal_bytes in, struct shoal_metainfo_fault *why,
		 int (*take)(struct mi_parse *p, struct shoal_bytes in), bool lent)
{
	struct mi_parse p = { .why = why, .lent = lent };
	int rc = SHOAL_ERR_NOMEM;
	if (why != NULL)
		*why = (struct shoal_metainfo_fault){ 0 };
	if (in.len > SHOAL_METAINFO_BYTES_MAX)
		return mi_fail(&p, SHOAL_ERR_TOO_LONG, 0, "%zu bytes (at most %u)", in.len, SHOAL_METAINFO_BYTES_MAX);
	p.mi = calloc(1, sizeof *p.mi);
	if (p.mi != NULL)
		rc = take(&p, in);
	free(p.folder_slot);
	if (rc < 0) {
		shoal_metainfo_free(p.mi);
		if (why != NULL && why->err == 0)
			mi_fail(&p, rc, 0, rc == SHOAL_ERR_NOMEM ? "out of memory" : "cannot be read");
		return rc;
	}
	*out = p.mi;
	return 0;
}

int shoal_metainfo_parse(struct shoal_metainfo **out, struct shoal_bytes torrent, struct shoal_metainfo_fault *why)
{
	return parse(out, torrent, why, take_torrent, false);
}

int shoal_metainfo_parse_lent(struct shoal_metainfo **out, struct shoal_bytes torrent, struct shoal_metainfo_fault *why)
{
	return parse(out, torrent, why, take_torrent, true);
}

int shoal_metainfo_parse_info(struct shoal_metainfo **out, struct shoal_bytes info, struct shoal_metainfo_fault *why)
{
	return parse(out, info, why, take_bare_info, false);
}
