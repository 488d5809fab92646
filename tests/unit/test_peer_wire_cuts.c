/*
 * test_peer_wire_cuts.c - whole sessions, cut everywhere (W24) and forecast rightly, wrongly and not at all, must give
 * back the very bytes that went in, and leave every block where it landed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/rng.h"
#include "proto/peer_wire.h"

#define BLOCKS_MAX 256
#define STREAM_MAX (4u << 20)

/* ---- a session: the bytes a peer sends, and the blocks in it ---- */

struct block {
	uint32_t piece, begin, len;
	size_t at; /* of its bytes in the stream */
	uint8_t *place;
	bool done;
};
struct session {
	uint8_t *bytes;
	size_t len;
	struct block block[BLOCKS_MAX];
	size_t blocks;
	uint32_t pieces;
	struct shoal_rng rng;
};

static void session_init(struct session *s, uint64_t seed)
{
	memset(s, 0, sizeof *s);
	s->bytes = malloc(STREAM_MAX);
	assert_non_null(s->bytes);
	s->rng = shoal_rng_split(seed, 1);
}

static void session_fini(struct session *s)
{
	for (size_t i = 0; i < s->blocks; i++)
		free(s->block[i].place);
	free(s->bytes);
}

static void put(struct session *s, const struct shoal_wire_msg *msg)
{
	ptrdiff_t n = shoal_wire_encode(msg, (struct shoal_space){ s->bytes + s->len, STREAM_MAX - s->len });
	assert_true(n > 0);
	s->len += (size_t)n;
}

static void put_id(struct session *s, uint16_t id)
{
	put(s, &(struct shoal_wire_msg){ .id = id });
}

static void put_body(struct session *s, uint16_t id, uint8_t ext, size_t len)
{
	uint8_t *body = malloc(len ? len : 1);
	assert_non_null(body);
	for (size_t i = 0; i < len; i++)
		body[i] = (uint8_t)shoal_rng_next(&s->rng);
	put(s, &(struct shoal_wire_msg){ .id = id, .ext = ext, .body = { body, len } });
	free(body);
}

static void put_handshake(struct session *s)
{
	struct shoal_wire_handshake hs = { .can = SHOAL_CAN_EXTENDED | SHOAL_CAN_FAST | SHOAL_CAN_V2 };
	memset(&hs.info_hash, 0xaa, sizeof hs.info_hash);
	memset(&hs.peer_id, 'p', sizeof hs.peer_id);
	shoal_wire_handshake_encode(&hs, s->bytes + s->len);
	s->len += SHOAL_WIRE_HANDSHAKE_LEN;
}

/* The next block in order: what the owner will have asked for. */
static void put_block(struct session *s, uint32_t len)
{
	struct block *b = &s->block[s->blocks];
	assert_true(s->blocks < BLOCKS_MAX);
	*b = (struct block){ .piece = (uint32_t)(s->blocks / 4),
			     .begin = (uint32_t)(s->blocks % 4) * 16384,
			     .len = len };
	put_body(s, SHOAL_WIRE_PIECE, 0, len);
	shoal_put_u32(s->bytes + s->len - len - 8, b->piece);
	shoal_put_u32(s->bytes + s->len - len - 4, b->begin);
	b->at = s->len - len;
	b->place = malloc(len); /* exact, so that ASan sees one byte more */
	assert_non_null(b->place);
	s->blocks++;
}

static void put_small(struct session *s)
{
	static const uint16_t ids[] = { SHOAL_WIRE_CHOKE,   SHOAL_WIRE_UNCHOKE,	  SHOAL_WIRE_HAVE,
					SHOAL_WIRE_HAVE,    SHOAL_WIRE_REJECT,	  SHOAL_WIRE_REQUEST,
					SHOAL_WIRE_CANCEL,  SHOAL_WIRE_KEEPALIVE, SHOAL_WIRE_PORT,
					SHOAL_WIRE_SUGGEST, SHOAL_WIRE_HAVE_NONE, SHOAL_WIRE_HASH_REQUEST };
	struct shoal_wire_msg msg = { .id = ids[shoal_rng_below(&s->rng, sizeof ids / sizeof *ids)] };
	msg.index = shoal_rng_next(&s->rng);
	msg.begin = shoal_rng_next(&s->rng);
	msg.len = shoal_rng_next(&s->rng);
	msg.port = (uint16_t)msg.len;
	put(s, &msg);
}

