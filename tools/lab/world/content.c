/* content.c - see content.h. */
#include "tools/lab/world/content.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/base/slots.h"
#include "proto/magnet.h"
#include "proto/merkle.h"
#include "tools/lab/world/must.h"

#define CHUNK 4096u

/* ---- bytes --------------------------------------------------------------------------- */

static uint64_t word_at(uint64_t seed, uint64_t index)
{
	uint64_t v = (index + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ seed;
	v = (v ^ v >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
	return v ^ v >> 29;
}

void sim_content_bytes(uint64_t seed, uint64_t offset, uint8_t *to, size_t len)
{
	for (; offset % 8 == 0 && len >= 8; to += 8, offset += 8, len -= 8) {
		uint64_t v = word_at(seed, offset / 8);
		memcpy(to, &v, 8);
	}
	while (len > 0) {
		uint64_t v = word_at(seed, offset / 8);
		size_t skip = (size_t)(offset % 8);
		size_t n = 8 - skip < len ? 8 - skip : len;
		memcpy(to, (const uint8_t *)&v + skip, n);
		to += n;
		offset += n;
		len -= n;
	}
}

bool sim_content_is(uint64_t seed, uint64_t offset, const uint8_t *at, size_t len)
{
	uint8_t want[CHUNK];
	for (; offset % 8 == 0 && len >= 8; at += 8, offset += 8, len -= 8) {
		uint64_t v = word_at(seed, offset / 8);
		if (memcmp(at, &v, 8) != 0)
			return false;
	}
	while (len > 0) {
		size_t n = len < sizeof want ? len : sizeof want;
		sim_content_bytes(seed, offset, want, n);
		if (memcmp(at, want, n) != 0)
			return false;
		at += n;
		offset += n;
		len -= n;
	}
	return true;
}

/* ---- hashes --------------------------------------------------------------------------- */

struct made {
	uint64_t begin;
	uint8_t root[32];
	uint8_t *layer;
};

static void file_tree(const struct sim_content_spec *spec, uint64_t size, struct made *made)
{
	uint32_t per = spec->piece_size / SHOAL_BLOCK;
	uint32_t blocks = (uint32_t)((size + SHOAL_BLOCK - 1) / SHOAL_BLOCK);
	shoal_hash32 *leaf = sim_must(calloc(blocks, 32));
	uint8_t *block = sim_must(malloc(SHOAL_BLOCK));
	for (uint32_t i = 0; i < blocks; i++) {
		uint64_t at = (uint64_t)i * SHOAL_BLOCK;
		size_t len = size - at < SHOAL_BLOCK ? (size_t)(size - at) : SHOAL_BLOCK;
		sim_content_bytes(spec->seed, made->begin + at, block, len);
		shoal_sha256((struct shoal_bytes){ block, len }, leaf[i]);
	}
	if (size <= spec->piece_size) {
		shoal_merkle_root(leaf, blocks, shoal_merkle_width(blocks), 0, made->root);
	} else {
		uint32_t pieces = (blocks + per - 1) / per;
		shoal_hash32 *layer = sim_must(calloc(pieces, 32));
		for (uint32_t p = 0; p < pieces; p++) {
			uint32_t here = blocks - p * per < per ? blocks - p * per : per;
			shoal_merkle_root(leaf + (size_t)p * per, here, per, 0, layer[p]);
		}
		made->layer = (uint8_t *)layer;
		shoal_merkle_root_of((const shoal_hash32 *)layer, pieces, shoal_merkle_width(pieces),
				     shoal_merkle_height(per), made->root);
	}
	free(block);
	free(leaf);
}

/* The stream's bytes [offset, offset+len), zeros where no file lies. */
static void stream_bytes(const struct sim_content_spec *spec, const struct made *made, uint64_t offset, uint8_t *to,
			 size_t len)
{
	memset(to, 0, len);
	for (size_t i = 0; i < spec->file_count; i++) {
		uint64_t from = made[i].begin > offset ? made[i].begin : offset;
		uint64_t end = made[i].begin + spec->file[i].size;
		if (end > offset + len)
			end = offset + len;
		if (from < end)
			sim_content_bytes(spec->seed, from, to + (from - offset), (size_t)(end - from));
	}
}

/* ---- the torrent ------------------------------------------------------------------------ */

static void magnet_of(struct sim_content *c)
{
	struct shoal_magnet m = { 0 };
	const struct shoal_id20 *v1 = shoal_metainfo_hash_v1(c->mi);
	const struct shoal_id32 *v2 = shoal_metainfo_hash_v2(c->mi);
	m.has_v1 = v1 != NULL;
	m.has_v2 = v2 != NULL;
	if (v1 != NULL)
		m.v1 = *v1;
	if (v2 != NULL)
		m.v2 = *v2;
	ptrdiff_t n = shoal_magnet_format(&m, (struct shoal_space){ (uint8_t *)c->magnet, sizeof c->magnet });
	assert(n > 0);
	(void)n;
}

void sim_content_init(struct sim_content *c, const struct sim_content_spec *spec)
{
	bool v1 = spec->format != SHOAL_FORMAT_V2;
	bool v2 = spec->format != SHOAL_FORMAT_V1;
	struct made *made = sim_must(calloc(spec->file_count, sizeof *made));
	struct shoal_author_file *file = sim_must(calloc(spec->file_count, sizeof *file));
	uint64_t stream = 0;
	char what[160] = "";

	for (size_t i = 0; i < spec->file_count; i++) {
		uint64_t size = spec->file[i].size;
		made[i].begin = shoal_author_place(spec->format, spec->piece_size, &stream, size);
		if (v2 && size > 0)
			file_tree(spec, size, &made[i]);
		file[i] = (struct shoal_author_file){
			.path = { (const uint8_t *)spec->file[i].path, strlen(spec->file[i].path) },
			.length = size,
			.root = v2 && size > 0 ? made[i].root : NULL,
			.layer = made[i].layer,
		};
	}
	stream = shoal_author_stream(spec->format, spec->piece_size, spec->single, stream);
	uint64_t pieces = (stream + spec->piece_size - 1) / spec->piece_size;
	uint8_t *sha1 = sim_must(calloc(pieces + 1, 20));
	uint8_t *piece = sim_must(malloc(spec->piece_size));
	for (uint64_t p = 0; v1 && p < pieces; p++) {
		uint64_t at = p * spec->piece_size;
		size_t len = stream - at < spec->piece_size ? (size_t)(stream - at) : spec->piece_size;
		stream_bytes(spec, made, at, piece, len);
		shoal_sha1((struct shoal_bytes){ piece, len }, sha1 + p * 20);
	}
	struct shoal_author author = {
		.format = spec->format,
		.name = { (const uint8_t *)"set", 3 },
		.single = spec->single,
		.file = file,
		.file_count = spec->file_count,
		.piece_size = spec->piece_size,
		.sha1 = { sha1, v1 ? (size_t)pieces * 20 : 0 },
	};
	struct shoal_ben_wr w;
	struct shoal_bytes info;
	struct shoal_metainfo_fault why = { 0 };
	shoal_ben_wr_init_heap(&w, 64u << 20);
	ptrdiff_t n = shoal_author_write(&author, &w, &info, what);
	if (n < 0) {
		fprintf(stderr, "sim content: %s\n", what);
		abort();
	}
	*c = (struct sim_content){ .seed = spec->seed,
				   .torrent = sim_must(malloc((size_t)n)),
				   .torrent_len = (size_t)n };
	memcpy(c->torrent, w.at, (size_t)n);
	shoal_ben_wr_fini(&w);
	if (shoal_metainfo_parse(&c->mi, (struct shoal_bytes){ c->torrent, c->torrent_len }, &why) < 0) {
		fprintf(stderr, "sim content: %s\n", why.what);
		abort();
	}
	magnet_of(c);
	for (size_t i = 0; i < spec->file_count; i++)
		free(made[i].layer);
	free(made);
	free(file);
	free(sha1);
	free(piece);
}

void sim_content_fini(struct sim_content *c)
{
	shoal_metainfo_free(c->mi);
	free(c->torrent);
	*c = (struct sim_content){ 0 };
}

void sim_content_digest(const struct sim_content *c, uint32_t piece, uint32_t block, uint8_t out[32])
{
	uint8_t bytes[SHOAL_BLOCK];
	uint32_t begin = block * SHOAL_BLOCK, all = shoal_metainfo_piece_bytes(c->mi, piece);
	uint32_t len = all - begin < SHOAL_BLOCK ? all - begin : SHOAL_BLOCK;
	assert(begin < all);
	sim_content_bytes(c->seed, (uint64_t)piece * shoal_metainfo_piece_size(c->mi) + begin, bytes, len);
	shoal_sha256(shoal_bytes(bytes, len), out);
}

bool sim_content_aligned(const struct sim_content *c)
{
	for (uint32_t f = 0; f < shoal_metainfo_file_count(c->mi); f++)
		if (shoal_metainfo_file_size(c->mi, f) > 0 && !(shoal_metainfo_file_flags(c->mi, f) & SHOAL_FILE_PAD) &&
		    shoal_metainfo_file_offset(c->mi, f) % SHOAL_BLOCK != 0)
			return false;
	return true;
}
