/*
 * swarm/core/select.h - which files of a torrent are wanted, how much, and where the rest's bytes go.
 *
 * Internal to swarm/core. A piece is wanted when one of its files is, and
 * ranks as its most wanted file. A v1 piece may hold bytes of files that
 * nobody wants: to be verified and served it must be kept whole, so those
 * bytes, the file's *share* of the piece, lie in the torrent's part file,
 * out of sight (swarm/pieces/disk.h), until the file is wanted after all. A file
 * that exists already is used where it lies, wanted or not.
 *
 * Share 2 * f is what file f has of its first piece, 2 * f + 1 of its last
 * (when that is another); only pieces that f does not fill count. What
 * lies where is decided here, when files are looked at and when the
 * selection changes, and told to the disk before any job can see it.
 *
 * Claims: a share in the part file is recorded with the part file's stamp,
 * in records of its own; it is moved by copying, and its record follows in
 * the barrier that makes the copy durable. So there is no moment at which
 * it is recorded nowhere, or in a place where it is not.
 */
#ifndef SHOAL_SELECT_H
#define SHOAL_SELECT_H

#include <shoal/engine.h>
#include "proto/base/bits.h"
#include "swarm/pieces/disk.h"

#define SHOAL_SELECT_ANSWER_BYTES (1u << 20) /* of paths in one FILES answer */
#define SHOAL_SELECT_MOVES 256		     /* shares moved by one job */
#define SHOAL_DEADLINES_MAX 4096	     /* pieces */

struct shoal_swarm;
struct shoal_peer;
struct shoal_open;

struct shoal_deadline {
	uint32_t piece;
	shoal_us at;
};
struct shoal_select {
	/* what every turn looks at */
	bool job_out, moved;	   /* shares, parts.c; moved: the job is back, and its shares are in both places */
	uint32_t deadlines;	   /* of deadline[] */
	shoal_us retry_at;	   /* shares are moved again then */
	struct shoal_bits to_move; /* of in_part, whose files are wanted now */

	uint8_t *priority; /* by file, 0 to 7; NULL: all normal */
	char *so;	   /* of a magnet (BEP 53), until its metadata is there */
	size_t charged;

	/* shares: parts.c */
	struct shoal_bits in_part; /* they lie in the part file; no bits while there were none */
	struct shoal_bits hint;	   /* until the files have been looked at: what the records say of in_part */
	bool hint_believed;	   /* the part file is the one they speak of */
	bool hint_stale;	   /* records were found that must be rewritten before the part file is */
	struct shoal_seen part;	   /* the part file, when it was looked at */
	struct shoal_disk_job job; /* moves, or removes the part file */
	uint32_t *move;		   /* SHOAL_SELECT_MOVES of them, made with the bits */
	bool emptied;		   /* no share is left: the part file can go */

	struct shoal_deadline *deadline; /* the soonest first */
};

/* ---- select.c ---- */
static inline uint8_t shoal_select_priority(const struct shoal_select *sel, uint32_t file)
{
	return sel->priority != NULL ? sel->priority[file] : SHOAL_PRIORITY_NORMAL;
}
void shoal_select_fini(struct shoal_swarm *s);
/* Before the scan: priorities from ADD are taken, a link's so= is read. 1: the user has yet to choose; 0; RANGE (`files` does
 * not fit), GONE (so= names no file), MALFORMED, NOMEM. */
SHOAL_MUST int shoal_select_begin(struct shoal_swarm *s, struct shoal_bytes files);
/* SHOAL_OP_FILES and SHOAL_OP_DEADLINE. */
SHOAL_MUST int shoal_select_files(struct shoal_swarm *s, const struct shoal_op *op, shoal_us now);
SHOAL_MUST int shoal_select_tell(struct shoal_swarm *s, const struct shoal_op *op, shoal_us now);
SHOAL_MUST int shoal_select_deadline(struct shoal_swarm *s, const struct shoal_op *op, shoal_us now);
/* Bytes of a piece that wanted files hold. */
uint32_t shoal_select_piece_bytes(const struct shoal_swarm *s, uint32_t piece);
/* Every piece of wanted files is claimed. */
bool shoal_select_all_claimed(const struct shoal_swarm *s);
/* All that is wanted is here, and it is not everything: a partial seed (BEP 21). */
bool shoal_select_partial(const struct shoal_swarm *s);
/* When `piece` is needed; SHOAL_NEVER: whenever it comes. */
shoal_us shoal_select_due(const struct shoal_swarm *s, uint32_t piece);
/* The next piece with a deadline that `p` may be asked for a block of; SHOAL_PIECE_NONE. `*at`: where to look, 0 at first. */
uint32_t shoal_select_urgent(struct shoal_swarm *s, const struct shoal_peer *p, uint32_t *at);

/* ---- parts.c ---- */
/* The share that `file` has of `piece`; UINT32_MAX when it fills the piece, or has none of it. */
uint32_t shoal_parts_share(const struct shoal_swarm *s, uint32_t file, uint32_t piece);
/* Whether what `file` has of `piece` lies in the part file; whether anything of `file` does. */
bool shoal_parts_in(const struct shoal_swarm *s, uint32_t file, uint32_t piece);
bool shoal_parts_any(const struct shoal_swarm *s, uint32_t file);
/* The part file has been looked at, before all others: what its records say. */
SHOAL_MUST int shoal_parts_load(struct shoal_swarm *s, const struct shoal_seen *seen);
/* Around the loading of one file's claims: what the part file vouches for instead of it. */
struct shoal_parts_look {
	uint32_t share[2], piece[2];
	bool claimed[2], to_check[2];
	unsigned count;
};
void shoal_parts_before(struct shoal_swarm *s, uint32_t file, struct shoal_parts_look *look);
SHOAL_MUST int shoal_parts_after(struct shoal_swarm *s, uint32_t file, const struct shoal_seen *seen,
				 const struct shoal_parts_look *look);
/* All have been looked at. */
void shoal_parts_loaded(struct shoal_swarm *s);
/* Writes the part file's records into the store's batch. */
SHOAL_MUST int shoal_parts_record(struct shoal_swarm *s, const struct shoal_seen *seen, bool open);
/* 1: records were put that have to be committed before the part file is written to. */
SHOAL_MUST int shoal_parts_baseline(struct shoal_swarm *s);
/* The selection has changed: which shares go to the part file from now on, and which have to come out of it. NOMEM. */
SHOAL_MUST int shoal_parts_plan(struct shoal_swarm *s, shoal_us now);
/* What `file` has of pieces that are not here yet goes to the part file, though the file exists. */
SHOAL_MUST int shoal_parts_hide(struct shoal_swarm *s, uint32_t file);
void shoal_parts_tick(struct shoal_swarm *s, shoal_us now);
void shoal_parts_job_done(struct shoal_swarm *s, shoal_us now);
/* The records of a barrier are durable. */
void shoal_parts_recorded(struct shoal_swarm *s);

#endif
