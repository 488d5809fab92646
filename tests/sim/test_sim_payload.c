/* test_sim_payload.c - a world that carries heads alone decides as one that carries all: same trace, same disks, same end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/scene.h"

struct outcome {
	uint64_t trace, state, bytes, rung;
	shoal_us end;
	unsigned bans, hash_failures;
};

static const struct sim_file_spec files[] = {
	{ "a", 11 * MIB + 12345 },
	{ "b/one", 1 },
	{ "b/two", 3 * MIB },
	{ "c", 2 * MIB - 5 },
};

/* 16 MiB among eight: a liar, a polluter, torn and rotten disks, crashes of both kinds, a cut, resets, loss. */
static struct outcome run(uint64_t seed, enum shoal_format format, enum sim_payload payload, bool spans)
{
	struct sim_content c;
	sim_content_init(&c, &(struct sim_content_spec){ .seed = seed,
							 .format = format,
							 .piece_size = 256 * KIB,
							 .file = files,
							 .file_count = format == SHOAL_FORMAT_V1 ? 1 : 4,
							 .single = format == SHOAL_FORMAT_V1 });
	struct sim *sim = sim_new(&(struct sim_options){ .seed = seed,
							 .content = &c,
							 .cut_ppm = 20000,
							 .turn = 500,
							 .payload = payload,
							 .spans = spans,
							 .tcp = &sim_tcp_common });
	struct sim_node_options o = {
		.up = 2 * MIB, .down = 8 * MIB, .queue = SHOAL_MS(100), .loss_ppm = 500, .jitter = SHOAL_MS(2)
	};
	scene_seed(sim, o);
	o.liar = true;
	struct sim_node *liar = scene_seed(sim, o);
	sim_disk_poison(liar->disk, 50000);
	o.liar = false;
	o.adversary = sim_adversary_spec(SIM_POLLUTER);
	o.adversary.rate = 100000;
	scene_seed(sim, o);
	o.adversary = (struct sim_adversary_spec){ 0 };
	scene_leeches(sim, o, 5, 1, 2);
	for (unsigned i = 3; i < sim_nodes(sim); i++) {
		sim_node_meet(sim_node(sim, i), sim_node(sim, 1));
		sim_node_meet(sim_node(sim, i), sim_node(sim, 2));
	}
	scene_start_all(sim);
	for (unsigned i = 3; i < 6; i++) {
		struct sim_node *n = sim_node(sim, i);
		sim_run_for(sim, SHOAL_S(1));
		sim_node_crash(n, i == 4 ? SIM_CRASH_KILL : SIM_CRASH_POWER);
		sim_node_reset(sim_node(sim, 7), NULL);
		sim_run_for(sim, SHOAL_MS(300));
		sim_node_start(n);
	}
	scene_complete(sim, SHOAL_S(600));
	struct sim_node *rotten = sim_node(sim, 6);
	sim_node_crash(rotten, SIM_CRASH_KILL);
	sim_disk_rot(rotten->disk, SIM_FOLDER, c.mi, 3);
	sim_disk_truncate(rotten->disk, SIM_FOLDER, c.mi, 0, 9 * MIB + 7);
	sim_witness_forgive(&rotten->witness, 3);
	for (uint32_t p = 0; p < shoal_metainfo_piece_count(c.mi); p++)
		sim_witness_forgive(&rotten->witness, p);
	sim_node_start(rotten);
	scene_complete(sim, SHOAL_S(600));
	struct outcome out = { .trace = sim_trace(sim),
			       .state = sim_state(sim),
			       .bytes = sim_wire_bytes(sim),
			       .rung = sim_clock(sim)->rung,
			       .end = sim_now(sim) };
	for (unsigned i = 0; i < sim_nodes(sim); i++) {
		out.bans += sim_node(sim, i)->bans;
		out.hash_failures += sim_node(sim, i)->hash_failures;
	}
	sim_free(sim);
	sim_content_fini(&c);
	return out;
}

static void heads_alone_decide_as_whole_blocks_do(void **state)
{
	static const struct {
		enum shoal_format format;
		bool spans;
	} kinds[] = { { SHOAL_FORMAT_V2, false },
		      { SHOAL_FORMAT_V2, true },
		      { SHOAL_FORMAT_V1, true },
		      { SHOAL_FORMAT_HYBRID, true } };
	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct outcome a = run(30 + i, kinds[i].format, SIM_PAYLOAD_PLACED, kinds[i].spans);
		struct outcome b = run(30 + i, kinds[i].format, SIM_PAYLOAD_HEADS, kinds[i].spans);
		print_message("%s: %016llx %016llx, %llu bytes, %llu alarms, %u bad pieces, %u bans, %.3f s\n",
			      scene_format_name(kinds[i].format), (unsigned long long)a.trace,
			      (unsigned long long)a.state, (unsigned long long)a.bytes, (unsigned long long)a.rung,
			      a.hash_failures, a.bans, (double)(a.end - SIM_START) / 1e6);
		assert_int_equal(a.end, b.end);
		assert_int_equal(a.rung, b.rung);
		assert_int_equal(a.bytes, b.bytes);
		assert_int_equal(a.trace, b.trace);
		assert_int_equal(a.state, b.state);
		assert_int_equal(a.bans, b.bans);
		/* In v2 who lies is found out before a piece fails. */
		assert_true(a.bans > 0 && (kinds[i].format == SHOAL_FORMAT_V2 || a.hash_failures > 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_alone_decide_as_whole_blocks_do),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
