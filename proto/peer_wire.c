/*
 * proto/peer_wire.c - the half of a peer's stream that comes in.
 *
 * Bytes are read in two ways. The *layout* is what the last space() offered:
 * the rest of whatever is half here, then header area and place for each
 * block forecast, then buf. While each header turns out as forecast, poll()
 * only walks it. From the first other header on, the bytes (which lie where
 * blocks should) are gathered into the owner's bounce and become the *flat*
 * run that the ordinary parser reads; so do bytes in buf. At rest, flat is
 * what buf holds: part of a handshake, of a small message or of a header.
 */
#include <assert.h>
#include <stdlib.h>

#include "proto/base/fetch.h"
#include "proto/peer_wire_room.h"

#define LEN_MAX (2 + SHOAL_WIRE_EXT_MAX) /* what no length prefix may pass */

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

int shoal_pw_new(struct shoal_pw **out, shoal_us now)
{
	struct shoal_pw *pw = calloc(1, sizeof *pw);
	if (pw == NULL)
		return SHOAL_ERR_NOMEM;
	pw->heard = pw->spoke = now;
	pw->flat.at = pw->buf;
	pw->block_head = UINT32_MAX;
	*out = pw;
	return SHOAL_OK;
}

static void slow_free(struct shoal_pw *pw)
{
	free(pw->slow.at);
	memset(&pw->slow, 0, sizeof pw->slow);
}

void shoal_pw_free(struct shoal_pw *pw)
{
	if (pw == NULL)
		return;
	slow_free(pw);
	pw_out_fini(&pw->out);
	free(pw);
}

size_t shoal_pw_bytes(const struct shoal_pw *pw)
{
	return sizeof *pw + pw->slow.room + pw_out_bytes(&pw->out);
}

size_t shoal_pw_long(const struct shoal_pw *pw)
{
	return pw->slow.room;
}

void shoal_pw_foresee(const struct shoal_pw *pw)
{
	/* Of the forecast its beginning: of most peers one block comes at a time. */
	shoal_fetch(pw, offsetof(struct shoal_pw, want) + 3 * sizeof pw->want[0]);
	shoal_fetch(pw->heads, sizeof pw->heads[0]);
}

void shoal_pw_heads(struct shoal_pw *pw, uint32_t head)
{
	pw->block_head = head;
}

void shoal_pw_terms(struct shoal_pw *pw, uint32_t pieces, bool fast, bool extended, bool v2)
{
	pw->pieces = pieces;
	pw->fast = fast;
	pw->extended = extended;
	pw->v2 = v2;
}

static int die(struct shoal_pw *pw, int why)
{
	pw->state = PW_DEAD;
	pw->why = why;
	pw->bounce = NULL;
	pw->flat = shoal_bytes(pw->buf, 0);
	pw->block.on = pw->block.asking = false;
	pw->want_first = pw->want_count = 0;
	pw->partial_since = 0;
	memset(&pw->lay, 0, sizeof pw->lay);
	slow_free(pw);
	return why;
}

/* ---- the forecast and the layout ---- */

/* Whether two places share a byte of memory. */
static bool overlap(const struct shoal_pw *pw, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
	return x < y + min_size(b_len, pw->block_head) && y < x + min_size(a_len, pw->block_head);
}

static void want_head(const struct shoal_pw_expect *want, uint8_t head[SHOAL_WIRE_PIECE_HEAD])
{
	shoal_wire_piece_head(head, want->piece, want->begin, want->len);
}

