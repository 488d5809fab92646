/*
 * tools/lab/world/adversary_guise.h - a transport between a node and its line through whose hands whole messages pass.
 *
 * The node reads and writes it as it would the line itself. What it says, and
 * what is said to it, is cut into messages (proto/wire.h) and shown to the
 * guise's ops, which let it pass, change it in place, or swallow it; they may
 * say something of their own to either side. The two handshakes pass as they are.
 */
#ifndef SIM_ADVERSARY_GUISE_H
#define SIM_ADVERSARY_GUISE_H

#include "proto/transport.h"
#include "proto/wire.h"
#include "tools/lab/world/bin.h"
#include "tools/lab/world/clock.h"
#include "tools/lab/world/frame.h"

struct sim_node;
struct sim_guise;

struct sim_guise_ops {
	/* Both handshakes are through: our node's, and the other's. Any may be NULL. */
	void (*begins)(struct sim_guise *g);
	/* Our node says (hears) a message; true: it passes. `raw` is all of it, to be changed in place. */
	bool (*says)(struct sim_guise *g, const struct shoal_wire_msg *msg, struct shoal_space raw);
	bool (*hears)(struct sim_guise *g, const struct shoal_wire_msg *msg);
	/* The time asked for by sim_guise_wake() has come. */
	void (*due)(struct sim_guise *g);
	/* It is over; nothing can be said any more. */
	void (*ends)(struct sim_guise *g);
};

struct sim_guise {
	struct shoal_transport t; /* first: what the node holds */
	struct shoal_transport *inner;
	const struct sim_guise_ops *ops;
	struct sim_node *node;
	struct sim_clock *clock;
	void *mind;			     /* of the ops' owner */
	void *word;			     /* of the ops, for this connection */
	struct sim_bin said, out, heard, in; /* from the node, to the line; from the line, to the node */
	bool said_hello, heard_hello;	     /* handshakes that went through */
	struct shoal_wire_handshake own, other;
	/* Where only heads of blocks are kept (SIM_PAYLOAD_HEADS), the node's memory has no more of one either. */
	size_t head;			       /* bytes of it; 0: all */
	bool places;			       /* see pipe.h */
	struct sim_frame said_frame, in_frame; /* what the node has said, and what it has heard */
	unsigned wants;
	int ended; /* < 0: the line's end has come, and why */
	struct sim_alarm look, due;
};

/* Takes `inner`; its end frees it too. */
struct sim_guise *sim_guise_new(struct sim_node *node, struct sim_clock *clock, struct shoal_transport *inner,
				const struct sim_guise_ops *ops, void *mind);
/* The guise around the world's end of a connection. */
struct sim_guise *sim_guise_of(struct shoal_transport *inner);
/* The line is ready. May end in the guise's being freed. */
void sim_guise_ready(struct sim_guise *g, unsigned what);
/* To the other side, or to our node, as if the other had. */
void sim_guise_say(struct sim_guise *g, const struct shoal_wire_msg *msg);
void sim_guise_tell(struct sim_guise *g, const struct shoal_wire_msg *msg);
/* Both sides speak BEP 6. */
bool sim_guise_fast(const struct sim_guise *g);
/* Calls ops->due at `at`; SHOAL_NEVER: not. */
void sim_guise_wake(struct sim_guise *g, shoal_us at);

#endif
