/* test_sim_hashes.c - BEP 52: strangers ask for hashes, as many as they may, and get as many as can be told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/merkle.h"
#include "swarm/peers/patience.h"
#include "tests/sim/strangers.h"

#define PIECE_LEAVES 4096u /* of a piece of 64 MiB: 128 KiB of hashes */
#define PIECE_LAYER 12u	   /* as many layers above the leaves */

struct heard {
	unsigned hashes, rejects, bitfields, have_all;
	size_t longest; /* body of HASHES, in hashes */
};

static void hear(void *to, struct stranger *s, const struct shoal_wire_msg *msg)
{
	struct heard *h = to;
	(void)s;
	h->bitfields += msg->id == SHOAL_WIRE_BITFIELD;
	h->have_all += msg->id == SHOAL_WIRE_HAVE_ALL;
	h->rejects += msg->id == SHOAL_WIRE_HASH_REJECT;
	if (msg->id != SHOAL_WIRE_HASHES)
		return;
	h->hashes++;
	h->longest = msg->body.len / 32 > h->longest ? msg->body.len / 32 : h->longest;
}

/* A seed of `count` pieces as large as they may be, whose hashes are zeros. */
static struct strangers *begin(struct heard *h, uint32_t count)
{
	struct strangers *w = strangers_new(&(struct strangers_options){
		.torrent = true, .seeds = true, .v2 = true, .large_pieces = count, .on_message = hear, .to = h });
	strangers_run(w, SHOAL_S(8));
	return w;
}

static struct stranger *come(struct strangers *w, const char *from)
{
	struct shoal_addr addr = strangers_addr(from);
	return stranger_come(w, &addr, 0);
}

struct request {
	uint32_t base, index, length;
};

/* All at once: `n` <= 4. */
static void ask(struct stranger *s, uint32_t count, const struct request *r, size_t n)
{
	static const shoal_hash32 zeros[8192];
	uint8_t raw[4 * 64];
	size_t len = 0;
	assert_true(n <= 4 && count <= sizeof zeros / sizeof *zeros);
	for (size_t i = 0; i < n; i++) {
		struct shoal_wire_msg msg = { .id = SHOAL_WIRE_HASH_REQUEST,
					      .range = {
						      .base = r[i].base, .index = r[i].index, .length = r[i].length } };
		shoal_merkle_root_of(zeros, count, shoal_merkle_width(count), PIECE_LAYER, msg.range.root);
		ptrdiff_t took = shoal_wire_encode(&msg, (struct shoal_space){ raw + len, sizeof raw - len });
		assert_true(took > 0);
		len += (size_t)took;
	}
	stranger_say(s, raw, len);
}

/* Each has 128 KiB, and is 64 MiB read: who is not told all of it hears so, and is not taken for one that does not read. */
static void leaves_have_an_end(void **state)
{
	struct heard h = { 0 };
	struct request r[4];
	(void)state;
	struct strangers *w = begin(&h, 4);
	struct stranger *s = come(w, "83.1.2.3:40000");
	for (uint32_t piece = 0; piece < 4; piece++)
		r[piece] = (struct request){ 0, piece * PIECE_LEAVES, PIECE_LEAVES };
	ask(s, 4, r, 4);
	strangers_run(w, SHOAL_S(1));
	assert_true(s->open);
	assert_int_equal(h.hashes, 1);
	assert_int_equal(h.rejects, 3);
	assert_int_equal(h.longest, PIECE_LEAVES);
	strangers_run(w, SHOAL_S(20));
	ask(s, 4, r, 1);
	strangers_run(w, SHOAL_S(1));
	assert_int_equal(h.hashes, 2);
	strangers_free(w);
}

/* Each asks for one piece, as anybody may; so many of them get what all may together. */
static void many_get_no_more_than_a_few(void **state)
{
	enum { ALL = SHOAL_PATIENCE_READ_ALL / 64 }; /* pieces */
	struct heard h = { 0 };
	const struct request r = { 0, 0, PIECE_LEAVES };
	(void)state;
	struct strangers *w = begin(&h, 4);
	for (unsigned i = 0; i < 2 * ALL; i++) {
		struct shoal_addr addr = strangers_far(i);
		ask(stranger_come(w, &addr, 0), 4, &r, 1);
		strangers_run(w, 100);
	}
	print_message("%u pieces read, %u refused\n", h.hashes, h.rejects);
	assert_int_equal(h.hashes + h.rejects, 2 * ALL);
	assert_in_range(h.hashes, ALL, ALL + 2);
	strangers_free(w);
}

/* 64 KiB, and 256 KiB behind them. */
static void so_have_layers(void **state)
{
	static const struct request r[] = { { PIECE_LAYER, 0, 2048 }, { PIECE_LAYER, 0, 8192 } };
	struct heard h = { 0 };
	(void)state;
	struct strangers *w = begin(&h, 8192);
	struct stranger *s = come(w, "83.1.2.3:40000");
	ask(s, 8192, r, 2);
	strangers_run(w, SHOAL_S(1));
	assert_true(s->open);
	assert_int_equal(h.hashes, 1);
	assert_int_equal(h.rejects, 1);
	ask(s, 8192, r + 1, 1);
	strangers_run(w, SHOAL_S(1));
	assert_int_equal(h.hashes, 2);
	assert_int_equal(h.longest, 8192);
	strangers_free(w);
}

/* Whoever asked may have gone when the piece turns out to be another: it is claimed no more all the same. */
static void a_false_piece_is_withdrawn_though_nobody_waits(void **state)
{
	static const struct request r = { 0, 0, PIECE_LEAVES };
	struct heard h = { 0 };
	(void)state;
	struct strangers *w = begin(&h, 4);
	struct stranger *s = come(w, "83.1.2.3:40000");
	assert_int_equal(h.have_all, 1);
	w->rots = w->tray.stuck = true;
	ask(s, 4, &r, 1);
	stranger_leave(s);
	w->tray.stuck = false;
	strangers_run(w, SHOAL_S(8));
	s = come(w, "84.1.2.3:40000");
	assert_true(s->open);
	assert_int_equal(h.have_all, 1);
	assert_int_equal(h.bitfields, 1);
	strangers_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_have_an_end),
		cmocka_unit_test(many_get_no_more_than_a_few),
		cmocka_unit_test(so_have_layers),
		cmocka_unit_test(a_false_piece_is_withdrawn_though_nobody_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
