/* test_sim_flight.c - what a recorded node says of its decisions is what happened; and it does the same when nobody listens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "swarm/core/evidence.h"
#include "swarm/core/flight.h"
#include "tests/sim/scene.h"

/* All records of one node. */
struct tape {
	unsigned node;
	uint8_t *at;
	size_t len, room;
};

static void listen(void *to, struct sim_node *n, const struct shoal_event *ev)
{
	struct tape *t = to;
	if (ev->kind != SHOAL_EV_FLIGHT || n->index != t->node)
		return;
	if (t->room - t->len < ev->data.len) {
		t->room = 2 * (t->room + ev->data.len);
		t->at = realloc(t->at, t->room);
		assert_non_null(t->at);
	}
	memcpy(t->at + t->len, ev->data.at, ev->data.len);
	t->len += ev->data.len;
}

static bool next(const struct tape *t, size_t *at, struct shoal_flight *f)
{
	if (*at == t->len)
		return false;
	ptrdiff_t n = shoal_flight_decode(shoal_bytes(t->at + *at, t->len - *at), f);
	assert_true(n > 0);
	assert_int_not_equal(f->kind, SHOAL_FLIGHT_UNKNOWN);
	*at += (size_t)n;
	return true;
}

static size_t count_of(const struct tape *t, enum shoal_flight_kind kind, uint32_t peer, struct shoal_flight *last)
{
	struct shoal_flight f;
	size_t n = 0;
	for (size_t at = 0; next(t, &at, &f);) {
		if (f.kind != kind || (peer != 0 && f.peer != peer))
			continue;
		*last = f;
		n++;
	}
	return n;
}

/* What it is called in the records. */
static uint32_t peer_at(const struct tape *t, const struct shoal_addr *addr)
{
	struct shoal_flight f;
	for (size_t at = 0; next(t, &at, &f);)
		if (f.kind == SHOAL_FLIGHT_PEER && shoal_flight_term(&f, "v4") &&
		    shoal_flight_term(&f, "ip_low") == shoal_get_u32(addr->ip))
			return f.peer;
	fail_msg("nobody with that address was recorded");
	return 0;
}

/* ---- it is the same run ------------------------------------------------------------------------------ */

static uint64_t run(uint64_t seed, bool record, struct tape *tape)
{
	struct sim_content c;
	scene_content(&c, seed % 2 ? SHOAL_FORMAT_V1 : SHOAL_FORMAT_V2, 64 * KIB, 3 * MIB, seed);
	struct sim *sim = sim_new(
		&(struct sim_options){ .seed = seed, .content = &c, .cut_ppm = 50000, .on_event = listen, .to = tape });
	struct sim_adversary_spec spec = sim_adversary_spec(SIM_POLLUTER);
	spec.rate = 300000;
	scene_seed(sim, (struct sim_node_options){ .up = 512 * KIB, .record = record });
	scene_seed(sim, (struct sim_node_options){ .up = 512 * KIB, .adversary = spec });
	scene_leeches(sim, (struct sim_node_options){ .up = 256 * KIB, .down = MIB, .record = record }, 4, 1, 2);
	for (unsigned i = 2; i < sim_nodes(sim); i++)
		sim_node_meet(sim_node(sim, i), sim_node(sim, 1));
	scene_start_all(sim);
	scene_complete(sim, SHOAL_S(200));
	uint64_t trace = sim_trace(sim) ^ sim_state(sim) << 1 ^ sim_now(sim) << 2;
	sim_free(sim);
	sim_content_fini(&c);
	return trace;
}

static void a_recorded_run_is_the_same_run(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= scene_rounds(4, 2, 40); seed++) {
		struct tape with = { .node = 2 }, without = { .node = 2 };
		assert_int_equal(run(seed, true, &with), run(seed, false, &without));
		assert_true(with.len > 1000);
		assert_int_equal(without.len, 0);
		free(with.at);
	}
}

/* ---- it is what happened ------------------------------------------------------------------------------ */

struct stage {
	struct sim_content c;
	struct sim *sim;
	struct tape tape;
};

/* Node 0 an honest seed, node 1 of that kind, node 2 the leech that is recorded. */
static void play(struct stage *s, enum shoal_format format, enum sim_adversary_kind kind, uint32_t rate,
		 uint32_t honest_up, shoal_us time)
{
	struct sim_adversary_spec spec = sim_adversary_spec(kind);
	*s = (struct stage){ .tape = { .node = 2 } };
	if (kind == SIM_POLLUTER)
		spec.rate = rate;
	scene_content(&s->c, format, format == SHOAL_FORMAT_V1 ? 512 * KIB : 64 * KIB, 4 * MIB, 11);
	s->sim = sim_new(&(struct sim_options){ .seed = 11, .content = &s->c, .on_event = listen, .to = &s->tape });
	scene_seed(s->sim, (struct sim_node_options){ .up = honest_up });
	scene_seed(s->sim, (struct sim_node_options){ .up = 512 * KIB, .adversary = spec });
	scene_leeches(s->sim, (struct sim_node_options){ .record = true }, 1, 1, 0);
	sim_node_meet(sim_node(s->sim, 2), sim_node(s->sim, 1));
	scene_start_all(s->sim);
	sim_run_for(s->sim, time);
	assert_string_equal(sim_wrong(s->sim), "");
}

static void end(struct stage *s)
{
	free(s->tape.at);
	sim_free(s->sim);
	sim_content_fini(&s->c);
}

/* Every piece has a story that hangs together: somebody is asked before it comes good, and all its blocks have senders who
 * were introduced. */
