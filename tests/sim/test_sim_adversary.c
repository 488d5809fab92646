/* test_sim_adversary.c - each kind of adversary does what its name says, and its victims complete all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "swarm/core/node_room.h"
#include "tests/sim/scene.h"
#include "tools/lab/world/held.h"
#include "tools/lab/world/room.h"

struct stage {
	struct sim_content c;
	struct sim *sim;
};

static void stage_open(struct stage *s, enum shoal_format format, uint32_t piece_size, uint64_t size, uint64_t seed)
{
	scene_content(&s->c, format, piece_size, size, seed);
	s->sim = sim_new(&(struct sim_options){ .seed = seed, .content = &s->c, .cut_ppm = 20000 });
}

static void stage_close(struct stage *s)
{
	sim_free(s->sim);
	sim_content_fini(&s->c);
}

static double seconds(const struct stage *s)
{
	return (double)(sim_now(s->sim) - SIM_START) / 1e6;
}

static const struct sim_adversary_deeds *deeds(const struct stage *s, unsigned node)
{
	return sim_adversary_deeds(sim_node(s->sim, node)->adversary);
}

/* Everybody knows everybody. */
static void all_meet(struct stage *s)
{
	for (unsigned i = 0; i < sim_nodes(s->sim); i++)
		for (unsigned k = 0; k < i; k++)
			sim_node_meet(sim_node(s->sim, i), sim_node(s->sim, k));
}

/* ---- the table ----------------------------------------------------------------------------------- */

static void the_table_is_whole(void **state)
{
	(void)state;
	for (unsigned k = 0; k < SIM_ADVERSARY_KINDS; k++) {
		const struct sim_adversary_row *row = &sim_adversary_table[k];
		struct sim_adversary_spec spec = sim_adversary_spec(k);
		assert_int_equal(sim_adversary_named(row->name), k);
		assert_int_equal(spec.kind, k);
		assert_true(strlen(row->summary) > 0);
		for (const struct sim_adversary_param *p = row->param; p->name != NULL; p++) {
			print_message("%s: %s, %s\n", row->name, p->name, p->summary);
			assert_ptr_equal(sim_adversary_param(k, p->name), p);
			assert_int_equal(*sim_adversary_value(&spec, p), p->standard);
			assert_true(p->least <= p->standard && p->standard <= p->most);
			assert_int_equal(p->unit == SIM_UNIT_WORD, p->words != NULL);
		}
	}
	assert_int_equal(sim_adversary_named("saint"), SIM_ADVERSARY_KINDS);
	assert_null(sim_adversary_param(SIM_FREE_RIDER, "rate"));
}

/* ---- polluter ------------------------------------------------------------------------------------ */

/* One leech fetches from a polluter alone, bans and all: what was spoiled, of how much. */
static struct sim_adversary_deeds pollute(const struct sim_adversary_spec *spec, uint64_t seed)
{
	struct stage s;
	stage_open(&s, SHOAL_FORMAT_V2, 64 * KIB, 4 * MIB, seed);
	scene_seed(s.sim, (struct sim_node_options){ .adversary = *spec });
	scene_leeches(s.sim, (struct sim_node_options){ 0 }, 1, 1, 0);
	scene_start_all(s.sim);
	sim_run_for(s.sim, SHOAL_S(5));
	assert_string_equal(sim_wrong(s.sim), "");
	struct sim_adversary_deeds d = *deeds(&s, 0);
	sim_node_ask_stats(sim_node(s.sim, 1));
	assert_int_equal(sim_node(s.sim, 1)->stats.wasted > 0, d.spoiled > 0);
	stage_close(&s);
	return d;
}

static void a_polluter_spoils_the_share_it_is_told_to(void **state)
{
	static const struct {
		uint32_t rate, burst;
	} cases[] = { { 0, 1 }, { 1000000, 1 }, { 200000, 1 }, { 200000, 10 } };
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sim_adversary_spec spec = sim_adversary_spec(SIM_POLLUTER);
		spec.rate = cases[i].rate;
		spec.burst = cases[i].burst;
		uint64_t blocks = 0;
		uint64_t spoiled = 0;
		for (uint64_t seed = 1; seed <= (cases[i].rate > 0 ? 40 : 1); seed++) {
			struct sim_adversary_deeds d = pollute(&spec, seed);
			blocks += d.blocks;
			spoiled += d.spoiled;
		}
		double share = (double)spoiled / (double)blocks;
		print_message("rate %u, burst %u: %llu of %llu blocks, %.3f\n", cases[i].rate, cases[i].burst,
			      (unsigned long long)spoiled, (unsigned long long)blocks, share);
		assert_true(blocks > 100);
		assert_true(share >= 0.75e-6 * cases[i].rate && share <= 1.25e-6 * cases[i].rate);
	}
}

