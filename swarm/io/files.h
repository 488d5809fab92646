/*
 * swarm/io/files.h - a torrent's pieces <-> files below a folder. Knows no hashes and no queues.
 *
 * A *storage* is one torrent in one folder. Its files are opened when first
 * needed, beneath the folder alone, through a bounded table of descriptors
 * that all storages share. Files that are not whole lie under their
 * unfinished name (NAME.part) until finish(); a file that was there already
 * under its final name is used where it lies. Nothing is ever truncated,
 * preallocated, or replaced. Padding is not stored: reads give zeros.
 *
 * Any thread may call anything, except: open, close, span, unspan, fd and room
 * are the loop thread's; a storage is closed when nothing else uses it.
 *
 * Errors are enum shoal_err, with `*fault` saying which errno and which file:
 * NO_SPACE, DENIED, GONE (missing, short, or replaced under us), EXISTS, IO.
 */
#ifndef SHOAL_FILES_H
#define SHOAL_FILES_H

#include "proto/metainfo.h"
#include "swarm/pieces/disk.h"
#include "swarm/io/os.h"

#define SHOAL_FILES_OPEN_MAX 2048 /* descriptors kept at most, and half of RLIMIT_NOFILE */
#define SHOAL_FILES_OPEN_MIN 32	  /* and at least */
#define SHOAL_FILES_STORAGES_MAX 100000
#define SHOAL_FILES_DIRTY_MAX 16	  /* files, and folders, synced one by one; more: one syncfs */
#define SHOAL_FILES_VOLUMES_MAX 8	  /* file systems mounted within one storage */
#define SHOAL_FILES_STAMP_US SHOAL_MS(10) /* how long a look at a file's stamp is good for */
#define SHOAL_FILES_NO_FILE UINT32_MAX	  /* a fault that concerns no single file */

struct shoal_files;

/* Threads that may have a part in a long work. NULL: there are none. */
struct shoal_files_crew {
	/* Calls part(run) here, and in those that have time; comes back when all of them have. */
	void (*call)(void *to, void (*part)(void *run), void *run);
	void *to;
};

struct shoal_files_fault {
	int os;	       /* errno, 0 when none is behind it */
	uint32_t file; /* or SHOAL_FILES_NO_FILE */
};

/* open_max: descriptors to keep, 0 for what RLIMIT_NOFILE allows. `os` must outlive it. */
SHOAL_MUST int shoal_files_new(struct shoal_files **out, const struct shoal_os_ops *os, uint32_t open_max);
void shoal_files_free(struct shoal_files *files); /* NULL is fine */

/* As shoal_disk_ops.open and .close. The folder may be missing: it is made when first written to. */
SHOAL_MUST int shoal_files_open(struct shoal_files *files, const struct shoal_metainfo *mi, const char *folder,
				bool read_only, uint32_t *storage);
void shoal_files_close(struct shoal_files *files, uint32_t storage);
/* NULL when there is no such storage. */
const struct shoal_metainfo *shoal_files_metainfo(struct shoal_files *files, uint32_t storage);

enum shoal_files_how {
	SHOAL_FILES_STAMPED = 1, /* read: only from files that match the stamp set for them, if one is */
};
/* Bytes [begin, begin+len) of a piece into, or from, v[]: all of them, or an error. */
SHOAL_MUST int shoal_files_read(struct shoal_files *files, uint32_t storage, uint32_t piece, uint32_t begin,
				const struct iovec *v, int n, size_t len, unsigned how,
				struct shoal_files_fault *fault);
SHOAL_MUST int shoal_files_write(struct shoal_files *files, uint32_t storage, uint32_t piece, uint32_t begin,
				 const struct iovec *v, int n, size_t len, struct shoal_files_fault *fault);
/* Whether a whole piece of full size lies in a hole of one file: it is zeros, and need not be read. */
bool shoal_files_hole(struct shoal_files *files, uint32_t storage, uint32_t piece);
/* Sets to zero what of v[] stands for padding in the middle of a piece, so that what is hashed is what will be read. */
void shoal_files_zero_pads(const struct shoal_metainfo *mi, uint32_t piece, uint32_t begin, const struct iovec *v,
			   int n, size_t len);
/* Asks the kernel to forget a piece's pages, so that the next read comes from the medium. */
SHOAL_MUST int shoal_files_drop(struct shoal_files *files, uint32_t storage, uint32_t piece,
				struct shoal_files_fault *fault);

