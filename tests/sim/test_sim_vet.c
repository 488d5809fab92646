/* test_sim_vet.c - who is new is held to the leaf hashes of v2: what liars cost, and what becomes of what they began. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "swarm/core/node_room.h"
#include "swarm/core/vet.h"
#include "tests/sim/scene.h"

#define LIARS 6u
#define FEW 3u /* pieces that another has, honest, and no more */

struct outcome {
	uint64_t spoiled, wasted, failed;
	unsigned bans;
	shoal_us took; /* 0: it was not done */
};

/* A slow seed, and six who have it all as well and lie in every block; a leech that is told of all. */
static struct outcome fetch(enum shoal_format format, uint64_t memory, unsigned without)
{
	struct outcome out = { 0 };
	struct sim_content c;
	scene_content(&c, format, MIB, 12 * MIB, 5);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 5, .content = &c });
	scene_seed(sim, (struct sim_node_options){ .up = 2 * MIB });
	for (unsigned i = 0; i < LIARS; i++)
		scene_seed(sim, (struct sim_node_options){ .up = MIB, .adversary = sim_adversary_spec(SIM_POLLUTER) });
	struct sim_node *leech = sim_node_new(sim, &(struct sim_node_options){ .memory = memory, .without = without });
	for (unsigned i = 0; i <= LIARS; i++)
		sim_node_meet(leech, sim_node(sim, i));
	shoal_us began = sim_now(sim);
	scene_start_all(sim);
	sim_run_for(sim, SHOAL_S(120));
	assert_string_equal(sim_wrong(sim), "");
	sim_node_ask_stats(leech);
	for (unsigned i = 1; i <= LIARS; i++)
		out.spoiled += sim_adversary_deeds(sim_node(sim, i)->adversary)->spoiled;
	out.wasted = leech->stats.wasted;
	out.failed = leech->hash_failures;
	out.bans = leech->bans;
	out.took = leech->complete ? leech->completed_at - began : 0;
	print_message("%llu false blocks, %llu KiB wasted, %llu pieces failed, %u bans, %.1f s\n",
		      (unsigned long long)out.spoiled, (unsigned long long)out.wasted / KIB,
		      (unsigned long long)out.failed, out.bans, (double)out.took / 1e6);
	sim_free(sim);
	sim_content_fini(&c);
	return out;
}

/* Two false blocks of each are all that is taken, and no piece comes to be false; what else it sends was asked for while
 * the first of them were on their way. */
static void a_liar_is_found_out_by_its_first_blocks(void **state)
{
	(void)state;
	struct outcome with = fetch(SHOAL_FORMAT_V2, 0, 0), before = fetch(SHOAL_FORMAT_V2, 0, SHOAL_WITHOUT_VETTING);
	assert_true(with.took > 0 && before.took > 0);
	assert_int_equal(with.bans, LIARS);
	assert_int_equal(with.failed, 0);
	assert_true(with.wasted <= (uint64_t)LIARS * 2 * SHOAL_BLOCK);
	assert_true(before.failed > 0 && before.spoiled > 2 * with.spoiled && before.wasted > 8 * with.wasted);
}

/* Where newcomers lie, one whose first block is false is not asked again at once, so that it is not banned and back under
 * another name. It is, a while later. */
static void who_lies_first_where_others_lied_waits(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V2, MIB, 12 * MIB, 6);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 6, .content = &c });
	scene_seed(sim, (struct sim_node_options){ .up = 128 * KIB });
	for (unsigned i = 0; i < LIARS; i++)
		scene_seed(sim,
			   (struct sim_node_options){ .up = 64 * KIB, /* the leaf hashes are there before a block */
						      .adversary = sim_adversary_spec(SIM_POLLUTER) });
	struct sim_node *leech = sim_node_new(sim, &(struct sim_node_options){ 0 });
	sim_node_meet(leech, sim_node(sim, 0));
	sim_node_meet(leech, sim_node(sim, 1));
	scene_start_all(sim);
	sim_run_for(sim, SHOAL_S(12));
	assert_int_equal(leech->bans, 1);
	for (unsigned i = 2; i <= LIARS; i++)
		sim_node_meet(leech, sim_node(sim, i));
	sim_run_for(sim, SHOAL_VET_LIED - SHOAL_S(1));
	sim_node_ask_stats(leech);
	print_message("%llu KiB wasted, %u bans\n", (unsigned long long)leech->stats.wasted / KIB, leech->bans);
	assert_int_equal(leech->bans, 1);
	assert_true(leech->stats.wasted > 2 * SHOAL_BLOCK);
	sim_run_for(sim, SHOAL_S(40));
	assert_int_equal(leech->bans, LIARS);
	assert_string_equal(sim_wrong(sim), "");
	sim_free(sim);
	sim_content_fini(&c);
}

