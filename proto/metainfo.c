/*
 * proto/metainfo.c - what a parsed torrent answers.
 */
#include "proto/metainfo_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void shoal_metainfo_free(struct shoal_metainfo *mi)
{
	if (mi == NULL)
		return;
	for (uint32_t i = 0; i < mi->layer_count; i++)
		if (mi->layer[i].owned) {
			uint8_t *hashes;
			memcpy(&hashes, &mi->layer[i].hashes, sizeof hashes); /* ours: the const is for readers */
			free(hashes);
		}
	free(mi->layer);
	free(mi->layer_arena);
	free(mi->info_own);
	free(mi->file);
	free(mi->folder);
	free(mi->made);
	free(mi->text);
	free(mi->tracker.item);
	free(mi->webseed.item);
	free(mi->peer.item);
	free(mi->node.item);
	free(mi->similar.item);
	free(mi->collection.item);
	free(mi);
}

size_t shoal_metainfo_bytes(const struct shoal_metainfo *mi)
{
	size_t texts = mi->tracker.count + mi->webseed.count + mi->peer.count + mi->node.count + mi->similar.count +
		       mi->collection.count;
	return sizeof *mi + mi->info_len + mi->file_count * sizeof *mi->file + mi->folder_count * sizeof *mi->folder +
	       mi->made_len + mi->layer_count * sizeof *mi->layer + mi->layer_arena_len + mi->layer_owned +
	       mi->text_len + texts * sizeof(struct mi_text);
}

bool shoal_metainfo_v1(const struct shoal_metainfo *mi)
{
	return mi->has_v1;
}

bool shoal_metainfo_v2(const struct shoal_metainfo *mi)
{
	return mi->has_v2;
}

bool shoal_metainfo_private(const struct shoal_metainfo *mi)
{
	return mi->is_private;
}

const struct shoal_id20 *shoal_metainfo_hash_v1(const struct shoal_metainfo *mi)
{
	return mi->has_v1 ? &mi->hash_v1 : NULL;
}

const struct shoal_id32 *shoal_metainfo_hash_v2(const struct shoal_metainfo *mi)
{
	return mi->has_v2 ? &mi->hash_v2 : NULL;
}

struct shoal_bytes shoal_metainfo_info(const struct shoal_metainfo *mi)
{
	return shoal_bytes(mi->info, mi->info_len);
}

struct shoal_bytes shoal_metainfo_name_raw(const struct shoal_metainfo *mi)
{
	return mi_raw_at(mi, mi->name_at);
}

struct shoal_bytes shoal_metainfo_name(const struct shoal_metainfo *mi)
{
	return mi_disk_name(mi, mi->single ? mi->file[0].name : mi->folder[0].name);
}

bool shoal_metainfo_single(const struct shoal_metainfo *mi)
{
	return mi->single;
}

static struct shoal_bytes text_of(const struct shoal_metainfo *mi, struct mi_text t)
{
	return t.len ? shoal_bytes(mi->text + t.at, t.len) : (struct shoal_bytes){ NULL, 0 };
}

struct shoal_bytes shoal_metainfo_comment(const struct shoal_metainfo *mi)
{
	return text_of(mi, mi->comment);
}

struct shoal_bytes shoal_metainfo_created_by(const struct shoal_metainfo *mi)
{
	return text_of(mi, mi->created_by);
}

struct shoal_bytes shoal_metainfo_source(const struct shoal_metainfo *mi)
{
	return mi->source;
}

int64_t shoal_metainfo_created_at(const struct shoal_metainfo *mi)
{
	return mi->created_at;
}

static struct shoal_bytes item_of(const struct shoal_metainfo *mi, const struct mi_texts *list, size_t i)
{
	return i < list->count ? text_of(mi, list->item[i]) : (struct shoal_bytes){ NULL, 0 };
}

size_t shoal_metainfo_tracker_count(const struct shoal_metainfo *mi)
{
	return mi->tracker.count;
}

struct shoal_bytes shoal_metainfo_tracker(const struct shoal_metainfo *mi, size_t i, unsigned *tier)
{
	if (tier != NULL)
		*tier = i < mi->tracker.count ? mi->tracker.item[i].tier : 0;
	return item_of(mi, &mi->tracker, i);
}

