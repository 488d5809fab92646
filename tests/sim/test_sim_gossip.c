/* test_sim_gossip.c - how nodes find each other by PEX, and what is believed of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "swarm/core/gossip.h"
#include "swarm/core/node_room.h"
#include "tests/sim/scene.h"
#include "tests/sim/strangers.h"

/* ---- whole swarms --------------------------------------------------------------------------- */

/* All know one of them, and that one has little to give: in the end everybody has met others. */
static void forty_who_know_one_find_each_other(void **state)
{
	struct sim_content c;
	unsigned nodes = scene_rounds(40, 24, 40), met = 0;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, 8 * MIB, 900);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 900, .content = &c });
	scene_seed(sim, (struct sim_node_options){ .up = 200 * KIB });
	for (unsigned i = 1; i < nodes; i++) {
		struct sim_node *n = sim_node_new(sim, &(struct sim_node_options){ .up = 200 * KIB });
		sim_node_meet(n, sim_node(sim, 0));
	}
	scene_start_all(sim);
	sim_run_for(sim, SHOAL_S(90));
	assert_string_equal(sim_wrong(sim), "");
	for (unsigned i = 1; i < nodes; i++) {
		unsigned joined = sim_node(sim, i)->joined;
		met += joined;
		if (joined < nodes / 2)
			fail_msg("node %u has met %u of %u", i, joined, nodes);
	}
	print_message("after 90 s each has met %.1f of %u\n", (double)met / (nodes - 1), nodes - 1);
	scene_complete(sim, SHOAL_S(600));
	sim_free(sim);
	sim_content_fini(&c);
}

static void without_pex_nobody_is_found(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, 32 * MIB, 901);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 901, .content = &c });
	scene_seed(sim, (struct sim_node_options){ .up = 128 * KIB });
	for (unsigned i = 1; i < 8; i++) {
		struct sim_node *n = sim_node_new(sim, &(struct sim_node_options){ .quiet = SHOAL_QUIET_PEX });
		sim_node_meet(n, sim_node(sim, 0));
	}
	scene_start_all(sim);
	sim_run_for(sim, SHOAL_S(150));
	for (unsigned i = 1; i < 8; i++) {
		sim_node_ask_stats(sim_node(sim, i));
		assert_int_equal(sim_node(sim, i)->stats.peers, 1);
	}
	sim_free(sim);
	sim_content_fini(&c);
}

/* Two that have all of it have nothing for each other: they part, and do not come back again and again. */
static void seeds_part_for_good(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V2, 64 * KIB, MIB, 902);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 902, .content = &c });
	for (unsigned i = 0; i < 4; i++)
		scene_seed(sim, (struct sim_node_options){ .up = 0 });
	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < 4; k++)
			if (i != k)
				sim_node_meet(sim_node(sim, i), sim_node(sim, k));
	scene_start_all(sim);
	sim_run_for(sim, SHOAL_S(60));
	uint64_t first = sim_connections(sim);
	sim_run_for(sim, SHOAL_S(600));
	assert_string_equal(sim_wrong(sim), "");
	print_message("%u connections in a minute, %u in ten more\n", (unsigned)first,
		      (unsigned)(sim_connections(sim) - first));
	assert_in_range(first, 6, 18); /* two that dial each other at once, or miss each other's word, do so again */
	assert_int_equal(sim_connections(sim), first);
	for (unsigned i = 0; i < 4; i++) {
		sim_node_ask_stats(sim_node(sim, i));
		assert_int_equal(sim_node(sim, i)->stats.peers, 0);
	}
	/* One who needs it is served by them none the less. */
	struct sim_node *leech = sim_node_new(sim, &(struct sim_node_options){ .up = 0 });
	sim_node_meet(leech, sim_node(sim, 2));
	sim_node_start(leech);
	scene_complete(sim, SHOAL_S(30));
	sim_free(sim);
	sim_content_fini(&c);
}

/* ---- PEX: telling ------------------------------------------------------------------------------ */

static bool knows(const struct stranger *s, const struct shoal_addr *addr)
{
	for (size_t i = 0; i < s->known; i++)
		if (shoal_addr_equal(&s->knows[i], addr))
			return true;
	return false;
}

