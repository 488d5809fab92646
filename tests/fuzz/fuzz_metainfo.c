/*
 * fuzz_metainfo.c - whatever parses keeps every promise of metainfo.h: pieces tile the stream, paths are safe
 * and unique, memory stays near the input, and the info dictionary alone parses to the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/author.h"
#include "proto/base/bytes.h"
#include "proto/metainfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

#define LOOK_MAX 200u /* files and pieces looked at, so that each run stays short */

static void check_path(const struct shoal_metainfo *mi, uint32_t file, uint8_t out[SHOAL_PATH_BYTES_MAX + 1])
{
	int len = shoal_metainfo_path(mi, file, (struct shoal_space){ out, SHOAL_PATH_BYTES_MAX + 1 });
	assert(len > 0 && out[len] == 0 && memchr(out, 0, (size_t)len) == NULL);
	for (const char *part = (const char *)out; part != NULL;) {
		const char *slash = strchr(part, '/');
		size_t n = slash ? (size_t)(slash - part) : strlen(part);
		assert(n > 0 && n <= SHOAL_NAME_BYTES_MAX);
		assert(!(n == 1 && part[0] == '.') && !(n == 2 && part[0] == '.' && part[1] == '.'));
		part = slash ? slash + 1 : NULL;
	}
	struct shoal_bytes name = shoal_metainfo_name(mi);
	assert((size_t)len >= name.len && memcmp(out, name.at, name.len) == 0);
}

static void check_files(const struct shoal_metainfo *mi)
{
	static uint8_t path[2][SHOAL_PATH_BYTES_MAX + 1];
	uint32_t count = shoal_metainfo_file_count(mi), real = 0;
	uint64_t size = 0, end = 0;
	assert(count > 0 && count <= SHOAL_FILES_MAX);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t n = shoal_metainfo_file_size(mi, i), at = shoal_metainfo_file_offset(mi, i);
		unsigned flags = shoal_metainfo_file_flags(mi, i);
		assert(at >= end && (shoal_metainfo_v2(mi) || at == end));
		if (n > 0) {
			assert(shoal_metainfo_file_at(mi, at) == i && shoal_metainfo_file_at(mi, at + n - 1) == i);
			end = at + n;
		}
		if (!(flags & SHOAL_FILE_PAD))
			size += n;
		assert(!(flags & SHOAL_FILE_SYMLINK) || n == 0);
		bool root = shoal_metainfo_v2(mi) && n > 0 && !(flags & SHOAL_FILE_PAD);
		assert((shoal_metainfo_file_root(mi, i) != NULL) == root);
		if (flags & SHOAL_FILE_PAD)
			continue;
		if (real++ < LOOK_MAX) {
			check_path(mi, i, path[0]);
			for (uint32_t k = i + 1; k < count && k < i + 20;
			     k++) { /* neighbours are likeliest to collide */
				if (shoal_metainfo_file_flags(mi, k) & SHOAL_FILE_PAD)
					continue;
				check_path(mi, k, path[1]);
				assert(strcmp((char *)path[0], (char *)path[1]) != 0);
			}
		}
	}
	assert(size == shoal_metainfo_size(mi));
	assert(end == shoal_metainfo_stream_size(mi));
}

static void check_pieces(const struct shoal_metainfo *mi)
{
	uint32_t count = shoal_metainfo_piece_count(mi), ps = shoal_metainfo_piece_size(mi);
	assert(ps >= SHOAL_PIECE_SIZE_MIN_V1 && ps <= SHOAL_PIECE_SIZE_MAX && count <= SHOAL_PIECES_MAX);
	assert((shoal_metainfo_stream_size(mi) + ps - 1) / ps == count);
	for (uint32_t p = 0; p < count; p++) {
		if (p == LOOK_MAX && count > 2 * LOOK_MAX)
			p = count - LOOK_MAX;
		uint32_t bytes = shoal_metainfo_piece_bytes(mi, p), pad = shoal_metainfo_piece_pad(mi, p), first, last;
		assert(bytes > 0 && bytes + pad <= ps);
		if (shoal_metainfo_v1(mi))
			assert(bytes + pad == ps || p + 1 == count);
		assert((shoal_metainfo_piece_sha1(mi, p) != NULL) == shoal_metainfo_v1(mi));
		shoal_metainfo_piece_files(mi, p, &first, &last);
		assert(first <= last && last < shoal_metainfo_file_count(mi));
		if (shoal_metainfo_v2(mi)) {
			uint32_t leaves = 0;
			const uint8_t *root = shoal_metainfo_piece_root(mi, p, &leaves);
			bool layered = shoal_metainfo_file_size(mi, first) > ps;
			assert((root != NULL) == (!layered || shoal_metainfo_layer_known(mi, first)));
			assert(leaves > 0 && (leaves & (leaves - 1)) == 0 && leaves <= ps / (16 * 1024));
			for (uint32_t f = first + 1; f <= last; f++)
				assert(shoal_metainfo_file_size(mi, f) == 0 ||
				       shoal_metainfo_file_flags(mi, f) & SHOAL_FILE_PAD);
		}
	}
}

