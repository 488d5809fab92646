/* test_mse.c - both roles against streams made in Python, against each other in every cut, and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/mse.h"
#include "tests/unit/own_hex.h"

/*
 * Made with Python's integers and hashlib: secrets 01 02 .. 14 (a, the initiator) and 81 82 .. 94 (b), the info hash c0 c1
 * .. d3, its hash as an initiator names it, and the first 32 bytes of both ciphers behind the discard.
 */
static const char public_b[] =
	"2bef20fa249d56dce27ca02dcf38f01dcfe7052485252c8c015f347c45988ee32a227bbe899de1ef5a023533820e3aec"
	"86419aa3ca327b67656a81d1f7f7cf577fb8540c10065c5ab667eb6c70eef2595601400686c9966554cc7e95e7fb8d6b";
static const char skey_hash[] = "203560822aaa2d67fde679573fa601f8db732c81";
static const char stream_a[] = "d43ddbafee951e0e0f9fcd06f584953528e6ef911eb74a81744bbb0949008910";
static const char stream_b[] = "74480eb5f9984041a83678e300105bbea4f5e95ff1eaed18cce29361ba750e6a";
static const char binding[] = "844e356afc5aabae32f798343ed3feecc137b117d6d9ee7c7e3a2a4bbc463eb5";
/* All of what a says: pads of 37 and 11, both methods offered, a handshake as IA; and, if RC4 goes on, five bytes more. */
static const char from_a[] =
	"96e112dab29e8c5272accb9b17b26887ce54a144a4e3b697c7d159b7a817e556b0918db2b4c658e02a87f7e5fb14b18a"
	"553e084cbf3dad2d30f16596ccb982d406258c61b30c5c1dae2ddc60bdbd48d79896312aad63238c39e1a633821eb693"
	"a54dca182530bb1d6d132cded6237b2ed91e3f721fcb1971174494d6493c9d5c3460be3120be26496183e86b32d6c013"
	"fd5bb8e0b2c3cea7789f4644daeb0a6afe053fc500a97fffd81c3e5de9d43ddbafee951e0e0f9fcd05f58f8b5cd63c4f"
	"7ff60ed3fe284bff1a0b69fd443b9b0c1b062f8c881a77037e0a51b90912247921f6c5202cb8c9d3378d31949c363c49"
	"034e0c3a7960d7b43a74c6d5468865d9c662d35276ddac465fdb3141";
static const char from_a_more[] = "1d054ba3da";
/* All of what b says, and a handshake behind it: pads of 53 and 7, RC4. */
static const char from_b[] =
	"2bef20fa249d56dce27ca02dcf38f01dcfe7052485252c8c015f347c45988ee32a227bbe899de1ef5a023533820e3aec"
	"86419aa3ca327b67656a81d1f7f7cf577fb8540c10065c5ab667eb6c70eef2595601400686c9966554cc7e95e7fb8d6b"
	"7c2999fdafe593253cd654af4dfad71427a0aeb3fee9232f8af2211f9ee491c5b10becb5563bfc1e6f93427ecbc8fe29"
	"55e5cd8e4674480eb5f9984041a83678e10017873070422b29bcf9af71b8b6fc13c810601e52121afe9933b2cd6c310f"
	"6740ed7987d1a33e97efabbb2f2993fe96159a46617e088133ceffb85471d9360dd86afd6f8e71820271808f540d";

static const struct shoal_id20 skey = { { 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9,
					  0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3 } };

/* One side, and what it came to. */
struct side {
	struct shoal_mse *m;
	int rc; /* 1 once it is over */
	bool agreed, named, none;
	bool refuse_key; /* as if no torrent were ours */
	enum shoal_mse_method method;
	uint8_t got[70000]; /* payload: IA, and what came beyond */
	size_t len, beyond;
	struct shoal_rc4 from, to; /* once it is over */
};

static struct side *side_new(bool initiator, unsigned methods, bool or_plain, struct shoal_bytes payload, uint64_t seed)
{
	struct side *s = calloc(1, sizeof *s);
	struct shoal_mse_options o = { .methods = methods,
				       .initiator = initiator,
				       .or_plain = or_plain,
				       .payload = payload,
				       .rng = shoal_rng_split(seed, initiator) };
	for (unsigned i = 0; i < sizeof o.secret; i++)
		o.secret[i] = (uint8_t)((initiator ? 0x01 : 0x81) + i);
	o.skey = skey;
	assert_non_null(s);
	assert_int_equal(shoal_mse_new(&s->m, &o), 0);
	return s;
}

