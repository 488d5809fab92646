/*
 * proto/metainfo.h - what a torrent says: names, sizes, hashes (BEP 3, 12, 19, 27, 47, 52).
 *
 * One immutable object for v1, v2 and hybrid torrents alike. It keeps the
 * raw info dictionary (its hash is the torrent's identity; nothing is ever
 * re-encoded) and a table of 24 bytes a file that points into it, so that a
 * million files stay cheap. Every number in it has been checked against
 * the limits below; later code has no raw bytes to distrust.
 *
 * The torrent is one stream of bytes cut into pieces. In v2 and hybrid
 * torrents each file starts on a piece; what lies between a file's end and
 * the next piece is padding: never stored, never asked for, zero to SHA-1.
 */
#ifndef SHOAL_METAINFO_H
#define SHOAL_METAINFO_H

#include <shoal/types.h>
#include "proto/base/bits.h"

/* Limits on what a stranger may make us hold. */
#define SHOAL_METAINFO_BYTES_MAX (128u << 20) /* a .torrent, or a magnet's metadata */
#define SHOAL_METAINFO_DEPTH_MAX 32	      /* bencode nesting outside a v2 file tree */
#define SHOAL_PATH_DEPTH_MAX 100	      /* folders above a file */
#define SHOAL_PATH_BYTES_MAX 4095
#define SHOAL_NAME_BYTES_MAX 255
#define SHOAL_PIECES_MAX (1u << 21)
#define SHOAL_FILES_MAX 4000000u
#define SHOAL_PIECE_SIZE_MIN (16u * 1024) /* v2 and hybrid, and a power of two (BEP 52) */
#define SHOAL_PIECE_SIZE_MIN_V1 1024u	  /* v1: any number from here; odd and small ones are out there */
#define SHOAL_PIECE_SIZE_MAX (64u << 20)
#define SHOAL_TOTAL_SIZE_MAX (UINT64_C(1) << 47)
#define SHOAL_TRACKERS_MAX 256
#define SHOAL_WEBSEEDS_MAX 256
#define SHOAL_NODES_MAX 256   /* and peers */
#define SHOAL_SIMILAR_MAX 256 /* and collections (BEP 38) */
#define SHOAL_COLLECTION_BYTES_MAX 255

enum shoal_file_flag {
	SHOAL_FILE_PAD = 1,	 /* BEP 47 `p`: zeros, never stored */
	SHOAL_FILE_EXEC = 2,	 /* `x` */
	SHOAL_FILE_HIDDEN = 4,	 /* `h` */
	SHOAL_FILE_SYMLINK = 8,	 /* `l`: never made unless asked; no bytes */
	SHOAL_FILE_RENAMED = 16, /* its name on disk is not the one in the torrent */
};

struct shoal_metainfo;

/* Why a torrent was refused, for people: what is wrong and where. */
struct shoal_metainfo_fault {
	int err;
	size_t at;	/* byte offset in the input, when known */
	char what[160]; /* printable ASCII, e.g. "piece length 0 (must be 1 KiB to 64 MiB)" */
};

/*
 * Parses a whole .torrent, or a bare info dictionary (a magnet's metadata).
 * The input is copied as needed. Time is linear in the input. Returns 0, or
 * MALFORMED, TOO_LONG, RANGE, NOMEM, UNSUPPORTED with `*why` filled (may be NULL).
 * Duplicate keys anywhere, a wrong type at a known key, trailing bytes (one newline
 * excepted) and disagreement between the v1 and v2 halves of a hybrid are errors.
 */
SHOAL_MUST int shoal_metainfo_parse(struct shoal_metainfo **out, struct shoal_bytes torrent,
				    struct shoal_metainfo_fault *why);
SHOAL_MUST int shoal_metainfo_parse_info(struct shoal_metainfo **out, struct shoal_bytes info,
					 struct shoal_metainfo_fault *why);
/* parse(), but the info dictionary is read where it lies: `torrent` must stay as it is for as long as the object lives.
 * For who keeps those bytes anyway: a million files have some 80 MB of them. */
