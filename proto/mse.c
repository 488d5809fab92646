/* proto/mse.c - see mse.h. */
#include "proto/mse.h"

#include <assert.h>
#include <stdlib.h>
#include "proto/base/bytes.h"
#include "proto/base/digest.h"

#define KEY SHOAL_DH768_BYTES
#define PAD SHOAL_MSE_PAD_MAX
#define VC 8
#define DISCARD 1024 /* of each RC4 stream, before its first use */
/* The longest that has to lie here at once: a pad and what ends it. What goes out: all of it. */
#define IN_MAX 1024
#define OUT_MAX (2 * (KEY + PAD) + SHOAL_MSE_PAYLOAD_MAX)

static const uint8_t plain_start[20] = "\023BitTorrent protocol";

enum state {
	SNIFF,	/* accepting: plain, or the first bytes of a key */
	THEIRS, /* their key */
	AGREEING,
	SYNC, /* a pad, and what ends it */
	NAMED,
	NAMING,
	OFFER, /* VC, crypto_provide, len(PadC) ... */
	OFFER_PAD,
	PAYLOAD_LEN,
	PAYLOAD,
	ANSWER, /* crypto_select, len(PadD), behind the VC that ended the pad */
	ANSWER_PAD,
	LAST, /* DONE or NONE is to be told */
	OVER,
	DEAD,
};

struct shoal_mse {
	enum state state;
	int why; /* once dead */
	bool initiator, or_plain, plain;
	unsigned methods, offered, method;
	struct shoal_id20 skey;
	struct shoal_rng rng;
	uint8_t secret[SHOAL_DH768_SECRET];
	uint8_t shared[KEY];
	struct shoal_rc4 rc4_in, rc4_out;
	uint8_t mark[20]; /* what ends their first pad */
	size_t mark_len, pad, payload_left;
	size_t payload_len;
	uint8_t payload[SHOAL_MSE_PAYLOAD_MAX];
	size_t head, tail, out_head, out_tail;
	uint8_t in[IN_MAX], out[OUT_MAX];
};

/* ---- hashes and keys ------------------------------------------------------------------- */

static void hash(const char word[5], struct shoal_bytes a, struct shoal_bytes b, uint8_t out[20])
{
	uint8_t text[4 + KEY + 20];
	struct shoal_wr w = shoal_wr((struct shoal_space){ text, sizeof text });
	shoal_wr_put(&w, shoal_bytes(word, 4));
	shoal_wr_put(&w, a);
	shoal_wr_put(&w, b);
	shoal_sha1(shoal_bytes(text, w.pos), out);
}

static const struct shoal_bytes nothing;

struct shoal_id20 shoal_mse_skey_hash(const struct shoal_id20 *skey)
{
	struct shoal_id20 out;
	hash("req2", shoal_bytes(skey->b, 20), nothing, out.b);
	return out;
}

static struct shoal_bytes shared_of(const struct shoal_mse *m)
{
	return shoal_bytes(m->shared, KEY);
}

/* HASH('req2', SKEY) xor HASH('req3', S): there, and back. */
static struct shoal_id20 masked(const struct shoal_mse *m, struct shoal_id20 id)
{
	uint8_t mask[20];
	hash("req3", shared_of(m), nothing, mask);
	for (unsigned i = 0; i < 20; i++)
		id.b[i] ^= mask[i];
	return id;
}

static void start_ciphers(struct shoal_mse *m)
{
	uint8_t a[20], b[20];
	struct shoal_bytes skey = shoal_bytes(m->skey.b, 20);
	hash("keyA", shared_of(m), skey, a); /* A to B */
	hash("keyB", shared_of(m), skey, b);
	shoal_rc4_init(&m->rc4_out, shoal_bytes(m->initiator ? a : b, 20));
	shoal_rc4_init(&m->rc4_in, shoal_bytes(m->initiator ? b : a, 20));
	shoal_rc4_skip(&m->rc4_out, DISCARD);
	shoal_rc4_skip(&m->rc4_in, DISCARD);
}

/* ---- what goes out ----------------------------------------------------------------------- */

