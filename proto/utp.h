/*
 * proto/utp.h - uTP: streams over datagrams (BEP 29), all of one node's at once. See utp.md.
 *
 * No socket and no clock. Datagrams go in by shoal_utp_datagram(); events and
 * datagrams come out by shoal_utp_poll() and shoal_utp_output(); time passes
 * in shoal_utp_tick(). A connection is a struct shoal_transport: its owner
 * calls recv, send, want and close.
 *
 * Who asks for a connection is answered from a keyed hash, and nothing is
 * kept of it until it has proved, by its first data, that it heard the
 * answer: floods of forged SYNs cost no memory, and no answer is longer than
 * its question.
 *
 * What a connection holds is charged through the user's take() and give().
 */
#ifndef SHOAL_UTP_H
#define SHOAL_UTP_H

#include <shoal/types.h>
#include "proto/base/rng.h"
#include "proto/siphash.h"
#include "proto/transport.h"

#define SHOAL_UTP_WINDOW (1u << 20)    /* bytes kept of one that nobody has read, early ones included */
#define SHOAL_UTP_EARLY_MAX 1024       /* packets, of those that came before one that is missing */
#define SHOAL_UTP_FLIGHT_MAX 1000      /* packets under way: others keep no more than 1024 early ones */
#define SHOAL_UTP_QUEUE_MAX (3u << 19) /* bytes taken from the user and not acknowledged */
#define SHOAL_UTP_TRAIN_MAX 44	       /* packets of one shoal_utp_output() */
#define SHOAL_UTP_MTU_SAFE 1200u       /* bytes of a datagram that any path of today carries whole */
#define SHOAL_UTP_MTU_V4 1472u	       /* of Ethernet: the most that is probed for */
#define SHOAL_UTP_MTU_V6 1452u
#define SHOAL_UTP_MTU_AGAIN SHOAL_S(1800) /* a path that was narrow is probed again */
#define SHOAL_UTP_SYNS 4		  /* sent, 1, 2, 4 and 4 s apart, before a dial ends in TIMEOUT */
#define SHOAL_UTP_RTO_MIN SHOAL_MS(500)	  /* BEP 29 */
#define SHOAL_UTP_RTO_MAX SHOAL_S(8)
#define SHOAL_UTP_DEAD SHOAL_S(60)	   /* nothing acknowledged for so long, with something to acknowledge */
#define SHOAL_UTP_ACK_EVERY 16u		   /* packets in order are acknowledged at least, or ... */
#define SHOAL_UTP_ACK_WAIT ((shoal_us)250) /* ... those that came so soon after the last ack */
#define SHOAL_UTP_ALIVE SHOAL_S(25)	   /* a silent one says so, for the sake of NATs */
#define SHOAL_UTP_LINGER SHOAL_S(10)	 /* one that its user has closed, and of which nothing is acknowledged, goes */
#define SHOAL_UTP_LINGER_DONE SHOAL_S(3) /* or all is, and only their end is waited for */
#define SHOAL_UTP_COOKIE_AGE SHOAL_S(16) /* an answered SYN is good for one to two of these */
#define SHOAL_UTP_NOTES_MAX 256		 /* answers without a connection that wait to be sent */
#define SHOAL_UTP_RESETS_SECOND 100

struct shoal_utp;

struct shoal_utp_options {
	struct shoal_rng rng;
	struct shoal_sipkey key; /* secret */
	uint32_t connections_max;
	void *to;
	bool (*take)(void *to, size_t bytes); /* charges the memory budget; false: there is none */
	void (*give)(void *to, size_t bytes);
};

enum shoal_utp_event_kind {
	SHOAL_UTP_ACCEPTED = 1, /* `t` from `addr`: the user's from here on */
	SHOAL_UTP_DIALED,	/* `cookie`: `t`, or NULL and `err`: TIMEOUT, REFUSED, NET */
	SHOAL_UTP_READY,	/* `t` can do `what` (SHOAL_WANT_*) */
};
struct shoal_utp_event {
	enum shoal_utp_event_kind kind;
	struct shoal_transport *t;
	struct shoal_addr addr;
	uint64_t cookie;
	int err;
	unsigned what;
};

/* Datagrams to one place, in a row: each of `each` bytes, but the last may be shorter. Valid until shoal_utp_sent(). */
struct shoal_utp_train {
	struct shoal_addr to;
	struct shoal_bytes data;
	size_t each;
	bool whole; /* never to be cut into fragments on its way (DF): it asks how wide the path is */
};

SHOAL_MUST int shoal_utp_new(struct shoal_utp **out, const struct shoal_utp_options *options, shoal_us now);
/* Nothing more will be said, after the next output(): who has not been told of an end is told at once. */
void shoal_utp_leave(struct shoal_utp *u);
/* Every transport must have been closed; what lingers is dropped. NULL is fine. */
void shoal_utp_free(struct shoal_utp *u);

/* true when it was uTP's, whatever became of it. */
bool shoal_utp_datagram(struct shoal_utp *u, const struct shoal_addr *from, struct shoal_bytes data, shoal_us now);
/* Begins to connect; DIALED answers. BUSY at connections_max, NOMEM. */
SHOAL_MUST int shoal_utp_dial(struct shoal_utp *u, const struct shoal_addr *to, uint64_t cookie, shoal_us now);
/* Ends a dial that was not answered yet: nothing is said of it. */
void shoal_utp_dial_stop(struct shoal_utp *u, uint64_t cookie);
/* 1 and *ev, or 0. Ask until it is 0 in each round; one that is still ready then is told of in the next. */
SHOAL_MUST int shoal_utp_poll(struct shoal_utp *u, struct shoal_utp_event *ev);
/* 1 and *train, or 0: nothing to send now. Each train is answered by shoal_utp_sent(). */
SHOAL_MUST int shoal_utp_output(struct shoal_utp *u, struct shoal_utp_train *train, shoal_us now);
/* What became of it: 0; BUSY: no room now, it is sent again soon; TOO_LONG: too wide for this path; other errors: lost. */
void shoal_utp_sent(struct shoal_utp *u, int rc);
/* Time-outs; to be called in every round, before poll() and output(). */
void shoal_utp_tick(struct shoal_utp *u, shoal_us now);
shoal_us shoal_utp_deadline(const struct shoal_utp *u);

struct shoal_utp_stats {
	uint64_t resent, timeouts, bytes_in, bytes_out; /* bytes of payload, new ones alone */
	uint64_t undone;				/* cuts of a window for losses that were none */
	uint32_t connections;				/* lingering ones included */
};
struct shoal_utp_stats shoal_utp_stats(const struct shoal_utp *u);
/* Of one connection, for people and tests. */
struct shoal_utp_look {
	uint64_t window;     /* congestion window, bytes */
	uint32_t mtu;	     /* bytes of a datagram */
	shoal_us rtt, queue; /* smoothed; the queueing our packets meet */
};
struct shoal_utp_look shoal_utp_look(const struct shoal_transport *t);

#endif
