/*
 * tools/save.h - a file appears whole, under its name, or not at all.
 */
#ifndef SHOAL_TOOLS_SAVE_H
#define SHOAL_TOOLS_SAVE_H

#include <shoal/types.h>

/* Writes beside the place, syncs, renames, syncs the folder. EXISTS when it is there and not `force`; NO_SPACE,
 * DENIED, GONE, IO: errno says more. */
SHOAL_MUST int shoal_save(const char *path, struct shoal_bytes bytes, bool force);

#endif
