/* test_sim_flow.c - how near a shaped swarm comes to what its lines allow; limits, turns and fast sets on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/wire.h"
#include "tests/sim/scene.h"
#include "tests/sim/strangers.h"

/* ---- one seed, ten leeches, home lines --------------------------------------------------- */

struct shape {
	unsigned leeches;
	uint64_t size, up, down; /* bytes, bytes a second */
	uint32_t piece;
	shoal_us apart; /* between the leeches' starts */
};
struct outcome {
	double bound; /* s: no way of sending it all could be shorter */
	double last, copies;
};

/* Everybody has to get all of it, and all that is got must have been sent: the fluid bound. */
static double bound_of(const struct shape *sh)
{
	double size = (double)sh->size, up = (double)sh->up, all = up * (sh->leeches + 1);
	double bound = size / up;
	bound = bound > size / (double)sh->down ? bound : size / (double)sh->down;
	return bound > size * sh->leeches / all ? bound : size * sh->leeches / all;
}

/* Each leech knows the seed and those who came before it, as from a tracker. */
static struct outcome swarm_of(const struct shape *sh, uint64_t seed, unsigned flags)
{
	struct sim_content c;
	scene_content(&c, SHOAL_FORMAT_V1, sh->piece, sh->size, seed);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c, .window = 96 * KIB });
	struct sim_node_options line = { .up = sh->up, .down = sh->down, .delay = SHOAL_MS(5), .flags = flags };
	struct sim_node *first = scene_seed(sim, line);
	sim_node_start(first);
	sim_run_for(sim, SHOAL_MS(300));
	shoal_us begin = sim_now(sim);
	for (unsigned i = 0; i < sh->leeches; i++) {
		struct sim_node *n = sim_node_new(sim, &line);
		for (unsigned k = 0; k <= i; k++)
			sim_node_meet(n, sim_node(sim, k));
		sim_node_start(n);
		sim_run_for(sim, sh->apart);
	}
	scene_complete(sim, SHOAL_S(600));
	sim_node_ask_stats(first);
	struct outcome out = { .bound = bound_of(sh),
			       .last = (double)(sim_now(sim) - begin) / 1e6,
			       .copies = (double)first->stats.uploaded / (double)shoal_metainfo_size(c.mi) };
	print_message("seed %u: last %.2f s, bound %.2f s, ratio %.3f, the seed gave %.2f copies\n", (unsigned)seed,
		      out.last, out.bound, out.last / out.bound, out.copies);
	sim_free(sim);
	sim_content_fini(&c);
	return out;
}

/* 20/100 Mbit/s, 20 ms there and back, 64 MiB: a quarter of each, and as long. */
static void a_shaped_swarm_comes_near_its_bound(void **state)
{
	static const struct shape home = {
		.leeches = 10, .size = 16 * MIB, .piece = 64 * KIB, .up = 625000, .down = 3125000, .apart = SHOAL_MS(10)
	};
	(void)state;
	unsigned rounds = scene_rounds(2, 1, 12);
	double ratio = 0, copies = 0;
	for (uint64_t seed = 700; seed < 700 + rounds; seed++) {
		struct outcome out = swarm_of(&home, seed, 0);
		ratio += out.last / out.bound / rounds;
		copies += out.copies / rounds;
	}
	print_message("mean: ratio %.3f, %.3f copies\n", ratio, copies);
	assert_true(ratio <= 1.2);
	assert_true(copies <= 1.15);
}

/* ---- super-seeding ------------------------------------------------------------------------ */

/* A world with one seed of `up` bytes a second; nothing has met yet. */
static struct sim *small_world(struct sim_content *c, uint64_t seed, uint64_t size, uint64_t up)
{
	scene_content(c, SHOAL_FORMAT_V1, 32 * KIB, size, seed);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = c, .window = 64 * KIB });
	sim_node_start(scene_seed(sim, (struct sim_node_options){ .up = up }));
	sim_run_for(sim, SHOAL_MS(200));
	return sim;
}

static struct sim_node *newcomer(struct sim *sim, struct sim_node_options options)
{
	struct sim_node *n = sim_node_new(sim, &options);
	for (unsigned i = 0; i < sim_nodes(sim) - 1; i++)
		if (sim_node(sim, i)->node != NULL)
			sim_node_meet(n, sim_node(sim, i));
	sim_node_start(n);
	return n;
}

static unsigned seeds_of(struct sim_node *n)
{
	sim_node_ask_stats(n);
	return n->stats.seeds;
}

