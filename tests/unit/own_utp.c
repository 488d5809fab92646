/* own_utp.c - two uTP nodes and the bad line between them; see own_utp.h. */
#include "tests/unit/own_utp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STEP_MAX SHOAL_MS(100)

static bool on_take(void *to, size_t bytes)
{
	struct line_side *s = to;
	if (s->l->o.memory > 0 && s->l->used[s->i] + bytes > s->l->o.memory)
		return false;
	s->l->used[s->i] += bytes;
	if (s->l->used[s->i] > s->l->peak[s->i])
		s->l->peak[s->i] = s->l->used[s->i];
	return true;
}

static void on_give(void *to, size_t bytes)
{
	struct line_side *s = to;
	assert_true(s->l->used[s->i] >= bytes);
	s->l->used[s->i] -= bytes;
}

static shoal_us clock_of(const struct line *l, int side)
{
	if (side == 0)
		return l->now;
	return (shoal_us)((int64_t)l->now + (int64_t)l->now * l->o.drift_ppm / 1000000) + l->o.clock_b;
}

void line_open(struct line *l, const struct line_options *o)
{
	*l = (struct line){ .o = *o, .rng = shoal_rng_split(o->seed, 7), .now = SHOAL_S(1000) };
	for (int i = 0; i < 2; i++) {
		l->side[i] = (struct line_side){ l, i };
		struct shoal_utp_options options = { .rng = shoal_rng_split(o->seed, (uint64_t)i),
						     .key = { o->seed + 17, (uint64_t)i },
						     .connections_max = 64,
						     .to = &l->side[i],
						     .take = on_take,
						     .give = on_give };
		l->addr[i] = (struct shoal_addr){ { 10, 0, 0, (uint8_t)(i + 1) }, (uint16_t)(7000 + i), 1 };
		assert_int_equal(shoal_utp_new(&l->utp[i], &options, clock_of(l, i)), 0);
	}
}

static bool dice(struct line *l, uint32_t ppm)
{
	return ppm > 0 && shoal_rng_below(&l->rng, 1000000) < ppm;
}

static void fly(struct line *l, int to, struct shoal_bytes data, shoal_us at)
{
	struct datagram *d = malloc(sizeof *d + data.len);
	assert_non_null(d);
	*d = (struct datagram){ .to = (uint8_t)to, .len = (uint32_t)data.len };
	memcpy(d->bytes, data.at, data.len);
	assert_int_equal(shoal_heap_set(&l->flight, &d->at, at), 0);
}

static void send_one(struct line *l, int from, struct shoal_bytes data, bool whole)
{
	shoal_us at = l->now;
	l->sent[from]++;
	l->bytes[from] += data.len;
	if ((l->tap != NULL && !l->tap(l, from, data)) || dice(l, l->o.loss_ppm) ||
	    (l->o.mtu > 0 && whole && data.len > l->o.mtu))
		return;
	if (l->o.rate > 0) {
		shoal_us free_at = l->free_at[from] > l->now ? l->free_at[from] : l->now;
		if (free_at - l->now > l->o.queue)
			return;
		l->waited_max = free_at - l->now > l->waited_max ? free_at - l->now : l->waited_max;
		at = l->free_at[from] = free_at + (data.len + 28) * 1000000 / l->o.rate;
	}
	at += l->o.delay;
	int times = dice(l, l->o.dup_ppm) ? 2 : 1;
	while (times-- > 0)
		fly(l, !from, data, at + (l->o.jitter > 0 ? shoal_rng_below(&l->rng, (uint32_t)l->o.jitter) : 0));
}

static void events(struct line *l, int side)
{
	struct shoal_utp_event ev;
	for (int bound = 0; shoal_utp_poll(l->utp[side], &ev) > 0; bound++) {
		assert_true(bound < 10000);
		if (l->on_event != NULL)
			l->on_event(l, side, &ev);
		else if (ev.t != NULL && l->kept_count < sizeof l->kept / sizeof *l->kept)
			l->kept[l->kept_count++] = ev.t;
	}
}

static void outgoing(struct line *l, int side)
{
	struct shoal_utp_train train;
	for (int bound = 0; shoal_utp_output(l->utp[side], &train, clock_of(l, side)) > 0; bound++) {
		assert_true(bound < 100000);
		assert_true(train.each > 0 && train.data.len > 0 && train.data.len <= 65507);
		assert_true(train.data.len <= train.each * SHOAL_UTP_TRAIN_MAX);
		if (dice(l, l->o.busy_ppm)) {
			shoal_utp_sent(l->utp[side], SHOAL_ERR_BUSY);
			continue;
		}
		int rc = 0;
		for (size_t at = 0; at < train.data.len; at += train.each) {
			size_t n = train.data.len - at < train.each ? train.data.len - at : train.each;
			send_one(l, side, (struct shoal_bytes){ train.data.at + at, n }, train.whole);
		}
		shoal_utp_sent(l->utp[side], rc);
	}
}

