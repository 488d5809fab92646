/*
 * swarm/io/files_inner.h - what the files_*.c share.
 *
 * Locks, in the order they are taken: storage->sync_lock (held through a
 * whole sync), storage->setup_lock (names, the folder), files->lock (never
 * held across a call that may wait for a device).
 */
#ifndef SHOAL_FILES_INNER_H
#define SHOAL_FILES_INNER_H

#include <stdatomic.h>
#include "swarm/io/beneath.h"
#include "swarm/io/files.h"

enum place { /* where a file lies; the low bits of storage->flag[] */
	     PLACE_UNKNOWN = 0,
	     PLACE_NONE = 1,
	     PLACE_PART = 2,
	     PLACE_WHOLE = 3,
	     PLACE_MASK = 3,
	     FLAG_WROTE = 4,	/* we wrote since its stamp was last taken: no stamp holds */
	     FLAG_GUARDED = 16, /* somebody's: what lies there is not replaced */
	     FLAG_DIRTY = 32,	/* we wrote since a sync that named it began, or that sync failed */
	     FLAG_SYNCED = 8,	/* what others did to it, or we in an earlier life, a sync of ours has covered */
};

struct entry;
struct storage {
	const struct shoal_metainfo *mi;
	char *folder;
	bool read_only;

	pthread_mutex_t setup_lock;
	bool names_known;
	uint64_t *taken; /* sorted hashes of the torrent's own paths that end like an unfinished name */
	size_t taken_count;

	/* From here on: under files->lock. */
	int root;	 /* the folder; -1 until it is there */
	dev_t dev;	 /* its volume */
	uint8_t *flag;	 /* by file: enum place */
	uint64_t *stamp; /* by file: print of the stamp reads must match, 0 unknown; NULL before the first */
	uint64_t *inode; /* by file: print of the inode we wrote to, 0 unknown; NULL before the first */
	struct entry *dirty[SHOAL_FILES_DIRTY_MAX]; /* pinned; written since the last sync */
	uint32_t dirty_count;
	char *dir[SHOAL_FILES_DIRTY_MAX]; /* folders with a new entry since the last sync; heap */
	uint32_t dir_count;
	bool sync_all; /* there were more of either: syncfs */
	struct {
		dev_t dev;
		int fd;
	} volume[SHOAL_FILES_VOLUMES_MAX]; /* mounted below the folder */
	uint32_t volume_count;

	/* A sync is one at a time: a second one must not say "nothing to do" while the first may yet fail. */
	pthread_mutex_t sync_lock;
	/* Under files->lock as well. */
	bool way_synced;	       /* the name of the folder itself has been */
	bool found;		       /* its top folder was there before us, and no sync has covered it yet */
	struct shoal_files_fault owed; /* a failure inside finish() that the next sync() must tell too */
	int owed_err;

	/* The part file: files_part.c. Made under setup_lock, `ends` changed under files->lock. */
	atomic_uint shares; /* that lie in it */
	uint8_t *ends;	    /* by file: 1 what it has of its first piece does, 2 of its last; NULL: none ever did */
	uint32_t *shared;   /* pieces that several files share, ascending */
	uint32_t shared_count;
	int part_dir; /* -1 until it is needed */
	char part_name[33];
};

struct entry {			 /* one open file */
	struct storage *storage; /* NULL: free, or orphaned by a close */
	uint32_t file;
	int fd; /* -1: free */
	bool writable;
	bool in_dirty; /* its storage's dirty[] holds one of the pins */
	bool stale;    /* out of the table: closes with its last pin */
	uint32_t pins;
	uint32_t spans;	  /* of the pins: the loop's */
	uint32_t writers; /* of the pins: inside a write */
	uint32_t generation;
	uint8_t probe;		     /* how to ask whether its pages are in memory; files_span.c's */
	uint64_t inode;		     /* print */
	uint64_t print;		     /* of the stamp at the last look */
	shoal_us looked;	     /* when, 0 never */
	struct entry *chain;	     /* next in its bucket, or in the free list */
	struct entry *newer, *older; /* the LRU of those without pins */
};

struct window { /* a stretch of an open file that was all in memory a moment ago */
	uint32_t handle, generation;
	uint64_t at; /* where it begins; files_span.c adds its size */
	shoal_us until;
};
#define SHOAL_FILES_WINDOWS 1024 /* a power of two */

struct shoal_files {
	const struct shoal_os_ops *os;
	bool by_hand;
	size_t page;
	char *parts; /* folder of part files; NULL: there are none */

	pthread_mutex_t lock;
	struct storage **storage;
	uint32_t storage_room;
	struct entry *entry; /* `limit` of them, never moved */
	uint32_t limit, open_count;
	uint32_t spanned; /* entries with spans */
	struct entry **bucket;
	uint32_t bucket_mask;
	struct entry *newest, *oldest, *free_first;

	/* The loop thread's; made when first needed. */
	struct window *window;
	uint8_t *scratch;
};

/* ---- files_names.c ---- */
/* Turns a file's path into that of its unfinished name, in place (SHOAL_FILES_PATH_MAX bytes). */
SHOAL_MUST int shoal_files_part_name(struct storage *st, char *path);

/* Both names of a file, below the folder. SHOAL_FILES_PATH_MAX bytes each. */
SHOAL_MUST int shoal_files_paths(struct storage *st, uint32_t file, char *path, char *part);

