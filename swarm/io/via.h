/*
 * swarm/io/via.h - everything through a proxy: connections by SOCKS5 or HTTP CONNECT, datagrams by SOCKS5.
 *
 * For whoever must not be seen from outside, so nothing here has a way round:
 * while the proxy cannot be reached, dials fail and datagrams are lost. Names
 * are looked up by the proxy. What the node is told instead of an address is a
 * stand-in out of 100.127.255.0/24, which stands for the name here alone; who
 * answers a datagram that was sent to a name is known by its port only, and is
 * taken for each stand-in of that port in turn (answers carry numbers of their
 * own).
 *
 * The proxy's own name, if it has one, is looked up by the user's lookup().
 * The loop's thread owns it.
 */
#ifndef SHOAL_VIA_H
#define SHOAL_VIA_H

#include <shoal/types.h>
#include "proto/proxy.h"
#include "swarm/io/loop.h"
#include "swarm/io/os.h"
#include "swarm/io/tcp.h"

#define SHOAL_VIA_TIMEOUT SHOAL_S(20)	/* from the dial to the proxy's last word */
#define SHOAL_VIA_AGAIN SHOAL_S(5)	/* what failed at the proxy itself is not tried sooner */
#define SHOAL_VIA_FLOW_MAX SHOAL_S(320) /* doubled that far, when it takes no datagrams */
#define SHOAL_VIA_WAYS_MAX 128		/* being made */
#define SHOAL_VIA_NAMES_MAX 128		/* stand-ins; the oldest gives way */
#define SHOAL_VIA_WAIT_MAX 16		/* datagrams that wait for the way to open */
#define SHOAL_VIA_WAIT_BYTES 1024	/* of each; longer ones are lost meanwhile */

struct shoal_via;

struct shoal_via_user {
	void *to;
	/* As in struct shoal_tcp_user. */
	void (*dialed)(void *to, uint64_t cookie, struct shoal_transport *t, int err);
	void (*datagram)(void *to, const struct shoal_addr *from, struct shoal_bytes data);
	/* Answered by shoal_via_found(), never from inside. */
	void (*lookup)(void *to, const char *host);
	void (*warn)(void *to, const char *what); /* once for each thing that does not work */
};

/* `tcp` is dialled with cookies of this room's own, and its dialed() and ready() pass here first. NOMEM. */
SHOAL_MUST int shoal_via_new(struct shoal_via **out, struct shoal_loop *loop, const struct shoal_os_ops *os,
			     struct shoal_tcp *tcp, const struct shoal_proxy *proxy, const struct shoal_via_user *user);
void shoal_via_free(struct shoal_via *v); /* closes what it holds; before the tcp. NULL is fine */
/* Where the proxy is; `count` 0: nobody knows. */
void shoal_via_found(struct shoal_via *v, const struct shoal_addr addr[], size_t count);

/* As shoal_tcp_dial(). BUSY too while the proxy's address is not known. */
SHOAL_MUST int shoal_via_dial(struct shoal_via *v, const struct shoal_addr *to, uint64_t cookie);
/* 0 when it went, waits, or was lost; UNSUPPORTED: HTTP carries none. */
SHOAL_MUST int shoal_via_send(struct shoal_via *v, const struct shoal_addr *to, struct shoal_bytes data);
/* Whether this kind of proxy carries datagrams at all. */
bool shoal_via_datagrams(const struct shoal_via *v);
/* The stand-in of a name. MALFORMED: none can be looked up. */
SHOAL_MUST int shoal_via_name(struct shoal_via *v, const char *host, struct shoal_addr *out);
bool shoal_via_stands_in(const struct shoal_addr *addr);

/* Events of the tcp: true when they were this room's. */
bool shoal_via_dialed(struct shoal_via *v, uint64_t cookie, struct shoal_transport *t, int err);
bool shoal_via_ready(struct shoal_via *v, struct shoal_transport *t, unsigned what);

shoal_us shoal_via_deadline(const struct shoal_via *v);
void shoal_via_tick(struct shoal_via *v, shoal_us now);

#endif
