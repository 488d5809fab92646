/*
 * swarm/core/contacts.h - the address book of one swarm: whom we know of, and from whom.
 *
 * Internal to swarm/core.
 */
#ifndef SHOAL_CONTACTS_H
#define SHOAL_CONTACTS_H

#include <shoal/types.h>

struct shoal_swarm;
struct shoal_contact;

/* Who told us. The first has the last word: a contact once named by the user stays one. */
enum shoal_contact_source {
	SHOAL_FROM_USER,     /* --peer, or the user's own tracker list: no caps, no guards */
	SHOAL_FROM_LSD,	     /* BEP 14: a neighbour */
	SHOAL_FROM_INCOMING, /* it came to us, and said where it listens */
	SHOAL_FROM_TRACKER,
	SHOAL_FROM_TORRENT, /* x.pe of a magnet, and what else a file says */
	SHOAL_FROM_DHT,
	SHOAL_FROM_PEX,
	/* Or'ed in: whoever told us lies in this host's own networks itself, and may name others there. */
	SHOAL_FROM_NEAR = 0x80,
};

/* The contact, known before or new; NULL: not wanted (a place no peer can be, a private one named from afar, a table
 * full of better ones, no memory). */
struct shoal_contact *shoal_swarm_contact(struct shoal_swarm *s, const struct shoal_addr *addr, unsigned source,
					  shoal_us now);

#endif
