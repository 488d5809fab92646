/*
 * swarm/io/zeros.h - pieces that lie in the holes of sparse files: known without reading, kept without writing.
 *
 * A hole reads as zeros by definition, so a piece that lies in one hashes to
 * what as many zeros hash to, and zeros that are to be written to one are there already. A
 * file system that cannot tell holes (SEEK_DATA) says that all is data, and nothing changes.
 */
#ifndef SHOAL_ZEROS_H
#define SHOAL_ZEROS_H

#include "proto/merkle.h"
#include "swarm/io/os.h"

/* The hashes of `bytes` zeros; all-zero to begin with. */
struct shoal_zeros {
	uint32_t bytes; /* 0: not known yet */
	uint8_t sha1[20];
	uint8_t root[32]; /* of a tree as wide as its leaves, a power of two */
};
/* Makes it those of `bytes` zeros, a power of two of at least 16 KiB; nothing to do when it is already. 0 or NOMEM. */
SHOAL_MUST int shoal_zeros_know(struct shoal_zeros *z, uint32_t bytes);
/* Whether [at, at+len) of an open file is a hole, and all before the file's end. */
bool shoal_zeros_hole(const struct shoal_os_ops *os, int fd, uint64_t at, uint64_t len);
/*
 * Bytes of v[], to be written at `at`, that need not be: zeros, in a hole or past the file's end. In the latter case
 * the last one is written all the same, so that the file is as long as it would be. The bytes dealt with (all, or
 * 0: write them), or -1 and errno.
 */
ssize_t shoal_zeros_write(const struct shoal_os_ops *os, int fd, const struct iovec *v, int n, uint64_t at);

#endif
