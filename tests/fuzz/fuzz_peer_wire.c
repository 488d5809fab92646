/*
 * fuzz_peer_wire.c - a peer's stream, cut and forecast as the input says, against the same stream in one piece.
 *
 *	byte 0		terms: 1 fast, 2 extended, 4 v2; 8: no handshake is put in front
 *	bytes 1, 2	pieces of the torrent (0: not known)
 *	byte 3		how many control bytes follow; they are used in turn: cuts, forecasts, landings
 *	the rest	the stream, as orders: copy some bytes, or make up a message too large for a fuzzer to find
 *
 * The oracle decodes the whole stream with wire.h alone. Fed in parts, once without a forecast and once with, the
 * machine must tell the same messages and blocks, end in the same error, and leave every block's bytes where it
 * said, whatever came later.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/peer_wire.h"

#define STREAM_MAX (96u * 1024)
#define EVENTS_MAX 4096
#define READS_MAX 1000 /* after that, all at once */

struct seen {
	enum shoal_pw_event_kind kind;
	size_t at, len; /* of the message, or of the block's bytes, in the stream */
	uint8_t *place; /* blocks */
	bool landed;
	bool ours; /* the place was taken back: nobody else may write there */
};
struct run {
	uint8_t *stream;
	size_t len;
	unsigned terms;
	uint32_t pieces;
	const uint8_t *ctl;
	size_t ctl_len, ctl_at;
	struct seen seen[EVENTS_MAX];
	size_t count, next;
	int end; /* the oracle's error, or 0 */
	uint8_t *fake[4];
	uint8_t *bounce, *again;
};

static uint8_t control(struct run *r)
{
	return r->ctl_len ? r->ctl[r->ctl_at++ % r->ctl_len] : 0;
}

static void put(struct run *r, const void *at, size_t len)
{
	if (len > STREAM_MAX - r->len)
		len = STREAM_MAX - r->len;
	memcpy(r->stream + r->len, at, len);
	r->len += len;
}

/* A message of `id` whose length says `len`, and `body` bytes of it. */
static void make_up(struct run *r, uint8_t id, uint32_t len, size_t body, uint8_t salt)
{
	static uint8_t filler[17000];
	uint8_t head[5];
	shoal_put_u32(head, len);
	head[4] = id;
	put(r, head, sizeof head);
	for (size_t i = 0; i < sizeof filler; i++)
		filler[i] = (uint8_t)(i * 7 + (i >> 8) + salt);
	for (; body > 0; body -= body < sizeof filler ? body : sizeof filler)
		put(r, filler, body < sizeof filler ? body : sizeof filler);
}

static void write_stream(struct run *r, const uint8_t *in, size_t len)
{
	if (!(r->terms & 8)) {
		struct shoal_wire_handshake hs = { .can = r->terms & 7 };
		uint8_t raw[SHOAL_WIRE_HANDSHAKE_LEN];
		shoal_wire_handshake_encode(&hs, raw);
		put(r, raw, sizeof raw);
	}
	while (len >= 3) {
		uint8_t order = in[0], a = in[1], b = in[2];
		in += 3;
		len -= 3;
		if (order < 96) { /* the input's own bytes */
			size_t n = 1u + a % 32u;
			n = n < len ? n : len;
			put(r, in, n);
			in += n;
			len -= n;
		} else if (order < 176) { /* a block */
			uint32_t size = b & 1 ? SHOAL_WIRE_BLOCK_MAX : 1 + (b * 65u) % SHOAL_WIRE_BLOCK_MAX;
			uint8_t head[SHOAL_WIRE_PIECE_HEAD];
			size_t from = r->len;
			make_up(r, SHOAL_WIRE_PIECE, 9 + size, 8 + size, order);
			shoal_wire_piece_head(head, a, (b & 0xe) * 8192u, size);
			if (r->len - from >= sizeof head)
				memcpy(r->stream + from, head, sizeof head);
		} else if (order < 216) { /* a whole message of its id's usual length */
			static const uint8_t ids[] = { 0, 1, 4, 6, 8, 9, 13, 14, 16, 17, 21, 23, 2, 3, 15, 200 };
			static const uint8_t body[] = { 0, 0, 4, 12, 12, 2, 4, 0, 12, 4, 48, 48, 0, 0, 0, 3 };
			make_up(r, ids[a % 16], 1u + body[a % 16], body[a % 16], b);
		} else if (order < 236) { /* a long one */
			static const uint8_t ids[] = { 5, 20, 22, 99 };
			uint32_t body = (uint32_t)a << 8 | b;
			if (ids[order % 4] == 22)
				body = 48 + body / 32 * 32;
			make_up(r, ids[order % 4], 1 + body, body, order);
		} else { /* keep-alives */
			for (int i = 0; i <= a % 8; i++)
				put(r, "\0\0\0", 4);
		}
	}
}

