/*
 * tools/lab/world/pipe_room.h - what pipe.c (the transport) and lane.c (the network between) share. Internal.
 */
#ifndef SIM_PIPE_ROOM_H
#define SIM_PIPE_ROOM_H

#include "tools/lab/world/frame.h"
#include "tools/lab/world/pipe.h"

struct pipe;

/* Some bytes of a stream that go together: talk, and bytes of a block behind it. */
struct parcel {
	struct parcel *next;
	shoal_us at;		/* when it is at the receiver's line; then when it is through it */
	size_t talk, kept, len; /* bytes: of talk; of the block's, carried; in all */
	size_t read;
	bool fin; /* the end of the stream, and no bytes */
	uint8_t bytes[];
};
/* What was read and is not known to be. */
struct sim_ack {
	shoal_us at; /* the sender hears of it */
	size_t len;
};
/* One direction. Parcels, in the order of their bytes: to be read | passing the receiver's line | on their way |
 * not sent yet. */
struct sim_lane {
	struct pipe *pipe;
	int side; /* of the end it comes from */
	struct sim_alarm arrive, acked;
	struct parcel *head, **tail;
	struct parcel *pass, *way, *unsent; /* the first of each */
	struct sim_ack *ack;		    /* a ring, by time */
	uint32_t ack_first, acks, ack_room;
	size_t in_flight;    /* sent, not acknowledged */
	size_t unsent_bytes; /* taken, not sent */
	size_t readable;
	bool fin_here;
	bool deaf;		   /* the receiver has closed */
	shoal_us way_end, ack_end; /* when the last of each is due: nothing overtakes */
	/* the turn at the sender's line */
	struct sim_lane *turn_next, **turn_at; /* NULL: not waiting for it */
	int64_t credit;			       /* bytes it may still send in this turn */
	/* congestion, of sim_tcp */
	size_t cwnd, ssthresh;
	shoal_us recovery; /* one loss counts until then */
	shoal_us heard;	   /* the last acknowledgement; 0: never */

	struct sim_frame frame; /* of what was taken */
	uint8_t cork[64];
	size_t corked;
	void *stream; /* the carrier's */
};
struct sim_end {
	struct shoal_transport t; /* first */
	struct pipe *pipe;
	int side;
	void *owner;
	struct sim_line *line;
	struct sim_end *next, **at; /* of the line's */
	struct sim_alarm ready;
	shoal_us rung; /* when it did last */
	unsigned wants;
	bool closed, broken;
	bool busy; /* its owner is being told of readiness */
	void *word;
};
struct pipe {
	const struct sim_pipe_options *o;
	struct shoal_rng rng;
	struct sim_end end[2];
	struct sim_lane lane[2]; /* lane[i]: from end i to the other */
};

/* pipe.c */
void sim_end_look(struct sim_end *e);	/* something may have become ready for its owner */
void sim_lane_deaf(struct sim_lane *l); /* bytes came to who has closed */

/* lane.c */
void sim_lane_init(struct sim_lane *l, struct pipe *p, int side);
/* Nothing is left of what was taken; a carrier gives its share. */
void sim_lane_clear(struct sim_lane *l);
void sim_lane_put(struct sim_lane *l, struct parcel *q);
/* Sends what may be sent now, or waits for its turn. */
void sim_lane_kick(struct sim_lane *l);
/* What is through the receiver's line by now is readable. */
void sim_lane_pull(struct sim_lane *l);
/* The first parcel was read to its end. */
void sim_lane_was_read(struct sim_lane *l);
/* Bytes that may be taken now; whether enough for a writer to be told; and: it will be told. */
size_t sim_lane_room(struct sim_lane *l);
bool sim_lane_writable(const struct sim_lane *l);
void sim_lane_await(struct sim_lane *l);
/* Its memory beside itself is needed soon (proto/base/fetch.h). */
void sim_lane_soon(const struct sim_lane *l);

#endif