/* Never another block than the last of its piece; four blocks to a piece: every fourth. */
static void a_polluter_of_last_blocks_spoils_no_other(void **state)
{
	struct sim_adversary_spec spec = sim_adversary_spec(SIM_POLLUTER);
	(void)state;
	spec.last = 1;
	struct sim_adversary_deeds d = pollute(&spec, 3);
	print_message("%llu of %llu\n", (unsigned long long)d.spoiled, (unsigned long long)d.blocks);
	assert_true(d.spoiled > 0);
	assert_true(d.spoiled * 3 <= d.blocks);
}

/* Its connections break all the time: by the time a piece turns out to be bad, the one it lied on is gone, and it is
 * there again on another. That is no way around a ban. (Found by chaos, seed 2228: one who had come back before the
 * verdict stayed, and spoiled the same piece for ever.) */
static void a_polluter_that_comes_back_before_the_verdict_is_gone_after_it(void **state)
{
	unsigned bans = 0;
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct stage s;
		struct sim_adversary_spec spec = sim_adversary_spec(SIM_POLLUTER);
		spec.rate = 300000;
		stage_open(&s, seed % 2 ? SHOAL_FORMAT_V2 : SHOAL_FORMAT_V1, MIB, 6 * MIB, seed);
		scene_seed(s.sim, (struct sim_node_options){ .up = 256 * KIB });
		struct sim_node *liar = scene_seed(s.sim,
						   (struct sim_node_options){ .up = 512 * KIB, .adversary = spec });
		scene_leeches(s.sim, (struct sim_node_options){ .memory = seed % 3 ? 0 : MIB }, 1, 1, 0);
		struct sim_node *leech = sim_node(s.sim, 2);
		sim_node_meet(leech, liar);
		sim_node_meet(liar, leech);
		scene_start_all(s.sim);
		while (!leech->complete && sim_now(s.sim) < SIM_START + SHOAL_S(120)) {
			sim_run_for(s.sim, SHOAL_MS(300 + shoal_rng_below(sim_dice(s.sim), 1500)));
			sim_node_reset(liar, leech);
		}
		scene_complete(s.sim, SHOAL_S(1));
		print_message("seed %u: %.1f s, %u bad pieces, %u bans, %u connections\n", (unsigned)seed, seconds(&s),
			      leech->hash_failures, leech->bans, leech->joined);
		assert_true(leech->hash_failures <= 8);
		bans += leech->bans;
		stage_close(&s);
	}
	assert_true(bans >= 10);
}

/* ---- slow-loris ---------------------------------------------------------------------------------- */

static void a_loris_serves_well_and_then_hardly_at_all(void **state)
{
	struct stage s;
	(void)state;
	stage_open(&s, SHOAL_FORMAT_V1, 64 * KIB, 4 * MIB, 5);
	scene_seed(s.sim, (struct sim_node_options){ .adversary = sim_adversary_spec(SIM_LORIS) });
	scene_leeches(s.sim, (struct sim_node_options){ 0 }, 1, 1, 0);
	scene_start_all(s.sim);
	sim_run_for(s.sim, SHOAL_S(1));
	uint64_t quick = deeds(&s, 0)->blocks;
	assert_int_equal(quick, 15);
	sim_run_for(s.sim, SHOAL_S(100));
	uint64_t slow = deeds(&s, 0)->blocks - quick;
	print_message("15 in the first second, %llu in the next 100, %llu held\n", (unsigned long long)slow,
		      (unsigned long long)deeds(&s, 0)->held);
	assert_true(slow >= 100 / 16 && slow <= 100 / 8 + 1);
	assert_string_equal(sim_wrong(s.sim), "");
	stage_close(&s);
}

