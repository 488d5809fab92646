/*
 * swarm/libtorrent/lt.h - libtorrent-rasterbar as an engine (shoal/engine.h), in this very process.
 *
 * C outside, C++ inside; no exception crosses. Meant for the child shoal-lt
 * alone: Debian's libtorrent has known holes, so it does not share an
 * address space with anything worth having (see README.md). What libtorrent
 * has no notion of answers UNSUPPORTED: reading ranges, extension messages,
 * adoption, a memory budget.
 *
 * Not thread-safe, as every engine; wake() alone may be called from elsewhere, and from a signal handler.
 */
#ifndef SHOAL_LT_H
#define SHOAL_LT_H

#include <shoal/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const struct shoal_engine_ops shoal_lt_inside;

/* Becomes readable when poll() has something to say; the engine's. */
int shoal_lt_fd(struct shoal_engine *e);
/* Of the library this process runs with, e.g. "2.0.8.0". Static. */
const char *shoal_lt_version(void);
/* Older ones are not let at the public's torrents unless shoal_config.accept_old says so. */
#define SHOAL_LT_SAFE "2.0.14"

#ifdef __cplusplus
}
#endif
#endif
