/* test_sim_gossip.c - how a node finds others and who may misuse that: PEX, LSD, the address book, caps and guards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/lsd.h"
#include "swarm/core/contacts.h"
#include "swarm/core/gossip.h"
#include "swarm/core/guard.h"
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

#define MIN SHOAL_S(60)

static struct shoal_addr peer_at(unsigned i)
{
	return strangers_v4(0x50000001u + (i << 16), (uint16_t)(10000 + i)); /* each in a network of its own */
}

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
		struct shoal_addr at = peer_at(i);
		at.port = 50000; /* where it comes from says nothing of where it listens */
		s[i] = stranger_come(w, &at, i == 7 ? 0 : (uint16_t)(10000 + i));
		assert_true(s[i]->open);
		assert_true(s[i]->pex_id != 0);
	}
	strangers_run(w, 3 * MIN + SHOAL_S(40));
	for (unsigned i = 0; i < 80; i++) {
		assert_in_range(s[i]->pex_count, 2, 4);
		assert_int_equal(s[i]->known, i == 7 ? 79 : 78); /* all but itself and the one without a port */
		for (unsigned k = 1; k < s[i]->pex_count; k++)
			assert_true(s[i]->pex_at[k] - s[i]->pex_at[k - 1] >= MIN);
		for (unsigned k = 0; k < 80; k++) {
			struct shoal_addr at = peer_at(k);
			assert_int_equal(knows(s[i], &at), k != i && k != 7);
		}
	}
	/* Those who go are told of as gone; at most fifty at a time. */
	for (unsigned i = 10; i < 75; i++)
		stranger_leave(s[i]);
	strangers_run(w, MIN + SHOAL_S(15));
	assert_int_equal(s[0]->pex.dropped_count, 50);
	strangers_run(w, MIN + SHOAL_S(15));
	assert_int_equal(s[0]->known, 78 - 65);
	/* And with no news nothing is said. */
	unsigned before = s[0]->pex_count;
	strangers_run(w, 5 * MIN);
	assert_int_equal(s[0]->pex_count, before);
	strangers_free(w);
}

static void who_comes_back_is_not_told_of(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	struct shoal_addr a = peer_at(1), b = peer_at(2);
	struct stranger *one = stranger_come(w, &a, a.port), *other = stranger_come(w, &b, b.port);
	strangers_run(w, SHOAL_S(20));
	assert_int_equal(one->pex_count, 1);
	stranger_leave(other);
	other = stranger_come(w, &b, b.port);
	strangers_run(w, 3 * MIN);
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
		struct shoal_addr at = peer_at(i);
		struct stranger *seed = stranger_come(w, &at, at.port);
		stranger_say(seed, "\0\0\0\1\x0e", 5); /* have all */
		strangers_run(w, SHOAL_S(1));
		assert_false(seed->open);
	}
	struct shoal_addr at = peer_at(60), other_at = peer_at(61);
	struct stranger *leech = stranger_come(w, &at, at.port);
	strangers_run(w, SHOAL_S(20));
	assert_true(leech->open);
	assert_int_equal(leech->pex_count, 1);
	assert_int_equal(leech->pex.added_count, 25);
	for (unsigned i = 0; i < 40; i++) {
		struct shoal_addr gone = peer_at(i);
		assert_int_equal(knows(leech, &gone), i >= 15); /* the last ones */
	}
	assert_true(leech->pex.added[0].flags & SHOAL_PEX_SEED);
	struct stranger *other = stranger_come(w, &other_at, other_at.port);
	strangers_run(w, SHOAL_S(20));
	assert_int_equal(other->pex.added_count, 1 + 25); /* the first one has not used them up */
	strangers_run(w, MIN - SHOAL_S(5));
	assert_int_equal(leech->pex.dropped_count, 25);
	assert_int_equal(leech->pex.added_count, 1); /* who is there, and nobody a second time */
	assert_int_equal(leech->known, 1);
	assert_true(knows(leech, &other_at) && knows(other, &at));
	strangers_free(w);
}

