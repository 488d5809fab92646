/* test_sim_swarm.c - whole swarms of real nodes in virtual time: all complete, and nobody ever says what is not so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/scene.h"

static const enum shoal_format formats[] = { SHOAL_FORMAT_V1, SHOAL_FORMAT_V2, SHOAL_FORMAT_HYBRID };
#define FORMATS (sizeof formats / sizeof *formats)

static void two_nodes_copy(void **state)
{
	(void)state;
	for (size_t f = 0; f < FORMATS; f++) {
		struct sim_content c;
		scene_content(&c, formats[f], 64 * KIB, 2 * MIB, 1 + f);
		struct sim *sim = sim_new(&(struct sim_options){ .seed = 1, .content = &c, .cut_ppm = 100000 });
		scene_seed(sim, (struct sim_node_options){ .up = 0 });
		scene_leeches(sim, (struct sim_node_options){ .up = 0 }, 1, 1, 0);
		scene_start_all(sim);
		print_message("%s\n", scene_format_name(formats[f]));
		scene_complete(sim, SHOAL_S(30));
		sim_free(sim);
		sim_content_fini(&c);
	}
}

/* One seed, 63 others that know of a few of each other: all complete, and the seed is not the only one who gave. */
static void sixty_four(enum shoal_format format, uint64_t seed)
{
	struct sim_content c;
	scene_content(&c, format, 64 * KIB, 2 * MIB, seed);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c, .cut_ppm = 20000 });
	scene_seed(sim, (struct sim_node_options){ .up = 4 * MIB, .down = 4 * MIB });
	unsigned others = scene_rounds(63, 23, 63);
	scene_leeches(sim, (struct sim_node_options){ .up = 2 * MIB, .down = 8 * MIB, .delay = SHOAL_MS(10) }, others,
		      16, 3);
	scene_start_all(sim);
	scene_complete(sim, SHOAL_S(180));
	struct sim_node *first = sim_node(sim, 0);
	sim_node_ask_stats(first);
	uint64_t size = shoal_metainfo_size(c.mi);
	print_message("%s: %.1f s, the seed gave %.1f copies of %u\n", scene_format_name(format),
		      (double)(sim_now(sim) - SIM_START) / 1e6, (double)first->stats.uploaded / (double)size, others);
	assert_true(first->stats.uploaded < others / 2 * size);
	sim_free(sim);
	sim_content_fini(&c);
}

static void sixty_four_nodes_v1(void **state)
{
	(void)state;
	sixty_four(SHOAL_FORMAT_V1, 64);
}
static void sixty_four_nodes_v2(void **state)
{
	(void)state;
	sixty_four(SHOAL_FORMAT_V2, 65);
}
static void sixty_four_nodes_hybrid(void **state)
{
	(void)state;
	sixty_four(SHOAL_FORMAT_HYBRID, 66);
}

/* ---- how it begins, and in what order ------------------------------------------------------ */

/* Leeches with the link alone: metadata over the wire, and for v2 the layers by hash messages. */
static void magnets_bring_their_metadata(void **state)
{
	(void)state;
	for (size_t f = 0; f < FORMATS; f++) {
		struct sim_content c;
		scene_content(&c, formats[f], 32 * KIB, 3 * MIB, 10 + f);
		struct sim *sim = sim_new(&(struct sim_options){ .seed = 3 + f, .content = &c, .cut_ppm = 50000 });
		scene_seed(sim, (struct sim_node_options){ .up = 8 * MIB });
		scene_leeches(sim, (struct sim_node_options){ .up = 8 * MIB, .magnet = true }, 7, 3, 1);
		scene_start_all(sim);
		print_message("%s\n", scene_format_name(formats[f]));
		scene_complete(sim, SHOAL_S(60));
		for (unsigned i = 1; i < sim_nodes(sim); i++)
			assert_int_equal(sim_node(sim, i)->metadata, 1);
		sim_free(sim);
		sim_content_fini(&c);
	}
}

/* The metadata is there, the files are still being looked at, and who was dialled before answers: what is not known yet
 * is not said. */
static void a_magnet_says_nothing_before_it_has_looked(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_HYBRID, 64 * KIB, 2 * MIB, 15);
	for (unsigned far = 20; far < 300; far += 40) {
		struct sim *sim = sim_new(&(struct sim_options){ .seed = far, .content = &c });
		scene_seed(sim, (struct sim_node_options){ .up = 8 * MIB, .delay = SHOAL_MS(1) });
		struct sim_node *other = scene_seed(sim, (struct sim_node_options){ .delay = SHOAL_MS(far) });
		scene_leeches(sim, (struct sim_node_options){ .magnet = true, .latency = { 200000, 900000 } }, 3, 1, 2);
		for (unsigned i = 2; i < sim_nodes(sim); i++)
			sim_node_meet(sim_node(sim, i), other);
		scene_start_all(sim);
		scene_complete(sim, SHOAL_S(120));
		sim_free(sim);
	}
	sim_content_fini(&c);
}