/* It is asked for another block then, though nobody else has taken the first: the same once more says little that is new
 * (shoal_rep_false), and it took five until such a liar was banned. */
static void who_lied_is_asked_for_another_block(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V2, MIB, 12 * MIB, 6);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 6, .content = &c });
	for (unsigned i = 0; i < LIARS; i++)
		scene_seed(sim,
			   (struct sim_node_options){ .up = 64 * KIB, .adversary = sim_adversary_spec(SIM_POLLUTER) });
	struct sim_node *leech = sim_node_new(sim, &(struct sim_node_options){ 0 });
	sim_node_meet(leech, sim_node(sim, 0));
	scene_start_all(sim);
	sim_run_for(sim, SHOAL_S(12));
	assert_int_equal(leech->bans, 1);
	for (unsigned i = 1; i < LIARS; i++)
		sim_node_meet(leech, sim_node(sim, i));
	sim_run_for(sim, SHOAL_S(40));
	sim_node_ask_stats(leech);
	print_message("%llu KiB wasted, %u bans\n", (unsigned long long)leech->stats.wasted / KIB, leech->bans);
	assert_int_equal(leech->bans, LIARS);
	assert_int_equal(leech->stats.wasted, 2 * LIARS * SHOAL_BLOCK);
	assert_string_equal(sim_wrong(sim), "");
	sim_free(sim);
	sim_content_fini(&c);
}

/* v1 has no leaf hashes, and those of a hybrid prove nothing before a piece is whole (hostile case V06c). */
static void v1_and_hybrids_are_as_they_were(void **state)
{
	static const enum shoal_format formats[] = { SHOAL_FORMAT_V1, SHOAL_FORMAT_HYBRID };
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct outcome with = fetch(formats[i], 0, 0), before = fetch(formats[i], 0, SHOAL_WITHOUT_VETTING);
		assert_int_equal(with.spoiled, before.spoiled);
		assert_int_equal(with.took, before.took);
	}
}

/* Liars have begun pieces that nobody else has yet, and there is memory for few. What the honest one has comes all the
 * same. */
static unsigned comes_all_the_same(uint64_t seed)
{
	struct sim_content c;
	scene_content(&c, SHOAL_FORMAT_V2, MIB, 16 * MIB, 5);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c });
	struct sim_node *some = sim_node_new(sim, &(struct sim_node_options){ .up = MIB });
	for (uint32_t i = 0; i < FEW; i++)
		sim_disk_fill_piece(some->disk, SIM_FOLDER, c.mi, i);
	for (unsigned i = 0; i < LIARS; i++)
		scene_seed(sim, (struct sim_node_options){ .up = MIB, .adversary = sim_adversary_spec(SIM_POLLUTER) });
	struct sim_node *leech = sim_node_new(sim, &(struct sim_node_options){ .memory = 3 * MIB });
	for (unsigned i = 1; i <= LIARS; i++)
		sim_node_meet(leech, sim_node(sim, i));
	scene_start_all(sim);
	sim_run_for(sim, SHOAL_S(10)); /* all liars are found out by now */
	assert_int_equal(leech->bans, LIARS);
	sim_node_meet(leech, some);
	sim_run_for(sim, SHOAL_S(60));
	sim_node_ask_stats(leech);
	assert_string_equal(sim_wrong(sim), "");
	unsigned lacks = FEW - leech->stats.pieces_done;
	sim_free(sim);
	sim_content_fini(&c);
	return lacks;
}

static void what_liars_began_keeps_no_memory(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++)
		assert_int_equal(comes_all_the_same(seed), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_liar_is_found_out_by_its_first_blocks),
		cmocka_unit_test(who_lies_first_where_others_lied_waits),
		cmocka_unit_test(who_lied_is_asked_for_another_block),
		cmocka_unit_test(v1_and_hybrids_are_as_they_were),
		cmocka_unit_test(what_liars_began_keeps_no_memory),
	};
	return cmocka_run_group_tests_name("sim_vet", tests, NULL, NULL);
}