/*
 * Two seeds: whoever hears first that the other has all hangs up, and the other may not have heard as much yet. It does not ring
 * again and again to find out.
 */
static void who_hangs_up_on_a_seed_is_left_alone(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .seeds = true });
	strangers_run(w, SHOAL_S(8));
	struct shoal_addr at = peer_at(1), other = peer_at(2);
	struct stranger *leech = stranger_come(w, &at, at.port);
	strangers_run(w, SHOAL_S(1));
	struct shoal_pex pex = { .added_count = 1, .added = { { .addr = other } } };
	stranger_pex(leech, &pex);
	size_t seen = 0;
	for (unsigned i = 0; i < 5 * 30 * 60; i++) {
		strangers_run(w, SHOAL_MS(200));
		for (; seen < w->dials; seen++)
			if (shoal_addr_equal(&w->dial[seen].to, &other))
				stranger_leave(stranger_answer(w, &w->dial[seen]));
	}
	size_t dialled = strangers_dials_to(w, &other, 0);
	print_message("%zu times in half an hour\n", dialled);
	assert_in_range(dialled, 1, 3);
	strangers_free(w);
}

/* Who is connected with many says nothing of others, and nobody is told of who left by itself or for a fault. */
static void only_few_call_for_who_was_sent_away(void **state)
{
	struct stranger *crowd[25];
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .seeds = true });
	strangers_run(w, SHOAL_S(8));
	struct shoal_addr left = peer_at(50), liar = peer_at(51), seed_at = peer_at(52);
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
	struct shoal_addr first_at = peer_at(60);
	struct stranger *first = stranger_come(w, &first_at, first_at.port);
	strangers_run(w, SHOAL_S(10));
	assert_int_equal(first->known, 1);
	assert_true(knows(first, &seed_at));
	for (unsigned i = 0; i < 25; i++) {
		struct shoal_addr at = peer_at(i);
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
	strangers_run(w, 2 * MIN);
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
		struct shoal_addr a = peer_at(1), b = peer_at(2), c = peer_at(3);
		struct stranger *one = stranger_come(w, &a, a.port), *other = stranger_come(w, &b, b.port);
		static struct shoal_pex pex;
		pex.added[0].addr = c;
		pex.added_count = 1;
		assert_int_equal(one->pex_id, 0);
		one->pex_id = 1; /* it talks all the same */
		stranger_pex(one, &pex);
		strangers_run(w, 3 * MIN);
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
	pex.added[0].addr = peer_at(who);
	pex.added_count = 1;
	stranger_pex(s, &pex);
	return pex.added[0].addr;
}

static void what_is_said_too_soon_or_wrongly_is_not_heard(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	struct shoal_addr a = peer_at(1), b = peer_at(2), c = peer_at(3);
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
		strangers_run(w, MIN);
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
		struct shoal_addr at = peer_at(i);
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
				struct shoal_addr at = peer_at(i);
				s[i] = stranger_come(w, &at, at.port);
			}
			stranger_pex(s[i], &pex);
		}
		strangers_run(w, MIN);
	}
	size_t worst = 0, all = strangers_dials_to(w, &victim, 0);
	for (size_t i = 0; i < w->dials; i++) {
		size_t in = 0;
		if (memcmp(w->dial[i].to.ip, victim.ip, 4) != 0)
			continue;
		for (size_t k = i; k < w->dials && w->dial[k].at <= w->dial[i].at + 10 * MIN; k++)
			in += memcmp(w->dial[k].to.ip, victim.ip, 4) == 0;
		worst = in > worst ? in : worst;
	}
	print_message("%zu in all, %zu in the worst ten minutes\n", all, worst);
	assert_in_range(worst, 1, 3); /* the bar is ten */
	strangers_free(w);
}

