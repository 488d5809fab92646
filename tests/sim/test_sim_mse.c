/* test_sim_mse.c - hidden streams: who talks to whom and how, what a closed door is asked, what strangers may cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/dh768.h"
#include "swarm/core/carrier.h"
#include "tests/sim/scene.h"
#include "tests/sim/strangers.h"

#define OFF SHOAL_ENCRYPTION_OFF
#define ALLOW SHOAL_ENCRYPTION_ALLOW
#define REQUIRE SHOAL_ENCRYPTION_REQUIRE

static struct sim_node_options line(enum shoal_encryption how)
{
	return (struct sim_node_options){ .up = 8 * MIB, .hides = true, .encryption = how };
}

/* Every pair of wishes, over a network that cuts what it carries. The leech dials. */
static void wishes_meet_or_do_not(void **state)
{
	static const struct {
		enum shoal_encryption seed, leech;
		bool meet, plain;
	} cases[] = {
		{ OFF, OFF, true, true },      { OFF, ALLOW, true, true },     { OFF, REQUIRE, false, false },
		{ ALLOW, OFF, true, true },    { ALLOW, ALLOW, true, true },   { ALLOW, REQUIRE, true, false },
		{ REQUIRE, OFF, false, true }, { REQUIRE, ALLOW, true, true }, { REQUIRE, REQUIRE, true, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (unsigned f = 0; f < 2; f++) {
			struct sim_content c;
			scene_content(&c, f ? SHOAL_FORMAT_HYBRID : SHOAL_FORMAT_V2, 64 * KIB, 2 * MIB, 40 + i);
			struct sim *sim = sim_new(
				&(struct sim_options){ .seed = 40 + i, .content = &c, .cut_ppm = f ? 300000 : 0 });
			scene_seed(sim, line(cases[i].seed));
			scene_leeches(sim, line(cases[i].leech), 1, 1, 0);
			struct sim_node *seed = sim_node(sim, 0), *leech = sim_node(sim, 1);
			print_message("seed %d, leech %d\n", cases[i].seed, cases[i].leech);
			scene_start_all(sim);
			if (cases[i].meet) {
				scene_complete(sim, SHOAL_S(10));
			} else {
				sim_run_for(sim, SHOAL_S(10));
				assert_int_equal(seed->joined + leech->joined, 0);
			}
			if (f == 0) /* uncut, first words are whole */
				assert_int_equal(leech->plain_streams > 0, cases[i].plain);
			if (cases[i].seed == REQUIRE)
				assert_int_equal(seed->plain_streams, 0);
			sim_free(sim);
			sim_content_fini(&c);
		}
	}
}

/* The same by uTP alone, where packets get lost besides: who ends a connection without a word is dialled anew there too. */
static void wishes_meet_by_utp_as_well(void **state)
{
	static const struct {
		enum shoal_encryption seed, leech;
		bool meet;
	} cases[] = {
		{ OFF, REQUIRE, false }, { ALLOW, ALLOW, true },   { ALLOW, REQUIRE, true },
		{ REQUIRE, OFF, false }, { REQUIRE, ALLOW, true }, { REQUIRE, REQUIRE, true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (uint64_t dice = 0; dice < scene_rounds(3, 1, 40); dice++) {
			struct sim_content c;
			scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, 2 * MIB, 70 + dice);
			struct sim *sim = sim_new(&(struct sim_options){ .seed = 70 + dice, .content = &c });
			struct sim_node_options o = line(cases[i].seed);
			o.carriers = SHOAL_BY_UTP;
			o.loss_ppm = 10000;
			scene_seed(sim, o);
			o.encryption = cases[i].leech;
			scene_leeches(sim, o, 1, 1, 0);
			print_message("seed %d, leech %d, dice %u\n", cases[i].seed, cases[i].leech, (unsigned)dice);
			scene_start_all(sim);
			if (cases[i].meet) {
				scene_complete(sim, SHOAL_S(30));
			} else {
				sim_run_for(sim, SHOAL_S(30));
				assert_int_equal(sim_node(sim, 0)->joined + sim_node(sim, 1)->joined, 0);
			}
			assert_int_equal(sim_connections(sim), 0); /* of TCP's kind */
			sim_free(sim);
			sim_content_fini(&c);
		}
	}
}

/* One that only takes hidden streams is greeted plainly once, then as it likes: also when it comes back. */
static void what_worked_is_remembered(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, 4 * MIB, 50);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 50, .content = &c });
	struct sim_node_options slow = line(REQUIRE);
	slow.up = MIB;
	scene_seed(sim, slow);
	scene_leeches(sim, line(ALLOW), 1, 1, 0);
	struct sim_node *seed = sim_node(sim, 0), *leech = sim_node(sim, 1);
	scene_start_all(sim);
	sim_run_for(sim, SHOAL_S(2));
	assert_int_equal(leech->joined, 1);
	assert_int_equal(leech->plain_streams, 1);
	assert_int_equal(leech->streams, 2);
	sim_node_crash(seed, SIM_CRASH_KILL);
	sim_run_for(sim, SHOAL_S(1));
	sim_node_start(seed);
	scene_complete(sim, SHOAL_S(20));
	assert_int_equal(leech->joined, 2);
	assert_int_equal(leech->plain_streams, 1);
	sim_free(sim);
	sim_content_fini(&c);
}

