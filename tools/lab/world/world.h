/*
 * tools/lab/world/world.h - a small world: many real nodes (swarm/core/node.h) in one process, under virtual time.
 *
 * One seed decides everything. Node i has dice of its own (split(seed, i)),
 * so that a node more moves nobody else's. Each has its own budget, slots,
 * disk, store and access line; disk and store outlive crashes of the node.
 *
 * One torrent to a world. What every honest node says is held against what
 * its disk has (watch.h); budget and slots are checked after every step.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <shoal/engine.h>
#include "proto/base/slots.h"
#include "swarm/core/node.h"
#include "tools/lab/world/adversary.h"
#include "tools/lab/world/check.h"
#include "tools/lab/world/clock.h"
#include "tools/lab/world/content.h"
#include "tools/lab/world/disk.h"
#include "tools/lab/world/key.h"
#include "tools/lab/world/pipe.h"
#include "tools/lab/world/store.h"
#include "tools/lab/world/watch.h"

#define SIM_FOLDER "/data"
#define SIM_PORT 6881

struct sim;
struct sim_node;
struct sim_guise_ops;

/*
 * What a machine's line is hidden behind. No connection comes in through any of them. A datagram out makes a mapping,
 * which lasts two minutes after the last one; one that comes in passes if
 */
enum sim_nat {
	SIM_NAT_NONE,
	SIM_NAT_OPEN,	 /* there is a mapping (endpoint-independent) */
	SIM_NAT_ADDRESS, /* the mapping was used towards its address (address-dependent filtering) */
	SIM_NAT_SYMMETRIC, /* it was used towards its address and port; each of those has a mapping, and a port, of its own */
};

/*
 * A machine that runs no node of ours, but whatever speaks through these: an adversary, a stand-in. Transports it is
 * given are its own, to be closed before stop() returns. Called in this order at an instant: what came, then tick().
 */
struct sim_guest_ops {
	void (*start)(void *g, struct sim_node *n);
	void (*stop)(void *g, struct sim_node *n); /* the machine goes down */
	void (*accept)(void *g, struct sim_node *n, struct shoal_transport *t, const struct shoal_addr *from);
	/* The answer to sim_guest_dial(): NULL, and why not. */
	void (*dialed)(void *g, struct sim_node *n, uint64_t cookie, struct shoal_transport *t, int err);
	void (*ready)(void *g, struct sim_node *n, struct shoal_transport *t, unsigned what);
	void (*datagram)(void *g, struct sim_node *n, const struct shoal_addr *from,
			 struct shoal_bytes data); /* or NULL */
	void (*tick)(void *g, struct sim_node *n); /* after those, and at what sim_guest_wake() said */
};

