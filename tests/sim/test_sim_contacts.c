/* test_sim_contacts.c - the address book, whom a node dials and how often, and who has a place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/compact.h"
#include "swarm/core/contacts.h"
#include "swarm/core/evidence_room.h"
#include "swarm/peers/guard.h"
#include "swarm/core/node_room.h"
#include "tests/sim/scene.h"
#include "tests/sim/strangers.h"

/* ---- the address book ------------------------------------------------------------------------------ */

/* Those that worked are found again, whatever hundreds of liars have named since. */
static void floods_do_not_displace_what_works(void **state)
{
	static struct shoal_pex pex;
	struct stranger *good[20];
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	for (unsigned i = 0; i < 20; i++) {
		struct shoal_addr at = strangers_far(i);
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
	strangers_run(w, 2 * STRANGERS_MINUTE);
	unsigned found = 0;
	for (unsigned i = 0; i < 20; i++) {
		struct shoal_addr at = strangers_far(i);
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

/* A quarter of all places, while there are any (a network's share of this torrent is more). */
static void one_address_has_its_share(void **state)
{
	enum { PLACES = 44 };
	static const struct {
		const char *why;
		uint32_t ip, step;
		unsigned most;
	} cases[] = { { "one host", 0x50010101, 0, PLACES / SHOAL_GUARD_SPARE },
		      { "one /24", 0x50010101, 1, SHOAL_GUARD_NET_CONNS },
		      { "one private host", 0x0a000001, 0, 40 },
		      { "loopback", 0x7f000001, 0, 40 } };
	(void)state;
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		struct strangers *w = strangers_new(
			&(struct strangers_options){ .torrent = true, .max_peers = PLACES });
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
	for (unsigned i = 0; i < 40; i++) {
		struct shoal_addr at = strangers_v4(0x50010101, (uint16_t)(40000 + i));
		assert_true(stranger_come(w, &at, 7000)->open);
	}
	strangers_free(w);
}

/* One address has many places, until all are taken: then it gives up those beyond its share, to others and to no fellow. */
static void who_is_beyond_his_share_makes_room(void **state)
{
	enum { PLACES = 40, PART = PLACES / SHOAL_GUARD_SPARE };
	struct stranger *office[PART];
	unsigned in = 0, left = 0;
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .max_peers = PLACES });
	struct shoal_addr at = strangers_addr("80.1.1.1:40000");
	for (unsigned i = 0; i < PART; i++, at.port++) {
		office[i] = stranger_come(w, &at, at.port);
		assert_true(office[i]->open);
		stranger_wants(office[i]);
	}
	for (unsigned i = PART; i < PLACES; i++) {
		struct shoal_addr far = strangers_far(i);
		struct stranger *s = stranger_come(w, &far, far.port);
		assert_true(s->open);
		stranger_wants(s);
	}
	strangers_run(w, SHOAL_S(5));
	assert_false(stranger_come(w, &at, at.port)->open);
	for (unsigned i = 0; i < 20; i++) {
		struct shoal_addr far = strangers_far(100 + i);
		struct stranger *s = stranger_come(w, &far, far.port);
		in += s->open;
		if (s->open)
			stranger_wants(s);
		strangers_run(w, SHOAL_MS(200));
	}
	for (unsigned i = 0; i < PART; i++)
		left += office[i]->open;
	print_message("%u others came in, %u of %u of the one address are left\n", in, left, (unsigned)PART);
	assert_int_equal(left, SHOAL_GUARD_HOST_CONNS);
	assert_in_range(in, PART - SHOAL_GUARD_HOST_CONNS, PART - SHOAL_GUARD_HOST_CONNS + 2); /* and by priority */
	strangers_free(w);
}

/* Who has been here is no victim that somebody sends us to: he is dialled in his own time, however many of his address are
 * gone. Else whoever is alone with such addresses does nothing for ten minutes. */
static void who_was_here_is_dialled_again(void **state)
{
	struct stranger *s[3];
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	struct shoal_addr at[3] = { strangers_addr("80.1.1.1:7000"), strangers_addr("80.1.1.1:7001"),
				    strangers_addr("80.1.1.1:7002") };
	for (unsigned i = 0; i < 3; i++) {
		s[i] = stranger_come(w, &at[i], at[i].port);
		assert_true(s[i]->open);
	}
	strangers_run(w, SHOAL_S(5));
	for (unsigned i = 0; i < 3; i++)
		stranger_leave(s[i]);
	shoal_us left = w->now;
	strangers_run(w, 5 * STRANGERS_MINUTE);
	for (unsigned i = 0; i < 3; i++) {
		size_t dials = strangers_dials_to(w, &at[i], left);
		print_message("dialled %zu times in five minutes\n", dials);
		assert_in_range(dials, 6, 12); /* after 5, 35 and 155 s or so, each time in more ways than one */
	}
	strangers_free(w);
}

/* Twelve seeds of one address of the open network come to a leech of 24 places: with how many it is connected at the most. */
static unsigned most_of_an_office(uint32_t rate)
{
	enum { OFFICE = 12, OFFICE_PLACES = 24 };
	struct sim_content c;
	struct sim_node_options o = { .up = 128 * KIB, .stranger = true };
	unsigned most = 0;
	scene_content(&c, SHOAL_FORMAT_V2, 64 * KIB, 32 * MIB, 1);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 1, .content = &c });
	if (rate > 0) {
		o.adversary = sim_adversary_spec(SIM_POLLUTER);
		o.adversary.rate = rate;
	}
	for (unsigned i = 0; i < OFFICE; i++) {
		o.addr = strangers_v4(0x5db80001, (uint16_t)(7000 + i));
		scene_seed(sim, o);
	}
	struct sim_node_options leech = {
		.up = MIB, .addr = strangers_v4(0x50010203, 7000), .stranger = true, .max_peers = OFFICE_PLACES
	};
	scene_leeches(sim, leech, 1, 0, 0);
	for (unsigned i = 0; i < OFFICE; i++)
		sim_node_meet(sim_node(sim, i), sim_node(sim, OFFICE));
	scene_start_all(sim);
	for (unsigned t = 0; t < 1500; t++) { /* a liar is not there for long */
		unsigned in = 0;
		sim_run_for(sim, SHOAL_MS(20));
		for (const struct shoal_peer *p = sim_node(sim, OFFICE)->node->peers; p != NULL; p = p->next)
			in += p->known && !p->closing && p->contact != NULL; /* it has its place in the book as well */
		most = in > most ? in : most;
	}
	sim_free(sim);
	sim_content_fini(&c);
	return most;
}

