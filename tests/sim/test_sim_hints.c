/* test_sim_hints.c - v1 among polluters: who has a piece says which blocks of it are false, and only those come again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/leaf_hints.h"
#include "swarm/core/node_room.h"
#include "tests/sim/scene.h"
#include "tests/sim/strangers.h"

struct outcome {
	uint64_t wasted, size;
	shoal_us took;
};

/* Four seeds, two of whom spoil one block in thirty, and a leech. */
static struct outcome fetch(uint64_t seed, enum shoal_format format, unsigned without)
{
	struct sim_content c;
	struct sim_adversary_spec spec = sim_adversary_spec(SIM_POLLUTER);
	spec.rate = 33000;
	scene_content(&c, format, 512 * KIB, 24 * MIB, seed);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c });
	for (unsigned i = 0; i < 4; i++) {
		struct sim_node_options o = { .up = 512 * KIB };
		if (i >= 2)
			o.adversary = spec;
		scene_seed(sim, o);
	}
	struct sim_node *leech = sim_node_new(sim, &(struct sim_node_options){ .without = without });
	for (unsigned i = 0; i < 4; i++)
		sim_node_meet(leech, sim_node(sim, i));
	shoal_us began = sim_now(sim);
	scene_start_all(sim);
	sim_run_for(sim, SHOAL_S(60));
	assert_string_equal(sim_wrong(sim), ""); /* and so nobody honest was banned */
	assert_true(leech->complete);
	struct outcome out = { leech->stats.wasted, shoal_metainfo_size(c.mi), leech->completed_at - began };
	sim_free(sim);
	sim_content_fini(&c);
	return out;
}

static void only_what_is_false_comes_again(void **state)
{
	struct outcome with = { 0 }, without = { 0 };
	(void)state;
	for (uint64_t seed = 1; seed <= scene_rounds(6, 3, 40); seed++) {
		struct outcome a = fetch(seed, SHOAL_FORMAT_V1, 0),
			       b = fetch(seed, SHOAL_FORMAT_V1, SHOAL_WITHOUT_HINTS);
		print_message("seed %llu: wasted %.2f %% in %.1f s, without hints %.2f %% in %.1f s\n",
			      (unsigned long long)seed, 100.0 * (double)a.wasted / (double)a.size, (double)a.took / 1e6,
			      100.0 * (double)b.wasted / (double)b.size, (double)b.took / 1e6);
		with.wasted += a.wasted;
		without.wasted += b.wasted;
	}
	assert_true(without.wasted > 0);
	assert_true(with.wasted < without.wasted / 2);
}

/* Those have leaf hashes that are proven, and ask for no word. */
static void a_hybrid_needs_none(void **state)
{
	(void)state;
	struct outcome a = fetch(3, SHOAL_FORMAT_HYBRID, 0), b = fetch(3, SHOAL_FORMAT_HYBRID, SHOAL_WITHOUT_HINTS);
	assert_int_equal(a.wasted, b.wasted);
	assert_int_equal(a.took, b.took);
}

/* ---- a hint that does not help ------------------------------------------------------------------ */

#define THEIR_LEAVES 5 /* the stranger's number for sh_leaves */

struct heard {
	struct stranger *server, *teller;
	unsigned piece, asked; /* the piece `server` is asked for, SHOAL_PIECE_NONE; hints that `teller` is asked for */
	unsigned told, refused; /* and given */
};

static void hear(void *to, struct stranger *s, const struct shoal_wire_msg *msg)
{
	struct heard *h = to;
	if (s == h->server && msg->id == SHOAL_WIRE_REQUEST && h->piece == SHOAL_PIECE_NONE)
		h->piece = msg->index;
	if (s != h->teller || msg->id != SHOAL_WIRE_EXTENDED || msg->ext != THEIR_LEAVES)
		return;
	h->asked += msg->body.at[0] == SHOAL_HINT_ASK;
	h->told += msg->body.at[0] == SHOAL_HINT_TELL;
	h->refused += msg->body.at[0] == SHOAL_HINT_NONE;
}

/* Says that it has all. */
static struct stranger *one_that_has_it(struct strangers *w, const char *from)
{
	struct shoal_addr addr = strangers_addr(from);
	struct stranger *s = stranger_come(w, &addr, 0);
	stranger_say(s, "\0\0\0\1\x0e", 5);
	return s;
}