/* ---- files_fd.c ---- */
enum { FILES_READ, FILES_WRITE, FD_READ = FILES_READ, FD_WRITE = FILES_WRITE };
struct storage *shoal_files_storage(struct shoal_files *files, uint32_t storage);
/* An entry, pinned; with FD_WRITE counted as a writer until release(). */
SHOAL_MUST int shoal_files_acquire(struct shoal_files *files, struct storage *st, uint32_t file, int mode,
				   struct entry **out, struct shoal_files_fault *fault);
/* `wrote`: something was, even in part, so the next sync has to cover it. */
void shoal_files_release(struct shoal_files *files, struct entry *e, int mode, bool wrote);
/* 1 when the file is what its stamp says or has none, 0 when not; asks the system at most every
 * SHOAL_FILES_STAMP_US while the answer is good. */
SHOAL_MUST int shoal_files_matches(struct shoal_files *files, struct entry *e, shoal_us now,
				   struct shoal_files_fault *fault);
/* With files->lock held. Those that return int: a descriptor to close once the lock is dropped, or -1. */
struct entry *shoal_files_find(struct shoal_files *files, const struct storage *st, uint32_t file);
void shoal_files_pin(struct shoal_files *files, struct entry *e);
SHOAL_MUST int shoal_files_unpin(struct shoal_files *files, struct entry *e);
SHOAL_MUST int shoal_files_stale(struct shoal_files *files, struct entry *e);
/* The next sync covers all of the storage. Takes the lock. */
void shoal_files_dirty_all(struct shoal_files *files, struct storage *st);
/* A file system mounted below the folder is not reached by the folder's syncfs. -1 and errno. */
SHOAL_MUST int shoal_files_volume_learn(struct shoal_files *files, struct storage *st, const struct shoal_beneath *b,
					dev_t dev, const char *path);
/* `dir` got a new entry. Takes the lock. */
void shoal_files_dir_mark(struct shoal_files *files, struct storage *st, const char *dir, size_t len);
/* The same as shoal_beneath_make() tells it. */
struct shoal_files_mark {
	struct shoal_files *files;
	struct storage *st;
};
void shoal_files_dir_told(void *to, const char *dir, size_t len);

/* ---- files_adopt.c ---- */
/*
 * The file at `path`, open as *fd, has another name too (a hard link) and is about to be written to: puts a copy of
 * it, durable, in its place, so that what bears the other name stays as it is. -1 and errno, and all is as it was.
 */
SHOAL_MUST int shoal_files_unshare(struct shoal_files *files, struct storage *st, const struct shoal_beneath *b,
				   const char *path, int *fd, struct stat *stat);

/* ---- files_guard.c ---- */
struct segment;
/* REFUSED when the file is guarded and the segment of a write, whose first bytes are v[] from `skip` on, would replace others. */
SHOAL_MUST int shoal_files_guarded(struct shoal_files *files, const struct entry *e, const struct iovec *v, int n,
				   size_t skip, const struct segment *seg, struct shoal_files_fault *fault);

/* ---- files_bytes.c ---- */
struct segment { /* a stretch of the stream within one file */
	uint32_t file;
	uint64_t offset; /* in the file */
	size_t len;
	bool zero; /* padding: no file holds it */
};
/* The first segment of stream bytes [pos, pos+len). */
struct segment shoal_files_segment(const struct shoal_metainfo *mi, uint64_t pos, size_t len);
/* ---- files_part.c ---- */
void shoal_files_part_fini(struct shoal_files *files, struct storage *st);
/* A segment at `pos` of the stream, turned to the part file when it lies there. */
void shoal_files_locate(struct shoal_files *files, struct storage *st, uint64_t pos, struct segment *seg);
/* Opens the part file, made when `write`; -1 and errno. */
SHOAL_MUST int shoal_files_part_open(struct shoal_files *files, struct storage *st, bool write, int *fd,
				     struct stat *stat, bool *made);
void shoal_files_part_look(struct shoal_files *files, struct storage *st, struct shoal_seen *seen);

/* ---- files.c ---- */
/* The folder, for opening beneath; made, with what lacks above it, when `make`. */
SHOAL_MUST int shoal_files_folder(struct shoal_files *files, struct storage *st, bool make,
				  struct shoal_beneath *beneath, struct shoal_files_fault *fault);
/* The folder's own name made durable. -1 and errno. */
int shoal_files_way_sync(struct shoal_files *files, const struct storage *st);
/* Fills *fault and gives the error for it. */
int shoal_files_fail(struct shoal_files_fault *fault, int os, uint32_t file);

static inline uint64_t shoal_files_mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	h ^= h >> 29;
	h *= UINT64_C(0xbf58476d1ce4e5b9);
	return h ^ h >> 32;
}
/* 64 bits stand for an inode, or a stamp: nobody gains by a collision, and a million files stay cheap. Never 0. */
static inline uint64_t shoal_files_inode_print(uint64_t dev, uint64_t ino)
{
	uint64_t h = shoal_files_mix(shoal_files_mix(1, dev), ino);
	return h ? h : 1;
}
static inline uint64_t shoal_files_stamp_print(const struct shoal_stamp *s)
{
	uint64_t h = shoal_files_inode_print(s->dev, s->ino);
	h = shoal_files_mix(h, s->size);
	h = shoal_files_mix(h, (uint64_t)s->mtime_ns);
	h = shoal_files_mix(h, (uint64_t)s->ctime_ns);
	return h ? h : 1;
}
static inline struct shoal_stamp shoal_files_stamp_of(const struct stat *st)
{
	return (struct shoal_stamp){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
		.ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
	};
}

#endif
