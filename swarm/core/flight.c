/* swarm/core/flight.c - the table of what is recorded, its bytes, and a ring of them. */
#include "swarm/core/flight.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"

#define NUMBER_MAX 10u /* bytes of a LEB128 number of 64 bits */
#define FIXED 4u       /* numbers before the terms */
/* The length is one byte: whatever the terms are, all that is not text has to leave room for some. */
#define BODY_MAX 255u

static const char magic[8] = { 'S', 'H', 'F', 'L', 'I', 'G', 'H', 'T' };

static const struct shoal_flight_shape shapes[SHOAL_FLIGHT_KINDS] = {
	[SHOAL_FLIGHT_TORRENT] = { "torrent", { "pieces", "piece_bytes", "v2" }, true },
	[SHOAL_FLIGHT_PEER] = { "peer",
				{ "v4", "ip_high", "ip_low", "port", "incoming", "standing", "integrity_ppm",
				  "strangers_false_ppm", "blocks", "false_blocks" },
				false },
	[SHOAL_FLIGHT_CLIENT] = { "client", { NULL }, true },
	[SHOAL_FLIGHT_WEBSEED] = { "webseed", { NULL }, true },
	[SHOAL_FLIGHT_LEFT] = { "left", { "err", "got", "gave" }, false },
	[SHOAL_FLIGHT_STANCE] = { "stance", { "chokes_us", "we_want", "it_wants", "pieces" }, false },
	[SHOAL_FLIGHT_ASK] = { "ask",
			       { "how", "copies", "window", "limit", "trust_window", "rate", "delay_us", "standing",
				 "integrity_ppm", "reliability_ppm", "asked", "untouched" },
			       false },
	[SHOAL_FLIGHT_NOT] = { "not", { "why", "asked", "window", "standing" }, false },
	[SHOAL_FLIGHT_TWICE] = { "twice", { "block", "other", "waited_us", "other_stalls" }, false },
	[SHOAL_FLIGHT_IDLE] = { "idle", /* (`strangers`: of records made by earlier versions) */
				{ "needs", "open", "doubt", "strangers", "alone", "owned", "busy", "doubts" },
				false },
	[SHOAL_FLIGHT_STALL] = { "stall", { "waited_us", "patience_us", "owed", "reliability_ppm" }, false },
	[SHOAL_FLIGHT_BACK] = { "back", { NULL }, false },
	[SHOAL_FLIGHT_REFUSED] = { "refused", { "claims_ppm", "believed" }, false },
	[SHOAL_FLIGHT_SERVE] = { "serve",
				 { "served", "why", "got", "bar", "gave", "got_ever", "gave_ever", "onward_1024",
				   "waiting", "slots", "seeding", "turn_bytes" },
				 false },
	[SHOAL_FLIGHT_PART] = { "part", { "blocks", "of" }, false },
	[SHOAL_FLIGHT_GOOD] = { "good", { "took_us", "senders", "attempts" }, false },
	[SHOAL_FLIGHT_BAD] = { "bad", { "senders", "attempts" }, false },
	[SHOAL_FLIGHT_SUSPECT] = { "suspect", { "share_ppm", "blocks", "of", "expect_ppm", "integrity_ppm" }, false },
	[SHOAL_FLIGHT_FALSE] = { "false",
				 { "block", "why", "standing_before", "standing", "integrity_before_ppm",
				   "integrity_ppm", "cusum_milli", "false_blocks", "blocks" },
				 false },
	[SHOAL_FLIGHT_CLEARED] = { "cleared", { "share_ppm" }, false },
	[SHOAL_FLIGHT_BAN] = { "ban", { "for_us", "cusum_milli", "false_blocks", "blocks" }, true },
	[SHOAL_FLIGHT_OWN] = { "own", { NULL }, false },
	[SHOAL_FLIGHT_WAIT] = { "wait",
				{ "state", "missing", "unasked", "age_us", "holder", "holder_us", "holder_stalls",
				  "holders", "choking" },
				false },
	[SHOAL_FLIGHT_STATE] = { "state",
				 { "left", "untouched", "nobody_has", "peers", "serving_us", "stalled", "memory",
				   "backlog", "limit", "wanted_from", "down" },
				 false },
	[SHOAL_FLIGHT_LOST] = { "lost", { "records" }, false },
	[SHOAL_FLIGHT_END] = { "end", { "why" }, false },
	[SHOAL_FLIGHT_KEY] = { "key", { "bound", "standing", "blocks", "false_blocks" }, true },
};

