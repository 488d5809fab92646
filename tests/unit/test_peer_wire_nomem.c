/*
 * test_peer_wire_nomem.c - every allocation of a peer's stream fails once, in turn: the call says NOMEM, what was
 * queued stays whole, and nothing leaks. The files under test are included, with an allocator that can fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int fail_in = -1; /* allocations until one fails; < 0: none does */
static int held;

static bool fails(void)
{
	return fail_in >= 0 && fail_in-- == 0;
}

static void *try_calloc(size_t n, size_t size)
{
	void *at = fails() ? NULL : calloc(n, size);
	held += at != NULL;
	return at;
}

static void *try_malloc(size_t size)
{
	void *at = fails() ? NULL : malloc(size);
	held += at != NULL;
	return at;
}

static void *try_realloc(void *at, size_t size)
{
	void *to = fails() ? NULL : realloc(at, size);
	held += to != NULL && at == NULL;
	return to;
}

static void try_free(void *at)
{
	held -= at != NULL;
	free(at);
}

#define calloc try_calloc
#define malloc try_malloc
#define realloc try_realloc
#define free try_free
#include "proto/peer_wire.c"
#include "proto/peer_wire_out.c"
#undef calloc
#undef malloc
#undef realloc
#undef free

static uint8_t stream[SHOAL_WIRE_HANDSHAKE_LEN + 60006], bounce[SHOAL_PW_BOUNCE];

/* A handshake and a message of 60 kB come in. The last result. */
static int take_in(struct shoal_pw *pw)
{
	struct shoal_wire_handshake hs = { .can = SHOAL_CAN_EXTENDED };
	struct shoal_space v[SHOAL_PW_SPANS];
	struct shoal_pw_event ev;
	size_t messages = 0;
	int rc = 0;

	shoal_wire_handshake_encode(&hs, stream);
	shoal_put_u32(stream + SHOAL_WIRE_HANDSHAKE_LEN, 60002);
	stream[SHOAL_WIRE_HANDSHAKE_LEN + 4] = SHOAL_WIRE_EXTENDED;
	shoal_pw_terms(pw, 0, false, true, false);
	for (size_t at = 0; at < sizeof stream && rc >= 0;) {
		assert_true(shoal_pw_space(pw, v, 1) == 1);
		size_t n = v[0].len < sizeof stream - at ? v[0].len : sizeof stream - at;
		memcpy(v[0].at, stream + at, n);
		at += n;
		shoal_pw_filled(pw, n, bounce, 2);
		while ((rc = shoal_pw_poll(pw, &ev)) > 0)
			messages += ev.kind == SHOAL_PW_MESSAGE;
	}
	assert_int_equal(messages, rc < 0 ? 0 : 1);
	if (rc < 0)
		assert_int_equal(shoal_pw_space(pw, v, 1), 0);
	return rc;
}

/* All that goes out, every call until it is good. How often one was not. */
static size_t put_out(struct shoal_pw *pw)
{
	struct shoal_wire_handshake hs = { .can = 0 };
	const struct shoal_wire_msg msg = { .id = SHOAL_WIRE_HAVE };
	size_t failed = 0, queued = 0;
	int rc;

	for (; (rc = shoal_pw_greet(pw, &hs)) < 0; failed++)
		assert_int_equal(rc, SHOAL_ERR_NOMEM);
	queued += SHOAL_WIRE_HANDSHAKE_LEN;
	for (int i = 0; i < 100; i++) {
		for (; (rc = shoal_pw_say(pw, &msg)) < 0; failed++) {
			assert_int_equal(rc, SHOAL_ERR_NOMEM);
			assert_int_equal(shoal_pw_queued(pw), queued);
		}
		queued += 9;
	}
	for (uint32_t i = 0; i < 20; i++) {
		struct shoal_pw_give give = { .piece = i, .len = 1000, .token = pw, .at = stream };
		for (; (rc = shoal_pw_give(pw, &give)) < 0; failed++) {
			assert_int_equal(rc, SHOAL_ERR_NOMEM);
			assert_int_equal(shoal_pw_queued(pw), queued);
		}
		queued += 1013;
	}
	assert_int_equal(shoal_pw_queued(pw), queued);
	return failed;
}

static void every_allocation_fails_once(void **state)
{
	(void)state;
	int step = 0;
	for (bool failed = true; failed; step++) {
		struct shoal_pw *pw = NULL;
		assert_true(step < 100);
		fail_in = step;
		int rc = shoal_pw_new(&pw, 1);
		if (rc == 0)
			rc = take_in(pw);
		if (rc == 0)
			failed = put_out(pw) > 0;
		else
			assert_int_equal(rc, SHOAL_ERR_NOMEM);
		shoal_pw_free(pw);
		fail_in = -1;
		assert_int_equal(held, 0);
	}
	assert_true(step > 8); /* it did reach the growing ones */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_fails_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