static void side_free(struct side *s)
{
	shoal_mse_free(s->m);
	free(s);
}

static void keep(struct side *s, struct shoal_bytes b)
{
	assert_true(b.len <= sizeof s->got - s->len);
	if (b.len > 0)
		memcpy(s->got + s->len, b.at, b.len);
	s->len += b.len;
}

static void poll_all(struct side *s)
{
	struct shoal_mse_event ev;
	uint8_t want[20];
	int rc;
	while (s->rc == 0 && (rc = shoal_mse_poll(s->m, &ev)) != 0) {
		if (rc < 0) {
			s->rc = rc;
			return;
		}
		switch (ev.kind) {
		case SHOAL_MSE_AGREE:
			s->agreed = true;
			rc = shoal_mse_agree(s->m);
			if (rc < 0)
				assert_int_equal(shoal_mse_poll(s->m, &ev), rc);
			break;
		case SHOAL_MSE_SKEY:
			s->named = true;
			own_unhex(want, skey_hash);
			bool ours = !s->refuse_key && memcmp(ev.skey_hash.b, want, 20) == 0;
			shoal_mse_skey(s->m, ours ? &skey : NULL);
			break;
		case SHOAL_MSE_PAYLOAD: keep(s, ev.bytes); break;
		case SHOAL_MSE_DONE:
		case SHOAL_MSE_NONE:
			s->none = ev.kind == SHOAL_MSE_NONE;
			s->method = ev.method;
			s->beyond = ev.bytes.len;
			keep(s, ev.bytes);
			shoal_mse_ciphers(s->m, &s->from, &s->to);
			s->rc = 1;
			break;
		}
	}
}

/* At most `most` bytes; what it took. What comes once it is over is the owner's to decipher. */
static size_t feed(struct side *s, struct shoal_bytes in, size_t most)
{
	size_t n = in.len < most ? in.len : most;
	if (s->rc < 0)
		return in.len;
	if (s->rc > 0) {
		keep(s, shoal_bytes(in.at, n));
		if (s->method == SHOAL_MSE_RC4)
			shoal_rc4_xor(&s->from, s->got + s->len - n, s->got + s->len - n, n);
		return n;
	}
	struct shoal_space room = shoal_mse_space(s->m);
	assert_true(room.len > 0);
	n = n < room.len ? n : room.len;
	memcpy(room.at, in.at, n);
	shoal_mse_filled(s->m, n);
	poll_all(s);
	return n;
}

static void feed_all(struct side *s, struct shoal_bytes in, size_t most)
{
	while (in.len > 0) {
		size_t n = feed(s, in, most);
		in = shoal_bytes(in.at + n, in.len - n);
	}
}

/* ---- the streams of Python ------------------------------------------------------------------ */

static void the_named_hash_is_the_one(void **state)
{
	(void)state;
	uint8_t want[20];
	own_unhex(want, skey_hash);
	struct shoal_id20 got = shoal_mse_skey_hash(&skey);
	assert_memory_equal(got.b, want, 20);
}

/* What b says to a's stream: its key, a pad, and in its cipher eight zeros, `method`, and a pad to the end. */
static void check_answer(struct side *s, unsigned method)
{
	uint8_t key[96], stream[32];
	struct shoal_bytes out = shoal_mse_output(s->m);
	own_unhex(key, public_b);
	own_unhex(stream, stream_b);
	assert_memory_equal(out.at, key, 96);
	size_t at = 96;
	while (at + 14 <= out.len && memcmp(out.at + at, stream, 8) != 0)
		at++;
	assert_true(at + 14 <= out.len && at - 96 <= SHOAL_MSE_PAD_MAX);
	uint8_t plain[14];
	for (size_t i = 0; i < 14; i++)
		plain[i] = out.at[at + i] ^ stream[i];
	assert_int_equal(shoal_get_u32(plain + 8), method);
	assert_int_equal(shoal_get_u16(plain + 12), out.len - at - 14);
}