static void put(struct shoal_mse *m, const void *at, size_t n)
{
	assert(n <= sizeof m->out - m->out_tail);
	memcpy(m->out + m->out_tail, at, n);
	m->out_tail += n;
}

static void put_pad(struct shoal_mse *m, size_t n)
{
	for (; n > 0; n--) {
		uint8_t byte = (uint8_t)shoal_rng_next(&m->rng);
		put(m, &byte, 1);
	}
}

static size_t pad_len(struct shoal_mse *m)
{
	return shoal_rng_below(&m->rng, PAD + 1);
}

static void put_key(struct shoal_mse *m)
{
	uint8_t ours[KEY];
	shoal_dh768_public(m->secret, ours);
	put(m, ours, KEY);
	put_pad(m, pad_len(m));
}

/* VC, which methods, and a pad: half of what either says in RC4. */
static void put_methods(struct shoal_mse *m, unsigned methods)
{
	uint8_t raw[VC + 4 + 2] = { 0 };
	size_t pad = pad_len(m);
	shoal_put_u32(raw + VC, methods);
	shoal_put_u16(raw + VC + 4, (uint16_t)pad);
	put(m, raw, sizeof raw);
	put_pad(m, pad);
}

static void encipher_from(struct shoal_mse *m, size_t start)
{
	shoal_rc4_xor(&m->rc4_out, m->out + start, m->out + start, m->out_tail - start);
}

static void put_request(struct shoal_mse *m)
{
	uint8_t req1[20], len[2];
	struct shoal_id20 name = masked(m, shoal_mse_skey_hash(&m->skey));
	hash("req1", shared_of(m), nothing, req1);
	put(m, req1, sizeof req1);
	put(m, name.b, sizeof name.b);
	size_t start = m->out_tail;
	put_methods(m, m->methods);
	shoal_put_u16(len, (uint16_t)m->payload_len);
	put(m, len, sizeof len);
	put(m, m->payload, m->payload_len);
	encipher_from(m, start);
}

struct shoal_bytes shoal_mse_output(const struct shoal_mse *m)
{
	return shoal_bytes(m->out + m->out_head, m->out_tail - m->out_head);
}

void shoal_mse_sent(struct shoal_mse *m, size_t n)
{
	assert(n <= m->out_tail - m->out_head);
	m->out_head += n;
}

/* ---- coming and going ---------------------------------------------------------------------- */

int shoal_mse_new(struct shoal_mse **out, const struct shoal_mse_options *o)
{
	if (o->payload.len > SHOAL_MSE_PAYLOAD_MAX || !(o->methods & (SHOAL_MSE_PLAIN | SHOAL_MSE_RC4)))
		return SHOAL_ERR_USAGE;
	struct shoal_mse *m = calloc(1, sizeof *m);
	if (m == NULL)
		return SHOAL_ERR_NOMEM;
	m->initiator = o->initiator;
	m->or_plain = o->or_plain;
	m->methods = o->methods;
	m->skey = o->skey;
	m->rng = o->rng;
	memcpy(m->secret, o->secret, sizeof m->secret);
	m->payload_len = o->payload.len;
	if (o->payload.len > 0)
		memcpy(m->payload, o->payload.at, o->payload.len);
	m->state = m->initiator ? THEIRS : SNIFF;
	if (m->initiator)
		put_key(m);
	*out = m;
	return 0;
}

void shoal_mse_free(struct shoal_mse *m)
{
	if (m == NULL)
		return;
	explicit_bzero(m, sizeof *m);
	free(m);
}

size_t shoal_mse_bytes(void)
{
	return sizeof(struct shoal_mse);
}

/* ---- what comes in ----------------------------------------------------------------------------- */

struct shoal_space shoal_mse_space(struct shoal_mse *m)
{
	if (m->state >= LAST)
		return (struct shoal_space){ NULL, 0 };
	memmove(m->in, m->in + m->head, m->tail - m->head);
	m->tail -= m->head;
	m->head = 0;
	return (struct shoal_space){ m->in + m->tail, sizeof m->in - m->tail };
}