static bool has_metadata(struct sim *sim, void *arg)
{
	const struct sim_node *n = arg;
	(void)sim;
	return n->metadata > 0;
}

/* A layer asked of one who does not answer, then of another, comes from both in the end. */
static void a_layer_may_come_twice(void **state)
{
	struct sim_content c;
	(void)state;
	/* As many pieces in the largest file as blocks in a piece: the range of a layer could be one of leaves. */
	scene_content(&c, SHOAL_FORMAT_V2, 256 * KIB, 4 * MIB, 25);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 25, .content = &c });
	struct sim_node *first = scene_seed(sim, (struct sim_node_options){ .up = MIB, .delay = SHOAL_MS(40) });
	struct sim_node *other = scene_seed(sim, (struct sim_node_options){ .up = 100 * KIB });
	scene_leeches(sim, (struct sim_node_options){ .magnet = true }, 1, 1, 0);
	struct sim_node *leech = sim_node(sim, 2);
	scene_start_all(sim);
	assert_true(sim_run(sim, has_metadata, leech, SHOAL_S(10)));
	sim_run_for(sim, SHOAL_MS(20)); /* the question is on its way */
	first->line.cut = true;
	sim_node_meet(leech, other);
	sim_run_for(sim, SHOAL_S(15));
	assert_true(leech->witness.promised.ones > 0); /* the layer has come */
	assert_false(leech->complete);
	first->line.cut = false;
	scene_complete(sim, SHOAL_S(60));
	assert_int_equal(leech->bans, 0);
	sim_free(sim);
	sim_content_fini(&c);
}

struct order {
	uint32_t last;
	unsigned pieces, backward;
};
static void note_order(void *to, struct sim_node *n, const struct shoal_event *ev)
{
	struct order *o = to;
	if (n->index != 1 || ev->kind != SHOAL_EV_PIECE)
		return;
	/* Two reads are under way at the seed, and end in any order: a step or two back is as good as in order. */
	o->backward += ev->index + 4 < o->last;
	o->last = o->last > ev->index ? o->last : ev->index;
	o->pieces++;
}

static void sequential_comes_in_order(void **state)
{
	struct sim_content c;
	struct order in_order = { 0 };
	struct order rarest = { 0 };
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, 4 * MIB, 20);
	for (int k = 0; k < 2; k++) {
		struct sim *sim = sim_new(&(struct sim_options){
			.seed = 20, .content = &c, .on_event = note_order, .to = k ? &in_order : &rarest });
		scene_seed(sim, (struct sim_node_options){ .up = 2 * MIB });
		scene_leeches(sim, (struct sim_node_options){ .flags = k ? SHOAL_ADD_SEQUENTIAL : 0u }, 1, 1, 0);
		scene_start_all(sim);
		scene_complete(sim, SHOAL_S(60));
		sim_free(sim);
	}
	print_message("steps back: %u of %u in order, %u of %u rarest first\n", in_order.backward, in_order.pieces,
		      rarest.backward, rarest.pieces);
	assert_true(rarest.backward > rarest.pieces / 4);
	assert_int_equal(in_order.backward, 0);
	sim_content_fini(&c);
}

/* ---- memory and rates ----------------------------------------------------------------------- */

struct tight {
	enum shoal_format format;
	uint32_t piece_size;
	uint64_t size;
	size_t memory;
};

static void little_memory_is_enough(void **state)
{
	(void)state;
	static const struct tight cases[] = {
		{ SHOAL_FORMAT_V1, MIB, 6 * MIB, 2 * MIB },	   { SHOAL_FORMAT_V2, MIB, 6 * MIB, 2 * MIB },
		{ SHOAL_FORMAT_HYBRID, MIB, 6 * MIB, 2 * MIB },	   { SHOAL_FORMAT_V1, 4 * MIB, 12 * MIB, 512 * KIB },
		{ SHOAL_FORMAT_V2, 4 * MIB, 12 * MIB, 512 * KIB }, { SHOAL_FORMAT_V1, 4 * MIB, 12 * MIB, 3 * MIB },
		{ SHOAL_FORMAT_HYBRID, 2 * MIB, 8 * MIB, MIB },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct tight *t = &cases[i];
		struct sim_content c;
		scene_content(&c, t->format, t->piece_size, t->size, 30 + i);
		struct sim *sim = sim_new(&(struct sim_options){ .seed = 30 + i, .content = &c, .cut_ppm = 20000 });
		scene_seed(sim, (struct sim_node_options){ .up = 16 * MIB, .memory = t->memory });
		scene_leeches(sim, (struct sim_node_options){ .up = 16 * MIB, .memory = t->memory }, 5, 2, 2);
		scene_start_all(sim);
		print_message("%s, pieces of %u KiB, %zu KiB\n", scene_format_name(t->format), t->piece_size / KIB,
			      t->memory / KIB);
		scene_complete(sim, SHOAL_S(240));
		sim_free(sim);
		sim_content_fini(&c);
	}
}

