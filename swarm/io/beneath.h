/*
 * swarm/io/beneath.h - opening what lies below a folder, and never anything else.
 *
 * Names come from strangers. metainfo.c has made them safe as text; here the
 * kernel is told as well: openat2(2) with RESOLVE_BENEATH, no symlinks, no
 * magic links, or, where it lacks that, one component at a time with
 * O_NOFOLLOW. Whatever another program swaps in between is met with an
 * error, not followed. Results are -1 and errno here, as in the calls below.
 */
#ifndef SHOAL_BENEATH_H
#define SHOAL_BENEATH_H

#include "swarm/io/os.h"

struct shoal_beneath {
	const struct shoal_os_ops *os;
	int root;     /* the folder; the caller's */
	bool by_hand; /* no openat2 here */
};

/* Whether this kernel (and what filters its calls) has openat2. One call pair; ask once. */
bool shoal_beneath_by_hand(const struct shoal_os_ops *os);

/*
 * Opens `path` (relative, '/' between components, "" is the root itself) with
 * O_CLOEXEC added. A symlink on the way is ELOOP (or ENOTDIR), a way out EXDEV.
 */
int shoal_beneath_open(const struct shoal_beneath *b, const char *path, int flags, mode_t mode);

/* Opens a regular file and nothing else: no FIFO blocks us. EISDIR or ENXIO when it is another thing. */
int shoal_beneath_file(const struct shoal_beneath *b, const char *path, int flags, mode_t mode, struct stat *st);

/* Creates the folders above `path`'s last component that lack; told(to, dir, len) names each folder that
 * thereby got a new entry. EEXIST when something that is no folder stands in the way. */
int shoal_beneath_make(const struct shoal_beneath *b, const char *path,
		       void (*told)(void *to, const char *dir, size_t len), void *to);

/* Length of the folder part of `path`, without its '/'; 0 when it has none. */
size_t shoal_beneath_dir_len(const char *path);

/*
 * The folder that was looked at last, kept open: files of a torrent come in
 * folder after folder, and a million of them should not cost a million walks.
 */
struct shoal_beneath_at {
	int fd;	   /* O_PATH; -1 when `os` says why it cannot be opened */
	int os;	   /* its errno */
	char *dir; /* heap; NULL before the first */
	size_t len;
};
#define SHOAL_BENEATH_AT_INIT \
	{                     \
		.fd = -1      \
	}
/* A descriptor of the folder that holds `path`, good until the next call; *name is set to the last component. */
int shoal_beneath_at(const struct shoal_beneath *b, struct shoal_beneath_at *at, const char *path, const char **name);
/* Forgets what it knows: after folders were created. */
void shoal_beneath_at_fini(const struct shoal_beneath *b, struct shoal_beneath_at *at);

#endif
