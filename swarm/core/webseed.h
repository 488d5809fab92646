/*
 * swarm/core/webseed.h - HTTP servers that have the files, as sources beside peers (BEP 19).
 *
 * Internal to swarm/core. A web seed fetches *runs*: blocks that follow each
 * other in the stream, in pieces that were opened for it or have blocks
 * nobody was asked for. A run is asked for file by file, one range each; pads
 * are zeros and asked of nobody. As its bytes come they are laid into the
 * slots the blocks were promised: nothing is kept outside them. A run that
 * ends early leaves its other blocks unasked, for whoever is next.
 *
 * To the rest of the swarm it looks much as a peer does: it has a serial, so
 * that blocks have a sender who can be blamed; it owns pieces; blocks that
 * others bring first are dropped from its runs; and its last blocks may be
 * asked of an idle peer too. How long a run is follows what the server delivers
 * and what the peers do: no run is to end later than the torrent would
 * without it.
 *
 * One false piece takes the file it is in from that server, a second one bans it; so does
 * a first one where there is no other file.
 */
#ifndef SHOAL_WEBSEED_H
#define SHOAL_WEBSEED_H

#include <shoal/engine.h>
#include "proto/base/bits.h"
#include "proto/url.h"
#include "swarm/peers/flow.h"
#include "swarm/pieces/landing.h"
#include "swarm/core/world.h"

#define SHOAL_WEBSEEDS_MAX 256		      /* of a torrent, from wherever */
#define SHOAL_WEBSEED_RUNS 4		      /* under way at one of them: connections */
#define SHOAL_WEBSEEDS_RUNS_MAX 16	      /* and in one torrent */
#define SHOAL_WEBSEED_RANGE_MIN (128u * 1024) /* bytes of a run */
#define SHOAL_WEBSEED_RANGE_START (512u * 1024)
#define SHOAL_WEBSEED_RANGE_MAX (8u << 20)
#define SHOAL_WEBSEED_STALL SHOAL_S(4) /* without a byte: from then on others are asked for its blocks */
#define SHOAL_WEBSEED_RETRY SHOAL_S(5) /* after a failure, doubled with each one that follows, up to */
#define SHOAL_WEBSEED_RETRY_MAX SHOAL_S(600)
#define SHOAL_WEBSEED_RETRY_TOLD SHOAL_S(3600) /* as far as a server's own Retry-After is followed */
#define SHOAL_WEBSEED_STRIKES 3		       /* files in a row it does not have: then it has none */

struct shoal_node;
struct shoal_swarm;
struct shoal_peer;
struct shoal_webseed;

/* A block of a run. */
struct shoal_webask {
	uint32_t piece, block;
	bool mine; /* asked for, and not landed; otherwise its bytes are let go by */
};

struct shoal_webrun {
	struct shoal_webrun *next;  /* of the node's runs */
	struct shoal_webseed *seed; /* NULL: not in use */
	struct shoal_webask *ask;
	uint32_t count, at;	 /* blocks; the one whose bytes come next */
	uint32_t mine;		 /* blocks that are */
	uint32_t filled;	 /* bytes of it that are there */
	struct shoal_slot *slot; /* where it lands; NULL until its first byte, or when it is let go by */
	bool weak;		 /* it stalls: its asks do not count */
	bool landed;		 /* some block has */
	size_t charged;

	/* the range under way */
	uint64_t cookie; /* 0 none */
	uint32_t file;
	uint64_t left; /* bytes of it to come */
	shoal_us asked, heard, began;
};

struct shoal_webseed {
	struct shoal_webseed *next;
	struct shoal_swarm *swarm;
	uint32_t serial;
	char *url;		 /* without its fragment */
	struct shoal_bytes host; /* in `url`, the port too when it is told */
	bool trusted;		 /* the user named it */
	bool retired;		 /* nothing will be asked of it any more */
	bool banned;
	bool dirty; /* a run may be begun */
	bool heard, warned;
	size_t charged;

	struct shoal_bits have; /* word NULL: all pieces */
	struct shoal_webrun run[SHOAL_WEBSEED_RUNS];
	uint32_t runs;	     /* under way */
	uint32_t next_piece; /* after the last run's */
	uint32_t range;	     /* bytes of the next run, at best */
	uint64_t question;   /* bytes that it was asked for at a time, of late */
	struct shoal_rate down;
	shoal_us delay;	   /* from a question to its first byte, the shorter the more it counts; 0 unknown */
	shoal_us ready_at; /* nothing is asked before */
	shoal_us backoff;
	unsigned strikes;
	uint32_t doubt; /* as a peer's */
	uint32_t false_pieces, last_false;
	uint64_t got, wasted, spoiled;
};