static struct datagram *arrived(struct line *l, shoal_us now)
{
	struct shoal_timer *at = shoal_heap_due(&l->flight, now);
	return at != NULL ? (struct datagram *)(void *)((char *)at - offsetof(struct datagram, at)) : NULL;
}

static void turn(struct line *l)
{
	l->wake = SHOAL_NEVER;
	for (struct datagram *d; (d = arrived(l, l->now)) != NULL; free(d))
		shoal_utp_datagram(l->utp[d->to], &l->addr[!d->to], (struct shoal_bytes){ d->bytes, d->len },
				   clock_of(l, d->to));
	for (int i = 0; i < 2; i++) {
		shoal_utp_tick(l->utp[i], clock_of(l, i));
		events(l, i);
		if (l->on_turn != NULL)
			l->on_turn(l, i);
		outgoing(l, i);
	}
}

static shoal_us next_time(struct line *l)
{
	shoal_us at = l->now + STEP_MAX;
	shoal_us first = shoal_heap_next(&l->flight);
	at = first < at ? first : at;
	at = l->wake < at ? l->wake : at;
	for (int i = 0; i < 2; i++) {
		shoal_us due = shoal_utp_deadline(l->utp[i]), here = clock_of(l, i);
		shoal_us in = due <= here ? 0 : due - here;
		at = in < at - l->now ? l->now + in : at;
	}
	return at > l->now ? at : l->now + 1; /* what could not be done now is tried in the next moment */
}

void line_run(struct line *l, shoal_us until, bool (*done)(struct line *l))
{
	for (;;) {
		turn(l);
		if ((done != NULL && done(l)) || l->now >= until)
			return;
		shoal_us at = next_time(l);
		/* Like a loop, which takes what comes within a moment in one round. */
		l->now = at < l->now + 100 ? l->now + 100 : at;
	}
}

void line_forge(struct line *l, int to, const struct shoal_addr *from, struct shoal_bytes data)
{
	assert_true(shoal_utp_datagram(l->utp[to], from, data, clock_of(l, to)));
}