size_t shoal_metainfo_webseed_count(const struct shoal_metainfo *mi)
{
	return mi->webseed.count;
}

struct shoal_bytes shoal_metainfo_webseed(const struct shoal_metainfo *mi, size_t i)
{
	return item_of(mi, &mi->webseed, i);
}

size_t shoal_metainfo_peer_count(const struct shoal_metainfo *mi)
{
	return mi->peer.count;
}

struct shoal_bytes shoal_metainfo_peer(const struct shoal_metainfo *mi, size_t i)
{
	return item_of(mi, &mi->peer, i);
}

size_t shoal_metainfo_node_count(const struct shoal_metainfo *mi)
{
	return mi->node.count;
}

struct shoal_bytes shoal_metainfo_node(const struct shoal_metainfo *mi, size_t i)
{
	return item_of(mi, &mi->node, i);
}

size_t shoal_metainfo_similar_count(const struct shoal_metainfo *mi)
{
	return mi->similar.count;
}

struct shoal_bytes shoal_metainfo_similar(const struct shoal_metainfo *mi, size_t i)
{
	return item_of(mi, &mi->similar, i);
}

size_t shoal_metainfo_collection_count(const struct shoal_metainfo *mi)
{
	return mi->collection.count;
}

struct shoal_bytes shoal_metainfo_collection(const struct shoal_metainfo *mi, size_t i)
{
	return item_of(mi, &mi->collection, i);
}

/* ---- files ------------------------------------------------------------------------ */

static const struct mi_file *file_of(const struct shoal_metainfo *mi, uint32_t file)
{
	assert(file < mi->file_count);
	return &mi->file[file];
}

uint32_t shoal_metainfo_file_count(const struct shoal_metainfo *mi)
{
	return mi->file_count;
}

uint64_t shoal_metainfo_file_size(const struct shoal_metainfo *mi, uint32_t file)
{
	return mi_size(file_of(mi, file));
}

uint64_t shoal_metainfo_file_offset(const struct shoal_metainfo *mi, uint32_t file)
{
	return mi_offset(file_of(mi, file));
}

unsigned shoal_metainfo_file_flags(const struct shoal_metainfo *mi, uint32_t file)
{
	return mi_flags(file_of(mi, file));
}

const uint8_t *shoal_metainfo_file_root(const struct shoal_metainfo *mi, uint32_t file)
{
	const struct mi_file *f = file_of(mi, file);
	if (!mi->has_v2 || f->root == MI_NONE || (mi_flags(f) & SHOAL_FILE_PAD))
		return NULL;
	return mi->info + f->root;
}

/* Joins the names from the torrent's folder down to the file. */
static int write_path(const struct shoal_metainfo *mi, uint32_t file, struct shoal_space out,
		      struct shoal_bytes (*name)(const struct shoal_metainfo *mi, uint32_t name))
{
	const struct mi_file *f = file_of(mi, file);
	struct shoal_bytes part[SHOAL_PATH_DEPTH_MAX + 3];
	size_t n = 0;
	char pad[24];
	if (mi_flags(f) & SHOAL_FILE_PAD) { /* BEP 47's name for it; whatever path it came with says nothing */
		snprintf(pad, sizeof pad, ".pad/%llu", (unsigned long long)mi_size(f));
		part[n++] = shoal_bytes(pad, strlen(pad));
	} else {
		part[n++] = name(mi, f->name);
	}
	for (uint32_t d = mi->single ? MI_NONE : mi_folder_of(f); d != MI_NONE; d = mi->folder[d].parent)
		part[n++] = name(mi, mi->folder[d].name);
	struct shoal_wr w = shoal_wr(out);
	while (n-- > 0) {
		shoal_wr_put(&w, part[n]);
		shoal_wr_u8(&w, n > 0 ? '/' : 0);
	}
	return w.bad ? SHOAL_ERR_TOO_LONG : (int)(w.pos - 1);
}