void shoal_mse_filled(struct shoal_mse *m, size_t n)
{
	assert(n <= sizeof m->in - m->tail);
	m->tail += n;
}

static size_t have(const struct shoal_mse *m)
{
	return m->tail - m->head;
}

static uint8_t *take(struct shoal_mse *m, size_t n)
{
	uint8_t *at = m->in + m->head;
	m->head += n;
	return at;
}

/* Takes `n` bytes and deciphers them, in place. */
static uint8_t *take_secret(struct shoal_mse *m, size_t n)
{
	uint8_t *at = take(m, n);
	shoal_rc4_xor(&m->rc4_in, at, at, n);
	return at;
}

static int dead(struct shoal_mse *m, int why)
{
	m->state = DEAD;
	m->why = why;
	return why;
}

/* 1 when the state has moved on, 0 for more bytes: so do all that follow. */
static int sniff(struct shoal_mse *m)
{
	size_t n = have(m) < sizeof plain_start ? have(m) : sizeof plain_start;
	if (memcmp(m->in + m->head, plain_start, n) != 0) {
		m->state = THEIRS;
		return 1;
	}
	if (n < sizeof plain_start)
		return 0;
	if (!m->or_plain)
		return dead(m, SHOAL_ERR_REFUSED);
	m->plain = true;
	m->state = LAST;
	return 1;
}

int shoal_mse_agree(struct shoal_mse *m)
{
	assert(m->state == AGREEING);
	int rc = shoal_dh768_shared(m->secret, take(m, KEY), m->shared);
	if (rc < 0)
		return dead(m, rc);
	if (m->initiator) {
		start_ciphers(m);
		put_request(m);
		/* Eight zeros, enciphered: the next of their stream. */
		shoal_rc4_xor(&m->rc4_in, m->mark, m->mark, VC);
		m->mark_len = VC;
	} else {
		put_key(m);
		hash("req1", shared_of(m), nothing, m->mark);
		m->mark_len = 20;
	}
	m->pad = 0;
	m->state = SYNC;
	return 0;
}

static int sync(struct shoal_mse *m)
{
	while (have(m) >= m->mark_len) {
		if (memcmp(m->in + m->head, m->mark, m->mark_len) == 0) {
			take(m, m->mark_len);
			m->state = m->initiator ? ANSWER : NAMED;
			return 1;
		}
		if (m->pad++ == PAD)
			return dead(m, SHOAL_ERR_MALFORMED);
		take(m, 1);
	}
	return 0;
}

void shoal_mse_skey(struct shoal_mse *m, const struct shoal_id20 *skey)
{
	assert(m->state == NAMING);
	if (skey == NULL) {
		dead(m, SHOAL_ERR_GONE);
		return;
	}
	m->skey = *skey;
	start_ciphers(m);
	m->state = OFFER;
}

/* A pad whose length was just told: the next `n` bytes. */
static int expect_pad(struct shoal_mse *m, size_t n, enum state next)
{
	if (n > PAD)
		return dead(m, SHOAL_ERR_MALFORMED);
	m->pad = n;
	m->state = next;
	return 1;
}

static int offer(struct shoal_mse *m)
{
	static const uint8_t zeros[VC];
	if (have(m) < VC + 4 + 2)
		return 0;
	const uint8_t *at = take_secret(m, VC + 4 + 2);
	if (memcmp(at, zeros, VC) != 0)
		return dead(m, SHOAL_ERR_MALFORMED);
	m->offered = shoal_get_u32(at + VC);
	return expect_pad(m, shoal_get_u16(at + VC + 4), OFFER_PAD);
}

static int skip_pad(struct shoal_mse *m, enum state next)
{
	size_t n = have(m) < m->pad ? have(m) : m->pad;
	take_secret(m, n);
	m->pad -= n;
	if (m->pad > 0)
		return 0;
	m->state = next;
	return 1;
}