/* The same with all addresses of one /24: the network rests, longer each time. */
static void a_network_that_does_not_answer_rests(void **state)
{
	static struct shoal_pex pex;
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	for (unsigned m = 0; m < 5; m++) {
		for (unsigned i = 0; i < 5; i++) {
			struct shoal_addr at = peer_at(10 * m + i);
			struct stranger *s = stranger_come(w, &at, at.port);
			pex.added_count = 0;
			for (unsigned k = 0; k < 50; k++)
				pex.added[pex.added_count++].addr = strangers_v4(0x5db80000u + 50 * i + k, 7000);
			stranger_pex(s, &pex);
		}
		strangers_run(w, MIN);
	}
	size_t dialled = 0;
	for (size_t i = 0; i < w->dials; i++)
		dialled += w->dial[i].to.ip[0] == 0x5d;
	print_message("%zu of 250 dialled in five minutes\n", dialled);
	/* A second's worth before the first has failed; then one at a time. */
	assert_in_range(dialled, 4, SHOAL_DIALS_SECOND * 2 + 8);
	strangers_free(w);
}

/* ---- the address book ------------------------------------------------------------------------------ */

/* Those that worked are found again, whatever hundreds of liars have named since. */
static void floods_do_not_displace_what_works(void **state)
{
	static struct shoal_pex pex;
	struct stranger *good[20];
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	for (unsigned i = 0; i < 20; i++) {
		struct shoal_addr at = peer_at(i);
		good[i] = stranger_come(w, &at, at.port);
		assert_true(good[i]->open);
	}
	strangers_run(w, SHOAL_S(30));
	/* As they have gone, the crowd comes, and names 15,000 others at once. */
	for (unsigned i = 0; i < 20; i++)
		stranger_leave(good[i]);
	shoal_us left = w->now;
	for (unsigned i = 0; i < 300; i++) {
		struct shoal_addr at = strangers_v4(0x60000001u + (i << 16), 7000);
		struct stranger *s = stranger_come(w, &at, 7000);
		assert_true(s->open);
		pex.added_count = 0;
		for (unsigned k = 0; k < 50; k++)
			pex.added[pex.added_count++].addr = strangers_v4(0x70000001u + ((i * 50 + k) << 8), 7000);
		stranger_pex(s, &pex);
		stranger_leave(s);
	}
	assert_true(w->node != NULL);
	strangers_run(w, 2 * MIN);
	unsigned found = 0;
	for (unsigned i = 0; i < 20; i++) {
		struct shoal_addr at = peer_at(i);
		found += strangers_dials_to(w, &at, left) > 0;
	}
	print_message("%u of 20 dialled again, among %zu dials\n", found, w->dials);
	assert_int_equal(found, 20);
	strangers_free(w);
}

/* Whoever names a million: two thousand are kept, at a price that is charged, in no time to speak of. */
static void a_million_addresses_cost_little(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	struct shoal_swarm *s = w->node->swarms;
	struct shoal_addr named = strangers_addr("192.168.1.1:9999");
	strangers_name(w, &named);
	size_t before = w->budget.used;
	for (uint32_t i = 0; i < scene_rounds(1000000, 100000, 1000000); i++) {
		struct shoal_addr at = strangers_v4(0x30000000u + i * 256u, 7000);
		(void)shoal_swarm_contact(s, &at, SHOAL_FROM_TRACKER, w->now);
	}
	print_message("%u kept, %zu bytes\n", s->contacts.count, w->budget.used - before);
	assert_int_equal(s->contacts.count, SHOAL_CONTACTS_MAX);
	assert_int_equal(w->node->contact_count, SHOAL_CONTACTS_MAX);
	assert_in_range(w->budget.used - before, 100000, 800000);
	assert_true(shoal_contact_known(s, &named));
	/* The ports of one host are few, a neighbour's are not. */
	unsigned far = 0, near = 0;
	for (uint16_t i = 0; i < 100; i++) {
		struct shoal_addr at = strangers_v4(0x2f010101u, (uint16_t)(7000 + i));
		far += shoal_swarm_contact(s, &at, SHOAL_FROM_LSD, w->now) != NULL;
		at = strangers_v4(0x0a010101u, (uint16_t)(7000 + i));
		near += shoal_swarm_contact(s, &at, SHOAL_FROM_LSD, w->now) != NULL;
	}
	assert_int_equal(far, SHOAL_CONTACTS_HOST);
	assert_int_equal(near, 100);
	strangers_free(w);
}

