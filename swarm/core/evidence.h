/*
 * swarm/core/evidence.h - what a swarm learns about its peers, and what follows from it.
 *
 * Internal to swarm/core. A piece that fails is first hashed once more: our own memory may have been at fault, and
 * then nothing is held against anybody. What a single sender sent whole it answers for. In v2 the leaf hashes are
 * asked for and the piece waits for them (SHOAL_EVIDENCE_DISPUTE at most); then its false blocks, and no others,
 * are dropped and fetched again; what is right of a streamed piece stays on the disk. In v1 another of our kind may say which
 * those are (hints.h); else the blocks of the likeliest suspects are, from others, and once the piece has come
 * good the digests of what failed say exactly who it was. Records and their arithmetic: swarm/peers/reputation.h.
 *
 * A piece of which some lay here already (offered.h) is nobody's fault: a hint says which blocks are false, and without one
 * what lay here goes, and all that was sent stays. Only when it fails again without it is anybody suspected.
 *
 * Who is banned leaves nothing behind: blocks of it that nobody has verified are dropped from all pieces under way.
 */
#ifndef SHOAL_EVIDENCE_H
#define SHOAL_EVIDENCE_H

#include <shoal/engine.h>
#include "swarm/peers/reputation.h"

#define SHOAL_EVIDENCE_DISPUTE SHOAL_S(2) /* a piece waits so long for its leaf hashes */
#define SHOAL_EVIDENCE_REPAIRS 3  /* in v1: attempts to mend a piece before it is begun anew, by one peer alone */
#define SHOAL_EVIDENCE_SENDERS 64 /* of one piece that are told apart */

struct shoal_check;
struct shoal_node;
struct shoal_open;
struct shoal_peer;
struct shoal_swarm;

/* Seconds since 1970, as it was when the node began, and from then on by the clock that never jumps. */
uint32_t shoal_node_seconds(const struct shoal_node *n, shoal_us now);

/* A piece has come good: before its blocks are let go of. */
void shoal_evidence_good(struct shoal_swarm *s, struct shoal_open *open, shoal_us now);
/* Its hash is wrong. It is fetched again, all of it or a part; `open` may be gone after this. */
void shoal_evidence_failed(struct shoal_swarm *s, struct shoal_open *open, shoal_us now);
/* The blocks of a piece have been digested from the disk (SHOAL_CHECK_BLAME). */
void shoal_evidence_digested(struct shoal_swarm *s, struct shoal_check *check, shoal_us now);
/* The true leaves of a piece are known: whoever sent other blocks lied. */
void shoal_evidence_leaves(struct shoal_swarm *s, uint32_t piece, const uint8_t (*leaf)[32], uint32_t n, shoal_us now);
/* Somebody says what the blocks of a disputed piece of v1 are; NULL: it does not. Believed only so far as to fetch those
 * again that are otherwise. */
void shoal_evidence_hint(struct shoal_swarm *s, struct shoal_open *open, const uint8_t (*digest)[32], shoal_us now);
/* Somebody may be asked for a hint who could not be before: for pieces that wait for that. */
void shoal_evidence_ask_again(struct shoal_swarm *s, shoal_us now);
/* Its connection ends: what it is suspected of by then is taken back all the same once another is named. */
void shoal_evidence_left(struct shoal_peer *p);
/* Leaf hashes and hints that do not come are waited for no longer. */
void shoal_evidence_tick(struct shoal_swarm *s, shoal_us now);

/* Who sent it (a peer, one that has left, a web seed) is banned at once. */
void shoal_swarm_ban(struct shoal_swarm *s, uint32_t source, uint32_t piece, const char *evidence, shoal_us now);

/* It gave us nothing for what it owed, by so much of a block; or said it has a piece and refused it. */
void shoal_evidence_missed(struct shoal_peer *p, double blocks, shoal_us now);
void shoal_evidence_refused(struct shoal_peer *p, uint32_t piece, shoal_us now);

#endif
