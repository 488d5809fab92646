/* test_sim_policy.c - the same swarm under each policy: all complete, and each does what it is there for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/scene.h"

static const enum shoal_rules rules[] = { SHOAL_RULES_FULL, SHOAL_RULES_OFF, SHOAL_RULES_LT };
static const char *const names[] = { "full", "off", "lt" };
#define RULES (sizeof rules / sizeof *rules)

/* What came of a swarm. */
struct outcome {
	double seconds, copies; /* until the last one is done; that the seed gave */
	double waste;		/* bytes that came for nothing, of those that were needed */
	unsigned bans, honest_bans, failures;
};

struct setup {
	enum shoal_rules rules;
	enum shoal_format format;
	uint32_t piece_size;
	uint64_t size, seed;
	unsigned leeches, liars;
	uint32_t ppm; /* of a liar's blocks, turned */
};

static struct outcome play(const struct setup *u)
{
	struct sim_content c;
	struct outcome out = { 0 };
	scene_content(&c, u->format, u->piece_size, u->size, u->seed);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = u->seed, .content = &c });
	struct sim_node_options line = { .up = 2500000, .down = 12500000, .delay = SHOAL_MS(10), .rules = u->rules };
	struct sim_node_options liar = line;
	liar.liar = true;
	scene_seed(sim, line);
	for (unsigned i = 0; i < u->liars; i++)
		sim_disk_poison(scene_seed(sim, liar)->disk, u->ppm);
	for (unsigned i = 0; i < u->leeches; i++) {
		struct sim_node *n = sim_node_new(sim, &line);
		for (unsigned k = 0; k < sim_nodes(sim) - 1; k++)
			sim_node_meet(n, sim_node(sim, k));
	}
	scene_start_all(sim);
	scene_complete(sim, SHOAL_S(600));
	for (unsigned i = 0; i < sim_nodes(sim); i++) {
		struct sim_node *n = sim_node(sim, i);
		double done = (double)(n->completed_at - SIM_START) / 1e6;
		out.failures += n->hash_failures;
		out.bans += n->bans;
		for (unsigned k = 0; k < n->bans && k < sizeof n->banned / sizeof *n->banned; k++)
			out.honest_bans += n->banned[k] == 0 || n->banned[k] > u->liars;
		if (i > u->liars && done > out.seconds)
			out.seconds = done;
		if (i > u->liars) {
			sim_node_ask_stats(n);
			out.waste += (double)n->stats.wasted / (double)n->stats.size / u->leeches;
		}
	}
	sim_node_ask_stats(sim_node(sim, 0));
	out.copies = (double)sim_node(sim, 0)->stats.uploaded / (double)shoal_metainfo_size(c.mi);
	sim_free(sim);
	sim_content_fini(&c);
	return out;
}

/* One seed, ten leeches, 20 up and 100 down: whoever is by itself deals its pieces out, and the others do not. */
static void a_clean_swarm_under_each(void **state)
{
	struct outcome o[RULES];
	(void)state;
	for (size_t i = 0; i < RULES; i++) {
		o[i] = play(&(struct setup){ rules[i], SHOAL_FORMAT_V2, 128 * KIB, 16 * MIB, 91, 10, 0, 0 });
		print_message("%s: %.1f s, the seed gave %.2f copies\n", names[i], o[i].seconds, o[i].copies);
		assert_int_equal(o[i].bans + o[i].failures, 0);
	}
	assert_true(o[0].seconds < o[1].seconds && o[0].seconds < o[2].seconds);
	assert_true(o[0].copies < 1.2);
}

/* Without digests nobody can be told from anybody else, unless it sent a whole piece alone. */
static void who_is_named_under_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < RULES; i++) {
		struct outcome o = play(
			&(struct setup){ rules[i], SHOAL_FORMAT_V2, 256 * KIB, 8 * MIB, 92, 6, 2, 50000 });
		print_message("%s: %.1f s, %.1f %% wasted, %u bad pieces, %u bans, %u of them of the honest\n",
			      names[i], o.seconds, 100 * o.waste, o.failures, o.bans, o.honest_bans);
		assert_true(o.failures > 0 && o.honest_bans == 0);
		assert_true(o.bans > 0 || rules[i] == SHOAL_RULES_OFF);
	}
}

/* ---- evidence ------------------------------------------------------------------------------------ */

/* A block in some hundred of one peer comes wrong, as where memory is bad: it stays, and in v2 a block costs a block. */
static void a_flipped_bit_is_forgiven(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		unsigned failures = 0, paroles = 0;
		uint64_t wasted = 0;
		for (uint64_t seed = 1; seed <= 8; seed++) {
			struct sim_content c;
			scene_content(&c, f ? SHOAL_FORMAT_V2 : SHOAL_FORMAT_V1, 256 * KIB, 8 * MIB, seed);
			struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c });
			struct sim_node_options line = { .up = 4 * MIB, .liar = true };
			sim_disk_poison(scene_seed(sim, line)->disk, 3000);
			scene_seed(sim, (struct sim_node_options){ .up = 4 * MIB });
			scene_leeches(sim, (struct sim_node_options){ .up = 0 }, 1, 1, 0);
			struct sim_node *leech = sim_node(sim, 2);
			sim_node_meet(leech, sim_node(sim, 1));
			scene_start_all(sim);
			scene_complete(sim, SHOAL_S(60));
			sim_node_ask_stats(leech);
			assert_true(leech->bans == 0 || leech->hash_failures > 1);
			failures += leech->hash_failures;
			paroles += leech->paroles;
			wasted += leech->stats.wasted;
			sim_free(sim);
			sim_content_fini(&c);
		}
		print_message("%s: %u bad pieces, %u times on parole, %llu bytes wasted\n", f ? "v2" : "v1", failures,
			      paroles, (unsigned long long)wasted);
		assert_true(failures > 0 && paroles > 0);
		if (f)
			assert_true(wasted < (uint64_t)failures * 256 * KIB / 2);
	}
}

