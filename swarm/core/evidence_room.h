/*
 * swarm/core/evidence_room.h - what the files of the evidence share. Internal.
 */
#ifndef SHOAL_EVIDENCE_ROOM_H
#define SHOAL_EVIDENCE_ROOM_H

#include "proto/base/slots.h"
#include "swarm/core/evidence.h"

/* Who is connected now of those whose blocks are remembered by `source`; NULL: nobody. */
struct shoal_peer *shoal_evidence_peer(const struct shoal_swarm *s, uint32_t source);
/* The share of its blocks that is expected to be false. */
double shoal_evidence_expect(struct shoal_swarm *s, uint32_t source);
/* Exact blame. */
void shoal_evidence_false(struct shoal_swarm *s, uint32_t source, uint32_t piece, uint32_t block,
			  enum shoal_rep_why why, shoal_us now);
/* The true digests of a piece that failed are known: who lied is named, and all others are suspected no more. */
void shoal_evidence_settle(struct shoal_swarm *s, uint32_t piece, const uint8_t (*truth)[32], uint32_t n,
			   enum shoal_rep_why why, shoal_us now);
/* SHA-256 of a block as it lies in `slot`: in v2 its leaf. */
void shoal_evidence_digest(const struct shoal_swarm *s, uint32_t piece, uint32_t block, const struct shoal_slot *slot,
			   uint8_t out[32]);
/* SHA-256 of each block, as it was hashed or as it lies in memory still. false: some lie nowhere. */
SHOAL_MUST bool shoal_evidence_digests(const struct shoal_swarm *s, const struct shoal_open *open, uint8_t (*out)[32]);
/* Its blocks have failed: their digests and senders are kept until the truth is known; if they lie on disk alone, once
 * they have been digested there. */
void shoal_evidence_remember(struct shoal_swarm *s, struct shoal_open *open, shoal_us now);
void shoal_evidence_remember_later(struct shoal_swarm *s, const struct shoal_open *open);

#endif
