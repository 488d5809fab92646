/*
 * swarm/core/announce.h - trackers: who is told about a torrent, when, and what comes of it (BEP 3, 7, 12, 15, 21, 31, 48).
 *
 * Internal to swarm/core. Each tier of a torrent's list is announced to by
 * itself, to one tracker at a time: the first that answers, which moves to
 * the front (BEP 12). A link's trackers are a tier each. A hybrid is told
 * under both its hashes, since each swarm knows one of them.
 *
 * What strangers write is bounded: so many tiers, so many questions at a
 * time in all and to one host, an interval that makes sense, ever longer
 * waits after failures; a host that is down is left alone by all torrents
 * at once. A tracker named by a torrent or a link may not lie on this host or
 * in private ranges it has no address in; one the user named may.
 */
#ifndef SHOAL_ANNOUNCE_H
#define SHOAL_ANNOUNCE_H

#include <shoal/types.h>
#include "swarm/core/world.h"

struct shoal_node;
struct shoal_swarm;
struct shoal_announcer; /* a node's; made with the first tracker */
struct shoal_announce;	/* a swarm's */
struct shoal_magnet;
struct shoal_op;

#define SHOAL_ANNOUNCE_TIERS 32	    /* what is beyond joins the last */
#define SHOAL_ANNOUNCE_TRACKERS 256 /* of one torrent */
#define SHOAL_ANNOUNCE_ASKS 128	    /* questions under way */
#define SHOAL_ANNOUNCE_HOST_ASKS 8  /* of those, to one host and port */
#define SHOAL_ANNOUNCE_INTERVAL SHOAL_S(1800)
#define SHOAL_ANNOUNCE_INTERVAL_MIN SHOAL_S(60)
#define SHOAL_ANNOUNCE_INTERVAL_MAX SHOAL_S(24 * 3600)
#define SHOAL_ANNOUNCE_STARVED SHOAL_S(300) /* how soon again when nobody is there to fetch from */
#define SHOAL_ANNOUNCE_RETRY SHOAL_S(15)    /* after a first failure; twice as long each time */
#define SHOAL_ANNOUNCE_RETRY_MAX SHOAL_S(3600)
#define SHOAL_ANNOUNCE_STOP SHOAL_MS(1200) /* to say goodbye in */
#define SHOAL_ANNOUNCE_PORT_MIN 1024u	   /* services live below; no peer of the open network is looked for there */

/* ---- a swarm's ------------------------------------------------------------------------ */
/* The user's: into a tier of its own, asked at once. EXISTS (it is trusted from now on), RANGE (too many), NOMEM, what
 * shoal_url_parse() says; REFUSED: the torrent is private, and it is not one of its own. */
SHOAL_MUST int shoal_announce_user(struct shoal_swarm *s, struct shoal_bytes url, shoal_us now);
/* All that the torrent, or the link, names; what makes no sense is passed over. */
void shoal_announce_torrent(struct shoal_swarm *s);
void shoal_announce_magnet(struct shoal_swarm *s, const struct shoal_magnet *m);
/* What there is to tell is known from now on (again: a hash more has become known). */
void shoal_announce_begin(struct shoal_swarm *s, shoal_us now);
/* All of it is here: those who have heard otherwise are told. */
void shoal_announce_complete(struct shoal_swarm *s, shoal_us now);
/* Says goodbye where we are known, for SHOAL_ANNOUNCE_STOP at most. */
void shoal_announce_stop(struct shoal_swarm *s, shoal_us now);
bool shoal_announce_stopped(const struct shoal_swarm *s);
void shoal_announce_free(struct shoal_swarm *s);

/* ---- a node's ------------------------------------------------------------------------- */
/* SHOAL_OP_SCRAPE. BUSY, NOMEM, REFUSED (we leave), USAGE, what shoal_url_parse() says. */
SHOAL_MUST int shoal_announcer_scrape(struct shoal_node *n, const struct shoal_op *op, shoal_us now);
void shoal_announcer_free(struct shoal_node *n);
void shoal_announcer_tick(struct shoal_node *n, shoal_us now);
shoal_us shoal_announcer_deadline(const struct shoal_node *n);
void shoal_announcer_fetch_data(struct shoal_node *n, uint64_t cookie, struct shoal_bytes data);
void shoal_announcer_fetch_end(struct shoal_node *n, uint64_t cookie, const struct shoal_fetched *how, shoal_us now);
void shoal_announcer_resolved(struct shoal_node *n, uint64_t cookie, const struct shoal_addr *addr, size_t count,
			      int err, shoal_us now);
/* true: it was a tracker's answer to us. */
bool shoal_announcer_datagram(struct shoal_node *n, const struct shoal_addr *from, struct shoal_bytes data,
			      shoal_us now);

#endif
