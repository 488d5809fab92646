/*
 * dht/shelf.h - a hash table by id, for what strangers store here: keyed, so that they cannot make it slow.
 *
 * The entries are the owner's memory, with a shelf node first in them.
 */
#ifndef SHOAL_DHT_SHELF_H
#define SHOAL_DHT_SHELF_H

#include <shoal/types.h>
#include "proto/siphash.h"

struct shoal_shelf_node {
	struct shoal_shelf_node *next; /* the shelf's */
	struct shoal_id20 key;
};
struct shoal_shelf {
	struct shoal_sipkey secret;
	struct shoal_shelf_node **bucket; /* NULL while it is empty */
	uint32_t room, count;
};

struct shoal_shelf_node *shoal_shelf_find(const struct shoal_shelf *shelf, const struct shoal_id20 *key);
/* Its key is set, and not there yet. NOMEM. */
SHOAL_MUST int shoal_shelf_add(struct shoal_shelf *shelf, struct shoal_shelf_node *node);
void shoal_shelf_drop(struct shoal_shelf *shelf, struct shoal_shelf_node *node); /* must be there */
/* All of them, in no order: from NULL, to NULL. To drop the last one found, ask for the next first. */
struct shoal_shelf_node *shoal_shelf_next(const struct shoal_shelf *shelf, const struct shoal_shelf_node *after);
void shoal_shelf_fini(struct shoal_shelf *shelf); /* not the entries */

#endif
