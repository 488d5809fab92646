/*
 * swarm/pieces/landing.h - pieces under way: which blocks were asked, which have landed, where they lie.
 *
 * Opening a piece reserves the slots its blocks will land in: no slot, no
 * request. A piece that fits the memory is kept whole, hashed, and only
 * then written; a larger one is written in runs from its front, through a
 * window of slots (SHOAL_LANDING_WINDOW, fewer when there is less), and its
 * verdict comes at the end. Some slots are always left to others: a swarm
 * whose memory is full of pieces under way could serve nobody, and two such
 * would wait for each other for ever.
 *
 * Knows no peers (only their serials), no wire and no disk; the swarm moves
 * finished runs to the disk. A slot belongs to whoever was asked for the
 * block until it lands, then to the piece, then (lent) to the disk job.
 */
#ifndef SHOAL_LANDING_H
#define SHOAL_LANDING_H

#include <shoal/types.h>
#include "proto/base/slots.h"
#include "swarm/pieces/disk.h"

#define SHOAL_LANDING_WINDOW 64u
#define SHOAL_LANDING_WINDOW_MIN 4u /* below it a piece waits for memory */
#define SHOAL_LANDING_LEFT 16u	    /* slots left for serving */
/* Whole pieces that wait for the disk, bytes: past this no new piece is opened. More would only make the memory that
 * is used over and over colder. */
#define SHOAL_LANDING_BACKLOG (32u << 20)
#define SHOAL_LANDING_RUN 16u		   /* blocks written at a time when a piece does not stay whole */
#define SHOAL_SOURCE_HERE SHOAL_DISK_THERE /* who sent a block: nobody, it was read from a file of ours (offered.h) */

enum shoal_open_state {
	SHOAL_OPEN_FETCHING, /* blocks are missing */
	SHOAL_OPEN_READY,    /* all are here; to be handed to the disk */
	SHOAL_OPEN_HASHING,  /* the last run is with the disk */
	SHOAL_OPEN_DISPUTED, /* it failed, and its leaf hashes or a hint are waited for (swarm/core/evidence.h) */
};

struct shoal_open {
	struct shoal_open *next, *prev;
	enum shoal_open_state state;
	uint32_t piece, bytes, blocks;
	bool whole;	      /* stays in memory until the verdict */
	uint32_t window;      /* if not: blocks, from the front, that may be under way */
	uint32_t unasked;     /* blocks nobody was asked for */
	uint32_t here;	      /* blocks that have landed */
	uint32_t handed;      /* blocks, from the front, that the disk has had */
	uint32_t from;	      /* no unasked block lies before this one */
	uint32_t promised;    /* slots reserved and not yet got */
	uint32_t lent;	      /* slots got for blocks that have not landed */
	uint32_t weak;	      /* asks that do not count in `asked` */
	uint32_t owner;	      /* the peer that fetches it alone, 0 nobody */
	uint32_t attempts;    /* times it failed its hash in this session */
	uint32_t hint_of;     /* the peer that was asked for a hint last (swarm/core/hints.h), 0 nobody */
	uint32_t offer;	      /* the reading of blocks that lie here (offered.h), 0 there is none */
	uint8_t leaves_tries; /* times its leaf hashes were asked for (swarm/core/vet.h) */
	bool hinted;	      /* by its hint those are fetched again that are missing */
	unsigned own_faults;  /* times it failed and was right after all */
	uint8_t how;	      /* enum shoal_flight_how: for what reason it was begun */
	shoal_us opened, ready, disputed_until;
	shoal_us leaves_until;	  /* they are waited for so long */
	shoal_us due;		  /* its deadline; SHOAL_NEVER: none */
	struct shoal_slot **slot; /* landed and still ours */
	uint32_t *source;	  /* who sent each block: a peer's serial */
	uint8_t *asked;		  /* how many were asked for it; LANDED once it is here */
	uint8_t (*truth)[32];	  /* the true leaf of each block; NULL: unknown */
	struct shoal_piece_hash hash;
	struct shoal_disk_job job;
	bool job_out;
	bool repaired; /* it failed, and only a part of it is being fetched again: streamed, the rest lies on the disk */
	bool suspect;  /* a sync failed after bytes of it were written: hash it from the medium before it counts */
	size_t charged;
};
#define SHOAL_BLOCK_LANDED 0xff

struct shoal_landing {
	struct shoal_slots *slots;
	struct shoal_budget *budget;
	struct shoal_open *head, *tail; /* oldest first */
	struct shoal_open **of_piece;	/* uthash-free lookup: small open table by piece */
	uint32_t table_size;
	uint32_t count;
	uint32_t ready;
	bool busy;	     /* no piece could be opened for want of memory, the last time one was tried */
	uint64_t full_bytes; /* of pieces that are all here and not yet off our hands */
};

