/*
 * swarm/pieces/roots.h - which file of a v2 torrent has this root.
 *
 * Peers name files by their roots (BEP 52), and a stranger may name any, as often as it likes: of a million files each is
 * found in one step. A table of places, 12 bytes a file at most, made when the first is looked for; a torrent's author
 * chooses roots as well as names, so where a root lies depends on a secret. Pure; the metainfo is borrowed.
 */
#ifndef SHOAL_ROOTS_H
#define SHOAL_ROOTS_H

#include "proto/metainfo.h"
#include "proto/siphash.h"

struct shoal_roots {
	uint32_t *place; /* file + 1; NULL: not made */
	uint32_t mask;
	struct shoal_sipkey key;
};

/* What make() will take, for whoever keeps a budget. */
size_t shoal_roots_bytes(const struct shoal_metainfo *mi);
SHOAL_MUST int shoal_roots_make(struct shoal_roots *roots, const struct shoal_metainfo *mi, struct shoal_sipkey key);
void shoal_roots_fini(struct shoal_roots *roots);
/* Of several with one root the first; UINT32_MAX: there is none. */
uint32_t shoal_roots_find(const struct shoal_roots *roots, const struct shoal_metainfo *mi, const uint8_t root[32]);

#endif
