/* test_sim_select_crash.c - nodes that want some files die at random moments, and want others: no share is lost, none is false. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/crash.h"
#include "tests/sim/scene.h"

static void dice_files(struct shoal_rng *dice, uint8_t *files, uint32_t count)
{
	static const uint8_t some[] = { 0, 0, 0, 1, 4, 4, 7 };
	for (uint32_t f = 0; f < count; f++)
		files[f] = some[shoal_rng_below(dice, sizeof some)];
}

/* Files of a piece and less, so that most shares a crash can hit are in the part file. */
static void small_files(struct sim_content *c, uint64_t seed)
{
	static const struct sim_file_spec spec[] = {
		{ "00", 40000 }, { "01", 20001 }, { "02", 1 },	   { "03", 90000 }, { "04", 33000 },  { "05", 0 },
		{ "06", 65536 }, { "07", 5000 },  { "08", 5000 },  { "09", 5000 },  { "10", 200000 }, { "11", 31000 },
		{ "12", 32768 }, { "13", 70000 }, { "14", 12345 }, { "15", 60000 },
	};
	sim_content_init(c, &(struct sim_content_spec){ .seed = seed,
							.format = SHOAL_FORMAT_V1,
							.piece_size = 32 * KIB,
							.file = spec,
							.file_count = sizeof spec / sizeof *spec });
}

static void crash_world(uint64_t seed, unsigned crashes, bool no_sync, unsigned *with_part, char wrong[320])
{
	struct sim_content c;
	uint8_t files[3][16];
	small_files(&c, seed);
	uint32_t count = shoal_metainfo_file_count(c.mi);
	assert_int_equal(count, 16);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c, .cut_ppm = 20000 });
	struct shoal_rng *dice = sim_dice(sim);
	scene_seed(sim, (struct sim_node_options){ .up = 256 * KIB });
	for (unsigned i = 0; i < 3; i++) {
		dice_files(dice, files[i], count);
		struct sim_node *n = sim_node_new(sim, &(struct sim_node_options){ .up = 200 * KIB,
										   .latency = { 1000, 20000 },
										   .files = { files[i], count } });
		sim_node_meet(n, sim_node(sim, 0));
		if (i > 0)
			sim_node_meet(n, sim_node(sim, i));
		crash_watch(n);
		sim_disk_skip_sync(n->disk, no_sync);
	}
	scene_start_all(sim);
	for (unsigned i = 0; i < crashes && sim_wrong(sim)[0] == 0; i++) {
		unsigned who = shoal_rng_below(dice, 3);
		struct sim_node *n = sim_node(sim, 1 + who);
		sim_run_for(sim, SHOAL_MS(20) + shoal_rng_below(dice, 300000));
		dice_files(dice, files[who], count);
		/* Another choice while it runs, and the crash in the middle of what follows. */
		if (shoal_rng_below(dice, 2)) {
			int rc = scene_choose(n, files[who], count, 0);
			assert_true(rc == 0 || rc == SHOAL_ERR_BUSY);
			sim_run_for(sim, shoal_rng_below(dice, 100000));
		}
		*with_part += sim_disk_part(n->disk, SIM_FOLDER, c.mi);
		if (sim_wrong(sim)[0] != 0)
			break;
		if (shoal_rng_below(dice, 5) == 0)
			sim_node_stop(n, SHOAL_S(10));
		else
			sim_node_crash(n, shoal_rng_below(dice, 2) ? SIM_CRASH_POWER : SIM_CRASH_KILL);
		dice_files(dice, files[who], count);
		sim_run_for(sim, shoal_rng_below(dice, 100000));
		sim_node_start(n);
		if (shoal_rng_below(dice, 4) > 0)
			crash_check(n);
	}
	for (unsigned i = 0; i < 3 && sim_wrong(sim)[0] == 0 && !no_sync; i++) {
		struct sim_node *n = sim_node(sim, 1 + i);
		(void)sim_run(sim, crash_looked, n, SHOAL_S(60));
		memset(files[i], 4, count);
		n->complete = false;
		assert_int_equal(scene_choose(n, files[i], count, 0), 0);
	}
	if (!no_sync && sim_wrong(sim)[0] == 0) {
		scene_complete(sim, SHOAL_S(300));
		sim_run_for(sim, SHOAL_S(5));
		for (unsigned i = 1; i < 4; i++)
			assert_false(sim_disk_part(sim_node(sim, i)->disk, SIM_FOLDER, c.mi));
	}
	memcpy(wrong, sim_wrong(sim), strlen(sim_wrong(sim)) + 1);
	sim_free(sim);
	sim_content_fini(&c);
}

static void crashes_lose_no_share_and_claim_none_falsely(void **state)
{
	unsigned worlds = scene_rounds(40, 4, 1000), with_part = 0;
	(void)state;
	for (unsigned i = 0; i < worlds; i++) {
		char wrong[320] = "";
		crash_world(3000 + i, 30, false, &with_part, wrong);
		if (wrong[0] != 0)
			fail_msg("seed %u: %s", 3000 + i, wrong);
	}
	print_message("%u crashes, %u of nodes with a part file\n", worlds * 30, with_part);
	assert_true(with_part > worlds * 10);
}

static void without_a_barrier_it_shows(void **state)
{
	char wrong[320] = "";
	unsigned with_part = 0;
	(void)state;
	for (unsigned i = 0; i < 10 && wrong[0] == 0; i++)
		crash_world(4000 + i, 30, true, &with_part, wrong);
	print_message("no sync: %s\n", wrong);
	assert_true(wrong[0] != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crashes_lose_no_share_and_claim_none_falsely),
		cmocka_unit_test(without_a_barrier_it_shows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