/* Takes a URL of http or https. 0; EXISTS; MALFORMED, UNSUPPORTED, TOO_LONG: not one we can use; RANGE: too many; NOMEM. */
SHOAL_MUST int shoal_webseed_add(struct shoal_swarm *s, struct shoal_bytes url, bool trusted);
/* The metadata is there: those that the torrent names are taken too. */
void shoal_webseeds_begin(struct shoal_swarm *s);
void shoal_webseeds_free(struct shoal_swarm *s);
/* Ends every run. */
void shoal_webseeds_stop(struct shoal_swarm *s);
void shoal_webseeds_tick(struct shoal_swarm *s, shoal_us now);
shoal_us shoal_webseeds_deadline(const struct shoal_swarm *s);
void shoal_webseeds_stats(const struct shoal_swarm *s, struct shoal_stats *out);
void shoal_webseeds_say(struct shoal_swarm *s, uint64_t ticket, shoal_us now); /* PEER events */

/* ---- beside the peers; a `serial` that is no web seed's is none of ours: false ----------------- */

bool shoal_webseeds_ban(struct shoal_swarm *s, uint32_t serial, uint32_t piece, const char *evidence, shoal_us now);
bool shoal_webseeds_credit(struct shoal_swarm *s, uint32_t serial, uint64_t bytes);
/* Each that sent a part of a piece that failed; and, once somebody else was named, none. */
void shoal_webseeds_suspect(struct shoal_swarm *s, const struct shoal_open *open);
void shoal_webseeds_cleared(struct shoal_swarm *s);
/* One that works is less suspected than `doubt`, and has the piece. */
bool shoal_webseeds_less(const struct shoal_swarm *s, uint32_t piece, uint32_t doubt);
/* The owner of an open piece: its rate in bytes a second (0: it stalls). */
bool shoal_webseeds_owner(struct shoal_swarm *s, uint32_t serial, uint64_t *rate, shoal_us now);
/* The block has come from another, or its piece begins anew. */
void shoal_webseeds_unask(struct shoal_swarm *s, uint32_t piece, uint32_t block);
/* A block that was asked of a web seed alone and will not come soon, which `p` has too. */
bool shoal_webseeds_spare(struct shoal_swarm *s, const struct shoal_peer *p, struct shoal_open **open, uint32_t *block,
			  shoal_us now);

/* ---- the world's answers (node_outside.c) --------------------------------------------------------- */

void shoal_webseed_data(struct shoal_node *n, uint64_t cookie, struct shoal_bytes data, shoal_us now);
void shoal_webseed_end(struct shoal_node *n, uint64_t cookie, const struct shoal_fetched *how, shoal_us now);

/* ---- webseed_run.c, for webseed.c ------------------------------------------------------------------ */

/* Begins runs while there is something to ask and room for it. */
void shoal_webseed_fill(struct shoal_webseed *ws, shoal_us now);
/* Asks for the next range of the run, or ends it. */
void shoal_webrun_go(struct shoal_webrun *r, shoal_us now);
/* What is still asked is unasked. The question, if there is one, is called off. */
void shoal_webrun_end(struct shoal_webrun *r);
void shoal_webrun_weaken(struct shoal_webrun *r);
/* Bytes of the run that come next are there. */
void shoal_webrun_bytes(struct shoal_webrun *r, struct shoal_bytes data, shoal_us now);
/* Writes the URL of a file; false: it has none that could be asked for. */
bool shoal_webseed_url(const struct shoal_webseed *ws, uint32_t file, char out[SHOAL_URL_MAX + 1]);
/* The file is not to be had there: its pieces are asked elsewhere. */
void shoal_webseed_lacks(struct shoal_webseed *ws, uint32_t file, const char *why, shoal_us now);
void shoal_webseed_retire(struct shoal_webseed *ws, const char *why, shoal_us now);
/* A failure that may pass: nothing is asked for a while. */
void shoal_webseed_rest(struct shoal_webseed *ws, shoal_us told, const char *why, shoal_us now);

#endif