static struct stranger *one_that_serves(struct strangers *w, struct heard *h, const char *from)
{
	struct stranger *s = one_that_has_it(w, from);
	h->server = s;
	h->piece = SHOAL_PIECE_NONE;
	stranger_say(s, "\0\0\0\1\1", 5); /* unchoke */
	strangers_run(w, SHOAL_S(1));
	assert_int_not_equal(h->piece, SHOAL_PIECE_NONE);
	return s;
}

/* Of the piece's two blocks, both false: "the first is right". */
static void mislead(struct stranger *s, unsigned piece)
{
	static const uint8_t zeros[SHOAL_BLOCK];
	uint8_t digest[2][32] = { { 0 } }, raw[SHOAL_HINT_HEAD + sizeof digest];
	shoal_sha256(shoal_bytes(zeros, sizeof zeros), digest[0]);
	struct shoal_hint_msg msg = { SHOAL_HINT_TELL, piece, 2, (const uint8_t(*)[32])digest };
	assert_int_equal(shoal_hint_encode(&msg, (struct shoal_space){ raw, sizeof raw }), sizeof raw);
	stranger_say_ext(s, SHOAL_EXT_LEAVES, shoal_bytes(raw, sizeof raw));
}

/* `h->teller` has all and knows sh_leaves; what comes back gave a piece (`h->piece`) whose two blocks are false. */
static struct stranger *one_that_lied(struct heard *h)
{
	struct strangers *w = strangers_new(
		&(struct strangers_options){ .torrent = true, .on_message = hear, .to = h });
	strangers_run(w, SHOAL_S(8));
	h->teller = one_that_has_it(w, "83.1.2.3:40000");
	stranger_say_ext(h->teller, 0, SHOAL_LIT("d1:md9:sh_leavesi5eee"));
	struct stranger *liar = one_that_serves(w, h, "80.1.2.3:40000");
	stranger_gives(liar, 2 * h->piece);
	stranger_gives(liar, 2 * h->piece + 1);
	strangers_run(w, SHOAL_S(1));
	assert_int_equal(h->asked, 1);
	return liar;
}

/* Once the piece has failed again the hint stands for nothing: no block of it is kept for its sake, and if it comes right in
 * the end that is nobody's merit. */
static void a_hint_counts_until_the_piece_fails_again(void **state)
{
	struct heard h = { .piece = SHOAL_PIECE_NONE };
	struct stranger *liar = one_that_lied(&h);
	struct strangers *w = liar->w;
	unsigned piece = h.piece;
	(void)state;
	mislead(h.teller, piece);
	strangers_run(w, SHOAL_MS(100));
	struct shoal_open *open = shoal_landing_find(&w->node->swarms->landing, piece);
	assert_non_null(open);
	assert_true(open->hinted && open->here == 1 && open->asked[0] == SHOAL_BLOCK_LANDED);
	stranger_leave(h.teller);
	if (liar->open)
		stranger_leave(liar);
	struct stranger *other = one_that_serves(w, &h, "81.1.2.3:40000");
	stranger_gives(other, 2 * piece + 1);
	strangers_run(w, SHOAL_S(1));
	open = shoal_landing_find(&w->node->swarms->landing, piece);
	assert_non_null(open);
	assert_int_equal(open->attempts, 2);
	assert_false(open->hinted);
	strangers_free(w);
}

/* Whoever is asked may have nothing to say, and not even that: the piece is fetched again, and not for ever waited for. */
static void a_hint_that_never_comes_is_waited_for_so_long(void **state)
{
	struct heard h = { .piece = SHOAL_PIECE_NONE };
	struct strangers *w = one_that_lied(&h)->w;
	unsigned piece = h.piece;
	(void)state;
	struct shoal_open *open = shoal_landing_find(&w->node->swarms->landing, piece);
	assert_non_null(open);
	assert_int_equal(open->state, SHOAL_OPEN_DISPUTED);
	strangers_run(w, SHOAL_EVIDENCE_DISPUTE);
	open = shoal_landing_find(&w->node->swarms->landing, piece);
	assert_true(open == NULL || open->state == SHOAL_OPEN_FETCHING);
	assert_int_equal(h.asked, 1);
	strangers_free(w);
}