/* Who comes first is told of everything at once; who comes then is not; who comes when all is out is again. */
static void the_first_is_told_everything_the_second_in_time(void **state)
{
	struct sim_content c;
	(void)state;
	struct sim *sim = small_world(&c, 740, 4 * MIB, 400 * KIB);
	struct sim_node *first = newcomer(sim, (struct sim_node_options){ .up = 400 * KIB });
	sim_run_for(sim, SHOAL_MS(300));
	assert_int_equal(seeds_of(first), 1);
	struct sim_node *second = newcomer(sim, (struct sim_node_options){ .up = 400 * KIB });
	struct sim_node *third = newcomer(sim, (struct sim_node_options){ .up = 400 * KIB });
	sim_run_for(sim, SHOAL_S(4));
	assert_int_equal(seeds_of(second), 0);
	assert_int_equal(seeds_of(third), 0);
	scene_complete(sim, SHOAL_S(30));
	/* Now that others have all of it, nobody holds back. */
	struct sim_node *late = newcomer(sim, (struct sim_node_options){ .up = 400 * KIB });
	sim_run_for(sim, SHOAL_MS(300));
	assert_int_equal(seeds_of(late), 4);
	scene_complete(sim, SHOAL_S(30));
	sim_free(sim);
	sim_content_fini(&c);
}

/* Another full copy: nothing is held back any more. */
static void a_second_full_copy_ends_it(void **state)
{
	struct sim_content c;
	(void)state;
	struct sim *sim = small_world(&c, 741, 4 * MIB, 100 * KIB);
	struct sim_node *a = newcomer(sim, (struct sim_node_options){ .up = 100 * KIB });
	struct sim_node *b = newcomer(sim, (struct sim_node_options){ .up = 100 * KIB });
	sim_run_for(sim, SHOAL_S(3));
	assert_int_equal(seeds_of(a) + seeds_of(b), 1);
	struct sim_node *other = scene_seed(sim, (struct sim_node_options){ .up = 100 * KIB });
	for (unsigned i = 0; i < 3; i++)
		sim_node_meet(other, sim_node(sim, i));
	sim_node_start(other);
	/* Two that have all do not find out by what they say, if both hold back: but neither wants anything. */
	sim_run_for(sim, SHOAL_S(8));
	assert_int_equal(seeds_of(a), 2);
	assert_int_equal(seeds_of(b), 2);
	scene_complete(sim, SHOAL_S(60));
	sim_free(sim);
	sim_content_fini(&c);
}

/* Peers that take pieces with them, or sit on them behind a line that is cut, or are left alone with us. */
static void who_leaves_with_pieces_holds_up_nobody(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		struct sim_content c;
		struct sim *sim = small_world(&c, 742 + k, 4 * MIB, 500 * KIB);
		struct sim_node *n[4];
		for (unsigned i = 0; i < 4; i++)
			n[i] = newcomer(sim, (struct sim_node_options){ .up = 500 * KIB, .delay = SHOAL_MS(20) });
		sim_run_for(sim, SHOAL_S(3));
		if (k == 0) { /* one goes, with what it alone has */
			sim_node_crash(n[2], SIM_CRASH_KILL);
		} else if (k == 1) { /* all but one do, and that one had been told nothing */
			for (unsigned i = 0; i < 3; i++)
				sim_node_crash(n[i], SIM_CRASH_KILL);
		} else { /* one hears and says nothing any more */
			n[1]->line.cut = true;
			sim_run_for(sim, SHOAL_S(25));
			for (unsigned i = 0; i < 4; i++)
				assert_true(n[i]->complete == (i != 1));
			n[1]->line.cut = false;
		}
		scene_complete(sim, SHOAL_S(k == 2 ? 200 : 25));
		print_message("case %u: %.1f s\n", k, (double)(sim_now(sim) - SIM_START) / 1e6);
		sim_free(sim);
		sim_content_fini(&c);
	}
}

/* Links that bring the metadata first, a torrent of more pieces than one may announce before: all is told in the end. */
static void many_pieces_are_told_bit_by_bit(void **state)
{
	struct sim_content c;
	const struct sim_file_spec file[] = { { "many", 24 * MIB } };
	(void)state;
	sim_content_init(
		&c, &(struct sim_content_spec){
			    .seed = 746, .format = SHOAL_FORMAT_V1, .piece_size = KIB, .file = file, .file_count = 1 });
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 746, .content = &c });
	sim_node_start(scene_seed(sim, (struct sim_node_options){ .up = 8 * MIB }));
	sim_run_for(sim, SHOAL_MS(200));
	for (unsigned i = 0; i < 4; i++)
		newcomer(sim, (struct sim_node_options){ .up = 8 * MIB, .magnet = i & 1 });
	scene_complete(sim, SHOAL_S(120));
	struct sim_node *seed = sim_node(sim, 0);
	sim_node_ask_stats(seed);
	double copies = (double)seed->stats.uploaded / (24.0 * MIB);
	print_message("%.1f s, %.2f copies\n", (double)(sim_now(sim) - SIM_START) / 1e6, copies);
	sim_free(sim);
	sim_content_fini(&c);
}

