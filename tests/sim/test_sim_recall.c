/* test_sim_recall.c - what is known of peers outlives kill -9 and stops, is bounded, and needs no store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "swarm/core/recall.h"
#include "swarm/peers/rep_record.h"
#include "tests/sim/scene.h"

enum { SEED, POLLUTER, LEECH };

static int on_row(void *to, struct shoal_bytes key, struct shoal_bytes value)
{
	(void)key;
	(void)value;
	++*(unsigned *)to;
	return 0;
}

static unsigned rows_of(const struct sim_node *n)
{
	struct shoal_store s = sim_store_view(n->store);
	unsigned count = 0;
	assert_int_equal(s.ops->scan(s.s, SHOAL_STORE_PEER, SHOAL_LIT(""), on_row, &count), 0);
	return count;
}

static void on_value(void *to, struct shoal_bytes value)
{
	assert_int_equal(shoal_rep_record_decode(value, to), 0);
}

static bool known(const struct sim_node *n, const struct shoal_addr *addr, struct shoal_rep_record *rec)
{
	struct shoal_store s = sim_store_view(n->store);
	uint8_t raw[SHOAL_REP_KEY_MAX];
	return s.ops->get(s.s, SHOAL_STORE_PEER,
			  shoal_bytes(raw, shoal_rep_key(&(struct shoal_rep_name){ .addr = *addr }, raw)), on_value,
			  rec) == 1;
}

static void stage(struct sim *sim, bool no_store)
{
	struct sim_adversary_spec spec = sim_adversary_spec(SIM_POLLUTER);
	spec.rate = 1000000;
	scene_seed(sim, (struct sim_node_options){ .up = 64 * KIB }); /* not done before the polluter is asked again */
	(void)sim_node_new(sim, &(struct sim_node_options){ .up = 300 * KIB, .adversary = spec });
	struct sim_node *leech = sim_node_new(sim, &(struct sim_node_options){ .no_store = no_store });
	sim_node_meet(leech, sim_node(sim, SEED));
	sim_node_meet(leech, sim_node(sim, POLLUTER));
	scene_start_all(sim);
}

static bool has_banned(struct sim *sim, void *arg)
{
	(void)sim;
	return ((const struct sim_node *)arg)->bans > 0;
}

/* Kills, or stops, the leech after it has banned the polluter; how many false blocks it gets in its second life. */
static uint64_t second_life(bool kill, bool no_store, uint64_t seed, unsigned *rows)
{
	struct sim_content c;
	scene_content(&c, SHOAL_FORMAT_V2, 64 * KIB, 4 * MIB, seed);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = seed, .content = &c });
	stage(sim, no_store);
	struct sim_node *leech = sim_node(sim, LEECH), *polluter = sim_node(sim, POLLUTER);
	assert_true(sim_run(sim, has_banned, leech, SHOAL_S(60)));
	sim_run_for(sim, SHOAL_RECALL_GRAVE + SHOAL_MS(500));
	if (kill)
		sim_node_crash(leech, SIM_CRASH_KILL);
	else
		assert_true(sim_node_stop(leech, SHOAL_S(2)));
	sim_run_for(sim, SHOAL_S(1));
	uint64_t before = sim_adversary_deeds(polluter->adversary)->spoiled;
	*rows = no_store ? 0 : rows_of(leech);
	if (!no_store) {
		struct shoal_rep_record rec;
		assert_true(known(leech, &polluter->addr, &rec));
		assert_int_equal(rec.rep.state, SHOAL_REP_BANNED);
	}
	sim_node_start(leech);
	sim_run_for(sim, SHOAL_S(180));
	assert_true(leech->complete);
	assert_string_equal(sim_wrong(sim), "");
	uint64_t after = sim_adversary_deeds(polluter->adversary)->spoiled;
	assert_true(sim_node_stop(leech, SHOAL_S(2)));
	if (!no_store) { /* by now, who was good is known as well */
		struct shoal_rep_record rec;
		assert_true(known(leech, &sim_node(sim, SEED)->addr, &rec));
		assert_true(rec.rep.blocks > 100 && rec.rep.false_blocks == 0);
	}
	sim_free(sim);
	sim_content_fini(&c);
	return after - before;
}

static void who_was_banned_stays_banned(void **state)
{
	unsigned rows;
	(void)state;
	for (uint64_t seed = 1; seed <= scene_rounds(5, 2, 40); seed++) {
		assert_int_equal(second_life(true, false, seed, &rows), 0);
		assert_true(rows >= 1);
		assert_int_equal(second_life(false, false, seed, &rows), 0);
		assert_int_equal(rows, 2);
		/* Who remembers nothing meets it again: else this test would prove nothing. */
		assert_true(second_life(true, true, seed, &rows) > 0);
	}
}