/* So it does of a piece that is too large for the memory, and is written as it comes: what is right stays on the disk. */
static void of_a_streamed_piece_a_block_costs_a_block(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		unsigned failures = 0;
		uint64_t wasted = 0;
		for (uint64_t seed = 1; seed <= 8; seed++) {
			struct sim_content c;
			scene_content(&c, f ? SHOAL_FORMAT_V2 : SHOAL_FORMAT_HYBRID, 2 * MIB, 8 * MIB, seed);
			struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c });
			struct sim_node_options line = { .up = 4 * MIB, .liar = true };
			sim_disk_poison(scene_seed(sim, line)->disk, 3000);
			scene_seed(sim, (struct sim_node_options){ .up = 4 * MIB });
			scene_leeches(sim, (struct sim_node_options){ .memory = MIB }, 1, 1, 0);
			struct sim_node *leech = sim_node(sim, 2);
			sim_node_meet(leech, sim_node(sim, 1));
			scene_start_all(sim);
			scene_complete(sim, SHOAL_S(60));
			sim_node_ask_stats(leech);
			failures += leech->hash_failures;
			wasted += leech->stats.wasted;
			sim_free(sim);
			sim_content_fini(&c);
		}
		print_message("%s: %u bad pieces, %llu bytes wasted\n", f ? "v2" : "hybrid", failures,
			      (unsigned long long)wasted);
		assert_true(failures > 0);
		assert_true(wasted < (uint64_t)failures * 2 * MIB / 8);
	}
}

/* The hash of a right piece comes out wrong once, as it does where memory is bad. */
static struct {
	unsigned lie; /* so many WRITEs are answered wrongly */
} fault;

static void lies_about_a_hash(void *to, const struct shoal_disk_job *job)
{
	(void)to;
	if (job->op == SHOAL_DISK_WRITE && fault.lie > 0 && job->hash->good) {
		fault.lie--;
		job->hash->good = 0;
	}
}

static void our_own_fault_is_held_against_nobody(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_HYBRID, 256 * KIB, 8 * MIB, 94);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 94, .content = &c });
	scene_seed(sim, (struct sim_node_options){ .up = 4 * MIB });
	scene_leeches(sim, (struct sim_node_options){ .up = 4 * MIB }, 1, 1, 0);
	struct sim_node *leech = sim_node(sim, 1);
	fault.lie = 2;
	sim_disk_watch(leech->disk, lies_about_a_hash, NULL);
	scene_start_all(sim);
	scene_complete(sim, SHOAL_S(60));
	sim_node_ask_stats(leech);
	assert_int_equal(fault.lie, 0);
	assert_int_equal(leech->hash_failures, 0);
	assert_int_equal(leech->bans + leech->paroles, 0);
	assert_true(leech->warnings > 0);
	sim_free(sim);
	sim_content_fini(&c);
}

/*
 * Polluters that come back as somebody else two seconds after each ban. A piece of v2 that was begun anew after three
 * attempts lost what was proved of it, again and again: the last leech was done after 38 s, on longer torrents never.
 */
static void those_who_come_back_cost_blocks_and_no_pieces(void **state)
{
	(void)state;
	for (uint64_t seed = 100; seed < 102; seed++) {
		struct sim_content c;
		const struct sim_file_spec file[] = { { "f", 16 * MIB } };
		sim_content_init(&c, &(struct sim_content_spec){ .seed = seed,
								 .format = SHOAL_FORMAT_V2,
								 .piece_size = MIB,
								 .file = file,
								 .file_count = 1,
								 .single = true });
		struct sim *sim = sim_new(&(struct sim_options){
			.seed = seed, .content = &c, .payload = SIM_PAYLOAD_HEADS, .brief = true });
		struct sim_node_options line = { .memory = 32 * MIB, .up = 2500000, .down = 25000000 };
		struct sim_node_options first = line, back = line;
		first.up = 12500000;
		back.adversary = sim_adversary_spec(SIM_WHITEWASHER);
		back.adversary.after = SHOAL_S(2);
		scene_seed(sim, first);
		for (unsigned i = 0; i < 10; i++) {
			struct sim_node *n = i < 6 ? sim_node_new(sim, &line) : scene_seed(sim, back);
			for (unsigned k = 0; k <= i; k++)
				sim_node_meet(n, sim_node(sim, k));
		}
		scene_start_all(sim);
		scene_complete(sim, SHOAL_S(25));
		print_message("seed %llu: %.1f s\n", (unsigned long long)seed,
			      (double)(sim_now(sim) - SIM_START) / 1e6);
		sim_free(sim);
		sim_content_fini(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_who_come_back_cost_blocks_and_no_pieces),
		cmocka_unit_test(a_clean_swarm_under_each),
		cmocka_unit_test(who_is_named_under_each),
		cmocka_unit_test(a_flipped_bit_is_forgiven),
		cmocka_unit_test(of_a_streamed_piece_a_block_costs_a_block),
		cmocka_unit_test(our_own_fault_is_held_against_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