/* All that a peer may send, in an order of the seed's. */
static void session_random(struct session *s, uint64_t seed, size_t steps)
{
	session_init(s, seed);
	put_handshake(s);
	put_body(s, SHOAL_WIRE_EXTENDED, 0, 200);
	s->pieces = 8 * (1 + shoal_rng_below(&s->rng, 9000));
	put_body(s, SHOAL_WIRE_BITFIELD, 0, s->pieces / 8);
	for (size_t i = 0; i < steps; i++) {
		uint32_t dice = shoal_rng_below(&s->rng, 100);
		if (dice < 55)
			put_block(s, shoal_rng_below(&s->rng, 3) ? 16384 : 1 + shoal_rng_below(&s->rng, 16384));
		else if (dice < 60)
			put_block(s, 1 + shoal_rng_below(&s->rng, 20));
		else if (dice < 92)
			put_small(s);
		else if (dice < 94)
			put_body(s, SHOAL_WIRE_EXTENDED, 3, shoal_rng_below(&s->rng, 20000));
		else if (dice < 96)
			put_body(s, SHOAL_WIRE_EXTENDED, 1, 4085 + shoal_rng_below(&s->rng, 12)); /* about buf's size */
		else if (dice < 98)
			put_body(s, 77, 0, shoal_rng_below(&s->rng, 9000));
		else
			put_body(s, SHOAL_WIRE_HASHES, 0, 32 * (1 + shoal_rng_below(&s->rng, 600)));
	}
}

/* ---- an owner, and a log that is the stream again ---- */

enum policy { NONE, RIGHT, STALE, WRONG, POLICIES };

struct owner {
	struct session *s;
	struct shoal_pw *pw;
	enum policy policy;
	struct shoal_rng rng;
	uint8_t *log;
	size_t log_len;
	uint8_t *bounce;
	uint8_t junk[8][SHOAL_WIRE_BLOCK_MAX]; /* where blocks that never come were to lie */
	size_t done;			       /* blocks that came */
	size_t begins, forecast;
	shoal_us now;
};

static struct owner *owner_new(struct session *s, enum policy policy, uint64_t seed)
{
	struct owner *o = calloc(1, sizeof *o);
	assert_non_null(o);
	o->s = s;
	o->policy = policy;
	o->rng = shoal_rng_split(seed, 2);
	o->log = malloc(STREAM_MAX);
	o->bounce = malloc(SHOAL_PW_BOUNCE); /* exact */
	assert_true(o->log != NULL && o->bounce != NULL);
	assert_int_equal(shoal_pw_new(&o->pw, 1), 0);
	for (size_t i = 0; i < s->blocks; i++)
		s->block[i].done = false;
	return o;
}

static void owner_free(struct owner *o)
{
	shoal_pw_free(o->pw);
	free(o->bounce);
	free(o->log);
	free(o);
}

static struct block *block_of(struct session *s, uint32_t piece, uint32_t begin)
{
	size_t i = (size_t)piece * 4 + begin / 16384;
	assert_true(i < s->blocks);
	return &s->block[i];
}

static void log_bytes(struct owner *o, const uint8_t *at, size_t len)
{
	memcpy(o->log + o->log_len, at, len);
	o->log_len += len;
}

