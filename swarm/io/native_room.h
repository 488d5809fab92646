/*
 * swarm/io/native_room.h - what the files of the native engine share. Internal.
 *
 * engine_native.c opens, runs and closes it; native_world.c carries what the
 * node asks of the world, and what the world tells it; native_names.c finds
 * out where named peers are, and keeps those that a magnet named.
 */
#ifndef SHOAL_NATIVE_ROOM_H
#define SHOAL_NATIVE_ROOM_H

#include "swarm/core/events.h"
#include "swarm/core/node.h"
#include "swarm/io/disk_threads.h"
#include "swarm/io/engine_native.h"
#include "swarm/io/http_curl.h"
#include "swarm/io/local.h"
#include "swarm/io/loop.h"
#include "swarm/io/netwatch.h"
#include "swarm/io/own_key.h"
#include "swarm/io/owned_disk.h"
#include "swarm/io/portmap.h"
#include "swarm/io/resolve.h"
#include "swarm/io/store_sqlite.h"
#include "swarm/io/tcp.h"
#include "swarm/io/udp.h"
#include "swarm/io/via.h"

#define SHOAL_NATIVE_STANDS 64 /* names asked of a proxied engine, and not answered yet */

struct shoal_native_add;

/* A stand-in for a name that the proxy will look up: told in the next turn. */
struct shoal_native_stand {
	uint64_t cookie;
	struct shoal_addr addr;
};

/* Of a name: the user is owed a DONE; the node's ticket is its cookie. */
enum shoal_native_asker {
	SHOAL_ASKED_BY_USER = 1,
	SHOAL_ASKED_BY_NODE = 2,
	SHOAL_ASKED_BY_VIA = 4,
	SHOAL_ASKED_FOR_BOOT = 8,
	SHOAL_ASKED_FOR_PING = 16,
	SHOAL_ASKED_FROM_LINK = 32,
};

struct shoal_native {
	struct shoal_engine base; /* first: the user's pointer is ours */
	const struct shoal_os_ops *os;
	struct shoal_loop *loop;
	struct shoal_tcp *tcp;
	struct shoal_local *local;
	struct shoal_udp *udp;
	struct shoal_via *via; /* NULL: no proxy; else nothing goes but through it */
	struct shoal_native_stand stand[SHOAL_NATIVE_STANDS];
	unsigned stands;
	struct shoal_netwatch *netwatch; /* NULL where the kernel does not tell */
	struct shoal_portmap *portmap;	 /* NULL: not yet, or never */
	uint16_t map_port;		 /* what it is to map, if anything */
	struct shoal_resolve *resolve;
	struct shoal_http *http;
	struct shoal_disk_threads *disk;
	struct shoal_owned_disk *owned; /* NULL without a state folder: nobody to share it with */
	struct shoal_store_sqlite *store;
	struct shoal_own_key own_key; /* without a state folder: none */
	struct shoal_budget budget;
	struct shoal_slots *slots;
	struct shoal_node *node;
	struct shoal_watch disk_watch, store_watch, resolve_watch, portmap_watch;
	struct shoal_events events;    /* our own: LISTENING, and what became of names */
	struct shoal_native_add *adds; /* native_names.c */
	size_t add_count;
	shoal_us wake_at;  /* the node's deadline */
	bool wake_fresh;   /* it was set in the tick under way */
	bool reap;	   /* the disk or the store has something */
	bool dirty;	   /* operations were done: a tick is owed */
	bool stopped;	   /* the node has said so; it says it once */
	char text[96];	   /* of the last event, where we worded it */
	bool pipe_blocked; /* we blocked SIGPIPE, and unblock it */
};
/* ---- native_world.c ---- */
extern const struct shoal_world_ops shoal_native_world; /* over a struct shoal_native */
/* Whom each of them is to tell: the node, or the proxy in between. */
struct shoal_tcp_user shoal_native_tcp_user(struct shoal_native *e);
struct shoal_udp_user shoal_native_udp_user(struct shoal_native *e);
struct shoal_http_user shoal_native_http_user(struct shoal_native *e);
struct shoal_via_user shoal_native_via_user(struct shoal_native *e);
/* For local.h and netwatch.h; `to` is a struct shoal_native. */
void shoal_native_on_heard(void *to, const struct shoal_addr *from, struct shoal_bytes data);
void shoal_native_on_moved(void *to);
/* A WARNING to the user. `what` is copied. */
void shoal_native_warn(struct shoal_native *e, const char *what);

/* ---- native_names.c ---- */
/* "host:port". Numbers go to the node at once, a name by the slow thread. USAGE: it is neither; BUSY, NOMEM. */
SHOAL_MUST int shoal_native_peer_named(struct shoal_native *e, struct shoal_bytes text,
				       const struct shoal_resolve_for *asker);
/* The slow thread has answers. */
void shoal_native_on_resolved(void *to, unsigned what);
/* A magnet was added: keeps the peers it names. Without them it still works, so nothing here is an error. */
void shoal_native_add_remember(struct shoal_native *e, const struct shoal_op *op);
/* Its torrent has a number, or will never have one. */
void shoal_native_add_answered(struct shoal_native *e, const struct shoal_event *ev);
void shoal_native_adds_free(struct shoal_native *e);

#endif
