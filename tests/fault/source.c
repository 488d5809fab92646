/* source.c - see source.h. */
#include "tests/fault/source.h"

#include <stdlib.h>
#include <string.h>
#include "proto/wire.h"

static void grow(uint8_t **at, size_t *room, size_t need)
{
	if (need <= *room)
		return;
	while (*room < need)
		*room = *room ? 2 * *room : 4096;
	*at = realloc(*at, *room);
	if (*at == NULL)
		abort();
}

static void put(struct source *s, const void *at, size_t len)
{
	grow(&s->out, &s->out_room, s->out_len + len);
	memcpy(s->out + s->out_len, at, len);
	s->out_len += len;
}

static void say(struct source *s, const struct shoal_wire_msg *msg)
{
	uint8_t buf[SHOAL_WIRE_PIECE_HEAD + SHOAL_WIRE_BLOCK_MAX];
	ptrdiff_t n = shoal_wire_encode(msg, (struct shoal_space){ buf, sizeof buf });
	if (n < 0)
		abort();
	put(s, buf, (size_t)n);
}

/* ---- the node's end ---------------------------------------------------------------------- */

static struct source *source_of(struct shoal_transport *t)
{
	return (struct source *)(void *)t; /* its first member */
}

static ptrdiff_t t_recv(struct shoal_transport *t, const struct shoal_space v[], size_t n)
{
	struct source *s = source_of(t);
	size_t got = 0;
	for (size_t i = 0; i < n && s->out_at < s->out_len; i++) {
		size_t len = s->out_len - s->out_at < v[i].len ? s->out_len - s->out_at : v[i].len;
		memcpy(v[i].at, s->out + s->out_at, len);
		s->out_at += len;
		got += len;
	}
	if (s->out_at == s->out_len)
		s->out_at = s->out_len = 0;
	return (ptrdiff_t)got;
}

static ptrdiff_t t_send(struct shoal_transport *t, const struct shoal_bytes v[], size_t n, bool more)
{
	struct source *s = source_of(t);
	size_t sent = 0;
	(void)more;
	for (size_t i = 0; i < n; i++) {
		grow(&s->in, &s->in_room, s->in_len + v[i].len);
		if (v[i].len)
			memcpy(s->in + s->in_len, v[i].at, v[i].len);
		s->in_len += v[i].len;
		sent += v[i].len;
	}
	return (ptrdiff_t)sent;
}

static void t_want(struct shoal_transport *t, unsigned what)
{
	source_of(t)->wants = what;
}

static void t_close(struct shoal_transport *t)
{
	source_of(t)->open = false;
}

static const struct shoal_transport_ops transport_ops = {
	.name = "source",
	.recv = t_recv,
	.send = t_send,
	.want = t_want,
	.close = t_close,
};

/* ---- ours ---------------------------------------------------------------------------------- */

void source_init(struct source *s, const struct shoal_metainfo *mi, const uint8_t *stream, struct shoal_rng rng,
		 uint32_t bad)
{
	*s = (struct source){ .transport.ops = &transport_ops, .mi = mi, .stream = stream, .rng = rng, .bad = bad };
	s->asked = calloc((size_t)shoal_metainfo_piece_count(mi) + 1, sizeof *s->asked);
	if (s->asked == NULL)
		abort();
}

void source_fini(struct source *s)
{
	free(s->asked);
	free(s->in);
	free(s->out);
}

struct shoal_transport *source_connect(struct source *s)
{
	struct shoal_wire_handshake hs = { .can = SHOAL_CAN_FAST };
	uint8_t raw[SHOAL_WIRE_HANDSHAKE_LEN];
	s->open = true;
	s->greeted = false;
	s->in_len = s->out_at = s->out_len = 0;
	if (shoal_metainfo_hash_v1(s->mi) != NULL) {
		hs.info_hash = *shoal_metainfo_hash_v1(s->mi);
	} else {
		memcpy(hs.info_hash.b, shoal_metainfo_hash_v2(s->mi)->b, 20);
		hs.can |= SHOAL_CAN_V2;
	}
	memcpy(hs.peer_id.b, "-ST0001-", 8);
	for (int i = 8; i < 20; i++)
		hs.peer_id.b[i] = (uint8_t)shoal_rng_next(&s->rng);
	shoal_wire_handshake_encode(&hs, raw);
	put(s, raw, sizeof raw);
	say(s, &(struct shoal_wire_msg){ .id = SHOAL_WIRE_HAVE_ALL });
	say(s, &(struct shoal_wire_msg){ .id = SHOAL_WIRE_UNCHOKE });
	s->transport.node_peer = NULL;
	return &s->transport;
}

static bool send_block(struct source *s, const struct shoal_wire_msg *ask)
{
	uint8_t block[SHOAL_WIRE_BLOCK_MAX];
	if (ask->index >= shoal_metainfo_piece_count(s->mi) || ask->len > sizeof block ||
	    ask->begin + (uint64_t)ask->len > shoal_metainfo_piece_bytes(s->mi, ask->index))
		return false;
	uint64_t at = (uint64_t)ask->index * shoal_metainfo_piece_size(s->mi) + ask->begin;
	memcpy(block, s->stream + at, ask->len);
	if (shoal_rng_below(&s->rng, 1000) < s->bad && ask->len)
		block[shoal_rng_below(&s->rng, ask->len)] ^= 1;
	s->asked[ask->index]++;
	say(s, &(struct shoal_wire_msg){
		       .id = SHOAL_WIRE_PIECE, .index = ask->index, .begin = ask->begin, .body = { block, ask->len } });
	return true;
}

bool source_turn(struct source *s, uint32_t blocks)
{
	size_t at = 0;
	bool good = true;
	if (!s->open)
		return false;
	if (!s->greeted) {
		if (s->in_len < SHOAL_WIRE_HANDSHAKE_LEN)
			return true;
		s->greeted = true;
		at = SHOAL_WIRE_HANDSHAKE_LEN;
	}
	while (good && blocks > 0) {
		struct shoal_wire_msg msg;
		ptrdiff_t n = shoal_wire_decode((struct shoal_bytes){ s->in + at, s->in_len - at }, 1u << 20, &msg);
		if (n == 0)
			break;
		if (n < 0)
			return false;
		at += (size_t)n;
		if (msg.id == SHOAL_WIRE_REQUEST) {
			good = send_block(s, &msg);
			blocks--;
		}
	}
	memmove(s->in, s->in + at, s->in_len - at);
	s->in_len -= at;
	return good;
}

size_t source_waiting(const struct source *s)
{
	return s->out_len - s->out_at;
}