static bool legal(const struct run *r, uint8_t id, uint32_t len)
{
	if (id == 5 && r->pieces > 0)
		return len - 1 == (r->pieces + 7) / 8;
	if (id >= 13 && id <= 17)
		return r->terms & 1;
	if (id == 20)
		return r->terms & 2;
	if (id >= 21 && id <= 23)
		return r->terms & 4;
	return true;
}

static void see(struct run *r, enum shoal_pw_event_kind kind, size_t at, size_t len)
{
	if (r->count == EVENTS_MAX) {
		r->end = 1; /* too long a tale: the caller gives up */
		return;
	}
	r->seen[r->count++] = (struct seen){ .kind = kind, .at = at, .len = len };
}

static void oracle(struct run *r)
{
	static const char protocol[] = "\023BitTorrent protocol";
	size_t at = SHOAL_WIRE_HANDSHAKE_LEN;

	if (memcmp(r->stream, protocol, r->len < 20 ? r->len : 20) != 0) {
		r->end = SHOAL_ERR_MALFORMED;
		return;
	}
	if (r->len >= SHOAL_WIRE_HANDSHAKE_HEAD)
		see(r, SHOAL_PW_HANDSHAKE, 0, SHOAL_WIRE_HANDSHAKE_HEAD);
	if (r->len < SHOAL_WIRE_HANDSHAKE_LEN)
		return;
	see(r, SHOAL_PW_PEER_ID, SHOAL_WIRE_HANDSHAKE_HEAD, 20);
	while (at < r->len && r->end == 0) {
		struct shoal_wire_msg msg;
		size_t left = r->len - at;
		ptrdiff_t n = shoal_wire_decode(shoal_bytes(r->stream + at, left), SIZE_MAX, &msg);
		uint32_t len = left >= 4 ? shoal_get_u32(r->stream + at) : 0;
		if (n < 0)
			r->end = (int)n;
		else if (len > 0 && left >= 5 && !legal(r, r->stream[at + 4], len))
			r->end = SHOAL_ERR_MALFORMED;
		if (n <= 0 || r->end != 0)
			return;
		if (msg.id == SHOAL_WIRE_PIECE)
			see(r, SHOAL_PW_BLOCK, at + SHOAL_WIRE_PIECE_HEAD, msg.body.len);
		else
			see(r, SHOAL_PW_MESSAGE, at, (size_t)n);
		at += (size_t)n;
	}
}

/* The next block in the stream, from event `i` on. */
static struct seen *next_block(struct run *r, size_t *i)
{
	for (; *i < r->count; ++*i)
		if (r->seen[*i].kind == SHOAL_PW_BLOCK)
			return &r->seen[(*i)++];
	return NULL;
}

static void get_head(const struct run *r, const struct seen *s, uint32_t *piece, uint32_t *begin)
{
	*piece = shoal_get_u32(r->stream + s->at - 8);
	*begin = shoal_get_u32(r->stream + s->at - 4);
}

