/*
 * tools/place.h - whether a folder can take what is to be fetched: asked before anything begins.
 */
#ifndef SHOAL_TOOLS_PLACE_H
#define SHOAL_TOOLS_PLACE_H

#include "tools/say.h"

/*
 * `folder`, absolute, need not exist, nor need the folders above it. `name`: what is to lie in it, as on disk; empty
 * while it is not known. Nothing is made. 0, or the exit code after saying why not. What lies there already may be all
 * there is to fetch, so a folder that cannot be written to is refused only where `name` is known not to be in it.
 */
SHOAL_MUST int shoal_place_check(struct shoal_tool *tool, const char *folder, struct shoal_bytes name);

#endif