SHOAL_MUST int shoal_metainfo_parse_lent(struct shoal_metainfo **out, struct shoal_bytes torrent,
					 struct shoal_metainfo_fault *why);
void shoal_metainfo_free(struct shoal_metainfo *mi); /* NULL is fine */
/* Bytes it holds, those lent to it too, for the memory budget. */
size_t shoal_metainfo_bytes(const struct shoal_metainfo *mi);

bool shoal_metainfo_v1(const struct shoal_metainfo *mi); /* it has SHA-1 pieces */
bool shoal_metainfo_v2(const struct shoal_metainfo *mi); /* it has a file tree */
bool shoal_metainfo_private(const struct shoal_metainfo *mi);
const struct shoal_id20 *shoal_metainfo_hash_v1(const struct shoal_metainfo *mi); /* NULL without v1 */
const struct shoal_id32 *shoal_metainfo_hash_v2(const struct shoal_metainfo *mi); /* NULL without v2 */
struct shoal_bytes shoal_metainfo_info(const struct shoal_metainfo *mi);	  /* the raw dictionary */
/* The name as it is in the torrent (raw bytes), and as it goes on disk (safe). */
struct shoal_bytes shoal_metainfo_name_raw(const struct shoal_metainfo *mi);
struct shoal_bytes shoal_metainfo_name(const struct shoal_metainfo *mi);
/* true: one file that lies directly in the save folder under `name`. */
bool shoal_metainfo_single(const struct shoal_metainfo *mi);
struct shoal_bytes shoal_metainfo_comment(const struct shoal_metainfo *mi);
struct shoal_bytes shoal_metainfo_created_by(const struct shoal_metainfo *mi);
struct shoal_bytes shoal_metainfo_source(const struct shoal_metainfo *mi);
int64_t shoal_metainfo_created_at(const struct shoal_metainfo *mi); /* unix seconds, 0 when absent */
/* Tracker i of tier; web seeds; peers (`x.pe`) and DHT `nodes` as "host:port". Empty span past the end. */
size_t shoal_metainfo_tracker_count(const struct shoal_metainfo *mi);
struct shoal_bytes shoal_metainfo_tracker(const struct shoal_metainfo *mi, size_t i, unsigned *tier);
size_t shoal_metainfo_webseed_count(const struct shoal_metainfo *mi);
struct shoal_bytes shoal_metainfo_webseed(const struct shoal_metainfo *mi, size_t i);
size_t shoal_metainfo_peer_count(const struct shoal_metainfo *mi);
struct shoal_bytes shoal_metainfo_peer(const struct shoal_metainfo *mi, size_t i);
size_t shoal_metainfo_node_count(const struct shoal_metainfo *mi);
struct shoal_bytes shoal_metainfo_node(const struct shoal_metainfo *mi, size_t i);
/* BEP 38: info hashes (20 bytes, or 32 of v2) of torrents that may share files, and names of collections (raw bytes). */
size_t shoal_metainfo_similar_count(const struct shoal_metainfo *mi);
struct shoal_bytes shoal_metainfo_similar(const struct shoal_metainfo *mi, size_t i);
size_t shoal_metainfo_collection_count(const struct shoal_metainfo *mi);
struct shoal_bytes shoal_metainfo_collection(const struct shoal_metainfo *mi, size_t i);

/* ---- files, in the torrent's order, pads and symlinks included ------------------- */
uint32_t shoal_metainfo_file_count(const struct shoal_metainfo *mi);
uint64_t shoal_metainfo_file_size(const struct shoal_metainfo *mi, uint32_t file);
uint64_t shoal_metainfo_file_offset(const struct shoal_metainfo *mi, uint32_t file);
unsigned shoal_metainfo_file_flags(const struct shoal_metainfo *mi, uint32_t file);
/* 32 bytes, or NULL (v1, empty file, pad, symlink). */
const uint8_t *shoal_metainfo_file_root(const struct shoal_metainfo *mi, uint32_t file);
/*
 * The file's path below the save folder, as it goes on disk: components joined by '/',
 * the torrent's name first when it is a folder. Never absolute, never "..", each
 * component <= 255 bytes, unique. NUL-terminated. Returns its length, or TOO_LONG when
 * it does not fit `out` (SHOAL_PATH_BYTES_MAX + 1 always does).
 */
