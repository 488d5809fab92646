/*
 * tools/explain_words.h - a record of a decision (swarm/core/flight.h) as a sentence.
 *
 * Every sentence is made from the record's own terms and from nothing else
 * but the names of peers, so that another term makes another sentence.
 */
#ifndef SHOAL_TOOLS_EXPLAIN_WORDS_H
#define SHOAL_TOOLS_EXPLAIN_WORDS_H

#include "swarm/core/flight.h"

#define SHOAL_EXPLAIN_WORDS_MAX 1024
#define SHOAL_EXPLAIN_NAME_MAX 96

/* How peers are called: "10.0.0.2:6881". */
struct shoal_explain_names {
	const char *(*of)(void *to, uint32_t peer, char out[SHOAL_EXPLAIN_NAME_MAX]); /* never NULL; safe to show */
	void *to;
};

/* Cut to fit; safe to show; without a full stop. Returns `out`. */
const char *shoal_explain_words(const struct shoal_flight *f, const struct shoal_explain_names *names,
				char out[SHOAL_EXPLAIN_WORDS_MAX]);
/* What the torrent waits for, by a STATE record. */
const char *shoal_explain_waits(const struct shoal_flight *state, char out[SHOAL_EXPLAIN_WORDS_MAX]);
/* "on parole" */
const char *shoal_explain_standing(uint64_t standing);
/* The address in a PEER record. */
struct shoal_addr shoal_explain_addr(const struct shoal_flight *peer);

#endif
