/*
 * tests/unit/own_files.h - pieces of torrents whose bytes are known, through files.h.
 */
#ifndef SHOAL_OWN_FILES_H
#define SHOAL_OWN_FILES_H

#include "swarm/io/files.h"
#include "tests/unit/own_torrent.h"

/* Odd sizes, a pad in the middle, empty files, folders. */
extern const struct own_file own_v1_files[8], own_v2_files[6];

/* As shoal_files_write(), in two parts, and shoal_files_read(): a whole piece. One that is read is the right one. */
SHOAL_MUST int own_write_piece(struct shoal_files *files, uint32_t storage, const struct own_torrent *t, uint32_t piece,
			       struct shoal_files_fault *fault);
SHOAL_MUST int own_read_piece(struct shoal_files *files, uint32_t storage, const struct own_torrent *t, uint32_t piece,
			      unsigned how, struct shoal_files_fault *fault);
/* All pieces, the last first; then sync and finish. First error. */
SHOAL_MUST int own_fill(struct shoal_files *files, uint32_t storage, const struct own_torrent *t,
			struct shoal_files_fault *fault);
/* In folder `name` of own_place lie all of file[], whole. */
void own_check_whole(const struct own_file *file, size_t count, const char *name);

#endif
