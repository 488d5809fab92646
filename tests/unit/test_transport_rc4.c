/* test_transport_rc4.c - both ways through RC4 over a stream that takes and gives what it likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/rng.h"
#include "proto/transport_rc4.h"

#define ROOM (1u << 20)

/* What is sent comes back by recv(), `most` bytes a call. */
struct loop {
	struct shoal_transport t;
	struct shoal_rng rng;
	uint8_t at[ROOM];
	size_t head, tail;
	uint32_t most; /* of one call; 0: nothing */
	unsigned wanted;
	bool more, closed, broken;
};

static ptrdiff_t loop_recv(struct shoal_transport *t, const struct shoal_space v[], size_t n)
{
	struct loop *l = (struct loop *)t;
	size_t total = 0, most = shoal_rng_below(&l->rng, l->most + 1);
	if (l->broken)
		return SHOAL_ERR_CLOSED;
	for (size_t i = 0; i < n; i++) {
		size_t here = v[i].len;
		here = here < l->tail - l->head ? here : l->tail - l->head;
		here = here < most - total ? here : most - total;
		if (here > 0)
			memcpy(v[i].at, l->at + l->head, here);
		l->head += here;
		total += here;
	}
	return (ptrdiff_t)total;
}

static ptrdiff_t loop_send(struct shoal_transport *t, const struct shoal_bytes v[], size_t n, bool more)
{
	struct loop *l = (struct loop *)t;
	size_t total = 0, most = shoal_rng_below(&l->rng, l->most + 1);
	l->more = more;
	if (l->broken)
		return SHOAL_ERR_CLOSED;
	for (size_t i = 0; i < n; i++) {
		size_t here = v[i].len < most - total ? v[i].len : most - total;
		assert_true(here <= ROOM - l->tail);
		memcpy(l->at + l->tail, v[i].at, here);
		l->tail += here;
		total += here;
	}
	return (ptrdiff_t)total;
}

static void loop_want(struct shoal_transport *t, unsigned what)
{
	((struct loop *)t)->wanted = what;
}

static void loop_close(struct shoal_transport *t)
{
	((struct loop *)t)->closed = true;
}

static const struct shoal_transport_ops loop_ops = { "loop", loop_recv, loop_send, NULL, loop_want, loop_close };

static struct shoal_transport *open_over(struct loop *l)
{
	struct shoal_transport *t;
	struct shoal_rc4 cipher;
	*l = (struct loop){ .t.ops = &loop_ops, .rng = shoal_rng_split(5, 5), .most = ROOM };
	shoal_rc4_init(&cipher, SHOAL_LIT("a key of both ways"));
	assert_int_equal(shoal_transport_rc4_new(&t, &l->t, &cipher, &cipher), 0);
	return t;
}

static struct loop line;
static uint8_t sent[ROOM], got[ROOM];

/* Spans of any lengths, empty ones among them, into a stream that takes any part of them. */
static void all_comes_through_in_any_parts(void **state)
{
	static const uint32_t mosts[] = { 3, 700, 33000, 200000 };
	(void)state;
	for (size_t round = 0; round < sizeof mosts / sizeof *mosts; round++) {
		struct shoal_transport *t = open_over(&line);
		struct shoal_rng rng = shoal_rng_split(round, 1);
		size_t total = mosts[round] < 10 ? 5000 : ROOM, out = 0, in = 0;
		line.most = mosts[round];
		for (size_t i = 0; i < total; i++)
			sent[i] = (uint8_t)shoal_rng_next(&rng);
		while (in < total) {
			struct shoal_bytes v[5];
			size_t at = out;
			for (size_t i = 0; i < 5; i++) {
				size_t len = shoal_rng_below(&rng, 40000);
				len = i % 2 ? len % 14 : len;
				len = len < total - at ? len : total - at;
				v[i] = shoal_bytes(sent + at, len);
				at += len;
			}
			ptrdiff_t n = t->ops->send(t, v, 5, false);
			assert_true(n >= 0);
			out += (size_t)n;
			struct shoal_space to[2] = { { got + in, 0 }, { NULL, 0 } };
			to[0].len = shoal_rng_below(&rng, 5) < total - in ? shoal_rng_below(&rng, 5) : 0;
			to[0].len = to[0].len < total - in ? to[0].len : total - in;
			to[1] = (struct shoal_space){ got + in + to[0].len, total - in - to[0].len };
			n = t->ops->recv(t, to, 2);
			assert_true(n >= 0);
			in += (size_t)n;
		}
		assert_memory_equal(sent, got, total);
		assert_memory_not_equal(sent, line.at, total);
		t->ops->close(t);
		assert_true(line.closed);
	}
}

/* What was not taken can be replaced before it is sent again: nothing of it has been kept. */
static void what_was_not_taken_is_as_if_never_said(void **state)
{
	(void)state;
	struct shoal_transport *t = open_over(&line);
	struct shoal_bytes first = SHOAL_LIT("taken back"), second = SHOAL_LIT("said");
	line.most = 0;
	assert_int_equal(t->ops->send(t, &first, 1, false), 0);
	line.most = ROOM;
	while (line.tail == 0)
		assert_true(t->ops->send(t, &second, 1, false) >= 0);
	struct shoal_space to = { got, ROOM };
	ptrdiff_t n = 0;
	while (n == 0)
		n = t->ops->recv(t, &to, 1);
	assert_memory_equal(got, "said", (size_t)n);
	t->ops->close(t);
}

static void the_rest_is_as_below(void **state)
{
	(void)state;
	struct shoal_transport *t = open_over(&line);
	struct shoal_bytes out = SHOAL_LIT("x");
	struct shoal_space in = { got, 1 };
	assert_null(t->ops->send_file);
	t->ops->want(t, SHOAL_WANT_WRITE);
	assert_int_equal(line.wanted, SHOAL_WANT_WRITE);
	assert_true(t->ops->send(t, &out, 1, true) >= 0);
	assert_true(line.more);
	assert_int_equal(t->ops->send(t, NULL, 0, false), 0);
	line.broken = true;
	assert_int_equal(t->ops->send(t, &out, 1, false), SHOAL_ERR_CLOSED);
	assert_int_equal(t->ops->recv(t, &in, 1), SHOAL_ERR_CLOSED);
	t->ops->close(t);
	assert_true(line.closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_comes_through_in_any_parts),
		cmocka_unit_test(what_was_not_taken_is_as_if_never_said),
		cmocka_unit_test(the_rest_is_as_below),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