size_t shoal_pw_forecast(struct shoal_pw *pw, const struct shoal_pw_expect want[], size_t n)
{
	size_t i;

	assert(pw->lay.left == 0 && pw->bounce == NULL); /* poll() has returned 0 */
	pw->want_first = pw->want_count = 0;
	if (pw->state == PW_DEAD)
		return 0;
	for (i = 0; i < n && pw->want_count < SHOAL_PW_FORECAST; i++) {
		const struct shoal_pw_expect *w = &want[i];
		if (w->len == 0 || w->len > SHOAL_WIRE_BLOCK_MAX || w->at == NULL)
			break;
		/* The owner is not told when a forecast block begins, so it may well name
		 * the one now landing again; nothing else may come to lie there. */
		if (pw->block.on && pw->block.at != NULL && overlap(pw, w->at, w->len, pw->block.at, pw->block.len))
			continue;
		pw->want[pw->want_count++] = *w;
	}
	return i;
}

/*
 * The one message that is half in buf, when what ends it is known: it is
 * small, and no PIECE (whose landing could change the forecast behind it).
 */
static size_t small_rest(const struct shoal_pw *pw)
{
	if (pw->flat.len < 5 || pw->flat.at[4] == SHOAL_WIRE_PIECE)
		return 0;
	size_t total = 4 + (size_t)shoal_get_u32(pw->flat.at);
	return total <= SHOAL_PW_BUF ? total - pw->flat.len : 0;
}

/* Whether the unread bytes begin the first header forecast. */
static bool begins_forecast(const struct shoal_pw *pw)
{
	uint8_t head[SHOAL_WIRE_PIECE_HEAD];
	if (pw->want_first == pw->want_count || pw->flat.len >= sizeof head)
		return false;
	want_head(&pw->want[pw->want_first], head);
	return memcmp(pw->flat.at, head, pw->flat.len) == 0;
}

size_t shoal_pw_space(struct shoal_pw *pw, struct shoal_space out[], size_t max)
{
	struct shoal_space rest = { NULL, 0 };
	bool foresee = pw->state == PW_STREAM, in_buf = false;
	size_t n = 0;

	memset(&pw->lay, 0, sizeof pw->lay);
	if (pw->state == PW_DEAD || max == 0)
		return 0;
	if (pw->block.on) {
		if (pw->block.at != NULL)
			rest = (struct shoal_space){ pw->block.at + pw->block.done, pw->block.len - pw->block.done };
		else
			foresee = false; /* what is dropped passes through buf */
	} else if (pw->slow.at != NULL) {
		rest = (struct shoal_space){ pw->slow.at + pw->slow.have, pw->slow.room - pw->slow.have };
		if (pw->slow.room < pw->slow.total)
			max = 1;
	} else if (foresee && pw->flat.len > 0 && begins_forecast(pw)) {
		memcpy(pw->heads[0], pw->flat.at, pw->flat.len);
		pw->lay.head_have = (uint32_t)pw->flat.len;
	} else if (foresee && pw->flat.len > 0) {
		rest = (struct shoal_space){ pw->buf + pw->flat.len, small_rest(pw) };
		foresee = in_buf = rest.len > 0;
	}

	pw->lay.tail_off = pw->flat.len;
	if (rest.len > 0) {
		out[n++] = rest;
		pw->lay.rest = rest.len;
		if (in_buf)
			pw->lay.tail_off += rest.len;
	}
	for (uint32_t w = pw->want_first; foresee && w < pw->want_count && n + 2 <= max; w++) {
		uint32_t have = pw->lay.heads == 0 ? pw->lay.head_have : 0;
		out[n++] = (struct shoal_space){ pw->heads[pw->lay.heads] + have, SHOAL_WIRE_PIECE_HEAD - have };
		out[n++] = (struct shoal_space){ pw->want[w].at, pw->want[w].len };
		pw->lay.heads++;
	}
	/* Behind a full forecast most likely comes one more block, and behind a part of it the next: it is better left
	 * to the next read, which can put it in its place, than begun in buf. */
	bool part = foresee && n > 0 && pw->want_first + pw->lay.heads < pw->want_count;
	if (n < max && !part && pw->lay.heads < SHOAL_PW_FORECAST && pw->lay.tail_off < sizeof pw->buf)
		out[n++] = (struct shoal_space){ pw->buf + pw->lay.tail_off, sizeof pw->buf - pw->lay.tail_off };
	for (size_t i = 0; i < n; i++)
		pw->lay.total += out[i].len;
	return n;
}

