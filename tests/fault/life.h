/*
 * tests/fault/life.h - one process's life over a model disk: a real node, real disk workers, the real store.
 *
 * One torrent, and one peer in memory that has all of it and does as it is asked. The life is
 * stepped by its test, in virtual time. What the node tells the world is noted with the place
 * in the disk's log at which it did, so that a crash can be held against what was said before it.
 */
#ifndef FAULT_LIFE_H
#define FAULT_LIFE_H

#include <shoal/engine.h>
#include "tests/fault/model.h"
#include "tools/lab/world/content.h"

struct life_torrent { /* what is fetched, by all lives of a test */
	struct sim_content content;
	uint8_t *stream;    /* what it should be, padding included */
	const char *folder; /* where it is saved: MODEL_SAVE, or below it */
};
/* The same dice, the same torrent. `many`: more files than are synced one by one. */
void life_torrent_make(struct life_torrent *t, uint64_t seed, bool many);
void life_torrent_free(struct life_torrent *t);

struct life_options {
	uint64_t seed;
	unsigned
		workers; /* 0: jobs are done one at a time in an order the seed decides; nothing is left to the system */
	size_t memory;
	uint32_t blocks; /* at most so many come in a step */
	uint32_t bad;	 /* of 1000 blocks come false */
	enum shoal_adopt_how adopt;
	bool killed; /* the life before was killed; what it committed last may be in the cache alone */
};
struct life;
struct life_told;

/* What a life must not break, and what came of it. */
enum life_fault {
	LIFE_FALSE = 1,	  /* a record that is believed names a piece whose bytes are wrong */
	LIFE_UNSAID = 2,  /* a piece that was told to be durable is in no record */
	LIFE_LOST = 4,	  /* its bytes are not there */
	LIFE_LIED = 8,	  /* the node claims a piece whose bytes are wrong, or whose content it has not */
	LIFE_AGAIN = 16,  /* it fetched a piece again that it had told to be durable */
	LIFE_NAME = 32,	  /* it was told to be complete, and a file is not whole under its final name */
	LIFE_EARLY = 64,  /* a file has its final name and not its bytes */
	LIFE_STORE = 128, /* the database is damaged or cannot be opened */
	LIFE_STUCK = 256, /* the node ends in an error, or gets nowhere */
};
const char *life_fault_name(unsigned fault); /* of the lowest bit */

/* What the world had been told when the power went: by piece, and of the whole. */
struct life_told {
	bool *piece;
	bool *record; /* and by a commit of that life: its record must be there */
	bool complete;
};
struct life_told life_told_new(const struct life_torrent *t);
void life_told_free(struct life_told *told);
/* As of the disk's log entry `at`. */
void life_told_at(const struct life *l, size_t at, struct life_told *told);

/* Begins a life on `m` (and model_use()s it), as far as the end of its check, and holds what is there against what was told.
 * `told` NULL: nothing was. Bits of enum life_fault in *faults; `rehashed`: pieces whose record no stamp could vouch for.
 * NULL when the store does not open (LIFE_STORE); words[] says why. */
struct life *life_begin(struct model *m, const struct life_torrent *t, const struct life_options *options,
			const struct life_told *told, unsigned *faults, uint64_t *rehashed, char words[320]);
/* Some milliseconds pass. false: it has ended (error). */
bool life_step(struct life *l);
bool life_complete(const struct life *l);
/* Where the disk's log stood when it began. */
size_t life_born(const struct life *l);
/* Pieces claimed now. */
uint32_t life_claimed(const struct life *l);
/* Faults seen while it lived (AGAIN, STUCK); 0 is good. */
unsigned life_faults(const struct life *l);
/* Blocks it has asked its peer for. */
uint64_t life_asked(const struct life *l);
/* What a life said when it paused or ended, for people; "" nothing. */
const char *life_words(const struct life *l);
unsigned life_pauses(const struct life *l);
/* The end: `clean` as on SIGTERM; else everything is dropped as it is, though what workers have begun is finished. Gives life_faults(). */
unsigned life_end(struct life *l, bool clean);
/* Whether all is there, right, and named, on the disk as it is. */
unsigned life_whole(struct model *m, const struct life_torrent *t);

#endif