/* Whoever gives what is right takes no stranger's place; whoever lies never has another. */
static void an_office_that_gives_has_more(void **state)
{
	(void)state;
	unsigned honest = most_of_an_office(0), liars = most_of_an_office(1000000);
	print_message("of twelve honest ones %u, of liars %u\n", honest, liars);
	assert_in_range(honest, 9, 12);
	assert_in_range(liars, SHOAL_GUARD_HOST_CONNS, 24 / SHOAL_GUARD_SPARE);
}

/* Whoever turns is a stranger again, and what was right before counts for nothing. */
static void who_turns_has_a_strangers_place(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	struct shoal_addr at = strangers_addr("80.1.2.3:7000");
	assert_true(stranger_come(w, &at, at.port)->open);
	struct shoal_peer *p = w->node->peers;
	p->proof = SHOAL_GUARD_PROOF;
	p->place = (uint8_t)shoal_guard_regard(&w->node->guard, &p->addr, 1, (enum shoal_guard_place)p->place, true,
					       w->now);
	assert_int_equal(p->place, SHOAL_GUARD_PROVEN);
	shoal_evidence_false(w->node->swarms, p->source, 0, 0, SHOAL_REP_WHY_FALSE_DIFF, w->now);
	assert_false(p->closing); /* one alone is forgiven */
	assert_int_equal(p->place, SHOAL_GUARD_STRANGER);
	assert_int_equal(p->proof, 0);
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
			struct shoal_addr at = strangers_far(10 * m + i);
			struct stranger *s = stranger_come(w, &at, at.port);
			pex.added_count = 0;
			for (unsigned k = 0; k < 50; k++)
				pex.added[pex.added_count++].addr = strangers_v4(0x5db80000u + 50 * i + k, 7000);
			stranger_pex(s, &pex);
		}
		strangers_run(w, STRANGERS_MINUTE);
	}
	size_t dialled = 0;
	for (size_t i = 0; i < w->dials; i++)
		dialled += w->dial[i].to.ip[0] == 0x5d;
	print_message("%zu of 250 dialled in five minutes\n", dialled);
	/* A second's worth before the first has failed; then one at a time. */
	assert_in_range(dialled, 4, SHOAL_DIALS_SECOND * 2 + 8);
	strangers_free(w);
}