static void peers_are_told_of_each_other(void **state)
{
	struct stranger *s[80];
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	for (unsigned i = 0; i < 80; i++) {
		struct shoal_addr at = strangers_far(i);
		at.port = 50000; /* where it comes from says nothing of where it listens */
		s[i] = stranger_come(w, &at, i == 7 ? 0 : (uint16_t)(10000 + i));
		assert_true(s[i]->open);
		assert_true(s[i]->pex_id != 0);
	}
	strangers_run(w, 3 * STRANGERS_MINUTE + SHOAL_S(40));
	for (unsigned i = 0; i < 80; i++) {
		assert_in_range(s[i]->pex_count, 2, 4);
		assert_int_equal(s[i]->known, i == 7 ? 79 : 78); /* all but itself and the one without a port */
		for (unsigned k = 1; k < s[i]->pex_count; k++)
			assert_true(s[i]->pex_at[k] - s[i]->pex_at[k - 1] >= STRANGERS_MINUTE);
		for (unsigned k = 0; k < 80; k++) {
			struct shoal_addr at = strangers_far(k);
			assert_int_equal(knows(s[i], &at), k != i && k != 7);
		}
	}
	/* Those who go are told of as gone; at most fifty at a time. */
	for (unsigned i = 10; i < 75; i++)
		stranger_leave(s[i]);
	strangers_run(w, STRANGERS_MINUTE + SHOAL_S(15));
	assert_int_equal(s[0]->pex.dropped_count, 50);
	strangers_run(w, STRANGERS_MINUTE + SHOAL_S(15));
	assert_int_equal(s[0]->known, 78 - 65);
	/* And with no news nothing is said. */
	unsigned before = s[0]->pex_count;
	strangers_run(w, 5 * STRANGERS_MINUTE);
	assert_int_equal(s[0]->pex_count, before);
	strangers_free(w);
}

static void who_comes_back_is_not_told_of(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	struct shoal_addr a = strangers_far(1), b = strangers_far(2);
	struct stranger *one = stranger_come(w, &a, a.port), *other = stranger_come(w, &b, b.port);
	strangers_run(w, SHOAL_S(20));
	assert_int_equal(one->pex_count, 1);
	stranger_leave(other);
	other = stranger_come(w, &b, b.port);
	strangers_run(w, 3 * STRANGERS_MINUTE);
	assert_true(other->open);
	assert_int_equal(one->pex_count, 1);
	assert_true(knows(one, &b));
	strangers_free(w);
}

/*
 * A seed keeps no seed: it is the one that a leech would hear nothing from. It says whom it has sent away (BEP 11, "filling
 * underpopulated lists"), once, and a message later that they are not there.
 */
static void who_was_sent_away_is_told_of_once(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .seeds = true });
	strangers_run(w, SHOAL_S(8));
	for (unsigned i = 0; i < 40; i++) {
		struct shoal_addr at = strangers_far(i);
		struct stranger *seed = stranger_come(w, &at, at.port);
		stranger_say(seed, "\0\0\0\1\x0e", 5); /* have all */
		strangers_run(w, SHOAL_S(1));
		assert_false(seed->open);
	}
	struct shoal_addr at = strangers_far(60), other_at = strangers_far(61);
	struct stranger *leech = stranger_come(w, &at, at.port);
	strangers_run(w, SHOAL_S(20));
	assert_true(leech->open);
	assert_int_equal(leech->pex_count, 1);
	assert_int_equal(leech->pex.added_count, 25);
	for (unsigned i = 0; i < 40; i++) {
		struct shoal_addr gone = strangers_far(i);
		assert_int_equal(knows(leech, &gone), i >= 15); /* the last ones */
	}
	assert_true(leech->pex.added[0].flags & SHOAL_PEX_SEED);
	struct stranger *other = stranger_come(w, &other_at, other_at.port);
	strangers_run(w, SHOAL_S(20));
	assert_int_equal(other->pex.added_count, 1 + 25); /* the first one has not used them up */
	strangers_run(w, STRANGERS_MINUTE - SHOAL_S(5));
	assert_int_equal(leech->pex.dropped_count, 25);
	assert_int_equal(leech->pex.added_count, 1); /* who is there, and nobody a second time */
	assert_int_equal(leech->known, 1);
	assert_true(knows(leech, &other_at) && knows(other, &at));
	strangers_free(w);
}

