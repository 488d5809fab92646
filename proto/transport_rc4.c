/* proto/transport_rc4.c - see transport_rc4.h. */
#include "proto/transport_rc4.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK (32u * 1024) /* enciphered for one send below: two blocks, and it stays in the cache */

struct rc4_stream {
	struct shoal_transport t; /* first: the user's pointer is ours */
	struct shoal_transport *below;
	struct shoal_rc4 in, out;
};

static ptrdiff_t rc4_recv(struct shoal_transport *t, const struct shoal_space v[], size_t n)
{
	struct rc4_stream *s = (struct rc4_stream *)t;
	ptrdiff_t got = s->below->ops->recv(s->below, v, n);
	size_t left = got > 0 ? (size_t)got : 0;
	for (size_t i = 0; i < n && left > 0; i++) {
		size_t here = left < v[i].len ? left : v[i].len;
		shoal_rc4_xor(&s->in, v[i].at, v[i].at, here);
		left -= here;
	}
	return got;
}

/* Enciphers the next bytes of `v`, from `*skip` of v[*at] on, up to a CHUNK. */
static size_t fill(struct rc4_stream *s, uint8_t chunk[CHUNK], const struct shoal_bytes v[], size_t n, size_t *at,
		   size_t *skip)
{
	size_t len = 0;
	while (*at < n && len < CHUNK) {
		size_t here = v[*at].len - *skip;
		if (here > CHUNK - len)
			here = CHUNK - len;
		if (here > 0)
			shoal_rc4_xor(&s->out, chunk + len, v[*at].at + *skip, here);
		len += here;
		*skip += here;
		if (*skip == v[*at].len) {
			*skip = 0;
			++*at;
		}
	}
	return len;
}

static ptrdiff_t rc4_send(struct shoal_transport *t, const struct shoal_bytes v[], size_t n, bool more)
{
	struct rc4_stream *s = (struct rc4_stream *)t;
	uint8_t chunk[CHUNK];
	size_t at = 0, skip = 0, total = 0, len;
	while ((len = fill(s, chunk, v, n, &at, &skip)) > 0) {
		struct shoal_bytes one = { chunk, len };
		ptrdiff_t sent = s->below->ops->send(s->below, &one, 1, more || at < n);
		if (sent < 0)
			return sent;
		total += (size_t)sent;
		if ((size_t)sent < len) {
			shoal_rc4_back(&s->out, len - (size_t)sent);
			break;
		}
	}
	return (ptrdiff_t)total;
}

static void rc4_want(struct shoal_transport *t, unsigned what)
{
	struct rc4_stream *s = (struct rc4_stream *)t;
	s->below->ops->want(s->below, what);
}

static void rc4_close(struct shoal_transport *t)
{
	struct rc4_stream *s = (struct rc4_stream *)t;
	s->below->ops->close(s->below);
	explicit_bzero(s, sizeof *s);
	free(s);
}

static const struct shoal_transport_ops ops = {
	.name = "rc4",
	.recv = rc4_recv,
	.send = rc4_send,
	.want = rc4_want,
	.close = rc4_close,
};

int shoal_transport_rc4_new(struct shoal_transport **out, struct shoal_transport *below, const struct shoal_rc4 *in,
			    const struct shoal_rc4 *out_cipher)
{
	struct rc4_stream *s = calloc(1, sizeof *s);
	if (s == NULL)
		return SHOAL_ERR_NOMEM;
	s->t.ops = &ops;
	s->below = below;
	s->in = *in;
	s->out = *out_cipher;
	*out = &s->t;
	return 0;
}

size_t shoal_transport_rc4_bytes(void)
{
	return sizeof(struct rc4_stream);
}