static int payload_len(struct shoal_mse *m)
{
	if (have(m) < 2)
		return 0;
	m->payload_left = shoal_get_u16(take_secret(m, 2));
	unsigned both = m->offered & m->methods;
	if (both == 0)
		return dead(m, SHOAL_ERR_REFUSED);
	m->method = both & SHOAL_MSE_PLAIN ? SHOAL_MSE_PLAIN : SHOAL_MSE_RC4;
	size_t start = m->out_tail;
	put_methods(m, m->method);
	encipher_from(m, start);
	m->state = PAYLOAD;
	return 1;
}

static int answer(struct shoal_mse *m)
{
	if (have(m) < 4 + 2)
		return 0;
	const uint8_t *at = take_secret(m, 4 + 2);
	uint32_t method = shoal_get_u32(at);
	if ((method != SHOAL_MSE_PLAIN && method != SHOAL_MSE_RC4) || !(method & m->methods))
		return dead(m, SHOAL_ERR_REFUSED);
	m->method = method;
	return expect_pad(m, shoal_get_u16(at + 4), ANSWER_PAD);
}

static int tell_last(struct shoal_mse *m, struct shoal_mse_event *ev)
{
	size_t n = have(m);
	bool secret = !m->plain && m->method == SHOAL_MSE_RC4;
	ev->kind = m->plain ? SHOAL_MSE_NONE : SHOAL_MSE_DONE;
	ev->method = (enum shoal_mse_method)m->method;
	ev->bytes = shoal_bytes(secret ? take_secret(m, n) : take(m, n), n);
	m->state = OVER;
	return 1;
}

int shoal_mse_poll(struct shoal_mse *m, struct shoal_mse_event *ev)
{
	int rc = 1;
	*ev = (struct shoal_mse_event){ 0 };
	while (rc > 0) {
		switch (m->state) {
		case SNIFF: rc = sniff(m); break;
		case THEIRS:
			if (have(m) < KEY)
				return 0;
			m->state = AGREEING;
			if (m->initiator) { /* we began: there is nobody to ask */
				rc = shoal_mse_agree(m) < 0 ? m->why : 1;
				break;
			}
			ev->kind = SHOAL_MSE_AGREE;
			return 1;
		case SYNC: rc = sync(m); break;
		case NAMED:
			if (have(m) < 20)
				return 0;
			memcpy(ev->skey_hash.b, take(m, 20), 20);
			ev->skey_hash = masked(m, ev->skey_hash);
			ev->kind = SHOAL_MSE_SKEY;
			m->state = NAMING;
			return 1;
		case OFFER: rc = offer(m); break;
		case OFFER_PAD: rc = skip_pad(m, PAYLOAD_LEN); break;
		case PAYLOAD_LEN: rc = payload_len(m); break;
		case PAYLOAD:
			if (m->payload_left == 0) {
				m->state = LAST;
				break;
			}
			if (have(m) == 0)
				return 0;
			ev->bytes.len = have(m) < m->payload_left ? have(m) : m->payload_left;
			ev->bytes.at = take_secret(m, ev->bytes.len);
			ev->kind = SHOAL_MSE_PAYLOAD;
			m->payload_left -= ev->bytes.len;
			return 1;
		case ANSWER: rc = answer(m); break;
		case ANSWER_PAD: rc = skip_pad(m, LAST); break;
		case LAST: return tell_last(m, ev);
		case AGREEING:
		case NAMING: /* the owner owes us an answer */
		case OVER: return 0;
		case DEAD: return m->why;
		}
	}
	return rc;
}

void shoal_mse_ciphers(const struct shoal_mse *m, struct shoal_rc4 *in, struct shoal_rc4 *out)
{
	*in = m->rc4_in;
	*out = m->rc4_out;
}

bool shoal_mse_binding(const struct shoal_mse *m, struct shoal_id32 *out)
{
	static const char label[] = "shoal MSE binding";
	uint8_t text[sizeof label + KEY];
	if (m->state != OVER || m->plain || m->method != SHOAL_MSE_RC4)
		return false;
	memcpy(text, label, sizeof label);
	memcpy(text + sizeof label, m->shared, KEY);
	shoal_sha256(shoal_bytes(text, sizeof text), out->b);
	return true;
}