void line_expect_quiet(struct line *l)
{
	line_run(l, l->now + SHOAL_UTP_LINGER + SHOAL_S(1), NULL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(shoal_utp_stats(l->utp[i]).connections, 0);
}

void line_close(struct line *l)
{
	while (l->kept_count > 0) {
		struct shoal_transport *t = l->kept[--l->kept_count];
		t->ops->close(t);
	}
	for (int i = 0; i < 2; i++)
		shoal_utp_free(l->utp[i]);
	for (struct datagram *d; (d = arrived(l, SHOAL_NEVER)) != NULL;)
		free(d);
	shoal_heap_fini(&l->flight);
	for (int i = 0; i < 2; i++)
		assert_int_equal(l->used[i], 0); /* all that was charged was given back */
}

/* ---- a talk --------------------------------------------------------------------------------- */

static uint8_t byte_at(int side, uint64_t at)
{
	uint64_t v = (at / 8 + 1) * 0x9e3779b97f4a7c15ULL + (uint64_t)side;
	return (uint8_t)(v >> at % 8 * 8);
}

void talk_end(struct talk *k)
{
	k->t->ops->close(k->t);
	k->t = NULL;
	k->closed = true;
}

static void talk_write(struct pair *p, int side)
{
	struct talk *k = &p->talk[side];
	while (k->t != NULL && k->sent < k->to_send) {
		uint8_t some[20000];
		size_t n = k->to_send - k->sent < sizeof some ? (size_t)(k->to_send - k->sent) : sizeof some;
		for (size_t i = 0; i < n; i++)
			some[i] = byte_at(side, k->sent + i);
		size_t cut = shoal_rng_below(&p->line.rng, (uint32_t)n + 1);
		struct shoal_bytes v[2] = { { some, cut }, { some + cut, n - cut } };
		ptrdiff_t went = k->t->ops->send(k->t, v, 2, false);
		if (went < 0) {
			k->err = (int)went;
			k->failed = true;
			return talk_end(k);
		}
		k->sent += (size_t)went;
		if ((size_t)went < n)
			break;
	}
	if (k->t != NULL)
		k->t->ops->want(k->t, SHOAL_WANT_READ | (k->sent < k->to_send ? SHOAL_WANT_WRITE : 0u));
}

static void talk_read(struct pair *p, int side)
{
	struct talk *k = &p->talk[side];
	uint8_t some[30000];
	if (k->slow_every > 0 && k->read_at + k->slow_every > p->line.now)
		return;
	k->read_at = p->line.now;
	while (k->t != NULL) {
		struct shoal_space v = { some, k->sip ? k->sip : sizeof some };
		ptrdiff_t n = k->t->ops->recv(k->t, &v, 1);
		if (n == 0)
			return;
		if (n < 0) {
			k->err = (int)n;
			k->eof = n == SHOAL_ERR_CLOSED && k->got == k->to_get;
			k->failed |= !k->eof;
			return talk_end(k);
		}
		for (ptrdiff_t i = 0; i < n; i++)
			if (some[i] != byte_at(!side, k->got + (uint64_t)i))
				fail_msg("byte %llu of side %d is wrong (seed %llu)",
					 (unsigned long long)(k->got + (uint64_t)i), side,
					 (unsigned long long)p->line.o.seed);
		k->got += (uint64_t)n;
		assert_true(k->got <= k->to_get);
		if (k->sip > 0)
			return;
	}
}

/* Who has sent and got all closes; the other sees the end. */
static void talk_look(struct pair *p, int side)
{
	struct talk *k = &p->talk[side];
	const struct talk *other = &p->talk[!side];
	if (k->t != NULL && k->sent == k->to_send && k->got == k->to_get && (p->hasty || other->got == other->to_get))
		talk_end(k);
}

static void pair_event(struct line *l, int side, const struct shoal_utp_event *ev)
{
	struct pair *p = (struct pair *)(void *)l;
	struct talk *k = &p->talk[side];
	switch (ev->kind) {
	case SHOAL_UTP_ACCEPTED:
		assert_int_equal(side, 1);
		assert_true(ev->addr.port == l->addr[0].port);
		if (k->t != NULL || k->closed || p->refuse) { /* one talk alone */
			ev->t->ops->close(ev->t);
			return;
		}
		k->t = ev->t;
		break;
	case SHOAL_UTP_DIALED:
		assert_int_equal(side, 0);
		assert_true(ev->cookie == 99);
		if (ev->t == NULL) {
			k->err = ev->err;
			k->failed = k->closed = true;
			return;
		}
		k->t = ev->t;
		break;
	case SHOAL_UTP_READY: assert_ptr_equal(ev->t, k->t); break;
	}
	if (ev->kind != SHOAL_UTP_READY)
		talk_write(p, side);
	else if (ev->what & SHOAL_WANT_READ)
		talk_read(p, side);
	if (k->t != NULL && ev->kind == SHOAL_UTP_READY && ev->what & SHOAL_WANT_WRITE)
		talk_write(p, side);
	talk_look(p, side);
}

bool pair_done(struct line *l)
{
	const struct pair *p = (const struct pair *)(const void *)l;
	return p->talk[0].closed && p->talk[1].closed;
}

static void pair_turn(struct line *l, int side)
{
	talk_look((struct pair *)(void *)l, side);
}

void pair_place(struct pair *p, const struct line_options *o, uint64_t a_to_b, uint64_t b_to_a)
{
	line_open(&p->line, o);
	p->line.on_event = pair_event;
	p->line.on_turn = pair_turn;
	memset(p->talk, 0, sizeof p->talk);
	p->refuse = p->hasty = false;
	p->talk[0].to_send = p->talk[1].to_get = a_to_b;
	p->talk[1].to_send = p->talk[0].to_get = b_to_a;
}

void pair_dial(struct pair *p)
{
	assert_int_equal(shoal_utp_dial(p->line.utp[0], &p->line.addr[1], 99, clock_of(&p->line, 0)), 0);
}

void pair_open(struct pair *p, const struct line_options *o, uint64_t a_to_b, uint64_t b_to_a)
{
	pair_place(p, o, a_to_b, b_to_a);
	pair_dial(p);
}

void pair_expect_all(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		struct talk *k = &p->talk[i];
		if (!k->closed || k->failed || k->got != k->to_get)
			fail_msg("seed %llu, side %d: %llu of %llu came, err %d, after %llu ms",
				 (unsigned long long)p->line.o.seed, i, (unsigned long long)k->got,
				 (unsigned long long)k->to_get, k->err,
				 (unsigned long long)(p->line.now - SHOAL_S(1000)) / 1000);
	}
}

uint64_t own_seeds(uint64_t all)
{
	return getenv("SHOAL_LONG") != NULL ? all * 20 : getenv("SHOAL_SHORT") != NULL ? all / 4 + 1 : all;
}