static void check_pieces(const struct stage *s)
{
	uint32_t pieces = 0, first = 0;
	struct shoal_flight f, g;
	uint8_t seen[4096] = { 0 };
	shoal_us before = 0;
	for (size_t at = 0; next(&s->tape, &at, &f);) {
		assert_true(f.at >= before);
		before = f.at;
		if (f.kind == SHOAL_FLIGHT_TORRENT)
			pieces = (uint32_t)shoal_flight_term(&f, "pieces");
		if (f.kind == SHOAL_FLIGHT_PEER)
			seen[f.peer % sizeof seen] = 1;
		else if (f.peer != 0)
			assert_true(seen[f.peer % sizeof seen]);
		if (f.kind != SHOAL_FLIGHT_GOOD)
			continue;
		first++;
		uint64_t sent = 0, of = 0;
		bool asked = false;
		for (size_t to = 0; to < at && next(&s->tape, &to, &g);) {
			if (g.piece != f.piece)
				continue;
			asked = asked || g.kind == SHOAL_FLIGHT_ASK;
			sent += g.kind == SHOAL_FLIGHT_PART ? shoal_flight_term(&g, "blocks") : 0;
			of = g.kind == SHOAL_FLIGHT_PART ? shoal_flight_term(&g, "of") : of;
		}
		assert_true(asked && of > 0);
		assert_int_equal(sent, of);
	}
	assert_true(pieces > 5);
	assert_int_equal(first, pieces);
}

static void a_ban_is_told_with_its_evidence(void **state)
{
	struct stage s;
	struct shoal_flight ban, last;
	(void)state;
	play(&s, SHOAL_FORMAT_V2, SIM_POLLUTER, 500000, 512 * KIB, SHOAL_S(30));
	assert_true(sim_node(s.sim, 2)->complete);
	check_pieces(&s);
	uint32_t liar = peer_at(&s.tape, &sim_node(s.sim, 1)->addr), seed = peer_at(&s.tape, &sim_node(s.sim, 0)->addr);
	assert_int_equal(count_of(&s.tape, SHOAL_FLIGHT_BAN, 0, &ban), 1);
	assert_int_equal(ban.peer, liar);
	assert_true(shoal_flight_term(&ban, "cusum_milli") >= (uint64_t)(SHOAL_REP_CUSUM_BAN * 1000));
	assert_int_equal(shoal_flight_term(&ban, "for_us"), SHOAL_S(SHOAL_REP_BAN_S));
	size_t falses = count_of(&s.tape, SHOAL_FLIGHT_FALSE, liar, &last);
	assert_true(falses >= 2);
	assert_int_equal(shoal_flight_term(&last, "false_blocks"), falses);
	assert_int_equal(shoal_flight_term(&ban, "false_blocks"), 2); /* the second one was enough */
	assert_int_equal(count_of(&s.tape, SHOAL_FLIGHT_FALSE, seed, &last), 0);
	/* The one who was not asked, and why, is told of pieces that were begun. */
	assert_true(count_of(&s.tape, SHOAL_FLIGHT_NOT, seed, &last) > 0);
	assert_true(count_of(&s.tape, SHOAL_FLIGHT_ASK, seed, &last) > 0);
	end(&s);
}

/* In v1 nobody can be named at first: shares of the blame are told, and add up to one or more. */
static void suspicion_is_told_with_its_shares(void **state)
{
	struct stage s;
	struct shoal_flight f, g;
	size_t suspected = 0;
	(void)state;
	play(&s, SHOAL_FORMAT_V1, SIM_POLLUTER, 20000, 256 * KIB, SHOAL_S(60));
	check_pieces(&s);
	for (size_t at = 0; next(&s.tape, &at, &f);) {
		uint64_t sum = 0, blocks = 0;
		if (f.kind != SHOAL_FLIGHT_BAD || shoal_flight_term(&f, "senders") < 2)
			continue;
		for (size_t to = at; next(&s.tape, &to, &g) && g.kind == SHOAL_FLIGHT_SUSPECT;) {
			assert_int_equal(g.piece, f.piece);
			sum += shoal_flight_term(&g, "share_ppm");
			blocks += shoal_flight_term(&g, "blocks");
			assert_true(shoal_flight_term(&g, "expect_ppm") > 0);
			if (blocks == shoal_flight_term(&g, "of"))
				break;
		}
		assert_true(sum >= 990000);
		suspected++;
	}
	assert_true(suspected > 0);
	end(&s);
}

/* One that takes its time: it stalls, the block it owes is asked of another, and while there is no other the record names it. */
static void a_stalled_piece_names_who_is_waited_for(void **state)
{
	struct stage s;
	struct shoal_flight last;
	(void)state;
	play(&s, SHOAL_FORMAT_V2, SIM_LORIS, 0, 16 * KIB, SHOAL_S(40));
	uint32_t loris = peer_at(&s.tape, &sim_node(s.sim, 1)->addr);
	assert_true(count_of(&s.tape, SHOAL_FLIGHT_STALL, loris, &last) > 0);
	assert_true(shoal_flight_term(&last, "waited_us") >= shoal_flight_term(&last, "patience_us"));
	size_t named = 0;
	struct shoal_flight f;
	for (size_t at = 0; next(&s.tape, &at, &f);)
		named += f.kind == SHOAL_FLIGHT_WAIT && shoal_flight_term(&f, "missing") > 0;
	assert_true(named > 0);
	assert_true(count_of(&s.tape, SHOAL_FLIGHT_STATE, 0, &last) > 0);
	assert_true(shoal_flight_term(&last, "left") > 0);
	assert_int_equal(shoal_flight_term(&last, "peers"), 2);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_recorded_run_is_the_same_run),
		cmocka_unit_test(a_ban_is_told_with_its_evidence),
		cmocka_unit_test(suspicion_is_told_with_its_shares),
		cmocka_unit_test(a_stalled_piece_names_who_is_waited_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