static void lorises_hold_up_nobody_who_knows_a_seed(void **state)
{
	struct stage s;
	(void)state;
	stage_open(&s, SHOAL_FORMAT_V2, 64 * KIB, 8 * MIB, 6);
	scene_seed(s.sim, (struct sim_node_options){ .up = 2 * MIB });
	for (int i = 0; i < 4; i++)
		scene_seed(s.sim,
			   (struct sim_node_options){ .up = 2 * MIB, .adversary = sim_adversary_spec(SIM_LORIS) });
	scene_leeches(s.sim, (struct sim_node_options){ .up = 2 * MIB }, 4, 1, 0);
	all_meet(&s);
	scene_start_all(s.sim);
	scene_complete(s.sim, SHOAL_S(60));
	print_message("%.1f s\n", seconds(&s));
	for (unsigned i = 1; i <= 4; i++)
		assert_true(deeds(&s, i)->held > 0);
	stage_close(&s);
}

/* ---- fake-haver ---------------------------------------------------------------------------------- */

static void a_fake_haver_says_it_has_all_and_gives_nothing(void **state)
{
	(void)state;
	for (uint64_t answer = SIM_ANSWER_IGNORE; answer <= SIM_ANSWER_GARBAGE; answer++) {
		struct stage s;
		struct sim_adversary_spec spec = sim_adversary_spec(SIM_FAKE_HAVER);
		spec.answer = answer;
		stage_open(&s, SHOAL_FORMAT_V1, 64 * KIB, 4 * MIB, 7 + answer);
		scene_seed(s.sim, (struct sim_node_options){ .up = MIB });
		sim_node_new(s.sim, &(struct sim_node_options){ .adversary = spec });
		scene_leeches(s.sim, (struct sim_node_options){ 0 }, 2, 1, 0);
		for (unsigned i = 2; i < 4; i++)
			sim_node_meet(sim_node(s.sim, i), sim_node(s.sim, 1));
		scene_start_all(s.sim);
		scene_complete(s.sim, SHOAL_S(60));
		print_message("%.1f s, %llu requests in vain\n", seconds(&s),
			      (unsigned long long)deeds(&s, 1)->refused);
		const struct sim_node *leech = sim_node(s.sim, 2);
		assert_int_equal(leech->left, answer == SIM_ANSWER_GARBAGE);
		/* (The real seed is none to them while it super-seeds.) */
		assert_true(leech->stats.seeds >= 1 || answer == SIM_ANSWER_GARBAGE);
		assert_true(deeds(&s, 1)->refused > 0);
		assert_int_equal(deeds(&s, 1)->blocks > 0, answer == SIM_ANSWER_GARBAGE);
		assert_int_equal(leech->bans > 0, answer == SIM_ANSWER_GARBAGE);
		stage_close(&s);
	}
}

/* It is asked for nothing that it does not claim. */
static void a_fake_haver_may_claim_a_part(void **state)
{
	static const uint64_t shares[] = { 0, 250000, 1000000 };
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct stage s;
		struct sim_adversary_spec spec = sim_adversary_spec(SIM_FAKE_HAVER);
		spec.claims = shares[i];
		stage_open(&s, SHOAL_FORMAT_V2, 64 * KIB, 4 * MIB, 27);
		struct sim_node *fake = sim_node_new(s.sim, &(struct sim_node_options){ .adversary = spec });
		struct sim_node *leech = sim_node_new(s.sim, &(struct sim_node_options){ 0 });
		sim_node_meet(leech, fake);
		scene_start_all(s.sim);
		sim_run_for(s.sim, SHOAL_S(5));
		const struct shoal_peer *p = leech->node->peers;
		assert_non_null(p);
		uint32_t pieces = p->have.count, most = (uint32_t)(pieces * shares[i] / 1000000);
		assert_int_equal(p->have.ones, most);
		assert_true(most == 0 || shoal_bits_get(&p->have, pieces - most));
		assert_int_equal(deeds(&s, 0)->refused > 0, most > 0);
		stage_close(&s);
	}
}

