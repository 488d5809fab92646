/*
 * swarm/pieces/picker.h - which piece next: rarest first among what a peer has.
 *
 * Knows pieces, not blocks, peers or bytes. A piece is *untouched*, *open*
 * (somebody is fetching it) or *done*; only untouched, wanted ones are
 * picked. Availability is kept as bitsets by rarity level, so that a HAVE
 * moves one bit and a pick is a scan of `level AND have`. Levels are exact
 * to 7 copies and widen above, to "64 and more"; seeds are in none of them.
 * A piece also has a rank, which the user's priorities give it: while a
 * higher one has a piece to pick, no lower one is looked at.
 *
 * Every `have` has as many bits as the picker pieces, and a piece is
 * counted once a peer: call _has and _lost for bits that changed alone.
 */
#ifndef SHOAL_PICKER_H
#define SHOAL_PICKER_H

#include <shoal/types.h>
#include "proto/base/bits.h"
#include "proto/base/rng.h"

#define SHOAL_PIECE_NONE UINT32_MAX
/* While we hold fewer pieces than this, picks are random: something to trade, soon. */
#define SHOAL_PICKER_RANDOM_FIRST 4

struct shoal_picker;

enum shoal_pick_order {
	SHOAL_PICK_RAREST,
	SHOAL_PICK_IN_ORDER,
	SHOAL_PICK_COMMON, /* the most common first: for a peer that is slow, or not yet trusted with a rare piece */
};
enum shoal_pick_rank { SHOAL_RANK_LOW, SHOAL_RANK_NORMAL, SHOAL_RANK_HIGH };

/* RANGE above SHOAL_PIECES_MAX. All pieces start untouched and wanted, held by nobody. */
SHOAL_MUST int shoal_picker_new(struct shoal_picker **out, uint32_t pieces, struct shoal_rng rng);
void shoal_picker_free(struct shoal_picker *p);
size_t shoal_picker_bytes(uint32_t pieces); /* heap it takes, for the budget */

/* What peers have. A full bitfield counts as a seed: O(1). Full or not is read off the bits themselves, so a peer whose
 * last bit came by _has must pass _full before it goes, and a seed that loses a piece is _gone with its full bits first
 * and _joined again with the rest. Both walk over all pieces: do them once a peer. One that has lost a piece as a
 * seed may do so again and again; count it one by one from then on, never pass _full, and let it leave by _uncount. */
void shoal_picker_peer_joined(struct shoal_picker *p, const struct shoal_bits *have);
void shoal_picker_peer_gone(struct shoal_picker *p, const struct shoal_bits *had);
void shoal_picker_peer_has(struct shoal_picker *p, uint32_t piece);
void shoal_picker_peer_lost(struct shoal_picker *p, uint32_t piece);
/* A peer whose bits were counted one by one is full now: `had` (all ones) moves to the seeds. */
void shoal_picker_peer_full(struct shoal_picker *p, const struct shoal_bits *had);
/* _gone for a peer whose bits were counted one by one, though they may be full by now. */
void shoal_picker_peer_uncount(struct shoal_picker *p, const struct shoal_bits *had);
/* Copies of a piece among connected peers. */
uint32_t shoal_picker_copies(const struct shoal_picker *p, uint32_t piece);
/* Of the pieces we lack and want, how many nobody connected has. */
uint32_t shoal_picker_missing(const struct shoal_picker *p);

/* Our own side. */
void shoal_picker_want(struct shoal_picker *p, uint32_t piece, bool wanted);		   /* all are wanted at first */
void shoal_picker_rank(struct shoal_picker *p, uint32_t piece, enum shoal_pick_rank rank); /* all are normal at first */
bool shoal_picker_wants(const struct shoal_picker *p, uint32_t piece);
/* Open or done: nobody may open it. */
bool shoal_picker_is_taken(const struct shoal_picker *p, uint32_t piece);
void shoal_picker_open(struct shoal_picker *p, uint32_t piece);	  /* untouched -> open */
void shoal_picker_close(struct shoal_picker *p, uint32_t piece);  /* open -> untouched again; done stays done */
void shoal_picker_done(struct shoal_picker *p, uint32_t piece);	  /* any -> done */
void shoal_picker_undone(struct shoal_picker *p, uint32_t piece); /* done -> untouched */
uint32_t shoal_picker_left(const struct shoal_picker *p);	  /* wanted and not done */
uint32_t shoal_picker_untouched(const struct shoal_picker *p);	  /* wanted, neither open nor done */
bool shoal_picker_is_done(const struct shoal_picker *p, uint32_t piece);
bool shoal_picker_is_untouched(const struct shoal_picker *p, uint32_t piece); /* and wanted: it may be opened */
const struct shoal_bits *shoal_picker_have(const struct shoal_picker *p);     /* the done ones */

/* The next piece to open for a peer that has `have`; SHOAL_PIECE_NONE when it has none we need untouched, which takes a
 * scan of the bits (an eighth of a byte a piece) to find out: keep the answer until a piece has changed. */
uint32_t shoal_picker_pick(struct shoal_picker *p, const struct shoal_bits *have, enum shoal_pick_order order);
/* For who fetches runs of pieces (webseed.h); `have` may be NULL: all. Both walk over the bits. The first piece at or
 * after `from` that is wanted and untouched, of the highest rank there is; and the first of the longest run of such, of `*len` pieces. */
uint32_t shoal_picker_next(const struct shoal_picker *p, const struct shoal_bits *have, uint32_t from);
uint32_t shoal_picker_gap(const struct shoal_picker *p, const struct shoal_bits *have, uint32_t *len);
/* A piece at or after `from` (cyclic) that is in `have`, wanted and not done: what makes a peer interesting. */
uint32_t shoal_picker_needs(const struct shoal_picker *p, const struct shoal_bits *have, uint32_t from);

#endif
