/*
 * tests/unit/torrents.h - torrents for tests: grown text, and a parsed one described in a line.
 */
#ifndef SHOAL_TEST_TORRENTS_H
#define SHOAL_TEST_TORRENTS_H

#include "proto/metainfo.h"

/* Parts of one, bencoded: a root, a torrent around what its info holds, and a file of v2. */
#define H32 "RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR"
#define ROOT "11:pieces root32:" H32
#define INFO(body) "d4:infod" body "ee"
#define LEAF(len) "d0:d6:lengthi" #len "e" ROOT "ee"

struct grow {
	char *at;
	size_t len, room;
};
/* Formats onto the end; put adds raw bytes. Both end the program when memory does. */
__attribute__((format(printf, 2, 3))) void grow_print(struct grow *g, const char *format, ...);
void grow_put(struct grow *g, const void *at, size_t len);
void grow_fini(struct grow *g);

/*
 * "v1 single 16384*3 33000 of 33000 | a:5@0 b/c:7@16384+x ...": formats, piece size * count, bytes of
 * files and of the stream, then path:size@offset of each file with its flags as letters (pehlr: pad,
 * exec, hidden, link, renamed) and R when it has a root. Freed by the caller.
 */
char *describe(const struct shoal_metainfo *mi);

/* Parses from an exact-size heap copy, so that the sanitizers see one byte too many. */
int parse_text(struct shoal_metainfo **out, const void *at, size_t len, struct shoal_metainfo_fault *why);

#endif
