/*
 * swarm/io/tcp.h - TCP as a struct shoal_transport: listeners, dials, connections.
 *
 * Knows sockets and the loop; nothing of peers or messages. All of it
 * belongs to the loop's thread. What happens is told by the functions of
 * struct shoal_tcp_user, from within shoal_loop_run() and shoal_tcp_tick().
 *
 * sendfile(2) has no MSG_NOSIGNAL: the thread that runs this must block or
 * ignore SIGPIPE (shoal_engine_native does).
 */
#ifndef SHOAL_TCP_H
#define SHOAL_TCP_H

#include <shoal/types.h>
#include "proto/transport.h"
#include "swarm/io/loop.h"
#include "swarm/io/os.h"

#define SHOAL_TCP_DIAL_TIMEOUT SHOAL_S(15)
#define SHOAL_TCP_BACKLOG 512
#define SHOAL_TCP_ACCEPTS_MAX 64      /* a round and listener, so that a storm of them starves no peer */
#define SHOAL_TCP_PAUSE SHOAL_MS(100) /* without descriptors nothing is accepted for this long */
#define SHOAL_TCP_UNTAKEN_MS 60000    /* what was sent and is not acknowledged for so long ends a connection */
#define SHOAL_TCP_LISTENERS_MAX 16
#define SHOAL_TCP_SPANS_MAX 128 /* of one recv or send; what is beyond waits for the next */

struct shoal_tcp;

struct shoal_tcp_user {
	void *to;
	/* The transport is the user's from here on. */
	void (*accepted)(void *to, struct shoal_transport *t, const struct shoal_addr *from);
	/* Each dial ends in one of these: a transport, or NULL and NET, REFUSED, TIMEOUT, DENIED, NOMEM. */
	void (*dialed)(void *to, uint64_t cookie, struct shoal_transport *t, int err);
	void (*ready)(void *to, struct shoal_transport *t, unsigned what); /* SHOAL_WANT_* */
	/* The descriptor behind a span's file: for send_file(). < 0: gone. NULL: send_file() is not offered. */
	int (*file_fd)(void *to, uint32_t file);
};

/* NOMEM. `os`, `loop` and what `user` points to outlive it. */
SHOAL_MUST int shoal_tcp_new(struct shoal_tcp **out, struct shoal_loop *loop, const struct shoal_os_ops *os,
			     const struct shoal_tcp_user *user);
/* Ends listeners and dials; nothing is told. Every transport must have been closed. NULL is fine. */
void shoal_tcp_free(struct shoal_tcp *tcp);

/* Binds `at` (port 0: any free one) and takes connections from the next round on; *bound is what it became.
 * NET, DENIED, and *os_err = errno; RANGE for one too many. */
SHOAL_MUST int shoal_tcp_listen(struct shoal_tcp *tcp, const struct shoal_addr *at, struct shoal_addr *bound,
				int *os_err);
/* Starts to connect. The source is the listeners' address when they share one specific address of that family, so that
 * peers see us where they can reach us. 0; BUSY without a descriptor, NET without a route, NOMEM. */
SHOAL_MUST int shoal_tcp_dial(struct shoal_tcp *tcp, const struct shoal_addr *to, uint64_t cookie);

/* Marks what is sent to peers from now on: listeners, dials and connections to come carry this DSCP (RFC 2474, 0 to 63; 0
 * at first) in both families. To be said before the first listener, so that every answer carries it too. */
void shoal_tcp_class(struct shoal_tcp *tcp, unsigned dscp);

/* The network is another: connections from addresses that this host has no more end, as if the other side had closed them.
 * Nobody would say so, and TCP would wait for minutes. */
void shoal_tcp_moved(struct shoal_tcp *tcp);

/* The address that is: NULL, or valid until the next listen. Others that speak for us should come from there too. */
const struct shoal_addr *shoal_tcp_source(const struct shoal_tcp *tcp, const struct shoal_addr *to);

/* When shoal_tcp_tick() has something to do. */
shoal_us shoal_tcp_deadline(const struct shoal_tcp *tcp);
/* Ends dials that took too long, takes up accepting again. */
void shoal_tcp_tick(struct shoal_tcp *tcp, shoal_us now);

/* Connections and dials that hold a descriptor; for checks. */
size_t shoal_tcp_open(const struct shoal_tcp *tcp);

#endif
