/*
 * tools/run.h - a session of an engine: torrents in, events told, until done, stopped or out of time.
 *
 * Sees an engine through shoal/engine.h alone. run.c drives it and decides when
 * it is over, run_ways.c names ways to peers, run_alone.c says why there are none,
 * run_name.c goes on to the next version of a name; run_tell.c puts what happens into
 * words and JSON, run_who.c who did what.
 */
#ifndef SHOAL_TOOLS_RUN_H
#define SHOAL_TOOLS_RUN_H

#include "tools/alone.h"
#include "tools/follow.h"
#include "tools/net.h"
#include "tools/only.h"
#include "tools/progress.h"
#include "tools/record.h"
#include "tools/say.h"
#include "tools/source.h"

#include <shoal/engine.h>

#define SHOAL_RUN_HOST_MAX 80
#define SHOAL_RUN_PAUSE_MAX 256

/* A torrent to add, and how it fares. */
struct shoal_run_torrent {
	struct shoal_source source;
	char *folder;	/* absolute; heap */
	unsigned flags; /* enum shoal_add_flag */
	struct shoal_only only;
	enum shoal_adopt_how adopt;
	char *adopt_from; /* folders, NUL after each; heap */
	size_t adopt_from_len;
	/* the rest is run.c's */
	uint32_t handle;
	char id[65];	  /* hex of its info hash, as first known: names it in every event */
	const char *name; /* safe to show; "" while it is not known */
	char *name_own;
	char *link; /* heap: what source.arg is, where it was made here */
	char *magnet;
	bool listed;  /* --list has been printed */
	bool nowhere; /* nobody can be asked, which was not said yet */
	bool added, started, complete, over, seen_peer, stats_asked, stats_known;
	uint64_t checked, check_total;	      /* bytes, while a check runs */
	uint64_t size, had;		      /* bytes; what was there when it began */
	uint64_t adopted;		      /* of that, bytes that lay in other files */
	shoal_us began;			      /* with the run, or when its name came to stand for it */
	int pause;			      /* what ails the storage, as last heard; 0: nothing */
	char pause_text[SHOAL_RUN_PAUSE_MAX]; /* safe to show */
	uint64_t peers_waiting;		      /* a PEERS question is open */
	struct shoal_stats stats;
	struct shoal_run_peer *peer; /* for the summary */
	size_t peer_count, peer_room;
};
struct shoal_run_peer {
	struct shoal_peer_info info;
	char host[SHOAL_RUN_HOST_MAX]; /* of a web seed, which has no address of its own; safe to show; "": a peer */
	char client[64];	       /* safe to show */
};

/* What may be said when nobody can be reached. */
struct shoal_run_alone {
	bool dht, counts, told;	      /* it is asked; the engine says how many nodes it knows; it was said */
	uint32_t nodes, counted;      /* of the DHT: at the last look; at this one, so far */
	unsigned trackers, answering; /* that were heard of; in good */
	uint64_t peers;		      /* they told of */
	unsigned mute;		      /* that were named, are there, and do not speak to us */
	bool unmapped;		      /* the last that was heard of mapping our port is that it was not */
	shoal_us look_at, again, again_at;
};

struct shoal_run {
	struct shoal_tool *tool;
	const struct shoal_engine_ops *ops; /* NULL: what --engine says */
	const struct shoal_net *net;
	const struct shoal_opt_list *tracker; /* that the user named; commas between several. NULL: none */
	struct shoal_opt_list webseed;	      /* URLs that the user named */
	struct shoal_run_torrent *torrent;
	size_t count;
	bool seeding; /* seed, not get: nothing is fetched */
	bool stay;    /* after all is complete, until a signal */
	/* A name that may move while we stay, or NULL. The torrents have room for two then: what it stands for, and what it
	 * stood for before, which is given to others until its successor is here. */
	struct shoal_follow *follow;
	const struct shoal_opt_list *only; /* of each version of a name; NULL: all */
	shoal_us timeout;		   /* 0: none */
	/* the rest is run.c's */
	struct shoal_engine *engine;
	size_t dht_nodes; /* where the DHT can be entered */
	struct shoal_run_alone alone;
	struct shoal_progress progress;
	struct shoal_record record;
	struct shoal_addr bound[SHOAL_LISTEN_MAX];
	size_t bound_count;
	shoal_us began, told;
	size_t look_at; /* whose turn it is to be asked how it is */
	int code;	/* exit code so far: the first failure's */
	size_t newest;	/* of a name's versions */
};

