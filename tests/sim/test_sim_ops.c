/* test_sim_ops.c - the operations of shoal/engine.h on nodes under transfer: read, remove, verify, limits, peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/scene.h"

#define TICKETS 512

/* What came back for each ticket. */
struct answers {
	const struct sim_content *c;
	unsigned data[TICKETS], done[TICKETS], peers[TICKETS];
	int err[TICKETS];
	bool wrong;
	uint64_t got, gave;
};

/* The stream's bytes, zeros where it is padding. */
static bool stream_is(const struct sim_content *c, uint64_t offset, struct shoal_bytes data)
{
	uint32_t size = shoal_metainfo_piece_size(c->mi);
	for (size_t i = 0; i < data.len; i++) {
		uint32_t piece = (uint32_t)((offset + i) / size);
		uint8_t want = 0;
		if ((offset + i) % size < shoal_metainfo_piece_bytes(c->mi, piece))
			sim_content_bytes(c->seed, offset + i, &want, 1);
		if (data.at[i] != want)
			return false;
	}
	return true;
}

static void on_answer(void *to, struct sim_node *n, const struct shoal_event *ev)
{
	struct answers *a = to;
	(void)n;
	if (ev->ticket == 0 || ev->ticket >= TICKETS)
		return;
	if (ev->kind == SHOAL_EV_DATA) {
		a->data[ev->ticket]++;
		a->err[ev->ticket] = ev->err;
		a->wrong = a->wrong || (ev->err == 0 && !stream_is(a->c, ev->done, ev->data));
	} else if (ev->kind == SHOAL_EV_DONE) {
		a->done[ev->ticket]++;
	} else if (ev->kind == SHOAL_EV_PEER) {
		a->peers[ev->ticket]++;
		a->got += ev->info.got;
		a->gave += ev->info.gave;
	}
}

/* Ranges of any place and length, while pieces come in: right bytes, or GONE, one answer each. */
static void any_range_can_be_read(void **state)
{
	static const enum shoal_format formats[] = { SHOAL_FORMAT_V1, SHOAL_FORMAT_V2, SHOAL_FORMAT_HYBRID };
	(void)state;
	for (unsigned f = 0; f < 3; f++) {
		struct sim_content c;
		struct answers a = { .c = &c };
		scene_content(&c, formats[f], 64 * KIB, 2 * MIB, 600 + f);
		struct sim *sim = sim_new(
			&(struct sim_options){ .seed = 600 + f, .content = &c, .on_event = on_answer, .to = &a });
		scene_seed(sim, (struct sim_node_options){ .up = MIB });
		scene_leeches(sim, (struct sim_node_options){ .memory = 2 * MIB }, 1, 1, 0);
		struct sim_node *leech = sim_node(sim, 1);
		struct shoal_rng *dice = sim_dice(sim);
		uint64_t stream = shoal_metainfo_stream_size(c.mi);
		scene_start_all(sim);
		sim_run_for(sim, SHOAL_MS(300));
		unsigned good = 0;
		unsigned gone = 0;
		for (unsigned t = 1; t < 200; t++) {
			uint64_t offset = shoal_rng_below(dice, (uint32_t)stream);
			uint64_t most = stream - offset < 300 * KIB ? stream - offset : 300 * KIB;
			struct shoal_op read = { .kind = SHOAL_OP_READ,
						 .ticket = t,
						 .torrent = leech->torrent,
						 .offset = offset,
						 .length = 1 + shoal_rng_below(dice, (uint32_t)most) };
			assert_int_equal(sim_node_do(leech, &read), 0);
			sim_run_for(sim, SHOAL_MS(20));
		}
		scene_complete(sim, SHOAL_S(60));
		for (unsigned t = 1; t < 200; t++) {
			assert_int_equal(a.data[t], 1);
			good += a.err[t] == 0;
			gone += a.err[t] == SHOAL_ERR_GONE;
		}
		assert_false(a.wrong);
		print_message("%s: %u read, %u not there yet\n", scene_format_name(formats[f]), good, gone);
		assert_true(good > 20 && gone > 0 && good + gone == 199);
		struct shoal_op past = { .kind = SHOAL_OP_READ,
					 .ticket = 300,
					 .torrent = leech->torrent,
					 .offset = stream - 1,
					 .length = 2 };
		assert_int_equal(sim_node_do(leech, &past), SHOAL_ERR_RANGE);
		sim_free(sim);
		sim_content_fini(&c);
	}
}