void shoal_pw_filled(struct shoal_pw *pw, size_t n, uint8_t *bounce, shoal_us now)
{
	assert(n <= pw->lay.total);
	pw->lay.total = 0;
	if (n == 0)
		return;
	pw->lay.left = n;
	pw->bounce = bounce;
	pw->heard = now;
}

/* ---- events ---- */

static int emit_block(struct shoal_pw *pw, struct shoal_pw_event *ev)
{
	*ev = (struct shoal_pw_event){
		.kind = SHOAL_PW_BLOCK,
		.msg = { .id = SHOAL_WIRE_PIECE, .index = pw->block.piece, .begin = pw->block.begin },
		.len = pw->block.len,
		.at = pw->block.at,
		.forecast = pw->block.forecast,
	};
	pw->block.on = false;
	pw->fresh = true;
	return 1;
}

static void begin_forecast(struct shoal_pw *pw)
{
	const struct shoal_pw_expect *w = &pw->want[pw->want_first++];
	pw->block.on = pw->block.forecast = true;
	pw->block.asking = false;
	pw->block.at = w->at;
	pw->block.piece = w->piece;
	pw->block.begin = w->begin;
	pw->block.len = w->len;
	pw->block.done = 0;
}

static void want_drop(struct shoal_pw *pw, uint32_t i)
{
	pw->want_count--;
	memmove(&pw->want[i], &pw->want[i + 1], (pw->want_count - i) * sizeof pw->want[0]);
}

void shoal_pw_land(struct shoal_pw *pw, uint8_t *at)
{
	if (!pw->block.on || !pw->block.asking)
		return;
	pw->block.asking = false;
	pw->block.at = at;
	/* A place where a block has landed is never laid out again: the bytes are the owner's
	 * from the block's event on. */
	for (uint32_t i = pw->want_count; at != NULL && i-- > pw->want_first;)
		if (overlap(pw, at, pw->block.len, pw->want[i].at, pw->want[i].len))
			want_drop(pw, i);
}

/* From the header `head` on, what came does not lie where it belongs (or may not stay there). */
static void gather(struct shoal_pw *pw)
{
	uint8_t *to = pw->bounce;

	assert(to != NULL);
	for (uint32_t w = pw->want_first; pw->lay.left > 0 && pw->lay.head < pw->lay.heads; w++, pw->lay.head++) {
		size_t have = pw->lay.head == 0 ? pw->lay.head_have : 0;
		size_t n = min_size(pw->lay.left, SHOAL_WIRE_PIECE_HEAD - have);
		memcpy(to, pw->heads[pw->lay.head], have + n);
		to += have + n;
		pw->lay.left -= n;
		n = min_size(pw->lay.left, pw->want[w].len);
		memcpy(to, pw->want[w].at, min_size(n, pw->block_head));
		to += n;
		pw->lay.left -= n;
	}
	memcpy(to, pw->buf + pw->lay.tail_off, pw->lay.left);
	to += pw->lay.left;
	pw->lay.left = 0;
	pw->flat = shoal_bytes(pw->bounce, (size_t)(to - pw->bounce));
}

void shoal_pw_unland(struct shoal_pw *pw, const uint8_t *at)
{
	if (at == NULL)
		return;
	pw->lay.total = 0; /* the layout is void: ask space() again */
	if (pw->block.on && pw->block.at == at)
		pw->block.at = NULL;
	for (uint32_t i = pw->want_count; i-- > pw->want_first;) {
		if (pw->want[i].at != at)
			continue;
		/* In the midst of a read the place may hold bytes not yet looked at. */
		if (pw->lay.left > 0)
			gather(pw);
		want_drop(pw, i);
	}
}

/* ---- the flat run ---- */

static void flat_skip(struct shoal_pw *pw, size_t n)
{
	pw->flat.at += n;
	pw->flat.len -= n;
}

