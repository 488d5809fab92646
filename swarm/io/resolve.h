/*
 * swarm/io/resolve.h - host names to addresses, in a few threads that may be slow.
 *
 * getaddrinfo(3) can take half a minute and cannot be called off, so it has
 * threads of its own, started when a question finds none that waits for one. Questions
 * are taken up in order, and answered as they are: a name whose servers are dead
 * holds up no other. All functions are the loop thread's.
 */
#ifndef SHOAL_RESOLVE_H
#define SHOAL_RESOLVE_H

#include <shoal/types.h>
#include "swarm/io/addr.h"
#include "swarm/io/os.h"

#define SHOAL_RESOLVE_THREADS_MAX 4
#define SHOAL_RESOLVE_WAITING_MAX 64 /* asked, and not reaped yet */
#define SHOAL_RESOLVE_ADDRS_MAX 8    /* of one name; the families take turns, so that both are among them */

struct shoal_resolve;

struct shoal_resolve_for { /* the asker's own; comes back in the answer */
	uint64_t ticket;
	uint32_t torrent;
	unsigned flags;
};
struct shoal_resolve_done {
	struct shoal_resolve_for asker;
	int err; /* 0; GONE: there is no such name; NET: nobody could say; NOMEM */
	struct shoal_addr addr[SHOAL_RESOLVE_ADDRS_MAX];
	size_t count; /* >= 1 when err is 0 */
};

/* What looks a name up: err as above, and at most `max` addresses (with any port). Runs in the thread. */
typedef int shoal_resolve_lookup(const char *host, struct shoal_addr out[], size_t max, size_t *count);

/* `lookup` NULL: getaddrinfo(3). NOMEM; IO without a descriptor. `os` must outlive every lookup: let it be static. */
SHOAL_MUST int shoal_resolve_new(struct shoal_resolve **out, const struct shoal_os_ops *os,
				 shoal_resolve_lookup *lookup);
/* Does not wait for a lookup under way: that one cleans up after itself. NULL is fine. */
void shoal_resolve_free(struct shoal_resolve *r);

/* 0; BUSY at the bound; NOMEM when no thread can start. */
SHOAL_MUST int shoal_resolve_ask(struct shoal_resolve *r, const char *host, uint16_t port,
				 const struct shoal_resolve_for *asker);
/* An eventfd that counts up when there is something to reap; watch its edges, it need not be read. */
int shoal_resolve_fd(const struct shoal_resolve *r);
/* 1 and the next answer, or 0. */
SHOAL_MUST int shoal_resolve_reap(struct shoal_resolve *r, struct shoal_resolve_done *out);

#endif