/* ---- what goes while one chokes ---------------------------------------------------------- */

/* Two full copies with two places each, eight who want them and know nobody else: each has its few pieces long before its
 * turn comes, and no more than those. */
static void newcomers_get_a_few_pieces_at_once(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_HYBRID, 32 * KIB, 8 * MIB, 760);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 760, .content = &c });
	struct sim_node_options line = { .up = 400 * KIB, .upload_slots = 1 };
	scene_seed(sim, line);
	scene_seed(sim, line);
	scene_start_all(sim);
	sim_node_meet(sim_node(sim, 0), sim_node(sim, 1));
	sim_run_for(sim, SHOAL_S(1));
	for (unsigned i = 0; i < 8; i++) {
		struct sim_node *n = sim_node_new(sim, &(struct sim_node_options){ .up = 400 * KIB });
		sim_node_meet(n, sim_node(sim, 0));
		sim_node_meet(n, sim_node(sim, 1));
		sim_node_start(n);
	}
	sim_run_for(sim, SHOAL_S(8)); /* turns last ten seconds */
	unsigned few = 0;
	for (unsigned i = 2; i < 10; i++) {
		struct sim_node *n = sim_node(sim, i);
		sim_node_ask_stats(n);
		print_message("%u pieces\n", n->stats.pieces_done);
		assert_true(n->stats.pieces_done >= 6);
		few += n->stats.pieces_done <= 20; /* one set, or two half overlapping */
	}
	assert_true(few >= 4);
	scene_complete(sim, SHOAL_S(300));
	sim_free(sim);
	sim_content_fini(&c);
}

/* ---- limits ------------------------------------------------------------------------------ */

#define SAMPLE SHOAL_MS(250)
#define SAMPLES_MAX 400

static uint64_t moved(struct sim_node *n, uint32_t torrent, bool up)
{
	n->torrent = torrent;
	sim_node_ask_stats(n);
	return up ? n->stats.uploaded : n->stats.downloaded;
}

/* Of any five seconds of the `count` samples: the least and the most, as a part of `rate`. */
static void extremes(const uint64_t sample[], size_t count, uint64_t rate, double *least, double *most)
{
	size_t wide = SHOAL_S(5) / SAMPLE;
	*least = 1e9;
	*most = 0;
	for (size_t i = wide; i < count; i++) {
		double part = (double)(sample[i] - sample[i - wide]) / 5 / (double)rate;
		*least = part < *least ? part : *least;
		*most = part > *most ? part : *most;
	}
}

/* At the seed or at the leech, on the node or on the torrent, slow and fast: within 3 % over any five seconds. */
static void a_limit_is_met_over_any_five_seconds(void **state)
{
	static const struct {
		uint64_t rate, size;
		bool up, of_torrent;
		unsigned leeches;
	} cases[] = {
		{ 200 * KIB, 3 * MIB, true, false, 1 }, { 200 * KIB, 3 * MIB, false, false, 1 },
		{ 200 * KIB, 3 * MIB, false, true, 1 }, { 1000000, 12 * MIB, true, true, 3 },
		{ 1000000, 12 * MIB, true, false, 3 },	{ 1000000, 12 * MIB, false, false, 1 },
		{ 8000000, 96 * MIB, false, false, 1 }, { 8000000, 96 * MIB, true, false, 2 },
	};
	(void)state;
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		struct sim_content c;
		uint64_t sample[SAMPLES_MAX];
		double least, most;
		size_t count = 0;
		scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, cases[k].size, 710 + k);
		struct sim *sim = sim_new(&(struct sim_options){ .seed = 710 + k, .content = &c });
		struct sim_node_options line = { .delay = SHOAL_MS(8) };
		struct sim_node *limited = scene_seed(sim, line);
		scene_leeches(sim, line, cases[k].leeches, 1, 0);
		scene_start_all(sim);
		sim_run_for(sim, SHOAL_MS(20));
		if (!cases[k].up)
			limited = sim_node(sim, 1);
		struct shoal_op limit = { .kind = SHOAL_OP_LIMITS,
					  .torrent = cases[k].of_torrent ? limited->torrent : 0,
					  .up = cases[k].up ? cases[k].rate : 0,
					  .down = cases[k].up ? 0 : cases[k].rate };
		assert_int_equal(sim_node_do(limited, &limit), 0);
		sim_run_for(sim, SHOAL_MS(500)); /* what was asked for before is still coming */
		while (!sim_node(sim, 1)->complete && count < 44) {
			sample[count++] = moved(limited, limited->torrent, cases[k].up);
			sim_run_for(sim, SAMPLE);
		}
		assert_true(count > 24);
		extremes(sample, count - 2, cases[k].rate, &least, &most);
		print_message("%s %s, %llu B/s: %.3f to %.3f of it\n", cases[k].up ? "up" : "down",
			      cases[k].of_torrent ? "of a torrent" : "of all", (unsigned long long)cases[k].rate, least,
			      most);
		assert_true(least > 0.97 && most < 1.03);
		assert_string_equal(sim_wrong(sim), "");
		sim_free(sim);
		sim_content_fini(&c);
	}
}

