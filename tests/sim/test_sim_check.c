/* test_sim_check.c - what the world's checkers find: a fault planted for each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/scene.h"
#include "tools/lab/world/adversary_guise.h"

struct plant {
	struct sim_content c;
	struct sim *sim;
	struct sim_node *seed, *leech;
};

/* A seed, and a leech that knows it; the hand is over the mouth of one of them, who counts as honest. */
static void plant_open(struct plant *p, const struct sim_guise_ops *seed, const struct sim_guise_ops *leech)
{
	scene_content(&p->c, SHOAL_FORMAT_V2, 64 * KIB, 4 * MIB, 31);
	p->sim = sim_new(&(struct sim_options){ .seed = 31, .content = &p->c });
	p->seed = scene_seed(p->sim, (struct sim_node_options){ .up = MIB });
	scene_leeches(p->sim, (struct sim_node_options){ .up = MIB }, 1, 1, 0);
	p->leech = sim_node(p->sim, 1);
	p->seed->hand = seed;
	p->leech->hand = leech;
	scene_start_all(p->sim);
}

static void plant_close(struct plant *p, const char *expect)
{
	print_message("%s\n", sim_wrong(p->sim));
	assert_non_null(strstr(sim_wrong(p->sim), expect));
	sim_free(p->sim);
	sim_content_fini(&p->c);
}

static bool turns_a_bit(struct sim_guise *g, const struct shoal_wire_msg *msg, struct shoal_space raw)
{
	(void)g;
	if (msg->id == SHOAL_WIRE_PIECE)
		raw.at[raw.len - 1] ^= 1;
	return true;
}

static void false_bytes_are_seen(void **state)
{
	static const struct sim_guise_ops ops = { .says = turns_a_bit };
	struct plant p;
	(void)state;
	plant_open(&p, &ops, NULL);
	sim_run_for(p.sim, SHOAL_S(5));
	plant_close(&p, "sent false bytes");
}

static void a_ban_of_the_honest_is_seen(void **state)
{
	static const struct sim_guise_ops ops = { .says = turns_a_bit };
	struct plant p;
	(void)state;
	plant_open(&p, &ops, NULL);
	p.seed->witness.honest = false; /* or its bytes would be seen first */
	sim_run_for(p.sim, SHOAL_S(5));
	plant_close(&p, "banned node 0, which is honest");
}

static bool asks_twice(struct sim_guise *g, const struct shoal_wire_msg *msg, struct shoal_space raw)
{
	(void)raw;
	if (msg->id == SHOAL_WIRE_REQUEST)
		sim_guise_say(g, msg);
	return true;
}

static void a_block_asked_twice_is_seen(void **state)
{
	static const struct sim_guise_ops ops = { .says = asks_twice };
	struct plant p;
	(void)state;
	plant_open(&p, NULL, &ops);
	sim_run_for(p.sim, SHOAL_S(5));
	plant_close(&p, "asked node 0 twice");
}

/* In a large world one in so many is looked at. */
static void a_sample_sees_the_sampled(void **state)
{
	static const struct sim_guise_ops ops = { .says = asks_twice };
	(void)state;
	for (unsigned who = SIM_CHECK_SAMPLE - 1; who <= SIM_CHECK_SAMPLE; who++) {
		struct sim_content c;
		scene_content(&c, SHOAL_FORMAT_V2, 64 * KIB, MIB, 33);
		struct sim *sim = sim_new(&(struct sim_options){ .seed = 33, .content = &c, .brief = true });
		scene_seed(sim, (struct sim_node_options){ .up = MIB });
		scene_leeches(sim, (struct sim_node_options){ .up = MIB }, SIM_CHECK_SAMPLE, 1, 0);
		sim_node(sim, who)->hand = &ops;
		scene_start_all(sim);
		sim_run_for(sim, SHOAL_S(5));
		assert_int_equal(strstr(sim_wrong(sim), "asked node") != NULL, who == SIM_CHECK_SAMPLE);
		assert_int_equal(sim_wrong(sim)[0] != 0, who == SIM_CHECK_SAMPLE);
		sim_free(sim);
		sim_content_fini(&c);
	}
}

static bool asks_little(struct sim_guise *g, const struct shoal_wire_msg *msg, struct shoal_space raw)
{
	(void)g;
	(void)raw;
	return msg->id != SHOAL_WIRE_REQUEST || msg->index < 8;
}

static void an_idle_piece_is_seen(void **state)
{
	static const struct sim_guise_ops ops = { .says = asks_little };
	struct plant p;
	(void)state;
	plant_open(&p, NULL, &ops);
	sim_run_for(p.sim, SHOAL_S(14));
	assert_string_equal(sim_wrong(p.sim), "");
	sim_run_for(p.sim, SHOAL_S(200)); /* a seed that is asked for nothing chokes */
	plant_close(&p, "which would serve it, idle");
}

static bool gives_twice(struct sim_guise *g, const struct shoal_wire_msg *msg, struct shoal_space raw)
{
	(void)raw;
	if (msg->id == SHOAL_WIRE_PIECE && msg->index == 3)
		sim_guise_say(g, msg);
	return true;
}

static void bytes_that_nobody_counted_are_seen(void **state)
{
	static const struct sim_guise_ops ops = { .says = gives_twice };
	struct plant p;
	(void)state;
	plant_open(&p, &ops, NULL);
	sim_run_for(p.sim, SHOAL_S(8));
	sim_node_ask_stats(p.leech);
	assert_string_equal(sim_wrong(p.sim), ""); /* it counts what comes, asked for or not */
	sim_node_ask_stats(p.seed);
	plant_close(&p, "says that it gave");
}

static void memory_over_the_budget_is_seen(void **state)
{
	struct plant p;
	(void)state;
	plant_open(&p, NULL, NULL);
	sim_run_for(p.sim, SHOAL_S(1));
	assert_string_equal(sim_wrong(p.sim), "");
	p.leech->budget.limit = p.leech->budget.used - 1;
	sim_run_for(p.sim, SHOAL_S(1));
	plant_close(&p, "holds ");
}

static void slots_that_nobody_is_charged_for_are_seen(void **state)
{
	struct plant p;
	(void)state;
	plant_open(&p, NULL, NULL);
	while (shoal_slots_out(p.leech->slots) < 4)
		sim_step(p.sim, SIM_START + SHOAL_S(5));
	size_t charged = p.leech->budget.used;
	p.leech->budget.used = 0;
	sim_check_node(p.leech);
	p.leech->budget.used = charged;
	plant_close(&p, "slots out with 0 bytes charged");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(false_bytes_are_seen),
		cmocka_unit_test(a_ban_of_the_honest_is_seen),
		cmocka_unit_test(a_block_asked_twice_is_seen),
		cmocka_unit_test(a_sample_sees_the_sampled),
		cmocka_unit_test(an_idle_piece_is_seen),
		cmocka_unit_test(bytes_that_nobody_counted_are_seen),
		cmocka_unit_test(memory_over_the_budget_is_seen),
		cmocka_unit_test(slots_that_nobody_is_charged_for_are_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
