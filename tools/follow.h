/*
 * tools/follow.h - a name that is followed (BEP 46): now and then the DHT is asked what it stands for, and it is kept alive there.
 *
 * Decides and asks; what becomes of a new version is its owner's business (run.c).
 * Sees an engine through shoal/engine.h alone.
 */
#ifndef SHOAL_TOOLS_FOLLOW_H
#define SHOAL_TOOLS_FOLLOW_H

#include "proto/magnet.h"
#include "tools/dht.h"

#include <shoal/engine.h>

#define SHOAL_FOLLOW_EVERY SHOAL_S(300)
#define SHOAL_FOLLOW_KEEP SHOAL_S(3600)		/* it is put again (BEP 44: items last two hours) */
#define SHOAL_FOLLOW_TICKET ((uint64_t)1 << 62) /* this and the next are ours */

struct shoal_follow {
	const char *link;   /* the name, as the user gave it; outlives this */
	const char *folder; /* absolute; of the first version */
	shoal_us every;	    /* 0: SHOAL_FOLLOW_EVERY */
	int64_t seq;	    /* of what it stands for: */
	struct shoal_id20 hash;
	/* the rest is follow.c's */
	uint8_t key[32], salt[SHOAL_MAGNET_SALT_MAX];
	size_t salt_len;
	shoal_us look_at, keep_at;
	bool asked;
	struct shoal_dht_value value; /* the newest of this look */
};

/* From now on; `m` is the name, and need not stay. */
void shoal_follow_begin(struct shoal_follow *f, const struct shoal_magnet *m, shoal_us now);
/* Asks when it is time to. < 0: the engine cannot be asked. */
SHOAL_MUST int shoal_follow_tick(struct shoal_follow *f, struct shoal_engine *engine, shoal_us now);
/* Any event. 1: it was the last of a look, and the name stands for another torrent now (`seq`, `hash`); 0: not that. */
SHOAL_MUST int shoal_follow_event(struct shoal_follow *f, struct shoal_engine *engine, const struct shoal_event *ev,
				  shoal_us now);

#endif