/* However long it goes on: what each asks of it can be counted on the fingers. */
static void who_never_gives_is_hardly_asked(void **state)
{
	(void)state;
	for (uint64_t answer = SIM_ANSWER_IGNORE; answer <= SIM_ANSWER_REJECT; answer++) {
		struct stage s;
		struct sim_adversary_spec spec = sim_adversary_spec(SIM_FAKE_HAVER);
		spec.answer = answer;
		stage_open(&s, SHOAL_FORMAT_V2, 64 * KIB, 4 * MIB, 17 + answer);
		scene_seed(s.sim, (struct sim_node_options){ .up = 48 * KIB });
		sim_node_new(s.sim, &(struct sim_node_options){ .adversary = spec });
		scene_leeches(s.sim, (struct sim_node_options){ .up = 48 * KIB }, 2, 1, 0);
		for (unsigned i = 2; i < 4; i++)
			sim_node_meet(sim_node(s.sim, i), sim_node(s.sim, 1));
		scene_start_all(s.sim);
		scene_complete(s.sim, SHOAL_S(200));
		print_message("%.1f s, %llu requests in vain\n", seconds(&s),
			      (unsigned long long)deeds(&s, 1)->refused);
		assert_true(seconds(&s) >= 60);
		/* (Six worlds of silence: 37 to 52.) */
		assert_true(deeds(&s, 1)->refused <= (answer == SIM_ANSWER_REJECT ? 2 * 8 : 2 * 28));
		stage_close(&s);
	}
}

/* ---- free rider ---------------------------------------------------------------------------------- */

static void a_free_rider_takes_and_gives_nothing(void **state)
{
	struct stage s;
	(void)state;
	stage_open(&s, SHOAL_FORMAT_V2, 64 * KIB, 4 * MIB, 11);
	scene_seed(s.sim, (struct sim_node_options){ .up = MIB });
	sim_node_new(s.sim, &(struct sim_node_options){ .adversary = sim_adversary_spec(SIM_FREE_RIDER) });
	scene_leeches(s.sim, (struct sim_node_options){ .up = MIB }, 4, 1, 0);
	all_meet(&s);
	scene_start_all(s.sim);
	scene_complete(s.sim, SHOAL_S(60));
	print_message("%.1f s, took %llu KiB\n", seconds(&s), (unsigned long long)deeds(&s, 1)->got / KIB);
	assert_int_equal(deeds(&s, 1)->blocks, 0);
	assert_true(deeds(&s, 1)->got > 0);
	stage_close(&s);
}

/* It makes itself known to as many as it likes, though nobody was told of it. */
static void a_large_view_finds_everybody(void **state)
{
	(void)state;
	for (uint64_t view = 0; view <= 20; view += 10) {
		struct stage s;
		struct sim_adversary_spec spec = sim_adversary_spec(SIM_FREE_RIDER);
		spec.view = view;
		stage_open(&s, SHOAL_FORMAT_V1, 64 * KIB, 2 * MIB, 12);
		scene_seed(s.sim, (struct sim_node_options){ .up = 64 * KIB });
		struct sim_node *rider = sim_node_new(
			s.sim, &(struct sim_node_options){ .adversary = spec, .quiet = SHOAL_QUIET_PEX });
		scene_leeches(s.sim, (struct sim_node_options){ .up = 64 * KIB, .quiet = SHOAL_QUIET_PEX }, 24, 1, 0);
		scene_start_all(s.sim);
		sim_run_for(s.sim, SHOAL_S(10));
		sim_node_ask_stats(rider);
		print_message("view %llu: %u peers\n", (unsigned long long)view, rider->stats.peers);
		assert_int_equal(rider->stats.peers, view);
		stage_close(&s);
	}
}

/* ---- traitor ------------------------------------------------------------------------------------ */

static void a_traitor_is_good_and_then_it_is_not(void **state)
{
	struct sim_adversary_spec spec = sim_adversary_spec(SIM_TRAITOR);
	struct stage s;
	(void)state;
	spec.good = 40;
	spec.bad = 20;
	spec.rate = 1000000;
	stage_open(&s, SHOAL_FORMAT_V2, 64 * KIB, 8 * MIB, 13);
	struct sim_node *traitor = scene_seed(s.sim, (struct sim_node_options){ .adversary = spec, .up = 512 * KIB });
	scene_leeches(s.sim, (struct sim_node_options){ 0 }, 1, 1, 0);
	scene_start_all(s.sim);
	while (deeds(&s, 0)->blocks < 41 && sim_wrong(s.sim)[0] == 0) {
		assert_true(sim_now(s.sim) < SIM_START + SHOAL_S(10));
		assert_int_equal(deeds(&s, 0)->spoiled, 0);
		sim_step(s.sim, SIM_START + SHOAL_S(10));
	}
	assert_int_equal(deeds(&s, 0)->spoiled, deeds(&s, 0)->blocks - 40);
	sim_run_for(s.sim, SHOAL_S(10));
	print_message("%llu blocks, %llu false\n", (unsigned long long)deeds(&s, 0)->blocks,
		      (unsigned long long)deeds(&s, 0)->spoiled);
	assert_string_equal(sim_wrong(s.sim), "");
	assert_int_equal(sim_node(s.sim, 1)->bans, 1);
	assert_int_equal(sim_node(s.sim, 1)->banned[0], traitor->index);
	stage_close(&s);
}