static void on_event(struct owner *o, const struct shoal_pw_event *ev)
{
	uint8_t head[SHOAL_WIRE_HANDSHAKE_LEN];
	struct block *b;

	switch (ev->kind) {
	case SHOAL_PW_HANDSHAKE:
		shoal_wire_handshake_encode(&ev->handshake, head);
		log_bytes(o, head, SHOAL_WIRE_HANDSHAKE_HEAD);
		shoal_pw_terms(o->pw, o->s->pieces, true, true, true);
		break;
	case SHOAL_PW_PEER_ID: log_bytes(o, ev->handshake.peer_id.b, 20); break;
	case SHOAL_PW_MESSAGE:
		o->log_len += (size_t)shoal_wire_encode(
			&ev->msg, (struct shoal_space){ o->log + o->log_len, STREAM_MAX - o->log_len });
		break;
	case SHOAL_PW_BLOCK_BEGIN:
		b = block_of(o->s, ev->msg.index, ev->msg.begin);
		assert_int_equal(ev->len, b->len);
		shoal_pw_land(o->pw, b->place);
		o->begins++;
		break;
	case SHOAL_PW_BLOCK:
		b = block_of(o->s, ev->msg.index, ev->msg.begin);
		assert_ptr_equal(ev->at, b->place);
		assert_int_equal(ev->len, b->len);
		assert_false(b->done);
		shoal_wire_piece_head(head, b->piece, b->begin, b->len);
		log_bytes(o, head, SHOAL_WIRE_PIECE_HEAD);
		log_bytes(o, b->place, b->len);
		b->done = true;
		o->done++;
		o->forecast += ev->forecast;
		break;
	}
}

static void forecast(struct owner *o)
{
	struct shoal_pw_expect want[20];
	size_t n = 0, first = o->done, most = 20;

	if (o->policy == NONE || (o->policy == STALE && shoal_rng_below(&o->rng, 6) != 0))
		return;
	if (o->policy == WRONG) {
		most = shoal_rng_below(&o->rng, 20);
		first += shoal_rng_below(&o->rng, 3);
	}
	for (size_t i = first; i < o->s->blocks && n < most; i++) {
		struct block *b = &o->s->block[i];
		if (o->policy == WRONG && n < 8 && shoal_rng_below(&o->rng, 6) == 0) /* one that never comes */
			want[n] = (struct shoal_pw_expect){ 9000, b->begin, b->len, o->junk[n] }, n++;
		else if (o->policy != WRONG || shoal_rng_below(&o->rng, 5) != 0)
			want[n++] = (struct shoal_pw_expect){ b->piece, b->begin, b->len, b->place };
	}
	if (o->policy == WRONG && n > 1 && shoal_rng_below(&o->rng, 3) == 0) {
		size_t a = shoal_rng_below(&o->rng, (uint32_t)n), b = shoal_rng_below(&o->rng, (uint32_t)n);
		struct shoal_pw_expect t = want[a];
		want[a] = want[b];
		want[b] = t;
	}
	size_t took = shoal_pw_forecast(o->pw, want, n);
	assert_true(took == n || took >= SHOAL_PW_FORECAST);
}

/* One read of up to `most` bytes of `in`. Returns what it took. */
static size_t one_read(struct owner *o, struct shoal_bytes in, size_t most, size_t spans)
{
	struct shoal_space v[SHOAL_PW_SPANS];
	struct shoal_pw_event ev;
	size_t n = shoal_pw_space(o->pw, v, spans), took = 0;
	int rc;

	assert_true(n > 0 && n <= spans);
	if (most > in.len)
		most = in.len;
	for (size_t i = 0; i < n && took < most; i++) {
		size_t part = v[i].len < most - took ? v[i].len : most - took;
		assert_true(v[i].len > 0);
		memcpy(v[i].at, in.at + took, part);
		took += part;
	}
	assert_true(took > 0);
	shoal_pw_filled(o->pw, took, o->bounce, ++o->now);
	while ((rc = shoal_pw_poll(o->pw, &ev)) > 0)
		on_event(o, &ev);
	assert_int_equal(rc, 0);
	return took;
}

static void check_log(const struct owner *o)
{
	const struct session *s = o->s;
	assert_int_equal(o->log_len, s->len);
	assert_memory_equal(o->log, s->bytes, s->len);
	assert_int_equal(o->done, s->blocks);
	/* ... and nothing was written over a block after its event. */
	for (size_t i = 0; i < s->blocks; i++)
		assert_memory_equal(s->block[i].place, s->bytes + s->block[i].at, s->block[i].len);
	assert_int_equal(shoal_pw_partial_since(o->pw), 0);
}

/* ---- whole sessions ---- */

static bool in_short(void)
{
	return getenv("SHOAL_SHORT") != NULL;
}

