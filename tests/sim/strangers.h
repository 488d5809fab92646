/*
 * tests/sim/strangers.h - one real node among strangers made of bytes, under virtual time.
 *
 * A stranger says what a test has it say, and keeps what it is told by PEX.
 * Whom the node dials is written down; dials fail after a second unless the
 * test has it otherwise. The node has a magnet, or a torrent of which it has
 * nothing and will never get any, private or not.
 */
#ifndef SIM_STRANGERS_H
#define SIM_STRANGERS_H

#include "proto/base/slots.h"
#include "proto/holepunch.h"
#include "proto/pex.h"
#include "proto/wire.h"
#include "swarm/core/node.h"
#include "tests/tray.h"

#define STRANGERS_MAX 1024
#define STRANGER_PORT 6881
#define STRANGERS_MINUTE SHOAL_S(60)

struct strangers;
struct stranger {
	struct shoal_transport t; /* first: it is what the node holds */
	struct strangers *w;
	struct shoal_addr addr;
	bool open;
	struct shoal_bytes in; /* what has arrived and was not read */
	uint8_t *out;	       /* what it was sent and has not looked at */
	size_t out_len;
	bool greeted;
	bool silent;  /* keeps nothing alive */
	bool fetches; /* from now on what it is sent is counted and not kept */
	size_t fetched;
	uint8_t pex_id;		      /* the node's number for ut_pex; 0 none, or taken back */
	uint8_t punch_id;	      /* the same for ut_holepunch */
	unsigned punches;	      /* ut_holepunch messages it was sent, ... */
	struct shoal_holepunch punch; /* ... and the last */
	bool upload_only;
	/* what it was told */
	unsigned pex_count;
	struct shoal_pex pex; /* the last */
	shoal_us pex_at[64];
	struct shoal_addr knows[512]; /* added and not dropped */
	size_t known;
};
struct strangers_dial {
	struct shoal_addr to;
	shoal_us at;
	uint64_t cookie;
	bool answered;
};
struct strangers_options {
	bool torrent, is_private; /* else a magnet */
	uint32_t small_pieces;	  /* so many of 1 KiB; 0: four of 32 KiB */
	uint32_t large_pieces;	  /* so many of 64 MiB */
	bool v2;		  /* it is none of v1; the pieces' hashes are zeros */
	size_t memory;		  /* 0: 16 MiB */
	uint32_t max_peers;
	unsigned quiet;
	bool shouts; /* the world has a neighbourhood */
	bool hangs;  /* dials are not answered */
	bool utp;    /* the node has uTP, and datagrams go nowhere */
	bool raw;    /* strangers do not greet, and what they are told stays in `out` */
	bool seeds;  /* the node has all of its torrent, in memory: blocks go straight from its file */
	void (*on_event)(void *to, const struct shoal_event *ev); /* NULL: nobody wants them */
	/* What strangers are told, but for handshakes; NULL: only what is about extensions matters. */
	void (*on_message)(void *to, struct stranger *s, const struct shoal_wire_msg *msg);
	void *to;
};
struct strangers {
	struct strangers_options o;
	struct shoal_node *node;
	struct shoal_budget budget;
	struct shoal_slots *slots;
	struct shoal_rng rng;
	shoal_us now, wake, kept_alive;
	uint32_t torrent;
	uint8_t hash[20];
	struct stranger *at[STRANGERS_MAX];
	size_t count;
	struct strangers_dial *dial;
	size_t dials, dial_room;
	struct tray tray;
	bool rots;		/* pieces that are read are not what they were */
	uint8_t shout[2][1500]; /* [v4], the last */
	size_t shout_len[2];
	unsigned shouted; /* pairs */
	unsigned warnings, joined;
	unsigned datagrams;	       /* that it sent */
	struct shoal_addr datagram_to; /* the last */
};

struct strangers *strangers_new(const struct strangers_options *o);
void strangers_free(struct strangers *w);
/* Lets time pass; ends at the instant. */
void strangers_run(struct strangers *w, shoal_us time);
/* Text like "1.2.3.4:5". */
struct shoal_addr strangers_addr(const char *text);
struct shoal_addr strangers_v4(uint32_t ip, uint16_t port);
/* Of the wide world, each in a network of its own. */
struct shoal_addr strangers_far(unsigned i);
void strangers_name(struct strangers *w, const struct shoal_addr *addr); /* --peer */

/* Comes in from there, without a word. */
struct stranger *stranger_knock(struct strangers *w, const struct shoal_addr *from);
/* Comes in, greets, says that it takes connections at `port` (0: it does not say) and has ut_pex. */
struct stranger *stranger_come(struct strangers *w, const struct shoal_addr *from, uint16_t port);
/* Answers a dial, and greets. */
struct stranger *stranger_answer(struct strangers *w, struct strangers_dial *d);
void stranger_say(struct stranger *s, const void *at, size_t len);
void stranger_say_msg(struct stranger *s, const struct shoal_wire_msg *msg);
/* It is interested. */
void stranger_wants(struct stranger *s);
/* Block `block` of the torrent of four pieces, two blocks each: it is false. */
void stranger_gives(struct stranger *s, unsigned block);
void stranger_say_ext(struct stranger *s, uint8_t id, struct shoal_bytes body);
void stranger_pex(struct stranger *s, const struct shoal_pex *pex);
/* It has ut_holepunch, too. */
void stranger_punches(struct stranger *s);
void stranger_punch(struct stranger *s, enum shoal_holepunch_kind kind, const struct shoal_addr *addr);
void stranger_leave(struct stranger *s);
/* Dials to that host, any port, from `since` on. */
size_t strangers_dials_to(const struct strangers *w, const struct shoal_addr *host, shoal_us since);

#endif
