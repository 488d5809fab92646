/* test_sim_accounts.c - who gave what to whom, and is blamed for what, stays true, however connections come, cross and end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/digest.h"
#include "swarm/core/evidence_room.h"
#include "swarm/core/node_room.h"
#include "tests/sim/scene.h"
#include "tests/sim/strangers.h"

struct sums {
	uint64_t got, gave, wasted;
	unsigned rows, addressed; /* of them, with an address that somebody could dial */
};

static void add_row(void *to, struct sim_node *n, const struct shoal_event *ev)
{
	struct sums *a = to;
	(void)n;
	if (ev->kind != SHOAL_EV_PEER)
		return;
	a->rows++;
	a->addressed += ev->addr.port == SIM_PORT;
	a->got += ev->info.got;
	a->gave += ev->info.gave;
	a->wasted += ev->info.wasted;
}

static void ask(struct sim_node *n, struct sums *a)
{
	struct shoal_op peers = { .kind = SHOAL_OP_PEERS, .ticket = 1, .torrent = n->torrent };
	*a = (struct sums){ 0 };
	assert_int_equal(sim_node_do(n, &peers), 0);
	sim_run_for(n->sim, SHOAL_MS(1));
	sim_node_ask_stats(n);
}

/* Two dial each other, one `apart` after the other: one of the two connections is closed, perhaps before it has said who
 * is at its end. When all is over, and nobody is connected any more, each knows what it got and gave. */
static void cross(struct sim_content *c, uint64_t seed, shoal_us apart, bool seed_first, bool hides)
{
	struct sums a;
	struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = c, .on_event = add_row, .to = &a });
	struct sim_node_options o = { .up = 2 * MIB, .hides = hides, .encryption = SHOAL_ENCRYPTION_ALLOW };
	struct sim_node *one = scene_seed(sim, o);
	scene_leeches(sim, o, 1, 0, 0);
	struct sim_node *two = sim_node(sim, 1);
	scene_start_all(sim);
	sim_run_for(sim, SHOAL_S(1));
	sim_node_meet(seed_first ? one : two, seed_first ? two : one);
	sim_run_for(sim, apart);
	sim_node_meet(seed_first ? two : one, seed_first ? one : two);
	scene_complete(sim, SHOAL_S(30));
	uint64_t size = shoal_metainfo_size(c->mi);
	sim_node_cut(one, true); /* nobody comes back */
	sim_node_reset(two, NULL);
	sim_run_for(sim, SHOAL_MS(100));
	ask(two, &a);
	if (a.got != size || a.addressed != 1)
		fail_msg(
			"seed %llu, %llu us apart, %s first%s: got %llu of %llu in %u rows, %u of them with an address",
			(unsigned long long)seed, (unsigned long long)apart, seed_first ? "seed" : "leech",
			hides ? ", MSE" : "", (unsigned long long)a.got, (unsigned long long)size, a.rows, a.addressed);
	assert_int_equal(a.wasted, two->stats.wasted);
	ask(one, &a);
	assert_int_equal(a.gave, one->stats.uploaded);
	assert_int_equal(a.addressed, 1);
	sim_free(sim);
}

static void two_dial_each_other(void **state)
{
	(void)state;
	struct sim_content c;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, MIB, 700);
	for (uint64_t seed = 700; seed < 704; seed++)
		for (shoal_us apart = 0; apart <= SHOAL_MS(120); apart += SHOAL_MS(10))
			for (int k = 0; k < 4; k++)
				cross(&c, seed, apart, k & 1, k & 2);
	sim_content_fini(&c);
}

/* ---- among strangers ------------------------------------------------------------------------- */

static void add_row_of_one(void *to, const struct shoal_event *ev)
{
	add_row(to, NULL, ev);
}

static void ask_one(struct strangers *w, struct sums *a)
{
	struct shoal_op peers = { .kind = SHOAL_OP_PEERS, .ticket = 1, .torrent = w->torrent };
	*a = (struct sums){ 0 };
	assert_int_equal(shoal_node_do(w->node, &peers, w->now), 0);
	strangers_run(w, SHOAL_MS(1));
}

/* Ten blocks are asked for, and come. */
static void fetch(struct stranger *s)
{
	uint8_t ask[10 * 17];
	for (uint32_t i = 0; i < 10; i++) {
		const struct shoal_wire_msg msg = {
			.id = SHOAL_WIRE_REQUEST, .index = i / 2 % 4, .begin = i % 2 * SHOAL_BLOCK, .len = SHOAL_BLOCK
		};
		assert_int_equal(shoal_wire_encode(&msg, (struct shoal_space){ ask + 17 * i, 17 }), 17);
	}
	stranger_wants(s);
	strangers_run(s->w, SHOAL_S(1));
	s->fetches = true;
	stranger_say(s, ask, sizeof ask);
	strangers_run(s->w, SHOAL_S(1));
	assert_true(s->fetched >= 10 * SHOAL_BLOCK);
}

static struct strangers *a_seed(struct sums *a)
{
	struct strangers *w = strangers_new(&(struct strangers_options){
		.torrent = true, .seeds = true, .hangs = true, .on_event = add_row_of_one, .to = a });
	strangers_run(w, SHOAL_S(8)); /* it looks at what it has */
	return w;
}

