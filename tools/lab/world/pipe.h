/*
 * tools/lab/world/pipe.h - byte streams between nodes: a model of TCP over their access lines.
 *
 * What was sent and not read yet, seen from the sender, never exceeds the
 * window; with `tcp`, a congestion window that slow start opens and losses
 * close bounds it as well. What may leave takes its turn at the line
 * (line.h), travels, and comes in through the receiver's line. Sends and
 * receives are cut short by dice, where a transport may. The model in full:
 * README.md.
 *
 * Payload need not be carried: with `head` set, only the first `head` bytes
 * of each block travel; what is received behind them is whatever lay there.
 * With `places`, a receive ends before talk would come to lie where a block
 * was expected, which has no room for it when only heads are kept.
 *
 * A carrier may move the bytes themselves (through a socketpair, say); when
 * and how many move is decided here alike.
 */
#ifndef SIM_PIPE_H
#define SIM_PIPE_H

#include "proto/transport.h"
#include "tools/lab/world/line.h"

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

/* What packets cost, and how a stream finds its rate. */
struct sim_tcp {
	uint32_t mss;	/* payload bytes of a packet */
	uint32_t head;	/* bytes of headers it has on a line; an answer to two packets is as long */
	uint32_t first; /* packets of the first window */
};
/* IPv4 and TCP with time stamps over Ethernet's 1500 bytes, and RFC 6928. */
extern const struct sim_tcp sim_tcp_common;

/* What went by of a stream: talk, then (if len > 0) bytes of a block. */
struct sim_heard {
	struct shoal_bytes talk;
	uint32_t piece, begin, block; /* the block: of so many bytes */
	uint32_t off, len;	      /* these of it */
	struct shoal_bytes kept;      /* the first of these: all, or what lies in the head */
};

struct sim_end;
struct sim_pipe_options {
	struct sim_clock *clock;
	size_t window;	  /* bytes */
	uint32_t cut_ppm; /* share of sends and receives that are cut short */
	shoal_us turn;	  /* readiness is noticed at multiples of it: one round of an event loop */
	shoal_us round;	  /* so is all else that happens to a machine's streams, at multiples of this; 1: as it comes */
	const struct sim_tcp *tcp; /* NULL: no headers, no congestion window */
	uint32_t head;		   /* bytes of a block that are carried; 0: all */
	bool places;
	struct sim_carrier carrier;
	/* A transport can be read from or written to. */
	void (*ready)(void *owner, struct shoal_transport *t, unsigned what);
	/* It soon will be: see struct sim_alarm. May be NULL. */
	void (*soon)(void *owner, struct sim_end *end, enum sim_soon how);
	/* Bytes were taken for sending: to watch. `from` and `to` are the owners. */
	void (*tap)(void *to_tap, struct sim_end *end, void *from, void *to, const struct sim_heard *heard);
	/* Of what `from` said, `n` bytes more were received. */
	void (*took)(void *to_tap, struct sim_end *from, size_t n);
	void *to_tap;
	void (*untap)(void *word); /* the end is gone: its word, if it has one, is the tap's to free */
	/* Bytes of an open file of the owner's disk, for send_file. 0, or < 0: it has become shorter. NULL: there are none. */
	int (*file)(void *owner, uint32_t file, uint64_t offset, struct shoal_space to);
};

/* A connected pair, of options that outlive it. end[i]'s owner is told of its readiness; ends are freed when both have been closed. */
void sim_pipe_new(const struct sim_pipe_options *options, struct shoal_rng rng, struct sim_line *const line[2],
		  void *const owner[2], struct shoal_transport *end[2]);
/* Both ends find it broken; what was on its way is gone. */
void sim_pipe_reset(struct shoal_transport *t);
/* The same for every stream over `line`; `to`: for those alone that lead there (NULL: all). */
void sim_line_reset(struct sim_line *line, const struct sim_line *to);
struct sim_end *sim_end_other(struct sim_end *end);
const struct shoal_transport *sim_end_transport(const struct sim_end *end);
/* A word of the tap's own for each end; NULL at first. */
void **sim_end_word(struct sim_end *end);

#endif
