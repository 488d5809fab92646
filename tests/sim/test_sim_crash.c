/* test_sim_crash.c - nodes die at random moments and come back: nothing claimed is lost, nothing false is claimed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/crash.h"
#include "tests/sim/scene.h"

struct tally {
	unsigned crashes, with_claims;
	uint64_t kept;
};

/* What is taken out of the order that claims stand on: each must turn the tests red. */
enum plant { PLANT_NONE, PLANT_NO_SYNC, PLANT_COMMIT_LIES };

/* Crashes, and all that must hold after each; returns with what was wrong in `wrong`, or "". */
static void crash_world(enum shoal_format format, uint64_t seed, unsigned crashes, enum plant plant,
			struct tally *tally, char wrong[320])
{
	struct sim_content c;
	scene_content(&c, format, 32 * KIB, 1536 * KIB, seed);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c, .cut_ppm = 20000 });
	struct shoal_rng *dice = sim_dice(sim);
	/* Slow disks, so that most moments have something under way. */
	struct sim_node_options leech = { .up = 200 * KIB,
					  .latency = { 1000, 20000 + shoal_rng_below(dice, 40000) },
					  .memory = shoal_rng_below(dice, 2) ? 0 : MIB };
	scene_seed(sim, (struct sim_node_options){ .up = 256 * KIB });
	scene_leeches(sim, leech, 5, 2, 2);
	for (unsigned i = 1; i < sim_nodes(sim); i++) {
		crash_watch(sim_node(sim, i));
		sim_disk_skip_sync(sim_node(sim, i)->disk, plant == PLANT_NO_SYNC);
		sim_store_lie(sim_node(sim, i)->store, plant == PLANT_COMMIT_LIES);
	}
	scene_start_all(sim);
	for (unsigned i = 0; i < crashes && sim_wrong(sim)[0] == 0; i++) {
		struct sim_node *n = sim_node(sim, 1 + shoal_rng_below(dice, 5));
		sim_run_for(sim, SHOAL_MS(20) + shoal_rng_below(dice, 500000));
		if (sim_wrong(sim)[0] != 0)
			break;
		tally->crashes++;
		tally->with_claims += n->witness.promised.ones > 0;
		tally->kept += n->witness.promised.ones;
		sim_node_crash(n, shoal_rng_below(dice, 2) ? SIM_CRASH_POWER : SIM_CRASH_KILL);
		sim_run_for(sim, shoal_rng_below(dice, 300000));
		sim_node_start(n);
		/* Sometimes it dies again before it has looked at everything. */
		if (shoal_rng_below(dice, 4) > 0)
			crash_check(n);
	}
	if (plant == PLANT_NONE && sim_wrong(sim)[0] == 0)
		scene_complete(sim, SHOAL_S(300));
	for (unsigned i = 1; i < sim_nodes(sim); i++)
		assert_int_equal(sim_node(sim, i)->hash_failures, 0);
	memcpy(wrong, sim_wrong(sim), strlen(sim_wrong(sim)) + 1);
	sim_free(sim);
	sim_content_fini(&c);
}

static const enum shoal_format formats[] = { SHOAL_FORMAT_V1, SHOAL_FORMAT_V2, SHOAL_FORMAT_HYBRID };

static void crashes_lose_nothing_and_claim_nothing_false(void **state)
{
	unsigned worlds = scene_rounds(60, 6, 1000);
	struct tally tally = { 0 };
	(void)state;
	for (unsigned i = 0; i < worlds; i++) {
		char wrong[320] = "";
		crash_world(formats[i % 3], 1000 + i, 30, PLANT_NONE, &tally, wrong);
		if (wrong[0] != 0)
			fail_msg("%s", wrong);
	}
	print_message("%u crashes, %u of nodes with claims, of %.1f pieces each\n", tally.crashes, tally.with_claims,
		      (double)tally.kept / tally.crashes);
	assert_true(tally.crashes == worlds * 30);
	assert_true(tally.with_claims > tally.crashes / 2);
}

/* A test that cannot fail proves nothing: without a barrier it does, within a few worlds. */
static void without_a_barrier_it_shows(void **state)
{
	(void)state;
	for (enum plant plant = PLANT_NO_SYNC; plant <= PLANT_COMMIT_LIES; plant++) {
		struct tally tally = { 0 };
		char wrong[320] = "";
		for (unsigned i = 0; i < 10 && wrong[0] == 0; i++)
			crash_world(formats[i % 3], 2000 + i, 30, plant, &tally, wrong);
		print_message("%s: %s\n", plant == PLANT_NO_SYNC ? "no sync" : "commits told too early", wrong);
		assert_true(wrong[0] != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crashes_lose_nothing_and_claim_nothing_false),
		cmocka_unit_test(without_a_barrier_it_shows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
