/*
 * fuzz_mse.c - the handshake of MSE against bytes of all kinds, whole and cut: it must come to the same.
 *
 *	byte 0		1: we began; 2: RC4 alone; 4: plain will do; 8: what follows is put behind an honest beginning (keys,
 *			hashes) and enciphered, so that the fuzzer writes what stands inside; 16: no such torrent
 *	byte 1		the pad of that beginning, doubled; bytes of a cut otherwise
 *	the rest	what the other side says
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/mse.h"

#define STREAM_MAX (80u * 1024)

struct told {
	int rc; /* 1: it came to its end */
	enum shoal_mse_event_kind last;
	enum shoal_mse_method method;
	size_t len;
	uint8_t bytes[STREAM_MAX];
};

static const struct shoal_id20 skey = { "twenty bytes of hash" };

static void secret_of(uint8_t out[SHOAL_DH768_SECRET], bool initiator)
{
	memset(out, initiator ? 'A' : 'B', SHOAL_DH768_SECRET);
}

static void hash(const char *word, const uint8_t shared[96], const struct shoal_id20 *id, uint8_t out[20])
{
	uint8_t text[4 + 96 + 20];
	memcpy(text, word, 4);
	memcpy(text + 4, shared, 96);
	if (id != NULL)
		memcpy(text + 100, id->b, 20);
	shoal_sha1(shoal_bytes(text, id != NULL ? 120 : 100), out);
}

/* The other side's honest beginning, and `in` behind it in its cipher; its length. */
static size_t begin(uint8_t *out, bool we_began, size_t pad, struct shoal_bytes in)
{
	uint8_t secret[20], ours[96], shared[96], key[20], mask[20];
	size_t n = 96;
	secret_of(secret, we_began);
	shoal_dh768_public(secret, ours);
	secret_of(secret, !we_began);
	shoal_dh768_public(secret, out);
	int rc = shoal_dh768_shared(secret, ours, shared);
	assert(rc == 0);
	memset(out + n, 0xee, pad);
	n += pad;
	if (!we_began) {
		hash("req1", shared, NULL, out + n);
		hash("req3", shared, NULL, mask);
		struct shoal_id20 name = shoal_mse_skey_hash(&skey);
		for (unsigned i = 0; i < 20; i++)
			out[n + 20 + i] = name.b[i] ^ mask[i];
		n += 40;
	}
	struct shoal_rc4 rc4;
	hash(we_began ? "keyB" : "keyA", shared, &skey, key);
	shoal_rc4_init(&rc4, shoal_bytes(key, 20));
	shoal_rc4_skip(&rc4, 1024);
	memset(out + n, 0, 8);
	memcpy(out + n + 8, in.at, in.len);
	shoal_rc4_xor(&rc4, out + n, out + n, 8 + in.len);
	return n + 8 + in.len;
}

static void keep(struct told *t, struct shoal_bytes b)
{
	assert(b.len <= sizeof t->bytes - t->len);
	if (b.len > 0)
		memcpy(t->bytes + t->len, b.at, b.len);
	t->len += b.len;
}

static void poll_all(struct shoal_mse *m, struct told *t, bool nobody)
{
	struct shoal_mse_event ev;
	int rc;
	while ((rc = shoal_mse_poll(m, &ev)) > 0) {
		assert(t->rc == 0);
		t->last = ev.kind;
		switch (ev.kind) {
		case SHOAL_MSE_AGREE: rc = shoal_mse_agree(m); break;
		case SHOAL_MSE_SKEY: shoal_mse_skey(m, nobody ? NULL : &skey); break;
		case SHOAL_MSE_PAYLOAD: keep(t, ev.bytes); break;
		case SHOAL_MSE_DONE:
		case SHOAL_MSE_NONE:
			t->rc = 1;
			t->method = ev.method;
			keep(t, ev.bytes);
			break;
		}
	}
	if (rc < 0)
		t->rc = rc;
}

static void run(struct told *t, struct shoal_bytes in, unsigned flags, size_t cut)
{
	struct shoal_mse_options o = { .methods = flags & 2 ? SHOAL_MSE_RC4 : SHOAL_MSE_PLAIN | SHOAL_MSE_RC4,
				       .initiator = flags & 1,
				       .or_plain = flags & 4,
				       .payload = flags & 1 ? SHOAL_LIT("hello") : SHOAL_LIT(""),
				       .rng = shoal_rng_split(1, 1),
				       .skey = skey };
	struct shoal_mse *m;
	struct shoal_rc4 from, to;
	secret_of(o.secret, o.initiator);
	memset(t, 0, sizeof *t);
	int rc = shoal_mse_new(&m, &o);
	if (rc < 0)
		abort();
	while (t->rc == 0 && in.len > 0) {
		struct shoal_space room = shoal_mse_space(m);
		assert(room.len > 0);
		size_t n = in.len < room.len ? in.len : room.len;
		n = n < cut ? n : cut;
		memcpy(room.at, in.at, n);
		shoal_mse_filled(m, n);
		in = shoal_bytes(in.at + n, in.len - n);
		poll_all(m, t, flags & 16);
		struct shoal_bytes out = shoal_mse_output(m);
		assert(out.len <= 2 * (96 + 512) + 128);
		shoal_mse_sent(m, out.len / 2);
	}
	if (t->rc > 0) { /* the rest goes through the ciphers that it hands over */
		size_t at = t->len;
		keep(t, in);
		shoal_mse_ciphers(m, &from, &to);
		if (t->last == SHOAL_MSE_DONE && t->method == SHOAL_MSE_RC4)
			shoal_rc4_xor(&from, t->bytes + at, t->bytes + at, in.len);
		assert(t->last == SHOAL_MSE_NONE || t->method == SHOAL_MSE_RC4 || !(flags & 2));
		assert(t->last == SHOAL_MSE_DONE || (flags & 5) == 4);
	}
	shoal_mse_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	static uint8_t stream[STREAM_MAX];
	static struct told whole, cut;
	if (len < 2 || len > STREAM_MAX - 2048)
		return 0;
	struct shoal_bytes in = { at + 2, len - 2 };
	if (at[0] & 8)
		in = shoal_bytes(stream, begin(stream, at[0] & 1, 2 * (size_t)at[1], in));
	run(&whole, in, at[0], STREAM_MAX);
	run(&cut, in, at[0], 1 + at[1] % 41);
	assert(whole.rc == cut.rc && whole.last == cut.last && whole.method == cut.method && whole.len == cut.len);
	assert(memcmp(whole.bytes, cut.bytes, whole.len) == 0);
	return 0;
}
