/*
 * swarm/peers/rep_text.h - records of peers as text, to be carried from one node to another by their owner.
 *
 * Version 1: the first line is "shoal reputation 1"; lines that are empty or
 * begin with '#' say nothing; every other line is one peer, its fields in this
 * order with one blank between:
 *
 *   peer WHO seen S verified N false N good E bad E banned S
 *
 * WHO: ADDR:PORT, or "ed25519:" and the 64 hex digits of a key; S: seconds since 1970; N: blocks of 16 KiB, ever; E: evidence above that of a
 * stranger, in thousandths of a block; banned: when it ends, 0 for none. Numbers
 * are decimal, without signs or leading zeros. Lines end in LF.
 *
 * What is read was written by anybody: it is bounded, and whoever makes records of
 * it (shoal_rep_text_record) gives it the weight of hearsay.
 */
#ifndef SHOAL_REP_TEXT_H
#define SHOAL_REP_TEXT_H

#include <shoal/types.h>
#include "swarm/peers/rep_record.h"

#define SHOAL_REP_TEXT_HEAD "shoal reputation 1\n"
#define SHOAL_REP_TEXT_LINE 256u      /* bytes of a line, its end included */
#define SHOAL_REP_TEXT_PEERS 8192u    /* lines of peers */
#define SHOAL_REP_TEXT_MAX (4u << 20) /* bytes of it all */

struct shoal_rep_line {
	struct shoal_rep_name who;
	uint32_t seen_s, banned_until_s;
	uint32_t verified, false_blocks;
	uint32_t good, bad; /* thousandths of a block, at most 256 blocks */
};

struct shoal_rep_text {
	struct shoal_bytes left;
	uint32_t line;	/* number of the one read last: for people */
	uint32_t peers; /* so far */
};

/* MALFORMED: no such text; UNSUPPORTED: of another version; TOO_LONG. `text` is borrowed until the last next(). */
SHOAL_MUST int shoal_rep_text_begin(struct shoal_rep_text *t, struct shoal_bytes text);
/* 1 and a peer; 0 at the end; MALFORMED or TOO_LONG in t->line. */
SHOAL_MUST int shoal_rep_text_next(struct shoal_rep_text *t, struct shoal_rep_line *out);

struct shoal_rep_line shoal_rep_text_of(const struct shoal_rep_name *who, const struct shoal_rep_record *rec);
/* The line, its LF included, not NUL-ended: how many bytes. */
size_t shoal_rep_text_line(const struct shoal_rep_line *line, char out[SHOAL_REP_TEXT_LINE]);

/* What is to be made of a line by one who did not see it (shoal_rep_hearsay). `bans`: its user wants the bans too. */
void shoal_rep_text_record(const struct shoal_rep_line *line, bool bans, uint32_t now_s, struct shoal_rep_record *out);

#endif