static void limits_are_kept(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, 2 * MIB, 40);
	for (int k = 0; k < 2; k++) { /* the seed's up, the leech's down */
		struct sim *sim = sim_new(&(struct sim_options){ .seed = 40, .content = &c });
		scene_seed(sim, (struct sim_node_options){ .limit_up = k ? 0 : 256 * KIB });
		scene_leeches(sim, (struct sim_node_options){ .limit_down = k ? 256 * KIB : 0 }, 1, 1, 0);
		scene_start_all(sim);
		scene_complete(sim, SHOAL_S(60));
		double s = (double)(sim_now(sim) - SIM_START) / 1e6;
		double fair = (double)shoal_metainfo_size(c.mi) / (256 * KIB);
		print_message("limited %s: %.2f s, %.2f s by the limit\n", k ? "down" : "up", s, fair);
		assert_true(s > 0.85 * fair && s < 1.25 * fair + 1);
		sim_free(sim);
	}
	sim_content_fini(&c);
}

/* ---- peers that go, stall or are slow --------------------------------------------------------- */

static bool some_pieces(struct sim *sim, void *arg)
{
	const struct sim_node *n = arg;
	(void)sim;
	return n->witness.promised.ones >= 5;
}

/* The only peer goes and comes back: it is dialled again. */
static void a_peer_that_comes_back_is_found(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, 4 * MIB, 50);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 50, .content = &c });
	struct sim_node *seed = scene_seed(sim, (struct sim_node_options){ .up = MIB });
	scene_leeches(sim, (struct sim_node_options){ .up = MIB }, 1, 1, 0);
	struct sim_node *leech = sim_node(sim, 1);
	scene_start_all(sim);
	for (int i = 0; i < 3; i++) {
		assert_true(sim_run(sim, some_pieces, leech, SHOAL_S(20)));
		sim_node_crash(seed, SIM_CRASH_KILL);
		sim_run_for(sim, SHOAL_S(3 + 10 * (unsigned)i));
		sim_node_start(seed);
		sim_run_for(sim, SHOAL_MS(300));
	}
	scene_complete(sim, SHOAL_S(60));
	sim_free(sim);
	sim_content_fini(&c);
}

/* A seed whose places are all taken by others that are complete has room for one who is not. */
static void the_complete_make_room(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V2, 64 * KIB, MIB, 57);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 57, .content = &c });
	scene_seed(sim, (struct sim_node_options){ .max_peers = 3 });
	for (unsigned i = 0; i < 5; i++) {
		struct sim_node *n = sim_node_new(sim, &(struct sim_node_options){ .delay = SHOAL_MS(3) });
		sim_node_meet(n, sim_node(sim, 0));
		sim_node_start(n);
		if (i == 0)
			sim_node_start(sim_node(sim, 0));
		scene_complete(sim, SHOAL_S(20));
	}
	sim_free(sim);
	sim_content_fini(&c);
}

/* All know all, and dial at once: one connection of each pair stays, and nobody dials the other again and again. */
static void of_two_connections_one_stays(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, 8 * MIB, 55);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 55, .content = &c });
	scene_seed(sim, (struct sim_node_options){ .up = 100 * KIB });
	scene_leeches(sim, (struct sim_node_options){ .up = 100 * KIB }, 5, 0, 0);
	for (unsigned i = 0; i < 6; i++)
		for (unsigned k = 0; k < 6; k++)
			if (i != k)
				sim_node_meet(sim_node(sim, i), sim_node(sim, k));
	scene_start_all(sim);
	sim_run_for(sim, SHOAL_S(60));
	assert_string_equal(sim_wrong(sim), "");
	print_message("%u connections made for 15 pairs\n", (unsigned)sim_connections(sim));
	assert_true(sim_connections(sim) <= 2 * 30);
	for (unsigned i = 0; i < 6; i++) {
		sim_node_ask_stats(sim_node(sim, i));
		assert_int_equal(sim_node(sim, i)->stats.peers, 5);
	}
	sim_free(sim);
	sim_content_fini(&c);
}

