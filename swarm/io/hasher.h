/*
 * swarm/io/hasher.h - many threads hash the pieces of a list of files, each byte read once.
 *
 * For `create` and `verify`. A plan says where files lie in the torrent's
 * stream of bytes; what lies between them is padding: zeros to SHA-1, nothing to
 * v2. Each thread takes several pieces at a time and reads them side by side
 * into buffers that stay in its L2 cache, where SHA-1, the v2 leaves, or both
 * in one pass take them in lanes.
 *
 * The plan, its files and its functions are lent until shoal_hasher_free().
 * The functions are called from the hasher's threads, several at once.
 */
#ifndef SHOAL_HASHER_H
#define SHOAL_HASHER_H

#include "swarm/io/os.h"
#include <shoal/types.h>

/* A file that has bytes. Those of a v2 or hybrid torrent begin on a piece. */
struct shoal_hasher_file {
	uint64_t offset; /* in the stream; each begins at or after the end of the one before */
	uint64_t size;	 /* > 0 */
	uint32_t id;	 /* the caller's */
};

struct shoal_hasher_piece {
	uint32_t index;
	int err;	     /* 0; GONE: a file ended early; IO, DENIED, NOMEM, or what open() said */
	int os;		     /* errno behind it, 0 when there is none */
	uint32_t id;	     /* err < 0: the file it concerns */
	const uint8_t *sha1; /* 20 bytes; NULL without v1 or on an error */
	const uint8_t *root; /* 32 bytes; NULL without v2 or on an error: the root of the piece's subtree; of the
				 * file's own tree when it is no longer than a piece (BEP 52) */
};

struct shoal_hasher_plan {
	const struct shoal_os_ops *os;
	const struct shoal_hasher_file *file;
	uint32_t file_count;
	uint64_t stream_size; /* where the last piece ends; at least the last file's end */
	uint32_t piece_size;  /* a multiple of 16 KiB when v2 */
	uint32_t threads;     /* 0: one a core */
	bool v1, v2;
	void *self; /* the caller's, for the three below */
	/* A descriptor, or an enum shoal_err with *os = errno. A file may be open several times at once. */
	int (*open)(void *self, uint32_t id, int *os);
	/* Gives one back. < 0: the file is no longer what it was when this began, and its pieces mean nothing. */
	int (*close)(void *self, uint32_t id, int fd);
	/* Each piece once, in any order. < 0 ends the whole run with that error. */
	int (*piece)(void *self, const struct shoal_hasher_piece *piece);
};

struct shoal_hasher;

/* Starts its threads. NOMEM; RANGE for a plan that breaks the rules above. */
SHOAL_MUST int shoal_hasher_new(struct shoal_hasher **out, const struct shoal_hasher_plan *plan);
/* Waits up to `wait_ms` (-1: for ever) until every thread has left: 1, else 0. */
SHOAL_MUST int shoal_hasher_wait(struct shoal_hasher *h, int wait_ms);
/* Bytes of files hashed so far. */
uint64_t shoal_hasher_bytes(struct shoal_hasher *h);
/* Its threads leave soon, after the pieces they hold. */
void shoal_hasher_stop(struct shoal_hasher *h);
/* After wait() has said 1: 0, or the first error of close() or piece(), with the file's id; CLOSED after stop(). */
int shoal_hasher_result(const struct shoal_hasher *h, uint32_t *id);
/* Waits for its threads. NULL is fine. */
void shoal_hasher_free(struct shoal_hasher *h);

#endif
