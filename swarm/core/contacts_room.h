/*
 * swarm/core/contacts_room.h - what the files of the address book share. Internal.
 */
#ifndef SHOAL_CONTACTS_ROOM_H
#define SHOAL_CONTACTS_ROOM_H

#include "swarm/core/contacts.h"
#include "swarm/peers/reputation.h"

/* By the record of its address; NONE where no score is kept. */
enum shoal_regard shoal_contact_regard(const struct shoal_swarm *s, const struct shoal_contact *c);
/* Where nobody of ours has been yet, and strangers may send us: the guard has to do with those alone. */
static inline bool shoal_contact_guarded(const struct shoal_contact *c)
{
	return !c->trusted && !c->worked;
}
/* It is in neither heap of those to be dialled. */
void shoal_contact_due_drop(struct shoal_swarm *s, struct shoal_contact *c);
/* It is to be dialled at `at`. */
void shoal_contact_wait(struct shoal_swarm *s, struct shoal_contact *c, shoal_us at);
/* It is not dialled until there is something to fetch. */
void shoal_contact_park(struct shoal_swarm *s, struct shoal_contact *c);
/* Its place among those to be forgotten, after anything it depends on has changed. */
void shoal_contact_worth_set(struct shoal_swarm *s, struct shoal_contact *c);

#endif
