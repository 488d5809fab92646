/*
 * swarm/core/super.h - the only full copy gives each piece once before it gives any twice (BEP 16).
 *
 * Begins by itself: we have all, nobody connected does, two or more are
 * fetching, and there are pieces that nobody else has. Who joins then is
 * told of nothing, and shown pieces one after another, each to one peer alone;
 * who had been told of everything before is suggested them (BEP 6). Ends for
 * good measure as soon as each piece was seen at somebody, when another full
 * copy comes, when one peer is left, or when nothing moves.
 *
 * Where BEP 16 waits until a piece was seen at a third before it shows the
 * next, we show as many as keep the connection busy: our line is what a new
 * swarm waits for, it may never idle. Who passes nothing on gets less while
 * others pass on more.
 *
 * Nobody is left standing: a peer that wants nothing of what it is shown, or
 * is served and asks for none of it, is told the truth after a few seconds. It
 * is not counted on to announce what it got, nor to keep its word. But who has
 * asked, and has not got it yet, waits for us: on a slow line a block takes
 * seconds. Who was told everything is suggested from then on, like the first.
 */
#ifndef SHOAL_SUPER_H
#define SHOAL_SUPER_H

#include <shoal/types.h>
#include "proto/base/bits.h"

#define SHOAL_SUPER_PIECES_MIN 16 /* fewer are sent sooner than dealt out */
#define SHOAL_SUPER_SHOWN_MAX 32  /* pieces shown to one peer and not sent yet */
#define SHOAL_SUPER_SHOWN_MIN 2
#define SHOAL_SUPER_TRUTH SHOAL_S(3)	   /* without interest, or without a request: it is told everything */
#define SHOAL_SUPER_ON_ITS_WAY SHOAL_S(30) /* after its last block left us: a slow line may still be busy with it */
#define SHOAL_SUPER_LAPSE SHOAL_S(10)	   /* a piece shown and not asked for is another's again */
#define SHOAL_SUPER_STALL SHOAL_S(8)	   /* with nothing sent and nothing seen: it ends */
#define SHOAL_SUPER_TELL 8192		   /* HAVEs queued at a time when a peer is told everything */

struct shoal_swarm;
struct shoal_peer;

struct shoal_super {
	bool on;
	bool dirty;		  /* some peer is to be looked at */
	bool elsewhere;		  /* somebody came by a piece that we had shown nobody; outlives `on` */
	uint32_t telling;	  /* peers that are being told everything; outlives `on` */
	struct shoal_bits unseen; /* nobody connected who takes something of us has it */
	struct shoal_bits fresh;  /* of those, what nobody was shown, or has let lapse */
	uint32_t *owner;	  /* by piece: the serial of whom it was shown to, until a third has it; 0 none */
	uint32_t cursor;
	uint32_t held; /* pieces with an owner */
	shoal_us moved, looked, tell_at;
	size_t charged;
};

/* A piece shown to a peer, and not sent yet. */
struct shoal_super_shown {
	uint32_t piece, left; /* bytes */
	shoal_us at;	      /* shown, or last asked for */
};
struct shoal_super_peer {
	enum shoal_super_mode { SHOAL_SUPER_MASKED, SHOAL_SUPER_KNOWS, SHOAL_SUPER_TELLING } mode;
	bool dirty;
	struct shoal_bits told; /* what it was told we have; none for one that knows all */
	struct shoal_super_shown shown[SHOAL_SUPER_SHOWN_MAX];
	uint32_t count;
	uint64_t unsent; /* bytes of those */
	uint32_t held;	 /* pieces it owns */
	uint32_t cursor; /* TELLING */
	uint32_t bait;	 /* the last piece it was shown while it was not served */
	uint32_t given;	 /* the last piece that it was sent the whole of */
	shoal_us gave;	 /* it was last sent anything */
	shoal_us busy;	 /* it last wanted, or asked for, anything */
	size_t charged;
};

/* Before the first words to `p`: whether it shall be masked. Begins super-seeding when it is time. */
void shoal_super_greet(struct shoal_peer *p, shoal_us now);
/* `p` was told nothing, or not everything. */
bool shoal_super_masked(const struct shoal_peer *p);
/* What peers do, as far as it matters here; all of it does nothing when there is no super-seeding. */
void shoal_super_joined(struct shoal_peer *p, shoal_us now); /* its bitfield is in */
void shoal_super_has(struct shoal_peer *p, uint32_t piece, shoal_us now);
void shoal_super_asked(struct shoal_peer *p, uint32_t piece, shoal_us now);
void shoal_super_gave(struct shoal_peer *p, uint32_t piece, uint32_t bytes, shoal_us now);
void shoal_super_woke(struct shoal_peer *p);		    /* it was (un)choked */
void shoal_super_wants(struct shoal_peer *p, shoal_us now); /* its interest changed */
void shoal_super_left(struct shoal_peer *p, shoal_us now);
/* How much of the pieces we gave it alone it was seen to pass on, of SHOAL_CHOKER_ONWARD; all of it, until we know. */
uint32_t shoal_super_onward(const struct shoal_peer *p);
void shoal_super_tick(struct shoal_swarm *s, shoal_us now);
shoal_us shoal_super_deadline(const struct shoal_swarm *s);
/* Ends; all are told everything. */
void shoal_super_end(struct shoal_swarm *s, shoal_us now);
void shoal_super_fini(struct shoal_swarm *s);

#endif
