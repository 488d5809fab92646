/*
 * swarm/io/engine_native.h - shoal_engine_native (shoal/engine.h), opened over a given table of OS calls.
 *
 * Composition alone: a node (swarm/core) gets a loop, TCP, disk threads, a
 * store and a slow thread for names. Nothing here decides anything.
 *
 * open() blocks SIGPIPE in the calling thread, which is the engine's from
 * then on; close(), in the same thread, gives the mask back. Descriptors are
 * bounded by RLIMIT_NOFILE: files take at most half of them, so a program
 * that wants thousands of peers raises the soft limit before it opens one;
 * peers are at most as many as the rest allows.
 */
#ifndef SHOAL_ENGINE_NATIVE_H
#define SHOAL_ENGINE_NATIVE_H

#include <shoal/engine.h>
#include "swarm/io/os.h"

#define SHOAL_ENGINE_MEMORY (128u << 20) /* when nothing else is said */
#define SHOAL_ENGINE_MEMORY_MIN (8u << 20)
#define SHOAL_ENGINE_PEERS 500
#define SHOAL_ENGINE_CLOSE_MAX SHOAL_S(10) /* how long close() waits for a disk that does not answer */

/* As shoal_engine_native.open, for tests that fail a call. `os` must be static (swarm/io/resolve.h). */
SHOAL_MUST int shoal_engine_native_open(struct shoal_engine **out, const struct shoal_config *config,
					const struct shoal_os_ops *os, char what[160]);

#endif
