/* life_check.c - what lies on the disk and what the records say of it, held against what was told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "swarm/core/claims.h"
#include "swarm/io/files.h"
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

struct reading {
	const struct shoal_seen *seen;
	uint32_t first, from, count;
	uint8_t *named, *believed; /* by piece: how many of its files' records name it; are to be believed */
	const struct shoal_metainfo *mi;
	uint32_t skew;
};

static void on_record(void *to, struct shoal_bytes value)
{
	struct reading *r = to;
	struct shoal_claim c;
	if (shoal_claim_decode(value, &c) < 0 || c.piece_size != shoal_metainfo_piece_size(r->mi) ||
	    c.skew != r->skew || c.first != r->from || c.count != r->count)
		return;
	bool trusted = shoal_claim_trusted(&c, r->seen);
	for (uint32_t i = 0; i < c.count; i++) {
		bool set = (c.flags & SHOAL_CLAIM_ALL) || (c.bitmap.at[i / 8] >> i % 8 & 1);
		r->named[r->first + r->from + i] += set;
		r->believed[r->first + r->from + i] += set && trusted;
	}
}

/* Reads every record as the engine would, and holds it against the disk and against what was told. */
static unsigned check_records(struct life *l, const struct shoal_seen *seen, const struct life_told *told,
			      uint64_t *rehashed)
{
	uint32_t pieces = shoal_metainfo_piece_count(l->mi), files = shoal_metainfo_file_count(l->mi);
	uint8_t *named = model_must(calloc(pieces, 1)), *believed = model_must(calloc(pieces, 1));
	uint8_t *holders = model_must(calloc(pieces, 1));
	unsigned faults = 0;
	for (uint32_t f = 0; f < files; f++) {
		struct reading r = { .seen = &seen[f], .named = named, .believed = believed, .mi = l->mi };
		uint32_t n = shoal_claim_pieces(l->mi, f, &r.first, &r.skew);
		uint8_t key[SHOAL_CLAIM_KEY_LEN];
		for (uint32_t i = 0; i < n; i++)
			holders[r.first + i]++;
		if (n == 0)
			continue;
		if (n > SHOAL_CLAIM_CHUNK)
			abort(); /* torrents here are small */
		r.count = n;
		shoal_claim_key(l->mi, f, shoal_bytes(l->t->folder, strlen(l->t->folder)), 0, key);
		if (l->store.ops->get(l->store.s, SHOAL_STORE_FILE, shoal_bytes(key, sizeof key), on_record, &r) < 0)
			faults |= LIFE_STORE;
	}
	for (uint32_t p = 0; p < pieces; p++) {
		bool is_believed = believed[p] == holders[p], is_named = named[p] == holders[p];
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
	free(named);
	free(believed);
	free(holders);
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
