/* own_utp.h - two uTP nodes and the bad line between them, in virtual time. */
#ifndef OWN_UTP_H
#define OWN_UTP_H

#include "proto/base/heap.h"
#include "proto/utp.h"

struct line_options {
	uint64_t seed;
	uint32_t loss_ppm, dup_ppm;
	shoal_us delay, jitter; /* one way; a datagram may be overtaken by those within its jitter */
	uint64_t rate;		/* bytes a second each way, 0: no limit */
	shoal_us queue;		/* of the bottleneck, with a rate: what would wait for longer is lost */
	size_t mtu;		/* longer ones are lost when they may not be cut up; 0: none are */
	uint32_t busy_ppm;	/* sends for which the system has no room */
	int64_t drift_ppm;	/* b's clock runs that much faster */
	uint32_t clock_b;	/* and is that far ahead: of no meaning to anybody */
	size_t memory;		/* of each; 0: enough */
};

struct datagram { /* on its way */
	struct shoal_timer at;
	uint8_t to;
	uint32_t len;
	uint8_t bytes[];
};
struct line {
	struct line_options o;
	struct shoal_rng rng;
	shoal_us now;
	struct shoal_utp *utp[2];
	struct shoal_addr addr[2];
	struct line_side {
		struct line *l;
		int i;
	} side[2];
	size_t used[2], peak[2]; /* memory that is charged */
	struct shoal_heap flight;
	shoal_us free_at[2]; /* the bottleneck's, each way */
	shoal_us waited_max; /* in it */
	uint64_t sent[2], bytes[2];
	/* called for each datagram that is sent, if set; false: it is lost */
	bool (*tap)(struct line *l, int from, struct shoal_bytes data);
	void (*on_event)(struct line *l, int side, const struct shoal_utp_event *ev);
	void (*on_turn)(struct line *l, int side);
	shoal_us wake;			  /* when the next turn is due for on_turn, who says so in each */
	struct shoal_transport *kept[64]; /* accepted, with no on_event to have them */
	size_t kept_count;
	void *word;
};

void line_open(struct line *l, const struct line_options *o);
void line_close(struct line *l);
/* Runs until `until`, or `done` says so. */
void line_run(struct line *l, shoal_us until, bool (*done)(struct line *l));
/* Both ends let go of each other, and nothing is left. */
void line_expect_quiet(struct line *l);
/* A datagram of the test's own making, to `to`, now. */
void line_forge(struct line *l, int to, const struct shoal_addr *from, struct shoal_bytes data);

/* Byte streams both ways between one connection's ends, checked. */
struct talk {
	struct shoal_transport *t;
	uint64_t to_send, sent, to_get, got;
	bool eof, failed, closed;
	int err;
	shoal_us slow_every; /* reads only so often; 0: at once */
	shoal_us read_at;
	uint32_t sip; /* bytes of one read; 0: all */
};
struct pair {
	struct line line; /* first */
	struct talk talk[2];
	bool refuse; /* b closes what it accepts */
	bool hasty;  /* who has sent and got all closes at once, whether or not it has arrived */
};
void pair_place(struct pair *p, const struct line_options *o, uint64_t a_to_b, uint64_t b_to_a);
void pair_dial(struct pair *p); /* a connects to b */
/* Both. */
void pair_open(struct pair *p, const struct line_options *o, uint64_t a_to_b, uint64_t b_to_a);
bool pair_done(struct line *l); /* both have got all, and closed */
void pair_expect_all(struct pair *p);
void talk_end(struct talk *k); /* lets go of its connection */

/* So many seeds of `all`: more in the long form, fewer in sanitized builds. */
uint64_t own_seeds(uint64_t all);

#endif
