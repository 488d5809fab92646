/*
 * dht/shelf.c - chains in a table that doubles.
 */
#include "dht/shelf.h"

#include <stdlib.h>
#include "proto/base/bytes.h"

#define ROOM_MIN 16u

static uint32_t place(const struct shoal_shelf *shelf, const struct shoal_id20 *key)
{
	return (uint32_t)shoal_siphash(shelf->secret, 0, shoal_bytes(key->b, 20)) & (shelf->room - 1);
}

struct shoal_shelf_node *shoal_shelf_find(const struct shoal_shelf *shelf, const struct shoal_id20 *key)
{
	if (shelf->room == 0)
		return NULL;
	for (struct shoal_shelf_node *n = shelf->bucket[place(shelf, key)]; n != NULL; n = n->next)
		if (memcmp(n->key.b, key->b, 20) == 0)
			return n;
	return NULL;
}

static void grow(struct shoal_shelf *shelf)
{
	uint32_t room = shelf->room != 0 ? 2 * shelf->room : ROOM_MIN, old_room = shelf->room;
	struct shoal_shelf_node **old = shelf->bucket, **fresh = calloc(room, sizeof(struct shoal_shelf_node *));
	if (fresh == NULL)
		return; /* longer chains will do */
	shelf->bucket = fresh;
	shelf->room = room;
	for (uint32_t i = 0; i < old_room; i++) {
		for (struct shoal_shelf_node *n = old[i], *next; n != NULL; n = next) {
			struct shoal_shelf_node **at = &fresh[place(shelf, &n->key)];
			next = n->next;
			n->next = *at;
			*at = n;
		}
	}
	free(old);
}

int shoal_shelf_add(struct shoal_shelf *shelf, struct shoal_shelf_node *node)
{
	if (shelf->count >= shelf->room)
		grow(shelf);
	if (shelf->room == 0)
		return SHOAL_ERR_NOMEM;
	struct shoal_shelf_node **at = &shelf->bucket[place(shelf, &node->key)];
	node->next = *at;
	*at = node;
	shelf->count++;
	return 0;
}

void shoal_shelf_drop(struct shoal_shelf *shelf, struct shoal_shelf_node *node)
{
	struct shoal_shelf_node **at = &shelf->bucket[place(shelf, &node->key)];
	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	shelf->count--;
}

struct shoal_shelf_node *shoal_shelf_next(const struct shoal_shelf *shelf, const struct shoal_shelf_node *after)
{
	if (after != NULL && after->next != NULL)
		return after->next;
	for (uint32_t i = after != NULL ? place(shelf, &after->key) + 1 : 0; i < shelf->room; i++)
		if (shelf->bucket[i] != NULL)
			return shelf->bucket[i];
	return NULL;
}

void shoal_shelf_fini(struct shoal_shelf *shelf)
{
	free(shelf->bucket);
	shelf->bucket = NULL;
	shelf->room = shelf->count = 0;
}
