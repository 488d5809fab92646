/*
 * tools/scrape.h - show --scrape: how many have a torrent, as each of its trackers counts them (BEP 48).
 *
 * Each tracker is asked once, under both hashes of a hybrid, all of them at a
 * time. None hears of us as a peer. A tracker that the torrent or link names
 * is not asked on this host or in private ranges, as for announces; one that
 * the user named is.
 */
#ifndef SHOAL_TOOLS_SCRAPE_H
#define SHOAL_TOOLS_SCRAPE_H

#include "tools/options.h"

struct shoal_source;
struct shoal_tool;

#define SHOAL_SCRAPE_TRACKERS_MAX 256u /* what a torrent names beyond is not asked */
#define SHOAL_SCRAPE_TIMEOUT SHOAL_S(20)

struct shoal_scrape {
	struct shoal_opt_list tracker; /* the user's own, besides */
	shoal_us timeout;	       /* for all of it */
	const char *proxy;	       /* NULL: none */
};

/* Asks and tells. 0 when a tracker gave its count; else the exit code after saying why. */
SHOAL_MUST int shoal_scrape(struct shoal_tool *tool, const struct shoal_source *s, const struct shoal_scrape *how);

#endif
