/* test_picker.c - thousands of random operations against a naive model, then the laws one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bits.h"
#include "proto/base/rng.h"
#include "proto/metainfo.h"
#include "swarm/pieces/picker.h"

#define PEERS 90
#define PIECES 700

/* The model: states in plain arrays, every question answered by counting. */
struct model {
	struct shoal_picker *p;
	struct shoal_rng rng;
	uint32_t pieces;
	bool wanted[PIECES], open[PIECES], done[PIECES];
	uint8_t rank[PIECES];
	bool ranks;		       /* any off the normal one, ever */
	bool here[PEERS], seed[PEERS]; /* seed: counted as one by the picker */
	struct shoal_bits have[PEERS];
};

static struct model *model_new(uint32_t pieces, uint64_t seed)
{
	struct model *m = calloc(1, sizeof *m);
	assert_non_null(m);
	m->rng = shoal_rng_split(seed, 1);
	m->pieces = pieces;
	assert_int_equal(shoal_picker_new(&m->p, pieces, shoal_rng_split(seed, 2)), 0);
	for (size_t i = 0; i < PEERS; i++)
		assert_int_equal(shoal_bits_init(&m->have[i], pieces), 0);
	for (uint32_t i = 0; i < pieces; i++) {
		m->wanted[i] = true;
		m->rank[i] = SHOAL_RANK_NORMAL;
	}
	return m;
}

static void model_free(struct model *m)
{
	shoal_picker_free(m->p);
	for (size_t i = 0; i < PEERS; i++)
		shoal_bits_fini(&m->have[i]);
	free(m);
}

static uint32_t copies(const struct model *m, uint32_t piece, bool with_seeds)
{
	uint32_t n = 0;
	for (size_t i = 0; i < PEERS; i++)
		n += m->here[i] && (with_seeds || !m->seed[i]) && shoal_bits_get(&m->have[i], piece);
	return n;
}

static uint32_t done_count(const struct model *m)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < m->pieces; i++)
		n += m->done[i];
	return n;
}

static bool can_pick(const struct model *m, const struct shoal_bits *have, uint32_t i)
{
	return m->wanted[i] && !m->open[i] && !m->done[i] && shoal_bits_get(have, i);
}

static void check_counts(const struct model *m)
{
	uint32_t left = 0, untouched = 0, missing = 0;
	for (uint32_t i = 0; i < m->pieces; i++) {
		left += m->wanted[i] && !m->done[i];
		untouched += m->wanted[i] && !m->done[i] && !m->open[i];
		missing += m->wanted[i] && !m->done[i] && copies(m, i, true) == 0;
		assert_int_equal(shoal_picker_is_done(m->p, i), m->done[i]);
		assert_int_equal(shoal_picker_copies(m->p, i), copies(m, i, true));
	}
	assert_int_equal(shoal_picker_left(m->p), left);
	assert_int_equal(shoal_picker_untouched(m->p), untouched);
	assert_int_equal(shoal_picker_missing(m->p), missing);
	assert_int_equal(shoal_picker_have(m->p)->ones, done_count(m));
}

/* Exact to 7 copies; above, a level may hold counts a third apart. */
static void check_rank(uint32_t got, uint32_t best, bool rarest)
{
	if (got < 8 || best < 8)
		assert_int_equal(got, best);
	else if (rarest && best < 64)
		assert_true(got <= best + best / 2);
	else if (got < 64)
		assert_true(best <= got + got / 2);
}