/* Whether the terms of this connection allow message `id` of `len` (id included). */
static int check_terms(const struct shoal_pw *pw, uint8_t id, uint32_t len)
{
	bool legal = true;

	switch (id) {
	case SHOAL_WIRE_BITFIELD: legal = pw->pieces == 0 || len - 1 == pw->pieces / 8 + (pw->pieces % 8 != 0); break;
	case SHOAL_WIRE_SUGGEST:
	case SHOAL_WIRE_HAVE_ALL:
	case SHOAL_WIRE_HAVE_NONE:
	case SHOAL_WIRE_REJECT:
	case SHOAL_WIRE_ALLOWED_FAST: legal = pw->fast; break;
	case SHOAL_WIRE_EXTENDED: legal = pw->extended; break;
	case SHOAL_WIRE_HASH_REQUEST:
	case SHOAL_WIRE_HASHES:
	case SHOAL_WIRE_HASH_REJECT: legal = pw->v2; break;
	}
	return legal ? SHOAL_OK : SHOAL_ERR_MALFORMED;
}

static int parse_handshake(struct shoal_pw *pw, struct shoal_pw_event *ev)
{
	struct shoal_wire_handshake *hs = &pw->handshake;

	if (pw->state == PW_HEAD) {
		size_t n = min_size(pw->flat.len, sizeof SHOAL_WIRE_PROTOCOL - 1);
		/* Whoever speaks something else is told so by its first wrong byte, not by a timeout. */
		if (memcmp(pw->flat.at, SHOAL_WIRE_PROTOCOL, n) != 0)
			return die(pw, SHOAL_ERR_MALFORMED);
		if (pw->flat.len < SHOAL_WIRE_HANDSHAKE_HEAD)
			return 0;
		int rc = shoal_wire_handshake_decode(shoal_bytes(pw->flat.at, SHOAL_WIRE_HANDSHAKE_HEAD), hs);
		if (rc < 0)
			return die(pw, rc);
		flat_skip(pw, SHOAL_WIRE_HANDSHAKE_HEAD);
		pw->state = PW_PEER_ID;
		*ev = (struct shoal_pw_event){ .kind = SHOAL_PW_HANDSHAKE, .handshake = *hs };
		return 1;
	}
	if (pw->flat.len < sizeof hs->peer_id.b)
		return 0;
	memcpy(hs->peer_id.b, pw->flat.at, sizeof hs->peer_id.b);
	flat_skip(pw, sizeof hs->peer_id.b);
	pw->state = PW_STREAM;
	pw->fresh = true;
	*ev = (struct shoal_pw_event){ .kind = SHOAL_PW_PEER_ID, .handshake = *hs };
	return 1;
}

/* The flat run goes on inside a block: into its place, or away. */
static int parse_block(struct shoal_pw *pw, struct shoal_pw_event *ev)
{
	size_t n = min_size(pw->flat.len, pw->block.len - pw->block.done);
	size_t head = pw->block.done < pw->block_head ? min_size(n, pw->block_head - pw->block.done) : 0;
	if (head > 0 && pw->block.at != NULL)
		memcpy(pw->block.at + pw->block.done, pw->flat.at, head);
	flat_skip(pw, n);
	pw->block.done += (uint32_t)n;
	return pw->block.done == pw->block.len ? emit_block(pw, ev) : 0;
}

