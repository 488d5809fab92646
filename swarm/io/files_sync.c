/* files_sync.c - looking at files, making them durable, giving them their final names. */
#include "swarm/io/files_inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A walk over some of a storage's files: the folder it last looked into, and room for paths. */
struct walk {
	struct shoal_files *files;
	struct storage *st;
	struct shoal_beneath beneath;
	struct shoal_beneath_at at;
	uint32_t named; /* whose path these are, or SHOAL_FILES_NO_FILE */
	char path[SHOAL_FILES_PATH_MAX], part[SHOAL_FILES_PATH_MAX];
};

static void walk_init(struct walk *w, struct shoal_files *files, struct storage *st)
{
	w->files = files;
	w->st = st;
	w->at = (struct shoal_beneath_at)SHOAL_BENEATH_AT_INIT;
	w->named = SHOAL_FILES_NO_FILE;
	w->beneath = (struct shoal_beneath){ .root = -1 };
}

static void walk_fini(struct walk *w)
{
	if (w->at.dir)
		shoal_beneath_at_fini(&w->beneath, &w->at);
}

static bool on_disk(const struct storage *st, uint32_t file)
{
	return (shoal_metainfo_file_flags(st->mi, file) & (SHOAL_FILE_PAD | SHOAL_FILE_SYMLINK)) == 0;
}

static int walk_paths(struct walk *w, uint32_t file)
{
	if (w->named == file)
		return 0;
	w->named = SHOAL_FILES_NO_FILE;
	int rc = shoal_files_paths(w->st, file, w->path, w->part);
	if (rc == 0)
		w->named = file;
	return rc;
}

int shoal_files_part_path(struct shoal_files *files, uint32_t storage, uint32_t file, char *out)
{
	struct storage *st = shoal_files_storage(files, storage);
	if (st == NULL || file >= shoal_metainfo_file_count(st->mi))
		return SHOAL_ERR_RANGE;
	int len = shoal_metainfo_path(st->mi, file, (struct shoal_space){ (uint8_t *)out, SHOAL_PATH_BYTES_MAX + 1 });
	return len < 0 ? len : shoal_files_part_name(st, out);
}

/* ---- looking ------------------------------------------------------------------------------ */