int shoal_landing_init(struct shoal_landing *l, struct shoal_slots *slots, struct shoal_budget *budget);
/* Frees every open piece; none may be with the disk. */
void shoal_landing_fini(struct shoal_landing *l);
/* Opens a piece of `bytes` bytes. BUSY when its slots cannot be had now. `v2_leaves`: room for leaf hashes wanted. */
SHOAL_MUST int shoal_landing_open(struct shoal_landing *l, uint32_t piece, uint32_t bytes, bool v2_leaves,
				  struct shoal_open **out, shoal_us now);
struct shoal_open *shoal_landing_find(const struct shoal_landing *l, uint32_t piece);
/* A block of `piece` will land soon (proto/base/fetch.h). */
void shoal_landing_foresee(const struct shoal_landing *l, uint32_t piece);
void shoal_landing_close(struct shoal_landing *l, struct shoal_open *open);
/* All blocks unasked again, slots back to promises: after a bad hash. BUSY when memory is gone (then close it). */
SHOAL_MUST int shoal_landing_again(struct shoal_landing *l, struct shoal_open *open, shoal_us now);

/* What the leaves of its blocks are, `open->blocks` of them, is kept. false: there is no memory for that. */
SHOAL_MUST bool shoal_open_know(struct shoal_landing *l, struct shoal_open *open, const uint8_t (*leaf)[32]);

/* The hash was wrong and its blocks are all here: back to FETCHING (then drop some) or READY. */
void shoal_open_rewind(struct shoal_landing *l, struct shoal_open *open, enum shoal_open_state state, shoal_us now);
/*
 * A streamed piece failed, and its leaves told which blocks are false: wrong[] by block, one at least. They are unasked
 * again and the others stay where they are, on the disk. BUSY, and nothing has changed, when there is no memory for any.
 */
SHOAL_MUST int shoal_open_patch(struct shoal_landing *l, struct shoal_open *open, const bool *wrong, shoal_us now);
/* A block that has landed, of a whole piece that is FETCHING or READY, is unasked again, and its slot a promise. */
void shoal_open_drop(struct shoal_landing *l, struct shoal_open *open, uint32_t block);

static inline uint32_t shoal_open_block_len(const struct shoal_open *open, uint32_t block)
{
	uint32_t begin = block * SHOAL_BLOCK;
	return open->bytes - begin < SHOAL_BLOCK ? open->bytes - begin : SHOAL_BLOCK;
}
/* Whether some block that is here came from it. */
bool shoal_open_has_source(const struct shoal_open *open, uint32_t source);
/* Blocks that came from `from` are `to`'s. */
void shoal_landing_rename(struct shoal_landing *l, uint32_t from, uint32_t to);
/* The next block nobody was asked for, within the window; UINT32_MAX when there is none now. */
uint32_t shoal_open_unasked(struct shoal_open *open);
/* The one after `block`, within the window; UINT32_MAX when there is none. */
uint32_t shoal_open_unasked_after(const struct shoal_open *open, uint32_t block);
/* Marks it asked once more. Only the first asker may use the piece's promise (got with shoal_open_slot). */
void shoal_open_ask(struct shoal_open *open, uint32_t block);
/* The same of one who stalls: the block stays unasked for all others. */
void shoal_open_ask_weak(struct shoal_open *open);
/* An asker stalls: from now on it is a weak one. */
void shoal_open_weaken(struct shoal_open *open, uint32_t block);
/* One asker less; `slot` (may be NULL) is what it had been given for it: back to a promise when nobody else asks. */
void shoal_open_unask(struct shoal_landing *l, struct shoal_open *open, uint32_t block, bool weak,
		      struct shoal_slot *slot);
/* A slot for a block about to land. NULL only when the promise is used and no spare memory is there (a duplicate). */
struct shoal_slot *shoal_open_slot(struct shoal_landing *l, struct shoal_open *open);
/* A slot that came to nothing: a promise again, while the piece can need it. */
void shoal_open_slot_back(struct shoal_landing *l, struct shoal_open *open, struct shoal_slot *slot);
/* The block has landed in `slot` (ours from now on). false: it was here already, and the slot goes back to the caller. */
bool shoal_open_landed(struct shoal_landing *l, struct shoal_open *open, uint32_t block, struct shoal_slot *slot,
		       uint32_t source, shoal_us now);
/* Fills open->job with what can go to the disk now: 1, or 0. The whole piece when `whole`, else the next run. */
int shoal_open_run(struct shoal_open *open);
/* The job is back: its slots are freed (or, whole and bad, kept for blame until again()/close()). */
void shoal_open_run_done(struct shoal_landing *l, struct shoal_open *open);

#endif
