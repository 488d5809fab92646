/*
 * tests/unit/own_torrent.h - small torrents whose every byte is known: for tests of storage.
 *
 * Byte `offset` of file `i` is a fixed function of both, so that a test can
 * say what any piece, block or file must hold without keeping it.
 */
#ifndef SHOAL_OWN_TORRENT_H
#define SHOAL_OWN_TORRENT_H

#include "proto/metainfo.h"
#include "swarm/pieces/disk.h"

enum own_format { OWN_V1, OWN_V2, OWN_HYBRID };
#define OWN_FILES_MAX 512

struct own_file {
	const char *path; /* below the folder, '/' between; for v2 and hybrid in the order of the tree */
	uint64_t size;
	bool pad; /* v1: a pad in the middle */
};
struct own_torrent {
	struct shoal_metainfo *mi;
	uint32_t pieces, piece_size;
};

/* `name` is the folder; with one file and `single` it is the file. Fails the test when it cannot. */
void own_torrent_make(struct own_torrent *t, enum own_format format, uint32_t piece_size, const char *name,
		      const struct own_file *file, size_t count, bool single);
void own_torrent_free(struct own_torrent *t);

/* Bytes [offset, offset+len) of real file number `i` (as in file[]). */
void own_bytes(uint32_t i, uint64_t offset, uint8_t *to, size_t len);
/* Bytes of a piece, from `begin` on, as they are asked for and stored. */
void own_piece(const struct own_torrent *t, uint32_t piece, uint32_t begin, uint8_t *to, size_t len);
/* What a piece must come to; `leaf` has room for its blocks. */
void own_hash(const struct own_torrent *t, uint32_t piece, struct shoal_piece_hash *hash, uint8_t (*leaf)[32]);

/* A folder of the test's own, and the end of it with all that is in it. */
void own_folder(char *out, size_t room);
void own_folder_end(const char *folder);
/* A whole file: its bytes, or -1. `to` may be NULL. */
long own_read(const char *folder, const char *path, uint8_t *to, size_t room);
void own_write(const char *folder, const char *path, const void *at, size_t len);
bool own_exists(const char *folder, const char *path);

#endif