/* Returns the exit code. The torrents stay the caller's, to fini. */
int shoal_run(struct shoal_run *r);
void shoal_run_torrent_fini(struct shoal_run_torrent *t);
/* Torrent `i` goes to the engine; what cannot be added has ended, and has said so. */
int shoal_run_add(struct shoal_run *r, size_t i);
/* The first failure names the exit code. */
void shoal_run_ended(struct shoal_run *r, struct shoal_run_torrent *t, int code);
/* An absolute path, heap; the folder need not exist. NULL: no memory. */
char *shoal_run_absolute(const char *path);

/* ---- run_who.c: who did what ----------------------------------------------------------- */
/* One word for what came of it: "banned", "lied", "traded", "gave", "took", "wasted", "idle". */
const char *shoal_run_verdict(const struct shoal_peer_info *p);
/* Who lied first, then by what went to and fro. */
void shoal_run_who_sort(struct shoal_run_torrent *t);
/* A table of the first few of whom anything came, in that order, and how many others there were. */
void shoal_run_who_say(struct shoal_tool *tool, const struct shoal_run_torrent *t);
/* All of them, into the array that is open. */
void shoal_run_who_json(const struct shoal_run_torrent *t, struct shoal_json *j);

/* ---- run_ways.c ---------------------------------------------------------------------- */

/* Where the DHT can be entered goes to the engine, once more if need be; not for private torrents alone (BEP 27). */
void shoal_run_enter_dht(struct shoal_run *r);
/* Peers, trackers and web seeds that the user, the link or the torrent names. */
void shoal_run_add_ways(struct shoal_run *r, struct shoal_run_torrent *t);
/* Something is missing: warned, once, when there is no way to anybody, of those that the user could open. */
void shoal_run_ways_warn(struct shoal_run *r, struct shoal_run_torrent *t);
/* How many peers the torrent itself, or its link, names. */
size_t shoal_run_peers_named(const struct shoal_run_torrent *t);
/* A DONE of `t`: warned when it is that a peer's name leads nowhere. */
void shoal_run_ways_event(struct shoal_run *r, const struct shoal_run_torrent *t, const struct shoal_event *ev);

/* ---- run_alone.c --------------------------------------------------------------------- */
/* Why nobody is connected: `out`. */
const char *shoal_run_why_alone(const struct shoal_run *r, char out[SHOAL_ALONE_TEXT_MAX]);
void shoal_run_alone_event(struct shoal_run *r, const struct shoal_event *ev, shoal_us now);
void shoal_run_alone_tick(struct shoal_run *r, shoal_us now);

/* ---- run_name.c ---------------------------------------------------------------------- */
/* A link becomes that of the torrent `hash`. NOMEM. */
SHOAL_MUST int shoal_run_link(struct shoal_run_torrent *t, const struct shoal_id20 *hash);
/* Any event; one torrent is complete; time has passed: all nothing where no name is followed. */
void shoal_run_name_event(struct shoal_run *r, const struct shoal_event *ev, shoal_us now);
void shoal_run_name_complete(struct shoal_run *r, const struct shoal_run_torrent *t);
void shoal_run_name_tick(struct shoal_run *r, shoal_us now);

/* ---- run_tell.c ---------------------------------------------------------------------- */
void shoal_run_tell_started(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev);
void shoal_run_tell_metadata(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev);
void shoal_run_tell_checked(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev);
void shoal_run_tell_adopted(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev);
void shoal_run_tell_complete(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev);
void shoal_run_tell_stats(struct shoal_run *r, struct shoal_run_torrent *t, shoal_us now);
/* What became of mapping our port at the router. */
void shoal_run_tell_portmap(struct shoal_run *r, const struct shoal_event *ev);
/* A name has moved, to what goes into `t`. */
void shoal_run_tell_moved(struct shoal_run *r, const struct shoal_run_torrent *t);
/* Everything that needs no bookkeeping: pieces, peers, bans, pauses, warnings. */
void shoal_run_tell_other(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev);
/* What is not complete was stopped by a signal. */
void shoal_run_tell_stopped(struct shoal_run *r);
void shoal_run_tell_summary(struct shoal_run *r, struct shoal_run_torrent *t);

#endif