static void check_pick(struct model *m, const struct shoal_bits *have, enum shoal_pick_order order)
{
	uint32_t first = SHOAL_PIECE_NONE, low = UINT32_MAX, high = 0;
	uint8_t rank = SHOAL_RANK_LOW;
	for (uint32_t i = 0; i < m->pieces; i++)
		if (can_pick(m, have, i) && m->rank[i] > rank)
			rank = m->rank[i];
	for (uint32_t i = 0; i < m->pieces; i++) {
		if (!can_pick(m, have, i) || m->rank[i] != rank)
			continue;
		uint32_t n = copies(m, i, false);
		first = first == SHOAL_PIECE_NONE ? i : first;
		low = n < low ? n : low;
		high = n > high ? n : high;
	}
	uint32_t got = shoal_picker_pick(m->p, have, order);
	if (first == SHOAL_PIECE_NONE) {
		assert_int_equal(got, SHOAL_PIECE_NONE);
		return;
	}
	assert_true(got < m->pieces);
	assert_true(can_pick(m, have, got) && m->rank[got] == rank);
	if (order == SHOAL_PICK_IN_ORDER)
		assert_int_equal(got, first);
	else if (done_count(m) >= SHOAL_PICKER_RANDOM_FIRST)
		check_rank(copies(m, got, false), order == SHOAL_PICK_RAREST ? low : high, order == SHOAL_PICK_RAREST);
}

static void check_needs(const struct model *m, const struct shoal_bits *have, uint32_t from)
{
	uint32_t want = SHOAL_PIECE_NONE;
	for (uint32_t k = 0; k < m->pieces && want == SHOAL_PIECE_NONE; k++) {
		uint32_t i = ((from < m->pieces ? from : 0) + k) % m->pieces;
		if (m->wanted[i] && !m->done[i] && shoal_bits_get(have, i))
			want = i;
	}
	assert_int_equal(shoal_picker_needs(m->p, have, from), want);
}

static void peer_step(struct model *m, uint32_t who, uint32_t piece)
{
	struct shoal_bits *have = &m->have[who];
	if (!m->here[who]) {
		uint32_t tenths = shoal_rng_below(&m->rng, 12); /* 10 and 11: a seed */
		shoal_bits_wipe(have);
		for (uint32_t i = 0; i < m->pieces; i++)
			if (shoal_rng_below(&m->rng, 10) < tenths)
				shoal_bits_set(have, i);
		m->here[who] = true;
		m->seed[who] = shoal_bits_full(have);
		shoal_picker_peer_joined(m->p, have);
	} else if (shoal_rng_below(&m->rng, 12) == 0) {
		if (!m->seed[who] && shoal_rng_below(&m->rng, 2))
			shoal_picker_peer_uncount(m->p, have);
		else
			shoal_picker_peer_gone(m->p, have);
		m->here[who] = false;
	} else if (m->seed[who]) {
		/* a seed loses a piece: gone full, joined with the rest */
		shoal_picker_peer_gone(m->p, have);
		shoal_bits_clear(have, piece);
		m->seed[who] = shoal_bits_full(have);
		shoal_picker_peer_joined(m->p, have);
	} else if (shoal_bits_set(have, piece)) {
		shoal_picker_peer_has(m->p, piece);
		if (shoal_bits_full(have)) {
			shoal_picker_peer_full(m->p, have);
			m->seed[who] = true;
		}
	} else {
		shoal_bits_clear(have, piece);
		shoal_picker_peer_lost(m->p, piece);
	}
}

static void own_step(struct model *m, uint32_t piece)
{
	switch (shoal_rng_below(&m->rng, m->ranks ? 7 : 6)) {
	case 0:
		m->wanted[piece] = shoal_rng_below(&m->rng, 4) != 0;
		shoal_picker_want(m->p, piece, m->wanted[piece]);
		break;
	case 1:
	case 2:
		if (!m->open[piece] && !m->done[piece]) {
			shoal_picker_open(m->p, piece);
			m->open[piece] = true;
		}
		break;
	case 3:
		shoal_picker_close(m->p, piece);
		m->open[piece] = false;
		break;
	case 4:
		shoal_picker_done(m->p, piece);
		m->open[piece] = false;
		m->done[piece] = true;
		break;
	case 5:
		shoal_picker_undone(m->p, piece);
		m->done[piece] = false;
		break;
	case 6:
		m->rank[piece] = (uint8_t)shoal_rng_below(&m->rng, 3);
		shoal_picker_rank(m->p, piece, m->rank[piece]);
		assert_int_equal(shoal_picker_wants(m->p, piece), m->wanted[piece]);
		assert_int_equal(shoal_picker_is_taken(m->p, piece), m->open[piece] || m->done[piece]);
		break;
	}
}

