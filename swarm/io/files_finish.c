/* files_finish.c - final names for files that are whole. */
#include "swarm/io/files_walk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAMING_SHARES 16u /* of a FINISH, to be done by whoever has time */
#define NAMING_STEP_MIN 32u
#define NAMING_STEP_MAX 512u

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
static int file_rename(struct shoal_walk *w, uint32_t file, uint64_t inode)
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
static void name_undo(struct shoal_walk *w)
{
	const char *from;
	int dir = shoal_beneath_at(&w->beneath, &w->at, w->part, &from);
	if (dir >= 0)
		(void)!rename_never_replacing(w->files->os, dir, w->path + (from - w->part), from);
}

/* An empty file has no pieces to bring it about. One that is there already is left as it is. */
static int file_make_empty(struct shoal_walk *w)
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
static int file_finish(struct shoal_walk *w, uint32_t file, bool *renamed, struct shoal_files_fault *fault)
{
	struct shoal_seen seen;
	struct shoal_files *files = w->files;
	*renamed = false;
	if (!shoal_files_on_disk(w->st, file))
		return 0;
	pthread_mutex_lock(&files->lock);
	enum place place = w->st->flag[file] & PLACE_MASK;
	uint64_t inode = w->st->inode ? w->st->inode[file] : 0;
	pthread_mutex_unlock(&files->lock);
	int rc = shoal_walk_paths(w, file);
	if (rc < 0)
		return shoal_files_fail(fault, ENAMETOOLONG, file);
	bool part = place == PLACE_PART, empty = shoal_metainfo_file_size(w->st->mi, file) == 0;
	if (!part && !empty) {
		shoal_walk_look(w, file, place, &seen); /* adopted, or finished before */
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

static int file_finish_and_look(struct shoal_walk *w, uint32_t file, struct shoal_seen *seen,
				struct shoal_files_fault *fault)
{
	struct shoal_files_fault here;
	bool renamed;
	int rc = file_finish(w, file, &renamed, fault);
	int looked = shoal_walk_look_synced(w, file, seen, rc < 0 ? &here : fault);
	if (looked < 0 && seen->os == ESTALE && renamed)
		name_undo(w);
	return rc < 0 ? rc : looked;
}

/* Files that get their final names, by one thread or several. */
struct naming {
	struct shoal_files *files;
	struct storage *st;
	struct shoal_beneath beneath;
	const uint32_t *list;
	struct shoal_seen *seen;
	uint32_t count, step;
	atomic_uint next;   /* of the list: nobody has taken it yet */
	atomic_bool broken; /* no more of them */
	pthread_mutex_t lock;
	uint32_t at; /* of the list: the first that failed, count when none has; `rc` and `fault` are its */
	int rc;
	struct shoal_files_fault fault;
};

static void naming_failed(struct naming *n, uint32_t at, int err, const struct shoal_files_fault *fault)
{
	if (err != SHOAL_ERR_EXISTS)
		atomic_store(&n->broken, true);
	pthread_mutex_lock(&n->lock);
	if (at < n->at) {
		n->at = at;
		n->rc = err;
		n->fault = *fault;
	}
	pthread_mutex_unlock(&n->lock);
}

/* Each is looked at as soon as it has its name: the bytes are synced, and whoever changes them later changes more than
 * that. */
static void name_some(void *run)
{
	struct naming *n = run;
	struct shoal_walk w;
	uint32_t from;
	shoal_walk_init(&w, n->files, n->st);
	w.beneath = n->beneath;
	while (!atomic_load(&n->broken) && (from = atomic_fetch_add(&n->next, n->step)) < n->count) {
		uint32_t end = n->count - from < n->step ? n->count : from + n->step;
		for (uint32_t i = from; i < end && !atomic_load(&n->broken); i++) {
			struct shoal_files_fault fault;
			int err = file_finish_and_look(&w, n->list[i], &n->seen[i], &fault);
			if (err < 0)
				naming_failed(n, i, err, &fault);
		}
	}
	shoal_walk_fini(&w);
}

/* What was not come to is left as it is in seen[]. */
static int name_all(struct naming *n, const struct shoal_files_crew *crew, struct shoal_files_fault *fault)
{
	/* Neighbours lie in one folder, where two would wait for each other; but nobody is to wait long for the last. */
	n->step = n->count / NAMING_SHARES;
	n->step = n->step < NAMING_STEP_MIN ? NAMING_STEP_MIN : n->step > NAMING_STEP_MAX ? NAMING_STEP_MAX : n->step;
	n->at = n->count;
	pthread_mutex_init(&n->lock, NULL); /* this cannot fail on Linux */
	if (crew != NULL && n->count > n->step)
		crew->call(crew->to, name_some, n);
	else
		name_some(n);
	pthread_mutex_destroy(&n->lock);
	if (n->rc < 0)
		*fault = n->fault;
	return n->rc;
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
		       const struct shoal_files_crew *crew, struct shoal_seen *seen, struct shoal_files_fault *fault)
{
	struct storage *st = shoal_files_storage(files, storage);
	*fault = (struct shoal_files_fault){ 0, SHOAL_FILES_NO_FILE };
	if (st == NULL || !shoal_files_list_good(st, list, count))
		return SHOAL_ERR_RANGE;
	struct shoal_walk w;
	shoal_walk_init(&w, files, st);
	for (uint32_t i = 0; i < count; i++)
		seen[i].state = SHOAL_WALK_NOT_SEEN;
	pthread_mutex_lock(&st->sync_lock);
	int rc = st->owed_err;
	if (rc < 0)
		*fault = st->owed;
	else if (st->read_only)
		rc = shoal_files_fail(fault, EROFS, SHOAL_FILES_NO_FILE);
	else if ((rc = shoal_files_folder(files, st, true, &w.beneath, fault)) == 0) {
		/* A whole name must never stand before whole bytes. Where a sync has just covered these files, nothing is
		 * gained by another, which would wait for what others write meanwhile. */
		if (!shoal_files_all_clean(files, st, list, count)) {
			rc = shoal_files_sync_locked(files, st, fault);
			owe(st, rc, fault);
		}
		if (rc == 0) {
			struct naming n = { .files = files,
					    .st = st,
					    .beneath = w.beneath,
					    .list = list,
					    .seen = seen,
					    .count = count };
			rc = name_all(&n, crew, fault);
		}
		struct shoal_files_fault sync_fault;
		int err = shoal_files_sync_locked(files, st, &sync_fault);
		owe(st, err, &sync_fault);
		if (err < 0 && (rc == 0 || rc == SHOAL_ERR_EXISTS)) {
			rc = err;
			*fault = sync_fault;
		}
	}
	rc = shoal_walk_look_rest(&w, list, count, seen, rc, fault);
	pthread_mutex_unlock(&st->sync_lock);
	shoal_walk_fini(&w);
	return rc;
}
