/*
 * tools/source.h - what a user points at: a torrent file, a magnet link, an info hash.
 */
#ifndef SHOAL_TOOLS_SOURCE_H
#define SHOAL_TOOLS_SOURCE_H

#include "proto/magnet.h"
#include "proto/metainfo.h"

struct shoal_tool;

struct shoal_source {
	const char *arg;
	struct shoal_metainfo *mi;  /* NULL for a magnet */
	struct shoal_bytes torrent; /* the .torrent's bytes; heap, ours */
	bool is_magnet;
	struct shoal_magnet *magnet; /* of an info hash too; NULL for a torrent */
};

/* Reads a file of at most `max` bytes into the heap. TOO_LONG, GONE, DENIED, IO, NOMEM, UNSUPPORTED (no regular
 * file) with errno. "-" is stdin. */
SHOAL_MUST int shoal_source_read(const char *path, size_t max, struct shoal_bytes *out);

/* 0, or the exit code after saying why. Always safe to fini. `magnets`: whether a link or hash will do. */
SHOAL_MUST int shoal_source_open(struct shoal_tool *tool, struct shoal_source *s, const char *arg, bool magnets);
/* The same for a path that may be anything: *torrent is whether it is a torrent, by its name or, whatever that says, by what
 * it holds; if so, `s` is open (or why not has been said). */
SHOAL_MUST int shoal_source_try(struct shoal_tool *tool, struct shoal_source *s, const char *path, bool *torrent);
void shoal_source_fini(struct shoal_source *s);
/* Whether `arg` is a magnet link or reads as an info hash, and no file of that name is there. */
bool shoal_source_is_magnet(const char *arg);

/* The magnet link of a torrent, on the heap; `peer` "host:port" texts go in as x.pe. NULL: no memory, or too long. */
char *shoal_source_magnet(const struct shoal_metainfo *mi, const char *const peer[], size_t peer_count);

#endif
