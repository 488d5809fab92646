/*
 * proto/metainfo_v1.c - the v1 half: a list of files and the SHA-1s (BEP 3, BEP 47).
 */
#include "proto/metainfo_impl.h"

#include <stdio.h>
#include <stdlib.h>

int mi_file_add(struct mi_parse *p, const struct mi_file *file, size_t at)
{
	struct shoal_metainfo *mi = p->mi;
	if (mi->file_count == SHOAL_FILES_MAX)
		return mi_fail_info(p, SHOAL_ERR_TOO_LONG, at, "more than %u files", SHOAL_FILES_MAX);
	if (mi->file_count == p->file_room) {
		uint32_t room = p->file_room < 16 ? 16 : p->file_room + p->file_room / 2;
		struct mi_file *more = realloc(mi->file, room * sizeof *more);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		mi->file = more;
		p->file_room = room;
	}
	mi->file[mi->file_count++] = *file;
	return 0;
}

unsigned mi_attr_flags(const struct shoal_ben_value *attr)
{
	unsigned flags = 0;
	for (size_t i = 0; attr->kind == SHOAL_BEN_STR && i < attr->str.len; i++) {
		switch (attr->str.at[i]) {
		case 'p': flags |= SHOAL_FILE_PAD; break;
		case 'x': flags |= SHOAL_FILE_EXEC; break;
		case 'h': flags |= SHOAL_FILE_HIDDEN; break;
		case 'l': flags |= SHOAL_FILE_SYMLINK; break;
		default: break; /* BEP 47: unknown letters are ignored */
		}
	}
	return flags;
}

/* The folders of a path are found or made; its last component is the file's name. `at`: of the path in info. */
static int take_path(struct mi_parse *p, struct shoal_bytes path, size_t at, struct mi_file *file)
{
	struct shoal_ben b = shoal_ben(path, 2);
	struct shoal_ben_value v;
	bool any = false;
	int rc = shoal_ben_open(&b, SHOAL_BEN_LIST);
	uint32_t folder = 0;
	while (rc >= 0 && (rc = shoal_ben_item(&b, &v)) > 0) {
		if (v.kind != SHOAL_BEN_STR)
			return mi_fail_info(p, SHOAL_ERR_MALFORMED, at + v.at, "the path of file %u holds no string",
					    p->mi->file_count);
		if (any && (rc = mi_folder_get(p, folder, file->name, &folder)) < 0)
			return rc;
		file->name = (uint32_t)(at + v.at);
		any = true;
	}
	if (rc < 0) /* only nesting can be wrong here: check() has read it all */
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, at + b.pos, "the path of file %u holds no string",
				    p->mi->file_count);
	if (!any)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "file %u has an empty path", p->mi->file_count);
	file->flags_folder = folder;
	return 0;
}

/* Puts a file of `size` bytes at the end of the stream. */
static int place(struct mi_parse *p, struct mi_file *file, int64_t size, unsigned flags, size_t at)
{
	struct shoal_metainfo *mi = p->mi;
	uint32_t i = mi->file_count;
	if (size < 0)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "file %u has the length %lld", i, (long long)size);
	if ((flags & SHOAL_FILE_SYMLINK) && size > 0)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "file %u is a symlink of %lld bytes", i,
				    (long long)size);
	if ((uint64_t)size > SHOAL_TOTAL_SIZE_MAX - mi->stream)
		return mi_fail_info(p, SHOAL_ERR_RANGE, at, "the files up to number %u have more than 2^47 bytes", i);
	mi_place(file, mi->stream, (uint64_t)size);
	mi_add_flags(file, flags);
	mi->stream += (uint64_t)size;
	if (!(flags & SHOAL_FILE_PAD))
		mi->size += (uint64_t)size;
	return mi_file_add(p, file, at);
}

