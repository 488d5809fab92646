/* test_sim_super.c - the only full copy (BEP 16): whom its line serves while it deals out pieces. */
#include <setjmp.h>
#include <stdio.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "swarm/core/node_room.h"
#include "tests/sim/scene.h"

#define LEECHES 4
#define SEED_UP (24 * MIB)

#define CROWD 24
#define PIECES_MAX 1024

struct shares {
	uint64_t of[1 + CROWD]; /* bytes the seed sent, by node */
	uint64_t all, of_piece[PIECES_MAX];
	uint64_t full;	 /* bytes of a piece */
	uint64_t out;	 /* what it had sent when no piece was left that it had not sent the whole of */
	uint32_t pieces; /* such ones */
	uint32_t whole;	 /* of those, sent */
};

static void count(void *to, struct sim_node *from, struct sim_node *dest, uint32_t piece, uint32_t begin, uint32_t len,
		  bool good)
{
	struct shares *s = to;
	(void)begin;
	(void)good;
	if (from->index != 0)
		return;
	if (dest->index <= CROWD)
		s->of[dest->index] += len;
	s->all += len;
	if (s->full == 0 || piece >= PIECES_MAX)
		return;
	bool was = s->of_piece[piece] >= s->full;
	s->of_piece[piece] += len;
	s->whole += !was && s->of_piece[piece] >= s->full;
	if (s->whole == s->pieces && s->out == 0)
		s->out = s->all;
}

/* All know each other, and begin one `apart` after the other; what they have they pass on much faster than the seed
 * may send. */
static void deal(const struct sim_content *c, uint64_t seed, shoal_us delay, shoal_us apart, struct shares *s,
		 shoal_us *took)
{
	*s = (struct shares){ 0 };
	struct sim *sim = sim_new(&(struct sim_options){
		.seed = seed, .content = c, .payload = SIM_PAYLOAD_HEADS, .on_block = count, .to = s });
	struct sim_node_options o = { .delay = delay, .memory = 64 * MIB };
	struct sim_node_options capped = o;
	capped.limit_up = SEED_UP;
	scene_seed(sim, capped);
	for (unsigned i = 1; i <= LEECHES; i++)
		sim_node_new(sim, &o);
	for (unsigned i = 1; i <= LEECHES; i++)
		for (unsigned k = 0; k <= LEECHES; k++)
			if (i != k)
				sim_node_meet(sim_node(sim, i), sim_node(sim, k));
	sim_node_start(sim_node(sim, 0));
	sim_run_for(sim, SHOAL_S(1));
	shoal_us began = sim_now(sim);
	for (unsigned i = 1; i <= LEECHES; i++) {
		sim_node_start(sim_node(sim, i));
		sim_run_for(sim, apart);
	}
	scene_complete(sim, SHOAL_S(60));
	*took = sim_now(sim) - began;
	sim_free(sim);
}

/*
 * Four equals: the seed's line is shared by them, whoever came first. One that gets the first piece it was shown from
 * another before the seed has served it wants nothing of what it knows of, and is to be shown more.
 */
static void nobody_stands_aside(void **state)
{
	struct sim_content c;
	struct shares s;
	uint64_t least = UINT64_MAX;
	shoal_us longest = 0;
	const struct sim_file_spec file[] = { { "one", 48 * MIB } };
	(void)state;
	sim_content_init(
		&c,
		&(struct sim_content_spec){
			.seed = 1, .format = SHOAL_FORMAT_V2, .piece_size = 64 * KIB, .file = file, .file_count = 1 });
	for (uint64_t seed = 102; seed < 106; seed++)
		for (shoal_us apart = SHOAL_MS(10); apart <= SHOAL_MS(30); apart += SHOAL_MS(4)) {
			shoal_us took;
			deal(&c, seed, SHOAL_MS(2), apart, &s, &took);
			longest = took > longest ? took : longest;
			for (unsigned i = 1; i <= LEECHES; i++) {
				least = s.of[i] < least ? s.of[i] : least;
				if (s.of[i] < shoal_metainfo_size(c.mi) / 8)
					fail_msg("seed %llu, %llu us apart: of %.1f, %.1f, %.1f, %.1f MiB it is given "
						 "too little",
						 (unsigned long long)seed, (unsigned long long)apart,
						 (double)s.of[1] / MIB, (double)s.of[2] / MIB, (double)s.of[3] / MIB,
						 (double)s.of[4] / MIB);
			}
		}
	print_message("the least share %.1f MiB of %llu; at most %.2f s\n", (double)least / MIB,
		      (unsigned long long)(shoal_metainfo_size(c.mi) / MIB), (double)longest / 1e6);
	sim_content_fini(&c);
}

static bool first_is_done(struct sim *sim, void *arg)
{
	(void)arg;
	return sim_node(sim, 1)->complete;
}

