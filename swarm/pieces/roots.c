/* swarm/pieces/roots.c - see roots.h. */
#include "swarm/pieces/roots.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/merkle.h"

/* A power of two, of which a third stays empty. */
static uint32_t room_for(const struct shoal_metainfo *mi)
{
	uint32_t files = shoal_metainfo_file_count(mi);
	return shoal_merkle_width(files + files / 2 + 2);
}

size_t shoal_roots_bytes(const struct shoal_metainfo *mi)
{
	return room_for(mi) * sizeof(uint32_t);
}

/* Where it lies, or would. */
static uint32_t *place_of(const struct shoal_roots *roots, const struct shoal_metainfo *mi, const uint8_t root[32])
{
	uint32_t i = (uint32_t)shoal_siphash(roots->key, 0, shoal_bytes(root, 32)) & roots->mask;
	while (roots->place[i] != 0 && memcmp(shoal_metainfo_file_root(mi, roots->place[i] - 1), root, 32) != 0)
		i = (i + 1) & roots->mask;
	return &roots->place[i];
}

int shoal_roots_make(struct shoal_roots *roots, const struct shoal_metainfo *mi, struct shoal_sipkey key)
{
	uint32_t room = room_for(mi), files = shoal_metainfo_file_count(mi);
	*roots = (struct shoal_roots){ .mask = room - 1, .key = key };
	roots->place = calloc(room, sizeof *roots->place);
	if (roots->place == NULL)
		return SHOAL_ERR_NOMEM;
	for (uint32_t f = 0; f < files; f++) {
		const uint8_t *root = shoal_metainfo_file_root(mi, f);
		uint32_t *place = root != NULL ? place_of(roots, mi, root) : NULL;
		if (place != NULL && *place == 0)
			*place = f + 1;
	}
	return 0;
}

void shoal_roots_fini(struct shoal_roots *roots)
{
	free(roots->place);
	*roots = (struct shoal_roots){ 0 };
}

uint32_t shoal_roots_find(const struct shoal_roots *roots, const struct shoal_metainfo *mi, const uint8_t root[32])
{
	return *place_of(roots, mi, root) - 1; /* none: 0 - 1 */
}