/* What the streams of a world carry of blocks. HEADS costs a hundredth of WHOLE, and decides exactly as PLACED does. */
enum sim_payload {
	SIM_PAYLOAD_WHOLE,  /* all of them, received as a kernel would hand them out */
	SIM_PAYLOAD_PLACED, /* all of them, and a receive ends before talk would lie where a block was expected */
	SIM_PAYLOAD_HEADS, /* the first SIM_HEAD bytes, which stand for the rest; files must begin on blocks, and nobody hides */
};
struct sim_options {
	uint64_t seed;
	const struct sim_content *content; /* outlives the world */
	shoal_us turn;			   /* of a node's event loop; 0: 50 us */
	size_t window;			   /* of connections; 0: 256 KiB */
	uint32_t cut_ppm;		   /* sends and receives cut short */
	struct sim_carrier carrier;
	enum sim_payload payload;
	bool spans;  /* uploads go straight from files, as with sendfile */
	bool brief;  /* see struct sim_witness: for large runs */
	bool rounds; /* a machine does all it does once a turn: for large runs (README.md, Time and dice) */
	const struct sim_tcp *tcp; /* NULL: see pipe.h */
	/* Sees every event of every node, after the world has. */
	void (*on_event)(void *to, struct sim_node *node, const struct shoal_event *ev);
	void *to;
	/* Answers world->fetch (tools/lab/world/web.h); NULL: nobody is there to be asked. */
	int (*fetch)(void *web, struct sim_node *n, const struct shoal_fetch *f, uint64_t cookie);
	void (*fetch_stop)(void *web, struct sim_node *n, uint64_t cookie);
	void *web;
	bool figures; /* of more or less, and for the caller to judge: bans of honest nodes, idle pieces (sim_idle) */
	/* A whole block has been handed to a stream; `good`: its bytes are the content's. May be NULL. */
	void (*on_block)(void *to, struct sim_node *from, struct sim_node *dest, uint32_t piece, uint32_t begin,
			 uint32_t len, bool good);
};
struct sim_node_options {
	size_t memory;	   /* 0: 16 MiB */
	uint64_t up, down; /* its line, bytes a second; 0: no limit */
	shoal_us delay;	   /* its half of the way to anybody; 0: 5 ms */
	shoal_us jitter;   /* see struct sim_line */
	uint32_t loss_ppm;
	shoal_us queue;
	enum sim_nat nat;
	uint64_t limit_up, limit_down; /* what it is told to keep to */
	uint32_t max_peers, upload_slots;
	shoal_us latency[2]; /* of its disk; 0: 100 to 500 us */
	uint64_t disk_rate;
	unsigned flags;		  /* SHOAL_ADD_* */
	const char *adopt_from;	  /* a folder of its disk that it looks in for what is wanted; NULL: none */
	struct shoal_bytes files; /* priorities it is given at ADD */
	const char *so;		  /* of its magnet link */
	bool magnet;		  /* it has the link alone */
	bool liar;		  /* it may send false bytes: not held to its word */
	bool no_store;
	unsigned quiet;	   /* enum shoal_quiet */
	unsigned carriers; /* enum shoal_carrier; 0: TCP alone */
	/* Port 0: 10.x.y.z, as its number is. Behind a NAT: the one outside. Several may share a host, each with its port. */
	struct shoal_addr addr;
	bool stranger; /* others are told of it as by a tracker, and not by their user: they do not trust it for that */
	struct sim_adversary_spec adversary; /* one of those: counts as a liar (sim_adversary_spec()) */
	enum shoal_rules rules;
	unsigned without;		   /* enum shoal_without */
	bool record;			   /* its decisions are told, in FLIGHT events */
	const struct sim_guest_ops *guest; /* NULL: a node of ours */
	void *g;
	bool hides; /* its streams as `encryption` says, and nobody watches them; else they are plain */
	enum shoal_encryption encryption;
	const struct shoal_identity *identity; /* NULL: it has no key */
	enum shoal_show_key show_key;
	bool keyed; /* it has one of the world's own (key.h), and shows it to all */
};

struct sim_node {
	struct sim *sim;
	struct sim_node *next_touched;
	unsigned index;
	struct sim_node_options o;
	struct shoal_addr addr;
	struct sim_line line;
	struct shoal_budget budget;
	struct shoal_slots *slots;
	struct shoal_node *node; /* NULL: not running, or a guest */
	bool guest_up;
	struct sim_disk *disk;
	struct sim_store *store;
	struct shoal_rng rng;
	struct sim_witness witness;
	struct sim_account account;
	struct sim_key key;
	struct sim_adversary *adversary; /* NULL: it is none */
	/* Through which all it says and hears passes (adversary_guise.h), and the hand's own; NULL: through none. */
	const struct sim_guise_ops *hand;
	void *mind;
	struct sim_alarm wake, round; /* what it asked for; something of its disk waits for its next round */
	struct sim_node **friend;     /* told of at every start */
	unsigned friends, friend_room;
	unsigned life; /* starts */
	bool touched, leaving;
	struct sim_mapping *mapping; /* of its NAT */

	/* what its events said, in this life */
	uint32_t torrent;
	bool added, checked, complete, stopped, failed;
	int err; /* of the last ADDED or ERROR */
	char text[200];
	uint64_t checked_bytes;
	shoal_us completed_at;
	unsigned paused, resumed, warnings, metadata, joined, left;
	struct shoal_stats stats; /* the last STATS, or COMPLETE */
	struct shoal_bits have;	  /* the last PIECES */
	/* in all lives */
	unsigned hash_failures, paroles, bans, dials, dials_dead; /* of these, to where nobody was */
	unsigned streams, plain_streams; /* it said something on; of those, begun in plain words */
	unsigned banned[8];		 /* nodes, by index */
};

struct sim *sim_new(const struct sim_options *options);
void sim_free(struct sim *sim);
struct sim_clock *sim_clock(struct sim *sim);
shoal_us sim_now(const struct sim *sim);
struct shoal_rng *sim_dice(struct sim *sim); /* the world's own: for tests */
unsigned sim_nodes(const struct sim *sim);
struct sim_node *sim_node(struct sim *sim, unsigned index);
/* Who listens there, or has connected from there; NULL: nobody of us. */
struct sim_node *sim_node_at(const struct sim *sim, const struct shoal_addr *addr);

