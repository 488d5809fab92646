/*
 * tests/fault/model_room.h - what model.c, model_crash.c, model_os.c and model_vfs.c share.
 */
#ifndef FAULT_MODEL_ROOM_H
#define FAULT_MODEL_ROOM_H

#include <pthread.h>
#include "proto/base/rng.h"
#include "tests/fault/model.h"

#define MODEL_FD 0x100000 /* descriptors of ours begin here; below are the system's */
#define MODEL_FDS 4096
#define MODEL_ROOT 1u /* inode of "/" */
#define MODEL_NAME_MAX 255

struct model_name { /* an entry of a folder */
	struct model_name *next;
	uint32_t ino;
	char name[];
};
struct model_inode {
	bool used, dir;
	uint32_t links, opens;
	enum model_barrier made_as; /* folders and files: which barrier keeps its first name */
	/* a folder */
	struct model_name *names;
	/* a file: what a reader sees */
	uint8_t *at;
	uint64_t size, room;
	int64_t mtime_ns, ctime_ns;
	uint8_t *
		lost; /* what a failed sync left on the platter, while the cache still says otherwise; NULL: no such thing */
	uint64_t lost_size;
};

enum model_kind { OP_WRITE, OP_CUT, OP_MAKE, OP_RENAME, OP_UNLINK, OP_SYNC, OP_LOSE };
struct model_op {
	uint8_t kind;
	uint8_t barrier;      /* SYNC: which it stands for, when it is of one file */
	uint8_t sync;	      /* SYNC: enum model_sync */
	bool dir;	      /* MAKE */
	uint32_t ino, to_dir; /* RENAME: the inode, and where it goes */
	uint32_t folder;      /* MAKE, RENAME, UNLINK: where the name is or was; SYNC of names: the folder */
	char *name, *to;
	uint64_t offset, len; /* WRITE; CUT: the new size; SYNC: `offset` entries before it are covered */
	uint8_t *at;	      /* WRITE: the bytes. LOSE: what is left of the file, len bytes */
	int64_t time_ns;
};
enum model_sync { SYNC_DATA, SYNC_FILE, SYNC_NAMES, SYNC_ALL };

struct model {
	pthread_mutex_t lock;
	struct model_inode *inode; /* by number */
	uint32_t inodes, inode_room;
	int64_t time_ns;
	/* As it was at the log's beginning. */
	struct model_inode *base;
	uint32_t bases;
	struct model_op *op;
	size_t ops, op_room;

	struct {
		uint32_t ino;
		bool used, writes;
	} fd[MODEL_FDS];
	unsigned opens;

	uint64_t room;
	unsigned linger; /* microseconds */
	enum model_barrier fail_barrier;
	unsigned fail_in;
	int fail_os;
	bool failed;
};
extern struct model *model_now;

void *model_must(void *at);
/* With the lock held, all of these. The name's inode, or 0. */
uint32_t model_find(const struct model *m, uint32_t folder, const char *name, size_t len);
/* Walks `path` from `dir` but for its last component, which becomes *name. The folder's inode, or 0 and errno. */
uint32_t model_walk_to(const struct model *m, uint32_t dir, const char *path, const char **name);
/* The inode `path` means, or 0 and errno. */
uint32_t model_resolve(const struct model *m, uint32_t dir, const char *path);
uint32_t model_make(struct model *m, uint32_t folder, const char *name, bool dir, enum model_barrier made_as);
void model_rename(struct model *m, uint32_t from_dir, const char *from, uint32_t to_dir, const char *to);
void model_unlink(struct model *m, uint32_t folder, const char *name);
/* 0, or errno. */
int model_write(struct model *m, uint32_t ino, uint64_t offset, const void *at, size_t len);
void model_cut(struct model *m, uint32_t ino, uint64_t size);
void model_drop(struct model *m, uint32_t ino);
/* A sync in two parts, so that what happens in between is not covered by it. end() gives 0 or errno. */
struct model_op model_sync_begin(const struct model *m, enum model_sync what, enum model_barrier barrier, uint32_t ino);
int model_sync_end(struct model *m, struct model_op sync);
void model_opened(struct model *m, uint32_t ino);
void model_closed(struct model *m, uint32_t ino);

/* ---- plain trees, without a log ---- */
struct model_inode *model_copy(const struct model_inode *from, uint32_t n);
void model_inodes_free(struct model_inode *inode, uint32_t n);
void model_name_add(struct model_inode *folder, const char *name, size_t len, uint32_t ino);
void model_name_drop(struct model_inode *folder, const char *name);
void model_grow(struct model_inode *file, uint64_t size);
/* The barrier that keeps `op` from being lost when `sync` covers it; MODEL_NONE when `sync` is not about it. */
enum model_barrier model_kept_by(const struct model *m, const struct model_op *op, const struct model_op *sync);
/* The disk after the first `at` entries and a cut: `n` fresh inodes. `rng` NULL: no cut, all of them stand. */
void model_replay(const struct model *m, struct model_inode **out, uint32_t *n, size_t at, unsigned lost,
		  struct shoal_rng *rng);

#endif
