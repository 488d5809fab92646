/*
 * swarm/pieces/disk.h - what a node asks of its storage. Jobs are lent, never copied.
 *
 * swarm/io does them in worker threads over real files; tools/lab in an
 * array under virtual time. A job, its slots and its piece hash belong to
 * the disk from submit() until reap() hands the job back. Jobs of one piece
 * are done in the order submitted; others in any order.
 */
#ifndef SHOAL_DISK_H
#define SHOAL_DISK_H

#include <shoal/types.h>
#include <stdatomic.h>
#include "proto/base/digest.h"
#include "proto/base/slots.h"
#include "proto/metainfo.h"

enum shoal_disk_op {
	SHOAL_DISK_SCAN,  /* looks at files [file, file+count): fills seen[] */
	SHOAL_DISK_WRITE, /* hashes a run of a piece, and writes it (see flags) */
	SHOAL_DISK_READ,  /* fills slots with [begin, begin+len) of a piece */
	SHOAL_DISK_CHECK, /* reads a whole piece and hashes it; no slots */
	SHOAL_DISK_SYNC, /* makes durable all that was written to the storage, names included, and all that files in list[] hold; fills
			    * seen[] for those */
	SHOAL_DISK_REVEAL, /* shares in list[] (2 * file + end) are copied from the part file into their files, which may be made */
	SHOAL_DISK_UNPART, /* removes the part file, unless a share lies in it */
	SHOAL_DISK_FINISH, /* files in list[] are whole: gives them their final names, durably; fills seen[] */
	SHOAL_DISK_ADOPT,  /* brings bytes that lie elsewhere into `file` (see struct shoal_disk_adopt) */
	SHOAL_DISK_FIND,   /* walks a folder for files that may be ours (see struct shoal_disk_find) */
};

enum shoal_disk_flag {
	SHOAL_DISK_LAST =
		1, /* WRITE: with this run all of the piece has been hashed: give the verdict. With v1 it ends there */
	SHOAL_DISK_IF_GOOD = 2, /* WRITE: the run is the whole piece: write it only when its hash is right */
	SHOAL_DISK_DROP = 4,	/* CHECK: drop the page cache first (after a failed sync) */
	SHOAL_DISK_LEAVES =
		8, /* CHECK, WRITE: keep the leaf hashes (v2), or SHA-256 of each block (v1), in hash->leaf */
};

/* What a file is right now: a claim is trusted while this does not change. */
struct shoal_stamp {
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
};
enum shoal_seen_state {
	SHOAL_SEEN_NONE,  /* no such file */
	SHOAL_SEEN_PART,  /* it lies under its unfinished name (.part) */
	SHOAL_SEEN_WHOLE, /* it lies under its final name (its size may still be wrong) */
	SHOAL_SEEN_OTHER, /* something is there that is no regular file, or the way to it leaves the folder */
};
struct shoal_seen {
	struct shoal_stamp stamp;
	uint8_t state; /* enum shoal_seen_state */
	int16_t os;    /* errno when looking failed */
};

/* How bytes that lie in another file become ours. */
enum shoal_adopt_way {
	SHOAL_ADOPT_REFLINK = 1, /* FICLONE: shared until either is written to. Needs an absent file */
	SHOAL_ADOPT_LINK = 2,	 /* a second name of the same file, which no WRITE goes to. Needs an absent file */
	SHOAL_ADOPT_COPY = 4,
};
/*
 * ADOPT. The candidate is opened below `folder`, no link followed, and only if it is a regular file. The ways allowed are
 * tried in the order above. A candidate that is gone, too short or cannot be read is no error of ours: `way` is 0, `why`
 * its errno. What was brought is not verified: it counts for nothing before it has been hashed.
 */
struct shoal_disk_adopt {
	const char *folder, *path;
	unsigned ways;
	bool same_size;	      /* only if it is as long as ours: its name was guessed */
	uint64_t offset, len; /* COPY: this range of the file, at the same place in both. The others: all of it */
	unsigned way;	      /* the disk's answer */
	uint64_t done;	      /* bytes brought, from `offset` on */
	int why;
};

/*
 * FIND: walks a folder for files that have the size of one that is wanted. No symlink is followed; what cannot be
 * read is passed over. Those of a wanted size under another name are taken too, up to SHOAL_FIND_STRANGERS each.
 */
#define SHOAL_FIND_STRANGERS 4
struct shoal_disk_want {
	uint64_t size;
	uint32_t name;	    /* shoal_disk_name() of the last component of its path */
	uint32_t strangers; /* the disk's: so many of that size, with other names, were taken */
};
struct shoal_disk_found {
	uint64_t size;
	uint32_t name;
	bool stranger; /* no wanted file of that size has its name */
	char *path;    /* below the folder; heap, the submitter's once the job is back */
};
struct shoal_disk_find {
	const char *folder;
	struct shoal_disk_want *want; /* sorted by size, then name; no two alike */
	uint32_t want_count;
	uint64_t most;			/* bytes that what is found may take */
	atomic_bool stop;		/* set by the submitter: come back soon, with what there is */
	struct shoal_disk_found *found; /* the disk's answer; heap, the submitter's once the job is back */
	uint32_t count;
	uint64_t bytes; /* it takes */
	bool more;	/* there was more than `most` allows */
	int os;		/* why the folder itself cannot be read; 0 */
};
/* FNV-1a: a false meeting costs a look at a file. */
static inline uint32_t shoal_disk_name(const char *at, size_t len)
{
	uint32_t h = UINT32_C(0x811c9dc5);
	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)at[i]) * UINT32_C(0x01000193);
	return h;
}