/* However many there are: thirty in any second, a hundred under way. */
static void dialling_is_throttled(void **state)
{
	(void)state;
	for (int hangs = 0; hangs < 2; hangs++) {
		struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .hangs = hangs });
		for (unsigned i = 0; i < 2000; i++) {
			struct shoal_addr at = strangers_v4(0x50000001u + (i << 8), 7000);
			strangers_name(w, &at);
		}
		strangers_run(w, SHOAL_S(10));
		for (size_t i = 0; i < w->dials; i++) {
			size_t in = 0;
			for (size_t k = i; k < w->dials && w->dial[k].at < w->dial[i].at + SHOAL_S(1); k++)
				in++;
			assert_true(in <= SHOAL_DIALS_SECOND);
		}
		print_message("%zu dials in 10 s\n", w->dials);
		assert_in_range(w->dials, hangs ? SHOAL_DIALS : 10 * SHOAL_DIALS_SECOND,
				hangs ? SHOAL_DIALS : 11 * SHOAL_DIALS_SECOND);
		w->o.hangs = false;
		strangers_run(w, SHOAL_S(2));
		strangers_free(w);
	}
}

static void one_address_has_its_share(void **state)
{
	static const struct {
		const char *why;
		uint32_t ip, step;
		unsigned most;
	} cases[] = { { "one host", 0x50010101, 0, SHOAL_GUARD_HOST_CONNS },
		      { "one /24", 0x50010101, 1, SHOAL_GUARD_NET_CONNS },
		      { "one private host", 0x0a000001, 0, 40 },
		      { "loopback", 0x7f000001, 0, 40 } };
	(void)state;
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
		struct stranger *s[40];
		unsigned in = 0;
		for (unsigned i = 0; i < 40; i++) {
			struct shoal_addr at = strangers_v4(cases[c].ip + i * cases[c].step, (uint16_t)(40000 + i));
			s[i] = stranger_come(w, &at, 7000);
			in += s[i]->open;
		}
		print_message("%s: %u of 40\n", cases[c].why, in);
		assert_int_equal(in, cases[c].most);
		/* A place that comes free is one more. */
		stranger_leave(s[0]);
		struct shoal_addr at = strangers_v4(cases[c].ip, 39999);
		assert_true(stranger_come(w, &at, 7000)->open);
		strangers_free(w);
	}
	/* The user's word counts for more. */
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	struct shoal_addr named = strangers_addr("80.1.1.1:7000");
	strangers_name(w, &named);
	for (unsigned i = 0; i < 10; i++) {
		struct shoal_addr at = strangers_v4(0x50010101, (uint16_t)(40000 + i));
		assert_true(stranger_come(w, &at, 7000)->open);
	}
	strangers_free(w);
}

/* ---- places ------------------------------------------------------------------------------------------ */

static void want_something(struct stranger *s)
{
	static const uint8_t interested[] = { 0, 0, 0, 1, 2 };
	stranger_say(s, interested, sizeof interested);
}

/* All places are taken: who wants nothing, and whom we want nothing of, makes room; who wants something stays. */
static void the_useless_make_room(void **state)
{
	struct stranger *s[10];
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .max_peers = 10 });
	for (unsigned i = 0; i < 10; i++) {
		struct shoal_addr at = peer_at(i);
		s[i] = stranger_come(w, &at, at.port);
		if (i != 4)
			want_something(s[i]);
	}
	strangers_run(w, SHOAL_S(5));
	struct shoal_addr late = strangers_addr("192.168.1.1:7000"), later = strangers_addr("192.168.1.2:7000");
	struct stranger *in = stranger_come(w, &late, 7000);
	assert_true(in->open);
	want_something(in);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(s[i]->open, i != 4);
	strangers_run(w, SHOAL_S(5));
	assert_false(stranger_come(w, &later, 7000)->open);
	strangers_free(w);
}