/* What files [first, first+count) are. An unreadable file is an answer, not an error. */
SHOAL_MUST int shoal_files_scan(struct shoal_files *files, uint32_t storage, uint32_t first, uint32_t count,
				struct shoal_seen *seen, struct shoal_files_fault *fault);
/*
 * Makes durable all that write() did before, names included, and whatever else the files
 * in list[] hold: bytes that were found in them count like bytes of ours. A failure is
 * told once and its descriptor never synced again: whatever was written
 * since the last good sync must be taken as lost. GONE: a file in list[] that we wrote
 * was moved away or replaced. seen[] is filled in any case, but for the first `blind` files:
 * they are not looked at, as a finish() that looks follows at once.
 */
SHOAL_MUST int shoal_files_sync(struct shoal_files *files, uint32_t storage, const uint32_t *list, uint32_t count,
				uint32_t blind, struct shoal_seen *seen, struct shoal_files_fault *fault);
/*
 * sync() where they were written to since the last one that named them, then final names for list[] (empty files are created), and their folders
 * made durable. EXISTS when a final name is taken; the other files are finished all the same. Of many files each member of
 * the crew does some.
 */
SHOAL_MUST int shoal_files_finish(struct shoal_files *files, uint32_t storage, const uint32_t *list, uint32_t count,
				  const struct shoal_files_crew *crew, struct shoal_seen *seen,
				  struct shoal_files_fault *fault);

/*
 * As SHOAL_DISK_ADOPT. 0 also when the candidate is of no use; < 0 is trouble at our end: NO_SPACE, DENIED, IO ...
 * A file that is there, and not empty, is neither linked over nor cloned into.
 */
SHOAL_MUST int shoal_files_adopt(struct shoal_files *files, uint32_t storage, uint32_t file,
				 struct shoal_disk_adopt *adopt, struct shoal_files_fault *fault);
/* As SHOAL_DISK_FIND; knows no storage. NOMEM. */
SHOAL_MUST int shoal_files_search(const struct shoal_os_ops *os, struct shoal_disk_find *find);

/* As in shoal_disk_ops: writes to it are held against what they would replace, and REFUSED. */
void shoal_files_guard(struct shoal_files *files, uint32_t storage, uint32_t file);
bool shoal_files_blank(const uint8_t *at, size_t len);

/* Part files (swarm/pieces/disk.h) lie in `dir`, which is made when first needed; without this there are none. NOMEM. */
SHOAL_MUST int shoal_files_parts(struct shoal_files *files, const char *dir);
/* As in shoal_disk_ops, SHOAL_DISK_REVEAL and SHOAL_DISK_UNPART. UNSUPPORTED: there are no part files. */
SHOAL_MUST int shoal_files_part(struct shoal_files *files, uint32_t storage, uint32_t file, unsigned end, bool in);
SHOAL_MUST int shoal_files_reveal(struct shoal_files *files, uint32_t storage, const uint32_t *list, uint32_t count,
				  struct shoal_files_fault *fault);
SHOAL_MUST int shoal_files_unpart(struct shoal_files *files, uint32_t storage, struct shoal_files_fault *fault);

/* As in shoal_disk_ops. A write of ours makes a file's stamp unknown until it is set again. Stamps are to be set
 * in the order they were seen in: one taken before a sync and set after it would be taken for news. */
int shoal_files_span(struct shoal_files *files, uint32_t storage, uint32_t piece, uint32_t begin, uint32_t len,
		     struct shoal_disk_span *span);
void shoal_files_unspan(struct shoal_files *files, uint32_t handle);
/* The descriptor behind a span that is pinned. */
int shoal_files_fd(const struct shoal_files *files, uint32_t handle);
void shoal_files_stamp(struct shoal_files *files, uint32_t storage, uint32_t file, const struct shoal_stamp *stamp);
uint64_t shoal_files_room(struct shoal_files *files, uint32_t storage);

/* The path of a file's unfinished name, below the folder. `out` takes SHOAL_FILES_PATH_MAX bytes. */
#define SHOAL_FILES_PATH_MAX (SHOAL_PATH_BYTES_MAX + 256 + 1)
SHOAL_MUST int shoal_files_part_path(struct shoal_files *files, uint32_t storage, uint32_t file, char *out);

/* Descriptors held now. */
uint32_t shoal_files_open_count(struct shoal_files *files);

#endif
