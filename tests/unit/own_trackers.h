/*
 * tests/unit/own_trackers.h - a node in a world of trackers alone: it can ask, be answered, and see time pass.
 *
 * Whatever the node asks of the world is kept in a list, with the time; the
 * test answers, by hand or by a rule. Its disk is empty and always ready.
 */
#ifndef SHOAL_OWN_TRACKERS_H
#define SHOAL_OWN_TRACKERS_H

#include "proto/tracker_udp.h"
#include "swarm/core/announce_room.h"
#include "tests/tray.h"

enum own_ask_kind { OWN_FETCH, OWN_DATAGRAM, OWN_RESOLVE };
struct own_ask {
	enum own_ask_kind kind;
	shoal_us at;
	uint64_t cookie;
	unsigned flags;
	shoal_us timeout;
	struct shoal_addr to;
	bool stopped, answered;
	size_t len;
	char text[512]; /* the URL, the name, or the packet */
};

struct own_trackers {
	struct shoal_node *node;
	struct shoal_budget budget;
	struct shoal_slots *slots;
	size_t used_before; /* of the budget, without a torrent */
	shoal_us now, wake_at;
	uint64_t dice;
	struct tray tray;    /* nothing is there */
	struct own_ask *ask; /* all that were kept */
	size_t asks, room;
	bool forget; /* ones that were answered: long runs */
	bool neighbours;
	unsigned under_way, most; /* fetches; the most there ever were */
	unsigned dials;
	char warnings[4096];
	struct shoal_event last; /* the last TRACKER */
	char last_text[300], last_name[300];
	unsigned told;		    /* TRACKER events */
	struct shoal_event scraped; /* the last SCRAPED; its texts are in last_text, last_name */
	unsigned scrapes;
	/* Called at each step: may answer what is open. When it has something to do next. */
	shoal_us (*rule)(struct own_trackers *w);
};

void own_trackers_open(struct own_trackers *w);
/* Checks that everything was given back. */
void own_trackers_close(struct own_trackers *w);
/* A magnet of hash number `n` with these trackers, "" between: "http://a\0http://b\0". The swarm. */
struct shoal_swarm *own_trackers_magnet(struct own_trackers *w, uint32_t n, bool hybrid, const char *trackers);
/* A torrent whose announce-list is this bencoded text. */
struct shoal_swarm *own_trackers_torrent(struct own_trackers *w, const char *list, bool closed);
/* Time passes; the rule is asked, deadlines are kept. */
void own_trackers_run(struct own_trackers *w, shoal_us time);
void own_trackers_tick(struct own_trackers *w);
/* The n-th ask that was not stopped or answered, of that kind; fails the test when there is none. */
struct own_ask *own_ask(struct own_trackers *w, enum own_ask_kind kind, unsigned n);
unsigned own_asks_open(const struct own_trackers *w, enum own_ask_kind kind);
/* Answers a fetch from `server` ("" for nobody known) with a body, or fails it. */
void own_answer(struct own_trackers *w, struct own_ask *a, const char *server, const void *body, size_t len);
void own_fail(struct own_trackers *w, struct own_ask *a, int err, int status, uint32_t retry_after);
void own_resolve(struct own_trackers *w, struct own_ask *a, int err, const char *const ip[], size_t count);
/* A UDP tracker's answer to a packet of ours: CONNECT, or an announce with that interval and these peers; to a scrape
 * 3, `interval` and 4. */
void own_udp(struct own_trackers *w, struct own_ask *a, uint32_t interval, const void *peers, size_t len);
struct shoal_addr own_addr(const char *text); /* "ip:port" */

#endif
