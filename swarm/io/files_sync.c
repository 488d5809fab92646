/* files_sync.c - making durable what was written, and what others have. */
#include "swarm/io/files_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a sync has to do, taken out of the storage: what is written meanwhile is for the next one. */
struct dirt {
	struct entry *entry[SHOAL_FILES_DIRTY_MAX];
	uint32_t count;
	char *dir[SHOAL_FILES_DIRTY_MAX];
	uint32_t dir_count;
	bool all;
	bool way; /* to the folder */
	uint32_t volume_count;
};

static void dirt_take(struct shoal_files *files, struct storage *st, struct dirt *d)
{
	pthread_mutex_lock(&files->lock);
	memcpy(d->entry, st->dirty, sizeof d->entry);
	memcpy(d->dir, st->dir, sizeof d->dir);
	d->count = st->dirty_count;
	d->dir_count = st->dir_count;
	d->all = st->sync_all;
	d->way = !st->way_synced;
	d->volume_count = st->volume_count; /* they never go away, so their descriptors may be used unlocked */
	for (uint32_t i = 0; i < d->count; i++)
		d->entry[i]->in_dirty = false; /* its pin is ours now */
	st->dirty_count = st->dir_count = 0;
	st->sync_all = false;
	st->way_synced = st->way_synced || d->all || d->count || d->dir_count;
	pthread_mutex_unlock(&files->lock);
}

/* The first failure is the one that is told. */
static void note(int *rc, struct shoal_files_fault *fault, int os, uint32_t file)
{
	struct shoal_files_fault here;
	int err = shoal_files_fail(&here, os, file);
	if (*rc == 0) {
		*rc = err;
		*fault = here;
	}
}

/* syncfs on the folder's own descriptor: open since before the writes, so that it is told of their errors. */
static void sync_volumes(struct shoal_files *files, struct storage *st, const struct dirt *d, int *rc,
			 struct shoal_files_fault *fault)
{
	const struct shoal_os_ops *os = files->os;
	if (os->syncfs(st->root) < 0)
		note(rc, fault, errno, SHOAL_FILES_NO_FILE);
	for (uint32_t i = 0; i < d->volume_count; i++)
		if (os->syncfs(st->volume[i].fd) < 0)
			note(rc, fault, errno, SHOAL_FILES_NO_FILE);
}

static int dir_sync(struct shoal_files *files, const struct shoal_beneath *b, const char *dir)
{
	int fd = shoal_beneath_open(b, dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 && errno == EACCES) /* ours to enter and not to read */
		return files->os->syncfs(b->root);
	if (fd < 0)
		return -1;
	int rc = files->os->fsync(fd), os_was = errno;
	files->os->close(fd);
	errno = os_was;
	return rc;
}

/* Descriptors that a failed sync has spoken through never speak for their data again. */
static void distrust(struct shoal_files *files, struct storage *st)
{
	for (uint32_t i = 0; i < files->limit; i++) {
		int fd = -1;
		pthread_mutex_lock(&files->lock);
		if (files->entry[i].storage == st)
			fd = shoal_files_stale(files, &files->entry[i]);
		pthread_mutex_unlock(&files->lock);
		if (fd >= 0)
			files->os->close(fd);
	}
}

int shoal_files_sync_locked(struct shoal_files *files, struct storage *st, struct shoal_files_fault *fault)
{
	struct shoal_beneath beneath;
	struct dirt d;
	int rc = 0;
	dirt_take(files, st, &d);
	if (d.count == 0 && d.dir_count == 0 && !d.all)
		return 0;
	if ((rc = shoal_files_folder(files, st, false, &beneath, fault)) == 0 && d.all) {
		sync_volumes(files, st, &d, &rc, fault);
		if (rc < 0)
			distrust(files, st);
	}
	for (uint32_t i = 0; i < d.count; i++) {
		struct entry *e = d.entry[i];
		bool failed = !d.all && files->os->fdatasync(e->fd) < 0;
		if (failed)
			note(&rc, fault, errno, e->file);
		int fd[2] = { -1, -1 };
		pthread_mutex_lock(&files->lock);
		if (failed)
			fd[0] = shoal_files_stale(files, e);
		fd[1] = shoal_files_unpin(files, e);
		pthread_mutex_unlock(&files->lock);
		for (int j = 0; j < 2; j++)
			if (fd[j] >= 0)
				files->os->close(fd[j]);
	}
	/* The folder may have been made a moment ago, by somebody who did not live to sync its name. */
	if (!d.all && d.way && shoal_files_way_sync(files, st) < 0)
		note(&rc, fault, errno, SHOAL_FILES_NO_FILE);
	for (uint32_t i = 0; i < d.dir_count; i++) {
		if (!d.all && dir_sync(files, &beneath, d.dir[i]) < 0)
			note(&rc, fault, errno, SHOAL_FILES_NO_FILE);
		free(d.dir[i]);
	}
	return rc;
}

