/*
 * swarm/io/reachable.h - where a URL that a stranger wrote may lead us, decided on the address it leads to.
 *
 * Trackers and web seeds come from torrents and magnet links: without a rule
 * they could be aimed at what only this host can reach (SSRF). Global
 * addresses are fine. Private ones are when this host has an address in the
 * same private range, since a site's own tracker must work. Loopback,
 * link-local (where clouds keep their secrets), multicast and reserved ones
 * never are. What the user named does not ask here.
 */
#ifndef SHOAL_REACHABLE_H
#define SHOAL_REACHABLE_H

#include <shoal/types.h>

/* Whether this host has an address in the private range that `to` lies in; false for what is not private. */
bool shoal_reachable_neighbour(const struct shoal_addr *to);
/* The rule above, whole. To be asked when the socket is opened: a name may mean something else by then. */
bool shoal_reachable_by_strangers(const struct shoal_addr *to);
/* Whether this host has an IPv4 address of the open network itself, so that no router stands before it. */
bool shoal_reachable_here(void);
/* Whether this host has a way to the open network at all; nothing is sent. */
bool shoal_reachable_out(void);

#endif