/* One that is slow to begin is not told to stop: what it sends late is taken, but for what others have brought since. */
static void what_comes_late_is_taken(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 256 * KIB, 4 * MIB, 58);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 58, .content = &c });
	scene_seed(sim, (struct sim_node_options){ .up = 64 * KIB });
	struct sim_node *late = scene_seed(sim, (struct sim_node_options){ .up = MIB });
	struct sim_node *leech = sim_node_new(sim, &(struct sim_node_options){ .delay = SHOAL_MS(5) });
	sim_node_meet(leech, sim_node(sim, 0));
	sim_node_meet(leech, late);
	sim_node_start(sim_node(sim, 0));
	sim_node_start(late);
	sim_run_for(sim, SHOAL_MS(500));
	sim_node_start(leech);
	sim_disk_hold(late->disk, true);
	sim_run_for(sim, SHOAL_MS(6300)); /* five of them are patience, for others do bring something */
	sim_disk_hold(late->disk, false);
	scene_complete(sim, SHOAL_S(60));
	sim_node_ask_stats(leech);
	print_message("%llu KiB came for nothing\n", (unsigned long long)leech->stats.wasted / KIB);
	assert_true(leech->stats.wasted <= 4 * 16 * KIB);
	sim_free(sim);
	sim_content_fini(&c);
}

/* Peers that answer nothing, or hardly anything, hold up nobody for long. */
static void slow_and_stalling_peers_hold_up_nobody(void **state)
{
	(void)state;
	for (uint64_t seed = 60; seed < 63; seed++) {
		struct sim_content c;
		scene_content(&c, seed == 60 ? SHOAL_FORMAT_V2 : SHOAL_FORMAT_V1, seed == 62 ? MIB : 64 * KIB, 4 * MIB,
			      seed);
		struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c, .cut_ppm = 20000 });
		scene_seed(sim, (struct sim_node_options){ .up = 4 * MIB });
		struct sim_node *sloth = scene_seed(sim, (struct sim_node_options){ .up = 4 * KIB });
		struct sim_node *dead = scene_seed(sim, (struct sim_node_options){ .up = 4 * MIB });
		struct sim_node *cut = scene_seed(sim, (struct sim_node_options){ .up = 4 * MIB });
		size_t memory = seed == 62 ? 3 * MIB : 0;
		scene_leeches(sim, (struct sim_node_options){ .up = 4 * MIB, .memory = memory }, 6, 3, 1);
		for (unsigned i = 4; i < sim_nodes(sim); i++) {
			sim_node_meet(sim_node(sim, i), sloth);
			sim_node_meet(sim_node(sim, i), dead);
			sim_node_meet(sim_node(sim, i), cut);
		}
		scene_start_all(sim);
		sim_run_for(sim, SHOAL_MS(400)); /* all are connected, and asked for much */
		sim_disk_hold(dead->disk, true);
		cut->line.cut = true;
		scene_complete(sim, SHOAL_S(60));
		print_message("%.1f s\n", (double)(sim_now(sim) - SIM_START) / 1e6);
		sim_free(sim);
		sim_content_fini(&c);
	}
}

/* The last blocks lie with a slow peer, or with one that leaves: the fast one is not idle beside it. */
static void the_end_is_not_waited_for(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_HYBRID, 64 * KIB, 4 * MIB, 64);
	for (int leaves = 0; leaves < 2; leaves++) {
		for (uint64_t seed = 64; seed < 72; seed++) {
			struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c });
			scene_seed(sim, (struct sim_node_options){ .up = 4 * MIB });
			struct sim_node *slow = scene_seed(sim, (struct sim_node_options){ .up = 96 * KIB });
			scene_leeches(sim, (struct sim_node_options){ .up = MIB }, 1, 1, 0);
			scene_start_all(sim);
			sim_run_for(sim, SHOAL_MS(900) + SHOAL_MS(20) * (seed - 64));
			sim_node_meet(sim_node(sim, 2), slow);
			if (leaves) {
				sim_run_for(sim, SHOAL_MS(300));
				sim_node_crash(slow, SIM_CRASH_KILL);
			}
			scene_complete(sim, SHOAL_S(30));
			double s = (double)(sim_now(sim) - SIM_START) / 1e6;
			assert_true(s < 3); /* 1.2 s for all of it at the fast one's rate */
			sim_free(sim);
		}
	}
	sim_content_fini(&c);
}

