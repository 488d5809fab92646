/*
 * swarm/io/owner.h - one torrent in one folder has one owner among all processes.
 *
 * An open-file-description lock on STATE/locks/<32 hex digits>, named after
 * the torrent and the folder's real path. The kernel drops it with the
 * process, however that ends, so there are no stale locks. The file holds
 * the owner's pid, for people. It goes with a clean drop(); one that stays
 * behind after a crash means nothing.
 */
#ifndef SHOAL_OWNER_H
#define SHOAL_OWNER_H

#include "swarm/io/os.h"

struct shoal_owner {
	const struct shoal_os_ops *os;
	int fd;	    /* -1: holds nothing */
	char *path; /* of the lock, heap: one descriptor a torrent is enough */
};

/*
 * Takes ownership. `id` is the torrent's 32 bytes, `folder` where it is stored (it need not exist).
 * OWNED: another holds it, *pid is who (0 when unknown). DENIED, NO_SPACE, IO.
 */
SHOAL_MUST int shoal_owner_take(struct shoal_owner *owner, const struct shoal_os_ops *os, const char *state,
				const struct shoal_id32 *id, const char *folder, long *pid);
/* What one torrent in one folder is called among locks and part files: 32 hex digits. NOMEM. */
SHOAL_MUST int shoal_owner_name(const struct shoal_id32 *id, const char *folder, char out[33]);
/* Lets go; fine when it holds nothing. */
void shoal_owner_drop(struct shoal_owner *owner);

/* Makes STATE, and what lacks above it, with mode 0700; 0 when it is there. */
SHOAL_MUST int shoal_owner_state(const struct shoal_os_ops *os, const char *state);
/* Makes durable what STATE holds, by name, and its own name, and those of the folders above it. */
SHOAL_MUST int shoal_owner_state_sync(const struct shoal_os_ops *os, const char *state);

#endif
