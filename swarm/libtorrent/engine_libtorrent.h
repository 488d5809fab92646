/*
 * swarm/libtorrent/engine_libtorrent.h - the engine whose work libtorrent does, in a child process of ours.
 *
 * Starts shoal-lt, which is looked for in $SHOAL_LT, beside the running
 * program, and in ../libexec/shoal; open() gives UNSUPPORTED and says so when
 * there is none. Operations and events cross as frames (frame.h). When the child dies its torrents end in an ERROR.
 */
#ifndef SHOAL_ENGINE_LIBTORRENT_H
#define SHOAL_ENGINE_LIBTORRENT_H

#include <shoal/engine.h>

SHOAL_API extern const struct shoal_engine_ops shoal_engine_libtorrent;

#endif