/*
 * A limit above what a transport takes holds nobody back: what it has taken is dealt again in the same call, not at the
 * next one, a millisecond later. The bucket of a lower limit is what may go at once.
 */
static void a_limit_out_of_reach_is_none(void **state)
{
	static const struct {
		uint64_t up;
		size_t least, most; /* blocks that go at once, of 2000 asked for */
	} cases[] = { { 0, 2000, 2000 }, { UINT64_C(16) << 30, 2000, 2000 }, { 64u << 20, 256, 272 } };
	(void)state;
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .seeds = true });
		struct shoal_op limit = { .kind = SHOAL_OP_LIMITS, .up = cases[k].up };
		assert_int_equal(shoal_node_do(w->node, &limit, w->now), 0);
		struct shoal_addr from = strangers_addr("192.0.2.7:7");
		strangers_run(w, SHOAL_S(8)); /* it looks at what it has */
		struct stranger *s = stranger_come(w, &from, 0);
		static uint8_t ask[2000 * 17];
		for (size_t i = 0; i < 2000; i++) {
			const struct shoal_wire_msg msg = { .id = SHOAL_WIRE_REQUEST,
							    .index = i / 2 % 4,
							    .begin = i % 2 * SHOAL_BLOCK,
							    .len = SHOAL_BLOCK };
			assert_int_equal(shoal_wire_encode(&msg, (struct shoal_space){ ask + 17 * i, 17 }), 17);
		}
		stranger_wants(s);
		strangers_run(w, SHOAL_S(1));
		s->fetches = true;
		s->in = shoal_bytes(ask, sizeof ask);
		while (s->open && s->in.len > 0) /* all is read before anything is sent */
			shoal_node_ready(w->node, &s->t, SHOAL_WANT_READ, w->now);
		assert_true(s->open);
		shoal_node_tick(w->node, w->now);
		size_t blocks = s->fetched / (SHOAL_BLOCK + 13);
		print_message("up to %llu B/s: %zu of 2000 blocks at once\n", (unsigned long long)cases[k].up, blocks);
		assert_true(blocks >= cases[k].least && blocks <= cases[k].most);
		strangers_free(w);
	}
}

/*
 * A peer without the Fast extension that asks for more than we queue (rTorrent does: it does not read `reqq`) cannot be
 * told that some of it is passed over. So it is held back, and gets all it asked for.
 */
static void who_cannot_be_refused_is_held_back(void **state)
{
	enum { ASKED = 5000 };
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .seeds = true });
	struct shoal_addr from = strangers_addr("192.0.2.7:7");
	struct shoal_wire_handshake hs = { .peer_id.b = "-lt0D80-abcdefghijkl" };
	uint8_t hello[SHOAL_WIRE_HANDSHAKE_LEN];
	static uint8_t ask[ASKED * 17];
	(void)state;
	strangers_run(w, SHOAL_S(8));
	memcpy(hs.info_hash.b, w->hash, 20);
	shoal_wire_handshake_encode(&hs, hello);
	struct stranger *s = stranger_knock(w, &from);
	stranger_say(s, hello, sizeof hello);
	stranger_wants(s);
	strangers_run(w, SHOAL_S(1));
	for (size_t i = 0; i < ASKED; i++) {
		const struct shoal_wire_msg msg = {
			.id = SHOAL_WIRE_REQUEST, .index = i / 2 % 4, .begin = i % 2 * SHOAL_BLOCK, .len = SHOAL_BLOCK
		};
		assert_int_equal(shoal_wire_encode(&msg, (struct shoal_space){ ask + 17 * i, 17 }), 17);
	}
	s->fetches = true;
	s->in = shoal_bytes(ask, sizeof ask);
	for (unsigned i = 0; i < 100; i++) /* nothing is sent in between */
		shoal_node_ready(w->node, &s->t, SHOAL_WANT_READ, w->now);
	assert_in_range(sizeof ask - s->in.len, 2000 * 17, 2000 * 17 + 4096);
	for (unsigned i = 0; i < 100 && s->open && s->in.len > 0; i++) {
		shoal_node_tick(w->node, w->now);
		shoal_node_ready(w->node, &s->t, SHOAL_WANT_READ, w->now);
	}
	shoal_node_tick(w->node, w->now);
	assert_true(s->open);
	assert_int_equal(s->fetched / (SHOAL_BLOCK + 13), ASKED);
	strangers_free(w);
}