static int take_file(struct mi_parse *p, const struct shoal_ben_value *entry, size_t at)
{
	enum { LENGTH, PATH, PATH8, ATTR, TARGET, COUNT };
	struct shoal_ben_field f[COUNT] = { [LENGTH] = { .key = "length" },
					    [PATH] = { .key = "path" },
					    [PATH8] = { .key = "path.utf-8" },
					    [ATTR] = { .key = "attr" },
					    [TARGET] = { .key = "symlink path" } };
	static const enum shoal_ben_kind kinds[COUNT] = { [LENGTH] = SHOAL_BEN_INT,
							  [PATH] = SHOAL_BEN_LIST,
							  [PATH8] = SHOAL_BEN_LIST,
							  [ATTR] = SHOAL_BEN_STR,
							  [TARGET] = SHOAL_BEN_LIST };
	struct mi_file file = { .root = MI_NONE };
	int rc;
	uint32_t i = p->mi->file_count;
	if (entry->kind != SHOAL_BEN_DICT)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "file %u is no dictionary", i);
	if (shoal_ben_pick(entry->raw, SHOAL_BEN_DEPTH_MAX, f, COUNT) < 0)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "file %u cannot be read", i);
	for (size_t k = 0; k < COUNT; k++) {
		if (f[k].v.kind == SHOAL_BEN_NONE || f[k].v.kind == kinds[k])
			continue;
		char where[32];
		snprintf(where, sizeof where, "of file %u", i);
		if ((rc = mi_kind(p, &f[k], kinds[k], at, where)) < 0)
			return rc;
	}
	unsigned flags = mi_attr_flags(&f[ATTR].v);
	if (f[LENGTH].v.kind == SHOAL_BEN_NONE && !(flags & SHOAL_FILE_SYMLINK))
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "file %u has no length", i);
	if (!(flags & SHOAL_FILE_PAD)) { /* a pad's path says nothing, and may be missing (BEP 47) */
		/* path.utf-8 first, as most engines have it: the same names on disk as theirs */
		const struct shoal_ben_value *path = f[PATH8].v.kind ? &f[PATH8].v : &f[PATH].v;
		if (path->kind == SHOAL_BEN_NONE)
			return mi_fail_info(p, SHOAL_ERR_MALFORMED, at, "file %u has no path", i);
		if ((rc = take_path(p, path->raw, at + path->at, &file)) < 0)
			return rc;
	}
	return place(p, &file, f[LENGTH].v.kind ? f[LENGTH].v.num : 0, flags, at);
}

/*
 * Pads that follow each other are one run, and each knows its first; empty files between
 * do not break it. A piece that is all padding is refused: nothing of it could be asked for.
 */
static int link_pads(struct mi_parse *p)
{
	struct shoal_metainfo *mi = p->mi;
	uint64_t ps = mi->piece_size;
	uint32_t first = MI_NONE;
	for (uint32_t i = 0; i < mi->file_count; i++) {
		struct mi_file *f = &mi->file[i];
		if (mi_size(f) == 0)
			continue;
		if (!(mi_flags(f) & SHOAL_FILE_PAD)) {
			first = MI_NONE;
			continue;
		}
		if (first == MI_NONE)
			first = i;
		f->root = first;
		uint64_t end = mi_offset(f) + mi_size(f);
		uint64_t whole = (mi_offset(&mi->file[first]) + ps - 1) / ps *
				 ps; /* the first piece that begins in the run */
		if (whole < end && (end - whole >= ps || end == mi->stream))
			return mi_fail(p, SHOAL_ERR_MALFORMED, 0, "file %u: padding fills the whole of piece %llu", i,
				       (unsigned long long)(whole / ps));
	}
	return 0;
}

int mi_v1_files(struct mi_parse *p, const struct shoal_ben_value *files, const struct shoal_ben_value *length,
		const struct shoal_ben_value *attr)
{
	struct shoal_metainfo *mi = p->mi;
	int rc;
	if (files->kind != SHOAL_BEN_NONE && length->kind != SHOAL_BEN_NONE)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, files->at, "both length and files: which is it?");
	if (length->kind != SHOAL_BEN_NONE) {
		/* a lone file that calls itself padding or a link is taken as a file */
		unsigned flags = mi_attr_flags(attr) & (SHOAL_FILE_EXEC | SHOAL_FILE_HIDDEN);
		struct mi_file file = { .name = mi->name_at, .root = MI_NONE };
		mi->single = true;
		return place(p, &file, length->num, flags, length->at);
	}
	if (files->kind == SHOAL_BEN_NONE)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, 0, "neither length nor files");
	struct shoal_ben b = shoal_ben(files->raw, SHOAL_BEN_DEPTH_MAX);
	struct shoal_ben_value v;
	rc = shoal_ben_open(&b, SHOAL_BEN_LIST);
	while (rc >= 0 && (rc = shoal_ben_item(&b, &v)) > 0)
		rc = take_file(p, &v, files->at + v.at);
	if (rc < 0)
		return rc;
	if (mi->file_count == 0)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, files->at, "no files");
	return link_pads(p);
}

int mi_v1_pieces(struct mi_parse *p, const struct shoal_ben_value *pieces)
{
	struct shoal_metainfo *mi = p->mi;
	uint64_t want = (mi->stream + mi->piece_size - 1) / mi->piece_size;
	if (pieces->str.len % 20 != 0)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, pieces->at, "pieces has %zu bytes, no multiple of 20",
				    pieces->str.len);
	if (pieces->str.len / 20 != want)
		return mi_fail_info(p, SHOAL_ERR_MALFORMED, pieces->at, "%zu piece hashes for %llu pieces",
				    pieces->str.len / 20, (unsigned long long)want);
	if (want > SHOAL_PIECES_MAX)
		return mi_fail_info(p, SHOAL_ERR_TOO_LONG, pieces->at, "%llu pieces (at most %u)",
				    (unsigned long long)want, SHOAL_PIECES_MAX);
	mi->pieces_at = (uint32_t)(pieces->str.at - mi->info);
	mi->piece_count = (uint32_t)want;
	return 0;
}
