/*
 * swarm/io/portmap.h - a port of ours at the home router, by NAT-PMP or UPnP.
 *
 * Both are asked by others' libraries (libnatpmp, miniupnpc) that block, so
 * they have a thread of their own. It maps the port for TCP and UDP, renews
 * that at half of the lease, tries anew when it failed (one minute at first,
 * an hour at most), and takes it back when it ends.
 *
 * A router is a stranger too: what a discovery brings is only spoken to when
 * its address lies in a private range, and all that is taken from it is an
 * address and a port. Where there is no default route nobody is asked.
 */
#ifndef SHOAL_PORTMAP_H
#define SHOAL_PORTMAP_H

#include <shoal/types.h>
#include "swarm/io/os.h"

#define SHOAL_PORTMAP_LEASE 3600u	 /* seconds */
#define SHOAL_PORTMAP_BYE SHOAL_MS(1500) /* the end waits so long for the mapping to be taken back */

struct shoal_portmap;

struct shoal_portmap_said {
	int err;		   /* 0: mapped; GONE: there is no router; REFUSED: none that does it */
	const char *by;		   /* "NAT-PMP", "UPnP"; NULL */
	struct shoal_addr outside; /* where others reach us */
};

/* Starts at once. NOMEM; IO without a descriptor. `os` must outlive the thread: let it be static. */
SHOAL_MUST int shoal_portmap_new(struct shoal_portmap **out, const struct shoal_os_ops *os, uint16_t port);
/* Takes the mapping back, if there is one. NULL is fine. */
void shoal_portmap_free(struct shoal_portmap *p);
/* The network may be another: it is mapped anew now. */
void shoal_portmap_again(struct shoal_portmap *p);
/* An eventfd that counts up when there is something to reap; watch its edges. */
int shoal_portmap_fd(const struct shoal_portmap *p);
/* 1 and what became of the last attempt, once; or 0. */
SHOAL_MUST int shoal_portmap_reap(struct shoal_portmap *p, struct shoal_portmap_said *out);

#endif