const struct shoal_flight_shape *shoal_flight_shape(enum shoal_flight_kind kind)
{
	return (unsigned)kind < SHOAL_FLIGHT_KINDS && shapes[kind].name != NULL ? &shapes[kind] : NULL;
}

uint64_t shoal_flight_term(const struct shoal_flight *f, const char *name)
{
	const struct shoal_flight_shape *shape = shoal_flight_shape(f->kind);
	for (size_t i = 0; shape != NULL && shape->term[i] != NULL; i++)
		if (strcmp(shape->term[i], name) == 0)
			return f->term[i];
	return 0;
}

/* ---- bytes ------------------------------------------------------------------------------------ */

static size_t put_number(uint8_t *to, uint64_t v)
{
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		to[n++] = (uint8_t)(v | 0x80);
	to[n++] = (uint8_t)v;
	return n;
}

/* In its shortest form, and no larger than `most`. */
static bool get_number(struct shoal_rd *in, uint64_t most, uint64_t *out)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < NUMBER_MAX; i++) {
		uint8_t b = shoal_rd_u8(in);
		if (in->bad || (i == NUMBER_MAX - 1 && b > 1))
			return false;
		v |= (uint64_t)(b & 0x7f) << (7 * i);
		if (b & 0x80)
			continue;
		*out = v;
		return v <= most && (b != 0 || i == 0);
	}
	return false;
}

ptrdiff_t shoal_flight_encode(const struct shoal_flight *f, struct shoal_space to)
{
	uint8_t body[(FIXED + SHOAL_FLIGHT_TERMS) * NUMBER_MAX + SHOAL_FLIGHT_TEXT_MAX];
	const struct shoal_flight_shape *shape = shoal_flight_shape(f->kind);
	if (shape == NULL)
		return SHOAL_ERR_RANGE;
	size_t n = put_number(body, f->at);
	n += put_number(body + n, f->torrent);
	n += put_number(body + n, f->peer);
	n += put_number(body + n, f->piece == SHOAL_FLIGHT_NONE ? 0 : (uint64_t)f->piece + 1);
	for (size_t i = 0; shape->term[i] != NULL; i++)
		n += put_number(body + n, f->term[i]);
	if (shape->text && f->text.len > 0) {
		size_t len = f->text.len < SHOAL_FLIGHT_TEXT_MAX ? f->text.len : SHOAL_FLIGHT_TEXT_MAX;
		memcpy(body + n, f->text.at, len);
		n += len;
	}
	if (n > BODY_MAX || n + 2 > to.len)
		return SHOAL_ERR_RANGE;
	to.at[0] = (uint8_t)f->kind;
	to.at[1] = (uint8_t)n;
	memcpy(to.at + 2, body, n);
	return (ptrdiff_t)n + 2;
}

ptrdiff_t shoal_flight_decode(struct shoal_bytes in, struct shoal_flight *out)
{
	*out = (struct shoal_flight){ .piece = SHOAL_FLIGHT_NONE };
	if (in.len < 2 || in.len - 2 < in.at[1])
		return 0;
	struct shoal_rd body = shoal_rd(shoal_bytes(in.at + 2, in.at[1]));
	const struct shoal_flight_shape *shape = shoal_flight_shape((enum shoal_flight_kind)in.at[0]);
	uint64_t torrent, peer, piece;
	if (shape == NULL)
		return (ptrdiff_t)in.at[1] + 2;
	struct shoal_flight f = { .kind = (enum shoal_flight_kind)in.at[0] };
	if (!get_number(&body, UINT64_MAX, &f.at) || !get_number(&body, UINT32_MAX, &torrent) ||
	    !get_number(&body, UINT32_MAX, &peer) || !get_number(&body, UINT32_MAX, &piece))
		return SHOAL_ERR_MALFORMED;
	f.torrent = (uint32_t)torrent;
	f.peer = (uint32_t)peer;
	f.piece = piece > 0 ? (uint32_t)piece - 1 : SHOAL_FLIGHT_NONE;
	for (size_t i = 0; shape->term[i] != NULL; i++)
		if (!get_number(&body, UINT64_MAX, &f.term[i]))
			return SHOAL_ERR_MALFORMED;
	f.text = shoal_rd_take(&body, shoal_rd_left(&body));
	if (f.text.len > (shape->text ? SHOAL_FLIGHT_TEXT_MAX : 0))
		return SHOAL_ERR_MALFORMED;
	*out = f;
	return (ptrdiff_t)in.at[1] + 2;
}

