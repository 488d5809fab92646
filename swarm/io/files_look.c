/* files_look.c - what lies under a file's names. */
#include "swarm/io/files_walk.h"

#include <errno.h>
#include <string.h>

void shoal_walk_init(struct shoal_walk *w, struct shoal_files *files, struct storage *st)
{
	w->files = files;
	w->st = st;
	w->at = (struct shoal_beneath_at)SHOAL_BENEATH_AT_INIT;
	w->named = SHOAL_FILES_NO_FILE;
	w->beneath = (struct shoal_beneath){ .root = -1 };
}

void shoal_walk_fini(struct shoal_walk *w)
{
	if (w->at.dir)
		shoal_beneath_at_fini(&w->beneath, &w->at);
}

bool shoal_files_on_disk(const struct storage *st, uint32_t file)
{
	return (shoal_metainfo_file_flags(st->mi, file) & (SHOAL_FILE_PAD | SHOAL_FILE_SYMLINK)) == 0;
}

int shoal_walk_paths(struct shoal_walk *w, uint32_t file)
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
static int look(struct shoal_walk *w, const char *path, struct stat *st)
{
	const char *name;
	int dir = shoal_beneath_at(&w->beneath, &w->at, path, &name);
	if (dir >= 0 && w->files->os->fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

void shoal_walk_look(struct shoal_walk *w, uint32_t file, enum place known, struct shoal_seen *seen)
{
	struct stat st, other;
	enum shoal_seen_state state = SHOAL_SEEN_WHOLE;
	if (file == shoal_metainfo_file_count(w->st->mi))
		return shoal_files_part_look(w->files, w->st, seen);
	*seen = (struct shoal_seen){ .state = SHOAL_SEEN_NONE };
	if (w->beneath.root < 0 || !shoal_files_on_disk(w->st, file))
		return;
	if (shoal_walk_paths(w, file) < 0) {
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
static bool top_there(struct shoal_walk *w)
{
	struct stat st;
	if (w->beneath.root < 0 || shoal_metainfo_single(w->st->mi) || shoal_metainfo_file_count(w->st->mi) == 0 ||
	    shoal_walk_paths(w, 0) < 0)
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
	struct shoal_walk w;
	shoal_walk_init(&w, files, st);
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
		shoal_walk_look(&w, file, PLACE_UNKNOWN, &seen[i]);
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
	shoal_walk_fini(&w);
	return 0;
}

int shoal_walk_look_synced(struct shoal_walk *w, uint32_t file, struct shoal_seen *seen,
			   struct shoal_files_fault *fault)
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
	shoal_walk_look(w, file, place, seen);
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

int shoal_walk_look_rest(struct shoal_walk *w, const uint32_t *list, uint32_t count, struct shoal_seen *seen, int rc,
			 struct shoal_files_fault *fault)
{
	struct shoal_files_fault here;
	if (w->beneath.root < 0 && shoal_files_folder(w->files, w->st, false, &w->beneath, &here) < 0)
		w->beneath.root = -1;
	for (uint32_t i = 0; i < count; i++) {
		if (seen[i].state != SHOAL_WALK_NOT_SEEN)
			continue;
		int err = shoal_walk_look_synced(w, list[i], &seen[i], &here);
		if (err < 0 && rc == 0) {
			rc = err;
			*fault = here;
		}
	}
	return rc;
}
