/*
 * tools/lab/world/adversary.h - peers that mean harm, or only themselves: one table of kinds and their parameters.
 *
 * An adversary is a node like any other, with a hand over its mouth and ears:
 * whole messages pass through it (adversary_guise.h), and it lets them pass,
 * changes, holds or swallows them, and says some of its own. Whatever its kind
 * does not touch is what an honest node does.
 *
 * What an adversary has on its disk is the world's business: most kinds are
 * given the content, a fake-haver nothing.
 */
#ifndef SIM_ADVERSARY_H
#define SIM_ADVERSARY_H

#include <shoal/types.h>

struct sim_node;
struct sim_adversary;

enum sim_adversary_kind {
	SIM_HONEST,
	SIM_POLLUTER,	 /* serves false blocks */
	SIM_LORIS,	 /* serves well for a while, then hardly at all */
	SIM_FAKE_HAVER,	 /* says it has everything, and gives none of it */
	SIM_FREE_RIDER,	 /* takes, and gives nothing */
	SIM_TRAITOR,	 /* serves well, then a burst of false blocks, and again */
	SIM_SLANDERER,	 /* tells others of hosts that are not there */
	SIM_WHITEWASHER, /* a polluter that comes back as somebody else */
	SIM_RELAY,	 /* passes another's connections on as its own, and spoils what comes back */
	SIM_SYBIL,	 /* one of many free riders on one machine */
	SIM_ADVERSARY_KINDS,
};

/* One number each; times in microseconds, shares in millionths. Every field is a parameter of some kind. */
struct sim_adversary_spec {
	uint64_t kind;	     /* enum sim_adversary_kind */
	uint64_t view;	     /* nodes it dials by itself, whoever was told of whom */
	uint64_t rate;	     /* share of blocks it spoils */
	uint64_t burst;	     /* blocks spoiled in a row; 1: each by itself */
	uint64_t last;	     /* 1: only the last block of a piece */
	uint64_t quick;	     /* blocks to a connection before it turns slow */
	uint64_t slow_from;  /* then one block after so long ... */
	uint64_t slow_until; /* ... to so long */
	uint64_t answer;     /* enum sim_adversary_answer, to a request */
	uint64_t claims;     /* share of the content that it says it has: the last of it */
	uint64_t good, bad;  /* blocks served well, then blocks of which `rate` are spoiled; over all connections */
	uint64_t hosts;	     /* dead ones, to each message ... */
	uint64_t every;	     /* ... of which there is one, on each connection, every so long */
	uint64_t after;	     /* from its first ban to its new identity */
	uint64_t life;	     /* from its start to a new identity, banned or not; 0: as long as it is not */
	uint64_t same_net;   /* 1: a new host of the /24 it was in; else of another */
	uint64_t target;     /* the node it stands in front of, by index */
	uint64_t identities; /* nodes that share its machine: each has that part of the line it was given */
};
enum sim_adversary_answer { SIM_ANSWER_IGNORE, SIM_ANSWER_REJECT, SIM_ANSWER_GARBAGE };

enum sim_adversary_unit { SIM_UNIT_COUNT, SIM_UNIT_SHARE, SIM_UNIT_TIME, SIM_UNIT_FLAG, SIM_UNIT_WORD };
struct sim_adversary_param {
	const char *name;
	enum sim_adversary_unit unit;
	size_t offset; /* of its uint64_t in the spec */
	uint64_t standard, least, most;
	const char *const *words; /* of SIM_UNIT_WORD: the value is an index; NULL ends them */
	const char *summary;
};
struct sim_adversary_row {
	const char *name; /* "fake-haver" */
	const char *summary;
	const struct sim_adversary_param *param; /* without a name: the last */
};
/* By kind; SIM_HONEST has a row too, without parameters. */
extern const struct sim_adversary_row sim_adversary_table[SIM_ADVERSARY_KINDS];

/* SIM_ADVERSARY_KINDS when there is none of that name. */
enum sim_adversary_kind sim_adversary_named(const char *name);
/* The kind with the standard value of each of its parameters. */
struct sim_adversary_spec sim_adversary_spec(enum sim_adversary_kind kind);
/* NULL: the kind has none of that name. */
const struct sim_adversary_param *sim_adversary_param(enum sim_adversary_kind kind, const char *name);
uint64_t *sim_adversary_value(struct sim_adversary_spec *spec, const struct sim_adversary_param *param);

/* What it has done so far, in all its lives. */
struct sim_adversary_deeds {
	uint64_t blocks;  /* served, good and bad */
	uint64_t spoiled; /* of these, bad */
	uint64_t held;	  /* requests kept waiting on purpose */
	uint64_t refused; /* requests rejected, ignored or answered with garbage */
	uint64_t got;	  /* payload bytes it was given */
	uint64_t slander; /* dead hosts it told of */
	uint64_t reborn;  /* identities it has taken after its first */
};
const struct sim_adversary_deeds *sim_adversary_deeds(const struct sim_adversary *a);

/* ---- for world.c ------------------------------------------------------------------------------ */

/* `n` is one, of n->o.adversary: its connections will pass through n->hand. */
struct sim_adversary *sim_adversary_new(struct sim_node *n);
void sim_adversary_free(struct sim_adversary *a);
/* Its node runs, and has the torrent. */
void sim_adversary_started(struct sim_adversary *a);
/* An honest node has banned it, at the address it has now. */
void sim_adversary_banned(struct sim_adversary *a);

#endif
