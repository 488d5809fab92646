/* stream.c - see stream.h. */
#include "swarm/libtorrent/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE (64u << 10)
#define KEEP_ROOM (1u << 20) /* a buffer that a large frame made larger is given back */

void shoal_lt_stream_init(struct shoal_lt_stream *s, int fd, size_t most)
{
	*s = (struct shoal_lt_stream){ .fd = fd, .most = most };
}

void shoal_lt_stream_fini(struct shoal_lt_stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->in);
	free(s->out);
	*s = (struct shoal_lt_stream){ .fd = -1 };
}

static int failed(void)
{
	return errno == ECONNRESET || errno == EPIPE ? SHOAL_ERR_CLOSED : SHOAL_ERR_IO;
}

/* What was handed out is done with. */
static void drop_read(struct shoal_lt_stream *s)
{
	if (s->in_read == 0)
		return;
	memmove(s->in, s->in + s->in_read, s->in_len - s->in_read);
	s->in_len -= s->in_read;
	s->in_read = 0;
	if (s->in_room > KEEP_ROOM && s->in_len == 0) {
		free(s->in);
		s->in = NULL;
		s->in_room = 0;
	}
}

/* Room for the frame that is coming, or for some more. */
static int make_room(struct shoal_lt_stream *s, size_t want)
{
	if (want <= s->in_room)
		return 0;
	uint8_t *more = realloc(s->in, want);
	if (more == NULL)
		return SHOAL_ERR_NOMEM;
	s->in = more;
	s->in_room = want;
	return 0;
}

ptrdiff_t shoal_lt_stream_next(struct shoal_lt_stream *s, struct shoal_bytes *frame)
{
	drop_read(s);
	for (;;) {
		ptrdiff_t len = shoal_lt_frame_length((struct shoal_bytes){ s->in, s->in_len }, s->most);
		if (len < 0)
			return len;
		if (len > 0 && s->in_len >= (size_t)len) {
			s->in_read = (size_t)len;
			*frame = (struct shoal_bytes){ s->in, (size_t)len };
			return len;
		}
		/* Its room grows with what has come, not with what it promises. */
		size_t want = s->in_len + (s->in_len > READ_SIZE ? s->in_len : READ_SIZE);
		if (len > 0 && want > (size_t)len)
			want = (size_t)len;
		int rc = make_room(s, want);
		if (rc < 0)
			return rc;
		ssize_t n = recv(s->fd, s->in + s->in_len, want - s->in_len, MSG_DONTWAIT);
		if (n == 0)
			return SHOAL_ERR_CLOSED;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : failed();
		s->in_len += (size_t)n;
	}
}

int shoal_lt_stream_put(struct shoal_lt_stream *s, enum shoal_lt_kind kind, const union shoal_lt_body *body)
{
	if (s->out_sent == s->out_len)
		s->out_sent = s->out_len = 0;
	return shoal_lt_frame_write(&s->out, &s->out_len, &s->out_room, kind, body);
}

int shoal_lt_stream_flush(struct shoal_lt_stream *s)
{
	while (s->out_sent < s->out_len) {
		ssize_t n = send(s->fd, s->out + s->out_sent, s->out_len - s->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : failed();
		s->out_sent += (size_t)n;
	}
	s->out_sent = s->out_len = 0;
	if (s->out_room > KEEP_ROOM) {
		free(s->out);
		s->out = NULL;
		s->out_room = 0;
	}
	return 0;
}