/* Full of those who are of no use for minutes, while others wait to be dialled: a few go, as many as are needed. */
static void the_useless_go_when_others_wait(void **state)
{
	struct stranger *s[50];
	(void)state;
	for (int waiting = 0; waiting < 2; waiting++) {
		struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .max_peers = 50 });
		for (unsigned i = 0; i < 50; i++) {
			struct shoal_addr at = peer_at(i);
			s[i] = stranger_come(w, &at, at.port);
			if (i < 25)
				want_something(s[i]);
		}
		strangers_run(w, MIN);
		for (unsigned i = 0; waiting && i < 20; i++) {
			struct shoal_addr at = peer_at(100 + i);
			assert_non_null(shoal_swarm_contact(w->node->swarms, &at, SHOAL_FROM_TRACKER, w->now));
		}
		strangers_run(w, 5 * MIN);
		unsigned used = 0, useless = 0;
		for (unsigned i = 0; i < 50; i++) {
			used += i < 25 && s[i]->open;
			useless += i >= 25 && s[i]->open;
		}
		print_message("%s: %u of 25 useless ones are left, %zu dials\n",
			      waiting ? "others wait" : "nobody waits", useless, w->dials);
		assert_int_equal(used, 25);
		assert_in_range(useless, waiting ? 15 : 25, waiting ? 24 : 25);
		assert_int_equal(w->dials > 0, waiting);
		strangers_free(w);
	}
}

/* A peer whose line was cut comes back with another id while its old connection is only not known to be dead. */
static void who_comes_back_takes_its_place(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	struct shoal_addr a = peer_at(1);
	struct stranger *old = stranger_come(w, &a, a.port), *twin = stranger_come(w, &a, a.port);
	assert_true(old->open && twin->open); /* two behind one NAT */
	old->silent = true;
	strangers_run(w, SHOAL_S(70));
	struct stranger *fresh = stranger_come(w, &a, a.port);
	assert_true(fresh->open);
	assert_false(old->open);
	assert_true(twin->open);
	strangers_free(w);
}

/* 500 connections in little memory: the budget holds, some are refused, and that is said, once. */
static void memory_bounds_connections(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(
		&(struct strangers_options){ .torrent = true, .memory = 2 * MIB, .max_peers = 1000 });
	unsigned in = 0;
	for (unsigned i = 0; i < 500; i++) {
		struct shoal_addr at = strangers_v4(0x0a000001u + i, 7000);
		struct stranger *s = stranger_come(w, &at, 7000);
		if (s->open)
			want_something(s);
		in += s->open;
	}
	strangers_run(w, SHOAL_S(10));
	print_message("%u came in, %zu of %zu bytes at the most, %u warnings\n", in, w->budget.peak, w->budget.limit,
		      w->warnings);
	assert_in_range(in, 50, 300);
	assert_int_equal(w->warnings, 1);
	/* And when they go, all of it comes back. */
	for (size_t i = 0; i < w->count; i++)
		if (w->at[i]->open)
			stranger_leave(w->at[i]);
	strangers_run(w, SHOAL_S(2));
	struct shoal_addr at = strangers_addr("10.9.9.9:7000");
	assert_true(stranger_come(w, &at, 7000)->open);
	strangers_free(w);
}

/* ---- LSD -------------------------------------------------------------------------------------------- */

static void hear(struct strangers *w, const struct shoal_addr *from, uint16_t port, const char *cookie)
{
	uint8_t raw[SHOAL_LSD_BYTES];
	struct shoal_lsd lsd = { .port = port, .count = 2, .cookie = shoal_bytes(cookie, strlen(cookie)) };
	memset(lsd.hash[0].b, 9, 20);
	memcpy(lsd.hash[1].b, w->hash, 20);
	ptrdiff_t n = shoal_lsd_encode(&lsd, true, (struct shoal_space){ raw, sizeof raw });
	assert_true(n > 0);
	shoal_node_datagram(w->node, from, shoal_bytes(raw, (size_t)n), true, w->now);
}