SHOAL_MUST int shoal_metainfo_path(const struct shoal_metainfo *mi, uint32_t file, struct shoal_space out);
/* The same from the raw names, components joined by '/', for display after escaping. */
SHOAL_MUST int shoal_metainfo_path_raw(const struct shoal_metainfo *mi, uint32_t file, struct shoal_space out);
/* The file that holds stream byte `offset`: the last one that starts at or before it and is not empty. */
uint32_t shoal_metainfo_file_at(const struct shoal_metainfo *mi, uint64_t offset);

/* ---- pieces ---------------------------------------------------------------------- */
uint32_t shoal_metainfo_piece_size(const struct shoal_metainfo *mi); /* nominal */
uint32_t shoal_metainfo_piece_count(const struct shoal_metainfo *mi);
uint64_t shoal_metainfo_size(const struct shoal_metainfo *mi); /* bytes of real files, without padding */
/* The stream's length, padding included. */
uint64_t shoal_metainfo_stream_size(const struct shoal_metainfo *mi);
/* Bytes of piece `piece` that are asked for and stored: to the end of the piece, or to the pad or
 * the file end that closes it. */
uint32_t shoal_metainfo_piece_bytes(const struct shoal_metainfo *mi, uint32_t piece);
/* Zero bytes that SHA-1 covers after those (v1 and hybrid). */
uint32_t shoal_metainfo_piece_pad(const struct shoal_metainfo *mi, uint32_t piece);
/* The SHA-1 of a piece: 20 bytes, NULL without v1. */
const uint8_t *shoal_metainfo_piece_sha1(const struct shoal_metainfo *mi, uint32_t piece);

/* ---- v2 piece layers: not part of the info dictionary, so they come and go ------- */
/* How many files have a layer (are longer than a piece), and the i-th of them. */
uint32_t shoal_metainfo_layer_count(const struct shoal_metainfo *mi);
uint32_t shoal_metainfo_layer_file(const struct shoal_metainfo *mi, uint32_t i);
/* Its number of hashes = pieces of the file. */
uint32_t shoal_metainfo_layer_length(const struct shoal_metainfo *mi, uint32_t file);
/*
 * Takes the layer of `file` (32 * layer_length bytes, copied), proving it against the
 * file's root: 0, HASH when it does not fit, RANGE when the length is wrong, NOMEM.
 * parse() has done this for every layer in the .torrent; a layer there that does not
 * fit its root is an error, one that is missing is not.
 */
SHOAL_MUST int shoal_metainfo_layer_set(struct shoal_metainfo *mi, uint32_t file, struct shoal_bytes hashes);
bool shoal_metainfo_layer_known(const struct shoal_metainfo *mi, uint32_t file);
bool shoal_metainfo_layers_complete(const struct shoal_metainfo *mi);
/* The layer's hashes; empty when unknown or the file has none. */
struct shoal_bytes shoal_metainfo_layer(const struct shoal_metainfo *mi, uint32_t file);
/* What piece `piece` must hash to in v2: the root of its subtree, 32 bytes; NULL while unknown.
 * For a file no longer than one piece it is the file's root, whose tree has only as many
 * leaves as the file needs: `*leaves` (a power of two) says how wide the tree is. */
const uint8_t *shoal_metainfo_piece_root(const struct shoal_metainfo *mi, uint32_t piece, uint32_t *leaves);
/* The files a piece touches: [*first, *last]. In v2 and hybrid torrents one real file (and its pad). */
void shoal_metainfo_piece_files(const struct shoal_metainfo *mi, uint32_t piece, uint32_t *first, uint32_t *last);

#endif
