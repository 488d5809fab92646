/*
 * swarm/libtorrent/stream.h - frames over a socket: what came in, what is to go out. Both sides use it.
 *
 * Nothing here waits. Bounded: nothing more is taken in while a whole frame waits to be read, nothing is
 * queued above SHOAL_LT_QUEUE_MAX but the frame that crosses it.
 */
#ifndef SHOAL_LT_STREAM_H
#define SHOAL_LT_STREAM_H

#include "swarm/libtorrent/frame.h"

#define SHOAL_LT_QUEUE_MAX (8u << 20)

struct shoal_lt_stream {
	int fd;
	size_t most; /* the longest frame that may come */
	uint8_t *in, *out;
	size_t in_len, in_room, in_read; /* in_read: of the frame handed out last, gone with the next call */
	size_t out_len, out_room, out_sent;
};

/* Takes over `fd`, which must not block. */
void shoal_lt_stream_init(struct shoal_lt_stream *s, int fd, size_t most);
void shoal_lt_stream_fini(struct shoal_lt_stream *s);

/* The next whole frame, valid until the next call: its length; 0 not now; CLOSED, TOO_LONG, MALFORMED, NOMEM, IO. */
SHOAL_MUST ptrdiff_t shoal_lt_stream_next(struct shoal_lt_stream *s, struct shoal_bytes *frame);
/* Queues a frame. NOMEM, TOO_LONG. */
SHOAL_MUST int shoal_lt_stream_put(struct shoal_lt_stream *s, enum shoal_lt_kind kind, const union shoal_lt_body *body);
/* Sends what the socket takes. 0; CLOSED, IO. */
SHOAL_MUST int shoal_lt_stream_flush(struct shoal_lt_stream *s);
static inline size_t shoal_lt_stream_queued(const struct shoal_lt_stream *s)
{
	return s->out_len - s->out_sent;
}

#endif