/* It has all of the thousands of pieces that it was told of, and so wants nothing; then whoever gave it the rest leaves. */
static void the_last_one_is_told_everything(void **state)
{
	enum { FILES = 20000 };
	static char names[FILES][12];
	static struct sim_file_spec file[FILES];
	struct sim_content c;
	(void)state;
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(names[i], sizeof names[i], "f%05u", i);
		file[i] = (struct sim_file_spec){ names[i], 2000 + i % 3000 };
	}
	sim_content_init(&c, &(struct sim_content_spec){ .seed = 2,
							 .format = SHOAL_FORMAT_V2,
							 .piece_size = 16 * KIB,
							 .file = file,
							 .file_count = FILES });
	for (uint64_t seed = 114; seed < 116; seed++) {
		struct sim *sim = sim_new(
			&(struct sim_options){ .seed = seed, .content = &c, .payload = SIM_PAYLOAD_HEADS });
		struct sim_node_options o = { .delay = SHOAL_MS(2), .memory = 64 * MIB };
		struct sim_node_options capped = o;
		capped.limit_up = 16 * MIB;
		scene_seed(sim, capped);
		for (unsigned i = 1; i <= 2; i++) {
			o.limit_down = i == 2 ? 20 * MIB : 0;
			sim_node_new(sim, &o);
			for (unsigned k = 0; k < i; k++)
				sim_node_meet(sim_node(sim, i), sim_node(sim, k));
		}
		scene_start_all(sim);
		assert_true(sim_run(sim, first_is_done, NULL, SHOAL_S(120)));
		sim_node_crash(sim_node(sim, 1), SIM_CRASH_KILL);
		for (unsigned i = 0; i < 60 && !sim_node(sim, 2)->complete; i++)
			sim_run_for(sim, SHOAL_S(1));
		assert_true(sim_node(sim, 2)->complete);
		sim_free(sim);
	}
	sim_content_fini(&c);
}

/* ---- whose word counts ----------------------------------------------------------------------- */

#define SLOW_UP (2 * MIB)
#define CONTENT (48 * MIB)

static void big_pieces(struct sim_content *c, uint64_t size)
{
	const struct sim_file_spec file[] = { { "one", size } };
	sim_content_init(
		c,
		&(struct sim_content_spec){
			.seed = 3, .format = SHOAL_FORMAT_V2, .piece_size = 512 * KIB, .file = file, .file_count = 1 });
}

/* A seed on a slow line and CROWD who know it; a little later `others` come, with everything, whom all know. */
static struct sim *met(const struct sim_content *c, uint64_t seed, struct shares *s, struct sim_node_options other,
		       unsigned others)
{
	*s = (struct shares){ .full = shoal_metainfo_piece_size(c->mi), .pieces = shoal_metainfo_piece_count(c->mi) };
	struct sim *sim = sim_new(&(struct sim_options){
		.seed = seed, .content = c, .payload = SIM_PAYLOAD_HEADS, .on_block = count, .to = s });
	struct sim_node_options o = { .delay = SHOAL_MS(5), .memory = 64 * MIB };
	struct sim_node_options slow = o;
	slow.limit_up = SLOW_UP;
	o.limit_up = SLOW_UP / 4;
	scene_seed(sim, slow);
	for (unsigned i = 1; i <= CROWD; i++)
		sim_node_new(sim, &o);
	for (unsigned i = 0; i < others; i++)
		scene_seed(sim, other);
	for (unsigned i = 1; i <= CROWD; i++)
		for (unsigned k = 0; k <= CROWD + others; k++)
			if (i != k)
				sim_node_meet(sim_node(sim, i), sim_node(sim, k));
	for (unsigned i = 1; i <= others; i++)
		sim_node_meet(sim_node(sim, 0), sim_node(sim, CROWD + i));
	for (unsigned i = 0; i <= CROWD + others; i++) {
		sim_run_for(sim, i == CROWD + 1 ? SHOAL_S(1) : 0);
		sim_node_start(sim_node(sim, i));
	}
	return sim;
}

static bool knows_of_another(struct sim *sim, unsigned node)
{
	return sim_node(sim, node)->node->swarms->super.elsewhere;
}

/* Saying that one has all costs a liar nothing. The seed's line still gives each piece once before it gives any twice. */
static void who_says_he_has_all_is_not_believed(void **state)
{
	(void)state;
	static const enum sim_adversary_kind kinds[] = { SIM_FAKE_HAVER, SIM_POLLUTER };
	struct sim_content c;
	struct shares s;
	big_pieces(&c, CONTENT);
	for (unsigned k = 0; k < 2; k++)
		for (uint64_t seed = 201; seed < 203; seed++) {
			struct sim_node_options liar = { .delay = SHOAL_MS(5),
							 .memory = 64 * MIB,
							 .adversary = sim_adversary_spec(kinds[k]) };
			struct sim *sim = met(&c, seed, &s, liar, 4);
			scene_complete(sim, SHOAL_S(120));
			print_message("%s: the seed sent %.2f copies until each piece was out\n",
				      sim_adversary_table[kinds[k]].name, (double)s.out / (double)(CONTENT));
			assert_int_equal(s.whole, s.pieces);
			assert_false(knows_of_another(sim, 0));
			assert_true(s.out < CONTENT * 2);
			sim_free(sim);
		}
	sim_content_fini(&c);
}

/* Another full copy that gives is found out by what it has given. */
static void who_gives_what_we_showed_nobody_is_a_full_copy(void **state)
{
	(void)state;
	struct sim_content c;
	struct shares s;
	big_pieces(&c, CONTENT);
	for (uint64_t seed = 211; seed < 213; seed++) {
		struct sim_node_options other = { .delay = SHOAL_MS(5), .memory = 64 * MIB, .limit_up = SLOW_UP };
		struct sim *sim = met(&c, seed, &s, other, 1);
		sim_run_for(sim, SHOAL_S(10)); /* their lines are busy for 48 */
		assert_false(sim_node(sim, 1)->complete);
		assert_true(knows_of_another(sim, 0));
		assert_true(knows_of_another(sim, CROWD + 1));
		scene_complete(sim, SHOAL_S(120));
		sim_free(sim);
	}
	sim_content_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_stands_aside),
		cmocka_unit_test(the_last_one_is_told_everything),
		cmocka_unit_test(who_says_he_has_all_is_not_believed),
		cmocka_unit_test(who_gives_what_we_showed_nobody_is_a_full_copy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
