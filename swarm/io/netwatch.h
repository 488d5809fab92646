/*
 * swarm/io/netwatch.h - tells when this host's place in the network has changed.
 *
 * The kernel says that something about addresses or routes has changed
 * (rtnetlink), often several times in a row and often for nothing: IPv6
 * addresses are renewed all the time. So, a second after the last word, the
 * picture is compared with the one before: which addresses, on links that are
 * up, which of them a packet to the wide world would leave from, and how long
 * the machine has slept. What is told is that it differs, and that there is a
 * network. The loop's thread owns it.
 */
#ifndef SHOAL_NETWATCH_H
#define SHOAL_NETWATCH_H

#include <shoal/types.h>
#include "swarm/io/loop.h"
#include "swarm/io/os.h"

#define SHOAL_NETWATCH_CALM SHOAL_S(1)

struct shoal_netwatch;

/* `moved` is called from shoal_netwatch_tick(). NOMEM; NET where the kernel does not tell. */
SHOAL_MUST int shoal_netwatch_new(struct shoal_netwatch **out, struct shoal_loop *loop, const struct shoal_os_ops *os,
				  void (*moved)(void *to), void *to);
void shoal_netwatch_free(struct shoal_netwatch *w); /* NULL is fine */
shoal_us shoal_netwatch_deadline(const struct shoal_netwatch *w);
void shoal_netwatch_tick(struct shoal_netwatch *w, shoal_us now);

#endif