void shoal_flight_head_encode(const struct shoal_flight_head *h, uint8_t out[SHOAL_FLIGHT_HEAD])
{
	memset(out, 0, SHOAL_FLIGHT_HEAD);
	memcpy(out, magic, sizeof magic);
	shoal_put_u16(out + 8, SHOAL_FLIGHT_VERSION);
	shoal_put_u64(out + 10, h->unix_s);
	shoal_put_u64(out + 18, h->began);
	out[26] = h->hash_len;
	memcpy(out + 27, h->hash, h->hash_len <= sizeof h->hash ? h->hash_len : 0);
}

int shoal_flight_head_decode(struct shoal_bytes in, struct shoal_flight_head *out)
{
	*out = (struct shoal_flight_head){ 0 };
	if (in.len < sizeof magic || memcmp(in.at, magic, sizeof magic) != 0)
		return SHOAL_ERR_MALFORMED;
	if (in.len >= 10 && shoal_get_u16(in.at + 8) > SHOAL_FLIGHT_VERSION)
		return SHOAL_ERR_UNSUPPORTED;
	if (in.len < SHOAL_FLIGHT_HEAD || shoal_get_u16(in.at + 8) == 0 ||
	    (in.at[26] != 0 && in.at[26] != 20 && in.at[26] != 32))
		return SHOAL_ERR_MALFORMED;
	out->unix_s = shoal_get_u64(in.at + 10);
	out->began = shoal_get_u64(in.at + 18);
	out->hash_len = in.at[26];
	memcpy(out->hash, in.at + 27, out->hash_len);
	return 0;
}

/* ---- the ring ----------------------------------------------------------------------------------- */

int shoal_flight_ring_init(struct shoal_flight_ring *r, size_t room)
{
	assert(room >= 2 * SHOAL_FLIGHT_RECORD_MAX);
	*r = (struct shoal_flight_ring){ .at = malloc(room), .room = room };
	return r->at != NULL ? 0 : SHOAL_ERR_NOMEM;
}

void shoal_flight_ring_fini(struct shoal_flight_ring *r)
{
	free(r->at);
	*r = (struct shoal_flight_ring){ 0 };
}

static size_t oldest_len(const struct shoal_flight_ring *r)
{
	return (size_t)r->at[(r->head + 1) % r->room] + 2;
}

static void copy_out(const struct shoal_flight_ring *r, uint8_t *to, size_t n)
{
	size_t first = r->room - r->head < n ? r->room - r->head : n;
	memcpy(to, r->at + r->head, first);
	memcpy(to + first, r->at, n - first);
}

static void drop_oldest(struct shoal_flight_ring *r, size_t n)
{
	r->head = (r->head + n) % r->room;
	r->used -= n;
}

void shoal_flight_ring_put(struct shoal_flight_ring *r, const struct shoal_flight *f)
{
	uint8_t record[SHOAL_FLIGHT_RECORD_MAX];
	ptrdiff_t n = shoal_flight_encode(f, (struct shoal_space){ record, sizeof record });
	if (n < 0) { /* numbers so large that they do not fit: none of ours are */
		r->lost++;
		r->lost_at = f->at;
		return;
	}
	while (r->room - r->used < (size_t)n) {
		drop_oldest(r, oldest_len(r));
		r->lost++;
		r->lost_at = f->at;
	}
	size_t tail = (r->head + r->used) % r->room;
	size_t first = r->room - tail < (size_t)n ? r->room - tail : (size_t)n;
	memcpy(r->at + tail, record, first);
	memcpy(r->at, record + first, (size_t)n - first);
	r->used += (size_t)n;
}

size_t shoal_flight_ring_take(struct shoal_flight_ring *r, struct shoal_space out)
{
	size_t taken = 0;
	if (r->lost > 0) {
		struct shoal_flight lost = {
			.kind = SHOAL_FLIGHT_LOST, .at = r->lost_at, .piece = SHOAL_FLIGHT_NONE, .term = { r->lost }
		};
		ptrdiff_t n = shoal_flight_encode(&lost, out);
		if (n < 0)
			return 0;
		taken = (size_t)n;
		r->lost = 0;
	}
	while (r->used > 0) {
		size_t n = oldest_len(r);
		if (out.len - taken < n)
			break;
		copy_out(r, out.at + taken, n);
		drop_oldest(r, n);
		taken += n;
	}
	return taken;
}