/* A PIECE header at the front of the flat run. 1: BLOCK_BEGIN is in *ev; 0: it was forecast and has its place. */
static int parse_piece_head(struct shoal_pw *pw, struct shoal_pw_event *ev)
{
	uint32_t len = shoal_get_u32(pw->flat.at) - 9;
	uint32_t piece = shoal_get_u32(pw->flat.at + 5), begin = shoal_get_u32(pw->flat.at + 9);

	flat_skip(pw, SHOAL_WIRE_PIECE_HEAD);
	for (uint32_t i = pw->want_first; i < pw->want_count; i++) {
		const struct shoal_pw_expect *w = &pw->want[i];
		if (w->piece != piece || w->begin != begin || w->len != len)
			continue;
		if (i == pw->want_first) {
			begin_forecast(pw);
			return 0;
		}
		want_drop(pw, i); /* out of turn: the owner says anew where it goes */
		break;
	}
	pw->block.on = pw->block.asking = true;
	pw->block.forecast = false;
	pw->block.at = NULL;
	pw->block.piece = piece;
	pw->block.begin = begin;
	pw->block.len = len;
	pw->block.done = 0;
	*ev = (struct shoal_pw_event){
		.kind = SHOAL_PW_BLOCK_BEGIN,
		.msg = { .id = SHOAL_WIRE_PIECE, .index = piece, .begin = begin },
		.len = len,
	};
	return 1;
}

/* 1: an event; 0: the flat run ends before the next one does; < 0: dead. */
static int parse(struct shoal_pw *pw, struct shoal_pw_event *ev)
{
	struct shoal_wire_msg msg;

	if (pw->state != PW_STREAM)
		return parse_handshake(pw, ev);
	if (pw->block.on)
		return parse_block(pw, ev);
	ptrdiff_t used = shoal_wire_decode(pw->flat, LEN_MAX, &msg);
	if (used < 0)
		return die(pw, (int)used);
	uint32_t len = pw->flat.len >= 4 ? shoal_get_u32(pw->flat.at) : 0;
	if (len > 0 && pw->flat.len >= 5) {
		uint8_t id = pw->flat.at[4];
		int rc = check_terms(pw, id, len);
		if (rc < 0)
			return die(pw, rc);
		if (id == SHOAL_WIRE_PIECE) {
			if (pw->flat.len < SHOAL_WIRE_PIECE_HEAD)
				return 0;
			return parse_piece_head(pw, ev) ? 1 : parse_block(pw, ev);
		}
	}
	if (used == 0)
		return 0;
	flat_skip(pw, (size_t)used);
	pw->fresh = true;
	*ev = (struct shoal_pw_event){ .kind = SHOAL_PW_MESSAGE, .msg = msg };
	return 1;
}

/* ---- the layout ---- */

/* What was half here goes on in the layout's first span. */
static int walk_rest(struct shoal_pw *pw, struct shoal_pw_event *ev)
{
	size_t n = min_size(pw->lay.rest, pw->lay.left);
	pw->lay.rest -= n;
	pw->lay.left -= n;
	if (pw->block.on) {
		pw->block.done += (uint32_t)n;
		return pw->block.done == pw->block.len ? emit_block(pw, ev) : 0;
	}
	if (pw->slow.at != NULL) {
		pw->slow.have += n;
		if (pw->slow.have < pw->slow.total)
			return 0;
		pw->slow.told = true;
		pw->flat = shoal_bytes(pw->slow.at, pw->slow.total);
	} else {
		pw->flat.len += n;
		if (pw->lay.rest > 0)
			return 0;
	}
	return parse(pw, ev);
}

