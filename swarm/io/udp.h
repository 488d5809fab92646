/*
 * swarm/io/udp.h - datagrams, from the port peers know us by: trackers now, the DHT and uTP on the same sockets.
 *
 * One socket for each listener, at the same address and port; where a family
 * has none, one at any port is opened by the first send. Datagrams are lost
 * without a word when the kernel has no room. The loop's thread owns it.
 */
#ifndef SHOAL_UDP_H
#define SHOAL_UDP_H

#include <shoal/types.h>
#include "swarm/io/loop.h"
#include "swarm/io/os.h"

#define SHOAL_UDP_SOCKETS_MAX 18  /* one to a listener, and one to a family */
#define SHOAL_UDP_BYTES_MAX 4096u /* of one that comes in; longer ones are dropped */
#define SHOAL_UDP_BATCH 16u	  /* taken by one system call */
#define SHOAL_UDP_BATCHES 4	  /* in a round and socket, so that a flood starves nobody */

struct shoal_udp;

struct shoal_udp_user { /* called from within shoal_loop_run() */
	void *to;
	void (*datagram)(void *to, const struct shoal_addr *from, struct shoal_bytes data);
};

/* NOMEM. `os` and `loop` outlive it. */
SHOAL_MUST int shoal_udp_new(struct shoal_udp **out, struct shoal_loop *loop, const struct shoal_os_ops *os,
			     const struct shoal_udp_user *user);
void shoal_udp_free(struct shoal_udp *udp); /* NULL is fine */
/* A socket at `at`. NET, DENIED, and *os_err = errno; RANGE for one too many. */
SHOAL_MUST int shoal_udp_bind(struct shoal_udp *udp, const struct shoal_addr *at, int *os_err);
/* 0 when it was sent, or lost for want of room; NET: it cannot go there; TOO_LONG; IO without a descriptor. */
SHOAL_MUST int shoal_udp_send(struct shoal_udp *udp, const struct shoal_addr *to, struct shoal_bytes data);

#endif