/* Who is connected with many says nothing of others, and nobody is told of who left by itself or for a fault. */
static void only_few_call_for_who_was_sent_away(void **state)
{
	struct stranger *crowd[25];
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .seeds = true });
	strangers_run(w, SHOAL_S(8));
	struct shoal_addr left = strangers_far(50), liar = strangers_far(51), seed_at = strangers_far(52);
	struct stranger *s = stranger_come(w, &left, left.port);
	strangers_run(w, SHOAL_S(1));
	stranger_leave(s);
	s = stranger_come(w, &liar, liar.port);
	strangers_run(w, SHOAL_S(1));
	stranger_say(s, "\0\0\0\2\x0e\0", 6); /* a length that cannot be */
	strangers_run(w, SHOAL_S(1));
	assert_false(s->open);
	s = stranger_come(w, &seed_at, seed_at.port);
	stranger_say(s, "\0\0\0\1\x0e", 5);
	strangers_run(w, SHOAL_S(1));
	assert_false(s->open);
	struct shoal_addr first_at = strangers_far(60);
	struct stranger *first = stranger_come(w, &first_at, first_at.port);
	strangers_run(w, SHOAL_S(10));
	assert_int_equal(first->known, 1);
	assert_true(knows(first, &seed_at));
	for (unsigned i = 0; i < 25; i++) {
		struct shoal_addr at = strangers_far(i);
		crowd[i] = stranger_come(w, &at, at.port);
	}
	strangers_run(w, SHOAL_S(20));
	for (unsigned i = 0; i < 25; i++) {
		assert_true(crowd[i]->open && knows(crowd[i], &first_at));
		assert_false(knows(crowd[i], &seed_at));
	}
	strangers_free(w);
}

/* What lives in our networks is told to nobody outside of them. */
static void neighbours_are_told_to_neighbours(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	struct shoal_addr far = strangers_addr("80.1.2.3:7000"), near = strangers_addr("192.168.1.2:7000"),
			  next = strangers_addr("10.0.0.2:7000"), here = strangers_addr("127.0.0.1:7000");
	struct stranger *f = stranger_come(w, &far, 7000), *n = stranger_come(w, &near, 7000),
			*x = stranger_come(w, &next, 7000), *h = stranger_come(w, &here, 7000);
	strangers_run(w, 2 * STRANGERS_MINUTE);
	assert_false(knows(f, &near) || knows(f, &next) || knows(f, &here));
	assert_true(knows(n, &far) && knows(n, &next) && !knows(n, &here));
	assert_true(knows(x, &far) && knows(x, &near) && !knows(x, &here));
	assert_true(knows(h, &far) && knows(h, &near));
	strangers_free(w);
}

static void private_torrents_gossip_with_nobody(void **state)
{
	(void)state;
	for (int k = 0; k < 2; k++) { /* by the torrent; by --no-pex */
		struct strangers *w = strangers_new(&(struct strangers_options){
			.torrent = true, .is_private = k == 0, .quiet = k ? SHOAL_QUIET_PEX : 0 });
		struct shoal_addr a = strangers_far(1), b = strangers_far(2), c = strangers_far(3);
		struct stranger *one = stranger_come(w, &a, a.port), *other = stranger_come(w, &b, b.port);
		static struct shoal_pex pex;
		pex.added[0].addr = c;
		pex.added_count = 1;
		assert_int_equal(one->pex_id, 0);
		one->pex_id = 1; /* it talks all the same */
		stranger_pex(one, &pex);
		strangers_run(w, 3 * STRANGERS_MINUTE);
		assert_true(one->open && other->open);
		assert_int_equal(one->pex_count + other->pex_count, 0);
		assert_int_equal(strangers_dials_to(w, &c, 0), 0);
		strangers_free(w);
	}
}

/* ---- PEX: believing ------------------------------------------------------------------------------ */

static struct shoal_addr name_one(struct stranger *s, unsigned who)
{
	static struct shoal_pex pex;
	pex.added[0].addr = strangers_far(who);
	pex.added_count = 1;
	stranger_pex(s, &pex);
	return pex.added[0].addr;
}

static void what_is_said_too_soon_or_wrongly_is_not_heard(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	struct shoal_addr a = strangers_far(1), b = strangers_far(2), c = strangers_far(3);
	struct stranger *hasty = stranger_come(w, &a, a.port), *slow = stranger_come(w, &b, b.port),
			*wrong = stranger_come(w, &c, c.port);
	/* Two too soon are overlooked, and forgiven one by one. */
	for (unsigned round = 0; round < 5; round++) {
		struct shoal_addr heard = name_one(slow, 100 + round);
		strangers_run(w, SHOAL_S(20));
		struct shoal_addr early = name_one(slow, 200 + round);
		strangers_run(w, SHOAL_S(26));
		assert_true(slow->open);
		assert_true(strangers_dials_to(w, &heard, 0) > 0);
		assert_int_equal(strangers_dials_to(w, &early, 0), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		assert_true(hasty->open);
		name_one(hasty, 300 + i);
		strangers_run(w, SHOAL_S(1));
	}
	assert_false(hasty->open);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(wrong->open);
		stranger_say_ext(wrong, wrong->pex_id, SHOAL_LIT("d5:added7:abcdefge"));
		strangers_run(w, STRANGERS_MINUTE);
	}
	assert_false(wrong->open);
	strangers_free(w);
}

