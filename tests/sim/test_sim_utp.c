/* test_sim_utp.c - nodes that speak uTP in virtual time: alone, over lossy lines, beside TCP, and through NATs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "swarm/core/carrier.h"
#include "swarm/peers/guard.h"
#include "tests/sim/scene.h"
#include "tests/sim/strangers.h"

#define BOTH (SHOAL_BY_TCP | SHOAL_BY_UTP)

static void a_swarm_by_utp_alone(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= scene_rounds(3, 1, 30); seed++) {
		struct sim_content c;
		scene_content(&c, SHOAL_FORMAT_HYBRID, 64 * KIB, 2 * MIB, seed);
		struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c });
		struct sim_node_options o = { .up = MIB,
					      .down = 4 * MIB,
					      .delay = SHOAL_MS(10),
					      .jitter = SHOAL_MS(2),
					      .loss_ppm = 5000,
					      .carriers = SHOAL_BY_UTP };
		scene_seed(sim, o);
		scene_leeches(sim, o, 12, 4, 2);
		scene_start_all(sim);
		scene_complete(sim, SHOAL_S(120));
		assert_int_equal(sim_connections(sim), 0); /* of TCP's kind */
		sim_free(sim);
		sim_content_fini(&c);
	}
}

static void where_tcp_works_neighbours_use_it(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, MIB, 3);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 3, .content = &c });
	scene_seed(sim, (struct sim_node_options){ .carriers = BOTH });
	scene_leeches(sim, (struct sim_node_options){ .carriers = BOTH }, 3, 1, 0);
	scene_start_all(sim);
	scene_complete(sim, SHOAL_S(30));
	assert_true(sim_connections(sim) >= 3);
	sim_free(sim);
	sim_content_fini(&c);
}

/* One side has uTP alone: found out when TCP fails. */
static void the_other_carrier_is_tried(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, MIB, 4);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 4, .content = &c });
	scene_seed(sim, (struct sim_node_options){ .carriers = BOTH, .nat = SIM_NAT_OPEN });
	scene_leeches(sim, (struct sim_node_options){ .carriers = BOTH }, 1, 1, 0);
	sim_node_meet(sim_node(sim, 0), sim_node(sim, 1)); /* the one behind the NAT dials, and has a mapping then */
	scene_start_all(sim);
	scene_complete(sim, SHOAL_S(60));
	sim_free(sim);
	sim_content_fini(&c);
}

/* ---- holepunch -------------------------------------------------------------------------------- */

/* What the one who waits is told of it. */
static void hear(void *to, struct sim_node *n, const struct shoal_event *ev)
{
	unsigned *told = to;
	static const char words[] = "81.2.3.1:";
	*told += n->index == 1 && ev->kind == SHOAL_EV_WARNING && ev->text.len > sizeof words &&
		 memcmp(ev->text.at, words, sizeof words - 1) == 0;
}

/* A seed and a leech behind NATs, and one that both reach and that has next to nothing to give. */
static bool punched(enum sim_nat nat, uint64_t seed, unsigned *told)
{
	struct sim_content c;
	struct shoal_addr at[3] = { { { 81, 2, 3, 1 }, 6881, 1 },
				    { { 92, 4, 5, 2 }, 6881, 1 },
				    { { 103, 6, 7, 3 }, 6881, 1 } };
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, MIB, seed);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c, .on_event = hear, .to = told });
	struct sim_node_options o = { .carriers = BOTH, .delay = SHOAL_MS(15) };
	o.nat = nat;
	o.addr = at[0];
	struct sim_node *a = scene_seed(sim, o);
	o.addr = at[1];
	struct sim_node *b = sim_node_new(sim, &o);
	o.nat = SIM_NAT_NONE;
	o.addr = at[2];
	o.limit_down = 2 * KIB;
	struct sim_node *r = sim_node_new(sim, &o);
	sim_node_meet(a, r);
	sim_node_meet(b, r);
	scene_start_all(sim);
	shoal_us end = sim_now(sim) + SHOAL_S(240);
	while (!b->complete && sim_now(sim) < end && sim_step(sim, end))
		;
	bool done = b->complete;
	sim_free(sim);
	sim_content_fini(&c);
	return done;
}

static void two_behind_nats_are_brought_together(void **state)
{
	unsigned good = 0, all = scene_rounds(10, 3, 200), told = 0;
	(void)state;
	for (uint64_t seed = 1; seed <= all; seed++)
		good += punched(SIM_NAT_ADDRESS, seed, &told);
	print_message("%u of %u\n", good, all);
	assert_true(good * 100 >= all * 95);
	assert_int_equal(told, 0);
	assert_false(punched(SIM_NAT_SYMMETRIC, 1, &told)); /* what no rendezvous can help, and is said once */
	assert_int_equal(told, 1);
}

/* ---- a rendezvous, and who asks for one ---------------------------------------------------------- */

