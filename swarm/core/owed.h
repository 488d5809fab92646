/*
 * swarm/core/owed.h - answers that a peer still owes to asks that were taken back (BEP 6).
 *
 * Internal to swarm/core. With the Fast extension each REQUEST gets one
 * answer, its block or a REJECT, also one that a CANCEL went after. When the same
 * block is asked for once more before that answer is here, a REJECT does not
 * say which of the two it means. Answers to the same block come in order, so it
 * is the older one: without that, the newer ask, which may not even have left,
 * would be taken for refused, and made a third time.
 *
 * A ring, the oldest first. What is not answered in SHOAL_OWED_TIME never
 * will be (there are peers that never answer a CANCEL); beyond SHOAL_OWED_MAX the
 * oldest is forgotten. Without memory nothing is kept, and a REJECT means the
 * newest.
 */
#ifndef SHOAL_OWED_H
#define SHOAL_OWED_H

#include <shoal/types.h>

#define SHOAL_OWED_MAX 2048u /* as many as are ever asked for at a time, nearly: SHOAL_PEER_REQQ */
#define SHOAL_OWED_TIME SHOAL_S(30)

struct shoal_peer;

struct shoal_owed_ask {
	uint32_t piece, block;
	shoal_us at; /* cancelled */
};
struct shoal_owed {
	struct shoal_owed_ask *ring;
	uint32_t head, count, room; /* room: a power of two, or 0 */
};

/* A CANCEL goes after an ask. Nothing for a peer without the Fast extension, which owes no answer then. */
void shoal_owed_add(struct shoal_peer *p, uint32_t piece, uint32_t block, shoal_us now);
/* Whether it owes an answer for that block. */
bool shoal_owed_has(struct shoal_peer *p, uint32_t piece, uint32_t block, shoal_us now);
/* An answer came. true: it was to such an ask, and the debt is paid. */
bool shoal_owed_paid(struct shoal_peer *p, uint32_t piece, uint32_t block, shoal_us now);
size_t shoal_owed_bytes(const struct shoal_owed *o);
void shoal_owed_fini(struct shoal_owed *o);

#endif