static void accepts_what_python_says(void **state)
{
	(void)state;
	static uint8_t in[2048];
	for (int rc4 = 0; rc4 < 2; rc4++) {
		size_t len = own_unhex(in, from_a), more = rc4 ? own_unhex(in + len, from_a_more) : 3;
		if (!rc4)
			memcpy(in + len, "\1\2\3", 3); /* plain from here on */
		for (size_t most = 1; most < len + more; most = most < 120 ? most + 1 : most * 2) {
			struct side *s = side_new(false, rc4 ? SHOAL_MSE_RC4 : SHOAL_MSE_PLAIN | SHOAL_MSE_RC4, rc4,
						  SHOAL_LIT(""), most);
			feed_all(s, shoal_bytes(in, len), most);
			assert_int_equal(s->rc, 1);
			assert_int_equal(s->method, rc4 ? SHOAL_MSE_RC4 : SHOAL_MSE_PLAIN);
			assert_int_equal(s->len, 68);
			assert_memory_equal(s->got, "\023BitTorrent protocol\0\0\0\0\0\0\0\0", 28);
			assert_memory_equal(s->got + 28, skey.b, 20);
			check_answer(s, s->method);
			feed(s, shoal_bytes(in + len, more), more);
			if (rc4)
				assert_memory_equal(s->got + 68, "\0\0\0\1\2", 5);
			else
				assert_memory_equal(s->got + 68, "\1\2\3", 3);
			struct shoal_id32 id;
			uint8_t want[32];
			own_unhex(want, binding);
			assert_int_equal(shoal_mse_binding(s->m, &id), rc4);
			if (rc4)
				assert_memory_equal(id.b, want, 32);
			side_free(s);
		}
	}
}

static void what_comes_beyond_is_handed_over(void **state)
{
	(void)state;
	static uint8_t in[2048];
	size_t len = own_unhex(in, from_a);
	len += own_unhex(in + len, from_a_more);
	struct side *s = side_new(false, SHOAL_MSE_RC4, false, SHOAL_LIT(""), 1);
	feed_all(s, shoal_bytes(in, len), len);
	assert_int_equal(s->rc, 1);
	assert_int_equal(s->beyond, 5);
	assert_memory_equal(s->got + 68, "\0\0\0\1\2", 5);
	side_free(s);
}

/* a's own request, as Python reads it: the hashes, and its cipher over VC, the methods, pad and payload. */
static void begins_as_python_expects(void **state)
{
	(void)state;
	static uint8_t in[2048], golden[2048];
	size_t len = own_unhex(in, from_b);
	own_unhex(golden, from_a);
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct side *s = side_new(true, SHOAL_MSE_RC4, false, SHOAL_LIT("first words"), seed);
		size_t first = shoal_mse_output(s->m).len;
		assert_true(first >= 96 && first <= 96 + SHOAL_MSE_PAD_MAX);
		assert_memory_equal(shoal_mse_output(s->m).at, golden, 96);
		shoal_mse_sent(s->m, first);
		feed_all(s, shoal_bytes(in, len), 1 + (size_t)seed * 7);
		assert_int_equal(s->rc, 1);
		assert_int_equal(s->method, SHOAL_MSE_RC4);
		struct shoal_bytes out = shoal_mse_output(s->m);
		assert_memory_equal(out.at, golden + 96 + 37, 40); /* req1, and req2 xor req3 */
		uint8_t stream[32];
		own_unhex(stream, stream_a);
		for (unsigned i = 0; i < 14; i++)
			stream[i] ^= out.at[40 + i];
		assert_memory_equal(stream, "\0\0\0\0\0\0\0\0\0\0\0\2", 12);
		assert_int_equal(out.len, 40 + 14 + shoal_get_u16(stream + 12) + 2 + 11);
		assert_memory_equal(s->got, "\023BitTorrent protocol", 20);
		assert_int_equal(s->len, 68);
		side_free(s);
	}
}

/* ---- each other -------------------------------------------------------------------------------- */