static void check_texts(const struct shoal_metainfo *mi)
{
	unsigned last = 0, tier;
	assert(shoal_metainfo_tracker_count(mi) <= SHOAL_TRACKERS_MAX);
	for (size_t i = 0; i < shoal_metainfo_tracker_count(mi); i++) {
		struct shoal_bytes url = shoal_metainfo_tracker(mi, i, &tier);
		assert(url.len > 0 && memchr(url.at, 0, url.len) == NULL && tier >= last && tier <= last + 1);
		last = tier;
	}
	for (size_t i = 0; i < shoal_metainfo_webseed_count(mi); i++)
		assert(shoal_metainfo_webseed(mi, i).len > 0);
	for (size_t i = 0; i < shoal_metainfo_node_count(mi); i++)
		assert(shoal_metainfo_node(mi, i).len > 0);
	for (size_t i = 0; i < shoal_metainfo_peer_count(mi); i++)
		assert(shoal_metainfo_peer(mi, i).len > 0);
}

/* Written again, where the writer takes the description (its rules are stricter), and read again: the same files. */
static void check_author(const struct shoal_metainfo *mi)
{
	enum { FILES = 64 };
	static struct shoal_author_file file[FILES];
	static uint8_t path[FILES][SHOAL_PATH_BYTES_MAX + 1];
	struct shoal_author a = { .format = !shoal_metainfo_v2(mi)  ? SHOAL_FORMAT_V1
					    : shoal_metainfo_v1(mi) ? SHOAL_FORMAT_HYBRID
								    : SHOAL_FORMAT_V2,
				  .name = shoal_metainfo_name_raw(mi),
				  .single = shoal_metainfo_single(mi),
				  .file = file,
				  .piece_size = shoal_metainfo_piece_size(mi) };
	if (a.format != SHOAL_FORMAT_V2 && shoal_metainfo_piece_count(mi) > 0)
		a.sha1 = shoal_bytes(shoal_metainfo_piece_sha1(mi, 0), 20 * (size_t)shoal_metainfo_piece_count(mi));
	for (uint32_t i = 0; i < shoal_metainfo_file_count(mi); i++) {
		unsigned flags = shoal_metainfo_file_flags(mi, i);
		if (flags & SHOAL_FILE_PAD)
			continue;
		if (a.file_count == FILES || flags & SHOAL_FILE_SYMLINK)
			return;
		int len = shoal_metainfo_path_raw(mi, i, (struct shoal_space){ path[a.file_count], sizeof path[0] });
		size_t skip = a.single ? 0 : a.name.len + 1;
		if (len < 0)
			return;
		file[a.file_count] = (struct shoal_author_file){ .path = shoal_bytes(path[a.file_count] + skip,
										     (size_t)len - skip),
								 .length = shoal_metainfo_file_size(mi, i),
								 .flags = flags,
								 .root = shoal_metainfo_file_root(mi, i),
								 .layer = shoal_metainfo_layer(mi, i).at };
		a.file_count++;
	}
	struct shoal_ben_wr w;
	struct shoal_bytes info;
	shoal_ben_wr_init_heap(&w, SHOAL_METAINFO_BYTES_MAX);
	ptrdiff_t len = shoal_author_write(&a, &w, &info, NULL);
	assert(len > 0 || len == SHOAL_ERR_USAGE || len == SHOAL_ERR_RANGE);
	if (len > 0) {
		struct shoal_metainfo *again;
		assert(shoal_metainfo_parse(&again, shoal_bytes(w.at, (size_t)len), NULL) == 0);
		assert(shoal_metainfo_size(again) == shoal_metainfo_size(mi));
		assert(shoal_metainfo_piece_count(again) == shoal_metainfo_piece_count(mi));
		for (uint32_t i = 0, k = 0; i < shoal_metainfo_file_count(again); i++) {
			if (shoal_metainfo_file_flags(again, i) & SHOAL_FILE_PAD)
				continue;
			assert(!(shoal_metainfo_file_flags(again, i) & SHOAL_FILE_RENAMED));
			assert(shoal_metainfo_file_size(again, i) == file[k].length);
			assert(shoal_metainfo_layer(again, i).len == 0 || file[k].layer != NULL);
			k++;
		}
		shoal_metainfo_free(again);
	}
	shoal_ben_wr_fini(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *raw, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct shoal_metainfo *mi = NULL, *bare = NULL;
	struct shoal_metainfo_fault why;
	if (copy == NULL)
		return 0;
	if (len)
		memcpy(copy, raw, len);
	int rc = shoal_metainfo_parse(&mi, shoal_bytes(copy, len), &why);
	free(copy); /* nothing may point into it */
	if (rc < 0) {
		assert(mi == NULL && why.err == rc && why.what[0] != 0 && why.at <= len);
		for (const char *c = why.what; *c; c++)
			assert(*c >= ' ' && *c < 0x7f);
		return 0;
	}
	assert(shoal_metainfo_v1(mi) || shoal_metainfo_v2(mi));
	assert(shoal_metainfo_bytes(mi) <= 4 * len + 8192);
	check_files(mi);
	check_pieces(mi);
	check_texts(mi);
	check_author(mi);
	assert(shoal_metainfo_parse_info(&bare, shoal_metainfo_info(mi), NULL) == 0);
	assert(shoal_metainfo_file_count(bare) == shoal_metainfo_file_count(mi));
	if (shoal_metainfo_v2(mi))
		assert(memcmp(shoal_metainfo_hash_v2(bare), shoal_metainfo_hash_v2(mi), 32) == 0);
	/* layers that the one has are good for the other */
	for (uint32_t i = 0; i < shoal_metainfo_layer_count(mi); i++) {
		uint32_t file = shoal_metainfo_layer_file(mi, i);
		if (shoal_metainfo_layer_known(mi, file))
			assert(shoal_metainfo_layer_set(bare, file, shoal_metainfo_layer(mi, file)) == 0);
	}
	shoal_metainfo_free(bare);
	shoal_metainfo_free(mi);
	return 0;
}
