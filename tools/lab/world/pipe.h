/*
 * tools/lab/world/pipe.h - byte streams between nodes: a model of TCP with rate, delay and a window.
 *
 * Bytes leave through the sender's line (one after another at its rate, all
 * connections in the order they sent), travel for `delay`, and come in
 * through the receiver's line. What was sent and not read yet, seen from the
 * sender a delay later, never exceeds the window. Sends and receives are cut
 * short by dice, where a transport may.
 *
 * A carrier may move the bytes themselves (through a socketpair, say); when
 * and how many move is decided here alike.
 */
#ifndef SIM_PIPE_H
#define SIM_PIPE_H

#include "proto/base/rng.h"
#include "proto/transport.h"
#include "tools/lab/world/clock.h"

/* A node's access line. */
struct sim_line {
	uint64_t up, down;	     /* bytes a second; 0: no limit */
	shoal_us delay;		     /* its half of the way */
	shoal_us jitter;	     /* a datagram's way over it is longer by up to this */
	uint32_t loss_ppm;	     /* of datagrams */
	shoal_us queue;		     /* a datagram that would have to wait longer for the line is dropped; 0: 1 s */
	unsigned side;		     /* lines of different sides are cut from each other: a partition */
	bool cut;		     /* nothing passes: bytes wait until it is whole again */
	bool dead;		     /* its node has died: what it closes is reset, and nothing more comes out */
	shoal_us up_free, down_free; /* the model's: when the last byte is through */
	struct sim_end *ends;	     /* of streams over it */
};
/* Nothing passes between the two now. */
static inline bool sim_line_apart(const struct sim_line *a, const struct sim_line *b)
{
	return a->cut || b->cut || a->side != b->side;
}

struct sim_carrier_ops {
	/* A stream for one direction; put() takes all of it, take() gives exactly what was put, in order. */
	void *(*open)(void *c);
	void (*put)(void *stream, struct shoal_bytes bytes);
	void (*take)(void *stream, struct shoal_space to);
	void (*close)(void *stream);
};
struct sim_carrier {
	const struct sim_carrier_ops *ops; /* NULL: memory */
	void *c;
};

struct sim_end;
struct sim_pipe_options {
	struct sim_clock *clock;
	struct shoal_rng rng;
	size_t window;	  /* bytes, 0: 256 KiB */
	uint32_t cut_ppm; /* share of sends and receives that are cut short */
	shoal_us turn;	  /* from a change to its being noticed: one round of an event loop */
	struct sim_carrier carrier;
	/* A transport can be read from or written to. */
	void (*ready)(void *owner, struct shoal_transport *t, unsigned what);
	/* Bytes were taken for sending: to watch. `from` and `to` are the owners. */
	void (*tap)(void *to_tap, struct sim_end *end, void *from, void *to, struct shoal_bytes bytes);
	void *to_tap;
	void (*untap)(void *word); /* the end is gone: its word, if it has one, is the tap's to free */
};

/* A connected pair. end[i]'s owner is told of its readiness; ends are freed when both have been closed. */
void sim_pipe_new(const struct sim_pipe_options *options, struct sim_line *const line[2], void *const owner[2],
		  struct shoal_transport *end[2]);
/* Both ends find it broken; what was on its way is gone. */
void sim_pipe_reset(struct shoal_transport *t);
/* The same for every stream over `line`; `to`: for those alone that lead there (NULL: all). */
void sim_line_reset(struct sim_line *line, const struct sim_line *to);
/* A word of the tap's own for each end; NULL at first. */
void **sim_end_word(struct sim_end *end);

#endif