/* ---- slanderer ---------------------------------------------------------------------------------- */

static void a_slanderer_names_the_dead(void **state)
{
	(void)state;
	for (int slander = 0; slander < 2; slander++) {
		struct stage s;
		unsigned dead = 0;
		stage_open(&s, SHOAL_FORMAT_V1, 64 * KIB, 4 * MIB, 14);
		scene_seed(s.sim, (struct sim_node_options){ .up = 256 * KIB });
		scene_seed(s.sim, (struct sim_node_options){
					  .up = 256 * KIB,
					  .adversary = sim_adversary_spec(slander ? SIM_SLANDERER : SIM_HONEST) });
		scene_leeches(s.sim, (struct sim_node_options){ .up = 256 * KIB }, 3, 1, 1);
		all_meet(&s);
		scene_start_all(s.sim);
		scene_complete(s.sim, SHOAL_S(120));
		for (unsigned i = 2; i < 5; i++)
			dead += sim_node(s.sim, i)->dials_dead;
		print_message("%.1f s, %u dials to the dead\n", seconds(&s), dead);
		if (slander) {
			assert_true(deeds(&s, 1)->slander >= 150);
			assert_true(dead >= 100);
		} else {
			assert_int_equal(dead, 0);
		}
		stage_close(&s);
	}
}

/* ---- whitewasher -------------------------------------------------------------------------------- */

static void a_whitewasher_comes_back_as_somebody_else(void **state)
{
	(void)state;
	for (unsigned same = 0; same < 2; same++) {
		struct stage s;
		struct sim_adversary_spec spec = sim_adversary_spec(SIM_WHITEWASHER);
		spec.after = SHOAL_S(5);
		spec.same_net = same;
		stage_open(&s, SHOAL_FORMAT_V2, 64 * KIB, 4 * MIB, 15);
		scene_seed(s.sim, (struct sim_node_options){ .up = 64 * KIB });
		struct sim_node *w = scene_seed(s.sim, (struct sim_node_options){ .adversary = spec });
		scene_leeches(s.sim, (struct sim_node_options){ 0 }, 1, 1, 0);
		struct shoal_addr before = w->addr;
		scene_start_all(s.sim);
		sim_run_for(s.sim, SHOAL_S(3));
		struct sim_node *victim = sim_node(s.sim, 2);
		assert_int_equal(victim->bans, 1);
		assert_int_equal(deeds(&s, 1)->reborn, 0);
		sim_run_for(s.sim, SHOAL_S(6));
		assert_int_equal(deeds(&s, 1)->reborn, 1);
		assert_memory_not_equal(w->addr.ip, before.ip, 4);
		assert_int_equal(memcmp(w->addr.ip, before.ip, 3) == 0, same);
		sim_run_for(s.sim, SHOAL_S(45)); /* where newcomers lie it takes seven seconds to be banned */
		print_message("%s /24: %llu identities, %u bans\n", same ? "same" : "new",
			      1 + (unsigned long long)deeds(&s, 1)->reborn, victim->bans);
		assert_true(deeds(&s, 1)->reborn >= 2);
		assert_true(victim->bans >= 2);
		assert_string_equal(sim_wrong(s.sim), "");
		stage_close(&s);
	}
}

/* ---- relay ---------------------------------------------------------------------------------------- */

static void note_held(void *to, const struct sim_node *other, double blocks)
{
	((double *)to)[other->index] = blocks;
}