/* Carries what one says to the other, `most` bytes at a time, until neither has more to say. */
static void converse(struct side *a, struct side *b, size_t most)
{
	bool moved = true;
	while (moved) {
		moved = false;
		for (int way = 0; way < 2; way++) {
			struct side *from = way ? b : a, *to = way ? a : b;
			struct shoal_bytes out = shoal_mse_output(from->m);
			if (out.len == 0 || to->rc != 0)
				continue;
			shoal_mse_sent(from->m, feed(to, out, most));
			moved = true;
		}
	}
}

static void every_choice_in_every_split(void **state)
{
	(void)state;
	static const struct {
		unsigned a, b;
		int rc;
		enum shoal_mse_method method;
	} cases[] = {
		{ 3, 3, 1, SHOAL_MSE_PLAIN }, { 3, 2, 1, SHOAL_MSE_RC4 },     { 2, 3, 1, SHOAL_MSE_RC4 },
		{ 1, 3, 1, SHOAL_MSE_PLAIN }, { 1, 2, SHOAL_ERR_REFUSED, 0 }, { 2, 1, SHOAL_ERR_REFUSED, 0 },
	};
	uint64_t seed = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t most = 1; most < 1400; most += most < 24 ? 1 : 97) {
			size_t len = (size_t)(seed * 31 % (SHOAL_MSE_PAYLOAD_MAX + 1));
			uint8_t payload[SHOAL_MSE_PAYLOAD_MAX];
			memset(payload, 'p', sizeof payload);
			struct side *a = side_new(true, cases[i].a, false, shoal_bytes(payload, len), ++seed);
			struct side *b = side_new(false, cases[i].b, true, SHOAL_LIT(""), seed);
			converse(a, b, most);
			assert_int_equal(b->rc, cases[i].rc);
			if (b->rc > 0) {
				struct shoal_id32 of_a, of_b;
				assert_int_equal(a->rc, 1);
				assert_int_equal(a->method, cases[i].method);
				assert_int_equal(b->method, cases[i].method);
				assert_int_equal(b->len, len);
				assert_memory_equal(b->got, payload, len);
				assert_memory_equal(&a->from, &b->to, sizeof a->from);
				assert_memory_equal(&a->to, &b->from, sizeof a->to);
				assert_int_equal(shoal_mse_binding(a->m, &of_a), cases[i].method == SHOAL_MSE_RC4);
				if (shoal_mse_binding(b->m, &of_b))
					assert_memory_equal(of_a.b, of_b.b, 32);
			}
			side_free(a);
			side_free(b);
		}
	}
}

/* ---- what an initiator may say at the most, and more than that ------------------------------------ */

/* An initiator written by hand: a's stream with pads and a payload of any length. */
static size_t hand_made(uint8_t *out, size_t pad_a, size_t pad_c, size_t len, uint32_t methods, uint8_t vc)
{
	uint8_t s[96], text[4 + 96 + 20], key[20], req[20], mask[20], theirs[96], secret[20];
	size_t n = 96;
	for (unsigned i = 0; i < 20; i++)
		secret[i] = (uint8_t)(1 + i);
	own_unhex(theirs, public_b);
	shoal_dh768_public(secret, out);
	assert_int_equal(shoal_dh768_shared(secret, theirs, s), 0);
	for (size_t i = 0; i < pad_a; i++)
		out[n++] = (uint8_t)(i * 7);
	memcpy(text, "req1", 4);
	memcpy(text + 4, s, 96);
	shoal_sha1(shoal_bytes(text, 100), out + n);
	n += 20;
	memcpy(text, "req3", 4);
	shoal_sha1(shoal_bytes(text, 100), mask);
	own_unhex(req, skey_hash);
	for (unsigned i = 0; i < 20; i++)
		out[n++] = req[i] ^ mask[i];
	memcpy(text, "keyA", 4);
	memcpy(text + 100, skey.b, 20);
	shoal_sha1(shoal_bytes(text, 120), key);
	struct shoal_rc4 rc4;
	shoal_rc4_init(&rc4, shoal_bytes(key, 20));
	shoal_rc4_skip(&rc4, 1024);
	size_t start = n;
	memset(out + n, 0, 8 + 4);
	out[n + 3] = vc;
	shoal_put_u32(out + n + 8, methods);
	shoal_put_u16(out + n + 12, (uint16_t)pad_c);
	n += 14;
	memset(out + n, 0x55, pad_c);
	n += pad_c;
	shoal_put_u16(out + n, (uint16_t)len);
	n += 2;
	for (size_t i = 0; i < len; i++)
		out[n++] = (uint8_t)(i + (i >> 8));
	shoal_rc4_xor(&rc4, out + start, out + start, n - start);
	return n;
}

