/* test_sim_asks.c - asks, cancels and refusals of one peer, byte by byte: which answer is to which ask (BEP 6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/strangers.h"

#define BLOCKS 8 /* of the strangers' torrent: four pieces of two */

struct heard {
	const struct stranger *who; /* the first that is spoken to: it alone, or ... */
	bool anybody;
	unsigned asked[BLOCKS], cancelled[BLOCKS];
};

static void hear(void *to, struct stranger *s, const struct shoal_wire_msg *msg)
{
	struct heard *h = to;
	h->who = h->who == NULL ? s : h->who;
	if (h->who != s && !h->anybody)
		return;
	if (msg->id == SHOAL_WIRE_REQUEST)
		h->asked[msg->index * 2 + msg->begin / SHOAL_BLOCK]++;
	if (msg->id == SHOAL_WIRE_CANCEL)
		h->cancelled[msg->index * 2 + msg->begin / SHOAL_BLOCK]++;
}

static unsigned sum(const unsigned v[BLOCKS])
{
	unsigned n = 0;
	for (unsigned i = 0; i < BLOCKS; i++)
		n += v[i];
	return n;
}

static void refuse(struct stranger *s, unsigned block)
{
	const struct shoal_wire_msg msg = {
		.id = SHOAL_WIRE_REJECT, .index = block / 2, .begin = block % 2 * SHOAL_BLOCK, .len = SHOAL_BLOCK
	};
	stranger_say_msg(s, &msg);
}

static void refuse_what_was_taken_back(struct stranger *s, const struct heard *h)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		if (h->cancelled[i] > 0)
			refuse(s, i);
}

static struct stranger *one_that_serves(struct strangers *w, const char *from)
{
	struct shoal_addr addr = strangers_addr(from);
	struct stranger *s = stranger_come(w, &addr, 0);
	stranger_say(s, "\0\0\0\1\x0e", 5); /* have all */
	stranger_say(s, "\0\0\0\1\1", 5);   /* unchoke */
	strangers_run(w, SHOAL_S(1));
	assert_true(s->open);
	return s;
}

/*
 * It was asked for all, and stalls. Another brings a piece of that, a false one, and leaves: what the first owed of it was
 * taken back, is missing again, and once the first gives something it is asked for that a second time.
 */
static struct stranger *one_asked_twice(struct heard *h, unsigned *block)
{
	struct strangers *w = strangers_new(
		&(struct strangers_options){ .torrent = true, .on_message = hear, .to = h });
	unsigned kept = 0;
	unsigned piece = 0;
	strangers_run(w, SHOAL_S(8));
	struct stranger *s = one_that_serves(w, "80.1.2.3:40000");
	strangers_run(w, SHOAL_S(60));
	assert_true(s->open && sum(h->asked) >= 3);
	while (h->asked[2 * piece] == 0 || h->asked[2 * piece + 1] == 0)
		++piece;
	while (kept / 2 == piece || h->asked[kept] == 0 || h->cancelled[kept] != 0)
		++kept;
	struct stranger *other = one_that_serves(w, "81.1.2.3:40000");
	stranger_gives(other, 2 * piece);
	stranger_gives(other, 2 * piece + 1);
	strangers_run(w, SHOAL_S(1));
	if (other->open)
		stranger_leave(other);
	assert_true(h->cancelled[2 * piece] == 1 && h->cancelled[2 * piece + 1] == 1);
	stranger_gives(s, kept);
	for (unsigned t = 0; t < 10 && h->asked[2 * piece] + h->asked[2 * piece + 1] < 3; t++)
		strangers_run(w, SHOAL_S(1));
	*block = h->asked[2 * piece] == 2 ? 2 * piece : 2 * piece + 1;
	assert_int_equal(h->asked[*block], 2);
	return s;
}

/* It refuses all that was taken back, before it has seen the second ask: that stands, and the block that comes is its answer. */
static void a_refusal_is_of_the_older_ask(void **state)
{
	struct heard h = { 0 };
	unsigned block;
	struct stranger *s = one_asked_twice(&h, &block);
	struct strangers *w = s->w;
	(void)state;
	refuse_what_was_taken_back(s, &h);
	strangers_run(w, SHOAL_MS(100));
	stranger_gives(s, block);
	h.anybody = true;
	(void)one_that_serves(w, "82.1.2.3:40000");
	strangers_run(w, SHOAL_S(4));
	assert_true(s->open);
	assert_int_equal(h.asked[block], 2); /* it is here: whoever comes is not asked for it */
	strangers_free(w);
}

/* One more refusal is of the second: somebody else is asked. */
static void the_next_refusal_is_of_the_newer_ask(void **state)
{
	struct heard h = { 0 };
	unsigned block;
	struct stranger *s = one_asked_twice(&h, &block);
	struct strangers *w = s->w;
	(void)state;
	refuse_what_was_taken_back(s, &h);
	strangers_run(w, SHOAL_S(4));
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_true(h.asked[i] <= 2);
	assert_int_equal(h.asked[block], 2);
	refuse(s, block);
	h.anybody = true;
	(void)one_that_serves(w, "82.1.2.3:40000");
	strangers_run(w, SHOAL_S(4));
	assert_true(s->open && h.asked[block] > 2);
	strangers_free(w);
}

/* The block that the first ask was for comes after the second: it is taken, and the second is taken back. */
static void a_late_block_answers_both(void **state)
{
	struct heard h = { 0 };
	unsigned block;
	struct stranger *s = one_asked_twice(&h, &block);
	struct strangers *w = s->w;
	(void)state;
	stranger_gives(s, block);
	strangers_run(w, SHOAL_MS(100));
	assert_int_equal(h.cancelled[block], 2);
	refuse(s, block); /* the answer to that */
	strangers_run(w, SHOAL_S(4));
	assert_int_equal(h.asked[block], 2);
	assert_true(s->open);
	strangers_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_is_of_the_older_ask),
		cmocka_unit_test(the_next_refusal_is_of_the_newer_ask),
		cmocka_unit_test(a_late_block_answers_both),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