/* 1: an event; 0: the layout is used up, and what is left is flat; < 0: dead. */
static int walk(struct shoal_pw *pw, struct shoal_pw_event *ev)
{
	if (pw->lay.rest > 0) {
		int rc = walk_rest(pw, ev);
		if (rc != 0)
			return rc;
	}
	while (pw->lay.left > 0 && pw->lay.head < pw->lay.heads) {
		uint8_t want[SHOAL_WIRE_PIECE_HEAD];
		const uint8_t *head = pw->heads[pw->lay.head];
		size_t need = sizeof want - (pw->lay.head == 0 ? pw->lay.head_have : 0);

		if (pw->lay.left < need) { /* all that came; parse() sees whether it is a whole message */
			size_t seen = sizeof want - need + pw->lay.left;
			memcpy(pw->buf, head, seen);
			pw->flat = shoal_bytes(pw->buf, seen);
			pw->lay.left = 0;
			return 0;
		}
		want_head(&pw->want[pw->want_first], want);
		if (memcmp(head, want, sizeof want) != 0) {
			gather(pw);
			return 0;
		}
		pw->lay.left -= need;
		pw->flat.len = 0;
		pw->lay.head++;
		begin_forecast(pw);
		pw->block.done = (uint32_t)min_size(pw->lay.left, pw->block.len);
		pw->lay.left -= pw->block.done;
		if (pw->block.done == pw->block.len)
			return emit_block(pw, ev);
	}
	if (pw->lay.left > 0) {
		if (pw->flat.len > 0)
			pw->flat.len += pw->lay.left; /* buf alone was laid out */
		else
			pw->flat = shoal_bytes(pw->buf + pw->lay.tail_off, pw->lay.left);
		pw->lay.left = 0;
	}
	return 0;
}

/* A message too long for buf moves to the heap once buf would be full of it: the room follows what has
 * come, never what was announced. */
static int slow_begin(struct shoal_pw *pw)
{
	size_t total = 4 + (size_t)shoal_get_u32(pw->flat.at);
	size_t room = min_size(total, 2 * pw->flat.len);

	pw->slow.at = malloc(room);
	if (pw->slow.at == NULL)
		return SHOAL_ERR_NOMEM;
	pw->slow.room = room;
	pw->slow.total = total;
	pw->slow.have = pw->flat.len;
	memcpy(pw->slow.at, pw->flat.at, pw->flat.len);
	pw->flat = shoal_bytes(pw->buf, 0);
	return SHOAL_OK;
}

static int slow_grow(struct shoal_pw *pw)
{
	size_t room = min_size(pw->slow.total, 2 * pw->slow.room);
	uint8_t *at = realloc(pw->slow.at, room);
	if (at == NULL)
		return SHOAL_ERR_NOMEM;
	pw->slow.at = at;
	pw->slow.room = room;
	return SHOAL_OK;
}

/* All that can be told is told: what is half here goes to where it can stay, and bounce is the owner's again. */
static int settle(struct shoal_pw *pw)
{
	int rc = SHOAL_OK;

	if (pw->flat.len >= SHOAL_PW_BUF)
		rc = slow_begin(pw);
	else if (pw->slow.at != NULL && pw->slow.have == pw->slow.room)
		rc = slow_grow(pw);
	if (rc < 0)
		return die(pw, rc);
	if (pw->flat.at != pw->buf) {
		memmove(pw->buf, pw->flat.at, pw->flat.len);
		pw->flat.at = pw->buf;
	}
	pw->bounce = NULL;

	bool half = pw->block.on || pw->slow.at != NULL || pw->flat.len > 0 || pw->state == PW_PEER_ID;
	if (!half)
		pw->partial_since = 0;
	else if (pw->fresh || pw->partial_since == 0)
		pw->partial_since = pw->heard;
	pw->fresh = false;
	return 0;
}

int shoal_pw_poll(struct shoal_pw *pw, struct shoal_pw_event *ev)
{
	int rc = 0;

	if (pw->state == PW_DEAD)
		return pw->why;
	if (pw->slow.told) {
		slow_free(pw);
		if (pw->flat.len == 0)
			pw->flat.at = pw->buf;
	}
	shoal_pw_land(pw, NULL); /* a BLOCK_BEGIN without an answer: dropped */
	if (pw->lay.left > 0)
		rc = walk(pw, ev);
	if (rc == 0)
		rc = parse(pw, ev);
	return rc != 0 ? rc : settle(pw);
}

shoal_us shoal_pw_heard(const struct shoal_pw *pw)
{
	return pw->heard;
}

shoal_us shoal_pw_spoke(const struct shoal_pw *pw)
{
	return pw->spoke;
}

shoal_us shoal_pw_partial_since(const struct shoal_pw *pw)
{
	return pw->partial_since;
}