/* Runs of pieces, for who fetches many at a time: of `have`, or of all. */
static void check_runs(const struct model *m, const struct shoal_bits *have, uint32_t from)
{
	uint32_t next = SHOAL_PIECE_NONE, best = SHOAL_PIECE_NONE, best_len = 0, run = 0, len;
	struct shoal_bits all = { 0 };
	uint8_t rank = SHOAL_RANK_LOW;
	assert_int_equal(shoal_bits_init(&all, m->pieces), 0);
	shoal_bits_fill(&all);
	const struct shoal_bits *in = have != NULL ? have : &all;
	for (uint32_t i = 0; i < m->pieces; i++)
		if (can_pick(m, in, i) && m->rank[i] > rank)
			rank = m->rank[i];
	for (uint32_t i = 0; i < m->pieces; i++) {
		bool can = can_pick(m, in, i) && m->rank[i] == rank;
		next = next == SHOAL_PIECE_NONE && can && i >= from ? i : next;
		run = can ? run + 1 : 0;
		if (run > best_len) {
			best_len = run;
			best = i + 1 - run;
		}
	}
	assert_int_equal(shoal_picker_next(m->p, have, from), next);
	assert_int_equal(shoal_picker_gap(m->p, have, &len), best);
	assert_int_equal(len, best_len);
	shoal_bits_fini(&all);
}

static void it_agrees_with_the_naive_model(void **state)
{
	(void)state;
	static const uint32_t sizes[] = { 1, 2, 63, 64, 65, 128, 200, PIECES };
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (uint64_t seed = 1; seed <= 6; seed++) {
			struct model *m = model_new(sizes[s], seed);
			uint32_t peers = seed % 2 ? 4 : PEERS;
			m->ranks = seed > 3;
			for (int step = 0; step < 1500; step++) {
				uint32_t piece = shoal_rng_below(&m->rng, m->pieces);
				uint32_t who = shoal_rng_below(&m->rng, peers);
				if (shoal_rng_below(&m->rng, 2))
					peer_step(m, who, piece);
				else
					own_step(m, piece);
				if (m->here[who]) {
					check_pick(m, &m->have[who], step % 3);
					check_needs(m, &m->have[who], shoal_rng_below(&m->rng, m->pieces + 2));
				}
				if (step % 7 == 0)
					check_runs(m, m->here[who] && step % 2 ? &m->have[who] : NULL,
						   shoal_rng_below(&m->rng, m->pieces + 2));
				if (step % 97 == 0)
					check_counts(m);
			}
			check_counts(m);
			model_free(m);
		}
}

static void a_swarm_of_one_seed_drains_to_the_last_piece(void **state)
{
	(void)state;
	struct shoal_picker *p;
	struct shoal_bits all;
	assert_int_equal(shoal_picker_new(&p, 5000, shoal_rng_split(7, 7)), 0);
	assert_int_equal(shoal_bits_init(&all, 5000), 0);
	shoal_bits_fill(&all);
	assert_int_equal(shoal_picker_missing(p), 5000);
	shoal_picker_peer_joined(p, &all);
	assert_int_equal(shoal_picker_missing(p), 0);
	for (uint32_t n = 5000; n > 0; n--) {
		assert_int_equal(shoal_picker_left(p), n);
		uint32_t piece = shoal_picker_pick(p, &all, SHOAL_PICK_RAREST);
		assert_true(piece < 5000);
		shoal_picker_open(p, piece);
		shoal_picker_done(p, piece);
	}
	assert_int_equal(shoal_picker_pick(p, &all, SHOAL_PICK_RAREST), SHOAL_PIECE_NONE);
	assert_int_equal(shoal_picker_needs(p, &all, 0), SHOAL_PIECE_NONE);
	assert_true(shoal_bits_full(shoal_picker_have(p)));
	shoal_picker_free(p);
	shoal_bits_fini(&all);
}