/* Two torrents under one limit, one with three peers and one with one: each gets half; a limit of its own holds. */
static void torrents_share_a_limit_alike(void **state)
{
	struct sim_content c;
	struct sim_content other;
	const struct sim_file_spec file[] = { { "one", 24 * MIB } };
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, 24 * MIB, 730);
	sim_content_init(&other, &(struct sim_content_spec){ .seed = 730,
							     .format = SHOAL_FORMAT_V1,
							     .piece_size = 64 * KIB,
							     .file = file,
							     .file_count = 1 });
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 730, .content = &c });
	/* The witness knows one torrent alone: what is said of the other is not held against anybody. */
	struct sim_node_options line = { .delay = SHOAL_MS(4), .liar = true };
	struct sim_node *seed = scene_seed(sim, line);
	sim_disk_fill(seed->disk, "/other", other.mi);
	for (unsigned i = 0; i < 4; i++)
		(void)sim_node_new(sim, &line);
	scene_start_all(sim);
	struct shoal_op add = { .kind = SHOAL_OP_ADD,
				.data = { other.torrent, other.torrent_len },
				.folder = { (const uint8_t *)"/other", 6 } };
	sim_run_for(sim, SHOAL_MS(20));
	uint32_t first = seed->torrent;
	struct sim_node *lone = sim_node(sim, 4);
	assert_int_equal(sim_node_do(seed, &add), 0);
	assert_int_equal(sim_node_do(lone, &add), 0);
	sim_run_for(sim, SHOAL_MS(20));
	uint32_t second = seed->torrent;
	assert_int_not_equal(first, second);
	for (unsigned i = 1; i < 5; i++) {
		struct sim_node *n = sim_node(sim, i);
		struct shoal_op peer = { .kind = SHOAL_OP_PEER, .torrent = n->torrent, .addr = seed->addr };
		assert_int_equal(sim_node_do(n, &peer), 0);
	}
	struct shoal_op all = { .kind = SHOAL_OP_LIMITS, .up = 1000000 };
	struct shoal_op one = { .kind = SHOAL_OP_LIMITS, .torrent = first, .up = 100000 };
	assert_int_equal(sim_node_do(seed, &all), 0);
	for (int k = 0; k < 2; k++) {
		sim_run_for(sim, SHOAL_S(1));
		uint64_t a = moved(seed, first, true);
		uint64_t b = moved(seed, second, true);
		sim_run_for(sim, SHOAL_S(8));
		double rate_a = (double)(moved(seed, first, true) - a) / 8;
		double rate_b = (double)(moved(seed, second, true) - b) / 8;
		print_message("three peers %.0f B/s, one peer %.0f B/s\n", rate_a, rate_b);
		assert_true(rate_a + rate_b > 970000 && rate_a + rate_b < 1030000);
		double want = k ? 100000 : 500000;
		assert_true(rate_a > 0.95 * want && rate_a < 1.05 * want);
		assert_int_equal(sim_node_do(seed, &one), 0);
	}
	struct shoal_op gone = { .kind = SHOAL_OP_LIMITS, .torrent = 99 };
	assert_int_equal(sim_node_do(seed, &gone), SHOAL_ERR_GONE);
	sim_free(sim);
	sim_content_fini(&other);
	sim_content_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_limit_is_met_over_any_five_seconds),
		cmocka_unit_test(a_limit_out_of_reach_is_none),
		cmocka_unit_test(who_cannot_be_refused_is_held_back),
		cmocka_unit_test(torrents_share_a_limit_alike),
		cmocka_unit_test(newcomers_get_a_few_pieces_at_once),
		cmocka_unit_test(a_shaped_swarm_comes_near_its_bound),
		cmocka_unit_test(the_first_is_told_everything_the_second_in_time),
		cmocka_unit_test(a_second_full_copy_ends_it),
		cmocka_unit_test(who_leaves_with_pieces_holds_up_nobody),
		cmocka_unit_test(many_pieces_are_told_bit_by_bit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
