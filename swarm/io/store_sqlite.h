/*
 * swarm/io/store_sqlite.h - struct shoal_store in one SQLite file, STATE/shoal.db.
 *
 * Everything here is called from one thread (the loop's). get() and scan()
 * read at once on a connection of their own; put() and drop() gather into a
 * batch that commit() hands to the store's thread, which writes it in one
 * transaction: WAL, synchronous=FULL, so that a commit that was reaped with
 * err 0 survives a power cut. Several processes may share the file.
 *
 * A clean stop leaves a mark. Where it is missing the file is checked
 * first; one that is damaged is moved aside (shoal.db.damaged-N) and a
 * fresh one begun: all that was in it can be had again by hashing.
 */
#ifndef SHOAL_STORE_SQLITE_H
#define SHOAL_STORE_SQLITE_H

#include "swarm/pieces/store.h"
#include "swarm/io/os.h"

#define SHOAL_STORE_SCHEMA 1		   /* PRAGMA user_version */
#define SHOAL_STORE_APPLICATION 0x53484f4c /* PRAGMA application_id: "SHOL" */
#define SHOAL_STORE_BATCH_MAX (256u << 20) /* bytes put and not written yet; then BUSY */
#define SHOAL_STORE_BUSY_MS 5000	   /* how long another process may hold the file */

struct shoal_store_sqlite;

struct shoal_store_options {
	const struct shoal_os_ops *os; /* must outlive the store */
	const char *state;	       /* the folder; made, 0700, when it is not there */
	const char *vfs;	       /* an SQLite VFS registered by the caller; NULL: SQLite's own */
	bool exclusive;		       /* nobody else may be at work in it, nor come while it is open: else BUSY */
};

/*
 * Opens or makes the store. UNSUPPORTED: a newer shoal made it, and it was left untouched.
 * DENIED, NO_SPACE, IO, NOMEM, BUSY (another process held it for SHOAL_STORE_BUSY_MS).
 * what[] (may be NULL) is a sentence, also after success when there is something to warn
 * of (it is empty when there is not): a damaged file that was moved aside.
 */
SHOAL_MUST int shoal_store_sqlite_open(struct shoal_store_sqlite **out, const struct shoal_store_options *options,
				       char what[160]);
/* Writes what is under way (commits alone: a batch without its commit is dropped), leaves the clean mark. NULL is fine. */
void shoal_store_sqlite_close(struct shoal_store_sqlite *s);

struct shoal_store shoal_store_sqlite_store(struct shoal_store_sqlite *s);
/* Nobody else was at work in the folder when it was opened. */
bool shoal_store_sqlite_alone(const struct shoal_store_sqlite *s);
/* Readable when reap() has something to give. */
int shoal_store_sqlite_fd(const struct shoal_store_sqlite *s);

#endif