/* ---- answering ------------------------------------------------------------------------------------ */

/* Of pieces as large as they may be an answer has 128 KiB, and the asks for four come at once: who cannot be told all of it
 * hears so, and is not taken for one that does not read. */
static void long_answers_have_an_end(void **state)
{
	struct heard h = { .piece = SHOAL_PIECE_NONE };
	uint8_t asks[4][6 + SHOAL_HINT_HEAD];
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){
		.torrent = true, .seeds = true, .large_pieces = 4, .on_message = hear, .to = &h });
	strangers_run(w, SHOAL_S(8));
	struct shoal_addr addr = strangers_addr("83.1.2.3:40000");
	h.teller = stranger_come(w, &addr, 0);
	stranger_say_ext(h.teller, 0, SHOAL_LIT("d1:md9:sh_leavesi5eee"));
	for (uint32_t piece = 0; piece < 4; piece++) {
		struct shoal_hint_msg msg = { .kind = SHOAL_HINT_ASK, .piece = piece };
		shoal_put_u32(asks[piece], 2 + SHOAL_HINT_HEAD);
		asks[piece][4] = SHOAL_WIRE_EXTENDED;
		asks[piece][5] = SHOAL_EXT_LEAVES;
		assert_int_equal(shoal_hint_encode(&msg, (struct shoal_space){ asks[piece] + 6, SHOAL_HINT_HEAD }),
				 SHOAL_HINT_HEAD);
	}
	stranger_say(h.teller, asks, sizeof asks);
	strangers_run(w, SHOAL_S(1));
	assert_true(h.teller->open);
	assert_int_equal(h.told, 2);
	assert_int_equal(h.refused, 2);
	strangers_free(w);
}

static void ask(struct stranger *s, uint32_t piece)
{
	uint8_t raw[SHOAL_HINT_HEAD];
	struct shoal_hint_msg msg = { .kind = SHOAL_HINT_ASK, .piece = piece };
	assert_int_equal(shoal_hint_encode(&msg, (struct shoal_space){ raw, sizeof raw }), SHOAL_HINT_HEAD);
	stranger_say_ext(s, SHOAL_EXT_LEAVES, shoal_bytes(raw, sizeof raw));
}

/* Each of them asks for no more than one may; so many of them get what all may, and no more. */
static void many_get_no_more_than_a_few(void **state)
{
	enum { PIECE_MIB = 64, EACH = SHOAL_PATIENCE_HINTS / PIECE_MIB, ALL = SHOAL_PATIENCE_READ_ALL / PIECE_MIB };
	struct heard h = { .piece = SHOAL_PIECE_NONE };
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){
		.torrent = true, .seeds = true, .large_pieces = 4, .on_message = hear, .to = &h });
	strangers_run(w, SHOAL_S(8));
	for (unsigned i = 0; i < 2 * ALL / EACH; i++) {
		struct shoal_addr addr = strangers_far(i);
		h.teller = stranger_come(w, &addr, 0);
		stranger_say_ext(h.teller, 0, SHOAL_LIT("d1:md9:sh_leavesi5eee"));
		for (unsigned k = 0; k < EACH; k++) {
			ask(h.teller, k % 4);
			strangers_run(w, 100);
		}
	}
	print_message("%u pieces read for %u that asked, %u asks refused\n", h.told, 2 * ALL / EACH, h.refused);
	assert_int_equal(h.told + h.refused, 2 * ALL);
	assert_in_range(h.told, ALL, ALL + 2);
	unsigned before = h.told;
	strangers_run(w, SHOAL_S(60));
	ask(h.teller, 0);
	strangers_run(w, 100);
	assert_int_equal(h.told, before + 1);
	strangers_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_false_comes_again),
		cmocka_unit_test(a_hybrid_needs_none),
		cmocka_unit_test(a_hint_counts_until_the_piece_fails_again),
		cmocka_unit_test(a_hint_that_never_comes_is_waited_for_so_long),
		cmocka_unit_test(long_answers_have_an_end),
		cmocka_unit_test(many_get_no_more_than_a_few),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