struct gone {
	struct answers *a;
	unsigned ticket;
};
static bool is_removed(struct sim *sim, void *arg)
{
	const struct gone *g = arg;
	(void)sim;
	return g->a->done[g->ticket] > 0;
}

/* A torrent is removed in the middle of everything, and added again: its memory came back, its claims stayed. */
static void a_removed_torrent_leaves_its_claims(void **state)
{
	struct sim_content c;
	struct answers a = { .c = &c };
	(void)state;
	scene_content(&c, SHOAL_FORMAT_HYBRID, 64 * KIB, 3 * MIB, 610);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 610, .content = &c, .on_event = on_answer, .to = &a });
	scene_seed(sim, (struct sim_node_options){ .up = MIB });
	scene_leeches(sim, (struct sim_node_options){ .latency = { 100, 20000 } }, 1, 1, 0);
	struct sim_node *leech = sim_node(sim, 1);
	scene_start_all(sim);
	for (unsigned round = 1; round <= 5; round++) {
		sim_run_for(sim, SHOAL_MS(437));
		struct shoal_op read = {
			.kind = SHOAL_OP_READ, .ticket = 100 + round, .torrent = leech->torrent, .length = 64 * KIB
		};
		struct shoal_op verify = { .kind = SHOAL_OP_VERIFY, .torrent = leech->torrent };
		struct shoal_op remove = { .kind = SHOAL_OP_REMOVE, .ticket = round, .torrent = leech->torrent };
		assert_int_equal(sim_node_do(leech, &read), 0);
		int rc = sim_node_do(leech, &verify);
		assert_true(rc == 0 || rc == SHOAL_ERR_BUSY); /* it may be checking */
		assert_int_equal(sim_node_do(leech, &remove), 0);
		struct gone g = { &a, round };
		assert_true(sim_run(sim, is_removed, &g, SHOAL_S(10)));
		assert_int_equal(a.data[100 + round], 1);
		assert_int_equal(sim_node_do(leech, &remove), SHOAL_ERR_GONE);
		(void)shoal_slots_trim(leech->slots);
		/* What the node itself keeps: for connections, and of addresses. */
		assert_in_range(leech->budget.used, 0, leech->budget.limit / 16 + 16 * KIB);
		sim_witness_reborn(&leech->witness);
		struct shoal_op add = { .kind = SHOAL_OP_ADD,
					.data = { c.torrent, c.torrent_len },
					.folder = { (const uint8_t *)SIM_FOLDER, sizeof SIM_FOLDER - 1 } };
		leech->added = leech->checked = false;
		assert_int_equal(sim_node_do(leech, &add), 0);
		sim_run_for(sim, SHOAL_MS(1));
		assert_true(leech->added);
		struct shoal_op peer = { .kind = SHOAL_OP_PEER,
					 .torrent = leech->torrent,
					 .addr = sim_node(sim, 0)->addr };
		assert_int_equal(sim_node_do(leech, &peer), 0);
	}
	scene_complete(sim, SHOAL_S(30));
	sim_free(sim);
	sim_content_fini(&c);
}

/* Once its buffers have filled the budget, and are free again, others may have the memory. */
static void buffers_give_way_to_what_else_is_needed(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, 4 * MIB, 615);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 615, .content = &c });
	scene_seed(sim, (struct sim_node_options){ .up = 0 });
	scene_leeches(sim, (struct sim_node_options){ .memory = MIB }, 1, 1, 0);
	struct sim_node *leech = sim_node(sim, 1);
	scene_start_all(sim);
	scene_complete(sim, SHOAL_S(60));
	/* A torrent that needs more than what is left, and less than what is left and idle. */
	struct sim_content large;
	size_t left = leech->budget.limit - leech->budget.used;
	print_message("%zu of %zu bytes in use\n", leech->budget.used, leech->budget.limit);
	const struct sim_file_spec file[] = { { "many", (uint64_t)(left / 20 + 2000) * 1024 } };
	sim_content_init(
		&large,
		&(struct sim_content_spec){
			.seed = 616, .format = SHOAL_FORMAT_V1, .piece_size = 1024, .file = file, .file_count = 1 });
	assert_true(left < large.torrent_len);
	struct shoal_op add = { .kind = SHOAL_OP_ADD,
				.data = { large.torrent, large.torrent_len },
				.folder = { (const uint8_t *)"/other", 6 } };
	leech->added = false;
	assert_int_equal(sim_node_do(leech, &add), 0);
	sim_run_for(sim, SHOAL_MS(10));
	print_message("%s\n", leech->text);
	assert_true(leech->added);
	sim_free(sim);
	sim_content_fini(&large);
	sim_content_fini(&c);
}

