/*
 * swarm/core/skeys.h - a node's torrents by info hash, and by what an encrypted stream calls it.
 *
 * Internal to swarm/core. A stranger asks for a torrent by its hash, or (MSE)
 * by a hash of that hash: one table answers both in one step, however many
 * torrents there are. Entries lie in their swarm; the table cannot fail, and
 * grows while the budget lets it.
 */
#ifndef SHOAL_SKEYS_H
#define SHOAL_SKEYS_H

#include <shoal/types.h>
#include "proto/base/slots.h"
#include "proto/siphash.h"

struct shoal_swarm;

struct shoal_skey {
	struct shoal_skey *next;
	struct shoal_swarm *swarm; /* NULL: not in the table */
	struct shoal_id20 hash;	   /* the info hash (of v2: its first 20 bytes) ... */
	struct shoal_id20 name;	   /* ... and what it is found by: shoal_mse_skey_hash() of it */
	bool v2;
};

#define SHOAL_SKEYS_FEW 16u
struct shoal_skeys {
	struct shoal_skey *few[SHOAL_SKEYS_FEW], **bucket; /* `few` is the table until it has grown */
	uint32_t room, count;				   /* room: a power of two */
	struct shoal_budget *budget;
	struct shoal_sipkey key;
};

void shoal_skeys_init(struct shoal_skeys *t, struct shoal_budget *budget, struct shoal_sipkey key);
void shoal_skeys_fini(struct shoal_skeys *t);
/* `e` is kept until it is dropped, or the table ends. In it already: nothing happens. */
void shoal_skeys_add(struct shoal_skeys *t, struct shoal_skey *e, struct shoal_swarm *swarm,
		     const struct shoal_id20 *hash, bool v2);
void shoal_skeys_drop(struct shoal_skeys *t, struct shoal_skey *e);
/* By its name; NULL. */
struct shoal_skey *shoal_skeys_find(const struct shoal_skeys *t, const struct shoal_id20 *name);

#endif
