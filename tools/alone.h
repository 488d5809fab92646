/*
 * tools/alone.h - why nobody can be reached, in words for whoever waits. Pure.
 */
#ifndef SHOAL_TOOLS_ALONE_H
#define SHOAL_TOOLS_ALONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHOAL_ALONE_TEXT_MAX 256

/* What is known after a while in which no peer was connected. */
struct shoal_alone {
	bool route;	    /* this host has a way to the open network */
	bool proxy;	    /* all goes through one, so `route` says nothing */
	bool dht;	    /* it is asked */
	uint32_t dht_nodes; /* that answer */
	unsigned trackers;  /* of which anything was heard, good or bad ... */
	unsigned answering; /* ... and that answered */
	uint64_t peers;	    /* that they told us of, and that the user or the link named */
	unsigned mute;	    /* of those that were named: took our connection, and ended it without a word */
	bool unmapped; /* a router was asked to let others in, and did not; and we have no address of the open network */
	uint16_t port; /* we listen there */
};

/* A sentence without its end, at most SHOAL_ALONE_TEXT_MAX bytes with its NUL; `out`. */
const char *shoal_alone_text(const struct shoal_alone *a, char out[SHOAL_ALONE_TEXT_MAX]);
/* The same for a seed, to whom others must come; NULL where there is no reason but that nobody wants it. */
const char *shoal_alone_seed_text(const struct shoal_alone *a, char out[SHOAL_ALONE_TEXT_MAX]);

#endif
