/*
 * tests/fault/model.h - a disk in memory that remembers every change to it, and can be cut off at any of them.
 *
 * The real file layer (swarm/io/files*.c) runs over model_os, the real store over the SQLite
 * VFS called MODEL_VFS; both change this disk. Each change is logged. A crash is a place in
 * that log: what a sync that had returned by then covered is there, all else is there, torn,
 * out of order or gone, as a seed decides:
 *
 *   bytes   of a file last after its fdatasync, fsync, or a syncfs that began after they were written; till
 *	     then each sector (512 bytes or 4 KiB) is old or new by itself, or garbage where the file grew
 *   size    may run ahead of the bytes, and the other way about
 *   names   last after an fsync of their folder, or a syncfs; a rename is never half done
 *   times   last with an fsync or syncfs, a rename's with the rename; an fdatasync need not keep them
 *
 * Inode numbers live on, so that records about files mean the same after the crash. Thread-safe; one
 * disk is in use at a time (model_use). Ends the program when memory is short.
 */
#ifndef FAULT_MODEL_H
#define FAULT_MODEL_H

#include "swarm/io/os.h"

/* What stands between a fact and its loss. A bit each, for model_crash(). */
enum model_barrier {
	MODEL_DATA,	    /* fdatasync of content */
	MODEL_NEW_FILE,	    /* fsync of a folder, for what was made in it: files ... */
	MODEL_NEW_FOLDER,   /* ... folders of the torrent ... */
	MODEL_SAVE_FOLDER,  /* ... the folder it is saved to, or one above ... */
	MODEL_FINAL_NAME,   /* ... and names that changed */
	MODEL_VOLUME,	    /* syncfs, for all of these at once */
	MODEL_WAL,	    /* sync of SQLite's log: the commit */
	MODEL_DB,	    /* sync of the database, when the log is folded into it */
	MODEL_JOURNAL,	    /* sync of the rollback journal, before there is a log */
	MODEL_STATE_NAME,   /* fsync of the state folder, for SQLite's files */
	MODEL_STATE_FOLDER, /* fsync of the folder above it */
	MODEL_BARRIERS,
	MODEL_NONE = MODEL_BARRIERS,
};
extern const char *const model_barrier_name[MODEL_BARRIERS];

struct model;
#define MODEL_SAVE "/home/data"	 /* what lies below is content */
#define MODEL_STATE "/var/state" /* and this the store's */

/* An empty disk with the folders /home and /var. */
struct model *model_new(void);
void model_free(struct model *m); /* NULL is fine */
/* The disk that model_os and MODEL_VFS mean from now on. Nothing may be open. */
void model_use(struct model *m);
/* The real table, with what concerns files replaced. */
const struct shoal_os_ops *model_os(void);
#define MODEL_VFS "shoal-fault-model"
void model_vfs_register(void);
void model_vfs_seed(uint64_t seed); /* SQLite's own dice */

/* How many changes and syncs there were. */
size_t model_log_length(struct model *m);
/* What is left when the power goes after the first `at` of them. `lost`: bits of enum model_barrier whose syncs did
 * nothing. The same arguments give the same disk. */
struct model *model_crash(struct model *m, size_t at, unsigned lost, uint64_t seed);
/* What is left when the process is killed then: all that it did, and its log, so that the power may go later. */
struct model *model_kill(struct model *m, size_t at);
/* How often each barrier stood in the log's first `at` entries. */
void model_barriers(struct model *m, size_t at, uint64_t count[MODEL_BARRIERS]);
/* The log's entries from `from` on, to stderr, for whoever looks for a reason. */
void model_print(struct model *m, size_t from, size_t to);

/* ---- faults ---- */
/* Of the syncs that stand for `barrier`, number `nth` from now (from 1) fails with `os`; half of what it should have kept is
 * lost then, and the page cache forgets so only when it is told to drop. 0: none. */
void model_fail_sync(struct model *m, enum model_barrier barrier, unsigned nth, int os);
/* Bytes that may be written to content in all before the disk is full. */
void model_room(struct model *m, uint64_t bytes);
bool model_failed(struct model *m);		 /* the fault of model_fail_sync() has happened */
void model_linger(struct model *m, unsigned us); /* how long a sync takes, for others to slip in */

/* ---- looking, as a stranger ---- */
struct model_look {
	uint64_t ino, size;
	const uint8_t *at; /* until the disk changes */
};
bool model_look(struct model *m, const char *path, struct model_look *out);
/* Calls see() for every file. */
void model_walk(struct model *m, void (*see)(void *to, const char *path, uint64_t size), void *to);
/* Descriptors that are open. */
unsigned model_open_count(struct model *m);

#endif
