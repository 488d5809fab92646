/*
 * fuzz_utp.c - a uTP node and a peer made of bytes: every order is a byte of kind and what it needs.
 *
 *	kind % 8	0, 1: a datagram, near what the node has said last (type, offsets to seq and ack, window, a
 *			selective ack, payload); 2: raw bytes; 3: time; 4: the user sends; 5: it reads; 6: it closes; 7: it dials
 *
 * Whatever comes: no crash, memory within bounds and given back, no datagram out of shape, and never more to one who has
 * not proved its address than came from it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/utp.h"
#include "proto/utp_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

#define MEMORY (3u << 20)

struct scene {
	struct shoal_utp *u;
	struct shoal_transport *t;
	struct shoal_utp_head seen; /* what the node said last */
	uint16_t dialed_id;
	uint64_t in, out;
	bool proved;
	size_t used;
	shoal_us now;
};

static bool on_take(void *to, size_t n)
{
	struct scene *s = to;
	if (s->used + n > MEMORY)
		return false;
	s->used += n;
	return true;
}

static void on_give(void *to, size_t n)
{
	struct scene *s = to;
	assert(s->used >= n);
	s->used -= n;
}

static void turn(struct scene *s)
{
	struct shoal_utp_event ev;
	struct shoal_utp_train train;
	shoal_utp_tick(s->u, s->now);
	for (int bound = 0; shoal_utp_poll(s->u, &ev) > 0; bound++) {
		assert(bound < 1000);
		if (ev.kind == SHOAL_UTP_READY || ev.t == NULL)
			continue;
		s->proved = true;
		if (s->t != NULL)
			s->t->ops->close(s->t);
		s->t = ev.t;
		s->t->ops->want(s->t, SHOAL_WANT_READ | SHOAL_WANT_WRITE);
	}
	for (int bound = 0; shoal_utp_output(s->u, &train, s->now) > 0; bound++) {
		assert(bound < 3000 && train.each >= SHOAL_UTP_HEAD && train.each <= SHOAL_UTP_MTU_V4);
		for (size_t at = 0; at < train.data.len; at += train.each) {
			size_t n = train.data.len - at < train.each ? train.data.len - at : train.each;
			assert(shoal_utp_decode(shoal_bytes(train.data.at + at, n), &s->seen) == 0);
			s->out += n;
		}
		shoal_utp_sent(s->u, 0);
	}
	assert(s->proved || s->dialed_id != 0 || s->out <= s->in);
}

static void hear(struct scene *s, const uint8_t *at, size_t n)
{
	struct shoal_addr from = { { 192, 0, 2, 1 }, 6881, 1 };
	uint8_t *copy = malloc(n ? n : 1); /* exact, so that a read past the end shows */
	assert(copy != NULL);
	if (n > 0)
		memcpy(copy, at, n);
	s->in += n;
	shoal_utp_datagram(s->u, &from, shoal_bytes(copy, n), s->now);
	free(copy);
}

/* Near to what makes sense: the fuzzer need not guess 16 bits at a time. */
static void hear_like(struct scene *s, struct shoal_rd *r)
{
	uint8_t raw[SHOAL_UTP_HEAD + 2 + SHOAL_UTP_SACK_MAX + 1500] = { 0 };
	uint8_t how = shoal_rd_u8(r);
	struct shoal_utp_head h = { .type = (enum shoal_utp_type)(how % 5) };
	h.id = (uint16_t)(s->seen.type == SHOAL_UTP_SYN ? s->seen.id : s->seen.id + (how & 0x80 ? 1 : -1));
	if (h.type == SHOAL_UTP_SYN)
		h.id = 77;
	h.seq = (uint16_t)(s->seen.ack + (int8_t)shoal_rd_u8(r));
	h.ack = (uint16_t)(s->seen.seq + (int8_t)shoal_rd_u8(r));
	h.window = (uint32_t)shoal_rd_u8(r) << 10;
	h.delay = (uint32_t)shoal_rd_u8(r) << 12;
	h.stamp = (uint32_t)s->now;
	size_t sack = how & 0x40 ? (size_t)(shoal_rd_u8(r) % 33) * 4 : 0;
	h.sack = shoal_rd_take(r, sack < shoal_rd_left(r) ? sack : 0);
	size_t n = shoal_utp_encode(&h, raw);
	n += how & 0x20 ? (size_t)shoal_rd_u8(r) * 5 : 0;
	hear(s, raw, n);
}

static void user(struct scene *s, uint8_t kind, uint8_t much)
{
	static uint8_t some[256 * 300];
	struct shoal_bytes out = { some, (size_t)much * 300 };
	struct shoal_space in = { some, (size_t)much * 300 };
	struct shoal_addr to = { { 192, 0, 2, 1 }, 6881, 1 };
	if (kind == 7) {
		s->dialed_id = 1;
		(void)!shoal_utp_dial(s->u, &to, 5, s->now);
	} else if (s->t == NULL) {
		return;
	} else if (kind == 4) {
		ptrdiff_t n = s->t->ops->send(s->t, &out, 1, false);
		assert(n <= (ptrdiff_t)out.len);
	} else if (kind == 5) {
		ptrdiff_t n = s->t->ops->recv(s->t, &in, 1);
		assert(n <= (ptrdiff_t)in.len);
	} else {
		s->t->ops->close(s->t);
		s->t = NULL;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *raw, size_t len)
{
	struct scene s = { .now = SHOAL_S(100) };
	struct shoal_utp_options o = { .rng = shoal_rng_split(1, 1),
				       .key = { 1, 2 },
				       .connections_max = 8,
				       .to = &s,
				       .take = on_take,
				       .give = on_give };
	struct shoal_rd r = shoal_rd(shoal_bytes(raw, len));
	if (shoal_utp_new(&s.u, &o, s.now) < 0)
		return 0;
	while (shoal_rd_left(&r) > 0) {
		uint8_t kind = shoal_rd_u8(&r) % 8;
		if (kind < 2) {
			hear_like(&s, &r);
		} else if (kind == 2) {
			size_t n = shoal_rd_u8(&r);
			struct shoal_bytes b = shoal_rd_take(&r, n < shoal_rd_left(&r) ? n : shoal_rd_left(&r));
			hear(&s, b.at, b.len);
		} else if (kind == 3) {
			shoal_us due = shoal_utp_deadline(s.u);
			uint8_t much = shoal_rd_u8(&r);
			s.now = much == 255 && due > s.now && due != SHOAL_NEVER ? due : s.now + much * SHOAL_MS(5);
			turn(&s);
		} else {
			user(&s, kind, shoal_rd_u8(&r));
		}
		if (kind != 3 && raw[0] & 1)
			turn(&s);
	}
	turn(&s);
	struct shoal_utp_event ev;
	if (s.t != NULL)
		s.t->ops->close(s.t);
	while (shoal_utp_poll(s.u, &ev) > 0)
		if (ev.t != NULL && ev.kind != SHOAL_UTP_READY)
			ev.t->ops->close(ev.t);
	s.t = NULL;
	shoal_utp_leave(s.u);
	turn(&s);
	assert(s.t == NULL);
	shoal_utp_free(s.u);
	assert(s.used == 0);
	return 0;
}