/* Looks at one name. 1 there, 0 not, -1 and errno. */
static int look(struct walk *w, const char *path, struct stat *st)
{
	const char *name;
	int dir = shoal_beneath_at(&w->beneath, &w->at, path, &name);
	if (dir >= 0 && w->files->os->fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

/* Which of its names would be opened, and what is there: the one known to be in use, else file_probe()'s choice. */
static void look_at(struct walk *w, uint32_t file, enum place known, struct shoal_seen *seen)
{
	struct stat st, other;
	enum shoal_seen_state state = SHOAL_SEEN_WHOLE;
	if (file == shoal_metainfo_file_count(w->st->mi))
		return shoal_files_part_look(w->files, w->st, seen);
	*seen = (struct shoal_seen){ .state = SHOAL_SEEN_NONE };
	if (w->beneath.root < 0 || !on_disk(w->st, file))
		return;
	if (walk_paths(w, file) < 0) {
		*seen = (struct shoal_seen){ .state = SHOAL_SEEN_OTHER, .os = ENAMETOOLONG };
		return;
	}
	if (known == PLACE_PART && look(w, w->part, &st) > 0 && S_ISREG(st.st_mode)) {
		*seen = (struct shoal_seen){ .state = SHOAL_SEEN_PART, .stamp = shoal_files_stamp_of(&st) };
		return;
	}
	int there = look(w, w->path, &st);
	if (there == 0 || (there > 0 && known != PLACE_WHOLE && S_ISREG(st.st_mode) &&
			   (uint64_t)st.st_size != shoal_metainfo_file_size(w->st->mi, file))) {
		int part = look(w, w->part, &other);
		if (part > 0 && (there == 0 || S_ISREG(other.st_mode))) {
			state = SHOAL_SEEN_PART;
			there = part;
			st = other;
		} else if (there == 0) {
			there = part;
		}
	}
	if (there == 0)
		return;
	if (there < 0) {
		*seen = (struct shoal_seen){ .state = SHOAL_SEEN_OTHER, .os = (int16_t)errno };
		return;
	}
	seen->state = S_ISREG(st.st_mode) ? state : SHOAL_SEEN_OTHER;
	seen->stamp = shoal_files_stamp_of(&st);
}

static uint8_t place_of(const struct shoal_seen *seen)
{
	switch (seen->state) {
	case SHOAL_SEEN_NONE: return PLACE_NONE;
	case SHOAL_SEEN_PART: return PLACE_PART;
	case SHOAL_SEEN_WHOLE: return PLACE_WHOLE;
	default: return PLACE_UNKNOWN;
	}
}

/* Whether the folder all files lie in is there already: somebody else, or we in an earlier life, made it. */
static bool top_there(struct walk *w)
{
	struct stat st;
	if (w->beneath.root < 0 || shoal_metainfo_single(w->st->mi) || shoal_metainfo_file_count(w->st->mi) == 0 ||
	    walk_paths(w, 0) < 0)
		return false;
	w->path[strcspn(w->path, "/")] = '\0';
	w->named = SHOAL_FILES_NO_FILE;
	return look(w, w->path, &st) > 0;
}

int shoal_files_scan(struct shoal_files *files, uint32_t storage, uint32_t first, uint32_t count,
		     struct shoal_seen *seen, struct shoal_files_fault *fault)
{
	struct storage *st = shoal_files_storage(files, storage);
	*fault = (struct shoal_files_fault){ 0, SHOAL_FILES_NO_FILE };
	if (st == NULL || first > shoal_metainfo_file_count(st->mi) ||
	    count > shoal_metainfo_file_count(st->mi) + 1 - first)
		return SHOAL_ERR_RANGE;
	struct walk w;
	walk_init(&w, files, st);
	int rc = shoal_files_folder(files, st, false, &w.beneath, fault);
	if (rc < 0 && rc != SHOAL_ERR_GONE)
		return rc;
	if (rc == SHOAL_ERR_GONE)
		w.beneath.root = -1; /* no folder, no files */
	*fault = (struct shoal_files_fault){ 0, SHOAL_FILES_NO_FILE };
	bool found = first == 0 && top_there(&w);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t file = first + i;
		int close_fd = -1;
		look_at(&w, file, PLACE_UNKNOWN, &seen[i]);
		if (seen[i].stamp.ino && seen[i].stamp.dev != st->dev && !st->read_only &&
		    file < shoal_metainfo_file_count(st->mi))
			(void)!shoal_files_volume_learn(files, st, &w.beneath, seen[i].stamp.dev, w.path);
		uint64_t inode = shoal_files_inode_print(seen[i].stamp.dev, seen[i].stamp.ino);
		pthread_mutex_lock(&files->lock);
		struct entry *e = shoal_files_find(files, st, file);
		if (e && (e->inode != inode || seen[i].state == SHOAL_SEEN_NONE))
			close_fd = shoal_files_stale(files, e);
		st->flag[file] = (uint8_t)((st->flag[file] & ~(PLACE_MASK | FLAG_SYNCED)) | place_of(&seen[i]));
		if (st->inode)
			st->inode[file] = 0; /* whoever looks knows that it may be another file */
		pthread_mutex_unlock(&files->lock);
		if (close_fd >= 0)
			files->os->close(close_fd);
	}
	if (found) {
		pthread_mutex_lock(&files->lock);
		st->found = true;
		pthread_mutex_unlock(&files->lock);
	}
	walk_fini(&w);
	return 0;
}

/*
 * What is seen after a sync stands for what was synced, so it must be the file we wrote to.
 * The order is the promise: first FLAG_WROTE goes, then the look; a write that comes between sets it again.
 */
static int look_synced(struct walk *w, uint32_t file, struct shoal_seen *seen, struct shoal_files_fault *fault)
{
	struct shoal_files *files = w->files;
	struct storage *st = w->st;
	int close_fd = -1, rc = 0;
	pthread_mutex_lock(&files->lock);
	struct entry *e = shoal_files_find(files, st, file);
	enum place place = st->flag[file] & PLACE_MASK;
	uint64_t inode = st->inode ? st->inode[file] : 0;
	if (e == NULL || e->writers == 0)
		st->flag[file] &= (uint8_t)~FLAG_WROTE;
	pthread_mutex_unlock(&files->lock);
	look_at(w, file, place, seen);
	if (inode && seen->state == SHOAL_SEEN_OTHER && seen->os) /* not to be seen is not to be another */
		return shoal_files_fail(fault, seen->os, file);
	if (inode && inode != shoal_files_inode_print(seen->stamp.dev, seen->stamp.ino)) {
		rc = shoal_files_fail(fault, ESTALE, file);
		seen->state = SHOAL_SEEN_OTHER;
		seen->os = ESTALE;
		pthread_mutex_lock(&files->lock);
		e = shoal_files_find(files, st, file);
		if (e && e->inode == inode)
			close_fd = shoal_files_stale(files, e);
		st->inode[file] = 0;
		st->flag[file] &= (uint8_t)~PLACE_MASK;
		pthread_mutex_unlock(&files->lock);
		if (close_fd >= 0)
			files->os->close(close_fd);
	}
	return rc;
}

/* ---- making durable ------------------------------------------------------------------------ */

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

/* With sync_lock held. */
static int sync_locked(struct shoal_files *files, struct storage *st, struct shoal_files_fault *fault)
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

static bool stranger(const struct storage *st, uint32_t file)
{
	enum place place = st->flag[file] & PLACE_MASK;
	return (place == PLACE_PART || place == PLACE_WHOLE) && !(st->flag[file] & FLAG_SYNCED);
}

/*
 * Files may hold bytes that no write() of ours brought: found there and hashed, left by a process that was
 * killed, or right in spite of a sync that failed. So may the folders above them hold new names. All that may be
 * in the page cache alone, and a claim stands for it as well: once, a syncfs covers it.
 */
/* Before the sync takes what is dirty: what is written from now on is for the next one. */
static void dirty_clear(struct shoal_files *files, struct storage *st, const uint32_t *list, uint32_t count)
{
	pthread_mutex_lock(&files->lock);
	for (uint32_t i = 0; i < count; i++)
		st->flag[list[i]] &= (uint8_t)~FLAG_DIRTY;
	pthread_mutex_unlock(&files->lock);
}

/* Whether the last sync that named each of them covers all its bytes. */
static bool all_clean(struct shoal_files *files, const struct storage *st, const uint32_t *list, uint32_t count)
{
	bool clean = true;
	pthread_mutex_lock(&files->lock);
	for (uint32_t i = 0; i < count && clean; i++)
		clean = !(st->flag[list[i]] & FLAG_DIRTY);
	pthread_mutex_unlock(&files->lock);
	return clean;
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

static bool list_good(const struct storage *st, const uint32_t *list, uint32_t count)
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
	if (st == NULL || !list_good(st, list, count))
		return SHOAL_ERR_RANGE;
	struct walk w;
	walk_init(&w, files, st);
	pthread_mutex_lock(&st->sync_lock);
	strangers_mark(files, st, list, count);
	dirty_clear(files, st, list, count);
	int rc = sync_locked(files, st, fault);
	if (st->owed_err < 0) {
		rc = st->owed_err;
		*fault = st->owed;
		st->owed_err = 0;
	}
	strangers_known(files, st, list, count, rc == 0);
	struct shoal_files_fault ignored;
	if (shoal_files_folder(files, st, false, &w.beneath, &ignored) < 0)
		w.beneath.root = -1;
	for (uint32_t i = 0; i < count; i++) {
		struct shoal_files_fault here;
		if (i < blind) {
			seen[i] = (struct shoal_seen){ .state = SHOAL_SEEN_NONE };
			continue;
		}
		int err = look_synced(&w, list[i], &seen[i], &here);
		if (err < 0 && rc == 0) {
			rc = err;
			*fault = here;
		}
	}
	pthread_mutex_unlock(&st->sync_lock);
	walk_fini(&w);
	return rc;
}

/* ---- final names ----------------------------------------------------------------------------- */

/* File systems without RENAME_NOREPLACE: a second link cannot replace either. */
static int rename_by_link(const struct shoal_os_ops *os, int dir, const char *from, const char *to)
{
	struct stat st;
	if (os->linkat(dir, from, dir, to, 0) == 0)
		return os->unlinkat(dir, from, 0);
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
		return -1;
	/* Nor links (FAT): look, then rename. Another program could slip in between. */
	if (os->fstatat(dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return errno == ENOENT ? os->renameat2(dir, from, dir, to, 0) : -1;
}

static int rename_never_replacing(const struct shoal_os_ops *os, int dir, const char *from, const char *to)
{
	int rc = os->renameat2(dir, from, dir, to, RENAME_NOREPLACE);
	if (rc < 0 && (errno == EINVAL || errno == ENOSYS))
		rc = rename_by_link(os, dir, from, to);
	return rc;
}

/*
 * From the unfinished name to the final one, in w->part and w->path. Where the inode is known that we wrote to, the look
 * that follows a rename tells whether it was that one (see name_undo()); where not, what lies there is looked at before.
 */
static int file_rename(struct walk *w, uint32_t file, uint64_t inode)
{
	const struct shoal_os_ops *os = w->files->os;
	struct shoal_files *files = w->files;
	struct storage *st = w->st;
	const char *from, *to;
	struct stat stat;
	int dir = shoal_beneath_at(&w->beneath, &w->at, w->part, &from);
	if (dir < 0)
		return -1;
	if (inode == 0) {
		if (os->fstatat(dir, from, &stat, AT_SYMLINK_NOFOLLOW) < 0)
			return -1;
		if (!S_ISREG(stat.st_mode)) {
			errno = ESTALE;
			return -1;
		}
	}
	to = w->path + (from - w->part); /* the same folder */
	pthread_mutex_lock(&files->lock);
	st->flag[file] |= FLAG_WROTE; /* a new name is a new ctime */
	if (st->stamp)
		st->stamp[file] = 0;
	pthread_mutex_unlock(&files->lock);
	if (rename_never_replacing(os, dir, from, to) < 0)
		return -1;
	pthread_mutex_lock(&files->lock);
	st->flag[file] = (uint8_t)((st->flag[file] & ~PLACE_MASK) | PLACE_WHOLE);
	pthread_mutex_unlock(&files->lock);
	shoal_files_dir_mark(files, st, w->path, shoal_beneath_dir_len(w->path));
	return 0;
}

/* What was just given the final name is not what we wrote: it gets its own name back. Should that fail, it is at
 * least claimed by nobody. */
static void name_undo(struct walk *w)
{
	const char *from;
	int dir = shoal_beneath_at(&w->beneath, &w->at, w->part, &from);
	if (dir >= 0)
		(void)!rename_never_replacing(w->files->os, dir, w->path + (from - w->part), from);
}

/* An empty file has no pieces to bring it about. One that is there already is left as it is. */
static int file_make_empty(struct walk *w)
{
	struct shoal_files_mark to = { w->files, w->st };
	struct stat stat;
	int flags = O_WRONLY | O_CREAT | O_EXCL;
	int fd = shoal_beneath_file(&w->beneath, w->path, flags, 0666, &stat);
	if (fd < 0 && errno == ENOENT) {
		if (shoal_beneath_make(&w->beneath, w->path, shoal_files_dir_told, &to) < 0)
			return -1;
		if (w->at.dir)
			shoal_beneath_at_fini(&w->beneath, &w->at); /* it may remember that there is no such folder */
		fd = shoal_beneath_file(&w->beneath, w->path, flags, 0666, &stat);
	}
	if (fd < 0)
		return errno == EEXIST ? 0 : -1;
	w->files->os->close(fd);
	shoal_files_dir_mark(w->files, w->st, w->path, shoal_beneath_dir_len(w->path));
	return 0;
}

/* *renamed: it has just got its final name, and w->path and w->part are its names. */
static int file_finish(struct walk *w, uint32_t file, bool *renamed, struct shoal_files_fault *fault)
{
	struct shoal_seen seen;
	struct shoal_files *files = w->files;
	*renamed = false;
	if (!on_disk(w->st, file))
		return 0;
	pthread_mutex_lock(&files->lock);
	enum place place = w->st->flag[file] & PLACE_MASK;
	uint64_t inode = w->st->inode ? w->st->inode[file] : 0;
	pthread_mutex_unlock(&files->lock);
	int rc = walk_paths(w, file);
	if (rc < 0)
		return shoal_files_fail(fault, ENAMETOOLONG, file);
	bool part = place == PLACE_PART, empty = shoal_metainfo_file_size(w->st->mi, file) == 0;
	if (!part && !empty) {
		look_at(w, file, place, &seen); /* adopted, or finished before */
		if (seen.state != SHOAL_SEEN_PART && seen.state != SHOAL_SEEN_WHOLE)
			return shoal_files_fail(fault, seen.os ? seen.os : ENOENT, file);
		part = seen.state == SHOAL_SEEN_PART;
	}
	if (empty)
		rc = file_make_empty(w);
	else if (part)
		*renamed = (rc = file_rename(w, file, inode)) == 0;
	return rc < 0 ? shoal_files_fail(fault, errno, file) : 0;
}

static int file_finish_and_look(struct walk *w, uint32_t file, struct shoal_seen *seen, struct shoal_files_fault *fault)
{
	struct shoal_files_fault here;
	bool renamed;
	int rc = file_finish(w, file, &renamed, fault);
	int looked = look_synced(w, file, seen, rc < 0 ? &here : fault);
	if (looked < 0 && seen->os == ESTALE && renamed)
		name_undo(w);
	return rc < 0 ? rc : looked;
}

/* A sync that failed in here took marks that the next sync() would have answered for. */
static void owe(struct storage *st, int err, const struct shoal_files_fault *fault)
{
	if (err < 0) {
		st->owed_err = err;
		st->owed = *fault;
	}
}

int shoal_files_finish(struct shoal_files *files, uint32_t storage, const uint32_t *list, uint32_t count,
		       struct shoal_seen *seen, struct shoal_files_fault *fault)
{
	struct storage *st = shoal_files_storage(files, storage);
	*fault = (struct shoal_files_fault){ 0, SHOAL_FILES_NO_FILE };
	if (st == NULL || !list_good(st, list, count))
		return SHOAL_ERR_RANGE;
	struct walk w;
	uint32_t looked = 0;
	walk_init(&w, files, st);
	pthread_mutex_lock(&st->sync_lock);
	int rc = st->owed_err;
	if (rc < 0)
		*fault = st->owed;
	else if (st->read_only)
		rc = shoal_files_fail(fault, EROFS, SHOAL_FILES_NO_FILE);
	else if ((rc = shoal_files_folder(files, st, true, &w.beneath, fault)) == 0) {
		/* A whole name must never stand before whole bytes. Where a sync has just covered these files, nothing is
		 * gained by another, which would wait for what others write meanwhile. */
		if (!all_clean(files, st, list, count)) {
			rc = sync_locked(files, st, fault);
			owe(st, rc, fault);
		}
		/* Each is looked at as soon as it has its name: the bytes are synced, and whoever changes them later
		 * changes more than that. */
		for (; looked < count && (rc == 0 || rc == SHOAL_ERR_EXISTS); looked++) {
			struct shoal_files_fault here;
			int err = file_finish_and_look(&w, list[looked], &seen[looked], &here);
			if (err < 0 && rc == 0) {
				rc = err;
				*fault = here;
			}
		}
		struct shoal_files_fault sync_fault;
		int err = sync_locked(files, st, &sync_fault);
		owe(st, err, &sync_fault);
		if (err < 0 && (rc == 0 || rc == SHOAL_ERR_EXISTS)) {
			rc = err;
			*fault = sync_fault;
		}
	}
	struct shoal_files_fault ignored;
	if (w.beneath.root < 0 && shoal_files_folder(files, st, false, &w.beneath, &ignored) < 0)
		w.beneath.root = -1;
	for (; looked < count; looked++) {
		struct shoal_files_fault here;
		int err = look_synced(&w, list[looked], &seen[looked], &here);
		if (err < 0 && rc == 0) {
			rc = err;
			*fault = here;
		}
	}
	pthread_mutex_unlock(&st->sync_lock);
	walk_fini(&w);
	return rc;
}