/* Reads as large as the spans take; one cut at `cut`. */
static struct owner *run_cut(struct session *s, enum policy policy, size_t cut)
{
	struct owner *o = owner_new(s, policy, cut);
	for (size_t at = 0; at < s->len;) {
		size_t most = at < cut ? cut - at : s->len - at;
		forecast(o);
		at += one_read(o, shoal_bytes(s->bytes + at, s->len - at), most, SHOAL_PW_SPANS);
	}
	return o;
}

static void any_cut_means_the_same(void **state)
{
	(void)state;
	struct session s;
	session_init(&s, 1);
	put_handshake(&s);
	put_body(&s, SHOAL_WIRE_EXTENDED, 0, 100);
	s.pieces = 5000 * 8;
	put_body(&s, SHOAL_WIRE_BITFIELD, 0, 5000);
	put_id(&s, SHOAL_WIRE_UNCHOKE);
	put_block(&s, 1000);
	put_block(&s, 16384);
	put_small(&s);
	put_small(&s);
	put_block(&s, 700);
	put_block(&s, 1);
	put_id(&s, SHOAL_WIRE_CHOKE);
	put_id(&s, SHOAL_WIRE_KEEPALIVE);
	put_block(&s, 9);
	put_block(&s, 2000);
	put_body(&s, SHOAL_WIRE_EXTENDED, 2, 6000);
	put_block(&s, 300);
	put_small(&s);

	size_t step = in_short() ? 13 : 1;
	for (enum policy policy = NONE; policy < POLICIES; policy++) {
		for (size_t cut = 0; cut <= s.len; cut += step) {
			struct owner *o = run_cut(&s, policy, cut);
			check_log(o);
			owner_free(o);
		}
	}
	session_fini(&s);
}

static void one_byte_reads_mean_the_same(void **state)
{
	(void)state;
	struct session s;
	session_random(&s, 7, 30);
	for (enum policy policy = NONE; policy < POLICIES; policy++) {
		struct owner *o = owner_new(&s, policy, 3);
		for (size_t at = 0; at < s.len;) {
			forecast(o);
			at += one_read(o, shoal_bytes(s.bytes + at, s.len - at), 1, SHOAL_PW_SPANS);
		}
		check_log(o);
		owner_free(o);
	}
	session_fini(&s);
}

static size_t random_most(struct shoal_rng *rng)
{
	switch (shoal_rng_below(rng, 6)) {
	case 0: return 1 + shoal_rng_below(rng, 16);
	case 1: return 1 + shoal_rng_below(rng, 2000);
	case 2: return 16397 * (1 + shoal_rng_below(rng, 4)) + shoal_rng_below(rng, 14);
	case 3: return 16397 * (1 + shoal_rng_below(rng, 4)) - shoal_rng_below(rng, 14);
	case 4: return 1 + shoal_rng_below(rng, 100000);
	default: return SIZE_MAX;
	}
}

static void random_splits_and_forecasts_mean_the_same(void **state)
{
	(void)state;
	size_t begins[POLICIES] = { 0 }, foreseen[POLICIES] = { 0 };
	uint64_t seeds = in_short() ? 40 : 200;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct session s;
		session_random(&s, seed, 80);
		for (enum policy policy = NONE; policy < POLICIES; policy++) {
			struct owner *o = owner_new(&s, policy, seed);
			for (size_t at = 0; at < s.len;) {
				/* Few spans sometimes: a transport may take less than all. */
				size_t spans = shoal_rng_below(&o->rng, 4) ? SHOAL_PW_SPANS
									   : 1 + shoal_rng_below(&o->rng, 8);
				if (shoal_rng_below(&o->rng, 4) != 0)
					forecast(o);
				at += one_read(o, shoal_bytes(s.bytes + at, s.len - at), random_most(&o->rng), spans);
			}
			check_log(o);
			begins[policy] += o->begins;
			foreseen[policy] += o->forecast;
			owner_free(o);
		}
		session_fini(&s);
	}
	/* The forecast is of use, and of use only when it is right. */
	assert_int_equal(foreseen[NONE], 0);
	assert_true(foreseen[RIGHT] > 20 * begins[RIGHT]);
	assert_true(begins[WRONG] > 0 && foreseen[WRONG] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_cut_means_the_same),
		cmocka_unit_test(one_byte_reads_mean_the_same),
		cmocka_unit_test(random_splits_and_forecasts_mean_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
