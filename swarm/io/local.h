/*
 * swarm/io/local.h - the multicast groups of local service discovery (BEP 14), IPv4 and IPv6.
 *
 * Sends to both groups on every interface that may carry multicast (the
 * loopback one only where there is no other), with a TTL of 1, and hears
 * what comes to them. A datagram is passed on when its source lies in a
 * subnet of ours, and at most SHOAL_LOCAL_HEARD a second are looked at.
 * Nothing is opened, and no group joined, before the first shout.
 *
 * Knows nothing of what is said (proto/lsd.h). The loop's thread alone.
 */
#ifndef SHOAL_LOCAL_H
#define SHOAL_LOCAL_H

#include <shoal/types.h>
#include "swarm/io/loop.h"
#include "swarm/io/os.h"

#define SHOAL_LOCAL_HEARD 10

struct shoal_local;

/* `heard` is called from within shoal_loop_run(). NOMEM. */
SHOAL_MUST int shoal_local_new(struct shoal_local **out, struct shoal_loop *loop, const struct shoal_os_ops *os,
			       void (*heard)(void *to, const struct shoal_addr *from, struct shoal_bytes data),
			       void *to);
void shoal_local_free(struct shoal_local *l); /* NULL is fine */
/* We take connections at `bound`: when all such addresses of a family are single ones, only their subnets are told, and
 * from there. RANGE for one too many. */
int shoal_local_listens(struct shoal_local *l, const struct shoal_addr *bound);
/* To the group of that family, on every interface that may hear it: on how many it went out. NET: there is no socket. */
int shoal_local_shout(struct shoal_local *l, bool v4, struct shoal_bytes data);

#endif
