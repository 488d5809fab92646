/*
 * swarm/pieces/store.h - what outlives the process: small records by kind and key.
 *
 * SQLite in swarm/io (WAL, synchronous=FULL, a thread of its own), a map in
 * tools/lab. put() only queues; what was put becomes durable, all of it or
 * nothing, when the commit() that follows is reaped with err 0.
 */
#ifndef SHOAL_STORE_H
#define SHOAL_STORE_H

#include <shoal/types.h>

enum shoal_store_kind {
	SHOAL_STORE_META = 0,	 /* schema facts, the clean-stop mark */
	SHOAL_STORE_TORRENT = 1, /* by torrent id (32 bytes): folder, name, the info dictionary's hashes */
	SHOAL_STORE_FILE = 2,	 /* by file object: stamp and claims */
	SHOAL_STORE_INFO = 3,	 /* by torrent id: raw metadata of magnets, piece layers */
	SHOAL_STORE_NAMED =
		4, /* whole files without a v2 root, by name and size (swarm/core/adopt.h): a copy of their FILE record */
	SHOAL_STORE_DHT = 5,	/* "v4", "v6": our id there, and nodes that answered (swarm/core/finder.c) */
	SHOAL_STORE_PEER = 6,	/* by address: what is known of a peer (rep_record.h) */
	SHOAL_STORE_SIGNED = 7, /* by public key and salt: the number last signed with (tools/published.h) */
};
#define SHOAL_STORE_KEY_MAX 128
#define SHOAL_STORE_VALUE_MAX (160u << 20)
#define SHOAL_STORE_COMMITS_MAX 64 /* under way and not reaped; then BUSY */

struct shoal_store_done {
	uint64_t cookie;
	int err;
};

struct shoal_store_ops {
	/* Calls row() with the value and returns 1; 0 when there is none; < 0. Sees what was put but not yet committed? No. */
	int (*get)(void *s, unsigned kind, struct shoal_bytes key, void (*row)(void *to, struct shoal_bytes value),
		   void *to);
	/* From hold(s, true) to hold(s, false) get() and scan() answer as of one moment, and thousands of them cost less. For a
	 * stretch in which nothing is waited for: meanwhile the log of what is written grows. NULL: it would change nothing. */
	void (*hold)(void *s, bool hold);
	/* Every record whose key starts with `prefix`, in key order, until row() returns non-zero. */
	int (*scan)(void *s, unsigned kind, struct shoal_bytes prefix,
		    int (*row)(void *to, struct shoal_bytes key, struct shoal_bytes value), void *to);
	int (*put)(void *s, unsigned kind, struct shoal_bytes key, struct shoal_bytes value); /* copied */
	int (*drop)(void *s, unsigned kind, struct shoal_bytes key);
	int (*commit)(void *s, uint64_t cookie); /* ends the batch; several may be under way, in order */
	size_t (*reap)(void *s, struct shoal_store_done out[], size_t max);
};
struct shoal_store {
	const struct shoal_store_ops *ops; /* NULL ops: nothing is kept (and nothing is claimed across restarts) */
	void *s;
};

#endif
