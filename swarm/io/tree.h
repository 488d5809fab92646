/*
 * swarm/io/tree.h - what a folder holds, as a torrent sees it: regular files, in one order.
 *
 * Names are byte-exact and sorted bytewise by path component, so that the
 * same files give the same list on every machine and file system. What a
 * torrent cannot carry (symlinks, devices, sockets, pipes, empty folders) is
 * left out and told. Names lie in one arena and a file points at its folder, so
 * that a million files cost some 60 bytes each.
 */
#ifndef SHOAL_TREE_H
#define SHOAL_TREE_H

#include "swarm/io/beneath.h"
#include <shoal/types.h>

enum shoal_tree_drop {
	SHOAL_TREE_SYMLINK,
	SHOAL_TREE_SPECIAL, /* a device, socket or pipe */
	SHOAL_TREE_EMPTY,   /* a folder in which nothing was left */
	SHOAL_TREE_DROPS,
};

struct shoal_tree_file {
	uint64_t size;
	int64_t mtime_ns;
	uint32_t folder; /* index of its folder; 0 is the top */
	uint32_t name;	 /* offset in names, NUL-ended */
};
struct shoal_tree_folder {
	uint32_t parent, name;
};

struct shoal_tree {
	struct shoal_beneath top; /* the folder, or the single file's; top.root is our own descriptor */
	bool single;		  /* the path named a file: file[0], and nothing else */
	uint32_t name;		  /* offset of the name the torrent gets: the last part of the real path */
	struct shoal_tree_file *file;
	uint32_t file_count, file_room;
	struct shoal_tree_folder *folder;
	uint32_t folder_count, folder_room;
	char *names;
	uint32_t names_len, names_room;
	uint64_t size; /* of all files */
	uint64_t dropped[SHOAL_TREE_DROPS];
	uint64_t skipped;    /* files and folders that skip() wanted out */
	uint64_t executable; /* files whose mode a torrent will not carry */
	int os;		     /* after an error: errno, and where */
	char where[4096];
};

/*
 * Walks `path` (a file or a folder; a symlink here, and here alone, is followed). `drop` (may be NULL) is told
 * each thing left out, its path below the top. 0; GONE no such path, DENIED, IO, TOO_LONG (a path or depth that no
 * torrent can hold, or too many files), UNSUPPORTED (no file and no folder), NOMEM; tree->where and ->os say more.
 * Always safe to fini.
 */
SHOAL_MUST int shoal_tree_walk(struct shoal_tree *tree, const struct shoal_os_ops *os, const char *path,
			       void (*drop)(void *to, enum shoal_tree_drop why, const char *path), void *to);
/* The same, leaving out what skip() says: it is asked for each file and folder, with the path below the top. */
SHOAL_MUST int shoal_tree_walk_but(struct shoal_tree *tree, const struct shoal_os_ops *os, const char *path,
				   bool (*skip)(void *to, const char *path, bool is_folder),
				   void (*drop)(void *to, enum shoal_tree_drop why, const char *path), void *to);
void shoal_tree_fini(struct shoal_tree *tree);
const char *shoal_tree_name(const struct shoal_tree *tree);
/* The file's path below the top, components joined by '/'. Its length; TOO_LONG when it does not fit. */
SHOAL_MUST int shoal_tree_path(const struct shoal_tree *tree, uint32_t file, struct shoal_space out);
/* Opens a file to read it: a descriptor, or DENIED, GONE, IO with *os. It must still be what the walk saw. */
SHOAL_MUST int shoal_tree_open(const struct shoal_tree *tree, uint32_t file, int *os);
/* Closes it. GONE when it has been changed since the walk. */
SHOAL_MUST int shoal_tree_close(const struct shoal_tree *tree, uint32_t file, int fd);

#endif
