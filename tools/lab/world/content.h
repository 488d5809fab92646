/*
 * tools/lab/world/content.h - torrents whose every byte is a function of a seed and of where it lies in the stream.
 *
 * Nobody has to keep the content: a disk that holds a right page notes just
 * that, and a checker knows what any block must be. Written by proto/author.h,
 * hashed for real.
 */
#ifndef SIM_CONTENT_H
#define SIM_CONTENT_H

#include "proto/author.h"
#include "proto/metainfo.h"

/* Bytes of a block by which one that is carried by its head alone is told: right if these are the content's. */
#define SIM_HEAD 16u

struct sim_file_spec {
	const char *path; /* below the torrent's folder, in the order of shoal_author_order() */
	uint64_t size;
};
struct sim_content_spec {
	uint64_t seed;
	enum shoal_format format;
	uint32_t piece_size;
	const struct sim_file_spec *file;
	size_t file_count;
	bool single; /* one file, no folder */
};
struct sim_content {
	uint64_t seed;
	struct shoal_metainfo *mi;
	uint8_t *torrent; /* the .torrent, layers and all */
	size_t torrent_len;
	char magnet[256];
};

/* Aborts when the description is impossible. */
void sim_content_init(struct sim_content *c, const struct sim_content_spec *spec);
void sim_content_fini(struct sim_content *c);
/* Bytes [offset, offset+len) of the stream, as if no padding were there. */
void sim_content_bytes(uint64_t seed, uint64_t offset, uint8_t *to, size_t len);
/* Whether `at` holds exactly those. */
bool sim_content_is(uint64_t seed, uint64_t offset, const uint8_t *at, size_t len);

/* The SHA-256 of the right bytes of a block of a piece (the leaf, in v2). */
void sim_content_digest(const struct sim_content *c, uint32_t piece, uint32_t block, uint8_t out[32]);
/* Whether every file begins on a block of the stream, as heads alone need it. */
bool sim_content_aligned(const struct sim_content *c);

#endif
