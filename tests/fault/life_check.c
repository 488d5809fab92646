/* life_check.c - what lies on the disk and what the records say of it, held against what was told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "swarm/io/files.h"
#include "tests/fault/claimed.h"
#include "tests/fault/life_room.h"
#include "tests/fault/model_room.h"

/* ---- looking at the disk ------------------------------------------------------------------- */

static bool real_file(const struct shoal_metainfo *mi, uint32_t f)
{
	return !(shoal_metainfo_file_flags(mi, f) & (SHOAL_FILE_PAD | SHOAL_FILE_SYMLINK));
}

/* `out` has SHOAL_PATH_BYTES_MAX + 64 bytes. */
static void path_of(const struct life_torrent *t, uint32_t f, const char *ending, char *out)
{
	char path[SHOAL_PATH_BYTES_MAX + 1];
	int n = shoal_metainfo_path(t->content.mi, f, (struct shoal_space){ (uint8_t *)path, sizeof path });
	if (n < 0)
		abort();
	snprintf(out, SHOAL_PATH_BYTES_MAX + 64, "%s/%s%s", t->folder, path, ending);
}

/* Whether the bytes [from, from+len) of a file are right, under the name that `state` says it has. */
static bool bytes_right(struct model *m, const struct life_torrent *t, uint32_t f, enum shoal_seen_state state,
			uint64_t from, uint64_t len)
{
	char path[SHOAL_PATH_BYTES_MAX + 64];
	struct model_look look;
	path_of(t, f, state == SHOAL_SEEN_PART ? ".part" : "", path);
	if (len == 0)
		return true;
	return (state == SHOAL_SEEN_PART || state == SHOAL_SEEN_WHOLE) && model_look(m, path, &look) &&
	       look.size >= from + len &&
	       memcmp(look.at + from, t->stream + shoal_metainfo_file_offset(t->content.mi, f) + from, len) == 0;
}

static bool piece_right(struct model *m, const struct life_torrent *t, uint32_t piece, const struct shoal_seen *seen)
{
	const struct shoal_metainfo *mi = t->content.mi;
	uint64_t from = (uint64_t)piece * shoal_metainfo_piece_size(mi),
		 end = from + shoal_metainfo_piece_bytes(mi, piece);
	uint32_t first, last;
	shoal_metainfo_piece_files(mi, piece, &first, &last);
	for (uint32_t f = first; f <= last; f++) {
		uint64_t start = shoal_metainfo_file_offset(mi, f), stop = start + shoal_metainfo_file_size(mi, f);
		uint64_t a = from > start ? from : start, b = end < stop ? end : stop;
		if (real_file(mi, f) && a < b &&
		    !bytes_right(m, t, f, (enum shoal_seen_state)seen[f].state, a - start, b - a))
			return false;
	}
	return true;
}

unsigned life_whole(struct model *m, const struct life_torrent *t)
{
	const struct shoal_metainfo *mi = t->content.mi;
	for (uint32_t f = 0; f < shoal_metainfo_file_count(mi); f++) {
		char path[SHOAL_PATH_BYTES_MAX + 64];
		struct model_look look;
		path_of(t, f, "", path);
		if (real_file(mi, f) && (!model_look(m, path, &look) || look.size != shoal_metainfo_file_size(mi, f) ||
					 !bytes_right(m, t, f, SHOAL_SEEN_WHOLE, 0, look.size)))
			return LIFE_NAME;
	}
	return 0;
}

/* ---- what the records say -------------------------------------------------------------------- */

/* Reads every record as the engine would, and holds it against the disk and against what was told. */
static unsigned check_records(struct life *l, const struct shoal_seen *seen, const struct life_told *told,
			      uint64_t *rehashed)
{
	uint32_t pieces = shoal_metainfo_piece_count(l->mi), files = shoal_metainfo_file_count(l->mi);
	struct claimed_counts c;
	unsigned faults = 0;
	int rc = claimed_count(&c, &l->store, l->mi, l->t->folder, seen);
	if (rc == SHOAL_ERR_NOMEM)
		abort();
	if (rc < 0)
		faults |= LIFE_STORE;
	for (uint32_t p = 0; p < pieces; p++) {
		bool is_believed = c.believed[p] == c.holders[p], is_named = c.named[p] == c.holders[p];
		bool right = piece_right(l->m, l->t, p, seen);
		if (is_believed && !right)
			faults |= LIFE_FALSE;
		if (is_believed)
			l->said[p] = l->born;
		if (told != NULL && told->record[p] && !is_named)
			faults |= LIFE_UNSAID;
		if (told != NULL && told->piece[p] && !right)
			faults |= LIFE_LOST;
		if (told != NULL && told->piece[p] && !is_believed)
			(*rehashed)++;
	}
	for (uint32_t f = 0; f < files; f++)
		if (real_file(l->mi, f) && seen[f].state == SHOAL_SEEN_WHOLE &&
		    (seen[f].stamp.size != shoal_metainfo_file_size(l->mi, f) ||
		     !bytes_right(l->m, l->t, f, SHOAL_SEEN_WHOLE, 0, seen[f].stamp.size)))
			faults |= LIFE_EARLY;
	claimed_counts_fini(&c);
	return faults;
}

unsigned life_check_disk(struct life *l, const struct life_told *told, uint64_t *rehashed)
{
	uint32_t files = shoal_metainfo_file_count(l->mi), storage;
	struct shoal_seen *seen = model_must(calloc(files, sizeof *seen));
	struct shoal_files_fault fault;
	struct shoal_files *own;
	if (shoal_files_new(&own, model_os(), 0) < 0 ||
	    shoal_files_open(own, l->mi, l->t->folder, true, &storage) < 0 ||
	    shoal_files_scan(own, storage, 0, files, seen, &fault) < 0)
		abort();
	shoal_files_free(own);
	unsigned faults = check_records(l, seen, told, rehashed);
	if (told != NULL && told->complete)
		faults |= life_whole(l->m, l->t);
	free(seen);
	return faults;
}

unsigned life_check_claims(struct life *l, const struct life_told *told)
{
	struct life_told now = life_told_new(l->t);
	uint32_t files = shoal_metainfo_file_count(l->mi);
	struct shoal_seen *seen = model_must(calloc(files, sizeof *seen));
	unsigned faults = 0;
	life_told_at(l, SIZE_MAX - 1, &now);
	for (uint32_t f = 0; f < files; f++) { /* whichever name is there; the final one if both are */
		char path[SHOAL_PATH_BYTES_MAX + 64];
		struct model_look look;
		path_of(l->t, f, "", path);
		seen[f].state = model_look(l->m, path, &look) && look.size == shoal_metainfo_file_size(l->mi, f)
					? SHOAL_SEEN_WHOLE
					: SHOAL_SEEN_PART;
	}
	for (uint32_t p = 0; p < shoal_metainfo_piece_count(l->mi); p++) {
		if (now.piece[p] && !piece_right(l->m, l->t, p, seen))
			faults |= LIFE_LIED;
		if (told != NULL && told->piece[p] && !now.piece[p])
			faults |= LIFE_LOST;
		l->had[p] = now.piece[p];
	}
	free(seen);
	life_told_free(&now);
	return faults;
}
