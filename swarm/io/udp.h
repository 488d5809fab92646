/*
 * swarm/io/udp.h - datagrams, from the port peers know us by: trackers now, the DHT and uTP on the same sockets.
 *
 * One socket for each listener, at the same address and port; where a family
 * has none, one at any port is opened by the first send. Datagrams are lost
 * without a word when the kernel has no room. The loop's thread owns it.
 *
 * A sender that fills no rows wakes us for each datagram, and pays for it as
 * much as for the datagram. While they come by the ten thousand a second, a
 * round begins with a nap: who sleeps outside of the loop's wait is not woken.
 * A loop that has other things to do, and comes back to us late, takes none.
 *
 * Rows of datagrams go to the kernel in one piece (UDP_SEGMENT), and come from
 * it in one (UDP_GRO), where it can; else one system call takes many.
 */
#ifndef SHOAL_UDP_H
#define SHOAL_UDP_H

#include <shoal/types.h>
#include "swarm/io/loop.h"
#include "swarm/io/os.h"

#define SHOAL_UDP_SOCKETS_MAX 18       /* one to a listener, and one to a family */
#define SHOAL_UDP_BYTES_MAX 4096u      /* of one that comes in; longer ones are dropped */
#define SHOAL_UDP_BATCH 16u	       /* taken by one system call */
#define SHOAL_UDP_BATCHES 4	       /* in a round and socket, so that a flood starves nobody */
#define SHOAL_UDP_FAST 32	       /* pieces in a millisecond are a fast stream: they are waited for ... */
#define SHOAL_UDP_NAP ((shoal_us)50)   /* ... so long, where a round has taken all there were, ... */
#define SHOAL_UDP_AWAY ((shoal_us)200) /* ... and which is not so long ago */
#define SHOAL_UDP_ROW 64	       /* datagrams of a row that is sent; the kernel cuts up no more */
#define SHOAL_UDP_BUFFER (4 << 20)     /* bytes asked of the kernel, each way; it may give less */

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
/* Where the n-th socket is bound, from 0; NULL: there are fewer. Valid until the next bind. */
const struct shoal_addr *shoal_udp_at(const struct shoal_udp *udp, unsigned n);
/* 0 when it was sent, or lost for want of room; NET: it cannot go there; TOO_LONG; IO without a descriptor. */
SHOAL_MUST int shoal_udp_send(struct shoal_udp *udp, const struct shoal_addr *to, struct shoal_bytes data);
/* Sends datagrams of `each` bytes, the last of which may be shorter, ROW of them and 65,507 bytes at the most. `whole`: not
 * to be cut into fragments on the way, which else may happen. 0 when they went, or the first did; BUSY when the
 * kernel has no room for one; NET, TOO_LONG, IO. */
SHOAL_MUST int shoal_udp_send_row(struct shoal_udp *udp, const struct shoal_addr *to, struct shoal_bytes data,
				  size_t each, bool whole);
/* Marks what is sent from sockets bound from now on: as shoal_tcp_class(). */
void shoal_udp_class(struct shoal_udp *udp, unsigned dscp);

#endif