static void neighbours_are_heard(void **state)
{
	(void)state;
	for (int quiet = 0; quiet < 3; quiet++) {
		struct strangers *w = strangers_new(
			&(struct strangers_options){ .torrent = true,
						     .is_private = quiet == 1,
						     .quiet = quiet == 2 ? SHOAL_QUIET_LSD : 0,
						     .shouts = true });
		struct shoal_addr from = strangers_addr("192.168.1.7:6771");
		hear(w, &from, 7000, "somebody");
		strangers_run(w, SHOAL_S(1));
		assert_int_equal(strangers_dials_to(w, &from, 0) > 0, quiet == 0);
		assert_int_equal(w->shouted > 0, quiet == 0);
		if (quiet == 0)
			assert_int_equal(w->dial[0].to.port, 7000);
		/* Ten a second are listened to. */
		for (unsigned i = 0; i < 50; i++) {
			from = strangers_v4(0xc0a80200u + i, 6771);
			hear(w, &from, 7000, "");
		}
		strangers_run(w, SHOAL_S(2));
		size_t heard = 0;
		for (unsigned i = 0; i < 50; i++) {
			from = strangers_v4(0xc0a80200u + i, 6771);
			heard += strangers_dials_to(w, &from, 0) > 0;
		}
		assert_int_equal(heard, quiet == 0 ? SHOAL_LSD_HEARD : 0);
		strangers_free(w);
	}
}

static void a_torrent_is_shouted_about_every_five_minutes(void **state)
{
	struct shoal_lsd lsd;
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .shouts = true });
	strangers_run(w, SHOAL_S(2));
	assert_int_equal(w->shouted, 1);
	for (int v4 = 0; v4 < 2; v4++) {
		assert_int_equal(shoal_lsd_decode(shoal_bytes(w->shout[v4], w->shout_len[v4]), &lsd), 0);
		assert_int_equal(lsd.port, STRANGER_PORT);
		assert_int_equal(lsd.count, 1);
		assert_memory_equal(lsd.hash[0].b, w->hash, 20);
		assert_int_equal(lsd.cookie.len, SHOAL_LSD_COOKIE);
	}
	/* Our own voice is nobody. */
	struct shoal_addr us = strangers_addr("192.168.1.5:6771");
	shoal_node_datagram(w->node, &us, shoal_bytes(w->shout[1], w->shout_len[1]), true, w->now);
	strangers_run(w, SHOAL_S(5));
	assert_int_equal(strangers_dials_to(w, &us, 0), 0);
	strangers_run(w, SHOAL_S(290));
	assert_int_equal(w->shouted, 1);
	strangers_run(w, SHOAL_S(10));
	assert_int_equal(w->shouted, 2);
	strangers_run(w, SHOAL_S(3000));
	assert_int_equal(w->shouted, 12);
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
		cmocka_unit_test(who_hangs_up_on_a_seed_is_left_alone),
		cmocka_unit_test(who_was_sent_away_is_told_of_once),
		cmocka_unit_test(only_few_call_for_who_was_sent_away),
		cmocka_unit_test(neighbours_are_told_to_neighbours),
		cmocka_unit_test(private_torrents_gossip_with_nobody),
		cmocka_unit_test(what_is_said_too_soon_or_wrongly_is_not_heard),
		cmocka_unit_test(only_neighbours_name_neighbours),
		cmocka_unit_test(liars_cannot_send_us_to_a_victim),
		cmocka_unit_test(a_network_that_does_not_answer_rests),
		cmocka_unit_test(floods_do_not_displace_what_works),
		cmocka_unit_test(a_million_addresses_cost_little),
		cmocka_unit_test(dialling_is_throttled),
		cmocka_unit_test(one_address_has_its_share),
		cmocka_unit_test(the_useless_make_room),
		cmocka_unit_test(the_useless_go_when_others_wait),
		cmocka_unit_test(who_comes_back_takes_its_place),
		cmocka_unit_test(memory_bounds_connections),
		cmocka_unit_test(neighbours_are_heard),
		cmocka_unit_test(a_torrent_is_shouted_about_every_five_minutes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