/* It stands in front of an honest seed, whose words these are: the one that is banned is the one at that address. */
static void a_relay_takes_the_blame_for_what_it_spoils(void **state)
{
	struct stage s;
	struct sim_adversary_spec spec = sim_adversary_spec(SIM_RELAY);
	(void)state;
	spec.target = 1;
	spec.rate = 15000; /* some good comes before two that are bad */
	stage_open(&s, SHOAL_FORMAT_V2, 64 * KIB, 4 * MIB, 17);
	scene_seed(s.sim, (struct sim_node_options){ .up = 256 * KIB });
	struct sim_node *framed = scene_seed(s.sim, (struct sim_node_options){ .up = MIB, .keyed = true });
	struct sim_node *relay = sim_node_new(s.sim, &(struct sim_node_options){ .adversary = spec });
	scene_leeches(s.sim, (struct sim_node_options){ .up = MIB, .keyed = true }, 2, 1, 0);
	for (unsigned i = 3; i < 5; i++)
		sim_node_meet(sim_node(s.sim, i), relay);
	scene_start_all(s.sim);
	scene_complete(s.sim, SHOAL_S(60));
	sim_node_ask_stats(framed);
	print_message("%.1f s, %llu of %llu blocks spoiled, the framed gave %llu KiB\n", seconds(&s),
		      (unsigned long long)deeds(&s, 2)->spoiled, (unsigned long long)deeds(&s, 2)->blocks,
		      (unsigned long long)framed->stats.uploaded / KIB);
	assert_true(framed->stats.uploaded > 0);
	assert_true(deeds(&s, 2)->spoiled > 0);
	for (unsigned i = 3; i < 5; i++) {
		double held[5] = { 0 };
		assert_int_equal(sim_node(s.sim, i)->bans, 1);
		assert_int_equal(sim_node(s.sim, i)->banned[0], relay->index);
		/* The framed one's proof came along, and so the good that came with it is noted under its key; the bad
		 * is the relay's. */
		sim_node_held(sim_node(s.sim, i), note_held, held);
		for (unsigned k = 0; k < 5; k++)
			assert_true(k == relay->index ? held[k] >= 4 : held[k] == 0);
		assert_non_null(shoal_repute_find_key(&sim_node(s.sim, i)->node->repute, framed->key.shown));
	}
	stage_close(&s);
}

/* ---- Sybils ------------------------------------------------------------------------------------------ */

static void sybils_are_many_and_share_a_line(void **state)
{
	(void)state;
	for (unsigned same = 0; same < 2; same++) {
		struct stage s;
		struct sim_adversary_spec spec = sim_adversary_spec(SIM_SYBIL);
		spec.same_net = same;
		stage_open(&s, SHOAL_FORMAT_V1, 64 * KIB, 2 * MIB, 18);
		for (int i = 0; i < 10; i++)
			sim_node_new(s.sim, &(struct sim_node_options){ .up = MIB, .down = MIB, .adversary = spec });
		struct sim_node *seed = scene_seed(s.sim, (struct sim_node_options){ .up = 256 * KIB });
		scene_start_all(s.sim);
		sim_run_for(s.sim, SHOAL_S(10));
		uint64_t got = 0;
		for (unsigned i = 0; i < 10; i++) {
			struct sim_node *n = sim_node(s.sim, i);
			assert_int_equal(n->line.down, MIB / 10);
			assert_int_equal(memcmp(n->addr.ip, sim_node(s.sim, 0)->addr.ip, 3) == 0, same || i == 0);
			assert_int_equal(deeds(&s, i)->blocks, 0);
			got += deeds(&s, i)->got;
		}
		sim_node_ask_stats(seed);
		print_message("%s /24: %u of them at the seed, which gave them %llu KiB\n", same ? "same" : "other",
			      seed->stats.peers, (unsigned long long)got / KIB);
		assert_int_equal(seed->stats.peers, 10);
		assert_true(got > 0);
		assert_string_equal(sim_wrong(s.sim), "");
		stage_close(&s);
	}
}

/* ---- heads ------------------------------------------------------------------------------------------ */

