/*
 * swarm/core/announce_room.h - what the files of announce share: trackers, their hosts, questions on their way. Internal.
 *
 * announce_list.c knows which trackers there are; announce.c decides whom to
 * ask when; announce_ask.c carries one question there and back; announce_host.c
 * knows the places they go to; announce_scrape.c asks for somebody who only
 * wants to know.
 */
#ifndef SHOAL_ANNOUNCE_ROOM_H
#define SHOAL_ANNOUNCE_ROOM_H

#include "proto/base/heap.h"
#include "proto/siphash.h"
#include "proto/tracker_http.h"
#include "proto/tracker_udp.h"
#include "swarm/core/announce.h"
#include "swarm/core/node_room.h"

#define SHOAL_ANNOUNCE_WHO 2 /* a hybrid's two hashes; the two address families */

/* A host and port, whoever names it. What is learnt of it serves all its trackers. */
struct shoal_tracker_host {
	struct shoal_tracker_host *next; /* in its bucket */
	struct shoal_timer ready;	 /* in the announcer's: questions wait and may go */
	struct shoal_heap waiting;	 /* lines that want to ask here */
	uint32_t refs, running;
	bool udp;
	/* UDP: where it is, by family. */
	bool resolving;
	uint64_t cookie;      /* of the look-up */
	shoal_us resolved_at; /* 0: never */
	int resolve_err;      /* of that */
	unsigned turn;	      /* how many addresses have been given up: the next one's turn */
	struct shoal_addr addr[SHOAL_ANNOUNCE_WHO][4];
	unsigned addr_count[SHOAL_ANNOUNCE_WHO];
	struct shoal_tracker_udp_id id[SHOAL_ANNOUNCE_WHO];
	struct shoal_addr id_of[SHOAL_ANNOUNCE_WHO];
	/* It does not answer: nobody asks before `down_until`. */
	uint32_t fails;
	shoal_us down_until;
	int down_err;
	size_t charged;
	uint16_t port;
	char name[SHOAL_URL_HOST_MAX + 1];
};

struct shoal_tracker {
	struct shoal_tracker_host *host;
	struct shoal_url url; /* its spans lie in `text` */
	bool trusted;	      /* the user named it */
	bool own;	      /* the torrent or the link names it */
	bool dead;	      /* never again: it said so, or it cannot be */
	bool warned;	      /* that it may not be asked */
	struct {
		bool told;	    /* it knows that we are here */
		bool told_complete; /* and that we have it all */
		bool busy;	    /* a question is under way */
		uint32_t fails;
		shoal_us not_before;
		uint8_t *id; /* heap: what it wants to hear the next time */
		size_t id_len;
	} of[SHOAL_ANNOUNCE_WHO];
	size_t charged;
	char text[]; /* the URL */
};

/* One tier under one hash: what is announced by itself. */
struct shoal_line {
	struct shoal_timer timer; /* first; in the announcer's heap, or in that of the host it waits for */
	struct shoal_announce *of;
	struct shoal_tier *tier;
	struct shoal_tracker *tracker; /* whom it waits to ask */
	uint8_t who;
	bool on, waiting, asking;
	bool failed;	  /* the last round found nobody */
	bool early;	  /* it was set to come sooner, for want of peers */
	uint16_t at;	  /* in the tier's list */
	shoal_us full_at; /* when the tracker wants to hear from us */
};

struct shoal_tier {
	struct shoal_line line[SHOAL_ANNOUNCE_WHO];
	struct shoal_tracker **tracker; /* in the order they are tried */
	uint16_t count;
	uint8_t index;
};

struct shoal_announce {
	struct shoal_swarm *swarm;
	uint32_t key;
	bool begun, stopping;
	bool over;	 /* the time to say goodbye in has passed */
	bool complete;	 /* became so before our eyes */
	bool all_failed; /* and it has been said */
	shoal_us stop_by;
	unsigned asks; /* under way */
	unsigned tracker_count, tier_count;
	struct shoal_tier *tier[SHOAL_ANNOUNCE_TIERS];
};

enum shoal_tracker_way_state { SHOAL_WAY_OFF, SHOAL_WAY_RUNS, SHOAL_WAY_ENDED };

