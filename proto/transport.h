/*
 * proto/transport.h - a byte stream to a peer, whatever carries it.
 *
 * TCP (swarm/io), uTP (utp.h), a pipe of the virtual world (tools/lab); and
 * RC4 on top of any of them, once MSE has agreed on it (transport_rc4.h).
 * The node that uses one calls recv, send, send_file and close; the world that
 * made it tells the node when it is readable or writable again. Nothing here
 * blocks and nothing calls back.
 */
#ifndef SHOAL_TRANSPORT_H
#define SHOAL_TRANSPORT_H

#include <shoal/types.h>

struct shoal_transport;

enum shoal_transport_want { SHOAL_WANT_READ = 1, SHOAL_WANT_WRITE = 2 };

struct shoal_transport_ops {
	const char *name; /* "tcp" */
	/* > 0 bytes; 0 not now; < 0 enum shoal_err (CLOSED at the end of the stream). A result smaller than the room
	 * in `v` means that there is nothing more for now. */
	ptrdiff_t (*recv)(struct shoal_transport *t, const struct shoal_space v[], size_t n);
	/* The same for sending. `more`: further bytes follow at once (MSG_MORE). */
	ptrdiff_t (*send)(struct shoal_transport *t, const struct shoal_bytes v[], size_t n, bool more);
	/* Sends bytes of an open file with no copy of ours; NULL where that cannot be. `file` and `offset` are as
	 * disk->span() gave them. < `len` may be sent; 0 not now; GONE when the file has become shorter. */
	ptrdiff_t (*send_file)(struct shoal_transport *t, uint32_t file, uint64_t offset, size_t len, bool more);
	/* Which of enum shoal_transport_want the node waits for from now on. Readiness is level triggered. */
	void (*want)(struct shoal_transport *t, unsigned what);
	/* Ends and frees it; the node never touches it again and is told nothing more. */
	void (*close)(struct shoal_transport *t);
};

struct shoal_transport {
	const struct shoal_transport_ops *ops;
	void *node_peer; /* the node's own word for it; the world leaves it alone */
};

#endif
