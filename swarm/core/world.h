/*
 * swarm/core/world.h - the rest of what a node asks of the outside.
 *
 * Cookies are the node's and come back with the answer; their kind (enum
 * shoal_cookie_kind, node_room.h) says which room of the node asked.
 */
#ifndef SHOAL_WORLD_H
#define SHOAL_WORLD_H

#include <shoal/types.h>
#include "proto/transport.h"

/* A question to an HTTP or HTTPS server (BEP 3, 48: trackers; BEP 19: web seeds). */
enum shoal_fetch_flag {
	SHOAL_FETCH_TRUSTED = 1, /* the user named the URL: it may lead to this host and its neighbours */
	SHOAL_FETCH_V4 = 4,	 /* a name is looked up in this family alone (BEP 7: trackers are told in each) */
	SHOAL_FETCH_V6 = 8,
};
struct shoal_fetch {
	struct shoal_bytes url; /* absolute, http or https, checked (proto/url.h); copied */
	uint64_t from, to;	/* asks for bytes [from, to) alone (Range); to 0: for all */
	uint64_t size; /* how long the resource must be, and nothing but its bytes is told; 0: any answer's body is */
	uint64_t most; /* bytes of body; with more it ends in TOO_LONG */
	shoal_us timeout; /* for the whole of it */
	unsigned flags;	  /* enum shoal_fetch_flag */
};
/* How it ended. */
struct shoal_fetched {
	/* 0: an answer came, whole; `status` says which. NET, TIMEOUT, TOO_LONG, REFUSED (a policy), CLOSED; MALFORMED: not
	 * the range, or not the size, that was asked for (status 200: it serves no ranges) */
	int err;
	int status;		  /* of HTTP; 0 without an answer */
	uint64_t total;		  /* size of the resource, where a range's answer says it; 0 unknown */
	uint32_t retry_after;	  /* seconds; 0 none */
	struct shoal_addr server; /* who answered at the last; port 0: not known, or a proxy did */
	char what[96];		  /* for people: raw text of strangers is not in it */
};

struct shoal_world_ops {
	/* Fills `out` with bytes nobody can guess (a seeded stream in a virtual world). */
	void (*secret)(void *w, struct shoal_space out);
	/* Opens a stream to `to`; the answer comes as shoal_node_dialed(cookie). < 0: not even tried. */
	int (*dial)(void *w, const struct shoal_addr *to, uint64_t cookie);
	/* Call shoal_node_tick() at (or soon after) `at`; replaces the call asked for before. */
	void (*wake_at)(void *w, shoal_us at);
	/* Seconds since 1970, for records and people alone. */
	int64_t (*unix_s)(void *w);

	/* What follows may be NULL: the world has none of it. */

	/* Starts a fetch; shoal_node_fetch_data() and then, once, shoal_node_fetch_end() answer it. < 0: not even tried. Never
	 * answered from inside the call. */
	int (*fetch)(void *w, const struct shoal_fetch *f, uint64_t cookie);
	/* Ends one early: nothing more is said of it. */
	void (*fetch_stop)(void *w, uint64_t cookie);
	/* Looks up a name (<= 253 bytes); shoal_node_resolved() answers, never from inside the call. */
	int (*resolve)(void *w, const char *host, uint64_t cookie);
	/* Sends a datagram from the port we listen on; lost ones are nobody's fault. < 0: it cannot be. */
	int (*datagram)(void *w, const struct shoal_addr *to, struct shoal_bytes data);
	/* The same for a row of them, each of `each` bytes but the last, which may be shorter. `whole`: not to be cut into
	 * fragments on its way. BUSY: there was no room for any; TOO_LONG. NULL: datagram() sends each. */
	int (*datagrams)(void *w, const struct shoal_addr *to, struct shoal_bytes data, size_t each, bool whole);
	/* Whether this host has an address in the private range that `to` lies in: a stranger may send us there then
	 * (swarm/io/reachable.h). NULL: it has none. */
	bool (*neighbour)(void *w, const struct shoal_addr *to);
	/* Says it to the local network (BEP 14), v4 or v6, on every interface that may hear it. */
	int (*shout)(void *w, bool v4, struct shoal_bytes data);
};
struct shoal_world {
	const struct shoal_world_ops *ops;
	void *w;
};

#endif