int shoal_metainfo_path(const struct shoal_metainfo *mi, uint32_t file, struct shoal_space out)
{
	return write_path(mi, file, out, mi_disk_name);
}

int shoal_metainfo_path_raw(const struct shoal_metainfo *mi, uint32_t file, struct shoal_space out)
{
	return write_path(mi, file, out, mi_raw_name);
}

/* [low, high) holds the last file that starts at or before `offset`. Looks around where it would be if all were of one size,
 * further away each time: to bisect a million from the middle is a cache miss a step. */
static void file_bounds(const struct shoal_metainfo *mi, uint64_t offset, uint32_t *low, uint32_t *high)
{
	uint32_t last = mi->file_count - 1, step = 1;
	double guess = mi->stream ? (double)offset / (double)mi->stream * mi->file_count : 0;
	uint32_t at = guess < last ? (uint32_t)guess : last;
	if (mi_offset(&mi->file[at]) <= offset) {
		for (; step <= last - at && mi_offset(&mi->file[at + step]) <= offset; step *= 2)
			at += step;
		*low = at;
		*high = step <= last - at ? at + step : mi->file_count;
	} else {
		for (; step < at && mi_offset(&mi->file[at - step]) > offset; step *= 2)
			at -= step;
		*low = step < at ? at - step : 0;
		*high = at;
	}
}

uint32_t shoal_metainfo_file_at(const struct shoal_metainfo *mi, uint64_t offset)
{
	/* Empty files stand at the offset where the next file begins, so the last file that
	 * starts at or before a byte of the stream is one that has bytes. */
	uint32_t low, high;
	file_bounds(mi, offset, &low, &high);
	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;
		if (mi_offset(&mi->file[mid]) <= offset)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* ---- pieces ----------------------------------------------------------------------- */

uint32_t shoal_metainfo_piece_size(const struct shoal_metainfo *mi)
{
	return mi->piece_size;
}

uint32_t shoal_metainfo_piece_count(const struct shoal_metainfo *mi)
{
	return mi->piece_count;
}

uint64_t shoal_metainfo_size(const struct shoal_metainfo *mi)
{
	return mi->size;
}

uint64_t shoal_metainfo_stream_size(const struct shoal_metainfo *mi)
{
	return mi->stream;
}

/* Where the piece's range in the stream ends, padding included. */
static uint64_t piece_end(const struct shoal_metainfo *mi, uint32_t piece)
{
	assert(piece < mi->piece_count);
	return shoal_min_u64(((uint64_t)piece + 1) * mi->piece_size, mi->stream);
}

uint32_t shoal_metainfo_piece_bytes(const struct shoal_metainfo *mi, uint32_t piece)
{
	uint64_t start = (uint64_t)piece * mi->piece_size, end = piece_end(mi, piece);
	const struct mi_file *f = &mi->file[shoal_metainfo_file_at(mi, end - 1)];
	if (mi_flags(f) & SHOAL_FILE_PAD)
		end = mi_offset(&mi->file[f->root]); /* not before the piece: the parser refuses pieces of padding */
	else
		end = shoal_min_u64(end, mi_offset(f) + mi_size(f)); /* the gap of a v2 torrent */
	return (uint32_t)(end - start);
}

uint32_t shoal_metainfo_piece_pad(const struct shoal_metainfo *mi, uint32_t piece)
{
	if (!mi->has_v1)
		return 0;
	uint64_t start = (uint64_t)piece * mi->piece_size;
	return (uint32_t)(piece_end(mi, piece) - start) - shoal_metainfo_piece_bytes(mi, piece);
}

const uint8_t *shoal_metainfo_piece_sha1(const struct shoal_metainfo *mi, uint32_t piece)
{
	assert(piece < mi->piece_count);
	return mi->has_v1 ? mi->info + mi->pieces_at + (size_t)piece * 20 : NULL;
}

void shoal_metainfo_piece_files(const struct shoal_metainfo *mi, uint32_t piece, uint32_t *first, uint32_t *last)
{
	*first = shoal_metainfo_file_at(mi, (uint64_t)piece * mi->piece_size);
	*last = shoal_metainfo_file_at(mi, piece_end(mi, piece) - 1);
}