static struct shoal_addr somebody(uint32_t i)
{
	struct shoal_addr a = { .is_v4 = true,
				.ip = { 77, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i },
				.port = 6881 };
	return a;
}

static void put(struct sim_node *n, uint32_t i, uint32_t blocks, uint32_t now_s, uint32_t seen_s)
{
	struct shoal_store s = sim_store_view(n->store);
	struct shoal_rep_record rec = { .seen_s = seen_s };
	uint8_t key[SHOAL_REP_KEY_MAX], raw[SHOAL_REP_RECORD_MAX];
	struct shoal_rep_name who = { .addr = somebody(i) };
	shoal_rep_init(&rec.rep, 0.002, now_s);
	shoal_rep_verified(&rec.rep, shoal_rep_memory(0), blocks, now_s);
	size_t len = shoal_rep_record_encode(&rec, raw);
	assert_int_equal(
		s.ops->put(s.s, SHOAL_STORE_PEER, shoal_bytes(key, shoal_rep_key(&who, key)), shoal_bytes(raw, len)),
		0);
}

static void there_are_so_many_and_no_more(void **state)
{
	enum { STALE = 300, POOR = 500 };
	struct sim_content c;
	struct shoal_rep_record rec;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V2, 64 * KIB, 256 * KIB, 9);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 9, .content = &c });
	stage(sim, false);
	struct sim_node *leech = sim_node(sim, LEECH);
	sim_run_for(sim, SHOAL_S(5));
	assert_true(sim_node_stop(leech, SHOAL_S(5)));
	uint32_t now_s = 0;
	assert_true(known(leech, &sim_node(sim, SEED)->addr, &rec));
	now_s = rec.seen_s;
	for (uint32_t i = 0; i < SHOAL_RECALL_ROWS; i++)
		put(leech, i, 50, now_s, now_s);
	for (uint32_t i = 0; i < POOR; i++)
		put(leech, 100000 + i, 1, now_s, now_s);
	for (uint32_t i = 0; i < STALE; i++)
		put(leech, 200000 + i, 200, now_s, now_s - SHOAL_RECALL_KEEP_S - 100);
	struct shoal_store s = sim_store_view(leech->store);
	uint8_t junk[3] = { 'a', 1, 2 };
	assert_int_equal(s.ops->put(s.s, SHOAL_STORE_PEER, shoal_bytes(junk, 3), SHOAL_LIT("no record")), 0);
	assert_int_equal(s.ops->commit(s.s, 1), 0);
	sim_run_for(sim, SHOAL_S(2));
	struct shoal_store_done done[4];
	while (s.ops->reap(s.s, done, 4) > 0)
		;
	assert_true(rows_of(leech) > SHOAL_RECALL_ROWS + POOR + STALE);
	sim_node_start(leech);
	sim_run_for(sim, SHOAL_S(5));
	assert_true(rows_of(leech) <= SHOAL_RECALL_ROWS + 2);
	struct shoal_addr stale = somebody(200000), rich = somebody(3);
	assert_false(known(leech, &stale, &rec));
	assert_true(known(leech, &rich, &rec));
	unsigned poor = 0;
	for (uint32_t i = 0; i < POOR; i++) {
		struct shoal_addr a = somebody(100000 + i);
		poor += known(leech, &a, &rec);
	}
	assert_int_equal(poor, 0);
	assert_true(sim_node_stop(leech, SHOAL_S(5)));
	sim_free(sim);
	sim_content_fini(&c);
}

/* A commit that fails is made good half a minute later. */
static void what_could_not_be_written_is_written_later(void **state)
{
	struct sim_content c;
	struct shoal_rep_record rec;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V2, 64 * KIB, 16 * MIB, 4);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 4, .content = &c });
	stage(sim, false);
	struct sim_node *leech = sim_node(sim, LEECH), *polluter = sim_node(sim, POLLUTER);
	assert_true(sim_run(sim, has_banned, leech, SHOAL_S(60)));
	sim_store_fail(leech->store, SHOAL_ERR_NO_SPACE, 1000);
	sim_run_for(sim, SHOAL_S(3));
	assert_false(known(leech, &polluter->addr, &rec));
	sim_store_fail(leech->store, 0, 0);
	sim_run_for(sim, SHOAL_RECALL_EVERY + SHOAL_S(2));
	assert_true(known(leech, &polluter->addr, &rec));
	assert_int_equal(rec.rep.state, SHOAL_REP_BANNED);
	sim_free(sim);
	sim_content_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_was_banned_stays_banned),
		cmocka_unit_test(there_are_so_many_and_no_more),
		cmocka_unit_test(what_could_not_be_written_is_written_later),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