/* ---- what was written by other hands ------------------------------------------------------- */

/*
 * Files may hold bytes that no write() of ours brought: found there and hashed, left by a process that was
 * killed, or right in spite of a sync that failed. So may the folders above them hold new names. All that may be
 * in the page cache alone, and a claim stands for it as well: once, a syncfs covers it.
 */
static bool stranger(const struct storage *st, uint32_t file)
{
	enum place place = st->flag[file] & PLACE_MASK;
	return (place == PLACE_PART || place == PLACE_WHOLE) && !(st->flag[file] & FLAG_SYNCED);
}

static void strangers_mark(struct shoal_files *files, struct storage *st, const uint32_t *list, uint32_t count)
{
	pthread_mutex_lock(&files->lock);
	bool any = st->found;
	for (uint32_t i = 0; i < count && !any; i++)
		any = stranger(st, list[i]);
	pthread_mutex_unlock(&files->lock);
	if (any)
		shoal_files_dirty_all(files, st);
}

/* After a sync: `list` was covered, or, when it failed, nothing is sure of any file. */
static void strangers_known(struct shoal_files *files, struct storage *st, const uint32_t *list, uint32_t count,
			    bool good)
{
	pthread_mutex_lock(&files->lock);
	st->found = st->found && !good;
	for (uint32_t i = 0; good && i < count; i++)
		st->flag[list[i]] |= FLAG_SYNCED;
	for (uint32_t i = 0; !good && i < count; i++)
		st->flag[list[i]] |= FLAG_DIRTY;
	st->way_synced = st->way_synced && good;
	for (uint32_t f = 0; !good && f < shoal_metainfo_file_count(st->mi); f++)
		st->flag[f] &= (uint8_t)~FLAG_SYNCED;
	pthread_mutex_unlock(&files->lock);
}

/* ---- of the files that are named -------------------------------------------------------------- */

/* Before the sync takes what is dirty: what is written from now on is for the next one. */
static void dirty_clear(struct shoal_files *files, struct storage *st, const uint32_t *list, uint32_t count)
{
	pthread_mutex_lock(&files->lock);
	for (uint32_t i = 0; i < count; i++)
		st->flag[list[i]] &= (uint8_t)~FLAG_DIRTY;
	pthread_mutex_unlock(&files->lock);
}

bool shoal_files_all_clean(struct shoal_files *files, const struct storage *st, const uint32_t *list, uint32_t count)
{
	bool clean = true;
	pthread_mutex_lock(&files->lock);
	for (uint32_t i = 0; i < count && clean; i++)
		clean = !(st->flag[list[i]] & FLAG_DIRTY);
	pthread_mutex_unlock(&files->lock);
	return clean;
}

bool shoal_files_list_good(const struct storage *st, const uint32_t *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (list[i] > shoal_metainfo_file_count(st->mi)) /* the part file is one more */
			return false;
	return true;
}

int shoal_files_sync(struct shoal_files *files, uint32_t storage, const uint32_t *list, uint32_t count, uint32_t blind,
		     struct shoal_seen *seen, struct shoal_files_fault *fault)
{
	struct storage *st = shoal_files_storage(files, storage);
	*fault = (struct shoal_files_fault){ 0, SHOAL_FILES_NO_FILE };
	if (st == NULL || !shoal_files_list_good(st, list, count))
		return SHOAL_ERR_RANGE;
	struct shoal_walk w;
	shoal_walk_init(&w, files, st);
	pthread_mutex_lock(&st->sync_lock);
	strangers_mark(files, st, list, count);
	dirty_clear(files, st, list, count);
	int rc = shoal_files_sync_locked(files, st, fault);
	if (st->owed_err < 0) {
		rc = st->owed_err;
		*fault = st->owed;
		st->owed_err = 0;
	}
	strangers_known(files, st, list, count, rc == 0);
	for (uint32_t i = 0; i < count; i++)
		seen[i] = (struct shoal_seen){ .state = i < blind ? SHOAL_SEEN_NONE : SHOAL_WALK_NOT_SEEN };
	rc = shoal_walk_look_rest(&w, list, count, seen, rc, fault);
	pthread_mutex_unlock(&st->sync_lock);
	shoal_walk_fini(&w);
	return rc;
}