static void only_neighbours_name_neighbours(void **state)
{
	static const char *const named[] = { "127.0.0.1:7001", "192.168.7.7:7001",     "10.9.9.9:7001",
					     "[fe80::1]:7001", "[fd00::1]:7001",       "0.1.2.3:7001",
					     "224.0.0.1:7001", "255.255.255.255:7001", "[::1]:7001",
					     "80.9.9.9:1023",  "80.9.9.8:7001" };
	static struct shoal_pex pex;
	(void)state;
	for (size_t i = 0; i < sizeof named / sizeof *named; i++)
		pex.added[i].addr = strangers_addr(named[i]);
	pex.added_count = sizeof named / sizeof *named;
	for (int k = 0; k < 2; k++) {
		struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
		struct shoal_addr from = strangers_addr(k ? "192.168.1.9:7000" : "80.1.1.1:7000");
		struct stranger *s = stranger_come(w, &from, 7000);
		stranger_pex(s, &pex);
		strangers_run(w, SHOAL_S(10));
		size_t dialled = 0;
		for (size_t i = 0; i < w->dials; i++)
			dialled += w->dial[i].at + SHOAL_S(9) >= w->now;
		print_message("%s: %zu dials\n", k ? "from near" : "from afar", dialled);
		assert_true(strangers_dials_to(w, &pex.added[10].addr, 0) > 0);
		for (size_t i = 0; i < 10; i++) {
			bool lan = i == 1 || i == 2 || i == 3 || i == 4;
			assert_int_equal(strangers_dials_to(w, &pex.added[i].addr, 0) > 0, k && lan);
		}
		strangers_free(w);
	}
}

/* Twenty name one host, an hour long, with every port there is: it gets three knocks in ten minutes, from all of them. */
static void liars_cannot_send_us_to_a_victim(void **state)
{
	static struct shoal_pex pex;
	struct stranger *s[20];
	unsigned port = 1024;
	shoal_us minutes = scene_rounds(60, 20, 60);
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	struct shoal_addr victim = strangers_addr("93.184.216.34:1");
	for (unsigned i = 0; i < 20; i++) {
		struct shoal_addr at = strangers_far(i);
		s[i] = stranger_come(w, &at, at.port);
	}
	for (shoal_us m = 0; m < minutes; m++) {
		for (unsigned i = 0; i < 20; i++) {
			pex.added_count = 0;
			for (unsigned k = 0; k < 50; k++) {
				victim.port = (uint16_t)port;
				port = port < 65535 ? port + 1 : 1024;
				pex.added[pex.added_count++].addr = victim;
			}
			if (!s[i]->open) { /* they come back when they are thrown out */
				struct shoal_addr at = strangers_far(i);
				s[i] = stranger_come(w, &at, at.port);
			}
			stranger_pex(s[i], &pex);
		}
		strangers_run(w, STRANGERS_MINUTE);
	}
	size_t worst = 0, all = strangers_dials_to(w, &victim, 0);
	for (size_t i = 0; i < w->dials; i++) {
		size_t in = 0;
		if (memcmp(w->dial[i].to.ip, victim.ip, 4) != 0)
			continue;
		for (size_t k = i; k < w->dials && w->dial[k].at <= w->dial[i].at + 10 * STRANGERS_MINUTE; k++)
			in += memcmp(w->dial[k].to.ip, victim.ip, 4) == 0;
		worst = in > worst ? in : worst;
	}
	print_message("%zu in all, %zu in the worst ten minutes\n", all, worst);
	assert_in_range(worst, 1, 3); /* the bar is ten */
	strangers_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forty_who_know_one_find_each_other),
		cmocka_unit_test(without_pex_nobody_is_found),
		cmocka_unit_test(seeds_part_for_good),
		cmocka_unit_test(peers_are_told_of_each_other),
		cmocka_unit_test(who_comes_back_is_not_told_of),
		cmocka_unit_test(who_was_sent_away_is_told_of_once),
		cmocka_unit_test(only_few_call_for_who_was_sent_away),
		cmocka_unit_test(neighbours_are_told_to_neighbours),
		cmocka_unit_test(private_torrents_gossip_with_nobody),
		cmocka_unit_test(what_is_said_too_soon_or_wrongly_is_not_heard),
		cmocka_unit_test(only_neighbours_name_neighbours),
		cmocka_unit_test(liars_cannot_send_us_to_a_victim),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
