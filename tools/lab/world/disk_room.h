/*
 * tools/lab/world/disk_room.h - what the files of the disk share. Internal.
 */
#ifndef SIM_DISK_ROOM_H
#define SIM_DISK_ROOM_H

#include <stdlib.h>
#include "tools/lab/world/disk.h"
#include "tools/lab/world/must.h"

#define SIM_DISK_STORAGES 8
#define SIM_DISK_OPS (SHOAL_DISK_FIND + 1)

struct storage {
	const struct shoal_metainfo *mi; /* NULL: free */
	char *folder;
	struct sim_file **file; /* NULL for pads and symlinks */
	struct shoal_stamp *stamp;
	bool *wrote; /* since it was opened */
	/* By file: 1 its first, 2 its last piece's bytes lie in the part file, which is file number file_count. */
	uint8_t *ends;
	bool read_only;
};
struct flight;
struct sim_disk {
	struct sim_disk_options o;
	struct shoal_rng rng;
	struct sim_medium medium;
	struct storage storage[SIM_DISK_STORAGES];
	struct { /* the files of the torrent that was looked at last */
		const struct shoal_metainfo *mi;
		const char *folder;
		struct sim_file **file;
	} known;
	struct flight *flights;
	unsigned count;
	struct shoal_disk_job *done, **done_tail;
	shoal_us busy_until;
	struct {
		int err;
		unsigned skip, count;
	} fail[SIM_DISK_OPS];
	unsigned failed;
	uint64_t room;
	uint32_t poison;
	bool dead, held, skip_sync;
	void (*watch)(void *to, const struct shoal_disk_job *job);
	void *watch_to;
};

/* A span of a piece within one file. */
struct part {
	uint32_t file;
	uint64_t offset;  /* in the file */
	uint32_t at, len; /* in the piece */
};

static inline int64_t sim_disk_now_ns(const struct sim_disk *d)
{
	return (int64_t)d->o.clock->now * 1000;
}

static inline bool sim_disk_stored(const struct shoal_metainfo *mi, uint32_t file)
{
	return !(shoal_metainfo_file_flags(mi, file) & (SHOAL_FILE_PAD | SHOAL_FILE_SYMLINK));
}

/* ---- disk_place.c ---- */
struct sim_file *sim_disk_file_named(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi,
				     uint32_t file);
/* The same, without a look at its name each time. */
struct sim_file *sim_disk_file_of(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi,
				  uint32_t file);
struct sim_file *sim_disk_part_of(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi);
/* The next part of [at, end) of a piece that is stored; false when there is none. */
bool sim_disk_part_next(const struct shoal_metainfo *mi, uint32_t piece, uint32_t *at, uint32_t end, struct part *out);
/* As that, where it really lies: in its file, or in the part file. */
bool sim_disk_part_place(const struct storage *st, uint32_t piece, uint32_t *at, uint32_t end, struct part *out);

/* ---- disk_hash.c ---- */
void sim_disk_hash_block(const struct sim_disk *d, struct shoal_disk_job *job, uint32_t block, const uint8_t *at,
			 size_t len);
void sim_disk_hash_end(const struct sim_disk *d, struct shoal_disk_job *job);

/* ---- disk_adopt.c ---- */
int sim_disk_do_adopt(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job);
int sim_disk_do_find(const struct sim_disk *d, struct shoal_disk_find *find);

/* ---- disk_job.c ---- */
struct storage *sim_disk_storage(struct sim_disk *d, const struct shoal_disk_job *job);
/* The file is the one its stamp speaks of, if a stamp was set. */
bool sim_disk_unchanged(const struct storage *st, uint32_t file);
/* What a SYNC covers, when it is submitted. */
void sim_disk_sync_begin(struct storage *st, const struct shoal_disk_job *job);
/* All of a job, or the fault that strikes it: what it ends with. */
int sim_disk_perform(struct sim_disk *d, struct shoal_disk_job *job);
/* Some of it: the first `blocks` of a write, the first `count` shares of a list; `durable`: names are, too. */
int sim_disk_do_write(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job, uint32_t blocks);
int sim_disk_do_finish(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job, bool durable);
int sim_disk_do_reveal(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job, uint32_t count);

#endif