/* The place is the owner's again, and it uses it at once. */
static void take_back(struct shoal_pw *pw, struct seen *s)
{
	if (s->kind != SHOAL_PW_BLOCK)
		return;
	shoal_pw_unland(pw, s->place);
	memset(s->place, 0xee, s->len);
	s->ours = true;
}

static void lend(struct seen *s)
{
	for (size_t i = 0; s->ours && i < s->len; i++)
		assert(s->place[i] == 0xee);
	s->ours = false;
}

static void on_event(struct run *r, struct shoal_pw *pw, const struct shoal_pw_event *ev)
{
	uint32_t piece, begin;

	if (ev->kind == SHOAL_PW_BLOCK_BEGIN) {
		size_t i = r->next;
		struct seen *s = next_block(r, &i);
		/* The last block may begin and never end: the oracle does not tell of that one. */
		uint8_t *place = s != NULL && s == &r->seen[r->next] ? s->place : NULL;
		uint8_t dice = control(r);
		if (dice % 8 == 1)
			place = NULL;
		if (dice % 8 != 2 && place != NULL)
			lend(s);
		if (dice % 8 != 2)
			shoal_pw_land(pw, place);
		return;
	}
	assert(r->next < r->count);
	struct seen *s = &r->seen[r->next++];
	assert(ev->kind == s->kind);
	switch (ev->kind) {
	case SHOAL_PW_HANDSHAKE: shoal_pw_terms(pw, r->pieces, r->terms & 1, r->terms & 2, r->terms & 4); break;
	case SHOAL_PW_PEER_ID: assert(memcmp(ev->handshake.peer_id.b, r->stream + s->at, 20) == 0); break;
	case SHOAL_PW_MESSAGE:
		assert(shoal_wire_encode(&ev->msg, (struct shoal_space){ r->again, s->len }) == (ptrdiff_t)s->len);
		assert(memcmp(r->again, r->stream + s->at, s->len) == 0);
		/* A CHOKE, say: blocks asked for are no longer, whatever of them has come already. */
		for (size_t i = r->next; i < r->count && i < r->next + 20 && control(r) % 4 == 1; i++)
			take_back(pw, &r->seen[i]);
		break;
	case SHOAL_PW_BLOCK:
		get_head(r, s, &piece, &begin);
		assert(ev->msg.index == piece && ev->msg.begin == begin && ev->len == s->len);
		if (ev->at == NULL)
			break;
		/* Of two blocks with one header, or a lie that came true, either place is right. */
		assert(memcmp(ev->at, r->stream + s->at, s->len) == 0);
		s->landed = ev->at == s->place;
		break;
	case SHOAL_PW_BLOCK_BEGIN: break;
	}
}

/* What the owner may think comes next: mostly the truth, with gaps, lies and swaps. */
static void forecast(struct run *r, struct shoal_pw *pw)
{
	struct shoal_pw_expect want[SHOAL_PW_FORECAST + 1];
	size_t n = 0, i = r->next, fakes = 0;
	uint8_t dice = control(r), kind = dice % 4;
	struct seen *s;

	if (kind == 0)
		return;
	while (n < (size_t)(dice >> 4) + 1 && (s = next_block(r, &i)) != NULL) {
		uint32_t piece, begin;
		uint8_t what = kind == 1 ? 0 : control(r);
		get_head(r, s, &piece, &begin);
		if (what % 8 == 1)
			continue;
		if (what % 8 == 2 && fakes < 4) {
			want[n++] = (struct shoal_pw_expect){ piece ^ 1, begin, (uint32_t)s->len, r->fake[fakes++] };
			continue;
		}
		lend(s);
		want[n++] = (struct shoal_pw_expect){ piece, begin, (uint32_t)s->len, s->place };
	}
	if (kind == 3 && n > 1) {
		struct shoal_pw_expect t = want[0];
		want[0] = want[n - 1];
		want[n - 1] = t;
	}
	shoal_pw_forecast(pw, want, n);
}