/* A question, over v4, over v6, or both. */
struct shoal_tracker_way {
	enum shoal_tracker_way_state state;
	struct shoal_addr addr;	    /* UDP */
	struct shoal_tracker_udp q; /* UDP */
	uint64_t cookie;	    /* HTTP */
	uint8_t *body;
	size_t len, room;
};
struct shoal_asking {
	struct shoal_asking *next;
	struct shoal_announce *of; /* NULL: a scrape */
	struct shoal_line *line;   /* NULL: a goodbye, or a scrape */
	struct shoal_tracker *tracker;
	uint8_t who;
	/* Of a scrape, whose tracker is its own. */
	struct shoal_id20 hash;
	uint64_t ticket;
	bool absent; /* somebody answered, and does not know the torrent */
	bool resolving;
	enum shoal_tracker_event event;
	uint64_t left;
	struct shoal_tracker_way way[SHOAL_ANNOUNCE_WHO]; /* [0] v4, [1] v6 */
	/* What came of it. */
	bool good;	/* somebody answered, and did not say no */
	bool host_down; /* nobody answered at all */
	int err;
	uint32_t interval, min_interval, retry_s;
	bool never;
	unsigned peers;
	struct shoal_tracker_counts counts;
	bool has_external;
	struct shoal_addr external;
	uint16_t text_len;
	uint8_t text[SHOAL_TRACKER_TEXT_MAX];
};

struct shoal_announcer {
	struct shoal_heap due;	 /* lines, by when */
	struct shoal_heap ready; /* hosts with room and lines that wait, in turns */
	uint64_t turn;
	struct shoal_asking *asks;
	unsigned ask_count;
	unsigned leaving; /* swarms that say goodbye, or have */
	bool lost;	  /* a timer could not be set for want of memory: look for lines without */
	struct shoal_sipkey key;
	struct shoal_tracker_host *host[256];
};

/* A line waits in the heap of its host; this lets the host have its turn. */
void shoal_announcer_ready(struct shoal_announcer *a, struct shoal_tracker_host *h);

/* announce_list.c */
/* Makes the node's announcer, unless it is there. NOMEM. */
SHOAL_MUST int shoal_announcer_make(struct shoal_node *n);
/* NOMEM, what shoal_url_parse() says. */
SHOAL_MUST int shoal_tracker_new(struct shoal_node *n, struct shoal_bytes text, struct shoal_tracker **out);
void shoal_tracker_free(struct shoal_node *n, struct shoal_tracker *t);

/* announce_host.c */
SHOAL_MUST int shoal_tracker_host_ref(struct shoal_node *n, const struct shoal_url *url,
				      struct shoal_tracker_host **out);
void shoal_tracker_host_unref(struct shoal_node *n, struct shoal_tracker_host *h);
void shoal_tracker_host_failed(struct shoal_tracker_host *h, int err, uint32_t retry_s, struct shoal_rng *rng,
			       shoal_us now);
void shoal_tracker_host_fine(struct shoal_tracker_host *h);
/* How long to wait after so many failures in a row, with jitter. */
shoal_us shoal_announce_backoff(uint32_t fails, struct shoal_rng *rng);

/* announce_ask.c */
/* Starts it; BUSY, NOMEM: not now. Its end is told by shoal_announce_asked(), never from inside. */
SHOAL_MUST int shoal_asking_new(struct shoal_announce *an, struct shoal_line *line, struct shoal_tracker *t,
				unsigned who, enum shoal_tracker_event event, shoal_us now);
/* The same for a scrape, which owns `t` from now on, whatever comes of it. */
SHOAL_MUST int shoal_asking_scrape(struct shoal_node *n, struct shoal_tracker *t, const struct shoal_id20 *hash,
				   uint64_t ticket, shoal_us now);
void shoal_asking_free(struct shoal_node *n, struct shoal_asking *ask);
/* Ends those whose time is up, sends what is due. */
void shoal_asking_tick(struct shoal_node *n, shoal_us now);
shoal_us shoal_asking_deadline(const struct shoal_node *n);

/* announce.c: a question has come to its end, and is freed after. Frees no other. */
void shoal_announce_asked(struct shoal_node *n, struct shoal_asking *ask, shoal_us now);
/* announce_scrape.c: the same of a scrape. */
void shoal_announce_scraped(struct shoal_node *n, struct shoal_asking *ask, shoal_us now);

#endif