/* Limits change while bytes flow. */
static void limits_change_while_bytes_flow(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V2, 64 * KIB, 6 * MIB, 620);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 620, .content = &c });
	scene_seed(sim, (struct sim_node_options){ .up = 8 * MIB });
	scene_leeches(sim, (struct sim_node_options){ .up = MIB }, 1, 1, 0);
	struct sim_node *leech = sim_node(sim, 1);
	scene_start_all(sim);
	static const uint64_t rates[] = { 100 * KIB, 400 * KIB, 50 * KIB };
	for (unsigned i = 0; i < 3; i++) {
		struct shoal_op limit = { .kind = SHOAL_OP_LIMITS, .down = rates[i] };
		assert_int_equal(sim_node_do(leech, &limit), 0);
		sim_run_for(sim, SHOAL_S(1)); /* what was asked for before is still coming */
		sim_node_ask_stats(leech);
		uint64_t before = leech->stats.downloaded;
		sim_run_for(sim, SHOAL_S(4));
		sim_node_ask_stats(leech);
		double rate = (double)(leech->stats.downloaded - before) / 4;
		print_message("%.0f of %.0f KiB/s\n", rate / KIB, (double)rates[i] / KIB);
		assert_true(rate < 1.2 * (double)rates[i] && rate > 0.7 * (double)rates[i]);
	}
	struct shoal_op none = { .kind = SHOAL_OP_LIMITS };
	assert_int_equal(sim_node_do(leech, &none), 0);
	shoal_us before = sim_now(sim);
	scene_complete(sim, SHOAL_S(10));
	assert_true(sim_now(sim) - before < SHOAL_S(3));
	sim_free(sim);
	sim_content_fini(&c);
}

/* What the accounts of all say adds up: verified bytes from peers are the content, once. */
static void the_accounts_add_up(void **state)
{
	struct sim_content c;
	struct answers a = { .c = &c };
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, 2 * MIB, 630);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 630, .content = &c, .on_event = on_answer, .to = &a });
	scene_seed(sim, (struct sim_node_options){ .up = MIB });
	scene_leeches(sim, (struct sim_node_options){ .up = MIB }, 5, 2, 2);
	scene_start_all(sim);
	scene_complete(sim, SHOAL_S(60));
	sim_run_for(sim, SHOAL_S(1));
	uint64_t size = shoal_metainfo_size(c.mi);
	uint64_t up = 0;
	uint64_t down = 0;
	for (unsigned i = 0; i < sim_nodes(sim); i++) {
		struct sim_node *n = sim_node(sim, i);
		struct shoal_op peers = { .kind = SHOAL_OP_PEERS, .ticket = 1 + i, .torrent = n->torrent };
		a.got = 0;
		assert_int_equal(sim_node_do(n, &peers), 0);
		sim_run_for(sim, SHOAL_MS(1));
		assert_int_equal(a.done[1 + i], 1);
		assert_true(a.peers[1 + i] > 0);
		assert_int_equal(a.got, i == 0 ? 0 : size);
		sim_node_ask_stats(n);
		up += n->stats.uploaded;
		down += n->stats.downloaded;
		assert_int_equal(n->stats.downloaded, (i == 0 ? 0 : size) + n->stats.wasted);
		assert_int_equal(n->stats.done, size);
	}
	assert_int_equal(a.gave, up);
	assert_true(up >= down); /* what was on its way when somebody closed came to nobody */
	sim_free(sim);
	sim_content_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_range_can_be_read),
		cmocka_unit_test(a_removed_torrent_leaves_its_claims),
		cmocka_unit_test(buffers_give_way_to_what_else_is_needed),
		cmocka_unit_test(limits_change_while_bytes_flow),
		cmocka_unit_test(the_accounts_add_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