static size_t cut_of(uint8_t dice)
{
	switch (dice % 5) {
	case 0: return 1 + dice / 5;
	case 1: return 1 + (size_t)dice * 16;
	case 2: return 16397 + (size_t)dice % 32;
	case 3: return 16397 * (1 + (size_t)dice / 16);
	default: return SIZE_MAX;
	}
}

static void replay(struct run *r, bool foresee)
{
	struct shoal_pw *pw;
	struct shoal_pw_event ev;
	size_t at = 0, rest;
	int rc = 0;

	r->next = r->ctl_at = 0;
	for (size_t i = 0; i < r->count; i++)
		r->seen[i].landed = r->seen[i].ours = false;
	if (shoal_pw_new(&pw, 1) < 0)
		abort();
	rest = shoal_pw_bytes(pw);
	for (int reads = 0; at < r->len && rc == 0; reads++) {
		struct shoal_space v[SHOAL_PW_SPANS];
		size_t most = reads < READS_MAX ? cut_of(control(r)) : SIZE_MAX, took = 0;
		if (foresee)
			forecast(r, pw);
		if (foresee && control(r) % 16 == 1 && r->next < r->count)
			take_back(pw, &r->seen[r->next]);
		size_t n = shoal_pw_space(pw, v, control(r) % 8 ? SHOAL_PW_SPANS : 1 + control(r) % SHOAL_PW_SPANS);
		assert(n > 0);
		most = most < r->len - at ? most : r->len - at;
		for (size_t i = 0; i < n && took < most; i++) {
			size_t part = v[i].len < most - took ? v[i].len : most - took;
			memcpy(v[i].at, r->stream + at + took, part);
			took += part;
		}
		assert(took > 0);
		at += took;
		shoal_pw_filled(pw, took, r->bounce, 2 + (shoal_us)reads);
		while ((rc = shoal_pw_poll(pw, &ev)) > 0)
			on_event(r, pw, &ev);
		assert(rc < 0 || shoal_pw_bytes(pw) - rest <= 2 * at);
	}
	assert(rc == r->end && r->next == r->count);
	for (size_t i = 0; i < r->count; i++) /* ... and nothing was written there after its event */
		if (r->seen[i].ours)
			lend(&r->seen[i]);
		else if (r->seen[i].landed)
			assert(memcmp(r->seen[i].place, r->stream + r->seen[i].at, r->seen[i].len) == 0);
	shoal_pw_free(pw);
}

static void *must(void *at)
{
	if (at == NULL)
		abort();
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	if (len < 4 || (size_t)in[3] + 4 > len)
		return 0;
	struct run *r = must(calloc(1, sizeof *r));
	r->stream = must(malloc(STREAM_MAX));
	r->bounce = must(malloc(SHOAL_PW_BOUNCE));
	r->again = must(malloc(STREAM_MAX));
	r->terms = in[0] & 15;
	r->pieces = (uint32_t)in[1] << 8 | in[2];
	r->ctl = in + 4;
	r->ctl_len = in[3];
	write_stream(r, in + 4 + in[3], len - 4 - in[3]);
	oracle(r);
	for (size_t i = 0; i < r->count; i++)
		if (r->seen[i].kind == SHOAL_PW_BLOCK)
			r->seen[i].place = must(malloc(r->seen[i].len));
	for (size_t i = 0; i < 4; i++)
		r->fake[i] = must(malloc(SHOAL_WIRE_BLOCK_MAX));
	if (r->end != 1 && r->len > 0) {
		replay(r, false);
		replay(r, true);
	}
	for (size_t i = 0; i < r->count; i++)
		free(r->seen[i].place);
	for (size_t i = 0; i < 4; i++)
		free(r->fake[i]);
	free(r->again);
	free(r->bounce);
	free(r->stream);
	free(r);
	return 0;
}