/* The running hash of one piece and what it must come to. Lent with each job of the piece. */
struct shoal_piece_hash {
	struct shoal_sha1 sha1; /* v1, running */
	uint8_t want_sha1[20];
	uint8_t want_root[32]; /* v2 */
	uint32_t width;	       /* v2: leaves of the piece's tree, a power of two */
	uint32_t pad;	       /* v1: zero bytes SHA-1 covers after the piece's own */
	uint32_t bytes;	       /* of the piece */
	bool has_v1, has_v2;   /* which of the two are wanted; both must hold */
	uint8_t (*leaf)[32];   /* room for ceil(bytes / 16 KiB); NULL: only for v1 without LEAVES */
	int good;	       /* the verdict after LAST or CHECK: 1 right, 0 wrong */
	bool torn;	       /* wrong by one of the two, and right by the other: the torrent contradicts itself */
	bool blank;	       /* CHECK: all that was read is zeros */
};

#define SHOAL_DISK_THERE UINT32_MAX

struct shoal_disk_job {
	struct shoal_disk_job *next; /* the disk's, while it has the job */
	bool ahead;		     /* so is this: it went before others */
	enum shoal_disk_op op;
	unsigned flags;
	uint32_t storage;
	uint32_t piece, begin, len; /* bytes within the piece; begin is a multiple of 16 KiB */
	struct shoal_slot **slot;   /* ceil(len / 16 KiB) of them */
	uint32_t slot_count;
	/* WRITE, or NULL: slots of origin SHOAL_DISK_THERE were read from where they belong: they are hashed, not written. */
	const uint32_t *origin;
	struct shoal_piece_hash *hash;
	uint32_t file, count;	 /* SCAN. SYNC: the first `file` of list[] need not be looked at, a FINISH follows */
	const uint32_t *list;	 /* SYNC, FINISH: files; `count` of them */
	struct shoal_seen *seen; /* SCAN, SYNC, FINISH: count of them */
	struct shoal_disk_adopt *adopt; /* ADOPT, into `file` */
	struct shoal_disk_find *find;	/* FIND */
	int err;	   /* the disk's answer: 0, or NO_SPACE, IO, DENIED, GONE (a file is missing or short) ... */
	int os;		   /* errno behind it, for people */
	uint32_t bad_file; /* the file it concerns, when err < 0 */
	void *owner;	   /* the submitter's */
	uint64_t cookie;   /* the submitter's */
};

static inline bool shoal_disk_there(const struct shoal_disk_job *job, uint32_t slot)
{
	return job->origin != NULL && job->origin[slot] == SHOAL_DISK_THERE;
}

/* A piece's bytes that the transport may send by itself. */
struct shoal_disk_span {
	uint32_t file; /* for transport->send_file() */
	uint64_t offset;
};

struct shoal_disk_ops {
	/* A storage for `mi` below `folder` (a path; created when first written to). The metainfo stays the caller's and
	 * must outlive it. `read_only`: nothing is ever created or changed. `*storage` names it from then on. */
	int (*open)(void *d, const struct shoal_metainfo *mi, const char *folder, bool read_only, uint32_t *storage);
	/* All its jobs must be back. */
	void (*close)(void *d, uint32_t storage);
	int (*submit)(void *d, struct shoal_disk_job *job); /* BUSY at the bound */
	size_t (*reap)(void *d, struct shoal_disk_job *out[], size_t max);
	/* Whether [begin, begin+len) of a piece may be sent straight from its file now: it lies in one file, unchanged
	 * since stamped, and in memory. 1 and *span, pinned until unspan(); 0: submit a READ. < 0: the file is not what
	 * it was (GONE): withdraw the piece. NULL where it never can be. */
	int (*span)(void *d, uint32_t storage, uint32_t piece, uint32_t begin, uint32_t len,
		    struct shoal_disk_span *span);
	void (*unspan)(void *d, uint32_t file);
	/* The stamp that file's spans and reads must match; all-zero size and ino: none is known, spans are refused. */
	void (*stamp)(void *d, uint32_t storage, uint32_t file, const struct shoal_stamp *stamp);
	/* From now on no WRITE to that file replaces a byte that is neither zero nor the same: REFUSED. May be NULL. */
	void (*guard)(void *d, uint32_t storage, uint32_t file);
	/*
	 * From now on what `file` has of its first (end 0) or last (end 1) piece lies in the part file, or (`in` false) does
	 * not: every job looks there. Of a file in one piece it is end 0. The *part file* is one to a storage, out of
	 * sight of the user, durable like the others; in SCAN, SYNC and bad_file it is file number file_count.
	 * NOMEM. NULL: there are no part files.
	 */
	int (*part)(void *d, uint32_t storage, uint32_t file, unsigned end, bool in);
	/* The digest of a block of a piece, as it lies in `slot`: SHA-256, in v2 its leaf. NULL: of all its bytes. (A world
	 * that keeps only the head of each block knows what the rest would be.) */
	void (*digest)(void *d, uint32_t storage, uint32_t piece, uint32_t block, const struct shoal_slot *slot,
		       uint8_t out[32]);
	/* Free bytes on the volume of `folder` that we may use, UINT64_MAX when unknown. */
	uint64_t (*room)(void *d, uint32_t storage);
};
struct shoal_disk {
	const struct shoal_disk_ops *ops;
	void *d;
};

#endif