static void count_unreached(void *to, const struct shoal_event *ev)
{
	*(unsigned *)to += ev->kind == SHOAL_EV_PEER_UNREACHED;
}

/* A stranger may have made the link: whom it names is dialled at once, and told of, and its host is not knocked at for ever. */
static void a_link_is_a_strangers_word(void **state)
{
	enum { PORTS = 10 };
	unsigned taken = 0, unreached = 0;
	(void)state;
	struct strangers *w = strangers_new(
		&(struct strangers_options){ .torrent = true, .on_event = count_unreached, .to = &unreached });
	struct shoal_addr host = strangers_v4(0x50010203, 0);
	shoal_us began = w->now;
	for (unsigned i = 0; i < PORTS; i++) {
		struct shoal_op op = { .kind = SHOAL_OP_PEER,
				       .flags = SHOAL_PEER_FROM_LINK,
				       .torrent = w->torrent,
				       .addr = strangers_v4(0x50010203, (uint16_t)(443 + i)) };
		taken += shoal_node_do(w->node, &op, w->now) == 0;
	}
	assert_int_equal(taken, SHOAL_CONTACTS_HOST);
	strangers_run(w, SHOAL_S(2));
	assert_int_equal(strangers_dials_to(w, &host, began), SHOAL_CONTACTS_HOST);
	assert_int_equal(unreached, SHOAL_CONTACTS_HOST);
	strangers_run(w, SHOAL_GUARD_SPAN - SHOAL_S(10));
	assert_int_equal(strangers_dials_to(w, &host, began), SHOAL_GUARD_TRIES);
	strangers_run(w, 2 * SHOAL_GUARD_SPAN);
	assert_in_range(strangers_dials_to(w, &host, began), SHOAL_GUARD_TRIES + 1, 3 * SHOAL_GUARD_TRIES);
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
	struct shoal_addr at = strangers_far(1), other = strangers_far(2);
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

/* ---- places ------------------------------------------------------------------------------------------ */

/* All places are taken: who wants nothing, and whom we want nothing of, makes room; who wants something stays. */
static void the_useless_make_room(void **state)
{
	struct stranger *s[10];
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .max_peers = 10 });
	for (unsigned i = 0; i < 10; i++) {
		struct shoal_addr at = strangers_far(i);
		s[i] = stranger_come(w, &at, at.port);
		if (i != 4)
			stranger_wants(s[i]);
	}
	strangers_run(w, SHOAL_S(5));
	struct shoal_addr late = strangers_addr("192.168.1.1:7000"), later = strangers_addr("192.168.1.2:7000");
	struct stranger *in = stranger_come(w, &late, 7000);
	assert_true(in->open);
	stranger_wants(in);
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
			struct shoal_addr at = strangers_far(i);
			s[i] = stranger_come(w, &at, at.port);
			if (i < 25)
				stranger_wants(s[i]);
		}
		strangers_run(w, STRANGERS_MINUTE);
		for (unsigned i = 0; waiting && i < 20; i++) {
			struct shoal_addr at = strangers_far(100 + i);
			assert_non_null(shoal_swarm_contact(w->node->swarms, &at, SHOAL_FROM_TRACKER, w->now));
		}
		strangers_run(w, 5 * STRANGERS_MINUTE);
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
	struct shoal_addr a = strangers_far(1);
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
			stranger_wants(s);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(floods_do_not_displace_what_works),
		cmocka_unit_test(a_million_addresses_cost_little),
		cmocka_unit_test(dialling_is_throttled),
		cmocka_unit_test(one_address_has_its_share),
		cmocka_unit_test(an_office_that_gives_has_more),
		cmocka_unit_test(who_turns_has_a_strangers_place),
		cmocka_unit_test(who_is_beyond_his_share_makes_room),
		cmocka_unit_test(who_was_here_is_dialled_again),
		cmocka_unit_test(a_network_that_does_not_answer_rests),
		cmocka_unit_test(a_link_is_a_strangers_word),
		cmocka_unit_test(who_hangs_up_on_a_seed_is_left_alone),
		cmocka_unit_test(the_useless_make_room),
		cmocka_unit_test(the_useless_go_when_others_wait),
		cmocka_unit_test(who_comes_back_takes_its_place),
		cmocka_unit_test(memory_bounds_connections),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
