/* test_sim_items.c - a value under a key is changed, and read, in a small DHT of which many are slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dht/items.h"
#include "proto/base/bytes.h"
#include "tests/sim/dht_net.h"

#define SLOW SHOAL_S(3) /* eight others have been found and written to by then */
#define NODES_MAX 64

/* The question under way: what came of it. */
struct heard {
	int64_t search, seq; /* seq 0: nothing was found */
	bool over;
	unsigned written;
	shoal_us at;
};

static void hear(struct dht_net *net, uint32_t node, const struct shoal_dht_event *ev)
{
	struct heard *h = net->user;
	(void)node;
	if (ev->search != h->search || h->over)
		return;
	if (ev->kind == SHOAL_DHT_ITEM)
		h->seq = ev->seq;
	if (ev->kind != SHOAL_DHT_DONE)
		return;
	h->over = true;
	h->written = ev->written;
	h->at = net->now;
}

struct scene {
	struct dht_net net;
	struct heard heard;
	struct shoal_id20 target;
	uint32_t asker, by_distance[NODES_MAX], nodes; /* without who asks */
};

/* `nodes` that know each other, and one more who asks. */
static void begin(struct scene *s, uint64_t seed, uint32_t nodes)
{
	assert_true(nodes <= NODES_MAX);
	*s = (struct scene){ .nodes = 0 };
	shoal_item_target_of(dht_net_key, shoal_bytes(NULL, 0), &s->target);
	dht_net_init(&s->net, seed, 0);
	s->net.crypto = &dht_net_crypto;
	s->net.heard = hear;
	s->net.user = &s->heard;
	while (s->nodes < nodes) {
		uint32_t node = dht_net_join(&s->net, NULL), at = s->nodes++;
		dht_net_run(&s->net, s->net.now + SHOAL_S(1));
		for (; at > 0 && shoal_node_id_order(&s->target, &s->net.node[node].id,
						     &s->net.node[s->by_distance[at - 1]].id) < 0;
		     at--)
			s->by_distance[at] = s->by_distance[at - 1];
		s->by_distance[at] = node;
	}
	dht_net_run(&s->net, s->net.now + SHOAL_S(1200)); /* each looks into its own neighbourhood */
	s->asker = dht_net_join(&s->net, NULL);
	dht_net_run(&s->net, s->net.now + SHOAL_S(60));
}

static void lag(struct scene *s, uint32_t from, uint32_t to, shoal_us lag)
{
	for (uint32_t i = from; i < to && i < s->nodes; i++)
		s->net.node[s->by_distance[i]].lag = lag;
}

/* The clock goes on until it has ended; how long that took. */
static shoal_us ask(struct scene *s, struct shoal_dht_ask what)
{
	shoal_us began = s->net.now;
	what.target = s->target;
	what.k = shoal_bytes(dht_net_key, sizeof dht_net_key);
	s->heard = (struct heard){ .search = shoal_dht_search(s->net.node[s->asker].dht, &what, began) };
	assert_true(s->heard.search > 0);
	dht_net_flush(&s->net, s->asker);
	dht_net_run(&s->net, began + SHOAL_S(30));
	assert_true(s->heard.over);
	return s->heard.at - began;
}

static shoal_us put(struct scene *s, int64_t seq)
{
	return ask(s, (struct shoal_dht_ask){ .what = SHOAL_DHT_PUT,
					      .v = seq == 1 ? SHOAL_LIT("5:first") : SHOAL_LIT("6:second"),
					      .sig = shoal_bytes(dht_net_sig, sizeof dht_net_sig),
					      .seq = seq });
}

static shoal_us get(struct scene *s)
{
	return ask(s, (struct shoal_dht_ask){ .what = SHOAL_DHT_GET });
}

/* The closest answer three seconds late, as on a busy host: the value is theirs all the same, or whoever asks when they are
 * quick again gets the one before. */
static void who_is_slow_is_written_to(void **state)
{
	struct scene s;
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		begin(&s, seed, 40);
		put(&s, 1);
		assert_int_equal(s.heard.written, 8);
		lag(&s, 0, 8, SLOW);
		shoal_us took = put(&s, 2);
		print_message("seed %d: on %u nodes, in %.1f s\n", (int)seed, s.heard.written, (double)took / 1e6);
		lag(&s, 0, 8, 0);
		get(&s);
		assert_int_equal(s.heard.seq, 2);
		dht_net_fini(&s.net);
	}
}

/* One who did not hear of the new value is quick, the others are slow: they are waited for. */
static void few_are_not_believed_at_once(void **state)
{
	struct scene s;
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		begin(&s, seed, 6);
		put(&s, 1);
		lag(&s, 0, 1, SHOAL_S(30));
		put(&s, 2);
		lag(&s, 0, 1, 0);
		lag(&s, 1, 6, SLOW);
		shoal_us took = get(&s);
		print_message("seed %d: number %d, in %.1f s\n", (int)seed, (int)s.heard.seq, (double)took / 1e6);
		assert_int_equal(s.heard.seq, 2);
		dht_net_fini(&s.net);
	}
}

/* Who knows nobody but places to begin at, and those take their time. */
static void so_is_a_slow_place_to_begin_at(void **state)
{
	struct scene s;
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		begin(&s, seed, 40);
		put(&s, 1);
		lag(&s, 0, 40, SHOAL_MS(1500));
		s.asker = dht_net_join(&s.net, NULL);
		shoal_us took = get(&s);
		print_message("seed %d: number %d, in %.1f s\n", (int)seed, (int)s.heard.seq, (double)took / 1e6);
		assert_int_equal(s.heard.seq, 1);
		dht_net_fini(&s.net);
	}
}

/* Nobody waits for the dead longer than for an answer, and where all are quick nobody waits. */
static void waiting_has_an_end(void **state)
{
	struct scene s;
	(void)state;
	begin(&s, 7, 40);
	assert_true(put(&s, 1) < SHOAL_S(3));
	assert_true(get(&s) < SHOAL_S(2));
	for (uint32_t i = 0; i < 4; i++)
		dht_net_kill(&s.net, s.by_distance[i]);
	shoal_us took = put(&s, 2);
	print_message("4 of the closest are dead: on %u nodes, in %.1f s\n", s.heard.written, (double)took / 1e6);
	assert_int_equal(s.heard.written, 8);
	assert_true(took <= SHOAL_S(10));
	assert_true(get(&s) < SHOAL_S(5)); /* eight answer: whoever is dead hides nothing */
	assert_int_equal(s.heard.seq, 2);
	dht_net_fini(&s.net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_slow_is_written_to),
		cmocka_unit_test(few_are_not_believed_at_once),
		cmocka_unit_test(so_is_a_slow_place_to_begin_at),
		cmocka_unit_test(waiting_has_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
