/*
 * tools/lab/world/watch.h - a witness on the wire: what a node says, held against what its disk really has.
 *
 * Reads the bytes a node sends, with the one decoder and nothing else of the
 * engine's. Of an honest node:
 *   - a piece is announced (HAVE, BITFIELD, HAVE_ALL) only when its bytes are right and would survive a power cut;
 *   - a block is sent only of a piece announced on this connection, and its bytes are the content's;
 *   - a piece announced on this connection, or in an earlier life of the node, is never asked for.
 */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H

#include "proto/base/bits.h"
#include "tools/lab/world/check.h"
#include "tools/lab/world/content.h"
#include "tools/lab/world/disk.h"
#include "tools/lab/world/pipe.h"

/* One node, as its witness knows it. The caller's; outlives crashes of the node. */
struct sim_witness {
	const struct sim_content *content;
	struct sim_disk *disk;
	const char *folder;
	bool honest;
	bool brief; /* a piece that was found to be right once is not looked at again at each announcement */
	struct shoal_bits promised; /* announced to anybody, and not taken back */
	struct shoal_bits owed;	    /* of those, what was announced before it last started */
	uint64_t blocks;	    /* sent */
	uint64_t requests;
	uint64_t took_back; /* DONTHAVEs */
	char wrong[200];    /* the first breach, or empty */
	/* Every block is told, and whether its bytes are the content's; may be NULL. */
	void (*on_block)(struct sim_witness *w, uint32_t piece, uint32_t begin, uint32_t len, bool good);
	void *to, *dest; /* the caller's; to whom it is sending now */
};

void sim_witness_init(struct sim_witness *w, const struct sim_content *content, struct sim_disk *disk,
		      const char *folder, bool honest);
void sim_witness_fini(struct sim_witness *w);
/* The node starts again. */
void sim_witness_reborn(struct sim_witness *w);
/* The piece's bytes were destroyed by others: it may be fetched again. */
void sim_witness_forgive(struct sim_witness *w, uint32_t piece);

/* One direction of one connection: what `who` says to `to`. `back`: the other one, or NULL. */
struct sim_watch;
struct sim_watch *sim_watch_new(struct sim_node *who, struct sim_node *to, struct sim_watch *back);
void sim_watch_free(struct sim_watch *watch);
/* `w` sent these. Whether the block's bytes among them, if any, are the content's. */
bool sim_watch_heard(struct sim_watch *watch, struct sim_witness *w, const struct sim_heard *heard);
/* `n` bytes of it were taken in on the other side. */
void sim_watch_took(struct sim_watch *watch, size_t n);
/* It will hear something soon, most likely (proto/base/fetch.h); `deep`: very soon. NULL: no harm. */
void sim_watch_foresee(const struct sim_watch *watch, bool deep);

#endif
