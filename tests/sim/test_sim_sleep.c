/* test_sim_sleep.c - torrents with nothing to do sleep, wake for whatever concerns them, and are found by handle and hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/digest.h"
#include "swarm/core/node_room.h"
#include "tests/sim/strangers.h"

#define MANY 300

static unsigned awake(const struct strangers *w)
{
	unsigned count = 0;
	uint32_t last = 0;
	for (const struct shoal_swarm *s = w->node->awake; s != NULL; s = s->awake_next, count++) {
		assert_true(s->handle > last); /* in the order of their handles */
		assert_ptr_equal(*s->awake_at, s);
		last = s->handle;
	}
	return count;
}

/* Torrent number `i`, of which the node has everything, or nothing. Returns its v1 hash. */
static struct shoal_id20 one_more(struct strangers *w, unsigned i)
{
	char torrent[256];
	struct shoal_id20 hash;
	int head = snprintf(torrent, sizeof torrent,
			    "d4:infod6:lengthi131072e4:name4:%04x12:piece lengthi32768e6:pieces80:", i);
	memset(torrent + head, 'h', 80);
	memcpy(torrent + head + 80, "ee", 2);
	size_t len = (size_t)head + 82;
	shoal_sha1(shoal_bytes(torrent + 7, len - 8), hash.b);
	struct shoal_op add = { .kind = SHOAL_OP_ADD,
				.ticket = 1000 + i,
				.flags = w->o.seeds ? SHOAL_ADD_SEED_ONLY : 0,
				.data = shoal_bytes(torrent, len),
				.folder = { (const uint8_t *)"/f", 2 } };
	assert_int_equal(shoal_node_do(w->node, &add, w->now), 0);
	return hash;
}

static void whoever_has_nothing_to_do_sleeps(void **state)
{
	(void)state;
	for (int seeds = 0; seeds < 2; seeds++) {
		struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .seeds = seeds });
		for (unsigned i = 0; i < MANY; i++)
			(void)one_more(w, i);
		assert_true(awake(w) >= MANY);
		strangers_run(w, SHOAL_S(30));
		assert_int_equal(awake(w), 0);
		assert_true(w->wake == SHOAL_NEVER || w->wake > w->now + SHOAL_S(10));

		/* One that is joined is awake while somebody is there, and sleeps again. */
		struct shoal_addr from = strangers_addr("192.0.2.7:7");
		struct stranger *s = stranger_come(w, &from, 0);
		assert_int_equal(awake(w), 1);
		assert_int_equal(w->node->awake->handle, 1);
		strangers_run(w, SHOAL_S(5));
		assert_int_equal(awake(w), 1);
		stranger_leave(s);
		strangers_run(w, SHOAL_S(60));
		assert_int_equal(awake(w), 0);

		/* Whoever is told of somebody wakes to dial. */
		size_t dials = w->dials;
		struct shoal_op peer = { .kind = SHOAL_OP_PEER, .torrent = 7, .addr = strangers_addr("192.0.2.9:9") };
		assert_int_equal(shoal_node_do(w->node, &peer, w->now), 0);
		assert_int_equal(awake(w), 1);
		strangers_run(w, SHOAL_S(3));
		assert_true(w->dials > dials);
		dials = w->dials;
		strangers_run(w, SHOAL_S(300)); /* and again after it failed: its alarm has rung */
		assert_true(w->dials > dials);

		/* Questions wake nobody. */
		strangers_run(w, SHOAL_MS(1500));
		unsigned before = awake(w);
		struct shoal_op stats = { .kind = SHOAL_OP_STATS, .torrent = 20 };
		assert_int_equal(shoal_node_do(w->node, &stats, w->now), 0);
		assert_int_equal(awake(w), before);
		strangers_free(w);
	}
}

static void each_is_found_by_handle_and_hash(void **state)
{
	struct shoal_id20 hash[MANY];
	bool by_v2;
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	for (unsigned i = 0; i < MANY; i++)
		hash[i] = one_more(w, i);
	strangers_run(w, SHOAL_S(2));
	for (unsigned i = 0; i < MANY; i += 3) { /* a third of them goes */
		struct shoal_op gone = { .kind = SHOAL_OP_REMOVE, .torrent = i + 2 };
		assert_int_equal(shoal_node_do(w->node, &gone, w->now), 0);
	}
	strangers_run(w, SHOAL_S(2));
	assert_int_equal(w->node->swarm_count, 1 + MANY - MANY / 3);
	for (unsigned i = 0; i < MANY; i++) {
		struct shoal_swarm *s = shoal_node_handle(w->node, i + 2);
		assert_ptr_equal(shoal_node_swarm(w->node, &hash[i], &by_v2), s);
		assert_true(i % 3 == 0 ? s == NULL : s != NULL && s->handle == i + 2);
		assert_false(by_v2);
	}
	uint32_t seen = 0;
	for (struct shoal_swarm *s = w->node->swarms; s != NULL; s = s->next, seen++)
		assert_ptr_equal(w->node->by_handle[seen], s);
	assert_int_equal(seen, w->node->swarm_count);
	hash[0] = one_more(w, 0); /* one that was there before */
	assert_non_null(shoal_node_swarm(w->node, &hash[0], &by_v2));
	assert_null(shoal_node_handle(w->node, 0));
	assert_null(shoal_node_handle(w->node, MANY + 3));
	strangers_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_has_nothing_to_do_sleeps),
		cmocka_unit_test(each_is_found_by_handle_and_hash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
