/*
 * tools/save.h - a file appears whole, under its name, or not at all.
 */
#ifndef SHOAL_TOOLS_SAVE_H
#define SHOAL_TOOLS_SAVE_H

#include <shoal/types.h>

struct shoal_tool;

/* Before the work that makes the bytes: whether shoal_save() would refuse at once. EXISTS, DENIED, GONE, IO: errno says more. */
SHOAL_MUST int shoal_save_may(const char *path, bool force);
/* Writes beside the place, syncs, renames, syncs the folder. EXISTS when it is there and not `force`; NO_SPACE,
 * DENIED, GONE, IO: errno says more. */
SHOAL_MUST int shoal_save(const char *path, struct shoal_bytes bytes, bool force);
/* Says what either returned, at once (errno), to whom --force is known. Returns the exit code. */
int shoal_save_failed(struct shoal_tool *tool, const char *path, int rc);

#endif
