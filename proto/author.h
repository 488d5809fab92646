/*
 * proto/author.h - writes torrents: a description in, canonical bytes out (BEP 3, 5, 12, 19, 27, 47, 52).
 *
 * The same description gives the same bytes on every machine. Files stand
 * in the order of a v2 tree (shoal_author_order) in all formats, so that
 * v1, v2 and hybrid torrents of one folder hold the same stream of files.
 * Hashing is the caller's work: it asks place() where each file lies.
 *
 * A hybrid of several files gets a pad after every file that does not end
 * with its piece, the last one too, as libtorrent has it (BEP 47 pads
 * named .pad/N); a hybrid of one file has none.
 */
#ifndef SHOAL_AUTHOR_H
#define SHOAL_AUTHOR_H

#include <shoal/types.h>
#include "proto/bencode.h"

enum shoal_format {
	SHOAL_FORMAT_HYBRID,
	SHOAL_FORMAT_V2,
	SHOAL_FORMAT_V1,
};

#define SHOAL_AUTHOR_PATH_ROOM 4096 /* a path of SHOAL_PATH_BYTES_MAX, and one byte */

struct shoal_author_file {
	struct shoal_bytes path;   /* below the torrent's folder, components joined by '/'; ignored when single */
	uint64_t length;	   /* 0 for a symlink */
	unsigned flags;		   /* SHOAL_FILE_EXEC, _HIDDEN, _SYMLINK of metainfo.h; others are ignored */
	struct shoal_bytes target; /* symlink: its target's path below the torrent's folder */
	const uint8_t *root;	   /* v2, hybrid: 32 bytes when length > 0 */
	const uint8_t *layer;	   /* v2, hybrid: 32 bytes a piece when longer than one; NULL: not written */
};
struct shoal_author_url {
	struct shoal_bytes url;
	unsigned tier; /* trackers: not below the one before it */
};
struct shoal_author {
	enum shoal_format format;
	struct shoal_bytes name;
	bool single;			      /* one file, called `name`, and no folder */
	const struct shoal_author_file *file; /* or NULL, and file_at() is asked, in order, more than once */
	size_t file_count;
	/* Fills `out` for file i, its path in `room`: so that a million files need not all be described at once. */
	void (*file_at)(void *self, size_t i, char room[SHOAL_AUTHOR_PATH_ROOM], struct shoal_author_file *out);
	void *self;
	uint32_t piece_size;
	struct shoal_bytes sha1; /* v1, hybrid: 20 bytes a piece */
	bool is_private;
	struct shoal_bytes source, comment, created_by; /* empty: left out */
	int64_t created_at;				/* unix seconds; 0: left out */
	const struct shoal_author_url *tracker;
	size_t tracker_count;
	const struct shoal_bytes *webseed;
	size_t webseed_count;
	const struct shoal_bytes *node; /* "host:port" */
	size_t node_count;
	const struct shoal_bytes *peer; /* "host:port" */
	size_t peer_count;
	const struct shoal_bytes *similar; /* BEP 38, beside the info dictionary: it changes no info hash */
	size_t similar_count;
	const struct shoal_bytes *collection;
	size_t collection_count;
};

/* File i as described, whichever way: in the array, or in `out` with its path in `room`. */
const struct shoal_author_file *shoal_author_file_at(const struct shoal_author *a, size_t i,
						     char room[SHOAL_AUTHOR_PATH_ROOM], struct shoal_author_file *out);
/* < 0, 0, > 0: the order of the tree, component by component; for sorting before the rest. */
int shoal_author_order(struct shoal_bytes path_a, struct shoal_bytes path_b);
/* Where a file of `length` bytes begins; *stream is the end of what is placed, first 0. */
uint64_t shoal_author_place(enum shoal_format format, uint32_t piece_size, uint64_t *stream, uint64_t length);
/* The stream's length and pieces once all files are placed (single: no tail pad). */
uint64_t shoal_author_stream(enum shoal_format format, uint32_t piece_size, bool single, uint64_t stream);

/*
 * Writes the torrent; `w` is fresh. Returns the length and sets `*info` to the info dictionary
 * in it (valid while `w` is untouched), whose digests are the info hashes.
 * USAGE when the description breaks the rules above: files out of order, twice, or a folder as
 * well; a component that is empty, ".", "..", above 255 bytes or holds NUL; a root or a number of
 * SHA-1s that is missing; a piece size that parse() would refuse. `what` (may be NULL) says which.
 * RANGE when a size or count is above the limits of metainfo.h; else what the writer says.
 */
SHOAL_MUST ptrdiff_t shoal_author_write(const struct shoal_author *a, struct shoal_ben_wr *w, struct shoal_bytes *info,
					char what[160]);

/* ---- what to choose --------------------------------------------------------------- */

#define SHOAL_AUTHOR_PIECES_WANTED 100000u   /* above it bitfields outgrow what some engines take */
#define SHOAL_AUTHOR_INFO_WANTED (10u << 20) /* bytes of info dictionary that every engine takes */
#define SHOAL_AUTHOR_PAD_PERCENT 10u	     /* of the files' bytes */

/*
 * A piece size for `total` bytes: the smallest power of two that makes at most 2048 pieces,
 * from 16 KiB to 4 MiB; then 8 and 16 MiB as 100,000 pieces are passed; above 16 MiB only
 * when there would be more pieces than parse() takes.
 *
 *	to   32 MiB   16 KiB	to 512 MiB  256 KiB	to   8 GiB    4 MiB (and on to 390 GiB)
 *	to   64 MiB   32 KiB	to   1 GiB  512 KiB	to 781 GiB    8 MiB
 *	to  128 MiB   64 KiB	to   2 GiB    1 MiB	to  32 TiB   16 MiB
 *	to  256 MiB  128 KiB	to   4 GiB    2 MiB	to 128 TiB   64 MiB
 */
uint32_t shoal_author_piece_size(uint64_t total);

struct shoal_author_sums {
	uint64_t total;		/* bytes of files */
	uint64_t padding;	/* bytes a hybrid would add */
	uint64_t pieces;	/* of a hybrid or v2 */
	uint64_t pieces_v1;	/* of v1 alone */
	uint64_t info;		/* bytes of the info dictionary: a hybrid's */
	uint64_t info_of[3];	/* and that of each enum shoal_format */
	uint64_t torrent_of[3]; /* bytes of the whole .torrent; at most so many, as equal files share a layer */
};
/* Needs the names, lengths, flags, order and piece size of `a`, no hashes. */
void shoal_author_measure(const struct shoal_author *a, struct shoal_author_sums *out);
/* HYBRID, unless it would pass one of the three bounds above: then V2, and *why is a sentence (else NULL). */
enum shoal_format shoal_author_format(const struct shoal_author_sums *sums, const char **why);

#endif