static void a_payload_of_every_length(void **state)
{
	(void)state;
	static uint8_t in[70000];
	static const size_t lens[] = { 0, 1, 20, 47, 48, 67, 68, 69, 500, 1023, 1024, 1025, 4096, 65534, 65535 };
	static const size_t cuts[] = { 1, 19, 1024, 70000 };
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		for (size_t k = lens[i] > 5000; k < sizeof cuts / sizeof *cuts; k++) {
			size_t n = hand_made(in, i % 2 ? 512 : 0, i % 3 ? 512 : 0, lens[i], 3, 0);
			struct side *s = side_new(false, 3, true, SHOAL_LIT(""), 1);
			feed_all(s, shoal_bytes(in, n), cuts[k]);
			assert_int_equal(s->rc, 1);
			assert_int_equal(s->len, lens[i]);
			for (size_t b = 0; b < s->len; b++)
				assert_int_equal(s->got[b], (uint8_t)(b + (b >> 8)));
			side_free(s);
		}
	}
}

static void hostile_streams_end(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		size_t pad_a, pad_c;
		uint32_t methods;
		uint8_t vc;
		bool refuse_key;
		int want;
	} cases[] = {
		{ "the longest pads", 512, 512, 3, 0, false, 1 },
		{ "a first pad of 513", 513, 0, 3, 0, false, SHOAL_ERR_MALFORMED },
		{ "a second pad of 513", 0, 513, 3, 0, false, SHOAL_ERR_MALFORMED },
		{ "a second pad of 65535", 0, 65535, 3, 0, false, SHOAL_ERR_MALFORMED },
		{ "no VC", 0, 0, 3, 1, false, SHOAL_ERR_MALFORMED },
		{ "no method", 0, 0, 0, 0, false, SHOAL_ERR_REFUSED },
		{ "only methods nobody has", 0, 0, 0xfffffffc, 0, false, SHOAL_ERR_REFUSED },
		{ "all methods there could be", 0, 0, 0xffffffff, 0, false, 1 },
		{ "no torrent of ours", 0, 0, 3, 0, true, SHOAL_ERR_GONE },
	};
	static uint8_t in[140000];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		print_message("%s\n", cases[i].why);
		size_t n = hand_made(in, cases[i].pad_a, cases[i].pad_c, 68, cases[i].methods, cases[i].vc);
		for (size_t most = 1; most < 700; most += 111) {
			struct side *s = side_new(false, 3, true, SHOAL_LIT(""), 1);
			s->refuse_key = cases[i].refuse_key;
			feed_all(s, shoal_bytes(in, n), most);
			assert_int_equal(s->rc, cases[i].want);
			struct shoal_mse_event ev;
			if (s->rc < 0) /* and stays so */
				assert_int_equal(shoal_mse_poll(s->m, &ev), cases[i].want);
			side_free(s);
		}
	}
}

static void weak_keys_end_both_roles(void **state)
{
	(void)state;
	for (int role = 0; role < 2; role++) {
		for (uint8_t low = 0; low < 2; low++) {
			uint8_t key[96] = { 0 };
			key[95] = low;
			struct side *s = side_new(role, 3, false, SHOAL_LIT(""), 1);
			feed_all(s, shoal_bytes(key, 96), 96);
			assert_int_equal(s->rc, SHOAL_ERR_MALFORMED);
			side_free(s);
		}
	}
}

/* Random bytes behind a good key: it ends after a pad's length, whatever comes. */
static void a_search_has_an_end(void **state)
{
	(void)state;
	for (int role = 0; role < 2; role++) {
		struct shoal_rng rng = shoal_rng_split(3, 1);
		struct side *s = side_new(role, 3, false, SHOAL_LIT(""), 1);
		uint8_t key[96];
		own_unhex(key, public_b);
		feed_all(s, shoal_bytes(key, 96), 96);
		size_t fed = 0;
		for (; s->rc == 0; fed++) {
			uint8_t byte = (uint8_t)shoal_rng_next(&rng);
			feed(s, shoal_bytes(&byte, 1), 1);
			assert_true(fed < 600);
		}
		assert_int_equal(s->rc, SHOAL_ERR_MALFORMED);
		assert_int_equal(fed, 512 + (role ? 8 : 20)); /* where the last place was seen not to be one */
		side_free(s);
	}
}