/* All wishes in one swarm, where plain and hidden ones have somebody in between. */
static void a_mixed_crowd_completes(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_HYBRID, 64 * KIB, 2 * MIB, 60);
	for (uint64_t seed = 60; seed < 60 + scene_rounds(3, 1, 40); seed++) {
		struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c, .cut_ppm = 50000 });
		scene_seed(sim, line(ALLOW));
		scene_leeches(sim, line(ALLOW), 4, 1, 2);
		scene_leeches(sim, line(REQUIRE), 4, 1, 2);
		scene_leeches(sim, line(OFF), 4, 1, 2);
		scene_start_all(sim);
		scene_complete(sim, SHOAL_S(60));
		sim_free(sim);
	}
	sim_content_fini(&c);
}

/* ---- strangers -------------------------------------------------------------------------------- */

/* Somebody who takes every connection and ends it without a word is not knocked at twice as often for ever. */
static void a_closed_door_is_tried_both_ways_and_then_left(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .hangs = true, .raw = true });
	struct shoal_addr addr = strangers_addr("9.8.7.6:7000");
	unsigned plain = 0, hidden = 0;
	strangers_name(w, &addr);
	for (unsigned i = 0; i < 600; i++) {
		strangers_run(w, SHOAL_MS(100));
		for (size_t d = 0; d < w->dials; d++) {
			if (w->dial[d].answered)
				continue;
			struct stranger *s = stranger_answer(w, &w->dial[d]);
			strangers_run(w, SHOAL_MS(10));
			if (s->out_len >= 20 && memcmp(s->out, "\023BitTorrent protocol", 20) == 0)
				plain++;
			else
				hidden += s->out_len >= SHOAL_DH768_BYTES;
			stranger_leave(s);
		}
	}
	print_message("a minute: %u plain, %u hidden\n", plain, hidden);
	assert_true(plain >= 2 && hidden >= 2);
	assert_true(plain + hidden == w->dials && w->dials <= 40);
	assert_true(plain <= hidden + 1 && hidden <= plain + 1);
	strangers_free(w);
}

/* A thousand hosts with a key each: so much work is done for them in a second, and no more. */
static void strangers_cannot_order_work_without_end(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(
		&(struct strangers_options){ .raw = true, .max_peers = 1200, .memory = 64u << 20 });
	static struct stranger *s[STRANGERS_MAX];
	uint8_t secret[SHOAL_DH768_SECRET] = { 7 }, key[SHOAL_DH768_BYTES];
	unsigned answered = 0, open = 0;
	shoal_dh768_public(secret, key);
	strangers_run(w, SHOAL_S(5));
	for (unsigned i = 0; i < 600; i++) {
		struct shoal_addr from = strangers_v4(0x08000001u + i * 65536, 5000);
		s[i] = stranger_knock(w, &from);
		stranger_say(s[i], key, sizeof key);
	}
	strangers_run(w, SHOAL_MS(500));
	for (unsigned i = 0; i < 600; i++) {
		answered += s[i]->out_len >= SHOAL_DH768_BYTES;
		open += s[i]->open;
		assert_int_equal(s[i]->open, s[i]->out_len >= SHOAL_DH768_BYTES);
	}
	print_message("%u of 600 answered, %u open\n", answered, open);
	assert_true(answered >= 100 && answered <= 151);
	strangers_free(w);
}

/* One host comes again and again with a key. */
static void nor_can_one_host_alone(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .raw = true, .memory = 64u << 20 });
	uint8_t secret[SHOAL_DH768_SECRET] = { 7 }, key[SHOAL_DH768_BYTES];
	unsigned answered = 0;
	shoal_dh768_public(secret, key);
	for (unsigned i = 0; i < 100; i++) { /* within a second */
		struct shoal_addr from = strangers_v4(0x09090909, (uint16_t)(2000 + i));
		struct stranger *s = stranger_knock(w, &from);
		stranger_say(s, key, sizeof key);
		strangers_run(w, SHOAL_MS(5));
		answered += s->out_len >= SHOAL_DH768_BYTES;
		stranger_leave(s);
		strangers_run(w, SHOAL_MS(4));
	}
	assert_true(answered >= 5 && answered <= 10);
	strangers_free(w);
}

/* 96 bytes and silence: it goes with all who never finish a handshake. */
static void a_handshake_has_its_time(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .raw = true, .memory = 64u << 20 });
	uint8_t secret[SHOAL_DH768_SECRET] = { 7 }, key[SHOAL_DH768_BYTES];
	struct shoal_addr from = strangers_addr("9.9.9.9:999");
	size_t before = w->budget.used;
	shoal_dh768_public(secret, key);
	struct stranger *s = stranger_knock(w, &from);
	stranger_say(s, key, sizeof key);
	strangers_run(w, SHOAL_S(9));
	assert_true(s->open);
	strangers_run(w, SHOAL_S(3));
	assert_false(s->open);
	assert_true(w->budget.used <= before + 64 * KIB); /* of the guard's table */
	strangers_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wishes_meet_or_do_not),
		cmocka_unit_test(wishes_meet_by_utp_as_well),
		cmocka_unit_test(what_worked_is_remembered),
		cmocka_unit_test(a_mixed_crowd_completes),
		cmocka_unit_test(a_closed_door_is_tried_both_ways_and_then_left),
		cmocka_unit_test(strangers_cannot_order_work_without_end),
		cmocka_unit_test(nor_can_one_host_alone),
		cmocka_unit_test(a_handshake_has_its_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