/* One is dialled, and comes in itself before that dial has failed: what is given to it is in its row, and stays there. */
static void a_dial_that_fails_takes_nothing_away(void **state)
{
	(void)state;
	struct sums a;
	struct strangers *w = a_seed(&a);
	struct shoal_addr listens = strangers_addr("80.1.2.3:6881");
	struct shoal_addr from = strangers_addr("80.1.2.3:40000");
	strangers_name(w, &listens);
	strangers_run(w, SHOAL_MS(100));
	assert_int_equal(strangers_dials_to(w, &listens, 0), 1);
	struct stranger *s = stranger_come(w, &from, SIM_PORT);
	shoal_node_dialed(w->node, w->dial[w->dials - 1].cookie, NULL, SHOAL_ERR_NET, w->now);
	fetch(s);
	ask_one(w, &a);
	assert_int_equal(a.rows, 1);
	assert_int_equal(a.addressed, 1);
	assert_int_equal(a.gave, 10 * SHOAL_BLOCK);
	stranger_leave(s);
	ask_one(w, &a);
	assert_int_equal(a.gave, 10 * SHOAL_BLOCK);
	assert_int_equal(a.addressed, 1);
	strangers_free(w);
}

/* Who does not say where it listens has no row once it is gone; those that have left have one together. */
static void who_has_no_address_is_not_forgotten(void **state)
{
	(void)state;
	struct sums a;
	struct strangers *w = a_seed(&a);
	for (unsigned i = 0; i < 2; i++) {
		struct shoal_addr from = strangers_v4(0x50000001u + (i << 16), 40000);
		struct stranger *s = stranger_come(w, &from, 0);
		fetch(s);
		ask_one(w, &a);
		assert_int_equal(a.rows, 1 + i);
		stranger_leave(s);
	}
	ask_one(w, &a);
	assert_int_equal(a.rows, 1);
	assert_int_equal(a.addressed, 0);
	assert_int_equal(a.gave, 20 * SHOAL_BLOCK);
	strangers_free(w);
}

/* ---- who is suspected, and gone when another is named ---------------------------------------------------- */

#define BLOCKS 8 /* of the strangers' torrent: four pieces of two */

struct asked {
	const struct stranger *first; /* that is spoken to */
	unsigned of[2][BLOCKS];	      /* it; all others */
};

static void hear(void *to, struct stranger *s, const struct shoal_wire_msg *msg)
{
	struct asked *a = to;
	a->first = a->first == NULL ? s : a->first;
	if (msg->id == SHOAL_WIRE_REQUEST)
		a->of[a->first != s][msg->index * 2 + msg->begin / SHOAL_BLOCK]++;
}

static struct stranger *one_that_serves(struct strangers *w, const char *at)
{
	struct shoal_addr addr = strangers_addr(at);
	struct stranger *s = stranger_come(w, &addr, addr.port);
	stranger_say(s, "\0\0\0\1\x0e", 5); /* have all */
	stranger_say(s, "\0\0\0\1\1", 5);   /* unchoke */
	strangers_run(w, SHOAL_S(1));
	return s;
}

static float held_against(const struct strangers *w, const char *at)
{
	struct shoal_addr addr = strangers_addr(at);
	const struct shoal_repute_entry *e = shoal_repute_find(&w->node->repute, &addr);
	assert_non_null(e);
	return e->rep.wrong - (float)SHOAL_REP_STRENGTH * e->rep.expect_wrong;
}

/* Two have sent a block each of a piece that is false, and one of them leaves. When it turns out that it was the other,
 * nothing is held against the one that is gone. */
static void who_left_under_suspicion_is_cleared_too(void **state)
{
	static const char honest[] = "80.1.2.3:7000", liar[] = "81.1.2.3:7000";
	static const uint8_t zeros[SHOAL_BLOCK];
	uint8_t truth[2][32] = { { 0 } };
	struct asked asked = { 0 };
	unsigned piece = 0;
	(void)state;
	struct strangers *w = strangers_new(
		&(struct strangers_options){ .torrent = true, .on_message = hear, .to = &asked });
	strangers_run(w, SHOAL_S(8));
	struct stranger *a = one_that_serves(w, honest);
	strangers_run(w, SHOAL_S(60)); /* it stalls: others are asked for the same */
	struct stranger *b = one_that_serves(w, liar);
	while (piece < 4 && (asked.of[0][2 * piece] == 0 || asked.of[1][2 * piece + 1] == 0))
		piece++;
	assert_in_range(piece, 0, 3);
	stranger_gives(a, 2 * piece);
	stranger_gives(b, 2 * piece + 1);
	strangers_run(w, SHOAL_S(1));
	assert_true(held_against(w, honest) > 0.1f && held_against(w, liar) > 0.1f);
	stranger_leave(a);
	strangers_run(w, SHOAL_S(1));
	assert_true(held_against(w, honest) > 0.1f);
	shoal_sha256(shoal_bytes(zeros, sizeof zeros), truth[0]);
	shoal_evidence_settle(w->node->swarms, piece, (const uint8_t(*)[32])truth, 2, SHOAL_REP_WHY_FALSE_DIFF, w->now);
	assert_true(held_against(w, honest) < 0.001f);
	assert_true(held_against(w, liar) > 1);
	strangers_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_dial_each_other),
		cmocka_unit_test(a_dial_that_fails_takes_nothing_away),
		cmocka_unit_test(who_has_no_address_is_not_forgotten),
		cmocka_unit_test(who_left_under_suspicion_is_cleared_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
