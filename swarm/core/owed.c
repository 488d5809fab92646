/* swarm/core/owed.c - a ring of asks that were taken back and not answered yet; see owed.h. */
#include "swarm/core/owed.h"

#include <stdlib.h>
#include "swarm/core/peer.h"
#include "swarm/core/turnover.h"

#define ROOM_START 16u

_Static_assert((SHOAL_OWED_MAX & (SHOAL_OWED_MAX - 1)) == 0 && SHOAL_OWED_MAX >= SHOAL_PEER_REQQ,
	       "a ring that doubles, and holds what can be asked for");

static struct shoal_owed_ask *at(const struct shoal_owed *o, uint32_t i)
{
	return &o->ring[(o->head + i) & (o->room - 1)];
}

static void forget_oldest(struct shoal_owed *o)
{
	o->head = (o->head + 1) & (o->room - 1);
	o->count--;
}

static void expire(struct shoal_owed *o, shoal_us now)
{
	while (o->count > 0 && at(o, 0)->at + SHOAL_OWED_TIME <= now)
		forget_oldest(o);
}

static bool grow(struct shoal_peer *p)
{
	struct shoal_owed *o = &p->owed;
	uint32_t room = o->room ? o->room * 2 : ROOM_START;
	if (room > SHOAL_OWED_MAX || !shoal_peer_grow(p, room * sizeof *o->ring))
		return false;
	struct shoal_owed_ask *ring = malloc(room * sizeof *ring);
	if (ring == NULL)
		return false; /* the charge is put right at the next settle() */
	for (uint32_t i = 0; i < o->count; i++)
		ring[i] = *at(o, i);
	free(o->ring);
	o->ring = ring;
	o->room = room;
	o->head = 0;
	return true;
}

void shoal_owed_add(struct shoal_peer *p, uint32_t piece, uint32_t block, shoal_us now)
{
	struct shoal_owed *o = &p->owed;
	if (!p->fast)
		return;
	expire(o, now);
	if (o->count == o->room && !grow(p)) {
		if (o->room == 0)
			return;
		forget_oldest(o);
	}
	o->count++;
	*at(o, o->count - 1) = (struct shoal_owed_ask){ piece, block, now };
}

/* The number of the oldest debt for that block; count: there is none. Answers come mostly in order: it is the first. */
static uint32_t find(const struct shoal_owed *o, uint32_t piece, uint32_t block)
{
	uint32_t i = 0;
	while (i < o->count && (at(o, i)->piece != piece || at(o, i)->block != block))
		i++;
	return i;
}

bool shoal_owed_has(struct shoal_peer *p, uint32_t piece, uint32_t block, shoal_us now)
{
	expire(&p->owed, now);
	return find(&p->owed, piece, block) < p->owed.count;
}

bool shoal_owed_paid(struct shoal_peer *p, uint32_t piece, uint32_t block, shoal_us now)
{
	struct shoal_owed *o = &p->owed;
	expire(o, now);
	uint32_t i = find(o, piece, block);
	if (i == o->count)
		return false;
	for (; i > 0; i--)
		*at(o, i) = *at(o, i - 1);
	forget_oldest(o);
	return true;
}

size_t shoal_owed_bytes(const struct shoal_owed *o)
{
	return o->room * sizeof *o->ring;
}

void shoal_owed_fini(struct shoal_owed *o)
{
	free(o->ring);
	*o = (struct shoal_owed){ 0 };
}