static uint64_t run_kind(unsigned kind, enum sim_payload payload, uint64_t *blocks)
{
	static const struct sim_file_spec file[] = { { "a", 3 * MIB + 777 }, { "b", MIB } };
	struct stage s;
	sim_content_init(
		&s.c,
		&(struct sim_content_spec){
			.seed = 16, .format = SHOAL_FORMAT_V2, .piece_size = 64 * KIB, .file = file, .file_count = 2 });
	s.sim = sim_new(&(struct sim_options){
		.seed = 16 + kind, .content = &s.c, .payload = payload, .cut_ppm = 20000, .tcp = &sim_tcp_common });
	struct sim_node_options o = { .up = MIB, .adversary = sim_adversary_spec(kind) };
	scene_seed(s.sim, (struct sim_node_options){ .up = MIB });
	scene_seed(s.sim, o);
	sim_node_new(s.sim, &o); /* and one of them that fetches */
	scene_leeches(s.sim, (struct sim_node_options){ .up = MIB }, 3, 1, 1);
	all_meet(&s);
	scene_start_all(s.sim);
	scene_complete(s.sim, SHOAL_S(120));
	uint64_t trace = sim_trace(s.sim) ^ sim_state(s.sim);
	*blocks = deeds(&s, 1)->blocks + deeds(&s, 2)->got;
	stage_close(&s);
	return trace;
}

static void all_kinds_do_with_heads_what_they_do_with_blocks(void **state)
{
	(void)state;
	for (unsigned kind = SIM_HONEST + 1; kind < SIM_ADVERSARY_KINDS; kind++) {
		uint64_t a, b;
		assert_int_equal(run_kind(kind, SIM_PAYLOAD_PLACED, &a), run_kind(kind, SIM_PAYLOAD_HEADS, &b));
		assert_int_equal(a, b);
		print_message("%s: %llu\n", sim_adversary_table[kind].name, (unsigned long long)a);
	}
}

static void nobody(struct sim_alarm *alarm)
{
	(void)alarm;
}

/* In a large world what rings next is looked into before it does: behind an adversary's line is its guise, and no peer. (The
 * world is large by alarms alone, which never ring.) */
static void a_large_world_looks_through_no_guise(void **state)
{
	static struct sim_alarm alarm[5000];
	struct stage s;
	(void)state;
	stage_open(&s, SHOAL_FORMAT_V2, 64 * KIB, MIB, 5);
	for (size_t i = 0; i < sizeof alarm / sizeof *alarm; i++) {
		alarm[i].ring = nobody;
		sim_alarm_set(&s.sim->clock, &alarm[i], SHOAL_S(1000000));
	}
	scene_seed(s.sim, (struct sim_node_options){ .up = MIB });
	scene_leeches(s.sim, (struct sim_node_options){ .up = MIB }, 2, 1, 1);
	struct sim_adversary_spec spec = sim_adversary_spec(SIM_POLLUTER);
	scene_leeches(s.sim, (struct sim_node_options){ .up = MIB, .adversary = spec }, 2, 1, 1);
	all_meet(&s);
	scene_start_all(s.sim);
	scene_complete(s.sim, SHOAL_S(60));
	for (size_t i = 0; i < sizeof alarm / sizeof *alarm; i++)
		sim_alarm_drop(&s.sim->clock, &alarm[i]);
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_whole),
		cmocka_unit_test(a_polluter_spoils_the_share_it_is_told_to),
		cmocka_unit_test(a_polluter_of_last_blocks_spoils_no_other),
		cmocka_unit_test(a_polluter_that_comes_back_before_the_verdict_is_gone_after_it),
		cmocka_unit_test(a_loris_serves_well_and_then_hardly_at_all),
		cmocka_unit_test(lorises_hold_up_nobody_who_knows_a_seed),
		cmocka_unit_test(a_fake_haver_says_it_has_all_and_gives_nothing),
		cmocka_unit_test(a_fake_haver_may_claim_a_part),
		cmocka_unit_test(who_never_gives_is_hardly_asked),
		cmocka_unit_test(a_free_rider_takes_and_gives_nothing),
		cmocka_unit_test(a_large_view_finds_everybody),
		cmocka_unit_test(a_traitor_is_good_and_then_it_is_not),
		cmocka_unit_test(a_slanderer_names_the_dead),
		cmocka_unit_test(a_whitewasher_comes_back_as_somebody_else),
		cmocka_unit_test(a_relay_takes_the_blame_for_what_it_spoils),
		cmocka_unit_test(sybils_are_many_and_share_a_line),
		cmocka_unit_test(all_kinds_do_with_heads_what_they_do_with_blocks),
		cmocka_unit_test(a_large_world_looks_through_no_guise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
