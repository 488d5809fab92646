/* test_sim_hints.c - v1 among polluters: who has a piece says which blocks of it are false, and only those come again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/scene.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_false_comes_again),
		cmocka_unit_test(a_hybrid_needs_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
