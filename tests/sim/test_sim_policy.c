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
		print_message("%s: %.1f s, %u bad pieces, %u bans, %u of them of the honest\n", names[i], o.seconds,
			      o.failures, o.bans, o.honest_bans);
		assert_true(o.failures > 0 && o.honest_bans == 0);
		assert_true(o.bans > 0 || rules[i] == SHOAL_RULES_OFF);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clean_swarm_under_each),
		cmocka_unit_test(who_is_named_under_each),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
