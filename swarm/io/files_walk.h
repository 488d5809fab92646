/*
 * swarm/io/files_walk.h - a walk over a storage's files: their names, and what lies there. Internal to files_*.c.
 */
#ifndef SHOAL_FILES_WALK_H
#define SHOAL_FILES_WALK_H

#include "swarm/io/files_inner.h"

/* A walk over some of a storage's files: the folder it last looked into, and room for paths. */
struct shoal_walk {
	struct shoal_files *files;
	struct storage *st;
	struct shoal_beneath beneath;
	struct shoal_beneath_at at;
	uint32_t named; /* whose path these are, or SHOAL_FILES_NO_FILE */
	char path[SHOAL_FILES_PATH_MAX], part[SHOAL_FILES_PATH_MAX];
};

void shoal_walk_init(struct shoal_walk *w, struct shoal_files *files, struct storage *st); /* and then w->beneath */
void shoal_walk_fini(struct shoal_walk *w);
/* w->path and w->part become those of `file`. TOO_LONG. */
SHOAL_MUST int shoal_walk_paths(struct shoal_walk *w, uint32_t file);
/* Not padding, and no link. */
bool shoal_files_on_disk(const struct storage *st, uint32_t file);
/* Which of its names would be opened, and what is there: the one known to be in use, else file_probe()'s choice. */
void shoal_walk_look(struct shoal_walk *w, uint32_t file, enum place known, struct shoal_seen *seen);
/*
 * What is seen after a sync stands for what was synced, so it must be the file we wrote to.
 * The order is the promise: first FLAG_WROTE goes, then the look; a write that comes between sets it again.
 */
SHOAL_MUST int shoal_walk_look_synced(struct shoal_walk *w, uint32_t file, struct shoal_seen *seen,
				      struct shoal_files_fault *fault);
#define SHOAL_WALK_NOT_SEEN UINT8_MAX /* no enum shoal_seen_state */
/* Does so to those of list[] that are NOT_SEEN yet; w->beneath need not be known. What came before, `rc` and *fault, is what
 * is told; where that was good, the first that is not. */
SHOAL_MUST int shoal_walk_look_rest(struct shoal_walk *w, const uint32_t *list, uint32_t count, struct shoal_seen *seen,
				    int rc, struct shoal_files_fault *fault);

/* ---- files_sync.c ---- */
/* Makes durable what is dirty. With sync_lock held. */
SHOAL_MUST int shoal_files_sync_locked(struct shoal_files *files, struct storage *st, struct shoal_files_fault *fault);
bool shoal_files_list_good(const struct storage *st, const uint32_t *list, uint32_t count);
/* Whether the last sync that named each of them covers all its bytes. */
bool shoal_files_all_clean(struct shoal_files *files, const struct storage *st, const uint32_t *list, uint32_t count);

#endif
