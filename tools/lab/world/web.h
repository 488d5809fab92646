/*
 * tools/lab/world/web.h - a virtual HTTP server that has the world's content: what a node's world->fetch leads to.
 *
 * Serves http://HOST/ANY/PATH.../NAME/FILE by the path's end, after undoing its escapes: an URL that
 * was made wrongly finds nothing. Bytes come in lumps, at the server's rate shared by all that are being
 * served, as the node's loop would get them from libcurl. Deterministic.
 */
#ifndef SIM_WEB_H
#define SIM_WEB_H

#include "tools/lab/world/world.h"

enum sim_web_mood {
	SIM_WEB_GOOD,
	SIM_WEB_FALSE,	   /* every byte of its files at or past `at` in the stream is false */
	SIM_WEB_CUT,	   /* an answer ends after `at` bytes, and the connection with it */
	SIM_WEB_STATUS,	   /* answers `status`, with `retry_after` */
	SIM_WEB_NO_RANGES, /* answers a range with 200 */
	SIM_WEB_SILENT,	   /* answers nothing at all after `at` bytes */
	SIM_WEB_REFUSED,   /* the address is not one to be asked */
	SIM_WEB_DOWN,	   /* nobody there */
};
struct sim_web_options {
	const char *host; /* told apart by it */
	const struct sim_content *content;
	enum sim_web_mood mood;
	unsigned moods; /* answers in this mood, then GOOD ones; 0: all */
	uint64_t at;
	int status;
	uint32_t retry_after;
	uint64_t rate;	   /* bytes a second of all it serves; 0: 4 MiB */
	shoal_us delay;	   /* to the first byte; 0: 20 ms */
	const char *lacks; /* a file (path below the torrent's name) that it answers 404 for */
};
struct sim_web;

struct sim_web *sim_web_new(void);
void sim_web_free(struct sim_web *web);
/* Makes the node's fetches go to it: before sim_new(). */
void sim_web_into(struct sim_web *web, struct sim_options *options);
void sim_web_add(struct sim_web *web, const struct sim_web_options *options);
/* Another mood from now on. */
void sim_web_mood(struct sim_web *web, const char *host, enum sim_web_mood mood);

/* What it has seen. */
struct sim_web_seen {
	uint64_t questions, bytes, most_at_once;
	uint64_t unknown; /* asked for files it does not have */
	bool untrusted;	  /* some question was not the user's */
};
struct sim_web_seen sim_web_seen(const struct sim_web *web, const char *host);
unsigned sim_web_open(const struct sim_web *web); /* questions not ended */

#endif
