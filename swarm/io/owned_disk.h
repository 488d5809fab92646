/*
 * swarm/io/owned_disk.h - a disk that opens a storage only when no other process has it (swarm/io/owner.h).
 *
 * Stands between a node and its disk: open() takes the ownership of torrent
 * and folder, close() lets go; all else is passed on. One thread.
 */
#ifndef SHOAL_OWNED_DISK_H
#define SHOAL_OWNED_DISK_H

#include "swarm/pieces/disk.h"
#include "swarm/io/os.h"

struct shoal_owned_disk;

/* `os` and `below` outlive it; `state`, the folder that holds the locks, is copied. NOMEM. */
SHOAL_MUST int shoal_owned_disk_new(struct shoal_owned_disk **out, const struct shoal_os_ops *os, const char *state,
				    struct shoal_disk below);
/* Lets go of what is still held. NULL is fine. */
void shoal_owned_disk_free(struct shoal_owned_disk *od);

/* open() can say OWNED too, and what shoal_owner_take() says. */
struct shoal_disk shoal_owned_disk_disk(struct shoal_owned_disk *od);
/* Who made the last open() say OWNED; 0: unknown. */
long shoal_owned_disk_pid(const struct shoal_owned_disk *od);

#endif
