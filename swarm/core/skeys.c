/* swarm/core/skeys.c - see skeys.h. */
#include "swarm/core/skeys.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/mse.h"

void shoal_skeys_init(struct shoal_skeys *t, struct shoal_budget *budget, struct shoal_sipkey key)
{
	*t = (struct shoal_skeys){ .room = SHOAL_SKEYS_FEW, .budget = budget, .key = key };
	t->bucket = t->few;
}

static void bucket_free(struct shoal_skeys *t)
{
	if (t->bucket == t->few)
		return;
	shoal_budget_give(t->budget, t->room * sizeof *t->bucket);
	free(t->bucket);
}

void shoal_skeys_fini(struct shoal_skeys *t)
{
	bucket_free(t);
	t->bucket = t->few;
	t->room = SHOAL_SKEYS_FEW;
}

static struct shoal_skey **home_of(const struct shoal_skeys *t, const struct shoal_id20 *name)
{
	uint64_t hash = shoal_siphash(t->key, 's', shoal_bytes(name->b, sizeof name->b));
	return &t->bucket[hash & (t->room - 1)];
}

/* Twice as large; without memory for that it stays as it is, and its chains grow. */
static void grow(struct shoal_skeys *t)
{
	struct shoal_skeys more = *t;
	more.room = t->room * 2;
	if (!shoal_budget_take(t->budget, more.room * sizeof *more.bucket))
		return;
	more.bucket = calloc(more.room, sizeof *more.bucket);
	if (more.bucket == NULL) {
		shoal_budget_give(t->budget, more.room * sizeof *more.bucket);
		return;
	}
	for (uint32_t i = 0; i < t->room; i++) {
		for (struct shoal_skey *e = t->bucket[i], *next; e != NULL; e = next) {
			struct shoal_skey **home = home_of(&more, &e->name);
			next = e->next;
			e->next = *home;
			*home = e;
		}
	}
	bucket_free(t);
	t->bucket = more.bucket;
	t->room = more.room;
}

void shoal_skeys_add(struct shoal_skeys *t, struct shoal_skey *e, struct shoal_swarm *swarm,
		     const struct shoal_id20 *hash, bool v2)
{
	if (e->swarm != NULL)
		return;
	if (t->count >= t->room)
		grow(t);
	*e = (struct shoal_skey){ .swarm = swarm, .hash = *hash, .name = shoal_mse_skey_hash(hash), .v2 = v2 };
	struct shoal_skey **home = home_of(t, &e->name);
	e->next = *home;
	*home = e;
	t->count++;
}

void shoal_skeys_drop(struct shoal_skeys *t, struct shoal_skey *e)
{
	if (e->swarm == NULL)
		return;
	struct shoal_skey **at = home_of(t, &e->name);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	e->swarm = NULL;
	t->count--;
}

struct shoal_skey *shoal_skeys_find(const struct shoal_skeys *t, const struct shoal_id20 *name)
{
	struct shoal_skey *e = *home_of(t, name);
	while (e != NULL && memcmp(e->name.b, name->b, sizeof name->b) != 0)
		e = e->next;
	return e;
}