/* What a recorded one has decided and not told yet, it tells now. */
void sim_node_record(struct sim_node *n);
/* A machine with an empty disk; it runs nothing until it is started. */
struct sim_node *sim_node_new(struct sim *sim, const struct sim_node_options *options);
/* Starts the node and gives it the world's torrent, and its friends. */
void sim_node_start(struct sim_node *n);
/* Its address is another from now on. It does not run. */
void sim_node_move(struct sim_node *n, const struct shoal_addr *addr);
/* `n` is told of `other`, now if it runs, and at every start. */
void sim_node_meet(struct sim_node *n, struct sim_node *other);
SHOAL_MUST int sim_node_do(struct sim_node *n, const struct shoal_op *op);
/* The process dies now; its connections break. */
void sim_node_crash(struct sim_node *n, enum sim_crash kind);
static inline bool sim_node_runs(const struct sim_node *n)
{
	return n->node != NULL || n->guest_up;
}
/* SHOAL_OP_STOP now; gone as soon as it has said STOPPED (no node that had to be killed for it). */
void sim_node_leave(struct sim_node *n);
/* SHOAL_OP_STOP, until STOPPED or `patience` is over (then false), and gone. */
bool sim_node_stop(struct sim_node *n, shoal_us patience);
/* Asks, and answers at once: fills n->stats, or n->have. */
void sim_node_ask_stats(struct sim_node *n);
void sim_node_ask_pieces(struct sim_node *n);

/* ---- what happens to a machine's line; n->line may be changed at any time as well ---- */
/* Streams of `n`, to `other` alone or (NULL) all of them, are reset. */
void sim_node_reset(struct sim_node *n, const struct sim_node *other);
/* Nothing passes between machines of different sides, and nobody is told. All begin on side 0. */
void sim_node_side(struct sim_node *n, unsigned side);
/* Nothing at all passes: a cable is out. */
void sim_node_cut(struct sim_node *n, bool cut);

/* ---- the world's own calendar, names and services ---- */
/* Calls what(sim, arg) at `at`, once. What is left when the world ends is never called. */
void sim_at(struct sim *sim, shoal_us at, void (*what)(struct sim *sim, void *arg), void *arg);
/* What world->resolve() answers for `host` (copied), 20 ms later; NULL: there is no such name, as for all others. */
void sim_name(struct sim *sim, const char *host, const struct shoal_addr *addr);
/* A host that hears datagrams at `addr`, without a line of its own, and answers with sim_service_say(). */
void sim_service(struct sim *sim, const struct shoal_addr *addr,
		 void (*hear)(void *to, const struct shoal_addr *from, struct shoal_bytes data), void *to);
void sim_service_say(struct sim *sim, const struct shoal_addr *from, const struct shoal_addr *to,
		     struct shoal_bytes data);

/* ---- for guests ---- */
/* < 0: not even tried. */
SHOAL_MUST int sim_guest_dial(struct sim_node *n, const struct shoal_addr *to, uint64_t cookie);
void sim_guest_wake(struct sim_node *n, shoal_us at); /* SHOAL_NEVER: not */
void sim_guest_say(struct sim_node *n, const struct shoal_addr *to, struct shoal_bytes data);

/* Something came to it from outside: its turn in this instant. */
void sim_touch(struct sim_node *n);

/* One instant: all that happens then. false when nothing happens before `until`. */
bool sim_step(struct sim *sim, shoal_us until);
/* Until pred() is true (true), or `patience` has passed, or a rule was broken. */
bool sim_run(struct sim *sim, bool (*pred)(struct sim *sim, void *arg), void *arg, shoal_us patience);
void sim_run_for(struct sim *sim, shoal_us time);
/* pred() for sim_run: every running node that is no liar has said COMPLETE. */
bool sim_all_complete(struct sim *sim, void *arg);

/* The first rule that was broken, "" if none: to be asserted. */
const char *sim_wrong(const struct sim *sim);
__attribute__((format(printf, 3, 4))) void sim_breach(struct sim *sim, const struct sim_node *n, const char *format,
						      ...);
/* Of every byte that went over any wire, when and between whom; and of all disks and stores as they are. */
uint64_t sim_trace(const struct sim *sim);
uint64_t sim_state(const struct sim *sim);
uint64_t sim_wire_bytes(const struct sim *sim);
uint64_t sim_connections(const struct sim *sim); /* made so far */
/* The longest that a node let a piece lie while somebody who would serve it was idle (check.h). */
shoal_us sim_idle(const struct sim *sim);

#endif