static void strangers_are_introduced(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .utp = true });
	struct shoal_addr at[3] = { strangers_addr("81.2.3.1:5001"), strangers_addr("92.4.5.2:5002"),
				    strangers_addr("103.6.7.3:5003") };
	struct stranger *s[3];
	for (int i = 0; i < 3; i++)
		s[i] = stranger_come(w, &at[i], 0);
	stranger_punches(s[0]);
	stranger_punches(s[1]);
	strangers_run(w, SHOAL_S(1));
	assert_int_not_equal(s[0]->punch_id, 0);
	/* Both are told, each of the other. */
	stranger_punch(s[0], SHOAL_HOLEPUNCH_RENDEZVOUS, &at[1]);
	strangers_run(w, SHOAL_S(1));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(s[i]->punches, 1);
		assert_int_equal(s[i]->punch.kind, SHOAL_HOLEPUNCH_CONNECT);
		assert_memory_equal(s[i]->punch.addr.ip, at[1 - i].ip, 4);
		assert_int_equal(s[i]->punch.addr.port, at[1 - i].port);
	}
	/* What cannot be is said, and to nobody else. */
	struct shoal_addr nobody = strangers_addr("1.2.3.4:5");
	const struct {
		const struct shoal_addr *to;
		uint32_t err;
	} cases[] = { { &at[2], SHOAL_HOLEPUNCH_NO_SUPPORT },
		      { &nobody, SHOAL_HOLEPUNCH_NOT_CONNECTED },
		      { &at[0], SHOAL_HOLEPUNCH_NO_SELF } };
	for (unsigned i = 0; i < 3; i++) {
		stranger_punch(s[0], SHOAL_HOLEPUNCH_RENDEZVOUS, cases[i].to);
		strangers_run(w, SHOAL_S(1));
		assert_int_equal(s[0]->punches, 2 + i);
		assert_int_equal(s[0]->punch.kind, SHOAL_HOLEPUNCH_ERROR);
		assert_int_equal(s[0]->punch.err, cases[i].err);
	}
	/* One that has not said that it speaks it is not answered (BEP 55). */
	stranger_punch(s[2], SHOAL_HOLEPUNCH_RENDEZVOUS, &at[0]);
	strangers_run(w, SHOAL_S(1));
	assert_int_equal(s[2]->punches, 0);
	assert_int_equal(s[1]->punches, 1);
	strangers_free(w);
}

/* However often it is told to, a node sends little to one place. */
static void a_rendezvous_is_no_weapon(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .utp = true, .hangs = true });
	struct shoal_addr liar = strangers_addr("81.2.3.1:5001"), victim = strangers_addr("92.4.5.2:5002");
	struct stranger *s = stranger_come(w, &liar, 0);
	stranger_punches(s);
	strangers_run(w, SHOAL_S(1));
	stranger_punch(s, SHOAL_HOLEPUNCH_CONNECT, &victim);
	strangers_run(w, SHOAL_S(1));
	assert_true(w->datagrams > 0);
	assert_memory_equal(w->datagram_to.ip, victim.ip, 4);
	assert_int_equal(strangers_dials_to(w, &victim, 0), 0); /* by uTP alone */
	for (int i = 0; i < 300 && s->open; i++) {
		victim.port++;
		stranger_punch(s, SHOAL_HOLEPUNCH_CONNECT, &victim);
		strangers_run(w, SHOAL_MS(200));
	}
	strangers_run(w, SHOAL_S(60));
	print_message("%u datagrams, the liar %s\n", w->datagrams, s->open ? "stays" : "has been sent away");
	assert_true(w->datagrams <=
		    4 * 4 * 3); /* three tries of a host, each of four SYNs; some come by the book, too */
	strangers_free(w);
}

static void who_cannot_be_dialled_is_asked_for(void **state)
{
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .utp = true });
	struct shoal_addr at = strangers_addr("81.2.3.1:5001"), far = strangers_addr("92.4.5.2:5002");
	struct stranger *s = stranger_come(w, &at, 0);
	stranger_punches(s);
	strangers_run(w, SHOAL_S(1));
	struct shoal_pex pex = { .added_count = 1 };
	pex.added[0] = (struct shoal_pex_peer){ far, SHOAL_PEX_UTP | SHOAL_PEX_HOLEPUNCH };
	stranger_pex(s, &pex);
	strangers_run(w, SHOAL_S(20)); /* the dials fail */
	assert_true(s->punches >= 1);
	assert_int_equal(s->punch.kind, SHOAL_HOLEPUNCH_RENDEZVOUS);
	assert_memory_equal(s->punch.addr.ip, far.ip, 4);
	assert_int_equal(s->punch.addr.port, far.port);
	strangers_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_swarm_by_utp_alone),
		cmocka_unit_test(where_tcp_works_neighbours_use_it),
		cmocka_unit_test(the_other_carrier_is_tried),
		cmocka_unit_test(two_behind_nats_are_brought_together),
		cmocka_unit_test(strangers_are_introduced),
		cmocka_unit_test(a_rendezvous_is_no_weapon),
		cmocka_unit_test(who_cannot_be_dialled_is_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
