/*
 * proto/tracker_http.h - HTTP trackers: the URL that asks, the bencoded reply (BEP 3, 7, 12, 21, 23, 24, 31, 48).
 */
#ifndef SHOAL_TRACKER_HTTP_H
#define SHOAL_TRACKER_HTTP_H

#include "proto/tracker.h"
#include "proto/url.h"

#define SHOAL_TRACKER_HTTP_BODY_MAX (1u << 20)

/*
 * The URL that announces to the tracker at `url`, NUL-ended; its length. TOO_LONG when `out` or SHOAL_URL_MAX is too
 * small. REFUSED: the tracker's own query says one of our words (info_hash, left, ...), so that whose it is would be
 * the tracker's guess.
 */
SHOAL_MUST ptrdiff_t shoal_tracker_http_announce(const struct shoal_url *url, const struct shoal_tracker_ask *ask,
						 struct shoal_space out);
/* That asks for the counts of `count` torrents. UNSUPPORTED: by BEP 48 this tracker has no such place. */
SHOAL_MUST ptrdiff_t shoal_tracker_http_scrape(const struct shoal_url *url, const struct shoal_id20 *hash, size_t count,
					       struct shoal_space out);

/* Reads a reply; spans in `out` borrow it. MALFORMED; TOO_LONG (nesting). Peers that are names are left out: strangers
 * do not make us resolve things. A compact list of a wrong length spoils the reply. */
SHOAL_MUST int shoal_tracker_http_answer(struct shoal_bytes body, struct shoal_tracker_answer *out);
/* The counts of `hash` in the reply to a scrape. GONE: it is not in there; REFUSED: `failure reason`. */
SHOAL_MUST int shoal_tracker_http_scraped(struct shoal_bytes body, const struct shoal_id20 *hash,
					  struct shoal_tracker_counts *out);

#endif