/* ---- liars -------------------------------------------------------------------------------------- */

static bool has_banned(const struct sim_node *n, unsigned other)
{
	for (unsigned i = 0; i < n->bans && i < sizeof n->banned / sizeof *n->banned; i++)
		if (n->banned[i] == other)
			return true;
	return false;
}

/* Two that turn bits in what they send, among honest ones: they are named, nobody else is, and all complete. */
static void polluters_are_named_and_nobody_else(void **state)
{
	static const struct {
		enum shoal_format format;
		uint32_t piece_size;
		size_t memory;
		uint32_t ppm;
		uint32_t slots; /* of the honest: few, and the liars are there all the time */
	} cases[] = {
		{ SHOAL_FORMAT_V1, 256 * KIB, 0, 300000, 0 },	  { SHOAL_FORMAT_V2, 256 * KIB, 0, 300000, 0 },
		{ SHOAL_FORMAT_HYBRID, 256 * KIB, 0, 100000, 0 }, { SHOAL_FORMAT_V1, 256 * KIB, 0, 20000, 0 },
		{ SHOAL_FORMAT_V1, 2 * MIB, MIB, 50000, 0 }, /* streamed: blame from the disk */
		{ SHOAL_FORMAT_V2, 2 * MIB, MIB, 50000, 0 },	  { SHOAL_FORMAT_V1, 2 * MIB, MIB, 300000, 1 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sim_content c;
		scene_content(&c, cases[i].format, cases[i].piece_size, 8 * MIB, 70 + i);
		struct sim *sim = sim_new(&(struct sim_options){ .seed = 70 + i, .content = &c, .cut_ppm = 20000 });
		scene_seed(sim, (struct sim_node_options){ .up = 2 * MIB, .upload_slots = cases[i].slots });
		for (int k = 0; k < 2; k++) {
			struct sim_node *liar = scene_seed(sim,
							   (struct sim_node_options){ .up = 2 * MIB, .liar = true });
			sim_disk_poison(liar->disk, cases[i].ppm);
		}
		scene_leeches(sim,
			      (struct sim_node_options){
				      .up = 2 * MIB, .memory = cases[i].memory, .upload_slots = cases[i].slots },
			      6, 2, 2);
		for (unsigned k = 3; k < sim_nodes(sim); k++) {
			sim_node_meet(sim_node(sim, k), sim_node(sim, 1));
			sim_node_meet(sim_node(sim, k), sim_node(sim, 2));
		}
		scene_start_all(sim);
		scene_complete(sim, SHOAL_S(120));
		unsigned failures = 0;
		unsigned bans = 0;
		unsigned met = 0;
		for (unsigned k = 3; k < sim_nodes(sim); k++) {
			const struct sim_node *n = sim_node(sim, k);
			failures += n->hash_failures;
			bans += n->bans;
			met += n->hash_failures > 0;
			if (n->hash_failures > 0 && n->paroles == 0 && !has_banned(n, 1) && !has_banned(n, 2))
				fail_msg("node %u met bad pieces and blames nobody", k);
		}
		print_message("%s, %u KiB, %u ppm: %u bad pieces, %u of 6 leeches met them, %u bans, %.1f s\n",
			      scene_format_name(cases[i].format), cases[i].piece_size / KIB, cases[i].ppm, failures,
			      met, bans, (double)(sim_now(sim) - SIM_START) / 1e6);
		assert_true(bans > 0);
		/* Two liars: three or four for each leech, and those that were under way. */
		assert_true(failures <= 6 * 8);
		sim_free(sim);
		sim_content_fini(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(magnets_bring_their_metadata),
		cmocka_unit_test(a_magnet_says_nothing_before_it_has_looked),
		cmocka_unit_test(a_layer_may_come_twice),
		cmocka_unit_test(sequential_comes_in_order),
		cmocka_unit_test(little_memory_is_enough),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(a_peer_that_comes_back_is_found),
		cmocka_unit_test(the_complete_make_room),
		cmocka_unit_test(of_two_connections_one_stays),
		cmocka_unit_test(what_comes_late_is_taken),
		cmocka_unit_test(slow_and_stalling_peers_hold_up_nobody),
		cmocka_unit_test(the_end_is_not_waited_for),
		cmocka_unit_test(polluters_are_named_and_nobody_else),
		cmocka_unit_test(two_nodes_copy),
		cmocka_unit_test(sixty_four_nodes_v1),
		cmocka_unit_test(sixty_four_nodes_v2),
		cmocka_unit_test(sixty_four_nodes_hybrid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
