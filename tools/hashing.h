/*
 * tools/hashing.h - runs a hasher to its end, with a calm line meanwhile. For create, seed and verify.
 */
#ifndef SHOAL_TOOLS_HASHING_H
#define SHOAL_TOOLS_HASHING_H

#include "swarm/io/hasher.h"

struct shoal_tool;

struct shoal_hashing {
	const char *verb;	 /* "hashing" */
	struct shoal_bytes name; /* raw: it is made safe here */
	uint64_t total;		 /* bytes to go through */
	shoal_us took;		 /* out */
	uint32_t bad_id;	 /* out: the file an error concerns */
};

/* What shoal_hasher_new() or _result() say: CLOSED when a signal came before the end. */
SHOAL_MUST int shoal_hashing_run(struct shoal_tool *tool, const struct shoal_hasher_plan *plan,
				 struct shoal_hashing *h);

#endif