/* Ten thousand leechers that see the same must not all choose the same piece. */
static void picks_within_a_level_are_spread(void **state)
{
	(void)state;
	enum { N = 6400, FROM = 3200, RUN = 320, TRIES = 3200 };
	struct shoal_bits rest, all;
	assert_int_equal(shoal_bits_init(&all, N), 0);
	assert_int_equal(shoal_bits_init(&rest, N), 0);
	shoal_bits_fill(&all);
	shoal_bits_fill(&rest);
	for (uint32_t i = FROM; i < FROM + RUN; i++)
		shoal_bits_clear(&rest, i);
	uint32_t hits[RUN] = { 0 };
	for (uint32_t try = 0; try < TRIES; try++) {
		struct shoal_picker *p;
		assert_int_equal(shoal_picker_new(&p, N, shoal_rng_split(try, 3)), 0);
		shoal_picker_peer_joined(p, &all);
		shoal_picker_peer_joined(p, &rest); /* only the seed has the run, in the middle */
		for (uint32_t i = 0; i < SHOAL_PICKER_RANDOM_FIRST; i++)
			shoal_picker_done(p, i);
		uint32_t piece = shoal_picker_pick(p, &all, SHOAL_PICK_RAREST);
		assert_in_range(piece, FROM, FROM + RUN - 1);
		hits[piece - FROM]++;
		shoal_picker_free(p);
	}
	uint32_t seen = 0, most = 0;
	for (uint32_t i = 0; i < RUN; i++) {
		seen += hits[i] != 0;
		most = hits[i] > most ? hits[i] : most;
	}
	assert_true(seen > RUN * 9 / 10); /* a mean of 10 hits each */
	assert_true(most < 40);
	shoal_bits_fini(&all);
	shoal_bits_fini(&rest);
}

static void the_first_pieces_are_random_whatever_their_rarity(void **state)
{
	(void)state;
	struct shoal_bits all, most;
	assert_int_equal(shoal_bits_init(&all, 1000), 0);
	assert_int_equal(shoal_bits_init(&most, 1000), 0);
	shoal_bits_fill(&all);
	shoal_bits_fill(&most);
	shoal_bits_clear(&most, 500);
	uint32_t rare = 0;
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct shoal_picker *p;
		assert_int_equal(shoal_picker_new(&p, 1000, shoal_rng_split(seed, 4)), 0);
		shoal_picker_peer_joined(p, &all);
		shoal_picker_peer_joined(p, &most);
		for (uint32_t i = 0; i < SHOAL_PICKER_RANDOM_FIRST; i++) {
			uint32_t piece = shoal_picker_pick(p, &all, SHOAL_PICK_RAREST);
			rare += piece == 500;
			shoal_picker_done(p, piece == 500 ? 501 : piece);
		}
		assert_int_equal(shoal_picker_pick(p, &all, SHOAL_PICK_RAREST), 500);
		shoal_picker_free(p);
	}
	assert_true(rare < 10);
	shoal_bits_fini(&all);
	shoal_bits_fini(&most);
}

/* The choice is a matter of the dice alone: the same seed, the same world. */
static void the_same_dice_pick_the_same(void **state)
{
	(void)state;
	struct model *a = model_new(300, 9), *b = model_new(300, 9);
	for (int step = 0; step < 400; step++) {
		uint32_t piece = shoal_rng_below(&a->rng, 300), who = shoal_rng_below(&a->rng, 8);
		(void)shoal_rng_below(&b->rng, 300);
		(void)shoal_rng_below(&b->rng, 8);
		peer_step(a, who, piece);
		peer_step(b, who, piece);
		assert_int_equal(shoal_picker_pick(a->p, &a->have[who], SHOAL_PICK_RAREST),
				 shoal_picker_pick(b->p, &b->have[who], SHOAL_PICK_RAREST));
	}
	model_free(a);
	model_free(b);
}