static void an_answer_must_be_one_of_the_offered(void **state)
{
	(void)state;
	static const struct {
		unsigned offered;
		uint32_t chosen;
		int want;
	} cases[] = {
		{ 2, 1, SHOAL_ERR_REFUSED },
		{ 1, 2, SHOAL_ERR_REFUSED },
		{ 3, 0, SHOAL_ERR_REFUSED },
		{ 3, 3, SHOAL_ERR_REFUSED },
		{ 3, 4, SHOAL_ERR_REFUSED },
		{ 3, 1, 1 },
		{ 3, 2, 1 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t in[96 + 14], stream[32], raw[14] = { 0 };
		own_unhex(in, public_b);
		own_unhex(stream, stream_b);
		shoal_put_u32(raw + 8, cases[i].chosen);
		for (unsigned k = 0; k < 14; k++)
			in[96 + k] = raw[k] ^ stream[k];
		struct side *s = side_new(true, cases[i].offered, false, SHOAL_LIT(""), 1);
		feed_all(s, shoal_bytes(in, sizeof in), 7);
		assert_int_equal(s->rc, cases[i].want);
		side_free(s);
	}
}

/* ---- no MSE at all ----------------------------------------------------------------------------- */

static void a_plain_stream_is_known(void **state)
{
	(void)state;
	static const uint8_t in[] = "\023BitTorrent protocolxxxxxxxxhash";
	for (size_t most = 1; most < sizeof in; most++) {
		struct side *s = side_new(false, 3, true, SHOAL_LIT(""), 1),
			    *must = side_new(false, 2, false, SHOAL_LIT(""), 1);
		feed_all(s, shoal_bytes(in, sizeof in), most);
		assert_int_equal(s->rc, 1);
		assert_true(s->none && !s->agreed);
		assert_int_equal(s->len, sizeof in);
		assert_memory_equal(s->got, in, sizeof in);
		feed_all(must, shoal_bytes(in, sizeof in), most);
		assert_int_equal(must->rc, SHOAL_ERR_REFUSED);
		assert_false(must->agreed);
		side_free(s);
		side_free(must);
	}
	/* One byte off, and it is a key like any other. */
	uint8_t key[96];
	memset(key, 'x', sizeof key);
	memcpy(key, in, 19);
	struct side *s = side_new(false, 3, true, SHOAL_LIT(""), 1);
	feed_all(s, shoal_bytes(key, sizeof key), 1);
	assert_int_equal(s->rc, 0);
	assert_true(s->agreed);
	side_free(s);
}

/* Until its key is whole, nothing has been said, and no work done. */
static void a_stranger_costs_nothing_before_its_key(void **state)
{
	(void)state;
	uint8_t key[96];
	own_unhex(key, public_b);
	struct side *s = side_new(false, 3, true, SHOAL_LIT(""), 1);
	feed_all(s, shoal_bytes(key, 95), 95);
	assert_false(s->agreed);
	assert_int_equal(shoal_mse_output(s->m).len, 0);
	feed_all(s, shoal_bytes(key + 95, 1), 1);
	assert_true(s->agreed);
	side_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_named_hash_is_the_one),
		cmocka_unit_test(accepts_what_python_says),
		cmocka_unit_test(what_comes_beyond_is_handed_over),
		cmocka_unit_test(begins_as_python_expects),
		cmocka_unit_test(every_choice_in_every_split),
		cmocka_unit_test(a_payload_of_every_length),
		cmocka_unit_test(hostile_streams_end),
		cmocka_unit_test(weak_keys_end_both_roles),
		cmocka_unit_test(a_search_has_an_end),
		cmocka_unit_test(an_answer_must_be_one_of_the_offered),
		cmocka_unit_test(a_plain_stream_is_known),
		cmocka_unit_test(a_stranger_costs_nothing_before_its_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
