/*
 * swarm/io/store_inner.h - what store_sqlite.c (records) and store_open.c (the file) share.
 */
#ifndef SHOAL_STORE_INNER_H
#define SHOAL_STORE_INNER_H

#include <stdatomic.h>
#include "swarm/io/store_schema.h"
#include "swarm/io/store_sqlite.h"

struct change { /* one record put or dropped */
	struct change *next;
	unsigned kind;
	bool drop;
	uint32_t key_len, value_len;
	size_t number;	/* the store's thread: among those of its transaction */
	uint8_t data[]; /* key, value */
};
struct batch {
	struct batch *next;
	struct change *first, **end;
	uint64_t cookie;
	size_t bytes;
};

struct shoal_store_sqlite {
	const struct shoal_os_ops *os;
	char *state, *path, *vfs; /* STATE, STATE/shoal.db, NULL */
	int fd;			  /* readable when something can be reaped */
	int lock_fd;		  /* STATE/locks/store, shared while we are at work */
	bool running;
	bool exclusive, alone; /* asked for; at the start */

	/* The caller's thread. */
	sqlite3 *reader; /* NULL until it is needed */
	sqlite3_stmt *get, *scan;
	bool scanning;
	struct batch *batch; /* not committed yet; NULL when empty */

	/* The store's thread. */
	sqlite3 *writer;
	sqlite3_stmt *put, *drop;
	bool unsynced; /* it may have been made a moment ago, and never synced */
	bool shaken;   /* a write failed: what the log holds may not be on the medium, and never will be by a sync */
	bool written;
	pthread_t thread;

	atomic_bool damaged;  /* something in the file was not as it was written */
	pthread_mutex_t lock; /* all below */
	pthread_cond_t todo;
	struct batch *queue, **queue_end;
	size_t bytes;					       /* in batches */
	uint32_t commits;				       /* not reaped */
	struct shoal_store_done done[SHOAL_STORE_COMMITS_MAX]; /* a ring */
	size_t done_first, done_count;
	bool signalled, stop;
};

/* ---- store_open.c ---- */
/* A connection of our kind to s->path. */
SHOAL_MUST int shoal_store_connect(struct shoal_store_sqlite *s, sqlite3 **out);

/* ---- store_sqlite.c ---- */
SHOAL_MUST int shoal_store_start(struct shoal_store_sqlite *s);
/* The record of a clean stop, in SHOAL_STORE_META. */
extern const struct shoal_bytes shoal_store_clean_key;

#endif