static void a_piece_not_counted_can_still_be_picked(void **state)
{
	(void)state;
	struct shoal_picker *p;
	struct shoal_bits web;
	assert_int_equal(shoal_picker_new(&p, 100, shoal_rng_split(1, 5)), 0);
	assert_int_equal(shoal_bits_init(&web, 100), 0);
	for (uint32_t i = 0; i < 10; i++)
		shoal_picker_done(p, i);
	shoal_bits_set(&web, 42);
	shoal_bits_set(&web, 3);
	assert_int_equal(shoal_picker_pick(p, &web, SHOAL_PICK_RAREST), 42);
	assert_int_equal(shoal_picker_missing(p), 90);
	shoal_picker_free(p);
	shoal_bits_fini(&web);
}

/* A peer that lost a piece as a seed and got it back: counted one by one to the end, with its bits full. */
static void a_full_peer_may_be_counted_one_by_one(void **state)
{
	(void)state;
	struct shoal_picker *p;
	struct shoal_bits all;
	assert_int_equal(shoal_picker_new(&p, 100, shoal_rng_split(1, 6)), 0);
	assert_int_equal(shoal_bits_init(&all, 100), 0);
	shoal_bits_fill(&all);
	shoal_picker_peer_joined(p, &all);
	shoal_picker_peer_gone(p, &all);
	shoal_bits_clear(&all, 50);
	shoal_picker_peer_joined(p, &all);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(shoal_picker_missing(p), 1);
		shoal_bits_set(&all, 50);
		shoal_picker_peer_has(p, 50);
		assert_int_equal(shoal_picker_missing(p), 0);
		if (i < 999) {
			shoal_bits_clear(&all, 50);
			shoal_picker_peer_lost(p, 50);
		}
	}
	assert_true(shoal_bits_full(&all));
	assert_int_equal(shoal_picker_copies(p, 50), 1);
	shoal_picker_peer_uncount(p, &all);
	assert_int_equal(shoal_picker_missing(p), 100);
	shoal_picker_free(p);
	shoal_bits_fini(&all);
}

static void it_is_small_and_knows_its_bound(void **state)
{
	(void)state;
	struct shoal_picker *p;
	assert_int_equal(shoal_picker_new(&p, SHOAL_PIECES_MAX + 1, shoal_rng_split(1, 1)), SHOAL_ERR_RANGE);
	assert_null(p);
	shoal_picker_free(NULL);
	assert_true(shoal_picker_bytes(65536) < 65536 * 5);
	assert_true(shoal_picker_bytes(SHOAL_PIECES_MAX) < (size_t)SHOAL_PIECES_MAX * 5);
	assert_int_equal(shoal_picker_new(&p, SHOAL_PIECES_MAX, shoal_rng_split(1, 1)), 0);
	shoal_picker_free(p);
	assert_int_equal(shoal_picker_new(&p, 0, shoal_rng_split(1, 1)), 0); /* an empty torrent: nothing to do */
	struct shoal_bits none;
	assert_int_equal(shoal_bits_init(&none, 0), 0);
	shoal_picker_peer_joined(p, &none);
	assert_int_equal(shoal_picker_pick(p, &none, SHOAL_PICK_RAREST), SHOAL_PIECE_NONE);
	assert_int_equal(shoal_picker_needs(p, &none, 5), SHOAL_PIECE_NONE);
	assert_int_equal(shoal_picker_copies(p, 0), 0);
	shoal_picker_free(p);
	shoal_bits_fini(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_agrees_with_the_naive_model),
		cmocka_unit_test(a_swarm_of_one_seed_drains_to_the_last_piece),
		cmocka_unit_test(picks_within_a_level_are_spread),
		cmocka_unit_test(the_first_pieces_are_random_whatever_their_rarity),
		cmocka_unit_test(the_same_dice_pick_the_same),
		cmocka_unit_test(a_piece_not_counted_can_still_be_picked),
		cmocka_unit_test(a_full_peer_may_be_counted_one_by_one),
		cmocka_unit_test(it_is_small_and_knows_its_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
